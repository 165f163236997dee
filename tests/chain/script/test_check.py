"""Checks: many spends, one after the other."""

from chain.script.check import ScriptCheck, ScriptFailure, checks_of, verify_serially
from chain.script.flags import MANDATORY_FLAGS
from chain.transaction import Transaction, TxOut
from tests.chain.script.cases import KEY, PAY_KEY_HASH, wpkh
from tests.chain.script.helpers import CONSENSUS, bare_tx, script

GOOD, FALSE, RETURN = (TxOut(1, script(words)) for words in ("1", "0", "RETURN"))


def checks(*spent: TxOut) -> list[ScriptCheck]:
    """A transaction that spends these outputs without a word."""
    tx = bare_tx()
    tx = Transaction(2, tx.inputs * len(spent), tx.outputs, 0)
    return checks_of(tx, spent, MANDATORY_FLAGS)


def test_one_check_for_each_input_and_one_set_of_digests() -> None:
    made = checks(GOOD, GOOD)
    assert [check.input_index for check in made] == [0, 1]
    assert made[0].precomputed is made[1].precomputed is not None
    assert all(check.run() is None for check in made)


def test_nothing_to_say_if_all_are_good() -> None:
    assert verify_serially([]) is None
    assert verify_serially(checks(GOOD, GOOD)) is None


def test_the_first_failure_is_told() -> None:
    made = checks(GOOD, FALSE, RETURN)
    failure = verify_serially(made)
    assert isinstance(failure, ScriptFailure)
    assert failure.check is made[1]
    assert failure.error.code == "EVAL_FALSE"


def test_a_check_may_stand_alone() -> None:
    spend = wpkh(KEY, CONSENSUS)
    check = ScriptCheck(spend.tx, 0, spend.spent_outputs, MANDATORY_FLAGS)
    assert check.run() is None
    wrong = check._replace(spent_outputs=[TxOut(1000, PAY_KEY_HASH)])
    error = wrong.run()
    assert error is not None
    assert error.code == "INVALID_STACK_OPERATION"
