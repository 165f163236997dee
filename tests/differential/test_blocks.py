"""Random blocks with everything wrong that can be, ours against the engine's."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core_engine import CoreEngine
from tests.differential.blocks import BlockCases, run_blocks


@pytest.mark.parametrize("seed", range(0, 200, 50))
def test_random_blocks(seed: int) -> None:
    assert run_blocks(50, seed).total() > 100


def test_random_blocks_on_several_threads() -> None:
    assert run_blocks(50, 10_000, threads=2)


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_blocks_of_hypothesis(rng: random.Random) -> None:
    """The same, so that what differs is shrunk."""
    with CoreEngine() as engine:
        cases = BlockCases(engine)
        cases.run(rng)
        assert cases.verdicts
