"""A last block and what it costs: the means by which the other measurements make and time blocks.

It grows one chain in memory, then hands the very same blocks to a node's chainstate on its real
store and, where its wheel is installed, to Core's engine. Its own figure: a block whose payments
wait in the mempool already, against the same block when it is new.
"""

import atexit
import ctypes
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

from chain import curve
from chain.block import Block
from chain.chainstate import Chainstate
from chain.hashes import hash160
from chain.params import REGTEST
from chain.script.check import Verifier
from chain.script.sighash import SIGHASH_ALL, witness_v0_sighash
from chain.script.templates import p2pkh, p2wpkh
from chain.store import MemoryStore
from chain.transaction import SEQUENCE_FINAL, OutPoint, Transaction, TxIn, TxOut
from node.core import Node
from node.mempool.template import block_of, grind
from node.script_workers import ScriptWorkers
from node.storage.opening import open_data

THREADS = 2
VERIFIER = ScriptWorkers(THREADS)
atexit.register(VERIFIER.close)
FEE = 200
SECRET = (1).to_bytes(32, "big")
PUBLIC_KEY = curve.public_key(SECRET)
SCRIPT = p2wpkh(hash160(PUBLIC_KEY))

# (what, ours, unit, against what, theirs)
Row = tuple[str, float, str, str, float]


def next_block(
    chainstate: Chainstate, transactions: Sequence[Transaction] = (), fees: int = 0
) -> Block:
    """A block of exactly these transactions, ready to be accepted."""
    now = chainstate.tip.header.time + 600
    block = grind(block_of(chainstate, transactions, fees, SCRIPT, now), 0, 1 << 20)
    if block is None:
        raise AssertionError("a million tries found no block on regtest")
    return block


def mine(chainstate: Chainstate, transactions: Sequence[Transaction] = (), fees: int = 0) -> Block:
    """One more block of exactly these transactions, accepted by the chain."""
    block = next_block(chainstate, transactions, fees)
    chainstate.accept_block(block, block.header.time)
    return block


def signed(coins: Sequence[tuple[OutPoint, int]], outputs: tuple[TxOut, ...]) -> Transaction:
    """A transaction that spends our coins, each a key hash, with real signatures."""
    bare = tuple(TxIn(outpoint, b"", SEQUENCE_FINAL, ()) for outpoint, _ in coins)
    unsigned = Transaction(2, bare, outputs, 0)
    inputs = []
    for index, (_, value) in enumerate(coins):
        digest = witness_v0_sighash(unsigned, index, p2pkh(hash160(PUBLIC_KEY)), value, SIGHASH_ALL)
        signature = curve.sign_ecdsa(SECRET, digest) + bytes([SIGHASH_ALL])
        inputs.append(bare[index]._replace(witness=(signature, PUBLIC_KEY)))
    return Transaction(2, tuple(inputs), outputs, 0)


def grow(spends: int) -> list[Block]:
    """A chain whose last block holds `spends` transactions of one P2WPKH input each."""
    chainstate = Chainstate(REGTEST, MemoryStore())
    blocks = [mine(chainstate) for _ in range(1 + REGTEST.coinbase_maturity_blocks)]
    coinbase = blocks[0].transactions[0]
    value = (coinbase.outputs[0].value - FEE * spends) // spends
    fan = signed(
        [(OutPoint(coinbase.txid, 0), coinbase.outputs[0].value)],
        tuple(TxOut(value, SCRIPT) for _ in range(spends)),
    )
    blocks.append(mine(chainstate, [fan]))
    payments = [
        signed([(OutPoint(fan.txid, index), value)], (TxOut(value - FEE, SCRIPT),))
        for index in range(spends)
    ]
    blocks.append(mine(chainstate, payments, FEE * spends))
    return blocks


def by_farthing(
    blocks: Sequence[Block], folder: Path, verifier: Verifier, *, waiting: bool = False
) -> float:
    """Seconds for the last block, from bytes to a synced store; `waiting`: its transactions did."""
    store = open_data(folder, REGTEST.magic)
    node = Node(REGTEST, store, rng=Random(1), verifier=verifier)
    chainstate, now = node.chainstate, blocks[-1].header.time
    for block in blocks[:-1]:
        chainstate.accept_block(block, now)
    for tx in blocks[-1].transactions[1:] if waiting else ():
        node.mempool.accept(tx, now)
    raw = blocks[-1].serialize()
    begin = time.perf_counter()
    chainstate.accept_block(Block.parse(raw), now)
    taken = time.perf_counter() - begin
    if chainstate.tip.hash != blocks[-1].hash:
        raise AssertionError("the block was not connected")
    store.close()
    return taken


def engine_at(folder: Path) -> Any:
    """Core's engine, empty, on regtest, with one thread beside the main one."""
    # lazy: the engine is a wheel for tests, not on every platform
    import pbk

    folder.mkdir()
    options = pbk.ChainstateManagerOptions(
        pbk.make_context(pbk.ChainType.REGTEST), str(folder), str(folder / "blocks")
    )
    options.set_worker_threads_num(THREADS - 1)
    return pbk.ChainstateManager(options)


def hand_to_engine(engine: Any, raw: bytes) -> None:
    """Have the engine take in a block, from bytes, at no cost of the wheel's."""
    # lazy: as above
    import pbk

    engine.process_block(_core_block(pbk, raw))


def hand_to_wheel(engine: Any, raw: bytes) -> None:
    """The same as a program does that uses the wheel."""
    # lazy: as above
    import pbk

    engine.process_block(pbk.Block(raw))


def by_core(blocks: Sequence[Block], folder: Path) -> float:
    """Seconds that Bitcoin Core's engine takes for the last block, from bytes."""
    engine = engine_at(folder)
    for block in blocks[:-1]:
        hand_to_engine(engine, block.serialize())
    raw = blocks[-1].serialize()
    begin = time.perf_counter()
    hand_to_engine(engine, raw)
    taken = time.perf_counter() - begin
    if engine.get_active_chain().height != len(blocks):
        raise AssertionError("the engine did not connect the block")
    return taken


def _core_block(pbk: ModuleType, raw: bytes) -> object:
    """The wheel copies a block byte by byte, a second for a full one; this takes no time."""
    block = pbk.Block.__new__(pbk.Block)
    buffer = (ctypes.c_ubyte * len(raw)).from_buffer_copy(raw)
    super(pbk.Block, block).__init__(buffer, len(raw))
    return block


def waiting_row(spends: int, rounds: int = 3) -> Row:
    """Microseconds an input of a block whose payments wait already, and of one that is new."""
    blocks = grow(spends)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        new = min(by_farthing(blocks, folder / f"f{n}", VERIFIER) for n in range(rounds))
        known = min(
            by_farthing(blocks, folder / f"w{n}", VERIFIER, waiting=True) for n in range(rounds)
        )
    what, scale = f"connect {spends} that wait already, an input", 1e6 / spends
    return what, known * scale, "µs", "connecting them when they are new", new * scale
