"""Measurements, each as a ratio inside one run against something that nobody here wrote.

    python -m scripts.bench             both tables
    python -m scripts.bench --quick     the first in small sizes
    python -m scripts.bench --worst     the second: the worst blocks that consensus permits
    python -m scripts.bench --json      for programs
    python -m scripts.bench --profile FILE  no figures: where the time of a full block goes, as HTML
    python -m scripts.bench --sizes FILE    figures over the sizes, as JSON, and their chart
    python -m scripts.bench --chart FILE    the chart alone: an SVG beside the JSON

Absolute times depend on the machine and the hour; the ratios are what to compare. Every figure of
the README comes from here.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from scripts.bench_aims import aim_of
from scripts.bench_blocks import waiting_row
from scripts.bench_chart import draw_file
from scripts.bench_coins import coin_figures, reorganisation_row
from scripts.bench_connect import all_connect_figures, write_profile
from scripts.bench_mempool import mempool_figures
from scripts.bench_mining import interruption_row, rate_row
from scripts.bench_node import payments_row, start_row
from scripts.bench_sizes import FULL, SMALL, Series, all_series
from scripts.bench_template import template_figure
from scripts.bench_wallet import wallet_rows
from scripts.bench_worst import Worst, worst_figures
from scripts.network import LocalNetwork

COMMAND = [sys.executable, "-m", "farthing"]
BENCH_PORT = 29000
QUICK_SHARE = 0.02  # of a full block


@dataclass(frozen=True)
class Figure:
    """One measurement: ours, the comparator's, and how many times ours is of it."""

    what: str
    value: float
    unit: str
    against: str
    comparator: float

    @property
    def ratio(self) -> float:
        """Ours in units of the comparator's."""
        return self.value / self.comparator

    @property
    def aim(self) -> str:
        """What the ratio is meant to be, such as `≤ 1.3`; empty if nothing was set."""
        return aim_of(self.what, self.against)


def seconds(function: Callable[[], object]) -> float:
    """How long one call takes."""
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def best_of(count: int, function: Callable[[], object]) -> float:
    """The shortest of some calls: the one that the machine disturbed least."""
    return min(seconds(function) for _ in range(count))


def run_python(code: str) -> None:
    """Run a line of Python in a process of its own."""
    subprocess.run([sys.executable, "-c", code], check=True)


def farthing(home: Path, *words: str, typed: str = "") -> None:
    """Run one command of Farthing's, its output thrown away."""
    subprocess.run(
        [*COMMAND, *words],
        check=True,
        input=typed.encode(),
        stdout=subprocess.DEVNULL,
        env=os.environ | {"FARTHING_HOME": str(home)},
    )


def network_up(home: Path, folder: Path) -> LocalNetwork:
    """Five nodes in the background."""
    farthing(home, "testnet", "up", "--detach", "--port", str(BENCH_PORT), "--datadir", str(folder))
    return LocalNetwork(folder)


def start_up(home: Path, rounds: int) -> Figure:
    """Seconds from `testnet up` to five ready, connected, funded nodes."""
    imports = "import flask, requests, coincurve" + (", plyvel" if find_spec("plyvel") else "")
    times = []
    for number in range(rounds):
        folder = home / f"up{number}"
        begin = time.perf_counter()
        network_up(home, folder)
        times.append(time.perf_counter() - begin)
        LocalNetwork(folder).stop()
    return Figure(
        "testnet up, five nodes ready",
        min(times),
        "s",
        f"python -c '{imports}'",
        best_of(rounds, lambda: run_python(imports)),
    )


def resident_bytes(pid: int) -> int:
    """The memory that a process holds, as the system counts it."""
    shown = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], check=True, capture_output=True, text=True
    )
    return int(shown.stdout) * 1024


def memory_of_node(home: Path) -> Figure:
    """Megabytes of a node in a network of five."""
    network = network_up(home, home / "network")
    try:
        nodes = network.running
        megabytes = sum(resident_bytes(node.pid) for node in nodes) / len(nodes) / 1e6
    finally:
        network.stop()
    return Figure("memory of a node", megabytes, "MB", "an idle Python with flask", bare_memory())


def bare_memory() -> float:
    """Megabytes of a Python process that has imported flask and waits."""
    code = "import flask, sys; print(flush=True); sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        if child.stdout is not None:
            child.stdout.readline()
        return resident_bytes(child.pid) / 1e6
    finally:
        child.kill()
        child.communicate()


