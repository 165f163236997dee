"""Acceptance: may this transaction wait here? All rules, in the order in which Core asks them.

Cheap questions come first and signatures last, so that refusing costs less than asking. It changes
nothing: the answer is what is ready to be added and what has to make room for it, or an exception.
It never looks at all that wait, only at what the transaction touches. Several transactions at once
are for `package`, which asks the same questions here. Beside it: Bitcoin Core,
`src/validation.cpp`, MemPoolAccept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chain.chainstate import Chainstate
from chain.coins import Coin
from chain.encoding import display_hash
from chain.script.check import ScriptCheck
from chain.script.flags import STANDARD_FLAGS
from chain.transaction import OutPoint, Transaction
from chain.tx_rules import check_inputs, check_transaction, is_final, sequence_locks, sigop_cost
from node.entry import MempoolEntry, fee_at
from node.mempool import policy, replacement, truc
from node.mempool.cluster import Limits
from node.mempool.policy import PolicyOptions
from node.mempool.pool import Pool
from node.mempool.reasons import PolicyReason, Rejected

MAX_OUTPUTS_PROBED = 64
"""So many outputs are looked up to tell a transaction long mined from one whose parents we lack."""
SIBLING = " (including sibling eviction)"


class Terms(NamedTuple):
    """In what context a transaction is judged. Core: ATMPArgs."""

    now: int
    """Unix seconds."""
    min_feerate: int | None = 0
    """Satoshis per kvB that a pool asks for because it is full. None lets in any fee, any
    family and any dust: for the transactions of a block that was disconnected."""
    pays_alone: bool = True
    """False: for its fee it is judged together with others (`package`)."""
    may_replace: bool = True
    may_evict_sibling: bool = True
    max_feerate: int = 0
    """Satoshis per kvB that whoever hands it in would pay; 0 for no limit."""


@dataclass(slots=True)
class Candidate:
    """A transaction that passed all rules but those that look at its neighbours."""

    entry: MempoolEntry
    """Linked to its relatives; they are not linked to it."""
    coins: list[Coin]
    """What it spends, one an input."""
    waiting_parents: set[MempoolEntry]
    conflicts: set[MempoolEntry]
    """What it cannot wait beside: spenders of the same coins, and a sibling."""
    evicts_sibling: bool = False


class Judgement(NamedTuple):
    """What may wait, parents first, and what it replaces."""

    entries: tuple[MempoolEntry, ...]
    evicted: set[MempoolEntry]


class Judge:
    """The rules of one node for newcomers to its pool."""

    def __init__(
        self, pool: Pool, chainstate: Chainstate, options: PolicyOptions, limits: Limits
    ) -> None:
        self.pool = pool
        self.options = options
        self._chainstate = chainstate
        self._limits = limits

    def examine(self, tx: Transaction, terms: Terms) -> Judgement:
        """The judgement on `tx` alone; Rejected by policy or Invalid by consensus."""
        candidate = self.candidate(tx, terms)
        evicted = self.replaced_by([candidate]) if candidate.conflicts else set()
        self.check_clusters([candidate], evicted)
        replacement.check_not_its_own_ancestor(candidate.entry, candidate.conflicts)
        self.check_not_absurd(candidate.entry, terms)
        if terms.min_feerate is not None:
            self.check_dust_spent(tx)
        self.check_scripts(candidate)
        return Judgement((candidate.entry,), evicted)

    # A transaction and what it spends. Core: PreChecks.

    def candidate(
        self, tx: Transaction, terms: Terms, earlier: Mapping[bytes, MempoolEntry] | None = None
    ) -> Candidate:
        """`tx` as a candidate; `earlier` are those of its package before it, by txid."""
        self._check_alone(tx)
        self._check_new(tx)
        conflicts = self._conflicts(tx, terms)
        fee, coins = self._check_spends(tx, earlier or {})
        self._check_standard_spends(tx, coins)
        cost = sigop_cost(tx, coins, STANDARD_FLAGS)
        weight = max(tx.weight, cost * self.options.bytes_per_sigop)
        tip = self._chainstate.tip
        entry = MempoolEntry(tx, fee, weight, cost, terms.now, tip.height)
        entry.delta = self.pool.deltas.get(tx.txid, 0)
        self._check_dust(entry)
        if cost > policy.MAX_SIGOP_COST:
            raise Rejected(PolicyReason.BAD_TXNS_TOO_MANY_SIGOPS, str(cost))
        if terms.pays_alone and terms.min_feerate is not None:
            self.check_feerate(entry.modified_fee, entry.vsize, terms.min_feerate)
        parents = self.pool.parents_of(tx)
        beside = earlier or {}
        sources = (tx_in.outpoint.txid for tx_in in tx.inputs)
        entry.parents = parents | {beside[txid] for txid in sources if txid in beside}
        found = Candidate(entry, coins, parents, conflicts)
        if terms.min_feerate is not None:
            may_evict = terms.may_evict_sibling
            sibling = truc.check_single(entry, parents, conflicts, may_evict_sibling=may_evict)
            if sibling is not None:
                conflicts.add(sibling)
                found.evicts_sibling = True
        return found

    def _check_alone(self, tx: Transaction) -> None:
        """What needs only the transaction and the time."""
        check_transaction(tx)
        if tx.is_coinbase:
            raise Rejected(PolicyReason.COINBASE)
        if not self.options.accept_nonstandard:
            policy.check_standard(tx, self.options)
        if tx.stripped_size < policy.MIN_STRIPPED_SIZE:
            raise Rejected(PolicyReason.TX_SIZE_SMALL)
        self._check_final(tx)

    def _check_final(self, tx: Transaction) -> None:
        tip = self._chainstate.tip
        if not is_final(tx, tip.height + 1, tip.median_time_past):
            raise Rejected(PolicyReason.NON_FINAL)

    def _check_new(self, tx: Transaction) -> None:
        if self.pool.get_by_wtxid(tx.wtxid):
            raise Rejected(PolicyReason.TXN_ALREADY_IN_MEMPOOL)
        if tx.txid in self.pool:
            raise Rejected(PolicyReason.TXN_SAME_NONWITNESS_DATA_IN_MEMPOOL)

    def _conflicts(self, tx: Transaction, terms: Terms) -> set[MempoolEntry]:
        spenders = (self.pool.spender_of(tx_in.outpoint) for tx_in in tx.inputs)
        conflicts = {spender for spender in spenders if spender is not None}
        if conflicts and not terms.may_replace:
            raise Rejected(PolicyReason.BIP125_REPLACEMENT_DISALLOWED)
        return conflicts

    def _check_spends(
        self, tx: Transaction, earlier: Mapping[bytes, MempoolEntry]
    ) -> tuple[int, list[Coin]]:
        """Whether its coins are there, old enough and worth enough. Returns the fee and them."""
        height = self._chainstate.tip.height + 1
        coins: dict[OutPoint, Coin] = {}
        for outpoint, *_ in tx.inputs:
            coin = self.pool.coin(outpoint, height) or self._chainstate.coins.get(outpoint)
            if coin is None and (parent := earlier.get(outpoint.txid)):
                coin = parent.coin(outpoint.index, height)
            if coin is None:
                raise Rejected(self._why_missing(tx))
            coins[outpoint] = coin
        self._check_relative_locks(tx, [coin.height for coin in coins.values()])
        return check_inputs(tx, coins.get, height, self._chainstate.params)

    def _check_relative_locks(self, tx: Transaction, coin_heights: list[int]) -> None:
        tip = self._chainstate.tip
        height, time = sequence_locks(
            tx, coin_heights, lambda at: tip.ancestor(at).median_time_past
        )
        if height > tip.height or time >= tip.median_time_past:
            raise Rejected(PolicyReason.NON_BIP68_FINAL)

    def recheck(self, entry: MempoolEntry) -> None:
        """What a reorganisation may have undone. Raises as `examine` does."""
        self._check_final(entry.tx)
        self._check_spends(entry.tx, {})

    def _why_missing(self, tx: Transaction) -> PolicyReason:
        for index in range(min(len(tx.outputs), MAX_OUTPUTS_PROBED)):
            if self._chainstate.coins.get(OutPoint(tx.txid, index)):
                return PolicyReason.TXN_ALREADY_KNOWN
        return PolicyReason.BAD_TXNS_INPUTS_MISSINGORSPENT

    def _check_standard_spends(self, tx: Transaction, coins: list[Coin]) -> None:
        """What is relayed depends on what is spent."""
        if not self.options.accept_nonstandard:
            policy.check_inputs_standard(tx, coins)
            if tx.has_witness:
                policy.check_witness_standard(tx, coins)

    def _check_dust(self, entry: MempoolEntry) -> None:
        """Nobody may gain by mining it alone. Core: PreCheckEphemeralTx."""
        if self.options.accept_nonstandard or not (entry.fee or entry.modified_fee):
            return
        if policy.dust(entry.tx, self.options.dust_relay_feerate):
            raise Rejected(PolicyReason.DUST, "tx with dust output must be 0-fee")

    def check_feerate(self, fee: int, vsize: int, min_feerate: int) -> None:
        """Rejected unless `fee` is enough for a full pool and for being relayed at all."""
        needed = fee_at(min_feerate, vsize)
        if needed > 0 and fee < needed:
            raise Rejected(PolicyReason.MEMPOOL_MIN_FEE_NOT_MET, f"{fee} < {needed}")
        needed = fee_at(self.options.min_relay_feerate, vsize)
        if fee < needed:
            raise Rejected(PolicyReason.MIN_RELAY_FEE_NOT_MET, f"{fee} < {needed}")

    # Its neighbours.

    def replaced_by(self, candidates: Sequence[Candidate]) -> set[MempoolEntry]:
        """What one transaction replaces. Rejected if it may not. Core: ReplacementChecks."""
        (candidate,) = candidates
        what = SIBLING if candidate.evicts_sibling else ""
        clusters = self.pool.clusters_of(candidate.conflicts)
        evicted = replacement.evicted_by(candidate.conflicts, clusters, candidate.entry.txid, what)
        feerate = self.options.incremental_relay_feerate
        replacement.check_pays([candidate.entry], evicted, feerate, what)
        self.check_clusters(candidates, evicted)
        self.check_improves(candidates, evicted)
        return evicted

    def check_clusters(self, candidates: Sequence[Candidate], evicted: set[MempoolEntry]) -> None:
        """Rejected if too many would hang together. Core: CheckMemPoolPolicyLimits."""
        if not self.pool.are_within(self._limits, [each.entry for each in candidates], evicted):
            raise Rejected(PolicyReason.TOO_LARGE_CLUSTER)

    def check_improves(self, candidates: Sequence[Candidate], evicted: set[MempoolEntry]) -> None:
        """Rejected unless the next blocks gain."""
        entries = [each.entry for each in candidates]
        before, after = self.pool.compare(entries, evicted)
        replacement.check_improves(before, after)

    def check_not_absurd(self, entry: MempoolEntry, terms: Terms) -> None:
        """Rejected if it pays more than its sender means to."""
        if terms.max_feerate and entry.modified_fee * 1_000 > terms.max_feerate * entry.vsize:
            raise Rejected(PolicyReason.MAX_FEERATE_EXCEEDED)

    def check_dust_spent(self, tx: Transaction, package: Sequence[Transaction] = ()) -> None:
        """Dust of a parent, waiting or of its package, must be swept up by the child.

        Core: CheckEphemeralSpends.
        """
        if self.options.accept_nonstandard:
            return
        spent = {tx_in.outpoint for tx_in in tx.inputs}
        txids = {outpoint.txid for outpoint in spent}
        parents = [other for other in package if other.txid in txids]
        parents += [parent.tx for parent in self.pool.parents_of(tx)]
        for parent in parents:
            for index in policy.dust(parent, self.options.dust_relay_feerate):
                if OutPoint(parent.txid, index) not in spent:
                    raise Rejected(
                        PolicyReason.MISSING_EPHEMERAL_SPENDS,
                        f"tx {display_hash(tx.txid)} (wtxid={display_hash(tx.wtxid)}) "
                        "did not spend parent's ephemeral dust",
                    )

    def check_scripts(self, candidate: Candidate) -> None:
        """Under the strictest flags, which imply every block's. Core: PolicyScriptChecks."""
        tx, coins = candidate.entry.tx, candidate.coins
        failure = ScriptCheck(tx, [coin.output for coin in coins], STANDARD_FLAGS).run()
        if failure is None:
            return
        reason = PolicyReason.MEMPOOL_SCRIPT_VERIFY_FLAG_FAILED
        if not tx.has_witness and policy.spends_witness_program(tx, coins):
            reason = PolicyReason.WITNESS_STRIPPED
        index = failure.input_index
        spent = tx.inputs[index].outpoint
        detail = (
            f"input {index} of {display_hash(tx.txid)} (wtxid {display_hash(tx.wtxid)}), "
            f"spending {display_hash(spent.txid)}:{spent.index}"
        )
        raise Rejected(reason, detail, argument=failure.error.text)
