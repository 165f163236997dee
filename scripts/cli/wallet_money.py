"""`farthing wallet address`, `balance` and `history`: being paid, and what came of it.

None of them needs a password. What they show is what wallet/ says.
"""

import time

import click

from scripts.cli.common import coins, json_option, print_json, print_table
from scripts.cli.wallet_common import node_option, open_wallet, sync


@click.command()
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


@click.command()
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


@click.command()
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
