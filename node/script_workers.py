"""Workers: processes that run scripts while the node goes on collecting them.

Threads alone would not do: each signature lets go of Python's lock for some forty microseconds
only, and waking up who waits for it takes as long. So each worker is a process, with a thread here
that hands it chunk after chunk, however long the node is busy with other things. At the end the
node takes its share of what is left. A worker that dies is done without. It knows no node.
Beside it: script_worker, the other end; Bitcoin Core, `src/checkqueue.h`.
"""

import contextlib
import logging
import pickle
import subprocess
import sys
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from chain.script.check import CheckQueue, ScriptCheck, ScriptFailure, SerialQueue
from node.script_worker import HEAD, YES, Job

CHUNK_INPUTS, CHUNK_BYTES = 64, 16_000
"""A chunk is full at either: four milliseconds of work, and few dear scripts at once."""
AHEAD = 2
"""Chunks at a worker: one that it runs, and the next."""
MOST_WAITING = 40
"""Chunks: where more wait, the node lends a hand before it collects further. Workers have enough
to do with these while it parses the next full block."""
SLICES = 16
"""A transaction of many inputs is cut into no more, for each is parsed again."""
START_AT = 3
"""Chunks that wait before processes are started: small blocks never need them."""
PATIENCE_S = 60.0
"""Without any answer for so long, workers are given up; the dearest chunk takes a few seconds."""
MAX_WORKERS = 3
"""A node cannot feed more: collecting an input takes it a third of the time of checking one."""
ROOT = Path(__file__).parents[1]
log = logging.getLogger("farthing")

Slice = tuple[ScriptCheck, range]
"""A check, and which of its inputs."""


@dataclass(frozen=True)
class Chunk:
    """Slices that one process runs in order. Numbers grow within a queue."""

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
        return HEAD.pack(len(raw)) + raw


