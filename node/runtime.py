"""The runtime: one Node behind a lock, its clock, its threads, its effects carried out.

Everything that happens to the node passes through here, one thing at a time, whichever thread
brings it: frames from links, ticks of the clock, calls of the API. It knows no HTTP. A disk that
fails ends the node: nothing is acknowledged after that. Beside it: Bitcoin Core, `src/net.cpp`
(ThreadMessageHandler), `src/util/time.h` (SetMockTime).
"""

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from chain.block import Block, BlockHeader
from chain.chainstate import Acceptance, ChainChanges
from chain.headers import HeaderEntry
from chain.store import StoreError
from chain.transaction import Transaction
from node.config import NodeConfig
from node.core import Node
from node.entry import MempoolEntry
from node.errors import StorageError
from node.events import (
    BlockConnected,
    BlockDisconnected,
    Close,
    Dial,
    DialFailed,
    Effect,
    Event,
    LinkClosed,
    LinkOpened,
    Log,
    Misframed,
    NetAddress,
    Received,
    Send,
    Tick,
    TransactionAccepted,
    TransactionRemoved,
)
from node.index import Index
from node.links import Link, Links
from node.mempool.saved import dump
from node.mempool.submission import PackageResult
from node.mempool.template import grind
from node.mempool_file import write_private
from node.messages import Message, encode_frame
from node.threads import FairLock

DISK_FAILURES = (StorageError, StoreError)
TICK_S = 1.0
SHORTEST_PAUSE_S = 0.01
SLICE = 20_000
"""Nonces tried between two looks at whether the search still makes sense."""

T = TypeVar("T")
Notification = BlockConnected | BlockDisconnected | TransactionAccepted | TransactionRemoved
log = logging.getLogger("farthing")


class Stopping(Exception):  # noqa: N818 - the name says what happened
    """The node is being stopped; what was asked is not done."""


