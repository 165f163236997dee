"""The parsers of chain/: bytes on the wire, rows in the store, scripts, addresses, networks."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import strategies as st

from chain.address import (
    address_to_script,
    base58check_decode,
    base58check_encode,
    bech32_decode,
    bech32_encode,
    parse_witness_address,
    script_to_address,
    witness_address,
)
from chain.block import Block, BlockHeader
from chain.coins import Coin, read_undo, serialize_undo
from chain.der import parse_lax_der
from chain.encoding import (
    Reader,
    decode_bits,
    display_hash,
    encode_bits,
    parse_hash,
    var_bytes,
    write_compact_size,
)
from chain.errors import DecodeError
from chain.params import MAIN, REGTEST, custom
from chain.script.errors import ScriptError
from chain.script.numbers import decode_number, encode_number
from chain.script.opcodes import core_asm, cut, disassemble, instructions
from chain.script.script import count_sigops, is_push_only, witness_program
from chain.script.signatures import is_strict_der
from chain.script.templates import classify, multisig, multisig_keys
from chain.store import StoreError, parse_row
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.parsers import made
from tests.parsers.parser import Parser, whole

# FARTHING_SWEEP=1 makes hostile inputs as long as a block may be; less shows the same.
SIZE = 4_000_000 if os.environ.get("FARTHING_SWEEP") else 250_000
HEADER = BlockHeader(1, bytes(32), bytes(32), 0, 0, 0)
NOWHERE = OutPoint(bytes(32), 0)
EMPTY_INPUT = TxIn(NOWHERE)
PAYMENT = Transaction(
    2,
    (TxIn(OutPoint(b"\x11" * 32, 1), b"", 0xFFFFFFFD, (b"\x30" * 71, b"\x02" * 33)),),
    (TxOut(1000, b"\0\x14" + bytes(20)), TxOut(2000, b"\0\x14" + bytes(20))),
    0,
)
P2PKH = b"\x76\xa9\x14" + bytes(20) + b"\x88\xac"
KEY = b"\x02" + b"\x11" * 32


def block_of(transaction: bytes) -> bytes:
    """As many of it as fit."""
    count = (SIZE - 85) // len(transaction)
    return HEADER.serialize() + write_compact_size(count) + transaction * count


def normal_block() -> bytes:
    """4 MB of ordinary payments."""
    return block_of(PAYMENT.serialize())


def tx_of_inputs(tx_in: TxIn) -> bytes:
    """As many of it as fit."""
    witness_size = 1 + sum(1 + len(item) for item in tx_in.witness)
    count = (SIZE - 30) // (len(tx_in.serialize()) + witness_size)
    return Transaction(2, [tx_in] * count, [], 0).serialize()


def tx_of_outputs(script_pubkey: bytes) -> bytes:
    """As many of it as fit."""
    output = TxOut(0, script_pubkey)
    return Transaction(
        2, [EMPTY_INPUT], [output] * (SIZE // len(output.serialize())), 0
    ).serialize()


def tx_of_items(item: bytes) -> bytes:
    """One input whose witness has as many of it as fit."""
    items = (item,) * (SIZE // (1 + len(item)))
    return Transaction(2, [EMPTY_INPUT._replace(witness=items)], [], 0).serialize()


CLAIM = b"\xfe\x00\x00\x00\x02"  # 32 Mi of whatever follows
TRANSACTIONS: dict[str, Callable[[], bytes]] = {
    "many inputs claimed": lambda: bytes(4) + CLAIM + bytes(SIZE),
    "many outputs claimed": lambda: b"\2\0\0\0\1" + EMPTY_INPUT.serialize() + CLAIM + bytes(SIZE),
    "many items claimed": lambda: (
        b"\2\0\0\0\0\1\1" + EMPTY_INPUT.serialize() + b"\0" + CLAIM + bytes(SIZE)
    ),
    "a long script claimed": lambda: b"\2\0\0\0\1" + bytes(36) + CLAIM + bytes(SIZE),
    "least inputs": lambda: tx_of_inputs(EMPTY_INPUT),
    "least outputs": lambda: tx_of_outputs(b""),
    "empty items": lambda: tx_of_items(b""),
    "items of a byte": lambda: tx_of_items(b"x"),
    "items with long sizes": lambda: tx_of_items(bytes(253)),
}
LEAST = Transaction(2, [EMPTY_INPUT], [TxOut(0, b"")], 0)
BLOCKS: dict[str, Callable[[], bytes]] = {
    "least transactions": lambda: block_of(bytes(4) + b"\0\0" + bytes(4)),
    "small transactions": lambda: block_of(LEAST.serialize()),
    "many transactions claimed": lambda: HEADER.serialize() + CLAIM + bytes(SIZE),
    "one transaction of empty items": lambda: HEADER.serialize() + b"\1" + tx_of_items(b""),
    "one transaction of outputs": lambda: HEADER.serialize() + b"\1" + tx_of_outputs(b""),
}
SCRIPTS: dict[str, Callable[[], bytes]] = {
    "OP_0": lambda: bytes(SIZE),
    "pushes of a byte": lambda: b"\x01\xab" * (SIZE // 2),
    "OP_CHECKMULTISIG": lambda: b"\xae" * SIZE,
    "multisigs": lambda: b"\x51\xae" * (SIZE // 2),
    "a push as long as can be said": lambda: b"\x4e\xff\xff\xff\xff" + bytes(SIZE),
}


def normal_script() -> bytes:
    """4 MB of the commonest script."""
    return P2PKH * (SIZE // len(P2PKH))


def steps_of(script: bytes) -> made.Steps:
    return [(opcode, data) for opcode, data, _ in instructions(script)]


def count_accurately(script: bytes) -> int:
    return count_sigops(script, accurate=True)


# What is said of a script, and has an answer for any: by itself only the clock is put to it.
READINGS: dict[str, Callable[[bytes], Any]] = {
    "disassembly": disassemble,
    "Core's disassembly": core_asm,
    "signature operations": count_accurately,
    "shape": classify,
    "only pushes": is_push_only,
    "witness program": witness_program,
    "multisig": multisig_keys,
}
ALL_OF_IT = ("disassembly", "Core's disassembly", "signature operations")  # read to the end always


def readings(script: bytes) -> list[Any]:
    """All of them."""
    return [read(script) for read in READINGS.values()]


def lax_der(signature: bytes) -> tuple[int, int]:
    found = parse_lax_der(signature)
    if found is None:
        raise DecodeError("no DER")
    return found


def der(numbers: tuple[int, int]) -> bytes:
    """As short as can be."""
    parts = [number.to_bytes(number.bit_length() // 8 + 1, "big") for number in numbers]
    body = b"".join(b"\x02" + bytes([len(part)]) + part for part in parts)
    return b"\x30" + bytes([len(body)]) + body


def row(raw: bytes) -> Coin:
    return parse_row(Coin.read, raw, "a coin")


steps = made.strategy(made.steps)
# Opcodes that the functions on whole scripts look at stand beside any others.
scripts = (
    steps.map(made.script)
    | st.integers(0, 20).map(lambda n: multisig(1, [KEY] * n))
    | st.sampled_from((P2PKH, b"\x6a\x04abcd", b"\x51\x20" + bytes(32), P2PKH[1:23] + b"\x87"))
)
u32 = st.integers(0, 2**32 - 1)
coins = made.strategy(made.coin)
undos = made.strategy(made.undo)
programs = st.tuples(st.just(0), st.sampled_from((bytes(20), b"\xff" * 32))) | st.tuples(
    st.integers(1, 16), st.binary(min_size=2, max_size=40)
)
addressed = st.builds(
    lambda program: bytes([0x50 + program[0] if program[0] else 0, len(program[1])]) + program[1],
    programs,
) | st.binary(min_size=20, max_size=20).flatmap(
    lambda digest: st.sampled_from(
        (b"\x76\xa9\x14" + digest + b"\x88\xac", b"\xa9\x14" + digest + b"\x87")
    )
)
hrps = st.text("abcdefghijklmnopqrstuvwxyz0123456789!~", min_size=1, max_size=10)
fives = st.lists(st.integers(0, 31), max_size=60)
# As much of a network's file as TOML can say, right and wrong.
entries = st.one_of(
    st.integers(),
    st.integers(-2, 300),
    st.text(max_size=90),
    st.from_regex(r"[0-9a-f]{7,9}", fullmatch=True),
    st.booleans(),
    st.floats(),
    st.lists(st.integers(), max_size=2),
    st.sampled_from(("regtest", "classroom", "main", 10**5000, [[[]]], {"a": 1}, "\ud800", None)),
)
KEYS = """base pow_limit_bits target_spacing_s retarget_interval_blocks initial_subsidy coin_type
halving_interval_blocks coinbase_maturity_blocks p2pkh_prefix p2sh_prefix wif_prefix default_port
coinbase_height_from strict_der_from segwit_from bech32_hrp xpub_prefix xprv_prefix genesis_message
genesis_time no_retargeting allow_min_difficulty_blocks magic colour""".split()
tables = st.builds(
    lambda name, rest: {"name": name, **rest},
    st.sampled_from(("mine", "main", "Bad", 7)) | st.just("mine"),
    st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), entries, max_size=3),
)
LONG_TEXT: dict[str, Callable[[], str]] = {
    "ones": lambda: "1" * SIZE,
    "z": lambda: "z" * SIZE,
    "an address that goes on": lambda: "bcrt1" + "q" * SIZE,
    "in capitals": lambda: "BCRT1" + "Q" * SIZE,
    "digits": lambda: "9" * SIZE,
    "outside of ASCII": lambda: "é" * SIZE,
}
LONG_BYTES: dict[str, Callable[[], bytes]] = {
    "zeros": lambda: bytes(SIZE),
    "ones": lambda: b"\xff" * SIZE,
    "a long integer": lambda: b"\x30\x84\x00\x3d\x09\x00\x02\x83\x3d\x08\xf0" + b"\x7f" * SIZE,
}

PARSERS = [
    Parser(
        "transaction",
        Transaction.parse,
        Transaction.serialize,
        made.strategy(made.transaction),
        DecodeError,
        hostile=TRANSACTIONS,
    ),
    Parser(
        "block",
        Block.parse,
        Block.serialize,
        made.strategy(made.block, 300),
        DecodeError,
        hostile=BLOCKS,
    ),
    Parser(
        "header", BlockHeader.parse, BlockHeader.serialize, made.strategy(made.header), DecodeError
    ),
    Parser(
        "compact size",
        whole(Reader.compact_size),
        write_compact_size,
        st.integers(0, 0x02000000),
        DecodeError,
    ),
    Parser(
        "sized bytes",
        whole(Reader.var_bytes),
        var_bytes,
        made.strategy(lambda tape: tape.some(60)),
        DecodeError,
    ),
    Parser(
        "hash",
        parse_hash,
        display_hash,
        st.binary(min_size=32, max_size=32),
        DecodeError,
        False,
        hostile=LONG_TEXT,
    ),
    Parser("coin row", whole(Coin.read), Coin.serialize, coins, DecodeError, hostile=LONG_BYTES),
    Parser("row of the store", row, Coin.serialize, coins, StoreError),
    Parser(
        "undo",
        whole(read_undo),
        serialize_undo,
        undos,
        DecodeError,
    ),
    Parser(
        "instructions",
        steps_of,
        made.script,
        steps,
        ScriptError,
        hostile=SCRIPTS,
        normal=normal_script,
    ),
    Parser("pieces of a script", cut, b"".join, scripts.map(cut), ()),
    Parser("readings of a script", readings, None, scripts, ()),
    *(
        Parser(
            name,
            function,
            None,
            None,
            (),
            hostile=SCRIPTS,
            normal=normal_script if name in ALL_OF_IT else None,
        )
        for name, function in READINGS.items()
    ),
    Parser(
        "script number",
        lambda data: decode_number(data, must_be_minimal=True, max_size=5),
        encode_number,
        st.integers(-(2**39) + 1, 2**39 - 1),
        ScriptError,
        hostile=LONG_BYTES,
    ),
    Parser(
        "lax DER",
        lax_der,
        der,
        st.tuples(st.integers(0, 2**256), st.integers(0, 2**256)),
        DecodeError,
        False,
        hostile=LONG_BYTES,
    ),
    Parser("strict DER", is_strict_der, None, st.binary(max_size=80), (), hostile=LONG_BYTES),
    *(
        Parser(
            f"address on {params.name}",
            partial(address_to_script, params=params),
            partial(script_to_address, params=params),
            addressed,
            DecodeError,
            False,
            hostile=LONG_TEXT,
        )
        for params in (MAIN, REGTEST)
    ),
    Parser(
        "base58",
        base58check_decode,
        base58check_encode,
        st.binary(max_size=78),
        DecodeError,
        hostile=LONG_TEXT,
    ),
    Parser(
        "bech32",
        bech32_decode,
        lambda value: bech32_encode(value[0], value[1], is_bech32m=value[2]),
        st.tuples(hrps, fives, st.booleans()),
        DecodeError,
        False,
        hostile=LONG_TEXT,
    ),
    Parser(
        "witness address",
        parse_witness_address,
        lambda value: witness_address(*value),
        st.builds(lambda hrp, program: (hrp, *program), hrps, programs),
        DecodeError,
        False,
        hostile=LONG_TEXT,
    ),
    Parser("compact target", lambda bits: encode_bits(decode_bits(bits)), None, u32, ()),
    Parser("network", custom, None, tables, DecodeError),
]
