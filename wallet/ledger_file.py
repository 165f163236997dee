"""The ledger in the wallet's file: as JSON, hashes as people see them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chain.encoding import display_hash, parse_hash
from chain.transaction import OutPoint
from wallet.errors import DamagedFile
from wallet.ledger import Credit, Debit, Entry, KeyPath, Lane, Ledger, Status, Tip


def ledger_to_json(ledger: Ledger) -> dict[str, Any]:
    """The ledger as JSON."""
    return {
        "tip": ledger.tip,
        "next": _lanes_to_json(ledger.next_index),
        "scanned": _lanes_to_json(ledger.scanned),
        "waiting": None if ledger.waiting is None else sorted(map(display_hash, ledger.waiting)),
        "frozen": sorted([display_hash(coin.txid), coin.index] for coin in ledger.frozen),
        "transactions": [_entry_to_json(entry) for entry in ledger.entries.values()],
    }


def ledger_from_json(value: Mapping[str, Any]) -> Ledger:
    """Read what ledger_to_json wrote; DamagedFile if it is anything else."""
    try:
        entries = [_entry_from_json(item) for item in value["transactions"]]
        next_index, scanned = _lanes(value["next"]), _lanes(value["scanned"])
        tip = None if value["tip"] is None else Tip(*value["tip"])
        frozen = {OutPoint(parse_hash(txid), int(index)) for txid, index in value["frozen"]}
        waiting = None if value["waiting"] is None else frozenset(map(parse_hash, value["waiting"]))
    except (LookupError, TypeError, ValueError):
        raise DamagedFile("the wallet's history is damaged; restore from the words") from None
    known = {entry.txid: entry for entry in entries}
    return Ledger(known, tip, next_index, scanned, frozenset(frozen), waiting)


def _lanes_to_json(numbers: Mapping[Lane, int]) -> list[list[int]]:
    return sorted([account, branch, number] for (account, branch), number in numbers.items())


def _lanes(value: Iterable[Sequence[int]]) -> dict[Lane, int]:
    return {(int(account), int(branch)): int(number) for account, branch, number in value}


def _entry_to_json(entry: Entry) -> dict[str, Any]:
    return {
        "txid": display_hash(entry.txid),
        "raw": entry.raw.hex(),
        "status": entry.status,
        "coinbase": entry.is_coinbase,
        "sent_here": entry.sent_here,
        "credits": entry.credits,
        "debits": [
            [display_hash(debit.outpoint.txid), debit.outpoint.index, debit.value]
            for debit in entry.debits
        ],
        "fee": entry.fee,
    }


def _entry_from_json(item: Mapping[str, Any]) -> Entry:
    return Entry(
        parse_hash(item["txid"]),
        bytes.fromhex(item["raw"]),
        Status(*item["status"]),
        bool(item["coinbase"]),
        bool(item["sent_here"]),
        tuple(Credit(output, value, KeyPath(*path)) for output, value, path in item["credits"]),
        tuple(
            Debit(OutPoint(parse_hash(txid), index), value) for txid, index, value in item["debits"]
        ),
        item["fee"],
    )
