"""Signature hashes: the digest that a signature signs, and which parts of a transaction go into it.

There are three: the legacy one (with its accidents, kept for ever), witness version 0 and taproot.
Each lets the signer choose by the hash type: all outputs, none, or the one beside the input; all
inputs, or this one only. Does not know keys or signatures (checker).
Reference: BIP 143, BIP 341 and 342; Core, SignatureHash in src/script/interpreter.cpp.
"""

import hashlib
import struct
from collections.abc import Sequence, Set
from enum import Enum
from functools import cached_property
from typing import NamedTuple

from chain.encoding import var_bytes, write_compact_size
from chain.hashes import sha256, sha256d, tagged_hash
from chain.script.errors import ScriptError
from chain.script.opcodes import OP_CODESEPARATOR, TruncatedPushError, cut, instructions
from chain.script.script import find_and_delete
from chain.transaction import Transaction, TxOut

SIGHASH_DEFAULT, SIGHASH_ALL, SIGHASH_NONE, SIGHASH_SINGLE = 0, 1, 2, 3
SIGHASH_ANYONECANPAY = 0x80
TAPROOT_HASH_TYPES = frozenset({0x00, 0x01, 0x02, 0x03, 0x81, 0x82, 0x83})
NO_CODESEPARATOR = 0xFFFFFFFF  # the index to commit to when none was executed
_U32, _I64, _OUTPOINT = struct.Struct("<I"), struct.Struct("<q"), struct.Struct("<32sI")
_BLANK_INPUT = struct.Struct("<32sIBI")  # outpoint, size of an empty script, sequence
_BLANK_INPUT_SIZE = 41  # bytes
_V0_HEAD = struct.Struct("<I32s32s32sI")  # version, prevouts, sequences, outpoint
_V0_TAIL = struct.Struct("<qI32sII")  # value, sequence, outputs, locktime, hash type
_TAPROOT_HEAD = struct.Struct("<BBII")  # epoch, hash type, version, locktime
_MASK = 0xFFFFFFFF
_BLANK_OUTPUT = b"\xff" * 8 + b"\x00"  # value -1, empty script
_NOTHING = memoryview(b"")


class SigVersion(Enum):
    """Which generation of Script is running; each has its signature hash and its rules."""

    BASE = 0  # bare outputs and P2SH
    WITNESS_V0 = 1  # P2WPKH and P2WSH
    TAPSCRIPT = 3  # Core counts the key path of taproot as 2; there no script runs


class SharedHashes(NamedTuple):
    """SHA-256, once, of what all inputs have in common: 32 bytes each."""

    prevouts: bytes  # all outpoints
    sequences: bytes  # all sequence numbers
    outputs: bytes  # all outputs


class PrecomputedSighash:
    """What the digests for a transaction's inputs have in common: SHA-256 of this and that.

    `spent_outputs` holds the output that each input spends; only taproot looks at it. Each part is
    computed when it is first asked for: a check that is never made costs nothing.
    """

    def __init__(self, tx: Transaction, spent_outputs: Sequence[TxOut] = ()) -> None:
        self.tx = tx
        self.spent_outputs = spent_outputs
        self._hashes: SharedHashes | None = None
        self._spent_hashes: tuple[bytes, bytes] | None = None
        self._output_hashes: dict[int, bytes] = {}

    @property
    def hashes(self) -> SharedHashes:
        """What nearly every digest needs. (A cached_property would take a lock each time.)"""
        if self._hashes is None:
            prevouts = [_OUTPOINT.pack(*outpoint) for outpoint, _, _, _ in self.tx.inputs]
            sequences = [_U32.pack(sequence) for _, _, sequence, _ in self.tx.inputs]
            outputs = [output.serialize() for output in self.tx.outputs]
            self._hashes = SharedHashes(_hash_of(prevouts), _hash_of(sequences), _hash_of(outputs))
        return self._hashes

    @cached_property
    def outputs(self) -> bytes:
        """All outputs, serialized."""
        return b"".join([output.serialize() for output in self.tx.outputs])

    @property
    def spent_hashes(self) -> tuple[bytes, bytes]:
        """Of the values that are spent, and of their scriptPubKeys, each behind its length."""
        if self._spent_hashes is None:
            amounts = [_I64.pack(value) for value, _ in self.spent_outputs]
            scripts = [var_bytes(script) for _, script in self.spent_outputs]
            self._spent_hashes = _hash_of(amounts), _hash_of(scripts)
        return self._spent_hashes

    @cached_property
    def blank_inputs(self) -> tuple[bytes, bytes]:
        """All inputs with empty scriptSigs, 41 bytes each; the same with all sequences 0."""
        inputs = self.tx.inputs
        blank = [_BLANK_INPUT.pack(*point, 0, sequence) for point, _, sequence, _ in inputs]
        freed = [_BLANK_INPUT.pack(*point, 0, 0) for point, _, _, _ in inputs]
        return b"".join(blank), b"".join(freed)

    def output_hash(self, index: int) -> bytes:
        """Of one output; kept, for it may be large and signed often."""
        if index not in self._output_hashes:
            self._output_hashes[index] = sha256(self.tx.outputs[index].serialize())
        return self._output_hashes[index]


