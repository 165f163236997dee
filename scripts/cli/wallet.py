"""`farthing wallet`: keys, addresses, payments, balances.

It asks and shows; what is done is wallet/. The password is prompted for or read from a file, never
taken from the command line, where other users and the shell's history would see it.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from scripts.cli import places
from scripts.cli.common import coins, fail, json_option, print_json, print_table

if TYPE_CHECKING:
    from wallet import Wallet
    from wallet.client import EsploraClient

DEFAULT_NODE = "http://127.0.0.1:18443"
MAX_TEXT = 10_000  # characters of a password's or words' file


@click.group()
def wallet() -> None:
    """Keys, payments, balances.

    \b
    Examples:
      farthing wallet create alice
      farthing wallet address alice
      farthing wallet send alice ADDRESS 0.4
      farthing wallet balance alice
    """


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


def network_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --network, where the wallet's coins will be."""
    return click.option(
        "--network",
        type=click.Choice(["regtest", "classroom"]),
        default="regtest",
        show_default=True,
        help="Where its coins will be.",
    )(function)


def password_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --password-file, read in place of a prompt."""
    return click.option(
        "--password-file",
        type=click.File("r"),
        help="Read the password from the first line of FILE, or of standard input (-).",
    )(function)


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


def read_password(file: IO[str] | None, *, new: bool) -> str:
    """The password from its file, or from a prompt that shows nothing (twice for a new one)."""
    if file is not None:
        password = read_text(file, "password", file.readline).rstrip("\r\n")
    else:
        require_terminal("a password is", "--password-file")
        password = click.prompt("Password", hide_input=True, confirmation_prompt=new, err=True)
    if not password:
        fail("the password is empty; give at least one character")
    return password


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
    # lazy: requests is slow to import and not every command asks a node
    from wallet.client import EsploraClient
    from wallet.errors import NodeTimeout, NodeUnreachable

    try:
        synced(opened, EsploraClient(node_url))
    except (NodeUnreachable, NodeTimeout) as error:
        click.echo(f"farthing: {error}; showing what was known at the last contact", err=True)
        return False
    return True


def synced(opened: "Wallet", client: "EsploraClient") -> "EsploraClient":
    """Bring the wallet up to date with a node of its own network; WalletError otherwise."""
    client.check_network(opened.params)
    opened.sync(client)
    return client


@wallet.command()
@click.argument("name")
@network_option
@password_option
@json_option
def create(name: str, network: str, password_file: IO[str] | None, as_json: bool) -> None:
    """Make a new wallet and show its 12 words, once.

    \b
    Example:
      farthing wallet create alice
    """
    path = wallet_path(name)
    if path.exists():
        fail(f"there is a wallet '{name}' already ({path}); choose another name")
    make(name, path, network, read_password(password_file, new=True), None, as_json)


@wallet.command()
@click.argument("name")
@network_option
@click.option("--words-file", type=click.File("r"), help="Read the words from FILE, or - (stdin).")
@password_option
@json_option
def restore(
    name: str,
    network: str,
    words_file: IO[str] | None,
    password_file: IO[str] | None,
    as_json: bool,
) -> None:
    """Make a wallet from the words of an earlier one.

    The words are asked for, or read from a file, so that they stay out of the shell's history.

    \b
    Example:
      farthing wallet restore alice --words-file words.txt
    """
    path = wallet_path(name)
    if path.exists():
        fail(f"there is a wallet '{name}' already ({path}); choose another name")
    if words_file and password_file and words_file.name == password_file.name == "<stdin>":
        fail("words and password can't both come from standard input; put one into a file")
    if words_file:
        words = read_text(words_file, "words", words_file.read)
    else:
        require_terminal("the words are", "--words-file")
        words = click.prompt("Words", hide_input=True, err=True)
    password = read_password(password_file, new=True)
    make(name, path, network, password, " ".join(words.split()), as_json)


def make(
    name: str, path: Path, network: str, password: str, words: str | None, as_json: bool
) -> None:
    """Write a wallet's file and show what its owner must know."""
    # lazy: the help text must not wait for the wallet
    from chain.params import network as params_of
    from wallet import Wallet

    made, mnemonic = Wallet.create(path, params_of(network), password, words=words)
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


