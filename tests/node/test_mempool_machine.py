"""The mempool against a naive one: accept, replace, mine, reorganise, expire, trim, restart.

They come in any order.
The naive mempool keeps a list and works everything out anew, from the blocks of the active chain
and from all that waits. It knows nothing of links, heaps or events.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chain.block import Block
from chain.chainstate import ChainChanges
from chain.errors import Invalid
from chain.transaction import OutPoint, Transaction
from node.errors import Rejected
from node.mempool.mempool import Mempool
from node.mempool.policy import PolicyOptions
from node.mempool.pool import memory_usage
from node.mempool.saved import dump, parse, restore
from tests.builders import Spendable
from tests.node.support import HOME, Scene

MATURITY = 2
EXPIRY_S = 3_000
ROOM_BYTES = 16_000  # about seven payments
NO_LIMIT = 10**9
PICKS = st.lists(st.integers(0, 10_000), min_size=1, max_size=2)
FEES = st.sampled_from([0, 60, 500, 1_000, 1_100, 2_000, 3_500, 10_000, 50_000])


@dataclass(eq=False)
class Waiting:
    """A line in the naive mempool."""

    tx: Transaction
    fee: int
    time: int
    number: int

    @property
    def spent(self) -> set[OutPoint]:
        return {each.outpoint for each in self.tx.inputs}


def chunks(lines: list[Waiting]) -> list[list[Waiting]]:
    """What to mine first, then, and so on: always the set that pays best, of all there are."""
    left, found = list(lines), []
    while left:
        names = {line.tx.txid for line in left}
        sets = (few for size in range(1, len(left) + 1) for few in combinations(left, size))
        best = max((few for few in sets if is_closed(few, names)), key=feerate_of)
        found.append(list(best))
        left = [line for line in left if line not in best]
    return found


def is_closed(few: tuple[Waiting, ...], names: set[bytes]) -> bool:
    """No member has a parent that waits and is not a member."""
    outside = names - {line.tx.txid for line in few}
    return not any(outpoint.txid in outside for line in few for outpoint in line.spent)


def feerate_of(lines: Iterable[Waiting]) -> Fraction:
    return Fraction(sum(line.fee for line in lines), sum(line.tx.weight for line in lines))


def gained(lines: list[Waiting], weight: int) -> Fraction:
    """What the best blocks of so much weight hold in fees, if they may be filled exactly."""
    total = Fraction(0)
    for chunk in chunks(lines):
        size = sum(line.tx.weight for line in chunk)
        total += feerate_of(chunk) * min(size, weight)
        weight -= min(size, weight)
    return total


def is_better(new: list[Waiting], old: list[Waiting]) -> bool:
    """More for blocks of some weight, less for none."""
    places = {0}
    for side in (new, old):
        for chunk in (parts := chunks(side)):
            until = parts[: parts.index(chunk) + 1]
            places.add(sum(line.tx.weight for part in until for line in part))
    gains = [gained(new, place) - gained(old, place) for place in places]
    return min(gains) >= 0 and max(gains) > 0


class Naive:
    """What must happen, found the slow way."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.lines: list[Waiting] = []
        self.arrivals = 0

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

    def outputs(self) -> dict[OutPoint, int]:
        return {
            OutPoint(line.tx.txid, index): output.value
            for line in self.lines
            for index, output in enumerate(line.tx.outputs)
        }

    def fee(self, tx: Transaction) -> int | None:
        """None if an input is missing or too young."""
        coins, outputs, total = self.coins(), self.outputs(), 0
        for tx_in in tx.inputs:
            if tx_in.outpoint in outputs:
                total += outputs[tx_in.outpoint]
                continue
            value, height, is_coinbase = coins.get(tx_in.outpoint, (0, NO_LIMIT, True))
            if is_coinbase and self.scene.chain.height + 1 - height < MATURITY:
                return None
            total += value
        return total - sum(output.value for output in tx.outputs)

    def with_descendants(self, lines: list[Waiting]) -> list[Waiting]:
        found = list(lines)
        for line in found:
            made = {OutPoint(line.tx.txid, index) for index in range(len(line.tx.outputs))}
            found += [each for each in self.lines if each.spent & made and each not in found]
        return found

    def with_ancestors(self, tx: Transaction) -> list[Waiting]:
        names = {each.outpoint.txid for each in tx.inputs}
        parents = [line for line in self.lines if line.tx.txid in names]
        return parents + [each for parent in parents for each in self.with_ancestors(parent.tx)]

    def drop(self, lines: list[Waiting]) -> None:
        gone = self.with_descendants(lines)
        self.lines = [line for line in self.lines if line not in gone]

    def offer(self, tx: Transaction, now: int, min_feerate: int) -> str:
        """The expected answer."""
        fee = self.fee(tx)
        spent = {each.outpoint for each in tx.inputs}
        conflicts = [line for line in self.lines if line.spent & spent]
        if any(line.tx.wtxid == tx.wtxid for line in self.lines):
            return "txn-already-in-mempool"
        if fee is None:
            known = any(OutPoint(tx.txid, index) in self.coins() for index in range(8))
            return "txn-already-known" if known else "bad-txns-inputs-missingorspent"
        if fee * 1_000 < min_feerate * tx.vsize:
            return "fee not met"
        evicted = self.with_descendants(conflicts)
        if conflicts:
            if (fee - sum(line.fee for line in evicted)) * 1_000 < 100 * tx.vsize:
                return "insufficient fee"
            left = [line for line in self.lines if line not in evicted]
            if not is_better([*left, Waiting(tx, fee, now, 0)], self.lines):
                return "replacement-failed"
            if any(line in conflicts for line in self.with_ancestors(tx)):
                return "bad-txns-spends-conflicting-tx"
        self.lines = [line for line in self.lines if line not in evicted]
        self.lines.append(Waiting(tx, fee, now, self.arrivals))
        self.arrivals += 1
        return "accepted"

    def limit(self, now: int) -> None:
        self.drop([line for line in self.lines if line.time + EXPIRY_S < now])
        while sum(memory_usage(line.tx) for line in self.lines) > ROOM_BYTES:
            self.drop(chunks(self.lines)[-1])

    def follow(self, changes: ChainChanges, now: int) -> None:
        for _, block in changes.connected:
            mined = {tx.txid for tx in block.transactions}
            spent = {each.outpoint for tx in block.transactions for each in tx.inputs}
            self.drop(
                [each for each in self.lines if each.tx.txid not in mined and each.spent & spent]
            )
            self.lines = [line for line in self.lines if line.tx.txid not in mined]
        if not changes.disconnected:
            return
        for _, block in reversed(changes.disconnected):
            for tx in block.transactions[1:]:
                self.offer(tx, now, 0)
        while invalid := [line for line in self.lines if self.fee(line.tx) is None]:
            self.drop(invalid)
        self.limit(now)


class MempoolMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order, both agree."""

    @initialize()
    def begin(self) -> None:
        options = PolicyOptions(
            expiry_s=EXPIRY_S,
            max_mempool_bytes=ROOM_BYTES,
            max_cluster_count=NO_LIMIT,
            max_cluster_vsize=NO_LIMIT,
        )
        self.scene = Scene(options, coins=8)
        self.naive = Naive(self.scene)
        self.made: list[Transaction] = []

    @property
    def mempool(self) -> Mempool:
        return self.scene.mempool

    def known(self) -> dict[OutPoint, Spendable]:
        """Everything that has ever been an output of the tests' own."""
        return self.scene.chain._known

    @rule(picks=PICKS, fee=FEES, parts=st.integers(1, 3))
    def spend_coins(self, picks: list[int], fee: int, parts: int) -> None:
        """Spend what is unspent in the chain, perhaps by somebody who waits."""
        height = self.scene.chain.height + 1
        live = [
            outpoint
            for outpoint, (_, born, is_coinbase) in self.naive.coins().items()
            if not is_coinbase or height - born >= MATURITY
        ]
        self.pay([outpoint for outpoint in live if outpoint in self.known()], picks, fee, parts)

    @rule(picks=PICKS, fee=FEES, parts=st.integers(1, 3))
    def spend_waiting(self, picks: list[int], fee: int, parts: int) -> None:
        """Spend outputs of what waits, perhaps spent already."""
        self.pay(list(self.naive.outputs()), picks, fee, parts)

    @rule(picks=PICKS, fee=FEES)
    def compete(self, picks: list[int], fee: int) -> None:
        """Spend what somebody who waits spends already."""
        taken = sorted(outpoint for line in self.naive.lines for outpoint in line.spent)
        self.pay(taken, picks, fee, 1)

    @rule(picks=PICKS, fee=FEES)
    def spend_anything(self, picks: list[int], fee: int) -> None:
        """Spend outputs of any time: young, spent, lost in a reorganisation."""
        self.pay(list(self.known()), picks, fee, 1)

    def pay(self, outpoints: list[OutPoint], picks: list[int], fee: int, parts: int) -> None:
        if outpoints:
            chosen = dict.fromkeys(outpoints[pick % len(outpoints)] for pick in picks)
            sources = [self.known()[outpoint] for outpoint in chosen]
            # No two alike, so that one is always the worse.
            fee += len(self.made) % 59
            tx = self.scene.chain.pay(sources, HOME, fee=fee, parts=parts)
            self.made.append(tx)
            self.offer(tx)

    @rule(pick=st.integers(0, 10_000))
    def offer_again(self, pick: int) -> None:
        """A transaction made earlier."""
        if self.made:
            self.offer(self.made[pick % len(self.made)])

    def offer(self, tx: Transaction) -> None:
        now = self.scene.now
        expected = self.naive.offer(tx, now, self.mempool.min_feerate(now))
        if expected == "accepted":
            self.naive.limit(now)
            if all(line.tx is not tx for line in self.naive.lines):
                expected = "mempool full"
        try:
            self.mempool.accept(tx, now)
            answer = "accepted"
        except Rejected as refusal:
            answer = refusal.reject_reason
        except Invalid as invalid:
            assert invalid.reject_reason == "bad-txns-premature-spend-of-coinbase"
            answer = "bad-txns-inputs-missingorspent"  # the naive one tells no difference
        assert answer.endswith(expected), (answer, expected)

    @rule(share=st.integers(0, 4), rival=st.booleans())
    def mine(self, share: int, rival: bool) -> None:
        """Some of what waits, parents first; perhaps a rival of what is left."""
        txs: list[Transaction] = []
        for line in sorted(self.naive.lines, key=lambda line: line.number):
            parents = {each.tx.txid for each in self.naive.with_ancestors(line.tx)}
            if line.number % 5 < share and parents <= {tx.txid for tx in txs}:
                txs.append(line.tx)
        left = [line for line in self.naive.lines if line.tx not in txs]
        coins = self.naive.coins()
        confirmed = [line for line in left if line.spent <= coins.keys()]
        if rival and confirmed:
            sources = [self.known()[each.outpoint] for each in confirmed[0].tx.inputs]
            txs.append(self.scene.chain.pay(sources, HOME, fee=77))
        self.move(self.scene.chain.accept(self.scene.chain.block(txs)).changes)

    @rule(depth=st.integers(1, 3))
    def lose_blocks(self, depth: int) -> None:
        """The operator declares the newest blocks invalid."""
        active = self.scene.chain.chainstate.active
        if active.height > 4 + depth:
            block_hash = active[active.height - depth + 1].hash
            self.move(self.scene.chain.chainstate.invalidate(block_hash))

    @rule(depth=st.integers(1, 2), fill=st.booleans())
    def reorganise(self, depth: int, fill: bool) -> None:
        """A longer branch appears, perhaps with what waits in its last block."""
        active = self.scene.chain.chainstate.active
        if active.height <= 4 + depth:
            return
        fork = active[active.height - depth]
        blocks: list[Block] = self.scene.chain.branch(fork, depth + 1)
        changes = ChainChanges((), (), {})
        for block in blocks:
            changes = self.scene.chain.accept(block).changes
        assert len(changes.disconnected) == depth
        self.move(changes)
        if fill:
            self.mine(4, False)

    @rule(seconds=st.sampled_from([1, 300, 999]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.scene.now += seconds
        self.mempool.expire(self.scene.now)
        self.naive.limit(self.scene.now)

    @rule()
    def restart(self) -> None:
        """All comes back but what pays too little, and what hangs on that."""
        saved = parse(dump(self.mempool))
        self.scene.mempool = Mempool(self.scene.chain.chainstate, self.mempool.options)
        for _ in restore(self.mempool, saved, self.scene.now):
            self.mempool.check_consistency()
        lost = [line for line in self.naive.lines if line.tx.txid not in self.mempool]
        cheap = [line for line in lost if line.fee * 1_000 < 100 * line.tx.vsize]
        self.naive.drop(cheap)
        assert all(line not in self.naive.lines for line in lost)

    def move(self, changes: ChainChanges) -> None:
        assert not changes.failures
        self.mempool.follow(changes, self.scene.now)
        self.naive.follow(changes, self.scene.now)

    @invariant()
    def both_agree(self) -> None:
        """And what waits is whole, and was told."""
        self.mempool.check_consistency()
        assert {entry.txid: entry.fee for entry in self.mempool} == {
            line.tx.txid: line.fee for line in self.naive.lines
        }


MempoolMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
test_the_mempool_agrees_with_a_naive_one = MempoolMachine.TestCase
