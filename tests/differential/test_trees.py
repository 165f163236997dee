"""Random trees of blocks, ours against the engine's, to the last coin in its database."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.differential.trees import run_tree, run_trees


@pytest.mark.parametrize("seed", range(0, 40, 10))
def test_random_trees(seed: int) -> None:
    assert run_trees(10, seed)["reorganisation"] > 0


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_trees_of_hypothesis(rng: random.Random) -> None:
    """The same, so that what differs is shrunk."""
    assert run_tree(rng)
