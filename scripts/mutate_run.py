"""The laboratory: which tests may notice a mutant, and whether they do, one child for each.

First each file of tests is run as it is, to learn which test reaches which line and how long it
takes; then each mutant is put before the tests that reach its line, its own file's first. The
parent loads the third-party libraries once, and nothing of the project, so a child starts in a
blink. Does not know what happens in a child (mutate_child) nor what a mutant is (mutants).
"""

import gc
import importlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from enum import Enum
from functools import partial
from pathlib import Path

from scripts import mutate_child as child
from scripts.mutants import Mutant
from scripts.mutate_child import TestFile

PRELOADED = (
    "hypothesis.stateful hypothesis.strategies coincurve ecdsa cryptography pbk bdkpython "
    "bitcoin.core.script bitcoin.core.scripteval embit.script embit.transaction embit.psbt"
).split()
# In a file of tests that takes less, tests that do not reach the line are run as well: what one
# test leaves in a cache or a fixture, others use.
CHEAP_S = 2.0


class Outcome(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    TIMED_OUT = "timed out"  # killed too: it hung
    SURVIVED = "survived"
    BROKEN = "not judged"  # no test could be run


class Laboratory:
    """A project's folder and its tests; `measure` comes first, then `judge`."""

    def __init__(self, root: Path, jobs: int) -> None:
        self.root, self.jobs = root, jobs
        self.files: list[TestFile] = []
        self._folder = tempfile.TemporaryDirectory(prefix="mutate-")
        self._place = Path(self._folder.name)
        for name in PRELOADED:
            with suppress(ImportError):  # a project need not have them all
                importlib.import_module(name)
        gc.freeze()

    def close(self) -> None:
        """Remove what the children wrote."""
        self._folder.cleanup()

    def measure(self, package: str, paths: Sequence[str]) -> Iterator[TestFile]:
        """Run each file of tests as it is, and learn which lines of `package` it reaches."""

        def record(number: int) -> int:
            found = child.measure(self.root, package, paths[number])
            (self._place / f"{number}.json").write_text(json.dumps(vars(found)))
            return 0

        for number, status in self._fork(record, len(paths)):
            if status:
                sys.exit(f"mutate: {paths[number]} cannot be run as it is (status {status})")
            found = TestFile(**json.loads((self._place / f"{number}.json").read_text()))
            for file, lines in found.reached.items():
                found.reached[file] = {int(line): names for line, names in lines.items()}
            self.files.append(found)
            yield found

    def judge(
        self, mutants: Sequence[Mutant], excused: Collection[Mutant] = ()
    ) -> Generator[tuple[Mutant, Outcome], None, None]:
        """What becomes of each mutant, as it becomes known.

        Those `excused` by a proof are put to one file of tests only: to survive all takes longest.
        """

        def run(number: int) -> int:
            mutant = mutants[number]
            plan = self.plan(mutant)
            return child.judge(self.root, mutant, plan[:1] if mutant in excused else plan)

        for number, status in self._fork(run, len(mutants)):
            yield mutants[number], _outcome(status)

    def plan(self, mutant: Mutant) -> list[tuple[TestFile, list[str]]]:
        """The tests to run, file by file: the file's own tests first, then the quickest."""
        stem = Path(mutant.file).stem

        def rank(pair: tuple[TestFile, list[str]]) -> tuple[bool, bool, float]:
            """test_curve is the own file of curve, and that of curve_ecdsa if nothing is closer."""
            named = Path(pair[0].path).stem.removeprefix("test_")
            return named != stem, not stem.startswith(named), _cost(*pair)

        plan = [(file, _may_notice(file, mutant)) for file in self.files]
        plan.sort(key=rank)
        return [(file, names) for file, names in plan if names]

    def _fork(self, work: Callable[[int], int], count: int) -> Iterator[tuple[int, int]]:
        """Do `work` on 0 to `count` - 1, each in a child; number and wait status, as they end."""
        running: dict[int, int] = {}
        waiting = list(reversed(range(count)))
        try:
            while waiting or running:
                while waiting and len(running) < self.jobs:
                    number = waiting.pop()
                    running[self._start(partial(work, number))] = number
                pid, status = os.wait()
                _end_group(pid)
                yield running.pop(pid), status
        finally:
            for pid in running:
                _end_group(pid)
                os.waitpid(pid, 0)

    def _start(self, work: Callable[[], int]) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            return pid
        status = child.BROKEN
        try:
            child.isolate(self.root, self._place)
            status = work()
        finally:
            os._exit(status)


def _outcome(status: int) -> Outcome:
    if os.WIFSIGNALED(status):  # whatever else ends a process is the mutant's doing too
        return Outcome.TIMED_OUT if os.WTERMSIG(status) == signal.SIGALRM else Outcome.KILLED
    outcomes = {child.SURVIVED: Outcome.SURVIVED, child.KILLED: Outcome.KILLED}
    return outcomes.get(os.waitstatus_to_exitcode(status), Outcome.BROKEN)


def _end_group(pid: int) -> None:
    """End what a child left running, and the child itself."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _may_notice(file: TestFile, mutant: Mutant) -> list[str]:
    """The tests of a file that may notice `mutant`, the quickest that reach it first."""
    lines = file.reached.get(mutant.file, {})
    first, last = mutant.statement
    names = {name for line in range(first, last + 1) for name in lines.get(line, ())}
    if not names:
        return []
    good = sorted(file.seconds.keys() - set(file.failed), key=file.seconds.__getitem__)
    if "" in names or sum(file.seconds.values()) < CHEAP_S:
        return sorted(good, key=lambda name: name not in names)
    return [name for name in good if name in names]


def _cost(file: TestFile, names: Iterable[str]) -> float:
    return sum(file.seconds[name] for name in names)
