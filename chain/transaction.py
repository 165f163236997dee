"""A transaction: what it spends, what it pays, and the bytes of both.

Knows the two wire formats (with witnesses and without), the two ids and the weight. Does not know
whether a transaction is valid (tx_rules), nor what its scripts mean (script/). A transaction is
never changed: make another. Read beside it: BIP 144 and Core's primitives/transaction.h.

Parsing is what a node does most, so here alone an offset walks over the bytes, not a Reader.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

from chain.encoding import Reader, display_hash, var_bytes, write_compact_size
from chain.errors import DecodeError
from chain.hashes import sha256d

COIN = 100_000_000  # satoshis; Core: COIN
MAX_MONEY = 21_000_000 * COIN  # satoshis; Core: MAX_MONEY
SEQUENCE_FINAL = 0xFFFFFFFF  # an input that waits for nothing; Core: SEQUENCE_FINAL
NULL_INDEX = 0xFFFFFFFF  # the index of an outpoint that names no output
WITNESS_SCALE_FACTOR = 4  # a byte outside the witness weighs as much as four inside (BIP 141)
WITNESS_FLAG = 1  # the only flag there is (BIP 144)

_U32, _I64 = struct.Struct("<I"), struct.Struct("<q")
_OUTPOINT = struct.Struct("<32sI")
_unpack_input = struct.Struct("<32sIB").unpack_from  # txid, index, first byte of the script's size
_unpack_output = struct.Struct("<qB").unpack_from  # value, first byte of the script's size
_unpack_u32 = _U32.unpack_from


class OutPoint(NamedTuple):
    """The name of an output: which transaction, and which of its outputs."""

    txid: bytes  # 32 bytes, wire order
    index: int  # type: ignore[assignment]  # from 0, 32 bits; hides tuple.index, not used

    @property
    def is_null(self) -> bool:
        """True for the outpoint of a coinbase's input, which names nothing."""
        return self == NULL_OUTPOINT

    def serialize(self) -> bytes:
        """The id, then the index in four bytes: 36 bytes."""
        return _OUTPOINT.pack(self.txid, self.index)

    def __str__(self) -> str:
        return f"{display_hash(self.txid)}:{self.index}"


NULL_OUTPOINT = OutPoint(bytes(32), NULL_INDEX)


class TxIn(NamedTuple):
    """One input: the output it spends, and what unlocks it."""

    outpoint: OutPoint
    script_sig: bytes = b""
    sequence: int = SEQUENCE_FINAL  # 32 bits: replaceability (BIP 125), relative lock (BIP 68)
    witness: tuple[bytes, ...] = ()

    def serialize(self) -> bytes:
        """The input without its witness, which stands elsewhere."""
        return self.outpoint.serialize() + var_bytes(self.script_sig) + _U32.pack(self.sequence)


class TxOut(NamedTuple):
    """One output: an amount, and the condition for spending it."""

    value: int  # satoshis; any signed 64-bit number can be written, tx_rules says which may
    script_pubkey: bytes

    def serialize(self) -> bytes:
        """Value, then script behind its length."""
        value, script = self
        return _I64.pack(value) + write_compact_size(len(script)) + script


class Transaction:
    """Values and their bytes. Equal to another if all the bytes are, witnesses included."""

    __slots__ = (
        "_full",
        "_stripped",
        "_txid",
        "_wtxid",
        "inputs",
        "locktime",
        "outputs",
        "version",
    )

    def __init__(
        self, version: int, inputs: Sequence[TxIn], outputs: Sequence[TxOut], locktime: int
    ) -> None:
        self.version = version  # unsigned 32 bits
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.locktime = locktime  # below 500,000,000 a height, from there on unix seconds
        self._stripped = self._full = self._serialize(b"", b"")
        if self.has_witness:
            witnesses = b"".join(map(_serialize_witness, self.inputs))
            self._full = self._serialize(bytes((0, WITNESS_FLAG)), witnesses)
        self._txid = self._wtxid = b""

    def _serialize(self, marker_and_flag: bytes, witnesses: bytes) -> bytes:
        return b"".join(
            (
                _U32.pack(self.version),
                marker_and_flag,
                write_compact_size(len(self.inputs)),
                *(tx_in.serialize() for tx_in in self.inputs),
                write_compact_size(len(self.outputs)),
                *(tx_out.serialize() for tx_out in self.outputs),
                witnesses,
                _U32.pack(self.locktime),
            )
        )

    @classmethod
    def parse(cls, raw: bytes | memoryview) -> "Transaction":
        """The transaction that `raw` is, all of it. Raises DecodeError."""
        reader = Reader(raw)
        tx = cls.read(reader)
        reader.finish()
        return tx

    @classmethod
    def read(cls, reader: Reader) -> "Transaction":
        """The next transaction in `reader`. Raises DecodeError."""
        try:
            tx, reader.position = _parse(reader.data, reader.position)
        except (struct.error, IndexError):
            raise DecodeError("the transaction is cut short") from None
        return tx

    def serialize(self, include_witness: bool = True) -> bytes:
        """The bytes on the wire; without witnesses, what `txid` covers and old nodes see."""
        return self._full if include_witness else self._stripped

    @property
    def txid(self) -> bytes:
        """The id that outpoints use, 32 bytes in wire order: witnesses do not change it."""
        if not self._txid:
            self._txid = sha256d(self._stripped)
        return self._txid

    @property
    def wtxid(self) -> bytes:
        """The id that covers the witnesses too, 32 bytes in wire order (BIP 141)."""
        if not self._wtxid:
            self._wtxid = sha256d(self._full)
        return self._wtxid

    @property
    def size(self) -> int:
        """Bytes, witnesses included."""
        return len(self._full)

    @property
    def stripped_size(self) -> int:
        """Bytes, witnesses left out."""
        return len(self._stripped)

    @property
    def weight(self) -> int:
        """Weight units: a byte counts four, or one in a witness (BIP 141)."""
        return len(self._stripped) * (WITNESS_SCALE_FACTOR - 1) + len(self._full)

    @property
    def vsize(self) -> int:
        """Virtual bytes: a quarter of the weight, rounded up."""
        return (self.weight + WITNESS_SCALE_FACTOR - 1) // WITNESS_SCALE_FACTOR

    @property
    def is_coinbase(self) -> bool:
        """True if the only input spends nothing."""
        return len(self.inputs) == 1 and self.inputs[0].outpoint == NULL_OUTPOINT

    @property
    def has_witness(self) -> bool:
        """True if any input has a witness."""
        return any(tx_in.witness for tx_in in self.inputs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Transaction) and self._full == other._full

    def __hash__(self) -> int:
        return hash(self._full)

    def __repr__(self) -> str:
        return f"Transaction({display_hash(self.txid)})"


