"""Opcodes: numbers, names, the layout of an instruction, both text forms."""

import pytest
from bitcoin.core.script import OPCODES_BY_NAME

from chain.script import opcodes
from chain.script.opcodes import (
    TruncatedPushError,
    core_asm,
    disassemble,
    instructions,
    opcode_name,
)


def test_numbers_are_those_of_python_bitcoinlib() -> None:
    ours = {name: value for name, value in vars(opcodes).items() if name.startswith("OP_")}
    theirs = {str(name): int(opcode) for name, opcode in OPCODES_BY_NAME.items()}
    renamed = {"OP_CHECKLOCKTIMEVERIFY": 0xB1, "OP_CHECKSEQUENCEVERIFY": 0xB2}
    added = {"OP_CHECKSIGADD": 0xBA, "OP_INVALIDOPCODE": 0xFF}
    known = theirs | renamed | added
    assert {name: known[name] for name in ours} == ours
    # Of the opcodes between the pushes and the first one without a meaning none is missing.
    covered = set(ours.values()) | set(range(0x51, 0x61))
    assert covered == {0, *range(0x4C, 0xBB), 0xFF}


def test_names() -> None:
    assert [opcode_name(n) for n in (0, 1, 0x4B, 0x4C, 0x4F, 0x51, 0x5B, 0x60, 0xAC, 0xBA)] == (
        "OP_0 OP_PUSHBYTES_1 OP_PUSHBYTES_75 OP_PUSHDATA1 OP_1NEGATE OP_1 OP_11 OP_16 OP_CHECKSIG "
        "OP_CHECKSIGADD"
    ).split()
    for number in range(1, 17):
        assert opcode_name(0x50 + number) == f"OP_{number}"
    assert (opcode_name(0x50), opcode_name(0x61)) == ("OP_RESERVED", "OP_NOP")
    assert opcode_name(0xBB) == "OP_UNKNOWN"
    assert opcode_name(0xFF) == "OP_INVALIDOPCODE"


def test_each_way_to_push() -> None:
    script = bytes.fromhex("00 02abcd 4c01ee 4d0100dd 4e01000000cc 51 ac")
    assert list(instructions(script)) == [
        (0x00, b"", 1),
        (0x02, b"\xab\xcd", 4),
        (0x4C, b"\xee", 7),
        (0x4D, b"\xdd", 11),
        (0x4E, b"\xcc", 17),
        (0x51, None, 18),
        (0xAC, None, 19),
    ]
    assert list(instructions(script, 17)) == [(0x51, None, 18), (0xAC, None, 19)]


@pytest.mark.parametrize(
    ("cut", "position", "length_is_missing"),
    [("5102aa", 2, False), ("514c", 2, True), ("514c02aa", 3, False), ("514dff", 2, True),
     ("514dffffaa", 4, False), ("514e000000", 2, True), ("514effffffff", 6, False)],
)  # fmt: skip
def test_a_push_that_is_cut_off(cut: str, position: int, length_is_missing: bool) -> None:
    found = instructions(bytes.fromhex(cut))
    assert next(found) == (0x51, None, 1)
    with pytest.raises(TruncatedPushError) as error:
        next(found)
    assert error.value.code == "BAD_OPCODE"
    assert (error.value.position, error.value.length_is_missing) == (position, length_is_missing)


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("", ""),
        ("76a9" + "14" + "ab" * 20 + "88ac",
         f"OP_DUP OP_HASH160 OP_PUSHBYTES_20 {'ab' * 20} OP_EQUALVERIFY OP_CHECKSIG"),
        ("0014" + "cd" * 20, f"OP_0 OP_PUSHBYTES_20 {'cd' * 20}"),
        ("5120" + "ef" * 32, f"OP_PUSHNUM_1 OP_PUSHBYTES_32 {'ef' * 32}"),
        ("4f5160", "OP_PUSHNUM_NEG1 OP_PUSHNUM_1 OP_PUSHNUM_16"),
        ("b1b2b0b3", "OP_CLTV OP_CSV OP_NOP1 OP_NOP4"),
        ("c5feffba50", "OP_RETURN_197 OP_RETURN_254 OP_INVALIDOPCODE OP_CHECKSIGADD OP_RESERVED"),
        ("4c01aa4d0100bb4e01000000cc", "OP_PUSHDATA1 aa OP_PUSHDATA2 bb OP_PUSHDATA4 cc"),
        ("4c00", "OP_PUSHDATA1"),
        ("7605aa", "OP_DUP OP_PUSHBYTES_5 <push past end>"),
        ("764d", "OP_DUP<unexpected end>"),
    ],
)  # fmt: skip
def test_text_as_rust_bitcoin_writes_it(script: str, text: str) -> None:
    assert disassemble(bytes.fromhex(script)) == text


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("", ""),
        ("76a9" + "14" + "ab" * 20 + "88ac",
         f"OP_DUP OP_HASH160 {'ab' * 20} OP_EQUALVERIFY OP_CHECKSIG"),
        ("004f515260", "0 -1 1 2 16"),
        ("01050285800400000080", "5 -133 0"),
        ("05ffffffff00", "ffffffff00"),
        ("b1bb50ff", "OP_CHECKLOCKTIMEVERIFY OP_UNKNOWN OP_RESERVED OP_INVALIDOPCODE"),
        ("7605aa", "OP_DUP [error]"),
    ],
)  # fmt: skip
def test_text_as_core_writes_it(script: str, text: str) -> None:
    assert core_asm(bytes.fromhex(script)) == text
