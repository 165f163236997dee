"""The RPC's methods that judge several transactions, answer for answer as Core's."""

import pytest

from chain.transaction import COIN, Transaction, TxOut
from tests.builders import key, p2wpkh
from tests.node.serving import Served, refusal, shown

HOME, THERE = p2wpkh(key(0)), p2wpkh(key(1))


@pytest.fixture
def served() -> Served:
    return Served(blocks=5)


def pay(served: Served, fee: int = 1_000) -> Transaction:
    return served.chain.pay(served.chain.mature()[0], HOME, fee=fee)


def child_of(served: Served, *parents: Transaction, fee: int) -> Transaction:
    return served.chain.pay([served.chain.output(each) for each in parents], HOME, fee=fee)


def names(tx: Transaction) -> dict[str, str]:
    return {"txid": shown(tx.txid), "wtxid": shown(tx.wtxid)}


def raw(*txs: Transaction) -> list[str]:
    return [tx.serialize().hex() for tx in txs]


def fees(fee: int, paid: int, *txs: Transaction) -> dict[str, object]:
    return {
        "base": fee / COIN,
        "effective-feerate": paid * 1_000 // sum(tx.vsize for tx in txs) / COIN,
        "effective-includes": [shown(tx.wtxid) for tx in txs],
    }


# testmempoolaccept.


def test_asking_before_handing_in(served: Served) -> None:
    tx = pay(served)
    good = {**names(tx), "allowed": True, "vsize": tx.vsize, "fees": fees(1_000, 1_000, tx)}
    assert served.rpc("testmempoolaccept", raw(tx)) == [good]
    assert served.rpc("getrawmempool") == []
    (free,) = served.rpc("testmempoolaccept", raw(pay(served, fee=0)))
    assert free["reject-reason"] == "min relay fee not met"
    assert free["reject-details"] == "min relay fee not met, 0 < 11"
    dear = pay(served, fee=COIN)
    answer = {**names(dear), "allowed": False, "reject-reason": "max-fee-exceeded"}
    assert served.rpc("testmempoolaccept", raw(dear)) == [answer]
    assert served.rpc("testmempoolaccept", raw(dear), 0)[0]["allowed"] is True
    missing = child_of(served, tx, fee=9)
    answer = {**names(missing), "allowed": False, "reject-reason": "missing-inputs"}
    assert served.rpc("testmempoolaccept", raw(missing)) == [answer]
    served.wait(tx)
    (again,) = served.rpc("testmempoolaccept", raw(tx))
    assert (again["allowed"], again["reject-reason"]) == (False, "txn-already-in-mempool")
    (broken,) = served.rpc("testmempoolaccept", raw(pay(served, fee=-1)))
    assert broken["reject-reason"] == "bad-txns-in-belowout"
    what = "Array must contain between 1 and 25 transactions."
    for wrong in ([], raw(tx) * 26):
        assert refusal(served, "testmempoolaccept", wrong) == (-8, what)
    assert refusal(served, "testmempoolaccept", ["zz"])[0] == -22
    what = "Fee rates larger than or equal to 1BTC/kvB are not accepted"
    assert refusal(served, "testmempoolaccept", raw(tx), 1) == (-8, what)


def test_asking_for_several(served: Served) -> None:
    parent = pay(served)
    child = child_of(served, parent, fee=2_000)
    first, second = served.rpc("testmempoolaccept", raw(parent, child))
    assert first["fees"] == fees(1_000, 1_000, parent)
    assert second["fees"] == fees(2_000, 2_000, child)
    # In a test each pays for itself, and behind the first fault nothing is judged.
    free = pay(served, fee=0)
    found = served.rpc("testmempoolaccept", raw(free, child_of(served, free, fee=9_000)))
    assert found[0]["reject-reason"] == "min relay fee not met"
    assert "allowed" not in found[1]
    found = served.rpc("testmempoolaccept", raw(child, parent))
    assert found == [{**names(tx), "package-error": "package-not-sorted"} for tx in (child, parent)]
    dear = pay(served, fee=COIN)
    found = served.rpc("testmempoolaccept", raw(dear, child_of(served, dear, fee=1_000)))
    assert found[0]["reject-reason"] == "max-fee-exceeded"
    assert "allowed" not in found[1]


