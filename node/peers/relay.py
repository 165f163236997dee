"""Relay: telling peers about transactions, and taking in those they tell us about.

It knows what to announce to whom and when, what to do with each answer, and what to serve. It does
not know why a transaction is refused (`mempool`), whom to ask for one (`fetch`), nor blocks. No
transaction ever costs a peer its link: what is wrong with it may be news to the sender too.

The first announcement on a quiet link goes out at once, those that follow within a tenth of a
second together: a payment crosses a network in milliseconds, a flood in few messages. Core waits
for seconds, at random, so that nobody can tell where a payment began; a network to learn on hides
nothing.

Beside it: Bitcoin Core, `src/net_processing.cpp`: SendMessages, ProcessInvalidTx, ProcessOrphanTx.
"""

from collections.abc import Mapping, Sequence
from random import Random

from chain.block import Block
from chain.errors import Invalid
from chain.transaction import Transaction
from node.clock import Clock
from node.entry import MempoolEntry, fee_at
from node.events import TransactionAccepted
from node.mempool.mempool import Mempool
from node.mempool.reasons import PolicyClass, Rejected
from node.mempool.submission import RETRIED, submit
from node.messages import MSG_TX, MSG_WTX, FeeFilter, Inv, InventoryItem, NotFound, Tx
from node.peers.fetch import Fetch
from node.peers.orphans import Orphans
from node.peers.peer import Outbox, Peer, Recent

ANNOUNCE_INTERVAL_S = 0.1
"""Between two batches of announcements on a link."""
MAX_BATCH = 1_000
"""Announcements in a batch: Core's INVENTORY_BROADCAST_MAX."""
MAX_TO_ANNOUNCE = 50_000
"""Announcements that wait for a peer; beyond it the oldest are dropped."""
MAX_REJECTED, MAX_CONFIRMED = 50_000, 48_000
"""Refused since the last block, and confirmed lately: not asked for again. Core remembers 120,000
and 48,000, in Bloom filters."""
ORPHANS_AT_ONCE = 10
"""Orphans looked at again in one go, so that nobody can keep us busy with a pile of them."""
FEERATE_INTERVAL_S = 60
"""Between two messages about what we accept; Core varies from five minutes to ten."""
REPEAT_S = (600, 900)
"""Between two announcements of what nobody asked for; Core's ReattemptInitialBroadcast."""
SERVE_BYTES = 8_000_000
"""What may wait on a link before it is told that we do not have the rest."""


