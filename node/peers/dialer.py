"""Whom to dial, and what to say about addresses.

Addresses that the operator named are dialled until they answer and again when they are lost; the
remaining places go to addresses of the book, each from another group, so that one owner of many
addresses gets one link. It does not know what is said on a link otherwise (`core`).

Beside it: Bitcoin Core, `src/net.cpp` (ThreadOpenConnections), `src/net_processing.cpp` (ADDR).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from node.clock import Clock
from node.events import Dial, NetAddress
from node.messages import NODE_NETWORK, NODE_WITNESS, Addr, AddrV2, GetAddr, PeerAddress
from node.peers.addresses import AddressBook, group_of, is_public, is_usable
from node.peers.peer import Outbox, Peer
from node.wire import MAX_ADDRESSES

FIRST_RETRY_S, LAST_RETRY_S = 0.5, 30
"""A named address that does not answer is tried again after the first, doubled up to the last."""
DIAL_INTERVAL_S = 0.5
"""Between two addresses of the book: Core's ThreadOpenConnections pauses as long."""
DIAL_TIMEOUT_S = 60
"""After this a dial that nobody reported on counts as failed."""
MAX_MANUAL = 100
"""Addresses that the operator may name."""
ADDRESSES_A_SECOND = 0.1
"""What a peer may tell us unasked: Core's MAX_ADDR_RATE_PER_SECOND."""
MAX_FORWARDED = 10
"""A message with more addresses answers a question; fewer are news, and go on to two peers."""
FORWARD_TO = 2
SAVE_INTERVAL_S = 60
"""Between two writes of the book."""


@dataclass(slots=True)
class _Named:
    """An address that the operator named: when it is dialled next, and the pause after that."""

    due: float = 0
    pause_s: float = FIRST_RETRY_S


