"""Mining: how many hashes the solver's processes try, and how soon they turn to a new header.

The comparator is the loop that everybody writes, two hashes and a comparison, in as many processes
of the same priority; both are handed their work through a pipe, in turn.
"""

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

from chain.block import BlockHeader
from node.solver import NONCES, Solver
from scripts.bench_blocks import Row

PATIENCE_S = 60
SETTLE_S = 0.02
HARD = BlockHeader(1, bytes(32), bytes(32), 0, 0x1C00FFFF, 0)
"""One nonce in 2**40 is good: none of those that are tried here."""
EASY = HARD._replace(bits=0x207FFFFF)
BARE = """
import hashlib, os, sys
if hasattr(os, "nice"):
    os.nice(10)
def loop(count, header=bytes(76), target=bytes(32), sha256=hashlib.sha256):
    for nonce in range(count):
        if sha256(sha256(header + nonce.to_bytes(4, "little")).digest()).digest()[::-1] < target:
            break
for line in sys.stdin:
    loop(int(line))
    print(flush=True)
"""


class Search:
    """A solver with as many processes as there are processors, all of them started."""

    def __init__(self) -> None:
        self.processes = os.cpu_count() or 1
        self._answered = threading.Event()
        self.solver = Solver(self.processes, self._answered.set)
        self.seconds(EASY)

    def seconds(self, header: BlockHeader, nonces: int = NONCES) -> float:
        """How long it takes to find a nonce among so many, or that there is none."""
        self._answered.clear()
        begin = time.perf_counter()
        self.solver.begin(header, nonces)
        if not self._answered.wait(PATIENCE_S):
            raise AssertionError("the solver did not answer")
        return time.perf_counter() - begin


@contextmanager
def bare_loops(processes: int) -> Iterator[Callable[[int], float]]:
    """Has so many processes try so many hashes each; how many seconds that took."""
    with ExitStack() as stack:
        children = []
        for _ in range(processes):
            command = [sys.executable, "-I", "-c", BARE]
            child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # as a grinder: Linux shares processors out by sessions
            )
            stack.callback(child.communicate)
            children.append(child)

        def run(count: int) -> float:
            begin = time.perf_counter()
            for child in children:
                if child.stdin is not None:
                    child.stdin.write(b"%d\n" % count)
                    child.stdin.flush()
            for child in children:
                if child.stdout is None or not child.stdout.readline():
                    raise AssertionError("a loop ended early")
            return time.perf_counter() - begin

        run(1)
        yield run


def rate_row(count: int, rounds: int) -> Row:
    """Thousands of hashes a second in each of the processes, all of them at once."""
    search, ours, theirs = Search(), [], []
    with closing(search.solver), bare_loops(search.processes) as run:
        for _ in range(rounds):
            ours.append(search.seconds(HARD, count * search.processes))
            theirs.append(run(count))
    what, scale = f"mining, each of {search.processes} processes", count / 1e3
    return what, scale / min(ours), "kH/s", "a bare hashlib loop", scale / min(theirs)


def interruption_row(rounds: int) -> Row:
    """Milliseconds from an easy header to its nonce, in the middle of a search and at rest."""
    search = Search()
    taken: dict[str, list[float]] = {"searching": [], "resting": []}
    with closing(search.solver):
        for _ in range(rounds):
            for state, seconds in taken.items():
                if state == "searching":
                    search.solver.begin(HARD)
                else:
                    search.solver.rest()
                time.sleep(SETTLE_S)
                seconds.append(search.seconds(EASY))
    searching, resting = (statistics.median(seconds) * 1e3 for seconds in taken.values())
    return "a new template interrupts mining", searching, "ms", "the same at rest", resting
