"""What the commands of `farthing wallet` share: options, passwords, opening and syncing a wallet.

The password is prompted for or read from a file, never taken from the command line, where other
users and the shell's history would see it.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from scripts.cli import places
from scripts.cli.common import fail

if TYPE_CHECKING:
    from wallet import Wallet
    from wallet.client import EsploraClient
    from wallet.vault import SealKey

DEFAULT_NODE = "http://127.0.0.1:18443"
MAX_TEXT = 10_000  # characters of a password's or words' file


def node_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --node, the node that the wallet asks."""
    return click.option(
        "--node",
        "node_url",
        envvar="FARTHING_NODE",
        default=DEFAULT_NODE,
        show_default=True,
        show_envvar=True,
        help="Any node of the network.",
    )(function)


def gap_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --gap-limit, where a search for payments ends."""
    return click.option(
        "--gap-limit",
        type=click.IntRange(1, 10_000),
        default=20,
        show_default=True,
        help="Unused addresses that end its search.",
    )(function)


def network_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --network, where the wallet's coins will be."""
    return click.option(
        "--network",
        type=click.Choice(["regtest", "classroom"]),
        default="regtest",
        show_default=True,
        help="Where its coins will be.",
    )(function)


def name_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add NAME, a wallet that there is; shells complete it."""
    return click.argument("name", shell_complete=complete_name)(function)


def complete_name(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The wallets on this machine whose names begin so."""
    return [name for name in wallet_names() if name.startswith(incomplete)]


def wallet_names() -> list[str]:
    """The wallets on this machine, sorted."""
    return sorted(path.stem for path in places.wallet_directory().glob("*.wallet"))


def password_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --password-file, read in place of a prompt; and refuse what everybody could read."""
    from_file = click.option(
        "--password-file",
        type=click.File("r"),
        help="Read the password from the first line of FILE, or of standard input (-).",
    )
    return from_file(refuse_secret("--password", "a password", "--password-file")(function))


def refuse_secret(
    option: str, what: str, instead: str
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option for no other use than to say why it does not exist, without repeating its value."""

    def refuse(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
        if value is not None:
            raise click.UsageError(
                f"{what} on the command line is there for others to read, and stays in the "
                f"shell's history: change it if it was real, and be asked for it, or use {instead}"
            )

    said = f"Refused: use {instead}."
    return click.option(option, hidden=True, expose_value=False, callback=refuse, help=said)


def read_text(file: IO[str], what: str, read: Callable[[int], str]) -> str:
    """What `read` takes of a file; one line if that is no text."""
    try:
        return read(MAX_TEXT)
    except UnicodeDecodeError:
        fail(f"{file.name} is no text file; write the {what} into it, in UTF-8")


def require_terminal(what: str, option: str) -> None:
    """One line when there is nobody to ask."""
    if not sys.stdin.isatty():
        fail(f"{what} needed and there is no terminal to ask on; use {option} FILE|-")


def read_password(file: IO[str] | None, *, new: bool, called: str = "Password") -> str:
    """The password from its file, or from a prompt that shows nothing (twice for a new one)."""
    if file is not None:
        password = read_text(file, "password", file.readline).rstrip("\r\n")
    else:
        require_terminal("a password is", "--password-file")
        password = click.prompt(called, hide_input=True, confirmation_prompt=new, err=True)
    if not password:
        fail("the password is empty; give at least one character")
    return password


def read_opener(opened: "Wallet", file: IO[str] | None) -> "str | SealKey":
    """What opens the wallet: the key of one that is unlocked, or the password, asked for."""
    key = opened.unlocked() if file is None else None
    return read_password(file, new=False) if key is None else key


def wallet_path(name: str) -> Path:
    """The file of the wallet of that name; names are plain so that none leaves the folder."""
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii() or len(name) > 64:
        fail(f"'{name}' can't be a wallet's name; use up to 64 letters, digits, '-' and '_'")
    return places.wallet_directory() / f"{name}.wallet"


def open_wallet(name: str) -> "Wallet":
    """The public half of the wallet of that name."""
    path = wallet_path(name)
    if not path.exists():
        fail(
            f"there is no wallet '{name}' in {path.parent}; make it: farthing wallet create {name}"
        )
    # lazy: the help text must not wait for the wallet
    from wallet import Wallet

    return Wallet.open(path)


def sync(opened: "Wallet", node_url: str) -> bool:
    """Bring the wallet up to date; without a node, say so on stderr and show what is known."""
    # lazy: the help text must not wait for the wallet
    from wallet.errors import NodeTimeout, NodeUnreachable

    try:
        synced(opened, node_url)
    except (NodeUnreachable, NodeTimeout) as error:
        click.echo(f"farthing: {error}; showing what was known at the last contact", err=True)
        return False
    return True


def synced(opened: "Wallet", node_url: str) -> "EsploraClient":
    """Bring the wallet up to date with a node of its own network; WalletError otherwise."""
    # lazy: requests is slow to import and not every command asks a node
    from scripts.cli.patient import PatientClient

    client = PatientClient(node_url)
    try:
        client.check_network(opened.params)
        opened.sync(client)
    finally:
        client.rest()
    return client
