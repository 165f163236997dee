"""Transactions that break one rule each.

A case is handed a chain whose oldest coinbases are mature and builds one transaction for the block
after its tip. Nothing that it builds is ever accepted, so one chain serves all cases.
"""

from abc import ABC, abstractmethod

from chain.errors import Reason
from chain.transaction import Transaction, TxOut
from tests.builders import (
    ANYONE,
    COIN,
    NULL,
    ChainBuilder,
    OutPoint,
    Spendable,
    key,
    make_tx,
    padding,
    tx_in,
    with_inputs,
)

MAX_MONEY = 21_000_000 * COIN
CHECKSIG = b"\xac"


class BadTransaction(ABC):
    """One way for a transaction to be wrong; the docstring says which."""

    reason: Reason
    text = ""  # the complete reject string, where the reason's text has a place to fill
    # What a block of it alone is refused for, where another rule speaks first.
    reason_in_block: Reason | None = None

    @abstractmethod
    def build(self, chain: ChainBuilder) -> Transaction:
        """The transaction."""


def coin(chain: ChainBuilder) -> Spendable:
    """A mature coinbase output of 50 coins."""
    return chain.mature()[0]


class NoInputs(BadTransaction):
    """Takes from nowhere. (With outputs its bytes would read as another transaction's.)"""

    reason = Reason.BAD_TXNS_VIN_EMPTY

    def build(self, chain: ChainBuilder) -> Transaction:
        return make_tx([], [])


class NoOutputs(BadTransaction):
    """Pays to nowhere."""

    reason = Reason.BAD_TXNS_VOUT_EMPTY

    def build(self, chain: ChainBuilder) -> Transaction:
        return chain.spend(coin(chain), [])


class TooLarge(BadTransaction):
    """One byte more than a block can hold."""

    reason = Reason.BAD_TXNS_OVERSIZE
    reason_in_block = Reason.BAD_BLK_LENGTH

    def build(self, chain: ChainBuilder) -> Transaction:
        source = coin(chain)
        empty = chain.spend(source, [TxOut(0, b"")])
        # The length of the script takes five bytes instead of one.
        script = padding(1_000_001 - empty.stripped_size - 4)
        return chain.spend(source, [TxOut(0, script)])


class NegativeOutput(BadTransaction):
    """Pays minus one."""

    reason = Reason.BAD_TXNS_VOUT_NEGATIVE

    def build(self, chain: ChainBuilder) -> Transaction:
        return chain.spend(coin(chain), [TxOut(-1, ANYONE)])


class HugeOutput(BadTransaction):
    """One output of more than there will ever be."""

    reason = Reason.BAD_TXNS_VOUT_TOOLARGE

    def build(self, chain: ChainBuilder) -> Transaction:
        return chain.spend(coin(chain), [TxOut(MAX_MONEY + 1, ANYONE)])


class HugeTotal(BadTransaction):
    """Outputs that are too much together (CVE-2010-5139)."""

    reason = Reason.BAD_TXNS_TXOUTTOTAL_TOOLARGE

    def build(self, chain: ChainBuilder) -> Transaction:
        return chain.spend(coin(chain), [TxOut(MAX_MONEY, ANYONE), TxOut(1, ANYONE)])


class SameInputTwice(BadTransaction):
    """Spends one output with two inputs (CVE-2018-17144)."""

    reason = Reason.BAD_TXNS_INPUTS_DUPLICATE

    def build(self, chain: ChainBuilder) -> Transaction:
        tx = chain.pay(coin(chain))
        return with_inputs(tx, tx.inputs * 2)


class NullInput(BadTransaction):
    """A second input that spends nothing, as only a coinbase's does."""

    reason = Reason.BAD_TXNS_PREVOUT_NULL

    def build(self, chain: ChainBuilder) -> Transaction:
        tx = chain.pay(coin(chain))
        return with_inputs(tx, [*tx.inputs, tx_in(NULL)])


class UnknownInput(BadTransaction):
    """Spends an output of a transaction that does not exist."""

    reason = Reason.BAD_TXNS_INPUTS_MISSINGORSPENT

    def build(self, chain: ChainBuilder) -> Transaction:
        return make_tx([tx_in(OutPoint(b"\x07" * 32, 0))], [TxOut(1, ANYONE)])


class UnknownOutputIndex(BadTransaction):
    """Spends an output that a known transaction does not have."""

    reason = Reason.BAD_TXNS_INPUTS_MISSINGORSPENT

    def build(self, chain: ChainBuilder) -> Transaction:
        source = coin(chain).outpoint
        return make_tx([tx_in(OutPoint(source.txid, source.index + 9))], [TxOut(1, ANYONE)])


class GenesisInput(BadTransaction):
    """Spends the coinbase of the genesis block, which never was a coin."""

    reason = Reason.BAD_TXNS_INPUTS_MISSINGORSPENT

    def build(self, chain: ChainBuilder) -> Transaction:
        genesis = chain.params.genesis.transactions[0]
        return make_tx([tx_in(OutPoint(genesis.txid, 0))], [TxOut(1, ANYONE)])


