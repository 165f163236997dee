"""Commitments: the scripts that a spend runs, in order, and what is compared before each.

An output may hold only the hash of a script, or a key that commits to a tree of them; that the
script shown is the one meant is checked without an opcode. The checks are the interpreter's; here
their numbers are worked out again, for showing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from chain.hashes import hash160, sha256
from chain.script import flags as flag
from chain.script import interpreter, opcodes
from chain.script import witness as taproot
from chain.script.errors import ScriptError
from chain.script.flags import ScriptFlag
from chain.script.script import instructions, is_p2sh, is_push_only, witness_program
from chain.script.sighash import SigVersion
from scripts.explain import places


@dataclass(frozen=True)
class Note:
    """Something that is compared, and what it came to."""

    name: str
    rule: str
    where: str
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """One script of a spend. Not `is_run`: all is decided by what the notes say."""

    label: str
    version: SigVersion
    notes: Sequence[Note] = ()
    is_run: bool = True


def stages_of(
    script_sig: bytes, script_pubkey: bytes, witness: Sequence[bytes], flags: ScriptFlag
) -> Iterator[Stage]:
    """The scripts in the order in which the interpreter runs them, as far as it gets."""
    bits = int(flags)
    program = witness_program(script_pubkey) if bits & flag.WITNESS else None
    if program is not None and not script_sig:
        yield from _witness_stages(*program, witness, bits, is_p2sh=False)
        return
    yield Stage("scriptSig", SigVersion.BASE)
    yield Stage("scriptPubKey", SigVersion.BASE)
    if not (bits & flag.P2SH and is_p2sh(script_pubkey) and is_push_only(script_sig)):
        return
    pushes = [_pushed(*instruction) for instruction in instructions(script_sig)]
    redeem_script = pushes[-1] if pushes else b""
    rule = "The output holds the hash of a script; the scriptSig's last push is that script."
    facts = {"redeem script": redeem_script.hex(), "its hash160": hash160(redeem_script).hex()}
    note = Note("redeem script", rule, places.of_named(interpreter, "_run_redeem_script"), facts)
    yield Stage("redeem script", SigVersion.BASE, [note])
    program = witness_program(redeem_script) if bits & flag.WITNESS else None
    if program is not None:
        yield from _witness_stages(*program, witness, bits, is_p2sh=True)


def _pushed(opcode: int, data: bytes | None, _: int) -> bytes:
    return bytes([opcode - opcodes.OP_1 + 1 & 0xFF]) if data is None else data


def _witness_stages(
    version: int, program: bytes, witness: Sequence[bytes], bits: int, is_p2sh: bool
) -> Iterator[Stage]:
    if version == 0 and len(program) == 32 and witness:
        yield _script_hash(program, witness[-1])
    elif version == 0 and len(program) == 20:
        rule = "The program is the hash of a key; it stands for a script that asks for that key."
        where = places.of_named(taproot, "_verify_key_hash")
        facts = {"program": program.hex(), "witness": f"{len(witness)} items, 2 expected"}
        yield Stage("P2WPKH", SigVersion.WITNESS_V0, [Note("program", rule, where, facts)])
    elif version == 1 and len(program) == 32 and not is_p2sh and bits & flag.TAPROOT:
        yield from _taproot_stages(program, witness)
    elif version > 0:
        rule = "No rule yet binds this version and size: anybody may spend it (BIP 141)."
        where = places.of_named(taproot, "verify_witness_program")
        note = Note("program", rule, where, {"version": str(version), "program": program.hex()})
        yield Stage("witness program", SigVersion.BASE, [note], is_run=False)


def _script_hash(program: bytes, script: bytes) -> Stage:
    found = sha256(script)
    facts = {"witness script": script.hex(), "its sha256": found.hex(), "program": program.hex()}
    facts["equal"] = "yes" if found == program else "no"
    rule = "The witness's last item is the script whose SHA-256 the output holds (BIP 141)."
    note = Note("witness script", rule, places.of_named(taproot, "_verify_version_0"), facts)
    return Stage("witness script", SigVersion.WITNESS_V0, [note])


def _taproot_stages(program: bytes, witness: Sequence[bytes]) -> Iterator[Stage]:
    stack, notes = list(witness), []
    if len(stack) >= 2 and stack[-1][:1] == bytes([taproot.ANNEX_TAG]):
        where = places.of_named(taproot, "_verify_taproot")
        rule = "A last item that begins with 50 is an annex: signed, and without meaning yet."
        notes.append(Note("annex", rule, where, {"annex": stack.pop().hex()}))
    if len(stack) < 2:
        if notes:
            yield Stage("key path", SigVersion.BASE, notes, is_run=False)
        return
    control, script = stack.pop(), stack.pop()
    notes.append(_commitment(program, control, script))
    version = control[0] & taproot.LEAF_VERSION_MASK if control else 0
    success = _success_opcode(script)
    if version != taproot.TAPSCRIPT_LEAF_VERSION:
        rule = "No rule yet binds a leaf of this version: anybody may spend it (BIP 341)."
        where = places.of_named(taproot, "_verify_taproot")
        notes.append(Note("leaf version", rule, where, {"version": f"{version:02x}"}))
    elif success is not None:
        rule = "A tapscript that holds an OP_SUCCESS succeeds and is not run (BIP 342)."
        where = places.of_named(taproot, "_run_tapscript")
        notes.append(Note(f"OP_SUCCESS{success}", rule, where))
    is_run = version == taproot.TAPSCRIPT_LEAF_VERSION and success is None
    yield Stage("tapscript leaf", SigVersion.TAPSCRIPT, notes, is_run)


def _success_opcode(script: bytes) -> int | None:
    try:
        found = (opcode for opcode, _, _ in instructions(script) if opcode in taproot.OP_SUCCESS)
        return next(found, None)
    except ScriptError:
        return None


def _commitment(program: bytes, control: bytes, script: bytes) -> Note:
    """From the leaf up to the output's key, as far as the control block goes."""
    base = taproot.CONTROL_BASE_SIZE
    internal_key = control[1:base]
    facts = {"internal key": internal_key.hex()}
    node = taproot.tapleaf_hash(script, (control[0] if control else 0) & taproot.LEAF_VERSION_MASK)
    facts["leaf hash"] = node.hex()
    for number, start in enumerate(range(base, len(control), 32), 1):
        node = taproot.tapbranch_hash(node, control[start : start + 32])
        facts[f"branch {number}"] = node.hex()
    facts["output key"] = _output_key(internal_key, node)
    facts["program"] = program.hex()
    rule = (
        "The leaf, hashed with the path in the control block and added to the internal key, gives "
        "the output's key (BIP 341)."
    )
    return Note("control block", rule, places.of_named(taproot, "_check_commitment"), facts)


def _output_key(internal_key: bytes, root: bytes) -> str:
    try:
        key, parity = taproot.taproot_output_key(internal_key, root)
    except ValueError:
        return "none: the internal key is not on the curve"
    return f"{key.hex()}, y is {'odd' if parity else 'even'}"
