"""`farthing node import`, `export` and `reindex`: a node's blocks from files, to a file, anew.

All three work on the data of a node that is not running, show how far they are, and can be stopped
at any moment: the same command goes on where it was.
"""

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts.cli import places
from scripts.cli.common import INTERRUPTED, complain, fail, json_option, plural, print_json
from scripts.cli.networks import read_network

if TYPE_CHECKING:
    from node.config import NodeConfig
    from node.importer import Importer
    from node.storage.frames import FrameFile

SHOWN_EVERY_S = 0.1
Step = Callable[[int], None]
OPTIONS = (
    click.option(
        "--network",
        default="regtest",
        show_default=True,
        help="regtest, classroom, main, or a FILE.toml that describes one of your own.",
    ),
    click.option(
        "--datadir",
        type=click.Path(path_type=Path, file_okay=False),
        default=places.node_directory,
        show_default="the user's data folder",
        help="Where the node's data lies.",
    ),
    json_option,
)
WORK_OPTIONS = (
    *OPTIONS,
    click.option("--no-index", is_flag=True, help="Keep no index of scripts and transactions."),
    click.option(
        "--par",
        type=click.IntRange(0),
        default=0,
        help="Threads that check scripts, at most 15.  [default: all processors]",
    ),
    click.option(
        "--testactivationheight",
        "heights",
        multiple=True,
        help="NAME@HEIGHT for bip34, dersig, cltv, csv or segwit (repeatable).",
    ),
)


def options(given: Iterable[Callable[..., Any]]) -> Callable[..., Any]:
    """Several options as one decorator."""
    return lambda function: reduce(lambda made, option: option(made), reversed([*given]), function)


def configured(network: str, datadir: Path, **rest: Any) -> "NodeConfig":
    """The configuration of the node whose data that is."""
    # lazy: the help text must not wait for the node
    from node.config import NodeConfig
    from node.events import NetAddress

    params = read_network(network, rest.pop("heights", ()))
    return NodeConfig(params, datadir, NetAddress("127.0.0.1", 0), **rest)


