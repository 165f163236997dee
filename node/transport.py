"""The dialler's end of HTTP links: one `requests` Session a direction, a thread for each.

It knows the exchanges of `web_peer` from the other side, and how long each may take; what frames
mean is the handler's. A peer is never trusted with our time or memory: redirects and proxies are
off, replies are read as raw bytes in pieces, and every exchange has a deadline of its own, because
the one that `requests` keeps starts anew with each byte. Beside it: ARCHITECTURE.md on peers over
HTTP; the documentation of requests and urllib3.
"""

import contextlib
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError

from chain.errors import DecodeError
from node.events import NetAddress
from node.links import MAX_BODY_SIZE, Link, Links, check_whole

CONNECT_S = 5.0
SEND_S = 30.0
WAITS_S = (17, 20)
"""How long a poll asks to be held: varied, so that links do not march in step."""
READ_GRACE_S = 10.0
POLL_GRACE_S = 70.0
ANSWER_S = 1.0  # for a send under way, once the poll beside it has failed
PIECE_SIZE = 65536
MAX_WHY_SIZE = 120
_NAME = re.compile(r"[0-9a-f]{32}")
# ValueError: DecodeError is one, and so is what requests makes of a header that is not text.
_NETWORK_FAILURES = (requests.RequestException, HTTPError, OSError, ValueError)


class PeerFailed(OSError):  # noqa: N818 - the name says what happened
    """The peer did not do its part of an exchange; the text is one line."""


