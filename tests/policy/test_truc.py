"""Version 3: one parent, one small child, and the sibling that has to go."""

import pytest

from chain.transaction import Transaction, TxOut
from tests.builders import padding
from tests.node.serving import shown
from tests.policy.asking import ACCEPTED, HOME, Desk, named
from tests.policy.test_replacement import less, unpaid

BROKEN = "TRUC-violation, "


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk(coins=120)


def v3(desk: Desk, *parents: Transaction, fee: int = 1_000, parts: int = 2) -> Transaction:
    sources = [desk.output(parent) for parent in parents] or [desk.coin()]
    outputs = [TxOut(20_000, HOME)] * (parts - 1)
    return desk.pay(sources, *outputs, fee=fee, version=3)


def sized(desk: Desk, vsize: int, *sources: Transaction) -> Transaction:
    """Of version 3 and that many virtual bytes."""
    spent = [desk.output(each) for each in sources] or [desk.coin()]
    small = desk.pay(spent, TxOut(0, padding(300)), fee=20_000, version=3)
    size = vsize - small.vsize + 300
    for length in range(size - 3, size + 1):
        tx = desk.pay(spent, TxOut(0, padding(length)), fee=20_000, version=3)
        if tx.vsize == vsize:
            return tx
    raise AssertionError(tx.vsize)


def test_sizes(desk: Desk) -> None:
    assert desk.verdict(sized(desk, 10_000)) == ACCEPTED
    tx = sized(desk, 10_001)
    size = "10001 > 10000 virtual bytes"
    assert desk.verdict(tx) == f"{BROKEN}version=3 {named(tx)} is too big: {size}"
    parent = desk.waiting(v3(desk))
    tx = sized(desk, 1_001, parent)
    size = "1001 > 1000 virtual bytes"
    assert desk.verdict(tx) == f"{BROKEN}version=3 child {named(tx)} is too big: {size}"
    assert desk.verdict(sized(desk, 1_000, parent)) == ACCEPTED


def test_inheritance(desk: Desk) -> None:
    parent, old = desk.waiting(v3(desk)), desk.waiting(desk.pay())
    tx = desk.pay(desk.output(parent))
    text = f"non-version=3 {named(tx)} cannot spend from version=3 {named(parent)}"
    assert desk.verdict(tx) == BROKEN + text
    tx = v3(desk, old)
    text = f"version=3 {named(tx)} cannot spend from non-version=3 {named(old)}"
    assert desk.verdict(tx) == BROKEN + text
    desk.chain.mine(txs=[parent, old])
    assert desk.verdict(desk.pay(desk.output(parent))) == ACCEPTED
    assert desk.verdict(v3(desk, old)) == ACCEPTED


def test_the_first_parent_by_id_is_named(desk: Desk) -> None:
    for _ in range(3):
        parents = [desk.waiting(v3(desk)) for _ in range(4)]
        tx = desk.pay([desk.output(parent) for parent in parents])
        first = min(parents, key=lambda parent: parent.txid)
        text = f"non-version=3 {named(tx)} cannot spend from version=3 {named(first)}"
        assert desk.verdict(tx) == BROKEN + text
        for answer in desk.test(tx, desk.pay()):
            assert answer.get("reject-details", BROKEN + text) == BROKEN + text


def test_ancestors(desk: Desk) -> None:
    first, second = desk.waiting(v3(desk)), desk.waiting(v3(desk))
    tx = v3(desk, first, second)
    assert desk.verdict(tx) == f"{BROKEN}{named(tx)} would have too many ancestors"
    child = desk.waiting(v3(desk, first))
    tx = v3(desk, child)
    assert desk.verdict(tx) == f"{BROKEN}{named(tx)} would have too many ancestors"
    tx = v3(desk, child, second)
    assert desk.verdict(tx) == f"{BROKEN}{named(tx)} would have too many ancestors"


