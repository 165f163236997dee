"""Unsigned transactions: every satoshi accounted for, no dust, no absurd fee, nobody unknown."""

import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chain.address import script_to_address
from chain.params import CLASSROOM, MAIN, REGTEST
from chain.transaction import OutPoint, TxOut
from wallet.builder import Draft, Purse, build, dust_threshold, payment
from wallet.errors import (
    AbsurdFee,
    BadAmount,
    Dust,
    NotEnoughMoney,
    UnknownAddress,
    WrongNetwork,
)
from wallet.ledger import Coin, KeyPath

COIN = 100_000_000
CHANGE = b"\x00\x14" + b"\xcc" * 20
SCRIPTS = {
    "p2pkh": b"\x76\xa9\x14" + bytes(20) + b"\x88\xac",
    "p2sh": b"\xa9\x14" + bytes(20) + b"\x87",
    "p2wpkh": b"\x00\x14" + bytes(20),
    "p2wsh": b"\x00\x20" + bytes(32),
    # The generator's x coordinate: a key that exists.
    "p2tr": bytes.fromhex("512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
}
DUST = {"p2pkh": 546, "p2sh": 540, "p2wpkh": 294, "p2wsh": 330, "p2tr": 330}  # as in Core


def coins_of(values: list[int]) -> list[Coin]:
    return [
        Coin(OutPoint(number.to_bytes(32, "big"), 0), value, KeyPath(0, 0, number), 1, False, False)
        for number, value in enumerate(values)
    ]


def output_of(coin: Coin) -> TxOut:
    return TxOut(coin.value, b"\x00\x14" + bytes(20))


def draft_of(values: list[int], payments: list[TxOut], rate: int, seed: int = 0) -> Draft:
    purse = Purse(coins_of(values), output_of, CHANGE)
    return build(payments, purse, rate, random.Random(seed))


def test_change_is_no_round_number() -> None:
    """A coin of 3, a payment of 1 and a fee of 1,000: what is left would shout which is which."""
    for seed in range(20):
        draft = draft_of([3 * COIN], [TxOut(2 * COIN, SCRIPTS["p2wpkh"])], 1_000_000 // 141, seed)
        assert draft.change % 1_000 != 0
        assert COIN - 1_100 < draft.change < COIN
        assert draft.fee == COIN - draft.change


payments_of_any_kind = st.lists(
    st.builds(TxOut, st.integers(546, 3 * COIN), st.sampled_from(list(SCRIPTS.values()))),
    min_size=1,
    max_size=5,
)


@given(
    st.lists(st.integers(1, 5 * COIN), max_size=30),
    payments_of_any_kind,
    st.integers(1, 50_000),
    st.integers(0, 9),
)
def test_inputs_are_outputs_and_fee(
    values: list[int], payments: list[TxOut], rate: int, seed: int
) -> None:
    amount = sum(output.value for output in payments)
    try:
        draft = draft_of(values, payments, rate, seed)
    except NotEnoughMoney as error:
        assert error.have == sum(values)
        assert error.need > amount
        worth = [value - -(-rate * 271 // 4000) for value in values]
        assert sum(value for value in worth if value > 0) < amount + rate * 300 // 1000 + 1_000
        return
    outputs = draft.transaction.outputs
    spent = sum(output.value for output in draft.spent_outputs)
    assert spent == sum(output.value for output in outputs) + draft.fee
    assert draft.spent_outputs == tuple(output_of(coin) for coin in draft.coins)
    assert [i.outpoint for i in draft.transaction.inputs] == [c.outpoint for c in draft.coins]
    assert len(set(draft.coins)) == len(draft.coins)
    least_fee = -(-rate * draft.vsize // 1000)
    change = [output for output in outputs if output.script_pubkey == CHANGE]
    if draft.change:
        assert change == [TxOut(draft.change, CHANGE)]
        assert draft.change >= 294
        if draft.fee != least_fee:
            assert least_fee < draft.fee < least_fee + 100
            assert (draft.change + draft.fee - least_fee) % 1_000 == 0
        assert sorted(o for o in outputs if o not in change) == sorted(payments)
    else:
        assert list(outputs) == payments
        # Too little for change: an output of 31 bytes, and 294 or an input of 68 bytes to spend it.
        assert (
            least_fee
            <= draft.fee
            <= least_fee + max(294, rate * 68 // 1000 + 2) + rate * 34 // 1000
        )


def test_replacement_is_signalled_and_the_change_is_anywhere() -> None:
    payments = [TxOut(COIN, SCRIPTS["p2wpkh"]), TxOut(COIN, SCRIPTS["p2tr"])]
    drafts = [draft_of([50 * COIN], payments, 1_000, seed) for seed in range(40)]
    assert {i.sequence for d in drafts for i in d.transaction.inputs} == {0xFFFFFFFD}
    places = {[o.script_pubkey for o in d.transaction.outputs].index(CHANGE) for d in drafts}
    assert places == {0, 1, 2}


def test_the_size_known_beforehand_is_that_of_the_field() -> None:
    """One input and change: 140.25 virtual bytes, and 140.5 with a signature of high R."""
    draft = draft_of([COIN], [TxOut(COIN // 2, SCRIPTS["p2wpkh"])], 1_000)
    assert (draft.vsize, draft.fee) == (141, 141)
    assert draft_of([COIN] * 300, [TxOut(290 * COIN, CHANGE[:1] + CHANGE[1:])], 1).vsize > 290 * 67


@pytest.mark.parametrize("kind", SCRIPTS)
def test_the_dust_limit_is_cores(kind: str) -> None:
    assert dust_threshold(SCRIPTS[kind]) == DUST[kind]
    address = str(script_to_address(SCRIPTS[kind], REGTEST))
    assert payment(address, DUST[kind], REGTEST) == TxOut(DUST[kind], SCRIPTS[kind])
    with pytest.raises(Dust, match=rf"pay at least 0\.00000{DUST[kind]}"):
        payment(address, DUST[kind] - 1, REGTEST)


@pytest.mark.parametrize(
    "address",
    [
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "3P14159f73E4gFr7JterCCQh9QjiTjiZrG",
    ],
)
def test_an_address_of_another_network_is_named_so(address: str) -> None:
    for params in (REGTEST, CLASSROOM):
        with pytest.raises(WrongNetwork, match="another network"):
            payment(address, COIN, params)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "alice",
        "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt081",  # last character mistyped
        "bcrt1" + "q" * 500,
        "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfm",
        "\x1b[2J",
    ],
)
def test_what_is_no_address_is_refused_in_one_line(address: str) -> None:
    with pytest.raises(UnknownAddress, match="is no address") as refusal:
        payment(address, COIN, REGTEST)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize(
    "script",
    [
        "51024e73",  # pay to anchor: anybody's
        "5220" + "11" * 32,  # a witness version without rules yet: anybody's
        "5110" + "11" * 16,
        "5120" + "ff" * 32,  # a Taproot key that is no point: nobody's
    ],
)
def test_an_address_whose_coins_would_be_lost_is_refused(script: str) -> None:
    address = str(script_to_address(bytes.fromhex(script), REGTEST))
    with pytest.raises(UnknownAddress, match="anybody or nobody"):
        payment(address, COIN, REGTEST)


@pytest.mark.parametrize("value", [-1, 21_000_000 * COIN + 1, True, 1.5, "5", None])
def test_an_amount_is_whole_satoshis(value: int) -> None:
    with pytest.raises(BadAmount, match="whole satoshis"):
        payment(str(script_to_address(SCRIPTS["p2wpkh"], REGTEST)), value, REGTEST)


def test_addresses_of_main_are_paid_on_main_only() -> None:
    """Making the output is a pure function; signing is what is refused."""
    address = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
    assert payment(address, COIN, MAIN).value == COIN


def test_an_absurd_rate_or_fee_is_refused() -> None:
    out = [TxOut(COIN, SCRIPTS["p2wpkh"])]
    assert draft_of([2 * COIN + 7], out, 1_000_000).fee == 141_000
    with pytest.raises(AbsurdFee, match="1001 sat/vB is absurd"):
        draft_of([2 * COIN], out, 1_001_000)
    with pytest.raises(AbsurdFee, match=r"a fee of 0\.1"):
        draft_of([COIN // 10] * 200, [TxOut(15 * COIN, SCRIPTS["p2wpkh"])], 1_000_000)


def test_too_little_money_says_what_there_is_and_what_it_takes() -> None:
    out = [TxOut(COIN, SCRIPTS["p2wpkh"])]
    with pytest.raises(NotEnoughMoney, match=r"1\.00000111 BTC needed with the fee, 0\.0") as no:
        draft_of([], out, 1_000)
    assert (no.value.have, no.value.need) == (0, COIN + 111)
    with pytest.raises(NotEnoughMoney) as no:
        draft_of([COIN + 110], out, 1_000)
    assert (no.value.have, no.value.need) == (COIN + 110, COIN + 111)
    # One satoshi more than 110 virtual bytes cost: input and rest are each rounded up.
    assert draft_of([COIN + 111], out, 1_000).fee == 111
    with pytest.raises(NotEnoughMoney, match="pay in parts"):
        draft_of([COIN] * 2_000, [TxOut(1_500 * COIN, SCRIPTS["p2wpkh"])], 1_000)


@given(st.integers(1, 2_000), st.integers(0, 10_000))
def test_need_is_enough(rate: int, more: int) -> None:
    """Who brings what an error asked for is served."""
    out = [TxOut(COIN, SCRIPTS["p2wpkh"])]
    with pytest.raises(NotEnoughMoney) as refusal:
        draft_of([], out, rate)
    assert draft_of([refusal.value.need + more], out, rate).fee > 0
    assume(rate > 100)
    with pytest.raises(NotEnoughMoney):
        draft_of([refusal.value.need - 2], out, rate)
