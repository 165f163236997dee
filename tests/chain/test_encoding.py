"""Integers, sizes, compact targets and the hex of hashes."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.encoding import (
    Reader,
    compact_size_length,
    decode_bits,
    display_hash,
    encode_bits,
    parse_hash,
    var_bytes,
    write_compact_size,
)
from chain.errors import DecodeError

SIZES = [
    (0, "00"),
    (252, "fc"),
    (253, "fdfd00"),
    (0xFFFF, "fdffff"),
    (0x10000, "fe00000100"),
    (0xFFFFFFFF, "feffffffff"),
    (0x100000000, "ff0000000001000000"),
    (2**64 - 1, "ffffffffffffffffff"),
]


@pytest.mark.parametrize(("n", "wire"), SIZES)
def test_compact_sizes_take_the_fewest_bytes(n: int, wire: str) -> None:
    assert write_compact_size(n).hex() == wire
    assert compact_size_length(n) == len(wire) // 2
    assert Reader(bytes.fromhex(wire)).compact_size(limit=2**64 - 1) == n


@pytest.mark.parametrize("wire", ["fdfc00", "fd0000", "feffff0000", "ffffffffff00000000"])
def test_a_size_in_more_bytes_than_needed_is_refused(wire: str) -> None:
    with pytest.raises(DecodeError, match="more bytes than it needs"):
        Reader(bytes.fromhex(wire)).compact_size(limit=2**64 - 1)


def test_a_size_has_a_limit() -> None:
    assert Reader(write_compact_size(0x02000000)).compact_size() == 32 * 1024 * 1024
    with pytest.raises(DecodeError, match="above the limit of 33554432"):
        Reader(write_compact_size(0x02000001)).compact_size()
    with pytest.raises(DecodeError, match="above the limit of 5"):
        Reader(b"\x06").compact_size(limit=5)


def test_a_count_that_cannot_be_there_is_refused_before_anything_is_made() -> None:
    reader = Reader(write_compact_size(4) + bytes(39))
    with pytest.raises(DecodeError, match="4 items cannot be in the 39 bytes left"):
        reader.count(10)
    assert Reader(write_compact_size(4) + bytes(40)).count(10) == 4


@given(st.binary(max_size=300), st.binary(max_size=4))
def test_bytes_behind_their_length_come_back(data: bytes, rest: bytes) -> None:
    reader = Reader(var_bytes(data) + rest)
    assert reader.var_bytes() == data
    assert (reader.remaining, reader.position) == (len(rest), len(var_bytes(data)))
    assert reader.take(len(rest)) == rest
    reader.finish()


@pytest.mark.parametrize(
    ("method", "form"),
    [("u8", "<B"), ("u16", "<H"), ("u32", "<I"), ("i32", "<i"), ("u64", "<Q"), ("i64", "<q")],
)
@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_integers_are_little_endian(method: str, form: str, make: type) -> None:
    data = bytes.fromhex("f102030405060788aa")
    reader = Reader(make(data))
    assert (getattr(reader, method)(),) == struct.unpack_from(form, data)
    assert reader.position == struct.calcsize(form)
    with pytest.raises(DecodeError, match="bytes expected at 0, only 0 left"):
        getattr(Reader(make(b"")), method)()


def test_a_reader_keeps_its_place_when_too_much_is_asked() -> None:
    reader = Reader(b"abc")
    with pytest.raises(DecodeError, match="4 bytes expected at 0, only 3 left"):
        reader.take(4)
    assert reader.take(2) == b"ab"
    with pytest.raises(DecodeError, match="1 bytes left over"):
        reader.finish()


def test_hashes_are_shown_reversed() -> None:
    wire = bytes(range(32))
    text = "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100"
    assert display_hash(wire) == text
    assert parse_hash(text) == parse_hash(text.upper()) == wire
    every_digit = "0123456789abcdefABCDEF"
    assert parse_hash(every_digit + "0" * 42) == bytes(21) + bytes.fromhex(every_digit)[::-1]


@pytest.mark.parametrize("text", ["", "00", "0" * 63, "0" * 65, "g" * 64, " " + "0" * 63, "٣" * 64])
def test_what_is_not_64_hex_digits_is_no_hash(text: str) -> None:
    with pytest.raises(DecodeError, match="a hash is 64 hex digits"):
        parse_hash(text)


# From Bitcoin Core's arith_uint256_tests.cpp (bignum_SetCompact): bits, target, and how the target
# is written again.
BITS = [
    (0x00000000, 0, 0),
    (0x00123456, 0, 0),
    (0x01003456, 0, 0),
    (0x02000056, 0, 0),
    (0x03000000, 0, 0),
    (0x04000000, 0, 0),
    (0x00923456, 0, 0),
    (0x01123456, 0x12, 0x01120000),
    (0x02123456, 0x1234, 0x02123400),
    (0x03123456, 0x123456, 0x03123456),
    (0x04123456, 0x12345600, 0x04123456),
    (0x05009234, 0x92340000, 0x05009234),
    (0x20123456, 0x123456 << 232, 0x20123456),
    (0x01FEDCBA, 0, 0),  # negative
    (0x04923456, 0, 0),  # negative
    (0xFF123456, 0, 0),  # overflow
    (0x2100FFFF, 0xFFFF << 240, 0x2100FFFF),
    (0x21010000, 0, 0),  # overflow by a bit
    (0x22000001, 1 << 248, 0x20010000),
    (0x1D00FFFF, 0xFFFF << 208, 0x1D00FFFF),
    (0x207FFFFF, 0x7FFFFF << 232, 0x207FFFFF),
]


@pytest.mark.parametrize(("bits", "target", "again"), BITS)
def test_compact_targets(bits: int, target: int, again: int) -> None:
    assert decode_bits(bits) == target
    assert encode_bits(target) == again


def test_a_target_that_would_look_negative_takes_another_byte() -> None:
    assert encode_bits(0x80) == 0x02008000
    assert encode_bits(0x800000) == 0x04008000


@given(st.integers(0, 2**256 - 1))
def test_encoding_a_target_only_rounds_down(target: int) -> None:
    rounded = decode_bits(encode_bits(target))
    assert rounded <= target
    assert encode_bits(rounded) == encode_bits(target)
    assert (target - rounded) << 15 <= target
