"""Hashes: the few ways in which Bitcoin reduces data to 32 or 20 bytes.

Knows bytes in, bytes out. Does not know what is hashed or why. OpenSSL 3 keeps RIPEMD-160 in a
provider that many builds leave out, so the function is also written out below and takes over there.
Read beside it: BIP 340 (tagged hashes), and for RIPEMD-160 the paper by Dobbertin, Bosselaers and
Preneel (1996), whose tables are used as printed.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable
from functools import lru_cache


def sha256(data: bytes) -> bytes:
    """SHA-256 once, 32 bytes."""
    return hashlib.sha256(data).digest()


def sha256d(data: bytes) -> bytes:
    """SHA-256 twice, 32 bytes: ids of blocks and transactions, merkle nodes, checksums."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def sha256d_of_parts(parts: Iterable[bytes]) -> bytes:
    """The same for parts put end to end, which are not all in memory at once."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return sha256(digest.digest())


def hash160(data: bytes) -> bytes:
    """RIPEMD-160 of SHA-256, 20 bytes: what addresses hold of a key or a script."""
    return ripemd160(hashlib.sha256(data).digest())


@lru_cache(maxsize=64)
def _tag_prefix(tag: str) -> bytes:
    return sha256(tag.encode()) * 2


def tagged_hash(tag: str, data: bytes) -> bytes:
    """SHA-256 in a domain of its own, 32 bytes (BIP 340)."""
    return hashlib.sha256(_tag_prefix(tag) + data).digest()


_MASK = 0xFFFFFFFF
_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)
_LEFT_CONSTANTS = (0x00000000, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E)
_RIGHT_CONSTANTS = (0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0x00000000)
_PERMUTATION = (7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8)
_ROTATIONS = (  # by round, then by the word that a step takes
    (11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8),
    (12, 13, 11, 15, 6, 9, 9, 7, 12, 15, 11, 13, 7, 8, 7, 7),
    (13, 15, 14, 11, 7, 7, 6, 8, 13, 14, 13, 12, 5, 5, 6, 9),
    (14, 11, 12, 14, 8, 6, 5, 5, 15, 12, 15, 14, 9, 9, 8, 6),
    (15, 12, 13, 13, 9, 5, 8, 6, 14, 11, 12, 11, 8, 6, 5, 5),
)
_FUNCTIONS: tuple[Callable[[int, int, int], int], ...] = (
    lambda x, y, z: x ^ y ^ z,
    lambda x, y, z: (x & y) | (~x & z),
    lambda x, y, z: (x | ~y) ^ z,
    lambda x, y, z: (x & z) | (y & ~z),
    lambda x, y, z: x ^ (y | ~z),
)


def _rotate(x: int, bits: int) -> int:
    return (x << bits | (x & _MASK) >> (32 - bits)) & _MASK


def _line(
    state: tuple[int, ...], words: tuple[int, ...], order: list[int], is_left: bool
) -> tuple[int, ...]:
    """Five rounds of sixteen steps over one block. The lines differ in order and constants."""
    a, b, c, d, e = state
    for turn in range(5):
        mix = _FUNCTIONS[turn if is_left else 4 - turn]
        constant = (_LEFT_CONSTANTS if is_left else _RIGHT_CONSTANTS)[turn]
        for word in order:
            total = (a + mix(b, c, d) + words[word] + constant) & _MASK
            moved = (_rotate(total, _ROTATIONS[turn][word]) + e) & _MASK
            a, b, c, d, e = e, moved, b, _rotate(c, 10), d
        order = [_PERMUTATION[word] for word in order]
    return a, b, c, d, e


def ripemd160_in_python(data: bytes) -> bytes:
    """RIPEMD-160, 20 bytes, without OpenSSL: about a hundred times slower."""
    padding = b"\x80" + bytes((55 - len(data)) % 64) + (8 * len(data)).to_bytes(8, "little")
    state, padded = _START, data + padding
    for start in range(0, len(padded), 64):
        words = struct.unpack_from("<16I", padded, start)
        left = _line(state, words, list(range(16)), True)
        right = _line(state, words, [(9 * i + 5) % 16 for i in range(16)], False)
        sums = [state[i - 4] + left[i - 3] + right[i - 2] & _MASK for i in range(5)]
        state = (sums[0], sums[1], sums[2], sums[3], sums[4])
    return struct.pack("<5I", *state)


def _openssl_has_ripemd160() -> bool:
    """Ask by trying: some builds list the name and then refuse."""
    try:
        hashlib.new("ripemd160")
    except ValueError:
        return False
    return True


def _ripemd160_in_openssl() -> Callable[[bytes], bytes]:
    """Copies of one empty state: asking OpenSSL by name takes as long as hashing a key."""
    empty = hashlib.new("ripemd160")

    def digest(data: bytes) -> bytes:
        state = empty.copy()
        state.update(data)
        return state.digest()

    return digest


ripemd160 = _ripemd160_in_openssl() if _openssl_has_ripemd160() else ripemd160_in_python
