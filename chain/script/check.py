"""A check: one spend waiting to be verified, and the verification of many, one after the other.

Connecting a block collects its checks and hands them over at once, so that whoever supplies the
verifier may spread them over threads; a check shares nothing but its transaction's digests.
Reference: Core, CScriptCheck in src/validation.h.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from chain.script.interpreter import ScriptError, ScriptFlag, TransactionChecker, verify_script
from chain.script.sighash import PrecomputedSighash
from chain.script.single_key import is_signed_by_its_key
from chain.transaction import Transaction, TxOut


class ScriptCheck(NamedTuple):
    """Whether input `input_index` of `tx` may spend its output."""

    tx: Transaction
    input_index: int
    spent_outputs: Sequence[TxOut]  # one for each input
    flags: ScriptFlag
    precomputed: PrecomputedSighash | None = None  # shared by the inputs of a transaction

    def run(self) -> ScriptError | None:
        """Nothing if the spend is valid, else what is wrong."""
        tx, index, spent_outputs, flags, precomputed = self
        if precomputed is not None and is_signed_by_its_key(precomputed, index, int(flags)):
            return None
        checker = TransactionChecker(tx, index, spent_outputs, precomputed)
        script_sig, witness = tx.inputs[index].script_sig, tx.inputs[index].witness
        try:
            verify_script(script_sig, spent_outputs[index].script_pubkey, witness, flags, checker)
        except ScriptError as error:
            return error
        return None


def checks_of(
    tx: Transaction, spent_outputs: Sequence[TxOut], flags: ScriptFlag
) -> list[ScriptCheck]:
    """One check for each input of `tx`; they share the digests of the whole transaction."""
    shared = PrecomputedSighash(tx, spent_outputs)
    return [ScriptCheck(tx, index, spent_outputs, flags, shared) for index in range(len(tx.inputs))]


class ScriptFailure(NamedTuple):
    """A check that failed, and why."""

    check: ScriptCheck
    error: ScriptError


Verifier = Callable[[Sequence[ScriptCheck]], ScriptFailure | None]
"""Runs checks; nothing if all are good, else a failure."""


def verify_serially(checks: Sequence[ScriptCheck]) -> ScriptFailure | None:
    """The first failure in order."""
    for check in checks:
        error = check.run()
        if error is not None:
            return ScriptFailure(check, error)
    return None
