"""An unsigned transaction: recipients, coins, change and fee, every satoshi accounted for.

Inputs are worth outputs plus fee, exactly; what would be change but is too little to be worth
spending goes to the fee. The size is known before signing: whoever knows a coin's script says what
its input will weigh. Change tells as little as it can: it lies anywhere among the others, is about
as large as a payment, and no round number. It does no I/O and knows no keys.

Reference: BIP 141 (weight), Core's policy/policy.cpp (dust), wallet/spend.cpp.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chain.address import AddressError, address_to_script
from chain.address import WrongNetwork as ForeignAddress
from chain.curve import is_valid_public_key
from chain.encoding import compact_size_length
from chain.params import Params
from chain.script.script import witness_program
from chain.script.templates import ScriptType, classify
from chain.transaction import MAX_MONEY, Transaction, TxIn, TxOut
from wallet.amounts import with_unit
from wallet.coin_selection import Candidate, Goal, select
from wallet.errors import (
    AbsurdFee,
    BadAmount,
    Dust,
    NotEnoughMoney,
    UnknownAddress,
    WrongNetwork,
)
from wallet.ledger import Coin

MAX_RATE_PER_KVB = (
    1_000_000  # 1,000 satoshis a byte: no block of Bitcoin ever asked for more for long
)
MAX_FEE = 10_000_000  # 0.1 coins, Core's -maxtxfee
DUST_RATE_PER_KVB = 3_000  # Core's -dustrelayfee
CALM_RATE_PER_KVB = 10_000  # what spending will cost some day, Core's -consolidatefeerate
DEAR_TIMES = 3  # as many times that: Core's threshold for its CoinGrinder
SMALL_CHANGE, LARGE_CHANGE = 50_000, 1_000_000  # satoshis; Core's CHANGE_LOWER, CHANGE_UPPER
ROUND = 1_000  # change that is a multiple of it looks like a payment nobody makes to himself
MAX_WEIGHT = 400_000  # Core's MAX_STANDARD_TX_WEIGHT: more is not relayed
SEQUENCE_REPLACEABLE = 0xFFFFFFFD  # may be replaced by a higher fee (BIP 125)
VERSION = 2
# Weight of a usual input: outpoint, empty script, sequence; two witness items, 71 and 33 bytes.
INPUT_WEIGHT = 4 * (32 + 4 + 1 + 4) + (1 + 1 + 71 + 1 + 33)
BASE_WEIGHT = 4 * (4 + 4) + 2  # version and lock time; marker and flag
PAYABLE = {
    ScriptType.P2PKH,
    ScriptType.P2SH,
    ScriptType.P2WPKH,
    ScriptType.P2WSH,
    ScriptType.P2TR,
}
SPEND_WITNESS_VSIZE, SPEND_LEGACY_VSIZE = 67, 148  # Core's estimate of an input, for dust


@dataclass(frozen=True)
class Draft:
    """A payment ready to be looked at and signed: `fee` and `change` in satoshis (0: no change).

    `weight` is that of the signed transaction, in weight units; `for_parents` is that part of the
    fee which pays for pending transactions that it spends from; `taken` is what a payee gets less
    than by the payment that this one replaces.
    """

    transaction: Transaction
    coins: tuple[Coin, ...]
    spent_outputs: tuple[TxOut, ...]
    fee: int
    change: int
    weight: int
    for_parents: int = 0
    taken: int = 0

    @property
    def vsize(self) -> int:
        """Virtual bytes once signed (now and then one less than this)."""
        return _ceil(self.weight, 4)


@dataclass(frozen=True)
class Purse:
    """What may pay: coins, the proven output of each, where change goes, what an input weighs."""

    coins: Sequence[Coin]
    funding: Callable[[Coin], TxOut]
    change_script: bytes
    weight: Callable[[Coin], int] = lambda _: INPUT_WEIGHT
    debt: Callable[[Sequence[Coin]], int] = lambda _: 0
    """Satoshis by which who spends these must pay for the pending transactions they come from."""


def payable_script(address: str, params: Params) -> bytes:
    """The scriptPubKey of an address; errors tell a foreign network and an unknown address apart.

    UnknownAddress also for those whose coins anybody or nobody could spend.
    """
    try:
        script = address_to_script(address, params)
    except ForeignAddress as error:
        raise WrongNetwork(f"{address[:100]!r} is {error}") from None
    except AddressError as error:
        raise UnknownAddress(f"{address[:100]!r} is no address: {error}") from None
    if not _is_payable(script):
        raise UnknownAddress(f"{address} is of a kind whose coins anybody or nobody could spend")
    return script


def payment(address: str, value: int, params: Params) -> TxOut:
    """One recipient's output; payable_script's errors, BadAmount, or Dust."""
    script = payable_script(address, params)
    if type(value) is not int or not 0 <= value <= MAX_MONEY:
        raise BadAmount(f"{value!r} is not an amount: give whole satoshis from 0 to {MAX_MONEY}")
    least = dust_threshold(script)
    if value < least:
        raise Dust(
            f"{with_unit(value)} to {address} is dust, worth less than spending it costs: "
            f"pay at least {with_unit(least)}"
        )
    return TxOut(value, script)


def dust_threshold(script: bytes) -> int:
    """The least satoshis that nodes relay to a script: what spending it costs at the dust rate."""
    spend = SPEND_LEGACY_VSIZE if witness_program(script) is None else SPEND_WITNESS_VSIZE
    return (8 + 1 + len(script) + spend) * DUST_RATE_PER_KVB // 1000


def fee_of(weight: int, rate_per_kvb: int) -> int:
    """Satoshis for so many weight units, rounded up."""
    return _ceil(rate_per_kvb * weight, 4000)


def is_dear(rate_per_kvb: int) -> bool:
    """Fees are so high that every input counts."""
    return rate_per_kvb > DEAR_TIMES * CALM_RATE_PER_KVB


def change_room(amount: int, rng: random.Random) -> int:
    """How much change to aim for: as much as a payment might be, at random."""
    return rng.randint(SMALL_CHANGE, min(max(2 * amount, SMALL_CHANGE), LARGE_CHANGE))


def build(
    payments: Sequence[TxOut],
    purse: Purse,
    rate_per_kvb: int,
    rng: random.Random,
    *,
    required: Sequence[Coin] = (),
    locktime: int = 0,
) -> Draft:
    """Choose coins and put the transaction together; the `required` ones pay in any case.

    NotEnoughMoney, or AbsurdFee when rate or fee is beyond the ceilings.
    """
    _refuse_absurd_rate(rate_per_kvb)
    chosen = [*required, *_choose(payments, purse, required, rate_per_kvb, rng)]
    rng.shuffle(chosen)
    empty = TxOut(0, purse.change_script)
    change = _left(chosen, [*payments, empty], purse, rate_per_kvb)
    outputs = list(payments)
    if change < _least_change(purse, chosen, rate_per_kvb):
        return _draft(chosen, outputs, 0, purse, locktime)
    if change % ROUND == 0 and change > ROUND:
        change -= rng.randrange(1, ROUND // 10)
    # Anywhere among the others, so that its place does not give it away.
    outputs.insert(rng.randrange(len(outputs) + 1), TxOut(change, purse.change_script))
    return _draft(chosen, outputs, change, purse, locktime)


def build_all(
    payments: Sequence[TxOut],
    rest_to: bytes,
    purse: Purse,
    rate_per_kvb: int,
    rng: random.Random,
    *,
    required: Sequence[Coin] = (),
    locktime: int = 0,
) -> Draft:
    """Spend the required coins, and every other that is worth it; the rest goes to one script.

    NotEnoughMoney when that would be dust, or the coins are too many; AbsurdFee.
    """
    _refuse_absurd_rate(rate_per_kvb)
    others = [coin for coin in purse.coins if coin not in required]
    worth = [coin for coin in others if _candidate(coin, purse, rate_per_kvb).value > 0]
    coins = [*required, *worth]
    left = _left(coins, [*payments, TxOut(0, rest_to)], purse, rate_per_kvb)
    have = sum(coin.value for coin in [*required, *others])
    least = dust_threshold(rest_to)
    outputs = [*payments, TxOut(max(left, 0), rest_to)]
    if left < least or _weight(coins, outputs, purse) > MAX_WEIGHT:
        raise _not_enough(have, sum(coin.value for coin in coins) - left + least, len(coins))
    rng.shuffle(coins)
    rng.shuffle(outputs)
    return _draft(coins, outputs, 0, purse, locktime)


def _refuse_absurd_rate(rate_per_kvb: int) -> None:
    if rate_per_kvb > MAX_RATE_PER_KVB:
        raise AbsurdFee(
            f"a fee rate of {rate_per_kvb // 1000} sat/vB is absurd; "
            f"at most {MAX_RATE_PER_KVB // 1000} is accepted"
        )


def _draft(
    coins: Sequence[Coin], outputs: Sequence[TxOut], change: int, purse: Purse, locktime: int
) -> Draft:
    spent = tuple(purse.funding(coin) for coin in coins)
    fee = sum(output.value for output in spent) - sum(output.value for output in outputs)
    if fee > MAX_FEE:
        raise AbsurdFee(
            f"a fee of {with_unit(fee)} is absurd; at most {with_unit(MAX_FEE)} is accepted"
        )
    inputs = tuple(TxIn(coin.outpoint, b"", SEQUENCE_REPLACEABLE, ()) for coin in coins)
    transaction = Transaction(VERSION, inputs, tuple(outputs), locktime)
    weight, debt = _weight(coins, outputs, purse), purse.debt(coins)
    return Draft(transaction, tuple(coins), spent, fee, change, weight, debt)


def _choose(
    payments: Sequence[TxOut],
    purse: Purse,
    required: Sequence[Coin],
    rate_per_kvb: int,
    rng: random.Random,
) -> list[Coin]:
    """The coins to spend beside the required ones; NotEnoughMoney if all are not enough."""
    coins = [coin for coin in purse.coins if coin not in required]
    paying = [*required, *coins]
    candidates = [_candidate(coin, purse, rate_per_kvb) for coin in coins]
    amount = sum(output.value for output in payments)
    # All but the inputs; 3 units more, so that rounding up parts covers rounding up the whole.
    base = _weight((), payments, purse) + 4 * (compact_size_length(len(paying)) - 1) + 3
    target = amount + fee_of(base, rate_per_kvb)
    still = target - sum(_candidate(coin, purse, rate_per_kvb).value for coin in required)
    if required and still <= 0:
        return []
    change_weight = 4 * len(TxOut(0, purse.change_script).serialize())
    change_fee = fee_of(change_weight, rate_per_kvb)
    heaviest = _heaviest(purse, paying)
    goal = Goal(
        still,
        change_fee + _least_change(purse, paying, rate_per_kvb),
        change_fee + fee_of(heaviest, CALM_RATE_PER_KVB),
        MAX_WEIGHT - base - change_weight - sum(purse.weight(coin) for coin in required),
        change_room(amount, rng),
    )
    places = select(candidates, goal, rng, is_dear=is_dear(rate_per_kvb))
    if places is None:
        fees = [coin.value - _candidate(coin, purse, rate_per_kvb).value for coin in paying]
        most = fee_of(MAX_WEIGHT, rate_per_kvb)
        need = target + min(sum(fees) if fees else fee_of(heaviest, rate_per_kvb), most)
        raise _not_enough(sum(coin.value for coin in paying), need, len(paying))
    return [coins[place] for place in places]


def _candidate(coin: Coin, purse: Purse, rate_per_kvb: int) -> Candidate:
    weight = purse.weight(coin)
    fee = fee_of(weight, rate_per_kvb) + purse.debt([coin])
    return Candidate(coin.value - fee, fee - fee_of(weight, CALM_RATE_PER_KVB), weight)


def _not_enough(have: int, need: int, count: int) -> NotEnoughMoney:
    what = "can be spent now"
    if have >= need:
        what += f" but lies in {count} coins, too many for one payment; pay in parts"
    return NotEnoughMoney(
        f"not enough money: {with_unit(need)} needed with the fee, {with_unit(have)} {what}",
        have,
        need,
    )


def _heaviest(purse: Purse, coins: Sequence[Coin]) -> int:
    """What spending change will weigh: like the heaviest of these, for it may be of their kind."""
    return max((purse.weight(coin) for coin in coins), default=INPUT_WEIGHT)


def _least_change(purse: Purse, coins: Sequence[Coin], rate_per_kvb: int) -> int:
    """Change is made if it is no dust and worth more than spending it will cost at this rate."""
    return max(
        dust_threshold(purse.change_script), fee_of(_heaviest(purse, coins), rate_per_kvb) + 1
    )


def _left(coins: Sequence[Coin], outputs: Sequence[TxOut], purse: Purse, rate_per_kvb: int) -> int:
    """What outputs and fee leave of the coins; below 0 if they are not enough."""
    fee = _ceil(rate_per_kvb * _ceil(_weight(coins, outputs, purse), 4), 1000)
    fee += purse.debt(coins)
    return sum(c.value for c in coins) - sum(output.value for output in outputs) - fee


def _weight(coins: Sequence[Coin], outputs: Sequence[TxOut], purse: Purse) -> int:
    """Weight units of a transaction of these, signed."""
    counts = compact_size_length(len(coins)) + compact_size_length(len(outputs))
    size = counts + sum(len(output.serialize()) for output in outputs)
    return BASE_WEIGHT + sum(purse.weight(coin) for coin in coins) + 4 * size


def _is_payable(script: bytes) -> bool:
    """Kinds that one owner can spend; a Taproot key must be a point of the curve."""
    kind = classify(script)
    return kind in PAYABLE and (
        kind is not ScriptType.P2TR or is_valid_public_key(b"\x02" + script[2:])
    )


def _ceil(number: int, divisor: int) -> int:
    return -(-number // divisor)
