"""The worst blocks, a fiftieth of their size: valid in Core's eyes too, and within their bounds."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from scripts.bench_worst import CASES, Worst
from tests.untraced import untraced

SHARE = 1 / 50  # in which what grows with the square costs least: the full size is the bench's
ROOT = Path(__file__).resolve().parents[2]
# What is timed must not be traced: that makes Python slower, and hashing not.
PROGRAM = """
import dataclasses, json, sys
from scripts.bench_worst import CASES, worst_figures
share, rounds, *names = json.loads(sys.argv[1])
cases = [case for case in CASES if case.what in names]
print(json.dumps([dataclasses.asdict(each) for each in worst_figures(share, rounds, cases)]))
"""


def measured(names: Iterable[str], rounds: int = 1) -> list[Worst]:
    """An exception here is a block that we or Core's engine refused."""
    command = [sys.executable, "-c", PROGRAM, json.dumps([SHARE, rounds, *names])]
    ran = subprocess.run(command, cwd=ROOT, env=untraced(), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return [Worst(**each) for each in json.loads(ran.stdout)]


@pytest.fixture(scope="module")
def figures() -> list[Worst]:
    return measured(case.what for case in CASES)


def test_each_block_costs_a_bounded_number_of_normal_blocks(figures: list[Worst]) -> None:
    assert [figure.what for figure in figures] == ["a normal block", *(case[0] for case in CASES)]
    slow = {figure.what for figure in figures if figure.times > figure.bound}
    # Once more and thrice each, with a yardstick of the same minute: the machine may be busy.
    again = measured(slow, 3)
    assert {figure.what: figure.times for figure in again if figure.times > figure.bound} == {}


def test_a_normal_block_is_the_measure(figures: list[Worst]) -> None:
    normal = figures[0]
    assert (normal.times, normal.core_times) in [(1, 1), (1, None)]
    assert 0.9 * 4_000_000 * SHARE < normal.weight <= 4_000_000 * SHARE
    for figure in figures[1:]:
        assert figure.times == pytest.approx(figure.seconds / normal.seconds)
        assert figure.weight <= 3 * 4_000_000 * SHARE
    # Nothing is measured that is too small to matter: most blocks are as full as the normal one.
    assert sum(figure.weight > 0.7 * normal.weight for figure in figures) > 0.8 * len(figures)
