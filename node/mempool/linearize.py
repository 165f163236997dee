"""Clusters: transactions that hang together, in the order and the chunks in which miners want them.

A linearization is an order of a cluster in which parents come before children. Cut into chunks of
falling feerate, it tells what a block takes first (whole chunks) and what eviction takes first (the
last chunk). The best one has earned, at the end of each chunk, as much as any set of that size can.
It is found thus:

    Let every transaction that pays more than the average of the set give its surplus to ancestors
    that pay less (a child pays for its parents). If all can be placed, no part of the set is
    better than the whole: it stays together. If not, then those with surplus left, with all their
    ancestors and everyone else who pays for these, are a part better than the rest: cut there, and
    ask again on both sides.

That is a maximum flow for each cut, with at most 127 of them for 64 transactions: always optimal,
with no limit on the work and no dice. Core searches otherwise (spanning forests) but, where it
ends, at the same chunks, for there is only one finest way to cut. Left out: incremental work; a
cluster that changed is linearized anew.

A transaction is an index, a set of transactions the bits of an integer. Indexes are the last
tie-break: number transactions by txid (wire bytes) to order them as Core 31 does. Nothing here
knows a mempool. Beside it: Bitcoin Core, `src/cluster_linearize.h`; Picard, "Maximal closure of a
graph", 1976.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from node.mempool.feerate import EMPTY, FeeFrac


class Graph(NamedTuple):
    """Transactions 0 to n-1. They need not all hang together."""

    feerates: Sequence[FeeFrac]
    ancestors: Sequence[int]
    """For each, the set of transactions that must come before it, and itself."""
    descendants: Sequence[int]
    """For each, the set of transactions that must come after it, and itself."""

    def total(self, group: int) -> FeeFrac:
        """Fee and size of a set."""
        return sum((self.feerates[index] for index in members(group)), EMPTY)

    def needs(self, group: int) -> int:
        """The set of all that must come before some of `group`, without `group`."""
        found = 0
        for index in members(group):
            found |= self.ancestors[index]
        return found & ~group


class Chunk(NamedTuple):
    """Neighbours in a linearization that are mined, or thrown out, together."""

    feerate: FeeFrac
    members: tuple[int, ...]
    """In order."""
    run: int
    """Size of it and the chunks of the same feerate right before it. Between clusters, Core puts
    chunks of equal feerate by this, then by the highest txid in each, the lowest first."""


def members(group: int) -> Iterator[int]:
    """The transactions of a set, lowest index first."""
    while group:
        lowest = group & -group
        yield lowest.bit_length() - 1
        group ^= lowest


def make_graph(feerates: Sequence[FeeFrac], parents: Sequence[int]) -> Graph:
    """A cluster from each transaction's feerate and the set of its parents, in any numbering."""
    ancestors, descendants = [0] * len(parents), [0] * len(parents)
    todo = list(range(len(parents)))
    while todo:
        index = todo.pop()
        missing = [parent for parent in members(parents[index]) if not ancestors[parent]]
        if missing:
            todo += [index, *missing]
            continue
        ancestors[index] = 1 << index
        for parent in members(parents[index]):
            ancestors[index] |= ancestors[parent]
    for index, group in enumerate(ancestors):
        for ancestor in members(group):
            descendants[ancestor] |= 1 << index
    return Graph(feerates, ancestors, descendants)


def components(graph: Graph) -> Iterator[int]:
    """The sets of transactions that hang together, each a cluster of its own."""
    left = (1 << len(graph.feerates)) - 1
    while left:
        group = _reach(left & -left, left, graph.ancestors, graph.descendants)
        yield group
        left &= ~group


def chunks(graph: Graph, order: Iterable[int]) -> list[Chunk]:
    """A linearization cut into chunks: none has a higher feerate than the one before it."""
    found: list[Chunk] = []
    for index in order:
        feerate = graph.feerates[index]
        group: tuple[int, ...] = (index,)
        while found and feerate.beats(found[-1].feerate):
            before = found.pop()
            feerate, group = before.feerate + feerate, before.members + group
        equal = found and not found[-1].feerate.beats(feerate)
        found.append(Chunk(feerate, group, feerate.size + (found[-1].run if equal else 0)))
    return found


def linearize(graph: Graph) -> list[int]:
    """The best linearization, with the finest chunks; the same for the same graph.

    Its feerate diagram is nowhere below that of any other. Ties as in Core 31: of chunks that could
    come next the one of highest feerate, then the smallest, then the one whose last index is
    lowest; and so for the transactions within a chunk.
    """
    order: list[int] = []
    done = 0
    for piece in _sorted(graph, _pieces(graph), done):
        singles = [1 << index for index in members(piece)]
        order += [one.bit_length() - 1 for one in _sorted(graph, singles, done)]
        done |= piece
    return order


