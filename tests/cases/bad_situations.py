"""Reasons that a single block after a good chain cannot trigger: it takes a history, or odd coins.

Some need coins worth more than there will ever be: no chain has them, but the rule is asked all the
same.
"""

from abc import ABC, abstractmethod

from chain.block import Block
from chain.coins import Coin, CoinsOverlay
from chain.connect import connect_block
from chain.errors import Invalid, Reason
from chain.headers import HeaderEntry
from chain.params import REGTEST, with_activation_heights
from chain.script.check import SerialQueue
from chain.transaction import OutPoint, TxOut
from chain.tx_rules import check_inputs
from tests.builders import ANYONE, ChainBuilder, make_block, make_coinbase, make_tx, tx_in

MAX_MONEY = 2_100_000_000_000_000
FIRST, SECOND = OutPoint(b"\x07" * 32, 0), OutPoint(b"\x07" * 32, 1)


class BadSituation(ABC):
    """One way to be refused; the docstring says which."""

    reason: Reason

    @abstractmethod
    def trigger(self) -> None:
        """Raise Invalid."""


def mine_invalid(chain: ChainBuilder) -> Block:
    """A block that pays its miner too much, refused."""
    block = chain.block(value=51 * 10**8)
    refused = chain.accept(block).changes.failures[block.hash]
    if refused.reason is not Reason.BAD_CB_AMOUNT:
        raise AssertionError(f"refused for {refused}")
    return block


class InvalidAgain(BadSituation):
    """A block that was refused before."""

    reason = Reason.DUPLICATE_INVALID

    def trigger(self) -> None:
        chain = ChainBuilder()
        chain.accept(mine_invalid(chain))


class ChildOfInvalid(BadSituation):
    """A block on top of one that was refused."""

    reason = Reason.BAD_PREVBLK

    def trigger(self) -> None:
        chain = ChainBuilder()
        invalid = mine_invalid(chain)
        chain.mine(parent=HeaderEntry(invalid.header, chain.tip))


class RepeatedTransaction(BadSituation):
    """A second coinbase with the bytes of the first, unspent one (BIP 30, CVE-2012-1909)."""

    reason = Reason.BAD_TXNS_BIP30

    def trigger(self) -> None:
        chain = ChainBuilder(with_activation_heights(REGTEST, {"bip34": 100}))
        coinbase = make_coinbase(7, [TxOut(0, ANYONE)])
        for _ in range(2):
            block = make_block(chain.tip, [coinbase], chain.params)
            for invalid in chain.accept(block).changes.failures.values():
                raise invalid


def one_coin(value: int) -> Coin:
    return Coin(TxOut(value, ANYONE), 0, False)


class HugeCoin(BadSituation):
    """Spends a coin of more than there will ever be."""

    reason = Reason.BAD_TXNS_INPUTVALUES_OUTOFRANGE

    def trigger(self) -> None:
        tx = make_tx([tx_in(FIRST)], [TxOut(1, ANYONE)])
        check_inputs(tx, {FIRST: one_coin(MAX_MONEY + 1)}.get, 1, REGTEST)


class NegativeCoin(BadSituation):
    """Spends a coin of less than nothing."""

    reason = Reason.BAD_TXNS_INPUTVALUES_OUTOFRANGE

    def trigger(self) -> None:
        tx = make_tx([tx_in(FIRST)], [TxOut(-2, ANYONE)])
        check_inputs(tx, {FIRST: one_coin(-1)}.get, 1, REGTEST)


class HugeCoinsTogether(BadSituation):
    """Spends two coins that are too much together."""

    reason = Reason.BAD_TXNS_INPUTVALUES_OUTOFRANGE

    def trigger(self) -> None:
        tx = make_tx([tx_in(FIRST), tx_in(SECOND)], [TxOut(1, ANYONE)])
        coins = {FIRST: one_coin(MAX_MONEY), SECOND: one_coin(1)}
        check_inputs(tx, coins.get, 1, REGTEST)


class HugeFee(BadSituation):
    """Leaves too much to the miner. It takes an output below zero, which was refused before."""

    reason = Reason.BAD_TXNS_FEE_OUTOFRANGE

    def trigger(self) -> None:
        tx = make_tx([tx_in(FIRST)], [TxOut(-1, ANYONE)])
        check_inputs(tx, {FIRST: one_coin(MAX_MONEY)}.get, 1, REGTEST)


class HugeFees(BadSituation):
    """A block whose transactions together leave too much to the miner."""

    reason = Reason.BAD_TXNS_ACCUMULATED_FEE_OUTOFRANGE

    def trigger(self) -> None:
        coins = {FIRST: one_coin(MAX_MONEY), SECOND: one_coin(1)}
        txs = [make_tx([tx_in(outpoint)], [TxOut(0, ANYONE)]) for outpoint in coins]
        parent = HeaderEntry(REGTEST.genesis.header, None)
        block = make_block(parent, [make_coinbase(1, [TxOut(0, ANYONE)]), *txs])
        entry = HeaderEntry(block.header, parent)
        connect_block(
            block, entry, CoinsOverlay(coins), REGTEST, SerialQueue, scripts_in_order=True
        )


BAD_SITUATIONS: list[type[BadSituation]] = [
    case
    for case in globals().values()
    if isinstance(case, type) and issubclass(case, BadSituation) and case is not BadSituation
]


def raised_by(case: BadSituation) -> Invalid | None:
    """What triggering it raises."""
    try:
        case.trigger()
    except Invalid as invalid:
        return invalid
    return None
