"""The rules under `python -O`, where every `assert` is gone: none of them may have been one."""

import re
import subprocess
import sys
from pathlib import Path

from scripts.architecture import ROOT

LEAST_CASES = 85


def run_without_asserts(*tests: str) -> str:
    """What pytest says; the tests' own asserts survive, since pytest rewrites them."""
    quiet = ["-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestConfigWarning"]
    command = [sys.executable, "-O", "-m", "pytest", *quiet, *tests]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout


def test_every_bad_case_is_refused_without_asserts() -> None:
    shown = run_without_asserts("tests/cases")
    counted = re.search(r"^(\d+) passed", shown, re.MULTILINE)
    assert counted and int(counted[1]) >= LEAST_CASES, shown


def test_a_test_can_still_fail_without_asserts(tmp_path: Path) -> None:
    wrong = tmp_path / "test_wrong.py"
    wrong.write_text("def test_wrong():\n    assert 1 == 2\n")
    assert "1 failed" in run_without_asserts(str(wrong))
