"""Local networks: what can't be started, what does not answer, what must not be left behind."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chain.params import CLASSROOM
from node.errors import StorageError
from node.storage.opening import DirectoryLock
from scripts import network as networks
from scripts import node_process
from scripts.funds import accounts, balances, fund
from scripts.network import LocalNetwork, NetworkError, exclusive, peers_of
from scripts.node_process import NodeProcess
from tests.functional.support import free_ports, start_network

SOMEBODY = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[LocalNetwork]:
    """One node, without any block."""
    with start_network(tmp_path / "net", 1) as network:
        yield network


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(NetworkError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_any_two_nodes_are_a_few_links_apart() -> None:
    assert [peers_of(number) for number in range(5)] == [[], [0], [0, 1], [0, 1, 2], [1, 2, 3]]


@pytest.mark.parametrize("count", [0, -1, 51])
def test_how_many_nodes_there_can_be(tmp_path: Path, count: int) -> None:
    network = LocalNetwork(tmp_path / "net")
    assert "1 to 50 can be started" in refused(lambda: network.start(count, first_port=20000))
    assert not (tmp_path / "net").exists()


@pytest.mark.parametrize("port", [0, 80, 65536])
def test_ports_that_can_not_be(tmp_path: Path, port: int) -> None:
    network = LocalNetwork(tmp_path / "net")
    assert "choose a first port from 1024 up" in refused(lambda: network.start(1, first_port=port))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"network": 1, "nodes": [{"url": 1}]}'])
def test_a_damaged_memory_is_said_so(tmp_path: Path, content: str) -> None:
    (tmp_path / "testnet.json").write_text(content)
    assert "is damaged" in refused(lambda: LocalNetwork(tmp_path))


def test_a_node_that_does_not_start_says_why_and_takes_the_others_along(tmp_path: Path) -> None:
    network = LocalNetwork(tmp_path / "net")
    said = refused(
        lambda: network.start(
            2,
            first_port=free_ports(2),
            options=lambda number: ["--network", "nowhere"] if number else [],
        )
    )
    assert "did not start: farthing: unknown network 'nowhere'" in said
    assert LocalNetwork(tmp_path / "net").running == []


def test_a_start_that_is_broken_off_leaves_nothing_running(tmp_path: Path) -> None:
    network = LocalNetwork(tmp_path / "net")

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        network.start(2, first_port=free_ports(2), prepare=interrupted)
    assert len(network.nodes) == 2
    assert LocalNetwork(tmp_path / "net").running == []


def test_a_node_that_does_not_answer_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "READY_S", 0.0)
    network = LocalNetwork(tmp_path / "net")
    said = refused(lambda: network.start(1, first_port=free_ports(1)))
    assert "did not answer within 0 s; see " in said
    assert network.running == []


def test_a_node_ends_and_comes_back_on_its_data(alone: LocalNetwork) -> None:
    assert "still runs; stop it first" in refused(lambda: alone.restart_node(0))
    (block,) = alone.nodes[0].rpc.call("generatetoaddress", 1, SOMEBODY)
    alone.stop_node(0)
    assert "farthing testnet up" in refused(alone.first)
    alone.restart_node(0, options=["--block-time", "off"])
    assert alone.first().rpc.call("getbestblockhash") == block
    assert LocalNetwork(alone.directory).first() == alone.nodes[0]


def test_a_node_that_hangs(alone: LocalNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "STOP_S", 0.2)
    monkeypatch.setattr(node_process, "GLANCE_S", 0.2)
    os.kill(alone.nodes[0].pid, signal.SIGSTOP)
    assert "answers; stop them with: farthing testnet down" in refused(alone.first)
    assert "did not stop; see" in refused(lambda: alone.stop_node(0))
    assert alone.stop() == 1
    assert alone.running == []


def test_a_block_or_peer_that_never_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with start_network(tmp_path, 2, "--connect") as network:
        alone = network.nodes[0]
        tip = alone.rpc.call("getbestblockhash")
        network.wait_for_block(tip)
        said = refused(lambda: network.wait_for_block("11" * 32, timeout_s=0))
        assert f"the node at {alone.url} has no block 1111" in said
        network.wait_for_links()
        network.stop_node(1)
        network.restart_node(1, peers=[])
        assert "has no peer; see " in refused(lambda: network.wait_for_links(timeout_s=0.1))


def test_one_command_at_a_time(tmp_path: Path) -> None:
    order: list[str] = []
    entered = threading.Event()

    def other() -> None:
        entered.set()
        with exclusive(tmp_path):
            order.append("other")

    with exclusive(tmp_path):
        thread = threading.Thread(target=other)
        thread.start()
        entered.wait()
        order.append("first")
    thread.join()
    assert order == ["first", "other"]
    with DirectoryLock(tmp_path), pytest.raises(StorageError), exclusive(tmp_path, timeout_s=0):
        raise AssertionError("two at a time")


def test_a_process_is_found_by_what_it_was_called_with(
    alone: LocalNetwork, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    node = alone.nodes[0]
    stranger = NodeProcess(node.url, f"{node.datadir}0", node.pid, "regtest")
    for proc in (Path("/proc"), tmp_path / "none"):
        monkeypatch.setattr(node_process, "PROC", proc)
        assert node.is_running()
        assert not stranger.is_running()
        assert not NodeProcess(node.url, node.datadir, 2**22 + 1, "regtest").is_running()


def test_last_words(tmp_path: Path) -> None:
    node = NodeProcess("http://127.0.0.1:1", str(tmp_path), 1, "regtest")
    assert node.last_words() == "it printed nothing"
    node.output.write_text("\n")
    assert node.last_words() == "it printed nothing"
    node.output.write_bytes(b"ready\nfarthing: the \xff disk\n\n")
    assert node.last_words() == "farthing: the \ufffd disk"


def test_each_kind_of_network_keeps_its_own_data(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    with start_network(folder, 1, "--block-time", "off", network="classroom") as network:
        fund(network, CLASSROOM)
        node = network.nodes[0]
        height = node.rpc.call("getblockcount")
        # One a member, and what the faucet can spend after its coins have matured.
        assert height == 10 + 10 + 10
        assert [each.balance for each in balances(node, CLASSROOM)] == [50 * 10**8] * 10
        header = node.rpc.call("getblockheader", node.rpc.call("getbestblockhash"))
        assert header["bits"] == "1f00ffff", "funding must not have made blocks harder"
        assert fund(network, CLASSROOM) == header["hash"]
    assert LocalNetwork(folder).is_funded
    other = LocalNetwork(folder, "regtest")
    assert not other.is_funded
    with start_network(folder, 1, network="regtest") as network:
        assert network.nodes[0].rpc.call("getblockcount") == 0
        network.stop()
        network.forget()
    assert (folder / "node0" / "classroom").exists()
    assert not (folder / "node0" / "regtest").exists()
    assert json.loads((folder / "testnet.json").read_text())["funded"] == ["classroom"]


def test_nothing_is_deleted_where_no_network_was(tmp_path: Path) -> None:
    mine = tmp_path / "node1" / "regtest"
    mine.mkdir(parents=True)
    LocalNetwork(tmp_path).forget()
    assert mine.exists()


def test_the_accounts_are_those_that_everybody_knows() -> None:
    known = accounts(CLASSROOM)
    assert [account.path for account in known[:2]] == ["m/84'/1'/0'/0/0", "m/84'/1'/0'/0/1"]
    assert known[0].address == "bcrt1qquv9lg5g2r4jkr0ahun0ddfg5xntxjelwjpnuw"