class Worker(threading.Thread):
    """A process that runs chunks, and the thread that hands them to it."""

    def __init__(self, pool: "ScriptWorkers") -> None:
        super().__init__(name="script worker", daemon=True)
        self.is_ready = False
        self._pool = pool
        self.process = subprocess.Popen(
            [sys.executable, "-m", "node.script_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd=ROOT,
            start_new_session=True,  # Ctrl-C is the node's to handle
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self._stdout = self.process.stdin, self.process.stdout

    def run(self) -> None:
        """Until the pool is closed, or the process dies."""
        taken: deque[tuple[_Queue, Chunk]] = deque()
        with contextlib.suppress(OSError):
            self.is_ready = self._answer()
            while (more := self._pool.hand_out(can_wait=not taken)) or taken:
                if more:
                    taken.append(more)
                    self._send(more[1].serialize())
                if len(taken) == AHEAD or not more:
                    queue, chunk = taken[0]
                    queue.answered(chunk, self._answer())
                    taken.popleft()
        self._pool.lost(self)
        for queue, chunk in taken:  # it died over them
            queue.answered(chunk, False)
        self.process.kill()
        self.process.wait()
        self.stdin.close()
        self._stdout.close()

    def _send(self, raw: bytes) -> None:
        rest = memoryview(raw)
        while rest:
            rest = rest[self.stdin.write(rest) :]

    def _answer(self) -> bool:
        """Whether all in the first chunk is good that was not answered yet."""
        answer = self._stdout.read(1)
        if not answer:
            raise BrokenPipeError
        return answer == YES

    def close(self) -> None:
        """End the process, and with it the thread."""
        self.process.kill()
        self.join()


class ScriptWorkers:
    """A verifier (chain.script.check): scripts in up to `threads` processes, us included.

    For one thread. An earlier queue is forgotten by the next one, unless it is sealed.
    """

    def __init__(self, threads: int) -> None:
        self._others = min(threads - 1, MAX_WORKERS)
        self._has_started = self._is_closed = False
        self._queues: list[_Queue] = []  # oldest first
        self.workers: list[Worker] = []
        self.changed = threading.Condition()
        """Held by whoever looks at the chunks of a queue; told when they change."""

    def __call__(self) -> CheckQueue:
        """An empty queue."""
        if not self._others:
            return SerialQueue()
        queue = _Queue(self)
        self._queues = [*(each for each in self._queues if each.is_sealed), queue]
        return queue

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes; the next large block begins new ones."""
        with self.changed:
            self._is_closed, self._queues = True, []
            self.changed.notify_all()
        for worker in self.workers[:]:
            worker.close()
        self._has_started = self._is_closed = False

    def start(self) -> None:
        """Begin the processes, unless they were begun before; where none can be, go on alone."""
        if self._has_started:
            return
        self._has_started = True
        try:
            for _ in range(self._others):
                self.workers.append(Worker(self))
                self.workers[-1].start()
        except OSError as error:
            log.warning("cannot begin a process that runs scripts (%s); going on without", error)

    def hand_out(self, *, can_wait: bool) -> "tuple[_Queue, Chunk] | None":
        """The next chunk for a worker; None if there is none, or no more will come."""
        with self.changed:
            while not self._is_closed:
                for queue in self._queues:
                    if (chunk := queue.hand_out()) is not None:
                        return queue, chunk
                if not can_wait:
                    break
                self.changed.wait()
        return None

    def done(self, queue: "_Queue") -> None:
        """All of it was run."""
        self._queues = [each for each in self._queues if each is not queue]

    def give_up(self) -> None:
        """End processes that do not answer: what they hold is then run here."""
        log.warning("a process that runs scripts has not answered for %g s", PATIENCE_S)
        for worker in self.workers[:]:
            worker.process.kill()

    def lost(self, worker: Worker) -> None:
        """A worker has ended."""
        with self.changed:
            self.workers.remove(worker)
        if not self._is_closed:
            log.warning("a process that runs scripts has ended; going on without it")


class _Queue:
    """Scripts to be run in order."""

    def __init__(self, pool: ScriptWorkers) -> None:
        self.is_sealed = False
        self._pool = pool
        self._changed = pool.changed
        self._slices: list[Slice] = []  # of the chunk that is being filled
        self._inputs = self._bytes = 0  # in them
        self._chunks = 0  # so far
        self._waiting: deque[Chunk] = deque()
        self._away: set[int] = set()
        self._doubted: deque[Chunk] = deque()  # came back without a yes
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

    def seal(self) -> None:
        """See CheckQueue."""
        self.is_sealed = True
        if self._slices:
            self._close_chunk()

    def finish(self) -> ScriptFailure | None:
        """See CheckQueue."""
        self.seal()
        while (chunk := self._next()) is not None:
            self._run(chunk)
        self._pool.done(self)
        return self._failures[min(self._failures)] if self._failures else None

    def _close_chunk(self) -> None:
        with self._changed:
            self._waiting.append(Chunk(self._chunks, self._slices))
            self._changed.notify_all()
        self._chunks += 1
        self._slices, self._inputs, self._bytes = [], 0, 0
        if len(self._waiting) >= START_AT:
            self._pool.start()
        if len(self._waiting) > MOST_WAITING and (chunk := self._next()) is not None:
            self._run(chunk)

    def hand_out(self) -> Chunk | None:
        """For a worker, who holds `changed`."""
        if not self._waiting:
            return None
        chunk = self._waiting.popleft()
        self._away.add(chunk.number)
        return chunk

    def answered(self, chunk: Chunk, is_good: bool) -> None:
        """A worker has run it, or died over it."""
        with self._changed:
            self._away.remove(chunk.number)
            if not is_good:
                self._doubted.append(chunk)
            self._changed.notify_all()

    def _next(self) -> Chunk | None:
        """What is to be run here; None once all is done."""
        with self._changed:
            while self._away and not (self._doubted or self._waiting):
                if not self._changed.wait(PATIENCE_S):
                    self._pool.give_up()
            chunks = self._doubted or self._waiting
            return chunks.popleft() if chunks else None

    def _run(self, chunk: Chunk) -> None:
        """Run it here, unless it lies behind a failure."""
        if not self._failures or chunk.number < min(self._failures):
            failure = chunk.run()
            if failure is not None:
                self._failures[chunk.number] = failure
                self._waiting.clear()  # all of it comes later
