"""Ephemeral dust: worthless outputs of transactions that pay nothing, swept up by their child."""

import pytest

from chain.transaction import Transaction, TxOut
from tests.node.serving import shown
from tests.policy.asking import ACCEPTED, HOME, MISSING, Desk

DUST = TxOut(0, HOME)
MISSED = "missing-ephemeral-spends, tx {} (wtxid={}) did not spend parent's ephemeral dust"


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk(coins=120)


def dusty(desk: Desk, *more: TxOut, fee: int = 0, version: int = 2) -> Transaction:
    return desk.pay(None, DUST, *more, fee=fee, version=version)


def sweep(
    desk: Desk, tx: Transaction, *outputs: int, fee: int = 2_000, version: int = 2
) -> Transaction:
    return desk.pay([desk.output(tx, n) for n in outputs], fee=fee, version=version)


def missed(tx: Transaction) -> str:
    return MISSED.format(shown(tx.txid), shown(tx.wtxid))


@pytest.mark.parametrize("version", [2, 3])
def test_swept_up(desk: Desk, version: int) -> None:
    parent = dusty(desk, version=version)
    child = sweep(desk, parent, 0, 1, version=version)
    alone, behind = desk.test(parent, child)  # each must pay for itself there
    assert alone["reject-reason"] == "min relay fee not met"
    assert "allowed" not in behind
    assert desk.errors(parent, child) == ["success", ACCEPTED, ACCEPTED]
    assert desk.in_pool(parent, child) == [True, True]


def test_left_behind(desk: Desk) -> None:
    parent = dusty(desk)
    child = sweep(desk, parent, 0)
    poor = f"min relay fee not met, 0 < {-(-parent.vsize // 10)}"
    assert desk.errors(parent, child) == ["unspent-dust", poor, missed(child)]
    assert desk.in_pool(parent, child) == [False, False]


def test_a_fee_on_dust(desk: Desk) -> None:
    parent = dusty(desk, fee=1)
    child = sweep(desk, parent, 0, 1)
    text = "dust, tx with dust output must be 0-fee"
    missing = "bad-txns-inputs-missingorspent"
    assert desk.errors(parent, child) == ["transaction failed", text, missing]
    (answer, silent) = desk.test(parent, child)
    assert answer["reject-details"] == text
    assert "allowed" not in silent
    free = dusty(desk)
    desk.rpc("prioritisetransaction", shown(free.txid), 0, 500)
    assert desk.verdict(free) == text
    paid = dusty(desk, fee=500)
    desk.rpc("prioritisetransaction", shown(paid.txid), 0, -500)
    assert desk.verdict(paid) == text
    desk.rpc("prioritisetransaction", shown(free.txid), 0, -500)


def test_two_dusts(desk: Desk) -> None:
    parent = dusty(desk, DUST)
    child = sweep(desk, parent, 0, 1, 2)
    missing = "bad-txns-inputs-missingorspent"
    assert desk.errors(parent, child) == ["transaction failed", "dust", missing]


def test_where_free_transactions_are_relayed() -> None:
    """Without a relay minimum a dusty one waits alone; then its spenders must sweep."""
    desk = Desk(min_relay_feerate=0, incremental_relay_feerate=0)
    parent = desk.waiting(dusty(desk))
    thief = sweep(desk, parent, 0)
    assert desk.verdict(thief) == missed(thief)
    child = sweep(desk, parent, 0, 1)
    assert desk.verdict(child) == ACCEPTED
    again = sweep(desk, parent, 0, fee=9_000)
    assert desk.verdict(again) == missed(again)
    first, second = desk.waiting(dusty(desk)), desk.waiting(dusty(desk))
    sources = [desk.output(first, 0), desk.output(first, 1), desk.output(second, 0)]
    both = desk.pay(sources, fee=3_000)
    assert desk.verdict(both) == missed(both)
    both = desk.pay([*sources, desk.output(second, 1)], fee=3_000)
    assert desk.verdict(both) == ACCEPTED


def test_the_operator_may_not_raise_dust() -> None:
    desk = Desk(min_relay_feerate=0, incremental_relay_feerate=0)
    parent = desk.waiting(dusty(desk))
    with pytest.raises(Exception, match="Priority is not supported for transactions with dust"):
        desk.rpc("prioritisetransaction", shown(parent.txid), 0, 1)


def test_chains_of_dust_asked_about() -> None:
    """Packages that are only tested may be longer than a pair."""
    desk = Desk(min_relay_feerate=0, incremental_relay_feerate=0)
    first = dusty(desk)
    second = desk.pay([desk.output(first, 0), desk.output(first, 1)], DUST, fee=0)
    third = sweep(desk, second, 0)
    answers = desk.test(first, second, third)
    assert "allowed" not in answers[0]
    assert "allowed" not in answers[1]
    assert answers[2]["reject-details"] == missed(third)
    good = sweep(desk, second, 0, 1)
    assert [answer["allowed"] for answer in desk.test(first, second, good)] == [True] * 3
    assert desk.verdict(good) == MISSING
