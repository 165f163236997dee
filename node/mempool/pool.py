"""The set of waiting transactions: who is in it, who spends what, who hangs together, who is worst.

It knows no rules: what is added has been judged (`acceptance`), and why something leaves is the
caller's business (`mempool`). Each change arranges the clusters that it touches anew and leaves all
others alone. Beside it: Bitcoin Core, `src/txmempool.cpp` and `src/txgraph.cpp`.
"""

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

from chain.coins import Coin
from chain.transaction import OutPoint, Transaction
from node.entry import MempoolEntry
from node.mempool.cluster import Chunk, Cluster, Limits, Relatives, arrange, components

HEAP_SLACK = 1_000
"""So many outdated chunks, beside as many again as there are entries, may pile up in the heap."""


def memory_usage(tx: Transaction) -> int:
    """About how many bytes of memory an entry takes, measured: what the size limit counts."""
    return 1_200 + 500 * len(tx.inputs) + 160 * len(tx.outputs) + 2 * tx.size


class Pool:
    """Waiting transactions, linked and arranged. No two spend the same outpoint."""

    def __init__(self) -> None:
        self._entries: dict[bytes, MempoolEntry] = {}
        self._by_wtxid: dict[bytes, MempoolEntry] = {}
        self._spenders: dict[OutPoint, MempoolEntry] = {}
        self._clusters: dict[MempoolEntry, Cluster] = {}
        self._worst: list[_Worst] = []  # a heap
        self._sequence = 0
        self.deltas: dict[bytes, int] = {}
        """What the operator adds to fees, by txid, waiting or not; satoshis."""
        self.usage_bytes = 0
        """Memory, estimated."""
        self.total_fee = 0
        self.total_vsize = 0
        self.changes = 0
        """How often a transaction came, went, or was given another worth."""

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
        return None if entry is None else entry.coin(outpoint.index, height)

    def parents_of(self, tx: Transaction) -> set[MempoolEntry]:
        """The waiting transactions whose outputs `tx` spends."""
        parents = (self._entries.get(tx_in.outpoint.txid) for tx_in in tx.inputs)
        return {parent for parent in parents if parent is not None}

    def children_of(self, tx: Transaction) -> set[MempoolEntry]:
        """The waiting transactions that spend outputs of `tx`, itself waiting or not."""
        txid = tx.txid
        spenders = (self._spenders.get(OutPoint(txid, n)) for n in range(len(tx.outputs)))
        return {spender for spender in spenders if spender is not None}

    def cluster_of(self, entry: MempoolEntry) -> Cluster:
        """The cluster of an entry that waits."""
        return self._clusters[entry]

    def chunk_of(self, entry: MempoolEntry) -> Chunk:
        """The chunk of an entry that waits."""
        return next(each for each in self._clusters[entry].chunks if entry in each.entries)

    def clusters_of(self, entries: Iterable[MempoolEntry]) -> set[Cluster]:
        """The clusters of entries that wait, each once."""
        return {self._clusters[entry] for entry in entries}

    def chunks(self) -> list[Chunk]:
        """All chunks, the ones to mine first in front."""
        current = (place for place in self._worst if place.chunk.is_current)
        # In order it is a heap as before, and the next time there is little to sort.
        self._worst = sorted(current, key=attrgetter("chunk.rank"), reverse=True)
        return [place.chunk for place in reversed(self._worst)]

    # What would be if.

    def are_within(
        self, limits: Limits, newcomers: Sequence[MempoolEntry], evicted: Collection[MempoolEntry]
    ) -> bool:
        """Would the newcomers' clusters keep within the limits?"""
        if len(newcomers) == 1 and not newcomers[0].parents:
            return limits.allow(newcomers)
        groups = components(newcomers, _relatives(newcomers), without=evicted)
        return all(limits.allow(group) for group in groups)

    def compare(
        self, newcomers: Sequence[MempoolEntry], evicted: Collection[MempoolEntry]
    ) -> tuple[list[Cluster], list[Cluster]]:
        """The clusters that this change would touch, before and after it. Nothing changes."""
        kin = {parent for entry in newcomers for parent in entry.parents}
        before = self.clusters_of((kin | set(evicted)) & self._clusters.keys())
        left = [entry for cluster in before for entry in cluster.entries if entry not in evicted]
        groups = components([*newcomers, *left], _relatives(newcomers), without=evicted)
        return list(before), [arrange(group, _parents) for group in groups]

    # Changing it.

    def add(self, entry: MempoolEntry) -> None:
        """Take in an entry, and link it to its parents. Children that are here already, as those
        of a disconnected block's transactions are, wait for `adopt`."""
        tx = entry.tx
        self._sequence += 1
        entry.sequence = self._sequence
        self._entries[tx.txid] = self._by_wtxid[tx.wtxid] = entry
        for tx_in in tx.inputs:
            self._spenders[tx_in.outpoint] = entry
        entry.parents = self.parents_of(tx)
        for parent in entry.parents:
            parent.children.add(entry)
        self._count(entry, 1)
        self._arrange([entry])

    def adopt(self, entries: Collection[MempoolEntry]) -> None:
        """Link entries to children that came before them."""
        for entry in entries:
            entry.children = self.children_of(entry.tx)
            for child in entry.children:
                child.parents.add(entry)
        self._arrange(entries)

    def unadopted(self, entries: Iterable[MempoolEntry]) -> list[set[MempoolEntry]]:
        """What would hang together with these, group by group, if all children were linked."""
        return components(
            entries, lambda entry: self.parents_of(entry.tx) | self.children_of(entry.tx)
        )

    def remove(self, entries: Iterable[MempoolEntry]) -> None:
        """Take out entries, whoever hangs on them."""
        gone = set(entries)
        touched = self.clusters_of(gone)
        for entry in gone:
            tx = entry.tx
            del self._entries[tx.txid], self._by_wtxid[tx.wtxid], self._clusters[entry]
            for tx_in in tx.inputs:
                del self._spenders[tx_in.outpoint]
            for parent in entry.parents:
                parent.children.discard(entry)
            for child in entry.children:
                child.parents.discard(entry)
            self._count(entry, -1)
        _retire(touched)
        self._arrange([each for cluster in touched for each in cluster.entries if each not in gone])

    def prioritise(self, txid: bytes, delta: int) -> None:
        """Add `delta` satoshis to what a transaction, waiting or not, counts for."""
        total = self.deltas.pop(txid, 0) + delta
        if total:
            self.deltas[txid] = total
        entry = self._entries.get(txid)
        if entry is not None:
            entry.delta = total
            self.changes += 1
            self._arrange([entry])

    def _count(self, entry: MempoolEntry, sign: int) -> None:
        self.changes += 1
        self.usage_bytes += sign * memory_usage(entry.tx)
        self.total_fee += sign * entry.fee
        self.total_vsize += sign * entry.vsize

    def _arrange(self, seeds: Iterable[MempoolEntry]) -> None:
        """Linearize the clusters of these entries anew, whatever they were before."""
        for group in components(seeds, _SETTLED):
            _retire({self._clusters[entry] for entry in group if entry in self._clusters})
            cluster = arrange(group, _parents)
            self._clusters.update(dict.fromkeys(group, cluster))
            for chunk in cluster.chunks:
                heapq.heappush(self._worst, _Worst(chunk))
        if len(self._worst) > 2 * len(self._entries) + HEAP_SLACK:
            self._worst = [place for place in self._worst if place.chunk.is_current]
            heapq.heapify(self._worst)

    def worst(self) -> Chunk:
        """The chunk that miners would miss least. IndexError if there is none."""
        while not self._worst[0].chunk.is_current:
            heapq.heappop(self._worst)
        return self._worst[0].chunk

    def check_links(self) -> None:
        """AssertionError if the set contradicts itself. For tests; takes time."""
        assert self.usage_bytes == sum(memory_usage(entry.tx) for entry in self)
        assert self.total_fee == sum(entry.fee for entry in self)
        assert self.total_vsize == sum(entry.vsize for entry in self)
        assert {entry.tx.wtxid: entry for entry in self} == self._by_wtxid
        spent = [(tx_in.outpoint, entry) for entry in self for tx_in in entry.tx.inputs]
        assert len(spent) == len(self._spenders)  # no outpoint twice
        assert dict(spent) == self._spenders
        assert self._clusters.keys() == set(self)
        for entry in self:
            assert entry.parents == self.parents_of(entry.tx)
            assert entry.children == self.children_of(entry.tx)
            assert entry not in entry.ancestors()
            assert entry.delta == self.deltas.get(entry.txid, 0)
        for group in components(list(self), _SETTLED):
            (cluster,) = self.clusters_of(group)
            assert set(cluster.entries) == group
            cluster.check()
        ranked = self.chunks()
        assert all(chunk.is_current for chunk in ranked)
        assert not ranked or self.worst() is ranked[-1]


class _Worst(NamedTuple):
    """A chunk's place in a heap that has the worst on top."""

    chunk: Chunk

    def __lt__(self, other: "_Worst") -> bool:  # type: ignore[override]  # not a tuple's
        return other.chunk < self.chunk


def _relatives(newcomers: Sequence[MempoolEntry]) -> Relatives:
    """Who hangs together, newcomers included, to whom those in the pool are not linked yet."""
    more: dict[MempoolEntry, set[MempoolEntry]] = defaultdict(set)
    for newcomer in newcomers:
        for parent in newcomer.parents:
            more[parent].add(newcomer)
    return lambda entry: entry.parents.union(entry.children, more.get(entry, ()))


_SETTLED = _relatives(())


def _parents(entry: MempoolEntry) -> set[MempoolEntry]:
    return entry.parents


def _retire(clusters: Iterable[Cluster]) -> None:
    for cluster in clusters:
        for chunk in cluster.chunks:
            chunk.is_current = False
