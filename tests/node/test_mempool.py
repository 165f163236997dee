"""The mempool over time: blocks, reorganisations, expiry, room."""

from dataclasses import replace

import pytest

from chain.chainstate import ChainChanges
from node.entry import MempoolEntry
from node.mempool.policy import PolicyOptions
from node.mempool.pool import memory_usage
from node.mempool.reasons import PolicyReason
from tests.node.support import QUICK, Scene, history

HALF_DAY_S = 12 * 3_600


@pytest.fixture
def scene() -> Scene:
    return Scene()


def roomy(entries: int, **options: int) -> Scene:
    """A scene whose mempool holds so many plain payments and no more."""
    scene = Scene(coins=60)
    size = memory_usage(scene.pay(scene.coins[0]))
    limited = PolicyOptions(max_mempool_bytes=entries * size + 100, **options)
    scene.mempool = type(scene.mempool)(scene.chain.chainstate, limited)
    return scene


# Blocks.


def test_mined_transactions_leave(scene: Scene) -> None:
    first, second = scene.waiting(scene.coins[0]), scene.waiting(scene.coins[1])
    scene.mempool.take_events()
    scene.mine(first.tx)
    assert scene.txids() == {second.txid}
    assert history(scene.mempool) == [(first.txid, "block")]


def test_children_of_mined_transactions_stay(scene: Scene) -> None:
    parent = scene.waiting(scene.coins[0])
    child = scene.waiting(scene.output(parent))
    scene.mine(parent.tx)
    assert scene.txids() == {child.txid}
    assert child.parents == set()


def test_what_a_block_contradicts_leaves(scene: Scene) -> None:
    old = scene.waiting(scene.coins[0])
    child = scene.waiting(scene.output(old))
    grandchild = scene.waiting([scene.output(child), scene.coins[1]])
    scene.mempool.take_events()
    scene.mine(scene.pay(scene.coins[0], fee=5_000))
    assert len(scene.mempool) == 0
    assert history(scene.mempool) == [
        (old.txid, "conflict"),
        (child.txid, "conflict"),
        (grandchild.txid, "conflict"),
    ]


def test_a_block_may_hold_another_witness(scene: Scene) -> None:
    entry = scene.waiting(scene.coins[0])
    again = scene.pay(scene.coins[0])
    assert again.txid == entry.txid
    scene.mine(again)
    assert len(scene.mempool) == 0


# Reorganisations.


def invalidate(scene: Scene, height: int) -> ChainChanges:
    chainstate = scene.chain.chainstate
    return scene.moved(chainstate.invalidate(chainstate.active[height].hash))


def test_transactions_come_back(scene: Scene) -> None:
    parent = scene.waiting(scene.coins[0])
    child = scene.waiting(scene.output(parent))
    grandchild = scene.waiting(scene.output(child))
    height = scene.chain.height + 1
    scene.mine(parent.tx)
    scene.mine(child.tx)
    scene.mempool.take_events()
    invalidate(scene, height)
    assert scene.txids() == {parent.txid, child.txid, grandchild.txid}
    assert history(scene.mempool) == [(parent.txid, "accepted"), (child.txid, "accepted")]
    back = scene.mempool.get(parent.txid)
    assert back is not None
    assert {entry.txid for entry in back.descendants()} == {child.txid, grandchild.txid}


def test_a_longer_branch_takes_over(scene: Scene) -> None:
    fork = scene.chain.tip
    kept, double = scene.pay(scene.coins[0]), scene.pay(scene.coins[1])
    scene.mine(kept, double)
    child = scene.waiting(scene.chain.output(double))
    rival = scene.pay(scene.coins[1], fee=7_000)
    block = scene.chain.block([rival], parent=fork)
    scene.hand_in(block)
    entry = scene.chain.chainstate.headers.get(block.hash)
    assert entry is not None
    scene.mempool.take_events()
    scene.hand_in(scene.chain.block(parent=entry))
    assert scene.chain.tip.parent is entry
    assert scene.txids() == {kept.txid}
    assert history(scene.mempool) == [(kept.txid, "accepted"), (child.txid, "reorg")]


def test_spends_of_a_lost_coinbase_leave(scene: Scene) -> None:
    block = scene.mine()
    height = scene.chain.height
    scene.mine()
    spend = scene.waiting(scene.chain.output(block.transactions[0]))
    child = scene.waiting(scene.output(spend))
    invalidate(scene, height)
    assert len(scene.mempool) == 0
    assert history(scene.mempool)[-2:] == [(spend.txid, "reorg"), (child.txid, "reorg")]


def test_spends_of_a_coinbase_grown_young_leave(scene: Scene) -> None:
    block = scene.mine()
    scene.mine()
    scene.waiting(scene.chain.output(block.transactions[0]))
    invalidate(scene, scene.chain.height)
    assert len(scene.mempool) == 0


