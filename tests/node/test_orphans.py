"""Orphans: on whose account they are kept, and when they go."""

from chain.block import Block
from chain.params import REGTEST
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from node.peers.orphans import Orphans


def orphan(*parents: int, padding: int = 0, outputs: int = 1) -> Transaction:
    """A transaction that spends the first output of each of these parents."""
    inputs = tuple(TxIn(OutPoint(parent.to_bytes(32, "big"), 0), b"", 0, ()) for parent in parents)
    return Transaction(2, inputs, (TxOut(1, bytes(padding)),) * outputs, 0)


def block(*txs: Transaction) -> Block:
    return Block(REGTEST.genesis.header, txs)


def test_an_orphan_is_found_by_its_parents() -> None:
    orphans, tx = Orphans(), orphan(1, 2)
    orphans.add(tx, 7)
    assert tx.wtxid in orphans and len(orphans) == 1
    assert orphans.get(tx.wtxid) is tx
    assert orphans.link_of(tx.wtxid) == 7
    assert orphans.children_of((2).to_bytes(32, "big")) == [tx.wtxid]
    assert orphans.children_of((3).to_bytes(32, "big")) == []
    orphans.remove(tx.wtxid)
    orphans.remove(tx.wtxid)
    assert len(orphans) == 0
    assert orphans.get(tx.wtxid) is None
    assert orphans.children_of((2).to_bytes(32, "big")) == []


def test_it_stays_as_long_as_somebody_answers_for_it() -> None:
    orphans, tx = Orphans(), orphan(1)
    orphans.add(tx, 7)
    orphans.add(tx, 8)
    orphans.forget(7)
    assert orphans.link_of(tx.wtxid) == 8
    orphans.forget(8)
    orphans.forget(8)
    assert len(orphans) == 0


def test_too_many_cost_their_sender_its_own_oldest_only() -> None:
    orphans = Orphans()
    precious = orphan(9999)
    orphans.add(precious, 1)
    flood = [orphan(number) for number in range(150)]
    for tx in flood:
        orphans.add(tx, 2)
    assert precious.wtxid in orphans
    assert [tx.wtxid in orphans for tx in flood] == [False] * 50 + [True] * 100


def test_too_heavy_ones_too() -> None:
    orphans = Orphans()
    heavy = [orphan(number, padding=30_000) for number in range(4)]  # 120,000 weight units each
    for tx in heavy:
        orphans.add(tx, 2)
    assert [tx.wtxid in orphans for tx in heavy] == [False, True, True, True]
    orphans.add(orphan(7, padding=101_000), 3)
    assert len(orphans) == 3


def test_a_block_removes_what_it_contains_and_what_it_contradicts() -> None:
    orphans = Orphans()
    contained, contradicted, unharmed = orphan(1), orphan(2, 3), orphan(4)
    same_parent = Transaction(
        2, (TxIn(OutPoint((2).to_bytes(32, "big"), 1), b"", 0, ()),), (TxOut(1, b""),), 0
    )
    for tx in contained, contradicted, unharmed, same_parent:
        orphans.add(tx, 1)
    orphans.remove_for_block(block(contained, orphan(2, padding=9)))
    assert [tx.wtxid in orphans for tx in (contained, contradicted, unharmed, same_parent)] == [
        *(False, False, True, True)
    ]


def test_many_inputs_with_few_parents_cost_nothing() -> None:
    """CVE-2024-52914: repeated parents, thousands of inputs."""
    orphans = Orphans()
    for link in range(100):
        inputs = tuple(TxIn(OutPoint(bytes(32), link * 5000 + n), b"", 0, ()) for n in range(2400))
        orphans.add(Transaction(2, inputs, (TxOut(1, b""),), 0), link)
    assert len(orphans.children_of(bytes(32))) == 100
    spender = Transaction(
        2, tuple(TxIn(OutPoint(bytes(32), 10**6 + n), b"", 0, ()) for n in range(2000)), (), 0
    )
    orphans.remove_for_block(block(spender))
    assert len(orphans) == 100
