"""The in-memory store against a naive one; the rows of a chain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chain.store as store_module
from chain.coins import Coin
from chain.headers import HeaderEntry, HeaderTree
from chain.params import CLASSROOM, MAIN, REGTEST
from chain.store import (
    MemoryStore,
    StoredCoins,
    StoreError,
    block_key,
    coin_key,
    coin_rows,
    genesis_rows,
    header_row,
    load_headers,
    undo_key,
)
from chain.transaction import OutPoint, TxOut
from tests.builders import make_block, make_coinbase

keys = st.binary(min_size=1, max_size=3).map(lambda raw: bytes(b % 3 * 127 for b in raw))
batches = st.dictionaries(keys, st.none() | st.binary(max_size=2), max_size=5)
COIN = Coin(TxOut(7, b"\x51"), 5, True)


@given(st.lists(batches, max_size=5), keys, st.none() | keys, st.booleans())
def test_a_memory_store_is_a_sorted_dict(
    writes: list[dict[bytes, bytes | None]], prefix: bytes, start: bytes | None, reverse: bool
) -> None:
    store, model = MemoryStore(), dict[bytes, bytes]()
    for batch in writes:
        store.write(batch)
        for key, value in batch.items():
            if value is None:
                model.pop(key, None)
            else:
                model[key] = value
        assert list(store.scan(b"")) == sorted(model.items())
    expected = [(key, model[key]) for key in sorted(model) if key.startswith(prefix)]
    if start is not None:
        expected = [row for row in expected if (row[0] <= start if reverse else row[0] >= start)]
    if reverse:
        expected.reverse()
    assert list(store.scan(prefix, start or b"", reverse)) == expected
    assert all(store.get(key) == value for key, value in model.items())
    assert store.get(b"nothing") is None
    store.close()


def test_a_scan_survives_changes_meanwhile() -> None:
    store = MemoryStore()
    store.write({b"a1": b"1", b"a2": b"2", b"a3": b"3"})
    rows = store.scan(b"a")
    assert next(rows) == (b"a1", b"1")
    store.write({b"a2": None, b"a4": b"4"})
    assert list(rows) == [(b"a3", b"3")]


def test_a_scan_begins_where_it_is_told() -> None:
    store = MemoryStore()
    rows = [(bytes([97, digit]), b"") for digit in range(5)]
    store.write(dict(rows))
    assert list(store.scan(b"a")) == rows
    assert list(store.scan(b"a", b"a\2")) == rows[2:]
    assert list(store.scan(b"a", b"a\2", True)) == rows[2::-1]


def test_keys() -> None:
    assert coin_key(OutPoint(b"\x07" * 32, 258)) == b"c" + b"\x07" * 32 + b"\0\0\1\2"
    assert block_key(b"\x07" * 32) == b"b" + b"\x07" * 32
    assert undo_key(b"\x07" * 32) == b"u" + b"\x07" * 32


def test_coins_are_kept_and_listed_in_order() -> None:
    store = MemoryStore()
    coins = StoredCoins(store)
    first, second, third = (OutPoint(b"\x07" * 32, index) for index in (1, 256, 2**32 - 2))
    changes: dict[OutPoint, Coin | None] = {third: COIN, first: COIN, second: COIN}
    store.write(coin_rows(changes))
    coins.remember(changes)
    assert [outpoint for outpoint, _ in coins] == [first, second, third]
    assert coins.get(first) == COIN == StoredCoins(store).get(first)
    store.write({coin_key(first): None})
    assert coins.get(first) == COIN  # remembered; who writes must say so
    gone: dict[OutPoint, Coin | None] = {first: None, OutPoint(bytes(32), 0): None}
    store.write(coin_rows(gone))
    coins.remember(gone)
    assert coins.get(first) is None
    assert dict(coins) == {second: COIN, third: COIN}


def test_the_cache_of_coins_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert store_module.MAX_CACHED_COINS == 200_000
    monkeypatch.setattr(store_module, "MAX_CACHED_COINS", 2)
    coins = StoredCoins(MemoryStore())  # what it knows, it knows from its cache
    first, second, third = (OutPoint(bytes(32), index) for index in range(3))
    coins.remember({first: COIN})
    coins.remember({second: COIN})
    assert (coins.get(first), coins.get(second)) == (COIN, COIN)
    coins.remember({third: COIN})
    assert (coins.get(first), coins.get(second), coins.get(third)) == (None, None, COIN)


def test_a_coin_that_was_read_is_remembered_within_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store_module, "MAX_CACHED_COINS", 2)
    store = MemoryStore()
    coins = StoredCoins(store)
    points = [OutPoint(bytes(32), index) for index in range(3)]
    store.write(coin_rows(dict.fromkeys(points, COIN)))
    assert [coins.get(point) for point in points[:2]] == [COIN, COIN]
    store.write(coin_rows(dict.fromkeys(points[:2])))  # what is still known is known by heart
    assert [coins.get(point) for point in points[:2]] == [COIN, COIN]
    assert coins.get(points[2]) == COIN  # one too many: the others are forgotten
    assert [coins.get(point) for point in points] == [None, None, COIN]
    coins.remember({points[2]: None})
    store.write(coin_rows({points[2]: None}))
    assert coins.get(points[2]) is None


def test_a_damaged_coin_is_noticed() -> None:
    store = MemoryStore()
    outpoint = OutPoint(bytes(32), 0)
    for row in (b"\1\2\3", COIN.serialize()[:-1], COIN.serialize() + b"\0"):
        store.write({coin_key(outpoint): row})
        with pytest.raises(StoreError, match="a coin in the store is damaged"):
            StoredCoins(store).get(outpoint)
        with pytest.raises(StoreError, match="a coin in the store is damaged"):
            list(StoredCoins(store))


def tree_of_two() -> tuple[HeaderTree, HeaderEntry]:
    tree = HeaderTree(REGTEST.genesis.header)
    tree.link_body(tree.genesis)
    return tree, tree.add(make_block(tree.genesis, [make_coinbase(1, [])]).header)


def stored(tree: HeaderTree) -> MemoryStore:
    store = MemoryStore()
    store.write(dict(map(header_row, tree.values())))
    return store


@pytest.mark.parametrize("is_connected_once", [False, True])
@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize("has_body", [False, True])
def test_header_rows_are_read_back(has_body: bool, is_connected_once: bool, failed: bool) -> None:
    tree, kept = tree_of_two()
    if has_body:
        tree.restore_sequence(kept, 2**40)
    kept.is_connected_once, kept.failed = is_connected_once, failed
    key, value = header_row(kept)
    assert key == b"h\0\0\0\1" + kept.hash
    assert (len(value), value[:80]) == (91, kept.header.serialize())
    assert value[83:].hex() == ("0000000000010000" if has_body else "ff" * 7 + "7f")
    loaded = load_headers(stored(tree), REGTEST)
    read = loaded[kept.hash]
    assert (read.header, read.parent) == (kept.header, loaded.genesis)
    assert (read.has_body, read.sequence) == (has_body, 2**40 if has_body else None)
    assert (read.is_connected_once, read.failed) == (is_connected_once, failed)
    assert loaded.best_candidate.height == (1 if has_body and not failed else 0)
    assert loaded.best_header.height == (0 if failed else 1)


def test_damaged_header_rows_are_noticed() -> None:
    tree, kept = tree_of_two()
    key, value = header_row(kept)
    damaged = [value[:-1], value + b"\0", b""]
    damaged += [value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :] for at in range(80)]
    for row in damaged:
        store = stored(tree)
        store.write({key: row})
        with pytest.raises(StoreError, match="headers in the store are damaged: rebuild"):
            load_headers(store, REGTEST)


def test_a_store_belongs_to_one_network_and_one_layout() -> None:
    assert genesis_rows(MAIN)[b"v"] == bytes.fromhex("02000000" + "f9beb4d9")
    store = stored(tree_of_two()[0])
    store.write(genesis_rows(REGTEST))
    assert len(load_headers(store, REGTEST)) == 2
    message = "layout 2 and network magic fabfb5da, not 2 and f9beb4d9 .main.: use another"
    with pytest.raises(StoreError, match=message):
        load_headers(store, MAIN)
    with pytest.raises(StoreError, match="use another data directory"):
        load_headers(store, CLASSROOM)
    store.write({b"v": b"\1\0\0\0" + REGTEST.magic})
    with pytest.raises(StoreError, match="layout 1 and network magic fabfb5da, not 2 and fabfb5da"):
        load_headers(store, REGTEST)
