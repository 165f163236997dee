"""Signature hashes: BIP 143's and 341's own examples, and what two other libraries compute."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from bitcoin.core import CTransaction
from bitcoin.core.script import SIGVERSION_WITNESS_V0, CScript, RawSignatureHash, SignatureHash
from embit.script import Script
from embit.transaction import Transaction as EmbitTransaction
from hypothesis import given
from hypothesis import strategies as st

from chain.encoding import Reader, var_bytes
from chain.hashes import sha256, sha256d, tagged_hash
from chain.script.errors import ScriptError
from chain.script.sighash import (
    PrecomputedSighash,
    SigVersion,
    legacy_sighash,
    taproot_sighash,
    witness_v0_sighash,
)
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.chain.script.helpers import bare_tx, script

HASH_TYPES = (1, 2, 3, 0x81, 0x82, 0x83)
u32 = st.integers(0, 2**32 - 1)
outpoints = st.builds(OutPoint, st.binary(min_size=32, max_size=32), u32)
inputs = st.builds(TxIn, outpoints, st.binary(max_size=9), u32, st.just(()))
outputs = st.builds(TxOut, st.integers(0, 21 * 10**14), st.binary(max_size=40))
transactions = st.builds(
    Transaction,
    st.integers(1, 2**31 - 1),
    st.lists(inputs, min_size=1, max_size=4).map(tuple),
    st.lists(outputs, min_size=1, max_size=4).map(tuple),
    st.integers(0, 2**31 - 1),  # python-bitcoinlib takes lock times for signed
)
codes = st.lists(
    st.sampled_from(["CODESEPARATOR", "<abab>", "CHECKSIG", "1", "<ab>"]), max_size=8
).map(lambda words: script(" ".join(words)))


@given(transactions, st.data(), codes, st.integers(0, 255) | st.sampled_from(HASH_TYPES))
def test_legacy_and_v0_as_python_bitcoinlib(
    tx: Transaction, data: st.DataObject, code: bytes, hash_type: int
) -> None:
    index = data.draw(st.integers(0, len(tx.inputs) - 1))
    theirs, known = CTransaction.deserialize(tx.serialize()), PrecomputedSighash(tx)
    expected, _ = RawSignatureHash(CScript(code), theirs, index, hash_type)
    assert legacy_sighash(tx, index, code, hash_type) == expected
    assert legacy_sighash(tx, index, code, hash_type, known) == expected
    expected = SignatureHash(
        CScript(code), theirs, index, hash_type, amount=7, sigversion=SIGVERSION_WITNESS_V0
    )
    assert witness_v0_sighash(tx, index, code, 7, hash_type) == expected
    assert witness_v0_sighash(tx, index, code, 7, hash_type, known) == expected


@given(transactions, st.data(), codes)
def test_hash_types_that_have_much_in_common(
    tx: Transaction, data: st.DataObject, code: bytes
) -> None:
    index = data.draw(st.integers(0, len(tx.inputs) - 1))
    theirs = CTransaction.deserialize(tx.serialize())
    states: dict[tuple[bytes, int], hashlib._Hash] = {}
    for hash_type in data.draw(st.lists(st.integers(0, 255) | st.sampled_from(HASH_TYPES))):
        for script_code in (code, b"\x51" + code):
            expected, _ = RawSignatureHash(CScript(script_code), theirs, index, hash_type)
            assert legacy_sighash(tx, index, script_code, hash_type, None, states) == expected
    assert len(states) <= 2 * 6  # all, none, one output; of all inputs or one; for each code


def test_a_value_is_signed_even_where_it_is_below_zero() -> None:
    """No such output is valid, but what its signature signs is defined."""
    tx = bare_tx()
    theirs = CTransaction.deserialize(tx.serialize())
    expected = SignatureHash(
        CScript(b"\x51"), theirs, 0, 1, amount=-1, sigversion=SIGVERSION_WITNESS_V0
    )
    assert witness_v0_sighash(tx, 0, b"\x51", -1, 1) == expected


def test_what_was_computed_before_is_used() -> None:
    tx, other = bare_tx(), bare_tx(sequence=5)
    known = PrecomputedSighash(Transaction(2, other.inputs, (TxOut(9, b""),), 0))
    assert legacy_sighash(tx, 0, b"", 1, known) != legacy_sighash(tx, 0, b"", 1)
    assert witness_v0_sighash(tx, 0, b"", 1, 1, known) != witness_v0_sighash(tx, 0, b"", 1, 1)


def test_the_versions_of_script_have_cores_numbers() -> None:
    """Core: SigVersion; 2 is the key path of taproot, where no script runs."""
    numbers = {version.name: version.value for version in SigVersion}
    assert numbers == {"BASE": 0, "WITNESS_V0": 1, "TAPSCRIPT": 3}


@given(transactions, st.data(), st.sampled_from(HASH_TYPES))
def test_all_three_as_embit(tx: Transaction, data: st.DataObject, hash_type: int) -> None:
    index = data.draw(st.integers(0, len(tx.inputs) - 1))
    theirs, code = EmbitTransaction.parse(tx.serialize()), script("<abab> CHECKSIG")
    assert witness_v0_sighash(tx, index, code, 7, hash_type) == theirs.sighash_segwit(
        index, Script(code), 7, hash_type
    )
    if hash_type & 3 != 3:  # embit blanks outputs by another value than -1
        assert legacy_sighash(tx, index, code, hash_type) == theirs.sighash_legacy(
            index, Script(code), hash_type
        )
    spent = [TxOut(number, bytes([number]) * 3) for number in range(len(tx.inputs))]
    if hash_type in (1, 2):  # embit does not follow BIP 341 in the others
        values, scripts = (
            [output.value for output in spent],
            [Script(o.script_pubkey) for o in spent],
        )
        assert taproot_sighash(PrecomputedSighash(tx, spent), index, hash_type) == (
            theirs.sighash_taproot(index, scripts, values, hash_type)
        )


def test_a_legacy_preimage_written_out() -> None:
    tx = Transaction(
        1,
        (
            TxIn(OutPoint(b"\x01" * 32, 5), b"gone", 7, ()),
            TxIn(OutPoint(b"\x02" * 32, 6), b"gone", 8, ()),
        ),
        (TxOut(9, b"\x51"), TxOut(10, b"\x52")),
        11,
    )
    first, second = b"\x01" * 32 + b"\x05\0\0\0", b"\x02" * 32 + b"\x06\0\0\0"
    code = script("CODESEPARATOR 1 <ab> CODESEPARATOR")  # leaves 1 <ab>
    this = second + b"\x03\x51\x01\xab" + b"\x08\0\0\0"
    version, locktime = b"\x01\0\0\0", b"\x0b\0\0\0"
    out = [b"\x09" + bytes(7) + b"\x01\x51", b"\x0a" + bytes(7) + b"\x01\x52"]
    blank = b"\xff" * 8 + b"\0"
    preimages = {
        1: b"\x02" + first + b"\0" + b"\x07\0\0\0" + this + b"\x02" + out[0] + out[1],
        2: b"\x02" + first + b"\0" + bytes(4) + this + b"\x00",
        3: b"\x02" + first + b"\0" + bytes(4) + this + b"\x02" + blank + out[1],
        0x81: b"\x01" + this + b"\x02" + out[0] + out[1],
        0x82: b"\x01" + this + b"\x00",
        0x83: b"\x01" + this + b"\x02" + blank + out[1],
        -1 << 31 | 1: b"\x02" + first + b"\0" + b"\x07\0\0\0" + this + b"\x02" + out[0] + out[1],
    }
    for hash_type, middle in preimages.items():
        suffix = (hash_type % 2**32).to_bytes(4, "little")
        expected = sha256d(version + middle + locktime + suffix)
        assert legacy_sighash(tx, 1, code, hash_type) == expected


def test_single_without_its_output_signs_the_number_one() -> None:
    two = bare_tx().inputs * 2
    tx = Transaction(2, two, (TxOut(1, b""),), 0)
    for hash_type in (3, 0x83, 0x43):
        assert legacy_sighash(tx, 1, b"", hash_type) == b"\x01" + bytes(31)
    assert legacy_sighash(tx, 0, b"", 3) != b"\x01" + bytes(31)


@pytest.mark.parametrize(
    ("code", "signed"),
    [("51abac", "0251ac"), ("02abab", "0302abab"), ("5105aa", "035105"), ("51ab4c", "02514c"),
     ("4dffff00", "044dffff"), ("4dff", "024d")],
)  # fmt: skip
def test_code_separators_go_and_a_cut_push_is_half_there(code: str, signed: str) -> None:
    tx = bare_tx()
    head = b"\x02\0\0\0\x01" + bytes(32) + b"\x07\0\0\0"
    tail = b"\xff" * 4 + b"\x01" + b"\x01" + bytes(7) + b"\0" + bytes(4) + b"\x01\0\0\0"
    expected = sha256d(head + bytes.fromhex(signed) + tail)
    assert legacy_sighash(tx, 0, bytes.fromhex(code), 1) == expected


def preimage_parts(preimage: bytes) -> tuple[bytes, bytes, int, int]:
    """Outpoint, script code, value and hash type of a BIP 143 preimage."""
    reader = Reader(preimage)
    reader.take(4 + 32 + 32)
    outpoint, code, value = reader.take(36), reader.var_bytes(), reader.i64()
    reader.take(4 + 32 + 4)
    return outpoint, code, value, reader.u32()


def test_the_examples_of_bip_143(shared: Path) -> None:
    text = (shared / "vectors/bips/bip143.txt").read_text(encoding="utf-8")
    found = []
    for word in set(re.findall(r"[0-9a-f]{120,}", text)):
        try:
            found.append(Transaction.parse(bytes.fromhex(word)))
        except ValueError:
            continue
    by_outpoint = {
        tx_in.outpoint.serialize(): (tx, index)
        for tx in found
        for index, tx_in in enumerate(tx.inputs)
    }
    examples = re.findall(r"preimage[^:\n]*: *([0-9a-f]+)\n(?:.*\n)*? *sig[Hh]ash: *(\w+)", text)
    assert len(examples) == 14
    for preimage, digest in examples:
        outpoint, code, value, hash_type = preimage_parts(bytes.fromhex(preimage))
        tx, index = by_outpoint[outpoint]
        assert witness_v0_sighash(tx, index, code, value, hash_type).hex() == digest


def test_the_key_path_examples_of_bip_341(shared: Path) -> None:
    vectors = json.loads((shared / "vectors/bips/bip341.json").read_text(encoding="utf-8"))
    [example] = vectors["keyPathSpending"]
    tx = Transaction.parse(bytes.fromhex(example["given"]["rawUnsignedTx"]))
    spent = [
        TxOut(utxo["amountSats"], bytes.fromhex(utxo["scriptPubKey"]))
        for utxo in example["given"]["utxosSpent"]
    ]
    known = PrecomputedSighash(tx, spent)
    assert {
        "hashAmounts": known.spent_hashes[0].hex(),
        "hashScriptPubkeys": known.spent_hashes[1].hex(),
        "hashPrevouts": known.hashes.prevouts.hex(),
        "hashSequences": known.hashes.sequences.hex(),
        "hashOutputs": known.hashes.outputs.hex(),
    } == example["intermediary"]
    assert len(example["inputSpending"]) == 7
    for spending in example["inputSpending"]:
        given, intermediary = spending["given"], spending["intermediary"]
        digest = taproot_sighash(known, given["txinIndex"], given["hashType"])
        assert digest.hex() == intermediary["sigHash"]
        assert digest == tagged_hash("TapSighash", bytes.fromhex(intermediary["sigMsg"]))


def test_a_taproot_preimage_with_all_extras() -> None:
    tx, spent = bare_tx(), [TxOut(1000, b"\x51")]
    annex_hash, leaf_hash = sha256(var_bytes(b"\x50annex")), b"\x11" * 32
    head = b"\x00\x83" + b"\x02\0\0\0" + bytes(4) + b"\x03"
    this = bytes(32) + b"\x07\0\0\0" + b"\xe8\x03" + bytes(6) + b"\x01\x51" + b"\xff" * 4
    single = sha256(b"\x01" + bytes(8))
    preimage = head + this + annex_hash + single + leaf_hash + b"\0" + b"\x09\0\0\0"
    digest = taproot_sighash(PrecomputedSighash(tx, spent), 0, 0x83, annex_hash, leaf_hash, 9)
    assert digest == tagged_hash("TapSighash", preimage)


@pytest.mark.parametrize("hash_type", [4, 0x80, 0x84, 0xFF, 0x43])
def test_taproot_knows_seven_hash_types(hash_type: int) -> None:
    known = PrecomputedSighash(bare_tx(), [TxOut(1, b"")])
    with pytest.raises(ScriptError, match="SCHNORR_SIG_HASHTYPE"):
        taproot_sighash(known, 0, hash_type)


@pytest.mark.parametrize("hash_type", [3, 0x83])
def test_taproot_single_needs_its_output(hash_type: int) -> None:
    tx = Transaction(2, bare_tx().inputs * 2, (TxOut(1, b""),), 0)
    known = PrecomputedSighash(tx, [TxOut(1, b"")] * 2)
    with pytest.raises(ScriptError, match="SCHNORR_SIG_HASHTYPE"):
        taproot_sighash(known, 1, hash_type)
    assert len(taproot_sighash(known, 0, hash_type)) == 32
