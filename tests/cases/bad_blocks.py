"""Blocks that break one rule each, and headers that do.

A case is handed a chain and builds one block after its tip. `forgets` says that the header is not
marked: because the fault is in the body only, or because such a block is refused before the tree of
headers is looked at. All others are `duplicate-invalid` when they come again.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from chain.block import Block
from chain.block_rules import subsidy
from chain.errors import Reason
from chain.script.script import push
from chain.transaction import Transaction, TxOut
from tests.builders import (
    ANYONE,
    ChainBuilder,
    OutPoint,
    key,
    make_block,
    make_coinbase,
    make_tx,
    p2sh,
    p2wpkh,
    p2wsh,
    padding,
    solve,
    spendable,
    tx_in,
    with_inputs,
)

CHECKMULTISIG = b"\xae"


class BadBlock(ABC):
    """One way for a block to be wrong; the docstring says which."""

    reason: Reason
    text = ""  # the complete reject string, where the reason's text has a place to fill
    forgets = False

    @abstractmethod
    def build(self, chain: ChainBuilder) -> Block:
        """The block."""


def payment(chain: ChainBuilder) -> Transaction:
    """A good payment, with a witness."""
    return chain.pay(chain.mature()[0])


def again(block: Block, **change: Any) -> Block:
    """The same body under a header changed and solved again."""
    return Block(solve(block.header._replace(nonce=0, **change)), block.transactions)


def with_coinbase(chain: ChainBuilder, coinbase: Transaction, *txs: Transaction) -> Block:
    return make_block(chain.tip, [coinbase, *txs], chain.params)


def with_coinbase_script(chain: ChainBuilder, script_sig: bytes) -> Block:
    """A block whose coinbase has this scriptSig."""
    coinbase = chain.coinbase(chain.tip, commit=False)
    return with_coinbase(
        chain, with_inputs(coinbase, [coinbase.inputs[0]._replace(script_sig=script_sig)])
    )


# The header.


class NoWork(BadBlock):
    """Its hash is above its target."""

    reason = Reason.HIGH_HASH
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        block = chain.block()
        return Block(solve(block.header, valid=False), block.transactions)


class NegativeTarget(BadBlock):
    """Its bits say a negative target."""

    reason = Reason.HIGH_HASH
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        block = chain.block()
        return Block(block.header._replace(bits=0x01FEDCBA), block.transactions)


class TargetAboveLimit(BadBlock):
    """Its bits say a target easier than the network allows."""

    reason = Reason.HIGH_HASH
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        block = chain.block()
        return Block(block.header._replace(bits=0x2100FFFF), block.transactions)


class WrongBits(BadBlock):
    """Its bits are not those that its height demands, though its work is enough for them."""

    reason = Reason.BAD_DIFFBITS
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        return again(chain.block(), bits=0x207FFFFE)


class UnknownParent(BadBlock):
    """Builds on a block that nobody has."""

    reason = Reason.PREV_BLK_NOT_FOUND
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        return again(chain.block(), prev_hash=b"\x07" * 32)


class TooOld(BadBlock):
    """Its time is the median of the eleven blocks before it."""

    reason = Reason.TIME_TOO_OLD
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        return again(chain.block(), time=chain.tip.median_time_past)


class TooNew(BadBlock):
    """Its time is two hours and a second ahead of the clock."""

    reason = Reason.TIME_TOO_NEW
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        return again(chain.block(), time=chain.now + 7201)


class Version1(BadBlock):
    """Says version 1, long gone."""

    reason = Reason.BAD_VERSION
    text = "bad-version(0x00000001)"
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        return again(chain.block(), version=1)


class Version3(BadBlock):
    """Says version 3, the last to go (BIP 65)."""

    reason = Reason.BAD_VERSION
    text = "bad-version(0x00000003)"
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        return again(chain.block(), version=3)


class NegativeVersion(BadBlock):
    """Has the top bit of its version set: it is a signed number."""

    reason = Reason.BAD_VERSION
    text = "bad-version(0x80000000)"
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        return again(chain.block(), version=-0x80000000)


# The body by itself.


class ForeignRoot(BadBlock):
    """Commits to other transactions than it has."""

    reason = Reason.BAD_TXNMRKLROOT
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        return again(chain.block(), merkle_root=b"\x07" * 32)


class RepeatedTail(BadBlock):
    """Repeats its last transaction: same merkle root, another block (CVE-2012-2459)."""

    reason = Reason.BAD_TXNS_DUPLICATE
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        first = payment(chain)
        block = chain.block([first, chain.pay(chain.output(first))])
        return Block(block.header, (*block.transactions, block.transactions[-1]))


class NoTransactions(BadBlock):
    """Has nothing in it."""

    reason = Reason.BAD_BLK_LENGTH
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        return make_block(chain.tip, [], chain.params)


class TooLong(BadBlock):
    """Has a million and one bytes without witnesses."""

    reason = Reason.BAD_BLK_LENGTH
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        empty = with_coinbase(chain, chain.coinbase(chain.tip, script=b"", commit=False))
        # The length of the script takes five bytes instead of one.
        script = padding(1_000_001 - empty.stripped_size - 4)
        return with_coinbase(chain, chain.coinbase(chain.tip, script=script, commit=False))


class NoCoinbase(BadBlock):
    """Begins with a payment."""

    reason = Reason.BAD_CB_MISSING
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        return make_block(chain.tip, [payment(chain)], chain.params)


class TwoCoinbases(BadBlock):
    """Has a second coinbase."""

    reason = Reason.BAD_CB_MULTIPLE
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        second = chain.coinbase(chain.tip, commit=False)
        return with_coinbase(chain, chain.coinbase(chain.tip, [second]), second)


class ShortCoinbaseScript(BadBlock):
    """Its coinbase has a scriptSig of one byte."""

    reason = Reason.BAD_CB_LENGTH
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        return with_coinbase_script(chain, b"\x51")


class LongCoinbaseScript(BadBlock):
    """Its coinbase has a scriptSig of 101 bytes."""

    reason = Reason.BAD_CB_LENGTH
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        return with_coinbase_script(chain, bytes(101))


class TooManySigops(BadBlock):
    """20,001 signature operations over all its scripts."""

    reason = Reason.BAD_BLK_SIGOPS
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        return chain.block(script=CHECKMULTISIG * 1_000 + b"\xac")


# The body after its parent.


class LockedCoinbase(BadBlock):
    """Its coinbase may be mined one block later only."""

    reason = Reason.BAD_TXNS_NONFINAL

    def build(self, chain: ChainBuilder) -> Block:
        coinbase = chain.coinbase(chain.tip, commit=False)
        inputs = [each._replace(sequence=0) for each in coinbase.inputs]
        locked = make_tx(inputs, coinbase.outputs, locktime=chain.height + 1)
        return with_coinbase(chain, locked)


class WrongHeight(BadBlock):
    """Its coinbase begins with the height of its parent."""

    reason = Reason.BAD_CB_HEIGHT

    def build(self, chain: ChainBuilder) -> Block:
        return with_coinbase(chain, make_coinbase(chain.height, [TxOut(0, ANYONE)], extra=b"\0"))


class LongHeight(BadBlock):
    """Its coinbase begins with the right height, but not in the fewest bytes."""

    reason = Reason.BAD_CB_HEIGHT

    def build(self, chain: ChainBuilder) -> Block:
        return with_coinbase_script(chain, push((chain.height + 1).to_bytes(4, "little")))


class NoWitnessNonce(BadBlock):
    """Commits to witnesses, but its coinbase has none itself."""

    reason = Reason.BAD_WITNESS_NONCE_SIZE
    forgets = True
    witness: Sequence[bytes] = ()

    def build(self, chain: ChainBuilder) -> Block:
        block = chain.block([payment(chain)])
        coinbase, *others = block.transactions
        inputs = [each._replace(witness=tuple(self.witness)) for each in coinbase.inputs]
        return Block(block.header, (with_inputs(coinbase, inputs), *others))


class TwoWitnessNonces(NoWitnessNonce):
    """Its coinbase has two witness items."""

    witness = (bytes(32), bytes(32))


class ShortWitnessNonce(NoWitnessNonce):
    """Its coinbase's witness has 31 bytes."""

    witness = (bytes(31),)


