"""A block: an 80-byte header, and the transactions that it commits to.

Knows the bytes, the hash, the sizes and where a coinbase commits to witnesses. Does not know
whether a block is valid (block_rules) nor where it stands in the chain (headers). Read beside it:
Core's primitives/block.h and BIP 141 ("Commitment structure").
"""

import struct
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from chain.encoding import Reader, compact_size_length, display_hash, write_compact_size
from chain.errors import DecodeError
from chain.hashes import sha256d
from chain.merkle import merkle_root
from chain.transaction import WITNESS_SCALE_FACTOR, Transaction

HEADER_SIZE = 80  # bytes
MIN_TRANSACTION_SIZE = 10  # bytes: version, no inputs, no outputs, locktime
WITNESS_COMMITMENT_PREFIX = bytes.fromhex("6a24aa21a9ed")  # OP_RETURN, push of 36, four magic bytes
WITNESS_COMMITMENT_SIZE = len(WITNESS_COMMITMENT_PREFIX) + 32

_HEADER = struct.Struct("<i32s32sIII")


class _HeaderFields(NamedTuple):
    version: int  # signed 32 bits; which rules its miner knew (BIPs 9, 34, 65, 66)
    prev_hash: bytes  # the parent's hash, 32 bytes in wire order
    merkle_root: bytes  # over the txids, 32 bytes in wire order
    time: int  # unix seconds, unsigned 32 bits
    bits: int  # the target in compact form
    nonce: int  # unsigned 32 bits, whatever makes the hash small enough


class BlockHeader(_HeaderFields):
    """What is hashed, and what the chain is made of. `_replace` gives a changed copy."""

    @cached_property
    def hash(self) -> bytes:
        """The block's id and its proof of work, 32 bytes in wire order."""
        return sha256d(self.serialize())

    @classmethod
    def parse(cls, raw: bytes | memoryview) -> "BlockHeader":
        """The header that 80 bytes are. Raises DecodeError."""
        if len(raw) != HEADER_SIZE:
            raise DecodeError(f"a header has {HEADER_SIZE} bytes, not {len(raw)}")
        header = cls(*_HEADER.unpack(raw))
        header.hash = sha256d(bytes(raw))  # asked for sooner or later; here it costs no serializing
        return header

    @classmethod
    def read(cls, reader: Reader) -> "BlockHeader":
        """The next header in `reader`. Raises DecodeError."""
        return cls._make(_HEADER.unpack(reader.take(HEADER_SIZE)))

    def serialize(self) -> bytes:
        """The six fields, 80 bytes."""
        return _HEADER.pack(*self)


class Block:
    """A header and its transactions. Equal to another if all the bytes are."""

    __slots__ = ("header", "transactions")

    def __init__(self, header: BlockHeader, transactions: Sequence[Transaction]) -> None:
        self.header = header
        self.transactions = tuple(transactions)

    @classmethod
    def parse(cls, raw: bytes | memoryview) -> "Block":
        """The block that `raw` is, all of it. Raises DecodeError."""
        reader = Reader(raw)
        block = cls.read(reader)
        reader.finish()
        return block

    @classmethod
    def read(cls, reader: Reader) -> "Block":
        """The next block in `reader`. Raises DecodeError."""
        header = BlockHeader.read(reader)
        count = reader.count(MIN_TRANSACTION_SIZE)
        return cls(header, [Transaction.read(reader) for _ in range(count)])

    def serialize(self, include_witness: bool = True) -> bytes:
        """The bytes on the wire, with or without the transactions' witnesses."""
        head = self.header.serialize() + write_compact_size(len(self.transactions))
        return head + b"".join([tx.serialize(include_witness) for tx in self.transactions])

    @property
    def hash(self) -> bytes:
        """The header's hash."""
        return self.header.hash

    @property
    def size(self) -> int:
        """Bytes, witnesses included."""
        return self._head_size + sum([tx.size for tx in self.transactions])

    @property
    def stripped_size(self) -> int:
        """Bytes, witnesses left out."""
        return self._head_size + sum([tx.stripped_size for tx in self.transactions])

    @property
    def weight(self) -> int:
        """Weight units (BIP 141)."""
        return self.stripped_size * (WITNESS_SCALE_FACTOR - 1) + self.size

    @property
    def _head_size(self) -> int:
        return HEADER_SIZE + compact_size_length(len(self.transactions))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Block):
            return False
        return self.header == other.header and self.transactions == other.transactions

    def __hash__(self) -> int:
        return hash(self.header)

    def __repr__(self) -> str:
        return f"Block({display_hash(self.hash)}, {len(self.transactions)} transactions)"


def witness_commitment(block: Block) -> bytes | None:
    """The 32 bytes with which the coinbase commits to all witnesses; None if it does not (BIP 141).

    Where several outputs look like a commitment, the last one is it.
    """
    if not block.transactions:
        return None
    for output in reversed(block.transactions[0].outputs):
        script = output.script_pubkey
        if len(script) >= WITNESS_COMMITMENT_SIZE and script.startswith(WITNESS_COMMITMENT_PREFIX):
            return script[len(WITNESS_COMMITMENT_PREFIX) : WITNESS_COMMITMENT_SIZE]
    return None


def witness_merkle_root(block: Block) -> bytes:
    """The root over the wtxids, the coinbase's counting as zero: it holds the commitment itself."""
    wtxids = [tx.wtxid for tx in block.transactions[1:]]
    return merkle_root([bytes(32), *wtxids])[0]
