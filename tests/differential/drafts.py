"""A block about to be made, with everything in it that a rule looks at, each to be set by itself.

A draft is valid as it comes: some good payments and spends on the trunk's tip, or on a block after
it. What edges do to it is theirs.
"""

import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

from coincurve import PublicKey

from chain.block import Block, BlockHeader, witness_merkle_root
from chain.block_rules import subsidy
from chain.coins import Coin
from chain.hashes import sha256d
from chain.headers import HeaderEntry
from chain.script.script import push, push_number
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from chain.work import decode_bits
from tests.builders import (
    ANYONE,
    COMMITMENT_PREFIX,
    FINAL,
    NULL,
    ChainBuilder,
    Spendable,
    key,
    make_block,
    make_tx,
    p2pk,
    p2pkh,
    p2sh,
    p2tr,
    p2wpkh,
    p2wsh,
    solve,
    spendable,
    tx_in,
)
from tests.chain.script.helpers import CONSENSUS, Spend
from tests.differential.spends import Generator

TRUNK_BLOCKS = 116
REGTEST_BITS = 0x207FFFFF
REGTEST_LIMIT = 0x7FFFFF << 232


@cache
def trunk() -> list[Block]:
    """A chain with coins of every age, times that now and then go back, and outputs unspent."""
    rng, chain = random.Random("trunk"), ChainBuilder()
    for height in range(1, TRUNK_BLOCKS + 1):
        txs = []
        if height > 101:
            owner = key(height % 3)
            scripts = [p2pk(owner), p2pkh(owner), p2wpkh(owner), p2tr(owner), ANYONE, ANYONE]
            outputs = [TxOut(10**8, script) for script in scripts]
            txs = [chain.spend(chain.mature()[0], outputs)]
        # So that time since a coin was made is often a multiple of 512 seconds, or one less.
        steps = chain.tip.header.time // 512 + rng.choice((-1, 0, 1, 2, 3))
        steps = max(steps, chain.tip.median_time_past // 512 + 1)
        time = steps * 512 + (rng.randrange(2) if height < TRUNK_BLOCKS - 10 else 0)
        block = chain.block(txs, time=time)
        chain.accept(block)
    if chain.height != TRUNK_BLOCKS:
        raise AssertionError("the trunk is broken")
    return [
        block for block in map(chain.chainstate.read_block, _hashes(chain)) if block is not None
    ]


def _hashes(chain: ChainBuilder) -> list[bytes]:
    return [chain.chainstate.active[height].hash for height in range(1, chain.height + 1)]


# Scripts of every shape that the engine's database has a way of its own to write down.
LONG_KEY = PublicKey(key(3).public).format(compressed=False)
HYBRID_KEY = bytes([6 + LONG_KEY[-1] % 2]) + LONG_KEY[1:]
SHAPES = [
    ANYONE, b"", p2pk(key(3)), p2pkh(key(3)), p2wpkh(key(3)), p2tr(key(3)), p2sh(ANYONE),
    p2wsh(ANYONE), push(LONG_KEY) + b"\xac", push(HYBRID_KEY) + b"\xac",
    push(b"\x04" + bytes(63) + b"\x07") + b"\xac", push(b"\x02" + b"\xff" * 32) + b"\xac",
    b"\x6a\x01\x07", b"\x60\x02\x07\x07", push(bytes(9_997)), push(bytes(9_998)),
]  # fmt: skip


class Source(NamedTuple):
    """An output to spend, and the coin that it is."""

    spendable: Spendable
    coin: Coin


class Draft:
    """A block in the making."""

    def __init__(
        self,
        chain: ChainBuilder,
        parent: HeaderEntry,
        rng: random.Random,
        blocks: Sequence[Block] | None = None,
    ) -> None:
        """`blocks`: those whose outputs may be spent, else the trunk's."""
        self.chain, self.parent, self.rng = chain, parent, rng
        self.height = parent.height + 1
        self.txs: list[Transaction] = []
        # The coinbase.
        self.height_script = push_number(self.height)
        self.extra = push(rng.randbytes(4))
        self.excess = 0  # what it claims beyond subsidy and fees
        self.outputs: list[TxOut] = []  # more outputs
        self.late_outputs: list[TxOut] = []  # more outputs after the commitment
        self.locktime, self.sequence = 0, FINAL
        self.commits: bool | None = None  # None: if there is something to commit to
        self.nonce: tuple[bytes, ...] = (bytes(32),)
        self.commitment_tail = b""
        # The whole.
        self.header: dict[str, Any] = {}  # fields to overwrite before solving
        self.is_solved = True
        self.arrange: Callable[[list[Transaction]], list[Transaction]] = list
        self.changes: list[Callable[[Block], Block]] = []  # to the body, under the same header
        self.byte_changes: list[tuple[bytes, bytes]] = []  # what to put in place of what
        self.sources = self._sources(trunk() if blocks is None else blocks)

    # What there is to spend.

    def _sources(self, blocks: Sequence[Block]) -> list[Source]:
        """Outputs that somebody here can sign for, coins at the tip and not too young, shuffled."""
        chain, found = self.chain, []
        for tx in (tx for block in blocks for tx in block.transactions):
            for index, output in enumerate(tx.outputs):
                outpoint = OutPoint(tx.txid, index)
                coin, known = chain.chainstate.coins.get(outpoint), chain.known(outpoint)
                if coin and known and output.value > 10 and not self.is_young(coin):
                    found.append(Source(known, coin))
        self.rng.shuffle(found)
        return found

    def is_young(self, coin: Coin) -> bool:
        """True if `coin` may not be spent in this block yet."""
        return self.height - coin.height < (100 if coin.is_coinbase else 1)

    def source(self) -> Source:
        """One that was not taken yet."""
        return self.sources.pop()

    def value_of(self, outpoint: OutPoint) -> int:
        """What an output is worth, if it is known."""
        coin = self.chain.chainstate.coins.get(outpoint)
        for tx in self.txs:
            if tx.txid == outpoint.txid and outpoint.index < len(tx.outputs):
                return tx.outputs[outpoint.index].value
        return 0 if coin is None else coin.output.value

    def fees(self) -> int:
        """What the transactions leave to the miner."""
        fees = 0
        for tx in self.txs:
            fees += sum(self.value_of(each.outpoint) for each in tx.inputs)
            fees -= sum(output.value for output in tx.outputs)
        return fees

    # Good content.

    def pay(self, source: Spendable | None = None, **options: int) -> Transaction:
        """A payment with a fee, put into the block."""
        options["fee"] = self.rng.randrange(5)
        tx = self.chain.pay(source or self.source().spendable, ANYONE, **options)
        self.txs.append(tx)
        return tx

    def fill(self) -> None:
        """Some good transactions."""
        for _ in range(self.rng.choice((0, 1, 1, 2, 3))):
            kind = self.rng.randrange(4)
            if kind == 0:
                self.pay(parts=self.rng.randint(1, 3))
            elif kind == 1:
                self.pay(spendable(self.pay()))
            else:
                self.script_spend(want_good=True)

    def script_spend(self, want_good: bool) -> None:
        """An output with some script and the transaction that spends it, well or badly."""
        value = 10**8 - self.rng.randrange(9)
        for _ in range(200):
            seed = self.rng.getrandbits(64)
            script = self._try_spend(seed, value, NULL).spent_outputs[0].script_pubkey
            made = self.chain.spend(self.sources[-1].spendable, [TxOut(value, script)])
            # Again, now that it is known what to spend. As signatures vary in length, so may all
            # that the generator chooses after them.
            spend = self._try_spend(seed, value, OutPoint(made.txid, 0))
            is_same = script == spend.spent_outputs[0].script_pubkey
            if is_same and (spend.ours() == "OK") is want_good:
                self.sources.pop()
                self.txs += [made, spend.tx]
                return

    def _try_spend(self, seed: int, value: int, outpoint: OutPoint) -> Spend:
        rng = random.Random(seed)
        generator = Generator(rng)
        sequence = rng.choice((FINAL, FINAL - 1, 0, 1 << 31 | 7))
        outputs = [
            TxOut(rng.randrange(10**7), rng.choice(SHAPES)) for _ in range(rng.randint(1, 3))
        ]
        version, locktime = rng.choice((1, 2, 0xFFFFFFFF)), rng.choice((0, 0, 100))
        tx = make_tx([tx_in(outpoint, b"", sequence)], outputs, version, locktime)
        script, tx = generator.fill(tx, 0, value, [TxOut(0, b"")])
        return Spend(tx, 0, generator.spent(script), CONSENSUS)

    # The block.

    def coinbase(self) -> Transaction:
        """As the draft stands."""
        value = (
            subsidy(self.height, self.chain.params) + min(max(self.fees(), 0), 10**15) + self.excess
        )
        outputs = [TxOut(value, p2wpkh(self.chain.owner)), *self.outputs]
        commits = self.commits
        if commits is None:
            commits = any(tx.has_witness for tx in self.txs) or self.rng.random() < 0.5
        if commits:
            outputs.append(TxOut(0, COMMITMENT_PREFIX + self.commitment() + self.commitment_tail))
        script_sig = self.height_script + self.extra
        nonce = self.nonce if commits else ()
        tx_input = TxIn(NULL, script_sig, self.sequence, nonce)
        return Transaction(2, (tx_input,), (*outputs, *self.late_outputs), self.locktime)

    def commitment(self) -> bytes:
        """To the witnesses of the transactions, whatever the coinbase."""
        bare = make_tx([tx_in(NULL)], [])
        block = Block(self.chain.params.genesis.header, (bare, *self.txs))
        return sha256d(witness_merkle_root(block) + b"".join(self.nonce))

    def block(self) -> Block:
        """The block, solved if it can be."""
        txs = self.arrange([self.coinbase(), *self.txs])
        block = make_block(self.parent, txs, self.chain.params)
        if self.header:
            header = block.header._replace(nonce=0, **self.header)
            block = Block(self._solve(header), block.transactions)
        elif not self.is_solved:
            block = Block(solve(block.header, valid=False), block.transactions)
        for change in self.changes:
            block = change(block) if block.transactions else block
        return block

    def _solve(self, header: BlockHeader) -> BlockHeader:
        """No nonce meets an impossible target, hardly any a small one, and all meet a huge one."""
        if REGTEST_LIMIT // 1000 < decode_bits(header.bits) <= REGTEST_LIMIT:
            return solve(header, valid=self.is_solved)
        return header

    def raw(self) -> bytes:
        """The bytes to hand in."""
        raw = self.block().serialize()
        for old, new in self.byte_changes:
            raw = raw.replace(old, new)
        return raw
