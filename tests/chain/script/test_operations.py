"""Operations: what each opcode makes of the stack."""

import hashlib

import pytest

from chain.script.checker import TransactionChecker
from chain.script.errors import ScriptError
from chain.script.machine import OPERATIONS, Machine, evaluate
from chain.script.opcodes import opcode_name
from chain.script.operations import STACK_EFFECTS
from chain.script.sighash import SigVersion
from chain.transaction import TxOut
from tests.chain.script.helpers import bare_tx, script

CHECKER = TransactionChecker(bare_tx(), 0, [TxOut(0, b"")])


def run(words: str, version: SigVersion = SigVersion.BASE, flags: int = 0) -> list[bytes]:
    """The stack that a script leaves."""
    machine = Machine(script(words), [], version, flags, CHECKER)
    evaluate(machine)
    return machine.stack


def pushed(words: str) -> list[bytes]:
    """The stack that these pushes leave."""
    return run(words)


EFFECTS = [
    ("NOP", "", ""),
    ("NOP1", "", ""),
    ("NOP10", "", ""),
    ("2DROP", "1 2 3", "1"),
    ("2DUP", "1 2", "1 2 1 2"),
    ("3DUP", "1 2 3", "1 2 3 1 2 3"),
    ("2OVER", "1 2 3 4", "1 2 3 4 1 2"),
    ("2ROT", "1 2 3 4 5 6", "3 4 5 6 1 2"),
    ("2SWAP", "1 2 3 4", "3 4 1 2"),
    ("IFDUP", "1", "1 1"),
    ("IFDUP", "0", "0"),
    ("IFDUP", "<80>", "<80>"),
    ("IFDUP", "0 7", "0 7 7"),
    ("IFDUP", "7 0", "7 0"),
    ("DEPTH", "", "0"),
    ("DEPTH", "7 7", "7 7 2"),
    ("DROP", "1 2", "1"),
    ("DUP", "1", "1 1"),
    ("NIP", "1 2", "2"),
    ("OVER", "1 2", "1 2 1"),
    ("PICK", "7 0", "7 7"),
    ("PICK", "7 8 9 0", "7 8 9 9"),
    ("PICK", "7 8 9 2", "7 8 9 7"),
    ("ROLL", "7 8 9 0", "7 8 9"),
    ("ROLL", "7 8 9 2", "8 9 7"),
    ("ROT", "1 2 3", "2 3 1"),
    ("SWAP", "1 2", "2 1"),
    ("TUCK", "1 2", "2 1 2"),
    ("SIZE", "<aabbcc>", "<aabbcc> 3"),
    ("SIZE", "0", "0 0"),
    ("SIZE", "<aabb> <aabbcc>", "<aabb> <aabbcc> 3"),
    ("EQUAL", "<aa> <aa>", "1"),
    ("EQUAL", "0 <00>", "0"),
    ("EQUALVERIFY", "3 <aa> <aa>", "3"),
    ("VERIFY", "3 <0100>", "3"),
    ("TOALTSTACK FROMALTSTACK", "1 2", "1 2"),
    ("TOALTSTACK DUP FROMALTSTACK", "1 2", "1 1 2"),
    ("1ADD", "-1", "0"),
    ("1ADD", "<ffffff7f>", "<0000008000>"),
    ("1SUB", "0", "-1"),
    ("NEGATE", "5", "-5"),
    ("NEGATE", "0", "0"),
    ("ABS", "-5", "5"),
    ("ABS", "5", "5"),
    ("NOT", "0", "1"),
    ("NOT", "2", "0"),
    ("0NOTEQUAL", "0", "0"),
    ("0NOTEQUAL", "-2", "1"),
    ("ADD", "2 -3", "-1"),
    ("SUB", "2 3", "-1"),
    ("BOOLAND", "2 3", "1"),
    ("BOOLAND", "2 0", "0"),
    ("BOOLAND", "0 2", "0"),
    ("BOOLOR", "0 3", "1"),
    ("BOOLOR", "3 0", "1"),
    ("BOOLOR", "0 <80>", "0"),
    ("NUMEQUAL", "1 <0100>", "1"),
    ("NUMEQUAL", "1 2", "0"),
    ("NUMEQUALVERIFY", "9 1 <0100>", "9"),
    ("NUMNOTEQUAL", "1 2", "1"),
    ("LESSTHAN", "1 2", "1"),
    ("LESSTHAN", "2 2", "0"),
    ("GREATERTHAN", "2 1", "1"),
    ("GREATERTHAN", "2 2", "0"),
    ("LESSTHANOREQUAL", "2 2", "1"),
    ("LESSTHANOREQUAL", "3 2", "0"),
    ("GREATERTHANOREQUAL", "2 2", "1"),
    ("GREATERTHANOREQUAL", "2 3", "0"),
    ("MIN", "2 -3", "-3"),
    ("MAX", "2 -3", "2"),
    ("WITHIN", "2 2 3", "1"),
    ("WITHIN", "3 2 3", "0"),
    ("WITHIN", "1 2 3", "0"),
    ("RIPEMD160", "0", "<9c1185a5c5e9fc54612808977ee8f548b2258d31>"),
    ("SHA1", "<616263>", "<a9993e364706816aba3e25717850c26c9cd0d89d>"),
    ("SHA256", "<616263>", f"<{hashlib.sha256(b'abc').hexdigest()}>"),
    ("HASH160", "0", "<b472a266d0bd89c13706a4132ccfb16f7c3b9fcb>"),
    ("HASH256", "0", "<5df6e0e2761359d30a8275058e299fcc0381534545f55cf43e41983f5d4c9456>"),
    ("IF 7 ELSE 8 ENDIF", "1", "7"),
    ("IF 7 ELSE 8 ENDIF", "0", "8"),
    ("NOTIF 7 ELSE 8 ENDIF", "1", "8"),
    ("NOTIF 7 ELSE 8 ENDIF", "<80>", "7"),
    ("IF 7 ELSE 8 ELSE 9 ENDIF", "1", "7 9"),
    ("IF 7 ELSE 8 ELSE 9 ENDIF", "0", "8"),
    ("IF IF 7 ELSE 8 ENDIF ELSE NOTIF 9 ENDIF 10 ENDIF", "0 1", "8"),
    ("IF IF 7 ELSE 8 ENDIF ELSE NOTIF 9 ENDIF 10 ENDIF", "0 0", "9 10"),
    ("IF 1 IF 1 ELSE RETURN ENDIF VERIFY ELSE 2 ENDIF", "0", "2"),
]


