"""The RPC's methods on transactions."""

import pytest

from chain.transaction import Transaction, TxOut
from tests.builders import key, p2pkh, p2wpkh
from tests.node.serving import Served, refusal, shown

HOME, THERE = p2wpkh(key(0)), p2wpkh(key(1))
UNKNOWN = "ab" * 32
COIN = 100_000_000
NOT_FOUND = "Use gettransaction for wallet transactions."


@pytest.fixture
def served() -> Served:
    return Served(blocks=5)


def pay(served: Served, fee: int = 1_000) -> Transaction:
    return served.chain.pay(served.chain.mature()[0], THERE, fee=fee)


def test_a_waiting_transaction(served: Served) -> None:
    tx = pay(served)
    txid, raw = shown(tx.txid), tx.serialize().hex()
    assert served.rpc("sendrawtransaction", raw) == txid
    assert served.rpc("getrawtransaction", txid) == raw
    assert served.rpc("getrawtransaction", txid, False) == raw
    view = served.rpc("getrawtransaction", txid, 1)
    witness = [item.hex() for item in tx.inputs[0].witness]
    assert view == {
        "txid": txid,
        "hash": shown(tx.wtxid),
        "version": 2,
        "size": tx.size,
        "vsize": tx.vsize,
        "weight": tx.weight,
        "locktime": 0,
        "vin": [
            {
                "txid": shown(tx.inputs[0].outpoint.txid),
                "vout": 0,
                "scriptSig": {"asm": "", "hex": ""},
                "txinwitness": witness,
                "sequence": 0xFFFFFFFD,
            }
        ],
        "vout": [
            {
                "value": 49.99999,
                "n": 0,
                "scriptPubKey": {
                    "asm": f"0 {THERE[2:].hex()}",
                    "hex": THERE.hex(),
                    "type": "witness_v0_keyhash",
                    "address": "bcrt1qcava4gh0d6jqcnh9n9zs2fq2v8u0kplxkxq3xl",
                },
            }
        ],
        "hex": raw,
    }
    assert served.rpc("getrawtransaction", txid, 2) == view


def test_a_confirmed_transaction(served: Served) -> None:
    tx = pay(served)
    (block,) = served.chain.mine(txs=[tx])
    txid, name = shown(tx.txid), shown(block.hash)
    assert served.rpc("getrawtransaction", txid) == tx.serialize().hex()
    view = served.rpc("getrawtransaction", txid, True)
    assert "fee" not in view
    time = block.header.time
    assert (view["blockhash"], view["confirmations"]) == (name, 1)
    assert (view["time"], view["blocktime"]) == (time, time)
    assert "in_active_chain" not in view
    full = served.rpc("getrawtransaction", txid, 2)
    assert full["fee"] == 0.00001
    assert full["vin"][0]["prevout"]["value"] == 50
    assert served.rpc("getrawtransaction", txid, 1, name) == {**view, "in_active_chain": True}
    served.chain.mine(2, parent=served.chain.tip.parent)
    stale = served.rpc("getrawtransaction", txid, 1, name)
    assert (stale["in_active_chain"], stale["confirmations"]) == (False, 0)


def test_a_coinbase(served: Served) -> None:
    name = served.rpc("getbestblockhash")
    (txid,) = served.rpc("getblock", name)["tx"]
    view = served.rpc("getrawtransaction", txid, 2)
    assert list(view["vin"][0]) == ["coinbase", "txinwitness", "sequence"]
    assert "fee" not in view
    assert view["vout"][1]["scriptPubKey"]["type"] == "nulldata"
    assert "address" not in view["vout"][1]["scriptPubKey"]


def test_a_payment_without_witnesses(served: Served) -> None:
    first = served.chain.pay(served.chain.mature()[0], p2pkh(key(1)), fee=1_000)
    second = served.chain.pay(served.chain.output(first), p2pkh(key(2)), fee=1_000)
    _, txid = served.wait(first, second)
    (vin,) = served.rpc("getrawtransaction", txid, 1)["vin"]
    script_sig = second.inputs[0].script_sig
    assert vin["scriptSig"]["hex"] == script_sig.hex()
    assert vin["scriptSig"]["asm"].split()[1] == key(1).public.hex()
    assert "txinwitness" not in vin


def test_unknown_transactions(served: Served) -> None:
    name = served.rpc("getbestblockhash")
    answer = (-5, f"No such mempool or blockchain transaction. {NOT_FOUND}")
    assert refusal(served, "getrawtransaction", UNKNOWN) == answer
    answer = (-5, "Block hash not found")
    assert refusal(served, "getrawtransaction", UNKNOWN, 1, UNKNOWN) == answer
    answer = (-5, f"No such transaction found in the provided block. {NOT_FOUND}")
    assert refusal(served, "getrawtransaction", UNKNOWN, 1, name) == answer


def test_without_an_index() -> None:
    served = Served(blocks=3, with_index=False)
    name = served.rpc("getbestblockhash")
    (txid,) = served.rpc("getblock", name)["tx"]
    code, text = refusal(served, "getrawtransaction", txid)
    assert (code, "keeps no index" in text) == (-5, True)
    assert served.rpc("getrawtransaction", txid, 1, name)["txid"] == txid


