"""Whom the node dials, and what it tells and learns about addresses."""

import pytest

from node.core import NodeOptions
from node.events import DialFailed, NetAddress
from node.messages import Addr, AddrV2, GetAddr, Message, PeerAddress
from node.simulator import CrashingStore, Simulation, address_of
from tests.node.guests import Bench, Guest
from tests.simulation.base import base_rows

HOME = NetAddress("10.0.0.1", 18444)


def private(number: int) -> NetAddress:
    return NetAddress(f"10.{number // 200}.{number % 200}.9", 18444)


def public(number: int) -> NetAddress:
    return NetAddress(f"{11 + number // 250}.{number % 250}.1.1", 8333)


def told(bench: Bench, *addresses: NetAddress, age_s: int = 60) -> tuple[PeerAddress, ...]:
    return tuple(PeerAddress.of(*each, 9, int(bench.now) - age_s) for each in addresses)


def gossip(guest: Guest, *addresses: NetAddress) -> list[Message]:
    return guest.say(AddrV2(told(guest.bench, *addresses)))


def of(guest: Guest) -> list[NetAddress]:
    """The addresses it was told."""
    old = [each for message in guest.of(Addr) for each in message.addresses]
    new = [each for message in guest.of(AddrV2) for each in message.addresses]
    return [NetAddress(str(each.host), each.port) for each in old + new]


def named(bench: Bench, address: NetAddress) -> None:
    bench.node.connect_to(address, bench.now)
    bench.carry_out()


# Dialling.


def test_a_named_peer_is_dialled_at_once_and_again_with_growing_pauses() -> None:
    bench = Bench()
    named(bench, private(1))
    assert bench.dials() == [private(1)]
    times = []
    for _ in range(12):
        bench.refuse(private(1))
        began = bench.now
        while not bench.dials():
            bench.tick(0.25)
        times.append(bench.now - began)
    assert times[0] <= 1
    assert times[-1] > 10
    assert max(times) <= 46


def test_a_named_peer_is_dialled_again_when_its_link_is_lost() -> None:
    bench = Bench()
    named(bench, private(1))
    guest = bench.guest(inbound=False, address=private(1))
    assert guest.peer.is_manual
    bench.dials()
    bench.tick(60)
    assert bench.dials() == []
    guest.leave()
    bench.tick(1)
    assert bench.dials() == [private(1)]


def test_a_named_peer_that_misbehaves_is_left_alone_for_a_while_but_not_given_up() -> None:
    bench = Bench()
    named(bench, private(1))
    guest = bench.guest(inbound=False, address=private(1))
    bench.dials()
    guest.say_raw("ping", b"")
    assert guest.closed is not None
    assert not bench.node.addresses.is_discouraged(private(1), bench.now)
    bench.tick(10)
    assert bench.dials() == []
    bench.tick(40)
    assert bench.dials() == [private(1)]


def test_a_dial_that_nobody_reports_on_has_failed() -> None:
    bench = Bench()
    named(bench, private(1))
    bench.dials()
    bench.tick(60)
    assert bench.dials() == []
    bench.tick(1)
    bench.tick(1)
    assert bench.dials() == [private(1)]


def test_one_cannot_name_oneself_or_too_many() -> None:
    bench = Bench(NodeOptions(allow_private_peers=True, listen_address=HOME))
    with pytest.raises(ValueError, match="address of this node"):
        named(bench, HOME)
    for number in range(100):
        named(bench, private(number))
    with pytest.raises(ValueError, match="100 peers are named already"):
        named(bench, private(100))


def test_addresses_of_the_book_fill_the_places_of_our_own_choice() -> None:
    bench = Bench(NodeOptions(max_outbound=3))
    source = bench.guest(inbound=False, address=public(900))  # takes a place itself
    gossip(source, *map(public, range(100)))
    dialled = []
    for _ in range(10):
        bench.tick(0.5)
        dialled += bench.dials()
    assert len(dialled) == len(set(dialled)) == 2
    bench.refuse(dialled[0])
    bench.guest(inbound=False, address=dialled[1])
    bench.tick(0.5)
    [third] = bench.dials()
    bench.guest(inbound=False, address=third)
    bench.tick(10)
    assert bench.dials() == []


def test_one_place_for_each_group() -> None:
    bench = Bench()
    source = bench.guest(address=public(900))
    gossip(source, NetAddress("9.9.1.1", 8333))
    source = bench.guest(address=public(901))
    gossip(source, NetAddress("9.9.2.2", 8333))
    for _ in range(5):
        bench.tick(0.5)
    assert len(bench.dials()) == 1


def test_an_unproven_address_is_not_hammered() -> None:
    bench = Bench()
    gossip(bench.guest(), public(1))
    bench.tick(0.5)
    assert bench.dials() == [public(1)]
    bench.refuse(public(1))
    for _ in range(19):
        bench.tick(30)
    assert bench.dials() == []
    bench.tick(60)
    assert bench.dials() == [public(1)]


def test_a_failed_dial_of_a_stranger_is_no_trouble() -> None:
    bench = Bench()
    bench.event(DialFailed(public(5)))
    bench.tick()
    assert bench.dials() == []


