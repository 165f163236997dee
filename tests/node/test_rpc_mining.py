"""The RPC's methods for miners, and miners who know nothing else."""

import pytest

from tests.builders import key, p2wpkh
from tests.node.serving import RpcFailed, Served, shown

RULES = {"rules": ["segwit"]}
ADDRESS = "bcrt1qcava4gh0d6jqcnh9n9zs2fq2v8u0kplxkxq3xl"


def refusal(served: Served, method: str, *params: object) -> tuple[int, str]:
    with pytest.raises(RpcFailed) as caught:
        served.rpc(method, *params)
    code, text = caught.value.args
    return code, text


def test_an_empty_template() -> None:
    served = Served(blocks=3)
    tip = served.chain.tip
    template = served.rpc("getblocktemplate", RULES)
    commitment = template.pop("default_witness_commitment")
    assert commitment.startswith("6a24aa21a9ed")
    assert template == {
        "capabilities": ["proposal"],
        "version": 0x20000000,
        "rules": ["csv", "!segwit", "taproot"],
        "vbavailable": {},
        "vbrequired": 0,
        "previousblockhash": shown(tip.hash),
        "transactions": [],
        "coinbaseaux": {},
        "coinbasevalue": 5_000_000_000,
        "longpollid": shown(tip.hash) + "0",
        "target": "7fffff" + "00" * 29,
        "mintime": tip.median_time_past + 1,
        "mutable": ["time", "transactions", "prevblock"],
        "noncerange": "00000000ffffffff",
        "sigoplimit": 80_000,
        "sizelimit": 4_000_000,
        "weightlimit": 4_000_000,
        "curtime": served.chain.now,
        "bits": "207fffff",
        "height": 4,
    }


def test_a_template_of_parents_and_children() -> None:
    served = Served(blocks=4)
    first, second = served.chain.mature()[:2]
    parent = served.chain.pay(first, p2wpkh(key(1)), fee=1_000)
    child = served.chain.pay(served.chain.output(parent), p2wpkh(key(1)), fee=9_000)
    other = served.chain.pay(second, p2wpkh(key(1)), fee=500)
    served.wait(other, parent, child)
    template = served.rpc("getblocktemplate", RULES)
    assert template["coinbasevalue"] == 5_000_010_500
    lines = template["transactions"]
    assert [line["txid"] for line in lines] == [shown(tx.txid) for tx in (parent, child, other)]
    assert [line["hash"] for line in lines] == [shown(tx.wtxid) for tx in (parent, child, other)]
    assert [line["data"] for line in lines] == [
        tx.serialize().hex() for tx in (parent, child, other)
    ]
    assert [line["depends"] for line in lines] == [[], [1], []]
    assert [line["fee"] for line in lines] == [1_000, 9_000, 500]
    assert [line["weight"] for line in lines] == [tx.weight for tx in (parent, child, other)]
    assert [line["sigops"] for line in lines] == [1, 1, 1]


def test_what_a_template_is_refused_for() -> None:
    served = Served(blocks=1)
    segwit = (
        'getblocktemplate must be called with the segwit rule set (call with {"rules": ["segwit"]})'
    )
    assert refusal(served, "getblocktemplate", {}) == (-8, segwit)
    assert refusal(served, "getblocktemplate", {"rules": ["csv"]}) == (-8, segwit)
    assert refusal(served, "getblocktemplate", {"rules": "segwit"}) == (-8, segwit)
    assert refusal(served, "getblocktemplate", {"mode": "x", **RULES}) == (-8, "Invalid mode")
    assert refusal(served, "getblocktemplate", {"mode": 5}) == (-8, "Invalid mode")
    assert refusal(served, "getblocktemplate", 5)[0] == -3
    assert refusal(served, "getblocktemplate")[0] == -1
    assert refusal(served, "getblocktemplate", {**RULES, "longpollid": "x"}) == (
        -8,
        "longpollid must be of length 64 (not 1, for 'x')",
    )
