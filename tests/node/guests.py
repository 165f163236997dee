"""One real node on a bench, and guests: peers that say whatever a test wants them to.

    bench = Bench()
    guest = bench.guest()                # a link whose handshake is done
    guest.say(GetAddr())                 # what the node answers is returned, and kept in .heard
    bench.tick(10)                       # the clock moves only here

Messages pass through real frames. What a guest hears is decoded; `closed` says why its link went.
"""

from dataclasses import dataclass, field, replace
from random import Random
from typing import TypeVar

from chain.block import Block
from chain.params import REGTEST
from chain.store import Store
from node.core import Node, NodeOptions
from node.events import (
    Close,
    Dial,
    DialFailed,
    Effect,
    Event,
    LinkClosed,
    LinkOpened,
    NetAddress,
    Received,
    Send,
    Tick,
)
from node.mempool.template import grind
from node.messages import (
    FrameReader,
    Message,
    PeerAddress,
    SendAddrV2,
    Verack,
    Version,
    WtxidRelay,
    decode,
    encode_frame,
)
from node.peers.peer import Peer
from node.simulator import CrashingStore
from tests.simulation.base import BASE_TIME, PAY_TO_ANYONE, base_rows

MAGIC = bytes.fromhex("fabfb5da")
FULL_SERVICES = 1 | 8
Kind = TypeVar("Kind", bound=Message)


def version(**changes: object) -> Version:
    """A version message as a full node would say it."""
    nowhere = PeerAddress.of("0.0.0.0", 0)
    usual = Version(70016, FULL_SERVICES, 0, nowhere, nowhere, 77, "/guest/", 0, True)
    return replace(usual, **changes)  # type: ignore[arg-type]


@dataclass
class Bench:
    """A node with the base chain, a clock moved by hand, and the effects it has had."""

    options: NodeOptions = field(default_factory=lambda: NodeOptions(allow_private_peers=True))
    store: Store = field(default_factory=lambda: CrashingStore(base_rows()))
    seed: int = 1
    now: float = float(BASE_TIME)

    def __post_init__(self) -> None:
        self.node = Node(REGTEST, self.store, rng=Random(self.seed), options=self.options)
        self.guests: dict[int, Guest] = {}
        self.effects: list[Effect] = []
        self._next_link = 0

    def carry_out(self, effects: list[Effect] | None = None) -> None:
        """Hand effects to whom they concern; those left by the node's own methods if not given."""
        for effect in self.node.take_effects() if effects is None else effects:
            self.effects.append(effect)
            match effect:
                case Send(link, message) if link in self.guests:
                    self.guests[link].hear(message)
                case Close(link, why) if link in self.guests:
                    self.guests[link].closed = why

    def event(self, event: Event) -> None:
        self.carry_out(self.node.handle(event, self.now))

    def tick(self, seconds: float = 1.0) -> None:
        self.now += seconds
        self.event(Tick())

    def guest(
        self,
        *,
        inbound: bool = True,
        address: NetAddress | None = None,
        shaken: bool = True,
        wtxid_relay: bool = True,
        **changes: object,
    ) -> "Guest":
        """A new link; `shaken`: with its handshake done, `changes` being those of its version."""
        link, self._next_link = self._next_link, self._next_link + 1
        guest = self.guests[link] = Guest(self, link)
        self.event(LinkOpened(link, inbound, address))
        if shaken:
            guest.say(version(**changes))
            for message in [WtxidRelay()] if wtxid_relay else []:
                guest.say(message)
            guest.say(SendAddrV2())
            guest.say(Verack())
        return guest

    def dials(self) -> list[NetAddress]:
        """Whom the node wanted to dial since the last call."""
        found = [effect.address for effect in self.effects if isinstance(effect, Dial)]
        self.effects = [effect for effect in self.effects if not isinstance(effect, Dial)]
        return found

    def refuse(self, address: NetAddress) -> None:
        self.event(DialFailed(address))

    def block(self, extra_nonce: int = 9) -> Block:
        """The next block of this node, solved, not taken in; of its own mempool."""
        block = grind(self.node.assemble_block(PAY_TO_ANYONE, self.now, extra_nonce), 0, 1 << 32)
        assert block is not None
        return block

    def mine(self, count: int = 1, extra_nonce: int = 9) -> list[Block]:
        """Blocks that this node found itself."""
        blocks = []
        for _ in range(count):
            blocks.append(self.block(extra_nonce=extra_nonce))
            self.node.submit_block(blocks[-1], self.now)
            self.carry_out()
        return blocks

    def of(self, kind: type[Effect]) -> list[Effect]:
        """The node's effects of one kind."""
        return [effect for effect in self.effects if isinstance(effect, kind)]


class Guest:
    """One end of a link; at the other is the node."""

    def __init__(self, bench: Bench, link: int) -> None:
        self.bench = bench
        self.link = link
        self.heard: list[Message] = []
        self.closed: str | None = None
        self._frames = FrameReader(MAGIC)

    @property
    def peer(self) -> Peer:
        """What the node knows of this guest."""
        return self.bench.node.peers[self.link]

    def say(self, message: Message) -> list[Message]:
        """Send a message; what the node answers at once."""
        before = len(self.heard)
        [(command, payload)] = FrameReader(MAGIC).feed(encode_frame(MAGIC, message))
        self.bench.event(Received(self.link, command, payload))
        return self.heard[before:]

    def say_raw(self, command: str, payload: bytes) -> None:
        self.bench.event(Received(self.link, command, payload))

    def hear(self, message: Message) -> None:
        for command, payload in self._frames.feed(encode_frame(MAGIC, message)):
            self.heard.append(decode(command, payload))

    def of(self, kind: type[Kind]) -> list[Kind]:
        """The messages of one kind that it has heard."""
        return [message for message in self.heard if isinstance(message, kind)]

    def last(self, kind: type[Kind]) -> Kind:
        return self.of(kind)[-1]

    def forget(self) -> None:
        """Start listening anew."""
        self.heard.clear()

    def leave(self) -> None:
        self.bench.event(LinkClosed(self.link))