class OtherWitnessNonce(NoWitnessNonce):
    """Its coinbase's witness is not the one that the commitment was made with."""

    reason = Reason.BAD_WITNESS_MERKLE_MATCH
    witness = (b"\x07" * 32,)


class OtherWitness(BadBlock):
    """One of its transactions has another witness than was committed to."""

    reason = Reason.BAD_WITNESS_MERKLE_MATCH
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        block = chain.block([payment(chain)])
        coinbase, paid = block.transactions
        other = with_inputs(paid, [paid.inputs[0]._replace(witness=(b"\x07",))])
        return Block(block.header, (coinbase, other))


class UncommittedWitness(BadBlock):
    """Has a transaction with a witness and no commitment."""

    reason = Reason.UNEXPECTED_WITNESS
    forgets = True

    def build(self, chain: ChainBuilder) -> Block:
        return with_coinbase(chain, chain.coinbase(chain.tip, commit=False), payment(chain))


class TooHeavy(BadBlock):
    """Weighs one more than four million, nearly all of it witness."""

    reason = Reason.BAD_BLK_WEIGHT

    def build(self, chain: ChainBuilder) -> Block:
        paid = payment(chain)
        small = chain.block([with_witness(paid, bytes(100_000))])
        excess = 4_000_001 - small.weight
        return chain.block([with_witness(paid, bytes(100_000 + excess))])


def with_witness(tx: Transaction, item: bytes) -> Transaction:
    return with_inputs(tx, [tx.inputs[0]._replace(witness=(item,))])


# Against the coins.


