"""`farthing wallet send`: a payment, from the words on the command line to its way to a node."""

from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar

import click

from scripts.cli.common import json_option, print_json
from scripts.cli.consent import (
    consent,
    consent_options,
    require_consent,
    show_dry_run,
    show_summary,
)
from scripts.cli.payees import METAVAR, read_coins, read_payees
from scripts.cli.wallet_common import (
    name_argument,
    node_option,
    open_wallet,
    password_option,
    read_opener,
    synced,
)

if TYPE_CHECKING:
    from wallet import Wallet
    from wallet.builder import Draft
    from wallet.client import EsploraClient
    from wallet.summary import Summary
    from wallet.uri import PaymentUri

P = ParamSpec("P")
R = TypeVar("R")


def rate_options(function: Callable[P, R]) -> Callable[P, R]:
    """Add --rate and --target, which hand `fee_rate` and `target` to the command."""
    rate = click.option(
        "--rate",
        "--fee-rate",
        "fee_rate",
        metavar="SAT/VB",
        help="Fee in satoshis a virtual byte, such as 2.5.  [default: by --target]",
    )
    target = click.option(
        "--target",
        type=click.IntRange(1, 1008),
        metavar="BLOCKS",
        default=6,
        show_default=True,
        help="Blocks within which it should confirm.",
    )
    return rate(target(function))


@click.command()
@name_argument
@click.argument("words", metavar=METAVAR, nargs=-1, required=True)
@rate_options
@click.option("--all", "all_left", is_flag=True, help="The ADDRESS without AMOUNT gets the rest.")
@click.option(
    "--from", "outpoints", metavar="COIN", multiple=True, help="Pay from this coin; repeatable."
)
@click.option("--label", default="", help="What to call it in the history.  [default: the URI's]")
@node_option
@password_option
@consent_options
@json_option
def send(
    name: str,
    words: tuple[str, ...],
    fee_rate: str | None,
    target: int,
    all_left: bool,
    outpoints: tuple[str, ...],
    label: str,
    node_url: str,
    password_file: IO[str] | None,
    yes: bool,
    dry_run: bool,
    as_json: bool,
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
    from wallet.client import EsploraClient

    # lazy too
    from wallet.labels import check_label

    require_consent(yes, dry_run)
    opened = open_wallet(name)
    payees = read_payees(words, all_left=all_left)
    for payee in payees:
        payable_script(payee.address, opened.params)  # a mistake is told before a node is asked
    chosen = read_coins(outpoints)
    label = check_label(label) or called(payees)
    client = synced(opened, EsploraClient(node_url))
    feerate = client.feerate(target) if fee_rate is None else parse_feerate(fee_rate)
    asked = [(payee.address, payee.amount) for payee in payees]
    draft = opened.prepare(asked, feerate=feerate, coins=chosen)
    manner = Manner(name, password_file, yes, dry_run, as_json)
    carry_out(opened, client, draft, opened.summary(draft, feerate), label, manner)


class Manner(NamedTuple):
    """How a payment is to be made: the wallet's name, and what was said with options."""

    name: str
    password_file: IO[str] | None
    yes: bool
    dry_run: bool
    as_json: bool


def carry_out(
    opened: "Wallet",
    client: "EsploraClient",
    draft: "Draft",
    summary: "Summary",
    label: str,
    manner: Manner,
) -> None:
    """Show a payment, ask, sign, send, and say which it is; with --dry-run show it only."""
    name, password_file, yes, dry_run, as_json = manner
    if dry_run:
        show_dry_run(summary, name, as_json)
        return
    if not yes:
        show_summary(summary, name)
    if opened.is_watch_only:
        psbt = opened.unsigned(draft).text()
        print_json({"psbt": psbt, **summary.to_json()}) if as_json else click.echo(psbt)
        return
    consent("Send it?", yes)
    txid = opened.broadcast(client, opened.sign(draft, read_opener(opened, password_file)))
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
