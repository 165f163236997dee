"""A real node for wallets: blocks when asked for, payments dropped, and what its chain says.

The truth is read from blocks and mempool alone, with no code of the wallet's.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chain.address import address_to_script
from chain.transaction import OutPoint, Transaction, TxOut
from node.esplora import Esplora, Fixed, Refusal
from tests.node.serving import QUICK, Served, running
from wallet.client import EsploraClient

MATURITY = 2
NOBODY = b"\x00\x14" + b"\x99" * 20


class DirectClient(EsploraClient):
    """A client that asks the node's API itself, with no HTTP between: some lives are long."""

    def __init__(self, served: Served) -> None:
        super().__init__("http://127.0.0.1:18443")
        self._lock, self._esplora = served.runtime.lock, Esplora(served.runtime)

    def _request(self, method: str, route: str, data: str | None = None) -> Any:
        with self._lock:
            try:
                if method == "POST":
                    return 200, self._esplora.post(data or "")
                return 200, self._esplora.get(route.strip("/").split("/"), {})
            except Refusal as refusal:
                return refusal.status, str(refusal)

    def _body(self, response: Any, limit: int) -> tuple[int, bytes]:
        status, answer = response
        assert answer is not None
        content = answer.content if isinstance(answer, Fixed) else answer
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        return status, text if isinstance(text, bytes) else text.encode()


class RealNode:
    """A node and a client of it."""

    def __init__(self, served: Served, client: EsploraClient) -> None:
        self.served = served
        self.client = client
        self.now = served.chain.now

    @property
    def height(self) -> int:
        return self.served.node.chainstate.tip.height

    def mine(self, count: int = 1, script: bytes = NOBODY) -> None:
        """Blocks of what waits, ten minutes apart."""
        for _ in range(count):
            self.now += 600
            self.served.runtime.set_mock_time(self.now)
            self.served.runtime.generate(script, 1)

    def fund(self, address: str, blocks: int = 1) -> None:
        """Mature coins of 50 at an address."""
        self.mine(blocks, address_to_script(address, QUICK))
        self.mine(MATURITY)

    def rewind(self, blocks: int) -> None:
        """Take the last blocks back, as a node does that learns they were wrong."""
        height = self.height - blocks + 1
        entry = self.served.node.chainstate.active[height]
        self.served.runtime.invalidate(entry.hash)

    def drop(self, txid: bytes) -> None:
        """Forget a waiting transaction and all that spends it."""
        mempool = self.served.node.mempool
        waiting = mempool.get(txid)
        assert waiting is not None
        self.served.runtime._ask(lambda: mempool._take_out_with_descendants(waiting, "expiry"))

    def waiting(self) -> list[Transaction]:
        """What is in the mempool."""
        return [entry.tx for entry in self.served.node.mempool]

    def chain(self) -> Iterator[tuple[Transaction, int | None]]:
        """Every transaction of the active chain with its height, then what waits."""
        chainstate = self.served.node.chainstate
        for height in range(1, self.height + 1):
            block = chainstate.read_block(chainstate.active[height].hash)
            assert block is not None
            for tx in block.transactions:
                yield tx, height
        for tx in self.waiting():
            yield tx, None

    def unspent(self, scripts: set[bytes]) -> dict[OutPoint, tuple[TxOut, int | None, bool]]:
        """The coins at some scripts: output, height (None while it waits), whether mined."""
        everything = list(self.chain())
        spent = {i.outpoint for tx, _ in everything for i in tx.inputs}
        return {
            OutPoint(tx.txid, number): (output, height, tx.is_coinbase)
            for tx, height in everything
            for number, output in enumerate(tx.outputs)
            if output.script_pubkey in scripts and OutPoint(tx.txid, number) not in spent
        }


def direct_node() -> RealNode:
    """A node in this process, asked without sockets; the same each time, its blocks included."""
    served = Served(QUICK)
    served.runtime._extra_nonce = 0
    return RealNode(served, DirectClient(served))


@contextmanager
def real_node() -> Iterator[RealNode]:
    """A node behind HTTP."""
    served = Served(QUICK)
    with running(served) as address:
        node = RealNode(served, EsploraClient(f"http://{address.host}:{address.port}"))
        try:
            yield node
        finally:
            node.client.close()
