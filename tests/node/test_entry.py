"""Entries: walks along links, and feerates as exact ratios."""

from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from node.entry import MempoolEntry, fee_at


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
    assert d.ancestors() == {a, b, c}
    assert a.descendants() == {b, c, d}
    assert (a.ancestors(), d.descendants()) == (set(), set())


def test_sizes_round_up() -> None:
    assert entry(0).vsize == 101
    assert entry(0).modified_fee == 10
    assert entry(0).txid == entry(0).tx.txid


def test_fees_round_up() -> None:
    assert fee_at(100, 110) == 11
    assert fee_at(100, 111) == 12
    assert fee_at(0, 500) == 0
    assert fee_at(1, 1) == 1