def test_what_is_locked_again_leaves(scene: Scene) -> None:
    scene.mine()
    by_height = scene.waiting(scene.coins[0], locktime=scene.chain.height)
    relative = scene.waiting(scene.coins[1], sequence=2)
    stays = scene.waiting(scene.coins[2])
    invalidate(scene, scene.chain.height)
    assert scene.txids() == {stays.txid}
    assert {txid for txid, why in history(scene.mempool) if why == "reorg"} == {
        by_height.txid,
        relative.txid,
    }


def test_transactions_of_a_lost_block_come_back_whatever_they_pay(scene: Scene) -> None:
    free = scene.pay(scene.coins[0], fee=0)
    scene.mine(free)
    invalidate(scene, scene.chain.height)
    assert scene.txids() == {free.txid}


def test_nonstandard_transactions_do_not_come_back(scene: Scene) -> None:
    odd = scene.pay(scene.coins[0], script=b"\x51")
    scene.mine(odd, scene.pay(scene.chain.output(odd)))
    invalidate(scene, scene.chain.height)
    assert len(scene.mempool) == 0


def test_a_transaction_that_would_join_too_many_keeps_the_best_paying_children() -> None:
    scene = Scene(PolicyOptions(max_cluster_count=3))
    parent = scene.pay(scene.coins[0], parts=5)
    scene.mine(parent)
    fees = [300, 900, 200, 800, 400]
    children = [
        scene.waiting(scene.chain.output(parent, index), fee=fee) for index, fee in enumerate(fees)
    ]
    invalidate(scene, scene.chain.height)
    assert scene.txids() == {parent.txid, children[1].txid, children[3].txid}


def test_a_long_chain_comes_back_as_far_as_it_fits() -> None:
    scene = Scene(PolicyOptions(max_cluster_count=3))
    chain = [scene.pay(scene.coins[0])]
    for _ in range(4):
        chain.append(scene.pay(scene.chain.output(chain[-1])))
    scene.mine(*chain)
    last = scene.waiting(scene.chain.output(chain[-1]))
    invalidate(scene, scene.chain.height)
    assert scene.txids() == {tx.txid for tx in chain[:3]}
    assert (last.txid, "reorg") in history(scene.mempool)


def test_spends_of_a_coinbase_grown_young_do_not_come_back(scene: Scene) -> None:
    block = scene.mine()
    scene.mine()
    scene.mine(scene.pay(scene.chain.output(block.transactions[0])))
    invalidate(scene, scene.chain.height - 1)
    assert len(scene.mempool) == 0


# Time.


def test_what_waits_too_long_expires() -> None:
    scene = Scene(PolicyOptions(expiry_s=100))
    old = scene.waiting(scene.coins[0])
    scene.now += 60
    child = scene.waiting(scene.output(old))
    young = scene.waiting(scene.coins[1])
    scene.now += 40
    scene.mempool.expire(scene.now)
    assert len(scene.mempool) == 3
    scene.mempool.take_events()
    scene.now += 1
    scene.mempool.expire(scene.now)
    assert scene.txids() == {young.txid}
    assert history(scene.mempool) == [(old.txid, "expired"), (child.txid, "expired")]


def test_newcomers_make_the_old_expire() -> None:
    scene = Scene(PolicyOptions(expiry_s=100))
    scene.waiting(scene.coins[0])
    scene.now += 101
    young = scene.waiting(scene.coins[1])
    assert scene.txids() == {young.txid}


# Room.


def test_the_worst_goes_first() -> None:
    scene = roomy(3)
    entries = [scene.waiting(scene.coins[n], fee=fee) for n, fee in enumerate([500, 300, 400])]
    newest = scene.waiting(scene.coins[3], fee=600)
    assert scene.txids() == {newest.txid, entries[0].txid, entries[2].txid}
    assert (entries[1].txid, "full") in history(scene.mempool)


def test_a_child_keeps_its_parent_in() -> None:
    scene = roomy(3)
    parent = scene.waiting(scene.coins[0], fee=100)
    child = scene.waiting(scene.output(parent), fee=2_000)
    other = scene.waiting(scene.coins[1], fee=500)
    newest = scene.waiting(scene.coins[2], fee=700)
    assert scene.txids() == {parent.txid, child.txid, newest.txid}
    assert other.txid not in scene.mempool


def test_a_bad_parent_takes_its_children_along() -> None:
    scene = roomy(3)
    parent = scene.waiting(scene.coins[0], fee=100)
    scene.waiting(scene.output(parent), fee=150)
    stays, newest = scene.waiting(scene.coins[1]), scene.waiting(scene.coins[2])
    assert scene.txids() == {stays.txid, newest.txid}


