"""A transaction, byte by byte: what it spends, what it pays, when, and which rules it breaks.

With the outputs that it spends it also says the fee, and runs the scripts (debugger). Does not know
where those outputs come from (node).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chain.address import script_to_address
from chain.coins import Coin
from chain.encoding import compact_size_length, display_hash, var_bytes, write_compact_size
from chain.errors import Invalid
from chain.params import Params
from chain.script.checker import (
    LOCKTIME_THRESHOLD,
    SEQUENCE_DISABLE_FLAG,
    SEQUENCE_TYPE_FLAG,
    SEQUENCE_VALUE_MASK,
)
from chain.script.errors import ScriptError
from chain.script.flags import STANDARD_FLAGS, ScriptFlag
from chain.script.opcodes import core_asm, instructions
from chain.script.sighash import PrecomputedSighash
from chain.script.templates import ScriptType, classify
from chain.transaction import SEQUENCE_FINAL, Transaction, TxIn, TxOut
from chain.tx_rules import (
    SEQUENCE_UNIT_S,
    check_inputs,
    check_transaction,
    legacy_sigops,
    sigop_cost,
)
from scripts.explain import places
from scripts.explain.debugger import Run, debug_spend
from scripts.explain.model import Explanation, Field, Problem, Section
from scripts.explain.script import shape_sentence
from scripts.explain.times import date_of
from scripts.explain.witness import script_sig_sections, witness_sections

COIN = 100_000_000
REPLACEABLE = 0xFFFFFFFD  # BIP 125: at most this
FEW_INPUTS = 3  # inputs that are all run unless told otherwise
MAX_RUNS = 1_000  # inputs run


@dataclass(frozen=True)
class Context:
    """What is known besides the bytes."""

    params: Params
    spent: Sequence[TxOut | None] = ()  # one for each input
    status: str = ""  # where the transaction is, as a node says
    next_height: int | None = None  # of the block that it could be in
    flags: ScriptFlag = STANDARD_FLAGS
    chosen: int | str | None = None  # which input's steps: a number, "all", or what seems best


def coins(satoshis: int) -> str:
    """`0.00001000 coins`."""
    sign = "-" if satoshis < 0 else ""
    whole, rest = divmod(abs(satoshis), COIN)
    return f"{sign}{whole}.{rest:08d} BTC"


def explain_transaction(tx: Transaction, context: Context) -> Explanation:
    """All that can be said of a transaction with what is known."""
    problems, fee = broken_rules(tx, context)
    runs = run_inputs(tx, context)
    facts = _facts(tx, context, fee, runs)
    title = f"transaction {display_hash(tx.txid)}"
    shown, hints = _chosen(runs, context.chosen)
    if not tx.is_coinbase and None in padded(tx, context):
        hints = [*hints, _missing(tx, context)]
    return Explanation("tx", title, facts, sections(tx, context), problems, shown, hints)


def _missing(tx: Transaction, context: Context) -> str:
    missing = sum(output is None for output in padded(tx, context))
    return (
        f"{missing} of {len(tx.inputs)} outputs that it spends are not known, so the fee is not, "
        "and not every script can be run: ask a node (--node URL), or give --spent VALUE:SCRIPTHEX "
        "for each input, or --prevtx HEX"
    )


def padded(tx: Transaction, context: Context) -> list[TxOut | None]:
    """The output that each input spends; None where it is not known."""
    spent = list(context.spent)[: len(tx.inputs)]
    return spent + [None] * (len(tx.inputs) - len(spent))


def broken_rules(tx: Transaction, context: Context) -> tuple[list[Problem], int | None]:
    """The first broken rule, as a node finds it, and the fee if the outputs spent are known."""
    try:
        check_transaction(tx)
        known = {
            tx_in.outpoint: Coin(output, 0, False)
            for tx_in, output in zip(tx.inputs, padded(tx, context), strict=True)
            if output is not None
        }
        if tx.is_coinbase or len(known) < len(tx.inputs):
            return [], None
        fee, _ = check_inputs(tx, known.get, 1, context.params)
    except Invalid as invalid:
        return [problem_of(invalid)], None
    return [], fee


def problem_of(invalid: Invalid) -> Problem:
    """A refusal of consensus, with the line that raised it."""
    where, _ = places.of_raise(invalid.__traceback__)
    return Problem(invalid.reject_reason, invalid.reason.sentence, where, invalid.detail)


def run_inputs(tx: Transaction, context: Context) -> list[Run]:
    """Every input whose output is known; taproot needs to know those of all."""
    spent = padded(tx, context)
    if tx.is_coinbase or all(output is None for output in spent):
        return []
    filled = [output or TxOut(0, b"") for output in spent]
    shared = PrecomputedSighash(tx, filled)
    runs = []
    for index, output in enumerate(spent[:MAX_RUNS]):
        is_taproot = output is not None and classify(output.script_pubkey) is ScriptType.P2TR
        if output is not None and not (is_taproot and None in spent):
            runs.append(debug_spend(tx, index, filled, context.flags, shared))
    return runs


def _chosen(runs: Sequence[Run], chosen: int | str | None) -> tuple[list[Run], list[str]]:
    if chosen == "all" or (chosen is None and len(runs) <= FEW_INPUTS):
        return list(runs), []
    if chosen is not None:
        return [run for run in runs if run.title == f"input {chosen}"], []
    failing = [run for run in runs if not run.is_good]
    which = (failing or list(runs))[:1]
    return which, [f"the steps of {which[0].title} are shown; others: --input N, or --input all"]


def _facts(tx: Transaction, context: Context, fee: int | None, runs: list[Run]) -> list[Field]:
    value_out = sum(output.value for output in tx.outputs)
    facts = [
        Field("txid", display_hash(tx.txid), "the id, which no witness changes"),
        Field("wtxid", display_hash(tx.wtxid), "the id with witnesses"),
        Field("status", context.status or None, "says the node"),
        Field("size", tx.size, "bytes"),
        Field("vsize", tx.vsize, "virtual bytes: a quarter of the weight, rounded up"),
        Field("weight", tx.weight, "weight units: 4 a byte, 1 a byte of witness"),
        _sigops(tx, context),
        Field("value_out", value_out, f"satoshis = {coins(value_out)}"),
        Field("fee", fee, f"satoshis = {coins(fee or 0)}"),
        Field("feerate", None if fee is None else f"{fee / tx.vsize:.2f}", "sat/vB"),
        Field("is_coinbase", tx.is_coinbase or None, "makes new coins"),
        Field("replaceable", replaceable(tx), "says so by a sequence number (BIP 125)"),
        Field("is_final", *finality(tx, context.next_height)),
        _scripts(runs, len(tx.inputs)),
    ]
    return [fact for fact in facts if fact.value is not None]


def _sigops(tx: Transaction, context: Context) -> Field:
    spent = [Coin(output, 0, False) for output in padded(tx, context) if output is not None]
    if tx.is_coinbase or len(spent) < len(tx.inputs):
        return Field("sigops", legacy_sigops(tx), "signature operations in its own scripts alone")
    cost = sigop_cost(tx, spent, context.flags)
    return Field("sigop_cost", cost, "of a block's 80,000 (BIP 141)")


def _scripts(runs: Sequence[Run], count: int) -> Field:
    if not runs:
        return Field("scripts", None)
    bad = [run for run in runs if not run.is_good]
    if bad:
        return Field("scripts", f"{bad[0].title} fails: {bad[0].code}", bad[0].text)
    return Field("scripts", f"{len(runs)} of {count} inputs run, all good")


def replaceable(tx: Transaction) -> bool:
    """Whether a sequence number announces that a better payment may take its place (BIP 125)."""
    return not tx.is_coinbase and any(tx_in.sequence <= REPLACEABLE for tx_in in tx.inputs)


def finality(tx: Transaction, next_height: int | None) -> tuple[bool | None, str]:
    """Whether the locktime lets it into the next block; None if that is not known."""
    if tx.locktime == 0 or all(tx_in.sequence == SEQUENCE_FINAL for tx_in in tx.inputs):
        return True, "no locktime holds it back"
    if tx.locktime >= LOCKTIME_THRESHOLD or next_height is None:
        return None, ""
    return tx.locktime < next_height, f"for a block at height {next_height}"


def sections(tx: Transaction, context: Context, start: int = 0) -> list[Section]:
    """The bytes in order; the first of them is byte `start` of something larger."""
    head = [Field("version", tx.version, version_meaning(tx.version), u32(tx.version), start)]
    at = start + 4
    if tx.has_witness:
        head.append(Field("marker, flag", "00 01", "witnesses follow the outputs (BIP 144)",
                          b"\x00\x01", at))  # fmt: skip
        at += 2
    head.append(_count("inputs", len(tx.inputs), at))
    at += compact_size_length(len(tx.inputs))
    found = [Section("Head", head)]
    spent = padded(tx, context)
    for index, tx_in in enumerate(tx.inputs):
        found.append(input_section(tx, index, spent[index], context.params, at))
        at += len(tx_in.serialize())
    found.append(Section("Outputs", [_count("outputs", len(tx.outputs), at)]))
    at += compact_size_length(len(tx.outputs))
    for index, output in enumerate(tx.outputs):
        found.append(output_section(index, output, context.params, at))
        at += len(output.serialize())
    if tx.has_witness:
        found += _witnesses(tx, spent, at)
    at = start + tx.size - 4
    locktime = Field("locktime", tx.locktime, locktime_meaning(tx), u32(tx.locktime), at)
    return [*found, Section("Tail", [locktime])]


def _count(name: str, count: int, at: int) -> Field:
    return Field(name, count, "how many follow", write_compact_size(count), at)


def u32(number: int) -> bytes:
    """Four bytes, little-endian."""
    return (number & 0xFFFFFFFF).to_bytes(4, "little")


def version_meaning(version: int) -> str:
    """What a transaction's version turns on."""
    return "relative locks bind (BIP 68)" if version >= 2 else "no relative locks (BIP 68 wants 2)"


