"""Coins, overlays, undo records, and the digest of a set of coins."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.coins import (
    Coin,
    CoinsOverlay,
    coins_hash,
    is_unspendable,
    parse_undo,
    serialize_undo,
)
from chain.errors import DecodeError
from chain.transaction import OutPoint, TxOut
from tests.builders import ANYONE, make_coinbase, make_tx, tx_in

coins = st.builds(
    Coin,
    st.builds(TxOut, st.integers(0, 2**63 - 1), st.binary(max_size=300)),
    st.integers(0, 2**31 - 1),
    st.booleans(),
)
A, B = OutPoint(b"\xaa" * 32, 0), OutPoint(b"\xbb" * 32, 1)
COIN = Coin(TxOut(7, b"\x51"), 5, True)
OTHER = Coin(TxOut(8, b"\x52"), 6, False)


class Source(dict[OutPoint, Coin]):
    """A dict is a CoinSource."""


def test_a_coin_is_written_as_core_digests_it() -> None:
    # height 5 * 2 + 1; seven satoshi; one byte of script
    assert COIN.serialize().hex() == "0b000000" + "0700000000000000" + "01" + "51"


@given(coins)
def test_a_coin_is_read_back(coin: Coin) -> None:
    assert Coin.parse(coin.serialize()) == coin


@pytest.mark.parametrize("raw", [b"", COIN.serialize()[:-1], COIN.serialize() + b"\0"])
def test_damaged_coins_are_noticed(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        Coin.parse(raw)


@given(st.lists(st.lists(coins, max_size=4).map(tuple), max_size=4).map(tuple))
def test_undo_is_read_back(undo: tuple[tuple[Coin, ...], ...]) -> None:
    raw = serialize_undo(undo)
    assert parse_undo(raw) == undo
    for damaged in (raw + b"\0", raw[:-1]):
        with pytest.raises(DecodeError):
            parse_undo(damaged)


def test_an_overlay_hides_its_source_and_leaves_it_alone() -> None:
    source = Source({A: COIN})
    overlay = CoinsOverlay(source)
    assert overlay.get(A) == COIN and overlay.get(B) is None and overlay.changes() == {}
    assert overlay.spend(A) == COIN
    assert overlay.get(A) is None
    overlay.add(B, OTHER)
    assert overlay.get(B) == OTHER
    assert overlay.changes() == {A: None, B: OTHER}
    assert source == {A: COIN}


def test_spending_what_is_not_there_is_our_fault() -> None:
    overlay = CoinsOverlay(Source({A: COIN}))
    overlay.spend(A)
    for outpoint in (A, B):
        with pytest.raises(AssertionError, match="not there"):
            overlay.spend(outpoint)


def test_outputs_become_coins_but_for_those_that_nobody_can_spend() -> None:
    overlay = CoinsOverlay(Source())
    outputs = [TxOut(1, ANYONE), TxOut(2, b"\x6a\x01"), TxOut(3, bytes(10_001)), TxOut(4, b"")]
    tx = make_tx([tx_in(A)], outputs)
    overlay.add_outputs(tx, 9)
    assert overlay.changes() == {
        OutPoint(tx.txid, 0): Coin(outputs[0], 9, False),
        OutPoint(tx.txid, 3): Coin(outputs[3], 9, False),
    }
    overlay.remove_outputs(tx)
    assert set(overlay.changes().values()) == {None}
    coinbase = make_coinbase(1, [TxOut(1, ANYONE)])
    overlay.add_outputs(coinbase, 1)
    assert overlay.get(OutPoint(coinbase.txid, 0)) == Coin(TxOut(1, ANYONE), 1, True)


def test_what_can_never_be_spent() -> None:
    assert is_unspendable(b"\x6a") and is_unspendable(b"\x6a\x51")
    assert is_unspendable(bytes(10_001)) and not is_unspendable(bytes(10_000))
    assert not is_unspendable(b"") and not is_unspendable(b"\x51\x6a")


def test_the_digest_of_a_set() -> None:
    first = b"\xaa" * 32 + b"\0\0\0\0" + COIN.serialize()
    second = b"\xbb" * 32 + b"\1\0\0\0" + OTHER.serialize()
    twice = hashlib.sha256(hashlib.sha256(first + second).digest()).digest()
    assert coins_hash([(A, COIN), (B, OTHER)]) == twice
    assert coins_hash([(A, COIN)]) != coins_hash([(A, OTHER)])
