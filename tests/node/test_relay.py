"""Transactions between peers: announced, fetched, refused, orphaned, returned."""

import pytest

from chain.transaction import Transaction, TxIn, TxOut
from node.core import NodeOptions
from node.events import NetAddress, TransactionAccepted, TransactionRemoved
from node.mempool.policy import PolicyOptions
from node.mempool.reasons import Rejected
from node.messages import (
    MSG_TX,
    MSG_WITNESS_TX,
    MSG_WTX,
    BlockMessage,
    FeeFilter,
    GetData,
    Inv,
    InventoryItem,
    NotFound,
    Tx,
)
from node.simulator import Simulation
from tests.node.guests import Bench, Guest
from tests.simulation.base import (
    BASE_HEIGHT,
    Coin,
    base_rows,
    coin_of,
    mature_coins,
    payment,
)


def coins(bench: Bench) -> list[Coin]:
    return mature_coins(bench.node.chainstate)


def announcing(*txs: Transaction) -> Inv:
    return Inv(tuple(InventoryItem(MSG_WTX, tx.wtxid) for tx in txs))


def by_txid(*txs: Transaction) -> Inv:
    return Inv(tuple(InventoryItem(MSG_TX, tx.txid) for tx in txs))


def announced(guest: Guest) -> list[bytes]:
    return [item.hash for message in guest.of(Inv) for item in message.items]


def asked(guest: Guest) -> list[bytes]:
    return [item.hash for message in guest.of(GetData) for item in message.items]


def waits(bench: Bench, tx: Transaction) -> bool:
    return tx.txid in bench.node.mempool


def enter(bench: Bench, tx: Transaction) -> None:
    bench.node.submit_transaction(tx, bench.now)
    bench.carry_out()


def stripped(tx: Transaction) -> Transaction:
    """Without its witness: the same txid."""
    inputs = tuple(TxIn(each.outpoint, b"", each.sequence, ()) for each in tx.inputs)
    return Transaction(tx.version, inputs, tx.outputs, tx.locktime)


# Announcing and fetching.


def test_a_payment_crosses_a_network_in_less_than_a_second() -> None:
    network = Simulation(3, 5, rows=base_rows(), latency_s=0.02)
    network.now += BASE_HEIGHT
    for number in range(4):
        network.connect(number, number + 1)
    network.run(3)
    tx = payment(mature_coins(network.node(0).chainstate)[0])
    network.submit(0, tx)
    network.run(0.9)
    assert tx.txid in network.node(4).mempool


def test_what_a_peer_announces_is_fetched_and_passed_on_but_not_back() -> None:
    bench = Bench()
    teller, other = bench.guest(), bench.guest()
    tx = payment(coins(bench)[0])
    assert teller.say(announcing(tx)) == [GetData((InventoryItem(MSG_WTX, tx.wtxid),))]
    assert teller.say(Tx(tx)) == []
    assert waits(bench, tx)
    assert announced(other) == [tx.wtxid]
    assert teller.say(announcing(tx)) == []
    assert other.say(GetData((InventoryItem(MSG_WTX, tx.wtxid),))) == [Tx(tx)]
    assert len(bench.of(TransactionAccepted)) == 1


def test_peers_without_wtxids_are_spoken_to_by_txid() -> None:
    bench = Bench()
    old = bench.guest(wtxid_relay=False)
    first, second = (payment(coin) for coin in coins(bench)[:2])
    assert old.say(announcing(first)) == []  # not what was agreed
    assert old.say(by_txid(first)) == [GetData((InventoryItem(MSG_WITNESS_TX, first.txid),))]
    old.say(Tx(first))
    assert waits(bench, first)
    enter(bench, second)
    assert announced(old) == [second.txid]
    assert old.say(GetData((InventoryItem(MSG_WITNESS_TX, second.txid),))) == [Tx(second)]


def test_who_wants_no_transactions_hears_of_none() -> None:
    bench = Bench()
    guest = bench.guest(relay=False)
    enter(bench, payment(coins(bench)[0]))
    assert announced(guest) == []


def test_the_first_goes_at_once_and_the_next_together() -> None:
    bench = Bench()
    guest = bench.guest()
    txs = [payment(coin) for coin in coins(bench)[:4]]
    for tx in txs:
        enter(bench, tx)
    assert announced(guest) == [txs[0].wtxid]
    assert bench.node.wake_at() == pytest.approx(bench.now + 0.1)
    bench.tick(0.05)
    assert len(guest.of(Inv)) == 1
    bench.tick(0.05)
    assert announced(guest) == [tx.wtxid for tx in txs]
    assert len(guest.of(Inv)) == 2
    assert bench.node.wake_at() is None