def test_sibling_eviction(desk: Desk) -> None:
    parent = desk.waiting(v3(desk, parts=3))
    child = desk.waiting(desk.pay(desk.output(parent, 0), fee=1_000, version=3))
    why = " (including sibling eviction)"
    tx = desk.pay(desk.output(parent, 1), fee=900, version=3)
    assert desk.verdict(tx) == less(tx, 900, 1_000).replace("fee,", f"fee{why},")
    tx = desk.pay(desk.output(parent, 1), fee=1_005, version=3)
    assert desk.verdict(tx) == unpaid(tx, 5, 11, why)
    tx = desk.pay(desk.output(parent, 1), fee=1_100, version=3)
    assert desk.verdict(tx) == ACCEPTED
    assert desk.in_pool(parent, child, tx) == [True, False, True]
    other = desk.pay([desk.output(parent, 0), desk.output(parent, 1)], fee=2_000, version=3)
    assert desk.verdict(other) == ACCEPTED  # replaces the one with which it conflicts


def test_no_sibling_is_evicted_among_several(desk: Desk) -> None:
    parent = desk.waiting(v3(desk, parts=3))
    desk.waiting(desk.pay(desk.output(parent, 0), fee=1_000, version=3))
    tx, other = desk.pay(desk.output(parent, 1), fee=9_000, version=3), desk.pay()
    answers = desk.test(tx, other)
    text = f"{BROKEN}{named(parent)} would exceed descendant count limit"
    assert answers[0]["reject-details"] == text
    assert "allowed" not in answers[1]


def test_families_asked_about_together(desk: Desk) -> None:
    parent = v3(desk, parts=3)
    child = desk.pay(desk.output(parent, 0), version=3)
    assert [answer["allowed"] for answer in desk.test(parent, child)] == [True, True]
    sibling = desk.pay(desk.output(parent, 1), version=3)
    grandchild = desk.pay(desk.output(child), version=3)
    heir = desk.pay(desk.output(parent, 0), fee=1_100)
    elder_first = desk.pay([desk.output(parent, 1), desk.output(child)], version=3)
    elder_last = desk.pay([desk.output(child), desk.output(parent, 1)], version=3)
    rows = [
        ((parent, child, sibling), f"{named(parent)} would exceed descendant count limit"),
        ((parent, child, grandchild), f"{named(grandchild)} would have too many ancestors"),
        ((parent, child, elder_first), f"{named(parent)} would exceed descendant count limit"),
        ((parent, child, elder_last), f"{named(elder_last)} would have too many ancestors"),
        (
            (parent, heir),
            f"non-version=3 {named(heir)} cannot spend from version=3 {named(parent)}",
        ),
    ]
    for txs, text in rows:
        for answer in desk.test(*txs):
            assert answer["package-error"] == BROKEN + text
            assert "allowed" not in answer


def test_families_handed_in_together(desk: Desk) -> None:
    """A parent for nothing, which its child pays for."""
    parent = v3(desk, fee=0)
    child = v3(desk, parent, fee=2_000)
    answer = desk.package(parent, child)
    assert answer["package_msg"] == "success"
    fees = answer["tx-results"][shown(child.wtxid)]["fees"]
    assert fees["effective-includes"] == [shown(parent.wtxid), shown(child.wtxid)]
    assert desk.in_pool(parent, child) == [True, True]
    parent = v3(desk, fee=0)
    heir = desk.pay(desk.output(parent), fee=2_000)
    text = f"non-version=3 {named(heir)} cannot spend from version=3 {named(parent)}"
    poor = f"min relay fee not met, 0 < {-(-parent.vsize // 10)}"
    missing = "bad-txns-inputs-missingorspent"
    assert desk.errors(parent, heir) == [BROKEN + text, poor, missing]
    old = desk.waiting(v3(desk))
    first = v3(desk, fee=0)
    both = v3(desk, old, first, fee=5_000)
    text = f"{named(both)} would have too many ancestors"
    assert desk.errors(first, both)[0] == BROKEN + text


def test_a_child_replaced_by_a_package(desk: Desk) -> None:
    parent = v3(desk, fee=0)
    child = v3(desk, parent, fee=1_000)
    assert desk.errors(parent, child) == ["success", ACCEPTED, ACCEPTED]
    dearer = v3(desk, parent, fee=3_000, parts=1)
    answer = desk.package(parent, dearer)
    assert answer["package_msg"] == "success"
    assert answer["replaced-transactions"] == [shown(child.txid)]
    assert "effective-feerate" not in answer["tx-results"][shown(parent.wtxid)]["fees"]
    assert desk.in_pool(parent, child, dearer) == [True, False, True]
