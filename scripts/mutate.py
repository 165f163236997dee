"""Mutation testing of `chain/`: each rule is taken away in turn, and some test must notice.

    python -m scripts.mutate                     all of chain/
    python -m scripts.mutate chain/work.py       some files
    python -m scripts.mutate --changed [REF]     the files that differ from REF, as CI does

A mutant that no test notices is a survivor: write the test that kills it, or remove the code that
makes no difference. The few that cannot differ are listed, each with its proof, in
mutate_equivalents.toml. No library served: mutmut leaves module-level limits alone and takes no
operators of ours, cosmic-ray and poodle start a new test process for each of thousands of mutants.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from scripts.mutants import Mutant, mutants

try:
    from scripts.mutate_report import Report, describe, read_equivalents, where
    from scripts.mutate_run import Laboratory
except ImportError as error:
    sys.exit(
        f"mutate: {error.name} is missing; install the tests' libraries: pip install -e .[test]"
    )

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "chain"
TESTS = ("tests/chain", "tests/cases")
T = TypeVar("T")
# In a run that may not have the time for all, rules come before their details.
WEIGHTIEST = {"raise removed": 0, "call removed": 1, "condition removed": 2, "comparison": 3}
PROGRESS_S = 20.0  # how often a line is printed where nobody watches


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 1 if a mutant survived or an excuse is stale."""
    options = _parser().parse_args(arguments)
    root: Path = options.root.resolve()
    files = options.files or _python_files(root, PACKAGE)
    if options.changed is not None:
        files = _changed(root, options.changed)
        if files is None:
            print("mutate: there is no such commit here to compare with; nothing done")
            return 0
    for file in files:
        if file not in _python_files(root, PACKAGE):
            print(f"mutate: no such file: {file}; expected one like chain/work.py", file=sys.stderr)
            return 2
    found = [m for file in files for m in mutants(file, (root / file).read_text(encoding="utf-8"))]
    if options.list:
        for mutant in found:
            print(f"{where(mutant)}: {mutant.before} -> {mutant.after}")
        return 0
    if not found:
        print(f"mutate: no file of {PACKAGE}/ to change")
        return 0
    found.sort(key=lambda mutant: WEIGHTIEST.get(mutant.change, len(WEIGHTIEST)))
    report = _run(root, found, options)
    print(report.as_json() if options.json else report.as_text())
    return 1 if report.survivors or report.stale else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.mutate", description="")
    parser.description = (__doc__ or "").split("\n", maxsplit=1)[0]
    parser.add_argument("files", nargs="*", metavar="FILE", help="files of chain/; all if none")
    parser.add_argument(
        "--changed",
        nargs="?",
        const="",
        metavar="REF",
        help="only files that differ from REF (without one: origin/main, or the commit before)",
    )
    parser.add_argument("--root", type=Path, default=ROOT, metavar="FOLDER", help="of the project")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    parser.add_argument("--budget-s", type=float, metavar="S", help="end after S seconds")
    parser.add_argument("--list", action="store_true", help="print the mutants and run nothing")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


def _python_files(root: Path, folder: str, pattern: str = "*.py") -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in (root / folder).rglob(pattern))


def _changed(root: Path, ref: str) -> list[str] | None:
    """Files of the package that differ from `ref`, committed or not. None: no such commit."""
    head = _git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    for candidate in [ref] if ref else ["origin/main", "HEAD~1"]:
        base = _git(root, "rev-parse", "--verify", "--quiet", f"{candidate}^{{commit}}")
        if base and (ref or base != head):
            names = _git(root, "diff", "--name-only", "--diff-filter=d", *base, "--", PACKAGE)
            new = _git(root, "ls-files", "--others", "--exclude-standard", "--", PACKAGE)
            return sorted(name for name in {*names, *new} if name.endswith(".py"))
    return None


def _git(root: Path, *arguments: str) -> list[str]:
    """The lines that git prints; none if it fails or is not there."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    except FileNotFoundError:
        return []
    return done.stdout.split("\n")[:-1] if done.returncode == 0 else []


def _run(root: Path, found: Sequence[Mutant], options: argparse.Namespace) -> Report:
    """Judge the mutants found; unless the report is JSON, show survivors as they turn up."""
    begin = time.monotonic()
    report = Report({}, read_equivalents(root), len(found))
    laboratory = Laboratory(root, options.jobs)
    try:
        paths = [path for folder in TESTS for path in _python_files(root, folder, "test_*.py")]
        for file in _progress("files of tests measured", laboratory.measure(PACKAGE, paths), paths):
            for name in file.failed:
                print(f"mutate: fails without a mutant, so left out: {name}", file=sys.stderr)
            if file.skipped:
                count = f"{len(file.skipped)} tests of {file.path} are skipped here"
                print(f"mutate: {count}: what only they notice survives", file=sys.stderr)
        excused = set(filter(report.is_excused, found))
        with closing(laboratory.judge(found, excused)) as judged:
            for mutant, outcome in _progress("mutants judged", judged, found):
                report.outcomes[mutant] = outcome
                if report.is_survivor(mutant) and not options.json:
                    print(describe(mutant, outcome), flush=True)
                if options.budget_s and time.monotonic() - begin > options.budget_s:
                    break
    finally:
        laboratory.close()
    report.seconds = time.monotonic() - begin
    times = os.times()
    report.cpu_seconds = times.children_user + times.children_system
    return report


def _progress(what: str, items: Iterable[T], expected: Sequence[object]) -> Iterator[T]:
    """Pass `items` on; say on stderr how many of those expected there were, and the time left."""
    begin = printed = time.monotonic()
    is_watched = sys.stderr.isatty()
    for done, item in enumerate(items, 1):
        yield item
        now, total = time.monotonic(), len(expected)
        if is_watched or now - printed >= PROGRESS_S or done == total:
            rate = done / max(now - begin, 0.001)
            text = f"{done}/{total} {what}, {rate:.1f} a second, {(total - done) / rate:.0f} s left"
            end = "\n" if done == total or not is_watched else ""
            print(f"\r{text:<79}" if is_watched else text, end=end, file=sys.stderr, flush=True)
            printed = now


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
