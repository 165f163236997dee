"""Packages: a child and its parents, asked about (`testmempoolaccept`) and handed in."""

import pytest

from chain.transaction import Transaction, TxOut
from tests.builders import padding
from tests.node.serving import RpcFailed, shown
from tests.policy.asking import ACCEPTED, Desk, raw

MISSING = "bad-txns-inputs-missingorspent"
TOPOLOGY = "package topology disallowed. not child-with-parents or parents depend on each other."


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk(coins=300)


def child(desk: Desk, *parents: Transaction, fee: int = 3_000, **options: int) -> Transaction:
    return desk.pay([desk.output(parent) for parent in parents], fee=fee, **options)


def poor(tx: Transaction, fee: int = 0) -> str:
    return f"min relay fee not met, {fee} < {-(-tx.vsize // 10)}"


def refused(desk: Desk, method: str, *params: object) -> tuple[int, str]:
    with pytest.raises(RpcFailed) as caught:
        desk.rpc(method, *params)
    code, text = caught.value.args
    return code, text


# What is wrong with a package as a whole.


def test_shapes_that_are_no_package(desk: Desk) -> None:
    a, b = desk.pay(), desk.pay()
    both = child(desk, a, b)
    chain = [a, child(desk, a)]
    chain.append(child(desk, chain[-1]))
    for txs in ([a, b], chain, [both, a, b], [a, a], [a, b, both, both], [a, b, a]):
        assert refused(desk, "submitpackage", raw(*txs)) == (-25, TOPOLOGY)
    diamond = child(desk, a, chain[1])
    assert refused(desk, "submitpackage", raw(a, chain[1], diamond)) == (-25, TOPOLOGY)
    assert desk.rpc("getrawmempool").count(shown(a.txid)) == 0


def test_packages_asked_about_as_a_whole(desk: Desk) -> None:
    coin = desk.coin()
    a, b, again = desk.pay(coin), desk.pay(), desk.pay(coin, fee=2_000)
    heir = child(desk, a)
    large = [desk.pay(None, TxOut(0, padding(50_600)), fee=90_000) for _ in range(2)]
    rows = [
        ((a, a), "package-contains-duplicates"),
        ((heir, a), "package-not-sorted"),
        ((a, again), "conflict-in-package"),
        ((a, b, heir, child(desk, a, fee=4_000)), "conflict-in-package"),
        (tuple(large), "package-too-large"),
        ((large[0], large[1], large[0]), "package-too-large"),
        ((heir, a, heir), "package-contains-duplicates"),
    ]
    for txs, text in rows:
        for tx, answer in zip(txs, desk.test(*txs), strict=True):
            names = {"txid": shown(tx.txid), "wtxid": shown(tx.wtxid)}
            assert answer == names | {"package-error": text}


def test_numbers_and_nonsense(desk: Desk) -> None:
    tx = desk.pay()
    count = (-8, "Array must contain between 1 and 25 transactions.")
    for method in ("submitpackage", "testmempoolaccept"):
        for wrong in ([], raw(tx) * 26):
            assert refused(desk, method, wrong) == count
        text = "TX decode failed: {} Make sure the tx has at least one input."
        for junk in ("", "ff", "zz", raw(tx)[0][:-2], raw(tx)[0] + "00"):
            assert refused(desk, method, [*raw(tx), junk]) == (-22, text.format(junk))
        text = "Fee rates larger than or equal to 1BTC/kvB are not accepted"
        assert refused(desk, method, ["zz"], 1) == (-8, text)
    burning = desk.pay(None, TxOut(1_000, b"\x6a"))
    text = "Unspendable output exceeds maximum configured by user (maxburnamount)"
    assert refused(desk, "submitpackage", raw(burning)) == (-25, text)
    assert refused(desk, "submitpackage", [*raw(burning), "zz"]) == (-25, text)
    assert refused(desk, "sendrawtransaction", *raw(burning)) == (-25, text)
    assert refused(desk, "sendrawtransaction", *raw(burning), 0, "0.00000999") == (-25, text)
    assert desk.rpc("sendrawtransaction", *raw(burning), 0, "0.00001") == shown(burning.txid)
    assert refused(desk, "sendrawtransaction", *raw(burning)) == (-25, text)


