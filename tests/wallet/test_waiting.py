"""What a node tells of waiting transactions: read as it is meant, and not believed without end."""

import json

import pytest

from tests.wallet.fake_node import FakeNode, shown
from wallet.client import EsploraClient
from wallet.errors import NodeNonsense
from wallet.ledger import Entry, Status
from wallet.package import Waiting
from wallet.replacement import rivals

TXID, PARENT = b"\x01" * 32, b"\x02" * 32
WHOLE = {
    "fee": 141,
    "weight": 561,
    "vin": [{"txid": shown(PARENT), "vout": 0}],
    "status": {"confirmed": False},
}


def tell(node: FakeNode, txid: bytes, whole: object, spends: object = ()) -> EsploraClient:
    node.answers[f"/tx/{shown(txid)}"] = (200, json.dumps(whole).encode())
    node.answers[f"/tx/{shown(txid)}/outspends"] = (200, json.dumps(spends).encode())
    return EsploraClient(node.url)


def test_what_waits_is_told_and_what_does_not_is_none(node: FakeNode) -> None:
    client = tell(node, TXID, WHOLE)
    assert client.waiting(TXID) == Waiting(TXID, 141, 141, frozenset({PARENT}))
    tell(node, TXID, WHOLE | {"status": {"confirmed": True}})
    assert client.waiting(TXID) is None
    node.answers[f"/tx/{shown(TXID)}"] = (404, b"Transaction not found")
    assert client.waiting(TXID) is None


@pytest.mark.parametrize(
    "lie",
    [
        [],
        5,
        WHOLE | {"fee": -1},
        WHOLE | {"fee": 1.5},
        WHOLE | {"weight": None},
        WHOLE | {"vin": [{"txid": "zz"}]},
        WHOLE | {"vin": 5},
        {"status": None},
    ],
)
def test_what_is_no_transaction_is_nonsense(node: FakeNode, lie: object) -> None:
    with pytest.raises(NodeNonsense, match="a transaction that is not one"):
        tell(node, TXID, lie).waiting(TXID)


def test_spenders_that_wait(node: FakeNode) -> None:
    spends = [
        {"spent": False},
        {"spent": True, "txid": shown(b"\x03" * 32), "status": {"confirmed": False}},
        {"spent": True, "txid": shown(b"\x04" * 32), "status": {"confirmed": True}},
    ]
    assert tell(node, TXID, WHOLE, spends).pending_spenders(TXID) == {b"\x03" * 32}


@pytest.mark.parametrize("lie", [5, [5], [{"spent": True}], [{"spent": True, "txid": "zz"}], [{}]])
def test_what_are_no_spends_is_nonsense(node: FakeNode, lie: object) -> None:
    with pytest.raises(NodeNonsense, match="a list of spends that is not one"):
        tell(node, TXID, WHOLE, lie).pending_spenders(TXID)


def test_a_family_without_end_is_nonsense(node: FakeNode) -> None:
    """Each transaction has a thousand children, says the node."""
    for number in range(12):
        children = [
            {"spent": True, "txid": (number * 1_000 + n).to_bytes(32).hex()} for n in range(1_000)
        ]
        client = tell(node, TXID, WHOLE, [c | {"status": {"confirmed": False}} for c in children])
        for child in children:
            path = f"/tx/{child['txid']}"
            node.answers[path] = node.answers[f"/tx/{shown(TXID)}"]
            node.answers[path + "/outspends"] = node.answers[f"/tx/{shown(TXID)}/outspends"]
    entry = Entry(TXID, b"", Status(), False, True, (), (), 141)
    with pytest.raises(NodeNonsense, match="more waiting transactions"):
        rivals(client, entry)
