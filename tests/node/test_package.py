"""Packages: whole or not at all, for the right reason; and handing them in one by one first."""

from collections.abc import Sequence

import pytest

from chain.encoding import display_hash
from chain.transaction import Transaction, TxOut
from node.mempool.mempool import Mempool
from node.mempool.package import PackageRejected, check_well_formed, is_child_with_tree
from node.mempool.policy import PolicyOptions
from node.mempool.reasons import PackageReason, PolicyReason
from node.mempool.submission import PackageResult, submit
from tests.builders import Spendable
from tests.node.support import HOME, Scene, history

DUST = 1


@pytest.fixture
def scene() -> Scene:
    return Scene()


def hand_in(scene: Scene, txs: Sequence[Transaction], max_feerate: int = 0) -> PackageResult:
    result = submit(scene.mempool, txs, scene.now, max_feerate)
    scene.mempool.check_consistency()
    return result


def said(result: PackageResult, *txs: Transaction) -> list[str]:
    """What became of the whole, then of each."""
    words = ["success" if result.error is None else str(result.error)]
    for tx in txs:
        refusal = result.refusals.get(tx.wtxid)
        assert (refusal is None) is (tx.wtxid in result.entries) or result.error is not None
        words.append("in" if tx.wtxid in result.entries else str(refusal))
    return words


def family(
    scene: Scene, coin: Spendable, parent_fee: int, child_fee: int, **options: int
) -> tuple[Transaction, Transaction]:
    parent = scene.pay(coin, fee=parent_fee, **options)
    return parent, scene.pay(scene.chain.output(parent), fee=child_fee, **options)


# What a package is.


def malformed(txs: Sequence[Transaction]) -> str:
    with pytest.raises(PackageRejected) as caught:
        check_well_formed(txs)
    assert not caught.value.reason.blames_one
    return str(caught.value)


def test_what_a_package_is(scene: Scene) -> None:
    parent, child = family(scene, scene.coins[0], 1, 1)
    check_well_formed([parent, child])
    check_well_formed([parent])
    assert malformed([child, parent]) == "package-not-sorted"
    assert malformed([parent, parent]) == "package-contains-duplicates"
    rival = scene.pay(scene.coins[0], fee=7)
    assert malformed([parent, rival]) == "conflict-in-package"
    assert malformed([parent] * 26) == "package-too-many-transactions"
    check_well_formed([scene.pay(coin) for coin in Scene(coins=25).coins])
    big = [scene.pay(coin, parts=3_300) for coin in scene.coins[:2]]
    assert 404_000 < sum(tx.weight for tx in big) <= 840_000
    assert malformed(big) == "package-too-large"
    check_well_formed(big[:1])


def test_a_child_with_its_parents(scene: Scene) -> None:
    first, second = (scene.pay(coin, parts=2) for coin in scene.coins[:2])
    child = scene.pay([scene.chain.output(first), scene.chain.output(second)])
    assert is_child_with_tree([first, second, child])
    assert not is_child_with_tree([first, second])
    assert not is_child_with_tree([child])
    other = scene.pay(scene.coins[2])
    assert said(hand_in(scene, [first, other])) == ["package-not-child-with-parents"]
    between = scene.pay(scene.chain.output(first, 1))
    last = scene.pay([scene.chain.output(first), scene.chain.output(between)])
    assert not is_child_with_tree([first, between, last])
    assert said(hand_in(scene, [first, between, last])) == ["success"]


# Handing in.


def test_a_child_pays_for_its_parent(scene: Scene) -> None:
    parent, child = family(scene, scene.coins[0], 0, 5_000)
    result = hand_in(scene, [parent, child])
    assert said(result, parent, child) == ["success", "in", "in"]
    assert [entry.tx for entry in result.together] == [parent, child]
    assert history(scene.mempool) == [(parent.txid, "accepted"), (child.txid, "accepted")]


def test_together_they_may_still_pay_too_little(scene: Scene) -> None:
    parent, child = family(scene, scene.coins[0], 0, 21)
    result = hand_in(scene, [parent, child])
    assert said(result, parent, child) == [
        "transaction failed",
        "min relay fee not met, 0 < 11",
        "min relay fee not met, 21 < 22",
    ]
    assert len(scene.mempool) == 0


def test_who_pays_alone_is_not_counted_for_others(scene: Scene) -> None:
    rich = scene.pay(scene.coins[0], fee=90_000)
    poor = scene.pay(scene.coins[1], fee=0)
    child = scene.pay([scene.chain.output(rich), scene.chain.output(poor)], fee=11)
    result = hand_in(scene, [rich, poor, child])
    words = said(result, rich, poor, child)
    assert words[:3] == ["transaction failed", "in", "min relay fee not met, 0 < 11"]
    assert scene.txids() == {rich.txid}