class SpendsLaterTransaction(BadBlock):
    """Spends, in its second transaction, an output of its third."""

    reason = Reason.BAD_TXNS_INPUTS_MISSINGORSPENT

    def build(self, chain: ChainBuilder) -> Block:
        first = payment(chain)
        return chain.block([chain.pay(chain.output(first)), first])


class SpendsTwice(BadBlock):
    """Spends one output in two of its transactions."""

    reason = Reason.BAD_TXNS_INPUTS_MISSINGORSPENT

    def build(self, chain: ChainBuilder) -> Block:
        source = chain.mature()[0]
        return chain.block([chain.pay(source), chain.pay(source, b"")])


class SpendsItsOwnCoinbase(BadBlock):
    """Spends its own coinbase."""

    reason = Reason.BAD_TXNS_PREMATURE_SPEND_OF_COINBASE

    def build(self, chain: ChainBuilder) -> Block:
        coinbase = chain.coinbase(chain.tip, script=ANYONE, commit=False)
        chain.learn(coinbase)
        return with_coinbase(chain, coinbase, chain.pay(chain.output(coinbase)))


class HiddenSigops(BadBlock):
    """Exceeds the limit with signature operations in P2SH redeem scripts."""

    reason = Reason.BAD_BLK_SIGOPS

    def build(self, chain: ChainBuilder) -> Block:
        redeem = CHECKMULTISIG * 501  # * 20 * 4 = 40,080 of 80,000
        return spend_scripts(chain, p2sh(redeem), script_sig=push(redeem))


class WitnessSigops(BadBlock):
    """Exceeds the limit with signature operations in witness scripts."""

    reason = Reason.BAD_BLK_SIGOPS

    def build(self, chain: ChainBuilder) -> Block:
        script = CHECKMULTISIG * 2_001  # * 20 = 40,020 of 80,000
        return spend_scripts(chain, p2wsh(script), witness=(script,))


class NestedWitnessSigops(BadBlock):
    """The same behind P2SH."""

    reason = Reason.BAD_BLK_SIGOPS

    def build(self, chain: ChainBuilder) -> Block:
        script = CHECKMULTISIG * 2_001
        program = p2wsh(script)
        return spend_scripts(chain, p2sh(program), script_sig=push(program), witness=(script,))


def spend_scripts(
    chain: ChainBuilder,
    script_pubkey: bytes,
    script_sig: bytes = b"",
    witness: tuple[bytes, ...] = (),
) -> Block:
    """A block that makes two outputs and spends them at once."""
    made = chain.spend(chain.mature()[0], [TxOut(1, script_pubkey)] * 2)
    inputs = [tx_in(OutPoint(made.txid, index), script_sig, 0, *witness) for index in range(2)]
    return chain.block([made, make_tx(inputs, [TxOut(0, ANYONE)])])


class OneSigopTooMany(BadBlock):
    """Costs 80,001, counting signature operations of every kind."""

    reason = Reason.BAD_BLK_SIGOPS

    def build(self, chain: ChainBuilder) -> Block:
        return block_of_all_sigops(chain, 80_001)


def block_of_all_sigops(chain: ChainBuilder, cost: int) -> Block:
    """A block of this sigop cost, made up of every kind there is, else valid."""
    # Zero IF ... ENDIF one: never run, with multisigs of 1, 16 and an unknown number of keys.
    script = b"\x00\x63" + b"\x51\xae" + b"\x60\xae" + b"\xae" + b"\xac" + b"\x68\x51"
    sigops = 1 + 16 + 20 + 1
    program = p2wsh(script)
    behind = [TxOut(1, p2sh(script)), TxOut(1, program), TxOut(1, p2sh(program))]
    single = 3 + cost % 4  # P2WPKH: one each, and one for the input of `made`
    made = chain.spend(chain.mature()[0], [*behind, *[TxOut(1, p2wpkh(key(1)))] * single])
    inputs = [
        tx_in(OutPoint(made.txid, 0), push(script)),  # sigops * 4
        tx_in(OutPoint(made.txid, 1), b"", 0, script),  # sigops
        tx_in(OutPoint(made.txid, 2), push(program), 0, script),  # sigops
    ]
    txs = [made, make_tx(inputs, [TxOut(0, ANYONE)])]
    txs.append(chain.pay([spendable(made, index, key(1)) for index in range(3, 3 + single)]))
    plain = (cost - sigops * 6 - single - 1) // 4
    coinbase = chain.coinbase(chain.tip, txs, script=b"\xac" * plain, value=0)
    return with_coinbase(chain, coinbase, *txs)


class GreedyCoinbase(BadBlock):
    """Its coinbase pays one satoshi more than subsidy and fees."""

    reason = Reason.BAD_CB_AMOUNT

    def build(self, chain: ChainBuilder) -> Block:
        limit = subsidy(chain.height + 1, chain.params) + 1_000
        return chain.block([chain.pay(chain.mature()[0], fee=1_000)], value=limit + 1)


BAD_BLOCKS: list[type[BadBlock]] = [
    case
    for case in globals().values()
    if isinstance(case, type) and issubclass(case, BadBlock) and case is not BadBlock
]
