"""The set of waiting transactions: links, totals and the worst, against a naive look at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.coins import Coin
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from node.entry import MempoolEntry
from node.mempool.pool import Pool, memory_usage


def make(pool: Pool, number: int, fee: int, *parents: MempoolEntry) -> MempoolEntry:
    """Spends an output of each parent that nobody spends yet, or one of nobody's."""
    outpoints = [
        next(
            outpoint
            for outpoint in (OutPoint(parent.txid, index) for index in range(50))
            if pool.spender_of(outpoint) is None
        )
        for parent in parents
    ]
    inputs = tuple(TxIn(each) for each in outpoints or [OutPoint(bytes(32), number)])
    tx = Transaction(2, inputs, tuple(TxOut(index, b"") for index in range(50)), number)
    return MempoolEntry(tx, fee, tx.weight, 0, 0, 0)


def test_coins_of_waiting_transactions() -> None:
    pool = Pool()
    entry = make(pool, 0, 10)
    pool.add(entry)
    assert pool.coin(OutPoint(entry.txid, 3), 77) == Coin(TxOut(3, b""), 77, False)
    assert pool.coin(OutPoint(entry.txid, 50), 77) is None
    assert pool.coin(OutPoint(bytes(32), 0), 77) is None


def test_memory_is_about_what_was_measured() -> None:
    """With tracemalloc: 2,186 bytes for one input and output, 16,070 for twenty inputs."""
    small, large = payment(1), payment(20)
    assert 2_000 < memory_usage(small) < 2_600
    assert 15_000 < memory_usage(large) < 19_000


def payment(inputs: int) -> Transaction:
    """Of the size of a P2WPKH payment."""
    spends = (TxIn(OutPoint(bytes(32), n), b"", 0, (bytes(71), bytes(33))) for n in range(inputs))
    return Transaction(2, tuple(spends), (TxOut(0, bytes(22)),), 0)


def test_the_worst_of_nothing() -> None:
    with pytest.raises(IndexError):
        Pool().worst()


def test_outdated_places_do_not_pile_up() -> None:
    pool = Pool()
    parent = make(pool, 0, 10)
    pool.add(parent)
    for number in range(1, 3_000):
        child = make(pool, number, number, parent)
        pool.add(child)
        pool.remove([child])
    assert len(pool._worst) < 1_100
    assert pool.worst().entries == (parent,)
    pool.check_links()


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 60), st.sets(st.integers(0, 30), max_size=3)),
        max_size=40,
    )
)
def test_links_stay_whole(steps: list[tuple[bool, int, set[int]]]) -> None:
    pool = Pool()
    for number, (adds, fee, picks) in enumerate(steps):
        present = list(pool)
        picked = [present[pick] for pick in picks if pick < len(present)]
        if adds:
            pool.add(make(pool, number, fee, *picked))
        else:
            pool.remove(picked)  # whoever hangs on them
        pool.check_links()


@given(st.permutations(range(6)))
def test_links_do_not_depend_on_the_order_of_arrival(order: list[int]) -> None:
    plan = Pool()
    entries: list[MempoolEntry] = []
    for number, before in enumerate([(), (0,), (0,), (1, 2), (3,), (1,)]):
        entries.append(make(plan, number, number, *(entries[each] for each in before)))
        plan.add(entries[-1])
    pool = Pool()
    for number in order:
        old = entries[number]
        pool.add(MempoolEntry(old.tx, old.fee, old.weight, 0, 0, 0))
        pool.adopt(list(pool))
        pool.check_links()
    for old in entries:
        new = pool.get(old.txid)
        assert new is not None
        assert {each.txid for each in new.ancestors()} == {each.txid for each in old.ancestors()}
        assert len(pool.clusters_of(pool)) == 1
