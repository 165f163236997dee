"""Speculation: blocks are connected before their scripts have been run; the verdict comes later.

Whoever takes in thousands of blocks need not wait at each for its last script: workers run them
while the next block is parsed. All that it builds on them must be such as can be thrown away until
`settle` has said yes. It knows neither blocks nor stores. Beside it: node/importer.
"""

from chain.script.check import CheckQueue, ScriptCheck, Verifier


class ScriptsFailed(Exception):  # noqa: N818 - the name says what happened
    """A script failed somewhere since the last `settle`; which one, only a second look can say."""


class Speculation:
    """A verifier (chain.script.check) that takes all scripts for good until it settles."""

    def __init__(self, verifier: Verifier, *, is_on: bool = True) -> None:
        self.is_on = is_on
        """While it is off, each queue gives its own verdict, as ever."""
        self._verifier = verifier
        self._open: CheckQueue | None = None  # holds the scripts of many blocks

    def __call__(self) -> CheckQueue:
        """A queue for one block."""
        if not self.is_on:
            return self._verifier()
        if self._open is None:
            self._open = self._verifier()
        return _Later(self._open)

    def settle(self) -> None:
        """Wait for all scripts so far. Raises ScriptsFailed."""
        queue, self._open = self._open, None
        if queue is not None and queue.finish() is not None:
            raise ScriptsFailed


class _Later:
    """One block's part of a queue."""

    def __init__(self, queue: CheckQueue) -> None:
        self._queue = queue

    def add(self, check: ScriptCheck) -> None:
        """See CheckQueue."""
        self._queue.add(check)

    def finish(self) -> None:
        """No failure is known so far."""
