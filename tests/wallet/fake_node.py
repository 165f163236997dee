"""A chain made of thin air and a node that serves it.

`FakeChain` answers the questions a sync asks; `FakeNode` puts it behind a real HTTP server that
speaks as much of Esplora's API as the wallet uses, and can be told to lie.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet.errors import NodeRefused
from wallet.ledger import Status, Tip

COIN = 100_000_000


def shown(txid: bytes) -> str:
    return txid[::-1].hex()


class FakeChain:
    """Blocks of transactions and a mempool; no proof of work, no scripts, but no double spends."""

    def __init__(self) -> None:
        self.counter = 0
        self.blocks: list[tuple[str, list[Transaction]]] = []
        self.mempool: list[Transaction] = []
        self.strangers: set[OutPoint] = set()
        self._indexed_at: object = None
        self._index: dict[bytes, list[tuple[bytes, Status]]] = {}
        self.mine()

    # What happens on it

    def mine(self, *scripts: bytes, transactions: list[Transaction] | None = None) -> str:
        """A block of the mempool (or of given ones), its coinbase paying 50 to each script."""
        self.counter += 1
        name = hashlib.sha256(b"block %d" % self.counter).hexdigest()
        chosen = self.mempool if transactions is None else transactions
        self.mempool = [t for t in self.mempool if t not in chosen]
        coinbase = Transaction(
            2,
            (
                TxIn(
                    OutPoint(bytes(32), 0xFFFFFFFF),
                    b"\x04" + self.counter.to_bytes(4, "big"),
                    0,
                    (),
                ),
            ),
            tuple(TxOut(50 * COIN, script) for script in scripts) or (TxOut(0, b"\x6a"),),
            0,
        )
        self.blocks.append((name, [coinbase, *chosen]))
        return name

    def rewind(self, count: int, *, keep: bool = True) -> None:
        """Take blocks back; their payments return to the mempool, or are lost."""
        for _ in range(count):
            _, transactions = self.blocks.pop()
            if keep:
                self.mempool[:0] = transactions[1:]
        self._drop_orphans()

    def pay(self, *outputs: tuple[bytes, int], confirm: bool = False) -> Transaction:
        """A payment from a stranger."""
        self.counter += 1
        stranger = OutPoint(hashlib.sha256(b"stranger %d" % self.counter).digest(), 0)
        self.strangers.add(stranger)
        transaction = Transaction(
            2,
            (TxIn(stranger, b"", 0xFFFFFFFD, (b"\x01",)),),
            tuple(TxOut(v, s) for s, v in outputs),
            0,
        )
        self.mempool.append(transaction)
        if confirm:
            self.mine()
        return transaction

    def drop(self, transaction: Transaction) -> None:
        """The mempool forgets a transaction and whatever spends it."""
        self.mempool.remove(transaction)
        self._drop_orphans()

    def replace(self, old: Transaction, *outputs: tuple[bytes, int]) -> Transaction:
        """The sender of a pending payment replaces it by another that spends the same coin."""
        self.drop(old)
        new = Transaction(2, old.inputs, tuple(TxOut(v, s) for s, v in outputs), 1)
        self.mempool.append(new)
        return new

    def _drop_orphans(self) -> None:
        """Only what spends strangers' coins or outputs that still exist stays in the mempool."""
        made = {t.txid for _, transactions in self.blocks for t in transactions}
        kept = []
        for transaction in self.mempool:
            if all(
                i.outpoint in self.strangers or i.outpoint.txid in made for i in transaction.inputs
            ):
                kept.append(transaction)
                made.add(transaction.txid)
        self.mempool = kept

    # What it knows

    def everything(self) -> Iterator[tuple[Transaction, Status]]:
        """All transactions with where they are, oldest first."""
        for height, (name, transactions) in enumerate(self.blocks):
            for transaction in transactions:
                yield transaction, Status(height, name, 1_700_000_000 + height)
        for transaction in self.mempool:
            yield transaction, Status()

    def outputs(self) -> dict[OutPoint, TxOut]:
        return {
            OutPoint(t.txid, n): output
            for t, _ in self.everything()
            for n, output in enumerate(t.outputs)
        }

    def unspent(self, scripts: set[bytes]) -> dict[OutPoint, tuple[int, Status, bool]]:
        """The truth: what those scripts hold, as (value, where, is it a coinbase's)."""
        spent = {i.outpoint for t, _ in self.everything() for i in t.inputs}
        return {
            OutPoint(t.txid, n): (output.value, status, t.is_coinbase)
            for t, status in self.everything()
            for n, output in enumerate(t.outputs)
            if output.script_pubkey in scripts and OutPoint(t.txid, n) not in spent
        }

    # What a wallet asks (the interface of wallet.client.EsploraClient)

    def tip(self) -> Tip:
        return Tip(len(self.blocks) - 1, self.blocks[-1][0])

    def waiting_txids(self) -> set[bytes]:
        return {tx.txid for tx in self.mempool}

    def block(self, block_hash: bytes) -> SimpleNamespace | None:
        """What a Block tells: its transactions, its time and the block before it."""
        for height, (name, transactions) in enumerate(self.blocks):
            if name == shown(block_hash):
                before = self.blocks[height - 1][0] if height else "00" * 32
                prev_hash = bytes.fromhex(before)[::-1]
                header = SimpleNamespace(prev_hash=prev_hash, time=1_700_000_000 + height)
                return SimpleNamespace(header=header, transactions=transactions)
        return None

    def history(self, script: bytes) -> Iterator[tuple[bytes, Status]]:
        now = (self.blocks[-1], len(self.blocks), tuple(self.mempool))
        if self._indexed_at != now:
            self._indexed_at, self._index = now, self._make_index()
        return iter(self._index.get(script, [])[::-1])

    def _make_index(self) -> dict[bytes, list[tuple[bytes, Status]]]:
        outputs, index = self.outputs(), dict[bytes, list[tuple[bytes, Status]]]()
        for transaction, status in self.everything():
            spent = [outputs[i.outpoint] for i in transaction.inputs if i.outpoint in outputs]
            for script in {o.script_pubkey for o in (*transaction.outputs, *spent)}:
                index.setdefault(script, []).append((transaction.txid, status))
        return index

    def transaction(self, txid: bytes) -> Transaction | None:
        return next((t for t, _ in self.everything() if t.txid == txid), None)

    def feerate(self, target: int) -> int:
        return 1

    def broadcast(self, transaction: Transaction) -> str:
        for known, _ in self.everything():
            if known.txid == transaction.txid:
                return shown(transaction.txid)
        outputs, taken = (
            self.outputs(),
            {i.outpoint for t, _ in self.everything() for i in t.inputs},
        )
        for input_ in transaction.inputs:
            if input_.outpoint not in outputs or input_.outpoint in taken:
                raise NodeRefused("refused: bad-txns-inputs-missingorspent", "missing")
        self.mempool.append(transaction)
        return shown(transaction.txid)


