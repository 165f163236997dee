"""The machine: what changes while a script runs, the limits upon it, and the loop that runs it.

Does not know what any opcode does: operations and checksig enter that into the table OPERATIONS.
The order of the checks decides which error a bad script gives.
Reference: Core, EvalScript in src/script/interpreter.cpp; limits in src/script/script.h.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from chain.script import flags as flag
from chain.script import opcodes as op
from chain.script.checker import TransactionChecker
from chain.script.errors import ScriptError
from chain.script.numbers import MAX_NUMBER_SIZE, decode_number
from chain.script.script import is_minimal_push
from chain.script.sighash import NO_CODESEPARATOR, SigVersion

# Core's names and numbers; the first two do not bind tapscript.
MAX_SCRIPT_SIZE = 10_000  # bytes
MAX_OPS_PER_SCRIPT = 201  # instructions that do not push, the keys of a multisig included
MAX_SCRIPT_ELEMENT_SIZE = 520  # bytes
MAX_STACK_SIZE = 1_000  # elements, both stacks together

# Fail the script even where they would not run: each could once crash a node or eat its memory
# (CVE-2010-5137). In tapscript they are OP_SUCCESSx instead.
DISABLED_OPCODES = {op.OP_CAT, op.OP_SUBSTR, op.OP_LEFT, op.OP_RIGHT, op.OP_2MUL, op.OP_2DIV}
DISABLED_OPCODES |= {op.OP_INVERT, op.OP_AND, op.OP_OR, op.OP_XOR, op.OP_LSHIFT, op.OP_RSHIFT}
DISABLED_OPCODES |= {op.OP_MUL, op.OP_DIV, op.OP_MOD}


class Step(NamedTuple):
    """What a debugger sees before an instruction runs, and once more at the end of the script."""

    script: bytes
    position: int  # of the instruction, in bytes; at the end the length of the script
    opcode: int | None  # None at the end
    name: str  # OP_DUP; empty at the end
    data: bytes | None  # what it pushes
    is_executed: bool  # False within a branch not taken
    stack: Sequence[bytes]  # top last; the machine's own, so copy what you keep
    altstack: Sequence[bytes]


Trace = Callable[[Step], None]


class Spend(NamedTuple):
    """What stays the same in all scripts of one spend."""

    flags: int  # a plain integer: see flags
    checker: TransactionChecker
    trace: Trace | None = None


@dataclass(slots=True, eq=False)
class Machine:
    """A script about to run: Machine(script, stack, version, *spend). It changes the stack."""

    script: bytes
    stack: list[bytes]
    version: SigVersion
    flags: int
    checker: TransactionChecker
    trace: Trace | None = None
    altstack: list[bytes] = field(default_factory=list)
    position: int = 0  # in bytes, of the next instruction
    index: int = 0  # of the current instruction
    op_count: int = 0
    branches: list[bool] = field(default_factory=list)  # one for each open IF: is it taken?
    skipping: int = 0  # how many of them are not
    code_start: int = 0  # behind the last OP_CODESEPARATOR executed, in bytes
    codeseparator_index: int = NO_CODESEPARATOR  # which instruction that was; for tapscript
    leaf_hash: bytes | None = None  # this and what follows: tapscript only
    annex_hash: bytes | None = None
    signature_budget: int = 0  # weight units left for signature checks

    @property
    def script_code(self) -> bytes:
        """The part of the script that a signature commits to, before taproot."""
        return self.script[self.code_start :]

    def need(self, count: int) -> None:
        """Raise INVALID_STACK_OPERATION unless the stack holds `count` elements."""
        if len(self.stack) < count:
            raise ScriptError("INVALID_STACK_OPERATION")

    def top(self) -> bytes:
        """The top element, which stays."""
        self.need(1)
        return self.stack[-1]

    def pop(self) -> bytes:
        """The top element, taken off the stack."""
        self.need(1)
        return self.stack.pop()

    def pop_many(self, count: int) -> list[bytes]:
        """The top `count` elements, top last, taken off the stack."""
        self.need(count)
        start = len(self.stack) - count
        taken = self.stack[start:]
        del self.stack[start:]
        return taken

    def number(self, element: bytes, max_size: int = MAX_NUMBER_SIZE) -> int:
        """`element` as a number; SCRIPTNUM if it is none."""
        return decode_number(element, bool(self.flags & flag.MINIMALDATA), max_size)

    def count_operations(self, count: int) -> None:
        """Add to the operations counted; OP_COUNT if they are too many."""
        self.op_count += count
        if self.op_count > MAX_OPS_PER_SCRIPT:
            raise ScriptError("OP_COUNT")

    def enter_branch(self, is_taken: bool) -> None:
        """Behind IF. Counting the branches not taken makes `skipping` cheap at any depth."""
        self.branches.append(is_taken)
        self.skipping += not is_taken

    def leave_branch(self) -> bool:
        """At ENDIF, or on the way into ELSE: whether the branch left behind was taken."""
        if not self.branches:
            raise ScriptError("UNBALANCED_CONDITIONAL")
        was_taken = self.branches.pop()
        self.skipping -= not was_taken
        return was_taken


Operation = Callable[[Machine], object]  # whatever it returns is of no interest
OPERATIONS: dict[int, Operation] = {}


def evaluate(machine: Machine) -> None:
    """Run the machine's script; ScriptError if it fails. Whether it left true is not asked here."""
    if machine.version is not SigVersion.TAPSCRIPT and len(machine.script) > MAX_SCRIPT_SIZE:
        raise ScriptError("SCRIPT_SIZE")
    stack, altstack = machine.stack, machine.altstack
    for index, (opcode, data, following) in enumerate(op.instructions(machine.script)):
        if machine.trace:
            machine.trace(_step(machine, opcode, data))
        machine.index, machine.position = index, following
        if data is not None:
            _push(machine, opcode, data)
        else:
            if machine.version is not SigVersion.TAPSCRIPT:
                _check_opcode(machine, opcode)
            if not machine.skipping or op.OP_IF <= opcode <= op.OP_ENDIF:
                OPERATIONS.get(opcode, bad_opcode)(machine)
        if len(stack) + len(altstack) > MAX_STACK_SIZE:
            raise ScriptError("STACK_SIZE")
    if machine.branches:
        raise ScriptError("UNBALANCED_CONDITIONAL")
    if machine.trace:
        machine.trace(_step(machine, None, None))


