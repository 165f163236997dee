"""Letting a payment wait: against one bare verification of its signature, in small and full pools.

The signature is most of it, as it should be. What else waits must not matter: the same payments are
let into a mempool of a thousand and into one of tens of thousands. Nothing here waits for anything,
so it is processor time that is counted.
"""

import random
import time
import tracemalloc
from collections.abc import Iterator, Sequence

from chain import curve
from chain.chainstate import Chainstate
from chain.params import REGTEST
from chain.store import MemoryStore
from chain.transaction import OutPoint, Transaction, TxOut
from node.mempool.mempool import Mempool
from node.mempool.policy import PolicyOptions
from scripts.bench_blocks import FEE, PUBLIC_KEY, SCRIPT, SECRET, Row, mine, signed
from scripts.bench_template import fill

FEW = 1_000
FOREVER = 1 << 40  # nothing leaves here


def payments(chainstate: Chainstate, count: int) -> list[bytes]:
    """So many payments of one P2WPKH input each, serialized; their coins are in the chain."""
    blocks = [mine(chainstate) for _ in range(1 + REGTEST.coinbase_maturity_blocks)]
    coinbase = blocks[0].transactions[0]
    value = (coinbase.outputs[0].value - FEE * count) // count
    coin = (OutPoint(coinbase.txid, 0), coinbase.outputs[0].value)
    fan = signed([coin], tuple(TxOut(value, SCRIPT) for _ in range(count)))
    mine(chainstate, [fan])
    outputs = (TxOut(value - FEE, SCRIPT),)
    coins = ((OutPoint(fan.txid, number), value) for number in range(count))
    return [signed([coin], outputs).serialize() for coin in coins]


def by_farthing(chainstate: Chainstate, waiting: int, raw: Sequence[bytes]) -> float:
    """Seconds a payment, parsed beforehand, to get in where so many wait already."""
    mempool = Mempool(chainstate, PolicyOptions(max_mempool_bytes=FOREVER, expiry_s=FOREVER))
    fill(mempool, waiting, random.Random(1))
    txs = [Transaction.parse(each) for each in raw]
    now = chainstate.tip.header.time + 600
    begin = time.process_time()
    for tx in txs:
        mempool.accept(tx, now)
    return (time.process_time() - begin) / len(txs)


def by_libsecp(count: int) -> float:
    """Seconds that the bare library takes for one signature."""
    digest = bytes(range(32))
    signature = curve.sign_ecdsa(SECRET, digest)
    begin = time.process_time()
    for _ in range(count):
        curve.verify_ecdsa(PUBLIC_KEY, signature, digest)
    return (time.process_time() - begin) / count


def memory(chainstate: Chainstate, raw: Sequence[bytes]) -> float:
    """Bytes of memory for a waiting payment, the transaction included."""
    mempool = Mempool(chainstate)
    tracemalloc.start()
    try:
        for each in raw:
            mempool.accept(Transaction.parse(each), chainstate.tip.header.time + 600)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return used / len(raw)


def mempool_figures(waiting: int, count: int, rounds: int) -> Iterator[Row]:
    """Acceptance with few waiting and with `waiting`, and memory; of `count` payments each."""
    chainstate = Chainstate(REGTEST, MemoryStore())
    raw = payments(chainstate, count)
    few, bare, many = [], [], []
    for _ in range(rounds):  # in turn: the machine's mood is in all three
        few.append(by_farthing(chainstate, FEW, raw) * 1e6)
        bare.append(by_libsecp(count) * 1e6)
        many.append(by_farthing(chainstate, waiting, raw) * 1e6)
    one = "libsecp256k1, one signature"
    yield f"accept a payment, {FEW:,} waiting", min(few), "µs", one, min(bare)
    what, against = f"accept a payment, {waiting:,} waiting", f"the same, {FEW:,} waiting"
    yield what, min(many), "µs", against, min(few)
    size = sum(map(len, raw)) / len(raw)
    yield "memory of a waiting payment", memory(chainstate, raw), "bytes", "its bytes", size
