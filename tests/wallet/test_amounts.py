"""Amounts: exact both ways, and every way of writing one wrongly is told apart."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.amounts import format_amount, parse_amount, parse_feerate, rate_per_kvb
from wallet.errors import BadAmount

ALL_COINS = 21_000_000 * 100_000_000


@pytest.mark.parametrize(
    ("text", "satoshis"),
    [
        ("0.4", 40_000_000),
        ("0", 0),
        ("1", 100_000_000),
        (" 2.50000000 ", 250_000_000),
        ("0.00000001", 1),
        ("0.1", 10_000_000),
        ("0.29", 29_000_000),  # int(0.29 * 1e8) is 28,999,999
        ("21000000", ALL_COINS),
        ("0000.5", 50_000_000),
        ("0.4btc", 40_000_000),
        ("1 BTC", 100_000_000),
        ("40000sat", 40_000),
        ("1 sat", 1),
        ("7 SATS", 7),
        ("2100000000000000sat", ALL_COINS),
    ],
)
def test_amounts_are_exact(text: str, satoshis: int) -> None:
    assert parse_amount(text) == satoshis


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("0.1+0.2", "write decimal coins"),
        ("0.123456789", "more than 8 decimals"),
        ("1e-3", "without an exponent"),
        ("1E5", "without an exponent"),
        ("-1", "negative"),
        ("−1", "negative"),
        ("0,4", "after a dot"),
        ("21000000.00000001", "21,000,000"),
        ("", "write decimal coins"),
        (".5", "write decimal coins"),
        ("5.", "write decimal coins"),
        ("nan", "write decimal coins"),
        ("inf", "write decimal coins"),
        ("0x10", "write decimal coins"),
        ("1_000", "write decimal coins"),
        ("١", "write decimal coins"),  # a digit to Python, but not to us
        ("1 EUR", "write decimal coins"),
        ("sat", "or satoshis, such as 40000sat"),
        ("0.4 sat", "nothing below a satoshi"),
        ("1  sat", "write decimal coins"),
        ("1 satbtc", "write decimal coins"),
        ("-5sat", "negative"),
        ("0.123456789 btc", "more than 8 decimals"),
        ("2100000000000001sat", "21,000,000"),
        ("9" * 5000, "write decimal coins"),
        ("0." + "1" * 50_000, "more than 8 decimals"),
    ],
)
def test_what_is_no_amount_is_refused_in_one_line(text: str, complaint: str) -> None:
    with pytest.raises(BadAmount, match=complaint) as refusal:
        parse_amount(text)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 200


@given(st.integers(0, ALL_COINS))
def test_what_is_written_is_read_back(satoshis: int) -> None:
    assert parse_amount(format_amount(satoshis)) == satoshis


@given(st.decimals(0, 21_000_000, allow_nan=False, places=8))
def test_every_decimal_of_eight_places_is_exact(amount: Decimal) -> None:
    assert parse_amount(format(amount, "f")) == int(amount.scaleb(8))


@given(st.text(max_size=30))
def test_any_text_is_an_amount_or_refused(text: str) -> None:
    try:
        assert 0 <= parse_amount(text) <= ALL_COINS
    except BadAmount as refusal:
        assert str(refusal).isprintable()


def test_amounts_are_written_with_sign_and_all_decimals() -> None:
    assert format_amount(40_000_000) == "0.40000000"
    assert format_amount(-1) == "-0.00000001"
    assert format_amount(123_456_789_012) == "1234.56789012"


@pytest.mark.parametrize(("text", "per_kvb"), [("1", 1000), ("2.5", 2500), ("0.001", 1)])
def test_fee_rates(text: str, per_kvb: int) -> None:
    assert rate_per_kvb(parse_feerate(text)) == per_kvb


@pytest.mark.parametrize("text", ["0", "0.0", "-1", "1.2345", "1e3", "fast", "", "nan"])
def test_what_is_no_fee_rate_is_refused(text: str) -> None:
    with pytest.raises(BadAmount, match="fee rate"):
        parse_feerate(text)


@pytest.mark.parametrize(
    "rate", [0, -1, Decimal("0.0001"), Decimal("NaN"), Decimal("Infinity"), 1.5]
)
def test_numbers_that_are_no_fee_rate_are_refused(rate: Decimal) -> None:
    with pytest.raises(BadAmount, match="fee rate"):
        rate_per_kvb(rate)
