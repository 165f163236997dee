"""Frames and addresses, against bytes written down by hand and against arbitrary ones."""

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.encoding import Reader
from chain.errors import DecodeError
from node.wire import FrameReader, PeerAddress, encode_frame, read_count, vector

MAGIC = bytes.fromhex("fabfb5da")


def frame(command: bytes, payload: bytes, magic: bytes = MAGIC) -> bytes:
    digest = hashlib.sha256(hashlib.sha256(payload).digest()).digest()
    return (
        magic + command.ljust(12, b"\0") + len(payload).to_bytes(4, "little") + digest[:4] + payload
    )


def test_a_frame_is_cores() -> None:
    # A verack on regtest, as any Core sends it.
    expected = bytes.fromhex("fabfb5da76657261636b000000000000000000005df6e0e2")
    assert encode_frame(MAGIC, "verack", b"") == expected
    assert encode_frame(MAGIC, "ping", bytes(8)) == frame(b"ping", bytes(8))


def test_a_payload_over_four_million_bytes_is_not_framed() -> None:
    assert len(encode_frame(MAGIC, "block", bytes(4_000_000))) == 4_000_024
    with pytest.raises(ValueError, match="at most 4000000"):
        encode_frame(MAGIC, "block", bytes(4_000_001))


@given(
    st.lists(st.tuples(st.sampled_from(["tx", "inv", "abcdefghijkl"]), st.binary(max_size=60))),
    st.lists(st.integers(0, 400)),
)
def test_frames_come_out_whole_however_they_are_cut(
    messages: list[tuple[str, bytes]], cuts: list[int]
) -> None:
    stream = b"".join(frame(command.encode(), payload) for command, payload in messages)
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = FrameReader(MAGIC)
    got = []
    for start, end in pairwise(places):
        got += reader.feed(stream[start:end])
    assert got == messages
    assert reader.pending == 0


@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_frames_or_a_decode_error(data: bytes) -> None:
    reader = FrameReader(MAGIC)
    try:
        assert reader.feed(data) == []
    except DecodeError:
        return
    assert reader.pending == len(data)


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (
            frame(b"ping", bytes(8), magic=bytes.fromhex("f9beb4d9")),
            "magic f9beb4d9, expected fabf",
        ),
        (frame(b"", b""), "malformed command"),
        (frame(b"pi\0ng", b""), "malformed command"),
        (frame(b"ping\n", b""), "malformed command"),
        (frame(b"pin\xff", b""), "malformed command"),
        (frame(b"ping", bytes(8))[:-1] + b"\1", "wrong checksum of a ping"),
        (
            MAGIC + b"ping".ljust(12, b"\0") + (4_000_001).to_bytes(4, "little") + bytes(4),
            "at most",
        ),
    ],
)
def test_what_is_no_frame_is_refused(stream: bytes, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        FrameReader(MAGIC).feed(stream)


def test_an_incomplete_frame_waits() -> None:
    reader = FrameReader(MAGIC)
    whole = frame(b"tx", b"payload")
    assert reader.feed(whole + whole[:30]) == [("tx", b"payload")]
    assert reader.pending == 30
    assert reader.feed(whole[30:]) == [("tx", b"payload")]


def test_counts_are_checked_before_anything_is_built() -> None:
    assert read_count(Reader(b"\x02" + bytes(8)), 2, 4) == 2
    with pytest.raises(DecodeError, match="3 items in a message, at most 2"):
        read_count(Reader(b"\x03" + bytes(12)), 2, 4)
    with pytest.raises(DecodeError, match="2 items in a message of 7 bytes"):
        read_count(Reader(b"\x02" + bytes(7)), 2, 4)


def test_a_vector_keeps_to_its_limit() -> None:
    assert vector([b"a", b"b"], 2) == b"\x02ab"
    with pytest.raises(ValueError, match="3 items in a message, at most 2"):
        vector([b"a"] * 3, 2)


def test_an_address_is_text_at_the_edge() -> None:
    four = PeerAddress.of("10.0.0.1", 8333, services=9, time=7)
    assert four == (7, 9, 1, bytes([10, 0, 0, 1]), 8333)
    assert four.host == "10.0.0.1"
    assert PeerAddress.of("::1", 1).host == "::1"
    with pytest.raises(ValueError, match="does not appear"):
        PeerAddress.of("localhost", 1)


def test_an_address_that_is_not_plainly_ip_has_no_host() -> None:
    assert PeerAddress(0, 0, 4, bytes(32), 1).host is None  # Tor
    assert PeerAddress.of("::ffff:127.0.0.1", 1).host is None
    with pytest.raises(ValueError, match="IPv4 and IPv6 only"):
        PeerAddress(0, 0, 4, bytes(32), 1).write_old()


def test_the_old_form_dresses_ipv4_as_ipv6() -> None:
    raw = bytes.fromhex("090000000000000000000000000000000000ffff0a000001208d")
    address = PeerAddress.of("10.0.0.1", 8333, services=9, time=7)
    assert address.write_old() == raw
    assert PeerAddress.read_old(Reader(raw), 7) == address


def test_the_new_form_is_bip155s() -> None:
    raw = bytes.fromhex("07000000fd480401040a000001208d")
    address = PeerAddress.of("10.0.0.1", 8333, services=0x448, time=7)
    assert address.write_new() == raw
    assert PeerAddress.read_new(Reader(raw)) == address


def test_addresses_of_networks_to_come_are_kept_and_others_measured() -> None:
    future = PeerAddress(1, 2**64 - 1, 99, bytes(512), 3)
    assert PeerAddress.read_new(Reader(future.write_new())) == future
    too_long = PeerAddress(1, 1, 99, bytes(513), 3)
    with pytest.raises(DecodeError):
        PeerAddress.read_new(Reader(too_long.write_new()))
    with pytest.raises(DecodeError, match="an address of 5 bytes on network 1"):
        PeerAddress.read_new(Reader(PeerAddress(1, 1, 1, bytes(5), 3).write_new()))
