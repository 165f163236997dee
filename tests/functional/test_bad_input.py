"""Whatever people and peers do wrong, seen from outside: one clear line, and nothing is lost.

Two real nodes are given bad frames, bodies, links, blocks and payments; real commands bad words,
files, passwords, ports and disks. After each test both nodes must still agree and answer, and no
log may hold a traceback. The details of each refusal are tests/node's and tests/wallet's.
"""

import contextlib
import http.client
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chain.block import Block, BlockHeader
from chain.headers import HeaderEntry
from chain.params import REGTEST
from scripts.funds import TEST_MNEMONIC, fund
from scripts.network import LocalNetwork
from scripts.node_process import NodeProcess
from scripts.rpc_client import NodeUnreachable, RpcError
from tests.builders import ChainBuilder, padding, with_inputs
from tests.functional.support import eventually, farthing, free_ports, refusal, start_network

MAGIC, CLASSROOM_MAGIC = bytes.fromhex("fabfb5da"), bytes.fromhex("5425121d")
SOMEBODY = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with a funded network of two nodes, and a rich wallet called alice."""
    home = tmp_path_factory.mktemp("home")
    (home / "password").write_text(PASSWORD)
    with start_network(home / "testnet", 2, "--block-time", "off") as network:
        network.wait_for_block(fund(network, REGTEST))
        restore = ["wallet", "restore", "alice", "--words-file", "-"]
        made = farthing(home, *restore, *password(home), typed=TEST_MNEMONIC)
        assert made.returncode == 0, made.stderr
        balance = farthing(home, "wallet", "balance", "alice", "--node", network.nodes[0].url)
        assert "confirmed  500.00000000 BTC" in balance.stdout
        yield home


@pytest.fixture
def network(home: Path) -> Iterator[LocalNetwork]:
    """The network, which must be as well after the test as it was before."""
    network = LocalNetwork(home / "testnet")
    before = network.nodes[0].rpc.call("getbestblockhash")
    yield network
    assert len(network.running) == 2
    for node in network.nodes:
        assert node.rpc.call("getblockheader", before)["confirmations"] > 0
        assert "Traceback" not in node.log.read_text() + node.output.read_text()
    network.wait_for_links()
    tips = [node.rpc.call("getbestblockhash") for node in network.nodes]
    assert tips[0] == tips[1]


@pytest.fixture
def node(network: LocalNetwork) -> NodeProcess:
    return network.nodes[0]


def password(home: Path) -> list[str]:
    return ["--password-file", str(home / "password")]


# Peers


class Link:
    """A link by hand, so that it can do what a peer should not."""

    def __init__(self, node: NodeProcess) -> None:
        address = node.url.removeprefix("http://")
        self.connection = http.client.HTTPConnection(address, timeout=10)
        self.headers = {"Content-Type": "application/octet-stream"}
        self.number = 0
        status, _ = self.post(b"")
        assert status == 200

    def post(self, body: bytes, **headers: str) -> tuple[int, str]:
        """Status and text of one exchange."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request("POST", "/p2p", body, self.headers | named)
        reply = self.connection.getresponse()
        text = reply.read().decode()
        if name := reply.headers.get("Farthing-Link"):
            self.headers["Farthing-Link"] = name
        return reply.status, text

    def send(self, frames: bytes) -> tuple[int, str]:
        """The next send of the series."""
        self.number += 1
        return self.post(frames, Farthing_Seq=str(self.number))


def frame(command: bytes, payload: bytes, magic: bytes = MAGIC) -> bytes:
    # sha256d of nothing: right for an empty payload, wrong for any other.
    checksum = bytes.fromhex("5df6e0e2")
    return (
        magic + command.ljust(12, b"\0") + len(payload).to_bytes(4, "little") + checksum + payload
    )


