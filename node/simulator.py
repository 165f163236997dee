"""The simulator: many nodes, one virtual clock, a network that loses, delays and splits, by a seed.

The nodes are real `Node` objects over stores in memory; only what lies between them is made up. The
same seed gives the same history to the last byte (`trace`), so whatever goes wrong can be looked at
again. As on TCP, messages of a link arrive in order and complete, or the link is reset.

    network = Simulation(seed=7, count=20)
    network.connect(0, 1)
    network.mine(0)
    network.run(10)

Beside it: FoundationDB's talk "Testing Distributed Systems w/ Deterministic Simulation" (2014).
Simplified: no bandwidth shared between links, no clocks that differ, no slow disks.
"""

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from random import Random

from chain.block import Block
from chain.params import REGTEST, Params
from chain.store import MemoryStore, Rows
from chain.transaction import Transaction
from node.core import Node, NodeOptions
from node.entry import MempoolEntry
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
from node.mempool.template import NONCES, grind

START_S = 1_700_000_000
"""What the virtual clock shows at first, Unix seconds."""
TICK_S = 1.0
SHORTEST_WAIT_S = 0.001
"""Before a node that wants to be woken is."""
DIAL_TIMEOUT_S = 2.0
"""When a dial into nowhere is given up."""
BYTES_A_SECOND = 2_000_000
"""How fast a link carries a message, beside its latency."""
PORT = 18444


class CrashingStore(MemoryStore):
    """A store in memory that can lose what was not synced, as a disk does when the power fails."""

    def __init__(self, rows: Rows | None = None) -> None:
        super().__init__()
        super().write(rows or {})
        self._undo: list[dict[bytes, bytes | None]] = []
        """For each write since the last sync, what it overwrote."""

    def write(self, batch: Rows, sync: bool = False) -> None:
        """As the others; a sync makes all earlier writes last."""
        self._undo = [] if sync else [*self._undo, {key: self.get(key) for key in batch}]
        super().write(batch, sync)

    def crash(self, rng: Random) -> None:
        """Lose some of the last writes that were not synced."""
        for _ in range(rng.randint(0, len(self._undo))):
            super().write(self._undo.pop())
        self._undo = []


@dataclass(slots=True)
class _Wire:
    """One link: two ends, each the other's way out. An end is a node's number and its link's."""

    ends: tuple[tuple[int, int], tuple[int, int]]
    delay_s: float
    arrivals: list[float] = field(default_factory=lambda: [0.0, 0.0])
    """When the last message to each end arrives: the next does not overtake it."""
    is_up: bool = True


@dataclass(slots=True)
class _Host:
    """The machine a node runs on: it outlives the node."""

    store: CrashingStore
    node: Node | None = None
    lives: int = 0
    named: list[int] = field(default_factory=list)
    """Whom this node is told to dial whenever it starts."""
    side: int = 0
    """Which part of a split network it is in."""
    wakes_at: float = math.inf


