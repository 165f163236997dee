"""Finishing: from signatures to scriptSig and witness, and from a finished packet to a transaction.

Knows the shapes that descriptors here have: one key, some keys of several, taproot's key path. What
comes out has passed the script machine of the nodes under the flags of their policy.

Reference: BIP 174 (Input Finalizer, Transaction Extractor).
"""

from typing import NamedTuple

from chain.hashes import hash160
from chain.script.script import push
from chain.script.templates import ScriptType, classify, multisig_keys
from chain.transaction import Transaction, TxIn
from wallet.errors import PsbtIncomplete, PsbtMismatch
from wallet.psbt.fields import In, field_key, of_kind, read_witness, write_witness
from wallet.psbt.inputs import (
    LEGACY,
    MAX_FEE,
    TAPROOT,
    Spend,
    is_final,
    read_spend,
    refuse_absurd_fee,
    spent_outputs,
)
from wallet.psbt.packet import Psbt, get
from wallet.psbt.verification import verify

_KEPT = {In.NON_WITNESS_UTXO, In.WITNESS_UTXO, In.POR_COMMITMENT}
_DROPPED = tuple(field_key(kind) for kind in In if kind not in _KEPT)


class Finished(NamedTuple):
    """A packet with its inputs finished where that was possible, and why not where it was not."""

    psbt: Psbt
    missing: tuple[str, ...]  # a line for each input that is not finished


def finalize(psbt: Psbt) -> Finished:
    """Finish each input that has signatures enough. Raises PsbtMismatch if one contradicts itself.

    If all are finished, they are verified: SigningFailed if a signature is wrong.
    """
    inputs, missing = [], []
    for number, fields in enumerate(psbt.inputs):
        try:
            inputs.append(fields if is_final(fields) else _finished(read_spend(psbt, number)))
        except PsbtIncomplete as error:
            inputs.append(fields)
            missing.append(str(error))
    done = psbt.with_inputs(inputs)
    if not missing:
        verify(_signed(done), spent_outputs(done))
    return Finished(done, tuple(missing))


def extract(psbt: Psbt, *, max_fee: int | None = MAX_FEE) -> Transaction:
    """The transaction of a finished packet, verified; AbsurdFee if it pays more than `max_fee`."""
    for number, fields in enumerate(psbt.inputs):
        if not is_final(fields):
            raise PsbtIncomplete(f"input {number} is not finished; finalize the PSBT first")
    transaction = _signed(psbt)
    verify(transaction, spent_outputs(psbt))
    refuse_absurd_fee(psbt, max_fee)
    return transaction


def signatures_of(spend: Spend) -> tuple[int, int] | None:
    """How many signatures an input has and how many it needs; None of a shape not known here."""
    have = len(list(of_kind(spend.fields, In.PARTIAL_SIG)))
    if spend.kind == TAPROOT:
        return int(get(spend.fields, In.TAP_KEY_SIG) is not None), 1
    several = multisig_keys(spend.code)
    if several is not None:
        return have, several[0]
    return (have, 1) if classify(spend.code) in (ScriptType.P2PKH, ScriptType.P2PK) else None


def _finished(spend: Spend) -> dict[bytes, bytes]:
    """The fields of an input in its last form: what only signers needed is gone."""
    kept = {key: value for key, value in spend.fields.items() if not key.startswith(_DROPPED)}
    stack = _taproot_stack(spend) if spend.kind == TAPROOT else _stack(spend)
    script_sig = b"" if spend.redeem_script is None else push(spend.redeem_script)
    if spend.kind == LEGACY:
        script_sig = b"".join(map(push, stack)) + script_sig
        stack = ()
    elif spend.witness_script is not None:
        stack = (*stack, spend.witness_script)
    if script_sig:
        kept[field_key(In.FINAL_SCRIPTSIG)] = script_sig
    if stack:
        kept[field_key(In.FINAL_SCRIPTWITNESS)] = write_witness(stack)
    return kept


def _taproot_stack(spend: Spend) -> tuple[bytes, ...]:
    signature = get(spend.fields, In.TAP_KEY_SIG)
    if signature is None:
        raise PsbtIncomplete(f"input {spend.number} lacks the signature of its taproot key")
    if not spend.accepts(signature[64] if len(signature) == 65 else 0):
        raise PsbtMismatch(f"input {spend.number} is signed with another hash type than it wants")
    return (signature,)


def _stack(spend: Spend) -> tuple[bytes, ...]:
    """The items that satisfy the script, signatures in the order of their keys."""
    signatures = dict(of_kind(spend.fields, In.PARTIAL_SIG))
    for signature in signatures.values():
        if not spend.accepts(signature[-1]):
            raise PsbtMismatch(
                f"input {spend.number} is signed with another hash type than it wants"
            )
    several, shape = multisig_keys(spend.code), classify(spend.code)
    if several is not None:
        required, keys = several
        given = [signatures[key] for key in keys if key in signatures][:required]
        if len(given) < required:
            raise PsbtIncomplete(
                f"input {spend.number} has {len(given)} of {required} signatures; let another sign"
            )
        return (b"", *given)  # CHECKMULTISIG takes one item too many off the stack
    for key, signature in signatures.items():
        if shape is ScriptType.P2PKH and hash160(key) == spend.code[3:23]:
            return (signature, key)
        if shape is ScriptType.P2PK and push(key) == spend.code[:-1]:
            return (signature,)
    if shape not in (ScriptType.P2PKH, ScriptType.P2PK):
        raise PsbtIncomplete(f"input {spend.number} has a script that nobody here can finish")
    raise PsbtIncomplete(f"input {spend.number} has 0 of 1 signatures; let its owner sign")


def _signed(psbt: Psbt) -> Transaction:
    inputs: list[TxIn] = []
    for each, fields in zip(psbt.transaction.inputs, psbt.inputs, strict=True):
        witness = get(fields, In.FINAL_SCRIPTWITNESS)
        inputs.append(
            each._replace(
                script_sig=get(fields, In.FINAL_SCRIPTSIG) or b"",
                witness=read_witness(witness) if witness is not None else (),
            )
        )
    unsigned = psbt.transaction
    return Transaction(unsigned.version, inputs, unsigned.outputs, unsigned.locktime)