def test_a_peer_of_the_book_that_misbehaves_is_avoided() -> None:
    bench = Bench()
    bad = bench.guest(inbound=False, address=public(1))
    bad.say_raw("ping", b"")
    assert bench.node.addresses.is_discouraged(public(1), bench.now)
    assert bench.node.addresses.is_discouraged(public(1)._replace(port=9999), bench.now)


def test_on_private_ranges_only_the_listen_address_is_avoided_never_the_host() -> None:
    bench = Bench()
    bad = bench.guest(address=NetAddress("10.0.0.9", 50_000))
    gossip(bad, NetAddress("10.0.0.9", 18444))
    bad.say_raw("ping", b"")
    assert bench.node.addresses.is_discouraged(NetAddress("10.0.0.9", 18444), bench.now)
    assert not bench.node.addresses.is_discouraged(NetAddress("10.0.0.9", 18445), bench.now)
    assert bench.guest(address=NetAddress("10.0.0.9", 50_001)).closed is None


def test_who_links_to_us_is_not_dialled_as_well() -> None:
    bench = Bench()
    guest = bench.guest(address=NetAddress("10.0.0.9", 50_000))
    gossip(guest, NetAddress("10.0.0.9", 18444))
    bench.tick()
    bench.tick()
    assert bench.dials() == []
    guest.leave()
    bench.tick()
    assert bench.dials() == [NetAddress("10.0.0.9", 18444)]


def test_nodes_find_each_other_through_one_they_all_know() -> None:
    network = Simulation(9, 6)
    for number in range(1, 6):
        network.connect(number, 0)
    network.run(60)
    for number in range(6):
        node = network.node(number)
        others = {address_of(n) for n in range(6)} - {address_of(number)}
        assert {peer.listens_at for peer in node.peers.values()} == others


# Gossip.


def test_a_new_peer_is_told_where_we_listen_and_asked_whom_it_knows() -> None:
    bench = Bench(NodeOptions(allow_private_peers=True, listen_address=HOME))
    dialled = bench.guest(inbound=False, address=private(1))
    assert of(dialled) == [HOME]
    assert len(dialled.of(GetAddr)) == 1
    dialling = bench.guest()
    assert of(dialling) == [HOME]
    assert dialling.of(GetAddr) == []


def test_an_address_that_nobody_could_use_is_not_told() -> None:
    bench = Bench(NodeOptions(listen_address=HOME))
    assert of(bench.guest()) == []


def test_getaddr_is_answered_once_and_only_to_those_who_dialled_us() -> None:
    bench = Bench()
    source = bench.guest(inbound=False, address=public(900))
    gossip(source, *map(public, range(20)))
    asking = bench.guest()
    [answer] = asking.say(GetAddr())
    assert isinstance(answer, AddrV2)
    assert set(of(asking)) <= {*map(public, range(20)), public(900)}
    assert len(of(asking)) == 21
    assert asking.say(GetAddr()) == []
    assert source.say(GetAddr()) == []


def test_nothing_is_said_when_nothing_is_known() -> None:
    assert Bench().guest().say(GetAddr()) == []


def test_the_old_form_is_understood_too() -> None:
    bench = Bench()
    guest = bench.guest()
    guest.say(Addr(told(bench, public(1))))
    assert public(1) in bench.node.addresses


def test_a_peer_may_tell_little_unasked_and_more_with_time() -> None:
    bench = Bench()
    guest = bench.guest()
    gossip(guest, *map(public, range(1000)))
    assert len(bench.node.addresses) == 1
    bench.now += 100
    gossip(guest, *map(public, range(1, 1000)))
    assert len(bench.node.addresses) == 11


def test_news_go_on_to_two_others_and_no_further() -> None:
    bench = Bench()
    teller, *others = [bench.guest() for _ in range(5)]
    gossip(teller, public(1))
    assert sorted(len(of(guest)) for guest in others) == [0, 0, 1, 1]
    assert of(teller) == []
    bench.now += 1000
    gossip(teller, public(1))  # no news any more
    assert sum(len(of(guest)) for guest in others) == 2
    gossip(teller, *map(public, range(2, 13)))  # an answer, not news
    assert sum(len(of(guest)) for guest in others) == 2


def test_addresses_on_other_networks_and_private_ones_are_ignored() -> None:
    bench = Bench(NodeOptions())
    guest = bench.guest()
    bench.now += 1000
    guest.say(AddrV2((PeerAddress(int(bench.now), 9, 4, bytes(32), 8333),)))
    gossip(guest, private(1), NetAddress("127.0.0.1", 6379), NetAddress("8.8.8.8", 22))
    assert len(bench.node.addresses) == 0
    assert guest.closed is None


def test_the_book_outlives_the_node() -> None:
    store = CrashingStore(base_rows())
    bench = Bench(NodeOptions(), store)
    gossip(bench.guest(inbound=False, address=public(7)), public(1))
    bench.tick(61)
    again = Bench(NodeOptions(), store)
    assert public(1) in again.node.addresses and public(7) in again.node.addresses
    gossip(again.guest(inbound=False, address=public(8)), public(2))
    again.node.close()
    assert public(2) in Bench(NodeOptions(), store).node.addresses