def test_those_before_a_bad_signature_had_passed(served: Served) -> None:
    parent, child = pay(served), None
    child = child_of(served, parent, fee=2_000)
    (spend,) = child.inputs
    forged = Transaction(2, (spend._replace(witness=()),), child.outputs, child.locktime)
    first, second = served.rpc("testmempoolaccept", raw(parent, forged))
    assert first["allowed"] is True
    assert second["reject-reason"].startswith("mempool-script-verify-flag-failed (Witness")


# submitpackage.


def test_handing_in_a_package(served: Served) -> None:
    old = pay(served, fee=100)
    served.wait(old)
    parent = pay(served, fee=0)
    child = child_of(served, parent, fee=9_000)
    answer = served.rpc("submitpackage", raw(parent, child))
    assert answer == {
        "package_msg": "success",
        "tx-results": {
            shown(tx.wtxid): {
                "txid": shown(tx.txid),
                "vsize": tx.vsize,
                "fees": fees(fee, 9_000, parent, child),
            }
            for tx, fee in ((parent, 0), (child, 9_000))
        },
        "replaced-transactions": [shown(old.txid)],
    }
    assert set(served.rpc("getrawmempool")) == {shown(parent.txid), shown(child.txid)}
    again = served.rpc("submitpackage", raw(parent, child))
    assert again["tx-results"][shown(child.wtxid)]["fees"] == {"base": 0.00009}


def test_a_package_refused(served: Served) -> None:
    parent = pay(served, fee=0)
    child = child_of(served, parent, fee=1)
    answer = served.rpc("submitpackage", raw(parent, child))
    assert answer["package_msg"] == "transaction failed"
    results = answer["tx-results"]
    assert results[shown(parent.wtxid)]["error"] == "min relay fee not met, 0 < 11"
    assert results[shown(child.wtxid)]["error"] == "min relay fee not met, 1 < 22"
    assert answer["replaced-transactions"] == []
    rival = pay(served, fee=77)
    answer = served.rpc("submitpackage", raw(rival, child_of(served, parent, rival, fee=1)))
    assert answer["package_msg"] == "transaction failed"


def test_what_is_no_package(served: Served) -> None:
    parent = pay(served, fee=0)
    child = child_of(served, parent, fee=9_000)
    what = "package topology disallowed. not child-with-parents or parents depend on each other."
    assert refusal(served, "submitpackage", raw(child, parent)) == (-25, what)
    assert refusal(served, "submitpackage", [])[0] == -8
    assert refusal(served, "submitpackage", ["00"])[0] == -22
    source = served.chain.mature()[0]
    outputs = [TxOut(5, b"\x6a"), TxOut(source.output.value - COIN, THERE)]
    burning = served.chain.spend(source, outputs)
    what = "Unspendable output exceeds maximum configured by user (maxburnamount)"
    assert refusal(served, "submitpackage", raw(burning)) == (-25, what)
    twice = served.rpc("submitpackage", raw(parent))
    assert twice["package_msg"] == "transaction failed"


def test_another_witness_waits(served: Served) -> None:
    parent = pay(served)
    served.wait(parent)
    (spend,) = parent.inputs
    other = Transaction(2, (spend._replace(witness=(b"x",)),), parent.outputs, parent.locktime)
    child = child_of(served, parent, fee=2_000)
    answer = served.rpc("submitpackage", raw(other, child))
    view = answer["tx-results"][shown(other.wtxid)]
    assert view == {"txid": shown(parent.txid), "other-wtxid": shown(parent.wtxid)}
    assert answer["package_msg"] == "success"
