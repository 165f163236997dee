"""Worst-case tapscripts: 3.9 MB of one instruction or another, in the one input of a block.

Taproot bounds neither the size of a script nor its instructions, only signatures and the stack: so
this is where an interpreter has most to do for a byte. Read beside it: BIP 342, "Resource limits".
"""

from collections.abc import Callable

from chain.script import opcodes as op
from chain.script.script import push_number
from scripts.worst_blocks import ANYONE, ELEMENT, FULL_WEIGHT, Plan, Stack, leaf_coin, spending

SMALL = (b"\x01",)
LARGE = (ELEMENT,)
DEEP = (ELEMENT,) * 10 + SMALL * 987  # as many elements as may be, but for what the body adds
NO_MORE_THAN_ONE = (op.OP_2DROP,) * 498  # of DEEP


def tapscript(stack: Stack, script: bytes) -> Plan:
    """One input that runs `script` on `stack`, which must leave one element, and that true."""
    coin, control = leaf_coin(script)
    return Plan([coin], lambda points: [spending(points, (), [(*stack, script, control)])])


def repeated(
    *opcodes: int, stack: Stack = SMALL, after: tuple[int, ...] = ()
) -> Callable[[float], Plan]:
    """These instructions over and over, which leave the stack as it was, then those of `after`."""
    once = bytes(opcodes)

    def plan(share: float) -> Plan:
        room = int(share * FULL_WEIGHT) - 1000 - len(after) - sum(map(len, stack))
        return tapscript(stack, once * (room // len(once)) + bytes(after))

    return plan


def not_taken(share: float) -> Plan:
    """Millions of instructions in a branch that is not taken."""
    body = bytes([op.OP_NOP]) * int(share * FULL_WEIGHT - 1000)
    return tapscript(SMALL, bytes([op.OP_0, op.OP_IF]) + body + bytes([op.OP_ENDIF]))


def nested(share: float) -> Plan:
    """A million branches, one within the other."""
    depth = int(share * FULL_WEIGHT - 1000) // 3
    begin, end = bytes([op.OP_1, op.OP_IF]), bytes([op.OP_ENDIF])
    return tapscript((), begin * depth + end * depth + ANYONE)


def hashed(opcode: int) -> Callable[[float], Plan]:
    """520 bytes, hashed over and over."""
    return repeated(op.OP_DUP, opcode, op.OP_DROP, stack=LARGE)


TAPSCRIPTS: dict[str, Callable[[float], Plan]] = {
    "NOP": repeated(op.OP_NOP),
    "NOP in a branch not taken": not_taken,
    "IF in IF in IF": nested,
    "SHA1 of 520 bytes": hashed(op.OP_SHA1),
    "RIPEMD160 of 520 bytes": hashed(op.OP_RIPEMD160),
    "HASH256 of 520 bytes": hashed(op.OP_HASH256),
    "HASH160 of its own result": repeated(op.OP_HASH160),
    "0NOTEQUAL": repeated(op.OP_0NOTEQUAL),
    "2DUP ADD DROP": repeated(
        op.OP_2DUP, op.OP_ADD, op.OP_DROP, stack=SMALL * 2, after=(op.OP_DROP,)
    ),
    "2ROT": repeated(op.OP_2ROT, stack=SMALL * 6, after=(op.OP_2DROP, op.OP_2DROP, op.OP_DROP)),
    "DUP IFDUP 2DROP of 520 bytes": repeated(op.OP_DUP, op.OP_IFDUP, op.OP_2DROP, stack=LARGE),
    "3DUP 2DROP DROP of 520 bytes": repeated(
        op.OP_3DUP, op.OP_2DROP, op.OP_DROP, stack=LARGE * 3, after=(op.OP_2DROP,)
    ),
    "990 ROLL": repeated(*push_number(990), op.OP_ROLL, stack=DEEP, after=NO_MORE_THAN_ONE),
    "990 PICK DROP": repeated(
        *push_number(990), op.OP_PICK, op.OP_DROP, stack=DEEP, after=NO_MORE_THAN_ONE
    ),
    "0 1 CHECKSIG DROP": repeated(op.OP_0, op.OP_1, op.OP_CHECKSIG, op.OP_DROP),
    "CODESEPARATOR": repeated(op.OP_CODESEPARATOR),
}
