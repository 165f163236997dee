"""`farthing wallet accounts`, `watch`, `export`, `check`, `password`, `backup`: a wallet's file.

What is done is wallet.keeping. Descriptors are those that other wallets read and write.
"""

from pathlib import Path
from typing import IO

import click

from scripts.cli.common import fail, json_option, print_json, print_table
from scripts.cli.psbt_files import network_option as any_network_option
from scripts.cli.psbt_files import params_of, read_lines
from scripts.cli.wallet_common import (
    gap_option,
    name_argument,
    open_wallet,
    password_option,
    read_opener,
    read_password,
    wallet_path,
)

KINDS = ("tr", "wpkh", "sh-wpkh", "pkh")


@click.command()
@name_argument
@click.option("--add", "kind", type=click.Choice(KINDS), help="Add an account of this type.")
@click.option("--number", type=click.IntRange(0, 2**31 - 1), default=0, help="Which, from 0.")
@gap_option
@password_option
@json_option
def accounts(
    name: str,
    kind: str | None,
    number: int,
    gap_limit: int,
    password_file: IO[str] | None,
    as_json: bool,
) -> None:
    """List the accounts of a wallet, or add one.

    \b
    Examples:
      farthing wallet accounts alice
      farthing wallet accounts alice --add wpkh --number 1
    """
    # lazy: the help text must not wait for the wallet
    from wallet import keeping

    opened = open_wallet(name)
    if kind is not None:
        if opened.is_watch_only:
            fail(f"wallet '{name}' only watches; watch another descriptor under another name")
        password = read_password(password_file, new=False)
        keeping.add_account(wallet_path(name), password, kind, number, gap_limit)
        opened = open_wallet(name)
    known = [(n, a.kind, a.gap_limit, a.text()) for n, a in enumerate(opened.accounts)]
    names = ("account", "type", "gap_limit", "descriptor")
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in known])
    else:
        print_table(["account>", "type", "gap limit>", "descriptor"], [list(row) for row in known])


@click.command()
@click.argument("name")
@click.argument("descriptors", metavar="DESCRIPTOR...", nargs=-1, required=True)
@gap_option
@any_network_option
@json_option
def watch(
    name: str, descriptors: tuple[str, ...], gap_limit: int, network: str, as_json: bool
) -> None:
    """Make a wallet that follows DESCRIPTORs (lines, or files of them) and has no keys.

    It shows balance and addresses; send prints a PSBT for those who have the keys. Receiving
    (…/0/*) and change (…/1/*) may come apart, as other wallets export them: they are joined.

    \b
    Examples:
      farthing wallet watch shared shared.txt
      farthing wallet watch phone 'wpkh(tpub…/0/*)#…' 'wpkh(tpub…/1/*)#…'
      farthing wallet watch core listdescriptors.json
    """
    # lazy: the help text must not wait for the wallet
    from wallet import Wallet

    lines = [line for place in descriptors for line in read_lines(place)]
    path = wallet_path(name)
    made = Wallet.watch(path, params_of(network), lines, gap_limit=gap_limit)
    if as_json:
        print_json({"name": name, "file": str(path), "address": made.address()})
    else:
        click.echo(f"Wallet '{name}' on {made.network} watches: {path}")
        click.echo(f"First address: {made.address()}")


@click.command()
@name_argument
@json_option
def export(name: str, as_json: bool) -> None:
    """Print the wallet's descriptors, one a line: they show all addresses and can spend nothing.

    \b
    Example:
      farthing wallet export alice > alice.txt
    """
    texts = [account.text() for account in open_wallet(name).accounts]
    if as_json:
        print_json({"descriptors": texts})
    else:
        click.echo("\n".join(texts))


@click.command()
@name_argument
@password_option
@json_option
def check(name: str, password_file: IO[str] | None, as_json: bool) -> None:
    """Check with the password that all addresses in the wallet's file are its own.

    Whoever can write to the file could put in addresses of his. Paying notices that; being paid
    asks for no password, so check before large sums.

    \b
    Example:
      farthing wallet check alice
    """
    # lazy: the help text must not wait for the wallet
    from wallet import keeping

    opened = open_wallet(name)
    keeping.check(wallet_path(name), read_opener(opened, password_file))
    if as_json:
        print_json({"name": name, "good": True})
    else:
        click.echo(f"wallet '{name}' is whole; its addresses are those of its words")


@click.command()
@name_argument
@click.option("--new-password-file", type=click.File("r"), help="Read the new one from FILE.")
@password_option
@json_option
def password(
    name: str, new_password_file: IO[str] | None, password_file: IO[str] | None, as_json: bool
) -> None:
    """Change the password. Backups made before still open with the old one.

    \b
    Examples:
      farthing wallet password alice
      farthing wallet password alice --password-file old.txt --new-password-file new.txt
    """
    # lazy: the help text must not wait for the wallet
    from wallet import keeping

    open_wallet(name)
    old = read_password(password_file, new=False)
    new = read_password(new_password_file, new=True, called="New password")
    keeping.change_password(wallet_path(name), old, new)
    if as_json:
        print_json({"name": name})
    else:
        click.echo(f"wallet '{name}' has a new password")


@click.command()
@name_argument
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def backup(name: str, file: Path, as_json: bool) -> None:
    """Write a copy of everything, labels and history too, to FILE. It opens with the password.

    \b
    Example:
      farthing wallet backup alice alice.backup
    """
    # lazy: the help text must not wait for the wallet
    from wallet import keeping

    open_wallet(name)
    if not file.name:
        fail("the copy needs a name: give a FILE that is not there yet")
    if not file.absolute().parent.is_dir():
        fail(f"there is no folder {file.absolute().parent}: make it first, or mount its disk")
    keeping.copy(wallet_path(name), file)
    if as_json:
        print_json({"name": name, "file": str(file)})
    else:
        click.echo(f"copied to {file}; back again: farthing wallet restore NAME --backup {file}")
