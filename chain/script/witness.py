"""Witness programs: what an output of witness version 0 or 1 demands of the witness.

Version 0 names the hash of a key (P2WPKH) or of a script (P2WSH). Version 1 (taproot) names a key,
which may sign alone (key path) or commit to a tree of scripts, one of which is shown (script path).
Reference: BIPs 141, 341 and 342; Core, VerifyWitnessProgram in src/script/interpreter.cpp.
"""

from collections.abc import Sequence

from chain.curve import tweak_public_key
from chain.encoding import compact_size_length, var_bytes
from chain.hashes import hash160, sha256, tagged_hash
from chain.script import flags as flag
from chain.script.checksig import check_ecdsa_signature
from chain.script.errors import ScriptError
from chain.script.machine import MAX_SCRIPT_ELEMENT_SIZE, MAX_STACK_SIZE, Machine, Spend, evaluate
from chain.script.numbers import to_bool
from chain.script.opcodes import instructions
from chain.script.script import witness_program
from chain.script.sighash import SigVersion
from chain.script.templates import P2A, p2pkh

ANCHOR = witness_program(P2A)  # anybody may spend it, and policy lets them
ANNEX_TAG = 0x50  # first byte of an annex, which has no meaning yet
TAPSCRIPT_LEAF_VERSION = 0xC0
LEAF_VERSION_MASK = 0xFE  # the last bit of a control block is the parity of the output key
CONTROL_BASE_SIZE, CONTROL_NODE_SIZE, CONTROL_MAX_NODES = 33, 32, 128  # bytes, bytes, count
BUDGET_OFFSET = 50  # weight units on top of the witness's size: one signature is free
# Opcodes that make a tapscript succeed whatever else is in it: the soft forks of the future.
OP_SUCCESS = {80, 98, *range(126, 130), *range(131, 135), 137, 138, 141, 142, *range(149, 154)}
OP_SUCCESS |= {*range(187, 255)}


def verify_witness_program(
    version: int, program: bytes, witness: Sequence[bytes], spend: Spend, is_p2sh: bool
) -> None:
    """Raise ScriptError unless `witness` satisfies the program; versions to come succeed."""
    is_anchor = (version, program) == ANCHOR and not is_p2sh
    if version == 0:
        _verify_version_0(program, witness, spend)
    elif version == 1 and len(program) == 32 and not is_p2sh:
        if spend.flags & flag.TAPROOT:
            _verify_taproot(program, witness, spend)
    elif spend.flags & flag.DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM and not is_anchor:
        raise ScriptError("DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM")


def _verify_version_0(program: bytes, witness: Sequence[bytes], spend: Spend) -> None:
    if len(program) == 32:
        if not witness:
            raise ScriptError("WITNESS_PROGRAM_WITNESS_EMPTY")
        if sha256(witness[-1]) != program:
            raise ScriptError("WITNESS_PROGRAM_MISMATCH")
        _run(Machine(witness[-1], list(witness[:-1]), SigVersion.WITNESS_V0, *spend))
    elif len(program) == 20:
        if len(witness) != 2:
            raise ScriptError("WITNESS_PROGRAM_MISMATCH")
        _verify_key_hash(program, witness, spend)
    else:
        raise ScriptError("WITNESS_PROGRAM_WRONG_LENGTH")


def _verify_key_hash(program: bytes, witness: Sequence[bytes], spend: Spend) -> None:
    """P2WPKH: run the P2PKH script that the program stands for.

    Without a debugger the same five steps are taken here directly: most inputs are of this kind.
    """
    script = p2pkh(program)
    if spend.trace is not None:
        _run(Machine(script, list(witness), SigVersion.WITNESS_V0, *spend))
        return
    _check_element_sizes(witness)
    if hash160(witness[1]) != program:
        raise ScriptError("EQUALVERIFY")
    rules = SigVersion.WITNESS_V0, spend.flags, spend.checker
    if not check_ecdsa_signature(witness[0], witness[1], script, *rules):
        raise ScriptError("EVAL_FALSE")


def _run(machine: Machine) -> None:
    """A witness script must leave one element, and that true (Core: ExecuteWitnessScript)."""
    _check_element_sizes(machine.stack)
    evaluate(machine)
    if len(machine.stack) != 1:
        raise ScriptError("CLEANSTACK")
    if not to_bool(machine.stack[0]):
        raise ScriptError("EVAL_FALSE")


