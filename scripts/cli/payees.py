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
    from chain.transaction import OutPoint
    from wallet.uri import PaymentUri

METAVAR = "(ADDRESS AMOUNT | URI)..."
_UNITS = ("btc", "sat", "sats")
_LIKE_AN_AMOUNT = re.compile(r"[-−+]?[\d.,_]+([eE]-?\d+)? ?[a-zA-Z]{0,4}")


def read_payees(words: Sequence[str], *, all_left: bool = False) -> "list[PaymentUri]":
    """What is to be paid to whom, every amount known; click.UsageError if words are missing.

    With `all_left` the amount of exactly one is missing: it gets what is left.
    """
    # lazy: the help text must not wait for the wallet
    from wallet.uri import PaymentUri, is_uri, parse_uri

    rest = _with_units(words)
    payees = []
    while rest:
        word = rest.pop(0)
        if not word.strip():
            raise click.UsageError("an address is empty: ADDRESS AMOUNT")
        if _LIKE_AN_AMOUNT.fullmatch(word):
            raise click.UsageError(f"'{word}' stands where an address should: ADDRESS AMOUNT")
        asked = parse_uri(word) if is_uri(word) else PaymentUri(word)
        follows = rest and (
            _LIKE_AN_AMOUNT.fullmatch(rest[0]) or (asked.amount is None and not all_left)
        )
        payees.append(_with_amount(asked, rest.pop(0) if follows else None))
    unknown = sum(payee.amount is None for payee in payees)
    if all_left and unknown != 1:
        raise click.UsageError("with --all, one ADDRESS stands without an amount: it gets the rest")
    if unknown and not all_left:
        where = next(payee.address for payee in payees if payee.amount is None)[:100]
        raise click.UsageError(f"an amount must stand behind '{where}': 0.4 or 40000sat")
    return payees


def _with_units(words: Sequence[str]) -> list[str]:
    """The words, where `40000 sat` is one."""
    joined: list[str] = []
    for word in words:
        if word.lower() in _UNITS and joined and _LIKE_AN_AMOUNT.fullmatch(joined[-1]):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def read_coins(words: Sequence[str]) -> "list[OutPoint] | None":
    """The coins to pay from, by name; None where none is named, and any may pay."""
    # lazy: the help text must not wait for the wallet
    from wallet.payments import parse_outpoint

    return [parse_outpoint(word) for word in words] or None


def _with_amount(asked: "PaymentUri", amount: str | None) -> "PaymentUri":
    """The payee with the amount that stands behind it, which is not to contradict a URI's."""
    # lazy: the help text must not wait for the wallet
    from wallet.amounts import parse_amount

    if amount is None:
        return asked
    satoshis = parse_amount(amount)
    if asked.amount not in (None, satoshis):
        fail(
            f"the URI asks for {coins(asked.amount or 0)}, and {coins(satoshis)} stands behind it; "
            "leave the amount out, or pay the bare address"
        )
    return replace(asked, amount=satoshis)
