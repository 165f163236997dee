"""A view: what a packet says, as plain values that JSON can hold, with the names of Core's RPC.

Shows what was read and nothing that was guessed; what does not fit together is said in `problems`.
Knows no keys.

Reference: Bitcoin Core's RPC decodepsbt.
"""

from typing import Any

from chain.address import script_to_address
from chain.encoding import display_hash
from chain.params import Params
from chain.script.opcodes import core_asm
from chain.script.sighash import SIGHASH_ANYONECANPAY
from wallet.errors import PsbtIncomplete, PsbtMismatch
from wallet.hd import format_path
from wallet.key_expression import Origin
from wallet.psbt.fields import In, Kind, Map, Out, field_name, of_kind, read_origin, read_tap_origin
from wallet.psbt.finish import signatures_of
from wallet.psbt.inputs import fee, is_final, read_spend, spent_output, unproven
from wallet.psbt.packet import Psbt

_HASH_TYPES = {0: "DEFAULT", 1: "ALL", 2: "NONE", 3: "SINGLE"}
_ORIGINS: dict[Kind, tuple[int, int]] = {
    In: (In.BIP32_DERIVATION, In.TAP_BIP32_DERIVATION),
    Out: (Out.BIP32_DERIVATION, Out.TAP_BIP32_DERIVATION),
}


def describe(psbt: Psbt, params: Params) -> dict[str, Any]:
    """The whole packet; amounts in satoshis, `fee` None while an input is not known.

    `fee_proven` is false where amounts are the word of who made the packet.
    """
    problems: list[str] = []
    inputs = [_input(psbt, number, params, problems) for number in range(len(psbt.inputs))]
    outputs = [_output(psbt, number, params) for number in range(len(psbt.outputs))]
    paid, is_proven = None, False
    try:
        paid, is_proven = fee(psbt), not unproven(psbt)
    except PsbtMismatch as error:
        if str(error) not in problems:  # else the input that is wrong has been named
            problems.append(str(error))
    return {
        "txid": display_hash(psbt.transaction.txid),
        "version": psbt.transaction.version,
        "locktime": psbt.transaction.locktime,
        "fee": paid,
        "fee_proven": paid is not None and is_proven,
        "complete": bool(inputs) and all(each["state"] == "final" for each in inputs),
        "inputs": inputs,
        "outputs": outputs,
        "problems": problems,
    }


def hash_type_name(hash_type: int) -> str:
    """`ALL`, `SINGLE|ANYONECANPAY`, …"""
    base = _HASH_TYPES.get(hash_type & ~SIGHASH_ANYONECANPAY, f"{hash_type:#04x}")
    return f"{base}|ANYONECANPAY" if hash_type & SIGHASH_ANYONECANPAY else base


def _input(psbt: Psbt, number: int, params: Params, problems: list[str]) -> dict[str, Any]:
    tx_in, fields = psbt.transaction.inputs[number], psbt.inputs[number]
    shown: dict[str, Any] = {
        "txid": display_hash(tx_in.outpoint.txid),
        "vout": tx_in.outpoint.index,
        "sequence": tx_in.sequence,
        "state": "unknown",
    }
    try:
        spent = spent_output(psbt, number)
        if spent is not None:
            shown["value"] = spent.value
            shown["address"] = script_to_address(spent.script_pubkey, params)
        if is_final(fields):
            shown["state"] = "final"
            return {**shown, "keys": [], "fields": _names(fields, In)}
        spend = read_spend(psbt, number)
        shown["kind"] = spend.kind
        shown["hash_type"] = hash_type_name(spend.hash_type)
        count = signatures_of(spend)
        if count is not None:
            shown["state"] = f"{count[0]} of {count[1]} signatures"
        if spend.kind != "taproot":
            shown["script"] = core_asm(spend.code)
    except PsbtMismatch as error:
        problems.append(str(error))
    except PsbtIncomplete as error:
        shown["state"] = str(error)
    return {**shown, "keys": _keys(fields, In), "fields": _names(fields, In)}


def _output(psbt: Psbt, number: int, params: Params) -> dict[str, Any]:
    output, fields = psbt.transaction.outputs[number], psbt.outputs[number]
    return {
        "value": output.value,
        "address": script_to_address(output.script_pubkey, params),
        "script": output.script_pubkey.hex(),
        "keys": _keys(fields, Out),
        "fields": _names(fields, Out),
    }


def _keys(fields: Map, kinds: Kind) -> list[dict[str, Any]]:
    """The keys that signers look for, and which of them have signed."""
    plain, taproot = _ORIGINS[kinds]
    found = [(key, read_origin(value)) for key, value in of_kind(fields, plain)]
    found += [(key, read_tap_origin(value)[1]) for key, value in of_kind(fields, taproot)]
    signed = {key for key, _ in of_kind(fields, In.PARTIAL_SIG)} if kinds is In else set()
    return [
        {"key": key.hex(), "origin": _origin(origin), "signed": key in signed}
        if kinds is In
        else {"key": key.hex(), "origin": _origin(origin)}
        for key, origin in found
    ]


def _origin(origin: Origin) -> str:
    return "/".join(filter(None, (origin.fingerprint.hex(), format_path(origin.path))))


def _names(fields: Map, kinds: Kind) -> list[str]:
    """The types of all fields that are there, each once."""
    return list(dict.fromkeys(field_name(kinds, key[0]) for key in fields))