def test_handing_in(served: Served) -> None:
    dear = pay(served, fee=COIN).serialize().hex()
    what = "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)"
    assert refusal(served, "sendrawtransaction", dear) == (-25, what)
    assert refusal(served, "sendrawtransaction", dear, "0.2") == (-25, what)
    assert served.rpc("sendrawtransaction", dear, 0)
    source = served.chain.mature()[0]
    outputs = [TxOut(5, b"\x6a"), TxOut(source.output.value - 2 * COIN, THERE)]
    burning = served.chain.spend(source, outputs).serialize().hex()
    what = "Unspendable output exceeds maximum configured by user (maxburnamount)"
    assert refusal(served, "sendrawtransaction", burning, 0) == (-25, what)
    assert served.rpc("sendrawtransaction", burning, 0, 0.00000005)
    what = "TX decode failed. Make sure the tx has at least one input."
    assert refusal(served, "sendrawtransaction", "00") == (-22, what)


def test_the_mempool(served: Served) -> None:
    parent = pay(served)
    child = served.chain.pay(served.chain.output(parent), HOME, fee=3_000, sequence=0xFFFFFFFF)
    old, young = served.wait(parent, child)
    assert served.rpc("getrawmempool") == [old, young]
    entries = served.rpc("getrawmempool", True)
    assert list(entries) == [old, young]
    assert served.rpc("getmempoolentry", old) == entries[old]
    assert entries[young] == {
        "vsize": child.vsize,
        "weight": child.weight,
        "chunkweight": parent.weight + child.weight,
        "time": served.chain.now,
        "height": 5,
        "descendantcount": 1,
        "descendantsize": child.vsize,
        "ancestorcount": 2,
        "ancestorsize": parent.vsize + child.vsize,
        "wtxid": shown(child.wtxid),
        "fees": {
            "base": 0.00003,
            "modified": 0.00003,
            "ancestor": 0.00004,
            "descendant": 0.00003,
            "chunk": 0.00004,
        },
        "depends": [old],
        "spentby": [],
        "bip125-replaceable": True,  # because its parent says so
        "unbroadcast": True,
    }
    assert (entries[old]["descendantcount"], entries[old]["spentby"]) == (2, [young])
    assert refusal(served, "getmempoolentry", UNKNOWN) == (-5, "Transaction not in mempool")
    info = served.rpc("getmempoolinfo")
    usage = info.pop("usage")
    assert usage > 0
    assert info == {
        "loaded": True,
        "size": 2,
        "bytes": parent.vsize + child.vsize,
        "total_fee": 0.00004,
        "maxmempool": 300_000_000,
        "mempoolminfee": 0.000001,
        "minrelaytxfee": 0.000001,
        "incrementalrelayfee": 0.000001,
        "unbroadcastcount": 2,
        "fullrbf": True,
        "permitbaremultisig": True,
        "maxdatacarriersize": 100_000,
        "limitclustercount": 64,
        "limitclustersize": 101_000,
    }


def test_one_that_may_not_be_replaced_says_so(served: Served) -> None:
    tx = served.chain.pay(served.chain.mature()[0], THERE, fee=1_000, sequence=0xFFFFFFFE)
    (txid,) = served.wait(tx)
    assert served.rpc("getmempoolentry", txid)["bip125-replaceable"] is False


def test_who_hangs_together(served: Served) -> None:
    parent = pay(served)
    child = served.chain.pay(served.chain.output(parent), HOME, fee=3_000)
    old, young = served.wait(parent, child)
    assert served.rpc("getmempoolancestors", young) == [old]
    assert served.rpc("getmempooldescendants", old) == [young]
    entry = served.rpc("getmempoolentry", young)
    assert served.rpc("getmempooldescendants", old, True) == {young: entry}
    weight = parent.weight + child.weight
    chunk = {"chunkfee": 0.00004, "chunkweight": weight, "txs": [old, young]}
    cluster = {"clusterweight": weight, "txcount": 2, "chunks": [chunk]}
    assert served.rpc("getmempoolcluster", old) == cluster
    for name in ("getmempoolcluster", "getmempoolancestors", "getmempooldescendants"):
        assert refusal(served, name, UNKNOWN) == (-5, "Transaction not in mempool")


def test_the_operator_may_value_a_transaction_otherwise(served: Served) -> None:
    tx = pay(served, fee=0)
    raw, name = tx.serialize().hex(), shown(tx.txid)
    assert refusal(served, "sendrawtransaction", raw)[1].startswith("min relay fee not met")
    assert served.rpc("prioritisetransaction", name, 0, 5_000) is True
    assert served.rpc("getprioritisedtransactions") == {
        name: {"fee_delta": 5_000, "in_mempool": False}
    }
    served.rpc("sendrawtransaction", raw)
    served.rpc("prioritisetransaction", name, None, -1_000)
    assert served.rpc("getprioritisedtransactions") == {
        name: {"fee_delta": 4_000, "in_mempool": True, "modified_fee": 4_000}
    }
    fees = served.rpc("getmempoolentry", name)["fees"]
    assert (fees["base"], fees["modified"], fees["chunk"]) == (0, 0.00004, 0.00004)
    served.rpc("prioritisetransaction", name, 0, -4_000)
    assert served.rpc("getprioritisedtransactions") == {}
    what = "Priority is no longer supported, dummy argument to prioritisetransaction must be 0."
    assert refusal(served, "prioritisetransaction", name, 1, 1) == (-8, what)


def test_a_block_ends_what_the_operator_valued(served: Served) -> None:
    mined, rival = pay(served, fee=2_000), pay(served, fee=3_000)
    served.rpc("sendrawtransaction", mined.serialize().hex())
    other = "ab" * 32
    for name in (shown(mined.txid), shown(rival.txid), other):
        served.rpc("prioritisetransaction", name, 0, 700)
    served.chain.mine(1, txs=[rival])
    kept = {other: {"fee_delta": 700, "in_mempool": False}}
    assert served.rpc("getprioritisedtransactions") == kept
    assert served.rpc("getrawmempool") == []
