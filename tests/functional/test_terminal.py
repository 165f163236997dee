"""An import at a terminal: the bar that people see, and their Ctrl-C, at any moment.

The terminal is a real one (a pty), the process a real one in its foreground, Ctrl-C a key that is
typed. FARTHING_SWEEP=1 types it fifty times.
"""

import os
import random
import re
import signal
from pathlib import Path

import pytest

from tests.crash.chains import chain_of, write_chain
from tests.crash.test_kills import state
from tests.terminal import COLUMNS, Terminal, terminal

BLOCKS = 300
SWEEP = bool(os.environ.get("FARTHING_SWEEP"))
STOPS = 50 if SWEEP else 4
CTRL_C = b"\x03"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of blocks."""
    path = tmp_path_factory.mktemp("terminal") / "blocks.dat"
    write_chain(path, BLOCKS)
    return path


BAR = re.compile(
    r"(Importing|Reindexing) [━╸╺ ]+ +(\d+)%(?: (\d+) blocks, (\d+)/s)? +(-:--:--|0:00:\d\d)$"
)
INTERRUPTED = (130, -signal.SIGINT)
"""Said by us; or by Python, before it has begun with us or after."""
OURS = re.compile(r'File ".*/(farthing\.py|(chain|node|scripts)/)')
"""In a traceback."""
PYTHONS_OWN = re.compile(r"Traceback(?s:.*)KeyboardInterrupt\s*$")
"""It was still reading its library, before it began with us."""
SLOW = """
import time
from scripts.cli.node_files import progress
with progress("Importing", 1_000_000) as step:
    for number in range(1, 41):
        time.sleep(0.05)
        step(25_000 * number)
"""


def bars(screen: Terminal) -> list[tuple[int, int, int, str]]:
    """All that was shown: percent, blocks, blocks a second, time left."""
    found = [bar for line in screen.lines if (bar := BAR.search(line))]
    return [(int(bar[2]), int(bar[3] or 0), int(bar[4] or 0), bar[5]) for bar in found]


def test_the_bar_shows_how_far_how_fast_and_how_long() -> None:
    with terminal("-c", SLOW) as screen:
        assert screen.end() == 0, screen.shown
    shown = bars(screen)
    assert shown[0] == (0, 0, 0, "-:--:--")
    assert (*shown[-1][:2], shown[-1][3]) == (100, 40, "0:00:00")
    middle = [bar for bar in shown if 20 < bar[0] < 80]
    assert len(middle) >= 3
    for percent, blocks, rate, _ in middle:
        assert abs(percent - 100 * blocks / 40) <= 1
        assert 1 <= rate <= 20
    left = [int(bar[3][-2:]) for bar in middle if "-" not in bar[3]]
    assert left and left == sorted(left, reverse=True)


def test_an_import_and_a_reindex_show_it(source: Path, tmp_path: Path) -> None:
    where = ["--datadir", str(tmp_path / "data")]
    for name, words in (("Importing", ["import", str(source)]), ("Reindexing", ["reindex"])):
        with terminal("-m", "farthing", "node", *words, *where) as screen:
            assert screen.end() == 0, screen.shown
        shown = bars(screen)
        assert shown[0] == (0, 0, 0, "-:--:--")
        assert (*shown[-1][:2], shown[-1][3]) == (100, BLOCKS + 1, "0:00:00")
        assert shown == sorted(shown, key=lambda bar: bar[:2])
        assert sum(name in line for line in screen.lines) >= 2
        assert max(len(line) for line in screen.lines) <= COLUMNS
        assert screen.shown.rindex(SHOW_CURSOR) > screen.shown.rindex(HIDE_CURSOR)
        assert screen.lines[-1].endswith(f"the chain is at height {BLOCKS}")


def test_ctrl_c_at_any_moment_and_the_same_command_goes_on(source: Path, tmp_path: Path) -> None:
    rng, stops, rounds, told = random.Random(5), 0, 0, 0
    _, tip, digest = chain_of(BLOCKS)
    while stops < STOPS:
        where = ["--datadir", str(tmp_path / str(rounds))]
        for words in (["import", str(source)], ["reindex"]):
            code = 130
            while code:
                with terminal("-m", "farthing", "node", *words, *where) as screen:
                    if stops < STOPS and screen.look(rng.random() * 1.2):
                        screen.type(CTRL_C)
                    code = screen.end()
                assert not OURS.search(screen.shown), screen.shown
                if PYTHONS_OWN.search(screen.shown):
                    continue
                assert code in (0, *INTERRUPTED), screen.shown
                if code:
                    stops += 1
                    told += "the same command goes on from there" in screen.lines[-1]
                hidden, back = (screen.shown.rfind(each) for each in (HIDE_CURSOR, SHOW_CURSOR))
                assert back >= hidden
            assert state(tmp_path / str(rounds)) == (tip, digest)
        rounds += 1
    print(f"{stops} stops in {rounds} rounds, {told} in the middle of the work")
    assert told or not SWEEP
