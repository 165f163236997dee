"""What a child must add for its parents, against trying every order in which they can be mined."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from wallet.package import Waiting, above, missing_fee, rate_of


def name(number: int) -> bytes:
    return bytes([number]) * 32


def family(*members: tuple[int, int, set[int]]) -> dict[bytes, Waiting]:
    """Fee, size and parents (by number) of each, eldest first."""
    return {
        name(number): Waiting(name(number), fee, size, frozenset(map(name, parents)))
        for number, (fee, size, parents) in enumerate(members)
    }


def test_one_parent_lacks_what_it_pays_too_little() -> None:
    waiting = family((100, 100, set()))
    assert missing_fee([name(0)], waiting, 5_000) == 400
    assert missing_fee([name(0)], waiting, 1_000) == 0
    assert missing_fee([name(0)], waiting, 500) == 0
    assert missing_fee([], waiting, 5_000) == 0
    assert missing_fee([name(9)], waiting, 5_000) == 0


def test_a_grandparent_that_needs_no_help_helps_nobody() -> None:
    assert missing_fee([name(1)], family((9_000, 100, set()), (100, 100, {0})), 5_000) == 400
    # But a parent that pays for its own parent has only the rest to give.
    assert missing_fee([name(1)], family((100, 100, set()), (900, 100, {0})), 5_000) == 0
    assert missing_fee([name(1)], family((100, 100, set()), (800, 100, {0})), 5_000) == 100


def test_shared_parents_are_paid_for_once() -> None:
    waiting = family((100, 100, set()), (500, 100, {0}), (500, 100, {0}))
    assert missing_fee([name(1)], waiting, 5_000) == 400
    assert missing_fee([name(1), name(2)], waiting, 5_000) == 400
    assert above([name(1)], waiting) == {name(0), name(1)}
    assert rate_of(list(waiting.values())) == 3_667


def with_elders_only(members: list[tuple[int, int, set[int]]]) -> list[tuple[int, int, set[int]]]:
    return [
        (fee, size, {parent for parent in parents if parent < number})
        for number, (fee, size, parents) in enumerate(members)
    ]


families = st.lists(
    st.tuples(st.integers(0, 1_000), st.integers(50, 200), st.sets(st.integers(0, 5), max_size=2)),
    min_size=1,
    max_size=6,
).map(with_elders_only)


@given(families, st.integers(1_000, 8_000))
def test_with_it_no_part_that_waits_pays_less(
    members: list[tuple[int, int, set[int]]], rate: int
) -> None:
    """It lies between what is missing after the best and after the worst that miners may take."""
    waiting = family(*members)
    last = name(len(members) - 1)
    added = missing_fee([last], waiting, rate)
    mine = sorted(above([last], waiting))
    closed = [
        set(some)
        for count in range(len(mine) + 1)
        for some in combinations(mine, count)
        if above(some, waiting) == set(some)
    ]
    # The miner first takes whatever set pays the rate without the child; the child pays the rest.
    lack = [
        sum(waiting[t].vsize for t in set(mine) - some) * rate / 1000
        - sum(waiting[t].fee for t in set(mine) - some)
        for some in closed
        if all_paid(some, waiting, rate)
    ]
    assert added >= max(0, min(lack)) - 1
    assert added <= max(0, *lack) + 1


def all_paid(some: set[bytes], waiting: dict[bytes, Waiting], rate: int) -> bool:
    fees, size = sum(waiting[t].fee for t in some), sum(waiting[t].vsize for t in some)
    return fees * 1_000 >= rate * size
