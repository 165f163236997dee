"""Which waiting transactions touch a script, while they come and go."""

import hashlib

import pytest

from chain.transaction import TxOut
from node.events import TransactionAccepted, TransactionRemoved
from node.waiting import MempoolIndex
from tests.builders import key, p2wpkh
from tests.node.serving import Served

HOME, THERE = p2wpkh(key(0)), p2wpkh(key(1))


def name_of(script: bytes) -> bytes:
    return hashlib.sha256(script).digest()


@pytest.fixture
def served() -> Served:
    return Served(blocks=5)


@pytest.fixture
def waiting(served: Served) -> MempoolIndex:
    """One that is told of everything."""
    index = MempoolIndex(served.node)
    served.runtime.subscribe(index.told)
    return index


def test_it_follows_arrivals_and_departures(served: Served, waiting: MempoolIndex) -> None:
    chain = served.chain
    parent = chain.pay(chain.mature()[0], THERE, fee=1_000, parts=2)
    child = chain.pay(chain.output(parent), HOME, fee=1_000)
    served.wait(parent, child)
    assert list(waiting.history(name_of(THERE))) == [child.txid, parent.txid]
    assert list(waiting.history(name_of(HOME))) == [child.txid, parent.txid]
    assert list(waiting.newest()) == [child.txid, parent.txid]
    half = parent.outputs[0].value
    assert waiting.sums(name_of(THERE)) == (2, 2, 2 * half, 1, half)
    assert waiting.sums(name_of(HOME)) == (2, 1, half - 1_000, 1, 50 * 10**8)
    chain.mine(txs=[parent])
    assert waiting.sums(name_of(THERE)) == (1, 0, 0, 1, half)
    chain.mine(txs=[child])
    assert waiting.sums(name_of(THERE)) == (0, 0, 0, 0, 0)
    assert not waiting._scripts
    assert not waiting._txids


def test_a_late_one_takes_in_what_waits_already(served: Served) -> None:
    tx = served.chain.pay(served.chain.mature()[0], THERE, fee=1_000)
    served.wait(tx)
    assert list(MempoolIndex(served.node).history(name_of(THERE))) == [tx.txid]


def test_what_has_gone_before_it_was_told_is_not_taken_in(
    served: Served, waiting: MempoolIndex
) -> None:
    tx = served.chain.pay(served.chain.mature()[0], THERE, fee=1_000)
    entry = served.node.mempool.check(tx, served.chain.now)
    waiting.told(TransactionAccepted(entry))
    assert not list(waiting.newest())
    waiting.told(TransactionRemoved(tx.txid, "expired"))


def test_what_cannot_be_spent_is_left_out(served: Served, waiting: MempoolIndex) -> None:
    source = served.chain.mature()[0]
    data = b"\x6a\x01x"
    outputs = [TxOut(0, data), TxOut(source.output.value - 1_000, HOME)]
    served.wait(served.chain.spend(source, outputs))
    assert list(waiting.history(name_of(data))) == []