def legacy_sighash(
    tx: Transaction,
    input_index: int,
    script_code: bytes,
    hash_type: int,
    precomputed: PrecomputedSighash | None = None,
    states: "dict[tuple[bytes, int], hashlib._Hash] | None" = None,
) -> bytes:
    """The digest (32 bytes) that a signature before segwit signs: the transaction, cut to fit.

    All scriptSigs are blank, but that of the input itself is `script_code`: a script, or what
    `signed_code` made of it. `hash_type` may be any 32-bit number, signed or not.
    `states` remembers for one input what two hash types have in common (Core: SigHashCache).
    """
    kind = hash_type & 0x1F
    if kind == SIGHASH_SINGLE and input_index >= len(tx.outputs):
        return b"\x01" + bytes(31)  # an old accident: such a signature is good for anything
    if kind not in (SIGHASH_NONE, SIGHASH_SINGLE):
        kind = SIGHASH_ALL
    states, what = {} if states is None else states, kind | hash_type & SIGHASH_ANYONECANPAY
    if (script_code, what) not in states:
        code = script_code
        if not isinstance(script_code, SignedCode):
            code = signed_code(cut(script_code))
        known = precomputed or PrecomputedSighash(tx)
        states[script_code, what] = _legacy_state(tx, input_index, code, what, known)
    state = states[script_code, what].copy()
    state.update(_u32(hash_type))
    return sha256(state.digest())


def _legacy_state(
    tx: Transaction, input_index: int, code: bytes, what: int, known: PrecomputedSighash
) -> "hashlib._Hash":
    """SHA-256 after all but the hash type, of parts hashed where they lie: they may be large."""
    tx_in, input_count, before, after = tx.inputs[input_index], 1, _NOTHING, _NOTHING
    kind = what & ~SIGHASH_ANYONECANPAY
    if not what & SIGHASH_ANYONECANPAY:
        others = memoryview(known.blank_inputs[kind != SIGHASH_ALL])
        start, input_count = _BLANK_INPUT_SIZE * input_index, len(tx.inputs)
        before, after = others[:start], others[start + _BLANK_INPUT_SIZE :]
    outputs, output_count = known.outputs, len(tx.outputs)
    if kind == SIGHASH_NONE:
        outputs, output_count = b"", 0
    elif kind == SIGHASH_SINGLE:
        outputs = _BLANK_OUTPUT * input_index + tx.outputs[input_index].serialize()
        output_count = input_index + 1
    parts: list[bytes | memoryview] = [_u32(tx.version), write_compact_size(input_count), before]
    parts += [tx_in.outpoint.serialize(), code, _u32(tx_in.sequence), after]
    parts += [write_compact_size(output_count), outputs, _u32(tx.locktime)]
    state = hashlib.sha256()
    for part in parts:
        state.update(part)
    return state


class SignedCode(bytes):
    """What of a script a legacy digest covers, behind its size: made by `signed_code`."""


