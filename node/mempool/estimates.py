"""Fee estimates: the feerate to pay for being mined within so many blocks; there is always one.

Two things can keep a payment waiting, and the dearer decides. What waits already: one must beat the
best chunk that the blocks until then cannot hold. What is still to come: one must pay what one of
the last so many blocks would have taken; a block that had room took anything. Both fall as there is
more time, and nothing is below what this mempool takes in. Knows the chain, whose blocks it reads
once each; not who asks. Beside it: Bitcoin Core, `src/policy/fees/block_policy_estimator.h`, which
learns from weeks of confirmations instead, and on a quiet network has nothing to say.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate

from chain.block import Block
from chain.chainstate import Chainstate
from chain.tx_rules import MAX_BLOCK_WEIGHT
from node.mempool.feerate import FeeFrac
from node.mempool.mempool import Mempool

TARGETS = (*range(1, 26), 144, 504, 1008)
"""Esplora's, in blocks."""
MAX_TARGET = TARGETS[-1]
ROOM = MAX_BLOCK_WEIGHT - 8_000
"""Weight that a block offers; the rest is for the coinbase, and for who has just beaten another.
Core's DEFAULT_BLOCK_RESERVED_WEIGHT."""
FULL = MAX_BLOCK_WEIGHT * 95 // 100
"""A block that has this weight is full, whatever a miner put into the rest."""
RECENT = 6
"""Blocks looked back at: a full one takes a third of a second to read, once."""


class Estimates:
    """One node's. Feerates are satoshis for 1,000 virtual bytes."""

    def __init__(self, chainstate: Chainstate, mempool: Mempool) -> None:
        self._chainstate = chainstate
        self._mempool = mempool
        self._price = lru_cache(2 * RECENT)(self._read_price)

    def feerates(self, targets: Iterable[int], now: int) -> dict[int, int]:
        """For each target, in blocks, the feerate at `now` (Unix seconds)."""
        mempool = self._mempool
        chunks = mempool.chunks() if mempool.total_vsize * 4 > ROOM else []  # sorting takes time
        feerates = [chunk.feerate for chunk in chunks]
        return estimate(feerates, self._recent(), mempool.min_feerate(now), targets)

    def _recent(self) -> list[int]:
        """The prices of the last blocks, the newest first."""
        active = self._chainstate.active
        heights = range(active.height, max(0, active.height - RECENT), -1)
        return [self._price(active[height].hash) for height in heights]

    def _read_price(self, block_hash: bytes) -> int:
        raw = self._chainstate.read_block_bytes(block_hash) or b""
        undo = self._chainstate.read_undo(block_hash)
        if len(raw) * 4 < FULL or undo is None:
            return 0
        feerates = []
        for tx, coins in zip(Block.parse(raw).transactions[1:], undo, strict=True):
            fee = sum(coin.output.value for coin in coins) - sum(out.value for out in tx.outputs)
            feerates.append(FeeFrac(fee, tx.weight))
        return price_at(falling(feerates), FULL)


def estimate(
    chunks: Sequence[FeeFrac], prices: Sequence[int], floor: int, targets: Iterable[int]
) -> dict[int, int]:
    """For each target the feerate, from what waits, best first, and the last blocks, newest first.

    Sizes in weight units; prices and the result in satoshis per kvB. Targets from 1.
    """
    ends = list(accumulate(chunk.size for chunk in chunks))
    estimates = {}
    for target in targets:
        place = bisect_right(ends, target * ROOM)
        waiting = just_above(chunks[place]) if place < len(chunks) else 0
        estimates[target] = max(waiting, min(prices[:target], default=0), floor)
    return estimates


def just_above(feerate: FeeFrac) -> int:
    """The least whole feerate, satoshis per kvB, that is higher."""
    return feerate.fee * 4_000 // feerate.size + 1


def price_at(feerates: Iterable[FeeFrac], weight: int) -> int:
    """What one had to pay where a block reaches this weight; 0 if it does not."""
    filled = 0
    for each in feerates:
        filled += each.size
        if filled >= weight:
            return just_above(each)
    return 0


def falling(feerates: Iterable[FeeFrac]) -> list[FeeFrac]:
    """A block's transactions in order as chunks of falling feerate: children pay for parents."""
    chunks: list[FeeFrac] = []
    for each in feerates:
        while chunks and each.beats(chunks[-1]):
            each += chunks.pop()
        chunks.append(each)
    return chunks
