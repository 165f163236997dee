"""Coins, overlays, undo records, and the digest of a set of coins."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.coins import (
    Coin,
    coins_hash,
)
from chain.errors import DecodeError
from chain.transaction import OutPoint, TxOut

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
    first = b"\xaa" * 32 + b"\0\0\0\0" + COIN.serialize()
    second = b"\xbb" * 32 + b"\1\0\0\0" + OTHER.serialize()
    raw = first + second
    twice = hashlib.sha256(hashlib.sha256(raw).digest()).digest()
    assert coins_hash([(A, COIN), (B, OTHER)]) == twice
    assert coins_hash([(A, COIN)]) != coins_hash([(A, OTHER)])
