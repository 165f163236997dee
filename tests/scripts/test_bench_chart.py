"""The figures over the sizes, measured once in small, and their chart."""

import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from scripts import bench, bench_chart
from scripts.bench_sizes import Point, Series
from tests.functional.support import free_ports

DOCS = Path(__file__).parents[2] / "docs"
SVG = "{http://www.w3.org/2000/svg}"


def series(*ratios: float, aim: float = 2.0) -> Series:
    points = [Point(size=10**n, value=r * 4, comparator=4.0) for n, r in enumerate(ratios)]
    return Series(
        title="Swim & dive", sizes="metres", unit="s", against="walking", aim=aim, points=points
    )


def test_a_small_run_measures_every_size_and_draws_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "sizes.json"
    monkeypatch.setattr(bench, "BENCH_PORT", free_ports(1))
    monkeypatch.setattr(sys, "argv", ["bench", "--quick", "--sizes", str(file)])
    bench.main()
    chart = file.with_suffix(".svg")
    assert capsys.readouterr().out == f"{chart}\n"
    told = json.loads(file.read_text(encoding="utf-8"))
    assert [each["sizes"] for each in told["series"]] == [
        "spends in the block",
        "coins in the set",
        "blocks in the chain",
        "payments waiting",
    ]
    for each in told["series"]:
        sizes = [point["size"] for point in each["points"]]
        assert sizes == sorted(set(sizes)) and len(sizes) >= 2
        # Far off: only to notice a unit that is wrong, or one thing divided by another.
        assert all(0.1 < point["value"] / point["comparator"] < 50 for point in each["points"])
    assert chart.read_text(encoding="utf-8").startswith("<svg ")


def test_the_chart_of_the_docs_is_that_of_the_figures_beside_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "sizes.json"
    file.write_bytes((DOCS / "sizes.json").read_bytes())
    monkeypatch.setattr(sys, "argv", ["bench", "--chart", str(file)])
    bench.main()
    assert file.with_suffix(".svg").read_bytes() == (DOCS / "sizes.svg").read_bytes()
    assert "docs/sizes.svg" in (DOCS.parent / "README.md").read_text(encoding="utf-8")
    told = json.loads(file.read_text(encoding="utf-8"))
    assert [[point["size"] for point in each["points"]] for each in told["series"]] == [
        [20, 100, 1_000, 5_000],
        [10_000, 100_000, 1_000_000],
        [100, 1_000, 10_000],
        [1_000, 10_000, 100_000],
    ]


def test_a_dot_stands_as_high_as_its_ratio_and_the_aim_among_them() -> None:
    drawn = ET.fromstring(bench_chart.draw("here", [series(1.0, 2.0, 3.0), series(0.5, aim=0.25)]))
    panels = drawn.findall(f"{SVG}g")
    assert len(panels) == 2
    dots = panels[0].findall(f"{SVG}circle")
    xs, ys = ([float(dot.attrib[name]) for dot in dots] for name in ("cx", "cy"))
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)
    assert xs[0] < xs[1]
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2], abs=0.2)
    assert ys[0] > ys[1]
    [aim] = (each for each in panels[0].findall(f"{SVG}line") if each.attrib["class"] == "aim")
    assert float(aim.attrib["y1"]) == ys[1]
    joined = panels[0].find(f"{SVG}polyline")
    assert joined is not None
    assert joined.attrib["points"] == " ".join(f"{x},{y}" for x, y in zip(xs, ys, strict=True))
    words = ["".join(each.itertext()) for each in panels[0].findall(f"{SVG}text")]
    for expected in ("Swim & dive", "in units of: walking", "metres", "3.00", "12 s", "100"):
        assert expected in words
    grid = [each for each in panels[1].findall(f"{SVG}line") if each.attrib["class"] == "grid"]
    assert 3 <= len(grid) <= 7


@pytest.mark.parametrize("background", ["#ffffff", "#0d1117"])
def test_its_letters_stand_out_in_light_and_in_dark(background: str) -> None:
    """Contrast of at least 4.5, as WCAG 2.1 asks for text (1.4.3)."""

    def luminance(colour: str) -> float:
        parts = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = bench_chart.STYLE.split("@media (prefers-color-scheme: dark)")
    style = light if background == "#ffffff" else dark
    fills = re.findall(r"(?:text|small|aim-text) \{[^}]*fill: (#[0-9a-f]{6})", style)
    assert len(fills) == 3
    for fill in fills:
        bright, dim = sorted((luminance(fill), luminance(background)), reverse=True)
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, fill