class Relay:
    """What is known about transactions that do not wait in the mempool (yet, or any more)."""

    def __init__(
        self,
        mempool: Mempool,
        peers: Mapping[int, Peer],
        outbox: Outbox,
        rng: Random,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._mempool = mempool
        self._peers = peers
        self._outbox = outbox
        self._rng = rng
        self._repeat_at = 0.0
        self._fetch = Fetch(peers, outbox, rng, clock)
        self._orphans = Orphans()
        self._ready: dict[bytes, None] = {}
        """Orphans, by wtxid, that have got a parent."""
        self._rejected = Recent(MAX_REJECTED)
        self._too_cheap = Recent(MAX_REJECTED)
        """Refused for their fee alone: welcome with a child that pays for them."""
        self._confirmed = Recent(MAX_CONFIRMED)

    # Links.

    def greet(self, peer: Peer) -> None:
        """The handshake is done: tell a new peer what waits here, and what we accept.

        A node that was away gets its payments back this way.
        """
        self._tell_feerate(peer)
        for entry in self._mempool:
            self._queue(peer, entry)

    def forget(self, peer: Peer) -> None:
        """Its link is about to go."""
        self._fetch.forget(peer)
        self._orphans.forget(peer.link)

    def _tell_feerate(self, peer: Peer) -> None:
        feerate = self._mempool.min_feerate(self._clock.unix)
        peer.feerate_told_at = self._clock.steady
        if feerate != peer.feerate_told:
            peer.feerate_told = feerate
            self._outbox.send(peer, FeeFilter(feerate))

    # Taking in.

    def on_inv(self, peer: Peer, items: Sequence[InventoryItem]) -> None:
        """It announced transactions: note those that we lack."""
        for kind, tx_hash in items:
            if kind != (MSG_WTX if peer.wtxid_relay else MSG_TX):
                continue
            peer.known.add(tx_hash)
            orphan = self._orphans.get(tx_hash)
            if orphan is not None:
                self._adopt(peer, orphan)
            elif not self._has(tx_hash) and tx_hash not in self._too_cheap:
                self._fetch.offered(peer, kind, tx_hash)

    def _has(self, tx_hash: bytes) -> bool:
        """Do we have the transaction of this txid or wtxid, or want nothing to do with it?"""
        return (
            tx_hash in self._rejected
            or tx_hash in self._confirmed
            or tx_hash in self._mempool
            or self._mempool.get_by_wtxid(tx_hash) is not None
        )

    def on_tx(self, peer: Peer, tx: Transaction) -> None:
        """A transaction came."""
        for tx_hash in (tx.txid, tx.wtxid):
            self._fetch.arrived(tx_hash)
        peer.known.add(tx.wtxid if peer.wtxid_relay else tx.txid)
        if tx.wtxid in self._too_cheap:
            self._bring_a_child(tx)
        elif not self._has(tx.wtxid):
            self._consider(peer, tx)

    def _consider(self, peer: Peer | None, tx: Transaction) -> None:
        """Let the mempool judge it. `peer` gave it to us; None if it has gone since."""
        try:
            self._mempool.accept(tx, self._clock.unix)
            if peer is not None:
                peer.was_useful = True
        except (Rejected, Invalid) as refusal:
            self._refused(peer, tx, refusal)
        self.tell_changes()

    def tell_changes(self, *, again: bool = False) -> None:
        """The mempool has changed: announce what is new, and look at orphans that spend it.

        With `again` even to those who know it: the block it was in may have fallen for them too.
        """
        for event in self._mempool.take_events():
            self._outbox.effects.append(event)
            if isinstance(event, TransactionAccepted):
                tx = event.entry.tx
                self._orphans.remove(tx.wtxid)
                self._ready.update(dict.fromkeys(self._orphans.children_of(tx.txid)))
                self.announce(event.entry, again=again)

    def _refused(self, peer: Peer | None, tx: Transaction, refusal: Rejected | Invalid) -> None:
        match = refusal.reason.result
        missing = match is PolicyClass.MISSING_INPUTS
        if missing and not any(i.outpoint.txid in self._rejected for i in tx.inputs):
            if peer is not None:
                self._adopt(peer, tx)
            return
        if match is PolicyClass.RECONSIDERABLE:
            self._too_cheap.add(tx.wtxid)
            self._bring_a_child(tx)
            return
        self._orphans.remove(tx.wtxid)
        # With another witness it may be fine, and without any its two ids are the same.
        if match is not PolicyClass.WITNESS_STRIPPED:
            self._rejected.add(tx.wtxid)

    def _bring_a_child(self, tx: Transaction) -> None:
        """It pays too little alone: perhaps an orphan pays for it. Core: Find1P1CPackage."""
        for wtxid in self._orphans.children_of(tx.txid)[:ORPHANS_AT_ONCE]:
            child = self._orphans.get(wtxid)
            if child is None or tx.txid in self._mempool:
                continue
            result = submit(self._mempool, [tx, child], self._clock.unix)
            refusal = result.refusals.get(wtxid)
            if refusal is not None and refusal.reason.result not in RETRIED:
                self._orphans.remove(wtxid)
                self._rejected.add(wtxid)
        self.tell_changes()

    def _adopt(self, peer: Peer, tx: Transaction) -> None:
        """Keep an orphan, and ask who sent it for its parents."""
        self._orphans.add(tx, peer.link)
        for tx_in in tx.inputs:
            if not self._has(tx_in.outpoint.txid):
                self._fetch.offered(peer, MSG_TX, tx_in.outpoint.txid)

    def consider_orphans(self) -> None:
        """Look again at some orphans that have got a parent."""
        for wtxid in list(self._ready)[:ORPHANS_AT_ONCE]:
            del self._ready[wtxid]
            tx = self._orphans.get(wtxid)
            if tx is not None:
                self._consider(self._peers.get(self._orphans.link_of(wtxid)), tx)

    def on_not_found(self, peer: Peer, items: Sequence[InventoryItem]) -> None:
        """It does not have what we asked it for."""
        for item in items:
            self._fetch.refused(peer, item.hash)

    def block_connected(self, block: Block) -> None:
        """What is in the chain needs no relaying; what was refused may be welcome now."""
        for tx in block.transactions:
            for tx_hash in (tx.txid, tx.wtxid):
                self._confirmed.add(tx_hash)
                self._fetch.arrived(tx_hash)
            self._ready.update(dict.fromkeys(self._orphans.children_of(tx.txid)))
        self._orphans.remove_for_block(block)
        self._rejected.clear()
        self._too_cheap.clear()

    def block_disconnected(self, block: Block) -> None:
        """What was confirmed is so no longer."""
        for tx in block.transactions:
            self._confirmed.discard(tx.txid)
            self._confirmed.discard(tx.wtxid)
        self._rejected.clear()
        self._too_cheap.clear()

    # Telling.

    def announce(self, entry: MempoolEntry, *, again: bool) -> None:
        """Every peer shall hear of it; with `again` even those who know it."""
        for peer in self._peers.values():
            if peer.is_open:
                if again:
                    peer.known.discard(_hash_for(peer, entry.tx))
                self._queue(peer, entry)

    def announce_until_asked(self, entry: MempoolEntry) -> None:
        """It was handed in here: perhaps nobody heard of it yet."""
        if not self._mempool.unbroadcast:
            self._repeat_at = self._clock.steady + self._rng.uniform(*REPEAT_S)
        self._mempool.unbroadcast[entry.txid] = None

    def _repeat(self) -> None:
        self._repeat_at = self._clock.steady + self._rng.uniform(*REPEAT_S)
        for entry in map(self._mempool.get, self._mempool.unbroadcast):
            if entry is not None:
                self.announce(entry, again=True)

    def _queue(self, peer: Peer, entry: MempoolEntry) -> None:
        if peer.version is None or not peer.version.relay:
            return
        if _hash_for(peer, entry.tx) not in peer.known:
            peer.to_announce[entry.txid] = None
            if len(peer.to_announce) > MAX_TO_ANNOUNCE:
                del peer.to_announce[next(iter(peer.to_announce))]

    def flush(self) -> None:
        """Send announcements that are due, and ask for what peers have announced."""
        for peer in self._peers.values():
            if peer.to_announce and self._clock.steady >= peer.announce_at:
                self._announce_batch(peer)
        self._fetch.ask()

    def _announce_batch(self, peer: Peer) -> None:
        items = []
        for txid in list(peer.to_announce)[:MAX_BATCH]:
            del peer.to_announce[txid]
            entry = self._mempool.get(txid)
            if entry is None or entry.fee < fee_at(peer.min_feerate, entry.vsize):
                continue
            tx_hash = _hash_for(peer, entry.tx)
            if tx_hash not in peer.known:
                peer.known.add(tx_hash)
                items.append(InventoryItem(MSG_WTX if peer.wtxid_relay else MSG_TX, tx_hash))
        if items:
            peer.announce_at = self._clock.steady + ANNOUNCE_INTERVAL_S
            self._outbox.send(peer, Inv(tuple(items)))

    def wake_at(self) -> float | None:
        """When announcements are due, on the steady clock; None if none wait."""
        due = [peer.announce_at for peer in self._peers.values() if peer.to_announce]
        return self._clock.steady if self._ready else min(due, default=None)

    def on_get_transactions(self, peer: Peer, items: Sequence[InventoryItem], backlog: int) -> None:
        """It wants transactions; `backlog`: bytes that wait on its link already."""
        missing = []
        for item in items:
            find = self._mempool.get_by_wtxid if item.kind == MSG_WTX else self._mempool.get
            entry = find(item.hash)
            if entry is None or backlog > SERVE_BYTES:
                missing.append(item)
            else:
                backlog += entry.tx.size
                self._mempool.unbroadcast.pop(entry.txid, None)
                peer.known.add(_hash_for(peer, entry.tx))
                self._outbox.send(peer, Tx(entry.tx))
        if missing:
            self._outbox.send(peer, NotFound(tuple(missing)))

    def tick(self) -> None:
        """Time has passed."""
        self._fetch.tick()
        if self._mempool.unbroadcast and self._clock.steady >= self._repeat_at:
            self._repeat()
        for peer in self._peers.values():
            if peer.is_open and self._clock.steady - peer.feerate_told_at >= FEERATE_INTERVAL_S:
                self._tell_feerate(peer)


def _hash_for(peer: Peer, tx: Transaction) -> bytes:
    """The id by which this peer and we speak of `tx`."""
    return tx.wtxid if peer.wtxid_relay else tx.txid
