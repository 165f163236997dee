"""Limits: how much may hang together, how much may wait, how long."""

import pytest

from chain.transaction import Transaction, TxOut
from tests.builders import padding
from tests.node.serving import shown
from tests.policy.asking import ACCEPTED, HOME, Desk

TOO_LARGE = "too-large-cluster"


def chain(desk: Desk, count: int) -> list[Transaction]:
    """So many in a row, waiting."""
    txs = [desk.waiting(desk.pay())]
    while len(txs) < count:
        txs.append(desk.waiting(desk.pay(desk.output(txs[-1]))))
    return txs


def test_sixty_four() -> None:
    desk = Desk()
    txs = chain(desk, 64)
    tx = desk.pay(desk.output(txs[-1]), fee=90_000)
    assert desk.verdict(tx) == TOO_LARGE
    beside = desk.waiting(desk.pay())
    both = desk.pay([desk.output(txs[-1]), desk.output(beside)], fee=90_000)
    assert desk.verdict(both) == TOO_LARGE
    instead = desk.pay(desk.output(txs[-2]), fee=90_000)
    assert desk.verdict(instead) == ACCEPTED
    desk.chain.mine(txs=txs[:1])
    assert desk.verdict(desk.pay(desk.output(instead))) == ACCEPTED


def test_a_chain_is_as_good_as_a_fan() -> None:
    desk = Desk()
    root = desk.waiting(desk.pay(None, *[TxOut(10_000, HOME)] * 64))
    for number in range(1, 64):
        desk.waiting(desk.pay(desk.output(root, number)))
    assert desk.verdict(desk.pay(desk.output(root, 64))) == TOO_LARGE


def test_joining_two_clusters() -> None:
    desk = Desk(max_cluster_count=5)
    first, second = chain(desk, 3), chain(desk, 2)
    joined = desk.pay([desk.output(first[-1]), desk.output(second[-1])])
    assert desk.verdict(joined) == TOO_LARGE
    ends = desk.pay([desk.output(first[-2]), desk.output(second[-1])], fee=9_000)
    assert desk.verdict(ends) == ACCEPTED  # it replaces the third


@pytest.mark.parametrize(("count", "verdict"), [(1, ACCEPTED), (2, TOO_LARGE)])
def test_alone(count: int, verdict: str) -> None:
    desk = Desk(max_cluster_count=1)
    txs = chain(desk, 1)
    tx = desk.pay(desk.output(txs[0])) if count == 2 else desk.pay()
    assert desk.verdict(tx) == verdict


def big(desk: Desk, weight: int, *parents: Transaction) -> Transaction:
    """Of that weight, or up to three less."""
    spent = [desk.output(parent) for parent in parents] or [desk.coin()]
    small = desk.pay(spent, TxOut(0, padding(300)), fee=50_000)
    size = 300 + (weight - small.weight) // 4
    for length in range(size - 3, size + 1):
        tx = desk.pay(spent, TxOut(0, padding(length)), fee=50_000)
        if weight - 4 < tx.weight <= weight:
            return tx
    raise AssertionError(tx.weight)


def test_size_is_counted_in_weight() -> None:
    desk = Desk(max_cluster_vsize=10_000)
    assert desk.verdict(big(desk, 40_004)) == TOO_LARGE
    parent = desk.waiting(big(desk, 30_000))
    left = 40_000 - parent.weight
    assert desk.verdict(big(desk, left + 4, parent)) == TOO_LARGE
    assert desk.verdict(big(desk, left, parent)) == ACCEPTED
    assert desk.verdict(big(desk, 30_000)) == ACCEPTED


def test_signature_operations_count_as_size() -> None:
    desk = Desk(max_cluster_vsize=1_000, bytes_per_sigop=5_000)
    assert desk.verdict(desk.pay()) == TOO_LARGE
    desk = Desk(max_cluster_vsize=1_000, bytes_per_sigop=4_000)
    tx = desk.pay(fee=10_000)
    assert desk.verdict(tx) == ACCEPTED
    assert desk.rpc("getmempoolentry", shown(tx.txid))["vsize"] == 1_000


