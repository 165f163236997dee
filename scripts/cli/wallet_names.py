"""`farthing wallet addresses` and `label`: which addresses there are, and what things are called.

Neither asks a node or needs a password. What is a wallet's own and may have a label: wallet.labels.
"""

import click

from scripts.cli.common import coins, fail, json_option, print_json, print_table
from scripts.cli.wallet_common import name_argument, open_wallet


@click.command()
@name_argument
@json_option
def addresses(name: str, as_json: bool) -> None:
    """List the addresses given out so far.

    With each, what came to it and what is still there; the last is the next to be given out.

    \b
    Example:
      farthing wallet addresses alice
    """
    items = open_wallet(name).addresses()
    if as_json:
        print_json([item._asdict() for item in items])
        return
    rows = [
        [item.number, coins(item.received), coins(item.held), item.label, item.address]
        for item in items
    ]
    columns = ["number>", "received>", "still there>", "label", "address"]
    print_table(columns, rows, is_last_long=True)


@click.command()
@name_argument
@click.argument("thing", required=False)
@click.argument("text", required=False)
@click.option("--remove", is_flag=True, help="Take the label of THING away.")
@json_option
def label(name: str, thing: str | None, text: str | None, remove: bool, as_json: bool) -> None:
    """Name an address, payment or coin.

    THING is an address, a transaction's id, or a coin as TXID:NUMBER. Without TEXT its label is
    printed, without THING all labels. They stay in the wallet's file: no node or payee learns them.

    \b
    Examples:
      farthing wallet label alice bcrt1q… "Bob, rent"
      farthing wallet label alice TXID "March"
      farthing wallet label alice
    """
    opened = open_wallet(name)
    if thing is None:
        if remove:
            raise click.UsageError("say which label to remove: THING --remove")
        show_labels(name, opened.labels, as_json)
        return
    if text is not None and remove:
        raise click.UsageError("give a TEXT or --remove, not both")
    if text is not None or remove:
        opened.set_label(thing, text or "")
    elif not opened.label(thing):
        fail(f"{thing[:100]} has no label; give it one: farthing wallet label {name} THING TEXT")
    if as_json:
        print_json({"thing": thing, "label": opened.label(thing)})
    elif not remove:
        click.echo(opened.label(thing))


def show_labels(name: str, labels: dict[str, str], as_json: bool) -> None:
    """All labels of a wallet, sorted by what they say."""
    # lazy: the help text must not wait for the wallet
    from wallet.labels import kind_of

    known = [(kind_of(thing), thing, text) for thing, text in labels.items()]
    if as_json:
        # The lines of a BIP 329 file.
        print_json([{"type": kind, "ref": thing, "label": text} for kind, thing, text in known])
    elif known:
        rows = sorted((text, kind, thing) for kind, thing, text in known)
        print_table(["label", "kind", "thing"], rows, is_last_long=True)
    else:
        click.echo(f"no labels yet; farthing wallet label {name} THING TEXT gives one")