def input_section(
    tx: Transaction, index: int, spent: TxOut | None, params: Params, at: int
) -> Section:
    """Outpoint, scriptSig, sequence; and the output spent, if it is known."""
    tx_in = tx.inputs[index]
    size_at, script = at + 36, tx_in.script_sig
    script_at = size_at + compact_size_length(len(script))
    txid, number = tx_in.outpoint
    fields = [
        Field("txid", display_hash(txid), "" if tx.is_coinbase else "whose output it spends",
              txid, at),
        Field("index", number, "none: a coinbase" if tx.is_coinbase else "which of its outputs",
              u32(number), at + 32),
        Field("scriptSig size", len(script), "bytes", write_compact_size(len(script)), size_at),
        _script_sig(tx, script, script_at),
        Field("sequence", f"{tx_in.sequence:08x}", sequence_meaning(tx, tx_in),
              u32(tx_in.sequence), script_at + len(script)),
    ]  # fmt: skip
    if spent is not None:
        address = script_to_address(spent.script_pubkey, params)
        fields += [
            Field("spends", spent.value, f"satoshis = {coins(spent.value)}"),
            Field("of", address or classify(spent.script_pubkey).value,
                  shape_sentence(spent.script_pubkey)),
        ]  # fmt: skip
    inner = [] if tx.is_coinbase else script_sig_sections(
        script, spent.script_pubkey if spent else None, script_at)  # fmt: skip
    return Section(f"Input {index}", fields, inner)


