"""Real processes that import and reindex, killed at random moments: they go on, to the same end.

FARTHING_SWEEP=1 kills a hundred times.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from chain.coins import coins_hash
from chain.params import REGTEST
from node.config import NodeConfig
from node.events import NetAddress
from node.importer import opened
from tests.crash.chains import write_chain

SWEEP = bool(os.environ.get("FARTHING_SWEEP"))
KILLS, BLOCKS = (100, 1_200) if SWEEP else (8, 300)


def start(*words: str) -> subprocess.Popen[str]:
    """One command of ours, in a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "farthing", "node", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def state(folder: Path) -> tuple[bytes, bytes]:
    """The tip and the digest of the coins, as they are on the disk."""
    config = NodeConfig(REGTEST, folder, NetAddress("127.0.0.1", 0), par=1, no_index=True)
    with opened(config, int(time.time())) as (importer, *_):
        return importer.chainstate.tip.hash, coins_hash(importer.chainstate.coins)


def run_to_the_end(rng: random.Random, words: list[str], kills: int) -> tuple[int, float]:
    """Run a command until it ends by itself, killed at most so often; how often, and how long."""
    killed, span = 0, 1.5
    while True:
        begun = time.monotonic()
        process = start(*words)
        try:
            out, err = process.communicate(timeout=rng.random() * span if killed < kills else None)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            killed += 1
            continue
        assert (process.returncode, err) == (0, ""), (out, err)
        return killed, time.monotonic() - begun


@pytest.mark.timeout(3_000)
def test_a_killed_import_and_a_killed_reindex_go_on_to_the_same_end(tmp_path: Path) -> None:
    rng = random.Random(11)
    source = tmp_path / "blocks.dat"
    expected = write_chain(source, BLOCKS)
    kills: Counter[str] = Counter()
    rounds = 0
    while kills.total() < KILLS:
        folder = tmp_path / str(rounds)
        where = ["--datadir", str(folder), "--par", str(2 - rounds % 2)]  # alone, and with workers
        for name, words in (("import", ["import", str(source)]), ("reindex", ["reindex"])):
            left = KILLS - kills.total()
            killed, _ = run_to_the_end(rng, [*words, *where], min(left, KILLS // 3))
            kills[name] += killed
            assert state(folder) == expected
        rounds += 1
    print(f"{kills['import']} imports and {kills['reindex']} reindexes killed, {rounds} rounds")
