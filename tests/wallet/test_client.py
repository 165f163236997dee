"""The client against real servers on loopback: honest, lying, broken, slow and absent ones."""

import gc
import hashlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from chain.block import Block
from chain.params import CLASSROOM, REGTEST, Params
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.wallet.fake_node import FakeNode, shown
from wallet.client import EsploraClient, HistoryRow
from wallet.errors import (
    NodeError,
    NodeNonsense,
    NodeRefused,
    NodeTimeout,
    NodeUnreachable,
    WrongNetwork,
)
from wallet.ledger import Status, Tip

SCRIPT = b"\x00\x14" + bytes(range(20))
COIN = 100_000_000


@pytest.fixture
def client(node: FakeNode) -> Iterator[EsploraClient]:
    client = EsploraClient(node.url, read_timeout_s=5)
    yield client
    client.close()


def route(script: bytes) -> str:
    return f"/scripthash/{hashlib.sha256(script).hexdigest()}/txs"


# Honest


def test_the_tip(node: FakeNode, client: EsploraClient) -> None:
    name = node.chain.mine()
    assert client.tip() == Tip(1, name)


REGTEST_GENESIS = b"0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"


@pytest.mark.parametrize(
    ("params", "genesis", "height", "bits", "fits"),
    [
        (REGTEST, REGTEST_GENESIS, 120, 0x207FFFFF, True),
        (REGTEST, REGTEST_GENESIS, 120, 0x1F00FFFF, False),
        (REGTEST, b"00" * 32, 120, 0x207FFFFF, False),
        (REGTEST, REGTEST_GENESIS, 0, 0x1D00FFFF, True),
        (CLASSROOM, REGTEST_GENESIS, 120, 0x1E7FFFFF, True),
        (CLASSROOM, REGTEST_GENESIS, 120, 0x207FFFFF, False),
        (CLASSROOM, REGTEST_GENESIS, 120, 0, False),
        (CLASSROOM, REGTEST_GENESIS, 120, 2**62, False),
    ],
)
def test_a_node_of_another_network_is_noticed(
    node: FakeNode,
    client: EsploraClient,
    params: Params,
    genesis: bytes,
    height: int,
    bits: int,
    fits: bool,
) -> None:
    node.answers["/block-height/0"] = (200, genesis)
    node.answers["/blocks"] = (200, json.dumps([{"height": height, "bits": bits}]).encode())
    if fits:
        client.check_network(params)
    else:
        with pytest.raises(WrongNetwork, match=f"name a node of {params.name}"):
            client.check_network(params)


def test_a_list_of_blocks_that_is_none_is_nonsense(node: FakeNode, client: EsploraClient) -> None:
    node.answers["/block-height/0"] = (200, REGTEST_GENESIS)
    node.answers["/blocks"] = (200, b'[{"height": 1}]')
    with pytest.raises(NodeNonsense, match="list of blocks"):
        client.check_network(REGTEST)


def test_a_script_without_a_history(client: EsploraClient) -> None:
    assert list(client.history(SCRIPT)) == []


@pytest.mark.parametrize("count", [1, 24, 25, 26, 50, 51])
def test_history_is_read_page_by_page(node: FakeNode, client: EsploraClient, count: int) -> None:
    paid = [node.chain.pay((SCRIPT, 1_000 + n), confirm=True) for n in range(count)]
    pending = node.chain.pay((SCRIPT, 5))
    rows = list(client.history(SCRIPT))
    assert [row.txid for row in rows] == [pending.txid] + [t.txid for t in paid[::-1]]
    assert rows[0].status == Status()
    height, name = count, node.chain.blocks[-1][0]
    assert rows[1].status == Status(height, name, 1_700_000_000 + height)
    assert len(node.requests) == 1 + count // 25


def test_no_page_is_asked_for_that_nobody_reads(node: FakeNode, client: EsploraClient) -> None:
    for n in range(60):
        node.chain.pay((SCRIPT, 1_000 + n), confirm=True)
    next(client.history(SCRIPT))
    assert len(node.requests) == 1


