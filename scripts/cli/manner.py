"""The manner of a payment: NAME, and the options that every verb which pays has, as one value."""

from collections.abc import Callable
from functools import wraps
from typing import IO, Any, NamedTuple, ParamSpec, TypeVar

import click

from scripts.cli.common import json_option
from scripts.cli.consent import consent_options
from scripts.cli.wallet_common import node_option, password_option

P = ParamSpec("P")
R = TypeVar("R")


class Manner(NamedTuple):
    """How a payment is to be made: the wallet's name, and what was said with options."""

    name: str
    fee_rate: str | None
    target: int
    node_url: str
    password_file: IO[str] | None
    yes: bool
    dry_run: bool
    as_json: bool


def rate_options(function: Callable[P, R]) -> Callable[P, R]:
    """Add --rate and --target, which hand `fee_rate` and `target` to the command."""
    rate = click.option(
        "--rate",
        "--fee-rate",
        "fee_rate",
        metavar="SAT/VB",
        help="Fee in satoshis a virtual byte, such as 2.5.  [default: by --target]",
    )
    target = click.option(
        "--target",
        type=click.IntRange(1, 1008),
        metavar="BLOCKS",
        default=6,
        show_default=True,
        help="Blocks within which it should confirm.",
    )
    return rate(target(function))


def manner_options(function: Callable[..., R]) -> Callable[..., R]:
    """Add those options behind the command's own, and hand them and NAME over as `manner`."""

    @wraps(function)
    def command(**given: Any) -> R:
        manner = Manner(**{field: given.pop(field) for field in Manner._fields})
        return function(manner=manner, **given)

    made: Callable[..., R] = command
    for add in json_option, consent_options, password_option, node_option, rate_options:
        made = add(made)
    return made
