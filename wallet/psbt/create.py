"""Creating: a payment from the coins of any descriptor, ready for its signers.

Knows how much an input of each shape will weigh once it is signed, so that the fee is right before
anybody has signed. Coins are chosen as every payment's are (coin_selection), dust and absurd rates
refused as everywhere (builder). Does no I/O and knows no private key.

Reference: BIP 174 (Creator), BIP 141 (weight).
"""

import random
from collections.abc import Mapping, Sequence

from chain.encoding import compact_size_length
from chain.script.script import witness_program
from chain.script.templates import multisig_keys
from chain.transaction import Transaction, TxIn, TxOut
from wallet.amounts import format_amount
from wallet.builder import (
    BASE_WEIGHT,
    MAX_FEE,
    MAX_RATE_PER_KVB,
    SEQUENCE_REPLACEABLE,
    VERSION,
    dust_threshold,
)
from wallet.coin_selection import select
from wallet.errors import AbsurdFee, NotEnoughMoney
from wallet.ledger import Coin
from wallet.psbt.packet import Psbt
from wallet.psbt.update import update
from wallet.script_expression import Expansion, OutputDescriptor

# Bytes of a signature with its hash type: DER with a low S, whose R may be high if another signs.
ECDSA_SIZE, SCHNORR_SIZE = 72, 64


def create(
    descriptor: OutputDescriptor,
    coins: Sequence[Coin],
    sources: Mapping[bytes, Transaction],
    payments: Sequence[TxOut],
    change_index: int,
    rate_per_kvb: int,
    rng: random.Random,
) -> Psbt:
    """A packet that pays, with all that its signers must know; `sources` by txid, wire order.

    What is left goes to branch 1 of the descriptor, at `change_index`.
    NotEnoughMoney, or AbsurdFee when rate or fee is beyond the ceilings.
    """
    if rate_per_kvb > MAX_RATE_PER_KVB:
        raise AbsurdFee(
            f"a fee rate of {rate_per_kvb // 1000} sat/vB is absurd; "
            f"at most {MAX_RATE_PER_KVB // 1000} is accepted"
        )
    weight = max(
        (input_weight(descriptor.expand(coin.path.number, coin.path.branch)) for coin in coins),
        default=0,
    )
    base = BASE_WEIGHT + 4 * (6 + sum(len(output.serialize()) for output in payments))
    change_script = descriptor.script(1, change_index)
    change = TxOut(0, change_script)
    change_fee = _fee(4 * len(change.serialize()), rate_per_kvb)
    least = max(dust_threshold(change_script), _fee(weight, rate_per_kvb) + 1)
    input_fee = _fee(weight, rate_per_kvb)
    target = sum(output.value for output in payments) + _fee(base, rate_per_kvb)
    places = select([coin.value - input_fee for coin in coins], target, change_fee + least, rng)
    if places is None:
        have, need = sum(coin.value for coin in coins), target + input_fee * max(len(coins), 1)
        raise NotEnoughMoney(
            f"not enough money: {format_amount(need)} needed with the fee, "
            f"{format_amount(have)} can be spent now",
            have,
            need,
        )
    rng.shuffle(places)
    chosen, outputs = [coins[place] for place in places], list(payments)
    left = sum(coin.value - input_fee for coin in chosen) - target - change_fee
    if left >= least:
        # Anywhere among the others, so that its place does not give it away.
        outputs.insert(rng.randrange(len(outputs) + 1), TxOut(left, change_script))
    fee = sum(coin.value for coin in chosen) - sum(output.value for output in outputs)
    if fee > MAX_FEE:
        raise AbsurdFee(
            f"a fee of {format_amount(fee)} is absurd; at most {format_amount(MAX_FEE)} is accepted"
        )
    inputs = [TxIn(coin.outpoint, b"", SEQUENCE_REPLACEABLE) for coin in chosen]
    unsigned = Psbt.of_transaction(Transaction(VERSION, inputs, outputs, 0))
    last = max([change_index, *(coin.path.number for coin in chosen)])
    return update(unsigned, [descriptor], sources, look_ahead=last + 1)


def input_weight(known: Expansion) -> int:
    """Weight units of an input of this shape, signed: 4 a byte, 1 in the witness."""
    program = witness_program(known.redeem_script or known.script_pubkey)
    redeem = b"" if known.redeem_script is None else known.redeem_script
    if known.internal_key is not None:
        unlocked, script_sig = 1 + 1 + SCHNORR_SIZE, 0
    elif known.witness_script is not None:
        script = known.witness_script
        unlocked = 1 + _unlocking(script, known) + compact_size_length(len(script)) + len(script)
        script_sig = 1 + len(redeem) if redeem else 0
    elif program is not None:
        unlocked, script_sig = 1 + 1 + ECDSA_SIZE + 1 + 33, 1 + len(redeem) if redeem else 0
    else:
        code = redeem or known.script_pubkey
        unlocked, script_sig = 0, _unlocking(code, known) + (3 + len(redeem) if redeem else 0)
    blank = 32 + 4 + 4 + compact_size_length(script_sig)
    return 4 * (blank + script_sig) + unlocked


def _unlocking(script: bytes, known: Expansion) -> int:
    """Bytes of signatures and keys, each behind its length, that satisfy a script."""
    several = multisig_keys(script)
    if several is not None:
        return 1 + several[0] * (1 + ECDSA_SIZE)  # and the item that CHECKMULTISIG wastes
    return 1 + ECDSA_SIZE + 1 + max(len(key.key) for key in known.keys)


def _fee(weight: int, rate_per_kvb: int) -> int:
    return -(-rate_per_kvb * weight // 4000)