@pytest.mark.parametrize(
    ("frames", "status", "words"),
    [
        (b"GET / HTTP/1.1 or something else", 400, "expected fabfb5da"),
        (frame(b"verack", b"", CLASSROOM_MAGIC), 400, "magic 5425121d, expected fabfb5da"),
        (frame(b"ping", b"12345678"), 400, "checksum"),
        (frame(b"verack", b"")[:-3], 400, ""),
        (MAGIC + b"block".ljust(12, b"\0") + (4_000_001).to_bytes(4, "little") * 2, 400, "4000000"),
        (frame(b"\xff\xfe\0ping", b""), 400, ""),
    ],
    ids=["noise", "other network", "checksum", "cut off", "long message", "command"],
)
def test_bad_frames_close_their_link_and_no_other(
    node: NodeProcess, frames: bytes, status: int, words: str
) -> None:
    link, other = Link(node), Link(node)
    with contextlib.closing(link.connection), contextlib.closing(other.connection):
        answered, text = link.send(frames)
        assert (answered, words in text, text.count("\n") <= 1) == (status, True, True), text
        assert link.send(b"")[0] == 410
        assert other.send(b"")[0] == 200


@pytest.mark.parametrize(
    ("path", "longest"), [("/p2p", 4_000_024), ("/api/tx", 4_000_024), ("/", 33_554_432)]
)
def test_an_oversize_body_is_refused_before_it_is_sent(
    node: NodeProcess, path: str, longest: int
) -> None:
    host, port = node.url.removeprefix("http://").split(":")
    kind = "application/octet-stream" if path == "/p2p" else "text/plain"
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {longest + 1}\r\n\r\n".encode()
        )
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        assert reply.status == 413
        assert b"exceeds max_body" in reply.read()
        reply.close()


def test_a_block_far_too_large_gets_in_and_is_refused_by_name(node: NodeProcess) -> None:
    chain = ChainBuilder()
    chain.now = int(time.time())
    header = node.rpc.call("getblockheader", node.rpc.call("getbestblockhash"), False)
    parent = HeaderEntry(BlockHeader.parse(bytes.fromhex(header)), None)
    parent.height = node.rpc.call("getblockcount")
    fine = chain.block(parent=parent)
    (coinbase,) = fine.transactions
    long_nonce = with_inputs(
        coinbase, [coinbase.inputs[0]._replace(witness=(bytes(32), bytes(5_000_000)))]
    )
    for body, reason in (
        (Block(fine.header, [long_nonce]), "bad-witness-nonce-size"),
        (chain.block(parent=parent, script=padding(16_000_000)), "bad-blk-length"),
    ):
        assert node.rpc.call("submitblock", body.serialize().hex()) == reason


def test_half_open_links_and_requests_keep_nobody_out(
    home: Path, network: LocalNetwork, node: NodeProcess
) -> None:
    host, port = node.url.removeprefix("http://").split(":")
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            silent = stack.enter_context(socket.create_connection((host, int(port)), timeout=5))
            silent.sendall(b"POST /p2p HTTP/1.1\r\nContent-Le")
        for _ in range(30):
            stack.callback(Link(node).connection.close)
        began = time.monotonic()
        assert node.rpc.call("getblockcount") >= 120
        assert time.monotonic() - began < 5
        watching = [sys.executable, "-m", "farthing", "node", "watch", node.url]
        with subprocess.Popen(watching, stdout=subprocess.PIPE, text=True) as watcher:
            assert watcher.stdout is not None
            lines = [watcher.stdout.readline() for _ in range(2)]
            watcher.terminate()
        assert "< version" in lines[1], lines


def test_a_peer_of_another_network_is_told_which(home: Path, node: NodeProcess) -> None:
    done = farthing(home, "node", "watch", node.url, "--network", "classroom")
    assert "magic 5425121d, expected fabfb5da" in refusal(done)


# Blocks and payments


