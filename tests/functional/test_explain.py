"""A payment on a real network, explained; broken, and refused by the node for the reason given."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chain.params import REGTEST
from chain.transaction import Transaction
from scripts.funds import TEST_MNEMONIC, fund
from scripts.network import LocalNetwork
from tests.functional.support import farthing, start_network
from wallet import Wallet
from wallet.client import EsploraClient

SOMEBODY = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with a funded network of one node, which mines when told to."""
    home = tmp_path_factory.mktemp("home")
    with start_network(home / "testnet", 1, "--block-time", "off") as network:
        fund(network, REGTEST)
        yield home


@pytest.fixture(scope="module")
def txid(home: Path) -> str:
    """A payment that waits for a block."""
    paid = farthing(home, "testnet", "faucet", SOMEBODY, "0.5", "--no-wait", "--json")
    assert paid.returncode == 0, paid.stderr
    return str(json.loads(paid.stdout)["txid"])


def explained(home: Path, *words: str) -> dict[str, Any]:
    done = farthing(home, "explain", *words, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_payment_is_explained_as_the_node_sees_it(home: Path, txid: str) -> None:
    rpc = LocalNetwork(home / "testnet").nodes[0].rpc
    entry = rpc.call("getmempoolentry", txid)
    facts = explained(home, "tx", txid)["facts"]
    assert facts["status"] == "waiting for a block"
    assert facts["fee"] == round(entry["fees"]["base"] * 100_000_000)
    assert (facts["vsize"], facts["weight"]) == (entry["vsize"], entry["weight"])
    assert facts["wtxid"] == entry["wtxid"]
    decoded = rpc.call("getrawtransaction", txid, 1)
    assert facts["size"] == decoded["size"]


def test_a_broken_signature_is_refused_by_the_node_for_the_reason_given(home: Path) -> None:
    node = LocalNetwork(home / "testnet").nodes[0]
    owner = Wallet.in_memory(TEST_MNEMONIC, REGTEST, kind="wpkh")
    owner.sync(EsploraClient(node.url))
    tx = owner.sign(owner.prepare([(SOMEBODY, 1_000_000)], feerate=1))
    signature, key = tx.inputs[0].witness
    for damaged, code in (
        ((signature[:-2] + bytes([signature[-2] ^ 1]) + signature[-1:], key), "NULLFAIL"),
        ((signature, key[:-1] + bytes([key[-1] ^ 1])), "EQUALVERIFY"),
        ((signature[:-1] + b"\x04", key), "SIG_HASHTYPE"),
    ):
        inputs = [tx.inputs[0]._replace(witness=damaged), *tx.inputs[1:]]
        raw = Transaction(tx.version, inputs, tx.outputs, tx.locktime).serialize().hex()
        run = explained(home, "tx", raw, "--input", "0")["runs"][0]
        assert run["code"] == code
        (verdict,) = node.rpc.call("testmempoolaccept", [raw])
        assert verdict["allowed"] is False
        assert run["text"] in verdict["reject-reason"]


def test_a_block_with_it_tells_its_fee(home: Path, txid: str) -> None:
    fee = explained(home, "tx", txid)["facts"]["fee"]
    mined = farthing(home, "testnet", "mine", "--json")
    height = json.loads(mined.stdout)["height"]
    block = explained(home, "block", str(height))
    rows = next(each for each in block["sections"] if each["title"] == "Transactions")["rows"]
    assert [row["fee"] for row in rows if row["txid"] == txid] == [fee]
    assert block["facts"]["reward"] == block["facts"]["subsidy"] + fee
    assert explained(home, "tx", txid)["facts"]["status"] == f"in block {height}"
    assert explained(home, block["facts"]["hash"])["facts"] == block["facts"]
    assert not block["problems"]
