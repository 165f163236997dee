"""Connecting blocks of one kind of spend, against Bitcoin Core's engine and bare libsecp256k1.

The very same bytes go to a node on its real store, without and with the address index, and, where
its wheel is installed, to Core's engine; our main thread is helped by one process, the engine's by
one thread. A round takes all of them in turn, and a ratio is the median over the rounds: the
machine's mood is in both parts.
"""

import gc
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

from chain.block import Block
from chain.chainstate import Chainstate
from chain.params import REGTEST
from chain.script.check import Verifier
from node.core import Node
from node.daemon import tune_interpreter
from node.importer import Importer
from node.index import Index
from node.speculation import Speculation
from node.storage.buffer import BufferedStore
from node.storage.frames import FrameFile, frame
from node.storage.opening import open_data
from scripts.bench_blocks import THREADS, VERIFIER, Row, engine_at, hand_to_engine, hand_to_wheel
from scripts.bench_kinds import P2PKH, P2TR, P2WPKH, P2WSH, Kind, bare_signatures, chain_of


def by_farthing(
    blocks: Sequence[Block],
    last: int,
    folder: Path,
    *,
    with_index: bool = False,
    watch: AbstractContextManager[object] | None = None,
) -> float:
    """Seconds for the `last` blocks as `farthing node import` takes them, from a file to the disk;
    the others come before. `watch` is entered for those that count."""
    buffer = BufferedStore(open_data(folder, REGTEST.magic))

    def open_chain(verifier: Verifier) -> Chainstate:
        indexers = (Index(buffer),) if with_index else ()
        return Chainstate(
            REGTEST, buffer, verifier=verifier, indexers=indexers, scripts_in_order=False
        )

    importer = Importer(buffer, open_chain, blocks[-1].header.time, Speculation(VERIFIER))
    for part, around in (blocks[:-last], None), (blocks[-last:], watch):
        path = folder / "import.dat"
        path.write_bytes(b"".join([frame(REGTEST.magic, block.serialize()) for block in part]))
        begin = time.perf_counter()
        with closing(FrameFile(path, REGTEST.magic)) as file, around or nullcontext():
            for _ in importer.take(file):
                pass
            importer.finish()
        taken = time.perf_counter() - begin
    if importer.chainstate.tip.hash != blocks[-1].hash:
        raise AssertionError("the blocks were not connected")
    buffer.close()
    return taken


def at_tip(blocks: Sequence[Block], last: int, folder: Path) -> float:
    """Seconds for the `last` blocks, each synced before the next, as a node takes them."""
    store = open_data(folder, REGTEST.magic)
    node = Node(REGTEST, store, rng=Random(1), verifier=VERIFIER)
    chainstate, now = node.chainstate, blocks[-1].header.time
    for block in blocks[:-last]:
        chainstate.accept_block(block, now)
    raws = [block.serialize() for block in blocks[-last:]]
    begin = time.perf_counter()
    for raw in raws:
        chainstate.accept_block(Block.parse(raw), now)
    taken = time.perf_counter() - begin
    if chainstate.tip.hash != blocks[-1].hash:
        raise AssertionError("the blocks were not connected")
    store.close()
    return taken


def by_core(
    blocks: Sequence[Block],
    last: int,
    folder: Path,
    hand_over: Callable[[Any, bytes], None] = hand_to_engine,
) -> float:
    """Seconds that Bitcoin Core's engine takes for the `last` blocks, from bytes."""
    engine = engine_at(folder)
    for block in blocks[:-last]:
        hand_to_engine(engine, block.serialize())
    raws = [block.serialize() for block in blocks[-last:]]
    begin = time.perf_counter()
    for raw in raws:
        hand_over(engine, raw)
    taken = time.perf_counter() - begin
    if engine.get_active_chain().height != len(blocks):
        raise AssertionError("the engine did not connect the blocks")
    return taken


