"""secp256k1 in readable form: what libsecp256k1 does, over the point arithmetic of `ecdsa`.

Knows keys, ECDSA (SEC 1) and Schnorr signatures (BIP 340) as bytes in and bytes out. Does not know
what is signed. Fifty times slower than curve_libsecp and not constant-time: good for reading, for
checking the other, and where coincurve has no wheel. Read beside it: BIP 340, whose names are kept.
"""

import hashlib

from ecdsa.curves import SECP256k1
from ecdsa.ellipticcurve import INFINITY, PointJacobi
from ecdsa.rfc6979 import generate_k
from ecdsa.util import sigencode_der

from chain.der import parse_lax_der
from chain.hashes import tagged_hash

BACKEND_NAME = "ecdsa"
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # n
FIELD_SIZE = 2**256 - 2**32 - 977  # p
LOW_R_BELOW = 2**255  # then r takes 32 bytes in DER and not 33

_CURVE = SECP256k1.curve
_G = SECP256k1.generator


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _bytes(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _sized(data: bytes) -> bytes:
    if len(data) != 32:
        raise ValueError(f"expected 32 bytes, not {len(data)}")
    return data


def _scalar(data: bytes, *, low: int = 0) -> int:
    """32 bytes as a number from `low` to n - 1. Raises ValueError."""
    number = _number(_sized(data))
    if not low <= number < CURVE_ORDER:
        raise ValueError("the secret or tweak is out of range")
    return number


def _secret(data: bytes) -> int:
    return _scalar(data, low=1)


def _lift_x(x: int) -> PointJacobi:
    """The point with this x and an even y (BIP 340: lift_x). Raises ValueError."""
    square = (pow(x, 3, FIELD_SIZE) + 7) % FIELD_SIZE
    y = pow(square, (FIELD_SIZE + 1) // 4, FIELD_SIZE)
    if x >= FIELD_SIZE or y * y % FIELD_SIZE != square:
        raise ValueError("no point has this x")
    return PointJacobi(_CURVE, x, y if y % 2 == 0 else FIELD_SIZE - y, 1, CURVE_ORDER)


def _parse_point(data: bytes) -> PointJacobi:
    """A key as 33 bytes (02, 03) or 65 (04, and hybrid 06 for even y, 07 for odd). ValueError."""
    kind, x = data[:1], _number(data[1:33])
    if len(data) == 33 and kind in (b"\x02", b"\x03"):
        point = _lift_x(x)
        return point if kind == b"\x02" else -point
    if len(data) == 65 and kind in (b"\x04", b"\x06", b"\x07"):
        even, y = _lift_x(x), _number(data[33:])
        is_parity_right = kind == b"\x04" or y % 2 == kind[0] % 2
        if y in (even.y(), FIELD_SIZE - even.y()) and is_parity_right:
            return even if y % 2 == 0 else -even
    raise ValueError("not a public key")


def _compressed(point: PointJacobi) -> bytes:
    return bytes((2 + point.y() % 2,)) + _bytes(point.x())


def _sum(point: PointJacobi, tweak: bytes) -> PointJacobi:
    """point + tweak·G. Raises ValueError for a tweak out of range, or infinity."""
    total = _G * _scalar(tweak) + point
    if total == INFINITY:
        raise ValueError("the sum is the point at infinity")
    return total


def is_valid_public_key(data: bytes) -> bool:
    """True for the 33 or 65 bytes of a point on the curve."""
    try:
        _parse_point(data)
    except ValueError:
        return False
    return True


def public_key(secret: bytes) -> bytes:
    """The 33-byte public key of a 32-byte secret. Raises ValueError, out of range."""
    return _compressed(_G * _secret(secret))


def add_to_secret(secret: bytes, tweak: bytes) -> bytes:
    """secret + tweak mod n (BIP 32). Raises ValueError out of range, or if the sum is 0."""
    total = (_secret(secret) + _scalar(tweak)) % CURVE_ORDER
    if total == 0:
        raise ValueError("the sum is zero")
    return _bytes(total)


def negate_secret(secret: bytes) -> bytes:
    """n - secret. Raises ValueError."""
    return _bytes(CURVE_ORDER - _secret(secret))


def add_to_public_key(key: bytes, tweak: bytes) -> bytes:
    """key + tweak·G, 33 bytes (BIP 32). Raises ValueError."""
    return _compressed(_sum(_parse_point(key), tweak))


def tweak_public_key(key: bytes, tweak: bytes) -> tuple[bytes, int]:
    """An x-only key + tweak·G: the new x-only key and its y's parity (BIP 341). ValueError."""
    total = _sum(_lift_x(_number(_sized(key))), tweak)
    return _bytes(total.x()), total.y() % 2


def verify_ecdsa(key: bytes, signature: bytes, digest: bytes) -> bool:
    """True if the signature (lax DER, no hash type) of a 32-byte digest is by this key.

    Consensus: high s counts, hybrid keys count, r or s out of range do not. Never raises.
    """
    numbers = parse_lax_der(signature)
    if numbers is None or not is_valid_public_key(key) or len(digest) != 32:
        return False
    r, s = numbers
    if not (0 < r < CURVE_ORDER and 0 < s < CURVE_ORDER):
        return False
    w = pow(s, -1, CURVE_ORDER)
    u1, u2 = _number(digest) * w % CURVE_ORDER, r * w % CURVE_ORDER
    point = _G.mul_add(u1, _parse_point(key), u2)
    return bool(point != INFINITY and point.x() % CURVE_ORDER == r)


def sign_ecdsa(secret: bytes, digest: bytes, *, grind_low_r: bool = True) -> bytes:
    """A DER signature of a 32-byte digest, nonce by RFC 6979, low s. Raises ValueError.

    Grinding, as Core does it, counts up in the nonce's extra data until r is low: 71 bytes at most.
    """
    d, z = _secret(secret), _number(_sized(digest))
    extra, tries = b"", 0
    while True:
        k = generate_k(CURVE_ORDER, d, hashlib.sha256, digest, extra_entropy=extra)
        r = (_G * k).x() % CURVE_ORDER
        if r < LOW_R_BELOW or not grind_low_r:
            break
        tries += 1
        extra = tries.to_bytes(32, "little")
    s = pow(k, -1, CURVE_ORDER) * (z + r * d) % CURVE_ORDER
    der: bytes = sigencode_der(r, min(s, CURVE_ORDER - s), CURVE_ORDER)
    return der


def verify_schnorr(key: bytes, signature: bytes, message: bytes) -> bool:
    """True if the 64-byte signature is by this x-only key (BIP 340). Never raises."""
    if len(signature) != 64:
        return False
    r, s = signature[:32], _number(signature[32:])
    try:
        point = _lift_x(_number(_sized(key)))
    except ValueError:
        return False
    if s >= CURVE_ORDER:
        return False
    e = _number(tagged_hash("BIP0340/challenge", r + key + message)) % CURVE_ORDER
    nonce_point = _G.mul_add(s, point, CURVE_ORDER - e)
    return nonce_point != INFINITY and nonce_point.y() % 2 == 0 and _bytes(nonce_point.x()) == r


def sign_schnorr(secret: bytes, message: bytes, auxiliary: bytes) -> bytes:
    """A signature (BIP 340) of a 32-byte message. Raises ValueError.

    `auxiliary` is 32 bytes, best random: it hides the nonce from those who measure or repeat.
    """
    d = _even_secret(_secret(secret))
    key = _bytes((_G * d).x())
    masked = _bytes(d ^ _number(tagged_hash("BIP0340/aux", _sized(auxiliary))))
    k = _number(tagged_hash("BIP0340/nonce", masked + key + _sized(message))) % CURVE_ORDER
    k = _even_secret(k)
    r = _bytes((_G * k).x())
    e = _number(tagged_hash("BIP0340/challenge", r + key + message)) % CURVE_ORDER
    return r + _bytes((k + e * d) % CURVE_ORDER)


def _even_secret(d: int) -> int:
    """d or n - d: the one whose point has an even y."""
    return d if (_G * d).y() % 2 == 0 else CURVE_ORDER - d
