"""Bytes, ids, signature hashes and addresses beside libraries that nobody here wrote.

python-bitcoinlib and embit are Python, bdkpython is rust-bitcoin, pbk is Bitcoin Core's engine. On
what they cannot do they are not asked. FARTHING_SWEEP=1 makes it ten thousand examples each.
"""

import os

import bdkpython as bdk
import pytest
from bitcoin.core import CBlock, CTransaction
from bitcoin.core.script import SIGVERSION_WITNESS_V0, CScript, RawSignatureHash, SignatureHash
from embit.networks import NETWORKS as EMBIT
from embit.script import Script
from embit.script import address_to_scriptpubkey as embit_script
from embit.transaction import Transaction as EmbitTransaction
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.address import AddressError, address_to_script, script_to_address
from chain.block import Block
from chain.errors import DecodeError
from chain.params import MAIN, REGTEST, Params
from chain.script.sighash import (
    PrecomputedSighash,
    legacy_sighash,
    taproot_sighash,
    witness_v0_sighash,
)
from chain.transaction import Transaction, TxOut
from tests.parsers import damage, made
from tests.parsers.chain_table import addressed
from tests.parsers.damage import Tape

thorough = settings(max_examples=10_000 if os.environ.get("FARTHING_SWEEP") else 1_000)
NETWORKS = [(MAIN, bdk.Network.BITCOIN, "main"), (REGTEST, bdk.Network.REGTEST, "regtest")]
transactions = made.strategy(made.transaction, 300)


def small(tape: Tape) -> Transaction:
    """One that pays only amounts there can be, which rust-bitcoin and embit insist on."""
    tx = made.transaction(tape)
    outputs = [output._replace(value=output.value % (21 * 10**14)) for output in tx.outputs]
    version, locktime = tx.version % 2**31, tx.locktime % 2**31  # signed, in the Python libraries
    return Transaction(version, tx.inputs, outputs, locktime)


@thorough
@given(made.strategy(small, 300))
def test_transactions_as_three_others_see_them(tx: Transaction) -> None:
    raw = tx.serialize()
    python, embit, rust = (
        CTransaction.deserialize(raw),
        EmbitTransaction.parse(raw),
        bdk.Transaction(raw),
    )
    assert (python.serialize(), embit.serialize(), rust.serialize()) == (raw, raw, raw)
    shown = tx.txid[::-1].hex()
    assert (python.GetTxid()[::-1].hex(), embit.txid().hex(), str(rust.compute_txid())) == (
        shown,
    ) * 3
    assert (python.GetHash(), str(rust.compute_wtxid())) == (tx.wtxid, tx.wtxid[::-1].hex())
    assert (rust.weight(), rust.vsize(), rust.total_size()) == (tx.weight, tx.vsize, tx.size)
    assert rust.is_coinbase() == tx.is_coinbase
    for ours, theirs, oldest in zip(tx.inputs, rust.input(), python.vin, strict=True):
        assert str(theirs.previous_output.txid) == ours.outpoint.txid[::-1].hex()
        assert theirs.previous_output.vout == oldest.prevout.n == ours.outpoint.index
        assert theirs.script_sig.to_bytes() == oldest.scriptSig == ours.script_sig
        assert theirs.sequence == oldest.nSequence == ours.sequence
        assert tuple(map(bytes, theirs.witness)) == ours.witness
    for paid, out, old in zip(tx.outputs, rust.output(), python.vout, strict=True):
        assert out.value.to_sat() == old.nValue == paid.value
        assert out.script_pubkey.to_bytes() == old.scriptPubKey == paid.script_pubkey


@thorough
@given(made.strategy(made.block, 400))
def test_blocks_as_python_bitcoinlib_sees_them(block: Block) -> None:
    theirs = CBlock.deserialize(block.serialize())
    assert theirs.serialize() == block.serialize()
    assert theirs.GetHash() == block.hash
    assert [tx.GetTxid() for tx in theirs.vtx] == [tx.txid for tx in block.transactions]


