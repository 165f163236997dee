"""Creating: a payment from the coins of any descriptor, ready for its signers.

All is as with every payment (builder), but that the signers are others. Does no I/O, knows no
private key.

Reference: BIP 174 (Creator).
"""

import random
from collections.abc import Mapping, Sequence

from chain.transaction import Transaction, TxOut
from wallet.account import input_weight
from wallet.builder import Purse, build, build_all
from wallet.ledger import Coin
from wallet.psbt.packet import Psbt
from wallet.psbt.update import update
from wallet.script_expression import OutputDescriptor


def create(
    descriptor: OutputDescriptor,
    coins: Sequence[Coin],
    sources: Mapping[bytes, Transaction],
    payments: Sequence[TxOut],
    change_index: int,
    rate_per_kvb: int,
    rng: random.Random,
    *,
    rest_to: bytes | None = None,
) -> Psbt:
    """A packet that pays, with all that its signers must know; `sources` by txid, wire order.

    What is left goes to branch 1 of the descriptor, at `change_index`; or to the script `rest_to`,
    and then every coin is spent that is worth it.
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
    if rest_to is None:
        draft = build(payments, purse, rate_per_kvb, rng)
    else:
        draft = build_all(payments, rest_to, purse, rate_per_kvb, rng)
    last = max([change_index, *(coin.path.number for coin in draft.coins)])
    return update(
        Psbt.of_transaction(draft.transaction), [descriptor], sources, look_ahead=last + 1
    )
