"""The debugger against others: Core's verdicts, python-bitcoinlib's stacks, the BIPs' digests."""

import json
import random
import re
from pathlib import Path

import bitcoin.core
import pytest
from bitcoin.core.script import CScript
from bitcoin.core.scripteval import EvalScript, EvalScriptError
from hypothesis import given
from hypothesis import strategies as st

from chain.params import REGTEST
from chain.script.flags import ScriptFlag
from chain.script.opcodes import OP_CHECKSIG, instructions
from chain.script.sighash import SigVersion
from chain.transaction import Transaction, TxOut
from scripts.architecture import ROOT
from scripts.cli.explain_views import run_lines
from scripts.explain import commitments, debugger
from scripts.explain.debugger import Run, debug_output, debug_script, debug_spend
from scripts.explain.rules import rule_of
from scripts.explain.transaction import Context, explain_transaction
from tests.chain.script.cases import CASES, KEY_CHECK, key_path, tapscript, wpkh, wsh
from tests.chain.script.cases import KEY as PUBLIC_KEY
from tests.chain.script.helpers import CONSENSUS, SWEEP, Spend, bare, script
from tests.differential.spends import Generator

PLACE = re.compile(r"(\w+(?:/\w+)*\.py):(\d+)")
NOTHING = ScriptFlag.NONE


def run_of(spend: Spend) -> Run:
    return debug_spend(spend.tx, spend.input_index, spend.spent_outputs, ScriptFlag(spend.flags))


def line_at(place: str) -> str:
    found = PLACE.fullmatch(place)
    assert found, place
    return (ROOT / found[1]).read_text().splitlines()[int(found[2]) - 1]


@pytest.mark.parametrize(("code", "spend"), CASES)
def test_the_verdict_is_cores_and_everything_has_a_place(code: str, spend: Spend) -> None:
    run = run_of(spend)
    assert run.code == code
    if not run.is_good:
        assert "raise" in line_at(run.where)
    for step in run.steps[:50]:
        assert step.rule and line_at(step.where)
    if len(run.steps) < 100:
        json.dumps(run.to_json())
        for width in (60, 100):
            assert max(map(len, page(run, width))) <= width


def page(run: Run, width: int) -> list[str]:
    ansi = re.compile(r"\x1b\[[0-9;]*m")
    lines = [line for group in run_lines(run, width) for part in group for line in part.split("\n")]
    return [ansi.sub("", line) for line in lines]


@pytest.mark.parametrize("opcode", range(256))
def test_every_instruction_has_a_sentence_and_a_place(opcode: int) -> None:
    for version in SigVersion:
        rule = rule_of(opcode, version)
        assert rule.sentence.endswith(".")
        assert re.search(r"def |lambda|op\.OP_", line_at(rule.where)), rule


def test_a_row_of_a_table_is_the_opcodes_own() -> None:
    for opcode, name in ((0x76, "OP_DUP"), (0x93, "OP_ADD"), (0xA9, "OP_HASH160")):
        assert f"op.{name}:" in line_at(rule_of(opcode).where)
    assert "def check_sig(" in line_at(rule_of(0xAC).where)
    assert "def check_lock_time_verify(" in line_at(rule_of(0xB1).where)


# Opcodes that need no transaction. (WITHIN is left out: python-bitcoinlib pushes 00 for false.)
WORDS = (
    "0 1 2 3 -1 16 <05> <0080> <abcd> DUP DROP SWAP OVER ROT TUCK NIP 2DUP 2DROP 3DUP 2OVER 2SWAP "
    "2ROT IFDUP DEPTH SIZE PICK ROLL ADD SUB NEGATE ABS NOT 0NOTEQUAL 1ADD 1SUB BOOLAND BOOLOR "
    "NUMEQUAL NUMNOTEQUAL LESSTHAN GREATERTHAN LESSTHANOREQUAL GREATERTHANOREQUAL MIN MAX "
    "EQUAL HASH160 SHA256 RIPEMD160 HASH256 SHA1 TOALTSTACK FROMALTSTACK NOP IF NOTIF ELSE ENDIF"
).split()


