"""What was handed in here is announced until somebody asks for it."""

import pytest

from node.messages import MSG_WTX, GetData, Inv, InventoryItem, Ping, Pong, Tx
from tests.node.guests import Bench, Guest
from tests.node.test_relay import announced, coins, enter
from tests.simulation.base import payment


@pytest.fixture
def bench() -> Bench:
    return Bench()


def unbroadcast(bench: Bench) -> list[bytes]:
    return list(bench.node.mempool.unbroadcast)


def ask(guest: Guest, wtxid: bytes) -> None:
    guest.say(GetData((InventoryItem(MSG_WTX, wtxid),)))


def repeats(bench: Bench, guest: Guest, seconds: int) -> list[int]:
    """After how many seconds something was announced again."""
    times = []
    for second in range(1, seconds + 1):
        guest.forget()
        bench.tick()
        for ping in guest.of(Ping):
            guest.say(Pong(ping.nonce))
        if announced(guest):
            times.append(second)
    return times


def test_what_is_handed_in_is_announced_again_every_ten_to_fifteen_minutes(bench: Bench) -> None:
    guest = bench.guest()
    tx = payment(coins(bench)[0])
    enter(bench, tx)
    assert announced(guest) == [tx.wtxid]
    assert unbroadcast(bench) == [tx.txid]
    times = repeats(bench, guest, 3_600)
    pauses = [later - earlier for earlier, later in zip([0, *times], times, strict=False)]
    assert 4 <= len(times) <= 6
    assert all(600 <= pause <= 902 for pause in pauses), pauses
    assert len(set(pauses)) > 1
    ask(guest, tx.wtxid)
    assert guest.of(Tx)
    assert unbroadcast(bench) == []
    assert repeats(bench, guest, 1_000) == []
    assert tx.txid in bench.node.mempool


def test_being_told_of_it_is_not_asking_for_it(bench: Bench) -> None:
    guest = bench.guest()
    tx = payment(coins(bench)[0])
    enter(bench, tx)
    guest.say(Inv((InventoryItem(MSG_WTX, tx.wtxid),)))
    ask(guest, bytes(32))
    assert unbroadcast(bench) == [tx.txid]


def test_what_peers_bring_is_not_ours_to_spread(bench: Bench) -> None:
    guest = bench.guest()
    tx = payment(coins(bench)[0])
    guest.say(Tx(tx))
    assert tx.txid in bench.node.mempool
    assert unbroadcast(bench) == []
    enter(bench, tx)  # it is known already
    assert unbroadcast(bench) == []


def test_what_is_mined_or_refused_is_not_announced_again(bench: Bench) -> None:
    guest = bench.guest()
    first, second = (payment(coin) for coin in coins(bench)[:2])
    enter(bench, first)
    bench.mine()
    assert unbroadcast(bench) == []
    bench.tick()
    enter(bench, second)
    assert unbroadcast(bench) == [second.txid]
    assert len(repeats(bench, guest, 950)) == 1
