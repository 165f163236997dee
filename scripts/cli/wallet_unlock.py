"""`farthing wallet unlock` and `lock`: for a while no password is asked.

How that is done without anything secret on disk: wallet.unlocking, wallet.agent.
"""

import re
from typing import IO

import click

from scripts.cli import places
from scripts.cli.common import json_option, plural, print_json
from scripts.cli.wallet_common import (
    complete_name,
    name_argument,
    open_wallet,
    password_option,
    read_password,
    wallet_names,
    wallet_path,
)

_DURATION = re.compile(r"(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,5})s)?")
MAX_HOURS = 24


class Duration(click.ParamType[int]):
    """`10m`, `90s`, `1h30m`: whole seconds, from one to a day."""

    name = "TIME"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """The seconds; click.UsageError in one line."""
        if isinstance(value, int):
            return value
        found = _DURATION.fullmatch(str(value))
        hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0,) * 3
        whole = 3600 * hours + 60 * minutes + seconds
        if not 1 <= whole <= MAX_HOURS * 3600:
            self.fail(f"{str(value)[:50]!r} is no time from 1s to {MAX_HOURS}h: 10m, 90s or 1h30m")
        return whole


@click.command()
@name_argument
@click.option(
    "--for", "seconds", type=Duration(), default="10m", show_default=True, help="How long: 1h30m."
)
@click.option(
    "--status", is_flag=True, help="Say how long it is unlocked still, and change nothing."
)
@password_option
@json_option
def unlock(
    name: str, seconds: int, status: bool, password_file: IO[str] | None, as_json: bool
) -> None:
    """Ask for the password now, and not again for a while.

    A process of its own keeps what opens the wallet, in memory alone: nothing secret comes to the
    disk. It serves you on this machine, so lock the wallet when you leave it. A second unlock
    counts from anew. Changing the password and adding accounts ask for it all the same.

    \b
    Examples:
      farthing wallet unlock alice --for 10m
      farthing wallet unlock alice --status
      farthing wallet lock alice
    """
    # lazy: the help text must not wait for the wallet
    from wallet import keeping

    open_wallet(name)
    if not status:
        keeping.unlock(wallet_path(name), read_password(password_file, new=False), seconds)
    show_left(name, as_json)


@click.command()
@click.argument("name", required=False, shell_complete=complete_name)
@json_option
def lock(name: str | None, as_json: bool) -> None:
    """Ask for the password again, from now on. Without NAME, for every wallet.

    \b
    Examples:
      farthing wallet lock alice
      farthing wallet lock
    """
    # lazy: the help text must not wait for the wallet
    from wallet import unlocking

    names = wallet_names() if name is None else [name]
    ended = [each for each in names if unlocking.lock(wallet_path(each))]
    if name is not None and not ended:
        open_wallet(name)  # or say that there is none
    if as_json:
        print_json([{"name": each, "was_unlocked": each in ended} for each in names])
    elif name is not None:
        click.echo(f"wallet '{name}' is locked{'' if ended else ', as it was'}")
    else:
        click.echo(f"all are locked in {places.wallet_directory()}; {len(ended)} had been unlocked")


def show_left(name: str, as_json: bool) -> None:
    """Whether a wallet is unlocked, and for how long still."""
    # lazy: the help text must not wait for the wallet
    from wallet import unlocking

    found = unlocking.left(wallet_path(name))
    seconds = 0 if found is None else -int(-found.left_s // 1)
    if as_json:
        shown = {"name": name, "unlocked": found is not None, "seconds_left": seconds}
        print_json({**shown, "pid": None if found is None else found.pid})
    elif found is None:
        click.echo(f"wallet '{name}' is locked")
    else:
        click.echo(f"wallet '{name}' is unlocked for {for_people(seconds)}")


def for_people(seconds: int) -> str:
    """`1 hour 5 minutes`, `45 seconds`; seconds only below ten minutes."""
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [(hours, "hour"), (minutes, "minute"), (rest if seconds < 600 else 0, "second")]
    return " ".join(plural(count, noun) for count, noun in parts if count)
