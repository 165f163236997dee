"""A check: a transaction whose scripts wait to be run, and the queue in which many wait.

Connecting a block puts its transactions' checks into a queue one by one and asks for the outcome at
the end, so that whoever supplies the queue may have others work on it meanwhile; no check needs
anything of another. Reference: Core, CScriptCheck in src/validation.h, CCheckQueueControl in
src/checkqueue.h.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from chain.script.interpreter import ScriptError, ScriptFlag, TransactionChecker, verify_script
from chain.script.sighash import PrecomputedSighash
from chain.script.single_key import is_signed_by_its_key
from chain.transaction import Transaction, TxOut


class ScriptFailure(NamedTuple):
    """Input `input_index` of `tx` may not spend its output, and why."""

    tx: Transaction
    input_index: int
    error: ScriptError


class ScriptCheck(NamedTuple):
    """Whether each input of `tx` may spend its output."""

    tx: Transaction
    spent_outputs: Sequence[TxOut]  # one for each input
    flags: ScriptFlag

    def run(self, inputs: range | None = None) -> ScriptFailure | None:
        """The first failure in order; `inputs` says which are looked at, if not all."""
        tx, spent_outputs, flags = self
        shared = PrecomputedSighash(tx, spent_outputs)
        for index in range(len(tx.inputs)) if inputs is None else inputs:
            error = _verify(shared, index, flags)
            if error is not None:
                return ScriptFailure(tx, index, error)
        return None


def _verify(shared: PrecomputedSighash, index: int, flags: ScriptFlag) -> ScriptError | None:
    """Nothing if the spend is valid, else what is wrong."""
    if is_signed_by_its_key(shared, index, int(flags)):
        return None
    tx, spent_outputs = shared.tx, shared.spent_outputs
    checker = TransactionChecker(tx, index, spent_outputs, shared)
    script_sig, witness = tx.inputs[index].script_sig, tx.inputs[index].witness
    try:
        verify_script(script_sig, spent_outputs[index].script_pubkey, witness, flags, checker)
    except ScriptError as error:
        return error
    return None


class CheckQueue(Protocol):
    """Takes checks; whether it runs them at once, at the end or elsewhere is its own affair."""

    def add(self, check: ScriptCheck) -> None:
        """One more."""

    def seal(self) -> None:
        """No more will come. It may go on running while another queue is filled."""

    def finish(self) -> ScriptFailure | None:
        """Run what is left: nothing if all are good, else the first failure in order."""


Verifier = Callable[[], CheckQueue]
"""Gives an empty queue. An earlier one that was not sealed runs no further."""


class SerialQueue:
    """Runs all checks at the end, one after the other."""

    def __init__(self) -> None:
        self._checks: list[ScriptCheck] = []

    def add(self, check: ScriptCheck) -> None:
        """See CheckQueue."""
        self._checks.append(check)

    def seal(self) -> None:
        """See CheckQueue."""

    def finish(self) -> ScriptFailure | None:
        """See CheckQueue."""
        return verify_serially(self._checks)


class NoChecks:
    """A queue for scripts that were run before, or that nobody asks about."""

    def add(self, check: ScriptCheck) -> None:
        """See CheckQueue."""

    def seal(self) -> None:
        """See CheckQueue."""

    def finish(self) -> None:
        """See CheckQueue."""


def verify_serially(checks: Iterable[ScriptCheck]) -> ScriptFailure | None:
    """The first failure in order."""
    return next(filter(None, (check.run() for check in checks)), None)
