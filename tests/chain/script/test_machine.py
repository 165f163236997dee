"""The machine: the order of its checks, its limits where cases cannot reach, and its trace."""

import time

import pytest

from chain.script.checker import TransactionChecker
from chain.script.errors import ScriptError
from chain.script.interpreter import ScriptFlag, verify_script
from chain.script.machine import Machine, Step, evaluate
from chain.script.sighash import SigVersion
from chain.transaction import TxOut
from tests.chain.script.cases import CASES, KEY, wpkh
from tests.chain.script.helpers import STANDARD, Spend, bare_tx, script

CHECKER = TransactionChecker(bare_tx(), 0, [TxOut(0, b"")])


def machine(words: str, version: SigVersion = SigVersion.BASE, flags: int = 0) -> Machine:
    """A machine about to run."""
    return Machine(script(words), [], version, flags, CHECKER)


@pytest.mark.parametrize(
    ("words", "flags", "code"),
    [
        # Size before operation count before disabled before conditionals.
        (f"<{'00' * 521}> CAT", 0, "PUSH_SIZE"),
        ("NOP " * 201 + "CAT", 0, "OP_COUNT"),
        ("CAT ENDIF", 0, "DISABLED_OPCODE"),
        ("CODESEPARATOR CAT", 1 << 16, "OP_CODESEPARATOR"),
        ("1 " * 1000 + "0x0101", 1 << 6, "MINIMALDATA"),
        ("IF 1 0x02", 0, "INVALID_STACK_OPERATION"),
        ("1 IF 1 0x02", 0, "BAD_OPCODE"),
    ],
)
def test_the_first_rule_broken_decides(words: str, flags: int, code: str) -> None:
    with pytest.raises(ScriptError) as error:
        evaluate(machine(words, flags=flags))
    assert error.value.code == code


def test_what_passes_unseen_in_a_branch_not_taken() -> None:
    evaluate(machine("0 IF 0x0101 0x4c00 DUP 1ADD RETURN VER ENDIF 1", flags=1 << 6))


def test_code_separators_are_counted_in_instructions_and_in_bytes() -> None:
    run = machine("<aabb> DROP CODESEPARATOR 1 0 IF CODESEPARATOR ENDIF")
    evaluate(run)
    assert run.codeseparator_index == 2
    assert run.script_code == script("1 0 IF CODESEPARATOR ENDIF")


def test_a_new_machine_has_done_nothing() -> None:
    new = machine("1")
    assert (new.position, new.index, new.op_count, new.skipping) == (0, 0, 0, 0)
    assert (new.code_start, new.codeseparator_index) == (0, 0xFFFFFFFF)
    assert (new.signature_budget, new.branches, new.altstack) == (0, [], [])


def test_deep_nesting_takes_linear_time() -> None:
    def seconds(depth: int) -> float:
        run = machine("0" + " IF" * depth + " ENDIF" * depth, SigVersion.TAPSCRIPT)
        start = time.process_time()
        evaluate(run)
        return time.process_time() - start

    seconds(1000)
    assert seconds(40_000) < 40 * min(seconds(4_000) for _ in range(3))  # quadratic: 100


def steps_of(spend: Spend) -> list[Step]:
    """What a debugger would be told, the stacks copied."""
    steps: list[Step] = []

    def trace(step: Step) -> None:
        steps.append(step._replace(stack=tuple(step.stack), altstack=tuple(step.altstack)))

    tx_in = spend.tx.inputs[0]
    checker = TransactionChecker(spend.tx, 0, spend.spent_outputs)
    script_pubkey, flags = spend.spent_outputs[0].script_pubkey, ScriptFlag(spend.flags)
    try:
        verify_script(tx_in.script_sig, script_pubkey, tx_in.witness, flags, checker, trace)
    except ScriptError as error:
        assert error.code == spend.ours()
    else:
        assert spend.ours() == "OK"
    return steps


def test_a_trace_shows_each_step_before_it_runs() -> None:
    spend = Spend(
        bare_tx(script("2 TOALTSTACK")),
        0,
        [TxOut(1, script("FROMALTSTACK"))],
        0,
    )
    shown = [(s.position, s.name, s.stack, s.altstack) for s in steps_of(spend)]
    assert shown == [
        (0, "OP_2", (), ()),
        (1, "OP_TOALTSTACK", (b"\x02",), ()),
        (2, "", (), (b"\x02",)),
        (0, "OP_FROMALTSTACK", (), ()),  # the other stack is not handed on: this one fails
    ]


def test_a_trace_tells_skipped_steps_from_executed_ones() -> None:
    spend = Spend(bare_tx(), 0, [TxOut(1, script("0 IF <aabb> ELSE 1 ENDIF"))], 0)
    assert [(s.name, s.is_executed, s.data) for s in steps_of(spend)[1:]] == [
        ("OP_0", True, b""),
        ("OP_IF", True, None),
        ("OP_PUSHBYTES_2", False, b"\xaa\xbb"),
        ("OP_ELSE", True, None),
        ("OP_1", True, None),
        ("OP_ENDIF", True, None),
        ("", True, None),
    ]


def test_branches_within_a_branch_not_taken_are_still_counted() -> None:
    spend = Spend(bare_tx(), 0, [TxOut(1, script("0 IF 1 IF NOP ENDIF ENDIF 1"))], 0)
    assert [(s.name, s.is_executed) for s in steps_of(spend)[2:7]] == [
        ("OP_IF", True),
        ("OP_1", False),
        ("OP_IF", True),
        ("OP_NOP", False),
        ("OP_ENDIF", True),
    ]


def test_a_trace_shows_the_script_that_a_key_hash_stands_for() -> None:
    assert [step.name for step in steps_of(wpkh(KEY, STANDARD))] == [
        "OP_DUP", "OP_HASH160", "OP_PUSHBYTES_20", "OP_EQUALVERIFY", "OP_CHECKSIG", "",
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_trace_changes_nothing(number: int) -> None:
    steps_of(CASES[number][1])
