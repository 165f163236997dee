"""Random spends of every kind of script, ours against the engine's, by both of its doors."""

import pytest

from tests.differential.spends import run_spends


@pytest.mark.parametrize("seed", range(0, 2_000, 500))
def test_random_spends(seed: int) -> None:
    assert len(run_spends(500, seed)) > 20