def test_a_fee_filter_is_respected() -> None:
    bench = Bench()
    guest = bench.guest()
    guest.say(FeeFilter(5_000))
    cheap = payment(coins(bench)[0], fee=400)
    dear = payment(coins(bench)[1], fee=4_000)
    enter(bench, cheap)
    enter(bench, dear)
    bench.tick()
    assert announced(guest) == [dear.wtxid]


def test_our_own_filter_is_told_and_told_again_when_it_changes() -> None:
    bench = Bench()
    guest = bench.guest()
    assert guest.of(FeeFilter) == [FeeFilter(100)]
    bench.tick(61)
    assert len(guest.of(FeeFilter)) == 1
    bench.node.mempool._floor = 700
    bench.tick(61)
    assert guest.last(FeeFilter) == FeeFilter(700)


def test_what_left_the_mempool_is_not_announced() -> None:
    bench = Bench()
    guest = bench.guest()
    enter(bench, payment(coins(bench)[1]))
    coin = coins(bench)[0]
    poor, rich = payment(coin, fee=400), payment(coin, fee=4000)
    enter(bench, poor)
    enter(bench, rich)
    bench.tick()
    assert poor.wtxid not in announced(guest)
    assert rich.wtxid in announced(guest)
    assert [effect.why for effect in bench.of(TransactionRemoved)] == ["replaced"]  # type: ignore[union-attr]


def test_too_many_announcements_drop_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.peers.relay.MAX_TO_ANNOUNCE", 2)
    bench = Bench()
    guest = bench.guest()
    txs = [payment(coin) for coin in coins(bench)[:4]]
    for tx in txs:
        enter(bench, tx)
    bench.tick()
    assert announced(guest) == [txs[0].wtxid, txs[2].wtxid, txs[3].wtxid]


def test_a_large_mempool_is_announced_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.peers.relay.MAX_BATCH", 3)
    bench = Bench()
    for coin in coins(bench)[:7]:
        enter(bench, payment(coin))
    guest = bench.guest()
    assert len(announced(guest)) == 3
    bench.tick()
    bench.tick()
    assert [len(message.items) for message in guest.of(Inv)] == [3, 3, 1]


# Coming back.


def test_a_new_peer_hears_of_what_waits() -> None:
    """So a node that was away gets its payments back."""
    bench = Bench()
    txs = [payment(coin) for coin in coins(bench)[:3]]
    for tx in txs:
        enter(bench, tx)
    guest = bench.guest()
    assert announced(guest) == [tx.wtxid for tx in txs]


def test_a_node_that_crashed_gets_its_payments_back() -> None:
    network = Simulation(4, 2, rows=base_rows())
    network.now += BASE_HEIGHT
    network.connect(0, 1)
    network.run(3)
    tx = payment(mature_coins(network.node(0).chainstate)[0])
    network.submit(0, tx)
    network.run(2)
    network.crash(0)
    network.run(2)
    network.start(0)
    assert tx.txid not in network.node(0).mempool
    network.run(5)
    assert tx.txid in network.node(0).mempool


def test_a_payment_entered_again_is_announced_again() -> None:
    bench = Bench()
    guest = bench.guest()
    tx = payment(coins(bench)[0])
    enter(bench, tx)
    bench.tick()
    enter(bench, tx)
    assert announced(guest) == [tx.wtxid, tx.wtxid]
    assert len(bench.of(TransactionAccepted)) == 1


def test_payments_of_a_lost_branch_wait_again_and_are_announced_again() -> None:
    bench, other = Bench(), Bench(seed=2)
    tx = payment(coins(bench)[0])
    enter(bench, tx)
    bench.mine()
    assert not waits(bench, tx)
    guest = bench.guest()
    guest.say(announcing(tx))  # it knows it
    for block in other.mine(2):
        guest.say(BlockMessage(block))
    assert waits(bench, tx)
    bench.tick()
    assert tx.wtxid in announced(guest)
    assert guest.say(GetData((InventoryItem(MSG_WTX, tx.wtxid),))) == [Tx(tx)]


# Refusals.


def test_a_bad_transaction_costs_nobody_anything_and_is_not_fetched_again() -> None:
    bench = Bench()
    guest, other = bench.guest(), bench.guest()
    coin = coins(bench)[0]
    greedy = payment(coin, fee=-1)
    guest.say(announcing(greedy))
    guest.say(Tx(greedy))
    assert not waits(bench, greedy)
    assert guest.closed is None
    assert other.say(announcing(greedy)) == []
    bench.mine()
    assert len(other.say(announcing(greedy))) == 1  # after a block, who knows


def test_without_its_witness_it_may_come_again() -> None:
    bench = Bench()
    guest, old = bench.guest(), bench.guest(wtxid_relay=False)
    tx = payment(coins(bench)[0])
    guest.say(Tx(stripped(tx)))
    assert not waits(bench, tx)
    assert len(old.say(by_txid(tx))) == 1
    old.say(Tx(tx))
    assert waits(bench, tx)


