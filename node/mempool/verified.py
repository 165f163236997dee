"""Scripts that need not run again: those of transactions that the mempool has taken in before.

It knows no blocks. Beside it: Bitcoin Core, the script execution cache of CheckInputScripts
(`src/validation.cpp`).
"""

from chain.script.check import CheckQueue, ScriptCheck, ScriptFailure
from node.mempool.mempool import Mempool


class UnverifiedQueue:
    """A queue in front of another one that keeps to itself what was verified."""

    def __init__(self, mempool: Mempool, queue: CheckQueue) -> None:
        self._mempool = mempool
        self._queue = queue

    def add(self, check: ScriptCheck) -> None:
        """See CheckQueue."""
        if not self._mempool.has_verified(check):
            self._queue.add(check)

    def seal(self) -> None:
        """See CheckQueue."""
        self._queue.seal()

    def finish(self) -> ScriptFailure | None:
        """See CheckQueue."""
        return self._queue.finish()