@contextlib.contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM came; the first is for us, a second ends the process at once."""
    stop = threading.Event()

    def note(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, before[number])

    before: dict[int, Any] = {
        each: signal.signal(each, note) for each in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def progress(what: str, total: int) -> Iterator[Step]:
    """A bar with the rate and the time left, on stderr if that is a terminal."""
    # lazy: rich takes longer to import than a short command runs
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as Left

    columns = TextColumn(what), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[rate]}")
    bar = Progress(*columns, Left(), console=Console(stderr=True), disable=not sys.stderr.isatty())
    task = bar.add_task(what, total=total, rate="")
    begun, shown, count = time.monotonic(), 0.0, 0

    def step(at: int) -> None:
        nonlocal shown, count
        count, now = count + 1, time.monotonic()
        if now - shown > SHOWN_EVERY_S or at >= total:
            rate = count / max(now - begun, 0.001)
            bar.update(task, completed=at, rate=f"{count} blocks, {rate:.0f}/s")
            shown = now

    with bar:
        yield step


def walk(steps: Iterable[int], step: Step, is_asked: Callable[[], bool]) -> bool:
    """Take steps until there are no more; False if somebody asked to stop."""
    for at in steps:
        step(at)
        if is_asked():
            return False
    return True


def take_all(importer: "Importer", files: Iterable["FrameFile"], what: str) -> bool:
    """Take in all blocks of some files; False if somebody asked to stop."""
    files = list(files)
    before, total = 0, sum(file.size for file in files)
    with asked_to_stop() as is_asked, progress(what, total) as step:
        for file in files:
            passed = before
            steps = (passed + at for at in importer.take(file))
            if not walk(steps, step, is_asked):
                importer.settle()
                return False
            before += file.size
    importer.finish()
    return True


def report(importer: "Importer", is_done: bool, begun: float, as_json: bool) -> None:
    """Say what was done; for a stop in the middle, how to go on."""
    # lazy: the help text must not wait for the chain
    from chain.encoding import display_hash

    tally, tip = importer.tally, importer.chainstate.tip
    seconds = time.monotonic() - begun
    if as_json:
        print_json(
            {
                "complete": is_done,
                "new": tally.new,
                "known": tally.known,
                "height": tip.height,
                "bestblock": display_hash(tip.hash),
                "seconds": round(seconds, 3),
                "troubles": tally.troubles,
            }
        )
    else:
        known = f" ({tally.known} were there already)" if tally.known else ""
        click.echo(
            f"{plural(tally.new, 'block')} taken in{known}, in {seconds:.1f} s; "
            f"the chain is at height {tip.height}"
        )
    if not is_done:
        complain(f"stopped at height {tip.height}: the same command goes on from there")
        raise click.exceptions.Exit(INTERRUPTED)


def first_of(troubles: list[str]) -> str:
    """The first trouble, and how many more there are."""
    more = len(troubles) - 1
    return troubles[0] + (f"; and {plural(more, 'more trouble')}" if more else "")


def require_data(config: "NodeConfig") -> None:
    """One line where there is none."""
    if not config.folder.exists():
        fail(f"there is no data in {config.folder}: name the node's --datadir and --network")


@click.command("import")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@options(WORK_OPTIONS)
def take_in(
    files: tuple[Path, ...], network: str, datadir: Path, as_json: bool, **rest: Any
) -> None:
    """Take in the blocks of FILE, which `export` or Bitcoin Core (blk*.dat) wrote.

    All rules are checked. Blocks may come in any order; those of Bitcoin Core's files are read with
    the key in xor.dat beside them. Stop at any moment: the same command goes on.

    \b
    Examples:
      farthing node import blocks.dat --datadir ./data
      farthing node import ~/.bitcoin/regtest/blocks/blk*.dat --datadir ./data
    """
    # lazy: the help text must not wait for the node
    from node.importer import open_source, opened

    begun, config = time.monotonic(), configured(network, datadir, **rest)
    with contextlib.ExitStack() as stack:
        sources = [open_source(path, config.params) for path in files]
        for source in sources:
            stack.callback(source.close)
        importer, *_ = stack.enter_context(opened(config, int(time.time())))
        is_done = take_all(importer, sources, "Importing")
    report(importer, is_done, begun, as_json)
    if importer.tally.troubles:
        fail(first_of(importer.tally.troubles))


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@options(OPTIONS)
def export(file: Path, network: str, datadir: Path, as_json: bool) -> None:
    """Write the blocks of the active chain to FILE, in the framing of Bitcoin Core's blk*.dat.

    A FILE that was begun earlier is gone on with.

    \b
    Example:
      farthing node export blocks.dat --datadir ./data
    """
    # lazy: the help text must not wait for the node
    from node.importer import export as write
    from node.importer import opened

    config = configured(network, datadir, no_index=True)
    require_data(config)
    if config.folder.resolve() in file.resolve().parents:
        fail(f"{file} would lie among the node's own files: choose a place outside {config.folder}")
    count = 0
    with contextlib.ExitStack() as stack:
        importer, *_ = stack.enter_context(opened(config, int(time.time())))
        chainstate = importer.chainstate
        is_asked = stack.enter_context(asked_to_stop())
        step = stack.enter_context(progress("Exporting", chainstate.tip.height + 1))
        for count in write(chainstate, file):
            step(count)
            if is_asked():
                break
    is_done = count > chainstate.tip.height
    if as_json:
        print_json({"complete": is_done, "blocks": count, "file": str(file)})
    else:
        click.echo(f"{plural(count, 'block')} in {file}")
    if not is_done:
        complain(f"stopped after {plural(count, 'block')}: the same command goes on from there")
        raise click.exceptions.Exit(INTERRUPTED)


@click.command()
@options(WORK_OPTIONS)
def reindex(network: str, datadir: Path, as_json: bool, **rest: Any) -> None:
    """Build a node's database anew from its block files: coins, undo data, index.

    For a database that is damaged. Blocks that can't be read are named and left out; the node
    fetches them from its peers when it runs. Stop at any moment: the same command goes on.

    \b
    Example:
      farthing node reindex --datadir ./data
    """
    # lazy: the help text must not wait for the node
    from node.importer import opened, own_sources

    begun, config = time.monotonic(), configured(network, datadir, **rest)
    require_data(config)
    with contextlib.ExitStack() as stack:
        importer, buffer, blocks = stack.enter_context(
            opened(config, int(time.time()), rebuilding=True)
        )
        sources = own_sources(config)
        for source in sources:
            stack.callback(source.close)
        is_done = take_all(importer, sources, "Reindexing")
        if is_done:
            buffer.flush()
            blocks.finish()
    for trouble in dict.fromkeys(filter(None, (blocks.trouble, *importer.tally.troubles))):
        complain(f"{trouble}; the node will fetch what is missing")
    report(importer, is_done, begun, as_json)