class Simulation:
    """A network of `count` nodes. Times are virtual seconds."""

    def __init__(
        self,
        seed: int,
        count: int,
        *,
        params: Params = REGTEST,
        rows: Rows | None = None,
        options: NodeOptions | None = None,
        latency_s: float = 0.05,
    ) -> None:
        """`rows`: what every store begins with, so that a chain need not be mined again.

        `latency_s` is a link's median; links differ by a factor of two or so.
        """
        self.rng = Random(f"network {seed}")
        self.seed = seed
        self.params = params
        self.now = float(START_S)
        self.loss = 0.0
        """The chance that a message meets a reset of its link."""
        self.on_effect: Callable[[int, Effect], None] = lambda number, effect: None
        """Told of everything that any node wants done."""
        self.events = 0
        """How many events have been handled."""
        self._options = options or NodeOptions(allow_private_peers=True)
        self._latency_s = latency_s
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._scheduled = 0
        self._trace = sha256()
        self._wires: dict[int, _Wire] = {}
        self._next_link = 0
        self.hosts = [_Host(CrashingStore(rows)) for _ in range(count)]
        for number in range(count):
            self.start(number)

    @property
    def trace(self) -> str:
        """A digest of everything that has happened so far, in order."""
        return self._trace.hexdigest()

    # Nodes.

    def node(self, number: int) -> Node:
        """The node of this number. KeyError while it is down."""
        node = self.hosts[number].node
        if node is None:
            raise KeyError(f"node {number} is down")
        return node

    @property
    def up(self) -> list[int]:
        """The numbers of all nodes that run."""
        return [number for number, host in enumerate(self.hosts) if host.node is not None]

    def start(self, number: int) -> None:
        """Start a node, for the first time or after a crash, on what its store has kept."""
        host = self.hosts[number]
        if host.node is not None:
            return
        host.lives += 1
        host.node = Node(
            self.params,
            host.store,
            rng=Random(f"node {self.seed} {number} {host.lives}"),
            options=replace(self._options, listen_address=address_of(number)),
        )
        self._schedule(self.rng.random() * TICK_S, self._ticker(number, host.lives))
        for other in host.named:
            host.node.connect_to(address_of(other), self.now)
        self._carry_out(number, host.node.take_effects())

    def crash(self, number: int) -> None:
        """Stop a node between two events; writes that were not synced may be lost."""
        host = self.hosts[number]
        host.node = None
        host.store.crash(self.rng)
        for wire in list(self._wires.values()):
            if any(end[0] == number for end in wire.ends):
                self._reset(wire)

    def _ticker(self, number: int, life: int) -> Callable[[], None]:
        def tick() -> None:
            if self.hosts[number].lives == life and self.hosts[number].node is not None:
                self._schedule(TICK_S, tick)
                self._deliver(number, Tick())

        return tick

    # The network.

    def connect(self, number: int, other: int) -> None:
        """Have one node keep a link to another."""
        self.hosts[number].named.append(other)
        self.node(number).connect_to(address_of(other), self.now)
        self._carry_out(number, self.node(number).take_effects())

    def split(self, sides: Iterable[Sequence[int]]) -> None:
        """Cut the network into sides that do not hear each other."""
        for side, numbers in enumerate(sides):
            for number in numbers:
                self.hosts[number].side = side
        for wire in list(self._wires.values()):
            (one, _), (other, _) = wire.ends
            if self.hosts[one].side != self.hosts[other].side:
                self._reset(wire)

    def heal(self) -> None:
        """Everybody can hear everybody again; links come back as nodes dial."""
        for host in self.hosts:
            host.side = 0

    # What users do.

    def mine(self, number: int, script_pubkey: bytes = b"\x51") -> Block:
        """Have a node find a block and take it in. ValueError if there is none to be found."""
        node = self.node(number)
        block = grind(node.assemble_block(script_pubkey, self.now, number + 1), 0, NONCES)
        if block is None:
            raise ValueError("no nonce meets the target")
        node.submit_block(block, self.now)
        self._carry_out(number, node.take_effects())
        return block

    def submit(self, number: int, tx: Transaction) -> MempoolEntry:
        """Enter a payment at a node. Raises Rejected or Invalid."""
        node = self.node(number)
        try:
            return node.submit_transaction(tx, self.now)
        finally:
            self._carry_out(number, node.take_effects())

    # Time.

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            self.now, _, action = heapq.heappop(self._queue)
            action()
        self.now = end

    def run_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Let time pass until `condition` holds; False if it does not within `seconds`."""
        end = self.now + seconds
        while not condition():
            if self.now >= end:
                return False
            self.run(TICK_S)
        return True

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Have something done when that much time has passed."""
        self._schedule(seconds, action)

    def _schedule(self, seconds: float, action: Callable[[], None]) -> None:
        self._scheduled += 1
        heapq.heappush(self._queue, (self.now + seconds, self._scheduled, action))

    # Events in, effects out.

    def _deliver(self, number: int, event: Event) -> None:
        host = self.hosts[number]
        if host.node is None:
            return
        self.events += 1
        self._trace.update(f"{self.now!r} {number} {event!r}\n".encode())
        self._carry_out(number, host.node.handle(event, self.now))
        due = host.node.wake_at() if host.node is not None else None
        if due is not None and (due := max(due, self.now + SHORTEST_WAIT_S)) < host.wakes_at:
            host.wakes_at = due
            self._schedule(due - self.now, lambda: self._wake(number))

    def _wake(self, number: int) -> None:
        self.hosts[number].wakes_at = math.inf
        self._deliver(number, Tick())

    def _carry_out(self, number: int, effects: Iterable[Effect]) -> None:
        for effect in effects:
            self.on_effect(number, effect)
            match effect:
                case Send(link, message):
                    self._send(link, Received(link ^ 1, message.command, message.payload()))
                case Close(link):
                    if link in self._wires:
                        self._reset(self._wires[link], but=link)
                case Dial(address):
                    self._dial(number, address)

    def _send(self, link: int, event: Received) -> None:
        wire = self._wires.get(link)
        if wire is None:
            return
        if self.loss and self.rng.random() < self.loss:
            self._reset(wire)
            return
        receiver = 1 - link % 2
        delay = wire.delay_s * (0.8 + 0.4 * self.rng.random())
        delay += len(event.payload) / BYTES_A_SECOND
        wire.arrivals[receiver] = max(wire.arrivals[receiver], self.now + delay)
        number = wire.ends[receiver][0]

        def arrive() -> None:
            if wire.is_up:
                self._deliver(number, event)

        self._schedule(wire.arrivals[receiver] - self.now, arrive)

    def _dial(self, number: int, address: NetAddress) -> None:
        other, life = number_of(address), self.hosts[number].lives
        reachable = 0 <= other < len(self.hosts) and self.hosts[other].node is not None
        reachable = reachable and self.hosts[other].side == self.hosts[number].side

        def answer() -> None:
            if self.hosts[number].lives != life or self.hosts[number].node is None:
                return
            if not reachable or self.hosts[other].node is None:
                self._deliver(number, DialFailed(address))
            else:
                self._open(number, other, address)

        delay = self._latency_s * self.rng.lognormvariate(0, 0.5)
        self._schedule(delay if reachable else DIAL_TIMEOUT_S, answer)

    def _open(self, number: int, other: int, address: NetAddress) -> None:
        """A link stands: the end with the even number dialled."""
        link, self._next_link = self._next_link, self._next_link + 2
        delay = self._latency_s * self.rng.lognormvariate(0, 0.5)
        wire = _Wire(((number, link), (other, link + 1)), delay)
        self._wires[link] = self._wires[link + 1] = wire
        whence = NetAddress(address_of(number).host, 40_000 + link % 20_000)
        self._deliver(other, LinkOpened(link + 1, True, whence))
        self._deliver(number, LinkOpened(link, False, address))

    def _reset(self, wire: _Wire, but: int | None = None) -> None:
        """A link is gone, with all that was on its way; `but` is the end that knows already."""
        wire.is_up = False
        for number, link in wire.ends:
            self._wires.pop(link, None)
            if link != but:
                self._schedule(wire.delay_s, self._closer(number, link, self.hosts[number].lives))

    def _closer(self, number: int, link: int, life: int) -> Callable[[], None]:
        def close() -> None:
            if self.hosts[number].lives == life:
                self._deliver(number, LinkClosed(link))

        return close


def address_of(number: int) -> NetAddress:
    """Where the node of this number listens."""
    return NetAddress(f"10.0.{number // 250}.{number % 250 + 1}", PORT)


def number_of(address: NetAddress) -> int:
    """The number of the node that listens there."""
    _, _, high, low = map(int, address.host.split("."))
    return high * 250 + low - 1
