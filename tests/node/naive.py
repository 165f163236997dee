"""What an index should answer, worked out from the blocks in the most obvious way."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from chain.block import Block
from chain.chainstate import Chainstate
from chain.transaction import OutPoint, Transaction, TxOut


def scripthash(script: bytes) -> bytes:
    return hashlib.sha256(script).digest()


def can_be_spent(script: bytes) -> bool:
    return script[:1] != b"\x6a" and len(script) <= 10_000


def active_blocks(chainstate: Chainstate) -> list[Block]:
    """From genesis to the tip."""
    blocks = [
        chainstate.read_block(chainstate.active[height].hash)
        for height in range(chainstate.tip.height + 1)
    ]
    return [block for block in blocks if block is not None]


@dataclass
class Script:
    """All there is to say of one script."""

    txids: list[bytes] = field(default_factory=list)  # oldest first
    funded: list[int] = field(default_factory=list)
    spent: list[int] = field(default_factory=list)
    unspent: dict[OutPoint, tuple[int, int]] = field(default_factory=dict)  # value, height

    @property
    def sums(self) -> tuple[int, ...]:
        return (
            len(self.txids),
            len(self.funded),
            sum(self.funded),
            len(self.spent),
            sum(self.spent),
        )


class Naive:
    """Everything, from the blocks."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        self.txs: dict[bytes, Transaction] = {}
        self.places: dict[bytes, tuple[int, int]] = {}
        self.spenders: dict[OutPoint, tuple[bytes, int]] = {}
        self.scripts: dict[bytes, Script] = defaultdict(Script)
        for height, block in enumerate(blocks):
            for position, tx in enumerate(block.transactions):
                self.txs[tx.txid] = tx
                self.places[tx.txid] = height, position
                self._take(tx, height)

    def output(self, outpoint: OutPoint) -> TxOut:
        return self.txs[outpoint.txid].outputs[outpoint.index]

    def _take(self, tx: Transaction, height: int) -> None:
        touched = set()
        for number, tx_in in enumerate(tx.inputs):
            if tx_in.outpoint.txid != bytes(32):
                value, script = self.output(tx_in.outpoint)
                self.spenders[tx_in.outpoint] = tx.txid, number
                self.scripts[script].spent.append(value)
                del self.scripts[script].unspent[tx_in.outpoint]
                touched.add(script)
        for number, (value, script) in enumerate(tx.outputs):
            if can_be_spent(script):
                self.scripts[script].funded.append(value)
                self.scripts[script].unspent[OutPoint(tx.txid, number)] = value, height
                touched.add(script)
        for script in touched:
            self.scripts[script].txids.append(tx.txid)
