"""A script alone: its instructions, its shape, its address, and what running it would count.

Does not know transactions. Whether a spend succeeds is the debugger's to say.
"""

from collections.abc import Sequence

from chain.address import script_to_address
from chain.hashes import hash160, sha256
from chain.params import Params
from chain.script import witness as taproot
from chain.script.numbers import MAX_NUMBER_SIZE, decode_number
from chain.script.opcodes import (
    OP_0,
    OP_PUSHDATA4,
    TruncatedPushError,
    core_asm,
    instructions,
    opcode_name,
)
from chain.script.script import count_sigops, is_p2sh, is_push_only, witness_program
from chain.script.sighash import SigVersion
from chain.script.templates import ScriptType, classify, multisig_keys
from scripts.explain import signatures
from scripts.explain.given import Given
from scripts.explain.model import Explanation, Field, Section, Table, Value
from scripts.explain.rules import rule_of

SHAPES = {
    ScriptType.P2PK: "pay to a public key",
    ScriptType.P2PKH: "pay to the hash of a public key",
    ScriptType.P2SH: "pay to the hash of a script, which the spender shows",
    ScriptType.P2WPKH: "witness version 0: pay to the hash of a public key",
    ScriptType.P2WSH: "witness version 0: pay to the hash of a script",
    ScriptType.P2TR: "witness version 1 (taproot): pay to a key that may hide scripts",
    ScriptType.P2A: "pay to anchor: anybody may spend it",
    ScriptType.MULTISIG: "signatures of some of these keys",
    ScriptType.NULL_DATA: "data that nobody can spend",
    ScriptType.WITNESS_UNKNOWN: "a witness version without rules yet: anybody may spend it",
    ScriptType.NONSTANDARD: "none of the standard shapes",
}
MAX_SHORT_NUMBER = 10  # digits that may be meant as a number to push
MAX_ROWS = 2_000  # instructions shown


def explain_script(script: bytes, params: Params, version: SigVersion) -> Explanation:
    """All that can be said of a script without running it."""
    table, problem = listing(script, version)
    notes = [Field("cut off", problem, "the script fails when it gets there")] if problem else []
    section = Section("Instructions", notes, table=table)
    return Explanation("script", "script", facts(script, params), [section])


def facts(script: bytes, params: Params) -> list[Field]:
    """Size, shape, address, signature operations, hashes."""
    shape = classify(script)
    fields = [
        Field("size", len(script), "bytes"),
        Field("type", shape.value, shape_sentence(script)),
        Field("address", script_to_address(script, params), f"on {params.name}"),
        Field("sigops", count_sigops(script, True), "signature operations"),
        Field("is_push_only", is_push_only(script)),
        Field("asm", core_asm(script), "as Bitcoin Core writes it"),
    ]
    if not (is_p2sh(script) or witness_program(script)):
        fields += [
            Field("hash160", hash160(script).hex(), "for a P2SH output of this script"),
            Field("sha256", sha256(script).hex(), "for a P2WSH output of this script"),
        ]
    return [each for each in fields if each.value is not None]


def shape_sentence(script: bytes) -> str:
    """What a scriptPubKey asks for."""
    shape = classify(script)
    many = multisig_keys(script) if shape is ScriptType.MULTISIG else None
    if many is not None:
        required, keys = many
        return f"{required} of these {len(keys)} keys must sign"
    return SHAPES[shape]


def listing(script: bytes, version: SigVersion) -> tuple[Table, str]:
    """The instructions, one a row, and what is wrong with the last one if it is cut off."""
    rows: list[Sequence[Value]] = []
    position, problem = 0, ""
    try:
        for opcode, data, following in instructions(script):
            if len(rows) < MAX_ROWS:
                rule = rule_of(opcode, version)
                rows.append((position, name_of(opcode, version), _pushed(opcode, data),
                             _sentence(opcode, data, rule.sentence), rule.where))  # fmt: skip
            else:
                problem = f"only the first {MAX_ROWS} instructions are shown"
            position = following
    except TruncatedPushError as cut:
        problem = f"{opcode_name(cut.opcode)} at byte {position} reaches beyond the end"
    return Table(["at>", "opcode", "pushes", "what it does", "where"], rows), problem


def name_of(opcode: int, version: SigVersion) -> str:
    """OP_SUCCESSn in tapscript, else the usual name; a number for what has none."""
    if version is SigVersion.TAPSCRIPT and opcode in taproot.OP_SUCCESS:
        return f"OP_SUCCESS{opcode}"
    name = opcode_name(opcode)
    return f"0x{opcode:02x}" if name == "OP_UNKNOWN" else name


def _pushed(opcode: int, data: bytes | None) -> str:
    return data.hex() if data is not None and OP_0 < opcode <= OP_PUSHDATA4 else ""


def _sentence(opcode: int, data: bytes | None, sentence: str) -> str:
    if not data or opcode > OP_PUSHDATA4:
        return sentence
    what = signatures.describe(data)
    if not what and len(data) <= MAX_NUMBER_SIZE:
        what = f"as a number {decode_number(data, must_be_minimal=False)}"
    elif not what and len(data) >= 4 and data.isascii() and data.decode().isprintable():
        what = f"as text {data.decode()!r}"
    size = f"Push {len(data)} byte{'' if len(data) == 1 else 's'}"
    return f"{size}: {what}." if what else f"{size}."


def script_of(given: Given) -> bytes:
    """The script that was given, as hex or in words; an argument with spaces is words."""
    # lazy: only scripts are written in words
    from scripts.explain.asm import assemble

    if given.source == "argument" and len(given.text.split()) > 1:
        return assemble(given.text)
    if len(given.text) > MAX_SHORT_NUMBER and given.is_odd_hex:
        given.bytes("a script")  # says what is wrong
    return given.raw if given.raw is not None else assemble(given.text)
