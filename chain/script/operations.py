"""Operations: what each opcode does to the machine, by a line in a table or a small function.

Flow, stack, comparison, arithmetic and hashes; what looks at the transaction is in checksig, and
the limits are in machine. Reference: Core, EvalScript in src/script/interpreter.cpp.
"""

import hashlib
import operator
from collections.abc import Callable

from chain.hashes import hash160, ripemd160, sha256, sha256d
from chain.script import flags as flag
from chain.script import opcodes as op
from chain.script.errors import ScriptError
from chain.script.machine import OPERATIONS, Machine, Operation
from chain.script.numbers import FALSE, TRUE, encode_number, to_bool
from chain.script.sighash import SigVersion

# As in the Bitcoin wiki: before -- after, the top of the stack last.
STACK_EFFECTS = {
    op.OP_2DROP: "a b --",
    op.OP_2DUP: "a b -- a b a b",
    op.OP_3DUP: "a b c -- a b c a b c",
    op.OP_2OVER: "a b c d -- a b c d a b",
    op.OP_2ROT: "a b c d e f -- c d e f a b",
    op.OP_2SWAP: "a b c d -- c d a b",
    op.OP_DROP: "a --",
    op.OP_DUP: "a -- a a",
    op.OP_NIP: "a b -- b",
    op.OP_OVER: "a b -- a b a",
    op.OP_ROT: "a b c -- b c a",
    op.OP_SWAP: "a b -- b a",
    op.OP_TUCK: "a b -- b a b",
}
# Numbers of at most four bytes go in; what comes out may be longer.
ARITHMETIC: dict[int, tuple[int, Callable[..., int]]] = {
    op.OP_1ADD: (1, lambda a: a + 1),
    op.OP_1SUB: (1, lambda a: a - 1),
    op.OP_NEGATE: (1, operator.neg),
    op.OP_ABS: (1, abs),
    op.OP_NOT: (1, operator.not_),
    op.OP_0NOTEQUAL: (1, bool),
    op.OP_ADD: (2, operator.add),
    op.OP_SUB: (2, operator.sub),
    op.OP_BOOLAND: (2, lambda a, b: bool(a and b)),
    op.OP_BOOLOR: (2, lambda a, b: bool(a or b)),
    op.OP_NUMEQUAL: (2, operator.eq),
    op.OP_NUMNOTEQUAL: (2, operator.ne),
    op.OP_LESSTHAN: (2, operator.lt),
    op.OP_GREATERTHAN: (2, operator.gt),
    op.OP_LESSTHANOREQUAL: (2, operator.le),
    op.OP_GREATERTHANOREQUAL: (2, operator.ge),
    op.OP_MIN: (2, min),
    op.OP_MAX: (2, max),
    op.OP_WITHIN: (3, lambda x, low, high: low <= x < high),
}
HASHES: dict[int, Callable[[bytes], bytes]] = {
    op.OP_RIPEMD160: ripemd160,
    op.OP_SHA1: lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    op.OP_SHA256: sha256,
    op.OP_HASH160: hash160,
    op.OP_HASH256: sha256d,
}


def _rearrange(effect: str) -> Operation:
    before, after = (side.split() for side in effect.split("--"))
    picks = [before.index(name) for name in after]

    def run(machine: Machine) -> None:
        taken = machine.pop_many(len(before))
        machine.stack += [taken[pick] for pick in picks]

    return run


def _calculate(operands: int, function: Callable[..., int]) -> Operation:
    def run(machine: Machine) -> None:
        numbers = [machine.number(element) for element in machine.pop_many(operands)]
        machine.stack.append(encode_number(function(*numbers)))

    return run


def _constant(opcode: int) -> Operation:
    element = encode_number(opcode - op.OP_1 + 1)
    return lambda machine: machine.stack.append(element)


def _hash(function: Callable[[bytes], bytes]) -> Operation:
    return lambda machine: machine.stack.append(function(machine.pop()))


