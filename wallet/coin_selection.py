"""Which coins pay: several ways of choosing, of which the least wasteful is taken.

A coin is worth its *effective value*: its amount less the fee for spending it at the rate of this
payment. *Waste* is what a choice costs beyond what must be paid some day anyway: for each input the
fee now less the fee on a calm day, and either the change (made now, spent later) or, where there is
none, what is given away. So many coins go together while fees are low, few while they are high.

Branch and bound finds the best set without change, which saves fees twice and gives nothing away.
A random draw says nothing about the owner's habits. The knapsack comes near to the goal from above
with few coins. The lightest set is for days when every input is dear. This file knows numbers only:
no coins, no rates, no transactions.

Simplified against Bitcoin Core: no groups of coins of one address, so that paying twice to one
address may be seen as one owner later. Beside it: wallet/coinselection.cpp.
"""

import random
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

TRIES = 100_000  # Core's TOTAL_TRIES: a tenth of a second, then the search is given up
KNAPSACK_PASSES = 1_000  # Core's
KNAPSACK_STEPS = 100_000  # coins looked at, over all passes: as long as the other search


class Candidate(NamedTuple):
    """A coin in numbers: effective value, fee now less fee on a calm day, weight of its input."""

    value: int
    waste: int
    weight: int


class Goal(NamedTuple):
    """What a choice must reach, in satoshis of effective value, and within what weight.

    With at least `least_excess` beyond `target` change is made, which costs `change_waste` (now and
    later); with less none is. `room` is how much larger than the least the change should be where
    the coins allow it.
    """

    target: int
    least_excess: int
    change_waste: int
    max_weight: int
    room: int = 0


def select(
    candidates: Sequence[Candidate], goal: Goal, rng: random.Random, *, is_dear: bool = False
) -> list[int] | None:
    """Places of the coins to spend, or None if they do not suffice.

    `is_dear`: fees are so high that the lightest set is worth searching for.
    """
    usable = [place for place, candidate in enumerate(candidates) if candidate.value > 0]
    usable.sort(key=lambda place: (-candidates[place].value, candidates[place]))
    coins = [candidates[place] for place in usable]
    largest = _until(coins, range(len(coins)), goal.target, goal.max_weight)
    if largest is None:
        return None
    choices = list(_with_change(coins, goal, rng, is_dear))
    least = min((waste(coins, choice, goal) for choice in choices), default=None)
    exact = _branch_and_bound(coins, goal, least)
    if exact is not None:
        choices = [exact]
    # Of equal waste the choice with more coins: fewer are left to be spent one day.
    best = min(choices or [largest], key=lambda some: (waste(coins, some, goal), -len(some)))
    return [usable[place] for place in best]


def waste(coins: Sequence[Candidate], places: Sequence[int], goal: Goal) -> int:
    """What spending these costs beyond what must be, in satoshis; below 0 is a gain."""
    excess = sum(coins[place].value for place in places) - goal.target
    paid = sum(coins[place].waste for place in places)
    return paid + (goal.change_waste if excess >= goal.least_excess else excess)


def _with_change(
    coins: Sequence[Candidate], goal: Goal, rng: random.Random, is_dear: bool
) -> Iterator[list[int]]:
    """What each way chooses that leaves change: with room if the coins allow it, else without."""
    everything = range(len(coins))
    shuffled = rng.sample(everything, len(coins))
    least = goal.target + goal.least_excess
    for wanted in (least + goal.room, least):
        largest = _until(coins, everything, wanted, goal.max_weight)
        if largest is None:
            continue
        drawn = [_until(coins, shuffled, wanted, goal.max_weight), _knapsack(coins, wanted, rng)]
        fit = [some for some in drawn if some and _weight(coins, some) <= goal.max_weight]
        yield from fit
        # The same coins each time, so only where it pays, or where a draw takes too many.
        if is_dear or not fit:
            yield _lightest(coins, wanted, goal.max_weight) or largest
        return


def _weight(coins: Sequence[Candidate], places: Sequence[int]) -> int:
    return sum(coins[place].weight for place in places)


def _until(
    coins: Sequence[Candidate], order: Sequence[int], wanted: int, max_weight: int
) -> list[int] | None:
    """The first places in order whose values reach what is wanted; None if they weigh too much."""
    total = weight = 0
    for count, place in enumerate(order, 1):
        total += coins[place].value
        weight += coins[place].weight
        if weight > max_weight:
            return None
        if total >= wanted:
            return list(order[:count])
    return None


