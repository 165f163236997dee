"""Sealed secrets: the password opens; anything else says if password or file is wrong."""

import hashlib
import json

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wallet.errors import BadPassword, DamagedFile, WrongPassword
from wallet.sealing import seal, unseal

N = 2**14  # the least that is allowed
BOUND = b"format, network, descriptors"


@pytest.fixture(scope="module")
def box() -> dict[str, str | int]:
    return seal(b"the secret", "pass\u00e9", BOUND, scrypt_n=N)


def test_the_password_opens_however_it_is_typed(box: dict[str, str | int]) -> None:
    assert unseal(box, "pass\u00e9", BOUND) == b"the secret"
    assert unseal(json.loads(json.dumps(box)), "passe\u0301", BOUND) == b"the secret"


def test_the_library_and_the_standard_library_agree_on_the_format(
    box: dict[str, str | int],
) -> None:
    """So that a file can be opened without this program."""
    salt = bytes.fromhex(str(box["salt"]))
    memory = 64 * 1024 * 1024
    stretched = hashlib.scrypt(
        "pass\u00e9".encode(), salt=salt, n=16384, r=8, p=1, maxmem=memory, dklen=48
    )
    header = {name: value for name, value in box.items() if name not in ("check", "text")}
    aad = json.dumps(header, sort_keys=True).encode() + b"\n" + BOUND
    nonce, text = bytes.fromhex(str(box["nonce"])), bytes.fromhex(str(box["text"]))
    assert AESGCM(stretched[:32]).decrypt(nonce, text, aad) == b"the secret"
    assert stretched[32:].hex() == box["check"]


def test_a_wrong_password_is_told(box: dict[str, str | int]) -> None:
    for password in ("pass", "", "PASS\u00c9"):
        with pytest.raises(WrongPassword, match="wrong password"):
            unseal(box, password, BOUND)


def test_a_changed_bound_half_is_told_from_a_wrong_password(box: dict[str, str | int]) -> None:
    with pytest.raises(DamagedFile, match="altered"):
        unseal(box, "pass\u00e9", BOUND + b"!")


@pytest.mark.parametrize("name", ["nonce", "text"])
def test_a_changed_seal_is_told_from_a_wrong_password(box: dict[str, str | int], name: str) -> None:
    text = str(box[name])
    changed = ("0" if text[0] != "0" else "1") + text[1:]
    with pytest.raises(DamagedFile, match="altered"):
        unseal(box | {name: changed}, "pass\u00e9", BOUND)
    with pytest.raises(DamagedFile, match="altered"):
        unseal(box | {"text": "00" * 10_001}, "pass\u00e9", BOUND)


@pytest.mark.parametrize(
    "change",
    [
        {"n": 2**13},
        {"n": 2**21},
        {"n": 2**14 + 1},
        {"n": 0},
        {"n": -(2**14)},
        {"n": "16384"},
        {"n": 16384.0},
        {"r": 9},
        {"p": 2},
        {"kdf": "md5"},
        {"cipher": "rot13"},
        {"salt": "xyz"},
        {"salt": 5},
        {"nonce": None},
        {"check": "zz"},
        {"text": None},
    ],
)
def test_parameters_have_a_floor_and_a_ceiling(
    box: dict[str, str | int], change: dict[str, str | int]
) -> None:
    with pytest.raises(DamagedFile, match="sealed part is damaged"):
        unseal(box | change, "pass\u00e9", BOUND)


def test_a_missing_field_is_damage(box: dict[str, str | int]) -> None:
    for name in box:
        rest = {key: value for key, value in box.items() if key != name}
        with pytest.raises(DamagedFile):
            unseal(rest, "pass\u00e9", BOUND)


def test_what_is_sealed_keeps_to_the_floor_too() -> None:
    with pytest.raises(ValueError, match="power of two"):
        seal(b"", "p", BOUND, scrypt_n=2**13)
    with pytest.raises(BadPassword, match="empty"):
        seal(b"", "", BOUND, scrypt_n=N)


def test_salt_and_nonce_are_fresh_and_the_default_is_owasps(box: dict[str, str | int]) -> None:
    other = seal(b"the secret", "pass\u00e9", BOUND)
    assert other["n"] == 131072
    assert other["salt"] != box["salt"]
    assert other["nonce"] != box["nonce"]
