"""The index: where transactions are, who spent an output, what touched a script.

It knows the active chain only; what waits is in `waiting`. Its rows change in the same batch
as the chain's, so the two never disagree. They follow from the block alone (nothing is read to
write them), and to take a block off is to delete what it put there. Read beside it: the schema of
Blockstream's electrs (doc/schema.md), which answers the same questions.

Its rows, in the chain's store (chain/store.py). A scripthash is the SHA-256 of a scriptPubKey;
numbers are big endian, so that the rows of a script lie in the order of the chain.

    key                            value                          in words
    x                              block hash                     the index is as of this block
    x txid                         block hash, position, offset   this block has the transaction
    o txid index                   txid, input                    this input spends the output
    s scripthash height position   txid, funded, spent            it pays and spends the script
    n scripthash txid index        height, value                  this output is not spent yet

Hashes have 32 bytes; values and the two sums (funded and spent are a count and a sum each) 8; all
else 4. The position is the transaction's number in its block, the offset that of its first byte.

Outputs that nothing can spend (OP_RETURN) leave no trace of their script. Simplified: of two
transactions with one id (they exist on main, below height 91,880) the later one is found.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from chain.block import HEADER_SIZE, Block
from chain.chainstate import Chainstate
from chain.coins import BlockUndo, Coin, is_unspendable
from chain.encoding import Reader, compact_size_length
from chain.hashes import sha256
from chain.headers import HeaderEntry
from chain.store import REPAIR, Rows, Store, StoreError, block_key
from chain.transaction import OutPoint, Transaction

AS_OF_KEY = b"x"
MAX_REMEMBERED_SUMS = 1_000
"""Scripts whose sums are kept in memory, from one question to the next."""

_PLACE = struct.Struct(">II")  # height and position, at the end of a key
_LOCATION = struct.Struct(">32sII")
_OUTPOINT = struct.Struct(">32sI")
_SPENDER = struct.Struct(">32sI")
_HISTORY = struct.Struct(">32sIQIQ")
_UNSPENT = struct.Struct(">IQ")


class Location(NamedTuple):
    """Where a transaction is."""

    block_hash: bytes
    position: int
    """In the block; the coinbase is 0."""
    offset: int
    """In the block's bytes."""


class Sums(NamedTuple):
    """What has come to a script and gone from it. Sums in satoshis."""

    tx_count: int = 0
    funded_count: int = 0
    funded_sum: int = 0
    spent_count: int = 0
    spent_sum: int = 0

    def plus(self, other: "Sums") -> "Sums":
        """Both together."""
        return Sums(*map(sum, zip(self, other, strict=True)))


class Unspent(NamedTuple):
    """An output that pays a script, not spent on the chain."""

    outpoint: OutPoint
    value: int
    height: int


def sums_of(tx: Transaction, coins: Sequence[Coin]) -> dict[bytes, Sums]:
    """What a transaction, and the coins it spends, mean to each script: by scripthash."""
    return {scripthash: Sums(1, *change) for scripthash, change in _changes(tx, coins).items()}


def _changes(tx: Transaction, coins: Sequence[Coin]) -> dict[bytes, list[int]]:
    """The same, each as a count and a sum of what came and of what went."""
    changes: dict[bytes, list[int]] = {}
    for value, script in tx.outputs:
        if not is_unspendable(script):
            change = changes.setdefault(sha256(script), [0, 0, 0, 0])
            change[0] += 1
            change[1] += value
    for (value, script), _, _ in coins:
        change = changes.setdefault(sha256(script), [0, 0, 0, 0])
        change[2] += 1
        change[3] += value
    return changes


def _with_coins(block: Block, undo: BlockUndo) -> Iterator[tuple[Transaction, Sequence[Coin]]]:
    """Each transaction with the coins it spends; the coinbase spends none."""
    return zip(block.transactions, ((), *undo), strict=True)