# Asked about.


def test_several_asked_about(desk: Desk) -> None:
    a = desk.pay(fee=1_000)
    b = child(desk, a, fee=500)
    c = desk.pay([desk.output(b), desk.coin()], fee=700)
    for tx, fee, answer in zip((a, b, c), (1_000, 500, 700), desk.test(a, b, c), strict=True):
        rate = fee * 1_000 // tx.vsize / 10**8
        fees = {"base": fee / 10**8, "effective-feerate": rate}
        fees["effective-includes"] = [shown(tx.wtxid)]  # type: ignore[assignment]
        names = {"txid": shown(tx.txid), "wtxid": shown(tx.wtxid)}
        assert answer == names | {"allowed": True, "vsize": tx.vsize, "fees": fees}


def test_each_pays_for_itself_where_several_are_asked_about(desk: Desk) -> None:
    a = desk.pay(fee=0)
    first, second = desk.test(a, child(desk, a, fee=9_000))
    assert first["reject-details"] == poor(a)
    assert list(second) == ["txid", "wtxid"]
    good = desk.pay()
    first, second = desk.test(good, child(desk, good, fee=0))
    assert list(first) == ["txid", "wtxid"]
    assert second["reject-reason"] == "min relay fee not met"


def test_missing_and_known_among_several(desk: Desk) -> None:
    old = desk.waiting(desk.pay())
    lost = child(desk, desk.pay())
    new = desk.pay()
    for bad, reason in ((old, "txn-already-in-mempool"), (lost, "missing-inputs")):
        first, second = desk.test(new, bad)
        assert list(first) == ["txid", "wtxid"]
        assert second["reject-reason"] == reason
    first, second = desk.test(child(desk, old), new)
    assert (first["allowed"], second["allowed"]) == (True, True)


def forged(tx: Transaction) -> Transaction:
    """With a signature that is none."""
    inputs = [tx.inputs[0]._replace(witness=(b"\1" * 71, tx.inputs[0].witness[1]))]
    return Transaction(tx.version, inputs + list(tx.inputs[1:]), tx.outputs, tx.locktime)


def test_scripts_are_looked_at_last(desk: Desk) -> None:
    """Those before the one that fails have passed everything; of those behind nothing is said."""
    a, b, c = desk.pay(), forged(desk.pay()), desk.pay()
    first, second, third = desk.test(a, b, c)
    assert first["allowed"] is True
    reason = "mempool-script-verify-flag-failed (Non-canonical DER signature)"
    assert (second["allowed"], second["reject-reason"]) == (False, reason)
    assert list(third) == ["txid", "wtxid"]


def test_too_dear_among_several(desk: Desk) -> None:
    cheap, dear = desk.pay(fee=1_000), desk.pay(fee=100_000)
    last = desk.pay(fee=1_000)
    limit = 1_000 * 1_000 / 110 / 10**8
    answers = desk.test(cheap, dear, last, max_feerate=round(limit + 1e-8, 8))
    assert answers[0]["allowed"] is True
    assert (answers[1]["allowed"], answers[1]["reject-reason"]) == (False, "max-fee-exceeded")
    assert "reject-details" not in answers[1]
    assert list(answers[2]) == ["txid", "wtxid"]


def test_a_limit_on_the_fee_of_one(desk: Desk) -> None:
    tx = desk.pay(fee=1_100)
    assert tx.vsize == 110
    (answer,) = desk.test(tx, max_feerate=0.00009999)  # 1,099.89 satoshis, rounded up
    assert answer["allowed"] is True
    (answer,) = desk.test(tx, max_feerate=0.0000999)
    assert answer["reject-reason"] == "max-fee-exceeded"
    text = "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)"
    assert refused(desk, "sendrawtransaction", *raw(tx), "0.0000999") == (-25, text)
    lost = child(desk, desk.pay(), fee=50_000_000)
    assert refused(desk, "sendrawtransaction", *raw(lost)) == (-25, MISSING)
    broken = forged(desk.pay(fee=50_000_000))
    assert refused(desk, "sendrawtransaction", *raw(broken))[0] == -26
    answer = desk.rpc("submitpackage", raw(tx), "0.0000999")
    assert answer["package_msg"] == "transaction failed"
    assert answer["tx-results"][shown(tx.wtxid)]["error"] == "max feerate exceeded"
    assert desk.rpc("submitpackage", raw(tx), "0.0001")["package_msg"] == "success"


