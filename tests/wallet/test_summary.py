"""Summaries: nothing of a payment is left out, and change is told from a payment to oneself."""

from decimal import Decimal

import pytest

from chain.params import REGTEST
from tests.wallet.fake_node import COIN, FakeChain
from wallet import Wallet

WORDS = "test test test test test test test test test test test junk"
SOMEBODY = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


def wallet_with(*values: int) -> Wallet:
    wallet, chain = Wallet.in_memory(WORDS, REGTEST, kind="wpkh"), FakeChain()
    for number, value in enumerate(values):
        chain.pay((wallet.accounts[0].script(0, number), value), confirm=True)
    wallet.sync(chain)  # type: ignore[arg-type]
    return wallet


def test_a_payment_with_change() -> None:
    wallet = wallet_with(COIN, 3 * COIN)
    draft = wallet.prepare([(SOMEBODY, 2 * COIN)], feerate=Decimal("2.5"))
    summary = wallet.summary(draft, Decimal("2.5"))
    assert summary.payees == ((SOMEBODY, 2 * COIN),)
    assert (summary.amount, summary.given_up) == (2 * COIN, 0)
    spent = sum(output.value for output in draft.spent_outputs)
    assert spent == summary.amount + summary.fee + summary.change
    assert summary.left == 4 * COIN - 2 * COIN - summary.fee
    assert summary.feerate == Decimal("2.50")
    assert summary.fee_percent == 0
    signed = wallet.sign(draft)
    assert summary.vsize - 1 <= signed.vsize <= summary.vsize


def test_change_too_small_to_be_made_is_named() -> None:
    wallet = wallet_with(COIN)
    draft = wallet.prepare([(SOMEBODY, COIN - 110 - 200)], feerate=1)
    summary = wallet.summary(draft, 1)
    assert (summary.change, summary.vsize, summary.fee) == (0, 110, 310)
    assert summary.given_up == 200
    assert summary.left == 0
    assert wallet.summary(draft).given_up == 0


def test_a_payment_to_oneself_is_no_change() -> None:
    wallet = wallet_with(COIN)
    mine = wallet.address()
    draft = wallet.prepare([(mine, COIN // 2)], feerate=1)
    summary = wallet.summary(draft, 1)
    assert summary.payees == ((mine, COIN // 2),)
    assert summary.left == COIN - summary.fee
    assert draft.change == summary.change > 0


@pytest.mark.parametrize(("value", "percent"), [(141_000, "0.10"), (294, "47.96")])
def test_the_share_of_the_fee(value: int, percent: str) -> None:
    wallet = wallet_with(COIN)
    summary = wallet.summary(wallet.prepare([(SOMEBODY, value)], feerate=1), 1)
    assert summary.fee == 141
    assert summary.fee_percent == Decimal(percent)


def test_as_programs_read_it() -> None:
    wallet = wallet_with(COIN)
    shown = wallet.summary(wallet.prepare([(SOMEBODY, COIN // 2)], feerate=1), 1).to_json()
    assert shown == {
        "payees": [{"address": SOMEBODY, "amount": COIN // 2}],
        "amount": COIN // 2,
        "fee": 141,
        "feerate": "1.00",
        "vsize": 141,
        "change": COIN // 2 - 141,
        "given_up": 0,
        "left": COIN // 2 - 141,
        "coins": 1,
        "for_parents": 0,
        "taken": 0,
    }
