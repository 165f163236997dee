"""Submission: a package handed in, its transactions one by one and then together.

What pays for itself gets in by itself, so that its fee is not counted for others; only those that
lacked fees or parents are judged together. Knows the mempool; the rules are in `package`. Beside
it: Bitcoin Core, `src/validation.cpp`, AcceptPackage.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chain.errors import Invalid
from chain.transaction import Transaction
from node.entry import MempoolEntry
from node.mempool.mempool import Mempool
from node.mempool.package import PackageRejected, check_well_formed, is_child_with_parents
from node.mempool.reasons import PackageReason, PolicyClass, PolicyReason, Rejected

RETRIED = {PolicyClass.RECONSIDERABLE, PolicyClass.MISSING_INPUTS}
"""What fails for these may pass in company."""


@dataclass(slots=True)
class PackageResult:
    """What became of a package. What has neither entry nor refusal was not judged."""

    error: PackageRejected | None = None
    """What is wrong with it as a whole."""
    entries: dict[bytes, MempoolEntry] = field(default_factory=dict)
    """By wtxid: what was taken in, or waited already (perhaps with another witness)."""
    refusals: dict[bytes, Rejected | Invalid] = field(default_factory=dict)
    """By wtxid."""
    new: set[MempoolEntry] = field(default_factory=set)
    """Which of the entries did not wait before."""
    together: tuple[MempoolEntry, ...] = ()
    """Those that were judged by what they pay together."""
    evicted: dict[bytes, set[MempoolEntry]] = field(default_factory=dict)
    """What was replaced, by the wtxid of the first, or only one, of those that replaced it. Nothing
    is said for one that did not stay."""


def submit(
    mempool: Mempool, txs: Sequence[Transaction], now: int, max_feerate: int = 0
) -> PackageResult:
    """Hand in a package, at `now` (Unix seconds); `max_feerate` in satoshis per kvB, 0 for any."""
    result = PackageResult()
    try:
        check_well_formed(txs)
        if len(txs) > 1 and not is_child_with_parents(txs):
            raise PackageRejected(PackageReason.PACKAGE_NOT_CHILD_WITH_PARENTS)
    except PackageRejected as error:
        result.error = error
        return result
    _Submission(mempool, now, max_feerate, result).run(txs)
    return result


class _Submission:
    def __init__(self, mempool: Mempool, now: int, max_feerate: int, result: PackageResult) -> None:
        self._mempool = mempool
        self._now = now
        self._max_feerate = max_feerate
        self._result = result

    def run(self, txs: Sequence[Transaction]) -> None:
        result = self._result
        left = [tx for tx in txs if not self._alone(tx)]
        if any(not self._may_be_retried(tx, txs) for tx in left):
            result.error = PackageRejected(PackageReason.TRANSACTION_FAILED)
        elif left:
            self._together(left)
        self._mempool.limit(self._now)
        for wtxid, entry in list(result.entries.items()):
            if entry.txid not in self._mempool:
                del result.entries[wtxid]
                result.evicted.pop(wtxid, None)
                result.refusals[wtxid] = Rejected(PolicyReason.MEMPOOL_FULL)
                result.error = PackageRejected(PackageReason.TRANSACTION_FAILED)

    def _may_be_retried(self, tx: Transaction, txs: Sequence[Transaction]) -> bool:
        return len(txs) > 1 and self._result.refusals[tx.wtxid].reason.result in RETRIED

    def _alone(self, tx: Transaction) -> bool:
        """Does it wait, or may it, by itself?"""
        result = self._result
        waiting = self._mempool.get(tx.txid)
        if waiting is not None:
            result.entries[tx.wtxid] = waiting
            return True
        try:
            self._take([tx], together=False)
        except (Rejected, Invalid) as refusal:
            result.refusals[tx.wtxid] = refusal
        return tx.wtxid in result.entries

    def _together(self, txs: Sequence[Transaction]) -> None:
        """Those that failed alone; a single one gets a second chance by itself."""
        try:
            if len(txs) > 1:
                self._take(txs, together=True)
            elif not self._alone(txs[0]):
                raise PackageRejected(PackageReason.TRANSACTION_FAILED)
        except PackageRejected as error:
            self._result.error = error
            self._result.refusals.update(error.refusals)

    def _take(self, txs: Sequence[Transaction], *, together: bool) -> None:
        judgement = self._mempool.judge(
            txs, self._now, max_feerate=self._max_feerate, together=together
        )
        self._mempool.take(judgement)
        result = self._result
        for entry in judgement.entries:
            result.refusals.pop(entry.tx.wtxid, None)
            result.entries[entry.tx.wtxid] = entry
            result.new.add(entry)
        result.evicted[judgement.entries[0].tx.wtxid] = judgement.evicted
        if together:
            result.together = judgement.entries