class FakeNode:
    """A FakeChain behind HTTP. `answers` overrides routes: path -> (status, body), for liars."""

    def __init__(self, chain: FakeChain | None = None) -> None:
        self.chain = chain or FakeChain()
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.headers: dict[str, str] = {}
        self.requests: list[str] = []
        self.connections = 0
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                node.connections += 1
                super().setup()

            def do_GET(self) -> None:
                self.answer("")

            def do_POST(self) -> None:
                self.answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

            def answer(self, body: str) -> None:
                node.requests.append(self.path)
                status, data = node.answer(self.path.removeprefix("/api"), body)
                self.send_response(status)
                for name, value in node.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, path: str, body: str) -> tuple[int, bytes]:
        if path in self.answers:
            return self.answers[path]
        parts = path.strip("/").split("/")
        if path == "/blocks":
            tip = self.chain.tip()
            return 200, json.dumps([{"id": tip.block_hash, "height": tip.height}]).encode()
        if path == "/mempool/txids":
            return 200, json.dumps([shown(tx.txid) for tx in self.chain.mempool]).encode()
        if path == "/fee-estimates":
            return 200, b'{"1": 5.5, "6": 2.0, "25": 1.0}'
        if path == "/tx" and body:
            return self._broadcast(body)
        if parts[0] == "tx":
            found = self.chain.transaction(bytes.fromhex(parts[1])[::-1])
            return (200, found.serialize()) if found else (404, b"Transaction not found")
        if parts[0] == "scripthash":
            return 200, json.dumps(self._page(parts)).encode()
        return 404, f'endpoint does not exist "{path}"'.encode()

    def _broadcast(self, body: str) -> tuple[int, bytes]:
        try:
            return 200, self.chain.broadcast(Transaction.parse(bytes.fromhex(body))).encode()
        except NodeRefused as refusal:
            return 400, f"sendrawtransaction RPC error -25: {refusal.reason}".encode()

    def _page(self, parts: list[str]) -> list[dict[str, object]]:
        """Esplora's paging: 50 pending and 25 confirmed, then 25 after the last one seen."""
        scripts = {o.script_pubkey for t, _ in self.chain.everything() for o in t.outputs}
        named = [s for s in scripts if hashlib.sha256(s).hexdigest() == parts[1]]
        rows = list(self.chain.history(named[0])) if named else []
        pending = [row for row in rows if row[1].height is None]
        confirmed = [row for row in rows if row[1].height is not None]
        if len(parts) == 3:
            page = pending[:50] + confirmed[:25]
        else:
            names = [shown(txid) for txid, _ in confirmed]
            start = names.index(parts[4]) + 1 if parts[4] in names else len(names)
            page = confirmed[start : start + 25]
        return [{"txid": shown(txid), "status": self._status(status)} for txid, status in page]

    @staticmethod
    def _status(status: Status) -> dict[str, object]:
        if status.height is None:
            return {"confirmed": False}
        return {
            "confirmed": True,
            "block_height": status.height,
            "block_hash": status.block_hash,
            "block_time": status.time,
        }