def test_what_waits_already_is_as_good(scene: Scene) -> None:
    parent, child = family(scene, scene.coins[0], 1_000, 1_000)
    waiting = scene.accept(parent)
    result = hand_in(scene, [parent, child])
    assert said(result, parent, child) == ["success", "in", "in"]
    assert result.entries[parent.wtxid] is waiting
    assert [entry.tx for entry in result.new] == [child]
    assert result.together == ()


def test_a_fault_that_company_does_not_mend(scene: Scene) -> None:
    parent = scene.pay(scene.coins[0], fee=0, version=4)
    child = scene.pay(scene.chain.output(parent), fee=9_000)
    result = hand_in(scene, [parent, child])
    assert said(result, parent, child) == [
        "transaction failed",
        "version",
        "bad-txns-inputs-missingorspent",
    ]


def test_a_single_one(scene: Scene) -> None:
    tx = scene.pay(scene.coins[0], fee=0)
    expected = ["transaction failed", "min relay fee not met, 0 < 11"]
    assert said(hand_in(scene, [tx]), tx) == expected
    tx = scene.pay(scene.coins[0])
    assert said(hand_in(scene, [tx]), tx) == ["success", "in"]


def test_slips_of_the_finger(scene: Scene) -> None:
    parent, child = family(scene, scene.coins[0], 0, 90_000)
    result = hand_in(scene, [parent, child], max_feerate=100_000)
    assert said(result, parent, child)[0] == "transaction failed"
    assert str(result.refusals[child.wtxid]) == "max feerate exceeded"
    assert len(scene.mempool) == 0


def test_a_bad_signature_fails_both(scene: Scene) -> None:
    parent, child = family(scene, scene.coins[0], 0, 9_000)
    first, *rest = child.inputs
    signature, public_key = first.witness
    wrong = signature[:10] + bytes([signature[10] ^ 1]) + signature[11:]
    forged = Transaction(
        2, (first._replace(witness=(wrong, public_key)), *rest), child.outputs, child.locktime
    )
    result = hand_in(scene, [parent, forged])
    assert result.refusals[forged.wtxid].reason is PolicyReason.MEMPOOL_SCRIPT_VERIFY_FLAG_FAILED
    assert str(result.refusals[parent.wtxid]) == "min relay fee not met, 0 < 11"
    assert len(scene.mempool) == 0


# Replacing.


def test_a_package_replaces(scene: Scene) -> None:
    old = scene.waiting(scene.coins[0], fee=1_000)
    parent, child = family(scene, scene.coins[0], 0, 9_000)
    result = hand_in(scene, [parent, child])
    assert said(result, parent, child) == ["success", "in", "in"]
    assert set().union(*result.evicted.values()) == {old}
    assert scene.txids() == {parent.txid, child.txid}


def failed(scene: Scene, *txs: Transaction) -> tuple[str, str]:
    """What of the package's replacement failed, and the figures."""
    before = scene.txids()
    error = hand_in(scene, txs).error
    assert error is not None
    assert error.reason is PackageReason.PACKAGE_RBF_FAILED
    assert scene.txids() == before
    return error.argument, error.detail


def test_what_a_package_must_pay_to_replace(scene: Scene) -> None:
    scene.waiting(scene.coins[0], fee=1_000)
    parent, child = family(scene, scene.coins[0], 0, 999)
    name = display_hash(child.txid)
    figures = "0.00000999 < 0.00001"
    assert failed(scene, parent, child) == (
        "insufficient anti-DoS fees",
        f"rejecting replacement {name}, less fees than conflicting txs; {figures}",
    )
    parent, child = family(scene, scene.coins[0], 0, 1_021)
    assert failed(scene, parent, child)[0] == "insufficient anti-DoS fees"
    # Enough for the relay, but half the feerate of what it would throw out.
    parent, child = family(scene, scene.coins[0], 0, 1_022)
    assert failed(scene, parent, child) == (
        "insufficient feerate: does not improve feerate diagram",
        "",
    )


def test_the_child_must_lift_its_parent(scene: Scene) -> None:
    scene.waiting(scene.coins[0], fee=1_000)
    parent, child = family(scene, scene.coins[0], 1_005, 900)
    what, figures = failed(scene, parent, child)
    assert what == "package feerate is less than or equal to parent feerate"
    assert figures == ("package feerate 0.00008659 BTC/kvB <= parent feerate is 0.00009136 BTC/kvB")


