"""secp256k1 through libsecp256k1, the library that Bitcoin Core itself uses.

Knows how to hand bytes to the library, and nothing of the mathematics: curve_ecdsa has the same
functions, readable. What every block needs calls the C functions straight through coincurve's cffi
handle. It lets go of the interpreter's lock, so that threads verify side by side. Read beside it:
secp256k1.h.
"""

from coincurve import PrivateKey, PublicKey
from coincurve._libsecp256k1 import ffi, lib  # type: ignore[import-not-found]
from coincurve.context import GLOBAL_CONTEXT

from chain.der import parse_lax_der

BACKEND_NAME = "libsecp256k1"
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # n

_CONTEXT = GLOBAL_CONTEXT.ctx


def _demand(answer: int) -> None:
    """The library answers 1 when it did what it was asked."""
    if answer != 1:
        raise ValueError("a key, secret or tweak is out of range, or their sum is nothing")


def _sized(data: bytes) -> bytes:
    """The library trusts us with lengths: it would read on behind a short buffer."""
    if len(data) != 32:
        raise ValueError(f"expected 32 bytes, not {len(data)}")
    return data


def is_valid_public_key(data: bytes) -> bool:
    """True for the 33 or 65 bytes of a point on the curve."""
    point = ffi.new("secp256k1_pubkey *")
    return bool(lib.secp256k1_ec_pubkey_parse(_CONTEXT, point, data, len(data)) == 1)


def public_key(secret: bytes) -> bytes:
    """The 33-byte public key of a 32-byte secret. Raises ValueError, out of range."""
    return PublicKey.from_secret(_sized(secret)).format()


def negate_secret(secret: bytes) -> bytes:
    """n - secret. Raises ValueError."""
    negated = ffi.new("unsigned char [32]", _sized(secret))
    _demand(lib.secp256k1_ec_seckey_negate(_CONTEXT, negated))
    return bytes(ffi.buffer(negated))


def add_to_secret(secret: bytes, tweak: bytes) -> bytes:
    """secret + tweak mod n (BIP 32). Raises ValueError out of range, or if the sum is 0."""
    total = ffi.new("unsigned char [32]", _sized(secret))
    _demand(lib.secp256k1_ec_seckey_tweak_add(_CONTEXT, total, _sized(tweak)))
    return bytes(ffi.buffer(total))


def add_to_public_key(key: bytes, tweak: bytes) -> bytes:
    """key + tweak·G, 33 bytes (BIP 32). Raises ValueError."""
    return PublicKey(key).add(_sized(tweak)).format()


def tweak_public_key(key: bytes, tweak: bytes) -> tuple[bytes, int]:
    """An x-only key + tweak·G: the new x-only key and its y's parity (BIP 341). ValueError."""
    x_only, point = ffi.new("secp256k1_xonly_pubkey *"), ffi.new("secp256k1_pubkey *")
    _demand(lib.secp256k1_xonly_pubkey_parse(_CONTEXT, x_only, _sized(key)))
    _demand(lib.secp256k1_xonly_pubkey_tweak_add(_CONTEXT, point, x_only, _sized(tweak)))
    compressed, size = ffi.new("unsigned char [33]"), ffi.new("size_t *", 33)
    form = lib.SECP256K1_EC_COMPRESSED
    lib.secp256k1_ec_pubkey_serialize(_CONTEXT, compressed, size, point, form)
    return bytes(ffi.buffer(compressed))[1:], compressed[0] & 1


def verify_ecdsa(key: bytes, signature: bytes, digest: bytes) -> bool:
    """True if the signature (lax DER, no hash type) of a 32-byte digest is by this key.

    Consensus: high s counts, hybrid keys count, r or s out of range do not. Never raises.
    """
    numbers = parse_lax_der(signature)
    if numbers is None or max(numbers) >= CURVE_ORDER or len(digest) != 32:
        return False
    r, s = numbers
    compact = (r << 256 | s).to_bytes(64, "big")
    point, parsed = ffi.new("secp256k1_pubkey *"), ffi.new("secp256k1_ecdsa_signature *")
    if lib.secp256k1_ec_pubkey_parse(_CONTEXT, point, key, len(key)) != 1:
        return False
    lib.secp256k1_ecdsa_signature_parse_compact(_CONTEXT, parsed, compact)
    lib.secp256k1_ecdsa_signature_normalize(_CONTEXT, parsed, parsed)  # it verifies only low s
    return bool(lib.secp256k1_ecdsa_verify(_CONTEXT, parsed, digest, point) == 1)


def sign_ecdsa(secret: bytes, digest: bytes, *, grind_low_r: bool = True) -> bytes:
    """A DER signature of a 32-byte digest, nonce by RFC 6979, low s. Raises ValueError.

    Grinding, as Core does it, counts up in the nonce's extra data until r is low: 71 bytes at most.
    """
    key, extra, tries = PrivateKey(_sized(secret)), ffi.NULL, 0
    while True:
        signature = key.sign(digest, hasher=None, custom_nonce=(ffi.NULL, extra))
        if signature[3] <= 32 or not grind_low_r:  # the size of r
            return signature
        tries += 1
        extra = ffi.new("unsigned char [32]", tries.to_bytes(32, "little"))


def verify_schnorr(key: bytes, signature: bytes, message: bytes) -> bool:
    """True if the 64-byte signature is by this x-only key (BIP 340). Never raises."""
    point = ffi.new("secp256k1_xonly_pubkey *")
    if len(key) != 32 or len(signature) != 64:
        return False
    if lib.secp256k1_xonly_pubkey_parse(_CONTEXT, point, key) != 1:
        return False
    verify = lib.secp256k1_schnorrsig_verify
    return bool(verify(_CONTEXT, signature, message, len(message), point) == 1)


def sign_schnorr(secret: bytes, message: bytes, auxiliary: bytes) -> bytes:
    """A signature (BIP 340) of a 32-byte message. Raises ValueError.

    `auxiliary` is 32 bytes, best random: it hides the nonce from those who measure or repeat.
    """
    return PrivateKey(_sized(secret)).sign_schnorr(_sized(message), _sized(auxiliary))