class _Session(requests.Session):
    """A Session that looks at no redirect.

    Told not to follow one, requests still reads the whole body of the reply, and unpacks it.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        """There is none."""


class Direction:
    """One Session to one peer, used by one thread; another may break off what hangs in it."""

    def __init__(self, address: NetAddress) -> None:
        host = f"[{address.host}]" if ":" in address.host else address.host
        self.url = f"http://{host}:{address.port}/p2p"
        self.session = _Session()
        self.session.trust_env = False
        self.session.headers.clear()
        self.session.headers.update(
            {"Accept-Encoding": "identity", "Content-Type": "application/octet-stream"}
        )
        self._adapter = _Adapter()
        self.session.mount("http://", self._adapter)

    @contextlib.contextmanager
    def request(
        self,
        method: str,
        read_s: float,
        headers: dict[str, str],
        data: bytes = b"",
        query: str = "",
    ) -> Iterator[requests.Response]:
        """One exchange, its reply still to be read. PeerFailed for any status but 200."""
        with self.session.request(
            method,
            self.url + query,
            headers=headers,
            data=data,
            timeout=(CONNECT_S, read_s),
            stream=True,
            allow_redirects=False,
        ) as reply:
            if reply.status_code != 200:
                raise PeerFailed(f"the peer answered {reply.status_code} to a {method}{why(reply)}")
            if reply.headers.get("Content-Encoding"):
                raise PeerFailed("the peer encoded its reply")
            yield reply

    def abort(self) -> None:
        """Break off an exchange that hangs, from another thread."""
        for connection in self._adapter.connections:
            if connection.sock is not None:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)


class _Adapter(HTTPAdapter):
    """Keeps one connection, repeats nothing, and knows its socket."""

    def __init__(self) -> None:
        self.connections: list[HTTPConnection] = []
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        super().init_poolmanager(*args, **kwargs)  # type: ignore[arg-type]
        made = self.connections

        class Connection(HTTPConnection):
            def connect(self) -> None:
                made[:] = [self]
                super().connect()

        class Pool(HTTPConnectionPool):
            ConnectionCls = Connection

        self.poolmanager.pool_classes_by_scheme = {"http": Pool}


def why(reply: requests.Response) -> str:
    """The line in which a peer says what it did not like, if it does."""
    if reply.headers.get("Content-Type") != "text/plain":
        return ""
    text = reply.raw.read(MAX_WHY_SIZE, decode_content=False).decode("ascii", "replace")
    return ": " + " ".join(text.split())


def read(reply: requests.Response, limit: int) -> Iterator[bytes]:
    """The body, raw, in pieces as they come. PeerFailed above `limit`, HTTPError if cut short."""
    total = 0
    for piece in reply.raw.stream(PIECE_SIZE, decode_content=False):
        total += len(piece)
        if total > limit:
            raise PeerFailed(f"a reply of more than {limit} bytes")
        yield piece


def dial(links: Links, failed: Callable[[NetAddress, str], None], address: NetAddress) -> None:
    """Open a link to `address` and keep it going until it closes; for a thread of its own.

    `failed` is told if no link comes about, and why in one line.
    """
    sends, polls = Direction(address), Direction(address)
    deadline = threading.Timer(SEND_S, sends.abort)
    deadline.daemon = True
    deadline.start()
    try:
        with sends.request("POST", SEND_S, {}) as reply:
            name = reply.headers.get("Farthing-Link", "")
            if not _NAME.fullmatch(name) or any(read(reply, 0)):
                raise PeerFailed("no peer of ours answers there")
    except _NETWORK_FAILURES as error:
        failed(address, one_line(error))
        return
    finally:
        deadline.cancel()
    _Dialled(links, links.dialled(address, name), sends, polls).run()


class _Dialled:
    """A link that we dialled: two threads, one a direction."""

    def __init__(self, links: Links, link: Link, sends: Direction, polls: Direction) -> None:
        self._links, self._link = links, link
        self._sends, self._polls = sends, polls
        link.abort = self._abort

    def run(self) -> None:
        """Poll until the link closes; what is to be sent goes by the other thread."""
        threading.Thread(
            target=self._send_all, name=f"send {self._link.number}", daemon=True
        ).start()
        number = 0
        with contextlib.closing(self._polls.session), self._closing(self._wait_for_send):
            while not self._link.closed:
                number += 1
                self._poll(number)

    @contextlib.contextmanager
    def _closing(self, prepare: Callable[[], None] = lambda: None) -> Iterator[None]:
        try:
            yield
        except _NETWORK_FAILURES as error:
            prepare()
            self._links.close(self._link, one_line(error))

    def _wait_for_send(self) -> None:
        """A poll only hears that the link is gone; the answer to a send under way says why."""
        patience = time.monotonic() + ANSWER_S
        while not self._link.closed and "send" in self._link.deadlines:
            if time.monotonic() > patience:
                return
            time.sleep(0.01)

    def _headers(self, number: int) -> dict[str, str]:
        return {"Farthing-Link": self._link.name, "Farthing-Seq": str(number)}

    def _poll(self, number: int) -> None:
        wait_s = random.randint(*WAITS_S)
        self._link.deadlines["poll"] = time.monotonic() + wait_s + POLL_GRACE_S
        with self._polls.request(
            "POST", wait_s + READ_GRACE_S, self._headers(number), query=f"?wait={wait_s}"
        ) as reply:
            for piece in read(reply, MAX_BODY_SIZE):
                self._links.receive(self._link, piece)
                if self._link.closed:
                    return
            check_whole(self._link)

    def _send_all(self) -> None:
        number = 0
        with contextlib.closing(self._sends.session):
            with self._closing():
                while body := self._link.take(MAX_BODY_SIZE, None):
                    number += 1
                    self._exchange("POST", self._headers(number), body)
            with contextlib.suppress(*_NETWORK_FAILURES):
                self._exchange("DELETE", {"Farthing-Link": self._link.name}, b"")
        self._polls.abort()

    def _exchange(self, method: str, headers: dict[str, str], body: bytes) -> None:
        self._link.deadlines["send"] = time.monotonic() + SEND_S
        with self._sends.request(method, SEND_S, headers, body) as reply:
            for _ in read(reply, 0):
                """An answer to a send is empty, or `read` says so."""
        self._link.deadlines.pop("send")

    def _abort(self) -> None:
        self._sends.abort()
        self._polls.abort()


def one_line(error: Exception) -> str:
    """What went wrong on the network, briefly: libraries' own texts run over several lines."""
    if isinstance(error, (PeerFailed, DecodeError)):
        return str(error)
    text = str(error)
    for words, meaning in (
        ("refused", "nobody listens there"),
        ("timed out", "no answer in time"),
        ("onnection broken", "the peer broke the connection"),
        ("Connection aborted", "the peer broke the connection"),
        ("prematurely", "the peer broke the connection"),
        ("reset", "the peer broke the connection"),
    ):
        if words in text:
            return meaning
    return f"{type(error).__name__}: {text.splitlines()[0][:120]}" if text else type(error).__name__
