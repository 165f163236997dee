"""Catching up: what is new since the last sync, learnt from new blocks and from what waits.

A sync reads the history of every address; this reads none but those of addresses that come into
sight, so that a wallet of ten thousand payments is current after three requests. Where that would
not be certain (a reorganisation, many blocks, a full mempool, payments beyond the addresses looked
at so far), it gives up, and the histories are read (wallet.sync).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from chain.encoding import display_hash, parse_hash
from chain.transaction import OutPoint, Transaction
from wallet.account import Account
from wallet.conflicts import without_conflicts
from wallet.ledger import KeyPath, Lane, Ledger, Record, Status, Tip, entries_of
from wallet.sync import is_welcome, refuse_nonsense

if TYPE_CHECKING:
    # lazy: who hands a client in has loaded it; reading balances must not wait for HTTP
    from wallet.client import EsploraClient

MAX_BLOCKS = 30
"""More of them are not read whole: each may have megabytes."""
MAX_NEW = 300
"""Waiting transactions that are fetched; a history for each address may then be less to read."""

Located = tuple[Transaction, Status]


def catch_up(client: "EsploraClient", accounts: Sequence[Account], ledger: Ledger) -> Ledger | None:
    """The ledger as the node sees it now; None where that takes a sync. Raises NodeError."""
    if ledger.tip is None or ledger.waiting is None:
        return None
    tip, waiting = client.tip(), client.waiting_txids()
    is_known = waiting is not None and ledger.waiting == waiting
    if tip == ledger.tip and is_known and _wanted(accounts, ledger) == ledger.scanned:
        return ledger  # without a look at its history
    blocks = _new_blocks(client, ledger.tip, tip)
    if blocks is None or waiting is None:
        return None
    unknown = waiting - ledger.waiting - ledger.entries.keys() - {tx.txid for tx, _ in blocks}
    if len(unknown) > MAX_NEW:
        return None
    fetched = [(txid, client.transaction(txid)) for txid in unknown]
    gone = {txid for txid, tx in fetched if tx is None}
    pending = [(tx, Status()) for _, tx in fetched if tx is not None]
    records = _kept(client, ledger, waiting, blocks)
    scripts = _scripts(accounts, ledger, records)
    records |= _ours(chain(blocks, pending), scripts, records)
    at_node = waiting - gone | {txid for txid, each in records.items() if each.status == Status()}
    learnt = _with_records(ledger, records, scripts)
    caught_up = replace(learnt, tip=tip, waiting=frozenset(at_node))
    scanned = _look_further(client, accounts, caught_up)
    if scanned is None or len(without_conflicts(records)) < len(records) or client.tip() != tip:
        return None
    return replace(caught_up, scanned=scanned)


def _new_blocks(client: "EsploraClient", known: Tip, tip: Tip) -> list[Located] | None:
    """The transactions of the blocks behind the known one; None if they are no continuation."""
    if not 0 <= tip.height - known.height <= MAX_BLOCKS:
        return None
    found: list[Located] = []
    at, parent = parse_hash(tip.block_hash), parse_hash(known.block_hash)
    for height in range(tip.height, known.height, -1):
        block = client.block(at)
        if block is None:
            return None
        status = Status(height, display_hash(at), block.header.time)
        found[:0] = [(tx, status) for tx in block.transactions]
        at = block.header.prev_hash
    return found if at == parent else None


def _kept(
    client: "EsploraClient", ledger: Ledger, waiting: Iterable[bytes], blocks: Iterable[Located]
) -> dict[bytes, Record]:
    """The transactions that the ledger has, each where it is now; without those that are gone."""
    mined, still = {tx.txid: status for tx, status in blocks}, set(waiting)
    records = {}
    for txid, entry in ledger.entries.items():
        transaction = Transaction.parse(entry.raw)
        status = mined.get(txid, entry.status)
        is_gone = status.height is None and txid not in still
        if not is_gone or (entry.sent_here and is_welcome(client, transaction)):
            records[txid] = Record(transaction, status, entry.sent_here)
    return records


def _scripts(
    accounts: Sequence[Account], ledger: Ledger, records: dict[bytes, Record]
) -> dict[bytes, KeyPath]:
    """Our scriptPubKeys as far as they were looked at. Those paid before need not be derived."""
    scripts = {
        record.transaction.outputs[credit.output].script_pubkey: credit.path
        for txid, record in records.items()
        for credit in ledger.entries[txid].credits
    }
    known = set(scripts.values())
    for (account, branch), count in ledger.scanned.items():
        for number in range(count):
            path = KeyPath(account, branch, number)
            if path not in known:
                scripts[accounts[account].script(branch, number)] = path
    return scripts


def _ours(
    news: Iterable[Located], scripts: dict[bytes, KeyPath], known: dict[bytes, Record]
) -> dict[bytes, Record]:
    """Those of the news that pay a script of ours, or spend what pays one."""
    coins = set[OutPoint]()
    for record in known.values():
        coins |= _paid(record.transaction, scripts)
    left = {tx.txid: (tx, status) for tx, status in news if tx.txid not in known}
    found: dict[bytes, Record] = {}
    while touching := [
        (tx, status)
        for tx, status in left.values()
        if _paid(tx, scripts) or not coins.isdisjoint(tx_in.outpoint for tx_in in tx.inputs)
    ]:
        for tx, status in touching:
            refuse_nonsense(tx)
            coins |= _paid(tx, scripts)
            found[tx.txid] = Record(tx, status)
            del left[tx.txid]
    return found


def _paid(tx: Transaction, scripts: dict[bytes, KeyPath]) -> set[OutPoint]:
    """Its outputs that are ours."""
    return {
        OutPoint(tx.txid, index)
        for index, output in enumerate(tx.outputs)
        if output.script_pubkey in scripts
    }


def _with_records(
    ledger: Ledger, records: dict[bytes, Record], scripts: dict[bytes, KeyPath]
) -> Ledger:
    """The ledger of these; the same entries if nothing about them is new."""
    before = {txid: entry.status for txid, entry in ledger.entries.items()}
    if {txid: record.status for txid, record in records.items()} == before:
        return ledger
    return ledger.with_entries(entries_of(records, scripts))


def _look_further(
    client: "EsploraClient", accounts: Sequence[Account], ledger: Ledger
) -> dict[Lane, int] | None:
    """How far each lane is looked at, once addresses that come into sight have proved unused."""
    wanted = _wanted(accounts, ledger)
    for (number, branch), end in wanted.items():
        for index in range(ledger.scanned.get((number, branch), 0), end):
            if _is_used(client, accounts[number].script(branch, index)):
                return None
    return wanted


def _wanted(accounts: Sequence[Account], ledger: Ledger) -> dict[Lane, int]:
    """How far each lane is to be looked at, and not less far than before."""
    wanted = {}
    for number, account in enumerate(accounts):
        for branch in account.branches:
            lane = number, branch
            end = ledger.next_index.get(lane, 0) + account.gap_limit
            end = end if account.limit is None else min(end, account.limit)
            wanted[lane] = max(end, ledger.scanned.get(lane, 0))
    return wanted


def _is_used(client: "EsploraClient", script: bytes) -> bool:
    rows: Iterator[object] = iter(client.history(script))
    return next(rows, None) is not None