def oracle_stack(code: bytes, start: list[bytes]) -> list[bytes] | None:
    """The stack that python-bitcoinlib has at the end of `code`; None if it fails before."""
    stack = list(start)
    tx = bitcoin.core.CTransaction()
    try:
        EvalScript(stack, CScript(code), tx, 0)
    except EvalScriptError as error:
        if "Unterminated IF" not in str(error):
            return None
    return stack


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=14))
def test_each_stack_is_that_of_an_independent_implementation(words: list[str]) -> None:
    start = [b"\x02", b"\x03", b"", b"\x07", b"\x01", b"\x01", b"\x02"]
    code = script(" ".join(words))
    ends = [end for _, _, end in instructions(code)]
    run = debug_script(code, start, SigVersion.BASE, NOTHING)
    for step, end in zip(run.steps, ends, strict=False):
        expected = oracle_stack(code[:end], start)
        assert step.after is None or list(step.after) == expected
        assert (step.after is None) == (expected is None)


def test_random_spends_end_as_they_do_without_a_debugger() -> None:
    codes = set()
    for seed in range(SWEEP * 150):
        spend = Generator(random.Random(seed)).spend()
        run = run_of(spend)
        assert run.code == spend.ours(), f"seed {seed}"
        explained = explain_transaction(spend.tx, Context(REGTEST, spend.spent_outputs))
        json.dumps(explained.to_json())
        codes.add(run.code)
    assert len(codes) > 15


def test_a_branch_that_is_not_taken_is_shown_as_such() -> None:
    run = debug_script(script("1 IF 2 ELSE 3 ENDIF"), [], SigVersion.BASE, NOTHING)
    assert [step.is_executed for step in run.steps] == [True, True, True, True, False, True]
    assert run.is_good


def test_what_is_checked_without_an_opcode_is_a_step() -> None:
    def steps(spend: Spend) -> list[tuple[str, str]]:
        return [(step.script, step.name) for step in run_of(spend).steps]

    assert steps(wsh(script("1"), ())) == [
        ("witness script", "witness script"),
        ("witness script", "OP_1"),
    ]
    assert steps(wpkh(PUBLIC_KEY, CONSENSUS))[0] == ("P2WPKH", "program")
    assert steps(key_path()) == [("key path", "signature")]
    assert steps(tapscript(script("1"), path=bytes(64)))[0] == ("tapscript leaf", "control block")
    assert steps(tapscript(script("0xfe"))) == [
        ("tapscript leaf", "control block"),
        ("tapscript leaf", "OP_SUCCESS254"),
    ]
    nested = bare("<51>", "HASH160 <da1745e9b549bd0bfa1a569971c77eba30cd5a4b> EQUAL")
    assert ("redeem script", "redeem script") in steps(nested)


def test_a_control_block_is_followed_up_to_the_outputs_key() -> None:
    spend = tapscript(KEY_CHECK, sign=True, path=bytes(64))
    note, *_, last = run_of(spend).steps
    program = spend.spent_outputs[0].script_pubkey[2:].hex()
    assert note.facts["output key"].startswith(program)
    assert {"branch 1", "branch 2"} < set(note.facts)
    assert last.checks[0].is_good


def test_a_wrong_script_shows_the_two_hashes() -> None:
    spend = wsh(script("1"), ())
    wrong = spend.tx.inputs[0]._replace(witness=(script("2"),))
    tx = Transaction(2, (wrong,), spend.tx.outputs, 0)
    run = debug_spend(tx, 0, spend.spent_outputs, ScriptFlag(CONSENSUS))
    assert run.code == "WITNESS_PROGRAM_MISMATCH"
    assert run.steps[0].facts["equal"] == "no"


