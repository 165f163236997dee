"""Looking things up: a transaction with what it spends and the block it is in.

What both of a node's APIs ask before they show anything. It knows where each part lies (mempool,
index, blocks, undo data); it does not know how it is shown (`views`, `rpc/views`). To be called
under the runtime's lock. Read beside it: Core's node/transaction.cpp (GetTransaction).
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from chain.block import Block
from chain.chainstate import Chainstate
from chain.coins import BlockUndo, Coin
from chain.headers import HeaderEntry
from chain.transaction import Transaction
from node.core import Node
from node.index import Index


class Found(NamedTuple):
    """A transaction in its surroundings."""

    tx: Transaction
    coins: tuple[Coin, ...]
    """What it spends, one coin an input; none if it is a coinbase, or if its block was never
    connected."""
    block: HeaderEntry | None = None
    """Where it is; None while it waits."""

    @property
    def fee(self) -> int:
        """Satoshis; 0 where the coins are not known."""
        if not self.coins:
            return 0
        spent = sum(coin.output.value for coin in self.coins)
        return spent - sum(output.value for output in self.tx.outputs)


def find_transaction(node: Node, index: Index | None, txid: bytes) -> Found | None:
    """A transaction that waits or, with an index, one of the active chain."""
    entry = node.mempool.get(txid)
    if entry is not None:
        return Found(entry.tx, waiting_coins(node, entry.tx))
    location = None if index is None else index.location(txid)
    if index is None or location is None:
        return None
    undo = _undo_of(node.chainstate, location.block_hash) if location.position else ()
    coins = undo[location.position - 1] if undo else ()
    block = node.chainstate.headers[location.block_hash]
    return Found(index.transaction_at(location), coins, block)


@lru_cache(maxsize=8)
def _undo_of(chainstate: Chainstate, block_hash: bytes) -> BlockUndo:
    """What a block spent. To read it takes milliseconds if the block is full, and whoever asks for
    one of its transactions often asks for the next; it never changes."""
    return chainstate.read_undo(block_hash) or ()


def waiting_coins(node: Node, tx: Transaction) -> tuple[Coin, ...]:
    """The coins that a waiting transaction spends; those not in a block as of the next one."""
    height = node.chainstate.tip.height + 1
    found = (
        node.mempool.coin(tx_in.outpoint, height) or node.chainstate.coins.get(tx_in.outpoint)
        for tx_in in tx.inputs
    )
    return tuple(coin for coin in found if coin is not None)


def transactions_of(
    chainstate: Chainstate, entry: HeaderEntry, block: Block, first: int = 0, count: int = 2**32
) -> Iterator[Found]:
    """The transactions of a block in order, from number `first` on, `count` at most."""
    undo = chainstate.read_undo(entry.hash)
    for position, tx in enumerate(block.transactions[first : first + count], first):
        coins = undo[position - 1] if undo and position else ()
        yield Found(tx, coins, entry)
