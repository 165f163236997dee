"""The node as a whole: whatever comes in, and what its own process asks of it."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.errors import Invalid
from chain.params import CLASSROOM, REGTEST
from chain.store import MemoryStore, StoreError
from node.core import Node, NodeOptions
from node.events import (
    BlockConnected,
    BlockDisconnected,
    DialFailed,
    LinkClosed,
    LinkOpened,
    Misframed,
    Received,
    Tick,
    TransactionAccepted,
    TransactionRemoved,
)
from node.messages import Ping, Unknown, decode
from node.simulator import CrashingStore
from node.wire import MAX_PAYLOAD_SIZE
from tests.node.guests import Bench
from tests.simulation.base import BASE_HEIGHT, PAY_TO_ANYONE, base_rows, mature_coins, payment

COMMANDS = (
    "version verack addr addrv2 sendaddrv2 getaddr inv getdata notfound getheaders headers "
    "sendheaders tx wtxidrelay block ping pong feefilter cmpctblock mempool"
).split()


def test_a_node_begins_at_the_genesis_block() -> None:
    node = Node(REGTEST, MemoryStore(), rng=Random(1))
    assert node.chainstate.tip.height == 0
    assert node.handle(Tick(), 1.7e9) == []
    assert node.wake_at() is None


def test_a_store_of_another_network_is_refused() -> None:
    with pytest.raises(StoreError):
        Node(CLASSROOM, CrashingStore(base_rows()), rng=Random(1))


def test_a_block_entered_here_is_told_of_and_its_payments_are_gone() -> None:
    bench = Bench()
    tx = payment(mature_coins(bench.node.chainstate)[0])
    entry = bench.node.submit_transaction(tx, bench.now)
    assert entry.tx is tx
    [block] = bench.mine()
    assert block.transactions[1] == tx
    [connected] = bench.of(BlockConnected)
    assert isinstance(connected, BlockConnected)
    assert (connected.entry.height, connected.block) == (BASE_HEIGHT + 1, block)
    kinds = [type(effect) for effect in bench.effects]
    assert kinds == [TransactionAccepted, BlockConnected, TransactionRemoved]
    acceptance = bench.node.submit_block(block, bench.now)
    assert not acceptance.is_new
    assert bench.node.take_effects() == []


def test_a_wrong_block_entered_here_is_refused() -> None:
    bench = Bench()
    block = bench.block()
    early = block.header._replace(time=0)
    with pytest.raises(Invalid):
        bench.node.submit_block(type(block)(early, block.transactions), bench.now)


def test_invalidate_and_reconsider() -> None:
    bench = Bench()
    tx = payment(mature_coins(bench.node.chainstate)[0])
    bench.node.submit_transaction(tx, bench.now)
    first, second = bench.mine(2)
    bench.effects.clear()
    changes = bench.node.invalidate(first.hash, bench.now)
    bench.carry_out()
    assert len(changes.disconnected) == 2
    assert [type(effect) for effect in bench.effects] == [
        BlockDisconnected,
        BlockDisconnected,
        TransactionAccepted,
    ]
    assert tx.txid in bench.node.mempool
    bench.node.reconsider(first.hash, bench.now)
    assert bench.node.chainstate.tip.hash == second.hash
    assert tx.txid not in bench.node.mempool
    with pytest.raises(KeyError):
        bench.node.invalidate(bytes(32), bench.now)
    with pytest.raises(ValueError, match="genesis"):
        bench.node.invalidate(REGTEST.genesis.hash, bench.now)


def test_a_block_is_assembled_of_what_waits() -> None:
    bench = Bench()
    tx = payment(mature_coins(bench.node.chainstate)[0], fee=777)
    bench.node.submit_transaction(tx, bench.now)
    block = bench.node.assemble_block(PAY_TO_ANYONE, bench.now, 3)
    assert block.transactions[1:] == (tx,)
    assert block.transactions[0].outputs[0].value == 50 * 100_000_000 + 777
    assert block.header.prev_hash == bench.node.chainstate.tip.hash


def test_what_waited_too_long_goes() -> None:
    bench = Bench()
    tx = payment(mature_coins(bench.node.chainstate)[0])
    bench.node.submit_transaction(tx, bench.now)
    bench.tick(336 * 3600 + 1)
    assert tx.txid not in bench.node.mempool
    assert TransactionRemoved(tx.txid, "expired") in bench.effects


# Links.


def test_only_so_many_may_come() -> None:
    bench = Bench(NodeOptions(max_inbound=2))
    first, second, third = (bench.guest(shaken=False) for _ in range(3))
    assert (first.closed, second.closed) == (None, None)
    assert third.closed == "no room for another link"
    first.leave()
    assert bench.guest().closed is None


def test_what_is_not_a_frame_costs_the_link() -> None:
    bench = Bench()
    guest = bench.guest()
    bench.event(Misframed(guest.link, "wrong checksum of a ping message"))
    assert guest.closed == "wrong checksum of a ping message"
    bench.event(Misframed(guest.link, "again"))


def test_events_of_unknown_links_are_ignored() -> None:
    bench = Bench()
    bench.event(LinkClosed(77))
    bench.event(Received(77, "ping", bytes(8)))
    bench.event(Misframed(77, "?"))
    assert bench.effects == []


def test_unknown_messages_are_ignored_and_malformed_ones_cost_the_link() -> None:
    guest = Bench().guest()
    assert guest.say(Unknown("dance", b"\x01")) == []
    assert guest.say(Ping(3)) != []
    guest.say_raw("inv", b"\x01")
    assert guest.closed is not None and guest.closed.startswith("malformed inv: ")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("shaken", [True, False])
def test_no_message_in_any_state_raises(command: str, shaken: bool) -> None:
    for payload in b"", b"\x00", bytes(80), b"\xff" * 200, b"\x01" + bytes(500):
        bench = Bench()
        guest = bench.guest(shaken=shaken)
        guest.say_raw(command, payload)
        bench.tick()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(COMMANDS), st.binary(max_size=300)),
            st.tuples(st.sampled_from(COMMANDS[:12]), st.just(b"")),
            st.integers(0, 200),
        ),
        max_size=25,
    )
)
def test_no_conversation_raises(script: list[tuple[str, bytes] | int]) -> None:
    bench = Bench()
    guest = bench.guest()
    for line in script:
        if isinstance(line, int):
            bench.tick(line)
        else:
            guest.say_raw(*line)
        if guest.closed:
            guest = bench.guest()


def test_every_answer_to_a_stranger_can_be_decoded() -> None:
    bench = Bench()
    guest = bench.guest()
    for message in guest.heard:
        assert decode(message.command, message.payload()) == message
    assert MAX_PAYLOAD_SIZE == 4_000_000


def test_the_same_events_have_the_same_effects() -> None:
    def history(seed: int) -> list[object]:
        bench = Bench(seed=seed)
        bench.event(LinkOpened(900, False, None))
        bench.event(DialFailed(("10.0.0.1", 1)))  # type: ignore[arg-type]
        bench.guest()
        bench.mine()
        bench.tick()
        return list(bench.effects)

    assert str(history(1)) == str(history(1))
    assert str(history(1)) != str(history(2))  # nonces come from the rng handed in
