"""The miner: when this node makes a block, and the search for its proof of work.

With block time `auto` a block follows one second after a transaction arrived; with a number of
seconds it follows so long after the last block. Where the work is real (classroom) the search runs
in processes of its own (`solver`) and starts anew on a new tip; where it is not (regtest) two tries
do. It does not choose transactions (`template`). Beside it: Bitcoin Core,
`src/rpc/mining.cpp`.
"""

import logging
import threading
import time

from chain.block import Block
from chain.errors import Invalid
from node.config import BlockTime
from node.errors import StorageError
from node.events import BlockConnected, TransactionAccepted
from node.runtime import Notification, Runtime, Stopping
from node.solver import Solver

AUTO_S = 1.0
REFRESH_S = 1.0
"""A search that goes on takes in new transactions no oftener."""
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
        processes = runtime.config.mining_processes
        is_work_real = not runtime.node.params.no_retargeting
        self._solver = Solver(processes, self._answered) if is_work_real else None
        self._thread = threading.Thread(target=self._run, name="miner", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._runtime.subscribe(self._told)
        self._thread.start()

    def stop(self) -> None:
        """End, and the processes with it. The runtime must be stopping."""
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
        was_forestalled = bool(before) and not self._mine()
        with self._changed:
            if len(mempool) not in (0, before) or (was_forestalled and len(mempool)):
                self._due = self._due or time.monotonic() + AUTO_S

    def _mine(self) -> bool:
        """Make a block; False if another's came before there was one."""
        try:
            if self._solver is not None:
                return self._search(self._solver)
            self._runtime.generate(self._script_pubkey, 1)
        except Invalid as error:
            # Our own block, of our own mempool: a fault of ours, but none to spin on.
            log.error("a block of our own was refused: %s", error)
            self._runtime.stopping.wait(AUTO_S)
        return True

    def _search(self, solver: Solver) -> bool:
        """Have the solver search for a block; False if another's has come before there is one."""
        with self._changed:
            self._is_tip_new = False
        try:
            return self._search_on_this_tip(solver)
        finally:
            solver.rest()

    def _search_on_this_tip(self, solver: Solver) -> bool:
        while not (self._is_tip_new or self._runtime.stopping.is_set()):
            with self._changed:
                self._has_new_transactions = False
            block = self._runtime.assemble(self._script_pubkey)
            solver.begin(block.header)
            self._watch(solver)
            nonce = solver.nonce
            if nonce is not None:
                header = block.header._replace(nonce=nonce)
                self._runtime.submit_block(Block(header, block.transactions))
                return True
        return False

    def _watch(self, solver: Solver) -> None:
        """Until the solver answers, the tip is new, or new transactions are worth a new search."""
        began = time.monotonic()
        with self._changed:
            while not (solver.is_done or self._is_tip_new or self._runtime.stopping.is_set()):
                left_s = began + REFRESH_S - time.monotonic()
                if self._has_new_transactions and left_s <= 0:
                    return
                self._changed.wait(left_s if self._has_new_transactions else None)
