"""Speculation: blocks are connected before their scripts have been run; the verdict comes later.

Whoever takes in thousands of blocks need not wait at each for its last script: workers run them
while the next block is parsed. All that it builds on them must be such as can be thrown away until
`settle` has said yes. It is asked for one portion of the blocks while the next is taken in, so that
the workers are never without work. It knows neither blocks nor stores. Beside it: node/importer.
"""

from chain.script.check import CheckQueue, ScriptCheck, Verifier


class ScriptsFailed(Exception):  # noqa: N818 - the name says what happened
    """A script of a sealed portion failed; which one, only a second look can say."""


class Speculation:
    """A verifier (chain.script.check) that takes all scripts for good until it settles."""

    def __init__(self, verifier: Verifier, *, is_on: bool = True) -> None:
        self.is_on = is_on
        """While it is off, each queue gives its own verdict, as ever."""
        self._verifier = verifier
        self._open: CheckQueue | None = None  # holds the scripts of many blocks
        self._sealed: CheckQueue | None = None

    def __call__(self) -> CheckQueue:
        """A queue for one block."""
        if not self.is_on:
            return self._verifier()
        if self._open is None:
            self._open = self._verifier()
        return _Later(self._open)

    def seal(self) -> None:
        """What has come since `settle` is a portion; its scripts go on running."""
        self._sealed, self._open = self._open, None
        if self._sealed is not None:
            self._sealed.seal()

    def settle(self) -> None:
        """Wait for the scripts of what is sealed. Raises ScriptsFailed, and forgets the rest."""
        queue, self._sealed = self._sealed, None
        if queue is not None and queue.finish() is not None:
            self._open = None
            raise ScriptsFailed


class _Later:
    """One block's part of a queue."""

    def __init__(self, queue: CheckQueue) -> None:
        self._queue = queue

    def add(self, check: ScriptCheck) -> None:
        """See CheckQueue."""
        self._queue.add(check)

    def seal(self) -> None:
        """It is sealed with the others."""

    def finish(self) -> None:
        """No failure is known so far."""
