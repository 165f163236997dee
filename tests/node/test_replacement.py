"""Replacement: who may throw out whom, and what it must pay."""

import pytest

from chain.encoding import display_hash
from node.entry import MempoolEntry
from node.mempool.policy import PolicyOptions
from node.mempool.reasons import PolicyClass
from tests.node.support import Scene, history


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_higher_fee_replaces(scene: Scene) -> None:
    old = scene.waiting(scene.coins[0], fee=1_000)
    child = scene.waiting(scene.output(old), fee=500)
    scene.mempool.take_events()
    new = scene.waiting(scene.coins[0], fee=1_511)
    assert scene.txids() == {new.txid}
    assert history(scene.mempool) == [
        (old.txid, "replaced"),
        (child.txid, "replaced"),
        (new.txid, "accepted"),
    ]


def test_signalling_is_not_asked_for(scene: Scene) -> None:
    scene.waiting(scene.coins[0], fee=1_000, sequence=0xFFFFFFFF)
    scene.waiting(scene.coins[0], fee=2_000, sequence=0xFFFFFFFF)


def refusal(scene: Scene, *sources: int, fee: int) -> tuple[str, str, PolicyClass]:
    tx = scene.pay([scene.coins[index] for index in sources], fee=fee)
    refused = scene.refuse(tx)
    detail = refused.detail.replace(display_hash(tx.txid), "TXID")
    return refused.reject_reason, detail, refused.reason.result


def test_fees_do_not_fall(scene: Scene) -> None:
    old = scene.waiting(scene.coins[0], fee=1_000)
    scene.waiting(scene.output(old), fee=500)
    assert refusal(scene, 0, fee=1_499) == (
        "insufficient fee",
        "rejecting replacement TXID, less fees than conflicting txs; 0.00001499 < 0.000015",
        PolicyClass.RECONSIDERABLE,
    )


def test_the_relay_is_paid_for(scene: Scene) -> None:
    scene.waiting(scene.coins[0], fee=1_000)
    assert refusal(scene, 0, fee=1_010) == (
        "insufficient fee",
        "rejecting replacement TXID, not enough additional fees to relay; 0.0000001 < 0.00000011",
        PolicyClass.RECONSIDERABLE,
    )
    scene.waiting(scene.coins[0], fee=1_011)


def test_the_price_of_relay_is_the_operators_choice() -> None:
    scene = Scene(PolicyOptions(incremental_relay_feerate=1_000))
    scene.waiting(scene.coins[0], fee=1_000)
    assert refusal(scene, 0, fee=1_109)[0] == "insufficient fee"
    scene.waiting(scene.coins[0], fee=1_110)


def test_the_feerate_rises(scene: Scene) -> None:
    scene.waiting(scene.coins[0], fee=1_000)
    assert refusal(scene, 0, 1, 2, fee=1_500) == (
        "replacement-failed",
        "insufficient feerate: does not improve feerate diagram",
        PolicyClass.RECONSIDERABLE,
    )
    scene.accept(scene.pay(scene.coins[:3], fee=3_000))


def test_a_hundred_clusters_may_go() -> None:
    scene = Scene(coins=102)
    old = [scene.waiting(coin, fee=20) for coin in scene.coins]
    reason, detail, result = refusal(scene, *range(101), fee=1_000_000)
    assert reason == "too many potential replacements"
    assert detail == "rejecting replacement TXID; too many conflicting clusters (101 > 100)"
    assert result is PolicyClass.MEMPOOL_POLICY
    new = scene.accept(scene.pay(scene.coins[:100], fee=1_000_000))
    assert scene.txids() == {new.txid, old[100].txid, old[101].txid}


def test_a_cluster_counts_once() -> None:
    scene = Scene(coins=130)
    for start in (0, 40, 80):
        parents = [scene.waiting(coin, fee=20) for coin in scene.coins[start : start + 40]]
        scene.waiting([scene.output(parent) for parent in parents], fee=3_000)
    new = scene.accept(scene.pay(scene.coins[:120], fee=1_000_000))
    assert scene.txids() == {new.txid}


def test_a_transaction_does_not_spend_what_it_replaces(scene: Scene) -> None:
    old = scene.waiting(scene.coins[0])
    child = scene.waiting(scene.output(old), parts=2)
    tx = scene.pay([scene.coins[0], scene.output(child)], fee=100_000)
    refused = scene.refuse(tx)
    assert refused.reject_reason == "bad-txns-spends-conflicting-tx"
    both = display_hash(tx.txid), display_hash(old.txid)
    assert refused.detail == "{} spends conflicting transaction {}".format(*both)
    assert refused.reason.result is PolicyClass.CONSENSUS


def test_what_is_replaced_does_not_count_for_the_cluster() -> None:
    scene = Scene(PolicyOptions(max_cluster_count=2))
    parent = scene.waiting(scene.coins[0])
    old = scene.waiting(scene.output(parent))
    scene.accept(scene.pay(scene.output(parent), fee=9_000))
    assert old.txid not in scene.mempool


def test_a_replacement_may_join_other_waiting_transactions(scene: Scene) -> None:
    old = scene.waiting(scene.coins[0])
    other = scene.waiting(scene.coins[1])
    new: MempoolEntry = scene.accept(scene.pay([scene.coins[0], scene.output(other)], fee=9_000))
    assert new.parents == {other}
    assert old.txid not in scene.mempool
