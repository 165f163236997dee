"""waitress, set up for long polls: a thread for each stream and enough for everything else.

It knows sockets and channels, no node. waitress closes neither a client that trickles its request
nor one that does not read its reply, whatever its settings say: `maintenance` does. Beside it:
waitress's documentation of its settings, and its `server.py` and `channel.py`.
"""

import errno
import logging
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from node.events import NetAddress

EVENT_STREAMS = 32
"""Browsers that listen to events."""
SPARE_THREADS = 16
"""For plain requests, whatever streams there are."""
SPARE_CONNECTIONS = 1_000
"""Beyond the limit connections hang without a word: so many may dawdle until they are cut off."""
OTHER_FILES = 300
"""Open files besides connections: LevelDB's above all."""
RPC_PATH, MAX_RPC_BODY_SIZE = "/", 0x0200_0000
"""Core's limit (MAX_SIZE): blocks that are much too large must get in to be refused by name."""
MAX_BODY_SIZE = 4_000_024
"""The longest body of any other route: a peer's message with a block of 4,000,000 bytes."""
FIRST_REQUEST_S = 20.0
"""A new connection asks for something so soon; one that only keeps others out is cut off."""
REQUEST_S = 30.0
"""A request has come whole so long after its first byte; Core's HTTP server waits as long."""
REPLY_S = 60.0
"""A reply is read so long after it first had to wait; above 67 kB a second for the longest."""
IDLE_S = 300
"""A connection is kept so long without a request: less races with its client's next one."""
STOP_S = 2.0

if sys.platform != "win32":
    import resource

Application = Callable[..., Any]


class AddressInUse(OSError):  # noqa: N818 - the name says what happened
    """Nobody can listen there; the message is one line that says what to do."""


def listen(address: NetAddress) -> socket.socket:
    """A socket that is bound to `address`; AddressInUse in one line if that can't be."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform != "win32":  # there it would let two listen on one port
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((address.host, address.port))
        bound.listen(1024)
    except OSError as error:
        bound.close()
        where = f"{address.host}:{address.port}"
        if error.errno == errno.EADDRINUSE:
            raise AddressInUse(
                f"{where} is in use: stop what listens there, or choose another port with --listen"
            ) from error
        raise AddressInUse(
            f"can't listen at {where} ({error.strerror}): choose an address of this machine "
            "and a free port from 1024 up with --listen"
        ) from error
    return bound


def _room(wanted: int) -> int:
    """Raise the limit on open files so far that `wanted` connections fit; how many then do."""
    if sys.platform == "win32":
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    needed = wanted + OTHER_FILES
    if soft not in (unlimited, hard) and soft < needed:
        soft = needed if hard == unlimited else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == unlimited else max(100, min(wanted, soft - OTHER_FILES))


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    """Refuses a body that is too long for its path before it is read."""

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if self.path == RPC_PATH:
            self.adj: Adjustments = self.adj.for_rpc


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that knows since when it has been kept waiting."""

    parser_class = _Parser
    has_asked = False  # anything, ever
    receiving_since: float | None = None
    sending_since: float | None = None

    def service(self) -> None:
        self.has_asked = True
        super().service()

    def is_slow(self, now: float) -> bool:
        """Whether its client takes too long over a request or over reading a reply."""
        self.receiving_since = self.request and (self.receiving_since or now)
        self.sending_since = self.total_outbufs_len and (self.sending_since or now)
        is_mute = not (self.has_asked or self.request or self.requests)
        return bool(
            (is_mute and now - self.creation_time > FIRST_REQUEST_S)
            or (self.receiving_since and now - self.receiving_since > REQUEST_S)
            or (self.sending_since and now - self.sending_since > REPLY_S)
        )


class _Dispatcher(ThreadedTaskDispatcher):  # type: ignore[misc]
    """Starts threads as they are needed, up to a limit: most nodes have few links."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def add_task(self, task: object) -> None:
        idle = len(self.threads) - self.stop_count - self.active_count
        if len(self.queue) >= idle and len(self.threads) < self.limit:
            self.set_thread_count(len(self.threads) + 1)
        super().add_task(task)

    def shutdown(self, cancel_pending: bool = True, timeout: float = STOP_S) -> bool:
        self.limit = 0
        return bool(super().shutdown(cancel_pending, timeout))


class Server(TcpWSGIServer):  # type: ignore[misc]
    """One WSGI application on one socket."""

    channel_class = _Channel

    def __init__(self, bound: socket.socket, app: Application, max_links: int) -> None:
        # Two threads a link (its poll, its send), so that none waits for another.
        threads = 2 * max_links + EVENT_STREAMS + SPARE_THREADS
        settings = Adjustments(
            sockets=[bound],
            threads=threads,
            connection_limit=_room(2 * max_links + EVENT_STREAMS + SPARE_CONNECTIONS),
            channel_timeout=IDLE_S,
            cleanup_interval=1,
            channel_request_lookahead=1,
            max_request_body_size=MAX_BODY_SIZE + 1,
            recv_bytes=65536,
            asyncore_use_poll=True,
            ident=None,
            expose_tracebacks=False,
            log_socket_errors=False,
        )
        settings.for_rpc = Adjustments(max_request_body_size=MAX_RPC_BODY_SIZE + 1)
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._waking = threading.Lock()
        self._is_over = self._must_stop = False
        self.on_ready: Callable[[], None] | None = None
        """Called once, when requests are answered."""
        self.should_stop: Callable[[], bool] = lambda: False
        self.on_stop: Callable[[], None] = lambda: None
        """To end whatever holds a thread."""
        super().__init__(
            app,
            {},
            True,
            bound,
            dispatcher=_Dispatcher(threads),
            adj=settings,
            sockinfo=(bound.family, bound.type, bound.proto, bound.getsockname()),
            bind_socket=False,
        )

    @property
    def address(self) -> NetAddress:
        """Where it listens."""
        return NetAddress(self.effective_host, int(self.effective_port))

    def run(self) -> None:
        """Serve until `stop_soon` is called, or `should_stop` says so."""
        try:
            wasyncore.loop(self.adj.asyncore_loop_timeout, use_poll=True, map=self._map)
        except SystemExit:
            """That is how it ends."""
        finally:
            self.on_stop()
            self.task_dispatcher.shutdown()
            with self._waking:
                self._is_over = True
            wasyncore.close_all(self._map)

    def stop_soon(self) -> None:
        """End the loop: for a signal's handler, which runs in the loop's thread, between any two
        of its steps. So it takes no lock, and raises nothing where a lock may be held."""
        self._must_stop = True
        if not self._is_over:
            super().pull_trigger()

    def pull_trigger(self) -> None:
        """Have the loop go round, from any thread.

        Not once it is over: the trigger's number may by then belong to another open file.
        """
        with self._waking:
            if not self._is_over:
                super().pull_trigger()

    def readable(self) -> bool:
        """Called in each round of the loop."""
        if self.on_ready is not None:
            ready, self.on_ready = self.on_ready, None
            ready()
        if self._must_stop or self.should_stop():
            raise SystemExit
        return bool(super().readable())

    def maintenance(self, now: float) -> None:
        """Close what is idle or slow; called once a second."""
        super().maintenance(now)
        for channel in list(self.active_channels.values()):
            if channel.is_slow(now):
                channel.handle_close()
