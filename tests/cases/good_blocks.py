"""Blocks that stay just within a limit: each must be accepted.

The other side of `bad_blocks` and `bad_transactions`: a rule that is one too strict is as wrong as
one that is one too lax. A case is handed a chain and builds the block after its tip, which it then
becomes.
"""

from abc import ABC, abstractmethod

from chain.block import Block
from chain.block_rules import subsidy
from chain.transaction import TxOut
from tests.builders import (
    ANYONE,
    ChainBuilder,
    OutPoint,
    key,
    make_tx,
    p2pk,
    p2pkh,
    p2tr,
    p2wpkh,
    padding,
    spendable,
    tx_in,
)
from tests.cases.bad_blocks import (
    again,
    block_of_all_sigops,
    with_coinbase,
    with_coinbase_script,
    with_witness,
)

CHECKMULTISIG = b"\xae"


class GoodBlock(ABC):
    """One way to be just right; the docstring says which."""

    @abstractmethod
    def build(self, chain: ChainBuilder) -> Block:
        """The block."""


class EveryKindOfSpend(GoodBlock):
    """Spends outputs of all the common kinds with real signatures, in the block that makes them."""

    def build(self, chain: ChainBuilder) -> Block:
        owner = key(1)
        scripts = [p2pk(owner), p2pkh(owner), p2wpkh(owner), p2tr(owner)]
        made = chain.spend(chain.mature()[0], [TxOut(1_000, script) for script in scripts])
        spent = chain.pay([spendable(made, index, owner) for index in range(4)])
        return chain.block([made, spent])


class Free(GoodBlock):
    """Its coinbase claims nothing."""

    def build(self, chain: ChainBuilder) -> Block:
        return chain.block([chain.pay(chain.mature()[0], fee=7)], value=0)


class LastSatoshi(GoodBlock):
    """Its coinbase claims subsidy and fees, to the last satoshi."""

    def build(self, chain: ChainBuilder) -> Block:
        value = subsidy(chain.height + 1, chain.params) + 7
        return chain.block([chain.pay(chain.mature()[0], fee=7)], value=value)


class Ripe(GoodBlock):
    """Spends a coinbase in the first block that may."""

    def build(self, chain: ChainBuilder) -> Block:
        return chain.block([chain.pay(chain.mature()[-1])])


class JustLater(GoodBlock):
    """Its time is a second after the median of the eleven before it."""

    def build(self, chain: ChainBuilder) -> Block:
        return again(chain.block(), time=chain.tip.median_time_past + 1)


class AnyNewVersion(GoodBlock):
    """Says the highest version there is."""

    def build(self, chain: ChainBuilder) -> Block:
        return again(chain.block(), version=0x7FFFFFFF)


class LongestCoinbaseScript(GoodBlock):
    """Its coinbase has a scriptSig of 100 bytes."""

    def build(self, chain: ChainBuilder) -> Block:
        coinbase = chain.coinbase(chain.tip)
        script_sig = coinbase.inputs[0].script_sig
        return with_coinbase_script(chain, script_sig + bytes(100 - len(script_sig)))


class Unlocked(GoodBlock):
    """Its transaction's locktime is the height before its own."""

    def build(self, chain: ChainBuilder) -> Block:
        return chain.block([chain.pay(chain.mature()[0], locktime=chain.height)])


class UnlockedByTime(GoodBlock):
    """Its transaction's locktime is a second before the median time past."""

    def build(self, chain: ChainBuilder) -> Block:
        locktime = chain.tip.median_time_past - 1
        return chain.block([chain.pay(chain.mature()[0], locktime=locktime)])


class FinalWhateverLocktime(GoodBlock):
    """Its transaction is locked for ever, but its inputs say that they do not care."""

    def build(self, chain: ChainBuilder) -> Block:
        tx = chain.pay(chain.mature()[0], locktime=0xFFFFFFFF, sequence=0xFFFFFFFF)
        return chain.block([tx])


