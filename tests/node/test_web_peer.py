"""POST and DELETE /p2p over real sockets: every exchange, and every way to get it wrong."""

import random
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from chain.params import REGTEST
from node.events import NetAddress
from node.links import Link, LinkRefused
from tests.node.http_support import Dialler, Listener, eventually, frame, listening


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as listening_there:
        yield listening_there


@pytest.fixture
def dialler(listener: Listener) -> Iterator[Dialler]:
    one = Dialler(listener.address)
    yield one
    one.close()


def test_a_link_opens_speaks_both_ways_and_closes(listener: Listener, dialler: Dialler) -> None:
    name = dialler.open()
    assert len(name) == 32
    (link,) = listener.recorder.opened_links
    assert link.inbound
    assert link.address.host == "127.0.0.1"

    sent = dialler.ask(body=frame() + frame("pong"), Farthing_Link=name, Farthing_Seq="1")
    assert (sent.status, sent.read()) == (200, b"")
    assert [command for command, _ in listener.recorder.frames] == ["ping", "pong"]

    assert link.push(frame("inv", b"\0"))
    polled = dialler.ask(query="?wait=0", Farthing_Link=name, Farthing_Seq="1")
    assert (polled.status, polled.read()) == (200, frame("inv", b"\0"))
    assert polled.headers["Content-Type"] == "application/octet-stream"
    assert polled.headers["Content-Encoding"] is None

    assert dialler.status("DELETE", Farthing_Link=name) == 200
    assert listener.recorder.reasons == ["closed by the peer"]
    assert dialler.status("DELETE", Farthing_Link=name) == 410
    assert dialler.status(query="?wait=0", Farthing_Link=name, Farthing_Seq="2") == 410


def test_a_poll_streams_what_comes_and_ends_in_time(listener: Listener, dialler: Dialler) -> None:
    name = dialler.open()
    (link,) = listener.recorder.opened_links
    for delay_s in (0.2, 0.4):
        threading.Timer(delay_s, link.push, [frame()]).start()
    begun = time.monotonic()
    reply = dialler.ask(query="?wait=1", Farthing_Link=name, Farthing_Seq="1")
    first = reply.read(len(frame()))
    assert time.monotonic() - begun < 0.35
    assert first + reply.read() == frame() * 2
    assert 0.9 < time.monotonic() - begun < 2.5
    assert not link.closed


def test_a_poll_ends_where_the_next_frame_does_not_fit(
    listener: Listener, dialler: Dialler
) -> None:
    name = dialler.open()
    (link,) = listener.recorder.opened_links
    big, longest = frame("big", bytes(3_000_000)), frame("longest", bytes(4_000_000))
    for each in (big, big, longest):
        assert link.push(each)
    for number, expected in ((1, big), (2, big), (3, longest)):
        reply = dialler.ask(query="?wait=5", Farthing_Link=name, Farthing_Seq=str(number))
        begun = time.monotonic()
        assert reply.read() == expected
        assert time.monotonic() - begun < 3


def test_the_longest_message_passes_and_a_longer_body_does_not(
    listener: Listener, dialler: Dialler
) -> None:
    name = dialler.open()
    longest = frame("block", bytes(4_000_000))
    assert dialler.status(body=longest, Farthing_Link=name, Farthing_Seq="1") == 200
    assert len(listener.recorder.frames[0][1]) == 4_000_000
    # Refused on its declared length: not a byte of the body is sent here.
    for path, length, status in (("/p2p", 4_000_025, 413), ("/p2p", 10**12, 413)):
        with socket.create_connection(listener.address) as raw:
            raw.sendall(
                f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n"
                f"Content-Type: application/octet-stream\r\nFarthing-Link: {name}\r\n"
                f"Farthing-Seq: 2\r\n\r\n".encode()
            )
            raw.settimeout(5)
            assert raw.recv(100).startswith(f"HTTP/1.1 {status} ".encode())


