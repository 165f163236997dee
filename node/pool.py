"""The set of waiting transactions: who is in it, who spends what, who hangs together, who is worst.

It knows no rules: what is added has been judged (`acceptance`), and why something leaves is the
caller's business (`mempool`). Everything that can be found by walking links is not stored, but for
one figure an entry, the fees and sizes of its descendants, kept so that the worst package is found
without looking at all. Beside it: Bitcoin Core, `src/txmempool.cpp`.
"""

import heapq
from collections.abc import Iterable, Iterator

from chain.coins import Coin
from chain.transaction import OutPoint, Transaction
from node.entry import MempoolEntry, feerate_key

HEAP_SLACK = 1_000
"""So many outdated places, beside as many again as there are entries, may pile up in the heap."""


def memory_usage(tx: Transaction) -> int:
    """About how many bytes of memory an entry takes, measured: what the size limit counts."""
    return 1_200 + 500 * len(tx.inputs) + 160 * len(tx.outputs) + 2 * tx.size


class Pool:
    """Waiting transactions, linked. No two spend the same outpoint."""

    def __init__(self) -> None:
        self._entries: dict[bytes, MempoolEntry] = {}
        self._by_wtxid: dict[bytes, MempoolEntry] = {}
        self._spenders: dict[OutPoint, MempoolEntry] = {}
        # Worst package first: key, tie-break (newest first), entry. Outdated places are skipped.
        self._worst: list[tuple[int, int, MempoolEntry]] = []
        self.usage_bytes = 0
        """Memory, estimated."""
        self.total_fee = 0
        self.total_vsize = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, txid: bytes) -> bool:
        return txid in self._entries

    def __iter__(self) -> Iterator[MempoolEntry]:
        """Entries in the order in which they came."""
        return iter(self._entries.values())

    def get(self, txid: bytes) -> MempoolEntry | None:
        """The entry of that txid (wire order), or None."""
        return self._entries.get(txid)

    def get_by_wtxid(self, wtxid: bytes) -> MempoolEntry | None:
        """The entry of that wtxid (wire order), or None. Its scripts have been verified."""
        return self._by_wtxid.get(wtxid)

    def spender_of(self, outpoint: OutPoint) -> MempoolEntry | None:
        """The entry that spends this output, or None."""
        return self._spenders.get(outpoint)

    def coin(self, outpoint: OutPoint, height: int) -> Coin | None:
        """An output of a waiting transaction as the coin it would be in a block at `height`."""
        entry = self._entries.get(outpoint.txid)
        if entry is None or outpoint.index >= len(entry.tx.outputs):
            return None
        return Coin(entry.tx.outputs[outpoint.index], height, False)

    def parents_of(self, tx: Transaction) -> set[MempoolEntry]:
        """The waiting transactions whose outputs `tx` spends."""
        parents = (self._entries.get(tx_in.outpoint.txid) for tx_in in tx.inputs)
        return {parent for parent in parents if parent is not None}

    def children_of(self, tx: Transaction) -> set[MempoolEntry]:
        """The waiting transactions that spend outputs of `tx`, itself waiting or not."""
        txid = tx.txid
        spenders = (self._spenders.get(OutPoint(txid, n)) for n in range(len(tx.outputs)))
        return {spender for spender in spenders if spender is not None}

    def add(self, entry: MempoolEntry) -> None:
        """Take in an entry, and link it. Children may be here already: those of a disconnected
        block's transactions are."""
        tx = entry.tx
        self._entries[tx.txid] = self._by_wtxid[tx.wtxid] = entry
        for tx_in in tx.inputs:
            self._spenders[tx_in.outpoint] = entry
        entry.parents, entry.children = self.parents_of(tx), self.children_of(tx)
        for parent in entry.parents:
            parent.children.add(entry)
        for child in entry.children:
            child.parents.add(entry)
        self._count(entry, 1)
        self._refresh(entry.ancestors() | {entry})

    def remove(self, entries: Iterable[MempoolEntry]) -> None:
        """Take out entries, whoever hangs on them."""
        gone = set(entries)
        affected = {ancestor for entry in gone for ancestor in entry.ancestors()} - gone
        for entry in gone:
            tx = entry.tx
            del self._entries[tx.txid], self._by_wtxid[tx.wtxid]
            for tx_in in tx.inputs:
                del self._spenders[tx_in.outpoint]
            for parent in entry.parents:
                parent.children.discard(entry)
            for child in entry.children:
                child.parents.discard(entry)
            self._count(entry, -1)
        self._refresh(affected)

    def _count(self, entry: MempoolEntry, sign: int) -> None:
        self.usage_bytes += sign * memory_usage(entry.tx)
        self.total_fee += sign * entry.fee
        self.total_vsize += sign * entry.vsize

    def _refresh(self, entries: Iterable[MempoolEntry]) -> None:
        """Sum up packages anew, and give them their places in the heap."""
        for entry in entries:
            package = entry.descendants() | {entry}
            entry.package_fee = sum(each.fee for each in package)
            entry.package_vsize = sum(each.vsize for each in package)
            heapq.heappush(self._worst, (worth(entry), -entry.sequence, entry))
        if len(self._worst) > 2 * len(self._entries) + HEAP_SLACK:
            self._worst = [(worth(entry), -entry.sequence, entry) for entry in self]
            heapq.heapify(self._worst)

    def worst(self) -> MempoolEntry:
        """The entry that miners would miss least, with its descendants. IndexError if empty."""
        while True:
            key, _, entry = self._worst[0]
            if self._entries.get(entry.txid) is entry and worth(entry) == key:
                return entry
            heapq.heappop(self._worst)

    def check_links(self) -> None:
        """AssertionError if the set contradicts itself. For tests; takes time."""
        assert self.usage_bytes == sum(memory_usage(entry.tx) for entry in self)
        assert self.total_fee == sum(entry.fee for entry in self)
        assert self.total_vsize == sum(entry.vsize for entry in self)
        assert {entry.tx.wtxid: entry for entry in self} == self._by_wtxid
        spent = [(tx_in.outpoint, entry) for entry in self for tx_in in entry.tx.inputs]
        assert len(spent) == len(self._spenders)  # no outpoint twice
        assert dict(spent) == self._spenders
        for entry in self:
            assert entry.parents == self.parents_of(entry.tx)
            assert entry.children == self.children_of(entry.tx)
            assert entry not in entry.ancestors()
            package = entry.descendants() | {entry}
            assert entry.package_fee == sum(each.fee for each in package)
            assert entry.package_vsize == sum(each.vsize for each in package)
        if self:
            assert worth(self.worst()) == min(worth(entry) for entry in self)


def worth(entry: MempoolEntry) -> int:
    """The feerate of the entry or of its package, whichever is better: children may pay for it."""
    return max(
        feerate_key(entry.fee, entry.vsize),
        feerate_key(entry.package_fee, entry.package_vsize),
    )
