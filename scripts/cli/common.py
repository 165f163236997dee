"""What all command lines share: one-line errors, JSON output, tables, amounts, options.

A command's body raises what it likes from the list in `one_line`; people see one sentence on stderr
and exit code 1 (2 for wrong usage). Nobody sees a traceback, unless FARTHING_DEBUG is set.
"""

import functools
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, ParamSpec, TypeVar

import click

P = ParamSpec("P")
R = TypeVar("R")
COIN = 100_000_000


def fail(sentence: str) -> NoReturn:
    """End the command with one line on stderr and exit code 1."""
    raise click.ClickException(sentence)


def one_line(function: Callable[P, R]) -> Callable[P, R]:
    """Turn whatever a command raises into one line; click's own errors pass."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            if os.environ.get("FARTHING_DEBUG"):
                raise
            raise click.ClickException(sentence_of(error)) from error

    return wrapped


def sentence_of(error: Exception) -> str:
    """One line for any exception; our own carry their sentence, strangers are named."""
    text = " ".join(str(error).split())
    ours = type(error).__module__.split(".")[0] in ("chain", "wallet", "node", "scripts")
    if ours and text:
        return text
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror}{where}"
    return f"unexpected {type(error).__name__}: {text} (FARTHING_DEBUG=1 shows where)"


def json_option(function: Callable[P, R]) -> Callable[P, R]:
    """Add --json, which hands `as_json` to the command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(
        function
    )


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, indent=2))


def coins(satoshis: int) -> str:
    """An amount for people, with its unit: `2.50000000 BTC`."""
    sign = "-" if satoshis < 0 else ""
    whole, rest = divmod(abs(satoshis), COIN)
    return f"{sign}{whole}.{rest:08d} BTC"


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], title: str | None = None
) -> None:
    """Print a table; a column whose name ends in `>` is set to the right."""
    # lazy: rich takes longer to import than a short command runs
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        right = column.endswith(">")
        table.add_column(
            column.rstrip(">"), justify="right" if right else "left", overflow="fold", no_wrap=False
        )
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False, markup=False).print(table)