class Index:
    """The rows above: how they follow the chain (chain.store.Indexer), and questions to them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # By scripthash: the last history row that is counted, and the sums up to it.
        self._sums: dict[bytes, tuple[bytes, Sums]] = {}

    # Following the chain.

    def rows_for_connect(self, entry: HeaderEntry, block: Block, undo: BlockUndo) -> Rows:
        """What to write when `block` joins the active chain."""
        rows: dict[bytes, bytes | None] = {AS_OF_KEY: entry.hash}
        offset = HEADER_SIZE + compact_size_length(len(block.transactions))
        for position, (tx, coins) in enumerate(_with_coins(block, undo)):
            txid = tx.txid
            rows[b"x" + txid] = _LOCATION.pack(entry.hash, position, offset)
            offset += tx.size
            for number, (tx_in, coin) in enumerate(zip(tx.inputs, coins, strict=False)):
                spent = _OUTPOINT.pack(*tx_in.outpoint)
                rows[b"o" + spent] = _SPENDER.pack(txid, number)
                rows[b"n" + sha256(coin.output.script_pubkey) + spent] = None
            for number, (value, script) in enumerate(tx.outputs):
                if not is_unspendable(script):
                    key = b"n" + sha256(script) + _OUTPOINT.pack(txid, number)
                    rows[key] = _UNSPENT.pack(entry.height, value)
            place = _PLACE.pack(entry.height, position)
            for scripthash, change in _changes(tx, coins).items():
                rows[b"s" + scripthash + place] = _HISTORY.pack(txid, *change)
        return rows

    def rows_for_disconnect(self, entry: HeaderEntry, block: Block, undo: BlockUndo) -> Rows:
        """What to write when `block` leaves it: nothing is left of it, what it spent is back."""
        self._sums.clear()
        rows: dict[bytes, bytes | None] = dict.fromkeys(self.rows_for_connect(entry, block, undo))
        rows[AS_OF_KEY] = entry.header.prev_hash
        own = {tx.txid for tx in block.transactions}
        for tx, coins in _with_coins(block, undo):
            for tx_in, coin in zip(tx.inputs, coins, strict=False):
                if tx_in.outpoint.txid not in own:
                    script = coin.output.script_pubkey
                    key = b"n" + sha256(script) + _OUTPOINT.pack(*tx_in.outpoint)
                    rows[key] = _UNSPENT.pack(coin.height, coin.output.value)
        return rows

    def catch_up(self, chainstate: Chainstate) -> None:
        """Bring the index to the tip of its chain: it may have been left out for a while.

        To be called before anything else happens to the chain.
        """
        entry = chainstate.headers.get(self._store.get(AS_OF_KEY) or b"")
        while entry is not None and entry not in chainstate.active:
            self._store.write(self.rows_for_disconnect(entry, *_block_and_undo(chainstate, entry)))
            entry = entry.parent
        for height in range(0 if entry is None else entry.height + 1, chainstate.tip.height + 1):
            missed = chainstate.active[height]
            self._store.write(self.rows_for_connect(missed, *_block_and_undo(chainstate, missed)))

    # Questions.

    def location(self, txid: bytes) -> Location | None:
        """Where a transaction is on the active chain; None if it is not."""
        row = self._store.get(b"x" + txid)
        return None if row is None else Location(*_unpack(_LOCATION, row))

    def transaction_at(self, location: Location) -> Transaction:
        """The transaction that is there."""
        raw = self._store.get(block_key(location.block_hash))
        if raw is None:
            raise StoreError(f"a block that the index names is missing: {REPAIR}")
        reader = Reader(raw)
        reader.position = location.offset
        return Transaction.read(reader)

    def spender_of(self, outpoint: OutPoint) -> tuple[bytes, int] | None:
        """The txid and the number of the input that spent an output; None if none has."""
        row = self._store.get(b"o" + _OUTPOINT.pack(*outpoint))
        if row is None:
            return None
        txid, number = _unpack(_SPENDER, row)
        return txid, number

    def history(self, scripthash: bytes, after: tuple[int, int] | None = None) -> Iterator[bytes]:
        """The txids that touch a script, newest first. Take from it no more than is needed.

        With `after`, the height and position of one of them, those that are older; nothing if it
        is not one of them.
        """
        prefix, start = b"s" + scripthash, b""
        if after is not None:
            start = prefix + _PLACE.pack(*after)
            if self._store.get(start) is None:
                return
        for key, row in self._store.scan(prefix, start, reverse=True):
            if key != start:
                yield _unpack(_HISTORY, row)[0]

    def sums(self, scripthash: bytes) -> Sums:
        """All that has come to a script and gone from it."""
        prefix = b"s" + scripthash
        last, sums = self._sums.pop(scripthash, (b"", Sums()))
        rows = self._store.scan(prefix, last and last + b"\0")
        for key, row in rows:
            last, sums = key, sums.plus(Sums(1, *_unpack(_HISTORY, row)[1:]))
        if len(self._sums) >= MAX_REMEMBERED_SUMS:
            del self._sums[next(iter(self._sums))]
        self._sums[scripthash] = last, sums
        return sums

    def unspent(self, scripthash: bytes) -> Iterator[Unspent]:
        """The outputs that pay a script and that no block has spent."""
        for key, row in self._store.scan(b"n" + scripthash):
            height, value = _unpack(_UNSPENT, row)
            yield Unspent(OutPoint(key[33:65], int.from_bytes(key[65:], "big")), value, height)


def _unpack(form: struct.Struct, row: bytes) -> tuple[Any, ...]:
    if len(row) != form.size:
        raise StoreError(f"a row of the index is damaged: {REPAIR}")
    return form.unpack(row)


def _block_and_undo(chainstate: Chainstate, entry: HeaderEntry) -> tuple[Block, BlockUndo]:
    undo = chainstate.read_undo(entry.hash)
    if entry.parent is None:
        undo = ()  # the genesis block spends nothing
    if undo is None:
        raise StoreError(f"the undo data of {entry} is missing: {REPAIR}")
    return body_of(chainstate, entry), undo


def body_of(chainstate: Chainstate, entry: HeaderEntry) -> Block:
    """The block of an entry that has one. StoreError if it is gone."""
    block = chainstate.read_block(entry.hash)
    if block is None:
        raise StoreError(f"the body of {entry} is missing: {REPAIR}")
    return block
