"""Replacement: when newcomers that spend what waiting transactions spend may throw them out.

Any waiting transaction may be replaced, whatever its sequence numbers say: what counts is that
miners are better off and that the relay is paid for. Knows the fees, sizes and clusters of both
sides; what else a transaction must satisfy is in `acceptance`. Beside it: Bitcoin Core,
`src/policy/rbf.cpp`; BIP125, whose rules 1, 2 and 5 are given up for the diagram's.
"""

from collections.abc import Collection, Sequence

from chain.encoding import display_hash
from chain.transaction import format_money
from node.entry import MempoolEntry, fee_at
from node.mempool.cluster import Cluster
from node.mempool.feerate import FeeFrac, improves_strictly
from node.mempool.reasons import PolicyReason, Rejected

MAX_CONFLICTING_CLUSTERS = 100
"""Core's MAX_REPLACEMENT_CANDIDATES; in BIP125's fifth rule so many transactions."""


def evicted_by(
    conflicts: Collection[MempoolEntry], clusters: Collection[Cluster], txid: bytes, what: str = ""
) -> set[MempoolEntry]:
    """What would have to go: the conflicts, which are in `clusters`, and all that hangs on them.

    Rejected if those are too many. `what` is added to the reason. Core: GetEntriesForConflicts.
    """
    if len(clusters) > MAX_CONFLICTING_CLUSTERS:
        raise Rejected(
            PolicyReason.TOO_MANY_POTENTIAL_REPLACEMENTS,
            f"rejecting replacement {display_hash(txid)}; too many conflicting clusters "
            f"({len(clusters)} > {MAX_CONFLICTING_CLUSTERS})",
            argument=what,
        )
    return set(conflicts).union(*(conflict.descendants() for conflict in conflicts))


def check_pays(
    newcomers: Sequence[MempoolEntry],
    evicted: Collection[MempoolEntry],
    incremental_feerate: int,
    what: str = "",
) -> None:
    """Rejected if miners would lose fees, or the relay is not paid for. Core: PaysForRBF.

    Of a package the last, the child, gives its name. `what` is added to the reason.
    """
    paid = sum(entry.modified_fee for entry in newcomers)
    lost = sum(entry.modified_fee for entry in evicted)
    refusal = f"rejecting replacement {display_hash(newcomers[-1].txid)}"
    if paid < lost:
        figures = f"less fees than conflicting txs; {format_money(paid)} < {format_money(lost)}"
        raise Rejected(PolicyReason.INSUFFICIENT_FEE, f"{refusal}, {figures}", argument=what)
    gain = paid - lost
    needed = fee_at(incremental_feerate, sum(entry.vsize for entry in newcomers))
    if gain < needed:
        figures = f"{format_money(gain)} < {format_money(needed)}"
        detail = f"{refusal}, not enough additional fees to relay; {figures}"
        raise Rejected(PolicyReason.INSUFFICIENT_FEE, detail, argument=what)


def check_improves(before: Collection[Cluster], after: Collection[Cluster]) -> None:
    """Rejected unless the mempool's feerate diagram gets better somewhere and worse nowhere.

    `before` and `after` are the clusters that the change touches. Core: ImprovesFeerateDiagram.
    """
    if not improves_strictly(_diagram(after), _diagram(before)):
        raise Rejected(
            PolicyReason.REPLACEMENT_FAILED,
            "insufficient feerate: does not improve feerate diagram",
        )


def check_not_its_own_ancestor(newcomer: MempoolEntry, conflicts: Collection[MempoolEntry]) -> None:
    """Rejected if the newcomer spends what it replaces. Core: EntriesAndTxidsDisjoint."""
    own = newcomer.ancestors().intersection(conflicts)
    for entry in sorted(own, key=lambda entry: entry.txid):  # as Core finds them
        raise Rejected(
            PolicyReason.BAD_TXNS_SPENDS_CONFLICTING_TX,
            f"{display_hash(newcomer.txid)} spends conflicting transaction "
            f"{display_hash(entry.txid)}",
        )


def _diagram(clusters: Collection[Cluster]) -> list[FeeFrac]:
    return [chunk.feerate for cluster in clusters for chunk in cluster.chunks]
