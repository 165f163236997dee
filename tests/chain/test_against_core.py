"""Random trees of blocks, delivered in random ways, to our chain and to Bitcoin Core's engine.

Both must answer every delivery with the same word and stand on the same tip after it. Our coins
must then be those of a node that was told of the winning branch only.

A quick run tries a few trees; FARTHING_SWEEP=1 in the environment tries many.
"""

import os
import random
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.block import Block
from chain.chainstate import Chainstate
from chain.coins import coins_hash
from chain.errors import DecodeError, Invalid
from chain.headers import HeaderEntry
from chain.params import REGTEST
from chain.store import MemoryStore
from chain.transaction import Transaction, TxOut
from tests.builders import (
    ANYONE,
    ChainBuilder,
    key,
    make_block,
    make_coinbase,
    p2pk,
    p2pkh,
    p2tr,
    p2wpkh,
    spendable,
    submit,
    with_inputs,
)
from tests.core_engine import CoreEngine

SWEEP = os.environ.get("FARTHING_SWEEP") == "1"
TRUNK_BLOCKS = 104  # so that the first few coinbases are mature
KINDS = ("good", "good", "good", "pays", "pays", "greedy", "forged", "misheighted", "mutated")

# A tree: for each block its parent (an index into the blocks so far, the latest being 0) and kind.
trees = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(KINDS)), min_size=1, max_size=14)


@cache
def trunk() -> list[Block]:
    return ChainBuilder().mine(TRUNK_BLOCKS)


class Forest:
    """Our chain and Core's, side by side on the same trunk."""

    def __init__(self, engine: CoreEngine) -> None:
        self.chain = ChainBuilder()
        self.engine = engine
        for block in trunk():
            self.chain.learn(block.transactions[0])
            assert self.deliver(block) is None
        self.blocks: list[Block] = []

    def grow(self, tree: list[tuple[int, str]]) -> None:
        tip = self.chain.tip
        entries = [tip.ancestor(tip.height - back) for back in (3, 2, 1, 0)]
        for serial, (back, kind) in enumerate(tree):
            parent = entries[max(len(entries) - 1 - back, 0)]
            block = self.block(kind, parent, serial)
            self.blocks.append(block)
            entries.append(HeaderEntry(block.header, parent))

    def block(self, kind: str, parent: HeaderEntry, serial: int) -> Block:
        chain = self.chain
        if kind == "pays":
            # Few coins for many payments: on some branches they are spent twice.
            source = chain.output(trunk()[serial % 3].transactions[0])
            return chain.block([chain.pay(source, ANYONE, fee=serial)], parent=parent)
        if kind == "forged":
            tx = chain.pay(chain.output(trunk()[serial % 3].transactions[0]))
            forged = with_inputs(tx, [tx.inputs[0]._replace(witness=(b"\x01", b"\x02"))])
            return chain.block([forged], parent=parent)
        if kind == "misheighted":
            coinbase = make_coinbase(
                parent.height, [TxOut(0, p2wpkh(chain.owner))], extra=bytes([serial])
            )
            return make_block(parent, [coinbase])
        if kind == "greedy":
            return chain.block(parent=parent, value=51 * 10**8)
        return chain.block(parent=parent)

    def deliver(self, block: Block) -> str | None:
        answer = submit(self.chain, block)
        assert self.engine.submit(block.serialize()) == answer
        assert self.engine.tip == self.chain.tip.hash[::-1].hex()
        return answer

    def deliver_header(self, block: Block) -> None:
        try:
            self.chain.chainstate.accept_header(block.header, self.chain.now)
            accepted = True
        except Invalid:
            accepted = False
        assert (self.engine.submit_header(block.header.serialize()) == "UNSET") is accepted

    def deliver_mutated(self, block: Block) -> None:
        """The same header over another body: the true one must still be welcome."""
        coinbase = block.transactions[0]
        outputs = (*coinbase.outputs, TxOut(0, b""))
        other = type(coinbase)(coinbase.version, coinbase.inputs, outputs, coinbase.locktime)
        mutated = Block(block.header, (other, *block.transactions[1:]))
        assert self.deliver(mutated) == "bad-txnmrklroot"

    def check_coins(self) -> None:
        """As if no other branch had ever been."""
        straight = ChainBuilder(store=MemoryStore())
        active = self.chain.chainstate.active
        for height in range(1, active.height + 1):
            block = self.chain.chainstate.read_block(active[height].hash)
            assert block is not None and submit(straight, block) is None
        assert coins_hash(straight.chainstate.coins) == coins_hash(self.chain.chainstate.coins)

    def check_reopening(self) -> None:
        """Nothing is known that is not in the store."""
        ours, again = self.chain.chainstate, Chainstate(REGTEST, self.chain.store)
        assert again.tip.hash == ours.tip.hash
        for entry in ours.headers.values():
            other = again.headers[entry.hash]
            for name in ("height", "chainwork", "sequence", "has_body", "failed"):
                assert getattr(other, name) == getattr(entry, name)
            assert other.is_connected_once is entry.is_connected_once


@settings(
    max_examples=2_000 if SWEEP else 25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(trees, st.data())
def test_any_tree_in_any_order(tree: list[tuple[int, str]], data: st.DataObject) -> None:
    with CoreEngine() as engine:
        forest = Forest(engine)
        forest.grow(tree)
        indexes = list(range(len(tree)))
        # Every block twice, in any order; some announced by their headers first.
        order = data.draw(st.permutations(indexes * 2))
        announced = data.draw(st.sets(st.sampled_from(indexes)))
        for index in sorted(announced):
            forest.deliver_header(forest.blocks[index])
        for index in order:
            block = forest.blocks[index]
            if tree[index][1] == "mutated":
                forest.deliver_mutated(block)
            forest.deliver(block)
        # In the order of the tree nothing is missing any more.
        for block in forest.blocks:
            forest.deliver(block)
        forest.check_coins()
        forest.check_reopening()


def flipped(raw: bytes, rng: random.Random) -> bytes:
    """`raw` with one bit changed, or a few bytes replaced, cut out or repeated."""
    at = rng.randrange(len(raw))
    end = at + rng.randrange(1, 5)
    change = rng.randrange(6)
    if change < 3:
        return raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1 :]
    middle = (rng.choice([b"\0", b"\xff"]) * (end - at), b"", raw[at:end] * 2)[change - 3]
    return raw[:at] + middle + raw[end:]


@pytest.mark.parametrize("seed", range(200 if SWEEP else 3))
def test_any_change_to_a_transaction(seed: int) -> None:
    """Payments of every kind, one damaged at a time, in blocks that are right about them."""
    rng = random.Random(seed)
    verdicts = set()
    with CoreEngine() as engine:
        forest = Forest(engine)
        chain = forest.chain
        owner = key(1)
        scripts = [p2pk(owner), p2pkh(owner), p2wpkh(owner), p2tr(owner), ANYONE]
        for _ in range(60):
            # What is valid by chance spends one coinbase and lets another mature.
            made = chain.spend(chain.mature()[-1], [TxOut(10**6, script) for script in scripts])
            spent = [spendable(made, number, owner) for number in range(4)]
            txs = [made, chain.pay(spent), chain.pay(chain.output(made, 4), locktime=1)]
            chosen = rng.randrange(3)
            raw = flipped(txs[chosen].serialize(), rng)
            try:
                txs[chosen] = Transaction.parse(raw)
            except DecodeError:
                assert not engine.can_parse_transaction(raw)
                continue
            assert engine.can_parse_transaction(raw)
            verdicts.add(forest.deliver(chain.block(txs)))
    assert len(verdicts) > 3
