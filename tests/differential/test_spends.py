"""Random spends of every kind of script, ours against the engine's, by both of its doors."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.differential.spends import Generator, compare, run_spends


@pytest.mark.parametrize("seed", range(0, 2_000, 500))
def test_random_spends(seed: int) -> None:
    assert len(run_spends(500, seed)) > 20


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_spends_of_hypothesis(rng: random.Random) -> None:
    """The same, so that what differs is shrunk."""
    assert compare(Generator(rng).spend(), "spend")
