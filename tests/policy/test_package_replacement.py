"""Packages that replace: one parent with its child, paid for by the child."""

import pytest

from chain.transaction import Transaction, TxOut, format_money
from tests.builders import Spendable
from tests.node.serving import shown
from tests.policy.asking import HOME, Desk
from tests.policy.test_packages import MISSING, child, poor


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk(coins=200)


def pair(desk: Desk, coin: Spendable, parent_fee: int, child_fee: int) -> list[Transaction]:
    a = desk.pay(coin, fee=parent_fee)
    return [a, child(desk, a, fee=child_fee)]


def rbf(text: str) -> str:
    return f"package RBF failed: {text}"


def test_a_pair_replaces_a_pair(desk: Desk) -> None:
    coin = desk.coin()
    old = pair(desk, coin, 100, 5_000)
    assert desk.errors(*old)[0] == "success"
    low = pair(desk, coin, 0, 5_099)
    what = f"rejecting replacement {shown(low[1].txid)}"
    text = f"{what}, less fees than conflicting txs; {format_money(5_099)} < {format_money(5_100)}"
    assert desk.errors(*low)[0] == f"{rbf('insufficient anti-DoS fees')}, {text}"
    even = pair(desk, coin, 0, 5_110)
    needed = -(-sum(tx.vsize for tx in even) // 10)
    text = f"not enough additional fees to relay; {format_money(10)} < {format_money(needed)}"
    text = f"rejecting replacement {shown(even[1].txid)}, {text}"
    assert desk.errors(*even) == [
        f"{rbf('insufficient anti-DoS fees')}, {text}",
        poor(even[0]),
        MISSING,
    ]
    new = pair(desk, coin, 0, 5_100 + needed)
    answer = desk.package(*new)
    assert answer["package_msg"] == "success"
    txids = sorted(tx.txid for tx in old)
    assert answer["replaced-transactions"] == [shown(txid) for txid in txids]
    assert desk.in_pool(*old, *new) == [False, False, True, True]


def test_the_child_must_lift_its_parent(desk: Desk) -> None:
    coin = desk.coin()
    desk.waiting(desk.pay(coin, fee=5_000))
    a = desk.pay(coin, fee=4_000)
    heavy = child(desk, a, fee=4_000)
    alone, together = 4_000 * 1_000 // a.vsize, 8_000 * 1_000 // (a.vsize + heavy.vsize)
    assert a.vsize == heavy.vsize
    text = f"package feerate 0.{together:08d} BTC/kvB <= parent feerate is 0.{alone:08d} BTC/kvB"
    reason = rbf("package feerate is less than or equal to parent feerate")
    assert desk.errors(a, heavy)[0] == f"{reason}, {text}"


def test_more_than_a_pair_replaces_nothing(desk: Desk) -> None:
    coin = desk.coin()
    desk.waiting(desk.pay(coin, fee=1_000))
    a, b = desk.pay(coin, fee=0), desk.pay(fee=0)
    text = rbf("package must be 1-parent-1-child")
    c = child(desk, a, b, fee=50_000)
    assert desk.errors(a, b, c) == [text, poor(a), poor(b), MISSING]


def test_a_pair_on_top_of_what_waits_replaces_nothing(desk: Desk) -> None:
    coin, old = desk.coin(), desk.waiting(desk.pay())
    desk.waiting(desk.pay(coin, fee=1_000))
    a = desk.pay([coin, desk.output(old)], fee=15)
    b = child(desk, a, fee=50_000)
    text = rbf("new transaction cannot have mempool ancestors")
    assert desk.errors(a, b)[0] == text


def test_a_pair_that_makes_the_next_block_no_better(desk: Desk) -> None:
    coin = desk.coin()
    desk.waiting(desk.pay(coin, fee=10_000))
    a = desk.pay(coin, *[TxOut(5_000, HOME)] * 60, fee=200)
    b = child(desk, a, fee=11_000)
    text = rbf("insufficient feerate: does not improve feerate diagram")
    assert desk.errors(a, b)[0] == text


def test_a_hundred_clusters_in_company(desk: Desk) -> None:
    coins = [desk.coin() for _ in range(101)]
    for coin in coins:
        desk.waiting(desk.pay(coin, fee=50))
    a = desk.pay(coins, fee=0)
    b = child(desk, a, fee=90_000)
    text = f"rejecting replacement {shown(b.txid)}; too many conflicting clusters (101 > 100)"
    assert desk.errors(a, b)[0] == f"{rbf('too many potential replacements')}, {text}"


def test_the_child_alone_conflicts(desk: Desk) -> None:
    coin = desk.coin()
    old = desk.waiting(desk.pay(coin, fee=1_000))
    a = desk.pay(fee=0)
    b = desk.pay([desk.output(a), coin], fee=3_000)
    answer = desk.package(a, b)
    assert answer["package_msg"] == "success"
    assert answer["replaced-transactions"] == [shown(old.txid)]