def test_only_families_of_two_replace(scene: Scene) -> None:
    scene.waiting(scene.coins[0], fee=1_000)
    first, second = (scene.pay(coin, fee=0) for coin in scene.coins[:2])
    child = scene.pay([scene.chain.output(first), scene.chain.output(second)], fee=90_000)
    assert failed(scene, first, second, child) == ("package must be 1-parent-1-child", "")
    waiting = scene.waiting(scene.coins[2])
    parent = scene.pay([scene.coins[0], scene.output(waiting)], fee=0)
    child = scene.pay(scene.chain.output(parent), fee=90_000)
    assert failed(scene, parent, child) == ("new transaction cannot have mempool ancestors", "")


def test_too_many_replacements() -> None:
    scene = Scene(coins=102)
    for coin in scene.coins[:101]:
        scene.waiting(coin, fee=20)
    parent, child = family(scene, scene.coins[:101], 0, 900_000)  # type: ignore[arg-type]
    what, detail = failed(scene, parent, child)
    assert what == "too many potential replacements"
    assert detail.endswith("too many conflicting clusters (101 > 100)")


# Company's own rules.


def test_too_much_together() -> None:
    scene = Scene(PolicyOptions(max_cluster_count=2))
    waiting = scene.waiting(scene.coins[0])
    parent, child = family(scene, scene.output(waiting), 0, 90_000)
    assert said(hand_in(scene, [parent, child]))[0] == "too-large-cluster"


def test_version_three_in_company(scene: Scene) -> None:
    parent = scene.pay(scene.coins[0], fee=0, parts=2, version=3)
    child = scene.pay(scene.chain.output(parent), fee=9_000, version=3)
    assert said(hand_in(scene, [parent, child]), parent, child) == ["success", "in", "in"]
    free, other = (scene.pay(coin, fee=0, version=3) for coin in scene.coins[1:3])
    outputs = [scene.chain.output(free), scene.chain.output(other)]
    child = scene.pay(outputs, fee=9_000, version=3)
    error = hand_in(scene, [free, other, child]).error
    assert error is not None
    assert error.reason is PackageReason.TRUC_VIOLATION
    assert error.detail.endswith("would have too many ancestors")
    child = scene.pay(scene.chain.output(free), fee=9_000, version=2)
    error = hand_in(scene, [free, child]).error
    assert error is not None
    assert "cannot spend from version=3 tx" in error.detail


def with_dust(scene: Scene, coin: Spendable) -> Transaction:
    value = coin.output.value - DUST
    return scene.chain.spend(coin, [TxOut(value, HOME), TxOut(DUST, HOME)])


def test_dust_must_be_swept_up_at_once(scene: Scene) -> None:
    parent = with_dust(scene, scene.coins[0])
    leaves = scene.pay(scene.chain.output(parent), fee=9_000)
    result = hand_in(scene, [parent, leaves])
    assert said(result)[0] == "unspent-dust"
    assert str(result.refusals[leaves.wtxid]).startswith("missing-ephemeral-spends, tx ")
    sweeps = scene.pay([scene.chain.output(parent, n) for n in (0, 1)], fee=9_000)
    assert said(hand_in(scene, [parent, sweeps]), parent, sweeps) == ["success", "in", "in"]


def test_a_full_mempool_throws_out_the_worst_at_the_end() -> None:
    scene = Scene(PolicyOptions(max_mempool_bytes=3 * 2_200))
    for coin in scene.coins[:2]:
        scene.waiting(coin, fee=2_000)
    parent, child = family(scene, scene.coins[2], 0, 100)
    result = hand_in(scene, [parent, child])
    assert said(result, parent, child) == ["transaction failed", "mempool full", "mempool full"]
    mempool: Mempool = scene.mempool
    assert len(mempool) == 2


# Asking.


def test_asking_for_several(scene: Scene) -> None:
    parent, child = family(scene, scene.coins[0], 1_000, 2_000)
    judgement = scene.mempool.test([parent, child], scene.now)
    assert [entry.fee for entry in judgement.entries] == [1_000, 2_000]
    assert len(scene.mempool) == 0
    scene.accept(parent)
    with pytest.raises(PackageRejected) as caught:
        scene.mempool.test([parent, child], scene.now)
    assert caught.value.reason is PackageReason.TRANSACTION_FAILED
    assert str(caught.value.refusals[parent.wtxid]) == "txn-already-in-mempool"
    rival, grandchild = family(scene, scene.coins[0], 9_000, 9_000)
    with pytest.raises(PackageRejected) as caught:
        scene.mempool.test([rival, grandchild], scene.now)
    assert str(caught.value.refusals[rival.wtxid]) == "bip125-replacement-disallowed"
