"""Consent: what a payment does, shown before it is signed, and the question whether to go on.

What is shown goes to standard error, so that standard output holds the result alone; with
`--dry-run` it is the result. Without a terminal there is nobody to ask: `--yes` is then required,
and its absence is wrong usage, noticed before anything is done.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from scripts.cli.common import coins, fail, plural, print_json

if TYPE_CHECKING:
    from wallet.summary import Summary

P = ParamSpec("P")
R = TypeVar("R")
DEAR_PERCENT = 10  # of what is paid: a fee to say something about


def consent_options(function: Callable[P, R]) -> Callable[P, R]:
    """Add --yes and --dry-run, which hand `yes` and `dry_run` to the command."""
    yes = click.option("--yes", "-y", is_flag=True, help="Sign without asking.")
    dry_run = click.option("--dry-run", is_flag=True, help="Show it, and sign nothing.")
    return yes(dry_run(function))


def require_consent(yes: bool, dry_run: bool) -> None:
    """click.UsageError when it would have to be asked for where nobody is."""
    if yes and dry_run:
        raise click.UsageError("--yes and --dry-run contradict each other; choose one")
    if not (yes or dry_run or sys.stdin.isatty()):
        raise click.UsageError(
            "there is no terminal to ask on: look first with --dry-run, then repeat with --yes"
        )


def consent(question: str, yes: bool) -> None:
    """Ask, unless --yes was given; anything but a yes ends the command with exit code 1."""
    if not yes and not click.confirm(question, err=True):
        fail("nothing was signed or sent")


def show_summary(summary: "Summary", name: str, *, to_stderr: bool = True) -> None:
    """For people: what is about to be signed, or was."""
    click.echo("\n".join(summary_lines(summary, name)), err=to_stderr)


def show_dry_run(summary: "Summary", name: str, as_json: bool) -> None:
    """What would be signed, as the result of the command."""
    if as_json:
        print_json({"dry_run": True, **summary.to_json()})
    else:
        show_summary(summary, name, to_stderr=False)


def summary_lines(summary: "Summary", name: str) -> list[str]:
    """One line for each payee, then fee, change and what is left; every amount with its unit."""
    lines = [f"Pays    {coins(value)} to {address}" for address, value in summary.payees]
    if len(summary.payees) > 1:
        lines.append(f"        {coins(summary.amount)} in all")
    if summary.taken:
        lines.append(f"        {summary.taken:,} sat less than before, which go to the fee")
    lines.append(f"Fee     {fee_line(summary)}")
    if summary.change:
        lines.append(f"Change  {coins(summary.change)} back to {name}")
    elif summary.given_up:
        lines.append(f"Change  none: {summary.given_up:,} sat are too little, they go to the fee")
    else:
        lines.append("Change  none")
    lines.append(f"Left    {coins(summary.left)} in {name}")
    return lines


def fee_line(summary: "Summary") -> str:
    """`282 sat (2.00 sat/vB, 0.01% of what is paid), for 1 coin spent`."""
    percent = summary.fee_percent
    share = f"{percent}%" if percent else "under 0.01%"
    share = f", {share} of what is paid" if summary.payees else ""
    line = f"{summary.fee:,} sat ({summary.feerate} sat/vB{share}), "
    line += f"for {plural(summary.coins, 'coin')} spent"
    if summary.for_parents:
        line += f", {summary.for_parents:,} sat of it for payments that wait before this one"
    return line + ("; that is much" if summary.payees and percent >= DEAR_PERCENT else "")
