"""Blocks in and out by the thousand: any order, any damage, and Bitcoin Core's own files."""

import random
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import ClassVar

import pytest

from chain.chainstate import Chainstate
from chain.coins import coins_hash
from chain.headers import HeaderEntry
from chain.params import REGTEST
from chain.script.check import SerialQueue, Verifier
from chain.store import MemoryStore, Rows
from node.config import NodeConfig
from node.errors import StorageError
from node.events import NetAddress
from node.importer import Importer, export, open_source, opened, own_sources
from node.index import Index
from node.script_workers import ScriptWorkers
from node.speculation import Speculation
from node.storage.buffer import BufferedStore
from node.storage.frames import frame
from tests.builders import ChainBuilder, key, make_block, p2wpkh, with_inputs
from tests.core_engine import CoreEngine

MAGIC = REGTEST.magic
NOW = REGTEST.genesis.header.time + 10 * 365 * 24 * 3600


@pytest.fixture(scope="module")
def chain() -> ChainBuilder:
    """103 blocks, a payment in the last two."""
    chain = ChainBuilder()
    for _ in range(101):
        chain.mine()
    for _ in range(2):
        chain.mine(txs=[chain.pay(chain.mature()[0], p2wpkh(key(1)))])
    return chain


def blocks_of(chain: ChainBuilder) -> list[bytes]:
    raws = [chain.chainstate.read_block_bytes(entry.hash) for entry in chain.chainstate.active]
    return [raw for raw in raws if raw is not None]


def config(folder: Path) -> NodeConfig:
    return NodeConfig(REGTEST, folder, NetAddress("127.0.0.1", 0), par=1)


def take(importer: Importer, folder: Path, *files: bytes) -> list[str]:
    """Import files of these bytes; what was wrong with them."""
    with ExitStack() as stack:  # they stay open: blocks wait in them
        for number, data in enumerate(files):
            path = folder / f"in{number}.dat"
            path.write_bytes(data)
            file = stack.enter_context(closing(open_source(path, REGTEST)))
            steps = [*importer.take(file)]
            assert steps == sorted(steps)
        importer.finish()
    return importer.tally.troubles


def framed(raws: Sequence[bytes]) -> bytes:
    return b"".join(frame(MAGIC, raw) for raw in raws)


def new_importer(
    verifier: Verifier | None = None, limit_bytes: int = 1 << 30, store: MemoryStore | None = None
) -> Importer:
    """One that runs scripts block by block, or with a verifier, whenever `limit_bytes` come."""
    buffer = BufferedStore(store or MemoryStore(), limit_bytes)
    speculation = Speculation(verifier or SerialQueue, is_on=verifier is not None)
    return Importer(
        buffer, lambda scripts: Chainstate(REGTEST, buffer, verifier=scripts), NOW, speculation
    )


def state(importer: Importer) -> tuple[bytes, bytes]:
    return importer.chainstate.tip.hash, coins_hash(importer.chainstate.coins)


def whole(chain: ChainBuilder) -> tuple[bytes, bytes]:
    return chain.tip.hash, coins_hash(chain.chainstate.coins)


def test_any_order_is_joined_and_what_is_there_is_passed_over(
    chain: ChainBuilder, tmp_path: Path
) -> None:
    raws = blocks_of(chain)
    for seed in range(3):
        shuffled = random.Random(seed).sample(raws, len(raws))
        importer = new_importer()
        halves = framed(shuffled[:40]), framed(shuffled[40:])
        assert take(importer, tmp_path, *halves) == []
        assert state(importer) == whole(chain)
        assert (importer.tally.new, importer.tally.known) == (103, 1)
        assert take(importer, tmp_path, *halves) == []
        assert (importer.tally.new, importer.tally.known) == (103, 105)


def test_what_is_no_good_is_named_and_the_rest_taken(chain: ChainBuilder, tmp_path: Path) -> None:
    raws = blocks_of(chain)
    torn = new_importer()
    [trouble] = take(torn, tmp_path, framed(raws)[:-1])
    assert "ends in the middle of a block" in trouble
    assert torn.chainstate.tip.height == 102

    at, flipped = len(framed(raws[:50])) + 8, bytearray(framed(raws))
    flipped[at + 150] ^= 1
    importer = new_importer()
    troubles = take(importer, tmp_path, bytes(flipped))
    assert f"the block at byte {at} (" in troubles[0]
    assert "53 blocks can't be joined to the chain" in troubles[1]
    assert importer.chainstate.tip.height == 49
    assert take(importer, tmp_path, framed(raws[50:]))[2:] == []
    assert state(importer) == whole(chain)


