"""Fetching bodies: how many, in which order, from whom, and what if they do not come."""

from chain.block import Block
from node.events import NetAddress
from node.messages import (
    MSG_WITNESS_BLOCK,
    BlockMessage,
    GetData,
    Headers,
    Inv,
    InventoryItem,
    NotFound,
)
from tests.node.guests import Bench, Guest


def grown(count: int, extra_nonce: int = 5) -> list[Block]:
    """Blocks after the base chain, unknown to any other bench."""
    return Bench(seed=99).mine(count, extra_nonce)


def announce(guest: Guest, blocks: list[Block]) -> None:
    guest.say(Headers(tuple(block.header for block in blocks)))


def asked(guest: Guest) -> list[bytes]:
    """The blocks it was asked for since it last listened anew."""
    items = [item for message in guest.of(GetData) for item in message.items]
    assert all(item.kind == MSG_WITNESS_BLOCK for item in items)
    return [item.hash for item in items]


def hashes(blocks: list[Block]) -> list[bytes]:
    return [block.hash for block in blocks]


def test_sixteen_at_a_time_lowest_first_each_from_one_peer() -> None:
    bench, blocks = Bench(), grown(40)
    guests = [bench.guest() for _ in range(3)]
    for guest in guests:
        announce(guest, blocks)
    assert [asked(guest) for guest in guests] == [
        hashes(blocks[:16]),
        hashes(blocks[16:32]),
        hashes(blocks[32:]),
    ]


def test_a_delivered_block_makes_room_for_the_next() -> None:
    bench, blocks = Bench(), grown(20)
    guest = bench.guest()
    announce(guest, blocks)
    guest.forget()
    guest.say(BlockMessage(blocks[0]))
    assert asked(guest) == [blocks[16].hash]
    assert bench.node.chainstate.tip.hash == blocks[0].hash


def test_blocks_connect_in_order_whatever_the_order_of_arrival() -> None:
    bench, blocks = Bench(), grown(10)
    guest = bench.guest()
    announce(guest, blocks)
    for block in reversed(blocks):
        guest.say(BlockMessage(block))
    assert bench.node.chainstate.tip.hash == blocks[-1].hash


def test_nothing_is_fetched_beyond_the_window() -> None:
    bench, blocks = Bench(), grown(1050)
    guests = [bench.guest() for _ in range(66)]
    for guest in guests:
        announce(guest, blocks)
    wanted = [block_hash for guest in guests for block_hash in asked(guest)]
    assert wanted == hashes(blocks[:1024])


def test_a_branch_with_less_work_is_not_fetched() -> None:
    bench, blocks = Bench(), grown(3)
    bench.mine(4)
    guest = bench.guest()
    announce(guest, blocks)
    assert asked(guest) == []


def test_those_we_dialled_are_asked_first() -> None:
    bench, blocks = Bench(), grown(1)
    bench.guest(shaken=False)  # not ready: never asked
    came = bench.guest()
    dialled = bench.guest(inbound=False, address=NetAddress("10.5.5.5", 18444))
    came.peer.best_known = bench.node.chainstate.headers.best_header
    came.say(Inv((InventoryItem(2, blocks[0].hash),)))
    announce(dialled, blocks)
    assert asked(dialled) == hashes(blocks)


def test_who_withholds_is_passed_over_after_seconds_and_cut_after_a_minute() -> None:
    bench, blocks = Bench(), grown(2)
    staller, honest = bench.guest(), bench.guest()
    announce(staller, blocks)
    announce(honest, blocks)
    assert (asked(staller), asked(honest)) == (hashes(blocks), [])
    bench.tick(5)
    assert asked(honest) == []
    bench.tick(1)
    assert asked(honest) == hashes(blocks)
    for block in blocks:
        honest.say(BlockMessage(block))
    assert bench.node.chainstate.tip.hash == blocks[-1].hash
    bench.tick(50)
    assert staller.closed is None
    bench.tick(10)
    assert staller.closed == "a block that we asked for did not come"
    assert honest.closed is None


def test_many_withholding_links_delay_a_block_once_only() -> None:
    """Those who were slow come last with the next block, who was of use comes first."""
    bench, blocks = Bench(), grown(2)
    stallers = [bench.guest() for _ in range(5)]
    honest = bench.guest()
    for guest in (*stallers, honest):
        announce(guest, blocks[:1])
    seconds = 0
    while not asked(honest):
        bench.tick(1)
        seconds += 1
    assert seconds <= 12
    honest.say(BlockMessage(blocks[0]))
    honest.forget()
    for guest in (*stallers, honest):
        announce(guest, blocks[1:])
    bench.tick(6)
    assert asked(honest) == [blocks[1].hash]


def test_a_hundred_silent_links_delay_a_block_by_seconds() -> None:
    blocks = grown(1)
    bench = Bench()
    guests = [bench.guest() for _ in range(101)]
    for guest in guests:
        announce(guest, blocks)
    first = next(guest for guest in guests if asked(guest))
    honest = guests[-1]
    assert first is guests[0]
    seconds, counts = 0, [1]
    while not asked(honest):
        bench.tick(1)
        seconds += 1
        count = sum(map(len, map(asked, guests)))
        if count > sum(counts):
            counts.append(count - sum(counts))
    assert seconds <= 30
    assert counts == [1, 2, 4, 8, 16, 32, 38][: len(counts)]
    honest.say(BlockMessage(blocks[0]))
    assert bench.node.chainstate.tip.hash == blocks[0].hash


