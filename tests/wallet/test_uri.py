"""Payment URIs: BIP 21's own examples, both ways, and each way of writing one wrongly."""

import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.errors import BadUri
from wallet.uri import PaymentUri, is_uri, parse_uri

# BIP 21's examples are of this address.
ADDRESS = "175tWpb8K1S7NmH4Zx6rewF9WQrcZv245W"
OURS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
SHOWN = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), max_size=40)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", PaymentUri(ADDRESS)),
        ("?label=Luke-Jr", PaymentUri(ADDRESS, label="Luke-Jr")),
        ("?amount=20.3&label=Luke-Jr", PaymentUri(ADDRESS, 2_030_000_000, "Luke-Jr")),
        (
            "?amount=50&label=Luke-Jr&message=Donation%20for%20project%20xyz",
            PaymentUri(ADDRESS, 5_000_000_000, "Luke-Jr", "Donation for project xyz"),
        ),
        (
            "?somethingyoudontunderstand=50&somethingelseyoudontget=999",
            PaymentUri(ADDRESS),
        ),
    ],
)
def test_the_examples_of_the_bip(text: str, expected: PaymentUri) -> None:
    assert parse_uri(f"bitcoin:{ADDRESS}{text}") == expected


def test_the_example_that_must_be_refused() -> None:
    query = "req-somethingyoudontunderstand=50&req-somethingelseyoudontget=999"
    with pytest.raises(BadUri, match="requires 'req-somethingyoudontunderstand'"):
        parse_uri(f"bitcoin:{ADDRESS}?{query}")


@pytest.mark.parametrize(
    ("amount", "satoshis"),
    [("50.00", 5_000_000_000), ("50.", 5_000_000_000), (".5", 50_000_000), ("0", 0)],
)
def test_amounts_as_the_grammar_has_them(amount: str, satoshis: int) -> None:
    assert parse_uri(f"bitcoin:{OURS}?amount={amount}").amount == satoshis


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("litecoin:x", "begins with bitcoin:"),
        (OURS, "begins with bitcoin:"),
        ("bitcoin:", "holds no address"),
        ("bitcoin:?amount=1", "holds no address"),
        (f"bitcoin:{OURS}?REQ-pop=1", "requires 'req-pop'"),
        (f"bitcoin:{OURS}?req%2Dpop=1", "requires 'req-pop'"),
        (f"bitcoin:{OURS}?amount=1&amount=1", "says amount twice"),
        (f"bitcoin:{OURS}?amount=1&AMOUNT=2", "says amount twice"),
        (f"bitcoin:{OURS}?amount=", "no amount"),
        (f"bitcoin:{OURS}?amount=.", "no amount"),
        (f"bitcoin:{OURS}?amount=1,5", "no amount"),
        (f"bitcoin:{OURS}?amount=-1", "no amount"),
        (f"bitcoin:{OURS}?amount=1e3", "no amount"),
        (f"bitcoin:{OURS}?amount=40000sat", "no amount"),
        (f"bitcoin:{OURS}?amount=٣", "no amount"),
        (f"bitcoin:{OURS}?amount=0.123456789", "more than 8 decimals"),
        (f"bitcoin:{OURS}?amount=21000001", "21,000,000"),
        (f"bitcoin:{OURS}?label=100%", "no percent-encoded text"),
        (f"bitcoin:{OURS}?label=%zz", "no percent-encoded text"),
        (f"bitcoin:{OURS}?label=%ff", "no percent-encoded text"),
        (f"bitcoin:{OURS}?label=" + "x" * 2_953, "at most 2,953"),
    ],
)
def test_what_is_no_payment_uri(text: str, complaint: str) -> None:
    with pytest.raises(BadUri, match=complaint) as refusal:
        parse_uri(text)
    assert "\n" not in str(refusal.value)


def test_what_is_forgiven() -> None:
    assert parse_uri(f"BITCOIN:{OURS}") == PaymentUri(OURS)
    assert parse_uri(f"bitcoin:{OURS}?&Label=a+b&&lightning=lnbc1#top") == PaymentUri(
        OURS, label="a+b"
    )
    assert parse_uri(f"bitcoin:{OURS}?label") == PaymentUri(OURS)
    assert is_uri("BitCoin:x") and not is_uri("bitcoinx")


def test_nothing_in_it_drives_a_terminal() -> None:
    wicked = urllib.parse.quote("\x1b[2J\n\u202e0.4 to Bob\x07")
    assert parse_uri(f"bitcoin:{OURS}?message={wicked}").message == " [2J  0.4 to Bob "


@given(st.none() | st.integers(0, 21_000_000 * 10**8), SHOWN, SHOWN)
def test_what_was_written_is_read(amount: int | None, label: str, message: str) -> None:
    made = PaymentUri(OURS, amount, label, message)
    text = made.text()
    assert parse_uri(text) == made
    assert text.isascii() and " " not in text
    # Python's own reader of queries agrees.
    query = dict(urllib.parse.parse_qsl(text.partition("?")[2].replace("+", "%2B")))
    assert query.get("label", "") == label
    assert query.get("message", "") == message


def test_a_qr_code_is_in_capitals_where_that_changes_nothing() -> None:
    assert PaymentUri(OURS).qr_text() == f"BITCOIN:{OURS.upper()}"
    assert parse_uri(PaymentUri(OURS).qr_text()).address == OURS.upper()
    assert PaymentUri(OURS, 1).qr_text() == f"bitcoin:{OURS}?amount=0.00000001"
    assert PaymentUri(ADDRESS).qr_text() == f"bitcoin:{ADDRESS}"


def test_what_no_qr_code_holds_is_not_made() -> None:
    with pytest.raises(BadUri, match="too long: with them the URI has 3,056 characters"):
        PaymentUri(OURS, message="é" * 499 + "m").text()
