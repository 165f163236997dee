"""Standard shapes: each is built, recognised, and not mistaken for another."""

import pytest

from chain.hashes import hash160, sha256
from chain.script import templates
from chain.script.templates import ScriptType, classify, multisig, multisig_keys
from tests.chain.script.helpers import script

KEY = bytes.fromhex("02" + "11" * 32)
LONG_KEY = bytes.fromhex("04" + "22" * 64)
HASH20, HASH32 = hash160(b""), sha256(b"")
K = f"<{KEY.hex()}>"

SHAPES = [
    (templates.p2pk(KEY), f"{K} CHECKSIG", "pubkey"),
    (templates.p2pk(LONG_KEY), f"<{LONG_KEY.hex()}> CHECKSIG", "pubkey"),
    (templates.p2pkh(HASH20), f"DUP HASH160 <{HASH20.hex()}> EQUALVERIFY CHECKSIG", "pubkeyhash"),
    (templates.p2sh(HASH20), f"HASH160 <{HASH20.hex()}> EQUAL", "scripthash"),
    (templates.p2wpkh(HASH20), f"0 <{HASH20.hex()}>", "witness_v0_keyhash"),
    (templates.p2wsh(HASH32), f"0 <{HASH32.hex()}>", "witness_v0_scripthash"),
    (templates.p2tr(HASH32), f"1 <{HASH32.hex()}>", "witness_v1_taproot"),
    (templates.P2A, "1 <4e73>", "anchor"),
    (templates.witness(2, HASH20), f"2 <{HASH20.hex()}>", "witness_unknown"),
    (multisig(1, [KEY, LONG_KEY]), f"1 {K} <{LONG_KEY.hex()}> 2 CHECKMULTISIG", "multisig"),
    (multisig(17, [KEY] * 20), f"<11> {f'{K} ' * 20}<14> CHECKMULTISIG", "multisig"),
    (multisig(16, [KEY] * 16), f"16 {f'{K} ' * 16}16 CHECKMULTISIG", "multisig"),
    (templates.op_return(b"hello"), "RETURN <68656c6c6f>", "nulldata"),
]


@pytest.mark.parametrize(("built", "words", "name"), SHAPES, ids=[shape[2] for shape in SHAPES])
def test_shapes(built: bytes, words: str, name: str) -> None:
    assert built == script(words)
    assert classify(built) is ScriptType(name)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("", "nonstandard"),
        ("1", "nonstandard"),
        ("CHECKSIG", "nonstandard"),
        (f"<05{'11' * 32}> CHECKSIG", "nonstandard"),
        (f"<02{'11' * 31}> CHECKSIG", "nonstandard"),
        (f"0x4c21{KEY.hex()} CHECKSIG", "nonstandard"),
        (f"DUP HASH160 <{HASH20.hex()}> EQUALVERIFY CHECKSIG NOP", "nonstandard"),
        (f"0 <{HASH20.hex()}00>", "nonstandard"),
        (f"1 <{HASH20.hex()}>", "witness_unknown"),
        ("RETURN", "nulldata"),
        ("RETURN 1 2 <aabb>", "nulldata"),
        ("RETURN NOP", "nonstandard"),
        ("RETURN 0x05", "nonstandard"),
        (f"0 {K} 1 CHECKMULTISIG", "nonstandard"),
        (f"2 {K} 1 CHECKMULTISIG", "nonstandard"),
        (f"1 {K} 2 CHECKMULTISIG", "nonstandard"),
        (f"1 {K} <aa> 2 CHECKMULTISIG", "nonstandard"),
        (f"1 {K} 1 1 CHECKMULTISIG", "nonstandard"),
        (f"0x0101 {K} 1 CHECKMULTISIG", "nonstandard"),  # not a minimal push
        (f"<1100> {f'{K} ' * 20}<14> CHECKMULTISIG", "nonstandard"),  # not a minimal number
        (f"1 {f'{K} ' * 21}<15> CHECKMULTISIG", "nonstandard"),
        (f"1 {f'{K} ' * 20}<14> NOP CHECKMULTISIG", "nonstandard"),
        (f"1 {K} 1 CHECKMULTISIG NOP", "nonstandard"),
        ("1 CHECKMULTISIG", "nonstandard"),
        ("CHECKMULTISIG", "nonstandard"),
        (f"1 {K} 1 0x02ae", "nonstandard"),
        (f"NOP {K} 1 CHECKMULTISIG", "nonstandard"),
    ],
)
def test_near_misses(words: str, name: str) -> None:
    assert classify(script(words)) is ScriptType(name)


def test_the_keys_of_a_multisig() -> None:
    assert multisig_keys(multisig(2, [KEY, LONG_KEY])) == (2, [KEY, LONG_KEY])
    assert multisig_keys(templates.p2pk(KEY)) is None


@pytest.mark.parametrize("first", range(10))
def test_the_first_byte_of_a_key_says_its_size(first: int) -> None:
    size = {2: 33, 3: 33, 4: 65, 6: 65, 7: 65}.get(first)
    for length in (1, 32, 33, 34, 64, 65, 66):
        pays_key = templates.p2pk(bytes([first]) + bytes(length - 1))
        assert (classify(pays_key) is ScriptType.P2PK) == (length == size)