class Dialer:
    """Links that we want, and the gossip that tells where they may go."""

    def __init__(
        self,
        book: AddressBook,
        peers: Mapping[int, Peer],
        outbox: Outbox,
        rng: Random,
        clock: Clock,
        *,
        allow_private: bool,
        max_outbound: int,
        listen_address: NetAddress | None,
    ) -> None:
        self._book = book
        self._peers = peers
        self._outbox = outbox
        self._rng = rng
        self._clock = clock
        self._allow_private = allow_private
        self._max_outbound = max_outbound
        self._listen_address = listen_address
        self._named: dict[NetAddress, _Named] = {}
        self._dialling: dict[NetAddress, float] = {}
        self._ourselves: dict[NetAddress, None] = {}
        """Addresses at which we met ourselves."""
        self._next_draw = 0.0
        self._saved_at = 0.0

    # Dialling.

    def connect_to(self, address: NetAddress) -> None:
        """Keep a link to this address. ValueError if that is ourselves, or one name too many."""
        if address == self._listen_address:
            raise ValueError("that is the address of this node")
        if len(self._named) >= MAX_MANUAL:
            raise ValueError(f"{MAX_MANUAL} peers are named already")
        self._named.setdefault(address, _Named()).due = 0
        self.tick()

    def tick(self) -> None:
        """Time has passed: dial what is due."""
        now = self._clock.steady
        for address, since in list(self._dialling.items()):
            if now - since > DIAL_TIMEOUT_S:
                self.failed(address)
        linked = {address for peer in self._peers.values() for address in _whereabouts(peer)}
        for address, named in self._named.items():
            if named.due <= now and address not in linked and address not in self._dialling:
                self._dial(address)
        if now >= self._next_draw:
            self._next_draw = now + DIAL_INTERVAL_S
            self._draw(linked)
        if now - self._saved_at >= SAVE_INTERVAL_S:
            self._saved_at = now
            self._book.save()

    def _draw(self, linked: set[NetAddress]) -> None:
        """Dial an address of the book if there is room for one."""
        ours = [peer for peer in self._peers.values() if not (peer.inbound or peer.is_manual)]
        if len(ours) + len(self._dialling) >= self._max_outbound:
            return
        groups = [group_of(peer.address) for peer in ours if peer.address]
        itself = [self._listen_address] if self._listen_address else []
        taken = [*linked, *self._dialling, *self._named, *self._ourselves, *itself]
        address = self._book.choose(
            self._clock.unix, [*groups, *map(group_of, self._dialling)], taken
        )
        if address is not None:
            self._dial(address)

    def _dial(self, address: NetAddress) -> None:
        self._dialling[address] = self._clock.steady
        self._book.attempted(address, self._clock.unix)
        self._outbox.effects.append(Dial(address))

    def opened(self, peer: Peer) -> None:
        """A link that we dialled stands."""
        if peer.address is not None:
            self._dialling.pop(peer.address, None)
            peer.is_manual = peer.address in self._named
            peer.listens_at = peer.address

    def failed(self, address: NetAddress) -> None:
        """Nobody answered there."""
        self._dialling.pop(address, None)
        named = self._named.get(address)
        if named is not None:
            named.due = self._clock.steady + named.pause_s * (0.5 + self._rng.random())
            named.pause_s = min(2 * named.pause_s, LAST_RETRY_S)

    def lost(self, peer: Peer) -> None:
        """A link is gone. One that misbehaved is not sought again soon."""
        address = peer.address
        if peer.misbehaved and not peer.is_manual:
            if peer.listens_at is not None:
                self._book.discourage(peer.listens_at, self._clock.unix)
            if address is not None and is_public(address.host):
                self._book.discourage(address.host, self._clock.unix)
        if address in self._named and not peer.inbound:
            if peer.misbehaved:
                self._named[address].pause_s = LAST_RETRY_S
            elif peer.is_greeted:
                self._named[address].pause_s = FIRST_RETRY_S
            self.failed(address)

    def met_ourselves(self, address: NetAddress | None) -> None:
        """This address leads back to us: never again."""
        if address is not None and len(self._ourselves) < MAX_MANUAL:
            self._ourselves[address] = None
            self._named.pop(address, None)

    # Gossip.

    def greet(self, peer: Peer) -> None:
        """The handshake is done: say where we are, and ask whom it knows."""
        ours, now = self._listen_address, self._clock.unix
        if ours is not None and is_usable(ours, self._allow_private):
            services = NODE_NETWORK | NODE_WITNESS
            self._tell(peer, [PeerAddress.of(ours.host, ours.port, services, now)])
        peer.tokens_at = self._clock.steady
        if not peer.inbound and peer.address is not None and peer.version is not None:
            self._book.add(peer.address, source=None, now=now, seen=now)
            self._book.answered(peer.address, now, peer.version.services)
            peer.address_tokens += MAX_ADDRESSES
            self._outbox.send(peer, GetAddr())

    def _tell(self, peer: Peer, addresses: list[PeerAddress]) -> None:
        kind = AddrV2 if peer.wants_new_addresses else Addr
        self._outbox.send(peer, kind(tuple(addresses)))

    def on_get_addr(self, peer: Peer) -> None:
        """It asks whom we know. Answered once, and only to those who dialled us, so that nobody can
        read our book by asking often, or learn whom we talk to."""
        if not peer.inbound or peer.was_told_addresses:
            return
        peer.was_told_addresses = True
        told = [
            PeerAddress.of(*known.address, known.services, known.seen)
            for known in self._book.share(MAX_ADDRESSES, self._clock.unix)
        ]
        if told:
            self._tell(peer, told)

    def on_addresses(self, peer: Peer, addresses: tuple[PeerAddress, ...]) -> None:
        """It tells of others, or of itself: keep what its allowance covers, and pass on news."""
        now = self._clock.steady
        refill = (now - peer.tokens_at) * ADDRESSES_A_SECOND
        peer.address_tokens = min(peer.address_tokens + refill, MAX_ADDRESSES)
        peer.tokens_at = now
        news = []
        for told in addresses:
            if peer.address_tokens < 1:
                break
            peer.address_tokens -= 1
            if told.host is not None and self._learn(peer, told, NetAddress(told.host, told.port)):
                news.append(told)
        if len(addresses) <= MAX_FORWARDED and news:
            self._forward(peer, news)

    def _learn(self, peer: Peer, told: PeerAddress, address: NetAddress) -> bool:
        if peer.inbound and peer.listens_at is None and peer.address is not None:
            # Only what comes from the same host can be about itself.
            peer.listens_at = address if peer.address.host == address.host else None
        return self._book.add(
            address,
            source=peer.address,
            now=self._clock.unix,
            seen=told.time,
            services=told.services,
        )

    def _forward(self, source: Peer, news: list[PeerAddress]) -> None:
        others = [peer for peer in self._peers.values() if peer.is_open and peer is not source]
        for peer in self._rng.sample(others, min(FORWARD_TO, len(others))):
            self._tell(peer, news)


def _whereabouts(peer: Peer) -> list[NetAddress]:
    """Addresses that need not be dialled while this link stands."""
    dialled = None if peer.inbound else peer.address
    return [address for address in (dialled, peer.listens_at) if address is not None]
