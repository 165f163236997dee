"""Two clocks: one may jump, the other only goes forward."""

import pytest

from node.clock import Clock
from node.messages import Inv, Ping
from tests.node.guests import Bench
from tests.simulation.base import mature_coins, payment


def test_the_steady_clock_goes_forward_only() -> None:
    clock = Clock()
    clock.move(1_000_000.5)
    assert (clock.unix, clock.steady) == (1_000_000, 1_000_000.5)
    clock.move(900_000.0)
    assert (clock.unix, clock.steady) == (900_000, 1_000_000.5)
    clock.move(900_001.0)
    assert (clock.unix, clock.steady) == (900_001, 1_000_001.5)
    assert clock.when(1_000_003.5) == 900_003.0


def test_who_asks_moves_the_time_of_day_only() -> None:
    clock = Clock()
    clock.set(900.0)
    assert (clock.unix, clock.steady) == (900, 900.0)
    clock.move(1000.0)
    clock.set(5000.0)
    assert (clock.unix, clock.steady) == (5000, 1000.0)
    clock.move(1001.0)
    assert (clock.unix, clock.steady) == (1001, 1001.0)


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_clock_that_jumps_by_a_day_stops_nothing(jump: int) -> None:
    bench = Bench()
    guest = bench.guest()
    coins = mature_coins(bench.node.chainstate)
    txs = [payment(coin) for coin in coins[:2]]
    bench.node.submit_transaction(txs[0], bench.now)
    bench.carry_out()
    bench.tick(-abs(jump) if jump < 0 else jump)
    bench.node.submit_transaction(txs[1], bench.now)
    bench.carry_out()
    bench.tick(1)
    # Whoever did not ask for the first within a day hears of it again.
    again = [txs[0].wtxid] if jump > 0 else []
    heard = [item.hash for message in guest.of(Inv) for item in message.items]
    assert sorted(heard) == sorted([*again, *(tx.wtxid for tx in txs)])
    for _ in range(5):
        bench.tick(61)
        guest.say(Ping(1))
    assert guest.of(Ping)
