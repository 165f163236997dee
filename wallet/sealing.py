"""Secrets under a password: scrypt makes the key, AES-256-GCM seals, and both are a library's.

The seal also binds what lies beside it in the clear (`bound`): the file's format, network and
descriptors, and the scrypt parameters. Edited, even with a fitting checksum, it no longer opens.
The history is not bound, because it changes at each sync, when nobody gives a password. A check
value, more bytes of the same scrypt output, tells a wrong password from a damaged seal; it tells a
guesser no more than the seal itself does.

Loaded only when a secret is needed: reading balances must not wait for a cipher library.

Reference: RFC 7914 (scrypt), NIST SP 800-38D (GCM).
"""

import hmac
import json
import os
import unicodedata
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from wallet.errors import BadPassword, DamagedFile, WrongPassword

SCRYPT_N = 2**17  # 128 MiB and a third of a second a guess: OWASP's recommendation for scrypt
MIN_SCRYPT_N = 2**14  # what scrypt's author proposed for logins in 2009: the least we write or open
MAX_SCRYPT_N = 2**20  # 1 GiB: a file must not be able to exhaust the machine that opens it
SCRYPT_R = 8
SCRYPT_P = 1
SALT_BYTES = 16
NONCE_BYTES = (
    12  # GCM's own size; the key is fresh for each seal, so a nonce never repeats under it
)
KEY_BYTES = 32
CHECK_BYTES = 16
MAX_SEALED_BYTES = 10_000  # words and passphrase are a few hundred
_DAMAGED = "the wallet's sealed part is damaged; restore from a backup or the words"


def seal(
    secret: bytes, password: str, bound: bytes, *, scrypt_n: int = SCRYPT_N
) -> dict[str, str | int]:
    """Seal a secret, as JSON. A smaller `scrypt_n` is for tests, never below the floor."""
    if not password:
        raise BadPassword("the password is empty; choose one that is hard to guess")
    header: dict[str, str | int] = {
        "kdf": "scrypt",
        "n": scrypt_n,
        "r": SCRYPT_R,
        "p": SCRYPT_P,
        "salt": os.urandom(SALT_BYTES).hex(),
        "cipher": "aes-256-gcm",
        "nonce": os.urandom(NONCE_BYTES).hex(),
    }
    _check_parameters(header)
    key, check = _stretch(password, header)
    text = AESGCM(key).encrypt(bytes.fromhex(str(header["nonce"])), secret, _aad(header, bound))
    return header | {"check": check.hex(), "text": text.hex()}


def unseal(box: Mapping[str, Any], password: str, bound: bytes) -> bytes:
    """Open a seal: WrongPassword, or DamagedFile when seal or bound half is not what was sealed."""
    return unseal_with(box, key_of(box, password), bound)


def key_of(box: Mapping[str, Any], password: str) -> bytes:
    """The key of a seal: it opens this one alone. WrongPassword, DamagedFile."""
    try:
        header = _header(box)
        expected = bytes.fromhex(box["check"])
        key, check = _stretch(password, header)
    except (KeyError, TypeError, ValueError):
        raise DamagedFile(_DAMAGED) from None
    if not hmac.compare_digest(check, expected):
        raise WrongPassword("wrong password for this wallet")
    return key


def unseal_with(box: Mapping[str, Any], key: bytes, bound: bytes) -> bytes:
    """Open a seal by its key; DamagedFile."""
    try:
        header, text = _header(box), bytes.fromhex(box["text"])
        nonce = bytes.fromhex(header["nonce"])
    except (KeyError, TypeError, ValueError):
        raise DamagedFile(_DAMAGED) from None
    if len(text) <= MAX_SEALED_BYTES:
        try:
            return AESGCM(key).decrypt(nonce, text, _aad(header, bound))
        except (InvalidTag, ValueError):
            pass
    raise DamagedFile(
        "the password is right, but the wallet was altered since it was sealed; "
        "restore from a backup or the words"
    )


def _header(box: Mapping[str, Any]) -> dict[str, Any]:
    header = {name: value for name, value in box.items() if name not in ("check", "text")}
    _check_parameters(header)
    return header


def _stretch(password: str, header: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """(key, check value) of a password: NFKC first, so that all keyboards type the same bytes."""
    kdf = Scrypt(
        salt=bytes.fromhex(header["salt"]),
        length=KEY_BYTES + CHECK_BYTES,
        n=header["n"],
        r=header["r"],
        p=header["p"],
    )
    output = kdf.derive(unicodedata.normalize("NFKC", password).encode())
    return output[:KEY_BYTES], output[KEY_BYTES:]


def _check_parameters(header: Mapping[str, Any]) -> None:
    """Refuse parameters too weak to protect, or so costly that opening is an attack."""
    n = header["n"]
    power_of_two = isinstance(n, int) and n > 0 and n & (n - 1) == 0
    if not power_of_two or not MIN_SCRYPT_N <= n <= MAX_SCRYPT_N:
        raise ValueError(f"scrypt N must be a power of two from {MIN_SCRYPT_N} to {MAX_SCRYPT_N}")
    fixed = {"kdf": "scrypt", "r": SCRYPT_R, "p": SCRYPT_P, "cipher": "aes-256-gcm"}
    if any(header[name] != value for name, value in fixed.items()):
        raise ValueError("only scrypt with r=8, p=1 and aes-256-gcm is known")


def _aad(header: Mapping[str, Any], bound: bytes) -> bytes:
    """What the seal vouches for beside the secret: its own header and the bound half."""
    return json.dumps(header, sort_keys=True).encode() + b"\n" + bound
