"""The texts on witnesses: BIP 143's sums and signatures, the constants and shapes of 141 to 147."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from chain import curve
from chain.errors import DecodeError
from chain.hashes import hash160, sha256, sha256d
from chain.script.interpreter import ScriptFlag
from chain.script.script import push
from chain.script.sighash import PrecomputedSighash, legacy_sighash
from chain.script.templates import ScriptType, classify, p2sh, p2wpkh, p2wsh
from chain.transaction import Transaction, TxOut
from node import messages
from tests.chain.script import cases
from tests.chain.script.helpers import CONSENSUS, Spend, bare_tx, script, with_input

COIN = 100_000_000


def text_of(shared: Path, name: str) -> str:
    return (shared / "vectors/bips" / f"{name}.txt").read_text(encoding="utf-8")


def sections(shared: Path) -> list[str]:
    """BIP 143's worked examples, each from its unsigned transaction on."""
    return text_of(shared, "bip143").split("unsigned transaction:")[1:]


# BIP 143.


def test_every_sum_of_bip_143(shared: Path) -> None:
    sums = re.findall(r"dSHA256\(([0-9a-f]+)\)\n *= ([0-9a-f]{64})", text_of(shared, "bip143"))
    assert len(sums) == 14
    for data, digest in sums:
        assert sha256d(bytes.fromhex(data)).hex() == digest


def test_every_part_of_the_preimages_of_bip_143(shared: Path) -> None:
    """The parts named in each list are what our own hashes over the transaction come to."""
    checked = 0
    for section in sections(shared):
        tx = Transaction.parse(bytes.fromhex(re.findall(r"\b[0-9a-f]{120,}\b", section)[0]))
        known = PrecomputedSighash(tx)
        ours = {
            "hashPrevouts": {sha256(known.hashes.prevouts).hex()},
            "hashSequence": {sha256(known.hashes.sequences).hex()},
            "hashOutputs": {sha256(known.hashes.outputs).hex()}
            | {sha256(known.output_hash(index)).hex() for index in range(len(tx.outputs))},
        }
        for name, value in re.findall(r"(hash\w+): +([0-9a-f]{64})\b", section):
            assert value in ours[name] | {"0" * 64}
            checked += 1
    assert checked == 34


class Signed(NamedTuple):
    """A digest, and who signed it how."""

    digest: bytes
    key: bytes
    secret: bytes
    signature: bytes


def test_every_signature_of_bip_143(shared: Path) -> None:
    """Each key belongs to its secret, and its signature is good for the digest beside it."""
    pattern = (
        r"sigHash: +(\w{64})\n +public key: +(\w{66})\n +private key: +(\w{64})\n"
        r" +signature: +(\w+)"
    )
    found = [
        Signed(*map(bytes.fromhex, words))
        for words in re.findall(pattern, text_of(shared, "bip143"))
    ]
    assert len(found) == 10
    for each in found:
        assert curve.public_key(each.secret) == each.key
        assert curve.verify_ecdsa(each.key, each.signature[:-1], each.digest)
        assert not curve.verify_ecdsa(each.key, each.signature[:-1], sha256(each.digest))


def test_the_keys_and_programs_of_bip_143(shared: Path) -> None:
    """Whatever is said to be the redeem script, witness script or key of an output is."""
    text = text_of(shared, "bip143")
    nested = re.findall(r"scriptPubKey : (a914\w+),.+\n +redeemScript : (0014\w+|0020\w+)", text)
    assert len(nested) == 2
    for outer, inner in nested:
        assert p2sh(hash160(bytes.fromhex(inner))).hex() == outer
    hidden = re.findall(r"(?:Key|Script) ?: ?(0020\w{64}),? ?.*\n +witnessScript: ?(\w+)", text)
    assert len(hidden) == 4
    for program, code in hidden:
        assert p2wsh(sha256(bytes.fromhex(code))).hex() == program
    owned = re.findall(r"private key *: (\w{64})\n +public key *: (\w{66})", text)
    assert len(owned) == 2
    for secret, key in owned:
        assert curve.public_key(bytes.fromhex(secret)).hex() == key
        assert p2wpkh(hash160(bytes.fromhex(key))).hex() in text


def test_the_swapped_pairs_of_bip_143_are_told_apart_by_their_ids_only(shared: Path) -> None:
    [section] = [each for each in sections(shared) if "input-output pairs are swapped" in each]
    signed = [word for word in re.findall(r"\b[0-9a-f]{120,}\b", section) if word[8:12] == "0001"]
    one, other = (Transaction.parse(bytes.fromhex(word)) for word in signed)
    assert one.txid != other.txid
    assert (one.inputs, one.outputs) == (other.inputs[::-1], other.outputs[::-1])


# BIPs 141 and 144: shapes, and numbers that peers agree on.


