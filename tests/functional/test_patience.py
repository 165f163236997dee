"""A long sync at a real terminal: how far it is is told, and nothing of that stays."""

import re
from pathlib import Path

import pytest

from scripts.funds import TEST_MNEMONIC
from tests.functional.support import farthing, start_network
from tests.terminal import terminal

GAP = 400
"""Unused addresses that end the search of each branch."""
ADDRESSES = 8 * GAP
"""Restored from words, a wallet has two branches of each of four types."""
TOLD = re.compile(r"\r\x1b\[Klooking for payments: ([\d,]+) addresses, \d+ a second")
ERASED = "\r\x1b[K"


def test_a_long_search_tells_how_far_it_is_and_takes_the_line_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text("correct horse")
    words = ("wallet", "restore", "bob", "--words-file", "-", "--gap-limit", str(GAP))
    made = farthing(
        tmp_path, *words, "--password-file", str(tmp_path / "password"), typed=TEST_MNEMONIC
    )
    assert made.returncode == 0, made
    monkeypatch.setenv("FARTHING_HOME", str(tmp_path))
    with start_network(tmp_path / "testnet", 1, "--block-time", "off") as network:
        at = ("wallet", "balance", "bob", "--node", network.nodes[0].url)
        with terminal("-m", "farthing", *at) as screen:
            assert screen.end() == 0, screen.shown
        piped = farthing(tmp_path, *at)
    told = [int(count.replace(",", "")) for count in TOLD.findall(screen.shown)]
    assert len(told) >= 3 and told == sorted(set(told)) and told[-1] <= ADDRESSES
    after = screen.shown[screen.shown.rindex("a second") + len("a second") :]
    assert after.startswith(ERASED) and "looking" not in after and "confirmed" in after
    assert (piped.returncode, piped.stderr) == (0, "")
