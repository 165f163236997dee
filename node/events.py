"""What happens to a node, and what it wants done: the alphabet of `Node.handle`.

Events go in, effects come out; both are values. A link is a number that the I/O side gives to a
connection and never gives again. Nothing here knows how bytes travel: HTTP, a TCP socket and the
simulator all speak in these. Beside it: the documentation of h11 (sans-IO) and `node/messages.py`.
"""

from dataclasses import dataclass
from typing import NamedTuple

from chain.block import Block
from chain.headers import HeaderEntry
from node.entry import MempoolEntry
from node.messages import Message


class NetAddress(NamedTuple):
    """Where a peer listens: an IP address as text, and a port."""

    host: str
    port: int


# Events: what happened.


@dataclass(frozen=True, slots=True)
class LinkOpened:
    """A connection stands. `address` is whom we dialled, or whence they came if that is known."""

    link: int
    inbound: bool
    address: NetAddress | None


@dataclass(frozen=True, slots=True)
class LinkClosed:
    """A connection is gone; nothing more will come of it."""

    link: int


@dataclass(frozen=True, slots=True)
class Received:
    """A frame came whole and with the right checksum; the payload is not decoded yet."""

    link: int
    command: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Misframed:
    """What came is not a frame; `why` is one line."""

    link: int
    why: str


@dataclass(frozen=True, slots=True)
class DialFailed:
    """Nobody answered there, or not as a peer."""

    address: NetAddress


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; sent about once a second."""


Event = LinkOpened | LinkClosed | Received | Misframed | DialFailed | Tick


# Effects: what is to be done.


@dataclass(frozen=True, slots=True)
class Send:
    """Send this message on this link, after all earlier ones."""

    link: int
    message: Message


@dataclass(frozen=True, slots=True)
class Close:
    """Close this link; `why` is one line for the log."""

    link: int
    why: str


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a link to this address; answered by LinkOpened or DialFailed."""

    address: NetAddress


# Effects that only tell: for the index, the API's events, the miner.


@dataclass(frozen=True, slots=True)
class BlockConnected:
    """This block is on the active chain now."""

    entry: HeaderEntry
    block: Block


@dataclass(frozen=True, slots=True)
class BlockDisconnected:
    """This block is off the active chain now."""

    entry: HeaderEntry
    block: Block


@dataclass(frozen=True, slots=True)
class TransactionAccepted:
    """This transaction waits in the mempool now."""

    entry: MempoolEntry


@dataclass(frozen=True, slots=True)
class TransactionRemoved:
    """This transaction waits no longer; `why` is a word: block, conflict, replaced, expired, …"""

    txid: bytes
    why: str


@dataclass(frozen=True, slots=True)
class Log:
    """One line for the log, without what a stranger may have put there unescaped."""

    text: str


Effect = (
    Send
    | Close
    | Dial
    | BlockConnected
    | BlockDisconnected
    | TransactionAccepted
    | TransactionRemoved
    | Log
)
