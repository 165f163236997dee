"""The interpreter: whole signed transactions from the BIPs."""

import json
import re
from pathlib import Path

from chain.hashes import hash160, sha256
from chain.script.templates import p2sh, p2wsh
from chain.transaction import Transaction, TxOut
from tests.chain.script.cases import KEY, native, wpkh
from tests.chain.script.helpers import CONSENSUS, STANDARD, Spend, bare, script

COIN = 100_000_000


def test_the_signed_transactions_of_bip_143(shared: Path) -> None:
    text = (shared / "vectors/bips/bip143.txt").read_text(encoding="utf-8")
    spent_by: dict[bytes, TxOut] = {}
    signed: set[str] = set()
    for section in text.split("unsigned transaction:")[1:]:
        [unsigned, *others] = re.findall(r"\b[0-9a-f]{120,}\b", section)
        found = re.findall(r"scriptPubKey *: ([0-9a-f]+),? value: ([0-9.]+)", section)
        inputs = Transaction.parse(bytes.fromhex(unsigned)).inputs
        for tx_in, (script_pubkey, value) in zip(inputs, found, strict=True):
            satoshis = int(value.split(".")[0]) * COIN
            satoshis += int((value + ".").split(".")[1].ljust(8, "0"))
            spent_by[tx_in.outpoint.serialize()] = TxOut(satoshis, bytes.fromhex(script_pubkey))
        signed |= {word for word in others if word[8:12] == "0001"}
    assert len(signed) == 8
    verified = 0
    for word in signed:
        tx = Transaction.parse(bytes.fromhex(word))
        # The last example names neither its scriptPubKey nor its value outside the preimage.
        last = tx.inputs[0].witness[-1:] or (b"",)
        unnamed = TxOut(200_000, p2wsh(sha256(last[0])))
        spent = [spent_by.get(tx_in.outpoint.serialize(), unnamed) for tx_in in tx.inputs]
        for index in range(len(tx.inputs)):
            assert Spend(tx, index, spent, CONSENSUS).ours() == "OK"
            dearer = [output._replace(value=output.value + 1) for output in spent]
            if tx.inputs[index].witness:
                assert Spend(tx, index, dearer, CONSENSUS).ours() != "OK"
            verified += 1
    assert verified == 12


def test_the_signed_transaction_of_bip_341(shared: Path) -> None:
    vectors = json.loads((shared / "vectors/bips/bip341.json").read_text(encoding="utf-8"))
    [example] = vectors["keyPathSpending"]
    tx = Transaction.parse(bytes.fromhex(example["auxiliary"]["fullySignedTx"]))
    spent = [
        TxOut(utxo["amountSats"], bytes.fromhex(utxo["scriptPubKey"]))
        for utxo in example["given"]["utxosSpent"]
    ]
    assert [Spend(tx, index, spent, STANDARD).ours() for index in range(9)] == ["OK"] * 9
    for spending in example["inputSpending"]:
        [signature] = spending["expected"]["witness"]
        assert tx.inputs[spending["given"]["txinIndex"]].witness == (bytes.fromhex(signature),)


def test_before_p2sh_only_the_hash_counted() -> None:
    redeem_script = script("0")
    script_pubkey = p2sh(hash160(redeem_script)).hex()
    assert bare("<00>", f"0x{script_pubkey}", flags=0).ours() == "OK"
    assert bare("<00>", f"0x{script_pubkey}", flags=1).ours() == "EVAL_FALSE"


def test_p2sh_does_not_nest() -> None:
    inner = p2sh(hash160(script("0")))
    outer = p2sh(hash160(inner))
    assert bare(f"<00> <{inner.hex()}>", f"0x{outer.hex()}").ours() == "OK"


def test_the_redeem_script_finds_what_the_script_sig_left() -> None:
    redeem_script = script("ADD 5 EQUAL")
    outer = p2sh(hash160(redeem_script))
    assert bare(f"2 3 <{redeem_script.hex()}>", f"0x{outer.hex()}").ours() == "OK"
    assert bare(f"2 4 <{redeem_script.hex()}>", f"0x{outer.hex()}").ours() == "EVAL_FALSE"


def test_a_script_sig_fails_before_the_witness_is_looked_at() -> None:
    program = p2wsh(sha256(script("1")))
    assert native(program, [b"\x51"], CONSENSUS, script("RETURN")).ours() == "OP_RETURN"
    assert native(program, [b"\x51"], CONSENSUS, script("0")).ours() == "WITNESS_MALLEATED"


def test_flags_may_be_any_integer() -> None:
    spend = wpkh(KEY, CONSENSUS)
    assert spend._replace(flags=STANDARD).ours() == "OK"
    assert spend._replace(flags=0).ours() == "OK"
