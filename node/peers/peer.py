"""One connected peer: what has been said on the link, and what it owes us.

Only facts and small containers: `core`, `sync` and `relay` read and change them. All of it goes
when the link goes, and all of it has a limit, so that a link costs a bounded amount of memory.

The handshake, as a table (each side plays both columns):

    stage             we hear           we say                                  and are then at
    VERSION_AWAITED   version           version (if dialled), wtxidrelay,       VERACK_AWAITED
                                        sendaddrv2, verack
    VERACK_AWAITED    wtxidrelay,       -                                       VERACK_AWAITED
                      sendaddrv2
    VERACK_AWAITED    verack            sendheaders, getheaders, feefilter,     OPEN
                                        getaddr (if we dialled), inv
    OPEN              anything else

The dialling side says version first. What comes out of turn is ignored, as Core ignores it.
Beside it: Bitcoin Core, `src/net_processing.cpp` (struct Peer, CNodeState).
"""

from dataclasses import dataclass, field
from enum import Enum, auto

from chain.headers import HeaderEntry
from node.events import Close, Effect, Log, NetAddress, Send
from node.messages import Message, Version

MAX_KNOWN = 5_000
"""Transactions a peer is remembered to know; forgetting one costs a needless inv."""


class Recent:
    """A set of hashes that forgets its oldest members beyond its limit."""

    __slots__ = ("_limit", "_members")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._members: dict[bytes, None] = {}

    def __contains__(self, member: bytes) -> bool:
        return member in self._members

    def __len__(self) -> int:
        return len(self._members)

    def add(self, member: bytes) -> None:
        """Remember `member`."""
        self._members[member] = None
        if len(self._members) > self._limit:
            del self._members[next(iter(self._members))]

    def discard(self, member: bytes) -> None:
        """Forget `member` if it is there."""
        self._members.pop(member, None)

    def clear(self) -> None:
        """Forget all."""
        self._members.clear()


class Stage(Enum):
    """How far the handshake is."""

    VERSION_AWAITED = auto()
    VERACK_AWAITED = auto()
    OPEN = auto()


@dataclass(slots=True, eq=False)
class Peer:
    """One link and who is at its other end. Times are seconds of the steady clock."""

    link: int
    inbound: bool
    address: NetAddress | None
    """Whom we dialled, or whence they came."""
    opened_at: float
    nonce: int
    """What our version on this link says; whoever says it back is ourselves."""
    is_manual: bool = False
    """The operator asked for this link."""
    stage: Stage = Stage.VERSION_AWAITED
    is_closing: bool = False
    """We have asked for the link to be closed; nothing is sent or heard any more."""
    misbehaved: bool = False
    is_greeted: bool = False
    """The handshake has been done; true even when the link is gone."""

    # What it told us about itself.
    version: Version | None = None
    listens_at: NetAddress | None = None
    """Where others can reach it: dialled, or as it says itself."""
    wtxid_relay: bool = False
    wants_new_addresses: bool = False
    prefers_headers: bool = False
    min_feerate: int = 0
    """Satoshis for 1,000 virtual bytes: it wants no transaction below."""

    # Liveness.
    ping_nonce: int | None = None
    """Of the ping not answered yet."""
    pinged_at: float = 0
    ping_time_s: float | None = None
    """How long the last pong took."""
    feerate_told: int = -1
    feerate_told_at: float = 0

    # Addresses.
    address_tokens: float = 1
    """How many addresses it may still tell us; refills with time."""
    tokens_at: float = 0
    was_told_addresses: bool = False

    was_useful: bool = False
    """It has sent a block or a transaction that we have taken in."""

    # Blocks (`sync`).
    best_known: HeaderEntry | None = None
    """Of what it surely has, the block with the most work."""
    best_sent: HeaderEntry | None = None
    """The last header that we sent or offered it."""
    unknown_block: bytes | None = None
    """The last block that it announced and that we had no header of."""
    headers_asked_at: float | None = None
    low_work: list[bytes] = field(default_factory=list)
    """Headers, serialized, of a branch that does not have enough work yet to be kept."""
    side_headers: int = 0
    """How many headers it gave us whose branch ended behind our tip."""
    blocks_asked: dict[bytes, float] = field(default_factory=dict)
    """Blocks on their way from it, oldest request first, and when we asked."""
    last_block_at: float = 0
    is_slow_until: float = 0
    blocks_owed: list[bytes] = field(default_factory=list)
    """Blocks that it has asked for and that we have not sent yet."""

    # Transactions (`relay`).
    known: Recent = field(default_factory=lambda: Recent(MAX_KNOWN))
    """wtxids it announced, sent or got from us."""
    to_announce: dict[bytes, None] = field(default_factory=dict)
    """txids that it shall hear of."""
    announce_at: float = 0
    """Not before: announcements go out in batches."""
    offered: dict[bytes, int] = field(default_factory=dict)
    """Transactions it announced and nobody has delivered yet, and the kind of their hash."""
    waiting: dict[bytes, None] = field(default_factory=dict)
    """Those of `offered` that are not asked for anywhere."""
    transactions_asked: int = 0
    withheld: int = 0
    """How often it announced a transaction and did not deliver it in time."""

    @property
    def is_open(self) -> bool:
        """The handshake is done and the link stands."""
        return self.stage is Stage.OPEN and not self.is_closing

    def learn_block(self, entry: HeaderEntry) -> None:
        """It has this block, or at least its header."""
        if self.best_known is None or entry.chainwork > self.best_known.chainwork:
            self.best_known = entry

    def has_block(self, entry: HeaderEntry) -> bool:
        """True if it surely knows the header of `entry`."""
        return any(
            best is not None and entry.is_ancestor_of(best)
            for best in (self.best_known, self.best_sent)
        )

    def __str__(self) -> str:
        where = f" {self.address.host}:{self.address.port}" if self.address else ""
        return f"peer {self.link}{where}"


class Outbox:
    """Where the parts of a node put what they want done, in order."""

    def __init__(self) -> None:
        self.effects: list[Effect] = []
        self._closed: list[Peer] = []

    def send(self, peer: Peer, message: Message) -> None:
        """Say `message` to `peer`, unless we are done with it."""
        if not peer.is_closing:
            self.effects.append(Send(peer.link, message))

    def close(self, peer: Peer, why: str) -> None:
        """Close its link; once is enough."""
        if not peer.is_closing:
            peer.is_closing = True
            self._closed.append(peer)
            self.effects.append(Close(peer.link, why))

    def punish(self, peer: Peer, why: str) -> None:
        """It broke the rules: close its link, and do not seek it again soon."""
        peer.misbehaved = True
        self.log(f"{peer} misbehaved: {why}")
        self.close(peer, why)

    def take_closed(self) -> list[Peer]:
        """Those whose links were closed since the last call: it is time to forget them."""
        closed, self._closed = self._closed, []
        return closed

    def log(self, text: str) -> None:
        """One line for the log."""
        self.effects.append(Log(text))

    def take(self) -> list[Effect]:
        """All that has gathered; the box is empty afterwards."""
        effects, self.effects = self.effects, []
        return effects
