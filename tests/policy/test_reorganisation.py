"""Blocks taken back: what returns, in which order, what leaves, what is too much."""

import pytest

from chain.transaction import Transaction, TxOut
from tests.node.serving import shown
from tests.policy.asking import ACCEPTED, HOME, MISSING, Desk, named
from tests.policy.test_replacement import less


@pytest.fixture
def desk() -> Desk:
    return Desk(coins=40)


def mine(desk: Desk, *txs: Transaction) -> str:
    (block,) = desk.chain.mine(txs=txs)
    return shown(block.hash)


def undo(desk: Desk, block: str) -> None:
    desk.rpc("invalidateblock", block)


def test_all_return(desk: Desk) -> None:
    parent = desk.pay()
    child = desk.pay(desk.output(parent))
    first = mine(desk, parent)
    mine(desk, child)
    last = desk.waiting(desk.pay(desk.output(child)))
    undo(desk, first)
    assert desk.in_pool(parent, child, last) == [True] * 3
    entry = desk.rpc("getmempoolentry", shown(last.txid))
    assert (entry["ancestorcount"], entry["depends"]) == (3, [shown(child.txid)])
    assert desk.verdict(parent) == "txn-already-in-mempool"


def test_what_pays_nothing_returns_and_what_is_odd_does_not(desk: Desk) -> None:
    free, odd = desk.pay(fee=0), desk.pay(None, TxOut(1_000, b"\x51"))
    block = mine(desk, free, odd)
    child = desk.waiting(desk.pay(desk.output(odd)))
    undo(desk, block)
    assert desk.in_pool(free, odd, child) == [True, False, False]
    assert desk.verdict(child) == MISSING
    assert desk.verdict(odd) == "scriptpubkey"


def test_what_returns_replaces_as_any_other(desk: Desk) -> None:
    """The chain's spend against the waiting one: what it pays decides."""
    rich, poor = desk.coin(), desk.coin()
    fork = desk.chain.tip
    mined = [desk.pay(rich, fee=5_000), desk.pay(poor, fee=1_000)]
    block = mine(desk, *mined)
    heir = desk.waiting(desk.pay(desk.output(mined[1])))
    undo(desk, block)
    assert desk.in_pool(*mined, heir) == [True] * 3
    rival = desk.pay(poor, fee=9_000)
    assert desk.verdict(rival) == ACCEPTED
    assert desk.in_pool(mined[1], heir) == [False, False]
    desk.rpc("reconsiderblock", block)
    assert desk.in_pool(*mined, heir, rival) == [False] * 4
    assert desk.chain.tip.parent is fork


def test_young_coinbases_and_locks(desk: Desk) -> None:
    (block,) = desk.chain.mine()
    desk.chain.mine()
    young = desk.waiting(desk.pay(desk.chain.output(block.transactions[0])))
    locked = desk.waiting(desk.pay(locktime=desk.chain.height, sequence=0))
    heir = desk.waiting(desk.pay(desk.output(locked)))
    kept = desk.waiting(desk.pay())
    undo(desk, shown(desk.chain.tip.hash))
    assert desk.in_pool(young, locked, heir, kept) == [False, False, False, True]
    depth = "tried to spend coinbase at depth 1"
    assert desk.verdict(young) == f"bad-txns-premature-spend-of-coinbase, {depth}"
    assert desk.verdict(locked) == "non-final"


def test_families_of_version_3_may_be_large_after(desk: Desk) -> None:
    parent = desk.pay(None, TxOut(20_000, HOME), TxOut(20_000, HOME), version=3)
    block = mine(desk, parent)
    children = [desk.waiting(desk.pay(desk.output(parent, n), version=3)) for n in range(2)]
    plain = desk.waiting(desk.pay(desk.output(parent, 2)))
    undo(desk, block)
    assert desk.in_pool(parent, *children, plain) == [True] * 4
    more = desk.pay(desk.output(children[0]), version=3)
    text = f"TRUC-violation, {named(more)} would have too many ancestors"
    assert desk.verdict(more) == text
    again = desk.pay(desk.output(parent, 0), fee=4_000, version=3)
    assert desk.verdict(again) == ACCEPTED  # it replaces one of them


def test_a_sibling_of_several_is_not_evicted(desk: Desk) -> None:
    parent = desk.pay(None, *[TxOut(20_000, HOME)] * 3, version=3)
    block = mine(desk, parent)
    for number in range(2):
        desk.waiting(desk.pay(desk.output(parent, number), version=3))
    undo(desk, block)
    third = desk.pay(desk.output(parent, 2), fee=9_000, version=3)
    text = f"{named(parent)} would exceed descendant count limit"
    assert desk.verdict(third) == f"TRUC-violation, {text}"


