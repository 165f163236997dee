"""Replacement: when a newcomer that spends what waiting transactions spend may throw them out.

Any waiting transaction may be replaced, whatever its sequence numbers say. It knows the fees and
sizes of both sides; what else a transaction must satisfy is in `acceptance`. Beside it: Bitcoin
Core, `src/policy/rbf.cpp`; BIP125, whose rules 1 and 2 are given up.

Simplified: Core compares the whole feerate diagrams of the mempool before and after; here the
newcomer must pay a higher feerate than each transaction it directly conflicts with.
"""

from chain.encoding import display_hash
from node.entry import MempoolEntry, cluster, fee_at
from node.errors import PolicyReason, Rejected
from node.policy import format_money

MAX_CONFLICTING_CLUSTERS = 100
"""Core's MAX_REPLACEMENT_CANDIDATES; in BIP125's fifth rule so many transactions."""


def evicted_by(conflicts: set[MempoolEntry], txid: bytes) -> set[MempoolEntry]:
    """What would have to go: the conflicts and all that hangs on them.

    Rejected if they are in too many clusters. Core: GetEntriesForConflicts.
    """
    clusters = {frozenset(cluster([conflict])) for conflict in conflicts}
    if len(clusters) > MAX_CONFLICTING_CLUSTERS:
        raise Rejected(
            PolicyReason.TOO_MANY_POTENTIAL_REPLACEMENTS,
            f"rejecting replacement {display_hash(txid)}; too many conflicting clusters "
            f"({len(clusters)} > {MAX_CONFLICTING_CLUSTERS})",
        )
    return conflicts.union(*(conflict.descendants() for conflict in conflicts))


def check_not_its_own_ancestor(
    parents: set[MempoolEntry], conflicts: set[MempoolEntry], txid: bytes
) -> None:
    """Rejected if the newcomer spends what it replaces. Core: EntriesAndTxidsDisjoint."""
    ancestors = parents.union(*(parent.ancestors() for parent in parents))
    for entry in sorted(ancestors & conflicts, key=lambda entry: entry.sequence):
        raise Rejected(
            PolicyReason.BAD_TXNS_SPENDS_CONFLICTING_TX,
            f"{display_hash(txid)} spends conflicting transaction {display_hash(entry.txid)}",
        )


def check_pays(
    newcomer: MempoolEntry, evicted: set[MempoolEntry], incremental_feerate: int
) -> None:
    """Rejected if miners would lose fees, or the relay is not paid for. Core: PaysForRBF."""
    refusal = f"rejecting replacement {display_hash(newcomer.txid)}"
    lost = sum(entry.fee for entry in evicted)
    if newcomer.fee < lost:
        figures = f"{format_money(newcomer.fee)} < {format_money(lost)}"
        raise Rejected(
            PolicyReason.INSUFFICIENT_FEE, f"{refusal}, less fees than conflicting txs; {figures}"
        )
    gain, needed = newcomer.fee - lost, fee_at(incremental_feerate, newcomer.vsize)
    if gain < needed:
        figures = f"{format_money(gain)} < {format_money(needed)}"
        raise Rejected(
            PolicyReason.INSUFFICIENT_FEE,
            f"{refusal}, not enough additional fees to relay; {figures}",
        )


def check_improves(newcomer: MempoolEntry, conflicts: set[MempoolEntry]) -> None:
    """Rejected if the next block could be the worse for it. Core: ImprovesFeerateDiagram."""
    if any(newcomer.fee * old.vsize <= old.fee * newcomer.vsize for old in conflicts):
        raise Rejected(
            PolicyReason.REPLACEMENT_FAILED,
            "insufficient feerate: does not improve feerate diagram",
        )
