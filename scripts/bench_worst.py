"""Connecting the worst blocks that consensus permits, each against a normal full block.

Both are connected by a node's chainstate on its real store with its real verifier, and again by
Bitcoin Core's engine where its wheel is installed: how many normal blocks such a block is worth
tells what a malicious miner could do to a node that keeps up easily otherwise, and what he could do
to any. Each case has a bound, which a test holds it to. What is in the blocks: worst_blocks.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from chain.block import Block
from chain.chainstate import Chainstate
from chain.params import REGTEST
from chain.script.script import count_sigops
from chain.store import MemoryStore
from chain.transaction import OutPoint, TxOut
from scripts import worst_blocks as worst
from scripts.bench_blocks import VERIFIER, by_core, by_farthing, mine, next_block, signed
from scripts.worst_blocks import FULL_SIZE, SIGOPS, VALUE, Plan
from scripts.worst_tapscripts import TAPSCRIPTS

FUNDING_BLOCKS = 5  # at most, in front of the last one
BOUND, TAPSCRIPT_BOUND, HASHING_BOUND = 10, 30, 40  # normal blocks


class Case(NamedTuple):
    """A way to make a block dear, and how many normal blocks it may cost at most."""

    what: str
    plan: Callable[[float], Plan]
    bound: int = BOUND


CASES = [
    Case("20,000 signatures: P2SH, one against 15 keys", worst.p2sh_multisig),
    Case("80,000 signatures: P2WSH, one against 20 keys", worst.p2wsh_multisig),
    Case("80,000 signatures: tapscript", worst.tapscript_signatures, TAPSCRIPT_BOUND),
    Case("a megabyte hashed 6,700 times: P2PKH", worst.many_inputs),
    Case("20,000 times: CODESEPARATOR", worst.code_separators, HASHING_BOUND),
    Case("20,000 times: ANYONECANPAY", worst.code_separators_anyone, HASHING_BOUND),
    Case("20,000 times: signatures in the script", worst.signatures_in_script, HASHING_BOUND),
    Case("20,000 times: all hash types", worst.hash_types, HASHING_BOUND),
    Case("20,000 signatures deleted from 10 kB", worst.find_and_delete),
    Case("witness: an annex of 3.9 MB", worst.one_annex),
    Case("witness: 3,900,000 empty items", worst.empty_items),
    Case("witness: 7,600 items of 520 bytes", worst.dropped_elements),
    *(Case(f"tapscript: {name}", plan, TAPSCRIPT_BOUND) for name, plan in TAPSCRIPTS.items()),
    Case("24,000 coins spent", worst.many_coins),
    Case("19,000 taproot leaves shown", worst.many_leaves),
    Case("110,000 coins created", worst.many_outputs),
    Case("16,000 transactions", worst.many_transactions),
    Case("an output of a million instructions", worst.output_opcodes),
]


@dataclass(frozen=True)
class Worst:
    """What one block costs, in seconds and in normal blocks; Core's too, if it is here."""

    what: str
    bound: int
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
        own_size, own_sigops = 12 + len(coin), count_sigops(coin, False)
        size, sigops = size + own_size, sigops + own_sigops
        if size > FULL_SIZE or sigops > SIGOPS:
            yield batch
            batch, size, sigops = [], own_size, own_sigops
        batch.append(coin)
    yield batch


def blocks_of(plan: Plan) -> list[Block]:
    """A chain that holds the coins of `plan`; its last block is what the plan makes of them."""
    chainstate = Chainstate(REGTEST, MemoryStore())
    ripe = REGTEST.coinbase_maturity_blocks + FUNDING_BLOCKS
    blocks = [mine(chainstate) for _ in range(ripe)]
    points: list[OutPoint] = []
    for number, batch in enumerate(_funding(plan.coins)):
        coinbase = blocks[number].transactions[0]
        funds = OutPoint(coinbase.txid, 0), coinbase.outputs[0].value
        fan = signed([funds], tuple(TxOut(VALUE, coin) for coin in batch))
        blocks.append(mine(chainstate, [fan]))
        points += [OutPoint(fan.txid, index) for index in range(len(batch))]
    blocks.append(next_block(chainstate, plan.spend(points)))
    return blocks


def _connect(plan: Plan, rounds: int) -> tuple[int, float, float | None]:
    """The weight of the plan's block, and the seconds that both take to connect it."""
    blocks = blocks_of(plan)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = min(by_farthing(blocks, folder / f"f{n}", VERIFIER) for n in range(rounds))
        core = None
        if find_spec("pbk"):
            core = min(by_core(blocks, folder / f"c{n}") for n in range(rounds))
    return blocks[-1].weight, ours, core


def worst_figures(share: float, rounds: int = 1, cases: Sequence[Case] = CASES) -> Iterator[Worst]:
    """Each block, filled to `share` of its limits, after a normal block that is as full."""
    weight, ours, core = _connect(worst.normal(share), rounds + 1)
    yield Worst("a normal block", 1, weight, ours, 1, core, core and 1)
    for what, plan, bound in cases:
        weight, seconds, core_seconds = _connect(plan(share), rounds)
        core_times = core_seconds / core if core and core_seconds else None
        yield Worst(what, bound, weight, seconds, seconds / ours, core_seconds, core_times)
