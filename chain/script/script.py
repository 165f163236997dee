"""A script as bytes: how to build one, and what can be said of one without running it.

Does not run anything (machine) and does not name the standard shapes (templates). Every function
here takes time linear in the script, which may be hostile.
Reference: Core, src/script/script.cpp; FindAndDelete in interpreter.cpp.
"""

import re
from collections.abc import Sequence, Set

from chain.script import opcodes as op
from chain.script.errors import ScriptError
from chain.script.numbers import encode_number
from chain.script.opcodes import instructions as instructions  # part of this file's interface

_may_check_signatures = re.compile(b"[%c-%c]" % (op.OP_CHECKSIG, op.OP_CHECKMULTISIGVERIFY)).search
MAX_PUBKEYS_PER_MULTISIG = 20  # Core's name; also what an unknown number of keys is counted as


def push(data: bytes) -> bytes:
    """The instruction that pushes `data`, its length as short as can be (Core: CScript << vector).

    One byte stays one byte: push_number writes OP_1 to OP_16.
    """
    size = len(data)
    if size < op.OP_PUSHDATA1:
        return bytes([size]) + data
    if size <= 0xFF:
        return bytes([op.OP_PUSHDATA1, size]) + data
    if size <= 0xFFFF:
        return bytes([op.OP_PUSHDATA2]) + size.to_bytes(2, "little") + data
    return bytes([op.OP_PUSHDATA4]) + size.to_bytes(4, "little") + data


def push_number(number: int) -> bytes:
    """The instruction that pushes `number`, as short as possible (Core: CScript << int64_t)."""
    if number == 0:
        return bytes([op.OP_0])
    if number == -1 or 1 <= number <= 16:
        return bytes([op.OP_1 + number - 1])
    return push(encode_number(number))


def is_minimal_push(opcode: int, data: bytes) -> bool:
    """Whether no shorter instruction than `opcode` pushes `data` (BIP 62 rule 3)."""
    if len(data) == 1 and 1 <= data[0] <= 16:
        return opcode == op.OP_1 + data[0] - 1
    if data == b"\x81":
        return opcode == op.OP_1NEGATE
    return opcode == push(data)[0]


def is_push_only(script: bytes) -> bool:
    """Whether `script` only pushes; OP_RESERVED counts as a push, a cut-off push does not."""
    try:
        return all(opcode <= op.OP_16 for opcode, _, _ in instructions(script))
    except ScriptError:
        return False


def count_sigops(script: bytes, accurate: bool) -> int:
    """Signature operations in `script`, as far as its instructions can be read.

    A multisig counts as 20, or if `accurate` as the OP_1 to OP_16 that stands before it.
    """
    # Most scripts have none of the bytes that count, or are programs, which only push.
    if not _may_check_signatures(script) or witness_program(script) is not None:
        return 0
    count, previous = 0, op.OP_INVALIDOPCODE
    try:
        for opcode, _, _ in instructions(script):
            if opcode in (op.OP_CHECKSIG, op.OP_CHECKSIGVERIFY):
                count += 1
            elif opcode in (op.OP_CHECKMULTISIG, op.OP_CHECKMULTISIGVERIFY):
                known = accurate and op.OP_1 <= previous <= op.OP_16
                count += previous - op.OP_1 + 1 if known else MAX_PUBKEYS_PER_MULTISIG
            previous = opcode
    except ScriptError:
        pass
    return count


def find_and_delete(code: Sequence[bytes], unwanted: Set[bytes]) -> list[bytes]:
    """`code`, in instructions, without those that are `unwanted`.

    A historical accident that legacy signature hashes must repeat for ever.
    """
    return [instruction for instruction in code if instruction not in unwanted]


def is_p2sh(script: bytes) -> bool:
    """HASH160 <20 bytes> EQUAL, in exactly these bytes."""
    return len(script) == 23 and script[:2] == b"\xa9\x14" and script[22] == op.OP_EQUAL


def witness_program(script: bytes) -> tuple[int, bytes] | None:
    """Version (0 to 16) and program (2 to 40 bytes), if `script` just pushes these two."""
    if not 4 <= len(script) <= 42 or script[1] != len(script) - 2:
        return None
    if script[0] == op.OP_0:
        return 0, script[2:]
    return (script[0] - op.OP_1 + 1, script[2:]) if op.OP_1 <= script[0] <= op.OP_16 else None
