"""Version 3: families of two, after the cases of BIP431 and of Core's mempool_truc.py."""

import pytest

from chain.encoding import display_hash
from chain.transaction import Transaction
from node.entry import MempoolEntry
from node.mempool.reasons import PolicyReason
from tests.node.support import Scene


@pytest.fixture
def scene() -> Scene:
    return Scene()


def named(tx: Transaction) -> str:
    return f"tx {display_hash(tx.txid)} (wtxid={display_hash(tx.wtxid)})"


def broken(scene: Scene, tx: Transaction) -> str:
    refused = scene.refuse(tx)
    assert refused.reason is PolicyReason.TRUC_VIOLATION
    assert refused.reject_reason == "TRUC-violation"
    return refused.detail


def test_a_parent_and_a_child(scene: Scene) -> None:
    parent = scene.waiting(scene.coins[0], version=3)
    child = scene.waiting(scene.output(parent), version=3)
    assert child.parents == {parent}


def test_versions_do_not_mix(scene: Scene) -> None:
    three = scene.waiting(scene.coins[0], version=3)
    two = scene.waiting(scene.coins[1], version=2)
    tx = scene.pay(scene.output(three), version=2)
    expected = f"non-version=3 {named(tx)} cannot spend from version=3 {named(three.tx)}"
    assert broken(scene, tx) == expected
    tx = scene.pay(scene.output(two), version=3)
    expected = f"version=3 {named(tx)} cannot spend from non-version=3 {named(two.tx)}"
    assert broken(scene, tx) == expected


def test_confirmed_parents_do_not_count(scene: Scene) -> None:
    parent = scene.waiting(scene.coins[0], version=3)
    scene.mine(parent.tx)
    scene.waiting([scene.output(parent), scene.coins[1]], version=2)


def test_sizes(scene: Scene) -> None:
    # An output to a key hash takes 31 bytes.
    large = scene.pay(scene.coins[0], fee=9_000, parts=319, version=3)
    assert 9_900 < large.vsize <= 10_000
    assert len(scene.accept(large).tx.outputs) == 319
    larger = scene.pay(scene.coins[1], fee=9_000, parts=320, version=3)
    assert broken(scene, larger) == (
        f"version=3 {named(larger)} is too big: {larger.vsize} > 10000 virtual bytes"
    )


def test_sizes_of_children(scene: Scene) -> None:
    parent = scene.waiting(scene.coins[0], version=3)
    child = scene.pay(scene.output(parent), parts=31, version=3)
    assert child.vsize > 1_000
    assert broken(scene, child) == (
        f"version=3 child {named(child)} is too big: {child.vsize} > 1000 virtual bytes"
    )
    child = scene.pay(scene.output(parent), parts=29, version=3)
    assert 950 < child.vsize <= 1_000
    scene.accept(child)


def test_one_parent_and_no_grandparent(scene: Scene) -> None:
    parent = scene.waiting(scene.coins[0], version=3)
    other = scene.waiting(scene.coins[1], version=3)
    tx = scene.pay([scene.output(parent), scene.output(other)], version=3)
    assert broken(scene, tx) == f"{named(tx)} would have too many ancestors"
    child = scene.waiting(scene.output(parent), version=3)
    tx = scene.pay(scene.output(child), version=3)
    assert broken(scene, tx) == f"{named(tx)} would have too many ancestors"


def two_children(scene: Scene, fee: int) -> tuple[MempoolEntry, MempoolEntry, Transaction]:
    parent = scene.waiting(scene.coins[0], parts=3, version=3)
    child = scene.waiting(scene.output(parent, 0), fee=2_000, version=3)
    return parent, child, scene.pay(scene.output(parent, 1), fee=fee, version=3)


def test_a_sibling_is_replaced_as_if_in_conflict(scene: Scene) -> None:
    parent, _child, tx = two_children(scene, fee=9_000)
    assert scene.accept(tx).parents == {parent}
    assert scene.txids() == {parent.txid, tx.txid}


def test_a_sibling_must_be_outbid(scene: Scene) -> None:
    parent, child, tx = two_children(scene, fee=2_005)
    refused = scene.refuse(tx)
    assert refused.reject_reason == "insufficient fee (including sibling eviction)"
    assert refused.detail.endswith("0.00000005 < 0.00000011")
    assert scene.txids() == {parent.txid, child.txid}


def test_a_child_that_is_replaced_makes_room(scene: Scene) -> None:
    parent = scene.waiting(scene.coins[0], parts=2, version=3)
    scene.waiting(scene.output(parent, 0), version=3)
    both = [scene.output(parent, 0), scene.output(parent, 1)]
    tx = scene.accept(scene.pay(both, fee=9_000, version=3))
    assert scene.txids() == {parent.txid, tx.txid}


def test_a_reorganisation_may_leave_large_families_but_nobody_joins(scene: Scene) -> None:
    parent = scene.pay(scene.coins[0], parts=4, version=3)
    children = [scene.pay(scene.chain.output(parent, n), fee=2_000, version=3) for n in (0, 1)]
    scene.mine(parent)
    for child in children:
        scene.accept(child)
    chainstate = scene.chain.chainstate
    scene.moved(chainstate.invalidate(chainstate.tip.hash))
    assert scene.txids() == {parent.txid, *(child.txid for child in children)}
    late = scene.pay(scene.chain.output(parent, 2), fee=90_000, version=3)
    assert broken(scene, late) == f"{named(parent)} would exceed descendant count limit"
