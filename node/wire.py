"""What peer messages are made of: frames, vectors, addresses, inventory items; limits on each.

It does not know the messages themselves (`messages`). A frame is

    magic 4 | command 12, padded with zeros | payload length 4 | sha256d(payload)[:4] | payload

Counts are checked against their limit, and against the bytes that are there, before anything is
built. Beside it: Bitcoin Core, `src/protocol.h` and `src/net.cpp` (V1Transport); BIP155.
"""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import NamedTuple, Self

from chain.encoding import Reader, write_compact_size
from chain.errors import DecodeError
from chain.hashes import sha256d

HEADER_SIZE = 24
MAX_PAYLOAD_SIZE = 4_000_000
"""Core's MAX_PROTOCOL_MESSAGE_LENGTH; no block is longer."""
MAX_INVENTORY = 50_000
"""Core's MAX_INV_SZ."""
MAX_HEADERS = 2_000
"""Core's MAX_HEADERS_RESULTS."""
MAX_LOCATOR = 101
"""Core's MAX_LOCATOR_SZ."""
MAX_ADDRESSES = 1_000
"""Core's MAX_ADDR_TO_SEND."""
MAX_ADDRESS_SIZE = 512
"""BIP155: the longest address of a network yet to come."""

# What an inventory item names. Witness forms only appear in getdata (BIP144).
MSG_TX, MSG_BLOCK, MSG_WTX = 1, 2, 5
MSG_WITNESS_FLAG = 1 << 30
MSG_WITNESS_TX, MSG_WITNESS_BLOCK = MSG_TX | MSG_WITNESS_FLAG, MSG_BLOCK | MSG_WITNESS_FLAG

# BIP155's networks; the length an address of each must have.
IPV4, IPV6 = 1, 2
_ADDRESS_SIZES = {IPV4: 4, IPV6: 16, 3: 10, 4: 32, 5: 32, 6: 16}
_IPV4_IN_IPV6 = bytes(10) + b"\xff\xff"


def read_count(reader: Reader, limit: int, item_size: int) -> int:
    """A vector's length, checked against its limit and against the bytes that are left."""
    count = reader.compact_size()
    if count > limit:
        raise DecodeError(f"{count} items in a message, at most {limit} allowed")
    if count * item_size > reader.remaining:
        raise DecodeError(f"{count} items in a message of {reader.remaining} bytes")
    return count


def vector(items: Iterable[bytes], limit: int) -> bytes:
    """A length and its items; ValueError if there are more than peers allow."""
    encoded = list(items)
    if len(encoded) > limit:
        raise ValueError(f"{len(encoded)} items in a message, at most {limit} allowed")
    return write_compact_size(len(encoded)) + b"".join(encoded)


class PeerAddress(NamedTuple):
    """Where a peer listens, as gossip tells it."""

    time: int
    """When it was last seen, Unix seconds."""
    services: int
    network: int
    """BIP155's network id."""
    address: bytes
    port: int

    @classmethod
    def of(cls, host: str, port: int, services: int = 0, time: int = 0) -> Self:
        """From an IP address as text; ValueError if it is none."""
        packed = ip_address(host).packed
        return cls(time, services, IPV4 if len(packed) == 4 else IPV6, packed, port)

    @property
    def host(self) -> str | None:
        """The IP address as text; None on another network, or for an IPv4 dressed as an IPv6."""
        if self.network not in (IPV4, IPV6) or self.address.startswith(_IPV4_IN_IPV6):
            return None
        return str(ip_address(self.address))

    def write_old(self) -> bytes:
        """The form before BIP155, without the time."""
        if self.network not in (IPV4, IPV6):
            raise ValueError("the old address form knows IPv4 and IPv6 only")
        address = self.address if self.network == IPV6 else _IPV4_IN_IPV6 + self.address
        return self.services.to_bytes(8, "little") + address + self.port.to_bytes(2, "big")

    @classmethod
    def read_old(cls, reader: Reader, time: int) -> Self:
        """From the form before BIP155, its time already read."""
        services, address = reader.u64(), reader.take(16)
        port = int.from_bytes(reader.take(2), "big")
        if address.startswith(_IPV4_IN_IPV6):
            return cls(time, services, IPV4, address[12:], port)
        return cls(time, services, IPV6, address, port)

    def write_new(self) -> bytes:
        """BIP155's form, with the time."""
        return (
            self.time.to_bytes(4, "little")
            + write_compact_size(self.services)
            + bytes([self.network])
            + write_compact_size(len(self.address))
            + self.address
            + self.port.to_bytes(2, "big")
        )

    @classmethod
    def read_new(cls, reader: Reader) -> Self:
        """From BIP155's form. A network we do not know is kept, with an address of any length."""
        time, services = reader.u32(), reader.compact_size(limit=2**64 - 1)
        network = reader.u8()
        address = reader.take(reader.compact_size(limit=MAX_ADDRESS_SIZE))
        if len(address) != _ADDRESS_SIZES.get(network, len(address)):
            raise DecodeError(f"an address of {len(address)} bytes on network {network}")
        return cls(time, services, network, address, int.from_bytes(reader.take(2), "big"))


class InventoryItem(NamedTuple):
    """Something that a peer has or wants: one of MSG_…, and a hash in wire order."""

    kind: int
    hash: bytes


def encode_frame(magic: bytes, command: str, payload: bytes) -> bytes:
    """A frame; ValueError if the payload is longer than peers allow."""
    if len(payload) > MAX_PAYLOAD_SIZE:
        raise ValueError(f"a payload of {len(payload)} bytes, at most {MAX_PAYLOAD_SIZE} allowed")
    name = command.encode().ljust(12, b"\0")
    return magic + name + len(payload).to_bytes(4, "little") + sha256d(payload)[:4] + payload


class FrameReader:
    """Bytes in, in pieces of any size; whole frames out. Holds at most one incomplete frame."""

    def __init__(self, magic: bytes) -> None:
        self._magic = magic
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """How many bytes of an incomplete frame are held."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """The frames that `data` completes, as commands and payloads.

        DecodeError for another network's magic, a malformed command, a wrong checksum, a length
        over the limit; the stream cannot be trusted after that.
        """
        self._buffer += data
        frames: list[tuple[str, bytes]] = []
        start = 0
        while len(self._buffer) >= start + HEADER_SIZE:
            command, length, checksum = self._header(start)
            start += HEADER_SIZE
            if len(self._buffer) < start + length:
                start -= HEADER_SIZE
                break
            payload = bytes(self._buffer[start : start + length])
            if sha256d(payload)[:4] != checksum:
                raise DecodeError(f"wrong checksum of a {command} message")
            frames.append((command, payload))
            start += length
        del self._buffer[:start]
        return frames

    def _header(self, start: int) -> tuple[str, int, bytes]:
        header = bytes(self._buffer[start : start + HEADER_SIZE])
        if header[:4] != self._magic:
            raise DecodeError(f"magic {header[:4].hex()}, expected {self._magic.hex()}")
        name = header[4:16].rstrip(b"\0")
        if not name or not all(0x20 <= byte <= 0x7E for byte in name):
            raise DecodeError("malformed command in a frame")
        length = int.from_bytes(header[16:20], "little")
        if length > MAX_PAYLOAD_SIZE:
            raise DecodeError(f"a payload of {length} bytes, at most {MAX_PAYLOAD_SIZE} allowed")
        return name.decode(), length, header[20:]
