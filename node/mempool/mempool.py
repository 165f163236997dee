"""The mempool: transactions that wait for a block, while the chain moves on and the clock ticks.

It decides what leaves and when: mined, in conflict with what was mined, replaced, expired, thrown
out because it is full, or made invalid by a reorganisation. What may come in is for `acceptance` to
say. It knows no peers; what happened is left in `take_events` for whoever tells them. Beside it:
Bitcoin Core, `src/txmempool.cpp` and `src/validation.cpp` (MaybeUpdateMempoolForReorg).
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import islice

from chain.block import Block
from chain.chainstate import ChainChanges, Chainstate
from chain.errors import Invalid
from chain.script.check import ScriptCheck
from chain.script.flags import STANDARD_FLAGS
from chain.transaction import Transaction
from node.entry import MempoolEntry
from node.events import TransactionAccepted, TransactionRemoved
from node.mempool.acceptance import Judge, Judgement, Terms
from node.mempool.cluster import Limits, trim
from node.mempool.package import judge_together
from node.mempool.policy import PolicyOptions
from node.mempool.pool import Pool
from node.mempool.reasons import PolicyReason, Rejected

HALF_LIFE_S = 12 * 3_600
"""Core's ROLLING_FEE_HALFLIFE; shorter while the pool is not even half full."""
FLOOR_REST_S = 10
"""The floor is not worked out anew more often."""
VERIFIED_FLAGS = int(STANDARD_FLAGS)
MAX_LEFT = 20_000
"""Transactions that wait no longer whose scripts need not be run again."""


