"""Threads: a lock that is fair. It knows no node. Beside it: Python's `threading`, RLock."""

import threading


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