def _knapsack(coins: Sequence[Candidate], wanted: int, rng: random.Random) -> list[int] | None:
    """Places that reach what is wanted with little beyond: the one smallest enough, or by chance.

    Core: KnapsackSolver, ApproximateBestSubset.
    """
    values = [coin.value for coin in coins]
    enough = sum(value >= wanted for value in values)
    best, best_total = ([enough - 1], values[enough - 1]) if enough else (None, sum(values) + 1)
    smaller = range(enough, len(values))
    if sum(values[enough:]) < wanted:
        return best
    for _ in range(min(KNAPSACK_PASSES, KNAPSACK_STEPS // len(smaller) + 1)):
        taken, total = _pass(values, smaller, wanted, rng)
        if total < best_total:
            best, best_total = taken, total
        if best_total == wanted:
            break
    return best


def _pass(
    values: Sequence[int], places: Sequence[int], wanted: int, rng: random.Random
) -> tuple[list[int], int]:
    """Each place by the toss of a coin, then those left out; the smallest sum that is enough.

    A value that makes it enough is put back, for a smaller one may come nearer.
    """
    tosses = rng.getrandbits(len(places))
    order = [place for bit, place in enumerate(places) if tosses >> bit & 1]
    order += [place for bit, place in enumerate(places) if not tosses >> bit & 1]
    best, best_total = list(places), sum(values[place] for place in places)
    taken: list[int] = []
    total = 0
    for place in order:
        if total + values[place] < wanted:
            taken.append(place)
            total += values[place]
        elif total + values[place] < best_total:
            best, best_total = [*taken, place], total + values[place]
    return best, best_total


def _branch_and_bound(
    coins: Sequence[Candidate], goal: Goal, at_most: int | None
) -> list[int] | None:
    """The least wasteful places without change; None if they waste more than `at_most`."""
    limit = goal.target + goal.least_excess
    return _search(coins, goal.target, limit, goal.max_weight, at_most)


def _lightest(coins: Sequence[Candidate], wanted: int, max_weight: int) -> list[int] | None:
    """The places that reach what is wanted with the least weight. Core: CoinGrinder."""
    weighed = [coin._replace(waste=coin.weight) for coin in coins]
    return _search(weighed, wanted, None, max_weight, None)


def _search(
    coins: Sequence[Candidate], wanted: int, limit: int | None, max_weight: int, at_most: int | None
) -> list[int] | None:
    """The cheapest places whose values reach what is wanted and stay below the limit.

    A place costs its waste, and where there is a limit all beyond what is wanted is lost too. Walks
    the tree of taking or leaving each value, the largest first, taking first; a branch is left
    when all that remains cannot reach what is wanted, or none of it can be cheaper than the best.
    """
    tree = _Tree(coins, wanted, limit)
    best: list[int] | None = None
    best_cost = None if at_most is None else at_most + 1
    taken: list[int] = []
    total = cost = weight = place = 0
    for _ in range(TRIES):
        place = tree.next_that_fits(place, total)
        least = tree.least_cost(place, total)
        if least is not None and (best_cost is None or cost + least < best_cost):
            coin = coins[place]
            if weight + coin.weight <= max_weight:
                taken.append(place)
                total, cost, weight = total + coin.value, cost + coin.waste, weight + coin.weight
                here = cost + (0 if limit is None else total - wanted)
                if total >= wanted and (best_cost is None or here < best_cost):
                    best, best_cost = list(taken), here
            place += 1
            continue
        if not taken:
            break
        left = coins[taken[-1]]
        total, cost, weight = total - left.value, cost - left.waste, weight - left.weight
        place = taken.pop() + 1
        # A coin equal to the one just left out would repeat the same sums.
        while place < len(coins) and coins[place] == left:
            place += 1
    return best


class _Tree:
    """What can be said of all that remains from a place on, without walking it."""

    def __init__(self, coins: Sequence[Candidate], wanted: int, limit: int | None) -> None:
        self._wanted, self._limit = wanted, limit
        self._values = [coin.value for coin in coins]
        self._rising = [-value for value in self._values]
        self._after = [*accumulate(reversed(self._values), initial=0)][::-1]
        wastes = [coin.waste for coin in reversed(coins)]
        self._cheapest = [*accumulate(wastes, min)][::-1]

    def next_that_fits(self, place: int, total: int) -> int:
        """The first place from this one on whose value stays below the limit."""
        if self._limit is None:
            return place
        return bisect_right(self._rising, total - self._limit, lo=place)

    def least_cost(self, place: int, total: int) -> int | None:
        """No way of taking at least one more from here costs less; None if there is no such way."""
        missing = self._wanted - total
        if place >= len(self._values) or self._after[place] < missing:
            return None
        cheapest = self._cheapest[place]
        if cheapest < 0:  # every further one is a gain
            count = len(self._values) - place
        else:
            count = max(-(-missing // self._values[place]), 1)
        return count * cheapest + (0 if self._limit is None else max(-missing, 0))
