"""Pending payments outbid, taken back and hurried, against a real node's rules."""

import random
from collections.abc import Iterator
from decimal import Decimal

import pytest

from chain.address import address_to_script
from chain.encoding import display_hash, parse_hash
from chain.transaction import Transaction
from node.entry import MempoolEntry
from tests.node.serving import QUICK
from tests.wallet.real_node import RealNode, real_node
from wallet import Wallet
from wallet.builder import Draft
from wallet.errors import AbsurdFee, NotEnoughMoney, NotPending

COIN = 100_000_000
ALICE, BOB = "test " * 11 + "junk", "abandon " * 11 + "about"


@pytest.fixture
def node() -> Iterator[RealNode]:
    with real_node() as node:
        yield node


@pytest.fixture
def alice(node: RealNode) -> Wallet:
    """Three coins of 50."""
    wallet = Wallet.in_memory(ALICE, QUICK)
    node.fund(wallet.address(), 3)
    wallet.sync(node.client)
    return wallet


@pytest.fixture
def bob() -> Wallet:
    return Wallet.in_memory(BOB, QUICK)


def sent(wallet: Wallet, node: RealNode, draft: Draft) -> str:
    return wallet.broadcast(node.client, wallet.sign(draft))


def outputs_to(transaction: Transaction, wallet: Wallet) -> int:
    scripts = {address_to_script(wallet.address_at(n), QUICK) for n in range(10)}
    return sum(o.value for o in transaction.outputs if o.script_pubkey in scripts)


def rate_of(node: RealNode, txid: str) -> float:
    waiting = node.client.waiting(parse_hash(txid))
    assert waiting is not None
    return waiting.fee / waiting.vsize


def test_a_bump_pays_the_same_people_more(node: RealNode, alice: Wallet, bob: Wallet) -> None:
    first = alice.send(node.client, [(bob.address(), 30 * COIN)], feerate=1)
    change = alice._ledger.next_index
    draft = alice.bump(node.client, first, feerate=5)
    assert draft.fee == 5 * draft.vsize
    second = sent(alice, node, draft)
    assert [tx.txid for tx in node.waiting()] == [parse_hash(second)]
    assert outputs_to(draft.transaction, bob) == 30 * COIN
    assert alice._ledger.next_index == change
    held = alice.balance()
    assert [item.txid for item in alice.history() if item.height is None] == [second]
    alice.sync(node.client)
    assert alice.balance() == held
    assert held.total == 150 * COIN - 30 * COIN - draft.fee
    node.mine()
    alice.sync(node.client)
    assert alice.balance().confirmed == held.total


def test_a_bump_takes_more_coins_where_the_change_is_too_little(
    node: RealNode, alice: Wallet, bob: Wallet
) -> None:
    first = alice.send(node.client, [(bob.address(), 50 * COIN - 400)], feerate=1)
    draft = alice.bump(node.client, first, feerate=Decimal("20.5"))
    assert len(draft.coins) == 2
    sent(alice, node, draft)
    assert len(node.waiting()) == 1


def test_where_all_was_sent_the_payee_gets_less(node: RealNode, alice: Wallet, bob: Wallet) -> None:
    first = alice.prepare([(bob.address(), None)], feerate=2)
    txid = sent(alice, node, first)
    draft = alice.bump(node.client, txid, feerate=9)
    assert (draft.change, draft.fee) == (0, 9 * draft.vsize)
    assert outputs_to(draft.transaction, bob) == 150 * COIN - draft.fee
    assert draft.taken == draft.fee - first.fee
    assert alice.summary(draft).taken == draft.taken
    sent(alice, node, draft)
    # The least that nodes ask for, and again: each time it is the payee's.
    for rate in (None, None, 30):
        (waiting,) = node.waiting()
        before = outputs_to(waiting, bob)
        draft = alice.bump(node.client, display_hash(waiting.txid), feerate=rate)
        assert outputs_to(draft.transaction, bob) == before - draft.taken < before
        sent(alice, node, draft)
    node.mine()
    bob.sync(node.client)
    alice.sync(node.client)
    assert (alice.balance().total, bob.balance().total) == (0, 150 * COIN - draft.fee)


def test_who_gets_less_can_be_named(node: RealNode, alice: Wallet, bob: Wallet) -> None:
    first, second = bob.address(), bob.address(new=True)
    everything = [(first, 10 * COIN), (second, None)]
    txid = sent(alice, node, alice.prepare(everything, feerate=1))
    with pytest.raises(NotEnoughMoney):
        alice.bump(node.client, txid, feerate=5)
    stranger = alice.address_at(7)
    with pytest.raises(NotPending, match="does not pay this address: nobody there can get less"):
        alice.bump(node.client, txid, feerate=5, reduce=stranger)
    for address, rate in ((second, 5), (first, 8)):
        draft = alice.bump(node.client, txid, feerate=rate, reduce=address)
        other = first if address == second else second
        old, new = (
            {o.script_pubkey: o.value for o in tx.outputs}
            for tx in (*node.waiting(), draft.transaction)
        )
        less, same = (address_to_script(each, QUICK) for each in (address, other))
        assert (new[same], new[less]) == (old[same], old[less] - draft.taken)
        assert draft.taken > 0
        txid = sent(alice, node, draft)


