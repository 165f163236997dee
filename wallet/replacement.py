"""Pending payments changed: outbid by one that pays more, taken back, or hurried by a child.

A replacement spends what the old payment spends, so that only one of them can be. Nodes take it if
it pays the fees of all that it throws out (the old payment and whatever spends it) and for its own
relay, at a better rate than each. A child spends an output of a pending transaction to ourselves
and pays for both. What waits is asked of a node; a lie can only raise the fee, up to the ceilings
of every payment, and the owner sees it before signing.

Reference: BIP 125; wallet/feebumper.cpp; the node's side of it is policy/rbf.cpp.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chain.encoding import display_hash, parse_hash
from chain.transaction import OutPoint, Transaction, TxOut
from wallet.account import CHANGE
from wallet.builder import Draft, Purse, build, build_all
from wallet.errors import AbsurdFee, NodeNonsense, NotEnoughMoney, NotPending
from wallet.ledger import Coin, Entry, Ledger
from wallet.package import Waiting, above, missing_fee, rate_of

if TYPE_CHECKING:
    # lazy: who hands a client in has loaded it; reading balances must not wait for HTTP
    from wallet.client import EsploraClient

INCREMENTAL_RATE_PER_KVB = 100  # Core's -incrementalrelayfee: what each relayed byte must add
STEP_PER_KVB = 1_000  # how much better than the old one where nobody says; older nodes ask for it
MAX_FAMILY = 100  # more never waits together: Core's clusters hold 64
MAX_ADDED_COINS = 20
ROUNDS = 20  # fee and size settle in two or three


@dataclass(frozen=True)
class Rivals:
    """What a replacement throws out: the fees of all, and the best rate that any of it pays."""

    fees: int
    rate_per_kvb: int


def pending_entry(ledger: Ledger, txid: str) -> Entry:
    """The pending transaction of the history with this txid; NotPending if there is none."""
    try:
        entry = ledger.entries.get(parse_hash(txid))
    except ValueError:
        entry = None
    if entry is None:
        raise NotPending(f"{txid[:100]!r} is no transaction of this wallet's history")
    if entry.status.height is not None:
        raise NotPending(f"{txid} is in block {entry.status.height} already: nothing can change it")
    return entry


def refuse_irreplaceable(entry: Entry, ledger: Ledger) -> None:
    """NotPending unless all of it is ours to change and no other payment would be undone."""
    if entry.fee is None:
        raise NotPending(
            f"{display_hash(entry.txid)} spends coins of others, who alone could replace it; "
            "a child can pay for it"
        )
    children = {entry.txid}
    while more := {
        other.txid
        for other in ledger.entries.values()
        if other.txid not in children and any(d.outpoint.txid in children for d in other.debits)
    }:
        children |= more
    for txid in children - {entry.txid}:
        if ledger.entries[txid].direction == "sent":
            raise NotPending(
                f"payment {display_hash(txid)} spends its change and would be undone; change that "
                "one first, or let a child pay"
            )


def rivals(client: "EsploraClient", entry: Entry) -> Rivals:
    """What the node would throw out for a replacement of this."""
    waiting = {member.txid: member for member in _family(client, entry.txid, upwards=False)}
    whole = list(waiting.values())
    packages = [[member] for member in whole[:1]] + [whole]
    for member in whole[1:]:
        packages.append([waiting[txid] for txid in above([member.txid], waiting)])
    rates = [rate_of(package) for package in packages]
    return Rivals(sum(member.fee for member in whole), max(rates))


def next_rate(beaten: Rivals) -> int:
    """A little more than the rivals pay, in satoshis a 1,000 virtual bytes."""
    return beaten.rate_per_kvb + STEP_PER_KVB


def refuse_too_low(rate_per_kvb: int, beaten: Rivals) -> None:
    """NotPending if a rate that somebody named would not outbid the rivals."""
    least = beaten.rate_per_kvb + INCREMENTAL_RATE_PER_KVB
    if rate_per_kvb < least:
        raise NotPending(
            f"{rate_per_kvb / 1000:g} sat/vB is too little: to outbid what waits, "
            f"name at least {least / 1000:g} sat/vB"
        )


def missing_for(client: "EsploraClient", entry: Entry, rate_per_kvb: int) -> int:
    """What a child must add so that this transaction and all it waits for pay such a rate."""
    waiting = {member.txid: member for member in _family(client, entry.txid, upwards=True)}
    missing = missing_fee([entry.txid], waiting, rate_per_kvb)
    if missing <= 0:
        raise NotPending(
            f"{display_hash(entry.txid)} pays {rate_of(waiting.values()) / 1000:g} sat/vB already; "
            "name a higher rate"
        )
    return missing


def outbid(
    entry: Entry,
    ledger: Ledger,
    purse: Purse,
    beaten: Rivals,
    rate_per_kvb: int,
    rng: random.Random,
    *,
    locktime: int = 0,
    reduced: bytes | None = None,
) -> Draft:
    """The same payment at a higher fee, taken from its change, or from more coins of the purse.

    One without change may have sent all there was: if no more coins are there, its only payee gets
    so much less; or that of the script `reduced`, if one is named.
    """
    outputs = Transaction.parse(entry.raw).outputs
    change = {credit.output for credit in entry.credits if credit.path.branch == CHANGE}
    kept = [output for number, output in enumerate(outputs) if number not in change]
    if not kept and reduced is None:
        return take_back(entry, ledger, purse, beaten, rate_per_kvb, rng, locktime=locktime)
    purse = _same_change(entry, outputs, purse)
    required = spent_coins(entry, ledger)

    def at(rate: int) -> Draft:
        return build(kept, purse, rate, rng, required=required, locktime=locktime)

    def from_payee(rate: int) -> Draft:
        others, own = [o for o in kept if o is not less], replace(purse, coins=())
        script = less.script_pubkey
        draft = build_all(others, script, own, rate, rng, required=required, locktime=locktime)
        paid = sum(output.value for output in draft.transaction.outputs)
        return replace(draft, taken=sum(output.value for output in kept) - paid)

    less = _reducible(entry, kept, bool(change), reduced)
    if reduced is None:
        try:
            return _settled(at, rate_per_kvb, beaten.fees, INCREMENTAL_RATE_PER_KVB, beaten)
        except NotEnoughMoney:
            if change or len(kept) > 1:
                raise
    return _settled(from_payee, rate_per_kvb, beaten.fees, INCREMENTAL_RATE_PER_KVB, beaten)


def _reducible(
    entry: Entry, kept: Sequence[TxOut], has_change: bool, script: bytes | None
) -> TxOut:
    """The output that may become less; NotPending if one is named that may not."""
    if script is None:
        return kept[0]
    found = [output for output in kept if output.script_pubkey == script]
    if has_change or not found:
        why = "has change, which the fee comes from" if has_change else "does not pay this address"
        raise NotPending(f"{display_hash(entry.txid)} {why}: nobody there can get less")
    return found[0]


def take_back(
    entry: Entry,
    ledger: Ledger,
    purse: Purse,
    beaten: Rivals,
    rate_per_kvb: int,
    rng: random.Random,
    *,
    locktime: int = 0,
) -> Draft:
    """Its coins spent to ourselves instead, so that it can never be."""
    purse = _same_change(entry, Transaction.parse(entry.raw).outputs, purse)
    required = spent_coins(entry, ledger)

    def at(rate: int) -> Draft:
        return _to_ourselves(required, purse, rate, rng, locktime)

    return _settled(at, rate_per_kvb, beaten.fees, INCREMENTAL_RATE_PER_KVB, beaten)


def child(
    coins: Sequence[Coin],
    purse: Purse,
    missing: int,
    rate_per_kvb: int,
    rng: random.Random,
    *,
    locktime: int = 0,
) -> Draft:
    """A payment of these coins to ourselves that pays for what is missing above it."""

    def at(rate: int) -> Draft:
        return _to_ourselves(coins, purse, rate, rng, locktime)

    return _settled(at, rate_per_kvb, missing, rate_per_kvb)


def spent_coins(entry: Entry, ledger: Ledger) -> list[Coin]:
    """The coins that a transaction of ours spends, as they were before it."""
    coins = []
    for debit in entry.debits:
        source = ledger.entries[debit.outpoint.txid]
        credit = next(c for c in source.credits if c.output == debit.outpoint.index)
        height, trusted = source.status.height, source.fee is not None
        coins.append(
            Coin(debit.outpoint, debit.value, credit.path, height, source.is_coinbase, trusted)
        )
    return coins


def _same_change(entry: Entry, outputs: Sequence[TxOut], purse: Purse) -> Purse:
    """Change goes where it went: a new address each time would lead beyond the gap limit."""
    for credit in entry.credits:
        if credit.path.branch == CHANGE:
            return replace(purse, change_script=outputs[credit.output].script_pubkey)
    return purse


def _to_ourselves(
    required: Sequence[Coin], purse: Purse, rate: int, rng: random.Random, locktime: int
) -> Draft:
    """The required coins to the change address, with more coins if they alone are too little."""
    more = sorted(purse.coins, key=lambda coin: -coin.value)[:MAX_ADDED_COINS]

    def with_more(count: int) -> Draft:
        whole, own = replace(purse, coins=more[:count]), purse.change_script
        draft = build_all((), own, whole, rate, rng, required=required, locktime=locktime)
        return replace(draft, change=draft.transaction.outputs[0].value)

    for count in range(len(more)):
        with suppress(NotEnoughMoney):
            return with_more(count)
    return with_more(len(more))


def _settled(
    at: Callable[[int], Draft],
    rate: int,
    base_fee: int,
    relay_rate: int,
    beaten: Rivals | None = None,
) -> Draft:
    """The draft at the first rate that pays the base fee, its own relay, and better than rivals."""
    for _ in range(ROUNDS):
        draft = at(rate)
        needed = base_fee + _fee(relay_rate, draft.vsize)
        if beaten is not None:
            needed = max(needed, _fee(beaten.rate_per_kvb, draft.vsize) + 1)
        if draft.fee >= needed:
            return draft
        rate = max(rate + 1, -(-needed * 1000 // draft.vsize))
    raise AbsurdFee("no fee settles this; wait for the next block")


def _family(client: "EsploraClient", txid: bytes, *, upwards: bool) -> Iterable[Waiting]:
    """The transaction and all that it waits for (upwards) or that waits for it, itself first."""
    seen, queue, count = {txid}, [txid], 0
    while queue:
        member = client.waiting(queue.pop(0))
        if member is None:
            if len(seen) == 1:
                raise NotPending(
                    f"the node does not hold {display_hash(txid)} any more; sync first"
                )
            continue
        yield member
        count += 1
        near = member.parents if upwards else client.pending_spenders(member.txid)
        queue += sorted(near - seen)
        seen |= near
        if count > MAX_FAMILY or len(seen) > MAX_FAMILY * MAX_FAMILY:
            raise NodeNonsense("the node tells of more waiting transactions than any node holds")


def _fee(rate_per_kvb: int, vsize: int) -> int:
    return -(-rate_per_kvb * vsize // 1000)


def own_outputs(entry: Entry, ledger: Ledger) -> list[Coin]:
    """The unspent outputs of a pending transaction that are ours and not kept back."""
    mine = {OutPoint(entry.txid, credit.output) for credit in entry.credits} - ledger.frozen
    return [coin for coin in ledger.coins() if coin.outpoint in mine]
