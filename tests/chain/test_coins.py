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
    read_undo,
    serialize_undo,
)
from chain.encoding import Reader
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
    raw = coin.serialize()
    reader = Reader(raw + b"rest")
    assert (Coin.read(reader), reader.position) == (coin, len(raw))
    with pytest.raises(DecodeError):
        Coin.read(Reader(raw[:-1]))


@given(st.lists(st.lists(coins, max_size=4).map(tuple), max_size=4).map(tuple))
def test_undo_is_read_back(undo: tuple[tuple[Coin, ...], ...]) -> None:
    raw = serialize_undo(undo)
    reader = Reader(raw + b"rest")
    assert (read_undo(reader), reader.position) == (undo, len(raw))
    with pytest.raises(DecodeError):
        read_undo(Reader(raw[:-1]))


def test_an_overlay_hides_its_source_and_leaves_it_alone() -> None:
    source = Source({A: COIN})
    overlay = CoinsOverlay(source)
    assert overlay.get(A) == COIN and overlay.get(B) is None and overlay.changes() == {}
    tx = make_tx([tx_in(A)], [])
    overlay.spend_inputs(tx)
    assert overlay.get(A) is None
    assert overlay.changes() == {A: None}
    overlay.restore_inputs(tx, [OTHER])
    assert overlay.get(A) == OTHER
    assert source == {A: COIN}
    for spent in ([], [COIN, OTHER]):
        with pytest.raises(ValueError, match="zip"):
            overlay.restore_inputs(tx, spent)


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
