"""The life of two wallets on a real node: whatever happens, they hold what the chain says.

Alice and Bob pay each other; payments are bumped, taken back, hurried, dropped and mined; blocks
are taken back. After each step both agree with the chain coin by coin, history adds up to the
balance, and a wallet restored from the words alone finds the same. The truth is read from the
node's blocks and mempool, with no code of the wallet's.
"""

import os
import random
from collections import Counter
from contextlib import suppress

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chain.address import address_to_script
from chain.encoding import display_hash
from chain.transaction import OutPoint, Transaction
from tests.node.serving import QUICK
from tests.wallet.real_node import MATURITY, RealNode, direct_node
from wallet import Wallet
from wallet.builder import Draft
from wallet.errors import CoinUnavailable, GapLimitReached, NodeRefused, NotEnoughMoney, NotPending

COIN = 100_000_000
WORDS = {"alice": "test " * 11 + "junk", "bob": "abandon " * 11 + "about"}
ADDRESSES = 120  # of each branch: more than any of these lives uses
SMALL_GAP = 3
SWEEP = "FARTHING_SWEEP" in os.environ
# What a node may say to a payment that is right in itself: too much waits together.
CROWDED = ("too-large-cluster", "too-long-mempool-chain")

names = st.sampled_from(list(WORDS))
rates = st.integers(1, 60)
amounts = st.one_of(st.integers(600, 100_000), st.integers(100_000, 60 * COIN))
places = st.integers(0, 1_000)
changes = st.sampled_from(["bump", "cancel", "speed_up"])


