"""Orphans: transactions whose parents we lack, kept a while in the hope that these will come.

It does not know why they are orphans (`mempool`) nor how parents are fetched (`relay`). An orphan
belongs to the peers who sent or announced it and counts against the share of each; one who exceeds
its share loses its own oldest, never anybody else's. Parents are indexed by txid, so looking up the
children of a new transaction costs nothing, however many inputs and repeated parents orphans have.

Beside it: Bitcoin Core, `src/node/txorphanage.h`; CVE-2024-52914.
"""

from dataclasses import dataclass, field

from chain.block import Block
from chain.transaction import OutPoint, Transaction

MAX_WEIGHT = 404_000
"""Weight units a peer: Core's DEFAULT_RESERVED_ORPHAN_WEIGHT_PER_PEER, the largest standard
transaction with room to spare."""
MAX_COUNT = 100
"""Orphans a peer: Core's limit before 2025, there for all peers together."""


@dataclass(slots=True)
class _Orphan:
    tx: Transaction
    spent: frozenset[OutPoint]
    links: dict[int, None] = field(default_factory=dict)


class Orphans:
    """All orphans, by wtxid."""

    def __init__(self) -> None:
        self._orphans: dict[bytes, _Orphan] = {}
        self._by_parent: dict[bytes, dict[bytes, None]] = {}
        """For each parent's txid the wtxids of its children here."""
        self._shares: dict[int, dict[bytes, None]] = {}
        """For each link the wtxids that count against it, oldest first."""

    def __len__(self) -> int:
        return len(self._orphans)

    def __contains__(self, wtxid: bytes) -> bool:
        return wtxid in self._orphans

    def get(self, wtxid: bytes) -> Transaction | None:
        """The orphan, or None."""
        orphan = self._orphans.get(wtxid)
        return orphan.tx if orphan else None

    def link_of(self, wtxid: bytes) -> int:
        """The first link that it came from. KeyError if it is not here."""
        return next(iter(self._orphans[wtxid].links))

    def add(self, tx: Transaction, link: int) -> None:
        """Keep `tx`, on account of `link`; if it is here already, on its account too."""
        orphan = self._orphans.get(tx.wtxid)
        if orphan is None:
            orphan = self._orphans[tx.wtxid] = _Orphan(tx, _spent(tx))
            for parent in _parents(tx):
                self._by_parent.setdefault(parent, {})[tx.wtxid] = None
        orphan.links[link] = None
        share = self._shares.setdefault(link, {})
        share[tx.wtxid] = None
        while len(share) > MAX_COUNT or self._weight(share) > MAX_WEIGHT:
            self._release(next(iter(share)), link)

    def _weight(self, share: dict[bytes, None]) -> int:
        return sum(self._orphans[wtxid].tx.weight for wtxid in share)

    def _release(self, wtxid: bytes, link: int) -> None:
        """This link no longer answers for it; if no other does, it goes."""
        del self._shares[link][wtxid]
        del self._orphans[wtxid].links[link]
        if not self._orphans[wtxid].links:
            self.remove(wtxid)

    def remove(self, wtxid: bytes) -> None:
        """It is no orphan any more, or will never be anything else."""
        orphan = self._orphans.pop(wtxid, None)
        if orphan is None:
            return
        for link in orphan.links:
            del self._shares[link][wtxid]
        for parent in _parents(orphan.tx):
            children = self._by_parent[parent]
            del children[wtxid]
            if not children:
                del self._by_parent[parent]

    def forget(self, link: int) -> None:
        """The link is gone: nobody is charged for it any more."""
        for wtxid in list(self._shares.get(link, ())):
            self._release(wtxid, link)
        self._shares.pop(link, None)

    def children_of(self, txid: bytes) -> list[bytes]:
        """wtxids of the orphans that spend an output of `txid`."""
        return list(self._by_parent.get(txid, ()))

    def remove_for_block(self, block: Block) -> None:
        """Drop what the block contains, and what it has made impossible."""
        for tx in block.transactions:
            self.remove(tx.wtxid)
            for tx_in in tx.inputs:
                for wtxid in self.children_of(tx_in.outpoint.txid):
                    if tx_in.outpoint in self._orphans[wtxid].spent:
                        self.remove(wtxid)


def _parents(tx: Transaction) -> dict[bytes, None]:
    """The txids that it spends from, each once, in order."""
    return dict.fromkeys(tx_in.outpoint.txid for tx_in in tx.inputs)


def _spent(tx: Transaction) -> frozenset[OutPoint]:
    return frozenset(tx_in.outpoint for tx_in in tx.inputs)
