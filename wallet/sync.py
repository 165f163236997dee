"""What a node says, brought into the ledger: which scripts have a history, and what is new in it.

Every branch of every account is searched from its first script until so many in a row beyond the
last used or handed-out one are empty as the account's gap limit says (BIP 44). Each script's
history is read newest first and only down to the first confirmed line that is known already in the
same block: below it nothing can have changed, for that block's hash commits to all blocks before
it. So the first sync is long (though a block that holds much is read whole) and later ones are
short, and a reorganisation, a replacement or a dropped payment shows as known lines that are
missing.

Nothing is kept of a sync that fails halfway. A node can hide transactions and lie about blocks; it
cannot lie about amounts, for they are read from transactions whose ids were recomputed
(wallet.client).

Simplified: a script with more than 50 pending transactions shows only its newest 50.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from chain.encoding import parse_hash
from chain.errors import Invalid
from chain.transaction import Transaction
from chain.tx_rules import check_transaction
from wallet.account import Account
from wallet.conflicts import without_conflicts
from wallet.errors import NodeNonsense, NodeRefused
from wallet.ledger import KeyPath, Lane, Ledger, Record, Status, Tip, entries_of

if TYPE_CHECKING:
    # lazy: who hands a client in has loaded it; reading balances must not wait for HTTP
    from wallet.client import EsploraClient

MAX_SCRIPTS = 100_000  # on a branch: a node that finds payments on each script must end
MAX_FETCHED_BYTES = 200_000_000  # of a sync: as hex still less than a wallet's file may have
WORTH_A_BLOCK = 25  # transactions wanted of one block: then it is read whole
ATTEMPTS = 3  # the chain may move while we read it


def synchronise(
    client: "EsploraClient",
    accounts: Sequence[Account],
    ledger: Ledger,
    *,
    full: bool = False,
) -> Ledger:
    """The ledger as the node sees it now. `full` reads every history whole. Raises NodeError."""
    search = _Search(client, accounts, ledger, full)
    for _ in range(ATTEMPTS):
        tip, before = client.tip(), client.waiting_txids()
        search.run()
        chosen = without_conflicts(search.records())
        nothing_vanished_or_clashed = len(chosen) == len(search.statuses)
        if nothing_vanished_or_clashed and client.tip() == tip:
            waiting = _both(before, client.waiting_txids())
            return replace(search.ledger_of(chosen, tip), waiting=waiting)
    # Read while the chain moved: good enough to show, not to build on; the next sync reads it all.
    return replace(search.ledger_of(chosen, tip), scanned={}, waiting=None)


def is_welcome(client: "EsploraClient", transaction: Transaction) -> bool:
    """A payment of ours that this node lacks is handed to it; if it refuses, it is off."""
    try:
        client.broadcast(transaction)
    except NodeRefused:
        return False
    return True


def refuse_nonsense(transaction: Transaction) -> None:
    """NodeNonsense about a transaction that breaks a rule whatever it spends."""
    try:
        check_transaction(transaction)
    except Invalid as error:
        raise NodeNonsense(f"the node sent a transaction that cannot be: {error}") from None


def _both(before: set[bytes] | None, after: set[bytes] | None) -> frozenset[bytes] | None:
    """What waited all the time that histories were read: it was seen."""
    return None if before is None or after is None else frozenset(before & after)


@dataclass
class _Search:
    """One sync: what was asked and answered so far."""

    client: "EsploraClient"
    accounts: Sequence[Account]
    ledger: Ledger
    full: bool
    scripts: dict[KeyPath, bytes] = field(default_factory=dict)
    fetched: dict[bytes, Transaction] = field(default_factory=dict)
    mined: dict[bytes, Transaction] = field(default_factory=dict)
    fetched_bytes: int = 0
    statuses: dict[bytes, Status] = field(default_factory=dict)
    next_index: dict[Lane, int] = field(default_factory=dict)
    scanned: dict[Lane, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known = {} if self.full else self.ledger.touching()

    def run(self) -> None:
        """Ask for every script's history; the latest word on a transaction counts."""
        self.statuses = {}
        for number, account in enumerate(self.accounts):
            for branch in account.branches:
                self._search_lane((number, branch))
        self._send_again()

    def records(self) -> dict[bytes, Record]:
        """The transactions themselves, known ones first, without those that vanished meanwhile."""
        known = [txid for txid in self.ledger.entries if txid in self.statuses]
        new = [txid for txid in self.statuses if txid not in self.ledger.entries]
        self._read_blocks(new)
        records = {}
        for txid in known + new:
            transaction = self._transaction(txid)
            if transaction is not None:
                records[txid] = Record(transaction, self.statuses[txid], self._sent_here(txid))
        return records

    def ledger_of(self, records: dict[bytes, Record], tip: Tip) -> Ledger:
        """The next ledger; the old entries if nothing but the tip has moved."""
        entries = self.ledger.entries
        before = {txid: entry.status for txid, entry in entries.items()}
        if {txid: record.status for txid, record in records.items()} != before:
            entries = entries_of(records, {script: path for path, script in self.scripts.items()})
        return replace(
            self.ledger,
            entries=entries,
            tip=tip,
            next_index=dict(self.next_index),
            scanned=dict(self.scanned),
        )

    def _search_lane(self, lane: Lane) -> None:
        account, index = self.accounts[lane[0]], 0
        next_index = self.ledger.next_index.get(lane, 0)
        while index < next_index + account.gap_limit and index != account.limit:
            if self._read_history(KeyPath(*lane, index)):
                next_index = max(next_index, index + 1)
            index += 1
            if index > MAX_SCRIPTS:
                raise NodeNonsense("the node finds payments on every address without end")
        self.next_index[lane] = next_index
        self.scanned[lane] = index

    def _read_history(self, path: KeyPath) -> bool:
        """Bring one script's history into `statuses`; True if it has any."""
        if path not in self.scripts:
            self.scripts[path] = self.accounts[path.account].script(path.branch, path.number)
        is_complete = path.number < self.ledger.scanned.get(path.lane, 0)
        known = self.known.get(path, {}) if is_complete else {}
        is_used = False
        for txid, status in self.client.history(self.scripts[path]):
            is_used = True
            self.statuses[txid] = status
            if status.height is not None and known.get(txid) == status:
                self._keep_below(known, status.height)
                break
        return is_used

    def _keep_below(self, known: dict[bytes, Status], height: int) -> None:
        for txid, status in known.items():
            if status.height is not None and status.height <= height:
                self.statuses.setdefault(txid, status)

    def _send_again(self) -> None:
        """A payment of ours that this node lacks is handed to it; if it refuses, it is off."""
        for txid, entry in self.ledger.entries.items():
            is_missing = entry.sent_here and txid not in self.statuses
            if is_missing and is_welcome(self.client, Transaction.parse(entry.raw)):
                self.statuses[txid] = Status()

    def _read_blocks(self, txids: Iterable[bytes]) -> None:
        """Read whole the blocks that hold many of these: one question in the place of many."""
        for name, count in Counter(self.statuses[txid].block_hash for txid in txids).items():
            block = self.client.block(parse_hash(name)) if name and count >= WORTH_A_BLOCK else None
            for tx in block.transactions if block else ():
                if tx.txid in self.statuses:
                    self.mined[tx.txid] = tx

    def _transaction(self, txid: bytes) -> Transaction | None:
        if txid in self.fetched:
            return self.fetched[txid]
        entry = self.ledger.entries.get(txid)
        known = self.mined.get(txid) if entry is None else Transaction.parse(entry.raw)
        transaction = known or self.client.transaction(txid)
        if transaction is None:
            return None
        refuse_nonsense(transaction)
        self.fetched[txid] = transaction
        self.fetched_bytes += transaction.size
        if self.fetched_bytes > MAX_FETCHED_BYTES:
            raise NodeNonsense("the node's history of this wallet is larger than any wallet's")
        return transaction

    def _sent_here(self, txid: bytes) -> bool:
        entry = self.ledger.entries.get(txid)
        return entry is not None and entry.sent_here
