"""`farthing testnet`: what it prints. That its processes come and go is tests/functional's."""

import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.cli import network_views, testnet
from scripts.network import LocalNetwork
from scripts.rpc_client import NodeUnreachable
from tests.functional.support import eventually, farthing, free_ports
from tests.scripts.conftest import CommandLine

SOMEBODY = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


@pytest.fixture(autouse=True)
def stopped(tmp_path: Path) -> Iterator[None]:
    """Whatever a test of this file starts in its home is stopped after it."""
    yield
    LocalNetwork(tmp_path / "testnet").stop()


@pytest.fixture
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """That of the module's network for tests that use it."""
    if "network" in request.fixturenames:
        return Path(request.getfixturevalue("network").directory).parent
    return tmp_path


def detached(cli: CommandLine, *words: str) -> str:
    """What `up --detach` prints, in a process of its own: its nodes must outlive it."""
    done = farthing(cli.home, *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_banner_has_what_a_new_user_needs(cli: CommandLine) -> None:
    port = free_ports(2)
    up = ["testnet", "up", "--nodes", "2", "--detach", "--port", str(port)]
    shown = detached(cli, *up)
    assert "2 nodes (regtest), connected, at one tip:" in shown
    for number in (0, 1):
        url = f"http://127.0.0.1:{port + number}"
        assert f"  node {number}   {url}   Esplora API: {url}/api" in shown
    assert shown.count("   50.00000000 BTC   m/84'/1'/0'/0/") == 10
    assert "Mnemonic: test test test test test test test test test test test junk" in shown
    assert "Blocks:   one second after a payment arrives" in shown
    assert f"Data:     {cli.home}/testnet\n" in shown
    assert "Pay:      farthing testnet faucet ADDRESS 2.5" in shown
    assert f"Wallets:  export FARTHING_NODE=http://127.0.0.1:{port}" in shown
    assert shown.endswith("Stop:     farthing testnet down\n\n")
    assert "runs already" in cli.refusal(*up)
    assert len(LocalNetwork(cli.home / "testnet").running) == 2
    assert cli("testnet", "down") == f"stopped 2 nodes; the chain is kept in {cli.home}/testnet\n"
    assert cli("testnet", "down") == f"no network runs in {cli.home}/testnet\n"
    assert cli.json("testnet", "down") == {"stopped": 0}


def test_blocks_by_the_clock_do_not_come_between_those_that_fund(cli: CommandLine) -> None:
    up = ["testnet", "up", "--nodes", "1", "--detach", "--port", str(free_ports(1))]
    shown = detached(cli, *up, "--block-time", "0.2", "--datadir", str(cli.home / "a b"))
    assert "1 node (regtest):" in shown
    assert shown.count("50.00000000 BTC") == 10
    assert "Blocks:   about one every 0.2 s" in shown
    assert f"farthing testnet down --datadir '{cli.home}/a b'" in shown
    network = LocalNetwork(cli.home / "a b")
    eventually(lambda: network.first().rpc.call("getblockcount") > 121)
    assert cli.json("testnet", "down", "--datadir", str(cli.home / "a b")) == {"stopped": 1}


def test_a_funding_that_was_broken_off_is_begun_again(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = ["testnet", "up", "--nodes", "1", "--detach", "--port", str(free_ports(1))]
    real = LocalNetwork.set_funded

    def interrupted(network: LocalNetwork) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalNetwork, "set_funded", interrupted)
    assert cli.refusal(*up, code=130) == "interrupted"
    assert LocalNetwork(cli.home / "testnet").running == []
    monkeypatch.setattr(LocalNetwork, "set_funded", real)
    assert detached(cli, *up).count("50.00000000 BTC") == 10
    assert LocalNetwork(cli.home / "testnet").first().rpc.call("getblockcount") == 120


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Set when `up` has begun to show what comes."""
    begun = threading.Event()

    def watch(network: LocalNetwork, as_json: bool) -> None:
        timer = threading.Timer(2 * network_views.WATCH_S, begun.set)
        timer.start()
        try:
            network_views.watch_blocks(network, as_json)
        finally:
            timer.join()

    monkeypatch.setattr(testnet, "watch_blocks", watch)
    yield begun


def test_in_the_foreground_blocks_are_shown_until_a_signal_ends_it(
    cli: CommandLine, watching: threading.Event
) -> None:
    port = free_ports(1)
    network_folder = cli.home / "testnet"

    def mine_and_end() -> None:
        assert watching.wait(30)
        node = LocalNetwork(network_folder).first()
        node.rpc.call("generatetoaddress", 2, SOMEBODY)
        time.sleep(3 * network_views.WATCH_S)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    for as_json in (False, True):
        watching.clear()
        thread = threading.Thread(target=mine_and_end)
        thread.start()
        words = ["testnet", "up", "--nodes", "1", "--port", str(port)]
        ran = cli.run(*words, "--block-time", "off", *(["--json"] if as_json else []))
        thread.join()
        assert ran.code == 0
        assert ran.err == f"\nstopped 1 node; the chain is kept in {network_folder}\n"
        if as_json:
            rows = [json.loads(line) for line in ran.out.splitlines()]
            assert set(rows[0]) == {"nodes", "accounts", "mnemonic"}
            assert [row["height"] for row in rows[1:]] == [123, 124]
            assert rows[1]["transactions"] == 1
        else:
            assert "Stop:     Ctrl-C" in ran.out
            assert "Blocks:   only by: farthing testnet mine" in ran.out
            (first, second) = ran.out.splitlines()[-2:]
            assert "  block 121  " in first
            assert re.fullmatch(r"\S+  block 122  [0-9a-f]{64}  1 transaction, \d+ bytes", second)
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_node_that_ends_is_named(cli: CommandLine, watching: threading.Event) -> None:
    words = ["testnet", "up", "--nodes", "2", "--port", str(free_ports(2)), "--json"]

    def kill_both() -> None:
        assert watching.wait(30)
        last, first = LocalNetwork(cli.home / "testnet").nodes[::-1]
        os.kill(last.pid, signal.SIGKILL)
        time.sleep(2 * network_views.WATCH_S)
        os.kill(first.pid, signal.SIGKILL)

    thread = threading.Thread(target=kill_both)
    thread.start()
    ran = cli.run(*words)
    thread.join()
    assert ran.code == 1
    first, second, last = ran.err.splitlines()
    assert "has ended: farthing node ready at" in first
    assert "has ended" in second
    assert last.startswith("farthing: the first node is gone; see ")


def test_status(cli: CommandLine, network: LocalNetwork) -> None:
    shown = cli("testnet", "status").splitlines()
    (node,) = network.nodes
    height, tip = node.rpc.call("getblockcount"), node.rpc.call("getbestblockhash")
    assert ["0", node.url, str(node.pid), str(height), tip[:16], "0", "0"] in map(str.split, shown)
    assert sum("50.00000000 BTC" in line for line in shown) == 10
    state = cli.json("testnet", "status")
    assert state["nodes"] == [{"url": node.url, "datadir": node.datadir, "pid": node.pid}]


def test_status_of_nodes_that_ended_or_hang(
    network: LocalNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    (node,) = network.nodes

    def silent(_: object) -> dict[str, object]:
        raise NodeUnreachable("no answer")

    monkeypatch.setattr(network_views, "describe", silent)
    assert network_views.status_of(network, node) == [node.pid, "", "no answer", "", ""]
    monkeypatch.setattr(LocalNetwork, "is_running", lambda *_: False)
    assert network_views.status_of(network, node) == ["", "", "ended", "", ""]


def test_mine(cli: CommandLine, network: LocalNetwork) -> None:
    rpc = network.nodes[0].rpc
    before = rpc.call("getblockcount")
    assert "mined 1 block to bcrt1" in cli("testnet", "mine")
    mined = cli.json("testnet", "mine", "2", "--to", SOMEBODY)
    assert mined["height"] == before + 3
    assert rpc.call("getbestblockhash") == mined["hashes"][1]
    assert "--to nonsense: " in cli.refusal("testnet", "mine", "--to", "nonsense")


def test_a_bar_shows_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert list(testnet.progress(9)) == list(range(9))
    assert capsys.readouterr().err == ""
    assert list(testnet.progress(10)) == list(range(10))
    assert "mining" in capsys.readouterr().err


def test_the_faucet(
    cli: CommandLine, network: LocalNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    rpc = network.nodes[0].rpc
    shown = cli("testnet", "faucet", SOMEBODY, "0.5", "--no-wait")
    line, txid = shown.splitlines()
    assert line == f"paid 0.50000000 BTC to {SOMEBODY}, waiting for a block"
    assert txid in rpc.call("getrawmempool")
    monkeypatch.setattr(testnet, "CONFIRM_S", 0.1)
    shown = cli("testnet", "faucet", SOMEBODY, "0.5")
    assert "waiting for a block (make one: farthing testnet mine)" in shown
    monkeypatch.setattr(testnet, "CONFIRM_S", 10)
    done = threading.Event()

    def mine() -> None:
        while not done.wait(0.3):
            rpc.call("generatetoaddress", 1, SOMEBODY)

    thread = threading.Thread(target=mine)
    thread.start()
    paid = cli.json("testnet", "faucet", SOMEBODY, "0.00001")
    done.set()
    thread.join()
    assert paid["amount"] == 1_000
    assert paid["txid"] in rpc.call("getblock", rpc.call("getblockhash", paid["height"]))["tx"]
    said = cli.refusal("testnet", "faucet", SOMEBODY, "20000000")
    assert said.startswith("the faucet can spend ")
    assert "mine more for it: farthing testnet mine 10" in said


def test_logs(cli: CommandLine, network: LocalNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = cli("testnet", "logs", "--lines", "100000").splitlines()
    assert all(line.startswith("0 | ") for line in everything)
    assert "farthing node ready at" in everything[0]
    assert len(cli("testnet", "logs", "--lines", "1").splitlines()) == 1
    assert cli("testnet", "logs", "--lines", "0") == ""
    shown = cli("testnet", "logs", "--json", "--node", "0", "--lines", "1")
    assert json.loads(shown)["node"] == 0
    assert "there is no node 1; this network has nodes 0 to 0" in cli.refusal(
        "testnet", "logs", "--node", "1"
    )

    looks = iter([None, None])

    def pause(_: float) -> None:
        if next(looks, "over") == "over":
            raise KeyboardInterrupt
        with network.nodes[0].log.open("a") as log:
            log.write("a line that comes\n")

    monkeypatch.setattr(testnet.time, "sleep", pause)
    shown = cli("testnet", "logs", "--follow", "--lines", "1")
    assert shown.splitlines()[-2:] == ["0 | a line that comes"] * 2


def test_a_log_that_begins_anew_is_read_from_its_start(
    network: LocalNetwork, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    node = network.nodes[0].__class__("http://127.0.0.1:1", str(tmp_path), 1, "regtest")
    assert network_views.show_log(3, node, False) == 0
    node.log.parent.mkdir()
    node.log.write_text("new\n")
    assert network_views.show_log(3, node, False, start=500) == 1
    assert capsys.readouterr().out == "3 | new\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--block-time", "soon"], "expected auto, off or a number of seconds"),
        (["--block-time", "0"], "would never rest"),
        (["--nodes", "0"], "1 to 50 can be started"),
        (["--nodes", "51"], "1 to 50 can be started"),
        (["--port", "80"], "choose a first port from 1024 up"),
        (["--datadir", "/dev/null/x"], "Not a directory"),
    ],
)
def test_what_can_not_be_started(cli: CommandLine, words: list[str], line: str) -> None:
    assert line in cli.refusal("testnet", "up", *words)
    assert list(cli.home.glob("**/node*")) == []


def test_where_no_network_is(cli: CommandLine) -> None:
    for words in (["status"], ["mine"], ["faucet", SOMEBODY, "1"], ["logs"]):
        assert "farthing testnet up" in cli.refusal("testnet", *words)


def test_how_blocks_come() -> None:
    describe = network_views.describe_block_time
    assert describe("0") == "as fast as their work is done; difficulty follows, every 20 blocks"
    assert describe("off", " --datadir x") == "only by: farthing testnet mine --datadir x"