def test_a_transaction_and_an_unknown_one(node: FakeNode, client: EsploraClient) -> None:
    paid = node.chain.pay((SCRIPT, 7))
    assert client.transaction(paid.txid) == paid
    assert client.transaction(bytes(32)) is None


def test_connections_are_kept(node: FakeNode, client: EsploraClient) -> None:
    for _ in range(10):
        client.tip()
        assert client.transaction(bytes(32)) is None
    assert node.connections == 1


def test_fee_estimates(node: FakeNode, client: EsploraClient) -> None:
    assert client.feerate(1) == Decimal("5.5")
    assert client.feerate(5) == Decimal("5.5")
    assert client.feerate(6) == Decimal(2)
    assert client.feerate(1008) == Decimal(1)
    node.answers["/fee-estimates"] = (200, b'{"4": 3.14159, "10": 0.00001}')
    assert client.feerate(1) == Decimal("3.142")
    assert client.feerate(10) == Decimal("0.001")
    node.answers["/fee-estimates"] = (200, b"{}")
    assert client.feerate(6) == 1


def spend_of(outpoint: OutPoint) -> Transaction:
    return Transaction(2, (TxIn(outpoint, b"", 0, (b"\x01",)),), (TxOut(1, SCRIPT),), 0)


def test_broadcast(node: FakeNode, client: EsploraClient) -> None:
    paid = node.chain.pay((SCRIPT, COIN))
    spend = spend_of(OutPoint(paid.txid, 0))
    assert client.broadcast(spend) == shown(spend.txid)
    assert client.transaction(spend.txid) == spend


def test_a_refusal_carries_the_nodes_reason(node: FakeNode, client: EsploraClient) -> None:
    with pytest.raises(NodeRefused, match="refused the transaction: sendrawtransaction") as refusal:
        client.broadcast(spend_of(OutPoint(bytes(32), 0)))
    assert refusal.value.reason == "sendrawtransaction RPC error -25: missing"


def test_confirmed_balance_is_the_nodes_word(node: FakeNode, client: EsploraClient) -> None:
    stats = {"funded_txo_sum": 10, "spent_txo_sum": 3}
    node.answers["/address/bcrt1q"] = (200, json.dumps({"chain_stats": stats}).encode())
    assert client.confirmed_balance("bcrt1q") == 7
    node.answers["/address/bcrt1q"] = (200, b'{"chain_stats": {}}')
    with pytest.raises(NodeNonsense, match="statistics"):
        client.confirmed_balance("bcrt1q")


def test_the_api_may_lie_elsewhere(node: FakeNode) -> None:
    assert EsploraClient(node.url + "/api").tip() == EsploraClient(node.url + "/").tip()
    with pytest.raises(NodeNonsense, match="status 404"):
        EsploraClient(node.url + "/elsewhere").tip()
    assert EsploraClient(node.url, api_path="").tip() == node.chain.tip()


def test_proxies_of_the_environment_are_not_used(
    node: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert EsploraClient(node.url).tip() == node.chain.tip()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:18443",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "http://",
        "http://user:pw@127.0.0.1",
        "http://127.0.0.1?x=1",
        "http://127.0.0.1#x",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:0",
        "http://[::1",
    ],
)
def test_what_is_no_address_of_a_node(url: str) -> None:
    with pytest.raises(NodeError, match="no node's address; write one like http"):
        EsploraClient(url)


# Lying and broken


