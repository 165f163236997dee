"""Conflicts: of transactions that spend one output only one can be.

Knows transactions and where a node says they are; whose coins they move is the ledger's.
"""

from collections.abc import Mapping
from dataclasses import replace

from chain.transaction import Transaction
from wallet.ledger import KeyPath, Ledger, Record, Status, entries_of


def without_conflicts(records: Mapping[bytes, Record]) -> dict[bytes, Record]:
    """Those that can all be: of rivals the confirmed one, else the last heard of; by txid.

    What spends an output of one that cannot be cannot be either.
    """
    order = sorted(records, key=lambda txid: records[txid].status.height is not None)
    spender = {
        input_.outpoint: txid for txid in order for input_ in records[txid].transaction.inputs
    }
    # Coinbases all name the same outpoint, which is none.
    kept = {
        txid: record
        for txid, record in records.items()
        if record.transaction.is_coinbase
        or all(spender[input_.outpoint] == txid for input_ in record.transaction.inputs)
    }
    gone = set(records) - set(kept)
    while orphans := {
        txid
        for txid, record in kept.items()
        if any(input_.outpoint.txid in gone for input_ in record.transaction.inputs)
    }:
        gone |= orphans
        kept = {txid: record for txid, record in kept.items() if txid not in orphans}
    return kept


def with_payment(ledger: Ledger, transaction: Transaction, ours: Mapping[bytes, KeyPath]) -> Ledger:
    """The ledger once a payment of ours is under way: what it replaces is gone, and what hung on
    that. `ours` as for entries_of."""
    entries, txid = dict(ledger.entries), transaction.txid
    pending = {
        each.txid: Record(Transaction.parse(each.raw), each.status, each.sent_here)
        for each in entries.values()
        if each.status.height is None
    }
    before = entries.get(txid)
    own = Record(transaction, Status() if before is None else before.status, sent_here=True)
    kept = without_conflicts({**pending, txid: own})
    new = entries_of({txid: own}, ours, entries.values())
    gone = pending.keys() - kept.keys()
    for each in gone:
        del entries[each]
    # A node that takes it has it besides what waited there: the next sync sees nothing new.
    waiting = None if ledger.waiting is None else ledger.waiting - gone | {txid}
    return replace(ledger.with_entries(entries | new), waiting=waiting)
