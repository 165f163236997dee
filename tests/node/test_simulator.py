"""The simulator itself: order, loss, splits, crashes, and one history a seed."""

from random import Random

import pytest

from node.events import BlockConnected, Dial, Effect, NetAddress
from node.mempool.reasons import Rejected
from node.simulator import (
    CrashingStore,
    Simulation,
    address_of,
    number_of,
)
from tests.simulation.base import BASE_HEIGHT, base_rows, mature_coins, payment


def ring(seed: int, count: int = 5) -> Simulation:
    network = Simulation(seed, count, rows=base_rows())
    network.now += BASE_HEIGHT
    for number in range(count):
        network.connect(number, (number + 1) % count)
    network.run(5)
    return network


def tips(network: Simulation) -> set[bytes]:
    return {network.node(number).chainstate.tip.hash for number in network.up}


def test_addresses_and_numbers() -> None:
    assert [number_of(address_of(number)) for number in (0, 249, 250, 999)] == [0, 249, 250, 999]
    assert len({address_of(number) for number in range(1000)}) == 1000


def test_a_store_forgets_what_was_not_synced_when_it_crashes() -> None:
    survivors = set()
    for seed in range(50):
        store = CrashingStore({b"a": b"0"})
        store.write({b"a": b"1"}, sync=True)
        store.write({b"a": b"2", b"b": b"2"})
        store.write({b"a": None})
        store.crash(Random(seed))
        survivors.add((store.get(b"a"), store.get(b"b")))
    assert survivors == {(b"1", None), (b"2", b"2"), (None, b"2")}


def test_the_same_seed_is_the_same_history() -> None:
    def history(seed: int) -> tuple[str, int]:
        network = ring(seed)
        network.loss = 0.01
        network.mine(0)
        network.crash(1)
        network.run(20)
        network.start(1)
        network.run(20)
        return network.trace, network.events

    assert history(1) == history(1)
    assert history(1)[0] != history(2)[0]


def test_a_split_network_goes_two_ways_and_meets_again() -> None:
    network = ring(3, 6)
    network.split([[0, 1, 2], [3, 4, 5]])
    network.mine(0)
    network.mine(4)
    network.run(3)
    network.mine(5)
    network.run(10)
    assert len(tips(network)) == 2
    network.heal()
    assert network.run_until(lambda: len(tips(network)) == 1, 60)
    assert network.node(0).chainstate.tip.height == BASE_HEIGHT + 2


def test_lost_messages_reset_links_and_nodes_dial_again() -> None:
    network = ring(4)
    network.loss = 0.2
    dialled = []

    def watch(number: int, effect: Effect) -> None:
        if isinstance(effect, Dial):
            dialled.append(number)

    network.on_effect = watch
    for _ in range(5):
        network.mine(0)
        network.run(10)
    assert dialled
    network.loss = 0.0
    assert network.run_until(lambda: len(tips(network)) == 1, 120)


def test_a_crashed_node_is_down_then_catches_up() -> None:
    network = ring(5)
    network.crash(2)
    assert network.up == [0, 1, 3, 4]
    with pytest.raises(KeyError, match="node 2 is down"):
        network.node(2)
    network.mine(0)
    network.run(10)
    network.start(2)
    network.start(2)  # it runs already
    assert network.run_until(lambda: len(tips(network)) == 1 and len(network.up) == 5, 60)


def test_a_node_keeps_the_blocks_it_acknowledged() -> None:
    network = ring(6, 2)
    for _ in range(20):
        block = network.mine(0)
        network.crash(0)
        network.start(0)
        assert network.node(0).chainstate.tip.hash == block.hash
        network.run(1)


def test_refusals_come_through() -> None:
    network = ring(7, 2)
    coin = mature_coins(network.node(0).chainstate)[0]
    with pytest.raises(Rejected):
        network.submit(0, payment(coin, fee=0))
    assert network.submit(0, payment(coin)).fee == 400


def test_dials_into_nowhere_fail() -> None:
    network = ring(8, 2)
    network.node(0).connect_to(NetAddress("10.0.3.9", 18444), network.now)
    network._carry_out(0, network.node(0).take_effects())
    network.crash(1)
    network.run(10)
    network.crash(0)
    network.run(10)
    assert network.up == []


def test_a_node_that_dials_itself_under_another_name_notices() -> None:
    network = Simulation(9, 1)
    alias = NetAddress("10.0.0.1", 9999)
    network.node(0).connect_to(alias, network.now)
    network._carry_out(0, network.node(0).take_effects())
    network.run(30)
    assert network.node(0).peers == {}


def test_time_passes_even_where_nothing_happens() -> None:
    network = Simulation(10, 0)
    began = network.now
    assert not network.run_until(lambda: False, 5)
    assert network.now == began + 5
    done = []
    network.later(2, lambda: done.append(network.now))
    network.run(3)
    assert done == [began + 7]


def test_what_nodes_do_can_be_watched() -> None:
    network = ring(11, 3)
    seen = []
    network.on_effect = lambda number, effect: (
        seen.append(number) if isinstance(effect, BlockConnected) else None
    )
    network.mine(1)
    network.run(5)
    assert sorted(seen) == [0, 1, 2]