# BIP 143, "Native P2WPKH".
BIP143_TX = (
    "01000000000102fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f00000000494830"
    "450221008b9d1dc26ba6a9cb62127b02742fa9d754cd3bebf337f7a55d114c8e5cdd30be022040529b194ba3f928"
    "1a99f2b1c0a19c0489bc22ede944ccf4ecbab4cc618ef3ed01eeffffffef51e1b804cc89d182d279655c3aa89e81"
    "5b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a9148280b37df378db99f6"
    "6f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988"
    "ac000247304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a0220573a954c"
    "4518331561406f90300e8f3358f51928d43c212a8caed02de67eebee0121025476c2e83188368da1ff3e292e7aca"
    "fcdb3566bb0ad253f62fc70f07aeee635711000000"
)
BIP143_DIGEST = "c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670"


def test_the_digest_is_that_of_bip_143() -> None:
    tx = Transaction.parse(bytes.fromhex(BIP143_TX))
    public_key = tx.inputs[1].witness[1]
    key_hash = bitcoin.core.Hash160(public_key)
    spent = [TxOut(625_000_000, b""), TxOut(600_000_000, b"\x00\x14" + key_hash)]
    run = debug_spend(tx, 1, spent)
    (check,) = run.steps[-1].checks
    assert run.is_good
    assert check.facts["digest"] == BIP143_DIGEST
    assert check.facts["signed"].startswith("version, locktime, all inputs, all outputs")


def test_the_digests_are_those_of_bip_341(shared: Path) -> None:
    vectors = json.loads((shared / "vectors/bips/bip341.json").read_text())["keyPathSpending"][0]
    tx = Transaction.parse(bytes.fromhex(vectors["auxiliary"]["fullySignedTx"]))
    spent = [
        TxOut(each["amountSats"], bytes.fromhex(each["scriptPubKey"]))
        for each in vectors["given"]["utxosSpent"]
    ]
    assert len(vectors["inputSpending"]) == 7
    for each in vectors["inputSpending"]:
        run = debug_spend(tx, each["given"]["txinIndex"], spent)
        (check,) = run.steps[-1].checks
        assert run.is_good
        assert check.facts["digest"] == each["intermediary"]["sigHash"]


def test_a_script_alone_can_hold_no_good_signature() -> None:
    run = debug_script(script("0 CHECKSIG"), [b"\x30"], SigVersion.BASE, NOTHING)
    assert run.code == "EVAL_FALSE"
    assert run.steps[-1].opcode == OP_CHECKSIG
    assert "explain tx" in run.steps[-1].checks[0].facts["why"]
    for words in ("5 CHECKLOCKTIMEVERIFY", "5 CHECKSEQUENCEVERIFY"):
        alone = debug_script(script(words), [], SigVersion.BASE, ScriptFlag(CONSENSUS))
        assert alone.code == "UNSATISFIED_LOCKTIME"
    leaf = debug_script(KEY_CHECK, [bytes(64)], SigVersion.TAPSCRIPT, ScriptFlag(CONSENSUS))
    assert leaf.code == "SCHNORR_SIG"


def test_an_output_can_be_spent_without_a_transaction() -> None:
    program = wsh(script("ADD 5 EQUAL"), ()).spent_outputs[0].script_pubkey
    code = script("ADD 5 EQUAL")
    assert debug_output(program, b"", [b"\x02", b"\x03", code], ScriptFlag(CONSENSUS)).is_good
    refused = debug_output(program, b"", [b"\x02", b"\x02", code], ScriptFlag(CONSENSUS))
    assert refused.code == "EVAL_FALSE"


def test_steps_beyond_the_limit_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debugger, "MAX_STEPS", 3)
    run = debug_script(script("1 NOP NOP NOP NOP"), [], SigVersion.BASE, NOTHING)
    assert (len(run.steps), run.skipped, run.is_good) == (3, 2, True)
    assert any("2 more steps" in line for line in page(run, 80))


def test_a_name_that_is_gone_leaves_the_file() -> None:
    from scripts.explain import places

    assert places.of_named(commitments, "no_such_function").endswith("commitments.py:1")
    assert places.of_raise(None) == ("", "")
