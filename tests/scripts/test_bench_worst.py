"""The worst blocks, a fiftieth of their size: valid in Core's eyes too, and within their bounds."""

import pytest

from scripts.bench_worst import CASES, Worst, worst_figures

SHARE = 1 / 50  # in which what grows with the square costs least: the full size is the bench's


@pytest.fixture(scope="module")
def figures() -> list[Worst]:
    """An exception here is a block that we or Core's engine refused."""
    return list(worst_figures(SHARE))


def test_each_block_costs_a_bounded_number_of_normal_blocks(figures: list[Worst]) -> None:
    assert [figure.what for figure in figures] == ["a normal block", *(case[0] for case in CASES)]
    slow = {figure.what for figure in figures if figure.times > figure.bound}
    # Once more and thrice each, with a yardstick of the same minute: the machine may be busy.
    again = worst_figures(SHARE, 3, [case for case in CASES if case.what in slow])
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
