"""`farthing wallet coins`, `freeze` and `unfreeze`: the coins of a wallet one by one.

None of them needs a password. A coin is named by its outpoint, `txid:number`.
"""

import click

from scripts.cli.common import coins as amount
from scripts.cli.common import json_option, plural, print_json, print_table
from scripts.cli.wallet_common import name_argument, node_option, open_wallet, sync


@click.command()
@name_argument
@node_option
@json_option
def coins(name: str, node_url: str, as_json: bool) -> None:
    """List the coins, the largest first.

    With each, what it is worth and whether it can be spent now.

    \b
    Example:
      farthing wallet coins alice
    """
    # lazy: the help text must not wait for the wallet
    from wallet.payments import format_outpoint

    opened = open_wallet(name)
    sync(opened, node_url)
    held = sorted(opened.utxos(), key=lambda coin: (-coin.value, coin.outpoint))
    if as_json:
        print_json(
            [
                {
                    "coin": format_outpoint(coin.outpoint),
                    "amount": coin.value,
                    "state": opened.coin_state(coin),
                    "height": coin.height,
                    "label": opened.coin_label(coin),
                }
                for coin in held
            ]
        )
    elif not held:
        click.echo(f"no coins yet; farthing wallet address {name} prints where to be paid")
    else:
        print_table(
            ["amount>", "state", "label", "coin"],
            [
                [
                    amount(coin.value),
                    opened.coin_state(coin),
                    opened.coin_label(coin),
                    format_outpoint(coin.outpoint),
                ]
                for coin in held
            ],
            is_last_long=True,
        )


@click.command()
@name_argument
@click.argument("outpoints", metavar="COIN...", nargs=-1, required=True)
@json_option
def freeze(name: str, outpoints: tuple[str, ...], as_json: bool) -> None:
    """Keep coins back.

    No payment takes them until they are unfrozen.

    \b
    Example:
      farthing wallet freeze alice 4f2c…:1
    """
    _keep_back(name, outpoints, True, as_json)


@click.command()
@name_argument
@click.argument("outpoints", metavar="COIN...", nargs=-1, required=True)
@json_option
def unfreeze(name: str, outpoints: tuple[str, ...], as_json: bool) -> None:
    """Let payments take coins again.

    \b
    Example:
      farthing wallet unfreeze alice 4f2c…:1
    """
    _keep_back(name, outpoints, False, as_json)


def _keep_back(name: str, outpoints: tuple[str, ...], freeze: bool, as_json: bool) -> None:
    # lazy: the help text must not wait for the wallet
    from wallet.payments import parse_outpoint

    opened = open_wallet(name)
    chosen = [parse_outpoint(text) for text in outpoints]
    (opened.freeze if freeze else opened.unfreeze)(*chosen)
    held = opened.balance()
    if as_json:
        print_json({"frozen": held.frozen})
        return
    done = "frozen" if freeze else "free again"
    click.echo(f"{plural(len(set(chosen)), 'coin')} {done}; {amount(held.frozen)} kept back in all")