def measure(quick: bool) -> list[Figure]:
    """Every figure, smaller and fewer times when `quick`."""
    rounds = 1 if quick else 5
    figures = [Figure(*row) for row in all_connect_figures(quick)]
    figures.append(Figure(*waiting_row(200 if quick else 2000)))
    coins = coin_figures(20_000 if quick else 1_000_000, 200 if quick else 5_000, rounds)
    figures.extend(Figure(*row) for row in coins)
    figures.append(Figure(*reorganisation_row(10 if quick else 100, 10 if quick else 100, rounds)))
    figures.append(Figure(*start_row(200 if quick else 10_000, rounds, BENCH_PORT)))
    figures.append(Figure(*payments_row(100 if quick else 2_000, BENCH_PORT)))
    figures.append(Figure(*rate_row(20_000, 5 if quick else 100)))
    figures.append(Figure(*interruption_row(5 if quick else 50)))
    waiting = 20_000 if quick else 100_000
    rows = mempool_figures(waiting, 300 if quick else 3_000, rounds)
    figures.extend(Figure(*row) for row in rows)
    figures.append(Figure(*template_figure(waiting, rounds)))
    with tempfile.TemporaryDirectory() as folder:
        figures.append(start_up(Path(folder), rounds))
        figures.append(memory_of_node(Path(folder)))
    wallet = wallet_rows(100 if quick else 10_000, rounds, BENCH_PORT)
    figures.extend(Figure(*row) for row in wallet)
    return figures


def machine() -> str:
    """One line about where the figures were taken."""
    where = f"{platform.system()} {platform.machine()}"
    return f"{os.cpu_count()} cores, {where}, Python {platform.python_version()}"


def as_markdown(figures: list[Figure]) -> str:
    """The table of the README."""
    rows = ["| what | Farthing | against | | ratio | aim |", "|---|--:|---|--:|--:|--:|"]
    rows += [
        f"| {figure.what} | {figure.value:.3g} {figure.unit} | {figure.against} "
        f"| {figure.comparator:.3g} {figure.unit} | {figure.ratio:.2f} | {figure.aim} |"
        for figure in figures
    ]
    return "\n".join(rows)


def worst_as_markdown(blocks: list[Worst]) -> str:
    """The second table of the README: what each block costs, in normal blocks."""
    rows = ["| block | Farthing | normal blocks | at most | Core's engine | normal blocks |"]
    rows.append("|---|--:|--:|--:|--:|--:|")
    for block in blocks:
        core = f"{block.core_seconds:.2f} s | {block.core_times:.2f}" if block.core_times else "|"
        ours = f"{block.seconds:.2f} s | {block.times:.2f} | {block.bound}"
        rows.append(f"| {block.what} | {ours} | {core} |")
    return "\n".join(rows)


def write_sizes(file: Path, quick: bool) -> None:
    """Measure over the sizes; what is known is written after each of them."""
    series: list[Series] = []
    for each in all_series(SMALL if quick else FULL, BENCH_PORT):
        series.append(each)
        told = {"machine": machine(), "series": series}
        file.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, one round")
    parser.add_argument("--worst", action="store_true", help="only the worst blocks")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--profile", metavar="FILE", help="write where the time goes, as HTML")
    parser.add_argument("--sizes", metavar="FILE", help="write the figures over the sizes, as JSON")
    parser.add_argument("--chart", metavar="FILE", help="draw the figures of this JSON beside it")
    arguments = parser.parse_args()
    if arguments.sizes or arguments.chart:
        if arguments.sizes:
            write_sizes(Path(arguments.sizes), arguments.quick)
        print(draw_file(Path(arguments.chart or arguments.sizes)))
        return
    if arguments.profile:
        write_profile(Path(arguments.profile), 200 if arguments.quick else 5_000)
        return
    figures = [] if arguments.worst else measure(arguments.quick)
    share = QUICK_SHARE if arguments.quick else 1
    blocks = list(worst_figures(share)) if arguments.worst or not arguments.quick else []
    if arguments.json:
        rows = [asdict(each) | {"ratio": each.ratio, "aim": each.aim} for each in figures]
        worst = [asdict(block) for block in blocks]
        print(json.dumps({"machine": machine(), "figures": rows, "worst": worst}, indent=2))
        return
    tables = [as_markdown(figures)] * bool(figures) + [worst_as_markdown(blocks)] * bool(blocks)
    print("\n\n".join([machine(), *tables]))


if __name__ == "__main__":
    main()
