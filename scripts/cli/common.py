"""What all command lines share: one-line errors, JSON output, tables, amounts, options.

A command's body raises what it likes; people see one sentence on stderr and exit code 1, 2 for
wrong usage, 130 after Ctrl-C. Nobody sees a traceback, unless FARTHING_DEBUG is set.
"""

import contextlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, ParamSpec, TextIO, TypeVar, cast

import click

P = ParamSpec("P")
R = TypeVar("R")
Words = Sequence[str]
COIN = 100_000_000
OK, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130
OURS = ("chain", "wallet", "node", "scripts")
PIPED_WIDTH = 200  # columns of a table that goes to no terminal
UNBROKEN = 2_000  # columns that no table needs


class InOrder(click.Group):
    """A group that lists its commands in the order in which people meet them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, as they were added."""
        return list(self.commands)


def fail(sentence: str) -> NoReturn:
    """End the command with one line on stderr and exit code 1."""
    raise click.ClickException(sentence)


def complain(sentence: str) -> None:
    """One line on stderr."""
    with contextlib.suppress(OSError):  # nobody has to read it
        click.echo(f"farthing: {' '.join(sentence.split())}", err=True)


def run(command: click.Command, words: Words, name: str = "farthing") -> int:
    """Run a command line; the exit code. Whatever goes wrong becomes one line on stderr."""
    prepare_streams()
    try:
        return run_bare(command, words, name)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return WRONG_USAGE
    except click.UsageError as error:
        complain(with_help(error, name))
        return WRONG_USAGE
    except click.ClickException as error:
        complain(error.format_message())
        return FAILED
    except (KeyboardInterrupt, EOFError, click.Abort):
        complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # `| head` has seen enough. Python would complain when it flushes what nobody reads.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:
        if os.environ.get("FARTHING_DEBUG"):
            raise
        complain(sentence_of(error))
        return FAILED


def prepare_streams() -> None:
    """Have all three, whatever was closed; a letter that can't be shown must not end a command."""
    # Opening takes the lowest free number, so that no file or socket becomes "standard output".
    sys.stdin = sys.stdin or null("r")
    sys.stdout = sys.stdout or null("w")
    sys.stderr = sys.stderr or null("w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def null(mode: str) -> TextIO:
    """Where nothing comes from and everything may go, to the end of the process."""
    return cast(TextIO, open(os.devnull, mode, encoding="utf-8"))


def run_bare(command: click.Command, words: Words, name: str) -> int:
    """Run a command line and let its exceptions out, but for click's way to say an exit code."""
    try:
        with command.make_context(name, list(words)) as context:
            command.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    return OK


def with_help(error: click.UsageError, name: str) -> str:
    """What was wrong with the usage, and which --help tells more."""
    path = error.ctx.command_path if error.ctx else name
    text = error.format_message()
    if isinstance(error, click.NoSuchOption) and error.option_name[1:2].isdigit():
        params = error.ctx.command.params if error.ctx else []
        if any("AMOUNT" in (param.metavar or param.name or "").upper() for param in params):
            text = "An amount is never negative"
    return f"{text}{'' if text.endswith(('.', '?')) else '.'} See: {path} --help"


def sentence_of(error: Exception) -> str:
    """One line for any exception; our own carry their sentence, strangers are named."""
    text = str(error)
    if text and type(error).__module__.split(".")[0] in OURS:
        return text
    if isinstance(error, OSError) and error.strerror:
        what = f"can't use {error.filename}" if error.filename else "can't read or write"
        return f"{what}: {error.strerror}; check the path, its permissions and the disk"
    return f"unexpected {type(error).__name__}: {text} (FARTHING_DEBUG=1 shows where)"


def json_option(function: Callable[P, R]) -> Callable[P, R]:
    """Add --json, which hands `as_json` to the command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(
        function
    )


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, indent=2))


def print_json_line(value: Any) -> None:
    """Print a value as JSON on a line of its own: where more will follow."""
    click.echo(json.dumps(value))


def coins(satoshis: int) -> str:
    """An amount for people, with its unit: `2.50000000 BTC`."""
    sign = "-" if satoshis < 0 else ""
    whole, rest = divmod(abs(satoshis), COIN)
    return f"{sign}{whole}.{rest:08d} BTC"


def plural(count: int, noun: str) -> str:
    """`1 node`, `2 nodes`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, is_last_long: bool = False
) -> None:
    """Print a table; a column whose name ends in `>` is set to the right.

    With `is_last_long` the last column holds ids or addresses, to be copied whole: where a terminal
    is too narrow, they stand below their rows.
    """
    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else PIPED_WIDTH
    lines = table_lines(columns, rows, UNBROKEN if is_last_long else width)
    if is_last_long and is_terminal and max(map(len, lines)) > width:
        top, bar, *body = table_lines(columns[:-1], [row[:-1] for row in rows], UNBROKEN)
        lines = [top, bar]
        for line, row in zip(body, rows, strict=True):
            lines += [line, f"  {row[-1]}"]
    # Not by rich itself, whose printing ends a program whose reader has left.
    click.echo("\n".join(lines))


def printable(text: str) -> str:
    """The text, with nothing in it that drives a terminal; lines stay lines."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[object]], width: int) -> list[str]:
    """A table as lines, without the blanks at their ends; cells are folded to so many columns."""
    # lazy: rich takes longer to import than a short command runs
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        right = column.endswith(">")
        table.add_column(column.rstrip(">"), justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(printable(str(cell)) for cell in row))
    page = io.StringIO()
    Console(file=page, width=width, highlight=False, markup=False).print(table)
    return [line.rstrip() for line in page.getvalue().splitlines()]
