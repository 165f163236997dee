"""`farthing wallet send`: a payment, from the words on the command line to its way to a node."""

from typing import IO

import click

from scripts.cli.common import coins, json_option, print_json
from scripts.cli.payees import METAVAR, read_payees
from scripts.cli.wallet_common import (
    node_option,
    open_wallet,
    password_option,
    read_password,
    synced,
)


@click.command()
@click.argument("name")
@click.argument("words", metavar=METAVAR, nargs=-1, required=True)
@click.option(
    "--rate", "--fee-rate", "fee_rate", help="Satoshis a virtual byte.  [default: by --target]"
)
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
    words: tuple[str, ...],
    fee_rate: str | None,
    target: int,
    node_url: str,
    password_file: IO[str] | None,
    as_json: bool,
) -> None:
    """Pay: each ADDRESS its AMOUNT (0.4 for bitcoins, or 40000sat), or what a payment URI asks.

    \b
    Examples:
      farthing wallet send alice bcrt1q… 0.4
      farthing wallet send alice bcrt1q… 0.4 bcrt1p… 40000sat --rate 2
      farthing wallet send alice 'bitcoin:bcrt1q…?amount=0.4'
    """
    # lazy: the help text must not wait for the wallet
    from wallet.amounts import parse_feerate
    from wallet.client import EsploraClient

    opened = open_wallet(name)
    payees = [(payee.address, payee.amount or 0) for payee in read_payees(words)]
    client = synced(opened, EsploraClient(node_url))
    feerate = parse_feerate(fee_rate) if fee_rate else client.feerate(target)
    draft = opened.prepare(payees, feerate=feerate)
    txid = opened.broadcast(client, opened.sign(draft, read_password(password_file, new=False)))
    satoshis = sum(value for _, value in payees)
    if as_json:
        print_json({"txid": txid, "amount": satoshis, "fee": draft.fee})
        return
    whom = ", ".join(address for address, _ in payees)
    click.echo(f"sent {coins(satoshis)} to {whom}, fee {coins(draft.fee)}\n{txid}")
