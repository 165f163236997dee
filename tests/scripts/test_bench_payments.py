"""The table of what paying costs, in a small size: ours is cheaper than both others."""

import pytest

from scripts.bench_payments import compare, main


@pytest.mark.parametrize("seed", [1, 2026])
def test_paying_costs_less_than_with_the_largest_coins_or_a_draw(seed: int) -> None:
    ours, *others = compare(300, seed).values()
    assert len(others) == 2
    assert all(ours.together < other.together for other in others)
    assert ours.together == ours.fees + len(ours.coins) * 678  # 67.75 virtual bytes at 10 satoshis


def test_the_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["bench_payments", "50", "3"])
    main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "50 payments, seed 3; satoshis"
    rows = {line.split(" | ")[0]: line.split(" | ") for line in lines[4:]}
    assert list(rows) == ["| Farthing", "| largest first", "| single random draw"]
    assert {len(row) for row in rows.values()} == {7}
