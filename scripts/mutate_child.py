"""The child: a forked process that runs tests once, on one mutant or on none, and ends.

The mutant takes the place of its module as that is imported; the working tree is never written to.
The process has loaded the third-party libraries and nothing of the project. Does not know how
tests are chosen (mutate_run). Read beside it: pytest, "Writing plugins"; coverage, "Measurement
contexts".
"""

import gc
import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import coverage
import hypothesis
import pytest

from scripts.mutants import Mutant

# No plugins, caches or explanations: a child should start in a blink and say nothing.
PYTEST = ["-qq", "-s", "-W", "error", "--tb=no", "--assert=plain"]
PYTEST += [f"-pno:{name}" for name in ("cacheprovider", "unraisableexception", "threadexception")]
MEMORY_BYTES = 3 << 30
COLLECTION_TIMEOUT_S = 60.0
# A test may take this much, and this many times what it takes without a mutant.
TEST_TIMEOUT_S, TEST_TIMEOUT_FACTOR = 4.0, 5.0
# How a child ends: no test noticed, one did, or no test could be run.
SURVIVED, KILLED, BROKEN = 0, 1, 3


@dataclass
class TestFile:
    """One file of tests: how long each takes, and the lines of the project that it reaches."""

    path: str
    seconds: dict[str, float] = field(default_factory=dict)  # by test
    failed: list[str] = field(default_factory=list)  # without any mutant: no use here
    skipped: list[str] = field(default_factory=list)  # for want of a vector or a library
    # By file and line: the tests that reach it; "" stands for the import of the tests.
    reached: dict[str, dict[int, list[str]]] = field(default_factory=dict)


def isolate(root: Path, folder: Path) -> None:
    """Make this process one that can do no harm: no output, bounded, its files in `folder`."""
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    os.environ["TMPDIR"] = str(folder)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    sys.pycache_prefix = str(folder / "pycache")
    gc.disable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    os.chdir(root)
    sys.path.insert(0, str(root))


def measure(root: Path, package: str, path: str) -> TestFile:
    """Run one file of tests as it is: what it costs and what it reaches."""
    found = TestFile(path)
    cover = coverage.Coverage(
        data_file=None, source=[str(root / package)], config_file=False, branch=False
    )
    cover.start()
    code = pytest.main([*_where(root), path], plugins=[_Settings(), _Measure(found, cover)])
    cover.stop()
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        found.failed.append(path)
    data = cover.get_data()
    for name in data.measured_files():
        lines = data.contexts_by_lineno(name)
        found.reached[Path(name).relative_to(root).as_posix()] = dict(lines)
    return found


def judge(root: Path, mutant: Mutant, plan: Sequence[tuple[TestFile, list[str]]]) -> int:
    """Run the tests of `plan` on `mutant` until one fails."""
    sys.meta_path.insert(0, _Swap(root, mutant))
    for file, names in plan:
        code = pytest.main(
            [*_where(root), "-x", file.path], plugins=[_Settings(), _Choose(file, names)]
        )
        if code in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED):
            return KILLED
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            return BROKEN
    return SURVIVED


def _where(root: Path) -> list[str]:
    """pytest's options, for tests below `root` and no file of settings."""
    return [*PYTEST, "-c", os.devnull, "--rootdir", str(root)]


class _Swap(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Gives the mutant when its module is imported."""

    def __init__(self, root: Path, mutant: Mutant) -> None:
        self._path = root / mutant.file
        self._code = mutant.apply(self._path.read_text(encoding="utf-8"))
        self._module = mutant.module

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The mutant's module, or nothing: then others look."""
        if fullname != self._module:
            return None
        return importlib.util.spec_from_file_location(fullname, self._path, loader=self)

    def get_source(self, fullname: str) -> str:
        """The text with the wrong in it."""
        return self._code

    def is_package(self, fullname: str) -> bool:
        """True for the __init__ of a package."""
        return self._path.name == "__init__.py"


class _Settings:
    """The same examples each time, none kept, and none made smaller: a failure is enough."""

    def pytest_configure(self) -> None:
        hypothesis.settings.register_profile(
            "mutate",
            hypothesis.settings(),
            database=None,
            derandomize=True,
            print_blob=False,
            phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        )
        hypothesis.settings.load_profile("mutate")


class _Measure:
    """Notes the time of each test, if it fails, and which lines it reaches."""

    def __init__(self, file: TestFile, cover: coverage.Coverage) -> None:
        self._file, self._cover = file, cover

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._cover.switch_context(item.nodeid)
        begin = time.perf_counter()
        result = yield
        self._file.seconds[item.nodeid] = time.perf_counter() - begin
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._file.failed.append(report.nodeid)
        if report.skipped:
            self._file.skipped.append(report.nodeid)


class _Choose:
    """Runs the chosen tests, in their order, each within its time."""

    def __init__(self, file: TestFile, names: Sequence[str]) -> None:
        self._file = file
        self._place = {name: place for place, name in enumerate(names)}

    def pytest_sessionstart(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, COLLECTION_TIMEOUT_S)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        # A test that is there only with the mutant is run too.
        known = self._file.seconds.keys() - self._place.keys()
        items[:] = [item for item in items if item.nodeid not in known]
        items.sort(key=lambda item: self._place.get(item.nodeid, len(self._place)))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        usual = self._file.seconds.get(item.nodeid, 1.0)
        signal.setitimer(signal.ITIMER_REAL, TEST_TIMEOUT_S + TEST_TIMEOUT_FACTOR * usual)
        result = yield
        signal.setitimer(signal.ITIMER_REAL, 0)
        return result
