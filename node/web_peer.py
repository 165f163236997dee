"""The listener's end of HTTP links: `POST` and `DELETE /p2p`.

It knows the exchanges (open, send, poll, close) and what is wrong with a request; limits on links
and what frames mean lie elsewhere (`links`, the core). Any status but 200 closes the link:

    400 malformed   403 foreign Host   409 out of turn   410 no such link   413 too long
    415 what a browser could send   429 too many from your address   503 full or stopping

Beside it: ARCHITECTURE.md on peers over HTTP; WSGI (PEP 3333) on replies that stream.
"""

import re
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Protocol

from flask import Blueprint, Response, request

from chain.errors import DecodeError
from node.config import NodeConfig
from node.events import NetAddress
from node.links import LONGEST_WAIT_S, MAX_BODY_SIZE, SILENCE_S, Link, LinkRefused, Links

CONTENT_TYPE = "application/octet-stream"
_NAME = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_WAIT = re.compile(r"wait=(0|[1-9][0-9]?)")
_LOOK_EVERY_S = 1.0  # how soon a poll notices that its socket has closed


class Host(Protocol):
    """What is needed of a node."""

    config: NodeConfig
    links: Links


class BadExchange(Exception):  # noqa: N818 - the name says what happened
    """This request closes its link: an HTTP status, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def blueprint(host: Host) -> Blueprint:
    """The routes of /p2p."""
    peers = Blueprint("web_peer", __name__)
    links = host.links

    @peers.post("/p2p")
    def exchange() -> Response:
        return answer(_exchange)

    @peers.delete("/p2p")
    def close() -> Response:
        return answer(_close)

    def answer(act: Callable[[Links], Response]) -> Response:
        try:
            check_request(host.config)
            return act(links)
        except LinkRefused as refusal:
            reply = plain(refusal.status, str(refusal))
            reply.headers["Retry-After"] = str(refusal.retry_after_s)
            return reply
        except BadExchange as error:
            link = links.find(request.headers.get("Farthing-Link", ""))
            if link is not None:
                links.close(link, f"{error} ({error.status})")
            return plain(error.status, str(error))

    return peers


def check_request(config: NodeConfig) -> None:
    """Refuse what a page in a browser could send, and bodies that are too long, before reading."""
    if request.headers.get("Content-Type") != CONTENT_TYPE:
        raise BadExchange(415, f"expected Content-Type: {CONTENT_TYPE}")
    for header in ("Origin", "Content-Encoding"):
        if header in request.headers:
            raise BadExchange(415, f"a request between peers has no {header}")
    if not config.allows_host(request.headers.get("Host")):
        raise BadExchange(403, "this Host is not ours: see --allow-host")
    if (request.content_length or 0) > MAX_BODY_SIZE:
        raise BadExchange(413, f"a body has at most {MAX_BODY_SIZE} bytes")


def _exchange(links: Links) -> Response:
    if "Farthing-Link" not in request.headers:
        return _open(links)
    link, number = _link(links), _number()
    if not request.query_string:
        return _send(links, link, number)
    return _poll(links, link, number)


def _open(links: Links) -> Response:
    if request.query_string or request.content_length or "Farthing-Seq" in request.headers:
        raise BadExchange(400, "a link is opened by an empty POST without Farthing-Seq")
    port = request.environ.get("REMOTE_PORT") or 0
    link = links.accept(NetAddress(request.remote_addr or "127.0.0.1", int(port)))
    reply = plain(200)
    reply.headers["Farthing-Link"] = link.name
    return reply


def _send(links: Links, link: Link, number: int) -> Response:
    if not link.sends.begin(number):
        raise BadExchange(409, f"send {number} is out of turn")
    try:
        links.receive(link, request.get_data(cache=False), whole=True)
    except DecodeError as error:
        raise BadExchange(400, str(error)) from error
    finally:
        link.deadlines["exchange"] = time.monotonic() + SILENCE_S
        link.sends.end()
    if link.closed:
        raise BadExchange(410, "this link is closed")
    return plain(200)


def _poll(links: Links, link: Link, number: int) -> Response:
    asked = _WAIT.fullmatch(request.query_string.decode("latin-1"))
    if asked is None or int(asked[1]) > LONGEST_WAIT_S or request.content_length:
        raise BadExchange(400, f"a poll is empty and asks ?wait=0 to {LONGEST_WAIT_S}")
    if not link.polls.begin(number):
        raise BadExchange(409, f"poll {number} is out of turn")
    wait_s = int(asked[1])
    # A reply that is never begun never ends either: then this runs out.
    link.deadlines["exchange"] = time.monotonic() + wait_s + SILENCE_S
    gone: Callable[[], bool] = request.environ.get("waitress.client_disconnected", lambda: False)
    return Response(_frames(links, link, wait_s, gone), 200, content_type=CONTENT_TYPE)


def _frames(links: Links, link: Link, wait_s: int, gone: Callable[[], bool]) -> Iterator[bytes]:
    """The frames of one poll's reply, as they come. A socket that closes takes the link along."""
    end, room, finished = time.monotonic() + wait_s, MAX_BODY_SIZE, False
    try:
        while room and not link.closed and not gone():
            left_s = max(0.0, end - time.monotonic())
            data = link.take(room, min(left_s, _LOOK_EVERY_S))
            room -= len(data)
            if data:
                yield data
            over = link.backlog > 0 if not data and left_s else time.monotonic() >= end
            if over:
                break
        finished = not gone()
    finally:
        link.deadlines["exchange"] = time.monotonic() + SILENCE_S
        link.polls.end()
        if not finished:
            links.close(link, "the poll's socket closed")


def _close(links: Links) -> Response:
    link = _link(links)
    if request.content_length or request.query_string:
        raise BadExchange(400, "a link is closed by an empty DELETE")
    links.close(link, "closed by the peer")
    return plain(200)


def _link(links: Links) -> Link:
    name = request.headers.get("Farthing-Link", "")
    if not _NAME.fullmatch(name):
        raise BadExchange(400, "Farthing-Link has 32 hexadecimal digits")
    link = links.find(name)
    if link is None:
        raise BadExchange(410, "no such link")
    return link


def _number() -> int:
    text = request.headers.get("Farthing-Seq", "")
    if not _NUMBER.fullmatch(text):
        raise BadExchange(400, "Farthing-Seq is a plain decimal number from 1 on")
    return int(text)


def plain(status: int, why: str = "") -> Response:
    """An empty 200, or a status with its reason in one line."""
    text = f"{HTTPStatus(status).phrase}: {why}\n" if why else ""
    return Response(text, status, content_type=CONTENT_TYPE if not why else "text/plain")