def _script_sig(tx: Transaction, script: bytes, at: int) -> Field:
    if not tx.is_coinbase:
        return Field("scriptSig", core_asm(script) or "(empty)", "", script, at)
    return Field("scriptSig", core_asm(script), coinbase_meaning(script), script, at)


def coinbase_meaning(script: bytes) -> str:
    """The height with which a coinbase begins (BIP 34), and the text in it."""
    parts = []
    try:
        opcode, data, _ = next(instructions(script))
        height = opcode - 0x50 if data is None else int.from_bytes(data, "little")
        parts.append(f"height {height} (BIP 34)")
    except (StopIteration, ScriptError):
        pass
    text = "".join(chr(byte) if 32 <= byte < 127 else "\0" for byte in script)
    longest = max(text.split("\0"), key=len)
    if len(longest) >= 4:
        parts.append(f"text {longest!r}")
    return ", ".join(parts) or "free for its miner"


def sequence_meaning(tx: Transaction, tx_in: TxIn) -> str:
    """Replaceability, whether the locktime binds, and the relative lock."""
    sequence = tx_in.sequence
    if sequence == SEQUENCE_FINAL:
        return "final: waits for nothing"
    parts = ["lets the locktime bind"]
    if sequence <= REPLACEABLE:
        parts.append("may be replaced (BIP 125)")
    if not sequence & SEQUENCE_DISABLE_FLAG and tx.version >= 2 and not tx.is_coinbase:
        units = sequence & SEQUENCE_VALUE_MASK
        if sequence & SEQUENCE_TYPE_FLAG:
            parts.append(f"waits until the output is {units * SEQUENCE_UNIT_S} s old (BIP 68)")
        else:
            parts.append(f"waits until the output is {units} blocks deep (BIP 68)")
    return ", ".join(parts)


def locktime_meaning(tx: Transaction) -> str:
    """The first block that may hold the transaction."""
    if tx.locktime == 0:
        return "none"
    if all(tx_in.sequence == SEQUENCE_FINAL for tx_in in tx.inputs):
        return "without effect: all sequences are final"
    if tx.locktime < LOCKTIME_THRESHOLD:
        return f"not in a block before height {tx.locktime + 1}"
    return f"not before the median time of blocks has passed {date_of(tx.locktime)}"


def output_section(index: int, output: TxOut, params: Params, at: int) -> Section:
    """Value, script, its shape and address."""
    script = output.script_pubkey
    script_at = at + 8 + compact_size_length(len(script))
    address = script_to_address(script, params)
    value = output.value.to_bytes(8, "little", signed=True)
    fields = [
        Field("value", output.value, f"satoshis = {coins(output.value)}", value, at),
        Field("script size", len(script), "bytes", write_compact_size(len(script)), at + 8),
        Field("scriptPubKey", core_asm(script) or "(empty)", "", script, script_at),
        Field("type", classify(script).value, shape_sentence(script)),
    ]
    if address is not None:
        fields.append(Field("address", address, f"on {params.name}"))
    return Section(f"Output {index}", fields)


def _witnesses(tx: Transaction, spent: Sequence[TxOut | None], at: int) -> list[Section]:
    found = []
    for index, tx_in in enumerate(tx.inputs):
        output = spent[index]
        script = output.script_pubkey if output else None
        items = witness_sections(tx_in, script, at, is_coinbase=tx.is_coinbase)
        count = len(items)
        what = f"{count} item{'' if count == 1 else 's'}"
        number = Field("items", count, "how many follow", write_compact_size(count), at)
        found.append(Section(f"Witness of input {index}: {what}", [number], items))
        at += compact_size_length(count) + sum(len(var_bytes(item)) for item in tx_in.witness)
    return found
