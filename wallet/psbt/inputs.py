"""An input with all that is known of it: the output it spends, and the script that is signed.

What a packet says is checked here before anybody signs: the whole transaction against its id, the
scripts against the hashes that commit to them. Else a lie about an amount could make a signer pay a
fee that it did not see. Does not know keys.

Reference: BIP 174 (Signer).
"""

from dataclasses import dataclass

from chain.encoding import Reader, display_hash
from chain.hashes import hash160, sha256
from chain.script.script import is_p2sh, witness_program
from chain.script.sighash import SIGHASH_ALL, SIGHASH_DEFAULT
from chain.script.templates import p2pkh
from chain.transaction import MAX_MONEY, Transaction, TxOut
from wallet.amounts import with_unit
from wallet.errors import AbsurdFee, PsbtIncomplete, PsbtMismatch
from wallet.psbt.fields import In, Map
from wallet.psbt.packet import Psbt, get

MAX_FEE = 10_000_000  # satoshis: 0.1 coins, Core's -maxtxfee
LEGACY, WITNESS_V0, TAPROOT = "legacy", "witness v0", "taproot"


@dataclass(frozen=True)
class Spend:
    """What an input spends and how: `code` is the script that signatures are made for."""

    number: int
    fields: Map
    spent: TxOut
    kind: str
    code: bytes
    redeem_script: bytes | None = None
    witness_script: bytes | None = None

    @property
    def hash_type(self) -> int:
        """What the packet wants to be signed: all, unless it says otherwise."""
        wanted = get(self.fields, In.SIGHASH_TYPE)
        if wanted is not None:
            return int.from_bytes(wanted, "little")
        return SIGHASH_DEFAULT if self.kind == TAPROOT else SIGHASH_ALL

    def accepts(self, hash_type: int) -> bool:
        """Whether a signature may have this hash type; unless said, DEFAULT and ALL are one."""
        if get(self.fields, In.SIGHASH_TYPE) is not None or self.kind != TAPROOT:
            return hash_type == self.hash_type
        return hash_type in (SIGHASH_DEFAULT, SIGHASH_ALL)


def is_final(fields: Map) -> bool:
    """Whether an input has its last form already."""
    final = (In.FINAL_SCRIPTSIG, In.FINAL_SCRIPTWITNESS)
    return any(get(fields, kind) is not None for kind in final)


def read_spend(psbt: Psbt, number: int) -> Spend:
    """An input, its parts held against each other. Raises PsbtIncomplete, PsbtMismatch."""
    fields = psbt.inputs[number]
    spent = _known_output(psbt, number)
    inner, redeem = spent.script_pubkey, get(fields, In.REDEEM_SCRIPT)
    if redeem is not None:
        if not is_p2sh(inner) or hash160(redeem) != inner[2:22]:
            raise PsbtMismatch(f"input {number}: the redeem script is not that of the coin")
        inner = redeem
    elif is_p2sh(inner):
        raise PsbtIncomplete(f"input {number} lacks its redeem script; update the PSBT first")
    program, script = witness_program(inner), get(fields, In.WITNESS_SCRIPT)
    if program is not None and program[0] == 0 and len(program[1]) == 32:
        if script is None:
            raise PsbtIncomplete(f"input {number} lacks its witness script; update the PSBT first")
        if sha256(script) != program[1]:
            raise PsbtMismatch(f"input {number}: the witness script is not that of the coin")
        return Spend(number, fields, spent, WITNESS_V0, script, redeem, script)
    if script is not None:
        raise PsbtMismatch(f"input {number} has a witness script, and its coin has none")
    if program is not None and program[0] == 0:
        return Spend(number, fields, spent, WITNESS_V0, p2pkh(program[1]), redeem)
    if program is not None and program[0] == 1 and len(program[1]) == 32 and redeem is None:
        return Spend(number, fields, spent, TAPROOT, inner)
    if get(fields, In.NON_WITNESS_UTXO) is None:
        raise PsbtMismatch(
            f"input {number} has no witness, so the whole transaction that it spends from is "
            "needed, not the output alone"
        )
    return Spend(number, fields, spent, LEGACY, inner, redeem)


def spent_output(psbt: Psbt, number: int) -> TxOut | None:
    """The output that an input spends, proven by its whole transaction if that is there."""
    fields, outpoint = psbt.inputs[number], psbt.transaction.inputs[number].outpoint
    alone, whole = get(fields, In.WITNESS_UTXO), get(fields, In.NON_WITNESS_UTXO)
    stated = None if alone is None else _read_output(alone, number)
    if whole is None:
        return stated
    source = Transaction.parse(whole)
    if source.txid != outpoint.txid:
        raise PsbtMismatch(
            f"input {number} spends from {display_hash(outpoint.txid)}, but the transaction that "
            f"is given for it is {display_hash(source.txid)}"
        )
    if outpoint.index >= len(source.outputs):
        raise PsbtMismatch(f"input {number} spends output {outpoint.index}, which is not there")
    proven = source.outputs[outpoint.index]
    if stated is not None and stated != proven:
        raise PsbtMismatch(f"input {number} states an output that its transaction does not have")
    return proven


def spent_outputs(psbt: Psbt) -> list[TxOut]:
    """All outputs that are spent. Raises PsbtIncomplete if one is not known."""
    return [_known_output(psbt, number) for number in range(len(psbt.inputs))]


def fee(psbt: Psbt) -> int | None:
    """Satoshis that the outputs leave over; None while an input does not say what it spends.

    PsbtMismatch if the outputs are worth more than the inputs, or an input contradicts itself.
    """
    spent = [spent_output(psbt, number) for number in range(len(psbt.inputs))]
    known = [output.value for output in spent if output is not None]
    if len(known) < len(spent):
        return None
    left = sum(known) - sum(output.value for output in psbt.transaction.outputs)
    if left < 0:
        raise PsbtMismatch("the payment's outputs are worth more than its inputs")
    return left


def refuse_absurd_fee(psbt: Psbt, max_fee: int | None) -> None:
    """AbsurdFee if it pays more than `max_fee` satoshis, as far as its inputs are known."""
    paid = fee(psbt)
    if max_fee is not None and paid is not None and paid > max_fee:
        raise AbsurdFee(
            f"a fee of {with_unit(paid)} is absurd; at most {with_unit(max_fee)} is let out"
        )


def _known_output(psbt: Psbt, number: int) -> TxOut:
    spent = spent_output(psbt, number)
    if spent is None:
        raise PsbtIncomplete(f"input {number} does not say what it spends; update the PSBT first")
    return spent


def unproven(psbt: Psbt) -> list[int]:
    """The inputs whose amount nobody has shown: their signatures say nothing of the others'.

    Signed twice, each time with another false amount, two of them make a payment whose fee nobody
    saw (CVE-2020-14199). One alone can't lie, nor can taproot, which signs every amount.
    """
    inputs = enumerate(psbt.inputs) if len(psbt.inputs) > 1 else ()
    return [
        number
        for number, fields in inputs
        if get(fields, In.NON_WITNESS_UTXO) is None
        and (spent := spent_output(psbt, number)) is not None
        and not spent.script_pubkey.startswith(b"\x51\x20")
    ]


def _read_output(raw: bytes, number: int) -> TxOut:
    reader = Reader(raw)
    value = reader.i64()
    if not 0 <= value <= MAX_MONEY:
        raise PsbtMismatch(f"input {number} states an amount that no coin has: {value:,} sat")
    return TxOut(value, reader.var_bytes())
