"""A local network: node processes started, funded, watched and stopped.

It knows processes, ports, folders and the file that remembers them (`testnet.json`); what a node
does inside its process it does not know: it talks to nodes by JSON-RPC only. Every process it
starts, it can also find again and stop, from this or a later run.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scripts.rpc_client import NodeUnreachable, RpcClient

READY_S = 30.0
STOP_S = 10.0
POLL_S = 0.02
STATE_FILE = "testnet.json"
LOG_FILE = "node.log"
MAX_NODES = 50


class NetworkError(Exception):
    """The network can't do what was asked; the text is one line that says what to do."""


@dataclass(frozen=True)
class NodeProcess:
    """One node of the network: where it answers, where its data lies, its process id."""

    url: str
    datadir: str
    pid: int
    network: str

    @property
    def rpc(self) -> RpcClient:
        """JSON-RPC with the credentials of the node's cookie file."""
        return RpcClient(self.url, Path(self.datadir) / self.network / ".cookie")

    @property
    def log(self) -> Path:
        """What the process printed."""
        return Path(self.datadir) / LOG_FILE

    def is_running(self) -> bool:
        """Whether the process lives and is still ours (a process id can be given away again)."""
        command = Path(f"/proc/{self.pid}/cmdline")
        if command.parent.parent.joinpath("self").exists():
            with contextlib.suppress(OSError):
                return self.datadir.encode() in command.read_bytes()
            return False
        shown = subprocess.run(
            ["ps", "-o", "command=", "-p", str(self.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        return self.datadir in shown.stdout

    def last_words(self) -> str:
        """The last line that the process printed, for a message about its end."""
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            return "it printed nothing"
        return lines[-1] if lines else "it printed nothing"


class LocalNetwork:
    """The network whose folder is `directory`; opens one that runs already, or starts a new one.

    `network` is the kind to start; without it, the kind that was last started there. The data of
    each kind stays apart.
    """

    def __init__(self, directory: Path, network: str | None = None) -> None:
        self.directory = directory.resolve()
        self.network = network or "regtest"
        self.nodes: list[NodeProcess] = []
        self._options: list[list[str]] = []
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._load(network)

    def _load(self, network: str | None) -> None:
        try:
            state = json.loads((self.directory / STATE_FILE).read_text())
            self.network = network or state["network"]
            self.nodes = [NodeProcess(**node) for node in state["nodes"]]
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError) as error:
            raise NetworkError(
                f"{self.directory / STATE_FILE} is damaged ({error}); "
                "stop its nodes by hand and delete the file"
            ) from error

    def _save(self) -> None:
        path = self.directory / STATE_FILE
        state = {"network": self.network, "nodes": [asdict(node) for node in self.nodes]}
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(state, indent=2) + "\n")
        temporary.replace(path)

    @property
    def running(self) -> list[NodeProcess]:
        """The nodes whose processes live."""
        return [node for node in self.nodes if self.is_running(node)]

    def is_running(self, node: NodeProcess) -> bool:
        """Whether a node's process lives; our own children are also collected here."""
        child = self._children.get(node.pid)
        return node.is_running() if child is None else child.poll() is None

    def start(
        self,
        count: int,
        *,
        first_port: int,
        options: Callable[[int], Sequence[str]] = lambda _: (),
        fresh: bool = False,
        prepare: Callable[[], object] = lambda: None,
    ) -> None:
        """Start `count` nodes on ports from `first_port` on, each dialling some before it.

        `options` gives the further switches of `farthing node run` for each node. Data of an
        earlier run is taken up again unless `fresh`. `prepare` is called as soon as the first node
        answers: what it mines there, the others fetch when they come. Raises NetworkError; then
        nothing is left running.
        """
        self.require_stopped()
        if not 1 <= count <= MAX_NODES:
            raise NetworkError(f"{count} nodes were asked for; 1 to {MAX_NODES} can be started")
        require_free_ports(range(first_port, first_port + count))
        if fresh and (self.directory / STATE_FILE).exists():
            self.forget()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.nodes = []
        self._options = [list(options(number)) for number in range(count)]
        try:
            for number in range(count):
                url = f"http://127.0.0.1:{first_port + number}"
                self.nodes.append(self._launch(number, url, peers_of(number)))
            self._save()
            self._wait_ready(self.nodes[:1])
            prepare()
            self._wait_ready(self.nodes)
        except BaseException:
            self.stop()
            raise

    def require_stopped(self) -> None:
        """Raise NetworkError if nodes of an earlier start are running."""
        if self.running:
            raise NetworkError(
                f"a network of {len(self.running)} nodes runs already in {self.directory}; "
                "stop it with: farthing testnet down"
            )

    def _launch(self, number: int, url: str, peers: Sequence[int]) -> NodeProcess:
        datadir = self.directory / f"node{number}"
        datadir.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "farthing", "node", "run"]
        command += ["--network", self.network, "--datadir", str(datadir)]
        command += ["--listen", url.removeprefix("http://"), "--allow-private-peers"]
        for peer in peers:
            command += ["--peer", self.nodes[peer].url]
        with (datadir / LOG_FILE).open("ab") as log:
            # A session of its own: Ctrl-C in the terminal reaches us alone, and we stop the nodes.
            child = subprocess.Popen(
                [*command, *self._options[number]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._children[child.pid] = child
        return NodeProcess(url, str(datadir), child.pid, self.network)

    def restart_node(self, number: int, peers: Sequence[int] | None = None) -> None:
        """Start a node that has ended again, on its own data, and wait until it answers.

        `peers` are the nodes that it dials from now on; without them, the same as at the start.
        """
        ended = self.nodes[number]
        if self.is_running(ended):
            raise NetworkError(f"the node at {ended.url} still runs; stop it first")
        dialled = peers_of(number) if peers is None else peers
        self.nodes[number] = self._launch(number, ended.url, dialled)
        self._save()
        self._wait_ready([self.nodes[number]])

    def stop_node(self, number: int) -> None:
        """Stop one node gently and wait until its process has ended."""
        node = self.nodes[number]
        os.kill(node.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        while self.is_running(node):
            if time.monotonic() > deadline:
                raise NetworkError(f"the node at {node.url} did not stop; see {node.log}")
            time.sleep(POLL_S)

    def _wait_ready(self, nodes: Sequence[NodeProcess]) -> None:
        deadline = time.monotonic() + READY_S
        for node in nodes:
            while not answers(node):
                if not self.is_running(node):
                    raise NetworkError(f"the node at {node.url} did not start: {node.last_words()}")
                if time.monotonic() > deadline:
                    raise NetworkError(
                        f"the node at {node.url} did not answer within {READY_S:.0f} s; "
                        f"see {node.log}"
                    )
                time.sleep(POLL_S)

    def stop(self) -> int:
        """Stop every node (gently, then by force) and say how many were running."""
        running = self.running
        for node in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(node.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        for node in running:
            while self.is_running(node) and time.monotonic() < deadline:
                time.sleep(POLL_S)
            if self.is_running(node):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(node.pid, signal.SIGKILL)
        for child in self._children.values():
            child.wait()
        return len(running)

    def forget(self) -> None:
        """Delete the nodes' data and what is remembered; only folders that we made."""
        for datadir in self.directory.glob("node[0-9]*"):
            shutil.rmtree(datadir)
        (self.directory / STATE_FILE).unlink(missing_ok=True)

    def wait_for_tip(self, block_hash: str, timeout_s: float = READY_S) -> None:
        """Wait until every running node's best block is `block_hash`."""
        deadline = time.monotonic() + timeout_s
        for node in self.running:
            while node.rpc.call("getbestblockhash") != block_hash:
                if time.monotonic() > deadline:
                    raise NetworkError(
                        f"the node at {node.url} did not reach block {block_hash} "
                        f"within {timeout_s:.0f} s; see {node.log}"
                    )
                time.sleep(POLL_S)

    def first(self) -> NodeProcess:
        """The first running node; NetworkError when there is none."""
        running = self.running
        if not running:
            raise NetworkError(
                f"no network runs in {self.directory}; start one with: farthing testnet up"
            )
        return running[0]


def peers_of(number: int) -> list[int]:
    """Which earlier nodes a node dials: its neighbour and the middle, so that distances stay short.

    With five nodes: 1-0, 2-0, 2-1, 3-0, 3-1, 3-2, 4-1, 4-2, 4-3.
    """
    return sorted({number - 1, number - 2, number // 2 - 1} & set(range(number)))


def answers(node: NodeProcess) -> bool:
    """Whether the node's JSON-RPC answers (its cookie appears once it can)."""
    try:
        node.rpc.call("getblockcount", timeout_s=5)
    except (OSError, NodeUnreachable):
        return False
    return True


def require_free_ports(ports: Sequence[int]) -> None:
    """Raise NetworkError for the first port that another process listens on."""
    for port in ports:
        if not 1024 <= port <= 65535:
            raise NetworkError(f"port {port} can't be used; choose a first port from 1024 up")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise NetworkError(
                    f"port {port} is in use; choose other ports with --port, "
                    "or stop what listens there"
                ) from error


def describe(node: NodeProcess) -> dict[str, Any]:
    """A running node's height, best block, peers and waiting transactions, for people to see."""
    chain = node.rpc.call("getblockchaininfo")
    return {
        "height": chain["blocks"],
        "tip": chain["bestblockhash"],
        "peers": len(node.rpc.call("getpeerinfo")),
        "mempool": len(node.rpc.call("getrawmempool")),
    }
