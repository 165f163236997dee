"""What a mempool should hold, worked out anew at every step in the most obvious way.

It keeps a list, and looks through the blocks of the active chain and all that waits. It knows
nothing of links, heaps, kept clusters or events.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from chain.chainstate import ChainChanges
from chain.transaction import OutPoint, Transaction
from node.mempool.pool import memory_usage
from tests.node.support import Scene

MATURITY = 2
EXPIRY_S = 3_000
ROOM_BYTES = 16_000  # about seven payments
INCREMENT = 100  # satoshis per 1,000 virtual bytes
NO_LIMIT = 10**9
RETRIED = ("fee not met", "insufficient fee", "replacement-failed", "missingorspent")


@dataclass(eq=False)
class Waiting:
    """A line in the naive mempool."""

    tx: Transaction
    fee: int
    time: int
    number: int
    delta: int = 0

    @property
    def paid(self) -> int:
        """What it counts for."""
        return self.fee + self.delta

    @property
    def spent(self) -> set[OutPoint]:
        return {each.outpoint for each in self.tx.inputs}


Lines = list[Waiting]


def together(lines: Lines, are_linked: Callable[[Waiting, Waiting], bool]) -> list[Lines]:
    """Who hangs together."""
    left, groups = list(lines), []
    while left:
        group = [left.pop()]
        for one in group:
            near = [each for each in left if are_linked(one, each) or are_linked(each, one)]
            left = [each for each in left if each not in near]
            group += near
        groups.append(group)
    return groups


def is_child(child: Waiting, parent: Waiting) -> bool:
    return any(outpoint.txid == parent.tx.txid for outpoint in child.spent)


def chunks(lines: Lines) -> list[Lines]:
    """What to mine first, then, and so on: always the set that pays best, of all there are."""
    found = []
    for group in together(lines, is_child):
        left = list(group)
        while left:
            names = {line.tx.txid for line in left}
            sets = (few for size in range(1, len(left) + 1) for few in combinations(left, size))
            best = max((few for few in sets if is_closed(few, names)), key=feerate_of)
            found.append(list(best))
            left = [line for line in left if line not in best]
    return sorted(found, key=feerate_of, reverse=True)


def is_closed(few: tuple[Waiting, ...], names: set[bytes]) -> bool:
    """No member has a parent that waits and is not a member."""
    outside = names - {line.tx.txid for line in few}
    return not any(outpoint.txid in outside for line in few for outpoint in line.spent)


def feerate_of(lines: Iterable[Waiting]) -> Fraction:
    return Fraction(sum(line.paid for line in lines), sum(line.tx.weight for line in lines))


def diagram(lines: Lines) -> list[tuple[int, int]]:
    """Fees and weights of what is mined at one feerate, the best first."""
    steps: dict[Fraction, tuple[int, int]] = {}
    for chunk in chunks(lines):
        fee, weight = steps.get(feerate_of(chunk), (0, 0))
        fee += sum(line.paid for line in chunk)
        steps[feerate_of(chunk)] = fee, weight + sum(line.tx.weight for line in chunk)
    return list(steps.values())


def gained(steps: list[tuple[int, int]], weight: int) -> Fraction:
    """What the best blocks of so much weight hold in fees, if they may be filled exactly."""
    total = Fraction(0)
    for fee, size in steps:
        total += Fraction(fee, size) * min(size, weight)
        weight -= min(size, weight)
    return total


def is_better(new: Lines, old: Lines) -> bool:
    """More for blocks of some weight, less for none."""
    after, before = diagram(new), diagram(old)
    places = {
        sum(size for _, size in steps[:count])
        for steps in (after, before)
        for count in range(len(steps) + 1)
    }
    gains = [gained(after, place) - gained(before, place) for place in places]
    return min(gains) >= 0 and max(gains) > 0


class NaiveMempool:
    """What must happen, found the slow way."""

    def __init__(self, scene: Scene, max_cluster_count: int) -> None:
        self.scene = scene
        self.max_cluster_count = max_cluster_count
        self.lines: Lines = []
        self.deltas: dict[bytes, int] = {}
        self.why: dict[bytes, str] = {}
        """The last reason for which a transaction left."""
        self.arrivals = 0
        self.returned: Lines = []
        """Back from a block, and not yet found by those who waited for them."""

    # What there is to spend.

    def coins(self) -> dict[OutPoint, tuple[int, int, bool]]:
        """All unspent outputs of the active chain: value, height, whether of a coinbase."""
        chainstate = self.scene.chain.chainstate
        found: dict[OutPoint, tuple[int, int, bool]] = {}
        for height in range(1, chainstate.active.height + 1):
            block = chainstate.read_block(chainstate.active[height].hash)
            assert block is not None
            for tx in block.transactions:
                for tx_in in tx.inputs:
                    found.pop(tx_in.outpoint, None)
                for index, output in enumerate(tx.outputs):
                    coin = output.value, height, tx.is_coinbase
                    found[OutPoint(tx.txid, index)] = coin
        return found

    def outputs(self, lines: Lines) -> dict[OutPoint, int]:
        return {
            OutPoint(line.tx.txid, index): output.value
            for line in lines
            for index, output in enumerate(line.tx.outputs)
        }

    def fee(self, tx: Transaction, earlier: Lines) -> int | None:
        """None if an input is missing or too young."""
        coins, outputs, total = self.coins(), self.outputs([*self.lines, *earlier]), 0
        for tx_in in tx.inputs:
            if tx_in.outpoint in outputs:
                total += outputs[tx_in.outpoint]
                continue
            value, height, is_coinbase = coins.get(tx_in.outpoint, (0, NO_LIMIT, True))
            if is_coinbase and self.scene.chain.height + 1 - height < MATURITY:
                return None
            total += value
        return total - sum(output.value for output in tx.outputs)

    # Relatives.

    def with_descendants(self, lines: Lines) -> Lines:
        found = list(lines)
        for line in found:
            found += [each for each in self.lines if is_child(each, line) and each not in found]
        return found

    def with_ancestors(self, tx: Transaction) -> Lines:
        names = {each.outpoint.txid for each in tx.inputs}
        parents = [line for line in self.lines if line.tx.txid in names]
        return parents + [each for parent in parents for each in self.with_ancestors(parent.tx)]

    def conflicts(self, tx: Transaction) -> Lines:
        spent = {each.outpoint for each in tx.inputs}
        return [line for line in self.lines if line.spent & spent]

    def is_linked(self, child: Waiting, parent: Waiting) -> bool:
        is_found = parent not in self.returned or child in self.returned
        return is_child(child, parent) and is_found

    def too_many(self, lines: Lines) -> list[Lines]:
        """Clusters that are too large."""
        groups = together(lines, self.is_linked)
        return [group for group in groups if len(group) > self.max_cluster_count]

    def improves(self, newcomers: Lines, evicted: Lines) -> bool:
        """Do miners gain? Only who hangs together with somebody who comes or goes counts."""
        groups = together([*self.lines, *newcomers], self.is_linked)
        moved = {*newcomers, *evicted}
        touched = [line for group in groups if moved & set(group) for line in group]
        new = [line for line in touched if line not in evicted]
        return is_better(new, [line for line in touched if line not in newcomers])

    # Coming and going.

    def drop(self, lines: Lines, why: str) -> None:
        gone = self.with_descendants(lines)
        self.lines = [line for line in self.lines if line not in gone]
        self.why.update({line.tx.txid: why for line in gone})

    def candidate(self, tx: Transaction, now: int, earlier: Lines) -> Waiting | str:
        if any(line.tx.wtxid == tx.wtxid for line in self.lines):
            return "txn-already-in-mempool"
        fee = self.fee(tx, earlier)
        if fee is None:
            known = any(OutPoint(tx.txid, index) in self.coins() for index in range(8))
            return "txn-already-known" if known else "bad-txns-inputs-missingorspent"
        return Waiting(tx, fee, now, self.arrivals, self.deltas.get(tx.txid, 0))

    def take(self, newcomers: Lines, evicted: Lines) -> None:
        self.drop(evicted, "replaced")
        self.lines += newcomers
        self.arrivals += len(newcomers)

    def offer(self, tx: Transaction, now: int, min_feerate: int | None) -> str:
        """The expected answer, but for a full mempool. No `min_feerate`: fees do not count."""
        line = self.candidate(tx, now, [])
        if isinstance(line, str):
            return line
        if min_feerate is not None and line.paid * 1_000 < min_feerate * tx.vsize:
            return "fee not met"
        conflicts = self.conflicts(tx)
        evicted = self.with_descendants(conflicts)
        left = [each for each in self.lines if each not in evicted]
        if min_feerate is None:
            self.returned.append(line)
        if conflicts and (line.paid - sum(each.paid for each in evicted)) * 1_000 < (
            INCREMENT * tx.vsize
        ):
            return "insufficient fee"
        if any(line in group for group in self.too_many([*left, line])):
            return "too-large-cluster"
        if conflicts and not self.improves([line], evicted):
            return "replacement-failed"
        if any(each in conflicts for each in self.with_ancestors(tx)):
            return "bad-txns-spends-conflicting-tx"
        self.take([line], evicted)
        return "accepted"

    def offer_family(
        self, parent: Transaction, child: Transaction, now: int, min_feerate: int
    ) -> None:
        """A parent and its child, handed in together: first each alone, then both."""
        answers = [self.offer(tx, now, min_feerate) for tx in (parent, child)]
        waiting = {line.tx.txid for line in self.lines}
        if parent.txid in waiting or not all(each.endswith(RETRIED) for each in answers):
            return
        lines: Lines = []
        for tx in (parent, child):
            line = self.candidate(tx, now, lines)
            if isinstance(line, str):
                return
            lines.append(line)
        paid, vsize = sum(line.paid for line in lines), parent.vsize + child.vsize
        if paid * 1_000 < min_feerate * vsize:
            return
        conflicts = self.conflicts(parent) + self.conflicts(child)
        evicted = self.with_descendants(list(dict.fromkeys(conflicts)))
        left = [each for each in self.lines if each not in evicted]
        if conflicts:
            if self.with_ancestors(parent) or self.with_ancestors(child):
                return
            if (paid - sum(each.paid for each in evicted)) * 1_000 < INCREMENT * vsize:
                return
            if Fraction(paid, vsize) <= Fraction(lines[0].paid, parent.vsize):
                return
            if not self.improves(lines, evicted):
                return
        if any(lines[0] in group for group in self.too_many([*left, *lines])):
            return
        self.take(lines, evicted)

    def prioritise(self, txid: bytes, delta: int) -> None:
        self.deltas[txid] = self.deltas.get(txid, 0) + delta
        for line in self.lines:
            line.delta = self.deltas.get(line.tx.txid, 0)

    def limit(self, now: int) -> None:
        self.drop([line for line in self.lines if line.time + EXPIRY_S < now], "expired")
        while sum(memory_usage(line.tx) for line in self.lines) > ROOM_BYTES:
            self.drop(chunks(self.lines)[-1], "full")

    def follow(self, changes: ChainChanges, now: int, trimmed: Callable[[Lines], Lines]) -> None:
        """The chain moved. `trimmed` says who leaves of clusters that came back too large."""
        for _, block in changes.connected:
            mined = {tx.txid for tx in block.transactions}
            rivals = [each for tx in block.transactions for each in self.conflicts(tx)]
            rivals = [line for line in rivals if line.tx.txid not in mined]
            for txid in mined | {line.tx.txid for line in rivals}:
                self.deltas.pop(txid, None)
            self.drop(rivals, "conflict")
            self.why.update(dict.fromkeys(mined, "block"))
            self.lines = [line for line in self.lines if line.tx.txid not in mined]
        if not changes.disconnected:
            return
        connected = {tx.txid for _, block in changes.connected for tx in block.transactions}
        for _, block in reversed(changes.disconnected):
            for tx in block.transactions[1:]:
                if tx.txid not in connected and self.offer(tx, now, None) != "accepted":
                    self.drop([line for line in self.lines if tx.txid in _sources(line)], "reorg")
        self.returned = []
        for group in self.too_many(self.lines):
            gone = trimmed(group)
            assert gone and set(self.with_descendants(gone)) == set(gone)
            self.drop(gone, "reorg")
        assert not self.too_many(self.lines)
        while invalid := [line for line in self.lines if self.fee(line.tx, []) is None]:
            self.drop(invalid, "reorg")
        self.limit(now)


def _sources(line: Waiting) -> set[bytes]:
    return {outpoint.txid for outpoint in line.spent}