def test_another_transaction_than_asked_for(node: FakeNode, client: EsploraClient) -> None:
    """The lie that would make a wallet overpay: the same coin with another value."""
    paid = node.chain.pay((SCRIPT, COIN))
    lie = Transaction(2, paid.inputs, (TxOut(COIN // 100, SCRIPT),), 0)
    node.answers[f"/tx/{shown(paid.txid)}/raw"] = (200, lie.serialize())
    with pytest.raises(NodeNonsense, match=f"another transaction than {shown(paid.txid)}"):
        client.transaction(paid.txid)


@pytest.mark.parametrize("body", [b"", b"\x00", b"hello", b"\x01\x00\x00\x00\xff" * 9])
def test_bytes_that_are_no_transaction(node: FakeNode, client: EsploraClient, body: bytes) -> None:
    node.answers[f"/tx/{'00' * 32}/raw"] = (200, body)
    with pytest.raises(NodeNonsense, match="no transaction for 0000"):
        client.transaction(bytes(32))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b"[]",
        b"null",
        b"5",
        b'[{"id": "zz", "height": 1}]',
        b'[{"id": 5, "height": 1}]',
        b'[{"id": "%s", "height": -1}]' % (b"00" * 32),
        b'[{"id": "%s", "height": true}]' % (b"00" * 32),
        b'[{"id": "%s", "height": 1.5}]' % (b"00" * 32),
        b'[{"id": "%s", "height": %s}]' % (b"00" * 32, b"9" * 5000),
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_tip_that_is_none(node: FakeNode, client: EsploraClient, body: bytes) -> None:
    node.answers["/blocks"] = (200, body)
    with pytest.raises(NodeNonsense) as refusal:
        client.tip()
    assert "\n" not in str(refusal.value)


def test_blocks_and_where_a_transaction_is(node: FakeNode, client: EsploraClient) -> None:
    genesis = REGTEST.genesis
    name = genesis.hash[::-1].hex()
    node.answers["/block-height/0"] = (200, name.encode())
    node.answers[f"/block/{name}/raw"] = (200, genesis.serialize())
    node.answers[f"/tx/{'00' * 32}/status"] = (200, b'{"confirmed": false}')
    assert client.block_hash(0) == genesis.hash
    assert client.block(genesis.hash) == genesis
    assert client.status(bytes(32)) == Status()
    assert client.block_hash(1) is None
    assert client.block(bytes(32)) is None


def test_what_is_no_block_is_nonsense(node: FakeNode, client: EsploraClient) -> None:
    name = "00" * 32
    node.answers["/block-height/0"] = (200, b"\xff")
    node.answers[f"/tx/{name}/status"] = (200, b"[]")
    for ask in (lambda: client.block_hash(0), lambda: client.status(bytes(32))):
        with pytest.raises(NodeNonsense):
            ask()
    for body in (b"", b"hello", REGTEST.genesis.serialize()):
        node.answers[f"/block/{name}/raw"] = (200, body)
        with pytest.raises(NodeNonsense, match="block"):
            client.block(bytes(32))


HASH = "11" * 32


def test_a_block_has_the_transactions_that_its_header_names(
    node: FakeNode, client: EsploraClient
) -> None:
    genesis = REGTEST.genesis
    name, extra = shown(genesis.hash), spend_of(OutPoint(bytes(32), 0))
    for transactions in ((*genesis.transactions, extra), genesis.transactions * 2, ()):
        answer = Block(genesis.header, transactions).serialize()
        node.answers[f"/block/{name}/raw"] = (200, answer)
        with pytest.raises(NodeNonsense, match="another block than"):
            client.block(genesis.hash)


GOOD = {"confirmed": True, "block_height": 1, "block_hash": HASH, "block_time": 1}


@pytest.mark.parametrize(
    "page",
    [
        {},
        [5],
        [{}],
        [{"txid": "11", "status": GOOD}],
        [{"txid": None, "status": GOOD}],
        [{"txid": HASH, "status": None}],
        [{"txid": HASH, "status": {}}],
        [{"txid": HASH, "status": GOOD | {"block_height": None}}],
        [{"txid": HASH, "status": GOOD | {"block_height": 2**31 + 1}}],
        [{"txid": HASH, "status": GOOD | {"block_hash": "no"}}],
        [{"txid": HASH, "status": GOOD | {"block_time": "yesterday"}}],
    ],
)
def test_a_history_that_is_none(node: FakeNode, client: EsploraClient, page: object) -> None:
    node.answers[route(SCRIPT)] = (200, json.dumps(page).encode())
    if page == {}:
        assert list(client.history(SCRIPT)) == []
        return
    with pytest.raises(NodeNonsense, match="a history that is not one"):
        list(client.history(SCRIPT))


def test_null_for_an_absent_height_is_pending(node: FakeNode, client: EsploraClient) -> None:
    row = {"txid": HASH, "status": {"confirmed": False, "block_height": None}}
    node.answers[route(SCRIPT)] = (200, json.dumps([row]).encode())
    assert list(client.history(SCRIPT)) == [HistoryRow(b"\x11" * 32, Status())]


def test_a_history_without_end(
    node: FakeNode, client: EsploraClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{n:064x}" for n in range(25)]
    page = json.dumps([{"txid": name, "status": GOOD} for name in names]).encode()
    node.answers[route(SCRIPT)] = (200, page)
    node.answers[f"{route(SCRIPT)}/chain/{names[-1]}"] = (200, page)
    with pytest.raises(NodeNonsense, match="repeats itself or has no end"):
        list(client.history(SCRIPT))
    del node.answers[f"{route(SCRIPT)}/chain/{names[-1]}"]
    monkeypatch.setattr("wallet.client.MAX_HISTORY", 24)
    with pytest.raises(NodeNonsense, match="repeats itself or has no end"):
        list(client.history(SCRIPT))


@pytest.mark.parametrize(
    "body",
    [b"[]", b"null", b'{"x": 1}', b'{"1": "fast"}', b'{"1": null}', b'{"1": [1]}'],
)
def test_estimates_that_are_none(node: FakeNode, client: EsploraClient, body: bytes) -> None:
    node.answers["/fee-estimates"] = (200, body)
    with pytest.raises(NodeNonsense, match="its fee estimates"):
        client.feerate(6)


@pytest.mark.parametrize("rate", ["0", "-1", "200.1", "1e9", "1e999999", "NaN", "Infinity"])
def test_a_fee_rate_beyond_reason_is_not_believed(
    node: FakeNode, client: EsploraClient, rate: str
) -> None:
    node.answers["/fee-estimates"] = (200, b'{"6": %s}' % rate.encode())
    with pytest.raises(NodeNonsense, match="choose a rate yourself"):
        client.feerate(6)


def test_a_broadcast_that_answers_nonsense(node: FakeNode, client: EsploraClient) -> None:
    spend = spend_of(OutPoint(bytes(32), 0))
    node.answers["/tx"] = (200, b"thanks")
    with pytest.raises(NodeNonsense, match="another txid"):
        client.broadcast(spend)
    node.answers["/tx"] = (404, b"no such route")
    with pytest.raises(NodeNonsense, match="status 404: no such route"):
        client.broadcast(spend)


def test_an_error_text_cannot_drive_the_terminal(node: FakeNode, client: EsploraClient) -> None:
    node.answers["/tx"] = (400, b"\x1b[2J\r\nno\x00way \xff" + b"x" * 5_000)
    with pytest.raises(NodeRefused) as refusal:
        client.broadcast(spend_of(OutPoint(bytes(32), 0)))
    assert str(refusal.value).isprintable()
    assert refusal.value.reason.startswith("[2J no way \N{REPLACEMENT CHARACTER}xxx")
    assert len(refusal.value.reason) < 310


@pytest.mark.parametrize(("status", "kind"), [(503, NodeUnreachable), (429, NodeUnreachable)])
def test_a_busy_node(
    node: FakeNode, client: EsploraClient, status: int, kind: type[NodeError]
) -> None:
    node.answers["/blocks"] = (status, b"full")
    with pytest.raises(kind, match="busy"):
        client.tip()


@pytest.mark.parametrize("status", [204, 302, 404, 500])
def test_other_statuses(node: FakeNode, client: EsploraClient, status: int) -> None:
    node.answers["/blocks"] = (status, b"")
    node.headers["Location"] = "/api/fee-estimates"
    with pytest.raises(NodeNonsense, match=f"status {status}"):
        client.tip()
    assert node.requests == ["/api/blocks"]  # no redirect was followed


@pytest.mark.parametrize("location", ["http://[", "/api/fee-estimates"])
def test_a_redirect_is_not_even_unpacked(
    node: FakeNode, client: EsploraClient, location: str
) -> None:
    # Told not to follow, requests would still unpack the body, and fail: it is not gzip.
    node.answers["/blocks"] = (302, b"not gzip")
    node.headers.update({"Location": location, "Content-Encoding": "gzip"})
    with pytest.raises(NodeNonsense, match=r"status 302|compress"):
        client.tip()


def test_compressed_answers_are_not_unpacked(node: FakeNode, client: EsploraClient) -> None:
    node.headers["Content-Encoding"] = "gzip"
    with pytest.raises(NodeNonsense, match="compressed"):
        client.tip()


def test_an_answer_that_is_too_large(node: FakeNode, client: EsploraClient) -> None:
    node.answers[f"/tx/{'00' * 32}/raw"] = (200, bytes(4_000_001))
    with pytest.raises(NodeNonsense, match="without end"):
        client.transaction(bytes(32))
    assert client.tip() == node.chain.tip()  # the next request starts afresh


# Servers that are no servers

Talk = Callable[[socket.socket], None]


@pytest.fixture
def serve() -> Iterator[Callable[[Talk], str]]:
    """Serve raw bytes: each connection is handed to a function."""
    listeners: list[socket.socket] = []

    def start(talk: Talk) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept() -> None:
            try:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    talk(connection)
            except OSError:
                pass

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        listener.close()


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = EsploraClient(f"http://127.0.0.1:{port}")
    with pytest.raises(
        NodeUnreachable, match=f"no node answers at http://127.0.0.1:{port}; start it"
    ):
        client.tip()


def test_no_such_host() -> None:
    with pytest.raises(NodeUnreachable, match="no node answers"):
        EsploraClient("http://nowhere.invalid:18443").tip()


def test_an_answer_that_never_comes(serve: Callable[[Talk], str]) -> None:
    done = threading.Event()
    url = serve(lambda _: done.wait(10) and None)
    with pytest.raises(NodeTimeout, match="did not answer in time"):
        EsploraClient(url, read_timeout_s=0.2).tip()
    done.set()


def test_a_body_that_stops_coming(serve: Callable[[Talk], str]) -> None:
    done = threading.Event()

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[")
        done.wait(10)

    url = serve(talk)
    with pytest.raises(NodeTimeout):
        EsploraClient(url, read_timeout_s=0.2).tip()
    done.set()


def test_a_body_that_trickles_has_a_deadline(
    serve: Callable[[Talk], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wallet.client.BODY_TIMEOUT_S", 0.3)

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(500):
            connection.sendall(b" ")
            time.sleep(0.02)

    started = time.monotonic()
    with pytest.raises(NodeTimeout):
        EsploraClient(serve(talk), read_timeout_s=5).tip()
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", NodeUnreachable),
        (b"SSH-2.0-OpenSSH\r\n", NodeUnreachable),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[]", NodeNonsense),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", NodeNonsense),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab", NodeNonsense),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n[]", NodeNonsense),
    ],
)
def test_answers_that_break_off(
    serve: Callable[[Talk], str], answer: bytes, error: type[NodeError]
) -> None:
    url = serve(lambda connection: connection.sendall(answer))
    with pytest.raises(error) as refusal:
        EsploraClient(url, read_timeout_s=5).tip()
    assert "\n" not in str(refusal.value)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_answer_that_contradicts_itself(serve: Callable[[Talk], str]) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n[]"
    url = serve(lambda connection: connection.sendall(answer))
    with pytest.raises(NodeNonsense, match="not HTTP"):
        EsploraClient(url).tip()
    gc.collect()  # the library leaves this socket to the collector, which would warn elsewhere


def test_a_chunked_answer_is_fine(serve: Callable[[Talk], str]) -> None:
    body = b'[{"id": "%s", "height": 5}]' % (b"ab" * 32)
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
    url = serve(lambda connection: connection.sendall(answer % (len(body), body)))
    assert EsploraClient(url).tip() == Tip(5, "ab" * 32)


def test_reading_a_wallet_does_not_load_what_talks_or_seals() -> None:
    """So that `farthing wallet balance` starts fast; requests alone takes an eighth of a second."""
    code = (
        "import sys; from wallet import Wallet; import wallet.errors, wallet.amounts;"
        "print([m for m in ('requests', 'cryptography', 'mnemonic', 'flask') if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "[]\n"
