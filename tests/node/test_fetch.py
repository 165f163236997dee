"""Whom to ask for a transaction, and what if it does not come."""

from random import Random

from node.clock import Clock
from node.events import NetAddress
from node.messages import MSG_TX, MSG_WITNESS_TX, MSG_WTX, GetData, InventoryItem
from node.peers.fetch import Fetch
from node.peers.peer import Outbox, Peer, Stage

A, B, C = (bytes([number]) * 32 for number in (1, 2, 3))


class Table:
    """Peers around a Fetch."""

    def __init__(self, *inbound: bool, seed: int = 1) -> None:
        self.outbox = Outbox()
        self.peers = {
            link: Peer(link, is_inbound, NetAddress("10.0.0.1", 18444), 0.0, link)
            for link, is_inbound in enumerate(inbound)
        }
        for peer in self.peers.values():
            peer.stage = Stage.OPEN
        self.clock = Clock()
        self.fetch = Fetch(self.peers, self.outbox, Random(seed), self.clock)

    def offer(self, link: int, *hashes: bytes, kind: int = MSG_WTX) -> None:
        for tx_hash in hashes:
            self.fetch.offered(self.peers[link], kind, tx_hash)

    def asked(self, now: float) -> list[tuple[int, list[InventoryItem]]]:
        """Who is asked for what at this time."""
        self.clock.steady = now
        self.fetch.tick()
        self.fetch.ask()
        found = []
        for effect in self.outbox.take():
            message = effect.message  # type: ignore[union-attr]
            assert isinstance(message, GetData)
            found.append((effect.link, list(message.items)))  # type: ignore[union-attr]
        return found


def wtx(*hashes: bytes) -> list[InventoryItem]:
    return [InventoryItem(MSG_WTX, tx_hash) for tx_hash in hashes]


def test_each_is_asked_for_once_and_at_once() -> None:
    table = Table(False, True)
    table.offer(0, A, B)
    table.offer(1, A, B, C)
    assert table.asked(0.0) == [(0, wtx(A, B)), (1, wtx(C))]
    assert table.asked(0.0) == []
    assert len(table.fetch) == 3
    table.fetch.arrived(A)
    table.fetch.arrived(A)
    table.fetch.arrived(b"x" * 32)
    assert len(table.fetch) == 2
    assert A not in table.peers[1].offered


def test_the_kind_of_hash_decides_how_it_is_asked_for() -> None:
    table = Table(True)
    table.offer(0, A, kind=MSG_TX)
    assert table.asked(0.0) == [(0, [InventoryItem(MSG_WITNESS_TX, A)])]


def test_who_does_not_answer_in_two_seconds_is_passed_over() -> None:
    table = Table(True, True)
    table.offer(0, A)
    assert table.asked(0.0) == [(0, wtx(A))]
    table.offer(1, A)
    assert table.asked(2.0) == []
    assert table.asked(2.1) == [(1, wtx(A))]
    assert table.peers[0].withheld == 1
    assert table.asked(5.0) == []
    assert len(table.fetch) == 0  # nobody offers it any more


def test_many_withholding_links_cannot_keep_a_transaction_from_us() -> None:
    """CVE-2024-52913: those we chose come before those who came to us."""
    table = Table(*[True] * 100, False)
    for link in range(101):
        table.offer(link, A)
    assert table.asked(0.0) == [(100, wtx(A))]
    table = Table(*[True] * 100, False)
    table.offer(0, A)
    assert table.asked(0.0) == [(0, wtx(A))]
    for link in range(1, 101):
        table.offer(link, A)
    assert table.asked(2.1)[0] == (100, wtx(A))


def test_a_hundred_silent_links_delay_a_transaction_by_seconds() -> None:
    for seed in range(20):
        table = Table(*[True] * 101, seed=seed)
        for link in range(101):
            table.offer(link, A)
        seconds, counts, links = 0, [], set()
        while 100 not in links:
            links = {link for link, _ in table.asked(float(seconds))}
            counts += [len(links)] if links else []
            seconds += 1
        assert seconds <= 20
        assert counts == [1, 2, 4, 8, 16, 32, 38][: len(counts)]


def test_saying_notfound_at_the_last_moment_wins_no_more_time() -> None:
    table = Table(*[True] * 101)
    for link in range(101):
        table.offer(link, A)
    rounds, links = 0, {link for link, _ in table.asked(0.0)}
    while 100 not in links:
        for link in links:
            table.fetch.refused(table.peers[link], A)
        links = {link for link, _ in table.asked(0.0)}
        rounds += 1
    assert rounds <= 6


def test_among_equals_the_lot_decides() -> None:
    first = set()
    for seed in range(20):
        table = Table(True, True, True, seed=seed)
        for link in range(3):
            table.offer(link, A)
        [(link, _)] = table.asked(0.0)
        first.add(link)
    assert first == {0, 1, 2}


def test_who_has_been_of_use_comes_first() -> None:
    for seed in range(20):
        table = Table(*[True] * 10, seed=seed)
        table.peers[7].was_useful = True
        for link in range(10):
            table.offer(link, A)
        assert table.asked(0.0) == [(7, wtx(A))]


def test_an_answer_to_one_of_many_questions_ends_the_others() -> None:
    table = Table(*[True] * 4)
    for link in range(4):
        table.offer(link, A)
    table.asked(0.0)
    assert len(table.asked(2.1)) == 2
    table.fetch.arrived(A)
    assert [peer.transactions_asked for peer in table.peers.values()] == [0] * 4
    assert table.asked(9.0) == []
    assert sum(peer.withheld for peer in table.peers.values()) == 1


def test_who_has_withheld_before_comes_last() -> None:
    table = Table(True, True)
    table.peers[0].withheld = 1
    table.offer(0, A)
    table.offer(1, A)
    assert table.asked(0.0) == [(1, wtx(A))]


def test_who_refuses_makes_room_for_others() -> None:
    table = Table(True, True)
    table.offer(0, A)
    table.asked(0.0)
    table.offer(1, A)
    table.fetch.refused(table.peers[1], A)  # it was not asked: it only offers no longer
    assert table.asked(0.0) == []
    table.offer(1, A)
    table.fetch.refused(table.peers[0], A)
    table.fetch.refused(table.peers[0], A)
    assert table.asked(0.0) == [(1, wtx(A))]


def test_a_lost_link_hands_over() -> None:
    table = Table(True, True)
    table.offer(0, A, B)
    table.asked(0.0)
    table.offer(1, A)
    table.peers[0].is_closing = True
    table.fetch.forget(table.peers[0])
    assert table.asked(0.0) == [(1, wtx(A))]
    assert len(table.fetch) == 1


def test_a_hundred_at_a_time_and_five_thousand_in_all() -> None:
    table = Table(True)
    hashes = [number.to_bytes(32, "big") for number in range(6000)]
    table.offer(0, *hashes)
    table.offer(0, hashes[0])
    assert len(table.fetch) == 5000
    [(_, items)] = table.asked(0.0)
    assert items == wtx(*hashes[:100])
    table.fetch.arrived(hashes[0])
    assert table.asked(0.0) == [(0, wtx(hashes[100]))]