def test_the_worst_paying_leave_where_too_many_meet() -> None:
    desk = Desk(max_cluster_count=5)
    parent = desk.pay(None, *[TxOut(20_000, HOME)] * 6)
    block = mine(desk, parent)
    fees = [400, 100, 600, 200, 500, 300]
    children = [
        desk.waiting(desk.pay(desk.output(parent, n + 1), fee=fee)) for n, fee in enumerate(fees)
    ]
    undo(desk, block)
    assert desk.in_pool(parent) == [True]
    left = [fee for fee, there in zip(fees, desk.in_pool(*children), strict=True) if there]
    assert left == [400, 600, 500, 300]
    assert desk.verdict(children[1]) == "too-large-cluster"


def test_a_chunk_is_kept_or_cut_in_its_order() -> None:
    """A poor child with a rich grandchild counts by what both pay; the one that no longer fits
    takes along whatever comes behind in its cluster."""
    desk = Desk(max_cluster_count=4)
    parent = desk.pay(None, *[TxOut(20_000, HOME)] * 3)
    block = mine(desk, parent)
    poor = desk.waiting(desk.pay(desk.output(parent, 1), fee=50))
    rich = desk.waiting(desk.pay(desk.output(poor), fee=5_000))
    plain = [desk.waiting(desk.pay(desk.output(parent, n), fee=400)) for n in (2, 3)]
    undo(desk, block)
    assert desk.in_pool(parent, poor, rich) == [True] * 3
    assert sorted(desk.in_pool(*plain)) == [False, True]


def test_a_long_chain_returns_as_far_as_it_fits() -> None:
    desk = Desk(max_cluster_count=4)
    chain = [desk.pay()]
    for _ in range(6):
        chain.append(desk.pay(desk.output(chain[-1])))
    block = mine(desk, *chain)
    last = desk.waiting(desk.pay(desk.output(chain[-1])))
    undo(desk, block)
    assert desk.in_pool(*chain, last) == [True] * 4 + [False] * 4


def test_the_other_branch_has_it_already(desk: Desk) -> None:
    """What both branches hold does not return, and what hangs on it stays."""
    fork = desk.chain.tip
    both, mine_only = desk.pay(), desk.pay()
    mine(desk, both, mine_only)
    heir = desk.waiting(desk.pay(desk.output(both)))
    first = desk.chain.block([both], parent=fork)
    desk.chain.accept(first)
    entry = desk.runtime.node.chainstate.headers.get(first.hash)
    assert entry is not None
    desk.chain.accept(desk.chain.block(parent=entry))
    assert desk.chain.tip.parent is entry
    assert desk.in_pool(both, mine_only, heir) == [False, True, True]


def test_dust_that_returns(desk: Desk) -> None:
    parent = desk.pay(None, TxOut(0, HOME), fee=0)
    child = desk.pay([desk.output(parent, 0), desk.output(parent, 1)])
    block = mine(desk, parent, child)
    undo(desk, block)
    assert desk.in_pool(parent, child) == [True, True]
    for odd in (
        desk.pay(None, TxOut(0, HOME), fee=9),
        desk.pay(None, TxOut(0, HOME), TxOut(0, HOME), fee=0),
    ):
        block = mine(desk, odd)
        undo(desk, block)
        assert desk.in_pool(odd) == [False]


def test_dust_that_was_left_behind_in_a_block(desk: Desk) -> None:
    """It returns all the same, and with it what spent beside it."""
    parent = desk.pay(None, TxOut(0, HOME), fee=0, version=3)
    thief = desk.pay(desk.output(parent, 0), TxOut(0, HOME), fee=0, version=3)
    block = mine(desk, parent, thief)
    undo(desk, block)
    assert desk.in_pool(parent, thief) == [True, True]
    heir = desk.pay([desk.output(thief, 0), desk.output(thief, 1)], version=3)
    assert desk.verdict(heir) == f"TRUC-violation, {named(heir)} would have too many ancestors"


def test_a_replacement_after_all(desk: Desk) -> None:
    coin = desk.coin()
    mined = desk.pay(coin, fee=3_000)
    block = mine(desk, mined)
    undo(desk, block)
    rival = desk.pay(coin, fee=2_000)
    assert desk.verdict(rival) == less(rival, 2_000, 3_000)
