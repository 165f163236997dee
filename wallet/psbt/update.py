"""Updating: what signers must know, from descriptors and the transactions that are spent.

For each input the output it spends and its scripts; for each key its origin, by which a signer sees
that it is its own; for each output of ours the same, so that a signer can tell change from payment.
Does no I/O and knows no private key.

Reference: BIP 174 (Updater), 371.
"""

from collections.abc import Iterable, Mapping, Sequence

from chain.encoding import var_bytes
from chain.script.script import witness_program
from chain.transaction import OutPoint, Transaction, TxOut
from wallet.psbt.fields import (
    In,
    Out,
    field_key,
    write_origin,
    write_tap_origin,
)
from wallet.psbt.packet import Psbt
from wallet.script_expression import LEAF_VERSION, Expansion, OutputDescriptor

LOOK_AHEAD = 1_000  # indexes of a ranged descriptor that are looked through, on each branch


def update(
    psbt: Psbt,
    descriptors: Sequence[OutputDescriptor],
    sources: Mapping[bytes, Transaction],
    *,
    look_ahead: int = LOOK_AHEAD,
) -> Psbt:
    """The packet with what is known; `sources` are transactions by txid, in wire order."""
    scripts = {output.script_pubkey for output in psbt.transaction.outputs}
    spent = [_spent(each.outpoint, sources) for each in psbt.transaction.inputs]
    scripts |= {output.script_pubkey for output in spent if output is not None}
    return fill(psbt, find(descriptors, scripts, look_ahead), sources)


def fill(
    psbt: Psbt, known: Mapping[bytes, Expansion], sources: Mapping[bytes, Transaction]
) -> Psbt:
    """The packet with what is known of scriptPubKeys, and the transactions that it spends."""
    inputs = []
    for fields, each in zip(psbt.inputs, psbt.transaction.inputs, strict=True):
        found, output = dict(fields), _spent(each.outpoint, sources)
        if output is not None:
            expansion = known.get(output.script_pubkey)
            program = witness_program(_inner(output.script_pubkey, expansion))
            if program is None or program[0] == 0:  # what a signature before taproot rests on
                raw = sources[each.outpoint.txid].serialize()
                found.setdefault(field_key(In.NON_WITNESS_UTXO), raw)
            if program is not None:
                found.setdefault(field_key(In.WITNESS_UTXO), output.serialize())
            if expansion is not None:
                found |= {key: value for key, value in _fields(expansion, In) if key not in found}
        inputs.append(found)
    outputs = []
    for fields, output in zip(psbt.outputs, psbt.transaction.outputs, strict=True):
        expansion = known.get(output.script_pubkey)
        news = dict(_fields(expansion, Out)) if expansion is not None else {}
        outputs.append({**news, **fields})
    return Psbt(psbt.transaction, psbt.fields, tuple(inputs), tuple(outputs))


def find(
    descriptors: Sequence[OutputDescriptor], scripts: set[bytes], look_ahead: int = LOOK_AHEAD
) -> dict[bytes, Expansion]:
    """The places of descriptors that pay to these scripts; looks until it has found all."""
    found: dict[bytes, Expansion] = {}
    for index in range(look_ahead):
        for descriptor in descriptors:
            if index and not descriptor.is_ranged:
                continue
            for branch in range(descriptor.branches):
                for expansion in descriptor.expand_all(index, branch):
                    if expansion.script_pubkey in scripts:
                        found[expansion.script_pubkey] = expansion
        if len(found) == len(scripts):
            break
    return found


def _spent(outpoint: OutPoint, sources: Mapping[bytes, Transaction]) -> TxOut | None:
    source = sources.get(outpoint.txid)
    has_output = source is not None and outpoint.index < len(source.outputs)
    return source.outputs[outpoint.index] if source and has_output else None


def _inner(script: bytes, expansion: Expansion | None) -> bytes:
    return (expansion and expansion.redeem_script) or script


Field = tuple[bytes, bytes]


def _fields(known: Expansion, kinds: type[In] | type[Out]) -> Iterable[Field]:
    """Scripts and keys, in the types of an input's map or of an output's."""
    if known.redeem_script is not None:
        yield field_key(kinds.REDEEM_SCRIPT), known.redeem_script
    if known.witness_script is not None:
        yield field_key(kinds.WITNESS_SCRIPT), known.witness_script
    if known.internal_key is None:
        for key in known.keys:
            yield field_key(kinds.BIP32_DERIVATION, key.key), write_origin(key.origin)
        return
    yield field_key(kinds.TAP_INTERNAL_KEY), known.internal_key
    yield from _leaves_spent(known) if kinds is In else _leaves_paid(known)
    for key in dict.fromkeys(known.keys):
        hashes = tuple(leaf.hash for leaf in known.leaves if key in leaf.keys)
        yield (
            field_key(kinds.TAP_BIP32_DERIVATION, key.x_only),
            write_tap_origin(hashes, key.origin),
        )


def _leaves_spent(known: Expansion) -> Iterable[Field]:
    block = bytes([LEAF_VERSION | known.output_parity]) + (known.internal_key or b"")
    for leaf in known.leaves:
        key_data = block + b"".join(leaf.way)
        yield field_key(In.TAP_LEAF_SCRIPT, key_data), leaf.script + bytes([LEAF_VERSION])
    if known.merkle_root:
        yield field_key(In.TAP_MERKLE_ROOT), known.merkle_root


def _leaves_paid(known: Expansion) -> Iterable[Field]:
    tree = b"".join(
        bytes([len(leaf.way), LEAF_VERSION]) + var_bytes(leaf.script) for leaf in known.leaves
    )
    if tree:
        yield field_key(Out.TAP_TREE), tree
