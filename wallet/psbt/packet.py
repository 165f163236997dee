"""A packet: one partially signed transaction, from its bytes and back, byte for byte.

    magic, one map for the whole, one for each input, one for each output

What nobody here knows is kept as it came and in its place. A packet is never changed: each step
makes another. Does not know what a signer needs (inputs) nor how to sign.

Reference: BIP 174.
"""

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from chain.encoding import Reader, display_hash
from chain.errors import DecodeError
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet.errors import BadPsbt, PsbtMismatch
from wallet.psbt.fields import Global, In, Map, Out, field_key, of_kind, read_map, write_map

MAGIC = b"psbt\xff"
MAX_BYTES = 20_000_000  # a transaction of standard size with all those it spends from
VERSION = 0


@dataclass(frozen=True)
class Psbt:
    """The unsigned transaction and the maps: one of the whole, one an input, one an output."""

    transaction: Transaction
    fields: Map
    inputs: tuple[Map, ...]
    outputs: tuple[Map, ...]

    @classmethod
    def of_transaction(cls, transaction: Transaction) -> Self:
        """An empty packet around a transaction that has no signatures yet (BIP 174: Creator)."""
        _refuse_signatures(transaction)
        fields = {field_key(Global.UNSIGNED_TX): transaction.serialize(include_witness=False)}
        inputs: tuple[Map, ...] = tuple({} for _ in transaction.inputs)
        return cls(transaction, fields, inputs, tuple({} for _ in transaction.outputs))

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """A packet from its bytes; BadPsbt says in one line what is wrong with them."""
        if len(raw) > MAX_BYTES:
            raise BadPsbt(f"{len(raw)} bytes are too many for a PSBT: at most {MAX_BYTES}")
        if not raw.startswith(MAGIC):
            raise BadPsbt("no PSBT: it does not begin with the bytes 'psbt' and ff")
        reader = Reader(raw[len(MAGIC) :])
        try:
            return cls._read(reader)
        except DecodeError as error:
            raise BadPsbt(f"the PSBT is broken or cut short: {error}") from None

    @classmethod
    def _read(cls, reader: Reader) -> Self:
        fields = read_map(reader, Global)
        version = int.from_bytes(fields.get(field_key(Global.VERSION), b""), "little")
        if version != VERSION:
            raise BadPsbt(f"a PSBT of version {version}; only version {VERSION} is read here")
        raw = fields.get(field_key(Global.UNSIGNED_TX))
        if raw is None:
            raise BadPsbt("the PSBT has no unsigned transaction")
        transaction = _parse_unsigned(raw)
        inputs = tuple(read_map(reader, In) for _ in transaction.inputs)
        outputs = tuple(read_map(reader, Out) for _ in transaction.outputs)
        reader.finish()
        return cls(transaction, fields, inputs, outputs)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """A packet in base64, as people hand it on."""
        try:
            return cls.parse(base64.b64decode("".join(text.split()), validate=True))
        except (binascii.Error, ValueError):
            raise BadPsbt("no PSBT: expected base64 text that begins with cHNidP8") from None

    def serialize(self) -> bytes:
        """The bytes; of what was parsed, exactly those that came."""
        return MAGIC + b"".join(map(write_map, (self.fields, *self.inputs, *self.outputs)))

    def text(self) -> str:
        """The packet in base64, on one line."""
        return base64.b64encode(self.serialize()).decode()

    def with_inputs(self, inputs: Iterable[Map]) -> "Psbt":
        """The same with other maps of the inputs."""
        return Psbt(self.transaction, self.fields, tuple(inputs), self.outputs)


def combine(packets: Sequence[Psbt]) -> Psbt:
    """What all of them know, of one and the same transaction (BIP 174: Combiner).

    Where two differ in a field, the first is kept: of a signature both are as good.
    """
    if not packets:
        raise PsbtMismatch("nothing to combine: give two PSBTs or more")
    first = packets[0]
    for other in packets[1:]:
        if other.transaction != first.transaction:
            raise PsbtMismatch(
                "these PSBTs are of different transactions: "
                f"{display_hash(first.transaction.txid)} and {display_hash(other.transaction.txid)}"
            )
    return Psbt(
        first.transaction,
        _union(packet.fields for packet in packets),
        tuple(map(_union, zip(*(packet.inputs for packet in packets), strict=True))),
        tuple(map(_union, zip(*(packet.outputs for packet in packets), strict=True))),
    )


def get(fields: Map, kind: int) -> bytes | None:
    """The value of the field of a type that stands alone; None if it is not there."""
    return next((value for _, value in of_kind(fields, kind)), None)


def _union(maps: Iterable[Map]) -> Map:
    """All fields; those of the earliest map win."""
    union: dict[bytes, bytes] = {}
    for fields in maps:
        for key, value in fields.items():
            union.setdefault(key, value)
    return union


def _parse_unsigned(raw: bytes) -> Transaction:
    """A transaction in the form without witnesses, which alone may have no inputs here."""
    reader = Reader(raw)
    version, inputs = reader.u32(), []
    for _ in range(reader.count(41)):
        outpoint = OutPoint(reader.take(32), reader.u32())
        inputs.append(TxIn(outpoint, reader.var_bytes(), reader.u32()))
    outputs = [TxOut(reader.i64(), reader.var_bytes()) for _ in range(reader.count(9))]
    transaction = Transaction(version, inputs, outputs, reader.u32())
    reader.finish()
    _refuse_signatures(transaction)
    return transaction


def _refuse_signatures(transaction: Transaction) -> None:
    for number, each in enumerate(transaction.inputs):
        if each.script_sig or each.witness:
            raise BadPsbt(f"input {number} of the unsigned transaction has a signature already")
