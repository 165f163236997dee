"""A waiting transaction: what it pays, how much room it takes, and whom it hangs together with.

It does not know how it got in (`mempool`) or when it goes (`mempool`, `template`). Parents and
children are kept as links; everything further (ancestors, descendants, the cluster) is walked when
it is needed, because a cluster has at most 64 members and nothing kept can then be out of date.
Beside it: Bitcoin Core, `src/kernel/mempool_entry.h`.
"""

from dataclasses import dataclass, field

from chain.coins import Coin
from chain.transaction import Transaction


@dataclass(slots=True, eq=False)
class MempoolEntry:
    """One waiting transaction. Compared by identity: there is one entry a transaction."""

    tx: Transaction
    fee: int
    """Satoshis."""
    weight: int
    """Weight units, or what the signature operations count for if that is more."""
    sigop_cost: int
    time: int
    """When it came, in Unix seconds."""
    height: int
    """Of the tip when it came."""
    sequence: int = 0
    """Its number among all that ever came to this mempool; 0 until it is in."""
    parents: "set[MempoolEntry]" = field(default_factory=set, repr=False)
    """Waiting transactions whose outputs it spends."""
    children: "set[MempoolEntry]" = field(default_factory=set, repr=False)
    """Waiting transactions that spend its outputs."""
    delta: int = 0
    """Satoshis by which the operator values it above its fee (`prioritisetransaction`)."""

    @property
    def txid(self) -> bytes:
        """The transaction's id, wire order."""
        return self.tx.txid

    @property
    def vsize(self) -> int:
        """Virtual bytes, rounded up."""
        return -(-self.weight // 4)

    @property
    def modified_fee(self) -> int:
        """Satoshis: what it is worth to this node. All rules but consensus go by it."""
        return self.fee + self.delta

    def coin(self, index: int, height: int) -> Coin | None:
        """One of its outputs as the coin it would be in a block at `height`; None if it has none
        of that number."""
        outputs = self.tx.outputs
        return Coin(outputs[index], height, False) if index < len(outputs) else None

    def ancestors(self) -> "set[MempoolEntry]":
        """All waiting transactions that must be mined before it; without itself."""
        found: set[MempoolEntry] = set()
        queue = list(self.parents)
        while queue:
            entry = queue.pop()
            if entry not in found:
                found.add(entry)
                queue.extend(entry.parents)
        return found

    def descendants(self) -> "set[MempoolEntry]":
        """All waiting transactions that cannot be mined without it; without itself."""
        found: set[MempoolEntry] = set()
        queue = list(self.children)
        while queue:
            entry = queue.pop()
            if entry not in found:
                found.add(entry)
                queue.extend(entry.children)
        return found


def fee_at(feerate: int, vsize: int) -> int:
    """The fee, rounded up, of `vsize` virtual bytes at `feerate` satoshis for 1,000 of them."""
    return -(-feerate * vsize // 1000)
