"""Checksig: the opcodes that ask the checker about signatures and lock times.

Knows the rules of the three generations of Script around a signature; does not know what is signed
(sighash) nor how a signature is verified (curve).
Reference: Core, EvalChecksig and EvalScript in src/script/interpreter.cpp; BIPs 65, 112 and 342.
"""

from collections.abc import Sequence

from chain.script import flags as flag
from chain.script import opcodes as op
from chain.script.checker import SEQUENCE_DISABLE_FLAG, TransactionChecker
from chain.script.errors import ScriptError
from chain.script.machine import OPERATIONS, Machine
from chain.script.numbers import FALSE, TRUE, encode_number
from chain.script.opcodes import cut
from chain.script.operations import verify
from chain.script.script import MAX_PUBKEYS_PER_MULTISIG, push
from chain.script.sighash import SigVersion, signed_code
from chain.script.signatures import check_public_key_encoding, check_signature_encoding

SIGNATURE_COST = 50  # weight units (BIP 342; Core: VALIDATION_WEIGHT_PER_SIGOP_PASSED)
MAX_LOCKTIME_NUMBER_SIZE = 5  # bytes: four would end in the year 2038 (BIP 65)


def code_separator(machine: Machine) -> None:
    """From here on signatures commit to what follows only (tapscript: also to this place)."""
    machine.code_start = machine.position
    machine.codeseparator_index = machine.index


def check_ecdsa_signature(
    signature: bytes,
    public_key: bytes,
    script_code: bytes,
    version: SigVersion,
    flags: int,
    checker: TransactionChecker,
) -> bool:
    """One signature before taproot (Core: EvalChecksigPreTapscript)."""
    check_signature_encoding(signature, flags)
    check_public_key_encoding(public_key, flags, version)
    is_good = checker.check_ecdsa(signature, public_key, script_code, version)
    if signature and not is_good and flags & flag.NULLFAIL:
        raise ScriptError("NULLFAIL")
    return is_good


def _code_signed_by(signatures: Sequence[bytes], machine: Machine) -> bytes:
    """What signatures commit to of the script: all behind the last OP_CODESEPARATOR executed.

    A signature cannot sign itself, so before segwit they are cut out of it first.
    """
    if machine.version is not SigVersion.BASE:
        return machine.script_code
    # Whole instructions are cut out, so that they are counted here, and not bytes as above.
    code = cut(machine.script)
    if machine.code_start:
        code = code[machine.codeseparator_index + 1 :]
    pushes = {push(signature) for signature in signatures}
    if machine.flags & flag.CONST_SCRIPTCODE and not pushes.isdisjoint(code):
        raise ScriptError("SIG_FINDANDDELETE")
    return signed_code(code, pushes)


def _check_tapscript_signature(machine: Machine, signature: bytes, public_key: bytes) -> bool:
    """A signature is empty, which means no, or valid: a wrong one fails the script (BIP 342)."""
    if signature:
        machine.signature_budget -= SIGNATURE_COST
        if machine.signature_budget < 0:
            raise ScriptError("TAPSCRIPT_VALIDATION_WEIGHT")
    if not public_key:
        raise ScriptError("TAPSCRIPT_EMPTY_PUBKEY")
    if len(public_key) != 32 and machine.flags & flag.DISCOURAGE_UPGRADABLE_PUBKEYTYPE:
        raise ScriptError("DISCOURAGE_UPGRADABLE_PUBKEYTYPE")
    if len(public_key) == 32 and signature:
        place = machine.leaf_hash, machine.codeseparator_index
        machine.checker.check_schnorr(signature, public_key, machine.annex_hash, *place)
    return bool(signature)


def _check_signature(machine: Machine, signature: bytes, public_key: bytes) -> bool:
    if machine.version is SigVersion.TAPSCRIPT:
        return _check_tapscript_signature(machine, signature, public_key)
    rules = machine.version, machine.flags, machine.checker
    return check_ecdsa_signature(
        signature, public_key, _code_signed_by([signature], machine), *rules
    )


