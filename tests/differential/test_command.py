"""The command: its summary, and what it says of a difference, made by changing a rule of ours."""

import re
from collections import Counter

import pytest

from chain.errors import Reason
from chain.headers import HeaderEntry
from tests.differential.__main__ import NEVER_MET, main, missing

WRONG_RULES = [
    ("chain.block_rules.MAX_FUTURE_BLOCK_TIME_S", 7_201),
    ("chain.tx_rules.MAX_COINBASE_SCRIPT_BYTES", 101),
    ("chain.connect.subsidy", lambda height, params: 5_000_000_001),
]


def test_the_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--spends", "50", "--blocks", "5", "--trees", "1", "--seed", "7"]) == 0
    shown = capsys.readouterr().out
    assert re.findall(r"(\w+): (\d+) cases, no difference", shown) == [
        ("spends", "50"), ("blocks", "5"), ("trees", "1"),
    ]  # fmt: skip
    assert re.search(r"^ +\d+ OK$", shown, re.M) and re.search(r"^ +\d+ valid$", shown, re.M)


@pytest.mark.parametrize(
    ("name", "value"),
    WRONG_RULES,
    ids=[name for name, _ in WRONG_RULES],
)
def test_a_wrong_rule_is_found_and_replayed(
    name: str,
    value: object,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(name, value)
    assert main(["--blocks", "500"]) == 1
    found = re.search(r"DIFFERENCE: block, seed (\d+): ", capsys.readouterr().err)
    assert found is not None
    assert main(["--blocks", "1", "--seed", found[1]]) == 1
    assert f"block, seed {found[1]}: " in capsys.readouterr().err


def test_a_wrong_choice_of_chain_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def last_seen_wins(entry: HeaderEntry, than: HeaderEntry) -> bool:
        return (entry.chainwork, entry.sequence) >= (than.chainwork, than.sequence)

    monkeypatch.setattr("chain.headers._is_better", last_seen_wins)
    assert main(["--trees", "30"]) == 1
    assert "DIFFERENCE: tree, seed " in capsys.readouterr().err


def test_what_was_never_met_is_named() -> None:
    tame = Counter({"OK": 20_000})
    assert "OP_RETURN" in missing(tame, Counter())
    texts = {reason.text.format("") for reason in set(Reason) - NEVER_MET}
    verdicts = Counter(dict.fromkeys(texts, 200))
    assert not missing(Counter(), verdicts)
    assert missing(Counter(), verdicts - Counter({"high-hash": 200})) == {"high-hash"}