class Life(RuleBasedStateMachine):
    """Alice and Bob, and the node between them."""

    node: RealNode

    def __init__(self) -> None:
        super().__init__()
        self.node, self.rng, self.gap = direct_node(), random.Random(1), 20
        self.done = Counter[str]()

    def teardown(self) -> None:
        for name in WORDS:
            self.restored(name)
        TOTALS.update(self.done)

    @initialize(is_small=st.booleans())
    def begin(self, is_small: bool) -> None:
        """A small gap is enough where no block is taken back: a payment in a block stays paid."""
        self.gap = SMALL_GAP if is_small else 20
        self.wallets = {name: self.wallet(name) for name in WORDS}
        self.scripts = {
            name: {
                address_to_script(wallet.address_at(number, branch), QUICK)
                for branch in (0, 1)
                for number in range(ADDRESSES)
            }
            for name, wallet in self.wallets.items()
        }
        for wallet in self.wallets.values():
            self.node.fund(wallet.address(), 2)
        self.sync()

    # What happens

    @rule(name=names, count=st.integers(1, 3))
    def mine(self, name: str, count: int) -> None:
        """Blocks, the last of which pays one of them."""
        self.node.mine(count - 1)
        self.node.mine(1, address_to_script(self.address_of(name), QUICK))
        self.done["mine"] += 1
        self.sync()

    @rule(name=names, paid=st.lists(amounts, min_size=1, max_size=3), rate=rates, new=st.booleans())
    def send(self, name: str, paid: list[int], rate: int, new: bool) -> None:
        other = self.other(name)
        try:
            draft = self.wallets[name].prepare(
                [(self.address_of(other, new), amount) for amount in paid],
                feerate=rate,
                now=self.node.now,
                rng=self.rng,
            )
        except NotEnoughMoney:
            return
        self.settle(name, draft, "send")

    @rule(name=names, amount=amounts, rates=st.tuples(rates, st.none() | rates), how=changes)
    def send_and_change(
        self, name: str, amount: int, rates: tuple[int, int | None], how: str
    ) -> None:
        self.send(name, [amount], rates[0], False)
        self.change(name, 0, rates[1], how)

    @precondition(lambda self: self.gap == SMALL_GAP)
    @rule(name=names, paid=st.tuples(amounts, amounts), rate=rates, is_cancelled=st.booleans())
    def send_far(self, name: str, paid: tuple[int, int], rate: int, is_cancelled: bool) -> None:
        """Twice to the last address that the other can give out; the first may be taken back."""
        for amount in paid:
            with suppress(GapLimitReached):
                while True:
                    self.wallets[self.other(name)].address(new=True)
            self.send(name, [amount], rate, False)
        if is_cancelled:
            self.change(name, 1, None, "cancel")

    @rule(name=names, rate=rates, part=st.none() | st.just(10_000), more=st.none() | rates)
    def send_all(self, name: str, rate: int, part: int | None, more: int | None) -> None:
        """And sometimes a bump at once: of one that sent all to one, which pays it less."""
        to = self.address_of(self.other(name))
        paid = [(to, None)] if part is None else [(to, part), (to, None)]
        try:
            draft = self.wallets[name].prepare(paid, feerate=rate, rng=self.rng)
        except NotEnoughMoney:
            return
        assert draft.change == 0
        self.settle(name, draft, "send all")
        if more is not None:
            self.change(name, 0, more, "bump")

    @rule(name=names, amount=amounts, rate=rates, place=places)
    def send_from(self, name: str, amount: int, rate: int, place: int) -> None:
        wallet = self.wallets[name]
        if not (coins := wallet.utxos()):
            return
        chosen = coins[place % len(coins)]
        to = [(self.address_of(self.other(name)), amount)]
        try:
            draft = wallet.prepare(to, feerate=rate, coins=[chosen.outpoint], rng=self.rng)
        except CoinUnavailable:
            assert wallet.coin_state(chosen) != "confirmed"
            return
        except NotEnoughMoney:
            return
        assert [coin.outpoint for coin in draft.coins] == [chosen.outpoint]
        self.settle(name, draft, "send from")

    @precondition(lambda self: self.node.waiting())
    @rule(name=names, place=places, rate=st.none() | rates, how=changes)
    def change(self, name: str, place: int, rate: int | None, how: str) -> None:
        """A payment that waits is bumped, taken back, or hurried by a child."""
        wallet = self.wallets[name]
        pending = [item for item in wallet.history() if item.height is None]
        if not pending:
            return
        old = pending[place % len(pending)]
        try:
            draft = getattr(wallet, how)(self.node.client, old.txid, feerate=rate, rng=self.rng)
        except (NotEnoughMoney, NotPending):
            self.done[f"no {how}"] += 1
            return
        coins = {coin.outpoint for coin in draft.coins}
        if how == "speed_up":
            assert old.txid in {display_hash(coin.txid) for coin in coins}
        else:
            assert self.spent(old.txid) & coins
        if how != "bump":
            assert len(draft.transaction.outputs) == 1
        self.done["pay less"] += draft.taken > 0
        self.settle(name, draft, how)

    @rule(name=names, place=places, keep=st.booleans())
    def freeze(self, name: str, place: int, keep: bool) -> None:
        wallet = self.wallets[name]
        coins = [c.outpoint for c in wallet.utxos() if (wallet.coin_state(c) == "frozen") != keep]
        if not coins:
            return
        chosen = coins[place % len(coins)]
        (wallet.freeze if keep else wallet.unfreeze)(chosen)
        self.done["freeze" if keep else "unfreeze"] += 1

    @precondition(lambda self: self.node.waiting())
    @rule(place=places)
    def drop(self, place: int) -> None:
        """The node forgets; who sent it offers it again, and it is as before."""
        waiting = self.node.waiting()
        self.node.drop(waiting[place % len(waiting)].txid)
        self.done["drop"] += 1
        self.sync()

    @precondition(lambda self: self.node.height > 3 * MATURITY and self.gap > SMALL_GAP)
    @rule(depth=st.integers(1, 4), more=st.integers(0, 2), lost=st.booleans())
    def reorganise(self, depth: int, more: int, lost: bool) -> None:
        """The last blocks are taken back; what was in them waits again or is lost."""
        self.node.rewind(min(depth, self.node.height - 3))
        while lost and self.node.waiting():
            self.node.drop(self.node.waiting()[0].txid)
        self.node.mine(more)
        self.done["reorganise"] += 1
        self.sync()

    @precondition(lambda self: self.done.total() % 4 == 3)
    @rule(name=names)
    def restore(self, name: str) -> None:
        self.restored(name)
        self.done["restore"] += 1

    # What must be true

    @invariant()
    def both_hold_what_the_chain_says(self) -> None:
        for name, wallet in self.wallets.items():
            truth = self.node.unspent(self.scripts[name])
            held = {c.outpoint: (c.value, c.height, c.is_coinbase) for c in wallet.utxos()}
            expected = {p: (out.value, height, mined) for p, (out, height, mined) in truth.items()}
            assert held == expected
            assert wallet.balance() == self.balance_of(name, expected)
            assert wallet.balance().total == sum(value for value, _, _ in expected.values())
            assert wallet.balance().total == sum(item.net for item in wallet.history())

    @invariant()
    def nothing_is_spent_twice(self) -> None:
        for wallet in self.wallets.values():
            spent = Counter(
                input_.outpoint
                for entry in wallet._ledger.entries.values()
                for input_ in Transaction.parse(entry.raw).inputs
                if not entry.is_coinbase
            )
            assert max(spent.values(), default=1) == 1

    # Helpers

    def restored(self, name: str) -> None:
        """From the words alone: the same coins and the same history."""
        before = self.wallets[name]
        after = self.wallet(name)
        after.sync(self.node.client)
        assert {c.outpoint: c.value for c in after.utxos()} == {
            c.outpoint: c.value for c in before.utxos()
        }
        assert after.balance().total == before.balance().total
        theirs, ours = ({item[:4] for item in w.history()} for w in (after, before))
        assert theirs == ours

    def wallet(self, name: str) -> Wallet:
        return Wallet.in_memory(WORDS[name], QUICK, gap_limit=self.gap)

    def address_of(self, name: str, new: bool = False) -> str:
        """One to be paid at: where there is none, one that was given out before."""
        try:
            return self.wallets[name].address(new)
        except GapLimitReached:
            self.done["gap reached"] += 1
            return self.wallets[name].address_at(0)

    def other(self, name: str) -> str:
        return "bob" if name == "alice" else "alice"

    def sync(self) -> None:
        """Twice, for what one of them offers again the other has not seen yet."""
        for _ in range(2):
            for wallet in self.wallets.values():
                wallet.sync(self.node.client)

    def settle(self, name: str, draft: Draft, what: str) -> None:
        """Check a draft against the chain, send it, and see that it is noted at once."""
        wallet = self.wallets[name]
        outputs = {OutPoint(tx.txid, n): o for tx, _ in self.node.chain() for n, o in outs(tx)}
        spent = [outputs[input_.outpoint] for input_ in draft.transaction.inputs]
        paid = sum(output.value for output in draft.transaction.outputs)
        assert sum(output.value for output in spent) == paid + draft.fee
        assert draft.spent_outputs == tuple(spent)
        own = [o.value for o in draft.transaction.outputs if o.script_pubkey in self.scripts[name]]
        assert own == ([draft.change] if draft.change else [])
        signed = wallet.sign(draft)
        assert draft.vsize - len(spent) <= signed.vsize <= draft.vsize
        known, waited = set(wallet._ledger.entries), {tx.txid for tx in self.node.waiting()}
        try:
            wallet.broadcast(self.node.client, signed)
        except NodeRefused as refusal:
            assert any(reason in refusal.reason for reason in CROWDED), refusal
            return
        self.done[what] += 1
        noted = wallet.balance()
        gone = waited - {tx.txid for tx in self.node.waiting()}
        self.sync()
        # What hung on a replaced payment by way of another's was not to be known.
        assert wallet.balance() == noted or gone - known

    def spent(self, txid: str) -> set[OutPoint]:
        return {
            input_.outpoint
            for tx, _ in self.node.chain()
            if display_hash(tx.txid) == txid
            for input_ in tx.inputs
        }

    def balance_of(
        self, name: str, coins: dict[OutPoint, tuple[int, int | None, bool]]
    ) -> tuple[int, int, int, int]:
        """Confirmed, pending, immature, frozen: by height, and by what was asked for."""
        frozen = self.wallets[name]._ledger.frozen
        sums = Counter[str]()
        for outpoint, (value, height, mined) in coins.items():
            if mined and (height is None or self.node.height + 1 - height < MATURITY):
                sums["immature"] += value
            elif outpoint in frozen:
                sums["frozen"] += value
            else:
                sums["pending" if height is None else "confirmed"] += value
        return sums["confirmed"], sums["pending"], sums["immature"], sums["frozen"]


def outs(tx: Transaction) -> list[tuple[int, object]]:
    return list(enumerate(tx.outputs))


TOTALS = Counter[str]()
TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=300 if SWEEP else 20,
    stateful_step_count=60 if SWEEP else 30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