def is_whole(kind: type, raw: bytes) -> bool:
    """Whether Core reads these bytes, and all of them."""
    try:
        return bytes(kind(raw)) == raw
    except RuntimeError:
        return False


def is_ours(kind: type[Transaction] | type[Block], raw: bytes) -> bool:
    try:
        kind.parse(raw)
    except DecodeError:
        return False
    return True


@thorough
@given(transactions, st.binary(max_size=40))
def test_core_reads_the_same_damaged_transactions(tx: Transaction, tape: bytes) -> None:
    pbk = pytest.importorskip("pbk", reason="the oracle is the py-bitcoinkernel wheel (Linux)")
    raw = damage.spoilt(tx.serialize(), tape)
    assert is_ours(Transaction, raw) == is_whole(pbk.Transaction, raw)


@thorough
@given(made.strategy(made.block, 300), st.binary(max_size=40))
def test_core_reads_the_same_damaged_blocks(block: Block, tape: bytes) -> None:
    pbk = pytest.importorskip("pbk", reason="the oracle is the py-bitcoinkernel wheel (Linux)")
    raw = damage.spoilt(block.serialize(), tape)
    assert is_ours(Block, raw) == is_whole(pbk.Block, raw)


@thorough
@given(made.strategy(small, 300), made.strategy(made.steps), st.integers(-(2**31), 2**31 - 1))
def test_signature_hashes_as_python_bitcoinlib_makes_them(
    tx: Transaction, steps: made.Steps, hash_type: int
) -> None:
    code, index = made.script(steps), hash_type % len(tx.inputs)
    theirs = CTransaction.deserialize(tx.serialize())
    byte = hash_type & 0xFF  # all that it takes
    expected, _ = RawSignatureHash(CScript(code), theirs, index, byte)
    assert legacy_sighash(tx, index, code, byte) == expected
    named = {"amount": 7, "sigversion": SIGVERSION_WITNESS_V0}
    expected = SignatureHash(CScript(code), theirs, index, byte, **named)
    assert witness_v0_sighash(tx, index, code, 7, byte) == expected


@thorough
@given(made.strategy(small, 300), st.sampled_from((0, 1, 2)), st.integers(0, 3))
def test_taproot_signature_hashes_as_embit_makes_them(
    tx: Transaction, hash_type: int, number: int
) -> None:
    """Of the hash types that it follows BIP 341 in."""
    index, theirs = number % len(tx.inputs), EmbitTransaction.parse(tx.serialize())
    spent = [TxOut(value, bytes([value]) * value) for value in range(len(tx.inputs))]
    scripts = [Script(output.script_pubkey) for output in spent]
    expected = theirs.sighash_taproot(index, scripts, [output.value for output in spent], hash_type)
    assert taproot_sighash(PrecomputedSighash(tx, spent), index, hash_type) == expected


def rust_script(text: str, network: bdk.Network) -> bytes | None:
    try:
        return bytes(bdk.Address(text, network).script_pubkey().to_bytes())
    except (bdk.AddressParseError, UnicodeEncodeError):
        return None


@thorough
@given(addressed, st.sampled_from(NETWORKS), st.binary(max_size=20))
def test_addresses_as_two_others_see_them(
    script: bytes, names: tuple[Params, bdk.Network, str], tape: bytes
) -> None:
    """Written, read, and misread: what is no address to rust-bitcoin is none here."""
    params, network, name = names
    address = script_to_address(script, params)
    assert address is not None
    assert rust_script(address, network) == script
    if Script(script).script_type() is not None:  # embit knows the six types in use
        assert (Script(script).address(EMBIT[name]), embit_script(address).data) == (
            address,
            script,
        )
    wrong = damage.spoilt(address, tape)
    try:
        found = address_to_script(wrong, params)
    except AddressError:
        assert rust_script(wrong, network) is None
    else:
        assert rust_script(wrong, network) == found
