"""Mutation testing itself: on a small project with rules that are tested and one that is not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import mutate, mutate_report
from scripts.mutants import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
RULES = '''"""Rules."""

from collections.abc import Callable

LIMIT = 100


def check(size: int) -> None:
    if size > LIMIT:
        raise ValueError("long")
    if size < 0:
        raise ValueError("negative")


def wait(is_ready: Callable[[], bool]) -> str:
    while not is_ready():
        pass
    return "ready"
'''
TESTS = """import pytest

from chain.rules import check, wait


def test_the_limit():
    check(100)
    with pytest.raises(ValueError, match="long"):
        check(101)


def test_the_end():
    assert wait(lambda: True) == "ready"
"""
EXCUSED = """
[[equivalent]]
file = "chain/rules.py"
function = "check"
line = "if size < 0:"
becomes = "if (size <= 0):"
why = "for the sake of the example"
"""
STALE = """
[[equivalent]]
file = "chain/rules.py"
function = "check"
line = "if size > LIMIT:"
becomes = "if (size >= LIMIT):"
why = "a test notices it by now"
"""


def changes(text: str) -> list[tuple[str, str, str]]:
    return [(each.change, each.before, each.after) for each in mutants("chain/a.py", text)]


def test_a_rule_is_taken_away_in_every_way() -> None:
    assert changes("if a > 2 and not b:\n    raise Invalid(x)\n") == [
        ("connective", "a > 2 and not b", "(a > 2 or not b)"),
        ("condition removed", "a > 2 and not b", "(not b)"),
        ("condition removed", "a > 2 and not b", "(a > 2)"),
        ("comparison", "a > 2", "(a >= 2)"),
        ("one more", "2", "3"),
        ("one less", "2", "1"),
        ("not removed", "not b", "(b)"),
        ("raise removed", "raise Invalid(x)", "pass"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("LIMIT = 2 * 60 * 60", [("one more", "2 * 60 * 60", "7201")]),
        ("LIMIT = -1", [("one more", "-1", "0")]),
        ("x = a <= b < c", [("comparison", "a <= b < c", "(a < b < c)")]),
        ("x = a is None", [("comparison", "a is None", "(a is not None)")]),
        ("x = a in b", [("comparison", "a in b", "(a not in b)")]),
        ("x = f(True)", [("truth turned", "True", "False")]),
        ("check(x)", [("call removed", "check(x)", "pass")]),
        ("x += y", [("statement removed", "x += y", "pass")]),
        ("while f(): pass", [("condition turned", "f()", "(not f())")]),
        ("x = a << b", [("operator", "a << b", "(a >> b)")]),
        ("x = max(a, b)", [("function", "max", "min")]),
    ],
)
def test_each_kind_of_change(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert changes(text)[: len(expected)] == expected


@pytest.mark.parametrize(
    "text",
    [
        '"""A docstring."""',
        "def f(a: X | Y) -> Z | None: ...",
        "@dataclass(frozen=True)\nclass A:\n    b: X | Y",
        'x = f"{a + 1}"',
        "x = zip(a, b, strict=True)",
    ],
)
def test_what_decides_nothing_is_left_alone(text: str) -> None:
    assert changes(text) == []


def test_a_mutant_knows_its_place_and_its_text() -> None:
    text = 'class Ä:\n    def f(self):\n        return "ä", self.x > 7\n'
    more = mutants("chain/script/a.py", text)[1]
    assert (more.file, more.module, more.line) == ("chain/script/a.py", "chain.script.a", 3)
    assert (more.function, more.source) == ("Ä.f", 'return "ä", self.x > 7')
    assert more.apply(text) == text.replace("7", "8")
    assert more.difference == '- return "ä", self.x > 7\n+ return "ä", self.x > 8'
    (raising,) = mutants("chain/a.py", "raise A(\n    x\n)\n")
    assert raising.difference == "- raise A(\n    x\n)\n+ pass"


def test_a_mutant_knows_the_lines_of_its_statement() -> None:
    """Python may say that all of a table is run in its first line."""
    table = "TABLE = (\n    1,\n    2,\n)\n\n\n"
    text = table + "def f(\n    a=3,\n):\n    if (\n        a > 4\n    ):\n        g()\n"
    places = {each.before: each.statement for each in mutants("chain/a.py", text)}
    assert places == {
        "1": (1, 4),
        "2": (1, 4),
        "3": (7, 9),
        "a > 4": (10, 12),
        "4": (10, 12),
        "g()": (13, 13),
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one file with rules, and one of tests."""
    for name, text in {
        "chain/__init__.py": "",
        "chain/rules.py": RULES,
        "tests/__init__.py": "",
        "tests/chain/__init__.py": "",
        "tests/chain/test_rules.py": TESTS,
        "scripts/mutate_equivalents.toml": EXCUSED,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.mutate", "--root", str(project), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_untested_rule_is_named_and_a_tested_one_is_not(project: Path) -> None:
    before = files_below(project)
    done = run(project, "--json")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    survivors = {(each["line"], each["change"], each["after"]) for each in report["survivors"]}
    assert survivors == {
        (11, "one more", "1"),
        (11, "one less", "-1"),
        (12, "raise removed", "pass"),
    }
    assert report["mutants"] == len(mutants("chain/rules.py", RULES))
    assert report["killed"] + report["timed out"] + 4 == report["mutants"]
    assert report["timed out"] == 1  # the loop that no longer ends
    assert report["stale"] == []
    assert files_below(project) == before


def test_survivors_are_printed_as_they_turn_up(project: Path) -> None:
    (project / "chain/rules.py").write_text(RULES[: RULES.index("\n\ndef wait")])
    (project / "tests/chain/test_rules.py").write_text(
        TESTS[: TESTS.index("\n\ndef test_the_end")].replace(", wait", "")
        + "\n\ndef test_wrong():\n    assert check(7)\n"
        + "\n\ndef test_missing():\n    pytest.skip('not here')\n"
    )
    (project / mutate_report.EQUIVALENTS).write_text(EXCUSED + STALE)
    done = run(project, "chain/rules.py")
    assert done.returncode == 1
    shown = "chain/rules.py:12: check: raise removed: survived\n"
    assert shown + '    - raise ValueError("negative")\n    + pass\n' in done.stdout
    stale = "scripts/mutate_equivalents.toml: no survivor is like this: chain/rules.py: "
    assert stale + "if (size >= LIMIT):\n" in done.stdout
    assert "8 mutants in " in done.stdout
    assert "CPU): 4 killed, 0 timed out, 1 equivalent, 3 survived\n" in done.stdout
    left_out = "fails without a mutant, so left out: tests/chain/test_rules.py::test_wrong"
    assert left_out in done.stderr
    skipped = (
        "1 tests of tests/chain/test_rules.py are skipped here: what only they notice survives"
    )
    assert skipped in done.stderr
    assert "8/8 mutants judged" in done.stderr


def test_without_the_time_for_all_the_weightiest_come_first(project: Path) -> None:
    (project / mutate_report.EQUIVALENTS).write_text(STALE)  # not called stale: not all was seen
    done = run(project, "--budget-s", "0.001", "--jobs", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 mutants in " in done.stdout
    assert (
        ": 1 killed, 0 timed out, 0 equivalent, 0 survived; no time was left for 8\n" in done.stdout
    )


def test_a_file_that_is_not_there_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mutate.main(["--root", str(project), "chain/none.py"]) == 2
    assert capsys.readouterr().err.startswith("mutate: no such file: chain/none.py; expected")


def test_mutants_are_listed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mutate.main(["--root", str(project), "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "chain/rules.py:5: module: one more: 100 -> 101"
    assert len(lines) == len(mutants("chain/rules.py", RULES))


def git(project: Path, *arguments: str) -> None:
    identity = {
        f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    subprocess.run(["git", *arguments], cwd=project, check=True, env={**os.environ, **identity})


def test_changed_files_are_those_since_the_commit_before(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def listed(*arguments: str) -> set[str]:
        assert mutate.main(["--root", str(project), "--list", "--changed", *arguments]) == 0
        return {line.split(":")[0] for line in capsys.readouterr().out.splitlines()}

    assert listed() == {"mutate"}  # no repository at all
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "first")
    assert mutate.main(["--root", str(project), "--changed"]) == 0
    assert "no such commit here to compare with" in capsys.readouterr().out
    (project / "chain/more.py").write_text("LIMIT = 5\n")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "second")
    assert listed() == {"chain/more.py"}
    assert listed("HEAD") == set()
    (project / "chain/new.py").write_text("LIMIT = 6\n")
    (project / "chain/rules.py").write_text(RULES + "LAST = 7\n")
    assert listed("HEAD") == {"chain/new.py", "chain/rules.py"}
    assert listed() == {"chain/more.py", "chain/new.py", "chain/rules.py"}
    git(project, "update-ref", "refs/remotes/origin/main", "HEAD~1")
    assert listed() == {"chain/more.py", "chain/new.py", "chain/rules.py"}
    assert mutate.main(["--root", str(project), "--changed", "nowhere"]) == 0
    assert "no such commit here to compare with" in capsys.readouterr().out


def test_the_excuses_of_this_project_are_of_mutants_that_exist() -> None:
    """Whether they survive, only the whole run can say."""
    by_file: dict[str, list[Mutant]] = {}
    for equivalent in mutate_report.read_equivalents(ROOT):
        assert len(equivalent.why.split()) >= 4
        file = equivalent.file
        if file not in by_file:
            by_file[file] = mutants(file, (ROOT / file).read_text())
        assert any(map(equivalent.covers, by_file[file])), equivalent