def _serialize_witness(tx_in: TxIn) -> bytes:
    return write_compact_size(len(tx_in.witness)) + b"".join(map(var_bytes, tx_in.witness))


# Below, a size is believed until something is read behind it, and the locktime always is: a size
# that reaches beyond the end raises struct.error or IndexError there, having cost nothing.


def _parse(data: bytes, start: int) -> tuple[Transaction, int]:
    """The transaction at `start`, and where it ends."""
    at = start + 4
    # No inputs, and then no outputs either, is an empty transaction: anything else is a flag.
    has_flag = data[at] == 0 and data[at + 1] != 0
    if has_flag:
        if data[at + 1] != WITNESS_FLAG:
            raise DecodeError(f"unknown transaction flag {data[at + 1]}")
        at += 2
    body = at
    bare, at = _parse_inputs(data, at)
    outputs, at = _parse_outputs(data, at)
    tx = Transaction.__new__(Transaction)
    if has_flag:
        body_end = at
        tx.inputs, at = _parse_witnesses(data, at, bare)
        tx._full = data[start : at + 4]
        tx._stripped = data[start : start + 4] + data[body:body_end] + data[at : at + 4]
    else:
        tx.inputs = tuple([TxIn(*fields) for fields in bare])
        tx._full = tx._stripped = data[start : at + 4]
    (tx.version,) = _unpack_u32(data, start)
    (tx.locktime,) = _unpack_u32(data, at)
    tx.outputs = tuple(outputs)
    tx._txid = tx._wtxid = b""
    return tx, at + 4


_BareInput = tuple[OutPoint, bytes, int]  # all but the witness


def _parse_inputs(data: bytes, at: int) -> tuple[list[_BareInput], int]:
    count, at = _parse_size(data, at)
    inputs = []
    for _ in range(count):
        txid, index, size = _unpack_input(data, at)
        at += 37
        if size >= 0xFD:
            size, at = _parse_size(data, at - 1)
        end = at + size
        inputs.append((OutPoint(txid, index), data[at:end], _unpack_u32(data, end)[0]))
        at = end + 4
    return inputs, at


def _parse_outputs(data: bytes, at: int) -> tuple[list[TxOut], int]:
    count, at = _parse_size(data, at)
    outputs = []
    for _ in range(count):
        value, size = _unpack_output(data, at)
        at += 9
        if size >= 0xFD:
            size, at = _parse_size(data, at - 1)
        outputs.append(TxOut(value, data[at : at + size]))
        at += size
    return outputs, at


def _parse_witnesses(data: bytes, at: int, bare: list[_BareInput]) -> tuple[tuple[TxIn, ...], int]:
    """The inputs, each with what stands for it behind the outputs."""
    inputs, is_superfluous = [], True
    for outpoint, script_sig, sequence in bare:
        count, at = _parse_size(data, at)
        items = []
        for _ in range(count):
            size = data[at]
            at += 1
            if size >= 0xFD:
                size, at = _parse_size(data, at - 1)
            items.append(data[at : at + size])
            at += size
        is_superfluous = is_superfluous and not items
        inputs.append(TxIn(outpoint, script_sig, sequence, tuple(items)))
    if is_superfluous:
        raise DecodeError("the transaction announces witnesses and has none")
    return tuple(inputs), at


def _parse_size(data: bytes, at: int) -> tuple[int, int]:
    """The compact size at `at`, and where it ends."""
    if data[at] < 0xFD:
        return data[at], at + 1
    reader = Reader(data)
    reader.position = at
    return reader.compact_size(), reader.position


def format_money(satoshis: int) -> str:
    """Coins with two to eight decimals, as in Core's debug messages (FormatMoney)."""
    whole, rest = divmod(abs(satoshis), COIN)
    digits = f"{rest:08d}"
    digits = digits[:2] + digits[2:].rstrip("0")
    return f"{'-' if satoshis < 0 else ''}{whole}.{digits}"
