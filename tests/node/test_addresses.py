"""The address book: what may be dialled, who can fill it, what it remembers."""

from random import Random

import pytest

from chain.store import MemoryStore
from node.events import NetAddress
from node.peers.addresses import AddressBook, group_of, is_public, is_usable

NOW = 1_700_000_000
DAY = 86_400


def book(seed: int = 1, store: MemoryStore | None = None, private: bool = False) -> AddressBook:
    return AddressBook(Random(seed), store or MemoryStore(), allow_private=private)


def public(number: int) -> NetAddress:
    """Each in a /16 of its own."""
    return NetAddress(f"{11 + number // 250}.{number % 250}.1.1", 8333)


def tell(addresses: AddressBook, address: NetAddress, source: NetAddress | None = None) -> bool:
    return addresses.add(address, source=source, now=NOW, seen=NOW - 60)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "::1",
        "fd00::1",
    ],
)
def test_private_addresses_are_used_only_where_that_is_allowed(host: str) -> None:
    address = NetAddress(host, 18444)
    assert not is_public(host)
    assert not is_usable(address, allow_private=False)
    assert is_usable(address, allow_private=True)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",  # a cloud's metadata
        "fe80::1",
        "224.0.0.1",
        "ff02::1",
        "0.0.0.0",
        "::",
        "255.255.255.255",
        "240.0.0.1",
        "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
        "2002:7f00:1::",  # 6to4 of 127.0.0.1
        "2001:0:7f00:1::",  # Teredo
        "::ffff:127.0.0.1",
        "0x7f.1",
        "localhost",
        "127.1",
        "",
    ],
)
def test_addresses_that_lead_somewhere_else_are_never_used(host: str) -> None:
    assert not is_usable(NetAddress(host, 18444), allow_private=False)
    assert not is_usable(NetAddress(host, 18444), allow_private=True)


@pytest.mark.parametrize("port", [0, 22, 25, 80, 443, 1023, 65536])
def test_ports_of_other_services_are_never_used(port: int) -> None:
    assert not is_usable(NetAddress("8.8.8.8", port), allow_private=True)
    assert not is_usable(NetAddress("127.0.0.1", port), allow_private=True)


def test_public_addresses_are_used() -> None:
    assert is_usable(NetAddress("8.8.8.8", 1024), allow_private=False)
    assert is_usable(NetAddress("2a00:1450::1", 65535), allow_private=False)


def test_groups_are_sixteen_bits_wide_and_private_addresses_are_their_own() -> None:
    assert group_of(NetAddress("8.8.1.1", 1)) == group_of(NetAddress("8.8.200.7", 2))
    assert group_of(NetAddress("8.8.1.1", 1)) != group_of(NetAddress("8.9.1.1", 1))
    assert group_of(NetAddress("2a00:1450::1", 1)) == group_of(NetAddress("2a00:1450:ffff::1", 1))
    assert group_of(NetAddress("127.0.0.1", 1)) != group_of(NetAddress("127.0.0.1", 2))


def test_an_address_is_news_once() -> None:
    addresses = book()
    assert tell(addresses, public(1))
    assert not tell(addresses, public(1))
    assert len(addresses) == 1
    assert public(1) in addresses
    assert public(2) not in addresses


def test_what_may_not_be_dialled_or_is_long_gone_is_not_kept() -> None:
    addresses = book()
    assert not tell(addresses, NetAddress("127.0.0.1", 18444))
    assert not addresses.add(public(1), source=None, now=NOW, seen=NOW - 31 * DAY)
    assert len(addresses) == 0


def test_it_chooses_what_it_knows_unless_taken() -> None:
    addresses = book()
    assert addresses.choose(NOW, [], []) is None
    tell(addresses, public(1))
    assert addresses.choose(NOW, [], []) == public(1)
    assert addresses.choose(NOW, [], [public(1)]) is None
    assert addresses.choose(NOW, [group_of(public(1))], []) is None


def test_one_that_was_just_tried_is_left_in_peace_and_given_up_after_three_tries() -> None:
    addresses = book()
    tell(addresses, public(1))
    now = NOW
    for _ in range(3):
        assert addresses.choose(now, [], []) == public(1)
        addresses.attempted(public(1), now)
        assert addresses.choose(now + 599, [], []) is None
        now += 600
    assert addresses.choose(now, [], []) is None
    addresses.answered(public(1), now, 9)
    assert addresses.choose(now, [], []) == public(1)


def test_one_source_fills_no_more_than_its_buckets() -> None:
    addresses = book()
    attacker = NetAddress("66.66.0.1", 8333)
    kept = sum(
        tell(
            addresses,
            NetAddress(f"{20 + n // 60_000}.{n // 250 % 240}.{n % 250}.1", 8333),
            attacker,
        )
        for n in range(12_000)
    )
    assert kept <= 64 * 64
    assert sum(tell(addresses, public(n), public(500 + n)) for n in range(50)) >= 45


