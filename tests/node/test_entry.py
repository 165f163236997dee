"""Entries: walks along links, and feerates as exact ratios."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from node.entry import MempoolEntry, cluster, fee_at, feerate_key


def entry(number: int, *parents: MempoolEntry) -> MempoolEntry:
    tx = Transaction(2, (TxIn(OutPoint(bytes(32), number)),), (TxOut(0, b""),), 0)
    made = MempoolEntry(tx, 10, 401, 0, 0, 0, number)
    for parent in parents:
        made.parents.add(parent)
        parent.children.add(made)
    return made


def test_family() -> None:
    a = entry(0)
    b, c = entry(1, a), entry(2, a)
    d = entry(3, b, c)
    alone = entry(4)
    assert d.ancestors() == {a, b, c}
    assert a.descendants() == {b, c, d}
    assert (a.ancestors(), d.descendants()) == (set(), set())
    assert cluster([b]) == {a, b, c, d}
    assert cluster([b, alone]) == {a, b, c, d, alone}
    assert cluster([b], without={a, d}) == {b}
    assert cluster([a], without={a}) == set()


def test_sizes_round_up() -> None:
    assert entry(0).vsize == 101
    assert entry(0).feerate == (10, 101)
    assert entry(0).txid == entry(0).tx.txid


ratios = st.tuples(st.integers(0, 21 * 10**14), st.integers(1, 4_000_000))


@given(ratios, ratios)
def test_keys_order_as_ratios_do(a: tuple[int, int], b: tuple[int, int]) -> None:
    assert (feerate_key(*a) < feerate_key(*b)) is (Fraction(*a) < Fraction(*b))
    assert (feerate_key(*a) == feerate_key(*b)) is (Fraction(*a) == Fraction(*b))


def test_fees_round_up() -> None:
    assert fee_at(100, 110) == 11
    assert fee_at(100, 111) == 12
    assert fee_at(0, 500) == 0
    assert fee_at(1, 1) == 1
