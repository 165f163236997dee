"""Packages: transactions handed in together, so that a child can pay for its poor parents.

A package is a child with some of its parents, at most 25; here all or none of them get in, judged
by what they pay together. Who is tried alone first is for `submission` to say, and the rules for
one transaction are in `acceptance`. Beside it: Bitcoin Core, `doc/policy/packages.md`,
`src/policy/packages.cpp` and `src/validation.cpp` (AcceptPackage, AcceptMultipleTransactions).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NoReturn

from chain.errors import Invalid
from chain.transaction import COIN, OutPoint, Transaction
from node.entry import MempoolEntry
from node.mempool import replacement, truc
from node.mempool.acceptance import Candidate, Judge, Judgement, Terms
from node.mempool.reasons import PackageReason, Rejected

MAX_TRANSACTIONS = 25  # Core's MAX_PACKAGE_COUNT
MAX_WEIGHT = 404_000  # Core's MAX_PACKAGE_WEIGHT


class PackageRejected(Exception):  # noqa: N818 - the word of the house, beside Rejected
    """Our policy says no to transactions handed in together."""

    def __init__(
        self,
        reason: PackageReason,
        detail: str = "",
        *,
        argument: str = "",
        refusals: Mapping[bytes, Rejected | Invalid] | None = None,
        passed: Sequence[MempoolEntry] = (),
    ) -> None:
        super().__init__(reason, detail, argument)
        self.reason = reason
        self.detail = detail
        self.argument = argument
        self.refusals = dict(refusals or {})
        """What was found about single ones, by wtxid."""
        self.passed = passed
        """Those that had passed everything."""

    def __str__(self) -> str:
        text = self.reason.text.format(self.argument)
        return f"{text}, {self.detail}" if self.detail else text


def check_well_formed(txs: Sequence[Transaction]) -> None:
    """What needs nothing but the package. PackageRejected. Core: IsWellFormedPackage."""
    if len(txs) > MAX_TRANSACTIONS:
        raise PackageRejected(PackageReason.PACKAGE_TOO_MANY_TRANSACTIONS)
    if len(txs) > 1 and sum(tx.weight for tx in txs) > MAX_WEIGHT:
        raise PackageRejected(PackageReason.PACKAGE_TOO_LARGE)
    later = {tx.txid for tx in txs}
    if len(later) < len(txs):
        raise PackageRejected(PackageReason.PACKAGE_CONTAINS_DUPLICATES)
    for tx in txs:
        if any(tx_in.outpoint.txid in later for tx_in in tx.inputs):
            raise PackageRejected(PackageReason.PACKAGE_NOT_SORTED)
        later.remove(tx.txid)
    spent: set[OutPoint] = set()
    for tx in txs:
        own = {tx_in.outpoint for tx_in in tx.inputs}
        if not own or own & spent:
            raise PackageRejected(PackageReason.CONFLICT_IN_PACKAGE)
        spent |= own


def is_child_with_parents(txs: Sequence[Transaction]) -> bool:
    """Is the last a child of all others? Core: IsChildWithParents."""
    sources = {tx_in.outpoint.txid for tx_in in txs[-1].inputs}
    return len(txs) > 1 and all(tx.txid in sources for tx in txs[:-1])


def is_child_with_tree(txs: Sequence[Transaction]) -> bool:
    """The same, and no parent spends from another. Core: IsChildWithParentsTree."""
    parents = {tx.txid for tx in txs[:-1]}
    sources = {tx_in.outpoint.txid for tx in txs[:-1] for tx_in in tx.inputs}
    return is_child_with_parents(txs) and not parents & sources


def judge_together(judge: Judge, txs: Sequence[Transaction], terms: Terms) -> Judgement:
    """The judgement on all of `txs` or none. PackageRejected says whose fault it is.

    Core: AcceptMultipleTransactions.
    """
    check_well_formed(txs)
    candidates = _candidates(judge, txs, terms)
    for candidate in candidates:
        try:
            truc.check_package(candidate.entry, candidate.waiting_parents, txs)
        except Rejected as refusal:
            raise PackageRejected(PackageReason.TRUC_VIOLATION, refusal.detail) from refusal
    entries = tuple(candidate.entry for candidate in candidates)
    if not terms.pays_alone:
        fee = sum(entry.modified_fee for entry in entries)
        vsize = sum(entry.vsize for entry in entries)
        with _blaming(txs[-1]):
            judge.check_feerate(fee, vsize, terms.min_feerate or 0)
    evicted: set[MempoolEntry] = set()
    if any(candidate.conflicts for candidate in candidates):
        evicted = _replaced_by(judge, candidates)
    _check_clusters(judge, candidates, evicted)
    for tx in txs:
        with _blaming(tx, PackageReason.UNSPENT_DUST):
            judge.check_dust_spent(tx, txs)
    for number, candidate in enumerate(candidates):
        with _blaming(txs[number], passed=entries[:number]):
            judge.check_scripts(candidate)
    return Judgement(entries, evicted)


def _candidates(judge: Judge, txs: Sequence[Transaction], terms: Terms) -> list[Candidate]:
    """Each with those before it in view."""
    candidates: list[Candidate] = []
    earlier: dict[bytes, MempoolEntry] = {}
    for tx in txs:
        with _blaming(tx):
            candidate = judge.candidate(tx, terms, earlier)
            judge.check_not_absurd(candidate.entry, terms)
        candidates.append(candidate)
        earlier[tx.txid] = candidate.entry
    return candidates


def _replaced_by(judge: Judge, candidates: Sequence[Candidate]) -> set[MempoolEntry]:
    """What a package replaces: only one of a parent and its child may. Core: PackageRBFChecks."""
    txs = [candidate.entry.tx for candidate in candidates]
    if len(txs) != 2 or not is_child_with_parents(txs):
        _refuse_replacement("package must be 1-parent-1-child")
    if any(candidate.waiting_parents for candidate in candidates):
        _refuse_replacement("new transaction cannot have mempool ancestors")
    entries = [candidate.entry for candidate in candidates]
    conflicts = {each for candidate in candidates for each in candidate.conflicts}
    clusters = judge.pool.clusters_of(conflicts)
    try:
        evicted = replacement.evicted_by(conflicts, clusters, entries[-1].txid)
    except Rejected as refusal:
        _refuse_replacement("too many potential replacements", refusal.detail)
    try:
        feerate = judge.options.incremental_relay_feerate
        replacement.check_pays(entries, evicted, feerate)
    except Rejected as refusal:
        _refuse_replacement("insufficient anti-DoS fees", refusal.detail)
    _check_child_pays(*entries)
    _check_clusters(judge, candidates, evicted)
    try:
        judge.check_improves(candidates, evicted)
    except Rejected as refusal:
        _refuse_replacement(refusal.detail)
    return evicted


def _check_child_pays(parent: MempoolEntry, child: MempoolEntry) -> None:
    """The child must lift its parent, not only pay for the relay."""
    fee, vsize = parent.modified_fee + child.modified_fee, parent.vsize + child.vsize
    if fee * parent.vsize <= parent.modified_fee * vsize:
        together, alone = _shown(fee, vsize), _shown(parent.modified_fee, parent.vsize)
        _refuse_replacement(
            "package feerate is less than or equal to parent feerate",
            f"package feerate {together} <= parent feerate is {alone}",
        )


def _shown(fee: int, vsize: int) -> str:
    """Core: CFeeRate::ToString, in coins for 1,000 virtual bytes, eight decimals."""
    whole, rest = divmod(fee * 1_000 // vsize, COIN)
    return f"{whole}.{rest:08d} BTC/kvB"


def _check_clusters(
    judge: Judge, candidates: Sequence[Candidate], evicted: set[MempoolEntry]
) -> None:
    try:
        judge.check_clusters(candidates, evicted)
    except Rejected as refusal:
        raise PackageRejected(PackageReason.TOO_LARGE_CLUSTER) from refusal


def _refuse_replacement(what: str, detail: str = "") -> NoReturn:
    raise PackageRejected(PackageReason.PACKAGE_RBF_FAILED, detail, argument=what)


@contextmanager
def _blaming(
    tx: Transaction,
    reason: PackageReason = PackageReason.TRANSACTION_FAILED,
    passed: Sequence[MempoolEntry] = (),
) -> Iterator[None]:
    """What is refused within is the fault of `tx`."""
    try:
        yield
    except (Rejected, Invalid) as refusal:
        refusals = {tx.wtxid: refusal}
        raise PackageRejected(reason, refusals=refusals, passed=passed) from refusal
