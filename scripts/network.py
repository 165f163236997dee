"""A local network: node processes started, funded, watched and stopped.

It knows ports, folders, who dials whom, and the file that remembers the processes
(`testnet.json`); one process is scripts/node_process.py. Every process it starts, it can also find
again and stop, from this or a later run.
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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from node.errors import StorageError
from node.storage.opening import DirectoryLock
from scripts.node_process import OUTPUT_FILE, NodeProcess, answers, has_block

# By its path, so that no folder called `node` or `chain` where we are called from comes first.
COMMAND = (sys.executable, str(Path(__file__).resolve().parent.parent / "farthing.py"))
READY_S = 30.0
STOP_S = 10.0
POLL_S = 0.02
STATE_FILE = "testnet.json"
MAX_NODES = 50


class NetworkError(Exception):
    """The network can't do what was asked; the text is one line that says what to do."""


class LocalNetwork:
    """The network whose folder is `directory`; opens one that runs already, or starts a new one.

    `network` is the kind to start; without it, the kind that was last started there. The data of
    each kind stays apart.
    """

    def __init__(self, directory: Path, network: str | None = None) -> None:
        self.directory = directory.resolve()
        self.network = network or "regtest"
        self.nodes: list[NodeProcess] = []
        self.funded: list[str] = []
        self._options: list[list[str]] = []
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        if (state := self._load()) and network is None:
            self.network = state["network"]

    def _load(self) -> dict[str, Any] | None:
        try:
            state: dict[str, Any] = json.loads((self.directory / STATE_FILE).read_text())
            self.nodes = [NodeProcess(**node) for node in state["nodes"]]
            self.funded = [str(network) for network in state["funded"]]
            return state
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise NetworkError(
                f"{self.directory / STATE_FILE} is damaged ({error}); "
                "stop its nodes by hand and delete the file"
            ) from error

    def _save(self) -> None:
        path = self.directory / STATE_FILE
        nodes = [asdict(node) for node in self.nodes]
        state = {"network": self.network, "nodes": nodes, "funded": self.funded}
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(state, indent=2) + "\n")
        temporary.replace(path)

    @property
    def is_funded(self) -> bool:
        """Whether the chain of this kind of network has its first blocks, money for everybody."""
        return self.network in self.funded

    def set_funded(self) -> None:
        """Remember that it has."""
        self.funded.append(self.network)
        self._save()

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
        nothing that it started is left running.
        """
        if not 1 <= count <= MAX_NODES:
            raise NetworkError(f"{count} nodes were asked for; 1 to {MAX_NODES} can be started")
        self.directory.mkdir(parents=True, exist_ok=True)
        with exclusive(self.directory):
            self._load()  # another command may just have started one
            self._require_stopped()
            require_free_ports(range(first_port, first_port + count))
            if fresh:
                self.forget()
            self.nodes = []
            self._options = [list(options(number)) for number in range(count)]
            try:
                self._start(first_port, prepare)
            except BaseException:
                self.stop_children()
                raise

    def _start(self, first_port: int, prepare: Callable[[], object]) -> None:
        for number in range(len(self._options)):
            url = f"http://127.0.0.1:{first_port + number}"
            self.nodes.append(self._launch(number, url, peers_of(number)))
            self._save()
        self._wait_ready(self.nodes[:1])
        prepare()
        self._wait_ready(self.nodes)

    def _require_stopped(self) -> None:
        if self.running:
            raise NetworkError(
                f"a network of {len(self.running)} nodes runs already in {self.directory}; "
                "stop it with: farthing testnet down"
            )

    def _launch(self, number: int, url: str, peers: Sequence[int]) -> NodeProcess:
        datadir = self.directory / f"node{number}"
        datadir.mkdir(exist_ok=True)
        command = [*COMMAND, "node", "run"]
        command += ["--network", self.network, "--datadir", str(datadir)]
        command += ["--listen", url.removeprefix("http://"), "--allow-private-peers"]
        for peer in peers:
            command += ["--peer", self.nodes[peer].url]
        with (datadir / OUTPUT_FILE).open("ab") as log:
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

    def restart_node(
        self,
        number: int,
        peers: Sequence[int] | None = None,
        options: Sequence[str] | None = None,
    ) -> None:
        """Start a node that has ended again, on its own data, and wait until it answers.

        `peers` are the nodes that it dials from now on, `options` its further switches; without
        them, the same as at the start.
        """
        if options is not None:
            self._options[number] = list(options)
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
        return self._stop(self.running)

    def stop_children(self) -> int:
        """Stop the nodes that this object started, and say how many were running."""
        return self._stop([node for node in self.running if node.pid in self._children])

    def _stop(self, running: Sequence[NodeProcess]) -> int:
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
        """Delete this kind of network's data; only folders that we made."""
        if not (self.directory / STATE_FILE).exists():
            return
        for folder in self.directory.glob(f"node[0-9]*/{self.network}"):
            shutil.rmtree(folder)
        self.funded = [network for network in self.funded if network != self.network]

    def wait_for_block(self, block_hash: str, timeout_s: float = READY_S) -> None:
        """Wait until a block is part of every running node's chain, as tip or below it."""
        deadline = time.monotonic() + timeout_s
        for node in self.running:
            while not has_block(node, block_hash):
                if time.monotonic() > deadline:
                    raise NetworkError(
                        f"the node at {node.url} has no block {block_hash} in its chain "
                        f"after {timeout_s:.0f} s; see {node.log}"
                    )
                time.sleep(POLL_S)

    def wait_for_links(self, timeout_s: float = READY_S) -> None:
        """Wait until every running node has a peer, unless there is only one."""
        deadline = time.monotonic() + timeout_s
        for node in self.running if len(self.running) > 1 else ():
            while not node.rpc.call("getpeerinfo"):
                if time.monotonic() > deadline:
                    raise NetworkError(f"the node at {node.url} has no peer; see {node.log}")
                time.sleep(POLL_S)

    def first(self) -> NodeProcess:
        """The first node that answers; NetworkError when there is none."""
        running = self.running
        for node in running:
            if answers(node):
                return node
        if running:
            raise NetworkError(
                f"none of the {len(running)} nodes in {self.directory} answers; "
                "stop them with: farthing testnet down"
            )
        raise NetworkError(
            f"no network runs in {self.directory}; start one with: farthing testnet up"
        )


@contextlib.contextmanager
def exclusive(directory: Path, timeout_s: float = READY_S) -> Iterator[None]:
    """Wait until no other command works on the network in `directory`, and keep them out."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            lock = DirectoryLock(directory)
            break
        except StorageError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)
    with lock:
        yield


def peers_of(number: int) -> list[int]:
    """Which earlier nodes a node dials: its neighbour and the middle, so that distances stay short.

    With five nodes: 1-0, 2-0, 2-1, 3-0, 3-1, 3-2, 4-1, 4-2, 4-3.
    """
    return sorted({number - 1, number - 2, number // 2 - 1} & set(range(number)))


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
