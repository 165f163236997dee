"""`farthing wallet send`: a payment, from the words on the command line to its way to a node."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from scripts.cli.common import print_json
from scripts.cli.consent import consent, require_consent, show_dry_run, show_summary
from scripts.cli.manner import Manner, manner_options
from scripts.cli.payees import METAVAR, read_coins, read_payees
from scripts.cli.wallet_common import name_argument, open_wallet, read_opener, synced

if TYPE_CHECKING:
    from wallet import Wallet
    from wallet.builder import Draft
    from wallet.client import EsploraClient
    from wallet.summary import Summary
    from wallet.uri import PaymentUri


@click.command()
@name_argument
@click.argument("words", metavar=METAVAR, nargs=-1, required=True)
@click.option("--all", "all_left", is_flag=True, help="The ADDRESS without AMOUNT gets the rest.")
@click.option(
    "--from", "outpoints", metavar="COIN", multiple=True, help="Pay from this coin; repeatable."
)
@click.option("--label", default="", help="What to call it in the history.  [default: the URI's]")
@manner_options
def send(
    manner: Manner, words: tuple[str, ...], all_left: bool, outpoints: tuple[str, ...], label: str
) -> None:
    """Pay one or several.

    Each ADDRESS gets the AMOUNT behind it, 0.4 (bitcoins) or 40000sat; a payment URI may hold both.
    What it would do is shown, and asked, before it is signed. Exit code 2 if there is no terminal
    to ask on and no --yes.

    \b
    Examples:
      farthing wallet send alice bcrt1q… 0.4
      farthing wallet send alice bcrt1q… 0.4 bcrt1p… 40000sat --rate 2
      farthing wallet send alice bcrt1q… --all --from 4f2c…:1
      farthing wallet send alice 'bitcoin:bcrt1q…?amount=0.4' --dry-run
    """
    # lazy: the help text must not wait for the wallet
    from wallet.amounts import parse_feerate
    from wallet.builder import payable_script
    from wallet.labels import check_label

    require_consent(manner.yes, manner.dry_run)
    opened = open_wallet(manner.name)
    payees = read_payees(words, all_left=all_left)
    for payee in payees:
        payable_script(payee.address, opened.params)  # a mistake is told before a node is asked
    chosen = read_coins(outpoints)
    label = check_label(label) or called(payees)
    client, rate = synced(opened, manner.node_url), manner.fee_rate
    feerate = client.feerate(manner.target) if rate is None else parse_feerate(rate)
    asked = [(payee.address, payee.amount) for payee in payees]
    draft = opened.prepare(asked, feerate=feerate, coins=chosen)
    carry_out(opened, client, draft, opened.summary(draft, feerate), label, manner)


def carry_out(
    opened: "Wallet",
    client: "EsploraClient",
    draft: "Draft",
    summary: "Summary",
    label: str,
    manner: Manner,
) -> None:
    """Show a payment, ask, sign, send, and say which it is; with --dry-run show it only."""
    name, yes, as_json = manner.name, manner.yes, manner.as_json
    if manner.dry_run:
        show_dry_run(summary, name, as_json)
        return
    if not yes:
        show_summary(summary, name)
    if opened.is_watch_only:
        psbt = opened.unsigned(draft).text()
        print_json({"psbt": psbt, **summary.to_json()}) if as_json else click.echo(psbt)
        return
    consent("Send it?", yes)
    txid = opened.broadcast(client, opened.sign(draft, read_opener(opened, manner.password_file)))
    if label:
        opened.set_label(txid, label)
    if as_json:
        print_json({"txid": txid, **summary.to_json()})
        return
    if yes:
        show_summary(summary, name)
    click.echo(txid)


def called(payees: "Sequence[PaymentUri]") -> str:
    """What payment URIs say of themselves, cut to a label's length: who is paid, and what for."""
    # lazy: the help text must not wait for the wallet
    from wallet.labels import MAX_LABEL

    said = [text for payee in payees for text in (payee.label, payee.message) if text]
    return ", ".join(said)[:MAX_LABEL].strip()