def test_a_block_that_breaks_a_rule_is_named(tmp_path: Path) -> None:
    chain = ChainBuilder()
    for _ in range(101):
        chain.mine()
    bad = chain.block(value=50 * 100_000_000 + 1)
    importer = new_importer()
    troubles = take(importer, tmp_path, framed([*blocks_of(chain), bad.serialize()]))
    assert [word in troubles[0] for word in (bad.hash[::-1].hex(), "bad-cb-amount")] == [True] * 2
    assert importer.chainstate.tip.height == 101


@pytest.fixture(scope="module")
def with_bad_scripts() -> list[bytes]:
    """A chain, and branches beside it whose scripts fail at once, later, or never.

    Each branch has more work than what came before it, so that all are tried.
    """
    chain = ChainBuilder()
    chain.mine(110)
    raws = blocks_of(chain)
    for number, bad in enumerate((True, True, False, True, False)):
        fork, coins = chain.tip, chain.mature()
        txs = [chain.pay(coin, p2wpkh(key(1))) for coin in coins[number * 2 : number * 2 + 2]]
        if bad:
            _, public_key = txs[1].inputs[0].witness
            wrong = txs[0].inputs[0].witness[0]  # a signature, but of something else
            stolen = txs[1].inputs[0]._replace(witness=(wrong, public_key))
            txs[1] = with_inputs(txs[1], [stolen])
        block = chain.block(txs, parent=fork)
        children = chain.branch(HeaderEntry(block.header, fork), 2)
        raws += [each.serialize() for each in (block, *children)]
        if not bad:
            for each in (block, *children):
                chain.accept(each)
    return raws


@pytest.mark.parametrize("limit_bytes", [1, 3_000, 1 << 30])
def test_scripts_that_are_run_later_give_the_same_verdict(
    with_bad_scripts: list[bytes], limit_bytes: int, tmp_path: Path
) -> None:
    failed = 0
    with ScriptWorkers(2) as workers:
        for seed in range(8):
            raws = random.Random(seed).sample(with_bad_scripts, len(with_bad_scripts))
            files = framed(raws[:60]), framed(raws[60:])[: -5 if seed % 2 else None]
            strict, store = new_importer(), MemoryStore()
            hasty = new_importer(workers, limit_bytes, store)
            said = []
            for importer, folder in ((strict, "strict"), (hasty, "hasty")):
                (tmp_path / f"{folder}{seed}").mkdir()
                troubles = take(importer, tmp_path / f"{folder}{seed}", *files)
                said.append([trouble.replace(folder, "") for trouble in troubles])
            assert said[0] == said[1]
            failed += sum("script-verify" in trouble for trouble in said[0])
            assert state(hasty) == state(strict)
            assert (hasty.tally.new, hasty.tally.known) == (strict.tally.new, strict.tally.known)
            # What is on the disk is what a new look at it finds.
            assert state(new_importer(store=store)) == state(strict)
    assert failed >= 5


def test_nothing_is_written_before_its_scripts_have_been_run(
    with_bad_scripts: list[bytes], tmp_path: Path
) -> None:
    class Watched(MemoryStore):
        """Knows which block hashes ever were a tip on the disk."""

        tips: ClassVar[Counter[bytes]] = Counter()

        def write(self, batch: Rows, sync: bool = False) -> None:
            self.tips[batch.get(b"t") or b""] += 1
            super().write(batch, sync)

    store = Watched()
    importer = new_importer(SerialQueue, 3_000, store)
    troubles = take(importer, tmp_path, framed(with_bad_scripts))
    bad = [
        bytes.fromhex(trouble.split()[1])[::-1]
        for trouble in troubles
        if "script-verify" in trouble
    ]
    assert len(bad) == 3
    assert importer.tally.new > 100
    assert len(Watched.tips) > 10
    assert not set(bad) & set(Watched.tips)


