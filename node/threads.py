"""Threads: a lock that is fair, and the checking of scripts on several of them.

It knows no node. libsecp256k1 lets go of Python's own lock while it works, so that signatures are
checked side by side; everything around them is not. Beside it: Bitcoin Core, `src/checkqueue.h`.
"""

import threading
from collections.abc import Sequence
from itertools import count
from queue import SimpleQueue

from chain.script.check import ScriptCheck, ScriptFailure, verify_serially

CHUNK, LEAST_CHECKS = 64, 16
"""Script checks that a thread takes at once: some milliseconds; and how few are left to one."""


class FairLock:
    """A re-entrant lock that goes to who waits: a thread that lets go and asks again comes next.

    Python's own goes to whoever asks first when it is free, and a thread that connects block after
    block then lets nobody in for seconds.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._owner = 0
        self._depth = 0

    def acquire(self, timeout_s: float = -1) -> bool:
        """Get the lock, or False if it took too long."""
        if self._owner == threading.get_ident():
            self._depth += 1
            return True
        if not self._turn.acquire(timeout=timeout_s):
            return False
        try:
            if not self._lock.acquire(timeout=timeout_s):
                return False
        finally:
            self._turn.release()
        self._owner, self._depth = threading.get_ident(), 1
        return True

    def release(self) -> None:
        """Let go; to be called as often as `acquire` was."""
        self._depth -= 1
        if self._depth == 0:
            self._owner = 0
            self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class ThreadedVerifier:
    """Checks scripts on several threads, which libsecp256k1 lets run side by side.

    The failure it returns is the first in order, whatever the threads do; and none of them still
    reads a transaction when it returns.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._batches: SimpleQueue[_Batch] = SimpleQueue()
        self._started = False

    def __call__(self, checks: Sequence[ScriptCheck]) -> ScriptFailure | None:
        """See chain.script.check.Verifier."""
        if self._threads < 2 or len(checks) <= LEAST_CHECKS:
            return verify_serially(checks)
        if not self._started:
            self._started = True
            for _ in range(self._threads - 1):
                threading.Thread(target=self._help, name="scripts", daemon=True).start()
        # A few may be dear, so that nobody should be left alone with many of them.
        batch = _Batch(checks, min(CHUNK, len(checks) // (4 * self._threads) + 1))
        for _ in range(self._threads - 1):
            self._batches.put(batch)
        batch.work()
        return batch.result()

    def _help(self) -> None:
        while True:
            self._batches.get().work()


class _Batch:
    """Checks in chunks, which threads take one after the other."""

    def __init__(self, checks: Sequence[ScriptCheck], size: int) -> None:
        self._chunks = [checks[at : at + size] for at in range(0, len(checks), size)]
        self._numbers = count()
        self._finished = threading.Semaphore(0)
        self._failures: dict[int, ScriptFailure] = {}
        self._crashes: list[BaseException] = []

    def work(self) -> None:
        """Take chunks until none is left."""
        while (number := next(self._numbers)) < len(self._chunks):
            try:
                # What comes after a failure no longer matters.
                if not self._failures or number < min(self._failures):
                    failure = verify_serially(self._chunks[number])
                    if failure is not None:
                        self._failures[number] = failure
            except BaseException as crash:  # noqa: BLE001 - raised in the thread that asked
                self._crashes.append(crash)
            finally:
                self._finished.release()

    def result(self) -> ScriptFailure | None:
        """The first failure in order, once all chunks are done."""
        for _ in self._chunks:
            self._finished.acquire()
        if self._crashes:
            raise self._crashes[0]
        return self._failures[min(self._failures)] if self._failures else None