def _sorted(graph: Graph, groups: Iterable[int], done: int) -> Iterator[int]:
    """Disjoint sets, the best first, but none before what it needs beyond `done`."""
    waiting = sorted(groups, key=lambda one: (graph.total(one).rank, one.bit_length()))
    needs = {group: graph.needs(group) for group in waiting}
    while waiting:
        group = next(group for group in waiting if not needs[group] & ~done)
        waiting.remove(group)
        done |= group
        yield group


def _pieces(graph: Graph) -> Iterator[int]:
    """The chunks of the best linearization, in no order."""
    todo = list(components(graph))
    while todo:
        group = todo.pop()
        if not group & (group - 1):
            yield group
            continue
        settlement = _Settlement(graph, group)
        better = settlement.settle()
        if better:
            todo += [better, group & ~better]
        else:
            yield from settlement.pieces()


class _Settlement:
    """Surplus fees of a set's children handed to its parents: a flow on which all can agree.

    Amounts are satoshis times the set's size, measured from what a transaction of its size would
    pay at the set's feerate: integers whose sum is zero.
    """

    def __init__(self, graph: Graph, group: int) -> None:
        self.graph, self.group = graph, group
        fee, size = graph.total(group)
        self.surplus: dict[int, int] = {}
        self.debt: dict[int, int] = {}
        for index in members(group):
            own = graph.feerates[index]
            amount = own.fee * size - fee * own.size
            if amount > 0:
                self.surplus[index] = amount
            elif amount < 0:
                self.debt[index] = -amount
        self.debtors = self.unpaid = sum(1 << index for index in self.debt)
        self.paid: dict[tuple[int, int], int] = {}  # (giver, debtor): amount
        self.givers = [0] * len(graph.feerates)  # for each debtor, who pays it

    def settle(self) -> int:
        """Place all surplus; the smallest part that cannot place its own, or the empty set."""
        better = 0
        for payer in self.surplus:
            while self.surplus[payer]:
                stuck = self._pay(payer)
                if stuck:  # None of them reaches an unpaid debtor, now or later.
                    better |= stuck | self.graph.needs(stuck)
                    self.debtors &= ~better
                    break
        return better & self.group

    def _pay(self, payer: int) -> int:
        """Place surplus of `payer` by the shortest way; where there is none, all who were asked.

        A giver can take over a debtor from another, who is then free to pay elsewhere.
        """
        asked, seen, queue = 1 << payer, 0, [payer]
        came: dict[int, int] = {}  # debtor: who can pay it; giver: from whom it can be freed
        for giver in queue:
            found = self.graph.ancestors[giver] & self.debtors & ~seen
            seen |= found
            for debtor in members(found & self.unpaid or found):
                came[debtor] = giver
                if self.unpaid >> debtor & 1:
                    self._hand_over(payer, debtor, came)
                    return 0
                for other in members(self.givers[debtor] & ~asked):
                    came[other] = debtor
                    queue.append(other)
                asked |= self.givers[debtor]
        return asked

    def _hand_over(self, payer: int, last: int, came: dict[int, int]) -> None:
        """Move as much as fits from `payer`, over those freed on the way, to the debtor `last`."""
        way = [last]
        while way[-1] != payer:
            way.append(came[way[-1]])
        gives = list(zip(way[1::2], way[0::2], strict=True))
        frees = list(zip(way[1::2], way[2::2], strict=False))
        amount = min(self.surplus[payer], self.debt[last], *(self.paid[pair] for pair in frees))
        self.surplus[payer] -= amount
        self.debt[last] -= amount
        if not self.debt[last]:
            self.unpaid ^= 1 << last
        for giver, debtor in gives:
            self.paid[giver, debtor] = self.paid.get((giver, debtor), 0) + amount
            self.givers[debtor] |= 1 << giver
        for giver, debtor in frees:
            self.paid[giver, debtor] -= amount
            if not self.paid[giver, debtor]:
                self.givers[debtor] ^= 1 << giver

    def pieces(self) -> Iterator[int]:
        """A settled set's finest chunks: who depends on or is paid by each other in a circle."""
        paid_to = [0] * len(self.givers)
        for (giver, debtor), amount in self.paid.items():
            paid_to[giver] |= (amount > 0) << debtor
        left = self.group
        while left:
            first = left & -left
            piece = _reach(first, left, self.graph.ancestors, self.givers)
            piece &= _reach(first, left, self.graph.descendants, paid_to)
            yield piece
            left &= ~piece


def _reach(start: int, within: int, *links: Sequence[int]) -> int:
    """All that can be reached from `start` over `links`, without leaving `within`."""
    seen, todo = 0, start
    while todo:
        lowest = todo & -todo
        seen |= lowest
        for link in links:
            todo |= link[lowest.bit_length() - 1]
        todo &= within & ~seen
    return seen
