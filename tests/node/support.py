"""A chain with coins to spend and a mempool beside it: the scene of the mempool's tests."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from chain.block import Block
from chain.chainstate import ChainChanges
from chain.errors import Invalid
from chain.params import REGTEST, Params
from chain.transaction import Transaction
from node.entry import MempoolEntry
from node.events import TransactionAccepted
from node.mempool.mempool import Mempool
from node.mempool.policy import PolicyOptions
from node.mempool.reasons import PolicyReason, Rejected
from tests.builders import ChainBuilder, Spendable, key, p2wpkh

QUICK = replace(REGTEST, coinbase_maturity_blocks=2)
HOME = p2wpkh(key(0))


class Scene:
    """A mempool over a chain on which `coins` P2WPKH outputs, about a bitcoin each, wait."""

    def __init__(
        self, options: PolicyOptions | None = None, *, coins: int = 12, params: Params = QUICK
    ) -> None:
        self.chain = ChainBuilder(params)
        self.chain.mine(params.coinbase_maturity_blocks + 1)
        fan = self.chain.pay(self.chain.mature()[0], HOME, parts=coins)
        self.chain.mine(txs=[fan])
        self.coins = [self.chain.output(fan, index) for index in range(coins)]
        self.mempool = Mempool(self.chain.chainstate, options)
        self.now = self.chain.now

    def pay(
        self,
        sources: Spendable | Sequence[Spendable],
        fee: int = 1_000,
        parts: int = 1,
        script: bytes = HOME,
        **options: int,
    ) -> Transaction:
        """A signed transaction; the script is the tests' own P2WPKH unless told."""
        return self.chain.pay(sources, script, fee=fee, parts=parts, **options)

    def accept(self, tx: Transaction) -> MempoolEntry:
        """Hand a transaction in, and look whether all is well after."""
        entry = self.mempool.accept(tx, self.now)
        self.mempool.check_consistency()
        return entry

    def waiting(
        self,
        sources: Spendable | Sequence[Spendable],
        fee: int = 1_000,
        parts: int = 1,
        **options: int,
    ) -> MempoolEntry:
        """A payment, accepted."""
        return self.accept(self.pay(sources, fee, parts, **options))

    def output(self, entry: MempoolEntry, index: int = 0) -> Spendable:
        """An output of a waiting transaction, to be spent on."""
        return self.chain.output(entry.tx, index)

    def refuse(self, tx: Transaction) -> Rejected:
        """Hand in what must be refused by policy, and return the refusal; nothing may change."""
        before = list(self.mempool)
        with pytest.raises(Rejected) as caught:
            self.mempool.check(tx, self.now)
        with pytest.raises(Rejected) as again:
            self.mempool.accept(tx, self.now)
        assert str(caught.value) == str(again.value)
        assert list(self.mempool) == before
        return caught.value

    def hand_in(self, block: Block) -> ChainChanges:
        """A block arrives, and the mempool follows."""
        return self.moved(self.chain.accept(block).changes)

    def moved(self, changes: ChainChanges) -> ChainChanges:
        """The chain has moved, and the mempool follows."""
        assert not changes.failures
        self.mempool.follow(changes, self.now)
        self.mempool.check_consistency()
        return changes

    def mine(self, *txs: Transaction) -> Block:
        """A block of these."""
        block = self.chain.block(txs)
        self.hand_in(block)
        return block

    def txids(self) -> set[bytes]:
        return {entry.txid for entry in self.mempool}


def reason_of(refuse: Callable[[], object]) -> PolicyReason:
    """The reason for which a call is refused."""
    with pytest.raises(Rejected) as caught:
        refuse()
    return caught.value.reason


def invalid_text(call: Callable[[], object]) -> str:
    """Core's string for which a call is invalid."""
    with pytest.raises(Invalid) as caught:
        call()
    return caught.value.reject_reason


def history(mempool: Mempool) -> list[tuple[bytes, str]]:
    """What came and went since last asked, as txids and words."""
    return [
        (event.entry.txid, "accepted")
        if isinstance(event, TransactionAccepted)
        else (event.txid, event.why)
        for event in mempool.take_events()
    ]
