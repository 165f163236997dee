"""What is known about a peer, and the outbox."""

from chain.chainstate import Chainstate
from chain.params import REGTEST
from node.events import Close, Log, NetAddress, Send
from node.messages import GetAddr
from node.peers.peer import Outbox, Peer, Recent
from node.simulator import CrashingStore
from tests.simulation.base import base_rows


def a_peer(link: int = 1) -> Peer:
    return Peer(link, True, None, 0.0, 7)


def test_recent_forgets_its_oldest() -> None:
    recent = Recent(2)
    for member in b"a", b"b", b"b", b"c":
        recent.add(member)
    assert (b"a" in recent, b"b" in recent, b"c" in recent) == (False, True, True)
    assert len(recent) == 2
    recent.discard(b"b")
    recent.discard(b"x")
    assert len(recent) == 1
    recent.clear()
    assert len(recent) == 0


def test_a_peer_has_what_it_showed_and_what_we_showed_it() -> None:
    chain = Chainstate(REGTEST, CrashingStore(base_rows()))
    peer = a_peer()
    assert not peer.has_block(chain.active[5])
    peer.learn_block(chain.active[5])
    peer.learn_block(chain.active[3])
    assert peer.best_known is chain.active[5]
    assert peer.has_block(chain.active[4])
    assert not peer.has_block(chain.active[6])
    peer.best_sent = chain.active[9]
    assert peer.has_block(chain.active[6])


def test_a_link_costs_memory_for_five_thousand_known_transactions() -> None:
    peer = a_peer()
    for number in range(6_000):
        peer.known.add(number.to_bytes(32, "big"))
    assert len(peer.known) == 5_000


def test_a_closed_link_is_closed_once_and_hears_nothing_more() -> None:
    outbox, peer = Outbox(), a_peer()
    outbox.send(peer, GetAddr())
    outbox.punish(peer, "bad")
    outbox.close(peer, "again")
    outbox.send(peer, GetAddr())
    assert outbox.take() == [
        Send(1, GetAddr()),
        Log("peer 1 misbehaved: bad"),
        Close(1, "bad"),
    ]
    assert outbox.take_closed() == [peer]
    assert (outbox.take(), outbox.take_closed()) == ([], [])
    assert peer.misbehaved
    assert not peer.is_open


def test_a_peer_is_named_by_its_link_and_address() -> None:
    assert str(a_peer()) == "peer 1"
    assert str(Peer(2, False, NetAddress("1.2.3.4", 5), 0.0, 1)) == "peer 2 1.2.3.4:5"
