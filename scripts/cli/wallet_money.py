"""`farthing wallet address`, `balance` and `history`: being paid, and what came of it.

None of them needs a password. What they show is what wallet/ says.
"""

import time
from typing import BinaryIO

import click

from scripts.cli.common import coins, fail, json_option, print_json, print_table
from scripts.cli.wallet_common import name_argument, node_option, open_wallet, sync


@click.command()
@name_argument
@click.option("--new", is_flag=True, help="The one after it, even if the last was never paid.")
@click.option("--amount", help="Ask for so much: 0.4 (bitcoins) or 40000sat.")
@click.option("--label", default="", help="Who is paid; kept as the address's label too.")
@click.option("--message", default="", help="What for, for the payer to see.")
@click.option(
    "--account", type=click.IntRange(0), default=0, help="Of which account, as `accounts` counts."
)
@click.option("--qr", is_flag=True, help="Draw a QR code to scan as well.")
@click.option("--svg", type=click.File("wb"), help="Write the QR code to FILE, as an SVG image.")
@json_option
def address(
    name: str,
    new: bool,
    amount: str | None,
    label: str,
    message: str,
    account: int,
    qr: bool,
    svg: BinaryIO | None,
    as_json: bool,
) -> None:
    """Print an address to be paid at.

    It is the next that was never used. With --amount, --label or --message it is printed as a
    URI (BIP 21) that other wallets read.

    \b
    Examples:
      farthing wallet address alice
      farthing wallet address alice --amount 0.4 --label "Alice's tea" --qr
    """
    # lazy: the help text must not wait for the wallet
    from wallet.amounts import parse_amount
    from wallet.builder import payment
    from wallet.uri import PaymentUri

    opened = open_wallet(name)
    if account >= len(opened.accounts):
        fail(f"wallet '{name}' has no account {account}: farthing wallet accounts {name}")
    satoshis = None if amount is None else parse_amount(amount)
    known = opened.address_at(0, account=account)
    PaymentUri(known, satoshis, label, message).text()  # what is wrong costs no address
    if satoshis is not None:  # what nobody could pay is not asked for
        payment(known, satoshis, opened.params)
    asked = PaymentUri(opened.address(new, label, account), satoshis, label, message)
    if svg is not None:
        # lazy: who draws no code does not wait for segno
        from scripts.cli.qr import write_svg

        write_svg(asked.qr_text(), svg)
    text = asked.text()
    if as_json:
        print_json({"address": asked.address, "uri": text})
        return
    click.echo(text if amount or label or message else asked.address)
    if qr:
        # lazy too
        from scripts.cli.qr import draw

        click.echo(draw(asked.qr_text()))


@click.command()
@name_argument
@node_option
@json_option
def balance(name: str, node_url: str, as_json: bool) -> None:
    """Show what the wallet holds.

    Confirmed is in a block, pending is not yet, immature was mined too lately to be spent, frozen
    is kept back by `farthing wallet freeze`. Needs no password.

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
                "frozen": held.frozen,
                "fresh": fresh,
            }
        )
        return
    click.echo(f"confirmed  {coins(held.confirmed)}")
    click.echo(f"pending    {coins(held.pending)}")
    click.echo(f"immature   {coins(held.immature)}")
    click.echo(f"frozen     {coins(held.frozen)}")


@click.command()
@name_argument
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
        print_json([item._asdict() for item in items])
        return
    if not items:
        click.echo(f"no payments yet; farthing wallet address {name} prints where to be paid")
        return
    rows = [
        [
            time.strftime("%Y-%m-%d %H:%M", time.localtime(item.time)) if item.time else "",
            item.direction,
            "pending" if item.height is None else f"block {item.height}",
            coins(item.net),
            "" if item.fee is None else f"{item.fee:,} sat",
            item.label,
            item.txid,
        ]
        for item in items
    ]
    print_table(
        ["time", "what", "state", "amount>", "fee>", "label", "txid"], rows, is_last_long=True
    )
