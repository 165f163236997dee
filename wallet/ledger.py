"""The ledger: the transactions that concern us, and what follows: coins, balance, history.

It is built from whole transactions whose ids were recomputed, so every amount in it is signed for
or mined; only *where* a transaction is (its Status) is a node's word. It does no I/O and knows no
keys, only which scriptPubKeys are ours. Immutable: a sync builds the next one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from chain.encoding import display_hash
from chain.transaction import OutPoint, Transaction


class Status(NamedTuple):
    """Where a node says a transaction is; all None while it is pending."""

    height: int | None = None
    block_hash: str | None = None
    time: int | None = None


class Tip(NamedTuple):
    """The last block of a node's chain, and the time in its header (0 if unknown)."""

    height: int
    block_hash: str
    time: int = 0


class KeyPath(NamedTuple):
    """Which of our keys: account, branch (0 receive, 1 change) and number on it, all from 0."""

    account: int
    branch: int
    number: int

    @property
    def lane(self) -> "Lane":
        """What its number counts on."""
        return self.account, self.branch


Lane = tuple[int, int]
"""An account and one of its branches."""


class Record(NamedTuple):
    """The facts about one transaction: itself, where it is, and whether this wallet sent it."""

    transaction: Transaction
    status: Status
    sent_here: bool = False


class Credit(NamedTuple):
    """An output that pays us: its place in the transaction, satoshis, and whose key."""

    output: int
    value: int
    path: KeyPath


class Debit(NamedTuple):
    """An input that spends a coin of ours, with the coin's satoshis."""

    outpoint: OutPoint
    value: int


class Coin(NamedTuple):
    """An unspent output of ours. `is_trusted`: pending, but we made it from coins of our own."""

    outpoint: OutPoint
    value: int
    path: KeyPath
    height: int | None
    is_coinbase: bool
    is_trusted: bool


class Balance(NamedTuple):
    """Satoshis in blocks, in none yet (our own change too), mined but not yet spendable, and kept
    back by the owner; each coin counts once.
    """

    confirmed: int
    pending: int
    immature: int
    frozen: int = 0

    @property
    def total(self) -> int:
        """All together."""
        return sum(self)


class HistoryItem(NamedTuple):
    """One transaction as its owner sees it. `fee` is known only when every input is ours.

    `confirmations` are the blocks from its own to the tip, 0 while it is pending. `direction` is
    `received`, `sent`, `moved` (all outputs are ours too) or `mined`. `label` is the owner's, else
    that of an address of ours that it pays.
    """

    txid: str
    net: int
    fee: int | None
    height: int | None
    time: int | None
    direction: str
    confirmations: int = 0
    label: str = ""


class AddressItem(NamedTuple):
    """A receiving address as its owner sees it: satoshis ever received at it, and still there."""

    address: str
    number: int
    received: int
    held: int
    label: str
    account: int = 0


@dataclass(frozen=True)
class Entry:
    """One transaction with what it does to us."""

    txid: bytes
    raw: bytes
    status: Status
    is_coinbase: bool
    sent_here: bool
    credits: tuple[Credit, ...]
    debits: tuple[Debit, ...]
    fee: int | None

    @property
    def net(self) -> int:
        """Satoshis that our holdings change by."""
        return sum(credit.value for credit in self.credits) - sum(
            debit.value for debit in self.debits
        )

    @property
    def direction(self) -> str:
        """See HistoryItem."""
        if self.is_coinbase:
            return "mined"
        if not self.debits:
            return "received"
        return "moved" if self.fee is not None and self.net == -self.fee else "sent"