def test_leaving_at_the_last_moment_wins_no_more_time() -> None:
    bench, blocks = Bench(), grown(1)
    guests = [bench.guest() for _ in range(64)]
    for guest in guests:
        announce(guest, blocks)
    rounds = 0
    while not asked(guests[-1]):
        for guest in [guest for guest in guests if guest.peer.blocks_asked]:
            guest.forget()
            guest.peer.is_closing = True
            bench.node._download.forget(guest.peer)
        bench.tick(0.1)
        rounds += 1
    assert rounds <= 6


def test_among_equals_the_lot_decides_who_is_asked_next() -> None:
    blocks, chosen = grown(1), set()
    for seed in range(12):
        bench = Bench(seed=seed)
        guests = [bench.guest() for _ in range(5)]
        for guest in guests:
            announce(guest, blocks)
        bench.tick(6)
        chosen.update(number for number in range(1, 5) if asked(guests[number]))
    assert chosen == {1, 2, 3, 4}


def test_who_has_sent_us_a_block_is_asked_before_others() -> None:
    blocks = grown(2)
    for seed in range(8):
        bench = Bench(seed=seed)
        silent, *others, useful = [bench.guest() for _ in range(8)]
        useful.say(BlockMessage(blocks[0]))
        for guest in (silent, *others, useful):
            announce(guest, blocks[1:])
        bench.tick(6)
        assert asked(useful) == [blocks[1].hash]


def test_a_slow_peer_that_is_the_only_one_may_take_its_time() -> None:
    bench, blocks = Bench(), grown(5)
    guest = bench.guest()
    announce(guest, blocks)
    bench.tick(20)
    assert guest.peer.is_slow_until > bench.now
    guest.forget()
    guest.say(BlockMessage(blocks[0]))
    assert guest.peer.is_slow_until > bench.now  # one late block proves nothing
    assert asked(guest) == []  # it owes the rest still, and is not asked twice
    for block in blocks[1:]:
        guest.say(BlockMessage(block))
    assert bench.node.chainstate.tip.hash == blocks[-1].hash


def test_one_that_trickles_does_not_hold_up_the_others() -> None:
    blocks = grown(20)
    bench = Bench()
    trickler = bench.guest()
    announce(trickler, blocks)
    assert asked(trickler) == hashes(blocks[:16])
    quick = bench.guest()
    announce(quick, blocks)
    assert asked(quick) == hashes(blocks[16:])
    for block in blocks[16:]:
        quick.say(BlockMessage(block))
    quick.forget()
    for second in range(6):
        if second == 4:
            trickler.say(BlockMessage(blocks[0]))
        bench.tick(1)
    assert asked(quick) == hashes(blocks[1:16])
    for block in blocks[1:16]:
        quick.say(BlockMessage(block))
    assert bench.node.chainstate.tip.hash == blocks[-1].hash
    assert trickler.closed is None


def test_a_slow_peer_is_asked_for_one_block_if_nobody_else_has_it() -> None:
    bench, blocks = Bench(), grown(6)
    guest, other = bench.guest(), bench.guest()
    announce(guest, blocks[:1])
    announce(other, blocks[:1])
    bench.tick(6)
    other.say(BlockMessage(blocks[0]))
    guest.say(NotFound((InventoryItem(MSG_WITNESS_BLOCK, blocks[0].hash),)))
    guest.forget()
    announce(guest, blocks[1:])
    assert asked(guest) == [blocks[1].hash]


def test_a_lost_link_hands_its_blocks_to_others() -> None:
    bench, blocks = Bench(), grown(3)
    first, second = bench.guest(), bench.guest()
    announce(first, blocks)
    announce(second, blocks)
    first.leave()
    assert asked(second) == hashes(blocks)


def test_who_says_notfound_is_believed_until_it_announces_again() -> None:
    bench, blocks = Bench(), grown(1)
    liar, honest = bench.guest(), bench.guest()
    announce(liar, blocks)
    not_found = NotFound((InventoryItem(MSG_WITNESS_BLOCK, blocks[0].hash),))
    liar.say(not_found)
    assert len(asked(liar)) == 1
    honest.say(not_found)  # of what it was not asked for: nothing
    announce(honest, blocks)
    assert asked(honest) == hashes(blocks)
    assert liar.closed is None
    honest.leave()
    announce(liar, blocks)
    assert len(asked(liar)) == 2


def test_a_block_from_elsewhere_is_owed_no_more() -> None:
    bench, blocks = Bench(), grown(1)
    guest = bench.guest()
    announce(guest, blocks)
    bench.node.submit_block(blocks[0], bench.now)
    bench.carry_out()
    assert guest.peer.blocks_asked == {}
    bench.tick(100)
    assert guest.closed is None
