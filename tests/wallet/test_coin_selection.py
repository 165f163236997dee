"""Which coins pay: enough of them, no more than fit, and as cheaply as an exact solver where small.

The solver tries every set of coins. On dear days ours must be as good as it; on cheap ones the best
is to spend everything there is, which ours does not do: it links all coins to each other.
"""

import random
from itertools import combinations

from hypothesis import assume, given
from hypothesis import strategies as st

from wallet.coin_selection import Candidate, Goal, select

HEAVIEST = 400_000
INPUT_WEIGHT = 272
Coins = list[Candidate]


def coins_of(
    effective: list[int], price: int = 0, weights: list[int] | None = None
) -> list[Candidate]:
    """Candidates that waste `price` satoshis for every 100 weight units."""
    weights = weights or [INPUT_WEIGHT] * len(effective)
    return [
        Candidate(value, price * weight // 100, weight)
        for value, weight in zip(effective, weights, strict=True)
    ]


def goal_of(target: int, least_excess: int = 1, **more: int) -> Goal:
    whole = {"change_waste": least_excess, "max_weight": HEAVIEST, "room": 0} | more
    return Goal(target, least_excess, **whole)


def cost(coins: Coins, places: list[int], goal: Goal) -> int:
    """What a choice wastes, in other words than the code's."""
    excess = sum(coins[place].value for place in places) - goal.target
    given = excess if excess < goal.least_excess else goal.change_waste
    return given + sum(coins[place].waste for place in places)


def all_choices(coins: Coins, goal: Goal) -> list[list[int]]:
    """Every set of coins of some worth that is enough and not too heavy."""
    usable = [place for place, coin in enumerate(coins) if coin.value > 0]
    return [
        list(some)
        for count in range(1, len(usable) + 1)
        for some in combinations(usable, count)
        if sum(coins[place].value for place in some) >= goal.target
        and sum(coins[place].weight for place in some) <= goal.max_weight
    ]


some_coins = st.lists(
    st.tuples(st.integers(-100, 1_000), st.sampled_from([230, 272, 364, 592])), max_size=10
)
targets = st.integers(1, 3_000)
excesses = st.integers(1, 300)
prices = st.integers(-60, 60)
randoms = st.randoms(use_true_random=False)


@given(some_coins, prices, targets, excesses, st.integers(0, 500), randoms, st.booleans())
def test_the_choice_is_enough_and_no_set_without_change_is_cheaper(
    shapes: list[tuple[int, int]],
    price: int,
    target: int,
    least_excess: int,
    room: int,
    rng: random.Random,
    dear: bool,
) -> None:
    coins = coins_of([v for v, _ in shapes], price, [w for _, w in shapes])
    goal = goal_of(target, least_excess, room=room)
    choices = all_choices(coins, goal)
    chosen = select(coins, goal, rng, is_dear=dear)
    if chosen is None:
        assert not choices
        return
    assert sorted(chosen) in choices
    total = sum(coins[place].value for place in chosen)
    changeless = [
        cost(coins, some, goal)
        for some in choices
        if sum(coins[place].value for place in some) < target + least_excess
    ]
    if changeless:
        assert cost(coins, chosen, goal) <= min(changeless)
    else:
        assert total >= target + least_excess
    if total >= target + least_excess + room:
        return
    # Less change than wished for only without any, or if all coins together leave no more.
    everything = sum(coin.value for coin in coins if coin.value > 0)
    assert changeless or everything < target + least_excess + room


@given(some_coins, st.integers(1, 60), targets, excesses, st.integers(0, 300), randoms)
def test_on_dear_days_it_is_as_cheap_as_the_exact_solver(
    shapes: list[tuple[int, int]],
    price: int,
    target: int,
    least_excess: int,
    change_waste: int,
    rng: random.Random,
) -> None:
    coins = coins_of([v for v, _ in shapes], price, [w for _, w in shapes])
    goal = goal_of(target, least_excess, change_waste=change_waste)
    choices = all_choices(coins, goal)
    assume(choices)
    chosen = select(coins, goal, rng, is_dear=True)
    assert chosen is not None
    best = min(cost(coins, some, goal) for some in choices)
    # Weights stand for waste where the lightest set is searched: each is rounded by itself.
    assert best <= cost(coins, chosen, goal) <= best + len(coins)


def test_on_ordinary_days_it_is_near_the_exact_solver() -> None:
    """Of 80 wallets of ten coins, in satoshis of what change costs: 1 would be one change."""
    rng, lost = random.Random(7), 0.0
    for _ in range(80):
        coins = coins_of([round(rng.lognormvariate(12, 1.6)) for _ in range(10)], rng.randint(0, 5))
        total = sum(coin.value for coin in coins)
        goal = goal_of(rng.randint(total // 20, total // 2), 1_000)
        chosen = select(coins, goal, rng)
        assert chosen is not None
        best = min(cost(coins, some, goal) for some in all_choices(coins, goal))
        assert cost(coins, chosen, goal) >= best
        lost += (cost(coins, chosen, goal) - best) / goal.change_waste
    assert lost / 80 < 0.02


def test_on_cheap_days_more_coins_go_together() -> None:
    rng = random.Random(1)
    effective = [rng.randint(10_000, 20_000) for _ in range(40)]
    counts = {
        price: len(select(coins_of(effective, price), goal_of(50_000), random.Random(2)) or ())
        for price in (-50, 50)
    }
    assert counts[-50] > counts[50]


def test_no_coins_do_not_suffice() -> None:
    rng = random.Random(0)
    assert select([], goal_of(1), rng) is None
    assert select(coins_of([-5, 0]), goal_of(1), rng) is None
    assert select(coins_of([5]), goal_of(6), rng) is None
    assert select(coins_of([5]), goal_of(5), rng) == [0]


def test_among_many_equal_coins_it_does_not_search_for_ever() -> None:
    chosen = select(coins_of([5_000] * 1_000), goal_of(12_345, 100), random.Random(0))
    assert chosen is not None
    assert len(chosen) == 3


def test_a_hopeless_search_is_given_up() -> None:
    """Even values never add up to an odd target: branch and bound would try 2^60 sets."""
    rng = random.Random(0)
    effective = [2 * rng.randrange(10**6, 10**7) for _ in range(60)]
    goal = goal_of(sum(effective) // 2 | 1, 1, change_waste=1_000)
    for dear in (False, True):
        assert select(coins_of(effective, 1), goal, rng, is_dear=dear) is not None


def test_the_draw_is_random_and_repeats_for_a_seed() -> None:
    coins = coins_of([1_000 + 7 * number for number in range(50)])
    draws = [select(coins, goal_of(3_001), random.Random(seed)) for seed in range(20)]
    assert draws == [select(coins, goal_of(3_001), random.Random(seed)) for seed in range(20)]
    assert len({tuple(draw or ()) for draw in draws}) > 10


def test_no_more_inputs_than_a_transaction_that_is_relayed_holds() -> None:
    most = HEAVIEST // INPUT_WEIGHT
    small, rng = [1_000] * 3_000, random.Random(0)
    assert select(coins_of(small), goal_of(1_000 * most + 1, 10), rng) is None
    # A random draw would take more than fit; the largest coins do it.
    chosen = select(coins_of([*small, 10_000_000]), goal_of(10_000_000, 900), rng)
    assert chosen is not None
    assert len(chosen) <= most
    filled = select(coins_of([1_001] * 2_000), goal_of(1_001 * most - 500, 100), rng)
    assert filled is not None
    assert len(filled) == most


def test_a_draw_that_takes_too_many_gives_way_to_the_lightest() -> None:
    coins = coins_of([2_000] * 2_000 + [10_000_001])
    chosen = [select(coins, goal_of(3_000_001, 10), random.Random(seed)) for seed in range(3)]
    assert all(places is not None and 2_000 in places for places in chosen)
    assert [2_000] in chosen
