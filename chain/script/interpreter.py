"""The interpreter: one spend from end to end.

An input's scriptSig runs first, then, on the stack that it leaves, the scriptPubKey of the output
which it spends. Two shapes of scriptPubKey mean more than they say: P2SH has a further script, and
a witness program has its say in the witness. Does not know blocks, coins or policy.
Reference: Core, VerifyScript in src/script/interpreter.cpp; BIPs 16 and 141.
"""

from collections.abc import Sequence

from chain.script.checker import TransactionChecker as TransactionChecker
from chain.script.errors import ScriptError as ScriptError
from chain.script.flags import CLEANSTACK, P2SH, SIGPUSHONLY, WITNESS
from chain.script.flags import ScriptFlag as ScriptFlag
from chain.script.machine import Machine, Spend, Trace, evaluate
from chain.script.numbers import to_bool
from chain.script.script import is_p2sh, is_push_only, push, witness_program
from chain.script.sighash import SigVersion
from chain.script.witness import verify_witness_program


def verify_script(
    script_sig: bytes,
    script_pubkey: bytes,
    witness: Sequence[bytes],
    flags: ScriptFlag,
    checker: TransactionChecker,
    trace: Trace | None = None,
) -> None:
    """Raise ScriptError unless `script_sig` and `witness` may spend `script_pubkey` under `flags`.

    `trace` is told of each step, for a debugger (machine.Step).
    """
    spend = Spend(int(flags), checker, trace)
    program = witness_program(script_pubkey) if spend.flags & WITNESS else None
    if program is not None and not script_sig:
        _verify_native(*program, witness, spend)
        return
    if spend.flags & SIGPUSHONLY and not is_push_only(script_sig):
        raise ScriptError("SIG_PUSHONLY")
    stack: list[bytes] = []
    _run(script_sig, stack, spend)
    inputs = list(stack)
    _run(script_pubkey, stack, spend)
    _demand_true(stack)
    if program is not None:
        raise ScriptError("WITNESS_MALLEATED")
    if spend.flags & P2SH and is_p2sh(script_pubkey):
        stack, program = _run_redeem_script(script_sig, inputs, spend)
        if program is not None:
            verify_witness_program(*program, witness, spend, is_p2sh=True)
            del stack[1:]
    if spend.flags & CLEANSTACK and len(stack) != 1:
        raise ScriptError("CLEANSTACK")
    if spend.flags & WITNESS and program is None and witness:
        raise ScriptError("WITNESS_UNEXPECTED")


def _verify_native(version: int, program: bytes, witness: Sequence[bytes], spend: Spend) -> None:
    """Without a scriptSig.

    Running the scriptPubKey first, as Core does, would add nothing: its shape (a number from 0 to
    16, then 2 to 40 bytes pushed directly) breaks no rule of any flag, and leaves `program` on top.
    """
    if not to_bool(program):
        raise ScriptError("EVAL_FALSE")
    verify_witness_program(version, program, witness, spend, is_p2sh=False)


def _run(script: bytes, stack: list[bytes], spend: Spend) -> None:
    evaluate(Machine(script, stack, SigVersion.BASE, *spend))


def _demand_true(stack: list[bytes]) -> None:
    if not stack or not to_bool(stack[-1]):
        raise ScriptError("EVAL_FALSE")


def _run_redeem_script(
    script_sig: bytes, stack: list[bytes], spend: Spend
) -> tuple[list[bytes], tuple[int, bytes] | None]:
    """P2SH: run the script that the scriptSig pushed last on what it pushed before (BIP 16).

    The stack that it leaves, and the witness program if that is what it is (BIP 141).
    """
    if not is_push_only(script_sig):
        raise ScriptError("SIG_PUSHONLY")
    redeem_script = stack.pop()  # there: the scriptPubKey has just hashed it
    _run(redeem_script, stack, spend)
    _demand_true(stack)
    program = witness_program(redeem_script) if spend.flags & WITNESS else None
    if program is not None and script_sig != push(redeem_script):
        raise ScriptError("WITNESS_MALLEATED_P2SH")
    return stack, program
