"""BIP 322's signed messages: each is a transaction that spends a made-up output to an address.

Which makes them spends of every standard kind, signed by software that nobody here wrote, with
time locks in version 0 and tapscript among them, and as many that must fail.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from chain.address import address_to_script
from chain.encoding import Reader
from chain.hashes import tagged_hash
from chain.params import MAIN
from chain.transaction import NULL_INDEX, OutPoint, Transaction, TxIn, TxOut
from tests.chain.script.helpers import STANDARD, Spend

SIMPLE, FULL = "smp", "ful"


def load(shared: Path, name: str) -> Any:
    return json.loads((shared / "vectors/bips" / f"{name}.json").read_text(encoding="utf-8"))


def to_spend(message: str, address: str) -> Transaction:
    """What pays nothing to the address, with the message in its scriptSig."""
    digest = tagged_hash("BIP0322-signed-message", message.encode())
    tx_in = TxIn(OutPoint(bytes(32), NULL_INDEX), b"\x00\x20" + digest, 0)
    return Transaction(0, (tx_in,), (TxOut(0, address_to_script(address, MAIN)),), 0)


def to_sign(spent: Transaction, witness: tuple[bytes, ...] = ()) -> Transaction:
    """What spends it."""
    tx_in = TxIn(OutPoint(spent.txid, 0), b"", 0, witness)
    return Transaction(0, (tx_in,), (TxOut(0, b"\x6a"),), 0)


def decoded(signature: str, spent: Transaction) -> Transaction:
    """The spending transaction that a signature is, or completes. Raises ValueError."""
    raw = base64.b64decode(signature.removeprefix(FULL).removeprefix(SIMPLE), validate=True)
    if signature.startswith(FULL):
        return Transaction.parse(raw)
    reader = Reader(raw)  # without a prefix it is a simple one
    witness = tuple(reader.var_bytes() for _ in range(reader.compact_size()))
    reader.finish()
    return to_sign(spent, witness)


def verdict(message: str, address: str, signature: str) -> str:
    spent = to_spend(message, address)
    tx = decoded(signature, spent)
    if tx.inputs[0].outpoint != OutPoint(spent.txid, 0):
        return "spends something else"
    return Spend(tx, 0, spent.outputs, STANDARD).ours()


def test_the_hashes(shared: Path) -> None:
    cases = load(shared, "bip322_basic")["tx_hashes"]
    assert len(cases) == 3
    for case in cases:
        message = case["message"].encode("utf-16", "surrogatepass").decode("utf-16")
        spent = to_spend(message, case["address"])
        assert tagged_hash("BIP0322-signed-message", message.encode()).hex() == case["message_hash"]
        assert spent.txid[::-1].hex() == case["to_spend_tx_hash"]
        assert to_sign(spent).txid[::-1].hex() == case["to_sign_tx_hash"]


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [
        ("bip322_basic", "simple", 4),
        ("bip322_generated", "simple", 4),
        ("bip322_generated", "full", 10),
    ],
)
def test_the_signatures(shared: Path, name: str, kind: str, count: int) -> None:
    cases = load(shared, name)[kind]
    assert len(cases) == count
    for case in cases:
        assert case["bip322_signatures"]
        for signature in case["bip322_signatures"]:
            assert verdict(case["message"], case["address"], signature) == "OK", case["type"]
            assert verdict(case["message"] + "!", case["address"], signature) != "OK"
            tx = decoded(signature, to_spend(case["message"], case["address"]))
            assert Transaction.parse(tx.serialize()) == tx
            if kind == "full":
                assert tx.locktime == case["lock_time"] and tx.version == case["tx_version"]
                assert tx.inputs[0].sequence == case["sequence"]


@pytest.mark.parametrize(("name", "count"), [("bip322_basic", 8), ("bip322_generated", 28)])
def test_the_wrong_ones(shared: Path, name: str, count: int) -> None:
    cases = load(shared, name)["error"]
    assert len(cases) == count
    outcomes = []
    for case in cases:
        try:
            outcomes.append(verdict(case["message"], case["address"], case["signature"]))
        except ValueError:
            outcomes.append("no transaction")
    assert "OK" not in outcomes
    # Two are no base64, one is empty, one holds a witness but says that it is a transaction.
    assert outcomes.count("no transaction") == {"bip322_basic": 4, "bip322_generated": 0}[name]
