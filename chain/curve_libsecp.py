"""secp256k1 through libsecp256k1, the library that Bitcoin Core itself uses.

Knows how to hand bytes to the library, and nothing of the mathematics: curve_ecdsa has the same
functions, readable. The C functions are called straight through coincurve's cffi handle, which lets
go of the interpreter's lock, so that threads verify side by side. Read beside it: secp256k1.h.
"""

from coincurve._libsecp256k1 import ffi, lib  # type: ignore[import-not-found]
from coincurve.context import GLOBAL_CONTEXT

from chain.der import parse_lax_der

BACKEND_NAME = "libsecp256k1"
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # n

_CONTEXT = GLOBAL_CONTEXT.ctx


def _demand(is_done: int, what: str) -> None:
    """The library answers 1 when it did what it was asked."""
    if is_done != 1:
        raise ValueError(what)


def _sized(data: bytes, size: int) -> bytes:
    """The library trusts us with lengths: it would read on behind a short buffer."""
    if len(data) != size:
        raise ValueError(f"expected {size} bytes, not {len(data)}")
    return data


def _parse_point(data: bytes) -> ffi.CData:
    point = ffi.new("secp256k1_pubkey *")
    _demand(lib.secp256k1_ec_pubkey_parse(_CONTEXT, point, data, len(data)), "not a public key")
    return point


def _parse_x_only(data: bytes) -> ffi.CData:
    point = ffi.new("secp256k1_xonly_pubkey *")
    is_done = lib.secp256k1_xonly_pubkey_parse(_CONTEXT, point, _sized(data, 32))
    _demand(is_done, "no point has this x")
    return point


def _compressed(point: ffi.CData) -> bytes:
    output = ffi.new("unsigned char [33]")
    size = ffi.new("size_t *", len(output))
    lib.secp256k1_ec_pubkey_serialize(_CONTEXT, output, size, point, lib.SECP256K1_EC_COMPRESSED)
    return bytes(ffi.buffer(output))


def is_valid_public_key(data: bytes) -> bool:
    """True for the 33 or 65 bytes of a point on the curve."""
    point = ffi.new("secp256k1_pubkey *")
    return bool(lib.secp256k1_ec_pubkey_parse(_CONTEXT, point, data, len(data)) == 1)


def public_key(secret: bytes) -> bytes:
    """The 33-byte public key of a 32-byte secret. Raises ValueError, out of range."""
    point = ffi.new("secp256k1_pubkey *")
    is_done = lib.secp256k1_ec_pubkey_create(_CONTEXT, point, _sized(secret, 32))
    _demand(is_done, "the secret is out of range")
    return _compressed(point)


def add_to_secret(secret: bytes, tweak: bytes) -> bytes:
    """secret + tweak mod n (BIP 32). Raises ValueError out of range, or if the sum is 0."""
    total = ffi.new("unsigned char [32]", _sized(secret, 32))
    is_done = lib.secp256k1_ec_seckey_tweak_add(_CONTEXT, total, _sized(tweak, 32))
    _demand(is_done, "the secret, the tweak or their sum is out of range")
    return bytes(ffi.buffer(total))


def negate_secret(secret: bytes) -> bytes:
    """n - secret. Raises ValueError."""
    negated = ffi.new("unsigned char [32]", _sized(secret, 32))
    _demand(lib.secp256k1_ec_seckey_negate(_CONTEXT, negated), "the secret is out of range")
    return bytes(ffi.buffer(negated))


def add_to_public_key(key: bytes, tweak: bytes) -> bytes:
    """key + tweak·G, 33 bytes (BIP 32). Raises ValueError."""
    point = _parse_point(key)
    is_done = lib.secp256k1_ec_pubkey_tweak_add(_CONTEXT, point, _sized(tweak, 32))
    _demand(is_done, "the tweak is out of range or the sum is the point at infinity")
    return _compressed(point)


def tweak_public_key(key: bytes, tweak: bytes) -> tuple[bytes, int]:
    """An x-only key + tweak·G: the new x-only key and its y's parity (BIP 341). ValueError."""
    point = ffi.new("secp256k1_pubkey *")
    is_done = lib.secp256k1_xonly_pubkey_tweak_add(
        _CONTEXT, point, _parse_x_only(key), _sized(tweak, 32)
    )
    _demand(is_done, "the tweak is out of range or the sum is the point at infinity")
    compressed = _compressed(point)
    return compressed[1:], compressed[0] & 1


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
    signature, compact = ffi.new("secp256k1_ecdsa_signature *"), ffi.new("unsigned char [64]")
    secret, digest, extra, tries = _sized(secret, 32), _sized(digest, 32), ffi.NULL, 0
    while True:
        is_done = lib.secp256k1_ecdsa_sign(_CONTEXT, signature, digest, secret, ffi.NULL, extra)
        _demand(is_done, "the secret is out of range")
        lib.secp256k1_ecdsa_signature_serialize_compact(_CONTEXT, compact, signature)
        if compact[0] < 0x80 or not grind_low_r:
            break
        tries += 1
        extra = ffi.new("unsigned char [32]", tries.to_bytes(32, "little"))
    der, size = ffi.new("unsigned char [72]"), ffi.new("size_t *", 72)
    lib.secp256k1_ecdsa_signature_serialize_der(_CONTEXT, der, size, signature)
    return bytes(ffi.buffer(der, size[0]))


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
    pair, signature = ffi.new("secp256k1_keypair *"), ffi.new("unsigned char [64]")
    is_done = lib.secp256k1_keypair_create(_CONTEXT, pair, _sized(secret, 32))
    _demand(is_done, "the secret is out of range")
    lib.secp256k1_schnorrsig_sign32(
        _CONTEXT, signature, _sized(message, 32), pair, _sized(auxiliary, 32)
    )
    return bytes(ffi.buffer(signature))
