"""Both curve backends give the engine's verdict: on every named case, random spends and blocks.

With them go the signatures and keys that consensus accepts though most libraries do not.
"""

import random
import sys
from types import ModuleType

import pytest

from chain import curve, curve_ecdsa, curve_libsecp
from chain.script import sighash
from chain.script.script import push
from chain.script.templates import p2pk
from chain.transaction import TxOut
from tests.builders import key
from tests.chain.script import core
from tests.chain.script.cases import CASES
from tests.chain.script.helpers import CONSENSUS, STANDARD, SWEEP, Spend, bare_tx, with_input
from tests.differential.blocks import run_blocks
from tests.differential.drafts import HYBRID_KEY, LONG_KEY
from tests.differential.spends import ORDER, Generator, der, numbers
from tests.differential.trees import run_trees

DERSIG = 1 << 2
OWNER = key(3)  # LONG_KEY and HYBRID_KEY are its key in other spellings
SPENDS = [Generator(random.Random(seed)).spend() for seed in range(300 * SWEEP)]
PLACES = [
    ("chain.script.checker", "verify_ecdsa"),
    ("chain.script.checker", "verify_schnorr"),
    ("chain.script.single_key", "verify_ecdsa"),
    ("chain.script.single_key", "verify_schnorr"),
    ("chain.script.witness", "tweak_public_key"),
]
LAX = ("padded", "long length", "trailing", "wrong length")
TOO_LAX = ("empty r", "cut")


@pytest.fixture(params=[curve_ecdsa, curve_libsecp], ids=lambda each: each.BACKEND_NAME)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """One of the two, wherever scripts ask the curve."""
    chosen: ModuleType = request.param
    for module, name in PLACES:
        monkeypatch.setattr(f"{module}.{name}", getattr(chosen, name))
    return chosen


def test_that_rules_ask_the_curve_only_there() -> None:
    asked = {
        (module, name)
        for module, contents in sys.modules.items()
        for name in ("verify_ecdsa", "verify_schnorr", "tweak_public_key", "is_valid_public_key")
        if module.startswith("chain.") and "curve" not in module and name in vars(contents)
    }
    assert asked == set(PLACES)


def test_the_named_cases(backend: ModuleType) -> None:
    for code, spend in CASES:
        assert spend.ours() == code, spend


def test_random_spends(backend: ModuleType) -> None:
    for spend in SPENDS:
        assert spend.ours() == core.code_of(spend), spend


def test_random_blocks_and_trees(backend: ModuleType) -> None:
    assert run_blocks(25, 0) and run_trees(1, 0)


def signed(public_key: bytes, flaw: str, flags: int) -> Spend:
    """A payment to a key, with a good signature written with a flaw."""
    script, tx = p2pk(public_key), bare_tx()
    digest = sighash.legacy_sighash(tx, 0, script, 1)
    r, s = numbers(curve.sign_ecdsa(OWNER.secret, digest))
    written = der(r, ORDER - s) if flaw == "high s" else der(r, s, flaw)
    tx = with_input(tx, 0, push(written + b"\x01"), ())
    return Spend(tx, 0, (TxOut(1, script),), flags)


@pytest.mark.parametrize("public_key", [OWNER.public, LONG_KEY, HYBRID_KEY], ids=len)
def test_what_libraries_reject_is_accepted(public_key: bytes, backend: ModuleType) -> None:
    for flaw in ("", "high s", *LAX, *TOO_LAX):
        for flags in (CONSENSUS, CONSENSUS & ~DERSIG, STANDARD):
            spend = signed(public_key, flaw, flags)
            assert spend.ours() == core.code_of(spend), (flaw, flags)
    assert signed(public_key, "high s", CONSENSUS).ours() == "OK"
    for flaw in LAX:  # until BIP 66
        assert signed(public_key, flaw, CONSENSUS).ours() == "SIG_DER"
        assert signed(public_key, flaw, CONSENSUS & ~DERSIG).ours() == "OK"
    for flaw in TOO_LAX:
        assert signed(public_key, flaw, CONSENSUS & ~DERSIG).ours() == "EVAL_FALSE"
