"""Amounts as people write them: decimal coins or satoshis in, whole satoshis inside, and back.

No float is ever made: `0.1` has no exact float, and money must be exact. Fee rates are decimal
satoshis a virtual byte outside and whole satoshis a 1,000 virtual bytes inside, as in Bitcoin Core.
"""

import re
from decimal import Decimal

from chain.transaction import COIN, MAX_MONEY
from wallet.errors import BadAmount

DECIMALS = 8
RATE_DECIMALS = 3  # satoshis a 1,000 virtual bytes is the finest that nodes know
_PLAIN = re.compile(r"[0-9]{1,40}(?:\.([0-9]+))?")
_UNIT = re.compile(r" ?(btc|sats?)$", re.IGNORECASE)


def parse_amount(text: str) -> int:
    """Satoshis for coins (`0.4`, `0.4btc`) or satoshis (`40000sat`).

    Raises BadAmount, which says what is wrong.
    """
    text = text.strip()
    unit = _UNIT.search(text)
    number = text[: unit.start()] if unit else text
    match = _PLAIN.fullmatch(number)
    if match is None:
        raise BadAmount(f"{_shown(text)} is not an amount: {_complaint(number)}")
    if unit and unit[1].lower() != "btc":
        if match[1]:
            raise BadAmount(f"{_shown(text)} is not an amount: there is nothing below a satoshi")
        satoshis = int(number)
    elif len(match[1] or "") > DECIMALS:
        raise BadAmount(
            f"{_shown(text)} has more than {DECIMALS} decimals: one satoshi is 0.00000001"
        )
    else:
        satoshis = int(Decimal(number) * COIN)
    if satoshis > MAX_MONEY:
        raise BadAmount(f"{_shown(text)} is more than the 21,000,000 coins there will ever be")
    return satoshis


def format_amount(satoshis: int) -> str:
    """Decimal coins with all eight decimals: 40000000 is `0.40000000`."""
    sign = "-" if satoshis < 0 else ""
    whole, rest = divmod(abs(satoshis), COIN)
    return f"{sign}{whole}.{rest:0{DECIMALS}d}"


def with_unit(satoshis: int) -> str:
    """An amount inside a sentence: `0.40000000 BTC`."""
    return f"{format_amount(satoshis)} BTC"


def parse_feerate(text: str) -> Decimal:
    """A fee rate in satoshis a virtual byte, such as `2.5`: above 0, at most three decimals."""
    match = _PLAIN.fullmatch(text.strip())
    if match is None or len(match[1] or "") > RATE_DECIMALS or Decimal(text.strip()) == 0:
        raise BadAmount(
            f"{_shown(text)} is not a fee rate: write satoshis a virtual byte, such as 2.5, "
            f"with at most {RATE_DECIMALS} decimals"
        )
    return Decimal(text.strip())


def rate_per_kvb(rate: Decimal | int) -> int:
    """Whole satoshis a 1,000 virtual bytes for a rate in satoshis a virtual byte."""
    if isinstance(rate, float) or not Decimal(rate).is_finite() or Decimal(rate) * 1000 % 1 != 0:
        raise BadAmount(f"{rate} is not a fee rate: at most {RATE_DECIMALS} decimals, and no float")
    if rate <= 0:
        raise BadAmount(f"a fee rate of {rate} is not above 0")
    return int(Decimal(rate) * 1000)


def _complaint(text: str) -> str:
    if text.startswith(("-", "−")):
        return "it is negative; an amount is 0 or more"
    if re.fullmatch(r"[0-9.]+[eE][-+]?[0-9]+", text):
        return "write it out without an exponent"
    if re.fullmatch(r"[0-9]+,[0-9]+", text):
        return "write the decimals after a dot"
    return "write decimal coins, such as 0.4, or satoshis, such as 40000sat"


def _shown(text: str) -> str:
    """The text between quotes, cut short, with nothing in it that could drive a terminal."""
    return repr(text if len(text) <= 40 else text[:40] + "…")
