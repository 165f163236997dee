"""A node at work for the tests of its APIs: a real Runtime over a store in memory, and its app."""

import base64
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from chain.block import Block
from chain.params import REGTEST, Params
from chain.store import MemoryStore, Store
from chain.transaction import Transaction
from node.app import create_app
from node.config import NodeConfig
from node.core import Node, NodeOptions
from node.events import NetAddress
from node.index import Index
from node.mempool.policy import PolicyOptions
from node.runtime import Runtime
from node.server import Server, listen
from tests.builders import ChainBuilder

QUICK = replace(REGTEST, coinbase_maturity_blocks=2)
NOWHERE = Path("/nonexistent")
HOST = "127.0.0.1:18443"


class Builder(ChainBuilder):
    """Makes blocks and payments for a node, and hands them in through its runtime."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime.node.params)
        self.chainstate = runtime.node.chainstate
        self.runtime = runtime

    def accept(self, block: Block) -> Any:
        return self.runtime.submit_block(block)


class Served:
    """A node, its index, its application and a client of that."""

    def __init__(
        self,
        params: Params = QUICK,
        *,
        policy: PolicyOptions | None = None,
        with_index: bool = True,
        store: Store | None = None,
        folder: Path = NOWHERE,
        blocks: int = 0,
    ) -> None:
        self.store = MemoryStore() if store is None else store
        self.index = Index(self.store) if with_index else None
        self.node = Node(
            params,
            self.store,
            rng=random.Random(1),
            options=NodeOptions(policy=policy or PolicyOptions()),
            indexers=() if self.index is None else (self.index,),
        )
        config = NodeConfig(params, folder, NetAddress("127.0.0.1", 18443))
        self.runtime = Runtime(self.node, self.index, config)
        self.chain = Builder(self.runtime)
        self.runtime.set_mock_time(self.chain.now)
        self.app = create_app(self.runtime)
        self.client: FlaskClient = self.app.test_client()
        self.chain.mine(blocks)

    # Esplora.

    def get(self, path: str) -> Any:
        """What `/api` + path answers: JSON, text or bytes by the content type; it must be a 200."""
        response = self.client.get("/api" + path)
        assert response.status_code == 200, response.get_data(as_text=True)
        kind = response.headers["Content-Type"]
        if kind == "application/json":
            return response.get_json()
        assert kind in ("text/plain", "application/octet-stream")
        return response.get_data(as_text=kind == "text/plain")

    def refused(self, path: str) -> tuple[int, str]:
        """The status and the text of what must be refused."""
        response = self.client.get("/api" + path)
        assert response.status_code >= 400
        assert response.headers["Content-Type"] == "text/plain"
        assert "Cache-Control" not in response.headers
        return response.status_code, response.get_data(as_text=True)

    def post(self, tx: Transaction | str) -> tuple[int, str]:
        """Hand in a transaction: status and text."""
        text = tx if isinstance(tx, str) else tx.serialize().hex()
        response = self.client.post("/api/tx", data=text)
        assert response.headers["Content-Type"] == "text/plain"
        return response.status_code, response.get_data(as_text=True)

    # RPC.

    @property
    def headers(self) -> dict[str, str]:
        """The operator's."""
        shown = base64.b64encode(self.runtime.credentials.encode()).decode()
        return {"Authorization": f"Basic {shown}", "Host": HOST}

    def rpc(self, method: str, *params: object, **named: object) -> Any:
        """The result of a method; RpcFailed if it answers with an error."""
        asked = {"jsonrpc": "2.0", "id": 7, "method": method, "params": named or params}
        response = self.client.post("/", json=asked, headers=self.headers)
        assert response.headers["Content-Type"] == "application/json"
        reply = response.get_json()
        assert reply["id"] == 7
        if "error" in reply:
            raise RpcFailed(reply["error"]["code"], reply["error"]["message"])
        return reply["result"]

    # Both.

    def wait(self, *txs: Transaction) -> Sequence[str]:
        """Hand in transactions that must be taken in; their txids."""
        answers = [self.post(tx) for tx in txs]
        assert [status for status, _ in answers] == [200] * len(txs), answers
        return [text for _, text in answers]


@contextmanager
def running(served: Served) -> Iterator[NetAddress]:
    """Its application on a free port of loopback, under waitress."""
    server = Server(listen(NetAddress("127.0.0.1", 0)), served.app, 4)
    stop = threading.Event()
    server.should_stop = stop.is_set
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.address
    finally:
        stop.set()
        server.pull_trigger()
        thread.join(timeout=10)
        assert not thread.is_alive()


class RpcFailed(Exception):  # noqa: N818, it is what happened
    """An error's code and message."""


def refusal(served: Served, method: str, *params: object) -> tuple[int, str]:
    """Code and message of the error that the method answers with."""
    with pytest.raises(RpcFailed) as caught:
        served.rpc(method, *params)
    code, text = caught.value.args
    return code, text


def shown(wire: bytes) -> str:
    """A hash as people see it."""
    return wire[::-1].hex()
