"""From a bare link to one on which peers can talk, and how silent ones are noticed."""

import pytest

from chain.params import REGTEST
from node.core import NodeOptions
from node.events import NetAddress
from node.messages import (
    FeeFilter,
    GetAddr,
    GetHeaders,
    Message,
    Ping,
    Pong,
    SendAddrV2,
    SendHeaders,
    Verack,
    Version,
    WtxidRelay,
)
from node.simulator import Simulation
from tests.node.guests import Bench, version

SOMEWHERE = NetAddress("10.9.9.9", 18444)


def kinds(messages: list[Message]) -> list[type[Message]]:
    return [type(message) for message in messages]


def test_two_nodes_shake_hands() -> None:
    network = Simulation(1, 2)
    network.connect(0, 1)
    network.run(3)
    for number in 0, 1:
        [peer] = network.node(number).peers.values()
        assert peer.is_open
        assert peer.wtxid_relay and peer.wants_new_addresses and peer.prefers_headers
        assert peer.version is not None and peer.version.user_agent == "/Farthing:0.1.0/"
        assert peer.ping_time_s is not None and 0.01 < peer.ping_time_s < 1


def test_the_dialler_says_version_first_and_the_dialled_answers() -> None:
    bench = Bench()
    dialled = bench.guest(inbound=False, address=SOMEWHERE, shaken=False)
    assert kinds(dialled.heard) == [Version]
    assert kinds(dialled.say(version())) == [WtxidRelay, SendAddrV2, Verack]
    assert kinds(dialled.say(Verack())) == [GetAddr, SendHeaders, GetHeaders, FeeFilter]
    dialling = bench.guest(inbound=True, shaken=False)
    assert dialling.heard == []
    assert kinds(dialling.say(version())) == [Version, WtxidRelay, SendAddrV2, Verack]
    assert kinds(dialling.say(Verack())) == [SendHeaders, GetHeaders, FeeFilter]


def test_the_version_tells_height_time_and_where_we_listen() -> None:
    listening = NetAddress("10.0.0.7", 18444)
    bench = Bench(NodeOptions(allow_private_peers=True, listen_address=listening))
    guest = bench.guest(inbound=False, address=SOMEWHERE, shaken=False)
    said = guest.last(Version)
    assert (said.version, said.services, said.relay) == (70016, 9, True)
    assert (said.start_height, said.time) == (110, int(bench.now))
    assert (said.sender.host, said.sender.port) == tuple(listening)
    assert (said.receiver.host, said.receiver.port) == tuple(SOMEWHERE)


def test_what_comes_before_its_turn_is_ignored() -> None:
    guest = Bench().guest(shaken=False)
    for message in Verack(), WtxidRelay(), Ping(1), GetAddr():
        assert guest.say(message) == []
    guest.say(version())
    assert guest.say(Ping(1)) == []  # still before verack
    assert guest.say(version()) == []
    guest.say(Verack())
    assert guest.say(Ping(5)) == [Pong(5)]
    assert guest.say(version()) == []
    assert guest.say(Verack()) == []
    assert guest.closed is None


@pytest.mark.parametrize("late", [WtxidRelay(), SendAddrV2()])
def test_what_belongs_into_the_handshake_closes_the_link_after_it(late: Message) -> None:
    guest = Bench().guest()
    guest.say(late)
    assert guest.closed is not None and "after the handshake" in guest.closed


def test_old_protocols_and_peers_without_blocks_are_refused() -> None:
    bench = Bench()
    old = bench.guest(shaken=False)
    old.say(version(version=70011))
    assert old.closed == "speaks the old protocol 70011"
    light = bench.guest(inbound=False, address=SOMEWHERE, shaken=False)
    light.say(version(services=8))
    assert light.closed == "does not serve the whole chain"
    asks_us = bench.guest(shaken=False)
    asks_us.say(version(services=0))
    assert asks_us.closed is None


def test_a_node_that_dials_itself_notices() -> None:
    bench = Bench()
    bench.node.connect_to(SOMEWHERE, bench.now)
    bench.carry_out()
    assert bench.dials() == [SOMEWHERE]
    dialled = bench.guest(inbound=False, address=SOMEWHERE, shaken=False)
    arriving = bench.guest(inbound=True, shaken=False)
    arriving.say(dialled.last(Version))
    assert arriving.closed == "that is ourselves"
    dialled.leave()
    bench.tick(100)
    assert bench.dials() == []  # it is not tried again


def test_two_nodes_that_are_one_in_the_simulator() -> None:
    network = Simulation(1, 2)
    network.connect(0, 1)
    with pytest.raises(ValueError, match="address of this node"):
        network.connect(0, 0)


def test_who_does_not_shake_hands_within_a_minute_goes() -> None:
    bench = Bench()
    mute, polite = bench.guest(shaken=False), bench.guest()
    bench.tick(60)
    assert mute.closed is None
    bench.tick(1)
    assert mute.closed == "no handshake"
    assert polite.closed is None
    assert list(bench.node.peers) == [polite.link]


def test_ping_and_pong() -> None:
    bench = Bench()
    guest = bench.guest()
    bench.tick()
    ping = guest.last(Ping)
    bench.now += 3
    guest.say(Pong(ping.nonce + 1))
    assert guest.peer.ping_time_s is None
    guest.say(Pong(ping.nonce))
    assert guest.peer.ping_time_s == 3
    guest.forget()
    bench.tick(117)
    assert guest.of(Ping) == []
    bench.tick(1)
    assert len(guest.of(Ping)) == 1
    bench.tick(20 * 60)
    assert guest.closed is None
    bench.tick(1)
    assert guest.closed == "no pong"


def test_the_clock_is_nobodys_business() -> None:
    bench = Bench()
    for _ in range(50):
        bench.guest(time=int(bench.now) + 70 * 60)
    block = bench.block()
    assert block.header.time == int(bench.now)
    assert REGTEST.name == "regtest"
