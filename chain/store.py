"""The store: ordered bytes to bytes, changed by atomic batches; its rows, and its in-memory form.

Knows keys and values, and what each row means. Does not know disks: node/storage keeps the same
rows in files. Read beside it: Core's txdb.cpp and node/blockstorage.cpp, which keep the same.

The rows of a chain. Heights and indexes in keys are big endian, so that key order is their order.

    key                    value                       in words
    v                      schema (u32), magic (4)     this store has this layout, for this network
    t                      block hash (32)             the coins are those after this block
    h height(4) hash(32)   header, flags, sequence     we know this header, and this of its block
    b hash(32)             block                       this is the block
    u hash(32)             undo                        the block, when connected, spent these coins
    c txid(32) index(4)    coin                        this output is unspent at the tip

Whoever keeps more in the same store says so beside its code (node/index: x, s, o, n; peers: p).
"""

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, TypeVar

from chain.block import Block, BlockHeader
from chain.coins import BlockUndo, Coin
from chain.encoding import Reader
from chain.errors import DecodeError
from chain.headers import HeaderEntry, HeaderTree
from chain.params import Params
from chain.transaction import OutPoint

SCHEMA = 2  # to be raised when a row changes its meaning
VERSION_KEY = b"v"
TIP_KEY = b"t"
HEADER_PREFIX = b"h"
COIN_PREFIX = b"c"
MAX_CACHED_COINS = 200_000  # about 100 MB of Python objects
REPAIR = "rebuild it with farthing node reindex"
_NO_SEQUENCE = 0x7FFF_FFFF_FFFF_FFFF
_HEADER_ROW = struct.Struct("<80s???q")  # header; body, connected once, failed; sequence

Rows = Mapping[bytes, bytes | None]
Value = TypeVar("Value")


class StoreError(Exception):
    """The store cannot be used: it is another network's, of another layout, or damaged."""