@pytest.mark.parametrize("raw", ["", "zz", "00", "ff" * 200])
def test_what_is_no_transaction(node: NodeProcess, raw: str) -> None:
    connection = http.client.HTTPConnection(node.url.removeprefix("http://"), timeout=10)
    connection.request("POST", "/api/tx", raw)
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    assert reply.status == 400
    assert text and text.count("\n") <= 1
    with pytest.raises(RpcError, match="TX decode failed"):
        node.rpc.call("sendrawtransaction", raw)


def test_what_is_no_block_of_this_chain(node: NodeProcess) -> None:
    tip = node.rpc.call("getbestblockhash")
    raw = node.rpc.call("getblock", tip, 0)
    assert node.rpc.call("submitblock", raw) == "duplicate"
    with pytest.raises(RpcError, match="Block decode failed"):
        node.rpc.call("submitblock", raw[:-2])
    coinbase_changed = raw[:-2] + f"{int(raw[-2:], 16) ^ 1:02x}"
    assert node.rpc.call("submitblock", coinbase_changed) == "bad-txnmrklroot"
    parent_changed = raw[:8] + "11" * 32 + raw[72:]
    answers = {
        node.rpc.call("submitblock", parent_changed[:152] + f"{nonce:08x}" + raw[160:])
        for nonce in range(12)
    }
    assert answers == {"high-hash", "prev-blk-not-found"}
    assert node.rpc.call("getbestblockhash") == tip


# Wallets


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([SOMEBODY, "1000"], "not enough money: 1000.0000"),
        ([SOMEBODY, "much"], "is not an amount"),
        ([SOMEBODY, "0.00000001"], "dust"),
        (["nonsense", "1"], "is no address"),
        (["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "1"], "an address of another network"),
        ([SOMEBODY, "1", "--fee-rate", "0"], "is not a fee rate"),
        ([SOMEBODY, "1", "--fee-rate", "5000"], "absurd"),
        ([SOMEBODY, "1", "--password-file", "-"], "wrong password"),
        ([SOMEBODY, "1", "--node", "http://127.0.0.1:1"], "no node answers at http://127.0.0.1:1"),
        ([SOMEBODY, "1", "--node", "127.0.0.1:18443"], "write one like http://127.0.0.1:18443"),
    ],
)
def test_a_payment_that_can_not_be(
    home: Path, node: NodeProcess, words: list[str], line: str
) -> None:
    before = wallet_files(home)
    usual = [*password(home), "--node", node.url]
    done = farthing(home, "wallet", "send", "alice", "--yes", *usual, *words, typed="wrong horse\n")
    assert line in refusal(done)
    assert wallet_files(home) == before
    assert node.rpc.call("getrawmempool") == []


def wallet_files(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (home / "wallets").iterdir()}


