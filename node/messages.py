"""Bitcoin's peer messages, byte for byte.

It knows how messages look, not what they mean (`sync`, `relay`) nor how they travel. Whatever a
stranger sends either decodes or raises `DecodeError`. Beside it: Bitcoin Core,
`src/net_processing.cpp`; BIP130, 133, 155, 339.

Simplified: a block or transaction is always sent and read with its witnesses (BIP144), as all peers
since 2016 do; a ping always has its nonce (BIP31).
"""

from dataclasses import dataclass
from typing import ClassVar, Self

from chain.block import Block, BlockHeader
from chain.encoding import Reader, write_compact_size
from chain.errors import DecodeError
from chain.transaction import Transaction
from node import wire
from node.wire import (
    MAX_ADDRESSES,
    MAX_HEADERS,
    MAX_INVENTORY,
    MAX_LOCATOR,
    MSG_BLOCK,
    MSG_TX,
    MSG_WITNESS_BLOCK,
    MSG_WITNESS_TX,
    MSG_WTX,
    FrameReader,
    InventoryItem,
    PeerAddress,
    read_count,
    vector,
)

# Handed on from `wire`, so that who speaks in messages need not know it.
__all__ = [
    "MSG_BLOCK",
    "MSG_TX",
    "MSG_WITNESS_BLOCK",
    "MSG_WITNESS_TX",
    "MSG_WTX",
    "FrameReader",
    "InventoryItem",
    "PeerAddress",
]

PROTOCOL_VERSION = 70016
"""The version that has wtxidrelay and addrv2: Core's PROTOCOL_VERSION since 2021."""
NODE_NETWORK, NODE_WITNESS = 1 << 0, 1 << 3
"""Services: serves the whole chain; serves witnesses."""
MAX_USER_AGENT_SIZE = 256
"""Core's MAX_SUBVERSION_LENGTH."""

_AGENT_CHARACTERS = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,;-_/:?@()"
)


class Message:
    """What all messages share. A message without fields is complete as it stands."""

    command: ClassVar[str]

    def payload(self) -> bytes:
        """The payload; ValueError if it would break a limit that peers enforce."""
        return self._write()

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """From a whole payload; DecodeError if it is anything else."""
        reader = Reader(payload)
        message = cls._read(reader)
        reader.finish()
        return message

    def _write(self) -> bytes:
        return b""

    @classmethod
    def _read(cls, reader: Reader) -> Self:
        return cls()


@dataclass(frozen=True, slots=True)
class Unknown(Message):
    """A message of a kind that we do not know, or one already encoded, ready to be sent."""

    command: str  # type: ignore[misc]  # here each has its own
    body: bytes

    def _write(self) -> bytes:
        return self.body


@dataclass(frozen=True, slots=True)
class Version(Message):
    """The first message each way: who am I, and what do I have?"""

    command = "version"
    version: int
    services: int
    time: int
    receiver: PeerAddress
    sender: PeerAddress
    nonce: int
    """Drawn for each link: a node that receives its own has dialled itself."""
    user_agent: str
    """Only letters, digits and some punctuation survive parsing, as in Core."""
    start_height: int
    relay: bool
    """False: announce no transactions to me (BIP37)."""

    def _write(self) -> bytes:
        agent = self.user_agent.encode()
        if len(agent) > MAX_USER_AGENT_SIZE:
            raise ValueError(f"a user agent of {len(agent)} bytes, at most {MAX_USER_AGENT_SIZE}")
        return b"".join(
            (
                self.version.to_bytes(4, "little", signed=True),
                self.services.to_bytes(8, "little"),
                self.time.to_bytes(8, "little", signed=True),
                self.receiver.write_old(),
                self.sender.write_old(),
                self.nonce.to_bytes(8, "little"),
                write_compact_size(len(agent)) + agent,
                self.start_height.to_bytes(4, "little", signed=True),
                bytes([self.relay]),
            )
        )

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """As the others, but bytes after the known fields are allowed: versions grow."""
        return cls._read(Reader(payload))

    @classmethod
    def _read(cls, reader: Reader) -> Self:
        version, services, time = reader.i32(), reader.u64(), reader.i64()
        receiver, sender = PeerAddress.read_old(reader, 0), PeerAddress.read_old(reader, 0)
        nonce = reader.u64()
        agent = reader.take(reader.compact_size(limit=MAX_USER_AGENT_SIZE)).decode("latin-1")
        clean = "".join(letter for letter in agent if letter in _AGENT_CHARACTERS)
        height = reader.i32()
        relay = reader.u8() != 0 if reader.remaining else True
        return cls(version, services, time, receiver, sender, nonce, clean, height, relay)


@dataclass(frozen=True, slots=True)
class Verack(Message):
    """I have read your version; the link is open."""

    command = "verack"


@dataclass(frozen=True, slots=True)
class WtxidRelay(Message):
    """Before verack: announce transactions to me by wtxid (BIP339)."""

    command = "wtxidrelay"


@dataclass(frozen=True, slots=True)
class SendAddrV2(Message):
    """Before verack: send me addresses as addrv2 (BIP155)."""

    command = "sendaddrv2"


@dataclass(frozen=True, slots=True)
class SendHeaders(Message):
    """Announce blocks to me by their headers, not by inv (BIP130)."""

    command = "sendheaders"


@dataclass(frozen=True, slots=True)
class GetAddr(Message):
    """Which peers do you know? Answered once by addr or addrv2."""

    command = "getaddr"


