"""HTTP links as queues of frames: an outbox to be emptied, a reader to be fed, clocks that run out.

A link is one logical connection, dialled by one side, as a TCP connection would be. This file knows
both ends' common part and the table of all links with its limits; it does not know HTTP
(`transport` speaks it as the dialler, `web_peer` as the listener) nor what a message means (the
handler). Nothing is ever repeated: a link that loses a byte is closed. Beside it: Bitcoin Core,
`src/net.h` (CNode, its send buffer and limits).
"""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from ipaddress import ip_address
from itertools import count
from typing import Protocol

from chain.errors import DecodeError
from node.events import NetAddress
from node.wire import HEADER_SIZE, MAX_PAYLOAD_SIZE, FrameReader

MAX_BODY_SIZE = HEADER_SIZE + MAX_PAYLOAD_SIZE
"""Of a send and of a poll's reply: the longest message, in its frame."""
MAX_OUTBOX_SIZE = 16_000_000
"""What waits for a peer that does not read; four of the longest messages."""
MAX_INBOUND_PER_ADDRESS = 48
"""Of the 125: one address can't take them all. Loopback is exempt, a network may live there."""
MAX_HALF_OPEN, MAX_HALF_OPEN_PER_ADDRESS = 40, 8
"""Inbound links that have sent no message yet: beyond the first the oldest makes room, beyond the
second (loopback exempt) a newcomer is refused."""
SILENCE_S = 60.0
"""An inbound link is dropped so long after its last exchange ended; Core's handshake timeout."""
FIRST_MESSAGE_S = 30.0
"""An inbound link is dropped if its first message takes longer."""
LONGEST_WAIT_S = 25
"""How long a poll may ask to be held."""


