"""An unsigned transaction: recipients, coins, change and fee, every satoshi accounted for.

Inputs are worth outputs plus fee, exactly; what would be change but is too little to be worth
spending goes to the fee. The size is known before signing because all our inputs are alike: pay to
witness public key hash, signed with a low R. It does no I/O and knows no keys.

Reference: BIP 141 (weight), Core's policy/policy.cpp (dust), wallet/spend.cpp.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chain.address import AddressError, address_to_script
from chain.address import WrongNetwork as ForeignAddress
from chain.curve import is_valid_public_key
from chain.encoding import write_compact_size
from chain.params import Params
from chain.script.script import witness_program
from chain.script.templates import ScriptType, classify
from chain.transaction import MAX_MONEY, Transaction, TxIn, TxOut
from wallet.amounts import format_amount
from wallet.coin_selection import MAX_INPUTS, select
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
SEQUENCE_REPLACEABLE = 0xFFFFFFFD  # may be replaced by a higher fee (BIP 125)
VERSION = 2
# Weight of one of our inputs: outpoint, empty script, sequence; two witness items, 71 and 33 bytes.
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
    """A payment ready to be looked at and signed: `fee` and `change` in satoshis (0: no change)."""

    transaction: Transaction
    coins: tuple[Coin, ...]
    spent_outputs: tuple[TxOut, ...]
    fee: int
    change: int

    @property
    def vsize(self) -> int:
        """Virtual bytes once signed (now and then one less than this)."""
        return _vsize(len(self.coins), self.transaction.outputs)


def payment(address: str, value: int, params: Params) -> TxOut:
    """One recipient's output; errors tell a foreign network, an unknown address and dust apart."""
    try:
        script = address_to_script(address, params)
    except ForeignAddress as error:
        raise WrongNetwork(f"{address[:100]!r} is {error}") from None
    except AddressError as error:
        raise UnknownAddress(f"{address[:100]!r} is no address: {error}") from None
    if not _is_payable(script):
        raise UnknownAddress(f"{address} is of a kind whose coins anybody or nobody could spend")
    if type(value) is not int or not 0 <= value <= MAX_MONEY:
        raise BadAmount(f"{value!r} is not an amount: give whole satoshis from 0 to {MAX_MONEY}")
    least = dust_threshold(script)
    if value < least:
        raise Dust(
            f"{format_amount(value)} to {address} is dust, worth less than spending it costs: "
            f"pay at least {format_amount(least)}"
        )
    return TxOut(value, script)


def dust_threshold(script: bytes) -> int:
    """The least satoshis that nodes relay to a script: what spending it costs at the dust rate."""
    spend = SPEND_LEGACY_VSIZE if witness_program(script) is None else SPEND_WITNESS_VSIZE
    return (8 + 1 + len(script) + spend) * DUST_RATE_PER_KVB // 1000


def build(
    payments: Sequence[TxOut],
    coins: Sequence[Coin],
    funding: Callable[[Coin], TxOut],
    change_script: bytes,
    rate_per_kvb: int,
    rng: random.Random,
) -> Draft:
    """Choose coins and put the transaction together; `funding` gives a coin's proven output.

    NotEnoughMoney, or AbsurdFee when rate or fee is beyond the ceilings.
    """
    if rate_per_kvb > MAX_RATE_PER_KVB:
        raise AbsurdFee(
            f"a fee rate of {rate_per_kvb // 1000} sat/vB is absurd; "
            f"at most {MAX_RATE_PER_KVB // 1000} is accepted"
        )
    empty_change = TxOut(0, change_script)
    chosen = _choose(payments, coins, empty_change, rate_per_kvb, rng)
    spent = tuple(funding(coin) for coin in chosen)
    fee = sum(output.value for output in spent) - sum(output.value for output in payments)
    change = fee - _fee(len(chosen), [*payments, empty_change], rate_per_kvb)
    outputs = list(payments)
    if change >= _least_change(change_script, rate_per_kvb):
        fee -= change
        # Anywhere among the others, so that its place does not give it away.
        outputs.insert(rng.randrange(len(outputs) + 1), TxOut(change, change_script))
    else:
        change = 0
    if fee > MAX_FEE:
        raise AbsurdFee(
            f"a fee of {format_amount(fee)} is absurd; at most {format_amount(MAX_FEE)} is accepted"
        )
    inputs = tuple(TxIn(coin.outpoint, b"", SEQUENCE_REPLACEABLE, ()) for coin in chosen)
    return Draft(Transaction(VERSION, inputs, tuple(outputs), 0), tuple(chosen), spent, fee, change)


def _choose(
    payments: Sequence[TxOut],
    coins: Sequence[Coin],
    empty_change: TxOut,
    rate_per_kvb: int,
    rng: random.Random,
) -> list[Coin]:
    """The coins to spend, in random order; NotEnoughMoney tells what there is and what it takes."""
    amount = sum(output.value for output in payments)
    input_fee = _ceil(rate_per_kvb * INPUT_WEIGHT, 4000)
    # All but the inputs; 3 units more, so that rounding up parts covers rounding up the whole.
    base_weight = _weight(len(coins), payments) - INPUT_WEIGHT * len(coins) + 3
    target = amount + _ceil(rate_per_kvb * base_weight, 4000)
    change_fee = _fee(0, [*payments, empty_change], rate_per_kvb) - _fee(0, payments, rate_per_kvb)
    least_excess = change_fee + _least_change(empty_change.script_pubkey, rate_per_kvb)
    places = select([coin.value - input_fee for coin in coins], target, least_excess, rng)
    if places is None:
        have = sum(coin.value for coin in coins)
        need = target + input_fee * min(max(len(coins), 1), MAX_INPUTS)
        what = "can be spent now"
        if have >= need:
            what += f" but lies in {len(coins)} coins, too many for one payment; pay in parts"
        raise NotEnoughMoney(
            f"not enough money: {format_amount(need)} needed with the fee, "
            f"{format_amount(have)} {what}",
            have,
            need,
        )
    rng.shuffle(places)
    return [coins[place] for place in places]


def _least_change(script: bytes, rate_per_kvb: int) -> int:
    """Change is made if it is no dust and worth more than spending it will cost at this rate."""
    return max(dust_threshold(script), _ceil(rate_per_kvb * INPUT_WEIGHT, 4000) + 1)


def _fee(input_count: int, outputs: Sequence[TxOut], rate_per_kvb: int) -> int:
    return _ceil(rate_per_kvb * _vsize(input_count, outputs), 1000)


def _vsize(input_count: int, outputs: Sequence[TxOut]) -> int:
    return _ceil(_weight(input_count, outputs), 4)


def _weight(input_count: int, outputs: Sequence[TxOut]) -> int:
    """Weight units of a transaction with so many inputs of ours, signed."""
    counts = len(write_compact_size(input_count)) + len(write_compact_size(len(outputs)))
    size = counts + sum(8 + 1 + len(output.script_pubkey) for output in outputs)
    return BASE_WEIGHT + INPUT_WEIGHT * input_count + 4 * size


def _is_payable(script: bytes) -> bool:
    """Kinds that one owner can spend; a Taproot key must be a point of the curve."""
    kind = classify(script)
    return kind in PAYABLE and (
        kind is not ScriptType.P2TR or is_valid_public_key(b"\x02" + script[2:])
    )


def _ceil(number: int, divisor: int) -> int:
    return -(-number // divisor)
