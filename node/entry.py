"""A waiting transaction: what it pays, how much room it takes, and whom it hangs together with.

It does not know how it got in (`mempool`) or when it goes (`mempool`, `template`). Parents and
children are kept as links; everything further (ancestors, descendants, the cluster) is walked when
it is needed, because a cluster has at most 64 members and nothing kept can then be out of date.

Feerates are pairs of integers, fee and size, and are compared exactly. Beside it: Bitcoin Core,
`src/kernel/mempool_entry.h`.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from chain.transaction import Transaction

FEERATE_SHIFT = 64
"""Sizes stay far below 2**32, so two different ratios of such sizes differ by more than 2**-64."""


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
    sequence: int
    """Its number among all that ever came to this mempool."""
    parents: "set[MempoolEntry]" = field(default_factory=set, repr=False)
    """Waiting transactions whose outputs it spends."""
    children: "set[MempoolEntry]" = field(default_factory=set, repr=False)
    """Waiting transactions that spend its outputs."""
    package_fee: int = field(default=0, repr=False)
    """Fees of it and all its descendants: what is lost if it is thrown out."""
    package_vsize: int = field(default=0, repr=False)

    @property
    def txid(self) -> bytes:
        """The transaction's id, wire order."""
        return self.tx.txid

    @property
    def vsize(self) -> int:
        """Virtual bytes, rounded up."""
        return -(-self.weight // 4)

    @property
    def feerate(self) -> tuple[int, int]:
        """Satoshis and virtual bytes: the feerate as an exact ratio."""
        return self.fee, self.vsize

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


def cluster(
    seeds: Iterable[MempoolEntry], *, without: Collection[MempoolEntry] = ()
) -> set[MempoolEntry]:
    """All entries that hang together with `seeds` by spending, as if those `without` were gone."""
    found: set[MempoolEntry] = set()
    queue = list(seeds)
    while queue:
        entry = queue.pop()
        if entry not in found and entry not in without:
            found.add(entry)
            queue.extend(entry.parents)
            queue.extend(entry.children)
    return found


def feerate_key(fee: int, size: int) -> int:
    """An integer that orders ratios fee/size exactly as the ratios themselves."""
    return (fee << FEERATE_SHIFT) // size


def fee_at(feerate: int, vsize: int) -> int:
    """The fee, rounded up, of `vsize` virtual bytes at `feerate` satoshis for 1,000 of them."""
    return -(-feerate * vsize // 1000)