def test_an_endless_chunked_body_is_cut_off(listener: Listener) -> None:
    with socket.create_connection(listener.address) as raw:
        raw.sendall(b"POST /p2p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        raw.settimeout(5)
        sent = 0
        with pytest.raises(OSError):
            while sent < 20_000_000:
                raw.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
                sent += 65536
            raise AssertionError("nobody stopped it")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": None}, 415),
        ({"Content_Type": "application/octet-stream; charset=utf-8"}, 415),
        ({"Origin": "http://127.0.0.1"}, 415),
        ({"Origin": "null"}, 415),
        ({"Content_Encoding": "gzip"}, 415),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:18443"}, 403),
        ({"Host": "10.0.0.1"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "LOCALHOST.:1234"}, 200),
        ({"Host": "[::1]:18443"}, 200),
    ],
)
def test_what_a_browser_could_send_is_refused(
    listener: Listener, dialler: Dialler, headers: dict[str, str | None], status: int
) -> None:
    assert dialler.status(**headers) == status
    assert len(listener.links.all()) == (status == 200)


@pytest.mark.parametrize(
    ("query", "body", "headers", "status"),
    [
        ("", b"", {"Farthing_Link": "A" * 32, "Farthing_Seq": "1"}, 400),
        ("", b"", {"Farthing_Link": "", "Farthing_Seq": "1"}, 400),
        ("", b"", {"Farthing_Link": "a" * 32, "Farthing_Seq": "1"}, 410),
        ("", b"x", {}, 400),
        ("?wait=1", b"", {}, 400),
        ("", b"", {"Farthing_Seq": "1"}, 400),
    ],
)
def test_requests_without_a_link_of_ours(
    dialler: Dialler, query: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    assert dialler.status(query=query, body=body, **headers) == status


@pytest.mark.parametrize(
    ("method", "query", "body", "headers", "status"),
    [
        ("POST", "", b"", {}, 400),
        ("POST", "", frame(), {"Farthing_Seq": "0"}, 400),
        ("POST", "", frame(), {"Farthing_Seq": "01"}, 400),
        ("POST", "", frame(), {"Farthing_Seq": "+1"}, 400),
        ("POST", "", frame(), {"Farthing_Seq": "1, 1"}, 400),
        ("POST", "", frame(), {"Farthing_Seq": "1" * 19}, 400),
        ("POST", "", frame(), {"Farthing_Seq": "2"}, 409),
        ("POST", "?wait=1", b"", {"Farthing_Seq": "2"}, 409),
        ("POST", "?wait=26", b"", {"Farthing_Seq": "1"}, 400),
        ("POST", "?wait=-1", b"", {"Farthing_Seq": "1"}, 400),
        ("POST", "?wait=1.5", b"", {"Farthing_Seq": "1"}, 400),
        ("POST", "?wait=01", b"", {"Farthing_Seq": "1"}, 400),
        ("POST", "?wait=1&x=1", b"", {"Farthing_Seq": "1"}, 400),
        ("POST", "?hold=1", b"", {"Farthing_Seq": "1"}, 400),
        ("POST", "?wait=1", frame(), {"Farthing_Seq": "1"}, 400),
        ("POST", "", frame()[:-1], {"Farthing_Seq": "1"}, 400),
        ("POST", "", b"GET / HTTP/1.1\r\nnot a frame at all", {"Farthing_Seq": "1"}, 400),
        ("POST", "", frame()[:-1] + b"?", {"Farthing_Seq": "1"}, 400),
        ("DELETE", "", b"x", {}, 400),
        ("DELETE", "?x", b"", {}, 400),
        ("POST", "", frame(), {"Farthing_Seq": "1", "Origin": "http://x"}, 415),
        ("POST", "", frame(), {"Farthing_Seq": "1", "Host": "evil.example"}, 403),
    ],
)
def test_whatever_is_wrong_on_a_link_closes_it(
    listener: Listener,
    dialler: Dialler,
    method: str,
    query: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
) -> None:
    name = dialler.open()
    assert dialler.status(method, query, body=body, Farthing_Link=name, **headers) == status
    assert len(listener.recorder.reasons) == 1
    assert listener.links.all() == []
    assert listener.recorder.frames == []


def test_a_frame_of_another_network_is_told_and_closes(
    listener: Listener, dialler: Dialler
) -> None:
    name = dialler.open()
    body = b"\xf9\xbe\xb4\xd9" + frame()[4:]
    reply = dialler.ask(body=body, Farthing_Link=name, Farthing_Seq="1")
    assert reply.status == 400
    assert b"magic f9beb4d9, expected fabfb5da" in reply.read()
    assert listener.recorder.complaints == ["magic f9beb4d9, expected fabfb5da"]
    assert listener.recorder.reasons == ["magic f9beb4d9, expected fabfb5da"]


def test_other_methods_are_not_spoken(dialler: Dialler) -> None:
    assert dialler.status("GET") == 405
    assert dialler.status("PUT") == 405


def test_a_second_poll_closes_the_link(listener: Listener, dialler: Dialler) -> None:
    name = dialler.open()
    (link,) = listener.recorder.opened_links
    first = Dialler(listener.address)
    polling = threading.Thread(
        target=first.status, kwargs={"query": "?wait=9", "Farthing_Link": name, "Farthing_Seq": "1"}
    )
    polling.start()
    eventually(lambda: link.polls.in_flight)
    assert dialler.status(query="?wait=9", Farthing_Link=name, Farthing_Seq="2") == 409
    polling.join(timeout=2)
    assert not polling.is_alive()
    assert link.closed
    first.close()


def test_a_second_send_at_once_closes_the_link(listener: Listener, dialler: Dialler) -> None:
    name = dialler.open()
    release = threading.Event()
    listener.recorder.answer = lambda link, command, payload: bool(release.wait(5)) and None
    first, statuses = Dialler(listener.address), []

    def send() -> None:
        statuses.append(first.status(body=frame(), Farthing_Link=name, Farthing_Seq="1"))

    sending = threading.Thread(target=send)
    sending.start()
    eventually(lambda: listener.recorder.frames)
    assert dialler.status(body=frame(), Farthing_Link=name, Farthing_Seq="2") == 409
    release.set()
    sending.join(timeout=5)
    assert statuses == [410]
    first.close()


def test_frames_after_the_one_that_closed_the_link_are_not_handed_on(
    listener: Listener, dialler: Dialler
) -> None:
    name = dialler.open()
    listener.recorder.answer = lambda link, *_: listener.links.close(link, "enough")
    assert dialler.status(body=frame() * 3, Farthing_Link=name, Farthing_Seq="1") == 410
    assert len(listener.recorder.frames) == 1


def test_a_fault_while_handling_closes_the_link(listener: Listener, dialler: Dialler) -> None:
    name = dialler.open()

    def fail(link: Link, command: str, payload: bytes) -> None:
        raise AssertionError("we are wrong")

    listener.recorder.answer = fail
    assert dialler.status(body=frame(), Farthing_Link=name, Farthing_Seq="1") == 500
    assert listener.recorder.reasons == ["a fault of ours"]


def test_a_killed_client_takes_its_link_along_within_a_second(listener: Listener) -> None:
    dialler = Dialler(listener.address)
    name = dialler.open()
    (link,) = listener.recorder.opened_links
    dialler.connection.request(
        "POST",
        "/p2p?wait=25",
        b"",
        {
            "Content-Type": "application/octet-stream",
            "Farthing-Link": name,
            "Farthing-Seq": "1",
        },
    )
    eventually(lambda: link.polls.in_flight)
    dialler.close()
    eventually(lambda: link.closed, timeout_s=2.5)
    assert listener.recorder.reasons == ["the poll's socket closed"]


def test_full_is_503_and_too_many_from_one_address_429(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with listening(max_inbound=2) as listener:
        dialler = Dialler(listener.address)
        names = [dialler.open(), dialler.open()]
        reply = dialler.ask()
        assert (reply.status, reply.headers["Retry-After"]) == (503, "60")
        assert b"no room" in reply.read()
        assert dialler.status("DELETE", Farthing_Link=names[0]) == 200
        dialler.open()
        dialler.close()
    with listening(max_inbound=60) as listener:
        dialler = Dialler(listener.address)
        silent = [dialler.open() for _ in range(41)]
        # The eldest of those that have said nothing made room for the last.
        assert listener.recorder.reasons == ["it said nothing while others came"]
        for name, status in ((silent[0], 410), (silent[1], 200)):
            answer = dialler.status(body=frame(), Farthing_Link=name, Farthing_Seq="1")
            assert answer == status
        for link in listener.links.all():
            link.deadlines.pop("first message", None)
        for _ in range(8):  # loopback is exempt from the limit of 48 an address
            dialler.open()
        dialler.close()


def test_strangers_get_few_links_before_they_say_anything() -> None:
    with listening(max_inbound=60) as listener:
        stranger, other = NetAddress("10.1.2.3", 5), NetAddress("10.1.2.4", 5)
        links = [listener.links.accept(stranger) for _ in range(8)]
        with pytest.raises(LinkRefused, match="have not said anything yet") as caught:
            listener.links.accept(stranger)
        assert (caught.value.status, caught.value.retry_after_s) == (429, 5)
        listener.links.accept(other)
        links[0].deadlines.pop("first message")
        listener.links.accept(stranger)
        for link in listener.links.all():
            link.deadlines.pop("first message", None)
        with pytest.raises(LinkRefused, match=r"too many links from your address$"):
            for _ in range(40):
                link = listener.links.accept(stranger)
                link.deadlines.pop("first message")


def test_stopping_refuses_links_and_ends_polls(dialler: Dialler, listener: Listener) -> None:
    name = dialler.open()
    other = Dialler(listener.address)
    ended: list[tuple[int, bytes]] = []

    def poll() -> None:
        reply = other.ask(query="?wait=20", Farthing_Link=name, Farthing_Seq="1")
        ended.append((reply.status, reply.read()))

    polling = threading.Thread(target=poll)
    polling.start()
    eventually(lambda: listener.recorder.opened_links[0].polls.in_flight)
    listener.links.stopping = True
    reply = dialler.ask()
    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
    reply.read()
    listener.links.stop()
    polling.join(timeout=2)
    assert ended == [(200, b"")]
    other.close()


def test_silence_ends_a_link(listener: Listener, dialler: Dialler) -> None:
    names = [dialler.open() for _ in range(3)]
    assert dialler.status(body=frame(), Farthing_Link=names[1], Farthing_Seq="1") == 200
    quiet, spoken, polled = listener.recorder.opened_links
    now = time.monotonic()
    assert 29 < quiet.deadlines["first message"] - now < 31
    assert 59 < spoken.deadlines["exchange"] - now < 61
    assert list(spoken.deadlines) == ["exchange"]
    polled.deadlines["first message"] = now + 1000
    quiet.deadlines["first message"] = spoken.deadlines["exchange"] = now - 1
    listener.links.reap()
    assert sorted(listener.recorder.reasons) == [
        "no exchange in time",
        "no first message in time",
    ]
    assert listener.links.all() == [polled]
    # While a send is being handled, silence is ours.
    polled.deadlines["exchange"] = now - 1
    assert polled.sends.begin(1)
    listener.links.reap()
    assert listener.links.all() == [polled]


def test_whatever_comes_is_answered_by_one_of_our_statuses(listener: Listener) -> None:
    rng = random.Random(1)
    parts: dict[str, list[str | None]] = {
        "Farthing_Link": [None, "a" * 32, "", "*"],
        "Farthing_Seq": [None, "1", "2", "x", "-1"],
        "Content_Type": ["application/octet-stream"] * 5 + [None],
        "Origin": [None] * 5 + ["null"],
    }
    seen = set()
    dialler = Dialler(listener.address)
    for _ in range(400):
        headers = {name: rng.choice(values) for name, values in parts.items()}
        if rng.random() < 0.6:
            live = [link.name for link in listener.links.all()]
            headers["Farthing_Link"] = rng.choice(live) if live else dialler.open()
        body = bytearray(frame() * rng.randrange(3))
        if body and rng.random() < 0.3:
            body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
        query = rng.choice(["", "", "?wait=0", "?wait=99", "?", "?wait"])
        method = rng.choice(["POST", "POST", "POST", "DELETE"])
        seen.add(dialler.status(method, query, body=bytes(body), **headers))
    assert seen <= {200, 400, 403, 409, 410, 413, 415, 429, 503}
    assert {200, 400, 409, 410, 415} <= seen
    dialler.close()


def test_the_default_names_come_from_the_configuration() -> None:
    with listening(allow_hosts=("Node.Example",)) as listener:
        dialler = Dialler(listener.address)
        assert dialler.status(Host="node.example:80") == 200
        assert dialler.status(Host="other.example") == 403
        dialler.close()
    assert REGTEST.magic == b"\xfa\xbf\xb5\xda"
