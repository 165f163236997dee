"""One node's process, seen from outside: is it alive, what did it print, what does it answer.

It knows process ids, files and JSON-RPC; what a node does inside its process it does not know.
"""

import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.rpc_client import NodeUnreachable, RpcClient, RpcError

OUTPUT_FILE = "node.log"
PROC = Path("/proc")  # Linux; elsewhere `ps` knows
GLANCE_S = 5.0  # how long a node may take to answer when it is only looked at
NO_SUCH_BLOCK = -5  # Core's RPC_INVALID_ADDRESS_OR_KEY


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
        """What the node tells of its life."""
        return Path(self.datadir) / self.network / "debug.log"

    @property
    def output(self) -> Path:
        """What the process printed: that it is ready, and why it ended."""
        return Path(self.datadir) / OUTPUT_FILE

    def is_running(self) -> bool:
        """Whether the process lives and is still ours (a process id can be given away again)."""
        if (PROC / "self").exists():
            with contextlib.suppress(OSError):
                words = (PROC / str(self.pid) / "cmdline").read_bytes().split(b"\0")
                return os.fsencode(self.datadir) in words
            return False
        shown = subprocess.run(
            ["ps", "-ww", "-o", "command=", "-p", str(self.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        return f" {self.datadir} " in shown.stdout

    def last_words(self) -> str:
        """The last line that the process printed, for a message about its end."""
        try:
            lines = self.output.read_text(errors="replace").strip().splitlines()
        except OSError:
            return "it printed nothing"
        return lines[-1] if lines else "it printed nothing"


def answers(node: NodeProcess) -> bool:
    """Whether the node's JSON-RPC answers (its cookie appears once it can)."""
    try:
        node.rpc.call("getblockcount", timeout_s=GLANCE_S)
    except (OSError, NodeUnreachable):
        return False
    return True


def has_block(node: NodeProcess, block_hash: str) -> bool:
    """Whether a block is part of the node's chain."""
    try:
        return bool(node.rpc.call("getblockheader", block_hash)["confirmations"] > 0)
    except RpcError as error:
        if error.code != NO_SUCH_BLOCK:
            raise
        return False


def describe(node: NodeProcess) -> dict[str, Any]:
    """A running node's height, best block, peers and waiting transactions, for people to see."""
    chain = node.rpc.call("getblockchaininfo", timeout_s=GLANCE_S)
    return {
        "height": chain["blocks"],
        "tip": chain["bestblockhash"],
        "peers": len(node.rpc.call("getpeerinfo")),
        "mempool": len(node.rpc.call("getrawmempool")),
    }