def _check_element_sizes(elements: Sequence[bytes]) -> None:
    if any(len(element) > MAX_SCRIPT_ELEMENT_SIZE for element in elements):
        raise ScriptError("PUSH_SIZE")


def _verify_taproot(program: bytes, witness: Sequence[bytes], spend: Spend) -> None:
    if not witness:
        raise ScriptError("WITNESS_PROGRAM_WITNESS_EMPTY")
    stack, annex_hash = list(witness), None
    if len(stack) >= 2 and stack[-1][:1] == bytes([ANNEX_TAG]):
        annex_hash = sha256(var_bytes(stack.pop()))
    if len(stack) == 1:
        spend.checker.check_schnorr(stack[0], program, annex_hash)
        return
    control, script = stack.pop(), stack.pop()
    leaf_hash = _check_commitment(program, control, script)
    if control[0] & LEAF_VERSION_MASK == TAPSCRIPT_LEAF_VERSION:
        machine = Machine(script, stack, SigVersion.TAPSCRIPT, *spend)
        machine.leaf_hash, machine.annex_hash = leaf_hash, annex_hash
        machine.signature_budget = BUDGET_OFFSET + _serialized_size(witness)
        _run_tapscript(machine)
    elif spend.flags & flag.DISCOURAGE_UPGRADABLE_TAPROOT_VERSION:
        raise ScriptError("DISCOURAGE_UPGRADABLE_TAPROOT_VERSION")


def _serialized_size(witness: Sequence[bytes]) -> int:
    sizes = [len(element) for element in witness]
    return compact_size_length(len(sizes)) + sum(compact_size_length(n) + n for n in sizes)


def _check_commitment(program: bytes, control: bytes, script: bytes) -> bytes:
    """The hash of the leaf `script`, once `control` proves that the output key commits to it.

    `control` is the leaf version and the parity of the output key (1 byte), the internal key (32),
    and the branch from the leaf to the root (32 for each node).
    """
    nodes, rest = divmod(len(control) - CONTROL_BASE_SIZE, CONTROL_NODE_SIZE)
    if not 0 <= nodes <= CONTROL_MAX_NODES or rest:
        raise ScriptError("TAPROOT_WRONG_CONTROL_SIZE")
    leaf_hash = node = tapleaf_hash(script, control[0] & LEAF_VERSION_MASK)
    for start in range(CONTROL_BASE_SIZE, len(control), CONTROL_NODE_SIZE):
        node = tapbranch_hash(node, control[start : start + CONTROL_NODE_SIZE])
    try:
        output_key = taproot_output_key(control[1:CONTROL_BASE_SIZE], node)
    except ValueError:  # the internal key is not on the curve
        raise ScriptError("WITNESS_PROGRAM_MISMATCH") from None
    if output_key != (program, control[0] & 1):
        raise ScriptError("WITNESS_PROGRAM_MISMATCH")
    return leaf_hash


def tapleaf_hash(script: bytes, version: int = TAPSCRIPT_LEAF_VERSION) -> bytes:
    """The hash of a leaf of the script tree, 32 bytes."""
    return tagged_hash("TapLeaf", bytes([version]) + var_bytes(script))


def tapbranch_hash(one: bytes, other: bytes) -> bytes:
    """The hash of two nodes, the smaller first: so a proof need not say left or right."""
    return tagged_hash("TapBranch", min(one, other) + max(one, other))


def taproot_output_key(internal_key: bytes, merkle_root: bytes = b"") -> tuple[bytes, int]:
    """The x-only key (32 bytes) and its parity that commit to the root; ValueError if none."""
    return tweak_public_key(internal_key, tagged_hash("TapTweak", internal_key + merkle_root))


def _run_tapscript(machine: Machine) -> None:
    """Look for OP_SUCCESSx first: what else is in the script must not matter then (BIP 342)."""
    for opcode, _, _ in instructions(machine.script):
        if opcode in OP_SUCCESS:
            if machine.flags & flag.DISCOURAGE_OP_SUCCESS:
                raise ScriptError("DISCOURAGE_OP_SUCCESS")
            return
    if len(machine.stack) > MAX_STACK_SIZE:
        raise ScriptError("STACK_SIZE")
    _run(machine)