class YoungCoinbase(BadTransaction):
    """Spends a coinbase one block too early."""

    reason = Reason.BAD_TXNS_PREMATURE_SPEND_OF_COINBASE

    def build(self, chain: ChainBuilder) -> Transaction:
        height = chain.height + 1 - (chain.params.coinbase_maturity_blocks - 1)
        block = chain.chainstate.read_block(chain.chainstate.active[height].hash)
        assert block is not None
        return chain.pay(chain.output(block.transactions[0]))


class MoreOutThanIn(BadTransaction):
    """Pays one satoshi more than it takes in."""

    reason = Reason.BAD_TXNS_IN_BELOWOUT

    def build(self, chain: ChainBuilder) -> Transaction:
        return chain.pay(coin(chain), fee=-1)


class LockedByHeight(BadTransaction):
    """May be mined above the next block's height only."""

    reason = Reason.BAD_TXNS_NONFINAL

    def build(self, chain: ChainBuilder) -> Transaction:
        return chain.pay(coin(chain), locktime=chain.height + 1)


class LockedByTime(BadTransaction):
    """May be mined after the median time past only: the median itself is too early (BIP 113)."""

    reason = Reason.BAD_TXNS_NONFINAL

    def build(self, chain: ChainBuilder) -> Transaction:
        return chain.pay(coin(chain), locktime=chain.tip.median_time_past)


class LockedByDepth(BadTransaction):
    """Demands one block more on top of its input than there will be (BIP 68)."""

    reason = Reason.BAD_TXNS_NONFINAL

    def build(self, chain: ChainBuilder) -> Transaction:
        source = coin(chain)
        made = chain.chainstate.coins.get(source.outpoint)
        assert made is not None
        return chain.pay(source, sequence=chain.height + 1 - made.height + 1)


class LockedByAge(BadTransaction):
    """Demands an input 512 seconds older than it is (BIP 68)."""

    reason = Reason.BAD_TXNS_NONFINAL

    def build(self, chain: ChainBuilder) -> Transaction:
        source = coin(chain)
        made = chain.chainstate.coins.get(source.outpoint)
        assert made is not None
        before = chain.chainstate.active[made.height - 1].median_time_past
        units = (chain.tip.median_time_past - before) // 512 + 1
        return chain.pay(source, sequence=1 << 22 | units)


class TooManySigops(BadTransaction):
    """20,001 signature operations in plain sight."""

    reason = Reason.BAD_BLK_SIGOPS

    def build(self, chain: ChainBuilder) -> Transaction:
        return chain.spend(coin(chain), [TxOut(0, CHECKSIG * 20_001)])


class _Script(BadTransaction):
    reason = Reason.BLOCK_SCRIPT_VERIFY_FLAG_FAILED

    def broken(self, chain: ChainBuilder, **change: object) -> Transaction:
        """A good payment whose only input is changed."""
        tx = chain.pay(coin(chain))
        return with_inputs(tx, [tx.inputs[0]._replace(**change)])


class NoSignature(_Script):
    """Leaves out the witness of a P2WPKH input."""

    text = "block-script-verify-flag-failed (Witness program hash mismatch)"

    def build(self, chain: ChainBuilder) -> Transaction:
        return self.broken(chain, witness=())


class ForeignSignature(_Script):
    """Signs with the right key for another amount."""

    text = (
        "block-script-verify-flag-failed "
        "(Script evaluated without error but finished with a false/empty top stack element)"
    )

    def build(self, chain: ChainBuilder) -> Transaction:
        source = coin(chain)
        wrong = TxOut(source.output.value + 1, source.output.script_pubkey)
        return chain.spend(source._replace(output=wrong), [TxOut(1, ANYONE)])


class ForeignKey(_Script):
    """Presents another key than the output names."""

    text = "block-script-verify-flag-failed (Script failed an OP_EQUALVERIFY operation)"

    def build(self, chain: ChainBuilder) -> Transaction:
        tx = chain.pay(coin(chain))
        signature = tx.inputs[0].witness[0]
        return with_inputs(tx, [tx.inputs[0]._replace(witness=(signature, key(7).public))])


class ScriptSigBesideWitness(_Script):
    """Adds a scriptSig to a P2WPKH input, which must have none (BIP 141)."""

    text = "block-script-verify-flag-failed (Witness requires empty scriptSig)"

    def build(self, chain: ChainBuilder) -> Transaction:
        return self.broken(chain, script_sig=ANYONE)


BAD_TRANSACTIONS: list[type[BadTransaction]] = [
    case
    for case in globals().values()
    if isinstance(case, type)
    and issubclass(case, BadTransaction)
    and not case.__name__.startswith("_")
    and case is not BadTransaction
]
