"""Acceptance: may this transaction wait here? All rules, in the order in which Core asks them.

Cheap questions come first and signatures last, so that refusing costs less than asking. It changes
nothing: the answer is an entry ready to be added and the entries that have to make room for it, or
an exception. It never looks at all that wait, only at what the transaction touches. Beside it:
Bitcoin Core, `src/validation.cpp`, MemPoolAccept.
"""

from typing import NamedTuple

from chain.chainstate import Chainstate
from chain.coins import Coin
from chain.encoding import display_hash
from chain.script.check import checks_of, verify_serially
from chain.script.flags import STANDARD_FLAGS
from chain.transaction import OutPoint, Transaction, TxIn
from chain.tx_rules import check_inputs, check_transaction, is_final, sequence_locks, sigop_cost
from node import policy, replacement
from node.entry import MempoolEntry, cluster, fee_at
from node.errors import PolicyReason, Rejected
from node.policy import PolicyOptions
from node.pool import Pool

MAX_OUTPUTS_PROBED = 8
"""So many outputs are looked up to tell a transaction long mined from one whose parents we lack."""


class Judgement(NamedTuple):
    """A transaction that may wait: its entry, not yet linked, and what it replaces."""

    entry: MempoolEntry
    evicted: set[MempoolEntry]


class Judge:
    """The rules of one node for newcomers to its pool."""

    def __init__(self, pool: Pool, chainstate: Chainstate, options: PolicyOptions) -> None:
        self._pool = pool
        self._chainstate = chainstate
        self._options = options

    def examine(
        self, tx: Transaction, now: int, *, sequence: int, min_feerate: int | None
    ) -> Judgement:
        """The judgement on `tx`; Rejected by policy or Invalid by consensus.

        `min_feerate` (satoshis per kvB) is what the pool asks for because it is full. None lets
        any fee in: for transactions of a block that was disconnected.
        """
        self._check_alone(tx)
        self._check_new(tx)
        conflicts = {spender for spender in map(self._spender, tx.inputs) if spender is not None}
        fee, coins = self._check_spends(tx)
        cost = self._check_coins(tx, coins, fee)
        weight = max(tx.weight, cost * self._options.bytes_per_sigop)
        entry = MempoolEntry(tx, fee, weight, cost, now, self._chainstate.tip.height, sequence)
        if min_feerate is not None:
            self._check_feerate(entry, min_feerate)
        evicted = self._check_place(entry, conflicts)
        if not self._options.accept_nonstandard:
            self._check_dust_spent(tx)
        self._check_scripts(tx, coins)
        return Judgement(entry, evicted)

    def _spender(self, tx_in: TxIn) -> MempoolEntry | None:
        return self._pool.spender_of(tx_in.outpoint)

    def _check_alone(self, tx: Transaction) -> None:
        """What needs only the transaction and the time."""
        check_transaction(tx)
        if tx.is_coinbase:
            raise Rejected(PolicyReason.COINBASE)
        if not self._options.accept_nonstandard:
            policy.check_standard(tx, self._options)
        if tx.stripped_size < policy.MIN_STRIPPED_SIZE:
            raise Rejected(PolicyReason.TX_SIZE_SMALL)
        self._check_final(tx)

    def _check_final(self, tx: Transaction) -> None:
        tip = self._chainstate.tip
        if not is_final(tx, tip.height + 1, tip.median_time_past):
            raise Rejected(PolicyReason.NON_FINAL)

    def _check_new(self, tx: Transaction) -> None:
        if self._pool.get_by_wtxid(tx.wtxid):
            raise Rejected(PolicyReason.TXN_ALREADY_IN_MEMPOOL)
        if tx.txid in self._pool:
            raise Rejected(PolicyReason.TXN_SAME_NONWITNESS_DATA_IN_MEMPOOL)

    def _check_spends(self, tx: Transaction) -> tuple[int, list[Coin]]:
        """Whether its coins are there, old enough and worth enough. Returns the fee and them."""
        height = self._chainstate.tip.height + 1
        coins: dict[OutPoint, Coin] = {}
        for outpoint, *_ in tx.inputs:
            coin = self._pool.coin(outpoint, height) or self._chainstate.coins.get(outpoint)
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
        self._check_spends(entry.tx)

    def _why_missing(self, tx: Transaction) -> PolicyReason:
        for index in range(min(len(tx.outputs), MAX_OUTPUTS_PROBED)):
            if self._chainstate.coins.get(OutPoint(tx.txid, index)):
                return PolicyReason.TXN_ALREADY_KNOWN
        return PolicyReason.BAD_TXNS_INPUTS_MISSINGORSPENT

    def _check_coins(self, tx: Transaction, coins: list[Coin], fee: int) -> int:
        """What is relayed depends on what is spent. Returns the cost in signature operations."""
        if not self._options.accept_nonstandard:
            policy.check_inputs_standard(tx, coins)
            if tx.has_witness:
                policy.check_witness_standard(tx, coins)
            if fee and policy.dust(tx, self._options.dust_relay_feerate):
                raise Rejected(PolicyReason.DUST, "tx with dust output must be 0-fee")
        cost = sigop_cost(tx, coins, STANDARD_FLAGS)
        if cost > policy.MAX_SIGOP_COST:
            raise Rejected(PolicyReason.BAD_TXNS_TOO_MANY_SIGOPS, str(cost))
        return cost

    def _check_feerate(self, entry: MempoolEntry, min_feerate: int) -> None:
        needed = fee_at(min_feerate, entry.vsize)
        if entry.fee < needed:
            raise Rejected(PolicyReason.MEMPOOL_MIN_FEE_NOT_MET, f"{entry.fee} < {needed}")
        needed = fee_at(self._options.min_relay_feerate, entry.vsize)
        if entry.fee < needed:
            raise Rejected(PolicyReason.MIN_RELAY_FEE_NOT_MET, f"{entry.fee} < {needed}")

    def _check_place(self, entry: MempoolEntry, conflicts: set[MempoolEntry]) -> set[MempoolEntry]:
        """What hangs together with it, and what it replaces. Returns the latter."""
        parents = self._pool.parents_of(entry.tx)
        evicted: set[MempoolEntry] = set()
        if conflicts:
            replacement.check_not_its_own_ancestor(parents, conflicts, entry.txid)
            evicted = replacement.evicted_by(conflicts, entry.txid)
            replacement.check_pays(entry, evicted, self._options.incremental_relay_feerate)
        kin = cluster(parents | self._pool.children_of(entry.tx), without=evicted)
        if not self.fits(kin | {entry}):
            raise Rejected(PolicyReason.TOO_LARGE_CLUSTER)
        if conflicts:
            replacement.check_improves(entry, conflicts)
        return evicted

    def fits(self, kin: set[MempoolEntry]) -> bool:
        """May these hang together? Counted in weight, as Core does, so that no rounding adds up."""
        limit = self._options.max_cluster_vsize * 4
        few = len(kin) <= self._options.max_cluster_count
        return few and sum(entry.weight for entry in kin) <= limit

    def _check_dust_spent(self, tx: Transaction) -> None:
        """Dust of a waiting parent must be swept up by its child. Core: CheckEphemeralSpends."""
        spent = {tx_in.outpoint for tx_in in tx.inputs}
        for parent in self._pool.parents_of(tx):
            for index in policy.dust(parent.tx, self._options.dust_relay_feerate):
                if OutPoint(parent.txid, index) not in spent:
                    raise Rejected(
                        PolicyReason.MISSING_EPHEMERAL_SPENDS,
                        f"tx {display_hash(tx.txid)} (wtxid={display_hash(tx.wtxid)}) "
                        "did not spend parent's ephemeral dust",
                    )

    def _check_scripts(self, tx: Transaction, coins: list[Coin]) -> None:
        """Under the strictest flags, which imply every block's. Core: PolicyScriptChecks."""
        spent_outputs = [coin.output for coin in coins]
        failure = verify_serially(checks_of(tx, spent_outputs, STANDARD_FLAGS))
        if failure is None:
            return
        reason = PolicyReason.MEMPOOL_SCRIPT_VERIFY_FLAG_FAILED
        if not tx.has_witness and policy.spends_witness_program(tx, coins):
            reason = PolicyReason.WITNESS_STRIPPED
        index = failure.check.input_index
        spent = tx.inputs[index].outpoint
        detail = (
            f"input {index} of {display_hash(tx.txid)} (wtxid {display_hash(tx.wtxid)}), "
            f"spending {display_hash(spent.txid)}:{spent.index}"
        )
        raise Rejected(reason, detail, argument=failure.error.text)
