"""`farthing wallet create`, `restore` and `list`: making wallets, and which there are.

It asks and shows; what is done is wallet/.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from scripts.cli import places
from scripts.cli.common import fail, json_option, print_json
from scripts.cli.wallet_common import (
    gap_option,
    network_option,
    password_option,
    read_password,
    read_text,
    refuse_secret,
    require_terminal,
    wallet_names,
    wallet_path,
)

if TYPE_CHECKING:
    from wallet import Wallet

KINDS = ("tr", "wpkh", "sh-wpkh", "pkh")
KIND = click.Choice(KINDS)
KIND_HELP = "Its addresses: taproot, or older ones for payers who know no taproot."


@click.command()
@click.argument("name")
@network_option
@click.option("--type", "kind", type=KIND, default="tr", show_default=True, help=KIND_HELP)
@password_option
@json_option
def create(
    name: str, network: str, kind: str, password_file: IO[str] | None, as_json: bool
) -> None:
    """Make a new wallet and show its 12 words, once.

    \b
    Examples:
      farthing wallet create alice
      farthing wallet create bob --type wpkh
    """
    path = wallet_path(name)
    if path.exists():
        fail(f"there is a wallet '{name}' already ({path}); choose another name")
    password = read_password(password_file, new=True)
    make(name, path, network, password, None, [kind], as_json)


@click.command()
@click.argument("name")
@network_option
@click.option(
    "--type",
    "kinds",
    type=KIND,
    multiple=True,
    default=KINDS,
    show_default="all",
    help=f"{KIND_HELP} Repeatable: an account for each.",
)
@click.option(
    "--backup", type=click.Path(path_type=Path), help="Make it from a backup, which has everything."
)
@click.option("--words-file", type=click.File("r"), help="Read the words from FILE, or - (stdin).")
@refuse_secret("--words", "the words", "--words-file")
@gap_option
@password_option
@json_option
def restore(
    name: str,
    network: str,
    kinds: tuple[str, ...],
    backup: Path | None,
    words_file: IO[str] | None,
    gap_limit: int,
    password_file: IO[str] | None,
    as_json: bool,
) -> None:
    """Make a wallet from the words of an earlier one.

    Coins are looked for at addresses of every kind; the first is where new ones are received. If
    some are missing, restore again with a larger gap limit. The words are asked for, or read from a
    file, so that they stay out of the shell's history.

    \b
    Examples:
      farthing wallet restore alice --words-file words.txt
      farthing wallet restore alice --backup alice.backup
      farthing wallet restore alice --gap-limit 100
    """
    path = wallet_path(name)
    if path.exists():
        fail(f"there is a wallet '{name}' already ({path}); choose another name")
    if backup is not None:
        restore_copy(name, backup, path, as_json)
        return
    if words_file and password_file and words_file.name == password_file.name == "<stdin>":
        fail("words and password can't both come from standard input; put one into a file")
    if words_file:
        words = read_text(words_file, "words", words_file.read)
    else:
        require_terminal("the words are", "--words-file")
        words = click.prompt("Words", hide_input=True, err=True)
    password = read_password(password_file, new=True)
    make(name, path, network, password, " ".join(words.split()), kinds, as_json, gap_limit)


def restore_copy(name: str, backup: Path, path: Path, as_json: bool) -> None:
    """Put a backup in its place."""
    # lazy: the help text must not wait for the wallet
    from wallet import keeping

    made = keeping.copy(backup, path)
    if as_json:
        print_json({"name": name, "network": made.network, "file": str(path)})
    else:
        click.echo(f"Wallet '{name}' on {made.network}: {path}")


def make(
    name: str,
    path: Path,
    network: str,
    password: str,
    words: str | None,
    kinds: Sequence[str],
    as_json: bool,
    gap_limit: int = 20,
) -> None:
    """Write a wallet's file and show what its owner must know."""
    # lazy: the help text must not wait for the wallet
    from chain.params import network as params_of
    from wallet import Wallet

    params = params_of(network)
    made, mnemonic = Wallet.create(path, params, password, words, kinds=kinds, gap_limit=gap_limit)
    try:
        if as_json:
            shown = {"name": name, "network": network, "file": str(path)}
            secret = {} if words else {"mnemonic": mnemonic}
            print_json({**shown, "address": made.address(), **secret})
        else:
            show_new(name, made, path, None if words else mnemonic)
    except OSError as error:
        if words is None:  # nobody has them: what is paid to this wallet could not be restored
            path.unlink()
            fail(f"the words can't be shown ({error.strerror}), so wallet '{name}' was not kept")
        raise


def show_new(name: str, made: "Wallet", path: Path, mnemonic: str | None) -> None:
    """Print where a wallet lies, its words if they are new, and its first address."""
    click.echo(f"Wallet '{name}' on {made.network}: {path}")
    if mnemonic:
        click.echo("\nYour 12 words, shown once. Write them down: they are the money.\n")
        for number, word in enumerate(mnemonic.split(), 1):
            click.echo(f"  {number:2}  {word}")
    else:
        click.echo(f"\nIts coins are found by: farthing wallet balance {name}")
    click.echo(f"\nFirst address: {made.address()}")


@click.command(name="list")
@json_option
def list_wallets(as_json: bool) -> None:
    """List the wallets on this machine.

    \b
    Example:
      farthing wallet list
    """
    names = wallet_names()
    if as_json:
        print_json(names)
    else:
        click.echo("\n".join(names) or f"no wallets in {places.wallet_directory()}")
