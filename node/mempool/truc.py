"""TRUC: transactions of version 3, which promise tiny families so that fees can be bumped.

A family is one parent and one child, both of version 3, the child small: nobody can pin the parent
by hanging something large or many things on it. Knows what waits and, for a package, what is handed
in together. Beside it: BIP431; Bitcoin Core, `src/policy/truc_policy.cpp`. Left out as there: more
than one parent or child, for which the rules would have to be written anew.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

from chain.encoding import display_hash
from chain.transaction import Transaction
from node.entry import MempoolEntry
from node.mempool.reasons import PolicyReason, Rejected

VERSION = 3  # Core's TRUC_VERSION
MAX_VSIZE = 10_000  # Core's TRUC_MAX_VSIZE
MAX_CHILD_VSIZE = 1_000  # Core's TRUC_CHILD_MAX_VSIZE


def check_single(
    newcomer: MempoolEntry,
    parents: Collection[MempoolEntry],
    conflicts: Collection[MempoolEntry],
    *,
    may_evict_sibling: bool,
) -> MempoolEntry | None:
    """The rules for a transaction whose `parents` wait, replacing `conflicts`. Rejected if not met.

    Returns the sibling that must be evicted for it, if nothing else stands in its way and that may
    be considered. Core: SingleTRUCChecks.
    """
    for parent in _in_order(parents):
        _check_versions(newcomer.tx, parent.tx)
    if newcomer.tx.version != VERSION:
        return None
    _check_size(newcomer, MAX_VSIZE, "")
    if not parents:
        return None
    (parent, *others) = parents
    if others or parent.parents:
        _refuse(f"{_named(newcomer.tx)} would have too many ancestors")
    _check_size(newcomer, MAX_CHILD_VSIZE, "child ")
    siblings = parent.descendants()
    if not siblings or not siblings.isdisjoint(conflicts):
        return None
    # More than one descendant, or an elder one with another parent, is left by a reorganisation.
    (sibling, *more) = siblings
    if more or len(sibling.ancestors()) > 1 or not may_evict_sibling:
        _refuse_descendant(parent.tx)
    return sibling


def check_package(
    newcomer: MempoolEntry, parents: Collection[MempoolEntry], package: Sequence[Transaction]
) -> None:
    """The rules for one of a `package`, topologically sorted; `parents` wait. Rejected if not met.

    Core: PackageTRUCChecks.
    """
    tx = newcomer.tx
    spent = {tx_in.outpoint.txid for tx_in in tx.inputs}
    before = package[: package.index(tx)]
    beside = [other for other in before if other.txid in spent]
    waiting = [parent.tx for parent in _in_order(parents)]
    if tx.version != VERSION:
        for parent in (*waiting, *beside):
            _check_versions(tx, parent)
        return
    if len(waiting) + len(beside) > 1 or any(parent.parents for parent in parents):
        _refuse(f"{_named(tx)} would have too many ancestors")
    for parent in (*waiting, *beside):
        _check_size(newcomer, MAX_CHILD_VSIZE, "child ")
        _check_versions(tx, parent)
        for other, source in _spends_of_others(tx, package):
            if source == parent.txid:
                _refuse_descendant(parent)
            if source == tx.txid:
                _refuse(f"{_named(other)} would have too many ancestors")
    for entry in parents:
        if entry.children:
            _refuse_descendant(entry.tx)


def _spends_of_others(
    tx: Transaction, package: Sequence[Transaction]
) -> Iterator[tuple[Transaction, bytes]]:
    """The other transactions, each with the txid of what it spends, input by input."""
    for other in package:
        if other is not tx:
            for tx_in in other.inputs:
                yield other, tx_in.outpoint.txid


def _in_order(parents: Iterable[MempoolEntry]) -> list[MempoolEntry]:
    """As Core finds them: the first that is wrong gives the refusal its name."""
    return sorted(parents, key=lambda parent: parent.txid)


def _check_versions(tx: Transaction, parent: Transaction) -> None:
    """Of a waiting family all are of version 3, or none is."""
    if (tx.version == VERSION) != (parent.version == VERSION):
        kinds = ("version=3", "non-version=3")[:: 1 if tx.version == VERSION else -1]
        _refuse(f"{kinds[0]} {_named(tx)} cannot spend from {kinds[1]} {_named(parent)}")


def _check_size(newcomer: MempoolEntry, limit: int, kin: str) -> None:
    if newcomer.vsize > limit:
        size = f"{newcomer.vsize} > {limit} virtual bytes"
        _refuse(f"version=3 {kin}{_named(newcomer.tx)} is too big: {size}")


def _refuse_descendant(parent: Transaction) -> None:
    _refuse(f"{_named(parent)} would exceed descendant count limit")


def _refuse(detail: str) -> None:
    raise Rejected(PolicyReason.TRUC_VIOLATION, detail)


def _named(tx: Transaction) -> str:
    return f"tx {display_hash(tx.txid)} (wtxid={display_hash(tx.wtxid)})"