@dataclass(frozen=True, slots=True)
class Addr(Message):
    """Peers' addresses, in the form before BIP155."""

    command = "addr"
    addresses: tuple[PeerAddress, ...]

    def _write(self) -> bytes:
        return vector(
            (item.time.to_bytes(4, "little") + item.write_old() for item in self.addresses),
            MAX_ADDRESSES,
        )

    @classmethod
    def _read(cls, reader: Reader) -> Self:
        count = read_count(reader, MAX_ADDRESSES, 30)
        return cls(tuple(PeerAddress.read_old(reader, reader.u32()) for _ in range(count)))


@dataclass(frozen=True, slots=True)
class AddrV2(Message):
    """Peers' addresses on any network (BIP155)."""

    command = "addrv2"
    addresses: tuple[PeerAddress, ...]

    def _write(self) -> bytes:
        return vector((item.write_new() for item in self.addresses), MAX_ADDRESSES)

    @classmethod
    def _read(cls, reader: Reader) -> Self:
        count = read_count(reader, MAX_ADDRESSES, 9)
        return cls(tuple(PeerAddress.read_new(reader) for _ in range(count)))


@dataclass(frozen=True, slots=True)
class _Inventory(Message):
    items: tuple[InventoryItem, ...]

    def _write(self) -> bytes:
        return vector(
            (kind.to_bytes(4, "little") + each for kind, each in self.items), MAX_INVENTORY
        )

    @classmethod
    def _read(cls, reader: Reader) -> Self:
        count = read_count(reader, MAX_INVENTORY, 36)
        return cls(tuple(InventoryItem(reader.u32(), reader.take(32)) for _ in range(count)))


@dataclass(frozen=True, slots=True)
class Inv(_Inventory):
    """I have these: transactions or blocks."""

    command = "inv"


@dataclass(frozen=True, slots=True)
class GetData(_Inventory):
    """Send me these. Each is answered by tx or block, or all unknown ones by one notfound."""

    command = "getdata"


@dataclass(frozen=True, slots=True)
class NotFound(_Inventory):
    """I do not have these that you asked for."""

    command = "notfound"


@dataclass(frozen=True, slots=True)
class GetHeaders(Message):
    """Send me the headers after the first of these that you have on your chain."""

    command = "getheaders"
    version: int
    locator: tuple[bytes, ...]
    """Hashes of blocks I have, newest first, ever further apart."""
    stop: bytes
    """The last that I want; zeros: as many as fit."""

    def _write(self) -> bytes:
        return self.version.to_bytes(4, "little") + vector(self.locator, MAX_LOCATOR) + self.stop

    @classmethod
    def _read(cls, reader: Reader) -> Self:
        version = reader.u32()
        count = read_count(reader, MAX_LOCATOR, 32)
        return cls(version, tuple(reader.take(32) for _ in range(count)), reader.take(32))


@dataclass(frozen=True, slots=True)
class Headers(Message):
    """Headers, each the child of the one before; fewer than 2,000: I have no more."""

    command = "headers"
    headers: tuple[BlockHeader, ...]

    def _write(self) -> bytes:
        return vector((header.serialize() + b"\0" for header in self.headers), MAX_HEADERS)

    @classmethod
    def _read(cls, reader: Reader) -> Self:
        count = read_count(reader, MAX_HEADERS, 81)
        return cls(tuple(cls._read_header(reader) for _ in range(count)))

    @staticmethod
    def _read_header(reader: Reader) -> BlockHeader:
        header = BlockHeader.read(reader)
        if reader.u8():  # the number of transactions, always 0 here
            raise DecodeError("transactions in a headers message")
        return header


@dataclass(frozen=True, slots=True)
class Tx(Message):
    """A transaction."""

    command = "tx"
    transaction: Transaction

    def _write(self) -> bytes:
        return self.transaction.serialize()

    @classmethod
    def _read(cls, reader: Reader) -> Self:
        return cls(Transaction.read(reader))


@dataclass(frozen=True, slots=True)
class BlockMessage(Message):
    """A block."""

    command = "block"
    block: Block

    def _write(self) -> bytes:
        return self.block.serialize()

    @classmethod
    def _read(cls, reader: Reader) -> Self:
        return cls(Block.read(reader))


@dataclass(frozen=True, slots=True)
class Ping(Message):
    """Are you there? Answered by a pong with the same nonce."""

    command = "ping"
    nonce: int

    def _write(self) -> bytes:
        return self.nonce.to_bytes(8, "little")

    @classmethod
    def _read(cls, reader: Reader) -> Self:
        return cls(reader.u64())


@dataclass(frozen=True, slots=True)
class Pong(Ping):
    """I am here."""

    command = "pong"


@dataclass(frozen=True, slots=True)
class FeeFilter(Message):
    """Announce no transaction that pays less to me (BIP133)."""

    command = "feefilter"
    feerate: int
    """Satoshis for 1,000 virtual bytes."""

    def _write(self) -> bytes:
        return self.feerate.to_bytes(8, "little", signed=True)

    @classmethod
    def _read(cls, reader: Reader) -> Self:
        return cls(reader.i64())


_KNOWN: dict[str, type[Message]] = {
    kind.command: kind
    for kind in (
        *(Version, Verack, WtxidRelay, SendAddrV2, SendHeaders, GetAddr, Addr, AddrV2),
        *(Inv, GetData, NotFound, GetHeaders, Headers, Tx, BlockMessage, Ping, Pong, FeeFilter),
    )
}


def decode(command: str, payload: bytes) -> Message:
    """The message in a frame: one of the above, `Unknown` for another command, or DecodeError."""
    kind = _KNOWN.get(command)
    return kind.parse(payload) if kind else Unknown(command, payload)


def encode_frame(magic: bytes, message: Message) -> bytes:
    """The message in its frame, ready for the wire; ValueError if it is longer than peers allow."""
    return wire.encode_frame(magic, message.command, message.payload())
