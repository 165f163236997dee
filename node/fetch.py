"""Transactions that peers have announced, and whom to ask for them, one at a time.

It does not know transactions, only their hashes. Whoever announces and does not deliver is passed
over after two seconds: the next is asked, first those we chose ourselves and those who have never
withheld anything, so that no number of links can keep a payment from us for long. What one peer
may announce has a limit of its own, so that nobody can fill what others need.

Beside it: Bitcoin Core, `src/txrequest.h`, whose opening comment explains the game. Simplified: we
ask at once, where Core gives peers of its own choice a head start of two seconds.
"""

from collections.abc import Mapping

from node.clock import Clock
from node.messages import MSG_TX, MSG_WITNESS_TX, GetData, InventoryItem
from node.peer import Outbox, Peer

MAX_OFFERED = 5_000
"""Announcements of one peer that are open: Core's MAX_PEER_TX_ANNOUNCEMENTS."""
MAX_ASKED = 100
"""Transactions on their way from one peer: Core's MAX_PEER_TX_REQUEST_IN_FLIGHT."""
TIMEOUT_S = 2
"""For an answer; Core's GETDATA_TX_INTERVAL is a minute. Asking twice is cheap."""


class Fetch:
    """Who has offered what, and who has been asked."""

    def __init__(self, peers: Mapping[int, Peer], outbox: Outbox, clock: Clock) -> None:
        self._clock = clock
        self._peers = peers
        self._outbox = outbox
        self._offers: dict[bytes, dict[int, None]] = {}
        """For each hash the links that offer it, in the order in which they did."""
        self._asked: dict[bytes, tuple[int, float]] = {}
        """Whom we asked for it and when; oldest first."""
        self._is_stale = False

    def __len__(self) -> int:
        """How many transactions are wanted."""
        return len(self._offers)

    def offered(self, peer: Peer, kind: int, tx_hash: bytes) -> None:
        """It has a transaction that we lack; `kind` says which of its ids this is."""
        if tx_hash in peer.offered or len(peer.offered) >= MAX_OFFERED:
            return
        peer.offered[tx_hash] = kind
        self._offers.setdefault(tx_hash, {})[peer.link] = None
        if tx_hash not in self._asked:
            peer.waiting[tx_hash] = None
            self._is_stale = True

    def ask(self) -> None:
        """Ask for what nobody is asked for yet."""
        if not self._is_stale:
            return
        self._is_stale = False
        ready = [peer for peer in self._peers.values() if peer.is_open and peer.waiting]
        for peer in sorted(ready, key=lambda each: (each.withheld, each.inbound)):
            items = self._next_items(peer)
            if items:
                self._outbox.send(peer, GetData(tuple(items)))

    def _next_items(self, peer: Peer) -> list[InventoryItem]:
        items = []
        while peer.waiting and peer.transactions_asked < MAX_ASKED:
            tx_hash = next(iter(peer.waiting))
            del peer.waiting[tx_hash]
            if tx_hash not in self._asked:
                self._asked[tx_hash] = (peer.link, self._clock.steady)
                peer.transactions_asked += 1
                kind = peer.offered[tx_hash]
                items.append(InventoryItem(MSG_WITNESS_TX if kind == MSG_TX else kind, tx_hash))
        return items

    def arrived(self, tx_hash: bytes) -> None:
        """We have it, or want it no more."""
        for link in self._offers.pop(tx_hash, ()):
            peer = self._peers[link]
            del peer.offered[tx_hash]
            peer.waiting.pop(tx_hash, None)
        self._stop_asking(tx_hash)

    def refused(self, peer: Peer, tx_hash: bytes) -> None:
        """This peer will not deliver it: the others who offered it may be asked."""
        if peer.offered.pop(tx_hash, None) is None:
            return
        peer.waiting.pop(tx_hash, None)
        offers = self._offers[tx_hash]
        del offers[peer.link]
        if not offers:
            del self._offers[tx_hash]
        if tx_hash in self._asked and self._asked[tx_hash][0] == peer.link:
            self._stop_asking(tx_hash)
            for link in offers:
                self._peers[link].waiting[tx_hash] = None

    def _stop_asking(self, tx_hash: bytes) -> None:
        if tx_hash in self._asked:
            link, _ = self._asked.pop(tx_hash)
            self._peers[link].transactions_asked -= 1
            self._is_stale = True

    def tick(self) -> None:
        """Time has passed: give up on those who do not answer."""
        while self._asked:
            tx_hash, (link, asked_at) = next(iter(self._asked.items()))
            if self._clock.steady - asked_at <= TIMEOUT_S:
                break
            self._peers[link].withheld += 1
            self.refused(self._peers[link], tx_hash)

    def forget(self, peer: Peer) -> None:
        """Its link is about to go: ask others for what it offered."""
        for tx_hash in list(peer.offered):
            self.refused(peer, tx_hash)
