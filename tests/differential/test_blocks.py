"""Blocks with everything wrong that can be, ours against the engine's. See blocks."""

import pytest

from tests.differential.blocks import run_blocks


@pytest.mark.parametrize("seed", range(0, 200, 50))
def test_random_blocks(seed: int) -> None:
    assert sum(run_blocks(50, seed).values()) >= 50
