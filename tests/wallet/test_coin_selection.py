"""Which coins pay: enough, not too much without change, as good as a full search when small."""

import random
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from wallet.coin_selection import select

MAX_INPUTS = 1_400
values = st.lists(st.integers(-100, 1_000), max_size=12)


def best_without_change(effective: list[int], target: int, least_excess: int) -> int | None:
    """By trying all: the smallest sum from target to below target + least_excess."""
    usable = [value for value in effective if value > 0]
    sums = [
        sum(some)
        for count in range(1, len(usable) + 1)
        for some in combinations(usable, count)
        if target <= sum(some) < target + least_excess
    ]
    return min(sums, default=None)


@given(values, st.integers(1, 3_000), st.integers(1, 300), st.randoms(use_true_random=False))
def test_the_coins_suffice_and_an_exact_match_is_found(
    effective: list[int], target: int, least_excess: int, rng: random.Random
) -> None:
    chosen = select(effective, target, least_excess, rng)
    available = sum(value for value in effective if value > 0)
    if chosen is None:
        assert available < target
        return
    assert len(set(chosen)) == len(chosen)
    total = sum(effective[place] for place in chosen)
    assert all(effective[place] > 0 for place in chosen)
    assert total >= target
    best = best_without_change(effective, target, least_excess)
    if best is not None:
        assert total == best
    else:
        assert total >= target + least_excess


def test_no_coins_do_not_suffice() -> None:
    assert select([], 1, 1, random.Random(0)) is None
    assert select([-5, 0], 1, 1, random.Random(0)) is None
    assert select([5], 6, 1, random.Random(0)) is None


def test_among_many_equal_coins_it_does_not_search_for_ever() -> None:
    chosen = select([5_000] * 1_000, 12_345, 100, random.Random(0))
    assert chosen is not None
    assert len(chosen) == 3


def test_a_hopeless_search_is_given_up() -> None:
    """Even values never add up to an odd target: branch and bound would try 2^60 sets."""
    rng = random.Random(0)
    effective = [2 * rng.randrange(10**6, 10**7) for _ in range(60)]
    chosen = select(effective, sum(effective) // 2 | 1, 1, rng)
    assert chosen is not None


def test_the_draw_is_random_and_repeats_for_a_seed() -> None:
    effective = [1_000 + 7 * number for number in range(50)]
    draws = [select(effective, 3_001, 1, random.Random(seed)) for seed in range(20)]
    assert draws == [select(effective, 3_001, 1, random.Random(seed)) for seed in range(20)]
    assert len({tuple(draw or ()) for draw in draws}) > 10


def test_no_more_inputs_than_a_transaction_that_is_relayed_holds() -> None:
    small = [1_000] * 5_000
    assert select(small, 1_000 * MAX_INPUTS + 1, 10, random.Random(0)) is None
    # A random draw would take more than fit; the largest coins do it.
    chosen = select([*small, 10_000_000], 10_000_000, 900, random.Random(0))
    assert chosen is not None
    assert len(chosen) <= MAX_INPUTS
    most = select([1_001] * 2_000, 1_001 * MAX_INPUTS - 500, 100, random.Random(0))
    assert most is not None
    assert len(most) == MAX_INPUTS


def test_a_draw_that_takes_too_many_gives_way_to_the_largest() -> None:
    effective = [2_000] * 5_000 + [10_000_001]
    chosen = [select(effective, 3_000_001, 10, random.Random(seed)) for seed in range(3)]
    assert all(places is not None and 5_000 in places for places in chosen)
    assert [5_000] in chosen
