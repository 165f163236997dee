"""Checks: transactions whose scripts wait, and what becomes of them."""

from chain.script.check import NoChecks, ScriptCheck, ScriptFailure, SerialQueue, verify_serially
from chain.script.flags import MANDATORY_FLAGS
from chain.transaction import Transaction, TxOut
from tests.chain.script.cases import KEY, PAY_KEY_HASH, wpkh
from tests.chain.script.helpers import CONSENSUS, bare_tx, script

GOOD, FALSE, RETURN = (TxOut(1, script(words)) for words in ("1", "0", "RETURN"))


def check(*spent: TxOut) -> ScriptCheck:
    """A transaction that spends these outputs without a word."""
    tx = bare_tx()
    return ScriptCheck(
        Transaction(2, tx.inputs * len(spent), tx.outputs, 0), spent, MANDATORY_FLAGS
    )


def test_all_inputs_are_looked_at() -> None:
    assert check(GOOD, GOOD).run() is None
    failure = check(GOOD, FALSE, RETURN).run()
    assert isinstance(failure, ScriptFailure)
    assert (failure.input_index, failure.error.code) == (1, "EVAL_FALSE")


def test_or_those_that_are_named() -> None:
    made = check(GOOD, FALSE, GOOD, RETURN)
    assert made.run(range(1)) is None
    assert made.run(range(2, 3)) is None
    assert made.run(range(0)) is None
    failure = made.run(range(2, 4))
    assert failure is not None
    assert (failure.tx, failure.input_index, failure.error.code) == (made.tx, 3, "OP_RETURN")


def test_a_signature_is_judged_by_what_it_spends() -> None:
    spend = wpkh(KEY, CONSENSUS)
    made = ScriptCheck(spend.tx, spend.spent_outputs, MANDATORY_FLAGS)
    assert made.run() is None
    failure = made._replace(spent_outputs=[TxOut(1000, PAY_KEY_HASH)]).run()
    assert failure is not None
    assert failure.error.code == "INVALID_STACK_OPERATION"


def test_the_first_failure_of_many_is_told() -> None:
    assert verify_serially([]) is None
    assert verify_serially([check(GOOD), check(GOOD, GOOD)]) is None
    first, second = check(GOOD, RETURN), check(FALSE)
    failure = verify_serially([check(GOOD), first, second])
    assert failure is not None
    assert (failure.tx, failure.input_index, failure.error.code) == (first.tx, 1, "OP_RETURN")


def test_a_queue_tells_at_the_end() -> None:
    queue = SerialQueue()
    assert queue.finish() is None
    queue.add(check(GOOD))
    queue.add(check(FALSE))
    failure = queue.finish()
    assert failure is not None
    assert failure.error.code == "EVAL_FALSE"


def test_a_queue_for_scripts_that_nobody_asks_about() -> None:
    queue = NoChecks()
    queue.add(check(FALSE))
    queue.finish()
