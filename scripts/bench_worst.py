"""Connecting the worst blocks that consensus permits, each against a normal full block.

Both are connected by a node's chainstate on its real store with its real verifier, and again by
Bitcoin Core's engine where its wheel is installed: a time means little, but how many normal blocks
a block is worth tells what a malicious miner could do. Knows the blocks by name only: worst_blocks.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from chain.block import Block
from chain.chainstate import Chainstate
from chain.params import REGTEST
from chain.script.script import count_sigops
from chain.store import MemoryStore
from chain.transaction import OutPoint, TxOut
from node.threads import ThreadedVerifier
from scripts.bench_blocks import THREADS, by_core, by_farthing, mine, next_block, signed
from scripts.worst_blocks import FULL_SIZE, SIGOPS, VALUE, WORST, Plan, normal

MAX_FUNDING_BLOCKS = 10


@dataclass(frozen=True)
class Worst:
    """What one block costs, in seconds and in normal blocks of the same weight."""

    what: str
    weight: int
    seconds: float
    times: float
    core_seconds: float | None
    core_times: float | None


def _funding(coins: Sequence[bytes]) -> Iterator[list[bytes]]:
    """The coins in order, as many together as a block may create."""
    batch: list[bytes] = []
    size = sigops = 0
    for coin in coins:
        size += 12 + len(coin)
        sigops += count_sigops(coin, False)
        if size > FULL_SIZE or sigops > SIGOPS:
            yield batch
            batch, size, sigops = [], 12 + len(coin), count_sigops(coin, False)
        batch.append(coin)
    yield batch


def blocks_of(plan: Plan) -> list[Block]:
    """A chain that holds the coins of `plan`; its last block is what the plan makes of them."""
    chainstate = Chainstate(REGTEST, MemoryStore())
    blocks = [
        mine(chainstate) for _ in range(MAX_FUNDING_BLOCKS + REGTEST.coinbase_maturity_blocks)
    ]
    points: list[OutPoint] = []
    for number, batch in enumerate(_funding(plan.coins)):
        coinbase = blocks[number].transactions[0]
        funds = OutPoint(coinbase.txid, 0), coinbase.outputs[0].value
        fan = signed([funds], tuple(TxOut(VALUE, coin) for coin in batch))
        blocks.append(mine(chainstate, [fan]))
        points += [OutPoint(fan.txid, index) for index in range(len(batch))]
    blocks.append(next_block(chainstate, plan.spend(points)))
    return blocks


def _times(plan: Plan, rounds: int) -> tuple[int, float, float | None]:
    """The weight of the plan's block, and the seconds that both take to connect it."""
    blocks, verifier = blocks_of(plan), ThreadedVerifier(THREADS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = min(by_farthing(blocks, folder / f"f{n}", verifier) for n in range(rounds))
        core = None
        if find_spec("pbk"):
            core = min(by_core(blocks, folder / f"c{n}") for n in range(rounds))
    return blocks[-1].weight, ours, core


def worst_figures(
    share: float = 1.0,
    rounds: int = 1,
    plans: dict[str, Callable[[float], Plan]] = WORST,
) -> Iterator[Worst]:
    """Each block that fills `share` of its limits, beside a normal block that fills as much."""
    weight, ours, core = _times(normal(share), 3)
    yield Worst("a normal block", weight, ours, 1.0, core, core and 1.0)
    for what, plan in plans.items():
        case_weight, seconds, core_seconds = _times(plan(share), rounds)
        core_times = core_seconds / core if core and core_seconds else None
        yield Worst(what, case_weight, seconds, seconds / ours, core_seconds, core_times)
