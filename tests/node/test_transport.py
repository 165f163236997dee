"""Links that we dial: against a real listener, and against servers that do what they should not."""

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from node import transport
from node.events import NetAddress
from node.links import Link, Links
from tests.node.http_support import MAGIC, Recorder, eventually, frame, listening

NAME = "0123456789abcdef0123456789abcdef"
OPENED = f"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nFarthing-Link: {NAME}\r\n\r\n".encode()
STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Side:
    """A dialler with a handler that remembers."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.links = Links(MAGIC, self.recorder, 0)
        self.failures: list[str] = []
        self.threads: list[threading.Thread] = []

    def failed(self, address: NetAddress, why: str) -> None:
        self.failures.append(why)

    def dial(self, address: NetAddress) -> None:
        thread = threading.Thread(
            target=transport.dial, args=(self.links, self.failed, address), daemon=True
        )
        thread.start()
        self.threads.append(thread)

    @property
    def link(self) -> Link:
        eventually(lambda: self.recorder.opened_links)
        return self.recorder.opened_links[0]

    def is_over(self) -> bool:
        return not any(thread.is_alive() for thread in self.threads)


def answer_everything(link: Link, command: str, payload: bytes) -> None:
    link.push(frame(f"re{command}", payload))


def test_frames_go_both_ways_in_order_and_closing_tells_the_listener() -> None:
    with listening() as listener:
        listener.recorder.answer = answer_everything
        side = Side()
        side.dial(listener.address)
        for number in range(300):
            assert side.link.push(frame("n", b"%d" % number))
        eventually(lambda: len(side.recorder.frames) == 300)
        assert side.recorder.frames == [("ren", b"%d" % number) for number in range(300)]
        assert not side.link.inbound
        assert side.link.address == listener.address
        assert side.link.bytes_sent > 300 * 24
        side.links.close(side.link, "done")
        eventually(lambda: listener.recorder.reasons)
        assert listener.recorder.reasons == ["closed by the peer"]
        eventually(side.is_over)
        assert side.recorder.reasons == ["done"]


def test_blocks_of_the_longest_kind_pass_both_ways() -> None:
    longest = frame("block", bytes(4_000_000))
    with listening() as listener:
        side = Side()
        side.dial(listener.address)
        for link in (side.link, listener.recorder.opened_links[0]):
            for _ in range(3):
                assert link.push(longest)
        for recorder in (side.recorder, listener.recorder):
            eventually(lambda recorder=recorder: len(recorder.frames) == 3)  # type: ignore[misc]
        side.links.close(side.link, "done")


def test_a_listener_that_closes_is_noticed() -> None:
    with listening() as listener:
        side = Side()
        side.dial(listener.address)
        eventually(lambda: side.link.polls is not None and listener.recorder.opened_links)
        eventually(lambda: listener.recorder.opened_links[0].polls.in_flight)
        listener.links.close(listener.recorder.opened_links[0], "no more")
        eventually(lambda: side.recorder.reasons)
        assert side.recorder.reasons == ["the peer answered 410 to a POST: Gone: no such link"]
        eventually(side.is_over)


def test_nobody_there_is_a_failed_dial() -> None:
    side = Side()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        side.dial(NetAddress("127.0.0.1", bound.getsockname()[1]))
        eventually(side.is_over)
    assert side.failures == ["nobody listens there"]
    assert side.recorder.opened_links == []


def test_polls_go_on_past_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "WAITS_S", (1, 1))
    with listening() as listener:
        side = Side()
        side.dial(listener.address)
        time.sleep(1.3)
        assert listener.recorder.opened_links[0].push(frame("late", b""))
        eventually(lambda: side.recorder.frames == [("late", b"")])
        assert listener.recorder.opened_links[0].polls.number == 2
        side.links.close(side.link, "done")


Script = Callable[[socket.socket, str, dict[str, str]], None]


@contextmanager
def misbehaving(script: Script) -> Iterator[tuple[NetAddress, list[str]]]:
    """A server that reads each request and lets `script` answer it; and the requests it saw."""
    seen: list[str] = []
    done = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while line := stream.readline():
                headers = dict(
                    pair.decode().strip().split(": ", 1) for pair in iter(stream.readline, b"\r\n")
                )
                stream.read(int(headers.get("Content-Length", 0)))
                seen.append(line.decode().strip())
                try:
                    script(connection, line.decode(), headers)
                except OSError:
                    return

    def accept() -> None:
        while not done.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield NetAddress(*server.getsockname()), seen
        finally:
            done.set()
            server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "the peer answered 404 to a POST"),
        (b"HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n", "the peer answered 503 to a POST"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            "the peer answered 302 to a POST",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "no peer of ours answers there"),
        (OPENED.replace(NAME.encode(), NAME.upper().encode()), "no peer of ours answers there"),
        (OPENED.replace(b": 0", b": 1") + b"x", "a reply of more than 0 bytes"),
        (
            OPENED.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n"),
            "the peer encoded its reply",
        ),
        (
            b"HTTP/1.1 503 Full\r\nContent-Type: text/plain\r\nContent-Length: 300\r\n\r\n"
            + b"no\n\x1b room " * 30,
            "the peer answered 503 to a POST: "
            + " ".join((b"no\n\x1b room " * 30)[:120].decode().split()),
        ),
        # A redirect is no place to go to, and its body is not read: it need not even be one.
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 9\r\n\r\nelsewhere",
            "the peer answered 302 to a POST",
        ),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "the peer broke the connection"),
    ],
)
def test_whatever_is_no_peer_is_a_failed_dial(reply: bytes, why: str) -> None:
    def script(connection: socket.socket, line: str, headers: dict[str, str]) -> None:
        connection.sendall(reply)
        connection.shutdown(socket.SHUT_RDWR)

    with misbehaving(script) as (address, seen):
        side = Side()
        side.dial(address)
        eventually(side.is_over)
    assert side.failures == [why]
    assert len(seen) == 1  # nothing is repeated, no redirect is followed


def polled(reply: bytes, *, close: bool = True) -> Script:
    """A peer that opens links and answers every poll with `reply`."""

    def script(connection: socket.socket, line: str, headers: dict[str, str]) -> None:
        connection.sendall(reply if "?wait=" in line else OPENED)
        if "?wait=" in line and close:
            connection.shutdown(socket.SHUT_RDWR)

    return script


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (STREAM + chunk(frame()) + b"0\r\n\r\n", None),
        (STREAM + chunk(frame()[:-1]) + b"0\r\n\r\n", "cut short within a frame"),
        (STREAM + chunk(frame()), "the peer broke the connection"),
        (STREAM + b"ffff\r\nshort", "the peer broke the connection"),
        (STREAM + b"zz\r\n", "the peer broke the connection"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + frame(),
            "the peer broke the connection",
        ),
        (STREAM + chunk(b"not a frame, this is plain text"), "magic 6e6f7420, expected fabfb5da"),
        (STREAM + chunk(frame() * 125_001) + b"0\r\n\r\n", "a reply of more than 4000024 bytes"),
        (b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n", "the peer answered 409 to a POST"),
        (STREAM.replace(b"\r\n\r\n", b"\r\nContent-Encoding: br\r\n\r\n"), "the peer encoded"),
        (b"", "the peer broke the connection"),
    ],
)
def test_a_poll_that_goes_wrong_closes_the_link(reply: bytes, why: str | None) -> None:
    with misbehaving(polled(reply, close=why is not None)) as (address, seen):
        side = Side()
        side.dial(address)
        if why is None:
            eventually(lambda: len(side.recorder.frames) > 2)
            side.links.close(side.link, "enough")
        eventually(side.is_over)
        eventually(lambda: any(line.startswith("DELETE") for line in seen))
    assert len(side.recorder.reasons) == 1
    assert side.recorder.reasons[0].startswith(why or "enough")


def test_a_gzip_bomb_is_never_unpacked() -> None:
    bomb = STREAM.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    with misbehaving(polled(bomb + chunk(b"\x1f\x8b" + bytes(1000)))) as (address, _):
        side = Side()
        side.dial(address)
        eventually(side.is_over)
    assert side.recorder.frames == []


@pytest.mark.parametrize("body", [b"x", None])
def test_a_send_that_goes_wrong_closes_the_link(body: bytes | None) -> None:
    def script(connection: socket.socket, line: str, headers: dict[str, str]) -> None:
        if "?wait=" in line:
            time.sleep(5)
        elif headers.get("Farthing-Seq") is None:
            connection.sendall(OPENED)
        elif body is None:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with misbehaving(script) as (address, _):
        side = Side()
        side.dial(address)
        side.link.push(frame())
        eventually(side.is_over)  # the poll that hangs is broken off
    assert side.recorder.reasons == [
        "the peer answered 400 to a POST" if body is None else "a reply of more than 0 bytes"
    ]


@pytest.mark.parametrize("answers", [True, False])
def test_the_answer_to_a_send_says_more_than_that_the_link_is_gone(
    answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "ANSWER_S", 5.0 if answers else 0.2)
    sent, over = threading.Event(), threading.Event()

    def script(connection: socket.socket, line: str, headers: dict[str, str]) -> None:
        if "?wait=" in line:
            assert sent.wait(5)
            connection.sendall(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")
        elif headers.get("Farthing-Seq") is None:
            connection.sendall(OPENED)
        else:
            sent.set()
            over.wait(0.3 if answers else 5)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with misbehaving(script) as (address, _):
        side = Side()
        side.dial(address)
        side.link.push(frame())
        eventually(lambda: side.recorder.reasons)
        over.set()
        eventually(side.is_over)
    status = 400 if answers else 410
    assert side.recorder.reasons == [f"the peer answered {status} to a POST"]


def trickle(connection: socket.socket, head: bytes) -> None:
    """Bytes that keep a timeout for each read from ever running out."""
    connection.sendall(head)
    while True:
        connection.sendall(b"X-Slow: 1\r\n")
        time.sleep(0.05)


@pytest.mark.parametrize("what", ["open", "poll", "send"])
def test_a_peer_that_trickles_is_cut_off_by_our_own_deadline(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "WAITS_S", (0, 0))
    monkeypatch.setattr(transport, "POLL_GRACE_S", 0.4 if what == "poll" else 60)
    monkeypatch.setattr(transport, "SEND_S", 0.4)

    def script(connection: socket.socket, line: str, headers: dict[str, str]) -> None:
        is_poll = "?wait=" in line
        if headers.get("Farthing-Seq") is None and what == "open":
            trickle(connection, b"HTTP/1.1 200 OK\r\n")
        elif headers.get("Farthing-Seq") is None:
            connection.sendall(OPENED)
        elif is_poll == (what == "poll"):
            trickle(connection, b"HTTP/1.1 200 OK\r\n")
        elif is_poll:
            time.sleep(9)
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with misbehaving(script) as (address, _):
        side = Side()
        side.dial(address)
        if what != "open":
            side.link.push(frame())
        begun = time.monotonic()
        while not side.is_over():
            side.links.reap()
            time.sleep(0.05)
            assert time.monotonic() - begun < 4
    if what == "open":
        assert side.failures == ["no peer of ours answers there"]
    else:
        assert side.recorder.reasons == [f"no {what} in time"]


def test_what_we_send_names_no_browser_and_asks_for_no_encoding() -> None:
    seen: dict[str, str] = {}

    def script(connection: socket.socket, line: str, headers: dict[str, str]) -> None:
        seen.update(headers)
        connection.sendall(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")

    with misbehaving(script) as (address, _):
        side = Side()
        side.dial(address)
        eventually(side.is_over)
    assert seen["Accept-Encoding"] == "identity"
    assert seen["Content-Type"] == "application/octet-stream"
    assert seen["Content-Length"] == "0"
    assert seen["Host"] == f"127.0.0.1:{address.port}"
    assert not {"Origin", "Authorization", "Cookie", "Content-Encoding"} & set(seen)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with listening() as listener:
        side = Side()
        side.dial(listener.address)
        assert side.link.address == listener.address
        side.links.close(side.link, "done")


def test_an_ipv6_address_is_written_in_brackets() -> None:
    assert transport.Direction(NetAddress("::1", 18443)).url == "http://[::1]:18443/p2p"


def test_strange_failures_are_still_one_line() -> None:
    assert transport.one_line(OSError("first\nsecond")) == "OSError: first"
    assert transport.one_line(http.client.HTTPException()) == "HTTPException"
