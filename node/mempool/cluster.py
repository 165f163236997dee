"""Clusters: waiting transactions that hang together by spending, in the order to mine them.

A cluster is kept linearized, and its linearization cut into chunks of falling feerate: what a miner
takes together. From chunks alone follow the next block (the best ones), what a full pool throws out
(the worst) and whether a replacement is for the better. Knows entries and their links; the search
for a good order is in `linearize`, the pool's bookkeeping in `pool`. Beside it: Bitcoin Core,
`src/txgraph.h`.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from node.entry import MempoolEntry
from node.mempool.feerate import FeeFrac
from node.mempool.linearize import chunks, linearize, make_graph

Relatives = Callable[[MempoolEntry], Iterable[MempoolEntry]]


class Limits(NamedTuple):
    """How much may hang together."""

    transactions: int
    weight: int
    """Counted in weight, as Core does, so that no rounding adds up."""

    def allow(self, entries: Collection[MempoolEntry]) -> bool:
        """May these hang together?"""
        return (
            len(entries) <= self.transactions
            and sum(each.weight for each in entries) <= self.weight
        )


@dataclass(slots=True, eq=False)
class Chunk:
    """Entries that are mined together, in order: apart they would pay less."""

    entries: tuple[MempoolEntry, ...]
    feerate: FeeFrac
    """Modified fees and weights."""
    cluster: bytes
    """Which one it is of: the lowest txid there."""
    rank: tuple[int, int, bytes]
    """The lower, the sooner mined: by feerate, and for equal ones as Core orders them. Chunks of
    one cluster stand in the order in which they must be mined."""
    is_current: bool = True
    """False once its cluster has been arranged anew."""

    def __lt__(self, other: "Chunk") -> bool:
        """Whether it is mined before the other."""
        return self.rank < other.rank

    @property
    def vsize(self) -> int:
        """Virtual bytes, rounded up."""
        return -(-self.feerate.size // 4)


@dataclass(slots=True, eq=False)
class Cluster:
    """Entries that hang together, linearized."""

    chunks: tuple[Chunk, ...]

    @property
    def entries(self) -> list[MempoolEntry]:
        """All members, parents before children, best first."""
        return [entry for chunk in self.chunks for entry in chunk.entries]

    def check(self) -> None:
        """AssertionError if the order is none, or chunks rise. For tests."""
        seen: set[MempoolEntry] = set()
        for entry in self.entries:
            assert entry.parents <= seen
            seen.add(entry)
        assert sorted(self.chunks) == list(self.chunks)
        for chunk in self.chunks:
            assert chunk.feerate == _total(chunk.entries)


def components(
    seeds: Iterable[MempoolEntry],
    relatives: Relatives,
    *,
    without: Collection[MempoolEntry] = (),
) -> list[set[MempoolEntry]]:
    """All that hangs together with `seeds`, as if those `without` were gone, group by group."""
    groups: list[set[MempoolEntry]] = []
    seen: set[MempoolEntry] = set(without)
    for seed in seeds:
        if seed in seen:
            continue
        group, queue = {seed}, [seed]
        seen.add(seed)
        while queue:
            new = set(relatives(queue.pop())) - seen
            seen |= new
            group |= new
            queue.extend(new)
        groups.append(group)
    return groups


def arrange(group: Collection[MempoolEntry], parents: Relatives) -> Cluster:
    """Linearize entries that hang together."""
    if len(group) == 1:
        (entry,) = group
        feerate = _total(group)
        return Cluster((_chunk((entry,), feerate, feerate.size, entry.txid),))
    entries = sorted(group, key=lambda entry: entry.txid)
    bits = {entry: 1 << index for index, entry in enumerate(entries)}
    masks = [sum(bits.get(parent, 0) for parent in parents(entry)) for entry in entries]
    graph = make_graph([_total([entry]) for entry in entries], masks)
    return Cluster(
        tuple(
            _chunk(tuple(entries[index] for index in members), feerate, run, entries[0].txid)
            for feerate, members, run in chunks(graph, linearize(graph))
        )
    )


def trim(clusters: Iterable[Cluster], parents: Relatives, limits: Limits) -> set[MempoolEntry]:
    """Who must leave if these clusters are to hang together by `parents` and keep within limits.

    The best-paying chunks come first, as far as `parents` and each cluster's order allow; whoever
    would make a cluster too large is left out, and all that come behind. Core: TxGraphImpl::Trim.
    """
    behind: dict[MempoolEntry, list[MempoolEntry]] = defaultdict(list)
    ahead: dict[MempoolEntry, set[MempoolEntry]] = {}
    ranks: dict[MempoolEntry, tuple[int, int]] = {}
    for cluster in clusters:
        ranks |= {entry: chunk.feerate.rank for chunk in cluster.chunks for entry in chunk.entries}
        entries = cluster.entries
        for before, entry in zip([None, *entries], entries, strict=False):
            ahead[entry] = {*parents(entry), *([before] if before else [])}
            for other in ahead[entry]:
                behind[other].append(entry)
    unmet = {entry: len(others) for entry, others in ahead.items()}
    heap = [(ranks[entry], entry.sequence, entry) for entry, count in unmet.items() if not count]
    heapq.heapify(heap)
    placed: dict[MempoolEntry, frozenset[MempoolEntry]] = {}
    while heap:
        *_, entry = heapq.heappop(heap)
        group = frozenset({entry}).union(*(placed[other] for other in ahead[entry]))
        if not limits.allow(group):
            continue
        placed.update(dict.fromkeys(group, group))
        for other in behind[entry]:
            unmet[other] -= 1
            if not unmet[other]:
                heapq.heappush(heap, (ranks[other], other.sequence, other))
    return ranks.keys() - placed.keys()


def _chunk(entries: tuple[MempoolEntry, ...], feerate: FeeFrac, run: int, cluster: bytes) -> Chunk:
    rank = feerate.rank[0], run, max(entry.txid for entry in entries)
    return Chunk(entries, feerate, cluster, rank)


def _total(entries: Collection[MempoolEntry]) -> FeeFrac:
    return FeeFrac(
        sum(entry.modified_fee for entry in entries), sum(entry.weight for entry in entries)
    )