class Runtime:
    """A node at work."""

    def __init__(self, node: Node, index: Index | None, config: NodeConfig) -> None:
        self.node = node
        self.index = index
        self.config = config
        self.lock = FairLock()
        """To be held while anything of the node is read or changed."""
        self.links = Links(node.params.magic, self, config.max_inbound)
        self.credentials = f"__cookie__:{secrets.token_hex(32)}"
        """What the operator shows to the RPC, `user:password`."""
        self.dial: Callable[[NetAddress], None] = self._dial_nobody
        """Opens a link; set by who has a transport."""
        self.wake_server: Callable[[], None] = lambda: None
        """Makes the server look at `stopping`."""
        self.stopping = threading.Event()
        self.failure: str | None = None
        """Why the node stops, if it is not because it was asked to."""
        self.started_at = time.time()
        self.is_mempool_loaded = True
        """False while what waited before is being taken in again."""
        self._mock_time_s = 0
        self._mocked_at = 0.0
        self._queue: deque[Event] = deque()
        self._is_delivering = False
        self._subscribers: list[Callable[[Notification], None]] = []
        self._last_frame: tuple[Message | None, bytes] = (None, b"")
        self._wake = threading.Event()
        self._wakes_at = 0.0
        self._extra_nonce = secrets.randbits(30)
        node.backlog = self._backlog

    # The clock.

    def now(self) -> float:
        """The node's time in Unix seconds: the real one, or the one that was set."""
        return self._mock_time_s or time.time()

    def set_mock_time(self, time_s: int) -> None:
        """Stop the clock at `time_s`; 0 gives back the real one."""
        self._mock_time_s, self._mocked_at = time_s, time.monotonic()

    def _event_time(self) -> float:
        # Blocks see a clock that stands still, as in Core; what peers wait for must go on.
        return self.now() + (time.monotonic() - self._mocked_at if self._mock_time_s else 0)

    # In: events.

    def deliver(self, event: Event) -> None:
        """Tell the node what has happened, and carry out what it wants done about it."""
        with self.lock:
            self._queue.append(event)
            if not self._is_delivering:
                self._settle([])

    def _settle(self, effects: Sequence[Effect]) -> None:
        """Carry out effects, and go on with the events that this brings about."""
        self._is_delivering = True
        try:
            self._carry_out(effects)
            while self._queue and self.failure is None:
                self._carry_out(self.node.handle(self._queue.popleft(), self._event_time()))
        except DISK_FAILURES as error:
            self.fail(str(error))
        finally:
            self._is_delivering = False
            self._queue.clear()
        due = self.node.wake_at()
        if due is not None and due < self._wakes_at:
            self._wake.set()

    def opened(self, link: Link) -> None:
        """See LinkHandler."""
        log.info("link %d opened %s %s", link.number, "by" if link.inbound else "to", _of(link))
        self.deliver(LinkOpened(link.number, link.inbound, link.address))

    def received(self, link: Link, command: str, payload: bytes) -> None:
        """See LinkHandler."""
        self.deliver(Received(link.number, command, payload))

    def misframed(self, link: Link, why: str) -> None:
        """See LinkHandler."""
        self.deliver(Misframed(link.number, why))

    def closed(self, link: Link, why: str) -> None:
        """See LinkHandler."""
        log.info("link %d with %s closed: %s", link.number, _of(link), why)
        self.deliver(LinkClosed(link.number))

    def dial_failed(self, address: NetAddress, why: str) -> None:
        """No link to `address` came about."""
        log.info("no link to %s:%d: %s", *address, why)
        self.deliver(DialFailed(address))

    # In: the operator and the API.

    def _ask(self, question: Callable[[], T]) -> T:
        """Let the node do something of itself. StorageError if its disk failed, now or before."""
        with self.lock:
            if self.failure is not None:
                raise StorageError(self.failure)
            try:
                return question()
            except DISK_FAILURES as error:
                self.fail(str(error))
                raise StorageError(str(error)) from error
            finally:
                self._settle(self.node.take_effects())

    def submit_transaction(self, tx: Transaction) -> MempoolEntry:
        """See Node.submit_transaction."""
        return self._ask(lambda: self.node.submit_transaction(tx, self.now()))

    def submit_package(self, txs: Sequence[Transaction], max_feerate: int) -> PackageResult:
        """See Node.submit_package."""
        return self._ask(lambda: self.node.submit_package(txs, max_feerate, self.now()))

    def restore(self, steps: Iterator[None], count: int) -> bool:
        """Take `count` steps of saved.restore and tell of what came. Whether there may be more."""
        done = self._ask(lambda: sum(1 for _ in islice(steps, count)))
        self.deliver(Tick())
        return done == count

    def save_mempool(self) -> Path:
        """Write what waits; where it is then. StorageError if that can't be."""
        with self.lock:
            write_private(self.config.mempool_file, dump(self.node.mempool))
        return self.config.mempool_file

    def submit_block(self, block: Block) -> Acceptance:
        """See Node.submit_block."""
        return self._ask(lambda: self.node.submit_block(block, self.now()))

    def submit_header(self, header: BlockHeader) -> HeaderEntry:
        """See Chainstate.accept_header."""
        return self._ask(lambda: self.node.chainstate.accept_header(header, int(self.now())))

    def invalidate(self, block_hash: bytes) -> ChainChanges:
        """See Node.invalidate."""
        return self._ask(lambda: self.node.invalidate(block_hash, self.now()))

    def reconsider(self, block_hash: bytes) -> ChainChanges:
        """See Node.reconsider."""
        return self._ask(lambda: self.node.reconsider(block_hash, self.now()))

    def prefer(self, block_hash: bytes) -> ChainChanges:
        """See Node.prefer."""
        return self._ask(lambda: self.node.prefer(block_hash, self.now()))

    def connect_to(self, address: NetAddress) -> None:
        """See Node.connect_to."""
        self._ask(lambda: self.node.connect_to(address, self.now()))

    # Mining.

    def assemble(self, script_pubkey: bytes) -> Block:
        """The next block, unlike any assembled before; only the work is missing."""
        self._extra_nonce += 1
        return self._ask(
            lambda: self.node.assemble_block(script_pubkey, self.now(), self._extra_nonce)
        )

    def generate(self, script_pubkey: bytes, count: int) -> list[bytes]:
        """Mine `count` blocks onto the tip, each paying `script_pubkey`; their hashes, wire order.

        Stopping if the node is stopped meanwhile.
        """
        return [self._generate(script_pubkey) for _ in range(count)]

    def _generate(self, script_pubkey: bytes) -> bytes:
        while True:
            block = self.assemble(script_pubkey)
            solved = self.search(block)
            # The tip may have changed since: then the block would join a branch nobody is on.
            with self.lock:
                if solved is not None and solved.header.prev_hash == self.node.chainstate.tip.hash:
                    for failure in self.submit_block(solved).changes.failures.values():
                        raise failure
                    return solved.header.hash

    def search(self, block: Block) -> Block | None:
        """The block with its work done; None once it no longer builds on the tip. Stopping if the
        node is stopped meanwhile. To be called without the lock."""
        for start in range(0, 1 << 32, SLICE):
            if self.stopping.is_set():
                raise Stopping("this node is stopping")
            solved = grind(block, start, SLICE)
            if solved is not None:
                return solved
            if block.header.prev_hash != self.node.chainstate.tip.hash:
                break
        return None

    # Out: effects.

    def subscribe(self, told: Callable[[Notification], None]) -> None:
        """Have `told` called for each notification, under the lock: it must be quick."""
        self._subscribers.append(told)

    def unsubscribe(self, told: Callable[[Notification], None]) -> None:
        """Stop telling."""
        self._subscribers.remove(told)

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(number, message):
                    self._send(number, message)
                case Close(number, why):
                    if (link := self.links.get(number)) is not None:
                        self.links.close(link, why)
                case Dial(address):
                    self.dial(address)
                case Log(text):
                    log.info("%s", text)
                case _:
                    for told in list(self._subscribers):
                        told(effect)

    def _send(self, number: int, message: Message) -> None:
        link = self.links.get(number)
        if link is None:
            return
        if message is not self._last_frame[0]:  # the same message often goes to many
            self._last_frame = (message, encode_frame(self.links.magic, message))
        if not link.push(self._last_frame[1]):
            self.links.close(link, "it does not read what it is sent")

    def _backlog(self, number: int) -> int:
        link = self.links.get(number)
        return 0 if link is None else link.backlog

    def _dial_nobody(self, address: NetAddress) -> None:
        self.dial_failed(address, "this node has no transport")

    # Life.

    def tick_forever(self) -> None:
        """Let time pass for the node, until it stops; for a thread of its own."""
        while not self.stopping.is_set():
            self.links.reap()
            self.deliver(Tick())
            self._wake.clear()
            with self.lock:
                due, now = self.node.wake_at(), self._event_time()
                pause_s = TICK_S if due is None else min(TICK_S, max(SHORTEST_PAUSE_S, due - now))
                self._wakes_at = now + pause_s
            self._wake.wait(pause_s)

    def fail(self, why: str) -> None:
        """Stop the node because of `why`, one line for its operator."""
        if self.failure is None:
            self.failure = why
            log.error("%s", why)
        self.request_stop()

    def request_stop(self) -> None:
        """Have the node stopped soon; from any thread."""
        self.stopping.set()
        self.links.stop()
        self._wake.set()
        self.wake_server()


def _of(link: Link) -> str:
    return f"{link.address.host}:{link.address.port}"
