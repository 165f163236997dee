"""A transaction with what it spends and the block it is in."""

import pytest

from node.lookup import Found, find_transaction, transactions_of, waiting_coins
from tests.builders import key, p2wpkh
from tests.node.serving import Served

HOME = p2wpkh(key(0))


@pytest.fixture
def served() -> Served:
    return Served(blocks=5)


def test_waiting_and_confirmed(served: Served) -> None:
    source = served.chain.mature()[0]
    parent = served.chain.pay(source, HOME, fee=1_000)
    child = served.chain.pay(served.chain.output(parent), HOME, fee=2_000)
    served.wait(parent, child)
    found = find_transaction(served.node, served.index, parent.txid)
    assert found is not None
    assert (found.tx, found.block, found.fee) == (parent, None, 1_000)
    (coin,) = found.coins
    assert (coin.output, coin.height, coin.is_coinbase) == (source.output, 1, True)
    (coin,) = waiting_coins(served.node, child)
    assert (coin.output, coin.height, coin.is_coinbase) == (parent.outputs[0], 6, False)

    served.chain.mine(txs=[parent, child])
    for tx, fee in ((parent, 1_000), (child, 2_000)):
        found = find_transaction(served.node, served.index, tx.txid)
        assert found is not None
        assert (found.tx, found.block, found.fee) == (tx, served.chain.tip, fee)
        assert find_transaction(served.node, None, tx.txid) is None
    assert find_transaction(served.node, served.index, bytes(32)) is None


def test_a_coinbase_has_no_coins_and_no_fee(served: Served) -> None:
    (block,) = served.chain.mine()
    coinbase = block.transactions[0]
    found = find_transaction(served.node, served.index, coinbase.txid)
    assert found == Found(coinbase, (), served.chain.tip)
    assert found.fee == 0


def test_the_transactions_of_a_block(served: Served) -> None:
    fan = served.chain.pay(served.chain.mature()[0], HOME, parts=4)
    served.chain.mine(txs=[fan])
    txs = [served.chain.pay(served.chain.output(fan, n), HOME, fee=n) for n in range(4)]
    (block,) = served.chain.mine(txs=txs)
    chainstate, tip = served.node.chainstate, served.chain.tip
    found = list(transactions_of(chainstate, tip, block))
    assert [each.tx for each in found] == list(block.transactions)
    assert [each.fee for each in found] == [0, 0, 1, 2, 3]
    assert all(each.block is tip for each in found)
    assert list(transactions_of(chainstate, tip, block, 1, 2)) == found[1:3]


def test_a_block_that_was_never_connected_has_no_coins(served: Served) -> None:
    tx = served.chain.pay(served.chain.mature()[0], HOME, fee=1)
    tip = served.chain.tip
    block = served.chain.block([tx], parent=tip.parent)
    entry = served.chain.accept(block).entry
    found = list(transactions_of(served.node.chainstate, entry, block))
    assert [(each.coins, each.fee) for each in found] == [((), 0)] * 2
