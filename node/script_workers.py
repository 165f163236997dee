"""Workers: processes that run a block's scripts while the node goes on connecting it.

Threads would not do: each signature lets go of Python's lock for some forty microseconds only, and
waking up who waits for it takes as long. The node hands out chunks of checks as they are collected,
two to a worker so that none is idle, and at the end takes its share of what is left. A worker that
dies is done without. It knows no node. Beside it: script_worker, the other end; Bitcoin Core,
`src/checkqueue.h`.
"""

import contextlib
import logging
import pickle
import selectors
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Self

from chain.script.check import CheckQueue, ScriptCheck, ScriptFailure, SerialQueue
from node.script_worker import ANSWER, HEAD, READY, Job

CHUNK_INPUTS, CHUNK_BYTES = 64, 16_000
"""A chunk is full at either: four milliseconds of work, and few dear scripts at once."""
AHEAD = 2
"""Chunks at a worker: one that it runs, and the next."""
SLICES = 16
"""A transaction of many inputs is cut into no more, for each is parsed again."""
START_AT = 3
"""Chunks that wait before processes are started: small blocks never need them."""
MAX_WORKERS = 3
"""A node cannot feed more: collecting an input takes it a third of the time of checking one."""
ROOT = Path(__file__).parents[1]
log = logging.getLogger("farthing")

Slice = tuple[ScriptCheck, range]
"""A check, and which of its inputs."""


@dataclass(frozen=True)
class Chunk:
    """Slices that one process runs in order. Numbers grow, from queue to queue."""

    number: int
    slices: list[Slice]

    def run(self) -> ScriptFailure | None:
        """Here and now: the first failure in order."""
        return next(filter(None, (check.run(inputs) for check, inputs in self.slices)), None)

    def serialize(self) -> bytes:
        """As it goes to a worker."""
        jobs: list[Job] = [
            (
                check.tx.serialize(),
                tuple([(output.value, output.script_pubkey) for output in check.spent_outputs]),
                int(check.flags),
                inputs.start,
                inputs.stop,
            )
            for check, inputs in self.slices
        ]
        raw = pickle.dumps(jobs, pickle.HIGHEST_PROTOCOL)
        return HEAD.pack(self.number, len(raw)) + raw


class Worker:
    """A process, and the chunks that it has not answered yet."""

    def __init__(self) -> None:
        self.chunks: dict[int, Chunk] = {}
        self.is_ready = False
        self.is_dead = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "node.script_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd=ROOT,
            start_new_session=True,  # Ctrl-C is the node's to handle
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._answers = b""

    def fileno(self) -> int:
        """Readable when an answer has come."""
        return self._stdout.fileno()

    def take(self, chunk: Chunk) -> None:
        """Run this one too."""
        self.chunks[chunk.number] = chunk
        rest = memoryview(chunk.serialize())
        with contextlib.suppress(OSError):  # it died: `read` will say so
            while rest:
                rest = rest[self._stdin.write(rest) :]

    def read(self) -> list[tuple[Chunk, bool]]:
        """Wait for answers: chunks that were run, and whether all in them is good."""
        got = self._stdout.read(4096)
        self.is_dead = not got
        self._answers += got
        end = len(self._answers) // ANSWER.size * ANSWER.size
        answers, self._answers = self._answers[:end], self._answers[end:]
        done = []
        for number, is_good in ANSWER.iter_unpack(answers):
            if number == READY:
                self.is_ready = True
            else:
                done.append((self.chunks.pop(number), is_good))
        return done

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._stdin.close()
        self._stdout.close()


