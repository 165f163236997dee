"""Files that are cut short or have a bit flipped: right, or named and rebuilt; never wrong.

FARTHING_SWEEP=1 damages two thousand times.
"""

import os
import random
import shutil
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from chain.coins import coins_hash
from chain.params import REGTEST
from chain.store import StoreError
from node.config import NodeConfig
from node.errors import StorageError
from node.events import NetAddress
from node.importer import Opened, open_source, opened, own_sources
from tests.crash.chains import chain_of, write_chain
from tests.node.engines import ENGINES

TIMES = 1_000 if os.environ.get("FARTHING_SWEEP") else 25
BLOCKS = 130
NOW = REGTEST.genesis.header.time + 10 * 365 * 24 * 3600


def config(folder: Path, engine: str) -> NodeConfig:
    return NodeConfig(REGTEST, folder, NetAddress("127.0.0.1", 0), par=1, engine=engine)


def take(into: Opened, source: Path) -> None:
    with closing(open_source(source, REGTEST)) as file:
        for _ in into.importer.take(file):
            pass
        into.importer.finish()


def look(settings: NodeConfig) -> tuple[bytes, bytes]:
    """Read everything there is; the tip, and the digest of the coins."""
    with opened(settings, NOW) as (importer, buffer, _):
        for _ in buffer.scan(b""):
            pass
        chainstate = importer.chainstate
        for entry in chainstate.active:
            assert chainstate.read_block(entry.hash) is not None
            assert entry.height == 0 or chainstate.read_undo(entry.hash) is not None
        return chainstate.tip.hash, coins_hash(chainstate.coins)


def rebuild(settings: NodeConfig) -> None:
    with opened(settings, NOW, rebuilding=True) as (importer, buffer, blocks), ExitStack() as stack:
        for file in own_sources(settings):
            stack.enter_context(closing(file))
            for _ in importer.take(file):
                pass
        importer.finish()
        buffer.flush()
        blocks.finish()


def hurt(rng: random.Random, folder: Path) -> Path:
    """Damage one file, the larger the likelier."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size]
    [path] = rng.choices(files, [min(path.stat().st_size, 100_000) for path in files])
    raw = bytearray(path.read_bytes())
    at = rng.randrange(len(raw))
    if rng.random() < 0.5:
        del raw[at:]
    else:
        raw[at] ^= 1 << rng.randrange(8)
    path.write_bytes(raw)
    return path


@pytest.mark.timeout(3_000)
@pytest.mark.parametrize("engine", ENGINES)
def test_damaged_files_are_named_and_rebuilt(engine: str, tmp_path: Path) -> None:
    rng, source, whole = random.Random(3), tmp_path / "in.dat", tmp_path / "whole"
    expected = write_chain(source, BLOCKS)
    with opened(config(whole, engine), NOW) as into:
        take(into, source)
    assert look(config(whole, engine)) == expected
    outcomes: Counter[str] = Counter()
    for number in range(TIMES):
        folder = tmp_path / "hurt"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        path, settings = hurt(rng, folder), config(folder, "auto")
        try:
            assert look(settings) == expected, (number, path)
            outcomes["right"] += 1
            continue
        except (StorageError, StoreError) as error:
            assert "reindex" in str(error) and "\n" not in str(error), (number, path, error)
            outcomes["named"] += 1
        rebuild(settings)
        if path.parent.name != "blocks":
            assert look(settings) == expected, (number, path)
        with opened(settings, NOW) as into:
            take(into, source)
        assert look(settings) == expected, (number, path)
    print(engine, dict(outcomes))
    assert outcomes["named"] > TIMES // 5
    assert len(chain_of(BLOCKS)) == 3