# Handed in.


def test_a_child_pays_for_its_parent(desk: Desk) -> None:
    a = desk.pay(fee=0)
    b = child(desk, a, fee=2_000)
    answer = desk.package(a, b)
    both = [shown(a.wtxid), shown(b.wtxid)]
    rate = 2_000 * 1_000 // (a.vsize + b.vsize) / 10**8
    fees = {"effective-feerate": rate, "effective-includes": both}
    assert answer == {
        "package_msg": "success",
        "tx-results": {
            both[0]: {"txid": shown(a.txid), "vsize": a.vsize, "fees": {"base": 0.0, **fees}},
            both[1]: {"txid": shown(b.txid), "vsize": b.vsize, "fees": {"base": 2e-05, **fees}},
        },
        "replaced-transactions": [],
    }
    again = desk.package(a, b)
    for tx, fee in ((a, 0.0), (b, 2e-05)):
        assert again["tx-results"][shown(tx.wtxid)]["fees"] == {"base": fee}


def test_a_parent_does_not_pay_for_its_child(desk: Desk) -> None:
    a = desk.pay(fee=50_000)
    b = child(desk, a, fee=0)
    assert desk.errors(a, b) == ["transaction failed", ACCEPTED, poor(b)]
    assert desk.in_pool(a, b) == [True, False]


