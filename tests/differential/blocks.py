"""Cases of blocks: a good one, or one with one or two things wrong, and what comes after it.

All cases start from the same trunk, and return to it by `invalidateblock`, so that each can be
replayed by its seed alone.
"""

import random
from collections import Counter

from chain.block import Block
from chain.errors import DecodeError
from chain.headers import HeaderEntry
from tests.builders import make_tx
from tests.core_engine import CoreEngine
from tests.differential.context_edges import COINS, CONTEXT, LARGE
from tests.differential.drafts import REGTEST_BITS, Draft, trunk
from tests.differential.edges import BODY, HEADER, Edge
from tests.differential.pair import Difference, Pair

CASES_PER_ENGINE = 250
CLOCK_STEP_S = 3_600


class BlockCases:
    """Cases one after the other, and how often each verdict came (each block comes twice)."""

    def __init__(self, engine: CoreEngine, threads: int = 1) -> None:
        self.pair = Pair(engine, trunk(), threads)
        self.verdicts: Counter[str] = Counter()

    def run(self, rng: random.Random) -> None:
        """One case. Raises Difference."""
        chain, fork = self.pair.chain, self.pair.chain.tip
        draft = Draft(chain, self._parent(rng), rng)
        draft.fill()
        for edge in self._edges(rng):
            edge(draft)
        raw = draft.raw()
        if rng.randrange(8) == 0:
            self._deliver_mutated(raw, rng)
        if rng.randrange(8) == 0:
            self.pair.deliver_header(draft.block().header)
        self._deliver(raw)
        if rng.randrange(4) == 0:
            self._deliver_child(raw)
        self._deliver(raw)
        if rng.randrange(50) == 0:  # what was too new may be welcome now
            self.pair.set_clock(chain.now + CLOCK_STEP_S)
            self._deliver(raw)
            self.pair.set_clock(chain.now - CLOCK_STEP_S)
        while chain.tip is not fork:
            self.pair.invalidate(chain.chainstate.active[fork.height + 1].hash)

    def _deliver(self, raw: bytes) -> None:
        self.verdicts[self.pair.deliver(raw) or "valid"] += 1

    def _edges(self, rng: random.Random) -> list[Edge]:
        count = rng.choice((0, 1, 1, 1, 1, 1, 1, 2, 2))
        found: list[Edge] = []
        for _ in range(count):
            groups = (HEADER, BODY, CONTEXT, CONTEXT, COINS, COINS)
            found.append(rng.choice(LARGE if rng.randrange(25) == 0 else rng.choice(groups)))
        return found

    def _parent(self, rng: random.Random) -> HeaderEntry:
        """The tip, or now and then a block after it, good, bad, or known by its header only."""
        kind = rng.randrange(20)
        if kind > 2:
            return self.pair.chain.tip
        draft = Draft(self.pair.chain, self.pair.chain.tip, rng)
        draft.fill()
        draft.excess = kind % 2
        block = draft.block()
        if kind == 2:
            self.pair.deliver_header(block.header)
        else:
            self._deliver(block.serialize())
        return HeaderEntry(block.header, self.pair.chain.tip)

    def _deliver_mutated(self, raw: bytes, rng: random.Random) -> None:
        """Another body under the header first: the true one must be judged all the same."""
        try:
            block = Block.parse(raw)
        except DecodeError:
            return
        txs = [*block.transactions, make_tx([], [])]
        self._deliver(Block(block.header, rng.choice((txs, txs[:-2]))).serialize())

    def _deliver_child(self, raw: bytes) -> None:
        try:
            header = Block.parse(raw).header
        except DecodeError:
            return
        entry = self.pair.chain.chainstate.headers.get(header.hash)
        if entry is None:
            entry = HeaderEntry(header, self.pair.chain.tip)
        time = min(header.time + 1, 0xFFFFFFFF)
        block = self.pair.chain.block(parent=entry, bits=REGTEST_BITS, time=time)
        self._deliver(block.serialize())


def run_blocks(count: int, seed: int, threads: int = 1) -> Counter[str]:
    """So many cases, from so many seeds on; `threads` check scripts. Raises Difference."""
    verdicts: Counter[str] = Counter()
    for start in range(seed, seed + count, CASES_PER_ENGINE):
        with CoreEngine(threads - 1) as engine:
            cases = BlockCases(engine, threads)
            for number in range(start, min(start + CASES_PER_ENGINE, seed + count)):
                try:
                    cases.run(random.Random(number))
                except Difference as difference:
                    raise Difference(f"block, seed {number}: {difference}") from None
        verdicts += cases.verdicts
    return verdicts