def check_sig(machine: Machine) -> None:
    """signature key -- whether it is good."""
    is_good = _check_signature(machine, *machine.pop_many(2))
    machine.stack.append(TRUE if is_good else FALSE)


def check_sig_add(machine: Machine) -> None:
    """signature n key -- n, plus one if the signature is good."""
    if machine.version is not SigVersion.TAPSCRIPT:
        raise ScriptError("BAD_OPCODE")
    signature, number, public_key = machine.pop_many(3)
    total = machine.number(number) + _check_signature(machine, signature, public_key)
    machine.stack.append(encode_number(total))


def check_multisig(machine: Machine) -> None:
    """dummy signature... m key... n -- whether each signature is of one of the keys, in order."""
    if machine.version is SigVersion.TAPSCRIPT:
        raise ScriptError("TAPSCRIPT_CHECKMULTISIG")
    key_count = _pop_count(machine, MAX_PUBKEYS_PER_MULTISIG, "PUBKEY_COUNT")
    machine.count_operations(key_count)
    public_keys = machine.pop_many(key_count)
    signature_count = _pop_count(machine, key_count, "SIG_COUNT")
    # One element too many: an accident of 2009 that cannot be taken back.
    dummy, *signatures = machine.pop_many(1 + signature_count)
    is_good = _each_signature_has_a_key(machine, list(signatures), public_keys)
    if not is_good and machine.flags & flag.NULLFAIL and any(signatures):
        raise ScriptError("NULLFAIL")
    if dummy and machine.flags & flag.NULLDUMMY:
        raise ScriptError("SIG_NULLDUMMY")
    machine.stack.append(TRUE if is_good else FALSE)


def _pop_count(machine: Machine, limit: int, code: str) -> int:
    count = machine.number(machine.pop())
    if not 0 <= count <= limit:
        raise ScriptError(code)
    return count


def _each_signature_has_a_key(
    machine: Machine, signatures: list[bytes], public_keys: list[bytes]
) -> bool:
    """Go down both lists from the top: a key that does not fit is passed over for ever."""
    script_code = _code_signed_by(signatures, machine)
    while signatures:
        if len(signatures) > len(public_keys):
            return False
        signature, public_key = signatures[-1], public_keys.pop()
        check_signature_encoding(signature, machine.flags)
        check_public_key_encoding(public_key, machine.flags, machine.version)
        if machine.checker.check_ecdsa(signature, public_key, script_code, machine.version):
            signatures.pop()
    return True


def _top_locktime(machine: Machine) -> int:
    """The top element, which stays: these opcodes were NOPs once, and must look so to old nodes."""
    required = machine.number(machine.top(), MAX_LOCKTIME_NUMBER_SIZE)
    if required < 0:
        raise ScriptError("NEGATIVE_LOCKTIME")
    return required


def check_lock_time_verify(machine: Machine) -> None:
    """Fail before the height or time on top of the stack."""
    if not machine.flags & flag.CHECKLOCKTIMEVERIFY:
        return
    if not machine.checker.check_lock_time(_top_locktime(machine)):
        raise ScriptError("UNSATISFIED_LOCKTIME")


def check_sequence_verify(machine: Machine) -> None:
    """Fail until the spent output is as old as the top of the stack says."""
    if not machine.flags & flag.CHECKSEQUENCEVERIFY:
        return
    required = _top_locktime(machine)
    if not required & SEQUENCE_DISABLE_FLAG and not machine.checker.check_sequence(required):
        raise ScriptError("UNSATISFIED_LOCKTIME")  # the flag is kept free for soft forks


OPERATIONS |= {
    op.OP_CODESEPARATOR: code_separator,
    op.OP_CHECKSIG: check_sig,
    op.OP_CHECKSIGVERIFY: verify("CHECKSIGVERIFY", check_sig),
    op.OP_CHECKSIGADD: check_sig_add,
    op.OP_CHECKMULTISIG: check_multisig,
    op.OP_CHECKMULTISIGVERIFY: verify("CHECKMULTISIGVERIFY", check_multisig),
    op.OP_CHECKLOCKTIMEVERIFY: check_lock_time_verify,
    op.OP_CHECKSEQUENCEVERIFY: check_sequence_verify,
}
