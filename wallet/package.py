"""Packages: what waits together, and what a child must add so that all of it pays a rate.

A miner takes a transaction only with those it waits for, and looks at what they pay together. So
who spends a pending coin pays for its parents too where they pay less than he wants to. This file
knows fees, sizes and who waits for whom; no node, no coins.

Beside it: Bitcoin Core, node/mini_miner.cpp.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple


class Waiting(NamedTuple):
    """A transaction that waits: satoshis, virtual bytes, and what it spends outputs of."""

    txid: bytes
    fee: int
    vsize: int
    parents: frozenset[bytes]


def above(txids: Iterable[bytes], waiting: Mapping[bytes, Waiting]) -> set[bytes]:
    """Those of `waiting` that these wait for, themselves included."""
    found, new = set[bytes](), {txid for txid in txids if txid in waiting}
    while new:
        found |= new
        new = {txid for known in new for txid in waiting[known].parents if txid in waiting} - found
    return found


def rate_of(package: Collection[Waiting]) -> int:
    """What they pay together, in satoshis a 1,000 virtual bytes, rounded up."""
    fee, vsize = sum(member.fee for member in package), sum(member.vsize for member in package)
    return -(-fee * 1000 // max(vsize, 1))


def missing_fee(txids: Iterable[bytes], waiting: Mapping[bytes, Waiting], rate_per_kvb: int) -> int:
    """What a child of these must add so that they and all above them are mined at such a rate.

    What pays it without help is mined without it, and its surplus helps nobody.
    """
    left = {txid: waiting[txid] for txid in above(txids, waiting)}
    while left:
        packages = [above([txid], left) for txid in left]
        best = max(packages, key=lambda some: rate_of([left[txid] for txid in some]))
        if _missing(best, left, rate_per_kvb) > 0:
            break
        left = {txid: member for txid, member in left.items() if txid not in best}
    return max(0, _missing(left, left, rate_per_kvb))


def _missing(package: Iterable[bytes], waiting: Mapping[bytes, Waiting], rate_per_kvb: int) -> int:
    members = [waiting[txid] for txid in package]
    vsize = sum(member.vsize for member in members)
    return -(-rate_per_kvb * vsize // 1000) - sum(member.fee for member in members)