def _push(machine: Machine, opcode: int, data: bytes) -> None:
    if len(data) > MAX_SCRIPT_ELEMENT_SIZE:
        raise ScriptError("PUSH_SIZE")
    if not machine.skipping:
        if machine.flags & flag.MINIMALDATA and not is_minimal_push(opcode, data):
            raise ScriptError("MINIMALDATA")
        machine.stack.append(data)


def _check_opcode(machine: Machine, opcode: int) -> None:
    """What is refused before taproot, even within a branch not taken."""
    if opcode > op.OP_16:
        machine.count_operations(1)
    if opcode in DISABLED_OPCODES:
        raise ScriptError("DISABLED_OPCODE")
    is_const = machine.version is SigVersion.BASE and machine.flags & flag.CONST_SCRIPTCODE
    if is_const and opcode == op.OP_CODESEPARATOR:
        raise ScriptError("OP_CODESEPARATOR")


def bad_opcode(machine: Machine) -> None:
    """Fail: nothing is defined for this opcode."""
    raise ScriptError("BAD_OPCODE")


def _step(machine: Machine, opcode: int | None, data: bytes | None) -> Step:
    name = "" if opcode is None else op.opcode_name(opcode)
    is_executed = not machine.skipping or op.OP_IF <= (opcode or 0) <= op.OP_ENDIF
    where = machine.script, machine.position, opcode, name
    return Step(*where, data, is_executed, machine.stack, machine.altstack)
