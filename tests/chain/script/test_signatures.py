"""Encodings of signatures and keys."""

import pytest

from chain import curve
from chain.script.errors import ScriptError
from chain.script.sighash import SigVersion
from chain.script.signatures import (
    check_public_key_encoding,
    check_signature_encoding,
    is_strict_der,
)
from tests.differential.spends import ORDER, der, numbers

DERSIG, LOW_S, STRICTENC, WITNESS_PUBKEYTYPE = 1 << 2, 1 << 3, 1 << 1, 1 << 15
GOOD = curve.sign_ecdsa(bytes(31) + b"\x01", bytes(32))
R, S = numbers(GOOD)


def test_der_of_all_sizes_is_strict() -> None:
    for r in (0, 1, 0x7F, 0x80, 1 << 255, R, (1 << 264) - 1):
        assert is_strict_der(der(r, S) + b"\x01")
        assert is_strict_der(der(S, r) + b"\x01")


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"\x30\x05\x02\x01\x01\x02\x01\x01",  # eight bytes
        der(R, S, "padded") + b"\x01",
        der(R, S, "empty r") + b"\x01",
        der(R, S, "long length") + b"\x01",
        der(R, S, "wrong length") + b"\x01",
        der(R, S, "trailing") + b"\x01",
        der(R, S, "cut") + b"\x01",
        der(1 << 255, S, "negative") + b"\x01",
        der(S, 1 << 255, "negative") + b"\x01",
        der(1 << 300, S) + b"\x01",
        der((1 << 264) - 1, 1 << 255) + b"\x01",  # 74 bytes
        b"\x31" + GOOD[1:] + b"\x01",
        GOOD[:2] + b"\x03" + GOOD[3:] + b"\x01",
        GOOD[:3] + b"\xff" + GOOD[4:] + b"\x01",
        bytes.fromhex("300602010102010001")[:-1] + b"\x01\x01",
        bytes.fromhex("3007020101020200010101")[:-1],
        bytes.fromhex("3006020101030101") + b"\x01",
        bytes.fromhex("3006020301010102") + b"\x01",
    ],
)
def test_not_strict_der(signature: bytes) -> None:
    assert not is_strict_der(signature)
    for flag in (DERSIG, LOW_S, STRICTENC):
        if signature:
            with pytest.raises(ScriptError, match="SIG_DER"):
                check_signature_encoding(signature, flag)
    check_signature_encoding(signature, 0)


@pytest.mark.parametrize("place", [0, 1, 2, 3, 4 + GOOD[3], 5 + GOOD[3]])
def test_each_byte_around_the_numbers_has_one_right_value(place: int) -> None:
    right = GOOD[place]
    for value in range(256):
        signature = GOOD[:place] + bytes([value]) + GOOD[place + 1 :] + b"\x01"
        assert is_strict_der(signature) == (value == right)


@pytest.mark.parametrize(
    ("r", "s", "is_low"),
    [
        (R, S, True),
        (R, ORDER // 2, True),
        (R, ORDER // 2 + 1, False),
        (R, ORDER - S, False),
        (R, ORDER - 1, False),
        (R, ORDER, True),  # libsecp256k1 reads it as zero
        (ORDER, ORDER - 1, True),
        (1 << 256, ORDER - 1, True),  # its first byte is 1
        (ORDER - 1, ORDER - 1, False),
    ],
)
def test_low_s(r: int, s: int, is_low: bool) -> None:
    signature = der(r, s) + b"\x01"
    check_signature_encoding(signature, DERSIG | STRICTENC)
    if is_low:
        check_signature_encoding(signature, LOW_S)
    else:
        with pytest.raises(ScriptError, match="SIG_HIGH_S"):
            check_signature_encoding(signature, LOW_S)


@pytest.mark.parametrize("hash_type", range(256))
def test_defined_hash_types(hash_type: int) -> None:
    signature = GOOD + bytes([hash_type])
    check_signature_encoding(signature, DERSIG | LOW_S)
    if hash_type in (1, 2, 3, 0x81, 0x82, 0x83):
        check_signature_encoding(signature, STRICTENC)
    else:
        with pytest.raises(ScriptError, match="SIG_HASHTYPE"):
            check_signature_encoding(signature, STRICTENC)


@pytest.mark.parametrize(
    ("first", "size", "good", "short"),
    [(2, 33, True, True), (3, 33, True, True), (4, 65, True, False), (6, 65, False, False),
     (7, 65, False, False), (2, 65, False, False), (4, 33, False, False), (2, 34, False, False),
     (0, 33, False, False), (0, 1, False, False)],
)  # fmt: skip
def test_public_keys(first: int, size: int, good: bool, short: bool) -> None:
    key = bytes([first]) + bytes(size - 1)
    check_public_key_encoding(key, 0, SigVersion.WITNESS_V0)
    check_public_key_encoding(key, WITNESS_PUBKEYTYPE, SigVersion.BASE)
    for flag, passes, code in (
        (STRICTENC, good, "PUBKEYTYPE"),
        (WITNESS_PUBKEYTYPE, short, "WITNESS_PUBKEYTYPE"),
    ):
        if passes:
            check_public_key_encoding(key, flag, SigVersion.WITNESS_V0)
        else:
            with pytest.raises(ScriptError) as error:
                check_public_key_encoding(key, flag, SigVersion.WITNESS_V0)
            assert error.value.code == code


def test_no_key_at_all() -> None:
    check_public_key_encoding(b"", 0, SigVersion.BASE)
    with pytest.raises(ScriptError, match="PUBKEYTYPE"):
        check_public_key_encoding(b"", STRICTENC, SigVersion.BASE)
