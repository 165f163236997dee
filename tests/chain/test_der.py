"""The old way of reading DER: what it lets through, and what even it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.der import parse_lax_der

FOUND = {
    "strict": ("3006 0201 05 0201 07", (5, 7)),
    "an empty integer": ("3005 0200 0201 07", (0, 7)),
    "wrong sequence length": ("30ff"[:2] + "00 0201 05 0201 07", (5, 7)),
    "long sequence length": ("308106 0201 05 0201 07", (5, 7)),
    "sequence length of no bytes": ("3080 0201 05 0201 07", (5, 7)),
    "nonsense in a long length": ("3083ffffff 0201 05 0201 07", (5, 7)),
    "zeros in front": ("3008 0203 000005 0201 07", (5, 7)),
    "a negative number": ("3006 0201 ff 0201 80", (255, 128)),
    "something behind": ("3006 0201 05 0201 07 abcdef", (5, 7)),
    "a long length": ("3007 028101 05 0201 07", (5, 7)),
    "a long length with zeros": ("300a 028400000001 05 0201 07", (5, 7)),
    "five bytes of length, two of them zero": ("30 0b 02850000000001 05 0201 07", (5, 7)),
    "a huge number": ("30 00 0228" + "ff" * 40 + "0201 07", (2**320 - 1, 7)),
    "an empty long length": ("3006 0280 0201 07", (0, 7)),
}
NOT_FOUND = {
    "nothing": "",
    "no sequence": "3106 0201 05 0201 07",
    "only a tag": "30",
    "no integers": "3000",
    "length bytes beyond the end": "3085 0201 05",
    "length bytes up to the end": "3083 020105",
    "r is no integer": "3006 0301 05 0201 07",
    "r has no length": "3006 02",
    "r reaches beyond the end": "3006 0207 05 0201 07",
    "r's length bytes reach beyond the end": "3006 0289 05 0201 07",
    "r's length in four bytes": "3006 028401000000 05 0201 07",
    "s is missing": "3003 0201 05",
    "s is no integer": "3006 0201 05 0301 07",
    "s has no length": "3006 0201 05 02",
    "s reaches beyond the end": "3006 0201 05 0202 07",
    "s's length bytes reach beyond the end": "3006 0201 05 0282 07",
}


@pytest.mark.parametrize(("text", "numbers"), FOUND.values(), ids=FOUND)
def test_found(text: str, numbers: tuple[int, int]) -> None:
    assert parse_lax_der(bytes.fromhex(text)) == numbers


@pytest.mark.parametrize("text", NOT_FOUND.values(), ids=NOT_FOUND)
def test_not_found(text: str) -> None:
    assert parse_lax_der(bytes.fromhex(text)) is None


def test_three_bytes_of_length_are_read_and_four_are_not() -> None:
    """Even where there are as many bytes as they say."""
    three = bytes.fromhex("3000 0283 010000") + bytes(0xFFFF) + bytes.fromhex("05 0201 07")
    assert parse_lax_der(three) == (5, 7)
    four = bytes.fromhex("3000 0284 01000000") + bytes(0xFFFFFF) + bytes.fromhex("05 0201 07")
    assert parse_lax_der(four) is None


def oracle(data: bytes) -> tuple[int, int] | None:
    """Bitcoin Core's ecdsa_signature_parse_der_lax, line by line."""
    pos, size = 0, len(data)
    if pos == size or data[pos] != 0x30:
        return None
    pos += 1
    if pos == size:
        return None
    lenbyte, pos = data[pos], pos + 1
    if lenbyte & 0x80:
        lenbyte -= 0x80
        if lenbyte > size - pos:
            return None
        pos += lenbyte
    numbers = []
    for _ in range(2):
        if pos == size or data[pos] != 0x02:
            return None
        pos += 1
        if pos == size:
            return None
        lenbyte, pos = data[pos], pos + 1
        length = lenbyte
        if lenbyte & 0x80:
            lenbyte -= 0x80
            if lenbyte > size - pos:
                return None
            while lenbyte > 0 and data[pos] == 0:
                pos, lenbyte = pos + 1, lenbyte - 1
            if lenbyte >= 4:
                return None
            length = 0
            while lenbyte > 0:
                length, pos, lenbyte = length << 8 | data[pos], pos + 1, lenbyte - 1
        if length > size - pos:
            return None
        numbers.append(int.from_bytes(data[pos : pos + length], "big"))
        pos += length
    return numbers[0], numbers[1]


likely = st.sampled_from(bytes.fromhex("300200010507808182838485ff"))


@given(st.lists(likely, max_size=16).map(bytes) | st.binary(max_size=90))
def test_any_bytes_are_read_as_core_reads_them(tail: bytes) -> None:
    for data in (tail, b"\x30" + tail, b"\x30\x06\x02" + tail, b"\x30\x06\x02\x01\x05\x02" + tail):
        assert parse_lax_der(data) == oracle(data)
