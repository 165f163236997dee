"""A chain to begin with, and payments that need no signatures: they spend P2WSH outputs of OP_TRUE.

Such outputs are standard and cost nothing to check, so that one core runs twenty nodes much faster
than the clock.
"""

import hashlib
from collections.abc import Sequence
from functools import cache

from chain.chainstate import Chainstate
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from node.simulator import START_S, Simulation

ANYONE = b"\x51"
PAY_TO_ANYONE = b"\x00\x20" + hashlib.sha256(ANYONE).digest()
BASE_HEIGHT = 110
"""Ten coinbases can be spent in the next block."""
BASE_TIME = START_S + BASE_HEIGHT
FEE = 400

Coin = tuple[OutPoint, int]
"""An output anybody can spend, and its value in satoshis."""


@cache
def base_rows() -> dict[bytes, bytes | None]:
    """The rows of a store with the base chain."""
    network = Simulation(0, 1)
    for _ in range(BASE_HEIGHT):
        network.run(1)
        network.mine(0, PAY_TO_ANYONE)
    store = network.hosts[0].store
    return {key: value for key, value in store.scan(b"") if not key.startswith(b"p")}


def mature_coins(chain: Chainstate, count: int = 10) -> list[Coin]:
    """The first coinbases of the chain."""
    coins = []
    for height in range(1, count + 1):
        block = chain.read_block(chain.active[height].hash)
        assert block is not None
        coins.append(coin_of(block.transactions[0]))
    return coins


def coin_of(tx: Transaction, index: int = 0) -> Coin:
    return OutPoint(tx.txid, index), tx.outputs[index].value


def payment(
    coins: Coin | Sequence[Coin], shares: Sequence[int] = (1,), *, fee: int = FEE
) -> Transaction:
    """Spend coins to outputs in these proportions."""
    spent: Sequence[Coin] = [coins] if isinstance(coins[0], OutPoint) else coins  # type: ignore[assignment, list-item]
    total = sum(value for _, value in spent) - fee
    values = [total * share // sum(shares) for share in shares]
    values[-1] += total - sum(values)
    inputs = tuple(TxIn(outpoint, b"", 0xFFFFFFFD, (ANYONE,)) for outpoint, _ in spent)
    return Transaction(2, inputs, tuple(TxOut(value, PAY_TO_ANYONE) for value in values), 0)
