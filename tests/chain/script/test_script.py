"""A script as bytes."""

import time

import pytest
from bitcoin.core.script import CScript, FindAndDelete
from hypothesis import given
from hypothesis import strategies as st

from chain.script.opcodes import cut
from chain.script.script import (
    count_sigops,
    find_and_delete,
    instructions,
    is_minimal_push,
    is_p2sh,
    is_push_only,
    push,
    push_number,
    witness_program,
)
from tests.chain.script.helpers import script


@pytest.mark.parametrize(
    ("size", "head"),
    [(0, "00"), (1, "01"), (75, "4b"), (76, "4c4c"), (255, "4cff"), (256, "4d0001"),
     (65535, "4dffff"), (65536, "4e00000100")],
)  # fmt: skip
def test_push_takes_the_shortest_length(size: int, head: str) -> None:
    assert push(b"\x07" * size) == bytes.fromhex(head) + b"\x07" * size


@given(st.binary(max_size=300))
def test_push_is_read_back_and_minimal(data: bytes) -> None:
    [(opcode, pushed, end)] = instructions(push(data))
    assert (pushed, end) == (data, len(push(data)))
    assert is_minimal_push(opcode, data) != (len(data) == 1 and data[0] in (*range(1, 17), 0x81))


@pytest.mark.parametrize(
    ("number", "expected"),
    [(-1, "4f"), (0, "00"), (1, "51"), (16, "60"), (17, "0111"), (-2, "0182"), (500, "02f401")],
)
def test_push_number(number: int, expected: str) -> None:
    assert push_number(number).hex() == expected


@pytest.mark.parametrize(
    ("opcode", "data", "minimal"),
    [(0x01, "05", False), (0x55, "05", True), (0x01, "81", False), (0x4F, "81", True),
     (0x01, "00", True), (0x4C, "", False), (0x4C, "aa" * 75, False), (0x4C, "aa" * 76, True),
     (0x4D, "aa" * 255, False), (0x4D, "aa" * 256, True)],
)  # fmt: skip
def test_minimal_pushes(opcode: int, data: str, minimal: bool) -> None:
    assert is_minimal_push(opcode, bytes.fromhex(data)) is minimal


@pytest.mark.parametrize(
    ("words", "expected"),
    [("", True), ("0 1 -1 16 <aabb>", True), ("RESERVED", True), ("1 NOP", False), ("0x05", False)],
)
def test_push_only(words: str, expected: bool) -> None:
    assert is_push_only(script(words)) is expected


KEYS = "<02> <02>"


@pytest.mark.parametrize(
    ("words", "crude", "accurate"),
    [
        ("", 0, 0),
        ("CHECKSIG CHECKSIGVERIFY", 2, 2),
        (f"1 {KEYS} 2 CHECKMULTISIG", 20, 2),
        (f"1 {KEYS} 16 CHECKMULTISIGVERIFY CHECKSIG", 21, 17),
        (f"1 {KEYS} <02> CHECKMULTISIG", 20, 20),
        ("0 CHECKMULTISIG", 20, 20),
        ("CHECKMULTISIG", 20, 20),
        ("<acac> CHECKSIGADD", 0, 0),
        ("CHECKSIG 0x05acac", 1, 1),
    ],
)
def test_sigops(words: str, crude: int, accurate: int) -> None:
    assert count_sigops(script(words), False) == crude
    assert count_sigops(script(words), True) == accurate


@pytest.mark.parametrize(
    ("words", "unwanted", "left", "found"),
    [
        ("1 2 3", "2", "1 3", 1),
        ("1 2 2 3", "2", "1 3", 2),
        ("0x0302ff03", "0x02ff03", "0x0302ff03", 0),  # not where an instruction begins
        ("0x0302ff030302ff03", "0x0302ff03", "", 2),
        ("0x0302ff030302ff03", "0xff", "0x0302ff030302ff03", 0),
        ("1 0x02 0x51", "1", "0x0251", 1),  # a push that is cut off is kept
        ("0 <> 1 0x4c00", "0", "1 0x4c00", 2),  # the empty push in more bytes is another
        ("1 0x4c", "1", "0x4c", 1),
    ],
)
def test_find_and_delete(words: str, unwanted: str, left: str, found: int) -> None:
    kept = find_and_delete(cut(script(words)), {script(unwanted)})
    assert b"".join(kept) == script(left)
    assert len(cut(script(words))) - len(kept) == found


@given(st.binary(max_size=600))
def test_a_signature_pushed_is_one_instruction_wherever_it_stands(signature: bytes) -> None:
    assert cut(b"\x51" + push(signature) + b"\x4c") == (b"\x51", push(signature), b"\x4c")


@given(st.lists(st.sampled_from(["1", "2", "<51>", "<5152>", "0x4c0151"]), max_size=12))
def test_find_and_delete_as_python_bitcoinlib_does(words: list[str]) -> None:
    whole = script(" ".join(words))
    for unwanted in (script("1"), script("<51>"), script("<5152>")):
        expected = bytes(FindAndDelete(CScript(whole), CScript(unwanted)))
        assert b"".join(find_and_delete(cut(whole), {unwanted})) == expected


def test_hostile_scripts_take_linear_time() -> None:
    def seconds(size: int) -> float:
        start = time.process_time()
        hostile = b"\x51\x52" * size
        find_and_delete(cut(hostile), {b"\x51"})
        count_sigops(b"\xae" * size, True)
        return time.process_time() - start

    seconds(1000)
    assert seconds(200_000) < 40 * min(seconds(20_000) for _ in range(3))  # quadratic: 100


def test_p2sh_is_exact() -> None:
    exact = bytes.fromhex("a914" + "00" * 20 + "87")
    assert is_p2sh(exact)
    assert not is_p2sh(exact + b"\x61")
    assert not is_p2sh(bytes.fromhex("a94c14" + "00" * 20 + "87"))
    assert not is_p2sh(exact[:-1] + b"\x88")


@pytest.mark.parametrize(
    ("words", "program"),
    [
        ("0 <0102>", (0, "0102")),
        (f"1 <{'ab' * 32}>", (1, "ab" * 32)),
        (f"16 <{'ab' * 40}>", (16, "ab" * 40)),
        ("0 <01>", None),
        (f"0 <{'ab' * 41}>", None),
        ("-1 <0102>", None),
        ("RESERVED <0102>", None),
        ("NOP <0102>", None),
        ("0 0x4c020102", None),
        ("0 <0102> NOP", None),
        ("0 0x030102", None),
        ("", None),
    ],
)
def test_witness_programs(words: str, program: tuple[int, str] | None) -> None:
    expected = None if program is None else (program[0], bytes.fromhex(program[1]))
    assert witness_program(script(words)) == expected
