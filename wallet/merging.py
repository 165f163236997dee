"""Merging: what two programs learnt of one wallet since they last read the same file.

Of three states (what both began from, mine, theirs) theirs is taken with all that I changed. Where
both found other transactions the next sync reads every history again; where both paid with the same
coin, theirs was first.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from chain.encoding import display_hash
from wallet.errors import CoinUnavailable
from wallet.ledger import Ledger

K = TypeVar("K")
V = TypeVar("V")


def merged(base: Ledger, mine: Ledger, theirs: Ledger) -> Ledger:
    """Their ledger with what I changed."""
    lanes = {*mine.next_index, *theirs.next_index}
    next_index = {
        lane: max(mine.next_index.get(lane, 0), theirs.next_index.get(lane, 0)) for lane in lanes
    }
    frozen = theirs.frozen - (base.frozen - mine.frozen) | (mine.frozen - base.frozen)
    if mine.entries is base.entries:
        return replace(theirs, next_index=next_index, frozen=frozen)
    refuse_twice_spent(base, mine, theirs)
    entries = with_changes(base.entries, mine.entries, theirs.entries)
    return replace(
        mine, entries=entries, next_index=next_index, frozen=frozen, scanned={}, waiting=None
    )


def refuse_twice_spent(base: Ledger, mine: Ledger, theirs: Ledger) -> None:
    """CoinUnavailable if I pay with a coin that they have paid with since."""
    spenders = {
        debit.outpoint: txid
        for txid in theirs.entries.keys() - base.entries.keys() - mine.entries.keys()
        for debit in theirs.entries[txid].debits
    }
    for txid in mine.entries.keys() - base.entries.keys():
        entry = mine.entries[txid]
        for debit in entry.debits if entry.sent_here else ():
            if debit.outpoint in spenders:
                raise CoinUnavailable(
                    "its coins have been spent meanwhile by payment "
                    f"{display_hash(spenders[debit.outpoint])}; prepare it again"
                )


def with_changes(base: Mapping[K, V], mine: Mapping[K, V], theirs: Mapping[K, V]) -> dict[K, V]:
    """Their mapping with what I added, changed or took away."""
    changed = {key: value for key, value in mine.items() if base.get(key) != value}
    return {key: value for key, value in theirs.items() if key in mine or key not in base} | changed