@pytest.mark.parametrize("limit_bytes", [7_000, 8_500, 12_000])
def test_an_index_that_is_caught_up_first_makes_no_difference(
    with_bad_scripts: list[bytes], limit_bytes: int, tmp_path: Path
) -> None:
    before, rest = framed(with_bad_scripts[:111]), framed(with_bad_scripts[111:])
    strict, store = new_importer(), MemoryStore()
    (tmp_path / "strict").mkdir()
    take(strict, tmp_path / "strict", before, rest)
    take(new_importer(store=store), tmp_path, before)
    buffer = BufferedStore(store, limit_bytes)

    def open_chain(verifier: Verifier) -> Chainstate:
        index = Index(buffer)
        chain = Chainstate(REGTEST, buffer, verifier=verifier, indexers=[index])
        index.catch_up(chain)
        return chain

    late = Importer(buffer, open_chain, NOW, Speculation(SerialQueue))
    assert buffer.turns > 0 and not buffer.is_empty
    take(late, tmp_path, rest)
    assert state(late) == state(strict)
    assert sum("script-verify" in trouble for trouble in late.tally.troubles) == 3


def test_bitcoin_cores_files_are_taken_in_and_ours_by_core(
    chain: ChainBuilder, tmp_path: Path
) -> None:
    engine = CoreEngine()
    with engine:
        for raw in blocks_of(chain)[1:]:
            assert engine.submit(raw) is None
        engine.close()
        written = Path(engine._folder.name) / "blocks" / "blk00000.dat"
        assert len((written.parent / "xor.dat").read_bytes()) == 8
        importer = new_importer()
        with closing(open_source(written, REGTEST)) as file:
            assert [*importer.take(file)]
        importer.finish()
        assert (importer.tally.troubles, state(importer)) == ([], whole(chain))
    ours = tmp_path / "ours.dat"
    assert [*export(chain.chainstate, ours)][-1] == 104
    with CoreEngine() as engine:
        engine.import_files([ours])
        assert engine.tip == chain.tip.hash[::-1].hex()


def test_an_export_is_gone_on_with(chain: ChainBuilder, tmp_path: Path) -> None:
    path, raws = tmp_path / "out.dat", blocks_of(chain)
    for begun in (b"", framed(raws[:7]), framed(raws)[:-1], framed(raws), MAGIC[:2], MAGIC + b"x"):
        path.write_bytes(begun)
        assert [*export(chain.chainstate, path)][-1] == 104
        assert path.read_bytes() == framed(raws)
    other = ChainBuilder()
    other.accept(make_block(other.tip, [other.coinbase(other.tip)], time=NOW - 5))
    for begun in (b"text", framed(blocks_of(other)), framed([*raws, *blocks_of(other)[1:]])):
        path.write_bytes(begun)
        with pytest.raises(StorageError, match="holds something else than this chain's blocks"):
            [*export(chain.chainstate, path)]
        assert path.read_bytes() == begun
    with pytest.raises(StorageError):
        [*export(chain.chainstate, tmp_path / "no" / "folder")]


def test_a_reindex_rebuilds_what_was_there(chain: ChainBuilder, tmp_path: Path) -> None:
    settings = config(tmp_path)
    source = tmp_path / "in.dat"
    source.write_bytes(framed(blocks_of(chain)))
    with opened(settings, NOW) as (importer, buffer, _), closing(open_source(source, REGTEST)) as f:
        assert [*importer.take(f)]
        buffer.flush()
        before = dict(buffer.scan(b""))
    for stop in (5, None):  # the first time it is stopped after five blocks
        with opened(settings, NOW, rebuilding=True) as (importer, buffer, blocks):
            for file in own_sources(settings):
                with closing(file):
                    steps = importer.take(file)
                    for number, _ in enumerate(steps):
                        if number == stop:
                            break
            if stop is None:
                importer.finish()
                buffer.flush()
                blocks.finish()
                assert dict(buffer.scan(b"")) == before
                assert importer.tally.new == 98
        if stop is not None:
            wanted = pytest.raises(StorageError, match="is not complete: rebuild it")
            with wanted, opened(settings, NOW):
                pass
    with opened(settings, NOW) as (importer, *_):
        assert state(importer) == whole(chain)