class Mempool(Pool):
    """All that waits. After each call the invariants of `check_consistency` hold."""

    def __init__(self, chainstate: Chainstate, options: PolicyOptions | None = None) -> None:
        super().__init__()
        self.options = options or PolicyOptions()
        self._limits = Limits(self.options.max_cluster_count, self.options.max_cluster_vsize * 4)
        self._judge = Judge(self, chainstate, self.options, self._limits)
        self._events: list[TransactionAccepted | TransactionRemoved] = []
        self.unbroadcast: dict[bytes, None] = {}
        """Txids handed in here that no peer has asked for yet."""
        self._oldest = 0  # nothing came before
        self._left: dict[bytes, None] = {}  # wtxids of the last that left: a block may have them
        # The feerate last thrown out, and since when it falls: None, until a block has made room.
        self._floor = 0.0
        self._floor_since: int | None = None

    def has_verified(self, check: ScriptCheck) -> bool:
        """True if a block need not make this check again.

        The scripts of what waits here, or did, have passed under the strictest flags: then they
        pass under fewer. The wtxid names the witness and, by the txids in it, what is spent.
        """
        if int(check.flags) & ~VERIFIED_FLAGS:
            return False
        wtxid = check.tx.wtxid
        return wtxid in self._by_wtxid or wtxid in self._left

    def take_events(self) -> list[TransactionAccepted | TransactionRemoved]:
        """What came and went since the last call, in order."""
        events, self._events = self._events, []
        return events

    def accept(self, tx: Transaction, now: int) -> MempoolEntry:
        """Take `tx` in, at `now` (Unix seconds). Raises Rejected (policy), Invalid (consensus)."""
        judgement = self.judge([tx], now)
        self.take(judgement)
        self.limit(now)
        if tx.txid not in self:
            raise Rejected(PolicyReason.MEMPOOL_FULL)
        return judgement.entries[0]

    def judge(
        self,
        txs: Sequence[Transaction],
        now: int,
        *,
        max_feerate: int = 0,
        together: bool = False,
    ) -> Judgement:
        """What `take` may take in; nothing changes. Raises Rejected or Invalid, as `accept` but for
        a full mempool. `together`: txs are a package, and it raises PackageRejected."""
        floor = self._rolling_minimum(now)
        terms = Terms(now, floor, max_feerate=max_feerate)
        if not together:
            (tx,) = txs
            return self._judge.examine(tx, terms)
        terms = terms._replace(pays_alone=False, may_evict_sibling=False)
        return judge_together(self._judge, txs, terms)

    def test(self, txs: Sequence[Transaction], now: int) -> Judgement:
        """Whether these would be taken in one after another, none of them replacing anything.

        Raises PackageRejected. Core: testmempoolaccept for several transactions.
        """
        terms = Terms(now, self._rolling_minimum(now), may_replace=False, may_evict_sibling=False)
        return judge_together(self._judge, txs, terms)

    def check(self, tx: Transaction, now: int) -> MempoolEntry:
        """What `accept` would answer or raise, but for a full mempool; nothing changes."""
        return self.judge([tx], now).entries[0]

    def take(self, judgement: Judgement) -> None:
        """Let in what was judged, now that what it replaces makes room. `limit` is to follow."""
        if judgement.evicted:
            self._take_out(judgement.evicted, "replaced")
        for entry in judgement.entries:
            self.add(entry)
            self._oldest = min(self._oldest, entry.time)
            self._events.append(TransactionAccepted(entry))

    def _take_out(self, entries: Iterable[MempoolEntry], why: str) -> None:
        gone = sorted(entries, key=lambda entry: entry.sequence)
        self.remove(gone)
        for entry in gone:
            self.unbroadcast.pop(entry.txid, None)
            self._left[entry.tx.wtxid] = None
        for wtxid in list(islice(self._left, max(0, len(self._left) - MAX_LEFT))):
            del self._left[wtxid]
        self._events.extend(TransactionRemoved(entry.txid, why) for entry in gone)

    def _take_out_with_descendants(self, entry: MempoolEntry, why: str) -> None:
        self._take_out(entry.descendants() | {entry}, why)

    # Time and room.

    def limit(self, now: int) -> None:
        """Remove what has waited too long; if there is too much, the worst chunks."""
        self.expire(now)
        while self.usage_bytes > self.options.max_mempool_bytes:
            worst = self.worst()
            feerate = worst.feerate.fee * 1_000 // worst.vsize
            feerate += self.options.incremental_relay_feerate
            if feerate > self._floor:
                self._floor, self._floor_since = feerate, None
            self._take_out(worst.entries, "full")

    def expire(self, now: int) -> None:
        """Remove what has waited too long, and what hangs on it."""
        if self._oldest + self.options.expiry_s >= now:
            return
        for entry in list(self):
            if entry.time + self.options.expiry_s < now and entry.txid in self:
                self._take_out_with_descendants(entry, "expired")
        self._oldest = min((entry.time for entry in self), default=now)

    def backdate(self, txid: bytes, time: int) -> None:
        """Count a transaction, if it waits, as having come at `time` (Unix seconds)."""
        if entry := self.get(txid):
            entry.time = time
            self._oldest = min(self._oldest, time)

    def min_feerate(self, now: int) -> int:
        """The least feerate that gets in at present, in satoshis per kvB."""
        return max(self._rolling_minimum(now), self.options.min_relay_feerate)

    def _rolling_minimum(self, now: int) -> int:
        """What a pool that was full asks for: falls by half in 12 hours once a block has come."""
        least = self.options.incremental_relay_feerate
        if not self._floor or self._floor_since is None:
            return round(self._floor)
        if now > self._floor_since + FLOOR_REST_S:
            half_life = HALF_LIFE_S
            if self.usage_bytes * 4 < self.options.max_mempool_bytes:
                half_life //= 4
            elif self.usage_bytes * 2 < self.options.max_mempool_bytes:
                half_life //= 2
            self._floor /= 2 ** ((now - self._floor_since) / half_life)
            self._floor_since = now
            if self._floor < least / 2:
                self._floor = 0
                return 0
        return max(round(self._floor), least)

    # The chain moves.

    def follow(self, changes: ChainChanges, now: int) -> None:
        """Bring the mempool to the chain's new tip. To be called after every change of tip."""
        for _, block in changes.connected:
            self.remove_for_block(block)
            self._floor_since = now
        if changes.disconnected:
            self.return_after_reorg(changes, now)

    def remove_for_block(self, block: Block) -> None:
        """Remove what a connected block contains, and what it contradicts.

        Of both it is forgotten that they were prioritised. Core: removeForBlock.
        """
        mined: set[MempoolEntry] = set()
        contradicted: set[MempoolEntry] = set()
        for tx in block.transactions if len(self) or self.deltas else ():
            self.deltas.pop(tx.txid, None)
            entry = self.get(tx.txid)
            if entry:
                mined.add(entry)
                continue
            for spender in (self.spender_of(tx_in.outpoint) for tx_in in tx.inputs):
                if spender:
                    self.deltas.pop(spender.txid, None)
                    contradicted |= spender.descendants() | {spender}
        self._take_out(contradicted, "conflict")
        self._take_out(mined, "block")

    def return_after_reorg(self, changes: ChainChanges, now: int) -> None:
        """Offer again what disconnected blocks contained, oldest first; then remove what became
        invalid. For after the connected blocks are removed."""
        mined = {tx.txid for _, block in changes.connected for tx in block.transactions}
        returned: list[MempoolEntry] = []
        for _, block in reversed(changes.disconnected):
            for tx in block.transactions:
                if tx.txid not in mined:
                    returned += self._offer_again(tx, now)
        self._reunite([entry for entry in returned if entry.txid in self])
        for entry in list(self):
            if entry.txid in self:
                try:
                    self._judge.recheck(entry)
                except (Rejected, Invalid):
                    self._take_out_with_descendants(entry, "reorg")
        self.limit(now)

    def _offer_again(self, tx: Transaction, now: int) -> tuple[MempoolEntry, ...]:
        """Where it may not return, what spends from it leaves too. A coinbase never may."""
        try:
            judgement = self._judge.examine(tx, Terms(now, None))
        except (Rejected, Invalid):
            for child in self.children_of(tx):
                if child.txid in self:
                    self._take_out_with_descendants(child, "reorg")
            return ()
        self.take(judgement)
        return judgement.entries

    def _reunite(self, returned: Collection[MempoolEntry]) -> None:
        """Parents and children find each other; where those are too many, the worst leave."""
        for group in self.unadopted(returned):
            if not self._limits.allow(group):
                clusters = self.clusters_of(group)
                parents = {entry: self.parents_of(entry.tx) for entry in group}
                self._take_out(trim(clusters, parents.__getitem__, self._limits), "reorg")
        self.adopt([entry for entry in returned if entry.txid in self])

    def check_consistency(self) -> None:
        """AssertionError, Rejected or Invalid if an invariant is broken. For tests; takes time."""
        self.check_links()
        assert self.usage_bytes <= self.options.max_mempool_bytes
        for entry in self:
            self._judge.recheck(entry)
        for cluster in self.clusters_of(self):
            assert self._limits.allow(cluster.entries)