class LinkRefused(Exception):  # noqa: N818 - the name says what happened
    """No further link is taken: an HTTP status, and in how many seconds to try again."""

    def __init__(self, status: int, retry_after_s: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.retry_after_s = retry_after_s


class Series:
    """Exchanges numbered 1, 2, 3, … of which one may be in flight."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.number = 0
        self.in_flight = False

    def begin(self, number: int) -> bool:
        """Whether exchange `number` is the next one and may begin; then it has."""
        with self._lock:
            if self.in_flight or number != self.number + 1:
                return False
            self.number, self.in_flight = number, True
            return True

    def end(self) -> None:
        """The exchange in flight is over."""
        self.in_flight = False


class Link:
    """One end of a link: the same for the dialler and for the listener."""

    def __init__(self, number: int, name: str, inbound: bool, address: NetAddress, magic: bytes):
        self.number = number
        self.name = name
        """What HTTP calls it: 32 hexadecimal digits, which only the two ends know."""
        self.inbound = inbound
        self.address = address
        self.sends, self.polls = Series(), Series()
        self.reader = FrameReader(magic)
        self.deadlines: dict[str, float] = {}
        """What must have happened by when, on the monotonic clock."""
        self.abort: Callable[[], None] = lambda: None
        """Break off exchanges that hang; set by the dialler."""
        self.closed = False
        self.opened_at = time.monotonic()
        self.bytes_sent = self.bytes_received = 0
        self._outbox: deque[bytes] = deque()
        self._outbox_size = 0
        self._changed = threading.Condition()

    def push(self, frame: bytes) -> bool:
        """Put a frame into the outbox; False if the peer has left too much in there unread."""
        with self._changed:
            if self._outbox_size + len(frame) > max(MAX_OUTBOX_SIZE, len(frame)):
                return False
            self._outbox.append(frame)
            self._outbox_size += len(frame)
            self._changed.notify()
            return True

    def take(self, limit: int, timeout_s: float | None) -> bytes:
        """Whole frames from the outbox, at most `limit` bytes of them; waits for the first.

        Nothing when none came in time, when the next is longer than `limit`, or on a closed link.
        """
        with self._changed:
            if not self._outbox and not self.closed:
                self._changed.wait(timeout_s)
            taken: list[bytes] = []
            while self._outbox and len(self._outbox[0]) <= limit and not self.closed:
                taken.append(self._outbox.popleft())
                limit -= len(taken[-1])
            size = sum(map(len, taken))
            self._outbox_size -= size
            self.bytes_sent += size
            return b"".join(taken)

    @property
    def backlog(self) -> int:
        """How many bytes wait in the outbox."""
        return self._outbox_size

    def shut(self) -> bool:
        """Close this end and wake who waits for it; False if it was closed already."""
        with self._changed:
            if self.closed:
                return False
            self.closed = True
            self._outbox.clear()
            self._outbox_size = 0
            self._changed.notify_all()
            return True

    def overdue(self, now: float) -> str | None:
        """What should have happened by now, if anything. A message still being handled never is."""
        if self.inbound and self.sends.in_flight:
            return None
        return next((what for what, limit in list(self.deadlines.items()) if now > limit), None)


class LinkHandler(Protocol):
    """Who is told what happens on links, from whichever thread it happens in."""

    def opened(self, link: Link) -> None:
        """The link stands."""
        ...

    def received(self, link: Link, command: str, payload: bytes) -> None:
        """A whole frame came."""
        ...

    def misframed(self, link: Link, why: str) -> None:
        """What came is no frame; the link is closed next."""
        ...

    def closed(self, link: Link, why: str) -> None:
        """The link is gone; told once."""
        ...


class Links:
    """All links of a node, and the limits on them together."""

    def __init__(self, magic: bytes, handler: LinkHandler, max_inbound: int) -> None:
        self.magic = magic
        self.handler = handler
        self.max_inbound = max_inbound
        self.stopping = False
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._links: dict[int, Link] = {}
        self._inbound: dict[str, Link] = {}

    def accept(self, address: NetAddress) -> Link:
        """A new inbound link from `address`. LinkRefused if there are too many."""
        with self._lock:
            self._check_room(address)
            silent = self._half_open()
            link = self._new(secrets.token_hex(16), True, address)
            now = time.monotonic()
            link.deadlines = {"exchange": now + SILENCE_S, "first message": now + FIRST_MESSAGE_S}
            self._inbound[link.name] = link
        if len(silent) >= MAX_HALF_OPEN:
            self.close(silent[0], "it said nothing while others came")
        self.handler.opened(link)
        return link

    def _half_open(self) -> list[Link]:
        """Inbound links that have not said anything yet, oldest first."""
        return [link for link in self._inbound.values() if "first message" in link.deadlines]

    def _check_room(self, address: NetAddress) -> None:
        if self.stopping:
            raise LinkRefused(503, 5, "this node is stopping")
        if len(self._inbound) >= self.max_inbound:
            raise LinkRefused(503, 60, "no room for another link")
        if ip_address(address.host).is_loopback:
            return
        if sum(link.address.host == address.host for link in self._half_open()) >= (
            MAX_HALF_OPEN_PER_ADDRESS
        ):
            raise LinkRefused(429, 5, "too many links from your address have not said anything yet")
        from_there = sum(link.address.host == address.host for link in self._inbound.values())
        if from_there >= MAX_INBOUND_PER_ADDRESS:
            raise LinkRefused(429, 60, "too many links from your address")

    def dialled(self, address: NetAddress, name: str) -> Link:
        """A link that we dialled stands; the peer called it `name`."""
        with self._lock:
            link = self._new(name, False, address)
        self.handler.opened(link)
        return link

    def _new(self, name: str, inbound: bool, address: NetAddress) -> Link:
        link = Link(next(self._numbers), name, inbound, address, self.magic)
        self._links[link.number] = link
        return link

    def get(self, number: int) -> Link | None:
        """The link of that number, if it stands."""
        return self._links.get(number)

    def find(self, name: str) -> Link | None:
        """The inbound link that HTTP calls by this name, if it stands."""
        return self._inbound.get(name)

    def all(self) -> list[Link]:
        """Every link that stands."""
        with self._lock:
            return list(self._links.values())

    def receive(self, link: Link, data: bytes, whole: bool = False) -> None:
        """Hand on the frames that `data` completes, in order, until the link closes.

        DecodeError, and the link is closed, if it is no frame, or with `whole` ends within one.
        """
        link.bytes_received += len(data)
        try:
            frames = link.reader.feed(data)
            if whole:
                check_whole(link)
        except DecodeError as error:
            self.handler.misframed(link, str(error))
            self.close(link, str(error))
            raise
        for command, payload in frames:
            if link.closed:
                break
            link.deadlines.pop("first message", None)
            try:
                self.handler.received(link, command, payload)
            except BaseException:
                self.close(link, "a fault of ours")
                raise

    def close(self, link: Link, why: str) -> None:
        """Close the link and say so, once."""
        if link.shut():
            with self._lock:
                self._links.pop(link.number, None)
                if link.inbound:
                    self._inbound.pop(link.name, None)
            self.handler.closed(link, why)

    def reap(self) -> None:
        """Close the links whose time has run out; to be called about once a second."""
        now = time.monotonic()
        for link in self.all():
            late = link.overdue(now)
            if late is not None:
                self.close(link, f"no {late} in time")
                link.abort()

    def stop(self) -> None:
        """Take no more links and end all there are, without a word to the handler."""
        self.stopping = True
        for link in self.all():
            link.shut()


def check_whole(link: Link) -> None:
    """DecodeError if a frame was begun on the link and not finished."""
    if link.reader.pending:
        raise DecodeError(f"cut short within a frame ({link.reader.pending} bytes of one came)")