class OldEnough(GoodBlock):
    """Demands exactly as many blocks on top of its input as there are (BIP 68)."""

    version = 2
    excess = 0

    def build(self, chain: ChainBuilder) -> Block:
        source = chain.mature()[0]
        coin = chain.chainstate.coins.get(source.outpoint)
        assert coin is not None
        depth = chain.height + 1 - coin.height + self.excess
        return chain.block([chain.pay(source, sequence=depth, version=self.version)])


class OldVersion(OldEnough):
    """Demands more, in a transaction of a version that cannot demand (BIP 68)."""

    version = 1
    excess = 1


class DisabledLock(OldEnough):
    """Demands more, with the bit set that says it does not mean it (BIP 68)."""

    excess = 1 << 31 | 0xFFF


class OldEnoughInSeconds(GoodBlock):
    """Demands as many times 512 seconds as have passed (BIP 68)."""

    def build(self, chain: ChainBuilder) -> Block:
        source = chain.mature()[0]
        coin = chain.chainstate.coins.get(source.outpoint)
        assert coin is not None
        before = chain.chainstate.active[coin.height - 1].median_time_past
        units = (chain.tip.median_time_past - before) // 512
        return chain.block([chain.pay(source, sequence=1 << 22 | units)])


class FullOfBytes(GoodBlock):
    """Has a million bytes, none of them witness: weight 4,000,000."""

    def build(self, chain: ChainBuilder) -> Block:
        empty = with_coinbase(chain, chain.coinbase(chain.tip, script=b"", commit=False))
        script = padding(1_000_000 - empty.stripped_size - 4)
        block = with_coinbase(chain, chain.coinbase(chain.tip, script=script, commit=False))
        assert (block.size, block.weight) == (1_000_000, 4_000_000)
        return block


class FullOfWitness(GoodBlock):
    """Weighs 4,000,000, nearly all of it witness of an output that anyone may spend."""

    def build(self, chain: ChainBuilder) -> Block:
        # A witness program of a future version: any witness will do.
        made = chain.spend(chain.mature()[0], [TxOut(1, b"\x60\x02\x07\x07")])
        spent = make_tx([tx_in(OutPoint(made.txid, 0))], [TxOut(0, ANYONE)])
        small = chain.block([made, with_witness(spent, bytes(100_000))])
        item = bytes(100_000 + 4_000_000 - small.weight)
        block = chain.block([made, with_witness(spent, item)])
        assert block.weight == 4_000_000
        return block


class FullOfSigops(GoodBlock):
    """Has exactly 20,000 signature operations in plain sight: cost 80,000."""

    def build(self, chain: ChainBuilder) -> Block:
        return chain.block(script=CHECKMULTISIG * 1_000)


class FullOfHiddenSigops(GoodBlock):
    """Costs exactly 80,000: in plain sight, behind P2SH, in witness scripts, in P2WPKH."""

    def build(self, chain: ChainBuilder) -> Block:
        return block_of_all_sigops(chain, 80_000)


class TwoCommitments(GoodBlock):
    """Its coinbase has two outputs that look like commitments: the last one counts (BIP 141)."""

    def build(self, chain: ChainBuilder) -> Block:
        lure = bytes.fromhex("6a24aa21a9ed") + b"\x07" * 32
        coinbase = chain.coinbase(chain.tip, [], script=lure, value=0)
        return with_coinbase(chain, coinbase)


class NoCommitment(GoodBlock):
    """Has no commitment, and needs none."""

    def build(self, chain: ChainBuilder) -> Block:
        return with_coinbase(chain, chain.coinbase(chain.tip, commit=False))


class BurnsCoins(GoodBlock):
    """Pays to outputs that can never be spent, which are not kept as coins."""

    def build(self, chain: ChainBuilder) -> Block:
        outputs = [TxOut(1, b"\x6a\x01\x07"), TxOut(1, b"\x6a"), TxOut(1, bytes(10_001))]
        return chain.block([chain.spend(chain.mature()[0], outputs)])


GOOD_BLOCKS: list[type[GoodBlock]] = [
    case
    for case in globals().values()
    if isinstance(case, type) and issubclass(case, GoodBlock) and case is not GoodBlock
]