def test_who_pays_alone_is_not_counted(desk: Desk) -> None:
    """The rich parent gets in by itself; its fee helps neither the poor one nor the child."""
    rich, broke = desk.pay(fee=90_000), desk.pay(fee=0)
    b = child(desk, rich, broke, fee=20)
    size, needed = broke.vsize + b.vsize, -(-(broke.vsize + b.vsize) // 10)
    text = f"min relay fee not met, 20 < {needed}"
    assert desk.errors(rich, broke, b) == ["transaction failed", ACCEPTED, poor(broke), text]
    b = child(desk, rich, broke, fee=500)
    answer = desk.package(rich, broke, b)
    assert answer["package_msg"] == "success"
    fees = answer["tx-results"][shown(b.wtxid)]["fees"]
    assert fees["effective-feerate"] == 500 * 1_000 // size / 10**8
    assert fees["effective-includes"] == [shown(broke.wtxid), shown(b.wtxid)]


def test_one_that_is_wrong_by_itself_ends_it(desk: Desk) -> None:
    """Yet whatever stands alone is taken in."""
    good, free, odd = desk.pay(), desk.pay(fee=0), desk.pay(version=9)
    b = child(desk, good, free, odd)
    assert desk.errors(good, free, odd, b) == [
        "transaction failed",
        ACCEPTED,
        poor(free),
        "version",
        MISSING,
    ]
    assert desk.in_pool(good, free, odd) == [True, False, False]


def test_another_witness(desk: Desk) -> None:
    a = desk.pay()
    other = forged(a)
    desk.waiting(a)
    b = child(desk, a)
    answer = desk.package(other, b)
    assert answer["package_msg"] == "success"
    result = answer["tx-results"][shown(other.wtxid)]
    assert result == {"txid": shown(a.txid), "other-wtxid": shown(a.wtxid)}


def test_a_package_of_one(desk: Desk) -> None:
    tx = desk.pay()
    answer = desk.package(tx)
    assert answer["package_msg"] == "success"
    free = desk.pay(fee=0)
    assert desk.errors(free) == ["transaction failed", poor(free)]
    lost = child(desk, free)
    assert desk.errors(lost) == ["transaction failed", MISSING]


def test_parents_may_be_missing_from_it(desk: Desk) -> None:
    waiting, lost, free = desk.waiting(desk.pay()), desk.pay(), desk.pay(fee=0)
    b = child(desk, waiting, free)
    assert desk.errors(free, b) == ["success", ACCEPTED, ACCEPTED]
    free = desk.pay(fee=0)
    b = child(desk, lost, free)
    assert desk.errors(free, b) == ["transaction failed", poor(free), MISSING]


def test_one_of_it_throws_out_another(desk: Desk) -> None:
    """The second replaces what the first hangs on: of the first nothing is left to tell."""
    coin, other = desk.coin(), desk.coin()
    old, older = desk.waiting(desk.pay(coin)), desk.waiting(desk.pay(other))
    first = desk.pay([desk.output(old), other], fee=3_000)
    second = desk.pay(coin, fee=9_000)
    last = child(desk, first, second)
    answer = desk.package(first, second, last)
    results = [answer["tx-results"][shown(tx.wtxid)] for tx in (first, second, last)]
    assert answer["package_msg"] == "transaction failed"
    assert [result.get("error", ACCEPTED) for result in results] == [
        "mempool full",
        ACCEPTED,
        MISSING,
    ]
    replaced = sorted((old.txid, first.txid))
    assert answer["replaced-transactions"] == [shown(txid) for txid in replaced]
    assert desk.in_pool(old, older, first, second) == [False, False, False, True]


def test_a_script_that_fails_in_company(desk: Desk) -> None:
    a = desk.pay(fee=0)
    b = forged(child(desk, a))
    msg, first, second = desk.errors(a, b)
    assert (msg, first) == ("transaction failed", poor(a))
    reason = "mempool-script-verify-flag-failed (Non-canonical DER signature)"
    assert second.startswith(f"{reason}, input 0 of {shown(b.txid)} (wtxid {shown(b.wtxid)}), ")


def test_too_dear_in_company(desk: Desk) -> None:
    a = desk.pay(fee=0)
    b = child(desk, a, fee=100_000)
    answer = desk.rpc("submitpackage", raw(a, b), "0.001")
    results = [answer["tx-results"][shown(tx.wtxid)]["error"] for tx in (a, b)]
    assert answer["package_msg"] == "transaction failed"
    assert results == [poor(a), "max feerate exceeded"]


def test_what_the_operator_adds_counts(desk: Desk) -> None:
    a = desk.pay(fee=0)
    b = child(desk, a, fee=50)
    desk.rpc("prioritisetransaction", shown(a.txid), 0, -5_000)
    needed = -(-(a.vsize + b.vsize) // 10)
    free = f"min relay fee not met, -5000 < {-(-a.vsize // 10)}"
    text = f"min relay fee not met, -4950 < {needed}"
    assert desk.errors(a, b) == ["transaction failed", free, text]
    desk.rpc("prioritisetransaction", shown(a.txid), 0, 6_000)
    answer = desk.package(a, b)
    fees = answer["tx-results"][shown(a.wtxid)]["fees"]
    assert (fees["base"], fees["effective-includes"]) == (0.0, [shown(a.wtxid)])
    assert fees["effective-feerate"] == 1_000 * 1_000 // a.vsize / 10**8


# Limits.


def test_clusters_asked_about_together() -> None:
    desk = Desk(max_cluster_count=3)
    a = desk.pay()
    b = child(desk, a)
    c = child(desk, b)
    d = child(desk, c)
    assert [answer["allowed"] for answer in desk.test(a, b, c)] == [True] * 3
    for answer in desk.test(a, b, c, d):
        assert answer["package-error"] == "too-large-cluster"
        assert "allowed" not in answer
    for tx in (a, b):
        desk.waiting(tx)
    free = desk.pay(fee=0)
    both = child(desk, b, free)
    assert desk.errors(free, both) == ["too-large-cluster", poor(free), MISSING]
    assert desk.verdict(c) == ACCEPTED
    assert desk.verdict(d) == "too-large-cluster"


def test_a_parent_that_is_mined_already(desk: Desk) -> None:
    parent = desk.pay()
    desk.chain.mine(txs=[parent])
    heir = child(desk, parent)
    assert desk.errors(parent, heir) == ["transaction failed", "txn-already-known", ACCEPTED]
    desk.chain.mine(txs=[heir])
    again = child(desk, parent, fee=9_000)
    assert desk.errors(parent, again) == ["transaction failed", MISSING, MISSING]