def by_libsecp(kind: Kind, count: int) -> float:
    """Seconds that the bare library takes to verify as many signatures on as many threads."""
    waiting = bare_signatures(kind, count)
    size = 64

    def verify(start: int) -> None:
        if not all(signature() for signature in waiting[start : start + size]):
            raise AssertionError("a good signature was refused")

    with ThreadPoolExecutor(THREADS) as threads:
        begin = time.perf_counter()
        list(threads.map(verify, range(0, count, size)))
        return time.perf_counter() - begin


def connect_rows(kind: Kind, spends: int, last: int, rounds: int) -> Iterator[Row]:
    """Microseconds an input as it is imported, with the address index, at the tip; and others'."""
    blocks, inputs = chain_of(kind, spends, last), spends * last
    VERIFIER.start()  # start-up is left out
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        for number in range(rounds):
            here = [
                Path(name) / f"{way}{number}" for way in ("plain", "index", "tip", "core", "wheel")
            ]
            now = {
                "plain": by_farthing(blocks, last, here[0]),
                "index": by_farthing(blocks, last, here[1], with_index=True),
                "tip": at_tip(blocks, last, here[2]),
                "bare": by_libsecp(kind, inputs * kind.signatures),
            }
            if find_spec("pbk"):
                now["core"] = by_core(blocks, last, here[3])
                now["wheel"] = by_core(blocks, last, here[4], hand_to_wheel)
            for way, time_s in now.items():
                taken.setdefault(way, []).append(time_s * 1e6 / inputs)
    what = f"connect {last} x {spends} {kind.name} spends, an input"
    yield _row(what, taken["plain"], f"libsecp256k1 alone, {THREADS} threads", taken["bare"])
    if "core" in taken:
        engine = "Bitcoin Core's engine"
        yield _row(what, taken["plain"], engine, taken["core"])
        yield _row(f"{what}, with the index", taken["index"], engine, taken["core"])
        yield _row(f"{what}, each block synced", taken["tip"], engine, taken["core"])
        wheel = "the engine as Python calls it"
        yield _row(what, taken["plain"], wheel, taken["wheel"])
        yield _row(f"{what}, with the index", taken["index"], wheel, taken["wheel"])


def _row(what: str, ours: Sequence[float], against: str, theirs: Sequence[float]) -> Row:
    """The round whose ratio is the median."""
    pairs = sorted(zip(ours, theirs, strict=True), key=lambda pair: pair[0] / pair[1])
    mine, other = pairs[len(pairs) // 2]
    return what, mine, "µs", against, other


@contextmanager
def as_in_a_node() -> Iterator[None]:
    """The interpreter set as in a node's process."""
    before, thresholds = sys.getswitchinterval(), gc.get_threshold()
    tune_interpreter()
    try:
        yield
    finally:
        sys.setswitchinterval(before)
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def all_connect_figures(quick: bool) -> Iterator[Row]:
    """Five loads: full blocks of four kinds, and many small blocks."""
    spends, last, rounds = (100, 2, 1) if quick else (5_000, 40, 3)
    with as_in_a_node():
        yield from connect_rows(P2WPKH, spends, last, rounds)
        for kind in (P2TR, P2WSH, P2PKH):
            yield from connect_rows(kind, spends, max(1, last // 4), rounds)
        yield from connect_rows(P2WPKH, 20, 10 if quick else 1_000, rounds)


def write_profile(file: Path, spends: int) -> None:
    """Where the main thread's time goes while full blocks of P2WPKH spends are imported."""
    # lazy: a tool for those who test
    from pyinstrument import Profiler

    blocks = chain_of(P2WPKH, spends, 4)
    profiler = Profiler(interval=0.0005)
    with tempfile.TemporaryDirectory() as name, as_in_a_node():
        VERIFIER.start()
        by_farthing(blocks, 4, Path(name), watch=profiler)
    file.write_text(profiler.output_html(), encoding="utf-8")