def test_a_newcomer_that_is_worst_is_refused() -> None:
    scene = roomy(3)
    for index in range(3):
        scene.waiting(scene.coins[index], fee=500)
    scene.mempool.take_events()
    tx = scene.pay(scene.coins[3], fee=400)
    with pytest.raises(Exception) as caught:
        scene.mempool.accept(tx, scene.now)
    assert str(caught.value) == "mempool full"
    assert len(scene.mempool) == 3
    assert history(scene.mempool) == [(tx.txid, "accepted"), (tx.txid, "full")]


def test_the_minimum_rises_and_falls() -> None:
    scene = roomy(3)
    assert scene.mempool.min_feerate(scene.now) == 100
    for index in range(4):
        scene.waiting(scene.coins[index], fee=1_100 + index)
    # 1,100 satoshis for 110 vbytes went; the increment is 100.
    assert scene.mempool.min_feerate(scene.now) == 10_100
    refusal = scene.refuse(scene.pay(scene.coins[5], fee=1_110))
    assert str(refusal) == "mempool min fee not met, 1110 < 1111"
    assert refusal.reason is PolicyReason.MEMPOOL_MIN_FEE_NOT_MET
    scene.now += HALF_DAY_S
    assert scene.mempool.min_feerate(scene.now) == 10_100  # no block has made room
    scene.mine()
    assert scene.mempool.min_feerate(scene.now) == 10_100
    assert scene.mempool.min_feerate(scene.now + HALF_DAY_S) == 5_050
    assert scene.mempool.min_feerate(scene.now + HALF_DAY_S * 3 // 2) == 3_571
    assert scene.mempool.min_feerate(scene.now + HALF_DAY_S * 2) == 2_525
    assert scene.mempool.min_feerate(scene.now + HALF_DAY_S * 7) == 100
    assert scene.mempool.min_feerate(scene.now + HALF_DAY_S * 8) == 100
    assert scene.mempool.min_feerate(scene.now) == 100  # forgotten


@pytest.mark.parametrize(("mined", "half_life_s"), [(2, HALF_DAY_S), (6, 21_600), (9, 10_800)])
def test_the_minimum_falls_faster_when_there_is_room(mined: int, half_life_s: int) -> None:
    scene = roomy(10)
    entries = [scene.waiting(scene.coins[index], fee=1_100 + index) for index in range(11)]
    scene.mine(*(entry.tx for entry in entries[-mined:]))
    assert scene.mempool.min_feerate(scene.now) == 10_100
    assert scene.mempool.min_feerate(scene.now + half_life_s) == 5_050


def test_a_clock_that_goes_back_does_no_harm() -> None:
    scene = roomy(3)
    for index in range(4):
        scene.waiting(scene.coins[index], fee=1_100 + index)
    scene.mine()
    assert scene.mempool.min_feerate(scene.now) == 10_100
    assert scene.mempool.min_feerate(scene.now - 1_000_000) == 10_100


def test_what_comes_back_must_find_room_too() -> None:
    scene = roomy(3)
    txs = [scene.pay(scene.coins[index], fee=300 + index) for index in range(5)]
    scene.mine(*txs)
    invalidate(scene, scene.chain.height)
    assert scene.txids() == {tx.txid for tx in txs[2:]}


def test_what_comes_back_cheap_does_not_lower_the_minimum() -> None:
    scene = roomy(3)
    scene.mine(scene.pay(scene.coins[9], fee=0))
    for index in range(4):
        scene.waiting(scene.coins[index], fee=1_100 + index)
    invalidate(scene, scene.chain.height)
    assert len(scene.mempool) == 3
    assert scene.mempool.min_feerate(scene.now) == 10_100


# Others.


def test_what_waits_is_found_by_its_wtxid_too(scene: Scene) -> None:
    entry = scene.waiting(scene.coins[0])
    assert scene.mempool.get_by_wtxid(entry.tx.wtxid) is entry
    scene.mine(entry.tx)
    assert scene.mempool.get_by_wtxid(entry.tx.wtxid) is None


def test_entries_come_in_order_and_totals_agree(scene: Scene) -> None:
    entries: list[MempoolEntry] = [scene.waiting(coin) for coin in scene.coins[:5]]
    assert list(scene.mempool) == entries
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4, 5]
    assert scene.mempool.total_fee == 5_000
    assert scene.mempool.total_vsize == 5 * 110
    assert scene.mempool.spender_of(scene.coins[0].outpoint) is entries[0]


def test_regtest_itself_will_do() -> None:
    scene = Scene(params=replace(QUICK, coinbase_maturity_blocks=100), coins=2)
    scene.waiting(scene.coins[0])