OPERATIONS |= {opcode: _rearrange(effect) for opcode, effect in STACK_EFFECTS.items()}
OPERATIONS |= {opcode: _calculate(*function) for opcode, function in ARITHMETIC.items()}
OPERATIONS |= {opcode: _hash(function) for opcode, function in HASHES.items()}
OPERATIONS |= {
    opcode: _constant(opcode) for opcode in (op.OP_1NEGATE, *range(op.OP_1, op.OP_16 + 1))
}


def nop(machine: Machine) -> None:
    """Do nothing."""


def upgradable_nop(machine: Machine) -> None:
    """Do nothing yet: a soft fork may give it a meaning, so policy keeps it free."""
    if machine.flags & flag.DISCOURAGE_UPGRADABLE_NOPS:
        raise ScriptError("DISCOURAGE_UPGRADABLE_NOPS")


def begin_if(machine: Machine, wanted: bool) -> None:
    """Take the branch if the top element is `wanted`; within a skipped branch only count."""
    is_taken = False
    if not machine.skipping:
        condition = machine.pop()
        if condition not in (FALSE, TRUE):
            _refuse_loose_condition(machine)
        is_taken = to_bool(condition) is wanted
    machine.enter_branch(is_taken)


def _refuse_loose_condition(machine: Machine) -> None:
    """Else anybody could put another that is as true in its place (BIP 342)."""
    if machine.version is SigVersion.TAPSCRIPT:
        raise ScriptError("TAPSCRIPT_MINIMALIF")
    if machine.version is SigVersion.WITNESS_V0 and machine.flags & flag.MINIMALIF:
        raise ScriptError("MINIMALIF")


def give_up(machine: Machine) -> None:
    """Fail: what follows RETURN is data."""
    raise ScriptError("OP_RETURN")


def verify(code: str, first: Operation = nop) -> Operation:
    """Do `first`, then take the top element and fail with `code` unless it is true."""

    def run(machine: Machine) -> None:
        first(machine)
        if not to_bool(machine.pop()):
            raise ScriptError(code)

    return run


def from_altstack(machine: Machine) -> None:
    """Take the element last put aside."""
    if not machine.altstack:
        raise ScriptError("INVALID_ALTSTACK_OPERATION")
    machine.stack.append(machine.altstack.pop())


def from_depth(machine: Machine, is_removed: bool) -> None:
    """Pop n, then copy or move the element that lies n below the top."""
    machine.need(2)
    depth = machine.number(machine.pop())
    if not 0 <= depth < len(machine.stack):
        raise ScriptError("INVALID_STACK_OPERATION")
    found = machine.stack.pop(-1 - depth) if is_removed else machine.stack[-1 - depth]
    machine.stack.append(found)


def equal(machine: Machine) -> None:
    """Compare two elements byte by byte."""
    left, right = machine.pop_many(2)
    machine.stack.append(TRUE if left == right else FALSE)


OPERATIONS |= dict.fromkeys((op.OP_NOP1, *range(op.OP_NOP4, op.OP_NOP10 + 1)), upgradable_nop)
OPERATIONS |= {
    op.OP_NOP: nop,
    op.OP_IF: lambda machine: begin_if(machine, True),
    op.OP_NOTIF: lambda machine: begin_if(machine, False),
    op.OP_ELSE: lambda machine: machine.enter_branch(not machine.leave_branch()),
    op.OP_ENDIF: Machine.leave_branch,
    op.OP_VERIFY: verify("VERIFY"),
    op.OP_RETURN: give_up,
    op.OP_TOALTSTACK: lambda machine: machine.altstack.append(machine.pop()),
    op.OP_FROMALTSTACK: from_altstack,
    op.OP_IFDUP: lambda machine: machine.stack.extend([machine.top()] * to_bool(machine.top())),
    op.OP_DEPTH: lambda machine: machine.stack.append(encode_number(len(machine.stack))),
    op.OP_PICK: lambda machine: from_depth(machine, False),
    op.OP_ROLL: lambda machine: from_depth(machine, True),
    op.OP_SIZE: lambda machine: machine.stack.append(encode_number(len(machine.top()))),
    op.OP_EQUAL: equal,
    op.OP_EQUALVERIFY: verify("EQUALVERIFY", equal),
    op.OP_NUMEQUALVERIFY: verify("NUMEQUALVERIFY", OPERATIONS[op.OP_NUMEQUAL]),
}
