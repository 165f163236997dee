"""Payees: the words behind `send`, as addresses and satoshis.

Each is an address with an amount after it, or a payment URI, which may hold the amount. Whether an
address can be paid at all is wallet/'s to judge.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from scripts.cli.common import coins, fail

if TYPE_CHECKING:
    from wallet.uri import PaymentUri

METAVAR = "(ADDRESS AMOUNT | URI)..."
_LIKE_AN_AMOUNT = re.compile(r"[-−+]?[\d.,_]+([eE]-?\d+)? ?[a-zA-Z]{0,4}")


def read_payees(words: Sequence[str]) -> "list[PaymentUri]":
    """What is to be paid to whom, every amount known; click.UsageError if words are missing."""
    # lazy: the help text must not wait for the wallet
    from wallet.uri import PaymentUri, is_uri, parse_uri

    rest = list(words)
    payees = []
    while rest:
        word = rest.pop(0)
        if _LIKE_AN_AMOUNT.fullmatch(word):
            raise click.UsageError(f"'{word}' stands where an address should: ADDRESS AMOUNT")
        asked = parse_uri(word) if is_uri(word) else PaymentUri(word)
        follows = rest and (asked.amount is None or _LIKE_AN_AMOUNT.fullmatch(rest[0]))
        payees.append(_with_amount(asked, rest.pop(0) if follows else None))
    return payees


def _with_amount(asked: "PaymentUri", amount: str | None) -> "PaymentUri":
    """The payee with the amount that stands behind it, which is not to contradict a URI's."""
    # lazy: the help text must not wait for the wallet
    from wallet.amounts import parse_amount

    if amount is None:
        if asked.amount is None:
            where = asked.address[:100]
            raise click.UsageError(f"an amount must stand behind '{where}': 0.4 or 40000sat")
        return asked
    satoshis = parse_amount(amount)
    if asked.amount not in (None, satoshis):
        fail(
            f"the URI asks for {coins(asked.amount or 0)}, and {coins(satoshis)} stands behind it; "
            "leave the amount out, or pay the bare address"
        )
    return replace(asked, amount=satoshis)
