"""Twenty-five seeds of the whole scenario, and that a seed means one history only."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.scenario import run_seed
from tests.untraced import untraced

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("seed", range(25))
def test_everyone_ends_on_one_tip_with_equal_coins_and_no_payment_lost(seed: int) -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seed", str(seed)]
    ran = subprocess.run(command, cwd=ROOT, env=untraced(), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("Outcome(")


def test_a_seed_gives_the_same_history_under_any_hash_seed() -> None:
    program = "from tests.simulation.scenario import run_seed; print(run_seed(3, 8).trace)"
    traces = set()
    for hash_seed in "0", "1", "4242":
        ran = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**untraced(), "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        traces.add(ran.stdout)
    assert len(traces) == 1
    assert run_seed(3, 8).trace != run_seed(4, 8).trace
