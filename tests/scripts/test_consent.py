"""What is shown of a payment before it is signed, line by line."""

from dataclasses import replace

import pytest

from scripts.cli.consent import fee_line, summary_lines
from wallet.summary import Summary

PLAIN = Summary(
    payees=(("bob", 1_000_000),), fee=300, vsize=150, change=500, given_up=0, left=9_500, coins=1
)


@pytest.mark.parametrize(
    ("summary", "line"),
    [
        (PLAIN, "300 sat (2.00 sat/vB, 0.03% of what is paid), for 1 coin spent"),
        (
            replace(PLAIN, payees=(("bob", 10**9),)),
            "300 sat (2.00 sat/vB, under 0.01% of what is paid), for 1 coin spent",
        ),
        (
            replace(PLAIN, payees=(("bob", 3_001),), coins=2),
            "300 sat (2.00 sat/vB, 10.00% of what is paid), for 2 coins spent; that is much",
        ),
        (
            replace(PLAIN, payees=(("bob", 3_005),)),
            "300 sat (2.00 sat/vB, 9.98% of what is paid), for 1 coin spent",
        ),
        (
            replace(PLAIN, for_parents=1_234, fee=1_534),
            "1,534 sat (10.23 sat/vB, 0.15% of what is paid), for 1 coin spent, "
            "1,234 sat of it for payments that wait before this one",
        ),
        # A payment taken back: nobody is paid.
        (replace(PLAIN, payees=()), "300 sat (2.00 sat/vB), for 1 coin spent"),
    ],
)
def test_the_fee(summary: Summary, line: str) -> None:
    assert fee_line(summary) == line


def test_each_amount_has_its_unit() -> None:
    assert summary_lines(PLAIN, "alice") == [
        "Pays    0.01000000 BTC to bob",
        "Fee     300 sat (2.00 sat/vB, 0.03% of what is paid), for 1 coin spent",
        "Change  0.00000500 BTC back to alice",
        "Left    0.00009500 BTC in alice",
    ]


def test_what_a_payee_gets_less_by_a_bump() -> None:
    assert summary_lines(replace(PLAIN, taken=1_200), "alice")[:2] == [
        "Pays    0.01000000 BTC to bob",
        "        1,200 sat less than before, which go to the fee",
    ]


@pytest.mark.parametrize(
    ("given_up", "line"),
    [
        (0, "Change  none"),
        (200, "Change  none: 200 sat are too little, they go to the fee"),
    ],
)
def test_a_payment_without_change(given_up: int, line: str) -> None:
    assert summary_lines(replace(PLAIN, change=0, given_up=given_up), "alice")[2] == line
