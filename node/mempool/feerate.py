"""Feerates as exact ratios, and feerate diagrams: what a set of transactions is worth to a miner.

A diagram starts at (0, 0) and goes up by the fee and right by the size of one chunk after another,
the best first; behind the last it runs flat. One mempool is better than another if its diagram is
nowhere below and somewhere above: whatever room a block has left, it earns at least as much.

The unit of sizes is the caller's, one for all: Core's mempool takes weight, or what signature
operations count for if that is more. Nothing here knows transactions. Beside it: Bitcoin Core,
`src/util/feefrac.h` (FeeFrac, CompareChunks).
"""

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple

RATE_SHIFT = 64
"""Sizes stay below 2**32, so that two different ratios of them are more than 2**-64 apart."""


class FeeFrac(NamedTuple):
    """A fee and a size. Sums and comparisons are exact; `==` compares both, not the ratio."""

    fee: int
    """Satoshis; below zero if the operator made it so (`prioritisetransaction`)."""
    size: int
    """More than zero, but for the empty sum."""

    def __add__(self, other: "FeeFrac") -> "FeeFrac":  # type: ignore[override]  # not a tuple's
        """Both together."""
        return FeeFrac(self.fee + other.fee, self.size + other.size)

    def beats(self, other: "FeeFrac") -> bool:
        """Whether the feerate is strictly higher."""
        return self.fee * other.size > other.fee * self.size

    @property
    def rank(self) -> tuple[int, int]:
        """A sort key: highest feerate first, of equal ones the smallest first, as Core has it."""
        return -(self.fee << RATE_SHIFT) // self.size, self.size


EMPTY = FeeFrac(0, 0)
FLAT = FeeFrac(0, 1 << 62)
"""Where a diagram goes behind its last chunk: longer than any other."""


class Comparison(Enum):
    """How one diagram lies to another."""

    BETTER = "nowhere below, somewhere above"
    WORSE = "nowhere above, somewhere below"
    EQUAL = "the same line"
    INCOMPARABLE = "here above, there below"


def compare_diagrams(ours: Iterable[FeeFrac], theirs: Iterable[FeeFrac]) -> Comparison:
    """How the diagram of the chunks `ours` lies to that of `theirs`.

    Each holds chunks of any number of clusters in any order. Both lines bend only at chunk ends, so
    the ends decide.
    """
    a, b = sorted(ours, key=lambda chunk: chunk.rank), sorted(theirs, key=lambda chunk: chunk.rank)
    heights = [*_heights(a, b), *(-height for height in _heights(b, a))]
    above, below = any(height > 0 for height in heights), any(height < 0 for height in heights)
    if above:
        return Comparison.INCOMPARABLE if below else Comparison.BETTER
    return Comparison.WORSE if below else Comparison.EQUAL


def improves_strictly(new: Iterable[FeeFrac], old: Iterable[FeeFrac]) -> bool:
    """Whether a replacement may happen: `new`, the chunks after it, are better than `old`."""
    return compare_diagrams(new, old) is Comparison.BETTER


def _heights(line: list[FeeFrac], base: list[FeeFrac]) -> Iterator[int]:
    """For each chunk end of `line`: above `base` (> 0), on it (0) or below it (< 0)."""
    end = start = EMPTY  # of the chunk in `line`; of the chunk of `base` that lies under that end
    rest = iter(base)
    under = next(rest, FLAT)
    for chunk in line:
        end += chunk
        while start.size + under.size < end.size:
            start, under = start + under, next(rest, FLAT)
        yield (end.fee - start.fee) * under.size - under.fee * (end.size - start.size)
