"""Feerates and their diagrams: exact order, and the laws of a comparison."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from node.mempool.feerate import Comparison, FeeFrac, compare_diagrams, improves_strictly

FEERATES = st.builds(FeeFrac, st.integers(-20, 60), st.integers(1, 12))
WIDE = st.builds(FeeFrac, st.integers(-21 * 10**14, 21 * 10**14), st.integers(1, 2**32 - 1))
DIAGRAMS = st.lists(FEERATES, max_size=6)
OPPOSITE = {
    Comparison.BETTER: Comparison.WORSE,
    Comparison.WORSE: Comparison.BETTER,
    Comparison.EQUAL: Comparison.EQUAL,
    Comparison.INCOMPARABLE: Comparison.INCOMPARABLE,
}


def ratio(feerate: FeeFrac) -> Fraction:
    return Fraction(feerate.fee, feerate.size)


def height(chunks: list[FeeFrac], size: int) -> Fraction:
    """The fee that a diagram reaches at `size`, by walking it a unit of size at a time."""
    units = [ratio(chunk) for chunk in chunks for _ in range(chunk.size)]
    return sum(sorted(units, reverse=True)[:size], Fraction(0))


def compared(ours: list[FeeFrac], theirs: list[FeeFrac]) -> Comparison:
    """The comparison by its definition, at every whole size up to behind both ends."""
    end = max(sum(chunk.size for chunk in chunks) for chunks in (ours, theirs)) + 1
    gaps = [height(ours, size) - height(theirs, size) for size in range(end + 1)]
    if all(gap == 0 for gap in gaps):
        return Comparison.EQUAL
    if all(gap >= 0 for gap in gaps):
        return Comparison.BETTER
    return Comparison.WORSE if all(gap <= 0 for gap in gaps) else Comparison.INCOMPARABLE


def test_a_sum_of_feerates_adds_fees_and_sizes() -> None:
    assert FeeFrac(1000, 250) + FeeFrac(-10, 50) == FeeFrac(990, 300)


@given(WIDE, WIDE)
def test_feerates_compare_as_their_ratios(a: FeeFrac, b: FeeFrac) -> None:
    assert a.beats(b) == (ratio(a) > ratio(b))
    assert (a.rank < b.rank) == ((-ratio(a), a.size) < (-ratio(b), b.size))


def test_the_closest_two_feerates_are_told_apart() -> None:
    a, b = FeeFrac(2**32 - 2, 2**32 - 1), FeeFrac(2**32 - 3, 2**32 - 2)
    assert a.beats(b) and a.rank < b.rank


def test_rank_lists_the_examples_of_core_in_its_order() -> None:
    worst_first = [(0, 1), (1, 2), (2, 3), (2, 2), (1, 1), (3, 2), (2, 1)]
    best_first = sorted((FeeFrac(*pair) for pair in worst_first), key=lambda one: one.rank)
    assert [tuple(one) for one in best_first] == worst_first[::-1]


@settings(max_examples=60, deadline=None)
@given(DIAGRAMS, DIAGRAMS)
def test_a_comparison_says_what_every_size_says(ours: list[FeeFrac], theirs: list[FeeFrac]) -> None:
    # A chunk that costs a miner money bends the line down, and behind it the line is flat.
    assert compare_diagrams(ours, theirs) is compared(ours, theirs)


@given(DIAGRAMS, DIAGRAMS)
def test_the_comparison_the_other_way_is_the_opposite(
    ours: list[FeeFrac], theirs: list[FeeFrac]
) -> None:
    there, back = compare_diagrams(ours, theirs), compare_diagrams(theirs, ours)
    assert back is OPPOSITE[there]
    assert improves_strictly(ours, theirs) == (there is Comparison.BETTER)


@given(DIAGRAMS, DIAGRAMS, DIAGRAMS)
def test_better_than_the_better_is_better(
    a: list[FeeFrac], b: list[FeeFrac], c: list[FeeFrac]
) -> None:
    if improves_strictly(a, b) and improves_strictly(b, c):
        assert improves_strictly(a, c)


@given(DIAGRAMS)
def test_a_line_depends_neither_on_the_order_nor_on_cuts_within_a_feerate(
    chunks: list[FeeFrac],
) -> None:
    doubled = [FeeFrac(2 * chunk.fee, 2 * chunk.size) for chunk in chunks]
    assert compare_diagrams(doubled, chunks[::-1] + chunks) is Comparison.EQUAL


def test_examples_of_each_outcome() -> None:
    old = [FeeFrac(1000, 100), FeeFrac(500, 100)]
    assert compare_diagrams([FeeFrac(1500, 200)], old) is Comparison.WORSE
    assert compare_diagrams([FeeFrac(2000, 100), FeeFrac(0, 100)], old) is Comparison.BETTER
    assert compare_diagrams([FeeFrac(1400, 100)], old) is Comparison.INCOMPARABLE
    assert compare_diagrams([FeeFrac(1500, 100)], old) is Comparison.BETTER
    assert compare_diagrams([], []) is Comparison.EQUAL
    assert compare_diagrams([FeeFrac(1, 10**6)], []) is Comparison.BETTER
    assert compare_diagrams([FeeFrac(0, 10**6)], []) is Comparison.EQUAL
