"""The miner: when this node makes a block, and the search for its proof of work.

With block time `auto` a block follows one second after a transaction arrived; with a number of
seconds it follows so long after the last block. Where the work is real (classroom) the search runs
in a process of its own (`grinder`) and starts anew on a new tip; where it is not (regtest) two
tries do. It does not choose transactions (`template`). Beside it: Bitcoin Core,
`src/rpc/mining.cpp`.
"""

import contextlib
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from chain.block import Block
from chain.errors import Invalid
from chain.work import decode_bits
from node.config import BlockTime
from node.errors import StorageError
from node.events import BlockConnected, TransactionAccepted
from node.runtime import Notification, Runtime, Stopping

AUTO_S = 1.0
REFRESH_S = 1.0
"""A search that goes on takes in new transactions no oftener."""
GRINDER = Path(__file__).with_name("grinder.py")
log = logging.getLogger("farthing")


class Miner:
    """Mines for a runtime, in a thread of its own, from `start` to `stop`."""

    def __init__(self, runtime: Runtime, script_pubkey: bytes, block_time: BlockTime) -> None:
        self._runtime = runtime
        self._script_pubkey = script_pubkey
        self._interval_s = None if isinstance(block_time, str) else block_time
        self._changed = threading.Condition()
        self._due = None if self._interval_s is None else time.monotonic()
        self._is_tip_new = False  # since the search began
        self._has_new_transactions = False
        self._solver = None if runtime.node.params.no_retargeting else Solver(self._answered)
        self._thread = threading.Thread(target=self._run, name="miner", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._runtime.subscribe(self._told)
        self._thread.start()

    def stop(self) -> None:
        """End, and the process with it. The runtime must be stopping."""
        self._answered()
        if self._solver is not None:
            self._solver.close()
        self._thread.join(timeout=2)

    def _told(self, notification: Notification) -> None:
        with self._changed:
            if isinstance(notification, TransactionAccepted):
                self._has_new_transactions = True
                if self._interval_s is None:
                    self._due = self._due or time.monotonic() + AUTO_S
            elif isinstance(notification, BlockConnected):
                self._is_tip_new = True
                if self._interval_s is not None:
                    self._due = time.monotonic() + self._interval_s
            self._changed.notify_all()

    def _answered(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while self._wait():
                if self._interval_s is None:
                    self._mine_what_waits()
                else:
                    self._mine()
        except (Stopping, StorageError):
            """The runtime knows."""

    def _wait(self) -> bool:
        """Wait until a block is due; False when the node stops."""
        with self._changed:
            while not self._runtime.stopping.is_set():
                left_s = None if self._due is None else self._due - time.monotonic()
                if left_s is not None and left_s <= 0:
                    return True
                self._changed.wait(left_s)
        return False

    def _mine_what_waits(self) -> None:
        """A block if transactions wait; another one later if that left some of them."""
        mempool = self._runtime.node.mempool
        with self._changed:
            self._due = None
        before = len(mempool)
        if before:
            self._mine()
        with self._changed:
            if len(mempool) not in (0, before):
                self._due = self._due or time.monotonic() + AUTO_S

    def _mine(self) -> None:
        try:
            if self._solver is None:
                self._runtime.generate(self._script_pubkey, 1)
            else:
                self._search(self._solver)
        except Invalid as error:
            # Our own block, of our own mempool: a fault of ours, but none to spin on.
            log.error("a block of our own was refused: %s", error)
            self._runtime.stopping.wait(AUTO_S)

    def _search(self, solver: "Solver") -> None:
        """Have the solver search for a block until there is one, or another's has come."""
        with self._changed:
            self._is_tip_new = False
        while not (self._is_tip_new or self._runtime.stopping.is_set()):
            with self._changed:
                self._has_new_transactions = False
            block = self._runtime.assemble(self._script_pubkey)
            solver.begin(block)
            self._watch(solver)
            nonce = solver.nonce
            if nonce is not None:
                header = block.header._replace(nonce=nonce)
                self._runtime.submit_block(Block(header, block.transactions))
                return

    def _watch(self, solver: "Solver") -> None:
        """Until the solver answers, the tip is new, or new transactions are worth a new search."""
        began = time.monotonic()
        with self._changed:
            while not (solver.is_done or self._is_tip_new or self._runtime.stopping.is_set()):
                left_s = began + REFRESH_S - time.monotonic()
                if self._has_new_transactions and left_s <= 0:
                    return
                self._changed.wait(left_s if self._has_new_transactions else None)


class Solver:
    """A grinder process, started when first needed and again if it dies."""

    def __init__(self, answered: Callable[[], None]) -> None:
        self._tell = answered
        self._process: subprocess.Popen[str] | None = None
        self._number = 0
        self.is_done = False
        self.nonce: int | None = None

    def begin(self, block: Block) -> None:
        """Search for this block's nonce, and for no other's any more."""
        self._number += 1
        self.is_done, self.nonce = False, None
        process = self._process
        if process is None or process.poll() is not None:
            self.close()
            process = self._process = subprocess.Popen(
                [sys.executable, "-I", str(GRINDER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,  # Ctrl-C is the node's to handle
            )
            threading.Thread(target=self._read, args=(process,), daemon=True).start()
        target = decode_bits(block.header.bits).to_bytes(32, "big").hex()
        job = f"{self._number} {block.header.serialize()[:76].hex()} {target}\n"
        with contextlib.suppress(OSError):  # it died: `_read` says so
            assert process.stdin is not None
            process.stdin.write(job)
            process.stdin.flush()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            number, answer = line.split()
            if int(number) == self._number:
                self.nonce = None if answer == "-" else int(answer)
                self.is_done = True
                self._tell()
        process.stdout.close()
        process.wait()  # so that `begin` knows, once it is told
        if process is self._process:
            self.is_done = True
            self._tell()

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.kill()
            process.wait()
            with contextlib.suppress(OSError):
                process.stdin.close()
