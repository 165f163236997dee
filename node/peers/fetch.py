"""Transactions that peers have announced, and whom to ask for them.

It does not know transactions, only their hashes. Whoever announces and does not deliver is passed
over after two seconds: two others are asked at once, then four, and so on, first those who have
never withheld anything, those we chose ourselves and those who have been of use; among equals the
lot decides. So no number of links can keep a payment from us for long. What one peer may announce
has a limit of its own, so that nobody can fill what others need.

Beside it: Bitcoin Core, `src/txrequest.h`, whose opening comment explains the game. Simplified: we
ask at once, where Core gives peers of its own choice a head start of two seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from node.clock import Clock
from node.messages import MSG_TX, MSG_WITNESS_TX, GetData, InventoryItem
from node.peers.peer import Outbox, Peer

MAX_OFFERED = 5_000
"""Announcements of one peer that are open: Core's MAX_PEER_TX_ANNOUNCEMENTS."""
MAX_ASKED = 100
"""Transactions on their way from one peer: Core's MAX_PEER_TX_REQUEST_IN_FLIGHT."""
TIMEOUT_S = 2
"""For an answer; Core's GETDATA_TX_INTERVAL is a minute. Asking twice is cheap."""

MAX_AT_ONCE = 64
"""Peers that are asked for the same transaction at the same time."""


@dataclass(slots=True)
class _Wanted:
    offers: dict[int, None] = field(default_factory=dict)
    """Links that offer it, in the order in which they did."""
    asked: int = 0
    """How many of them we are waiting for."""
    withheld: int = 0
    """How many we have asked in vain: one more is asked at once, up to a limit."""

    @property
    def may_ask(self) -> bool:
        return self.asked < min(self.withheld + 1, MAX_AT_ONCE)


class Fetch:
    """Who has offered what, and who has been asked."""

    def __init__(
        self, peers: Mapping[int, Peer], outbox: Outbox, rng: Random, clock: Clock
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._peers = peers
        self._outbox = outbox
        self._wanted: dict[bytes, _Wanted] = {}
        self._asked: dict[tuple[bytes, int], float] = {}
        """For each hash and link asked for it: when; oldest first."""
        self._is_stale = False

    def __len__(self) -> int:
        """How many transactions are wanted."""
        return len(self._wanted)

    def offered(self, peer: Peer, kind: int, tx_hash: bytes) -> None:
        """It has a transaction that we lack; `kind` says which of its ids this is."""
        if tx_hash in peer.offered or len(peer.offered) >= MAX_OFFERED:
            return
        peer.offered[tx_hash] = kind
        wanted = self._wanted.setdefault(tx_hash, _Wanted())
        wanted.offers[peer.link] = None
        if wanted.may_ask:
            peer.waiting[tx_hash] = None
            self._is_stale = True

    def ask(self) -> None:
        """Ask for what too few are asked for yet."""
        if not self._is_stale:
            return
        self._is_stale = False
        ready = [peer for peer in self._peers.values() if peer.is_open and peer.waiting]
        self._rng.shuffle(ready)
        ready.sort(key=lambda each: (each.withheld, each.inbound, not each.was_useful))
        for peer in ready:
            items = self._next_items(peer)
            if items:
                self._outbox.send(peer, GetData(tuple(items)))

    def _next_items(self, peer: Peer) -> list[InventoryItem]:
        items = []
        while peer.waiting and peer.transactions_asked < MAX_ASKED:
            tx_hash = next(iter(peer.waiting))
            del peer.waiting[tx_hash]
            wanted = self._wanted[tx_hash]
            if wanted.may_ask:
                self._asked[tx_hash, peer.link] = self._clock.steady
                wanted.asked += 1
                peer.transactions_asked += 1
                kind = peer.offered[tx_hash]
                items.append(InventoryItem(MSG_WITNESS_TX if kind == MSG_TX else kind, tx_hash))
        return items

    def arrived(self, tx_hash: bytes) -> None:
        """We have it, or want it no more."""
        if (wanted := self._wanted.pop(tx_hash, None)) is not None:
            for link in wanted.offers:
                peer = self._peers[link]
                del peer.offered[tx_hash]
                peer.waiting.pop(tx_hash, None)
                self._stop_asking(peer, tx_hash)

    def refused(self, peer: Peer, tx_hash: bytes) -> None:
        """This peer will not deliver it: the others who offered it may be asked."""
        if peer.offered.pop(tx_hash, None) is None:
            return
        peer.waiting.pop(tx_hash, None)
        wanted = self._wanted[tx_hash]
        del wanted.offers[peer.link]
        if not wanted.offers:
            del self._wanted[tx_hash]
        if self._stop_asking(peer, tx_hash):
            wanted.asked -= 1
            wanted.withheld += 1
            for link in wanted.offers:
                if (tx_hash, link) not in self._asked:
                    self._peers[link].waiting[tx_hash] = None

    def _stop_asking(self, peer: Peer, tx_hash: bytes) -> bool:
        """True if we were waiting for it on this link."""
        if self._asked.pop((tx_hash, peer.link), None) is None:
            return False
        peer.transactions_asked -= 1
        self._is_stale = True
        return True

    def tick(self) -> None:
        """Time has passed: give up on those who do not answer."""
        while self._asked:
            (tx_hash, link), asked_at = next(iter(self._asked.items()))
            if self._clock.steady - asked_at <= TIMEOUT_S:
                break
            self._peers[link].withheld += 1
            self.refused(self._peers[link], tx_hash)

    def forget(self, peer: Peer) -> None:
        """Its link is about to go: ask others for what it offered."""
        for tx_hash in list(peer.offered):
            self.refused(peer, tx_hash)