def test_eclipse_a_flood_from_one_network_does_not_take_all_places() -> None:
    """A thousand addresses of one /16 against eight honest ones, many times over."""
    for seed in range(30):
        addresses = book(seed)
        for number in range(8):
            tell(addresses, public(number), public(100 + number))
        attacker = NetAddress("66.66.0.1", 8333)
        for number in range(1000):
            tell(addresses, NetAddress(f"66.66.{number // 250}.{number % 250}", 8333), attacker)
        chosen: list[NetAddress] = []
        for _ in range(8):
            found = addresses.choose(NOW, map(group_of, chosen), chosen)
            if found is not None:
                chosen.append(found)
        assert sum(address.host.startswith("66.66.") for address in chosen) <= 1
        assert len(chosen) > 1


def test_a_proven_address_keeps_its_place_for_hours_then_makes_room() -> None:
    addresses = book()
    # In one group there are 8 * 64 places; more than that must collide.
    crowd = [NetAddress(f"9.9.{n // 250}.{n % 250}", 8333) for n in range(2000)]
    for number, address in enumerate(crowd):
        tell(addresses, address, public(number % 2000))
        addresses.answered(address, NOW, 9)
    tried = len(addresses)
    late = [NetAddress(f"9.9.{20 + n // 250}.{n % 250}", 8333) for n in range(2000)]
    for number, address in enumerate(late):
        addresses.add(address, source=public(number % 2000), now=NOW + DAY, seen=NOW + DAY)
        addresses.answered(address, NOW + DAY, 9)
    assert len(addresses) > tried
    assert 0 < sum(address in addresses for address in crowd) <= len(crowd)
    addresses.answered(NetAddress("1.2.3.4", 8333), NOW, 9)  # not in the book: nothing happens
    addresses.attempted(NetAddress("1.2.3.4", 8333), NOW)


def test_stale_addresses_make_room_for_new_ones() -> None:
    addresses = book()
    source = public(1)
    crowd = [NetAddress(f"9.9.{n // 250}.{n % 250}", 8333) for n in range(4000)]
    first = [address for address in crowd if tell(addresses, address, source)]
    assert len(first) == 64 or len(first) < 4000  # one group, one source: a single bucket
    for address in first:
        for _ in range(3):
            addresses.attempted(address, NOW)
    second = [address for address in crowd if tell(addresses, address, source)]
    assert second
    assert len(addresses) <= 64


def test_the_discouraged_are_avoided_for_a_day() -> None:
    addresses = book()
    tell(addresses, public(1))
    addresses.discourage(public(1), NOW)
    assert addresses.is_discouraged(public(1), NOW + DAY - 1)
    assert addresses.choose(NOW, [], []) is None
    assert addresses.share(1000, NOW) == []
    assert not addresses.is_discouraged(public(1), NOW + DAY)
    addresses.discourage("11.5.1.1", NOW)
    assert addresses.is_discouraged(NetAddress("11.5.1.1", 4444), NOW)


def test_only_so_many_discouraged_are_remembered() -> None:
    addresses = book()
    for number in range(10_001):
        addresses.discourage(NetAddress("9.9.9.9", number), NOW)
    assert not addresses.is_discouraged(NetAddress("9.9.9.9", 0), NOW)
    assert addresses.is_discouraged(NetAddress("9.9.9.9", 1), NOW)


def test_it_shares_a_part_of_what_it_knows() -> None:
    addresses = book()
    for number in range(1000):
        tell(addresses, public(number), public(number))
    known = len(addresses)
    assert known > 900
    assert len(addresses.share(1000, NOW)) == known * 23 // 100
    assert len(addresses.share(10, NOW)) == 10
    small = book()
    tell(small, public(1))
    assert [known.address for known in small.share(1000, NOW)] == [public(1)]


def test_it_is_saved_and_loaded() -> None:
    store = MemoryStore()
    addresses = book(store=store)
    for number in range(20):
        tell(addresses, public(number), public(100 + number))
    addresses.answered(public(3), NOW, 9)
    addresses.save()
    addresses.save()  # nothing new
    again = book(2, store)
    assert len(again) == len(addresses)
    assert public(3) in again
    known = next(each for each in again.share(1000, NOW) if each.address == public(3))
    assert (known.answered, known.services, known.seen) == (NOW, 9, NOW - 60)
    assert known.source == group_of(public(103))


def test_what_was_forgotten_is_not_loaded_again() -> None:
    store = MemoryStore()
    addresses = book(store=store)
    source = public(1)
    crowd = [NetAddress(f"9.9.{n // 250}.{n % 250}", 8333) for n in range(1000)]
    for address in crowd:
        if tell(addresses, address, source):
            for _ in range(3):
                addresses.attempted(address, NOW)
    for address in crowd:
        tell(addresses, address, source)
    addresses.save()
    again = book(2, store)
    assert len(again) == len(addresses)
    assert all(address in again for address in crowd if address in addresses)