def test_a_replacement_that_makes_room() -> None:
    desk = Desk(max_cluster_count=3)
    txs = chain(desk, 3)
    other = desk.waiting(desk.pay())
    both = desk.pay([desk.output(txs[0]), desk.output(other)], fee=20_000)
    assert desk.verdict(both) == ACCEPTED
    assert desk.in_pool(*txs, other, both) == [True, False, False, True, True]
    third = desk.pay([desk.output(txs[0]), desk.output(other), desk.coin()], fee=40_000)
    assert desk.verdict(third) == ACCEPTED


def test_replaced_but_still_too_many() -> None:
    desk = Desk(max_cluster_count=3)
    first, second = chain(desk, 3), chain(desk, 2)
    tx = desk.pay([desk.output(first[1]), desk.output(second[1])], fee=20_000)
    assert desk.verdict(tx) == TOO_LARGE
    poor = desk.pay([desk.output(first[1]), desk.output(second[1])], fee=900)
    assert desk.verdict(poor).startswith("insufficient fee")  # asked before


# Room and time.


def test_a_full_mempool() -> None:
    desk = Desk(max_mempool_bytes=7_500)
    old = [desk.waiting(desk.pay(fee=fee)) for fee in (2_000, 1_000, 3_000)]
    assert desk.send(desk.pay(fee=900)) == "-26 mempool full"
    floor = 900 * 1_000 // 110 + 100
    needed = -(-floor * 110 // 1_000)
    for fee in (5, 900, needed - 1):
        assert desk.verdict(desk.pay(fee=fee)) == f"mempool min fee not met, {fee} < {needed}"
    info = desk.rpc("getmempoolinfo")
    assert (info["mempoolminfee"], info["minrelaytxfee"]) == (floor / 10**8, 1e-06)
    assert desk.verdict(desk.pay(fee=5_000)) == ACCEPTED
    assert desk.in_pool(*old) == [True, False, True]
    lifted = desk.pay(fee=100)
    desk.rpc("prioritisetransaction", shown(lifted.txid), 0, 9_000)
    assert desk.verdict(lifted) == ACCEPTED


def test_a_full_mempool_and_a_package() -> None:
    desk = Desk(max_mempool_bytes=7_500)
    for fee in (2_000, 1_000, 3_000):
        desk.waiting(desk.pay(fee=fee))
    assert desk.send(desk.pay(fee=900)) == "-26 mempool full"
    parent = desk.pay(fee=100)
    child = desk.pay(desk.output(parent), fee=1_000)
    floor = 900 * 1_000 // 110 + 100
    needed = -(-floor * 220 // 1_000)
    alone = f"mempool min fee not met, 100 < {-(-floor * 110 // 1_000)}"
    assert desk.errors(parent, child) == [
        "transaction failed",
        alone,
        f"mempool min fee not met, 1100 < {needed}",
    ]
    child = desk.pay(desk.output(parent), fee=7_000)
    assert desk.errors(parent, child) == ["success", ACCEPTED, ACCEPTED]


def test_what_has_waited_too_long() -> None:
    desk = Desk(expiry_s=3_600)
    start = desk.chain.now
    parent = desk.waiting(desk.pay())
    desk.rpc("setmocktime", start + 3_000)
    child, other = desk.waiting(desk.pay(desk.output(parent))), desk.waiting(desk.pay())
    desk.rpc("setmocktime", start + 3_600)
    desk.waiting(desk.pay())
    assert desk.in_pool(parent, child, other) == [True] * 3
    desk.rpc("setmocktime", start + 3_601)
    desk.waiting(desk.pay())
    assert desk.in_pool(parent, child, other) == [False, False, True]


# The relay minimum.


@pytest.mark.parametrize(("feerate", "needed"), [(0, 0), (1, 1), (100, 11), (1_000, 110)])
def test_the_least_fee(feerate: int, needed: int) -> None:
    """Rounded up: any feerate above zero asks for a satoshi."""
    desk = Desk(min_relay_feerate=feerate)
    if needed:
        tx = desk.pay(fee=needed - 1)
        assert desk.verdict(tx) == f"min relay fee not met, {needed - 1} < {needed}"
    assert desk.verdict(desk.pay(fee=needed)) == ACCEPTED