def test_what_is_confirmed_is_not_fetched_until_its_block_falls() -> None:
    bench, other = Bench(), Bench(seed=2)
    guest = bench.guest()
    tx = payment(coins(bench)[0])
    enter(bench, tx)
    bench.mine()
    assert guest.say(announcing(tx)) == []
    guest.say(Tx(tx))
    assert not waits(bench, tx)
    for block in other.mine(2):
        guest.say(BlockMessage(block))
    assert waits(bench, tx)


def test_refusals_reach_the_one_who_entered_it() -> None:
    bench = Bench()
    with pytest.raises(Rejected, match="min relay fee not met"):
        bench.node.submit_transaction(payment(coins(bench)[0], fee=0), bench.now)
    bench.carry_out()
    assert bench.of(TransactionAccepted) == []


# Withholding.


def test_an_announcement_that_is_not_kept_delays_a_payment_by_two_seconds() -> None:
    bench = Bench()
    staller, honest = bench.guest(), bench.guest()
    tx = payment(coins(bench)[0])
    staller.say(announcing(tx))
    assert honest.say(announcing(tx)) == []
    bench.tick(2.5)
    assert asked(honest) == [tx.wtxid]


def test_notfound_moves_on_at_once() -> None:
    bench = Bench()
    first, second = bench.guest(), bench.guest()
    tx = payment(coins(bench)[0])
    first.say(announcing(tx))
    second.say(announcing(tx))
    first.say(NotFound((InventoryItem(MSG_WTX, tx.wtxid),)))
    assert asked(second) == [tx.wtxid]


def test_a_lost_link_moves_on_at_once() -> None:
    bench = Bench()
    first, second = bench.guest(), bench.guest()
    tx = payment(coins(bench)[0])
    first.say(announcing(tx))
    second.say(announcing(tx))
    first.leave()
    assert asked(second) == [tx.wtxid]


# Serving.


def test_what_is_not_here_is_not_found() -> None:
    bench = Bench()
    guest = bench.guest()
    missing = InventoryItem(MSG_WTX, b"\x01" * 32), InventoryItem(MSG_WITNESS_TX, b"\x02" * 32)
    assert guest.say(GetData(missing)) == [NotFound(missing)]


def test_a_slow_reader_is_told_that_there_is_no_more() -> None:
    bench = Bench()
    guest = bench.guest()
    tx = payment(coins(bench)[0])
    enter(bench, tx)
    bench.node.backlog = lambda link: 8_000_001
    item = InventoryItem(MSG_WTX, tx.wtxid)
    assert guest.say(GetData((item,))) == [NotFound((item,))]


# Orphans.


def family(bench: Bench, generations: int = 2) -> list[Transaction]:
    """Each spends the one before."""
    txs = [payment(coins(bench)[0])]
    while len(txs) < generations:
        txs.append(payment(coin_of(txs[-1])))
    return txs


def test_a_childs_parent_is_asked_for_and_brings_the_child_in() -> None:
    bench = Bench()
    guest, other = bench.guest(), bench.guest()
    parent, child = family(bench)
    guest.say(announcing(child))
    assert guest.say(Tx(child)) == [GetData((InventoryItem(MSG_WITNESS_TX, parent.txid),))]
    guest.say(Tx(parent))
    assert waits(bench, parent) and waits(bench, child)
    bench.tick()
    assert announced(other) == [parent.wtxid, child.wtxid]


def test_a_whole_family_comes_in_backwards() -> None:
    bench = Bench()
    guest = bench.guest()
    txs = family(bench, 5)
    for tx in reversed(txs):
        guest.say(Tx(tx))
    for _ in txs:
        bench.tick()
    assert all(waits(bench, tx) for tx in txs)


def test_only_so_many_orphans_are_looked_at_in_one_go() -> None:
    bench = Bench()
    guest = bench.guest()
    parent = payment(coins(bench)[0], (1,) * 25)
    children = [payment(coin_of(parent, index)) for index in range(25)]
    for child in children:
        guest.say(Tx(child))
    guest.say(Tx(parent))
    counts = [len(bench.node.mempool)]
    assert bench.node.wake_at() == bench.now
    while counts[-1] < 26 and len(counts) < 9:
        bench.tick()
        counts.append(len(bench.node.mempool))
    assert counts == [11, 21, 26]


def test_if_the_sender_withholds_the_parent_another_who_has_the_child_is_asked() -> None:
    bench = Bench()
    staller, honest = bench.guest(), bench.guest()
    parent, child = family(bench)
    staller.say(Tx(child))
    assert honest.say(announcing(child)) == []
    bench.tick(2.5)
    assert asked(honest) == [parent.txid]
    staller.leave()
    honest.say(Tx(parent))
    assert waits(bench, child)