def signed_code(code: Sequence[bytes], unwanted: Set[bytes] = frozenset()) -> SignedCode:
    """`code`, in instructions, without its OP_CODESEPARATORs and without what is `unwanted`.

    If its last push is cut off, Core counts the bytes after that opcode but leaves them out.
    """
    kept = find_and_delete(code, {*unwanted, bytes([OP_CODESEPARATOR])})
    script = b"".join(kept)
    size, end = len(script), len(script)
    try:
        list(instructions(kept[-1] if kept else b""))
    except TruncatedPushError as cut_off:
        end += cut_off.position - len(kept[-1])
    return SignedCode(write_compact_size(size) + script[:end])


def witness_v0_sighash(
    tx: Transaction,
    input_index: int,
    script_code: bytes,
    value: int,
    hash_type: int,
    precomputed: PrecomputedSighash | None = None,
) -> bytes:
    """The digest (32 bytes) that a signature in witness version 0 signs (BIP 143).

    `value` is that of the spent output, in satoshis: a signer can no longer be lied to about fees.
    """
    known = precomputed or PrecomputedSighash(tx)
    kind = hash_type & 0x1F
    prevouts = sequences = outputs = b""  # packed as 32 zeros
    once = known.hashes
    if not hash_type & SIGHASH_ANYONECANPAY:
        prevouts = sha256(once.prevouts)
    if kind not in (SIGHASH_NONE, SIGHASH_SINGLE):
        outputs = sha256(once.outputs)
        if not hash_type & SIGHASH_ANYONECANPAY:
            sequences = sha256(once.sequences)
    elif kind == SIGHASH_SINGLE and input_index < len(tx.outputs):
        outputs = sha256(known.output_hash(input_index))
    outpoint, _, sequence, _ = tx.inputs[input_index]
    head = _V0_HEAD.pack(tx.version & _MASK, prevouts, sequences, *outpoint)
    tail = _V0_TAIL.pack(value, sequence, outputs, tx.locktime, hash_type & _MASK)
    return sha256d(head + var_bytes(script_code) + tail)


def taproot_sighash(
    precomputed: PrecomputedSighash,
    input_index: int,
    hash_type: int = SIGHASH_DEFAULT,
    annex_hash: bytes | None = None,
    leaf_hash: bytes | None = None,
    codeseparator_index: int = NO_CODESEPARATOR,
) -> bytes:
    """The digest (32 bytes) that a taproot signature signs (BIP 341; with `leaf_hash` BIP 342).

    `annex_hash` is SHA-256 of the annex behind its length. Raises ScriptError SCHNORR_SIG_HASHTYPE.
    """
    tx, known = precomputed.tx, precomputed
    kind = hash_type & 3 or SIGHASH_ALL
    single_is_missing = kind == SIGHASH_SINGLE and input_index >= len(tx.outputs)
    if hash_type not in TAPROOT_HASH_TYPES or single_is_missing:
        raise ScriptError("SCHNORR_SIG_HASHTYPE")
    once = known.hashes
    parts = [_TAPROOT_HEAD.pack(0, hash_type, tx.version & _MASK, tx.locktime)]
    if not hash_type & SIGHASH_ANYONECANPAY:
        parts += [once.prevouts, *known.spent_hashes, once.sequences]
    if kind == SIGHASH_ALL:
        parts.append(once.outputs)
    parts.append(bytes([2 * (leaf_hash is not None) + (annex_hash is not None)]))
    if hash_type & SIGHASH_ANYONECANPAY:
        tx_in, spent = tx.inputs[input_index], known.spent_outputs[input_index]
        parts += [tx_in.outpoint.serialize(), spent.serialize(), _u32(tx_in.sequence)]
    else:
        parts.append(_u32(input_index))
    parts.append(annex_hash or b"")
    if kind == SIGHASH_SINGLE:
        parts.append(known.output_hash(input_index))
    if leaf_hash is not None:
        parts += [leaf_hash, b"\x00", _u32(codeseparator_index)]
    return tagged_hash("TapSighash", b"".join(parts))


def _hash_of(parts: list[bytes]) -> bytes:
    return sha256(b"".join(parts))


def _u32(number: int) -> bytes:
    return _U32.pack(number & _MASK)
