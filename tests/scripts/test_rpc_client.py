"""One JSON-RPC call: what it returns, and what it says of those who are no node."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scripts.rpc_client import NodeUnreachable, RpcClient, RpcError


class Server:
    """Answers every POST with `status` and `body`, and remembers the last request."""

    def __init__(self) -> None:
        self.status, self.body = 200, b""
        self.asked: dict[str, Any] = {}
        self.authorization: str | None = None
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                server.asked = json.loads(self.rfile.read(size))
                server.authorization = self.headers["Authorization"]
                self.send_response(server.status)
                self.end_headers()
                self.wfile.write(server.body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever)
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


@pytest.fixture
def client(server: Server, tmp_path: Path) -> RpcClient:
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:secret\n")
    return RpcClient(server.url, cookie)


def test_a_call_and_its_result(server: Server, client: RpcClient) -> None:
    server.body = b'{"jsonrpc": "2.0", "id": 1, "result": [1, null]}'
    assert client.call("getblock", "00", 2) == [1, None]
    assert server.asked["method"] == "getblock"
    assert server.asked["params"] == ["00", 2]
    assert server.authorization is not None
    scheme, _, credentials = server.authorization.partition(" ")
    assert (scheme, base64.b64decode(credentials)) == ("Basic", b"__cookie__:secret")


def test_a_refusal_has_cores_code_and_message(server: Server, client: RpcClient) -> None:
    server.status = 500
    server.body = b'{"error": {"code": -5, "message": "Error: no such thing"}, "result": null}'
    with pytest.raises(RpcError, match=r"^the node refused: no such thing$") as refused:
        client.call("getblock", "00")
    assert (refused.value.code, refused.value.message) == (-5, "Error: no such thing")


@pytest.mark.parametrize(
    ("status", "body", "line"),
    [
        (200, b"<html>", "is no node; is the address right"),
        (200, b"[1]", "is no node"),
        (200, b"{}", "is no node"),
        (404, b'{"error": "not found"}', "is no node"),
        (401, b"", "does not take the password in "),
    ],
)
def test_who_is_no_node_is_said_so(
    server: Server, client: RpcClient, status: int, body: bytes, line: str
) -> None:
    server.status, server.body = status, body
    with pytest.raises(NodeUnreachable, match=line):
        client.call("getblockcount")


def test_nobody_there(tmp_path: Path) -> None:
    (tmp_path / ".cookie").write_text("a:b")
    with pytest.raises(NodeUnreachable, match=r"127.0.0.1:1 \(Connection refused\); is it running"):
        RpcClient("http://127.0.0.1:1", tmp_path / ".cookie").call("getblockcount")


def test_no_cookie_means_no_node(tmp_path: Path) -> None:
    with pytest.raises(NodeUnreachable, match=r"\(No such file or directory\); is it running"):
        RpcClient("http://127.0.0.1:1", tmp_path / ".cookie").call("getblockcount")


@pytest.mark.parametrize(
    "url",
    ["", "bad", "http://", "http://[::1", "http://127.0.0.1:99999", "http://h:0", "https://h:1"],
)
def test_what_is_no_address_of_a_node_is_said_so(url: str, tmp_path: Path) -> None:
    with pytest.raises(NodeUnreachable, match="is no node's address; write one like http://"):
        RpcClient(url, tmp_path / ".cookie").call("getblockcount")
