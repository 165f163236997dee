"""Cases of trees: blocks that fork, double spend and break rules, told in any order.

Headers come first or not at all, bodies come damaged, early and twice; blocks are declared invalid
and reconsidered. At the end the coins must be those of a chain that never forked, and those in the
engine's database.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from chain.block import Block
from chain.chainstate import Chainstate
from chain.coins import coins_hash
from chain.headers import HeaderEntry
from chain.params import REGTEST
from chain.transaction import TxOut
from tests.builders import ChainBuilder, make_tx, submit
from tests.core_engine import CoreEngine
from tests.differential.context_edges import COINS, CONTEXT
from tests.differential.drafts import Draft, trunk
from tests.differential.edges import BODY
from tests.differential.pair import Difference, Pair, same

FORK_DEPTH = 4  # so far below the trunk's tip trees may begin


class Node(NamedTuple):
    """A block of the tree, in its place."""

    entry: HeaderEntry
    block: Block
    branch: "tuple[Node, ...]" = ()  # the blocks between the trunk and this one


class TreeCase:
    """One tree and its two chains."""

    def __init__(self, engine: CoreEngine, rng: random.Random) -> None:
        self.pair, self.rng = Pair(engine, trunk()), rng
        tip = self.pair.chain.tip
        roots = [tip.ancestor(tip.height - depth) for depth in range(FORK_DEPTH, -1, -1)]
        blocks = trunk()[-FORK_DEPTH - 1 :]
        self.nodes = [Node(*each) for each in zip(roots, blocks, strict=True)]
        self.counts: Counter[str] = Counter()

    def run(self) -> None:
        """Grow and tell, in any order. Raises Difference."""
        steps: Sequence[Callable[[], None]] = (
            self.grow, self.grow, self.grow_and_tell, self.grow_and_tell, self.grow_and_tell,
            self.grow_and_tell, self.tell_branch, self.tell_branch, self.tell, self.tell,
            self.tell_rest, self.tell_header, self.tell_mutated, self.invalidate, self.reconsider,
            self.reconsider, self.overtake,
        )  # fmt: skip
        if self.rng.randrange(2):  # so that much is told late
            steps = (*steps, *[self.grow] * 9)
        for _ in range(self.rng.randint(5, 45)):
            self.rng.choice(steps)()
            self.counts += self.pair.check_tips()
        self.overtake()
        if self.rng.randrange(4):
            for node in self.rng.sample(self.nodes, len(self.nodes)):
                self.reconsider(node)
                self.counts += self.pair.check_tips()
        for node in self.nodes:  # in this order nothing is missing any more
            self._deliver(node)
        self.counts += self.pair.check_tips()
        self.check_straight()
        self.check_reopening()
        self.pair.check_coins()

    # Steps.

    def pick(self) -> Node:
        """Any block, rather a late one."""
        last = len(self.nodes) - 1
        return self.nodes[-1 - self.rng.choice((0, 0, 0, 0, 0, 1, 2, self.rng.randint(0, last)))]

    def grow(self) -> None:
        """A new block, told to nobody yet."""
        self._grow_on(self.pick(), self.rng.randrange(10) == 0)

    def _grow_on(self, node: Node, is_odd: bool) -> None:
        blocks = [*trunk()[100:], *(node.block for node in self.nodes[FORK_DEPTH + 1 :])]
        draft = Draft(self.pair.chain, node.entry, self.rng, blocks)
        draft.fill()
        if is_odd:
            self.rng.choice(self.rng.choice((BODY, CONTEXT, COINS, COINS)))(draft)
        block = draft.block()
        for tx in block.transactions:
            self.pair.chain.learn(tx)
        branch = (*node.branch, node) if node.block not in trunk() else ()
        self.nodes.append(Node(HeaderEntry(block.header, node.entry), block, branch))

    def grow_and_tell(self) -> None:
        """A new block, told at once."""
        self.grow()
        self._deliver(self.nodes[-1])

    def tell_branch(self) -> None:
        """A branch: its headers first, as when a node synchronises, then bodies in any order."""
        node = self.pick()
        branch = [*node.branch, node]
        if self.rng.randrange(3):
            for each in branch:
                self.tell_header(each)
            self.rng.shuffle(branch)
        for each in branch:
            self._deliver(each)

    def tell_rest(self) -> None:
        """All that is not known yet: headers first, then bodies in any order."""
        headers = self.pair.chain.chainstate.headers
        for node in self.nodes:
            if node.block.hash not in headers:
                self.tell_header(node)
        rest = [each for each in self.nodes if each.block.hash in headers]
        rest = [each for each in rest if not headers[each.block.hash].has_body]
        self.rng.shuffle(rest)
        for node in rest:
            self._deliver(node)

    def tell(self) -> None:
        """A block, perhaps known, perhaps before its parent."""
        self._deliver(self.pick())

    def overtake(self) -> None:
        """A branch beside the tip grows, by good blocks, until it has more work than any other."""
        tip, highest = self.pair.chain.tip.hash, max(each.entry.height for each in self.nodes)
        node = self.rng.choice([each for each in self.nodes if each.block.hash != tip])
        for each in node.branch:
            self._deliver(each)
        while node.entry.height <= highest:
            self._grow_on(node, is_odd=False)
            node = self.nodes[-1]
            self._deliver(node)

    def tell_header(self, node: Node | None = None) -> None:
        """A header without its block."""
        result = self.pair.deliver_header((node or self.pick()).block.header)
        self.counts[f"header: {result}"] += 1

    def tell_mutated(self) -> None:
        """Another body under a header: the true one must still be welcome."""
        block = self.pick().block
        txs = [*block.transactions[1:], *block.transactions[-1:]]
        if self.rng.randrange(2):
            coinbase = block.transactions[:1] or (make_tx([], []),)
            outputs = (*coinbase[0].outputs, TxOut(0, b""))
            txs = [make_tx(coinbase[0].inputs, outputs), *block.transactions[1:]]
        self._deliver(Node(HeaderEntry(block.header, None), Block(block.header, txs)))

    def invalidate(self) -> None:
        """`invalidateblock`, if both know the block."""
        block_hash = self.pick().block.hash
        if block_hash in self.pair.chain.chainstate.headers:
            self.pair.invalidate(block_hash)
            self.counts["invalidateblock"] += 1

    def reconsider(self, node: Node | None = None) -> None:
        """`reconsiderblock` for a block that failed or builds on one, if there is one."""
        headers = self.pair.chain.chainstate.headers
        known = [headers[each.block.hash] for each in self.nodes if each.block.hash in headers]
        failed = [entry.hash for entry in known if entry.failed]
        block_hash = self.rng.choice(failed or [self.pick().block.hash])
        if node is not None:
            block_hash = node.block.hash
        if block_hash in self.pair.chain.chainstate.headers:
            with self._counting():
                self.pair.reconsider(block_hash)
            self.counts["reconsiderblock"] += 1

    def _deliver(self, node: Node) -> None:
        with self._counting():
            self.counts[self.pair.deliver(node.block.serialize()) or "valid"] += 1

    @contextmanager
    def _counting(self) -> Iterator[None]:
        tip = self.pair.chain.tip
        yield
        if tip not in self.pair.chain.chainstate.active:
            self.counts["reorganisation"] += 1

    # At the end.

    def check_straight(self) -> None:
        """As if no other branch had ever been."""
        straight, chainstate = ChainBuilder(), self.pair.chain.chainstate
        for height in range(1, chainstate.active.height + 1):
            block = chainstate.read_block(chainstate.active[height].hash)
            if block is None or submit(straight, block) is not None:
                raise Difference(f"block {height} of the active chain does not connect again")
        same("coins", coins_hash(straight.chainstate.coins), coins_hash(chainstate.coins))

    def check_reopening(self) -> None:
        """Nothing is known that is not in the store."""
        ours, again = self.pair.chain.chainstate, Chainstate(REGTEST, self.pair.chain.store)
        same("the tip, reopened", again.tip.hash, ours.tip.hash)
        names = "height chainwork has_body failed is_connected_once".split()
        for entry in ours.headers.values():
            other = again.headers[entry.hash]
            for name in names:
                same(f"{name}, reopened", getattr(other, name), getattr(entry, name))
            if entry not in ours.active:  # what is on it comes first after opening
                same("sequence, reopened", other.sequence, entry.sequence)


def run_tree(rng: random.Random) -> Counter[str]:
    """One tree from its beginning to its end. Raises Difference."""
    with CoreEngine(coins_on_disk=True) as engine:
        case = TreeCase(engine, rng)
        case.run()
        return case.counts


def run_trees(count: int, seed: int) -> Counter[str]:
    """So many trees, from so many seeds on. Raises Difference."""
    counts: Counter[str] = Counter()
    for number in range(seed, seed + count):
        try:
            counts += run_tree(random.Random(number))
        except Difference as difference:
            raise Difference(f"tree, seed {number}: {difference}") from None
    return counts
