"""Which coins pay: an exact match if there is one, else coins drawn at random and change.

A coin is worth its *effective value*: its amount less the fee for spending it at the rate of this
payment. A set that hits the target leaves no change, which saves fees now and later and gives
nothing away; branch and bound finds it. Otherwise a random draw: which coins go together then says
nothing about the owner's habits, and small coins get used up as well. This file knows numbers only,
no coins and no fees.

Simplified against Bitcoin Core: no knapsack, no comparison by waste (wallet/coinselection.cpp).
"""

import random
from collections.abc import Sequence
from itertools import accumulate

TRIES = 100_000  # Core's TOTAL_TRIES: a tenth of a second, then the search is given up
MAX_INPUTS = 1_400  # 271 weight units each: below the 400,000 that nodes relay


def select(
    effective: Sequence[int], target: int, least_excess: int, rng: random.Random
) -> list[int] | None:
    """Places of the coins to spend, or None if they do not suffice.

    Their effective values add up to `target` and less than `least_excess` more (no change is made),
    or to at least `least_excess` more (change is made): that much makes change worth it.
    """
    usable = sorted(
        (place for place, value in enumerate(effective) if value > 0),
        key=lambda place: -effective[place],
    )
    if sum(effective[place] for place in usable[:MAX_INPUTS]) < target:
        return None
    exact = _branch_and_bound([effective[place] for place in usable], target, least_excess)
    if exact is not None:
        return [usable[place] for place in exact]
    shuffled = list(usable)
    rng.shuffle(shuffled)
    # Largest first helps when the draw takes too many coins, or all leave too little for change.
    return (
        _until(effective, shuffled, target + least_excess)
        or _until(effective, usable, target + least_excess)
        or _until(effective, usable, target)
    )


def _until(effective: Sequence[int], order: Sequence[int], target: int) -> list[int] | None:
    """The first places in order whose values reach the target."""
    total = 0
    for count, place in enumerate(order[:MAX_INPUTS], 1):
        total += effective[place]
        if total >= target:
            return list(order[:count])
    return None


def _branch_and_bound(values: Sequence[int], target: int, least_excess: int) -> list[int] | None:
    """Places of values (largest first) that add up to target plus as little as possible.

    Walks the tree of taking or leaving each value, depth first, taking first; a branch is left when
    even all that remains cannot reach the target, or when it is no better than the best found.
    """
    after = [*accumulate(reversed(values), initial=0)][::-1]  # after[i]: all values from place i on
    best: list[int] | None = None
    best_total = target + least_excess
    taken: list[int] = []
    total = place = 0
    for _ in range(TRIES):
        if total < target <= total + after[place] and total < best_total:
            if len(taken) < MAX_INPUTS:
                taken.append(place)
                total += values[place]
                place += 1
                continue
        elif target <= total < best_total:
            best, best_total = list(taken), total
        if not taken or best_total == target:
            break
        last = taken.pop()
        total -= values[last]
        place = last + 1
        # A value equal to the one just left out would repeat the same sums.
        while place < len(values) and values[place] == values[last]:
            place += 1
    return best