class ScriptWorkers:
    """A verifier (chain.script.check): scripts in up to `threads` processes, us included.

    Not thread-safe, and one queue at a time: an earlier one that was dropped is forgotten.
    """

    def __init__(self, threads: int) -> None:
        self._others = min(threads - 1, MAX_WORKERS)
        self._has_started = False
        self._numbers = count(READY + 1)
        self._workers: list[Worker] = []
        self._selector = selectors.DefaultSelector()

    def __call__(self) -> CheckQueue:
        """An empty queue."""
        return _Queue(self) if self._others else SerialQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes; the next large block begins new ones."""
        for worker in list(self._workers):
            self._end(worker)
        self._has_started = False

    def start(self) -> None:
        """Begin the processes, unless they were begun before; where none can be, go on alone."""
        if self._has_started:
            return
        self._has_started = True
        try:
            for _ in range(self._others):
                self._workers.append(Worker())
                self._selector.register(self._workers[-1], selectors.EVENT_READ)
        except OSError as error:
            log.warning("cannot begin a process that runs scripts (%s); going on without", error)

    def number(self, slices: list[Slice]) -> Chunk:
        """A chunk of these; its number is higher than that of any before."""
        return Chunk(next(self._numbers), slices)

    def hand_out(self, chunks: deque[Chunk]) -> Iterator[Chunk]:
        """Give the first of these to whoever has little left to do; those that were given."""
        for worker in self._workers:
            while worker.is_ready and chunks and len(worker.chunks) < AHEAD:
                yield chunks[0]
                worker.take(chunks.popleft())

    def answers(self, timeout_s: float | None) -> Iterator[tuple[Chunk, bool | None]]:
        """Chunks that were run, and whether all is good; None if the worker has died over it."""
        for key, _ in self._selector.select(timeout_s):
            worker = key.fileobj
            assert isinstance(worker, Worker)
            yield from worker.read()
            if worker.is_dead:
                log.warning("a process that runs scripts has ended; going on without it")
                yield from ((chunk, None) for chunk in worker.chunks.values())
                self._end(worker)

    def _end(self, worker: Worker) -> None:
        self._selector.unregister(worker)
        self._workers.remove(worker)
        worker.close()


class _Queue:
    """The scripts of one block."""

    def __init__(self, pool: ScriptWorkers) -> None:
        self._pool = pool
        self._slices: list[Slice] = []  # of the chunk that is being filled
        self._inputs = self._bytes = 0  # in them
        self._waiting: deque[Chunk] = deque()
        self._away: set[int] = set()
        self._failures: dict[int, ScriptFailure] = {}

    def add(self, check: ScriptCheck) -> None:
        """See CheckQueue."""
        tx = check.tx
        step = max(CHUNK_INPUTS, -(-len(tx.inputs) // SLICES))
        for first in range(0, len(tx.inputs), step):
            inputs = range(first, min(first + step, len(tx.inputs)))
            self._slices.append((check, inputs))
            self._inputs += len(inputs)
            self._bytes += tx.size
            if self._inputs >= CHUNK_INPUTS or self._bytes >= CHUNK_BYTES:
                self._close_chunk()

    def finish(self) -> ScriptFailure | None:
        """See CheckQueue."""
        if self._slices:
            self._close_chunk()
        while self._waiting or self._away:
            if self._waiting:
                self._run(self._waiting.popleft())
            self._exchange(timeout_s=None if self._away and not self._waiting else 0)
        return self._failures[min(self._failures)] if self._failures else None

    def _close_chunk(self) -> None:
        self._waiting.append(self._pool.number(self._slices))
        self._slices, self._inputs, self._bytes = [], 0, 0
        if len(self._waiting) >= START_AT:
            self._pool.start()
        self._exchange(timeout_s=0)

    def _exchange(self, timeout_s: float | None) -> None:
        """Take the answers that have come, and hand out what waits."""
        for chunk, is_good in self._pool.answers(timeout_s):
            if chunk.number in self._away:  # not a dropped queue's
                self._away.remove(chunk.number)
                if not is_good:
                    self._run(chunk)  # which failed first, and why; or nobody has run it yet
        self._away.update(chunk.number for chunk in self._pool.hand_out(self._waiting))

    def _run(self, chunk: Chunk) -> None:
        """Run it here, unless it lies behind a failure."""
        if not self._failures or chunk.number < min(self._failures):
            failure = chunk.run()
            if failure is not None:
                self._failures[chunk.number] = failure
                self._waiting.clear()  # all of it comes later: a chunk that comes back runs here
