"""The server before a node: slow clients, many streams, ports that are taken, stopping."""

import http.client
import socket
import subprocess
import sys
import threading
import time

import pytest

from node.events import NetAddress
from node.server import AddressInUse, listen
from tests.node.http_support import Dialler, Listener, eventually, listening


def get(listener: Listener, path: str = "/plain") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*listener.address, timeout=10)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def test_plain_requests_are_answered_beside_as_many_polls_as_there_may_be() -> None:
    with listening(max_inbound=40) as listener:
        diallers = [Dialler(listener.address) for _ in range(40)]
        for dialler in diallers:
            name = dialler.open()
            link = listener.recorder.opened_links[-1]
            link.deadlines.pop("first message")
            headers = {"Content-Type": "application/octet-stream", "Farthing-Link": name}
            dialler.connection.request(
                "POST", "/p2p?wait=20", b"", {**headers, "Farthing-Seq": "1"}
            )
        eventually(lambda: all(link.polls.in_flight for link in listener.links.all()))
        begun = time.monotonic()
        for _ in range(20):
            assert get(listener) == (200, b"answered")
        assert time.monotonic() - begun < 2
        assert listener.server is not None
        assert 40 < len(listener.server.task_dispatcher.threads) < 60
        for dialler in diallers:
            dialler.close()


def is_cut_off(raw: socket.socket, within_s: float) -> bool:
    """Send a byte now and then until the other side has had enough."""
    raw.settimeout(0.1)
    begun = time.monotonic()
    while time.monotonic() - begun < within_s:
        try:
            raw.sendall(b"x")
            if not raw.recv(1):
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


@pytest.mark.parametrize(
    "beginning", [b"GET /plain HT", b"POST /p2p HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nx"]
)
def test_a_request_that_trickles_is_cut_off(
    beginning: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.server.REQUEST_S", 0.5)
    with listening() as listener, socket.create_connection(listener.address) as raw:
        raw.sendall(beginning)
        assert is_cut_off(raw, within_s=5)
        assert get(listener) == (200, b"answered")


def test_five_hundred_that_dawdle_keep_nobody_else_waiting() -> None:
    with listening() as listener:
        dawdling = [socket.create_connection(listener.address) for _ in range(500)]
        for raw in dawdling:
            raw.sendall(b"GET /plain HTTP/1.1\r\nHost:")
        slowest = 0.0
        for _ in range(20):
            begun = time.monotonic()
            assert get(listener) == (200, b"answered")
            slowest = max(slowest, time.monotonic() - begun)
        assert slowest < 1
        for raw in dawdling:
            raw.close()


def test_who_connects_and_asks_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.server.FIRST_REQUEST_S", 0.5)
    with listening() as listener, socket.create_connection(listener.address) as mute:
        kept = http.client.HTTPConnection(*listener.address, timeout=10)
        kept.request("GET", "/plain")
        kept.getresponse().read()
        mute.settimeout(5)
        assert mute.recv(1) == b""
        kept.request("GET", "/plain")  # it has asked before, and may stay
        assert kept.getresponse().read() == b"answered"
        kept.close()


def test_the_limit_on_open_files_is_raised_as_far_as_it_goes() -> None:
    code = (
        "import resource; from node import server\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, {hard}))\n"
        "print(server._room(700), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    for hard, expected in ((2000, "700 1000"), (600, "300 600"), (256, "100 256")):
        ran = subprocess.run(
            [sys.executable, "-c", code.format(hard=hard)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.strip() == expected


def test_a_reply_that_is_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.server.REPLY_S", 0.5)
    with listening() as listener, socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.settimeout(5)
        raw.connect(listener.address)
        raw.sendall(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.2)
        assert listener.server is not None
        assert len(listener.server.active_channels) == 1
        eventually(lambda: not listener.server.active_channels, timeout_s=4)  # type: ignore[union-attr]
        assert get(listener) == (200, b"answered")


def test_a_quiet_connection_is_no_slow_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.server.REQUEST_S", 0.5)
    with listening() as listener:
        connection = http.client.HTTPConnection(*listener.address, timeout=5)
        for pause_s in (1.7, 0):
            connection.request("GET", "/plain")
            assert connection.getresponse().read() == b"answered"
            time.sleep(pause_s)
        connection.close()


def test_a_port_in_use_is_one_line() -> None:
    with listen(NetAddress("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressInUse) as caught:
            listen(NetAddress("127.0.0.1", port))
    assert str(caught.value) == (
        f"127.0.0.1:{port} is in use: stop what listens there, or choose another port with --listen"
    )


def test_an_address_of_another_machine_is_one_line() -> None:
    with pytest.raises(AddressInUse, match=r"can't listen at 192\.0\.2\.1:0 .*--listen"):
        listen(NetAddress("192.0.2.1", 0))


def test_it_listens_on_ipv6_too() -> None:
    try:
        bound = listen(NetAddress("::1", 0))
    except AddressInUse:
        pytest.skip("this machine has no IPv6")
    with bound:
        assert bound.getsockname()[0] == "::1"


def test_stopping_takes_no_longer_than_a_moment_whatever_is_under_way() -> None:
    with listening() as listener:
        dialler = Dialler(listener.address)
        name = dialler.open()
        waiting = threading.Thread(
            target=dialler.status,
            kwargs={"query": "?wait=25", "Farthing_Link": name, "Farthing_Seq": "1"},
        )
        waiting.start()
        eventually(lambda: listener.recorder.opened_links[0].polls.in_flight)
        begun = time.monotonic()
    assert time.monotonic() - begun < 0.5
    waiting.join(timeout=5)
    dialler.close()
    with pytest.raises(OSError):
        socket.create_connection(listener.address, timeout=1)
