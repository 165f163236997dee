"""Coins: outputs that nobody has spent yet, and views over them that can be changed and dropped.

Knows what a coin is, how it is written down, how blocks change a set of coins in memory and what
must be remembered to undo a block. Does not know the rules for spending, nor where coins are kept:
a `CoinSource` is handed in. Read beside it: Core's coins.h and undo.h.

Simplified: Core compresses coins on disk (compressor.h); here a row is the plain serialization that
also goes into the digest of the whole set.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from chain.encoding import Reader, write_compact_size
from chain.hashes import sha256d_of_parts
from chain.transaction import OutPoint, Transaction, TxOut

MAX_SCRIPT_BYTES = 10_000  # Core: MAX_SCRIPT_SIZE; a longer script can never be satisfied
_CODE_AND_VALUE = struct.Struct("<Iq")


class Coin(NamedTuple):
    """An unspent output, with what the rules ask about its origin."""

    output: TxOut
    height: int  # of the block that created it
    is_coinbase: bool

    def serialize(self) -> bytes:
        """height * 2 + is_coinbase (u32), value (i64), script (Core: TxOutSer, coinstats.cpp)."""
        (value, script), height, is_coinbase = self
        head = _CODE_AND_VALUE.pack(height << 1 | is_coinbase, value)
        return head + write_compact_size(len(script)) + script

    @classmethod
    def read(cls, reader: Reader) -> "Coin":
        """The next coin in `reader`. Raises DecodeError."""
        code, value = _CODE_AND_VALUE.unpack(reader.take(_CODE_AND_VALUE.size))
        return cls(TxOut(value, reader.var_bytes()), code >> 1, bool(code & 1))


class CoinSource(Protocol):
    """Anything that can be asked for a coin."""

    def get(self, outpoint: OutPoint) -> Coin | None:
        """The unspent coin at `outpoint`, or None if there is none (never was, or is spent)."""


class CoinsOverlay:
    """Changes to a set of coins, held in memory over a source that is not touched.

    Whoever connects a block that turns out to be invalid throws the overlay away.
    """

    def __init__(self, source: CoinSource) -> None:
        self._source = source
        self._changes: dict[OutPoint, Coin | None] = {}

    def get(self, outpoint: OutPoint) -> Coin | None:
        """The coin as these changes leave it."""
        try:
            return self._changes[outpoint]
        except KeyError:
            return self._source.get(outpoint)

    def spend_inputs(self, tx: Transaction) -> None:
        """Remove the coins that a transaction spends. Whether they are there was asked before."""
        for outpoint, _, _, _ in tx.inputs:
            self._changes[outpoint] = None

    def restore_inputs(self, tx: Transaction, spent: Sequence[Coin]) -> None:
        """Undo `spend_inputs`. ValueError if there is not one coin for each input."""
        for tx_in, coin in zip(tx.inputs, spent, strict=True):
            self._changes[tx_in.outpoint] = coin

    def add_outputs(self, tx: Transaction, height: int) -> None:
        """Create the coins of a transaction in the block at `height` (Core: AddCoins)."""
        txid, is_coinbase = tx.txid, tx.is_coinbase
        for index, output in enumerate(tx.outputs):
            if not is_unspendable(output[1]):
                self._changes[OutPoint(txid, index)] = Coin(output, height, is_coinbase)

    def remove_outputs(self, tx: Transaction) -> None:
        """Undo `add_outputs`."""
        for index in range(len(tx.outputs)):
            self._changes[OutPoint(tx.txid, index)] = None

    def changes(self) -> Mapping[OutPoint, Coin | None]:
        """What differs from the source: the new coin, or None where there must be none."""
        return self._changes


def is_unspendable(script_pubkey: bytes) -> bool:
    """True if nothing can satisfy the script, so that no coin is kept (Core: IsUnspendable)."""
    return script_pubkey[:1] == b"\x6a" or len(script_pubkey) > MAX_SCRIPT_BYTES  # OP_RETURN


# What a block spent: for each of its transactions but the coinbase, the coin of each input.
BlockUndo = tuple[tuple[Coin, ...], ...]


def serialize_undo(undo: BlockUndo) -> bytes:
    """Count of transactions, then for each: count of coins, coins."""
    parts = [write_compact_size(len(undo))]
    for spent in undo:
        parts.append(write_compact_size(len(spent)))
        parts.extend(coin.serialize() for coin in spent)
    return b"".join(parts)


def read_undo(reader: Reader) -> BlockUndo:
    """The inverse of `serialize_undo`. Raises DecodeError."""
    counts = range(reader.compact_size())
    return tuple(tuple(Coin.read(reader) for _ in range(reader.compact_size())) for _ in counts)


def coins_hash(coins: Iterable[tuple[OutPoint, Coin]]) -> bytes:
    """Digest of a set of coins, given in order of (txid, index): Core's hash_serialized_3.

    Two nodes at the same tip have the same digest, whatever way they came there.
    """
    return sha256d_of_parts(outpoint.serialize() + coin.serialize() for outpoint, coin in coins)
