"""Replacement: who may throw out whom, and what is said to those who may not."""

import pytest

from chain.transaction import Transaction, TxOut, format_money
from tests.builders import Spendable
from tests.node.serving import shown
from tests.policy.asking import ACCEPTED, HOME, Desk

FAILED = "replacement-failed, insufficient feerate: does not improve feerate diagram"


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk(coins=200)


def less(tx: Transaction, paid: int, lost: int) -> str:
    return (
        f"insufficient fee, rejecting replacement {shown(tx.txid)}, less fees than conflicting "
        f"txs; {format_money(paid)} < {format_money(lost)}"
    )


def unpaid(tx: Transaction, gain: int, needed: int, why: str = "") -> str:
    return (
        f"insufficient fee{why}, rejecting replacement {shown(tx.txid)}, not enough additional "
        f"fees to relay; {format_money(gain)} < {format_money(needed)}"
    )


def relay(tx: Transaction, feerate: int = 100) -> int:
    return -(-tx.vsize * feerate // 1_000)


def test_fees_at_the_edge(desk: Desk) -> None:
    coin = desk.coin()
    old = desk.waiting(desk.pay(coin, fee=1_000))
    for fee in (500, 999):
        tx = desk.pay(coin, fee=fee)
        assert desk.verdict(tx) == less(tx, fee, 1_000)
    needed = relay(old)
    for gain in (0, 1, needed - 1):
        tx = desk.pay(coin, TxOut(5_000, HOME), fee=1_000 + gain)
        assert desk.verdict(tx) == unpaid(tx, gain, relay(tx))
    tx = desk.pay(coin, fee=1_000 + needed)
    assert desk.verdict(tx) == ACCEPTED
    assert desk.in_pool(old, tx) == [False, True]


@pytest.mark.parametrize(("feerate", "gain"), [(0, 1), (1, 1), (99, 11), (1_000, 110)])
def test_what_the_relay_costs(feerate: int, gain: int) -> None:
    desk = Desk(incremental_relay_feerate=feerate)
    coin = desk.coin()
    old = desk.waiting(desk.pay(coin, fee=1_000))
    tx = desk.pay(coin, fee=1_000 + gain - 1, sequence=1 << 31)
    assert old.vsize == tx.vsize == 110
    refusal = unpaid(tx, gain - 1, gain) if feerate else FAILED
    assert desk.verdict(tx) == refusal
    assert desk.verdict(desk.pay(coin, fee=1_000 + gain)) == ACCEPTED


def test_no_signal_is_asked_for(desk: Desk) -> None:
    coin = desk.coin()
    desk.waiting(desk.pay(coin, sequence=0xFFFFFFFF))
    assert desk.verdict(desk.pay(coin, fee=2_000, sequence=0xFFFFFFFF)) == ACCEPTED


def test_more_fees_but_a_lower_feerate(desk: Desk) -> None:
    coin = desk.coin()
    desk.waiting(desk.pay(coin, fee=10_000))
    large = desk.pay(coin, *[TxOut(5_000, HOME)] * 50, fee=12_000)
    assert desk.verdict(large) == FAILED


def test_descendants_count(desk: Desk) -> None:
    coin = desk.coin()
    parent = desk.waiting(desk.pay(coin, fee=1_000))
    child = desk.waiting(desk.pay(desk.output(parent), fee=3_000))
    last = desk.waiting(desk.pay(desk.output(child), fee=5_000))
    tx = desk.pay(coin, fee=8_999)
    assert desk.verdict(tx) == less(tx, 8_999, 9_000)
    tx = desk.pay(coin, fee=9_000 + relay(tx))
    assert desk.verdict(tx) == ACCEPTED
    assert desk.in_pool(parent, child, last, tx) == [False, False, False, True]


def test_what_the_operator_adds_counts(desk: Desk) -> None:
    coin = desk.coin()
    old = desk.waiting(desk.pay(coin, fee=1_000))
    desk.rpc("prioritisetransaction", shown(old.txid), 0, 5_000)
    tx = desk.pay(coin, fee=2_000)
    assert desk.verdict(tx) == less(tx, 2_000, 6_000)
    desk.rpc("prioritisetransaction", shown(tx.txid), 0, 5_000)
    assert desk.verdict(tx) == ACCEPTED
    poor = desk.pay(fee=1)
    desk.rpc("prioritisetransaction", shown(poor.txid), 0, -5)
    assert desk.verdict(poor) == f"min relay fee not met, -4 < {relay(poor)}"


def test_it_spends_what_it_replaces(desk: Desk) -> None:
    coin = desk.coin()
    old = desk.waiting(desk.pay(coin, fee=1_000))
    tx = desk.pay([coin, desk.output(old)], fee=50_000)
    reason = f"{shown(tx.txid)} spends conflicting transaction {shown(old.txid)}"
    assert desk.verdict(tx) == f"bad-txns-spends-conflicting-tx, {reason}"
    child = desk.waiting(desk.pay(desk.output(old), fee=1_000))
    tx = desk.pay([coin, desk.output(child)], fee=50_000)
    reason = f"{shown(tx.txid)} spends conflicting transaction {shown(old.txid)}"
    assert desk.verdict(tx) == f"bad-txns-spends-conflicting-tx, {reason}"
    tx = desk.pay([coin, desk.output(old)], fee=1_500)
    assert desk.verdict(tx) == less(tx, 1_500, 2_000)


def test_part_of_a_cluster(desk: Desk) -> None:
    """Replacing one of two children, with a poor parent above both."""
    coin = desk.coin()
    parent = desk.waiting(desk.pay(coin, TxOut(1_000_000, HOME), fee=15))
    first = desk.waiting(desk.pay(desk.output(parent, 0), fee=1_000))
    second = desk.waiting(desk.pay(desk.output(parent, 1), fee=500))
    tx = desk.pay(desk.output(parent, 0), *[TxOut(5_000, HOME)] * 60, fee=1_150)
    assert desk.verdict(tx).startswith("insufficient fee")
    tx = desk.pay(desk.output(parent, 0), *[TxOut(5_000, HOME)] * 60, fee=2_000)
    assert desk.verdict(tx) == FAILED
    tx = desk.pay(desk.output(parent, 0), fee=1_200)
    assert desk.verdict(tx) == ACCEPTED
    assert desk.in_pool(parent, first, second, tx) == [True, False, True, True]


def test_a_rich_child_of_a_large_parent_may_leave(desk: Desk) -> None:
    """One transaction against a pair: compared chunk by chunk."""
    coin = desk.coin()
    large = desk.waiting(desk.pay(coin, *[TxOut(9_000, HOME)] * 100, fee=400))
    desk.waiting(desk.pay(desk.output(large, 0), fee=20_000))
    lean = desk.pay(coin, fee=20_400 + 11)
    assert desk.verdict(lean) == ACCEPTED


def clusters(desk: Desk, count: int) -> list[Spendable]:
    """So many waiting transactions by themselves; the coins they spend."""
    coins = [desk.coin() for _ in range(count)]
    for coin in coins:
        desk.waiting(desk.pay(coin, fee=50))
    return coins


def test_a_hundred_clusters(desk: Desk) -> None:
    coins = clusters(desk, 101)
    tx = desk.pay(coins, fee=50_000)
    assert desk.verdict(tx) == (
        f"too many potential replacements, rejecting replacement {shown(tx.txid)}; too many "
        "conflicting clusters (101 > 100)"
    )
    assert desk.verdict(desk.pay(coins[1:], fee=50_000)) == ACCEPTED


def test_many_transactions_of_one_cluster() -> None:
    """What counts is clusters, not how many are thrown out."""
    desk = Desk()
    coin = desk.coin()
    parent = desk.waiting(desk.pay(coin, *[TxOut(10_000, HOME)] * 62, fee=2_000))
    children = [desk.waiting(desk.pay(desk.output(parent, n), fee=50)) for n in range(1, 63)]
    tx = desk.pay(coin, fee=2_000 + 62 * 50 + 11)
    assert desk.verdict(tx) == ACCEPTED
    assert not any(desk.in_pool(parent, *children))


def test_replacing_what_does_not_hang_together(desk: Desk) -> None:
    """Two conflicts, of which only the sum is outbid."""
    a, b = desk.coin(), desk.coin()
    desk.waiting(desk.pay(a, fee=1_000))
    desk.waiting(desk.pay(b, fee=3_000))
    tx = desk.pay([a, b], fee=3_900)
    assert desk.verdict(tx) == less(tx, 3_900, 4_000)
    tx = desk.pay([a, b], fee=4_100)
    assert desk.verdict(tx) == FAILED  # 178 vbytes at 23 sat, where 110 paid 27
    tx = desk.pay([a, b], fee=5_500)
    assert desk.verdict(tx) == ACCEPTED


def test_several_at_once_may_replace_nothing(desk: Desk) -> None:
    coin = desk.coin()
    desk.waiting(desk.pay(coin))
    first, other = desk.pay(coin, fee=9_000), desk.pay()
    answers = desk.test(first, other)
    assert answers[0]["reject-reason"] == "bip125-replacement-disallowed"
    assert answers[0]["reject-details"] == "bip125-replacement-disallowed"
    assert "allowed" not in answers[1]
    assert all("package-error" not in answer for answer in answers)


def test_a_replacement_that_is_refused_leaves_everything(desk: Desk) -> None:
    coin = desk.coin()
    old = desk.waiting(desk.pay(coin))
    broken = desk.pay(coin, fee=90_000)
    witness = (b"\1" * 71, broken.inputs[0].witness[1])
    forged = Transaction(2, [broken.inputs[0]._replace(witness=witness)], broken.outputs, 0)
    reason = "mempool-script-verify-flag-failed (Non-canonical DER signature)"
    assert desk.verdict(forged).startswith(f"{reason}, input 0 of {shown(forged.txid)} (wtxid ")
    assert desk.in_pool(old) == [True]
