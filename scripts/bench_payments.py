"""What paying costs: 5,000 payments with each way of choosing coins, side by side.

    python -m scripts.bench_payments [PAYMENTS [SEED]]

A wallet is paid and pays. Amounts are spread as on public chains, log-normal: many small, few a
hundred times as large; the fee rate wanders by a factor of ten to both sides of a calm day's. Every
way meets the same receipts, payments and rates, and makes change by the same rule. What counts is
the fees paid and what spending the coins that are left will cost on a calm day.

Simplified: coins of one kind, one recipient a payment, everything confirms before the next.
"""

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import NamedTuple

from wallet.builder import (
    BASE_WEIGHT,
    CALM_RATE_PER_KVB,
    change_room,
    dust_threshold,
    fee_of,
    is_dear,
)
from wallet.coin_selection import Candidate, Goal, select

PAYMENTS, SEED = 5_000, 2026
SCRIPT = b"\x00\x14" + bytes(20)
INPUT_WEIGHT, OUTPUT_WEIGHT = 271, 4 * 31  # pay to witness public key hash
MEDIAN_SATOSHIS, SPREAD = 500_000, 1.6  # of an amount; e-folds
RECEIPTS_PER_PAYMENT = 0.8
HEADROOM = 20_000_000  # receipts go on until the wallet holds this much and the payment
PERSISTENCE, STEP = 0.98, 0.2  # of the logarithm of the fee rate, from payment to payment
Way = Callable[[Sequence[Candidate], Goal, Random, bool], list[int] | None]


class Event(NamedTuple):
    """One receipt (rate 0) or one payment, at a rate in satoshis a 1,000 virtual bytes."""

    value: int
    rate: int = 0


@dataclass
class Purse:
    """A wallet of bare numbers, and what its way of choosing has cost so far."""

    way: Way
    coins: list[int] = field(default_factory=list)
    fees: int = 0
    inputs: int = 0
    changeless: int = 0

    @property
    def later(self) -> int:
        """What spending all that is left will cost on a calm day."""
        return len(self.coins) * fee_of(INPUT_WEIGHT, CALM_RATE_PER_KVB)

    @property
    def together(self) -> int:
        """What counts."""
        return self.fees + self.later

    def pay(self, value: int, rate: int, rng: Random) -> None:
        """Choose, spend, take the change."""
        input_fee, change_fee = fee_of(INPUT_WEIGHT, rate), fee_of(OUTPUT_WEIGHT, rate)
        calm = fee_of(INPUT_WEIGHT, CALM_RATE_PER_KVB)
        goal = Goal(
            value + fee_of(BASE_WEIGHT + 8 + OUTPUT_WEIGHT, rate),
            change_fee + max(dust_threshold(SCRIPT), input_fee + 1),
            change_fee + calm,
            400_000,
            change_room(value, rng),
        )
        worth = [Candidate(coin - input_fee, input_fee - calm, INPUT_WEIGHT) for coin in self.coins]
        places = self.way(worth, goal, rng, is_dear(rate))
        assert places is not None, "HEADROOM keeps enough in each"
        excess = sum(worth[place].value for place in places) - goal.target
        spent = set(places)
        self.coins = [coin for place, coin in enumerate(self.coins) if place not in spent]
        self.inputs += len(places)
        self.fees += goal.target - value + input_fee * len(places)
        if excess >= goal.least_excess:
            self.fees += change_fee
            self.coins.append(excess - change_fee)
        else:
            self.fees += excess
            self.changeless += 1


def events(payments: int, rng: Random) -> Iterator[Event]:
    """Receipts and payments in turn; the logarithm of the rate wanders about a calm day's."""
    held, wander = 0, 0.0
    for _ in range(payments):
        wander = PERSISTENCE * wander + rng.gauss(0, STEP)
        value, more = amount(rng), rng.random() < RECEIPTS_PER_PAYMENT
        while more or held < value + HEADROOM:
            receipt = Event(amount(rng))
            held, more = held + receipt.value, False
            yield receipt
        rate = round(CALM_RATE_PER_KVB * math.exp(wander))
        held -= value + fee_of(4 * INPUT_WEIGHT, rate)  # more than most fees
        yield Event(value, rate)


def amount(rng: Random) -> int:
    """Satoshis of one receipt or payment."""
    return max(round(rng.lognormvariate(math.log(MEDIAN_SATOSHIS), SPREAD)), 1_000)


def ours(coins: Sequence[Candidate], goal: Goal, rng: Random, dear: bool) -> list[int] | None:
    """As the wallet pays."""
    return select(coins, goal, rng, is_dear=dear)


def largest_first(
    coins: Sequence[Candidate], goal: Goal, rng: Random, dear: bool
) -> list[int] | None:
    """The largest coins until they suffice."""
    return _until(coins, sorted(range(len(coins)), key=lambda place: -coins[place].value), goal)


def single_draw(
    coins: Sequence[Candidate], goal: Goal, rng: Random, dear: bool
) -> list[int] | None:
    """Coins at random until they suffice."""
    order = [place for place, coin in enumerate(coins) if coin.value > 0]
    rng.shuffle(order)
    return _until(coins, order, goal)


def _until(coins: Sequence[Candidate], order: Sequence[int], goal: Goal) -> list[int] | None:
    totals = accumulate(coins[place].value for place in order)
    counts = (count for count, total in enumerate(totals, 1) if total >= goal.target)
    count = next(counts, None)
    return None if count is None else list(order[:count])


WAYS: dict[str, Way] = {
    "Farthing": ours,
    "largest first": largest_first,
    "single random draw": single_draw,
}


def compare(payments: int, seed: int) -> dict[str, Purse]:
    """All ways through the same events."""
    purses = {name: Purse(way) for name, way in WAYS.items()}
    for purse in purses.values():
        rng = Random(seed + 1)
        for event in events(payments, Random(seed)):
            if event.rate:
                purse.pay(event.value, event.rate, rng)
            else:
                purse.coins.append(event.value)
    return purses


def main() -> None:
    """Print the table, in satoshis."""
    payments, seed = (*map(int, sys.argv[1:3]), *(PAYMENTS, SEED)[len(sys.argv) - 1 :])
    print(f"{payments:,} payments, seed {seed}; satoshis\n")
    print("| way | fees | coins left | spending them | together | no change | inputs a payment |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, purse in compare(payments, seed).items():
        print(
            f"| {name} | {purse.fees:,} | {len(purse.coins):,} | {purse.later:,} | "
            f"{purse.together:,} | {purse.changeless / payments:.1%} | "
            f"{purse.inputs / payments:.2f} |"
        )


if __name__ == "__main__":
    main()
