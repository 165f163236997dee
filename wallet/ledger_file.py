"""The ledger in the wallet's file: as JSON, hashes as people see them.

What is short (the balance, how far was read) stands apart from coins and history, which grow
without end and are read when somebody asks: a payment asks for both, a balance for neither.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

from chain.encoding import display_hash, parse_hash
from chain.params import Params
from chain.transaction import OutPoint
from wallet.errors import DamagedFile
from wallet.keystore import WalletFile
from wallet.ledger import Balance, Coin, Credit, Debit, Entry, KeyPath, Lane, Ledger, Status, Tip

T = TypeVar("T")
DAMAGED = "the wallet's history is damaged; restore from a backup or the words"
NOTHING = Ledger()
MAX_NUMBER = 200_000  # of an address: no sync looks further (wallet.sync)


@dataclass(eq=False)
class StoredEntries(Mapping[bytes, Entry]):
    """Entries and coins as they were written, each read at the first look."""

    raw: bytes

    @cached_property
    def unspent(self) -> dict[OutPoint, Coin] | None:
        """What is unspent, without a look at the entries; None if it is not written."""
        coins, newline, _ = self.raw.partition(b"\n")
        found = _rows(coins, _coin_from_json) if newline else []
        return {coin.outpoint: coin for coin in found} if newline else None

    @cached_property
    def _entries(self) -> dict[bytes, Entry]:
        found = _rows(self.raw.rpartition(b"\n")[2] or b"[]", _entry_from_json)
        return {entry.txid: entry for entry in found}

    def __getitem__(self, txid: bytes) -> Entry:
        return self._entries[txid]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def ledger_to_json(ledger: Ledger, maturity_blocks: int = 0) -> dict[str, Any]:
    """All but coins and history; with a maturity the balance too, so that asking reads no coin."""
    balance = ledger.balance(maturity_blocks) if maturity_blocks else ()
    return {
        "tip": ledger.tip,
        "next": _lanes_to_json(ledger.next_index),
        "scanned": _lanes_to_json(ledger.scanned),
        "waiting": None if ledger.waiting is None else sorted(map(display_hash, ledger.waiting)),
        "frozen": sorted(map(_place, ledger.frozen)),
        "balance": [maturity_blocks, *balance],
    }


def balance_from_json(value: Mapping[str, Any], maturity_blocks: int) -> Balance | None:
    """The balance as it was written; None if it was not, or was counted for another maturity."""
    try:
        maturity, *sums = map(int, value.get("balance", [0]))
        return Balance(*sums) if maturity == maturity_blocks else None
    except (TypeError, ValueError):
        raise DamagedFile(DAMAGED) from None


def history_to_bytes(ledger: Ledger, known: Ledger = NOTHING, history: bytes = b"") -> bytes:
    """A line of coins and one of entries; as they were read, if nothing was changed.

    Where the entries are those of `known` and more, these are added to the `history` of those.
    """
    if isinstance(ledger.entries, StoredEntries):
        return ledger.entries.raw
    entries, before = list(ledger.entries.values()), list(known.entries.values())
    is_longer = entries[: len(before)] == before
    old = history.rpartition(b"\n")[2][1:-1] if is_longer else b""
    rows = [_json(_entry_to_json(entry)) for entry in entries[len(before) * is_longer :]]
    coins = _json([[*_place(coin.outpoint), *coin[1:]] for coin in ledger.coins()])
    return coins + b"\n[" + b",".join([old, *rows] if old else rows) + b"]"


def with_ledger(file: WalletFile, known: Ledger, ledger: Ledger, params: Params) -> WalletFile:
    """The file with the next ledger in place of the known one, which it holds."""
    state = {**file.state, **ledger_to_json(ledger, params.coinbase_maturity_blocks)}
    state.pop("coins", None)  # where they once were
    return replace(file, state=state, history=history_to_bytes(ledger, known, file.history))


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def ledger_from_json(value: Mapping[str, Any], history: bytes) -> Ledger:
    """Read what the four above wrote; DamagedFile if it is anything else, at once or when used."""
    try:
        next_index, scanned = _lanes(value["next"]), _lanes(value["scanned"])
        tip = None if value["tip"] is None else Tip(*value["tip"])
        frozen = {OutPoint(parse_hash(txid), int(index)) for txid, index in value["frozen"]}
        waiting = None if value["waiting"] is None else frozenset(map(parse_hash, value["waiting"]))
    except (LookupError, TypeError, ValueError):
        raise DamagedFile(DAMAGED) from None
    return Ledger(StoredEntries(history), tip, next_index, scanned, frozenset(frozen), waiting)


def _rows(raw: bytes, read: Callable[[Any], T]) -> list[T]:
    try:
        return [read(row) for row in json.loads(raw)]
    except (LookupError, TypeError, ValueError, RecursionError):
        raise DamagedFile(DAMAGED) from None


def _place(outpoint: OutPoint) -> list[str | int]:
    return [display_hash(outpoint.txid), outpoint.index]


def _coin_from_json(item: Sequence[Any]) -> Coin:
    txid, index, value, path, height, is_coinbase, is_trusted = item
    outpoint = OutPoint(bytes.fromhex(txid)[::-1], index)  # parse_hash takes as long as all else
    return Coin(outpoint, int(value), KeyPath(*path), height, is_coinbase, is_trusted)


def _lanes_to_json(numbers: Mapping[Lane, int]) -> list[list[int]]:
    return sorted([account, branch, number] for (account, branch), number in numbers.items())


def _lanes(value: Iterable[Sequence[int]]) -> dict[Lane, int]:
    lanes = {(int(account), int(branch)): int(number) for account, branch, number in value}
    if not all(0 <= number <= MAX_NUMBER for number in lanes.values()):
        raise ValueError("no wallet looks so far")
    return lanes


def _entry_to_json(entry: Entry) -> dict[str, Any]:
    return {
        "txid": display_hash(entry.txid),
        "raw": entry.raw.hex(),
        "status": entry.status,
        "coinbase": entry.is_coinbase,
        "sent_here": entry.sent_here,
        "credits": entry.credits,
        "debits": [[*_place(debit.outpoint), debit.value] for debit in entry.debits],
        "fee": entry.fee,
    }


def _entry_from_json(item: Mapping[str, Any]) -> Entry:
    status = Status(*item["status"])
    if not 0 <= (status.time or 0) < 1 << 32:
        raise ValueError("no block has such a time")
    return Entry(
        parse_hash(item["txid"]),
        bytes.fromhex(item["raw"]),
        status,
        bool(item["coinbase"]),
        bool(item["sent_here"]),
        tuple(Credit(output, value, KeyPath(*path)) for output, value, path in item["credits"]),
        tuple(
            Debit(OutPoint(parse_hash(txid), index), value) for txid, index, value in item["debits"]
        ),
        item["fee"],
    )
