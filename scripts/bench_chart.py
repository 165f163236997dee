"""The chart of the figures over the sizes: an SVG, readable in light and in dark, from the JSON.

The same JSON always gives the same bytes, so that a test sees whether the chart in the docs is that
of the figures beside it. It measures nothing (bench_sizes). Beside it: SVG 1.1, W3C.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.sax.saxutils import escape

from scripts.bench_sizes import Point, Series

PANEL_WIDTH, PANEL_HEIGHT, COLUMNS = 400, 250, 2
LEFT, RIGHT, TOP, BOTTOM = 44, 28, 62, 50
"""Of a panel, around what is drawn in it."""
FOOT = 30
STYLE = """
.ground { fill: #ffffff }
text { font: 12px system-ui, sans-serif; fill: #1f2328; stroke: #ffffff }
text { stroke-width: 3px; paint-order: stroke }
.title { font-weight: 600; font-size: 14px }
.small { fill: #59636e; font-size: 11px }
.grid { stroke: #d1d9e0 }
.aim { stroke: #bc4c00; stroke-dasharray: 5 4 }
.aim-text { fill: #bc4c00; font-size: 11px }
.line { fill: none; stroke: #0969da; stroke-width: 2 }
.dot { fill: #0969da }
@media (prefers-color-scheme: dark) {
  .ground { fill: #0d1117 }
  text { fill: #e6edf3; stroke: #0d1117 }
  .small { fill: #9198a1 }
  .grid { stroke: #3d444d }
  .aim { stroke: #f0883e }
  .aim-text { fill: #f0883e }
  .line { stroke: #4493f8 }
  .dot { fill: #4493f8 }
}
"""


def ratio(point: Point) -> float:
    """Ours in units of the comparator's."""
    return point["value"] / point["comparator"]


def draw(machine: str, series: list[Series]) -> str:
    """The whole chart: a panel for each series, two beside each other."""
    rows = -(-len(series) // COLUMNS)
    width, height = COLUMNS * PANEL_WIDTH, rows * PANEL_HEIGHT + FOOT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">',
        "<title>Farthing's figures over the sizes, each against its comparator</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{width}" height="{height}"/>',
    ]
    for number, each in enumerate(series):
        x, y = number % COLUMNS * PANEL_WIDTH, number // COLUMNS * PANEL_HEIGHT
        parts += [f'<g transform="translate({x} {y})">', *panel(each), "</g>"]
    foot = f"Ratios inside one run; beside each dot what it took. {machine}"
    parts += [text(LEFT, height - 10, foot, "small"), "</svg>", ""]
    return "\n".join(parts)


def panel(series: Series) -> Iterator[str]:
    """One series: ratios upwards from zero, sizes to the right, the aim as a dashed line."""
    right, bottom = PANEL_WIDTH - RIGHT, PANEL_HEIGHT - BOTTOM
    top = 1.3 * max(series["aim"], *map(ratio, series["points"]))
    step = tick_step(top)

    def height_of(value: float) -> float:
        return bottom - value / top * (bottom - TOP)

    yield text(LEFT, 24, series["title"], "title")
    yield text(LEFT, 42, f"in units of: {series['against']}", "small")
    for number in range(int(top / step) + 1):
        y = height_of(number * step)
        yield line(LEFT, y, right, "grid")
        yield text(LEFT - 6, y + 4, f"{number * step:g}", "small", "end")
    y = height_of(series["aim"])
    yield line(LEFT, y, right, "aim")
    yield text(right, 42, f"aim: at most {series['aim']:g}", "aim-text", "end")
    yield from curve(series, height_of)
    yield text((LEFT + right) / 2, PANEL_HEIGHT - 12, series["sizes"], "small", "middle")


def curve(series: Series, height_of: Callable[[float], float]) -> Iterator[str]:
    """The dots of a series, what joins them, and what stands beside them."""
    points = series["points"]
    gap = (PANEL_WIDTH - LEFT - RIGHT) / len(points)
    places = [
        (LEFT + gap * (number + 0.5), height_of(ratio(point)), point)
        for number, point in enumerate(points)
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
    yield f'<polyline class="line" points="{path}"/>'
    for x, y, point in places:
        yield f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
        yield text(x, y - 22, f"{ratio(point):.2f}", "", "middle")
        yield text(x, y - 9, f"{point['value']:.3g} {series['unit']}", "small", "middle")
        yield text(x, PANEL_HEIGHT - BOTTOM + 18, f"{point['size']:,}", "", "middle")


def tick_step(top: float) -> float:
    """The distance of grid lines, of which there shall be three to seven."""
    return next(step for step in (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if top / step < 7)


def line(left: float, y: float, right: float, kind: str) -> str:
    """A level line."""
    return f'<line class="{kind}" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'


def text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    """Words at a place."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{escape(words)}</text>'


def draw_file(figures: Path) -> Path:
    """Draw what a JSON file of figures holds, beside it; where."""
    told = json.loads(figures.read_text(encoding="utf-8"))
    chart = figures.with_suffix(".svg")
    chart.write_text(draw(told["machine"], told["series"]), encoding="utf-8", newline="\n")
    return chart