def test_a_payment_with_change_takes_from_nobody(
    node: RealNode, alice: Wallet, bob: Wallet
) -> None:
    txid = alice.send(node.client, [(bob.address(), COIN)], feerate=1)
    with pytest.raises(NotPending, match="has change, which the fee comes from"):
        alice.bump(node.client, txid, feerate=5, reduce=bob.address_at(0))
    # Even where that is too little: the amount was named.
    rest = [coin.outpoint for coin in alice.utxos() if coin.height is not None]
    alice.freeze(*rest)
    draft = alice.bump(node.client, txid, feerate=5)
    assert (draft.taken, outputs_to(draft.transaction, bob)) == (0, COIN)


def test_what_is_left_of_a_payment_is_no_dust(node: RealNode, alice: Wallet, bob: Wallet) -> None:
    alice.send(node.client, [(alice.address(), 1_000), (alice.address(), 49 * COIN)], feerate=1)
    node.mine()
    alice.sync(node.client)
    small = next(each.outpoint for each in alice.utxos() if each.value == 1_000)
    alice.freeze(*(each.outpoint for each in alice.utxos() if each.outpoint != small))
    draft = alice.prepare([(bob.address(), None)], feerate=1, coins=[small])
    txid = sent(alice, node, draft)
    with pytest.raises(NotEnoughMoney):
        alice.bump(node.client, txid, feerate=7)


def test_without_a_rate_it_is_a_little_better_than_before(
    node: RealNode, alice: Wallet, bob: Wallet
) -> None:
    txid = alice.send(node.client, [(bob.address(), COIN)], feerate=7)
    for rate in (8, 9, 10):
        txid = sent(alice, node, alice.bump(node.client, txid))
        assert rate - 0.1 < rate_of(node, txid) < rate + 0.1


def test_a_tenth_of_a_satoshi_more_is_enough_and_less_is_refused_here(
    node: RealNode, alice: Wallet, bob: Wallet
) -> None:
    txid = alice.send(node.client, [(bob.address(), COIN)], feerate=3)
    with pytest.raises(NotPending, match=r"name at least 3\.\d+ sat/vB") as refusal:
        alice.bump(node.client, txid, feerate=3)
    least = Decimal(str(refusal.value).split("at least ")[1].split()[0])
    assert Decimal("3.09") < least < Decimal("3.13")
    sent(alice, node, alice.bump(node.client, txid, feerate=least))
    assert len(node.waiting()) == 1


def test_a_payment_taken_back_is_as_if_it_never_was(
    node: RealNode, alice: Wallet, bob: Wallet
) -> None:
    first = alice.send(node.client, [(bob.address(), 49 * COIN)], feerate=2)
    bob.sync(node.client)
    assert bob.balance().pending == 49 * COIN
    draft = alice.cancel(node.client, first)
    sent(alice, node, draft)
    assert draft.change == 50 * COIN - draft.fee
    bob.sync(node.client)
    assert bob.balance().total == 0
    assert bob.history() == []
    assert alice.balance().total == 150 * COIN - draft.fee
    assert alice.history()[0].direction == "moved"
    # What takes back can itself be outbid.
    again = alice.bump(node.client, alice.history()[0].txid, feerate=50)
    sent(alice, node, again)
    assert alice.balance().total == 150 * COIN - again.fee


def test_a_replacement_pays_for_what_the_recipient_did_with_the_money(
    node: RealNode, alice: Wallet, bob: Wallet
) -> None:
    """Bob spends his pending coin to himself, dearly: all of it must be paid for."""
    first = alice.send(node.client, [(bob.address(), 30 * COIN)], feerate=2)
    bob.sync(node.client)
    hurried = bob.speed_up(node.client, first, feerate=30)
    sent(bob, node, hurried)
    draft = alice.cancel(node.client, first)
    assert draft.fee > hurried.fee + 282
    sent(alice, node, draft)
    assert len(node.waiting()) == 1


def test_a_child_pays_for_what_comes_in(node: RealNode, alice: Wallet, bob: Wallet) -> None:
    first = alice.send(node.client, [(bob.address(), 30 * COIN)], feerate=1)
    bob.sync(node.client)
    draft = bob.speed_up(node.client, first, feerate=20)
    second = sent(bob, node, draft)
    package = [node.client.waiting(parse_hash(txid)) for txid in (first, second)]
    fees, size = (sum(getattr(p, name) for p in package) for name in ("fee", "vsize"))
    assert 20 <= fees / size < 20.3
    assert bob.balance().pending == 30 * COIN - draft.fee
    with pytest.raises(NotPending, match="no output"):
        bob.speed_up(node.client, first, feerate=40)
    with pytest.raises(NotPending, match=r"20\.\d+ sat/vB already"):
        bob.speed_up(node.client, second, feerate=20)


