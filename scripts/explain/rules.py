"""Rules of the opcodes: for each, one sentence and the place in the source that applies it.

Where an opcode has a function of its own, the sentence is that function's docstring. What a row in
a table does needs no function; its sentence stands here. Does not run anything (debugger).
"""

from typing import NamedTuple

from chain.script import checksig, machine, opcodes, operations
from chain.script import witness as taproot
from chain.script.machine import DISABLED_OPCODES, OPERATIONS
from chain.script.opcodes import OP_0, OP_1, OP_16, OP_PUSHDATA4, opcode_name
from chain.script.sighash import SigVersion
from scripts.explain import places

SENTENCES = {
    "OP_0": "Push nothing: the empty element, which is the number 0, and false.",
    "OP_1NEGATE": "Push the number -1.",
    "OP_IF": "Take the top element off; run what follows if it is true.",
    "OP_NOTIF": "Take the top element off; run what follows if it is false.",
    "OP_ELSE": "Run what follows if what came before was not run.",
    "OP_ENDIF": "End of the branches of an IF.",
    "OP_VERIFY": "Take the top element off; fail unless it is true.",
    "OP_TOALTSTACK": "Move the top element to the other stack.",
    "OP_2DROP": "Drop the two top elements.",
    "OP_2DUP": "Copy the two top elements.",
    "OP_3DUP": "Copy the three top elements.",
    "OP_2OVER": "Copy the third and fourth elements from the top.",
    "OP_2ROT": "Move the fifth and sixth elements from the top to the top.",
    "OP_2SWAP": "Swap the two top pairs of elements.",
    "OP_IFDUP": "Copy the top element if it is true.",
    "OP_DEPTH": "Push how many elements the stack holds.",
    "OP_DROP": "Drop the top element.",
    "OP_DUP": "Copy the top element.",
    "OP_NIP": "Drop the element below the top.",
    "OP_OVER": "Copy the element below the top.",
    "OP_PICK": "Take a number n off; copy the element that lies n below the top.",
    "OP_ROLL": "Take a number n off; move the element that lies n below the top to the top.",
    "OP_ROT": "Move the third element from the top to the top.",
    "OP_SWAP": "Swap the two top elements.",
    "OP_TUCK": "Copy the top element to below the second.",
    "OP_SIZE": "Push how many bytes the top element has.",
    "OP_EQUALVERIFY": "Take two elements off; fail unless they are the same bytes.",
    "OP_1ADD": "Add 1 to the top number.",
    "OP_1SUB": "Take 1 from the top number.",
    "OP_NEGATE": "Turn the sign of the top number.",
    "OP_ABS": "Make the top number positive.",
    "OP_NOT": "Replace 0 by 1, and any other number by 0.",
    "OP_0NOTEQUAL": "Replace any number but 0 by 1.",
    "OP_ADD": "Add two numbers.",
    "OP_SUB": "Subtract the top number from the one below.",
    "OP_BOOLAND": "1 if neither of two numbers is 0, else 0.",
    "OP_BOOLOR": "1 if one of two numbers is not 0, else 0.",
    "OP_NUMEQUAL": "1 if two numbers are equal, else 0.",
    "OP_NUMEQUALVERIFY": "Take two numbers off; fail unless they are equal.",
    "OP_NUMNOTEQUAL": "1 if two numbers differ, else 0.",
    "OP_LESSTHAN": "1 if the lower of two numbers on the stack is less than the top one, else 0.",
    "OP_GREATERTHAN": "1 if the lower of two numbers on the stack is greater than the top one.",
    "OP_LESSTHANOREQUAL": "1 if the lower of two numbers on the stack is at most the top one.",
    "OP_GREATERTHANOREQUAL": "1 if the lower of two numbers on the stack is at least the top one.",
    "OP_MIN": "The smaller of two numbers.",
    "OP_MAX": "The larger of two numbers.",
    "OP_WITHIN": "Of x, low, high: 1 if low <= x < high, else 0.",
    "OP_RIPEMD160": "Replace the top element by its RIPEMD-160 hash.",
    "OP_SHA1": "Replace the top element by its SHA-1 hash.",
    "OP_SHA256": "Replace the top element by its SHA-256 hash.",
    "OP_HASH160": "Replace the top element by RIPEMD-160 of its SHA-256 hash.",
    "OP_HASH256": "Replace the top element by its SHA-256 hash, taken twice.",
    "OP_CHECKSIG": "Take a key and below it a signature off; push whether it is the key's.",
    "OP_CHECKSIGVERIFY": "Take a key and below it a signature off; fail unless it is the key's.",
    "OP_CHECKSIGADD": "Take a key, a number and a signature off; add 1 if it is the key's.",
    "OP_CHECKMULTISIG": "Take n keys and m signatures off; push whether each is of one of the "
    "keys, in order. One element more is taken: an old accident.",
    "OP_CHECKMULTISIGVERIFY": "Take n keys and m signatures off; fail unless each is of one of the "
    "keys, in order. One element more is taken: an old accident.",
}
PUSH = "Push the bytes that follow."
DISABLED = "Disabled since 2010: a script that holds it fails, even where it would not run."
UNKNOWN = "No such instruction: the script fails if it is run."
FORBIDDEN = "A script that holds it fails, even in a branch not taken."
SUCCESS = "Kept for a soft fork: a tapscript that holds it succeeds, whatever else is in it."


class Rule(NamedTuple):
    """What an instruction does, and `file:line` of the code that does it."""

    sentence: str
    where: str


def rule_of(opcode: int, version: SigVersion = SigVersion.BASE) -> Rule:
    """The rule of an instruction in this generation of Script."""
    if version is SigVersion.TAPSCRIPT and opcode in taproot.OP_SUCCESS:
        return Rule(SUCCESS, places.of_named(taproot, "_run_tapscript"))
    if opcode <= OP_PUSHDATA4:
        sentence = PUSH if opcode != OP_0 else SENTENCES["OP_0"]
        return Rule(sentence, places.of_named(machine, "_push", "_execute"))
    if opcode in DISABLED_OPCODES:
        return Rule(DISABLED, places.of_named(machine, "_check_opcode", "_check_instruction"))
    if opcode not in OPERATIONS:
        always = opcode in (opcodes.OP_VERIF, opcodes.OP_VERNOTIF)
        return Rule(
            FORBIDDEN if always else UNKNOWN, places.of_named(machine, "bad_opcode", "_execute")
        )
    return Rule(_sentence(opcode), _where(opcode))


def _sentence(opcode: int) -> str:
    name = opcode_name(opcode)
    if OP_1 <= opcode <= OP_16:
        return f"Push the number {opcode - OP_1 + 1}."
    if name in SENTENCES:
        return SENTENCES[name]
    return (OPERATIONS[opcode].__doc__ or name).partition("\n")[0]


def _where(opcode: int) -> str:
    """The function if it is one of its own, else the row of the table that gives its work."""
    function = OPERATIONS[opcode]
    if function.__doc__ and function.__name__ != "run":
        return places.of_function(function)
    rows = places.of_rows(operations) | places.of_rows(checksig)
    return rows.get(opcode_name(opcode)) or places.of_function(function)