@dataclass(frozen=True)
class Ledger:
    """All entries by txid, the tip they were seen at, how far each branch is used and read."""

    entries: Mapping[bytes, Entry] = field(default_factory=dict)
    tip: Tip | None = None
    # The first number never handed out nor seen on each lane, and how many had their whole history
    # read; 0 for a lane that is not there.
    next_index: Mapping[Lane, int] = field(default_factory=dict)
    scanned: Mapping[Lane, int] = field(default_factory=dict)
    frozen: frozenset[OutPoint] = frozenset()  # coins that the owner keeps back
    # The txids that waited at the node at that tip, ours or not; None if they were too many.
    waiting: frozenset[bytes] | None = None

    def coins(self) -> list[Coin]:
        """Every unspent output of ours, pending and immature ones included."""
        return list(self._coins.values())

    def spendable(self, maturity_blocks: int) -> list[Coin]:
        """What the next block may spend: confirmed and mature, or pending change; none frozen."""
        return [
            coin
            for coin in self._coins.values()
            if (coin.height is not None or coin.is_trusted)
            and not self.is_immature(coin, maturity_blocks)
            and coin.outpoint not in self.frozen
        ]

    def balance(self, maturity_blocks: int) -> Balance:
        """The sums; spending a confirmed coin moves its change to pending at once."""
        confirmed = pending = immature = frozen = 0
        for coin in self._coins.values():
            if self.is_immature(coin, maturity_blocks):
                immature += coin.value
            elif coin.outpoint in self.frozen:
                frozen += coin.value
            elif coin.height is None:
                pending += coin.value
            else:
                confirmed += coin.value
        return Balance(confirmed, pending, immature, frozen)

    def history(self) -> list[HistoryItem]:
        """Newest first, pending ones before all others."""
        newest_first = list(self.entries.values())[::-1]
        newest_first.sort(
            key=lambda entry: (entry.status.height is None, entry.status.height or 0), reverse=True
        )
        return [
            HistoryItem(
                display_hash(entry.txid),
                entry.net,
                entry.fee,
                entry.status.height,
                entry.status.time,
                entry.direction,
                self._confirmations(entry),
            )
            for entry in newest_first
        ]

    def received(self) -> Counter[KeyPath]:
        """Satoshis ever paid to each of our keys."""
        return _sums((credit.path, credit.value) for _, credit in self._credits())

    def held(self) -> Counter[KeyPath]:
        """Satoshis that lie at each of our keys."""
        return _sums((coin.path, coin.value) for coin in self._coins.values())

    def used(self, lane: Lane, *, settled: bool = False) -> int:
        """One more than the highest number ever paid: where a restore begins to count its gap.

        With `settled` in a block: what still waits may never be, and is then not found again.
        """
        numbers = (
            credit.path.number + 1
            for entry, credit in self._credits()
            if credit.path.lane == lane and not (settled and entry.status.height is None)
        )
        return max(numbers, default=0)

    def with_next(self, path: KeyPath) -> "Ledger":
        """The ledger in which all numbers before this one are handed out."""
        return replace(self, next_index={**self.next_index, path.lane: path.number})

    def with_entries(self, entries: Mapping[bytes, Entry]) -> "Ledger":
        """The ledger with these entries, and the numbers that they use."""
        ledger = replace(self, entries=entries)
        reached = dict(self.next_index)
        for _, credit in ledger._credits():
            lane, number = credit.path.lane, credit.path.number
            reached[lane] = max(reached.get(lane, 0), number + 1)
        return replace(ledger, next_index=reached)

    def touching(self) -> dict[KeyPath, dict[bytes, Status]]:
        """For each of our keys, the transactions that pay to it or spend from it."""
        owners = {
            OutPoint(entry.txid, credit.output): credit.path for entry, credit in self._credits()
        }
        touching: dict[KeyPath, dict[bytes, Status]] = {}
        for entry in self.entries.values():
            paths = [credit.path for credit in entry.credits]
            paths += [owners[debit.outpoint] for debit in entry.debits if debit.outpoint in owners]
            for path in paths:
                touching.setdefault(path, {})[entry.txid] = entry.status
        return touching

    @cached_property
    def _coins(self) -> Mapping[OutPoint, Coin]:
        # Entries that are still in their file know it without being read.
        known: Mapping[OutPoint, Coin] | None = getattr(self.entries, "unspent", None)
        if known is not None:
            return known
        spent = {debit.outpoint for entry in self.entries.values() for debit in entry.debits}
        coins = {}
        for entry, credit in self._credits():
            outpoint = OutPoint(entry.txid, credit.output)
            if outpoint not in spent:
                coins[outpoint] = Coin(
                    outpoint,
                    credit.value,
                    credit.path,
                    entry.status.height,
                    entry.is_coinbase,
                    is_trusted=entry.fee is not None,
                )
        return coins

    @cached_property
    def scripts(self) -> dict[KeyPath, bytes]:
        """The scriptPubKeys that were paid, as the history says, which is no proof of a key."""
        return {
            credit.path: Transaction.parse(entry.raw).outputs[credit.output].script_pubkey
            for entry, credit in self._credits()
        }

    def _credits(self) -> Iterator[tuple[Entry, Credit]]:
        for entry in self.entries.values():
            for credit in entry.credits:
                yield entry, credit

    def _confirmations(self, entry: Entry) -> int:
        if self.tip is None or entry.status.height is None:
            return 0
        return max(0, self.tip.height - entry.status.height + 1)

    def is_immature(self, coin: Coin, maturity_blocks: int) -> bool:
        """The rule of consensus, counted for a spend in the block after the tip."""
        if not coin.is_coinbase:
            return False
        if coin.height is None or self.tip is None:
            return True
        return self.tip.height + 1 - coin.height < maturity_blocks


def _sums(parts: Iterable[tuple[KeyPath, int]]) -> Counter[KeyPath]:
    total: Counter[KeyPath] = Counter()
    for path, value in parts:
        total[path] += value
    return total


def entries_of(
    records: Mapping[bytes, Record],
    ours: Mapping[bytes, KeyPath],
    known: Iterable[Entry] = (),
) -> dict[bytes, Entry]:
    """Work out what each transaction does to us; `ours` maps our scriptPubKeys to their keys.

    They spend outputs of each other and of the `known`. Transactions that do nothing to us are left
    out.
    """
    credits = {
        txid: tuple(
            Credit(number, output.value, ours[output.script_pubkey])
            for number, output in enumerate(record.transaction.outputs)
            if output.script_pubkey in ours
        )
        for txid, record in records.items()
    }
    sources = chain(((entry.txid, entry.credits) for entry in known), credits.items())
    values = {
        OutPoint(txid, credit.output): credit.value for txid, paid in sources for credit in paid
    }
    entries = {}
    for txid, record in records.items():
        transaction = record.transaction
        debits = tuple(
            Debit(input_.outpoint, values[input_.outpoint])
            for input_ in transaction.inputs
            if input_.outpoint in values
        )
        fee = None
        if len(debits) == len(transaction.inputs):
            fee = sum(debit.value for debit in debits)
            fee -= sum(output.value for output in transaction.outputs)
        if credits[txid] or debits:
            entries[txid] = Entry(
                txid,
                transaction.serialize(),
                record.status,
                transaction.is_coinbase,
                record.sent_here,
                credits[txid],
                debits,
                fee,
            )
    return entries
