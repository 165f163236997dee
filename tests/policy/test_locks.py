"""Not yet: lock times, relative locks, young coinbases. Each at its edge."""

from dataclasses import replace

import pytest

from chain.params import REGTEST
from chain.transaction import Transaction, TxOut
from tests.builders import Spendable, spendable
from tests.policy.asking import ACCEPTED, HOME, Desk

FINAL = 0xFFFFFFFF
SECONDS = 1 << 22
DISABLED = 1 << 31


@pytest.fixture
def desk() -> Desk:
    return Desk(coins=30)


def test_lock_times(desk: Desk) -> None:
    tip = desk.chain.tip
    height, time = tip.height, tip.median_time_past
    rows = [
        (height, 0, ACCEPTED),
        (height + 1, 0, "non-final"),
        (height + 1, FINAL, ACCEPTED),  # a final input does not wait
        (time - 1, 0, ACCEPTED),
        (time, 0, "non-final"),
        (time, FINAL, ACCEPTED),
        (499_999_999, FINAL - 1, "non-final"),
        (500_000_000, FINAL - 1, ACCEPTED),
    ]
    for locktime, sequence, verdict in rows:
        assert desk.verdict(desk.pay(locktime=locktime, sequence=sequence)) == verdict
    late = desk.pay(locktime=height + 1, sequence=0)
    assert desk.verdict(late) == "non-final"
    desk.chain.mine()
    assert desk.verdict(late) == ACCEPTED


def test_relative_heights(desk: Desk) -> None:
    """Of a confirmed coin, and of a waiting one, which is as young as the next block."""
    (coin,) = desk.fund([HOME])
    rows = [(1, ACCEPTED), (2, "non-BIP68-final"), (2 | DISABLED, ACCEPTED)]
    for sequence, verdict in rows[1:]:
        assert verdict_on(desk, coin, sequence) == verdict
    (coin,) = desk.fund([HOME])
    assert verdict_on(desk, coin, 2) == "non-BIP68-final"
    desk.chain.mine()
    assert verdict_on(desk, coin, 3) == "non-BIP68-final"
    assert verdict_on(desk, coin, 3, version=1) == ACCEPTED
    parent = desk.waiting(desk.pay())
    child = desk.output(parent)
    assert verdict_on(desk, child, 1) == "non-BIP68-final"
    assert verdict_on(desk, child, SECONDS | 1) == "non-BIP68-final"
    assert verdict_on(desk, child, 1 | DISABLED) == ACCEPTED
    parent = desk.waiting(desk.pay())
    assert verdict_on(desk, desk.output(parent), 0) == ACCEPTED


def verdict_on(desk: Desk, coin: Spendable, sequence: int, version: int = 2) -> str:
    return desk.verdict(desk.pay(coin, sequence=sequence, version=version, fee=2_000))


def test_relative_times(desk: Desk) -> None:
    """In units of 512 seconds, from the median time past before the coin's block."""
    start = desk.chain.tip.median_time_past
    (coin,) = desk.fund([HOME])
    while desk.chain.tip.median_time_past < start + 512:
        assert verdict_on(desk, coin, SECONDS | 1) == "non-BIP68-final"
        assert desk.chain.tip.median_time_past - start < 512
        desk.chain.accept(desk.chain.block(time=desk.chain.tip.header.time + 100))
    assert verdict_on(desk, coin, SECONDS | 2) == "non-BIP68-final"
    assert verdict_on(desk, coin, SECONDS | 1) == ACCEPTED


def test_young_coinbases() -> None:
    desk = Desk(replace(REGTEST, coinbase_maturity_blocks=100), coins=1)
    chain = desk.chain
    (block,) = chain.mine()
    chain.mine(98)
    coin: Spendable = chain.output(block.transactions[0])
    young = desk.pay(coin)
    reason = "bad-txns-premature-spend-of-coinbase, tried to spend coinbase at depth 99"
    assert desk.verdict(young) == reason
    chain.mine()
    assert desk.verdict(young) == ACCEPTED


def test_order_of_what_is_wrong(desk: Desk) -> None:
    """Several rules broken: the one that Core asks about first gives the reason."""
    height = desk.chain.height
    missing = spendable(desk.pay())._replace(owner=None)
    odd = TxOut(1_000, b"\x51")
    rows: list[tuple[Transaction, str]] = [
        (desk.pay(None, odd, locktime=height + 5, sequence=0), "scriptpubkey"),
        (desk.pay(None, odd, version=9, fee=0), "version"),
        (desk.pay(fee=-1, locktime=height + 5, sequence=0), "non-final"),
        (desk.pay(missing, locktime=height + 5, sequence=0), "non-final"),
        (desk.pay(fee=0, sequence=1_000), "non-BIP68-final"),
        (desk.pay(fee=-1, sequence=1_000), "non-BIP68-final"),
        (desk.pay(missing, sequence=1_000), "missing-inputs"),
        (desk.pay(missing, TxOut(1, HOME), fee=0), "missing-inputs"),
        (desk.pay(missing, TxOut(1, HOME), TxOut(1, HOME)), "dust"),
    ]
    for tx, verdict in rows:
        assert desk.verdict(tx) == verdict


def test_a_waiting_transaction_is_known_before_its_coins_are_looked_at(desk: Desk) -> None:
    tx = desk.waiting(desk.pay())
    assert desk.verdict(tx) == "txn-already-in-mempool"
    assert desk.send(tx) == ACCEPTED  # announced again
    desk.chain.mine(txs=[tx])
    assert desk.test(tx)[0]["reject-reason"] == "txn-already-known"
    assert desk.send(tx) == "-27 Transaction outputs already in utxo set"
    spent = desk.pay(desk.output(tx))
    desk.chain.mine(txs=[spent])
    assert desk.verdict(tx) == "missing-inputs"
    nobody = desk.pay(desk.output(spent), fee=50_000)
    assert desk.verdict(nobody) == ACCEPTED
