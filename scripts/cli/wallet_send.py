"""`farthing wallet send`: a payment, from the words on the command line to its way to a node."""

from typing import IO

import click

from scripts.cli.common import coins, json_option, print_json
from scripts.cli.wallet_common import (
    node_option,
    open_wallet,
    password_option,
    read_password,
    synced,
)


@click.command()
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
