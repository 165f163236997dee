"""Every code of ScriptError has a spend that fails with exactly it, and Core's sentence."""

import ast
from pathlib import Path

import pytest

from chain.script.errors import TEXTS, ScriptError
from tests.chain.script.cases import CASES
from tests.chain.script.helpers import Spend

SOURCES = Path(__file__).resolve().parents[3] / "chain" / "script"
RAISERS = "ScriptError", "verify", "_pop_count"


@pytest.mark.parametrize(
    ("code", "spend"), CASES, ids=[f"{number}-{code}" for number, (code, _) in enumerate(CASES)]
)
def test_a_spend_ends_with_its_code(code: str, spend: Spend) -> None:
    assert spend.ours() == code


def test_every_code_has_a_case() -> None:
    assert {code for code, _ in CASES} == {"OK", *TEXTS}


def test_every_code_is_raised_somewhere_and_no_other() -> None:
    raised = set()
    for path in SOURCES.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in RAISERS:
                raised |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    assert raised | {"BAD_OPCODE"} == set(TEXTS)  # also raised by a class of its own


def test_an_error_carries_the_code_and_the_sentence() -> None:
    error = ScriptError("SIG_DER")
    assert (error.code, error.text, str(error)) == (
        "SIG_DER",
        "Non-canonical DER signature",
        "SIG_DER",
    )


def test_a_code_that_does_not_exist_is_our_own_mistake() -> None:
    with pytest.raises(KeyError):
        ScriptError("NO_SUCH_CODE")