@pytest.mark.parametrize(("words", "before", "after"), EFFECTS)
def test_effects(words: str, before: str, after: str) -> None:
    assert run(f"{before} {words}") == pushed(after)


@pytest.mark.parametrize("number", [-1, *range(1, 17)])
def test_constants(number: int) -> None:
    opcode = 0x50 + number
    machine = Machine(bytes([opcode]), [], SigVersion.BASE, 0, CHECKER)
    evaluate(machine)
    assert machine.stack == [bytes([number if number > 0 else 0x81])]


NEEDS = {
    1: "2DROP 2DUP NIP OVER SWAP TUCK EQUAL EQUALVERIFY ADD SUB BOOLAND BOOLOR NUMEQUAL MIN MAX "
    "NUMEQUALVERIFY NUMNOTEQUAL LESSTHAN GREATERTHAN LESSTHANOREQUAL GREATERTHANOREQUAL PICK ROLL "
    "CHECKSIG CHECKSIGVERIFY",
    0: "DROP DUP IFDUP VERIFY TOALTSTACK SIZE 1ADD 1SUB NEGATE ABS NOT 0NOTEQUAL RIPEMD160 SHA1 "
    "SHA256 HASH160 HASH256 IF NOTIF CHECKMULTISIG CHECKMULTISIGVERIFY",
    2: "3DUP ROT WITHIN",
    3: "2OVER 2SWAP",
    5: "2ROT",
}


@pytest.mark.parametrize(
    ("word", "have"), [(word, have) for have, words in NEEDS.items() for word in words.split()]
)
def test_too_few_elements(word: str, have: int) -> None:
    # Not a number of four bytes: how many there are is asked before what they are.
    with pytest.raises(ScriptError, match="INVALID_STACK_OPERATION"):
        run("<0102030405> " * have + word)


def test_every_opcode_is_defined_or_known_not_to_be() -> None:
    undefined = {0x50, 0x62, 0x65, 0x66, 0x89, 0x8A}
    disabled = {0x7E, 0x7F, 0x80, 0x81, 0x83, 0x84, 0x85, 0x86, 0x8D, 0x8E, *range(0x95, 0x9A)}
    assert set(OPERATIONS) == set(range(0x4F, 0xBB)) - undefined - disabled


def test_stack_effects_name_what_they_move() -> None:
    for opcode, effect in STACK_EFFECTS.items():
        before, after = (side.split() for side in effect.split("--"))
        assert set(after) <= set(before), opcode_name(opcode)
