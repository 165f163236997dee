"""Payments drawn up: who gets what, from which coins, and from which block on.

Between what an owner says (addresses, amounts, coins by name) and builder's outputs and coins. Does
no I/O; the time and chance are arguments.

The lock time is that of Bitcoin Core's wallet: a payment may enter the next block at the earliest,
so that a miner who rewrites the last block to take its fees cannot take this payment's along; now
and then a little further back, as a payment that was signed apart or waited would be.

Reference: wallet/spend.cpp, DiscourageFeeSniping; BIP 125 (signalled by builder).
"""

import random
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from chain.encoding import display_hash, parse_hash
from chain.params import Params
from chain.transaction import OutPoint, Transaction
from wallet.amounts import with_unit
from wallet.builder import Draft, Purse, build, build_all, payable_script, payment
from wallet.errors import BadAmount, CoinUnavailable
from wallet.ledger import Coin, Ledger, Tip
from wallet.package import Waiting, missing_fee

MAX_TIP_AGE_S = 8 * 3600  # Core's MAX_ANTI_FEE_SNIPING_TIP_AGE
MAX_STEP_BACK = 100  # blocks, in one payment of ten: Core's
_OUTPOINT = re.compile(r"([0-9a-fA-F]{64}):([0-9]{1,9})")

Recipient = tuple[str, int | None]
"""An address and its satoshis; None for all that is left."""


def pay(
    recipients: Sequence[Recipient],
    purse: Purse,
    params: Params,
    rate_per_kvb: int,
    rng: random.Random,
    *,
    use_all: bool = False,
    locktime: int = 0,
) -> Draft:
    """A payment, unsigned, from coins of the purse: with `use_all` from every one of them.

    One recipient may take all that is left; there is no change then.
    """
    if not recipients:
        raise BadAmount("nobody to pay: give at least one address and amount")
    rest = [address for address, value in recipients if value is None]
    if len(rest) > 1:
        raise BadAmount("only one recipient can take all that is left; give the others an amount")
    outputs = [payment(to, value, params) for to, value in recipients if value is not None]
    if rest:
        script = payable_script(rest[0], params)
        return build_all(outputs, script, purse, rate_per_kvb, rng, locktime=locktime)
    required = purse.coins if use_all else ()
    return build(outputs, purse, rate_per_kvb, rng, required=required, locktime=locktime)


def chosen_coins(
    ledger: Ledger, outpoints: Collection[OutPoint], maturity_blocks: int
) -> list[Coin]:
    """The coins of these names; CoinUnavailable says why one cannot be spent now."""
    known = {coin.outpoint: coin for coin in ledger.coins()}
    spendable = {coin.outpoint for coin in ledger.spendable(maturity_blocks)}
    for outpoint in outpoints:
        if outpoint not in spendable:
            why = _complaint(known.get(outpoint), ledger, maturity_blocks)
            raise CoinUnavailable(f"coin {format_outpoint(outpoint)} {why}")
    return [known[outpoint] for outpoint in dict.fromkeys(outpoints)]


def withheld(ledger: Ledger, maturity_blocks: int) -> str:
    """What the wallet holds and can't spend now, as the end of a sentence; empty if it is none."""
    usable = {coin.outpoint for coin in ledger.spendable(maturity_blocks)}
    why = {"immature": "must mature first", "frozen": "is frozen", "pending": "waits for a block"}
    held = dict.fromkeys(why, 0)
    for coin in ledger.coins():
        if coin.outpoint not in usable:
            held[coin_state(coin, ledger, maturity_blocks)] += coin.value
    return "".join(f", {with_unit(held[state])} {why[state]}" for state in why if held[state])


def coin_state(coin: Coin, ledger: Ledger, maturity_blocks: int) -> str:
    """`immature`, `frozen`, `pending` or `confirmed`: where the balance counts it."""
    if ledger.is_immature(coin, maturity_blocks):
        return "immature"
    if coin.outpoint in ledger.frozen:
        return "frozen"
    return "pending" if coin.height is None else "confirmed"


def _complaint(coin: Coin | None, ledger: Ledger, maturity_blocks: int) -> str:
    if coin is None:
        return "is not in this wallet, or is spent; farthing wallet coins lists what there is"
    if coin.outpoint in ledger.frozen:
        return "is frozen; unfreeze it first"
    if ledger.is_immature(coin, maturity_blocks):
        return f"was mined and can be spent after {maturity_blocks} blocks; wait"
    return "waits for its first block, and who sent it could still replace it; wait"


def frozen_with(ledger: Ledger, outpoints: Collection[OutPoint], *, freeze: bool) -> Ledger:
    """The ledger with some coins kept back, or no longer; CoinUnavailable if one is not there."""
    known = {coin.outpoint for coin in ledger.coins()}
    for outpoint in outpoints:
        if outpoint not in (known if freeze else known | ledger.frozen):
            raise CoinUnavailable(f"coin {format_outpoint(outpoint)} {_complaint(None, ledger, 0)}")
    chosen = frozenset(outpoints)
    return replace(ledger, frozen=ledger.frozen | chosen if freeze else ledger.frozen - chosen)


def debt_of(coins: Iterable[Coin], ledger: Ledger, rate_per_kvb: int) -> int:
    """What spending these must add, in satoshis, so that what they come from is mined as soon.

    Of transactions with inputs of others the fee is not known: they are left to themselves.
    """
    txids = [coin.outpoint.txid for coin in coins if coin.height is None]
    waiting: dict[bytes, Waiting] = {}
    queue = list(txids)
    while queue:
        entry = ledger.entries.get(queue.pop())
        if entry and entry.status.height is None and entry.fee is not None:
            parents = frozenset(debit.outpoint.txid for debit in entry.debits)
            vsize = Transaction.parse(entry.raw).vsize
            waiting[entry.txid] = Waiting(entry.txid, entry.fee, vsize, parents)
            queue += parents - set(waiting)
    return missing_fee(txids, waiting, rate_per_kvb)


def lock_time(tip: Tip | None, now: int, rng: random.Random) -> int:
    """The height from which a payment made now may be mined: the tip's, if the tip is recent."""
    if tip is None or tip.time < now - MAX_TIP_AGE_S:
        return 0
    step = rng.randrange(MAX_STEP_BACK) if rng.randrange(10) == 0 else 0
    return max(tip.height - step, 0)


def parse_outpoint(text: str) -> OutPoint:
    """A coin's name, `txid:number`; CoinUnavailable if the text is none."""
    match = _OUTPOINT.fullmatch(text.strip())
    if match is None:
        raise CoinUnavailable(
            f"{text[:100]!r} names no coin: write txid:number, as farthing wallet coins shows it"
        )
    return OutPoint(parse_hash(match[1].lower()), int(match[2]))


def format_outpoint(outpoint: OutPoint) -> str:
    """A coin's name as people see it: `txid:number`."""
    return f"{display_hash(outpoint.txid)}:{outpoint.index}"
