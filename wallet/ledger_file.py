"""The ledger in the wallet's file: as JSON, hashes as people see them.

What is short (coins, how far was read) stands apart from the history, which grows without end and
is read when somebody asks for it: a balance does not.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from chain.encoding import display_hash, parse_hash
from chain.transaction import OutPoint
from wallet.errors import DamagedFile
from wallet.ledger import Coin, Credit, Debit, Entry, KeyPath, Lane, Ledger, Status, Tip


class StoredEntries(Mapping[bytes, Entry]):
    """Entries as they were written, read at the first look; what is unspent is known before."""

    def __init__(self, raw: bytes, unspent: Iterable[Coin]) -> None:
        self.raw = raw
        self.unspent = {coin.outpoint: coin for coin in unspent}

    @cached_property
    def _entries(self) -> dict[bytes, Entry]:
        try:
            entries = [_entry_from_json(item) for item in json.loads(self.raw or b"[]")]
        except (LookupError, TypeError, ValueError, RecursionError):
            raise _damaged() from None
        return {entry.txid: entry for entry in entries}

    def __getitem__(self, txid: bytes) -> Entry:
        return self._entries[txid]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def ledger_to_json(ledger: Ledger) -> dict[str, Any]:
    """All but the history."""
    return {
        "tip": ledger.tip,
        "next": _lanes_to_json(ledger.next_index),
        "scanned": _lanes_to_json(ledger.scanned),
        "waiting": None if ledger.waiting is None else sorted(map(display_hash, ledger.waiting)),
        "frozen": sorted([display_hash(coin.txid), coin.index] for coin in ledger.frozen),
        "coins": [_coin_to_json(coin) for coin in ledger.coins()],
    }


def history_to_bytes(ledger: Ledger) -> bytes:
    """The history; as it was read, if nothing was changed."""
    if isinstance(ledger.entries, StoredEntries):
        return ledger.entries.raw
    rows = [_entry_to_json(entry) for entry in ledger.entries.values()]
    return json.dumps(rows, separators=(",", ":")).encode()


def ledger_from_json(value: Mapping[str, Any], history: bytes) -> Ledger:
    """Read what the two above wrote; DamagedFile if it is anything else, at once or when used."""
    try:
        coins = [_coin_from_json(item) for item in value["coins"]]
        next_index, scanned = _lanes(value["next"]), _lanes(value["scanned"])
        tip = None if value["tip"] is None else Tip(*value["tip"])
        frozen = {OutPoint(parse_hash(txid), int(index)) for txid, index in value["frozen"]}
        waiting = None if value["waiting"] is None else frozenset(map(parse_hash, value["waiting"]))
    except (LookupError, TypeError, ValueError):
        raise _damaged() from None
    stored = StoredEntries(history, coins)
    return Ledger(stored, tip, next_index, scanned, frozenset(frozen), waiting)


def _damaged() -> DamagedFile:
    return DamagedFile("the wallet's history is damaged; restore from a backup or the words")


def _coin_to_json(coin: Coin) -> list[Any]:
    return [display_hash(coin.outpoint.txid), coin.outpoint.index, *coin[1:]]


def _coin_from_json(item: Sequence[Any]) -> Coin:
    txid, index, value, path, height, is_coinbase, is_trusted = item
    outpoint = OutPoint(bytes.fromhex(txid)[::-1], index)  # parse_hash takes as long as all else
    return Coin(outpoint, int(value), KeyPath(*path), height, is_coinbase, is_trusted)


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
