"""What unlocks an input: the pushes of its scriptSig and the items of its witness, each by name.

Where the spent output is known it says what the items are; else their shape does. Does not run
anything (debugger).
"""

from collections.abc import Sequence

from chain.encoding import compact_size_length
from chain.script import opcodes as op
from chain.script import witness as taproot
from chain.script.errors import ScriptError
from chain.script.numbers import decode_number
from chain.script.opcodes import core_asm, instructions
from chain.script.script import is_p2sh, is_push_only, witness_program
from chain.script.templates import classify
from chain.transaction import TxIn
from scripts.explain import signatures
from scripts.explain.model import Field, Section


def script_sig_sections(script_sig: bytes, spent_script: bytes | None, start: int) -> list[Section]:
    """The pushes of a scriptSig, which begins at byte `start`: signatures, keys, a script."""
    try:
        pushes = list(instructions(script_sig))
    except ScriptError:
        return []
    sections = []
    for number, (opcode, data, end) in enumerate(pushes):
        if not data or opcode > op.OP_PUSHDATA4:
            continue
        is_last = number == len(pushes) - 1
        is_redeem = is_last and (
            is_p2sh(spent_script) if spent_script is not None else _may_be_script(data)
        )
        name = "redeem script" if is_redeem else ""
        sections.append(_item(f"push {number}", data, name, start + end - len(data)))
    return sections


def _may_be_script(data: bytes) -> bool:
    is_program = witness_program(data) is not None
    return is_program or (data[-1:] in (b"\xac", b"\xae") and not signatures.looks_like_key(data))


def witness_sections(
    tx_in: TxIn, spent_script: bytes | None, start: int, *, is_coinbase: bool
) -> list[Section]:
    """The items of a witness, which begins at byte `start`, in order, each with what it is."""
    witness = tx_in.witness
    names = [""] * len(witness)
    if is_coinbase:
        names[:1] = ["reserved value"][: len(witness)]
    else:
        _name_items(names, witness, _program(witness, tx_in.script_sig, spent_script))
    sections, at = [], start + compact_size_length(len(witness))
    for number, (item, name) in enumerate(zip(witness, names, strict=True)):
        at += compact_size_length(len(item))
        sections.append(_item(f"witness item {number}", item, name, at))
        at += len(item)
    return sections


def _program(
    witness: Sequence[bytes], script_sig: bytes, spent_script: bytes | None
) -> tuple[int, int]:
    """Witness version and size of the program; by the witness's shape where it is not known."""
    for script in (spent_script, _last_push(script_sig)):
        program = witness_program(script) if script else None
        if program is not None:
            return program[0], len(program[1])
    last = witness[-1] if witness else b""
    if len(witness) == 2 and signatures.looks_like_key(last):
        return 0, 20
    without_annex = witness[:-1] if len(witness) > 1 and last[:1] == b"\x50" else witness
    if len(without_annex) == 1 and len(without_annex[0]) in (64, 65):
        return 1, 32
    if len(without_annex) > 1 and _is_control_block(without_annex[-1]):
        return 1, 32
    return 0, 32


def _last_push(script_sig: bytes) -> bytes:
    if not is_push_only(script_sig):
        return b""
    pushes = [data for _, data, _ in instructions(script_sig)]
    return pushes[-1] or b"" if pushes else b""


def _is_control_block(item: bytes) -> bool:
    nodes, rest = divmod(len(item) - taproot.CONTROL_BASE_SIZE, taproot.CONTROL_NODE_SIZE)
    return nodes >= 0 and rest == 0 and item[0] & 0xFE == taproot.TAPSCRIPT_LEAF_VERSION


def _name_items(names: list[str], witness: Sequence[bytes], program: tuple[int, int]) -> None:
    count = len(witness)
    if program == (0, 20) and count == 2:
        names[:] = ["signature", "public key"]
    elif program == (0, 32) and count:
        names[-1] = "witness script"
    elif program == (1, 32):
        if count >= 2 and witness[-1][:1] == bytes([taproot.ANNEX_TAG]):
            count -= 1
            names[count] = "annex"
        if count == 1:
            names[0] = "signature"
        elif count >= 2:
            names[count - 2], names[count - 1] = "tapscript leaf", "control block"


def _item(title: str, item: bytes, name: str, start: int) -> Section:
    what = name or signatures.describe(item)
    size = "empty" if not item else f"{len(item)} byte{'' if len(item) == 1 else 's'}"
    heading = f"{title}: {what}, {size}" if what else f"{title}: {size}"
    return Section(heading, _item_fields(item, what, start))


def _item_fields(item: bytes, what: str, start: int) -> list[Field]:
    if what in ("redeem script", "witness script", "tapscript leaf"):
        kind = "" if what == "tapscript leaf" else classify(item).value
        return [Field("script", core_asm(item) or "(empty)", kind, item, start)]
    if what == "control block":
        return control_fields(item, start)
    if "signature" in what.lower():
        parts = signatures.signature_fields(item, start)
        if parts:
            return parts
    meaning = "empty: 0, false" if not item else ""
    if what == "annex":
        meaning = "signed, and without meaning yet (BIP 341)"
    elif 0 < len(item) <= 4:
        meaning = f"as a number {decode_number(item, must_be_minimal=False)}"
    return [Field("bytes", item.hex() or "(none)", meaning, item, start)]


def control_fields(control: bytes, at: int) -> list[Field]:
    """Leaf version and parity, internal key, and the path from the leaf to the root."""
    base = taproot.CONTROL_BASE_SIZE
    if len(control) < base:
        return [
            Field(
                "bytes",
                control.hex(),
                f"too short: a control block has at least {base}",
                control,
                at,
            )
        ]
    version, parity = control[0] & taproot.LEAF_VERSION_MASK, control[0] & 1
    kind = "tapscript" if version == taproot.TAPSCRIPT_LEAF_VERSION else "no rules yet"
    fields = [
        Field("leaf version", f"{version:02x}", kind, control[:1], at),
        Field("parity", parity, "of the output key's y: " + ("odd" if parity else "even")),
        Field("internal key", control[1:base].hex(), "", control[1:base], at + 1),
    ]
    for number, start in enumerate(range(base, len(control), taproot.CONTROL_NODE_SIZE), 1):
        node = control[start : start + taproot.CONTROL_NODE_SIZE]
        fields.append(
            Field(f"branch {number}", node.hex(), "sibling on the way up", node, at + start)
        )
    return fields