def test_orphans_of_a_lost_link_go_with_it() -> None:
    bench = Bench()
    guest = bench.guest()
    parent, child = family(bench)
    guest.say(Tx(child))
    guest.leave()
    enter(bench, parent)
    assert not waits(bench, child)


def test_an_orphan_that_turns_out_bad_is_dropped_with_its_own() -> None:
    bench = Bench()
    guest = bench.guest()
    parent = payment(coins(bench)[0])
    bad = payment(coin_of(parent), fee=-1)
    grandchild = payment(coin_of(bad))
    guest.say(Tx(bad))
    guest.say(Tx(parent))
    assert waits(bench, parent) and not waits(bench, bad)
    # The parent of this one has been refused (by wtxid; without a witness that is its txid too).
    guest.say(Tx(grandchild))
    assert not waits(bench, grandchild)
    assert guest.closed is None


def test_a_child_of_a_refused_parent_is_refused() -> None:
    bench = Bench(NodeOptions(policy=PolicyOptions(accept_nonstandard=True)))
    guest = bench.guest()
    coin = coins(bench)[0]
    bad = Transaction(2, payment(coin).inputs, (TxOut(coin[1] + 1, b"\x51"),), 0)
    bad = stripped(bad)
    guest.say(Tx(bad))
    child = payment(coin_of(bad))
    guest.forget()
    guest.say(Tx(child))
    assert asked(guest) == []
    assert guest.say(announcing(child)) == []


def test_a_block_with_the_parent_brings_the_child_in() -> None:
    bench, miner = Bench(), Bench(seed=2)
    guest = bench.guest()
    parent, child = family(bench)
    guest.say(Tx(child))
    enter(miner, parent)
    [block] = miner.mine()
    guest.say(BlockMessage(block))
    assert waits(bench, child)
    assert not waits(bench, parent)


def test_ten_thousand_announcements_stay_within_bounds() -> None:
    bench = Bench()
    guest = bench.guest(address=NetAddress("10.1.1.1", 4000))
    for start in range(0, 100_000, 50_000):
        items = (
            InventoryItem(MSG_WTX, n.to_bytes(32, "big")) for n in range(start, start + 50_000)
        )
        guest.say(Inv(tuple(items)))
    assert len(guest.peer.offered) == 5_000
    assert len(guest.peer.known) == 5_000
    assert guest.closed is None
    guest.say_raw("inv", b"\xfd\x51\xc3" + bytes(36) * 50_001)
    assert guest.closed is not None and "50001 items" in guest.closed


# Parents that pay too little, and children that pay for them.


def poor_family(bench: Bench, fee: int = 900) -> tuple[Transaction, Transaction]:
    parent = payment(coins(bench)[0], fee=0)
    return parent, payment(coin_of(parent), fee=fee)


def test_an_orphan_pays_for_its_parent() -> None:
    bench = Bench()
    guest, other = bench.guest(), bench.guest()
    parent, child = poor_family(bench)
    guest.say(Tx(child))
    assert asked(guest) == [parent.txid]
    guest.say(Tx(parent))
    assert waits(bench, parent)
    assert waits(bench, child)
    bench.tick()
    assert set(announced(other)) == {parent.wtxid, child.wtxid}


def test_a_parent_refused_before_gets_another_chance() -> None:
    bench = Bench()
    guest = bench.guest()
    parent, child = poor_family(bench)
    guest.say(Tx(parent))
    assert not waits(bench, parent)
    assert guest.say(announcing(parent)) == []  # by itself it is not wanted again
    guest.say(Tx(child))
    assert asked(guest) == [parent.txid]
    guest.say(Tx(parent))
    assert waits(bench, child)


def test_a_family_that_pays_too_little_stays_out() -> None:
    bench = Bench()
    guest = bench.guest()
    parent, child = poor_family(bench, fee=1)
    for tx in (child, parent, parent):
        guest.say(Tx(tx))
    assert len(bench.node.mempool) == 0


def test_a_false_child_is_not_looked_at_twice() -> None:
    bench = Bench()
    guest = bench.guest()
    parent, child = poor_family(bench)
    guest.say(Tx(stripped(child)))
    guest.say(Tx(parent))
    assert len(bench.node.mempool) == 0
    bench.tick()
    assert guest.say(announcing(stripped(child))) == []


def test_a_family_crosses_a_network() -> None:
    network = Simulation(3, 4, rows=base_rows(), latency_s=0.02)
    network.now += BASE_HEIGHT
    for number in range(3):
        network.connect(number, number + 1)
    network.run(3)
    parent = payment(mature_coins(network.node(0).chainstate)[0], fee=0)
    child = payment(coin_of(parent), fee=900)
    network.node(0).submit_package([parent, child], 0, network.now)
    network.run(5)
    assert {entry.txid for entry in network.node(3).mempool} == {parent.txid, child.txid}