@wallet.command(name="list")
@json_option
def list_wallets(as_json: bool) -> None:
    """List the wallets on this machine.

    \b
    Example:
      farthing wallet list
    """
    names = sorted(path.stem for path in places.wallet_directory().glob("*.wallet"))
    if as_json:
        print_json(names)
    else:
        click.echo("\n".join(names) or f"no wallets in {places.wallet_directory()}")


@wallet.command()
@click.argument("name")
@click.option("--new", is_flag=True, help="The one after it, even if the last was never paid.")
@json_option
def address(name: str, new: bool, as_json: bool) -> None:
    """Print an address to be paid at: the next that was never used.

    \b
    Example:
      farthing wallet address alice
    """
    shown = open_wallet(name).address(new=new)
    if as_json:
        print_json({"address": shown})
    else:
        click.echo(shown)


@wallet.command()
@click.argument("name")
@node_option
@json_option
def balance(name: str, node_url: str, as_json: bool) -> None:
    """Show what the wallet holds: confirmed, pending, immature. Needs no password.

    \b
    Example:
      farthing wallet balance alice --node http://127.0.0.1:18444
    """
    opened = open_wallet(name)
    fresh = sync(opened, node_url)
    held = opened.balance()
    if as_json:
        print_json(
            {
                "confirmed": held.confirmed,
                "pending": held.pending,
                "immature": held.immature,
                "fresh": fresh,
            }
        )
        return
    click.echo(f"confirmed  {coins(held.confirmed)}")
    click.echo(f"pending    {coins(held.pending)}")
    click.echo(f"immature   {coins(held.immature)}")


@wallet.command()
@click.argument("name")
@node_option
@json_option
def history(name: str, node_url: str, as_json: bool) -> None:
    """List the wallet's payments, newest first. Needs no password.

    \b
    Example:
      farthing wallet history alice --json
    """
    opened = open_wallet(name)
    sync(opened, node_url)
    items = opened.history()
    if as_json:
        print_json(
            [
                {
                    "txid": item.txid,
                    "net": item.net,
                    "fee": item.fee,
                    "height": item.height,
                    "time": item.time,
                }
                for item in items
            ]
        )
        return
    if not items:
        click.echo(f"no payments yet; farthing wallet address {name} prints where to be paid")
        return
    rows = [
        [
            time.strftime("%Y-%m-%d %H:%M", time.localtime(item.time)) if item.time else "",
            "pending" if item.height is None else f"block {item.height}",
            coins(item.net),
            "" if item.fee is None else coins(item.fee),
            item.txid,
        ]
        for item in items
    ]
    print_table(["time", "state", "amount>", "fee>", "txid"], rows)


@wallet.command()
@click.argument("name")
@click.argument("address")
@click.argument("amount")
@click.option("--fee-rate", type=str, help="Satoshis per virtual byte.  [default: by --target]")
@click.option(
    "--target",
    type=click.IntRange(1, 1008),
    default=6,
    show_default=True,
    help="Blocks within which it should confirm.",
)
@node_option
@password_option
@json_option
def send(
    name: str,
    address: str,
    amount: str,
    fee_rate: str | None,
    target: int,
    node_url: str,
    password_file: IO[str] | None,
    as_json: bool,
) -> None:
    """Pay AMOUNT bitcoins to ADDRESS.

    \b
    Example:
      farthing wallet send alice bcrt1q… 0.4 --fee-rate 2
    """
    # lazy: the help text must not wait for the wallet
    from wallet.amounts import parse_amount, parse_feerate
    from wallet.client import EsploraClient

    opened = open_wallet(name)
    satoshis = parse_amount(amount)
    client = synced(opened, EsploraClient(node_url))
    feerate = parse_feerate(fee_rate) if fee_rate else client.feerate(target)
    draft = opened.prepare([(address, satoshis)], feerate=feerate)
    txid = opened.broadcast(client, opened.sign(draft, read_password(password_file, new=False)))
    if as_json:
        print_json({"txid": txid, "amount": satoshis, "fee": draft.fee})
        return
    click.echo(f"sent {coins(satoshis)} to {address}, fee {coins(draft.fee)}\n{txid}")
