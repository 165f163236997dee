"""`farthing wallet bump` and `cancel`: what becomes of a payment that still waits.

What it would do is shown, and asked, as with every payment (wallet_send).
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import click

from scripts.cli.consent import require_consent
from scripts.cli.manner import Manner, manner_options
from scripts.cli.wallet_common import name_argument, open_wallet, synced
from scripts.cli.wallet_send import carry_out

if TYPE_CHECKING:
    from wallet.builder import Draft


@click.command()
@name_argument
@click.argument("txid")
@click.option("--child", is_flag=True, help="By a child that pays for both, not by replacing it.")
@click.option("--reduce", metavar="ADDRESS", help="Who gets less, where there is no change.")
@manner_options
def bump(manner: Manner, txid: str, child: bool, reduce: str | None) -> None:
    """Hurry a payment that waits.

    It is replaced by one to the same recipients with a higher fee; its label stays. The fee comes
    from its change, else from further coins; if there are none, its only recipient gets less, as
    after send --all, and the preview says how much. With --child, a further payment to yourself
    pays for it: for what others sent, and for payments whose change is spent already.

    \b
    Examples:
      farthing wallet bump alice 4f2c… --rate 5
      farthing wallet bump alice 4f2c… --child
      farthing wallet bump alice 4f2c… --reduce bcrt1q…
    """
    if child and reduce is not None:
        raise click.UsageError("--child replaces nothing that --reduce could make less; choose one")
    _change(manner, txid, "speed_up" if child else "bump", reduce)


@click.command()
@name_argument
@click.argument("txid")
@manner_options
def cancel(manner: Manner, txid: str) -> None:
    """Take back a payment that waits.

    It is replaced by one that pays everything to yourself.

    \b
    Example:
      farthing wallet cancel alice 4f2c…
    """
    _change(manner, txid, "cancel")


def _change(manner: Manner, txid: str, how: str, reduce: str | None = None) -> None:
    # lazy: the help text must not wait for the wallet
    from wallet.amounts import parse_feerate

    require_consent(manner.yes, manner.dry_run)
    opened = open_wallet(manner.name)
    client = synced(opened, manner.node_url)
    ways: dict[str, Callable[..., Draft]] = {
        "bump": partial(opened.bump, reduce=reduce),
        "cancel": opened.cancel,
        "speed_up": opened.speed_up,
    }
    feerate = None if manner.fee_rate is None else parse_feerate(manner.fee_rate)
    draft = ways[how](client, txid, feerate=feerate, target=manner.target)
    label = opened.label(txid) if how == "bump" else ""
    carry_out(opened, client, draft, opened.summary(draft), label, manner)
