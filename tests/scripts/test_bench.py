"""The bench, run once in small: figures that mean something, and the table of the README."""

import json
import os
import sys
from pathlib import Path

import pytest

from scripts import bench
from scripts.bench import Figure
from scripts.bench_worst import Worst
from tests.functional.support import free_ports


def test_a_quick_run_measures_everything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "BENCH_PORT", free_ports(5))
    monkeypatch.setattr(sys, "argv", ["bench", "--quick", "--json"])
    bench.main()
    told = json.loads(capsys.readouterr().out)
    assert "cores, " in told["machine"]
    figures = {figure["what"]: figure for figure in told["figures"]}
    assert {figure["unit"] for figure in figures.values()} == {
        *("µs", "ms", "s", "MB", "bytes", "kH/s"),
    }
    for figure in told["figures"]:
        assert figure["value"] > 0
        assert figure["comparator"] > 0
        assert figure["ratio"] == pytest.approx(figure["value"] / figure["comparator"])
        assert figure["aim"][:2] in ("", "≤ ", "≥ ")
    assert {figure["aim"] for figure in told["figures"]} == {
        *("", "≤ 1", "≤ 2", "≤ 1.4", "≤ 0.33", "≤ 1.3", "≤ 2.5", "≤ 1.5", "≥ 0.95", "≤ 3", "≤ 6"),
    }
    # Far off: these are not for judging speed, only for noticing a unit that is wrong.
    assert 0.2 < figures["testnet up, five nodes ready"]["value"] < 60
    assert 10 < figures["memory of a node"]["value"] < 500
    for verb in ("balance", "send"):
        what = f"farthing wallet {verb} of a wallet with 100 payments"
        assert 0.05 < figures[what]["value"] < 60
    for kind in ("P2WPKH", "P2TR key path", "2-of-3 P2WSH", "P2PKH"):
        last = 2 if kind == "P2WPKH" else 1
        assert 20 < figures[f"connect {last} x 100 {kind} spends, an input"]["value"] < 20_000
    assert 20 < figures["connect 10 x 20 P2WPKH spends, an input"]["value"] < 20_000
    assert 0.2 < figures["an input, its coin among 20,000"]["ratio"] < 5
    for less in ("", ", less mapped files"):
        assert 0.8 < figures[f"memory of a node with 20,000 coins{less}"]["ratio"] < 3
    assert 0.1 < figures["a reorganisation of 10 blocks of 10 spends"]["ratio"] < 10
    assert 0.2 < figures["start of a node with 200 blocks"]["ratio"] < 5
    assert 0.5 < figures["a payment by POST /api/tx, 4 clients"]["ratio"] < 50
    assert 0.3 < figures[f"mining, each of {os.cpu_count()} processes"]["ratio"] < 3
    assert 0 < figures["a new template interrupts mining"]["value"] < 1_000
    assert 1 < figures["accept a payment, 1,000 waiting"]["ratio"] < 30
    assert 0.2 < figures["accept a payment, 20,000 waiting"]["ratio"] < 5
    assert 2 < figures["memory of a waiting payment"]["ratio"] < 40
    assert 0.05 < figures["connect 200 that wait already, an input"]["ratio"] < 1


def test_a_profile_says_where_the_time_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "profile.html"
    monkeypatch.setattr(sys, "argv", ["bench", "--quick", "--profile", str(file)])
    bench.main()
    assert "connect_block" in file.read_text(encoding="utf-8")


def test_the_tables_of_the_readme(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figure = Figure("swim", 3.0, "s", "walk", 1.5)
    worst = [Worst("dive", 20, 4, 6.0, 12.5, 0.25, 1.75), Worst("sink", 3, 4, 1, 2.5, None, None)]
    monkeypatch.setattr(bench, "measure", lambda quick: [figure])
    monkeypatch.setattr(bench, "worst_figures", lambda share: worst)
    first = [
        "| what | Farthing | against | | ratio | aim |",
        "|---|--:|---|--:|--:|--:|",
        "| swim | 3 s | walk | 1.5 s | 2.00 |  |",
    ]
    second = [
        "| block | Farthing | normal blocks | at most | Core's engine | normal blocks |",
        "|---|--:|--:|--:|--:|--:|",
        "| dive | 6.00 s | 12.50 | 20 | 0.25 s | 1.75 |",
        "| sink | 1.00 s | 2.50 | 3 | | |",
    ]
    for words, tables in (
        ([], [*first, "", *second]),
        (["--quick"], first),
        (["--worst"], second),
        (["--worst", "--quick"], second),
    ):
        monkeypatch.setattr(sys, "argv", ["bench", *words])
        bench.main()
        assert capsys.readouterr().out.splitlines()[2:] == tables
