"""Creating: a payment from the coins of any descriptor, ready for its signers.

Knows how much an input of each shape will weigh once it is signed, so that the fee is right before
anybody has signed; all else is as with every payment (builder). Does no I/O, knows no private key.

Reference: BIP 174 (Creator), BIP 141 (weight).
"""

import random
from collections.abc import Mapping, Sequence

from chain.encoding import compact_size_length
from chain.script.script import witness_program
from chain.script.templates import multisig_keys
from chain.transaction import Transaction, TxOut
from wallet.builder import Purse, build
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
    weights = {
        coin: input_weight(descriptor.expand(coin.path.number, coin.path.branch)) for coin in coins
    }
    purse = Purse(
        coins,
        lambda coin: sources[coin.outpoint.txid].outputs[coin.outpoint.index],
        descriptor.script(1, change_index),
        weights.__getitem__,
    )
    draft = build(payments, purse, rate_per_kvb, rng)
    last = max([change_index, *(coin.path.number for coin in draft.coins)])
    return update(
        Psbt.of_transaction(draft.transaction), [descriptor], sources, look_ahead=last + 1
    )


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
