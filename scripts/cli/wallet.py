"""`farthing wallet`: keys, addresses, payments, balances.

It asks and shows; what is done is wallet/. What all the verbs share is wallet_common.
"""

import click

from scripts.cli.lazy import LazyGroup

VERBS = {
    "create": "wallet_new",
    "restore": "wallet_new",
    "list": "wallet_new:list_wallets",
    "address": "wallet_money",
    "balance": "wallet_money",
    "send": "wallet_send",
    "history": "wallet_money",
    "bump": "wallet_pending",
    "cancel": "wallet_pending",
    "addresses": "wallet_names",
    "label": "wallet_names",
    "coins": "wallet_coins",
    "freeze": "wallet_coins",
    "unfreeze": "wallet_coins",
    "accounts": "wallet_keeping",
    "export": "wallet_keeping",
    "watch": "wallet_keeping",
    "check": "wallet_keeping",
    "password": "wallet_keeping",
    "backup": "wallet_keeping",
    "unlock": "wallet_unlock",
    "lock": "wallet_unlock",
}


@click.group(cls=LazyGroup, places=VERBS)
def wallet() -> None:
    """Keys, payments, balances.

    \b
    Examples:
      farthing wallet create alice
      farthing wallet address alice
      farthing wallet send alice ADDRESS 0.4
      farthing wallet balance alice

    Exit codes: 0 done, 1 refused or failed (nothing was sent), 2 wrong usage, 130 interrupted.
    """
