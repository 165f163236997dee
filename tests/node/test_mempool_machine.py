"""The mempool against a naive one, whatever happens in whatever order.

Accept, replace, hand in together, prioritise, mine, reorganise, expire, trim, restart: what waits,
what it counts for, the answers, who left and why, and the order of mining must be the naive one's.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chain.block import Block
from chain.chainstate import ChainChanges
from chain.errors import Invalid
from chain.transaction import OutPoint, Transaction
from node.events import TransactionAccepted
from node.mempool.mempool import Mempool
from node.mempool.policy import PolicyOptions
from node.mempool.reasons import Rejected
from node.mempool.saved import dump, parse, restore
from node.mempool.submission import submit
from tests.builders import Spendable
from tests.node.naive_mempool import (
    EXPIRY_S,
    MATURITY,
    NO_LIMIT,
    ROOM_BYTES,
    Lines,
    NaiveMempool,
    diagram,
)
from tests.node.support import HOME, Scene

PICKS = st.lists(st.integers(0, 10_000), min_size=1, max_size=2)
FEES = st.sampled_from([0, 60, 500, 1_000, 1_100, 2_000, 3_500, 10_000, 50_000])


class MempoolMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order, both agree."""

    @initialize(most=st.sampled_from([2, 3, 4, 64]))
    def begin(self, most: int) -> None:
        options = PolicyOptions(
            expiry_s=EXPIRY_S,
            max_mempool_bytes=ROOM_BYTES,
            max_cluster_count=most,
            max_cluster_vsize=NO_LIMIT,
        )
        self.scene = Scene(options, coins=8)
        self.naive = NaiveMempool(self.scene, most)
        self.made: list[Transaction] = []
        self.told: set[bytes] = set()
        self.left: dict[bytes, str] = {}
        self.rivals = 0

    @property
    def mempool(self) -> Mempool:
        return self.scene.mempool

    def known(self) -> dict[OutPoint, Spendable]:
        """Everything that has ever been an output of the tests' own."""
        return self.scene.chain._known

    def live(self) -> list[OutPoint]:
        """What is unspent in the chain, and old enough."""
        height = self.scene.chain.height + 1
        return [
            outpoint
            for outpoint, (_, born, is_coinbase) in self.naive.coins().items()
            if outpoint in self.known() and (not is_coinbase or height - born >= MATURITY)
        ]

    # Payments.

    @rule(picks=PICKS, fee=FEES, parts=st.integers(1, 3))
    def spend_coins(self, picks: list[int], fee: int, parts: int) -> None:
        """Spend what is unspent in the chain, perhaps by somebody who waits."""
        self.pay(self.live(), picks, fee, parts)

    @rule(picks=PICKS, fee=FEES, parts=st.integers(1, 3))
    def spend_waiting(self, picks: list[int], fee: int, parts: int) -> None:
        """Spend outputs of what waits, perhaps spent already."""
        self.pay(list(self.naive.outputs(self.naive.lines)), picks, fee, parts)

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
            self.offer(self.make(outpoints, picks, fee, parts))

    def make(
        self, outpoints: list[OutPoint], picks: list[int], fee: int, parts: int
    ) -> Transaction:
        chosen = dict.fromkeys(outpoints[pick % len(outpoints)] for pick in picks)
        sources = [self.known()[outpoint] for outpoint in chosen]
        # No two alike, so that one is always the worse.
        tx = self.scene.chain.pay(sources, HOME, fee=fee + len(self.made) % 59, parts=parts)
        self.made.append(tx)
        return tx

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

    @rule(
        picks=PICKS,
        fees=st.tuples(st.sampled_from([0, 0, 60, 1_000]), FEES),
        waiting=st.booleans(),
        beside=st.booleans(),
    )
    def hand_in_together(
        self, picks: list[int], fees: tuple[int, int], waiting: bool, beside: bool
    ) -> None:
        """A parent and its child, who may pay for both and may spend something else too."""
        outputs = list(self.naive.outputs(self.naive.lines)) if waiting else []
        outpoints = outputs or self.live()
        if not outpoints:
            return
        parent = self.make(outpoints, picks[:1], fees[0], 2)
        sources = [OutPoint(parent.txid, 0)]
        taken = [each.outpoint for each in parent.inputs]
        if beside and (others := [each for each in self.live() if each not in taken]):
            sources.append(others[picks[-1] % len(others)])
        child = self.make(sources, list(range(len(sources))), fees[1], 1)
        now = self.scene.now
        self.naive.offer_family(parent, child, now, self.mempool.min_feerate(now))
        self.naive.limit(now)
        result = submit(self.mempool, [parent, child], now)
        expected = {line.tx.txid for line in self.naive.lines}
        assert (result.error is None) == (parent.txid in expected and child.txid in expected)

    @rule(pick=st.integers(0, 10_000), delta=st.sampled_from([-2_000, -500, 300, 5_000]))
    def prioritise(self, pick: int, delta: int) -> None:
        """The operator favours, or not, what waits or was made at any time."""
        if self.made:
            txid = self.made[pick % len(self.made)].txid
            self.mempool.prioritise(txid, delta)
            self.naive.prioritise(txid, delta)

    # The chain moves.

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
            self.rivals += 1  # no two alike, and like no other: see `make`
            txs.append(self.scene.chain.pay(sources, HOME, fee=119 + self.rivals))
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

    def move(self, changes: ChainChanges) -> None:
        assert not changes.failures
        self.mempool.follow(changes, self.scene.now)
        self.naive.follow(changes, self.scene.now, self.trimmed)

    def trimmed(self, group: Lines) -> Lines:
        """Who left a cluster that came back too large: that is told here, and checked there."""
        self.hear()
        return [line for line in group if self.left.get(line.tx.txid) == "reorg"]

    def hear(self) -> None:
        """Who came, and who left and why, the last time."""
        for event in self.mempool.take_events():
            if isinstance(event, TransactionAccepted):
                self.told.add(event.entry.txid)
                self.left.pop(event.entry.txid, None)
            else:
                self.told.remove(event.txid)
                self.left[event.txid] = event.why

    # Time passes.

    @rule(seconds=st.sampled_from([1, 300, 999]))
    def wait(self, seconds: int) -> None:
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
        self.mempool.take_events()
        lost = [line for line in self.naive.lines if line.tx.txid not in self.mempool]
        cheap = [line for line in lost if line.paid * 1_000 < 100 * line.tx.vsize]
        self.naive.drop(cheap, "restart")
        assert all(line not in self.naive.lines for line in lost)
        self.told = {line.tx.txid for line in self.naive.lines}

    # What must hold.

    @invariant()
    def both_agree(self) -> None:
        """What waits is the same, counts for the same, and is whole."""
        self.mempool.check_consistency()
        assert {entry.txid: (entry.fee, entry.modified_fee) for entry in self.mempool} == {
            line.tx.txid: (line.fee, line.paid) for line in self.naive.lines
        }
        assert self.mempool.total_fee == sum(line.fee for line in self.naive.lines)
        favoured = {txid: delta for txid, delta in self.naive.deltas.items() if delta}
        assert self.mempool.deltas == favoured

    @invariant()
    def nobody_leaves_without_a_cause(self) -> None:
        """What was acknowledged waits, or was told to be gone, for the naive one's reason."""
        self.hear()
        assert self.left == {txid: self.naive.why.get(txid) for txid in self.left}
        self.left.clear()
        assert self.told == {entry.txid for entry in self.mempool}

    @invariant()
    def what_is_mined_first_is_best(self) -> None:
        """The order is topological, and no other order of all would earn more at any point."""
        seen: set[bytes] = set()
        steps: list[tuple[int, int]] = []
        for chunk in self.mempool.chunks():
            for entry in chunk.entries:
                assert {parent.txid for parent in entry.parents} <= seen
                seen.add(entry.txid)
            fee, weight = chunk.feerate
            if steps and steps[-1][0] * weight == fee * steps[-1][1]:  # at one feerate
                fee, weight = fee + steps[-1][0], weight + steps.pop()[1]
            steps.append((fee, weight))
        assert steps == diagram(self.naive.lines)


MempoolMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
test_the_mempool_agrees_with_a_naive_one = MempoolMachine.TestCase