class Store(Protocol):
    """Ordered keys and values; node/storage has those that last."""

    def get(self, key: bytes) -> bytes | None:
        """The value at `key`, or None."""

    def write(self, batch: Rows, sync: bool = False) -> None:
        """All of `batch` or nothing; None deletes. With `sync` it then survives a power cut."""

    def scan(
        self, prefix: bytes, start: bytes = b"", reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """Rows whose key begins with `prefix`, in key order, from the key `start` on.

        With `reverse` from the last one down, and `start`, if given, is the highest key wanted.
        """

    def close(self) -> None:
        """Let go of it; nothing may be asked afterwards."""


class Indexer(Protocol):
    """Keeps rows of its own, changed in the same batch as the chain's."""

    def rows_for_connect(self, entry: HeaderEntry, block: Block, undo: BlockUndo) -> Rows:
        """What to write when `block` joins the active chain."""

    def rows_for_disconnect(self, entry: HeaderEntry, block: Block, undo: BlockUndo) -> Rows:
        """What to write when `block` leaves it."""


class MemoryStore:
    """A store that is gone with the process: for tests, lessons and the simulator."""

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}
        self._keys: list[bytes] | None = None  # sorted; None: to be sorted when asked for

    def get(self, key: bytes) -> bytes | None:
        """The value at `key`, or None."""
        return self._rows.get(key)

    def write(self, batch: Rows, sync: bool = False) -> None:
        """All of `batch`; None deletes."""
        for key, value in batch.items():
            if value is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = value
        self._keys = None

    def scan(
        self, prefix: bytes, start: bytes = b"", reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """See Store.scan."""
        if self._keys is None:
            self._keys = sorted(self._rows)
            # The dict is kept in order too, so that sorting it again costs little.
            self._rows = {key: self._rows[key] for key in self._keys}
        keys, first = self._keys, bisect_left(self._keys, prefix)
        end = bisect_right(keys, prefix, key=lambda key: key[: len(prefix)])
        if reverse and start:
            end = min(end, bisect_right(keys, start))
        elif start:
            first = max(first, bisect_left(keys, start))
        wanted = keys[first:end]
        for key in reversed(wanted) if reverse else wanted:
            value = self._rows.get(key)
            if value is not None:  # it may have gone since
                yield key, value

    def close(self) -> None:
        """Nothing to let go of."""


class StoredCoins:
    """The coins at the tip: the rows `c` of a store, with a cache in front."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cache: dict[OutPoint, Coin] = {}  # part of what is in the store, never more

    def get(self, outpoint: OutPoint) -> Coin | None:
        """The coin at `outpoint`, or None."""
        coin = self._cache.get(outpoint)
        if coin is None:
            raw = self._store.get(coin_key(outpoint))
            if raw is None:
                return None
            # Who asks once (a payment comes) asks again (its block comes).
            coin = parse_row(Coin.read, raw, "a coin")
            if len(self._cache) >= MAX_CACHED_COINS:
                self._cache.clear()
            self._cache[outpoint] = coin
        return coin

    def __iter__(self) -> Iterator[tuple[OutPoint, Coin]]:
        """All coins, in order of (txid, index)."""
        for key, value in self._store.scan(COIN_PREFIX):
            outpoint = OutPoint(key[1:33], int.from_bytes(key[33:], "big"))
            yield outpoint, parse_row(Coin.read, value, "a coin")

    def remember(self, changes: Mapping[OutPoint, Coin | None]) -> None:
        """Follow changes that have been written to the store."""
        if len(self._cache) + len(changes) > MAX_CACHED_COINS:
            self._cache.clear()
        for outpoint, coin in changes.items():
            if coin is None:
                self._cache.pop(outpoint, None)
            else:
                self._cache[outpoint] = coin


def parse_row(read: Callable[[Reader], Value], raw: bytes, what: str) -> Value:
    """What `read` makes of the whole of `raw`; it was ours, so that DecodeError is StoreError."""
    reader = Reader(raw)
    try:
        value = read(reader)
        reader.finish()
        return value
    except DecodeError as error:
        raise StoreError(f"{what} in the store is damaged ({error}): {REPAIR}") from None


def coin_key(outpoint: OutPoint) -> bytes:
    """Where a coin stands."""
    return COIN_PREFIX + outpoint.txid + outpoint.index.to_bytes(4, "big")


def coin_rows(changes: Mapping[OutPoint, Coin | None]) -> dict[bytes, bytes | None]:
    """The rows that carry out changes to the coins."""
    return {
        coin_key(outpoint): None if coin is None else coin.serialize()
        for outpoint, coin in changes.items()
    }


def block_key(block_hash: bytes) -> bytes:
    """Where a block stands."""
    return b"b" + block_hash


def undo_key(block_hash: bytes) -> bytes:
    """Where the undo of a block stands."""
    return b"u" + block_hash


def header_row(entry: HeaderEntry) -> tuple[bytes, bytes]:
    """Key and value of a header: what HeaderTree knows and could not compute again."""
    key = HEADER_PREFIX + entry.height.to_bytes(4, "big") + entry.hash
    flags = entry.has_body, entry.is_connected_once, entry.failed
    sequence = _NO_SEQUENCE if entry.sequence is None else entry.sequence
    return key, _HEADER_ROW.pack(entry.header.serialize(), *flags, sequence)


def _version(params: Params) -> bytes:
    return SCHEMA.to_bytes(4, "little") + params.magic


def genesis_rows(params: Params) -> dict[bytes, bytes | None]:
    """What a new store begins with, but for the header."""
    genesis = params.genesis
    return {
        VERSION_KEY: _version(params),
        TIP_KEY: genesis.hash,
        block_key(genesis.hash): genesis.serialize(),
    }


def load_headers(store: Store, params: Params) -> HeaderTree:
    """The tree that the rows `h` describe; in a new store genesis alone. Raises StoreError."""
    version = store.get(VERSION_KEY) or _version(params)
    if version != _version(params):
        raise StoreError(
            f"this data has layout {int.from_bytes(version[:4], 'little')} and network magic "
            f"{version[4:].hex()}, not {SCHEMA} and {params.magic.hex()} ({params.name}): "
            "use another data directory"
        )
    tree = HeaderTree(params.genesis.header)
    for key, value in store.scan(HEADER_PREFIX):
        try:
            raw, has_body, is_connected_once, failed, sequence = _HEADER_ROW.unpack(value)
            tree.add(BlockHeader.parse(raw))
            entry = tree[key[5:]]  # not there under this key if it is damaged
        except (struct.error, KeyError):
            raise StoreError(f"the headers in the store are damaged: {REPAIR}") from None
        entry.is_connected_once, entry.failed = is_connected_once, failed
        if sequence != _NO_SEQUENCE:
            tree.restore_sequence(entry, sequence)
        elif has_body:
            tree.link_body(entry)
    tree.choose_again()
    return tree
