"""Encoding: the handful of shapes that everything on the wire is made of.

Knows little-endian integers, compact sizes, compact targets and the reversed hex in which people
see hashes. Does not know what they are part of. Read beside it: Core's serialize.h
(ReadCompactSize, WriteCompactSize) and arith_uint256.cpp (SetCompact, GetCompact).
"""

import struct
from collections.abc import Callable

from chain.errors import DecodeError

MAX_COMPACT_SIZE = 0x02000000  # 32 MiB; Core: MAX_SIZE
_ONE_BYTE = [bytes([n]) for n in range(0xFD)]
_SIGN = 0x00800000
_MANTISSA = 0x007FFFFF


def write_compact_size(n: int) -> bytes:
    """A count or length in 1, 3, 5 or 9 bytes, the fewest that hold it. `n` is below 2^64."""
    if n < 0xFD:
        return _ONE_BYTE[n]
    if n <= 0xFFFF:
        return b"\xfd" + n.to_bytes(2, "little")
    if n <= 0xFFFFFFFF:
        return b"\xfe" + n.to_bytes(4, "little")
    return b"\xff" + n.to_bytes(8, "little")


def compact_size_length(n: int) -> int:
    """How many bytes `write_compact_size(n)` has."""
    if n < 0xFD:
        return 1
    if n <= 0xFFFF:
        return 3
    return 5 if n <= 0xFFFFFFFF else 9


def var_bytes(data: bytes) -> bytes:
    """The data behind its length."""
    return write_compact_size(len(data)) + data


def decode_bits(bits: int) -> int:
    """The target in a header's `bits`; 0 if they are negative, zero or beyond 256 bits.

        bits    1d 00ffff      exponent: bytes in the target; mantissa: the first three of them
        target  00000000ffff0000000000000000000000000000000000000000000000000000

    The mantissa's top bit is a sign, which no valid target has.
    """
    exponent, mantissa = bits >> 24, bits & _MANTISSA
    if bits & _SIGN:
        return 0
    target = mantissa << 8 * (exponent - 3) if exponent > 3 else mantissa >> 8 * (3 - exponent)
    return target if target.bit_length() <= 256 else 0


def encode_bits(target: int) -> int:
    """The compact form of a target, rounded down to the 23 bits or less that it can hold."""
    exponent = (target.bit_length() + 7) // 8
    mantissa = target >> 8 * (exponent - 3) if exponent > 3 else target << 8 * (3 - exponent)
    if mantissa & _SIGN:  # would read as a sign: make room
        mantissa, exponent = mantissa >> 8, exponent + 1
    return exponent << 24 | mantissa


def _integer(form: str) -> Callable[["Reader"], int]:
    """A method that reads one integer in this form of `struct`, all of them little-endian."""
    layout = struct.Struct(form)

    def read(self: "Reader") -> int:
        value: int = layout.unpack_from(self.data, self._advance(layout.size))[0]
        return value

    return read


class Reader:
    """A place in bytes that moves on as things are read. Every method may raise DecodeError."""

    __slots__ = ("data", "position", "size")

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self.data = data if type(data) is bytes else bytes(data)
        self.size = len(self.data)
        self.position = 0

    @property
    def remaining(self) -> int:
        """How many bytes are left."""
        return self.size - self.position

    def _advance(self, count: int) -> int:
        """Step over `count` bytes; where they began."""
        start = self.position
        if count > self.size - start:
            raise DecodeError(f"{count} bytes expected at {start}, only {self.size - start} left")
        self.position = start + count
        return start

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        start = self._advance(count)
        return self.data[start : self.position]

    u8 = _integer("<B")
    u16 = _integer("<H")
    u32 = _integer("<I")
    i32 = _integer("<i")
    u64 = _integer("<Q")
    i64 = _integer("<q")

    def compact_size(self, limit: int = MAX_COMPACT_SIZE) -> int:
        """A count or length, in the fewest bytes and at most `limit`."""
        value, least = self.u8(), 0
        if value == 0xFD:
            value, least = self.u16(), 0xFD
        elif value == 0xFE:
            value, least = self.u32(), 0x10000
        elif value == 0xFF:
            value, least = self.u64(), 0x100000000
        if value < least:
            raise DecodeError(f"the size {value} is written in more bytes than it needs")
        if value > limit:
            raise DecodeError(f"a size of {value} is above the limit of {limit}")
        return value

    def count(self, least_size: int) -> int:
        """How many things follow, each of at least `least_size` bytes: never more than can."""
        count = self.compact_size()
        if count * least_size > self.remaining:
            raise DecodeError(f"{count} items cannot be in the {self.remaining} bytes left")
        return count

    def var_bytes(self) -> bytes:
        """Bytes behind their length."""
        return self.take(self.compact_size())

    def finish(self) -> None:
        """Demand that nothing is left."""
        if self.remaining:
            raise DecodeError(f"{self.remaining} bytes left over after the end")


def display_hash(wire: bytes) -> str:
    """A hash as people see it: hex, the bytes in reverse."""
    return wire[::-1].hex()


def parse_hash(text: str) -> bytes:
    """A hash in wire order, from 64 hex digits as people write them. Raises DecodeError."""
    if len(text) != 64 or not set(text) <= set("0123456789abcdefABCDEF"):
        raise DecodeError(f"a hash is 64 hex digits, not {text[:80]!r}")
    return bytes.fromhex(text)[::-1]
