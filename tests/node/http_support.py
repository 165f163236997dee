"""What the tests of HTTP links share: a listener on a real socket, and a handler that remembers.

`listening()` gives a real server with nothing but /p2p; `Recorder` keeps what it is told, and may
answer each frame with one of its own.
"""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask

from chain.params import REGTEST
from node.config import NodeConfig
from node.events import NetAddress
from node.links import Link, Links
from node.server import Server, listen
from node.web_peer import blueprint
from node.wire import encode_frame

MAGIC = bytes.fromhex("fabfb5da")
HERE = NetAddress("127.0.0.1", 0)


def frame(command: str = "ping", payload: bytes = b"12345678") -> bytes:
    return encode_frame(MAGIC, command, payload)


@dataclass
class Recorder:
    """A handler that remembers; `answer` may send something back."""

    opened_links: list[Link] = field(default_factory=list)
    frames: list[tuple[str, bytes]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    answer: Callable[[Link, str, bytes], None] = lambda link, command, payload: None

    def opened(self, link: Link) -> None:
        self.opened_links.append(link)

    def received(self, link: Link, command: str, payload: bytes) -> None:
        self.frames.append((command, payload))
        self.answer(link, command, payload)

    def misframed(self, link: Link, why: str) -> None:
        self.complaints.append(why)

    def closed(self, link: Link, why: str) -> None:
        self.reasons.append(why)


@dataclass
class Listener:
    """A node as its web_peer sees it, and the server before it."""

    config: NodeConfig
    links: Links
    recorder: Recorder
    server: Server | None = None

    @property
    def address(self) -> NetAddress:
        assert self.server is not None
        return self.server.address


@contextmanager
def listening(max_inbound: int = 20, **settings: object) -> Iterator[Listener]:
    """A listener on a free port of loopback, in threads of this process."""
    config = NodeConfig(REGTEST, Path("unused"), HERE, max_inbound=max_inbound, **settings)  # type: ignore[arg-type]
    recorder = Recorder()
    listener = Listener(config, Links(MAGIC, recorder, max_inbound), recorder)
    app = Flask("test")
    app.register_blueprint(blueprint(listener))

    @app.get("/plain")
    def plain() -> str:
        return "answered"

    @app.get("/long")
    def long() -> bytes:
        return bytes(30_000_000)

    server = listener.server = Server(listen(HERE), app, max_inbound)
    stop = threading.Event()
    server.should_stop = stop.is_set
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield listener
    finally:
        stop.set()
        listener.links.stop()
        server.pull_trigger()
        thread.join(timeout=10)
        assert not thread.is_alive()


class Dialler:
    """The dialler's side by hand, so that it can do what a dialler should not."""

    def __init__(self, address: NetAddress) -> None:
        self.address = address
        self.connection = http.client.HTTPConnection(*address, timeout=10)

    def ask(
        self, method: str = "POST", query: str = "", body: bytes | None = b"", **headers: str | None
    ) -> http.client.HTTPResponse:
        """One exchange; headers by name, `_` for `-`, None leaves one out."""
        given: dict[str, str | None] = {"Content_Type": "application/octet-stream", **headers}
        named = {name.replace("_", "-"): value for name, value in given.items()}
        self.connection.request(
            method,
            f"/p2p{query}",
            body,
            {name: value for name, value in named.items() if value is not None},
        )
        return self.connection.getresponse()

    def status(self, method: str = "POST", query: str = "", **rest: object) -> int:
        reply = self.ask(method, query, **rest)  # type: ignore[arg-type]
        reply.read()
        return reply.status

    def open(self) -> str:
        reply = self.ask()
        assert (reply.status, reply.read()) == (200, b"")
        name = reply.headers["Farthing-Link"]
        assert name is not None
        return name

    def close(self) -> None:
        self.connection.close()


def eventually(ask: Callable[[], object], timeout_s: float = 30) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + timeout_s
    while not ask():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
