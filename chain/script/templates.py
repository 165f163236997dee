"""Templates: the standard shapes of a scriptPubKey, and how to build each.

Knows shapes only: whether a key is on the curve or a hash has a preimage is not asked here, and
which shapes a node relays is policy. Reference: Core, src/script/solver.cpp.
"""

from collections.abc import Iterable
from enum import Enum
from itertools import islice

from chain.script import opcodes as op
from chain.script.errors import ScriptError
from chain.script.numbers import decode_number
from chain.script.script import (
    MAX_PUBKEYS_PER_MULTISIG,
    instructions,
    is_minimal_push,
    is_p2sh,
    is_push_only,
    push,
    push_number,
    witness_program,
)

# Pay to anchor: OP_1 <4e73>. Anybody may spend it, without a witness.
P2A = bytes.fromhex("51024e73")
_KEY_SIZES = {2: 33, 3: 33, 4: 65, 6: 65, 7: 65}  # by first byte; 6 and 7 are the hybrid form


class ScriptType(Enum):
    """The shapes, with the names of Core's RPC as values."""

    P2PK = "pubkey"
    P2PKH = "pubkeyhash"
    P2SH = "scripthash"
    P2WPKH = "witness_v0_keyhash"
    P2WSH = "witness_v0_scripthash"
    P2TR = "witness_v1_taproot"
    P2A = "anchor"
    MULTISIG = "multisig"
    NULL_DATA = "nulldata"
    WITNESS_UNKNOWN = "witness_unknown"
    NONSTANDARD = "nonstandard"


def classify(script: bytes) -> ScriptType:
    """Which shape `script` has."""
    program = witness_program(script)
    if program is not None:
        return _classify_program(*program)
    if is_p2sh(script):
        return ScriptType.P2SH
    if script[:1] == bytes([op.OP_RETURN]) and is_push_only(script[1:]):
        return ScriptType.NULL_DATA
    if _has_key_size(script[1:-1]) and script == p2pk(script[1:-1]):
        return ScriptType.P2PK
    if script == p2pkh(script[3:23]):
        return ScriptType.P2PKH
    return ScriptType.MULTISIG if multisig_keys(script) else ScriptType.NONSTANDARD


def _classify_program(version: int, program: bytes) -> ScriptType:
    shapes = {(0, 20): ScriptType.P2WPKH, (0, 32): ScriptType.P2WSH, (1, 32): ScriptType.P2TR}
    if (version, program) == witness_program(P2A):
        return ScriptType.P2A
    other = ScriptType.WITNESS_UNKNOWN if version else ScriptType.NONSTANDARD
    return shapes.get((version, len(program)), other)


def _has_key_size(data: bytes) -> bool:
    return bool(data) and _KEY_SIZES.get(data[0]) == len(data)


def multisig_keys(script: bytes) -> tuple[int, list[bytes]] | None:
    """m and the n keys of `m <key>... n CHECKMULTISIG`; None if `script` is anything else."""
    if script[-1:] != bytes([op.OP_CHECKMULTISIG]):
        return None
    few = islice(instructions(script[:-1]), MAX_PUBKEYS_PER_MULTISIG + 3)  # one more is too many
    try:
        first, *middle, last = [(opcode, data) for opcode, data, _ in few]
        required, total = _small_number(*first), _small_number(*last)
    except (ScriptError, ValueError):  # unreadable, or fewer than two instructions
        return None
    keys = [data for _, data in middle if data is not None and _has_key_size(data)]
    if not len(keys) == len(middle) == total <= MAX_PUBKEYS_PER_MULTISIG:
        return None
    return (required, keys) if 1 <= required <= total else None


def _small_number(opcode: int, data: bytes | None) -> int:
    """The number that a minimal push leaves; 0 for anything else."""
    if op.OP_1 <= opcode <= op.OP_16:
        return opcode - op.OP_1 + 1
    if not data or not is_minimal_push(opcode, data):
        return 0
    return decode_number(data, must_be_minimal=True)


def p2pk(public_key: bytes) -> bytes:
    """<key> CHECKSIG."""
    return push(public_key) + bytes([op.OP_CHECKSIG])


def p2pkh(key_hash: bytes) -> bytes:
    """DUP HASH160 <hash160 of the key> EQUALVERIFY CHECKSIG."""
    before, after = (op.OP_DUP, op.OP_HASH160), (op.OP_EQUALVERIFY, op.OP_CHECKSIG)
    return bytes(before) + push(key_hash) + bytes(after)


def p2sh(script_hash: bytes) -> bytes:
    """HASH160 <hash160 of the redeem script> EQUAL."""
    return bytes([op.OP_HASH160]) + push(script_hash) + bytes([op.OP_EQUAL])


def witness(version: int, program: bytes) -> bytes:
    """OP_<version> <program>: any witness program."""
    return push_number(version) + push(program)


def p2wpkh(key_hash: bytes) -> bytes:
    """OP_0 <hash160 of the compressed key>."""
    return witness(0, key_hash)


def p2wsh(script_hash: bytes) -> bytes:
    """OP_0 <sha256 of the witness script>."""
    return witness(0, script_hash)


def p2tr(output_key: bytes) -> bytes:
    """OP_1 <x coordinate of the tweaked key>."""
    return witness(1, output_key)


def multisig(required: int, public_keys: Iterable[bytes]) -> bytes:
    """m <key>... n CHECKMULTISIG: any m of the n keys, whose signatures come in the keys' order."""
    keys = [push(key) for key in public_keys]
    parts = [push_number(required), *keys, push_number(len(keys)), bytes([op.OP_CHECKMULTISIG])]
    return b"".join(parts)


def op_return(data: bytes) -> bytes:
    """RETURN <data>: an output that nobody can spend, to publish `data`."""
    return bytes([op.OP_RETURN]) + push(data)