def test_a_child_pays_for_a_chain_of_our_own(node: RealNode, alice: Wallet, bob: Wallet) -> None:
    """Three payments, each with the change of the one before: the last one's child pays for all."""
    txid = alice.send(node.client, [(bob.address(), 120 * COIN)], feerate=1)
    for _ in range(2):
        txid = alice.send(node.client, [(bob.address(), COIN)], feerate=1)
    assert alice.balance().confirmed == 0
    sent(alice, node, alice.speed_up(node.client, txid, feerate=10))
    everything = list(node.served.node.mempool)
    assert 10 <= total_rate(everything) < 10.2


def total_rate(entries: list[MempoolEntry]) -> float:
    return sum(e.fee for e in entries) / sum(e.vsize for e in entries)


def test_a_child_too_small_to_pay_takes_a_confirmed_coin_along(
    node: RealNode, alice: Wallet, bob: Wallet
) -> None:
    node.fund(bob.address())
    first = alice.send(node.client, [(bob.address(), 1_000)], feerate=1)
    bob.sync(node.client)
    draft = bob.speed_up(node.client, first, feerate=50)
    assert len(draft.coins) == 2
    sent(bob, node, draft)
    assert bob.balance().total == 50 * COIN + 1_000 - draft.fee


def test_what_cannot_be_replaced_says_why(node: RealNode, alice: Wallet, bob: Wallet) -> None:
    first = alice.send(node.client, [(bob.address(), 120 * COIN)], feerate=1)
    bob.sync(node.client)
    with pytest.raises(NotPending, match="spends coins of others"):
        bob.bump(node.client, first)
    second = alice.send(node.client, [(bob.address(), COIN)], feerate=1)
    for change in (alice.bump, alice.cancel):
        with pytest.raises(NotPending, match=f"payment {second} spends its change"):
            change(node.client, first)
        with pytest.raises(NotPending, match="no transaction of this wallet"):
            change(node.client, "ab" * 32)
        with pytest.raises(NotPending, match="no transaction of this wallet"):
            change(node.client, "so")
    with pytest.raises(AbsurdFee):
        alice.bump(node.client, second, feerate=2_000)
    node.drop(parse_hash(second))
    with pytest.raises(NotPending, match="does not hold"):
        alice.bump(node.client, second)
    node.mine()
    alice.sync(node.client)
    with pytest.raises(NotPending, match="in block"):
        alice.cancel(node.client, first)


def test_all_that_was_sent_can_be_taken_back(node: RealNode, alice: Wallet, bob: Wallet) -> None:
    everything = alice.prepare([(bob.address(), None)], feerate=1)
    txid = sent(alice, node, everything)
    draft = alice.cancel(node.client, txid, feerate=2)
    assert (draft.change, draft.taken) == (150 * COIN - draft.fee, 0)


def test_a_payment_that_hangs_on_a_replaced_one_is_forgotten_at_once(
    node: RealNode, alice: Wallet, bob: Wallet
) -> None:
    first = alice.send(node.client, [(bob.address(), 120 * COIN)], feerate=1)
    child = sent(alice, node, alice.speed_up(node.client, first, feerate=3))
    bumped = sent(alice, node, alice.bump(node.client, first, feerate=20))
    assert [i.txid for i in alice.history() if i.height is None] == [bumped]
    held = alice.balance()
    alice.sync(node.client)
    assert alice.balance() == held
    assert child not in [display_hash(tx.txid) for tx in node.waiting()]


def test_a_seed_gives_the_same_draft(node: RealNode, alice: Wallet, bob: Wallet) -> None:
    txid = alice.send(node.client, [(bob.address(), COIN)], feerate=1)
    drafts = [alice.bump(node.client, txid, rng=random.Random(5)) for _ in range(2)]
    assert drafts[0] == drafts[1]


def test_who_spends_change_that_waits_pays_for_its_parents(
    node: RealNode, alice: Wallet, bob: Wallet
) -> None:
    """Three payments in a row, two of them cheap: the third is mined with them at its rate."""
    alice.send(node.client, [(bob.address(), 120 * COIN)], feerate=1)
    alice.send(node.client, [(bob.address(), COIN)], feerate=2)
    draft = alice.prepare([(bob.address(), COIN)], feerate=10)
    assert draft.for_parents == draft.fee - 10 * draft.vsize > 8 * 140
    sent(alice, node, draft)
    assert 10 <= total_rate(list(node.served.node.mempool)) < 10.1
    assert alice.summary(draft, 10).given_up == 0
    assert alice.prepare([(bob.address(), COIN)], feerate=5).for_parents == 0
