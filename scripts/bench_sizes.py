"""The figures over the sizes: how each grows with the block, the coins, the chain, the mempool.

Every point is a ratio inside one run; a chart of them is drawn by bench_chart. What is measured,
and against what, stands in the files that measure it.
"""

from collections.abc import Iterator
from typing import NamedTuple, TypedDict

from scripts.bench_blocks import Row
from scripts.bench_coins import FEW_COINS, coin_figures
from scripts.bench_connect import as_in_a_node, connect_rows
from scripts.bench_kinds import P2WPKH
from scripts.bench_mempool import FEW, mempool_figures
from scripts.bench_node import SHORT_CHAIN, start_row

ENGINE = "Bitcoin Core's engine"


class Point(TypedDict):
    """One size: what it took, and the comparator in the same run."""

    size: int
    value: float
    comparator: float


class Series(TypedDict):
    """One figure over the sizes. `aim`: the ratio that it is meant to stay below."""

    title: str
    sizes: str
    unit: str
    against: str
    aim: float
    points: list[Point]


class Sizes(NamedTuple):
    """How large."""

    blocks: tuple[tuple[int, int], ...]
    """(spends in a block, how many such blocks)."""
    coins: tuple[int, ...]
    spends: int
    chain: tuple[int, ...]
    waiting: tuple[int, ...]
    payments: int
    rounds: int


FULL = Sizes(
    blocks=((20, 200), (100, 100), (1_000, 20), (5_000, 8)),
    coins=(100_000, 1_000_000),
    spends=5_000,
    chain=(1_000, 10_000),
    waiting=(10_000, 100_000),
    payments=2_000,
    rounds=5,
)
SMALL = Sizes(((10, 4), (40, 2)), (20_000,), 50, (150,), (2_000,), 100, 1)


def block_sizes(sizes: Sizes) -> Series:
    """Microseconds an input, by the size of the block."""
    points = []
    with as_in_a_node():
        for spends, blocks in sizes.blocks:
            rows = list(connect_rows(P2WPKH, spends, blocks, sizes.rounds))
            best = next((row for row in rows if row[3] == ENGINE), rows[0])
            against = best[3]
            points.append(_point(spends, best))
    return Series(
        title="Connecting an input, by the size of its block",
        sizes="spends in the block",
        unit="µs",
        against=against,
        aim=1.0,
        points=points,
    )


def coin_sizes(sizes: Sizes) -> Series:
    """Microseconds an input, by the size of the coin set."""
    rows = [next(coin_figures(many, sizes.spends, sizes.rounds)) for many in sizes.coins]
    return Series(
        title="Connecting an input, by the size of the coin set",
        sizes="coins in the set",
        unit="µs",
        against=f"the same among {FEW_COINS:,}",
        aim=1.3,
        points=_grown(FEW_COINS, sizes.coins, rows),
    )


def chain_sizes(sizes: Sizes, port: int) -> Series:
    """Seconds until a node is ready, by the length of its chain."""
    rows = [start_row(length, sizes.rounds, port) for length in sizes.chain]
    return Series(
        title="Start of a node",
        sizes="blocks in the chain",
        unit="s",
        against=f"the same with {SHORT_CHAIN:,}",
        aim=1.5,
        points=_grown(SHORT_CHAIN, sizes.chain, rows),
    )


def mempool_sizes(sizes: Sizes) -> Series:
    """Microseconds a payment, by how many wait."""
    points: list[Point] = []
    for waiting in sizes.waiting:
        few, many, _ = mempool_figures(waiting, sizes.payments, sizes.rounds)
        if not points:
            points.append(_point(FEW, few))
        points.append(Point(size=waiting, value=many[1], comparator=few[4]))
    return Series(
        title="Letting a payment wait",
        sizes="payments waiting",
        unit="µs",
        against="libsecp256k1, one signature",
        aim=3.0,
        points=points,
    )


def _point(size: int, row: Row) -> Point:
    return Point(size=size, value=row[1], comparator=row[4])


def _grown(smallest: int, sizes: tuple[int, ...], rows: list[Row]) -> list[Point]:
    """The smallest size is what the others are compared to: it is one by definition."""
    first = Point(size=smallest, value=rows[-1][4], comparator=rows[-1][4])
    return [first, *(_point(size, row) for size, row in zip(sizes, rows, strict=True))]


def all_series(sizes: Sizes, port: int) -> Iterator[Series]:
    """The four; some ten minutes in full."""
    yield block_sizes(sizes)
    yield coin_sizes(sizes)
    yield chain_sizes(sizes, port)
    yield mempool_sizes(sizes)
