"""Everything against Bitcoin Core's own engine: the verdict, and the code of the error.

FARTHING_SWEEP=1 makes the random tests fifty times longer.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.script import flags
from chain.script.errors import TEXTS
from chain.script.opcodes import cut
from chain.script.script import count_sigops, find_and_delete, is_push_only, push, push_number
from chain.script.sighash import PrecomputedSighash, legacy_sighash, witness_v0_sighash
from chain.script.templates import ScriptType, classify
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.chain.script import core
from tests.chain.script.cases import CASES
from tests.chain.script.helpers import SWEEP, Spend, bare_tx
from tests.chain.script.test_templates import SHAPES

# In the order of Core's enum TxoutType.
TYPES = (
    "nonstandard anchor pubkey pubkeyhash scripthash multisig nulldata witness_v0_scripthash "
    "witness_v0_keyhash witness_v1_taproot witness_unknown"
).split()
opcodes = st.integers(0x4C, 0xBB).map(lambda opcode: bytes([opcode]))
pushes = st.binary(max_size=6).map(push) | st.integers(-2, 20).map(push_number)
few = st.sampled_from([bytes([opcode]) for opcode in (0x51, 0x63, 0x64, 0x67, 0x68, 0x76, 0x93)])
scripts = st.lists(opcodes | pushes | few, max_size=10).map(b"".join)


def test_the_texts_are_cores() -> None:
    assert {core.CODES[n]: core.error_text(n) for n in range(2, len(core.CODES))} == TEXTS
    assert core.error_text(len(core.CODES)) == "unknown error"


@pytest.mark.parametrize("number", range(len(CASES)))
def test_the_named_cases(number: int) -> None:
    code, spend = CASES[number]
    assert core.code_of(spend) == code


@settings(max_examples=1000 * SWEEP)
@given(scripts, scripts, st.integers(0, 2**21 - 1), st.sampled_from([0, 5, 0xFFFFFFFF]))
def test_random_scripts(script_sig: bytes, script_pubkey: bytes, bits: int, sequence: int) -> None:
    if bits & (flags.CLEANSTACK | flags.TAPROOT):
        bits |= flags.WITNESS
    if bits & flags.WITNESS:
        bits |= flags.P2SH
    tx = bare_tx(script_sig, sequence=sequence, locktime=5)
    spend = Spend(tx, 0, [TxOut(7, script_pubkey)], bits)
    assert spend.ours() == core.code_of(spend)


noise = st.lists(pushes | few | st.binary(max_size=2), max_size=6).map(b"".join)


@settings(max_examples=300 * SWEEP)
@given(noise, st.data())
def test_counting_and_deleting(script: bytes, data: st.DataObject) -> None:
    script = script[:36]  # what FindAndDelete of the oracle holds
    pieces = [piece for piece in cut(script) if cut(piece + b"\x51") == (piece, b"\x51")]
    unwanted = data.draw(st.sampled_from(pieces) if pieces else st.just(b"\x00"))
    left = find_and_delete(cut(script), {unwanted})
    found = len(cut(script)) - len(left)
    assert (b"".join(left), found) == core.find_and_delete(script, unwanted)
    assert is_push_only(script) == core.is_push_only(script)
    multisigs = script + data.draw(st.binary(max_size=5)) + b"\xae\x52\xaf\xac"
    for accurate in (False, True):
        assert count_sigops(multisigs, accurate) == core.count_sigops(multisigs, accurate)


@settings(max_examples=300 * SWEEP)
@given(st.sampled_from([shape[0] for shape in SHAPES]), st.data())
def test_classes(script: bytes, data: st.DataObject) -> None:
    changed = bytearray(script)
    place = data.draw(st.integers(0, len(script) - 1))
    changed[place] ^= data.draw(st.sampled_from([0, 1, 2, 0x80, 0xFF]))
    for candidate in (bytes(changed), script[: place + 1], script + bytes(changed[:place])):
        assert classify(candidate) is ScriptType(TYPES[core.solve(candidate)])


@pytest.mark.parametrize("seed", range(100 * SWEEP))
def test_signature_hashes(seed: int) -> None:
    rng = random.Random(seed)
    count = rng.randint(1, 3)
    inputs = [
        TxIn(OutPoint(rng.randbytes(32), rng.getrandbits(32)), b"", rng.getrandbits(32), ())
        for _ in range(count)
    ]
    outputs = [TxOut(rng.randrange(10**14), rng.randbytes(5)) for _ in range(rng.randint(1, 3))]
    tx = Transaction(rng.getrandbits(32), tuple(inputs), tuple(outputs), rng.getrandbits(32))
    spent = [TxOut(rng.randrange(10**14), b"") for _ in inputs]
    engine, known = core.Core(tx, spent), PrecomputedSighash(tx, spent)
    words = [b"\xab", b"\xab", b"\xac", b"\x51", b"\x02\xab\xab", b"\x4c", b"\x4d\x05"]
    for _ in range(8):
        code = b"".join(rng.choices(words, k=rng.randrange(9)))
        hash_type = rng.choice((1, 2, 3, 0x81, 0x82, 0x83, rng.getrandbits(32)))
        index = rng.randrange(count)
        digest = legacy_sighash(tx, index, code, hash_type, known)
        assert digest == engine.sighash(index, code, hash_type, 0)
        digest = witness_v0_sighash(tx, index, code, spent[index].value, hash_type, known)
        assert digest == engine.sighash(index, code, hash_type, 1)
