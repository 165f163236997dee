"""`farthing testnet` as people use it: up, status, faucet, mine, logs, down; and its refusals."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.network import LocalNetwork, peers_of
from tests.functional.support import farthing, free_ports, refusal

SOMEBODY = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose network of three nodes runs in the background."""
    home = tmp_path_factory.mktemp("home")
    port = free_ports(3)
    up = farthing(home, "testnet", "up", "--nodes", "3", "--detach", "--port", str(port))
    assert up.returncode == 0, up.stderr
    yield home
    down = farthing(home, "testnet", "down")
    assert "stopped 3 nodes" in down.stdout


def test_status_as_programs_read_it(home: Path) -> None:
    state = json.loads(farthing(home, "testnet", "status", "--json").stdout)
    assert set(state) == {"nodes", "accounts", "mnemonic"}
    assert [set(node) for node in state["nodes"]] == [{"url", "datadir", "pid"}] * 3
    assert [set(account) for account in state["accounts"]] == [{"address", "path", "balance"}] * 10
    assert state["accounts"][9]["path"] == "m/84'/1'/0'/0/9"
    assert state["mnemonic"] == "test test test test test test test test test test test junk"


def test_status_as_people_read_it(home: Path) -> None:
    shown = farthing(home, "testnet", "status").stdout
    assert "http://127.0.0.1:" in shown
    assert "50.00000000 BTC" in shown


def test_the_faucet_pays_and_waits_for_a_block(home: Path) -> None:
    done = farthing(home, "testnet", "faucet", SOMEBODY, "2.5", "--json")
    assert done.returncode == 0, done.stderr
    paid = json.loads(done.stdout)
    assert paid["amount"] == 250_000_000
    for node in LocalNetwork(home / "testnet").nodes:
        block = node.rpc.call("getblockhash", paid["height"])
        assert paid["txid"] in node.rpc.call("getblock", block)["tx"]


def test_the_faucet_need_not_wait(home: Path) -> None:
    done = farthing(home, "testnet", "faucet", SOMEBODY, "0.1", "--no-wait")
    assert "waiting for a block" in done.stdout


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((SOMEBODY, "0.000000001"), "decimal"),
        ((SOMEBODY, "much"), "much"),
        ((SOMEBODY, "100000"), "need"),
        (("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "1"), "another network"),
        (("bcrt1qnonsense", "1"), "bcrt1qnonsense"),
    ],
)
def test_the_faucet_refuses_in_one_line(home: Path, words: tuple[str, str], line: str) -> None:
    assert line in refusal(farthing(home, "testnet", "faucet", *words))


def test_mine(home: Path) -> None:
    mined = json.loads(farthing(home, "testnet", "mine", "3", "--json").stdout)
    assert len(mined["hashes"]) == 3
    node = LocalNetwork(home / "testnet").nodes[2]
    assert node.rpc.call("getblockhash", mined["height"]) == mined["hashes"][-1]


def test_logs(home: Path) -> None:
    assert "ready at" in farthing(home, "testnet", "logs", "--lines", "1000").stdout
    assert "no node 7" in refusal(farthing(home, "testnet", "logs", "--node", "7"))


def test_a_second_network_in_the_same_folder_is_refused(home: Path) -> None:
    done = farthing(home, "testnet", "up", "--detach", "--port", str(free_ports(5)))
    assert "runs already" in refusal(done)
    assert "farthing testnet down" in done.stderr


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    port = free_ports(2)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port + 1))
        taken.listen()
        done = farthing(tmp_path, "testnet", "up", "--nodes", "2", "--port", str(port))
    assert f"port {port + 1} is in use" in refusal(done)


def test_without_a_network_commands_say_how_to_start_one(tmp_path: Path) -> None:
    for words in (["status"], ["mine"], ["faucet", SOMEBODY, "1"], ["logs"]):
        assert "farthing testnet up" in refusal(farthing(tmp_path, "testnet", *words))
    assert "no network runs" in farthing(tmp_path, "testnet", "down").stdout


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_in_the_foreground_every_ending_stops_every_node(tmp_path: Path, ending: int) -> None:
    port = free_ports(2)
    command = [sys.executable, "-m", "farthing", "testnet", "up", "--nodes", "2"]
    up = subprocess.Popen(
        [*command, "--port", str(port), "--json"],
        env=os.environ | {"FARTHING_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert up.stdout is not None
        state = json.loads(up.stdout.readline())
        assert len(state["nodes"]) == 2
        time.sleep(0.3)
    finally:
        up.send_signal(ending)
        _, complaint = up.communicate(timeout=30)
    assert up.returncode == 0
    assert "stopped 2 nodes" in complaint
    assert LocalNetwork(tmp_path / "testnet").running == []


def test_the_next_run_takes_up_the_chain_or_starts_afresh(tmp_path: Path) -> None:
    up = ["testnet", "up", "--nodes", "1", "--detach", "--port", str(free_ports(1))]
    assert farthing(tmp_path, *up).returncode == 0
    assert farthing(tmp_path, "testnet", "mine", "5").returncode == 0
    assert farthing(tmp_path, "testnet", "down").returncode == 0
    heights = []
    for more in ([], ["--fresh"]):
        assert farthing(tmp_path, *up, *more).returncode == 0
        heights.append(LocalNetwork(tmp_path / "testnet").first().rpc.call("getblockcount"))
        farthing(tmp_path, "testnet", "down")
    assert heights == [125, 120]


def test_any_two_nodes_are_a_few_links_apart() -> None:
    assert [peers_of(number) for number in range(5)] == [[], [0], [0, 1], [0, 1, 2], [1, 2, 3]]