def test_the_shapes_of_bip_141(shared: Path) -> None:
    text = text_of(shared, "bip141")
    key_hash, script_hash = bytes(range(20)), bytes(range(32))
    shapes = re.findall(r"\(0x([0-9A-F]+)\{(\d+)-byte[\w-]*hash\}([0-9A-F]*)\)", text)
    filled = [
        bytes.fromhex(head) + (key_hash if size == "20" else script_hash) + bytes.fromhex(tail)
        for head, size, tail in shapes
    ]
    assert filled == [
        p2wpkh(key_hash),
        push(p2wpkh(key_hash)),
        p2sh(key_hash),
        p2wsh(script_hash),
        push(p2wsh(script_hash)),
        p2sh(key_hash),
    ]
    assert [classify(each) for each in filled[::3]] == [ScriptType.P2WPKH, ScriptType.P2WSH]


def test_the_largest_witness_script_of_bip_141(shared: Path) -> None:
    [limit] = re.findall(r"maximum script size of ([\d,]+) bytes", text_of(shared, "bip141"))
    size = int(limit.replace(",", ""))
    for length, verdict in ((size, "OK"), (size + 1, "SCRIPT_SIZE")):
        code = (push(bytes(500)) + b"\x75") * 19
        code += (push(bytes(100)) + b"\x75") * 4
        code += b"\x61" * (length - len(code) - 1) + b"\x51"
        assert len(code) == length
        assert cases.wsh(code, []).ours() == verdict


def test_the_numbers_of_bip_144(shared: Path) -> None:
    text = text_of(shared, "bip144")
    [service] = re.findall(r"NODE_WITNESS = \(1 << (\d)\)", text)
    assert 1 << int(service) == messages.NODE_WITNESS
    kinds = re.findall(r"MSG_WITNESS_(\w+) \((0x\w+),", text)
    assert kinds == [("TX", "0x40000001"), ("BLOCK", "0x40000002")]
    assert [int(number, 16) for _, number in kinds] == [
        messages.MSG_WITNESS_TX,
        messages.MSG_WITNESS_BLOCK,
    ]


def test_the_layout_of_bip_144(shared: Path) -> None:
    """The table's fields, laid end to end, are a transaction; marker and flag as it demands."""
    rows = re.findall(r"\| (\d+)\+?\n\| (\w+)\n", text_of(shared, "bip144"))
    sizes = {name: int(size) for size, name in rows}
    assert len(rows) == len(sizes) == 9
    fields = {
        "version": bytes([2, 0, 0, 0]),
        "marker": b"\0",
        "flag": b"\x01",
        "txin_count": b"\x01",
        "txins": bytes(36) + b"\0" + b"\xff" * 4,
        "txout_count": b"\x01",
        "txouts": bytes(8) + b"\0",
        "script_witnesses": b"\x00",
        "lock_time": bytes(4),
    }
    assert {name: len(field) for name, field in fields.items()} == sizes
    fields["script_witnesses"] = b"\x01\x01\xab"
    tx = Transaction.parse(b"".join(fields.values()))
    assert (tx.inputs[0].witness, len(tx.outputs)) == ((b"\xab",), 1)
    for name, value in (("marker", b"\x01"), ("flag", b"\0"), ("script_witnesses", b"\0")):
        with pytest.raises(DecodeError):
            Transaction.parse(b"".join((fields | {name: value}).values()))


# BIP 147.


def test_the_dummy_of_bip_147(shared: Path) -> None:
    """Empty, before segwit and in it; anything else makes both opcodes fail at once."""
    text = text_of(shared, "bip147")
    assert "the dummy element MUST be the empty byte array" in text
    named = set(re.findall(r"<code>OP_(CHECKMULTISIG\w*)</code>", text))
    assert named == {"CHECKMULTISIG", "CHECKMULTISIGVERIFY"}
    flag = int(ScriptFlag["NULLDUMMY"])
    for name in named:
        code = script(f"1 <{cases.KEY.hex()}> 1 {name}" + " 1" * name.endswith("VERIFY"))
        legacy = curve.sign_ecdsa(cases.SECRET, legacy_sighash(bare_tx(), 0, code, 1)) + b"\x01"
        for dummy, verdict in ((b"", "OK"), (b"\x01", "SIG_NULLDUMMY"), (b"\0", "SIG_NULLDUMMY")):
            tx = with_input(bare_tx(), 0, push(dummy) + push(legacy), ())
            spent = [TxOut(1000, code)]
            assert Spend(tx, 0, spent, flag).ours() == verdict
            assert Spend(tx, 0, spent, CONSENSUS & ~flag).ours() == "OK"
            stack = [dummy, cases.v0_signature(code)]
            assert cases.wsh(code, stack).ours() == verdict