def test_wallets_that_are_not_what_they_should_be(home: Path, node: NodeProcess) -> None:
    wallets, asked = home / "wallets", ["--node", node.url]
    assert "farthing wallet create nobody" in refusal(farthing(home, "wallet", "balance", "nobody"))
    taken = farthing(home, "wallet", "create", "alice", *password(home))
    assert "choose another name" in refusal(taken)
    whole = (wallets / "alice.wallet").read_bytes()
    for name, content, line in (
        ("flipped", whole[:200] + bytes([whole[200] ^ 1]) + whole[201:], "restore from a backup"),
        ("cut", whole[: len(whole) // 2], "restore from a backup"),
        ("foreign", b"# a shopping list\n", "is no wallet file"),
    ):
        (wallets / f"{name}.wallet").write_bytes(content)
        assert line in refusal(farthing(home, "wallet", "balance", name, *asked))
        assert (wallets / f"{name}.wallet").read_bytes() == content
    (wallets / "folder.wallet").mkdir()
    assert "Is a directory" in refusal(farthing(home, "wallet", "address", "folder"))
    (wallets / "folder.wallet").rmdir()


def test_a_wallet_and_a_node_of_two_networks(home: Path, node: NodeProcess) -> None:
    made = farthing(home, "wallet", "create", "pupil", "--network", "classroom", *password(home))
    assert made.returncode == 0
    for command in (
        ["balance", "pupil"],
        ["send", "pupil", SOMEBODY, "1", "--yes", *password(home)],
    ):
        done = farthing(home, "wallet", *command, "--node", node.url)
        assert "name a node of classroom" in refusal(done)


# The machine


def test_ports_in_use(home: Path, tmp_path: Path, node: NodeProcess) -> None:
    port = node.url.rpartition(":")[2]
    words = ["node", "run", "--datadir", str(tmp_path), "--listen", f"127.0.0.1:{port}"]
    assert refusal(farthing(home, *words)) == (
        f"127.0.0.1:{port} is in use: stop what listens there, or choose another port with --listen"
    )
    up = farthing(tmp_path, "testnet", "up", "--nodes", "1", "--port", port)
    assert refusal(up).startswith(f"port {port} is in use; choose other ports with --port")


def test_a_second_process_on_the_same_data(home: Path, node: NodeProcess) -> None:
    words = ["node", "run", "--datadir", node.datadir, "--listen", f"127.0.0.1:{free_ports(1)}"]
    assert "is in use by another node" in refusal(farthing(home, *words))


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["--network", "mainnet"], 1, "expected one of regtest, classroom, main"),
        (["--network", "my.toml"], 1, "there is no file my.toml"),
        (["--listen", "here"], 1, "--listen: no host is called 'here'"),
        (["--peer", "https://127.0.0.1"], 1, "--peer: expected http://HOST:PORT"),
        (["--mine-to", SOMEBODY[:-1]], 1, "--mine-to"),
        (["--maxmempool", "lots"], 2, "farthing node run --help"),
        (["--prune", "550"], 2, "No such option '--prune'"),
    ],
)
def test_bad_switches_start_nothing(tmp_path: Path, words: list[str], code: int, line: str) -> None:
    usual = ["--datadir", str(tmp_path / "data"), "--listen", "127.0.0.1:0"]
    assert line in refusal(farthing(tmp_path, "node", "run", *usual, *words), code)
    left = [path for path in tmp_path.rglob("*") if path.suffix in (".ldb", ".sqlite")]
    assert left == []


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits a running process")
def test_a_full_disk_ends_one_node_which_comes_back_with_all_it_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # it could not write either
    with start_network(tmp_path / "testnet", 2) as network:
        other, victim = network.nodes
        data = Path(victim.datadir) / "regtest"
        largest = max(path.stat().st_size for path in data.rglob("*") if path.is_file())
        limit = (largest + 20_000, resource.RLIM_INFINITY)
        resource.prlimit(victim.pid, resource.RLIMIT_FSIZE, limit)
        acknowledged: list[str] = []
        with pytest.raises((RpcError, NodeUnreachable)):
            while True:
                acknowledged += victim.rpc.call("generatetoaddress", 5, SOMEBODY)
        eventually(lambda: not network.is_running(victim))
        assert "the disk is full" in victim.last_words()
        assert "free some space and start the node again" in victim.last_words()
        assert "ended" in farthing(tmp_path, "testnet", "status").stdout

        other.rpc.call("generatetoaddress", len(acknowledged) + 5, SOMEBODY)
        network.restart_node(1)
        revived = network.nodes[1]
        for block in acknowledged:
            revived.rpc.call("getblockheader", block)
        network.wait_for_block(other.rpc.call("getbestblockhash"))


def test_a_wallet_on_a_full_disk_is_there_whole_or_not_at_all(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))

    done = subprocess.run(
        [sys.executable, "-B", "-m", "farthing", "wallet", "create", "bob", *password(home)],
        env=os.environ | {"FARTHING_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        preexec_fn=limited,
    )
    assert "nothing was changed, make room or choose another place" in refusal(done)
    assert list((tmp_path / "wallets").iterdir()) == []
