"""How the cost of a block grows with the coin set, and what a reorganisation costs.

Coins that nobody owns are written straight below the chain; those that are spent lie on the disk
and in no cache, for the store is opened anew before they are. What LevelDB still has to merge after
so many writes at once is waited for: a node has got its coins over years.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from random import Random

from chain.block import Block
from chain.chainstate import Chainstate
from chain.coins import Coin
from chain.params import REGTEST
from chain.script.templates import p2wpkh
from chain.store import coin_rows
from chain.transaction import OutPoint, TxOut
from node.storage.buffer import BufferedStore
from node.storage.opening import open_data
from scripts.bench_blocks import VERIFIER, Row
from scripts.bench_kinds import P2WPKH, blocks_of, chain_of, funded, move

FEW_COINS = 10_000
BATCH = 50_000
MEASURED_BLOCKS = 4
"""One would be too few: LevelDB's merges come now and then."""
LOOK_EVERY_S = 0.1
QUIET_LOOKS = 3
SHOW_MEMORY = """
import os, subprocess, sys
from pathlib import Path
from random import Random
from chain.params import REGTEST
from node.core import Node
from node.index import Index
from node.storage.buffer import BufferedStore
from node.storage.opening import open_data
store = open_data(Path(sys.argv[1]), REGTEST.magic)
node = Node(REGTEST, store, rng=Random(1), indexers=[Index(store)])
for _ in node.chainstate.coins:
    pass
status = Path("/proc/self/status")
told = status.read_text().split() if status.exists() else []  # Linux alone tells them apart
all_of_it = subprocess.check_output(["ps", "-o", "rss=", "-p", str(os.getpid())], text=True)
print(all_of_it, told[told.index("RssAnon:") + 1] if "RssAnon:" in told else all_of_it)
"""


def add_coins(folder: Path, count: int) -> None:
    """Write so many coins of nobody's, in batches."""
    store, rng = open_data(folder, REGTEST.magic), Random(2)
    for start in range(0, count, BATCH):
        points = (OutPoint(rng.randbytes(32), 0) for _ in range(min(BATCH, count - start)))
        coins = {point: Coin(TxOut(1_000, p2wpkh(rng.randbytes(20))), 1, False) for point in points}
        store.write(coin_rows(coins))
    store.close()


def settle(folder: Path) -> None:
    """Wait until the store has nothing to do any more in its own thread."""
    store, quiet, used = open_data(folder, REGTEST.magic), 0, time.process_time()
    while quiet < QUIET_LOOKS:
        time.sleep(LOOK_EVERY_S)
        before, used = used, time.process_time()
        quiet = quiet + 1 if used - before < LOOK_EVERY_S / 10 else 0
    store.close()


def connect(blocks: Sequence[Block], folder: Path) -> float:
    """Seconds for these blocks in a store just opened, with one sync at the end."""
    store = BufferedStore(open_data(folder, REGTEST.magic), limit_bytes=1 << 30)
    chainstate = Chainstate(REGTEST, store, verifier=VERIFIER)
    raws, now = [block.serialize() for block in blocks], blocks[-1].header.time
    begin = time.perf_counter()
    for raw in raws:
        chainstate.accept_block(Block.parse(raw), now)
    store.flush()
    taken = time.perf_counter() - begin
    if chainstate.tip.hash != blocks[-1].hash:
        raise AssertionError("the blocks were not connected")
    store.close()
    return taken


def memory_of(folder: Path) -> tuple[float, float]:
    """Megabytes of a process that has opened the node's data and looked at every coin once.

    All that it holds; and without the database's files that it maps, of which the system keeps
    pages as long as nobody needs the room.
    """
    command = [sys.executable, "-c", SHOW_MEMORY, str(folder)]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    everything, own = (int(kib) * 1024 / 1e6 for kib in shown.split())
    return everything, own


def coin_figures(many: int, spends: int, rounds: int) -> Iterator[Row]:
    """The same blocks, and a process's memory, with `many` coins and with FEW_COINS."""
    blocks = chain_of(P2WPKH, spends, MEASURED_BLOCKS)
    times: dict[int, list[float]] = {FEW_COINS: [], many: []}
    memory: dict[int, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        for count in times:
            folder = Path(name) / str(count)
            connect(blocks[:-MEASURED_BLOCKS], folder)
            add_coins(folder, count)
            settle(folder)
            memory[count] = memory_of(folder)
        for _, (count, taken) in product(range(rounds), times.items()):
            copy = shutil.copytree(Path(name) / str(count), Path(name) / "copy")
            taken.append(connect(blocks[-MEASURED_BLOCKS:], copy))
            shutil.rmtree(copy)
    scale = 1e6 / (spends * MEASURED_BLOCKS)
    what = f"an input, its coin among {many:,}"
    yield (
        what,
        min(times[many]) * scale,
        "µs",
        f"among {FEW_COINS:,}",
        min(times[FEW_COINS]) * scale,
    )
    what = f"memory of a node with {many:,} coins"
    with_few = f"with {FEW_COINS:,}"
    for which, name in enumerate((what, f"{what}, less mapped files")):
        yield name, memory[many][which], "MB", with_few, memory[FEW_COINS][which]


def two_branches(length: int, spends: int) -> tuple[list[Block], list[Block], list[Block]]:
    """What both share, a branch of `length` blocks, and one that is a block longer."""
    chainstate, coins = funded(P2WPKH, spends)
    shared = blocks_of(chainstate)
    branches = []
    for count in (length, length + 1):
        here = coins
        for _ in range(count):
            here = move(chainstate, P2WPKH, here)
        branches.append(blocks_of(chainstate, len(shared) + 1))
        chainstate.invalidate(branches[-1][0].hash)
        coins.reverse()  # so that the next branch begins with another block
    return shared, branches[0], branches[1]


def reorganisation_row(length: int, spends: int, rounds: int) -> Row:
    """From a branch to a longer one, once its last block is there, against connecting that one."""
    shared, ours, theirs = two_branches(length, spends)
    turned, straight = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            connect([*shared, *ours], Path(name) / "one")
            store = open_data(Path(name) / "one", REGTEST.magic)
            chainstate = Chainstate(REGTEST, store, verifier=VERIFIER)
            for block in theirs[:-1]:
                chainstate.accept_block(block, theirs[-1].header.time)
            store.close()
            turned.append(connect(theirs[-1:], Path(name) / "one"))
            connect(shared, Path(name) / "two")
            straight.append(connect(theirs, Path(name) / "two"))
    what = f"a reorganisation of {length} blocks of {spends} spends"
    return what, min(turned), "s", "connecting them once", min(straight)
