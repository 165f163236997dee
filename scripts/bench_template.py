"""The next template after a block, against the same template's JSON by Python's own encoder.

It fills a node's pool with unsigned payments, a fifth of which spend another, takes a block of them
away as if it had been mined, and times what a miner then waits for: taking it away, and the next.
"""

import json
import random
import time

from chain.chainstate import Chainstate
from chain.params import REGTEST
from chain.script.templates import p2wpkh
from chain.store import MemoryStore
from chain.transaction import SEQUENCE_FINAL, OutPoint, Transaction, TxIn, TxOut
from node.entry import MempoolEntry
from node.mempool.pool import Pool
from node.mempool.template import block_of, choose_next
from scripts.bench_blocks import Row

WITNESS = (bytes(71), bytes(33))
OUTPUTS = (TxOut(1_000, p2wpkh(bytes(20))),) * 2
SHARE_OF_CHILDREN = 0.2


def fill(pool: Pool, count: int, rng: random.Random) -> None:
    """Let in so many payments of two outputs each."""
    tx: Transaction | None = None
    for number in range(count):
        coin = OutPoint(number.to_bytes(32, "big"), 0)
        if tx is not None and rng.random() < SHARE_OF_CHILDREN:
            coin = OutPoint(tx.txid, 0)
        tx = Transaction(2, (TxIn(coin, b"", SEQUENCE_FINAL, WITNESS),), OUTPUTS, 0)
        pool.add(MempoolEntry(tx, rng.randrange(200, 20_000), tx.weight, 1, 0, 0))


def template_figure(waiting: int, rounds: int) -> Row:
    """How long the next template takes with so many waiting: the best of some rounds."""
    pool, chainstate = Pool(), Chainstate(REGTEST, MemoryStore())
    fill(pool, waiting, random.Random(1))
    taken = []
    for _ in range(rounds):
        mined = choose_next(chainstate, pool.chunks())
        begin = time.perf_counter()
        pool.remove(mined)
        chosen = choose_next(chainstate, pool.chunks())
        block_of(chainstate, [entry.tx for entry in chosen], 0, b"\x51", 0)
        taken.append(time.perf_counter() - begin)
        for entry in mined:
            pool.add(entry)
    lines = [{"data": e.tx.serialize().hex(), "txid": e.txid.hex(), "fee": e.fee} for e in chosen]
    encoded = []
    for _ in range(rounds):
        begin = time.perf_counter()
        json.dumps(lines)
        encoded.append(time.perf_counter() - begin)
    what = f"the next template after a block, {waiting:,} waiting"
    return what, min(taken), "s", "json.dumps of what it holds", min(encoded)
