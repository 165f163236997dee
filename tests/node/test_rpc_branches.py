"""Branches by RPC: what blocks, headers and the operator's words come to, beside a slow model.

The model knows nothing of scripts or coins: a block is good, pays its miner too much (found out
when it is connected) or has the wrong height in its coinbase (when it is stored). It moves block by
block and keeps Core's set of candidates, which grows and shrinks with every step; the node works
out a whole move at once and chooses anew among all. Answers, tip and statuses must be the same.
"""

from dataclasses import dataclass, field
from random import Random

from chain.block import Block
from chain.headers import HeaderEntry
from chain.params import REGTEST
from chain.transaction import TxOut
from tests.builders import ANYONE, make_block, make_coinbase
from tests.node.serving import RpcFailed, Served, shown

SEEDS, STEPS = 16, 60


@dataclass(eq=False)
class Node:
    """One block, and what the model has learnt of it."""

    block: Block
    entry: HeaderEntry
    parent: "Node | None"
    fault: str = ""
    is_known = has_body = is_linked = has_failed = was_connected = False
    sequence: int = 0
    waiting: "list[Node]" = field(default_factory=list)

    @property
    def rank(self) -> tuple[int, int]:
        """More is better; all blocks have the same work."""
        return self.entry.height, -self.sequence

    def ancestors(self) -> "list[Node]":
        """This block first, genesis last."""
        return [self, *(self.parent.ancestors() if self.parent else ())]


class Model:
    """The tree as Core keeps it: setBlockIndexCandidates and all."""

    def __init__(self) -> None:
        self.genesis = Node(REGTEST.genesis, HeaderEntry(REGTEST.genesis.header, None), None)
        self.genesis.is_known = self.genesis.has_body = self.genesis.is_linked = True
        self.known, self.tip, self.candidates = [self.genesis], self.genesis, {self.genesis}
        self._next, self._first, self._preferred_at = 1, -1, 0

    def submitheader(self, node: Node) -> str | None:
        """None, or why not."""
        assert node.parent is not None
        if node.is_known:
            return "duplicate-invalid" if node.has_failed else None
        if not node.parent.is_known:
            return "prev-blk-not-found"
        if node.parent.has_failed:
            return "bad-prevblk"
        node.is_known = True
        self.known.append(node)
        return None

    def submitblock(self, node: Node) -> str | None:
        """What the RPC answers."""
        if why := self.submitheader(node):
            return why
        if node.has_body:
            return "duplicate"
        if node.fault == "bad-cb-height":
            self._fail(node)
            return node.fault
        node.has_body = True
        assert node.parent is not None
        if not node.parent.is_linked:
            node.parent.waiting.append(node)
        linked = [node] if node.parent.is_linked else []
        for each in linked:
            each.is_linked, each.sequence = True, self._next
            self._next += 1
            if each.rank >= self.tip.rank:
                self.candidates.add(each)
            linked += each.waiting
        return self._activate().get(node, "inconclusive")

    def invalidateblock(self, node: Node) -> None:
        """Leave it, and look at everything again."""
        if node in self.tip.ancestors():
            assert node.parent is not None
            self.tip = node.parent
        self._fail(node)
        good = (each for each in self.known if each.is_linked and not each.has_failed)
        self.candidates |= {self.tip, *(each for each in good if each.rank >= self.tip.rank)}
        self._activate()

    def reconsiderblock(self, node: Node) -> None:
        """Forgive it, what it builds on and what builds on it."""
        for each in self.known:
            if each.has_failed and (node in each.ancestors() or each in node.ancestors()):
                each.has_failed = False
                if each.is_linked and each.rank > self.tip.rank:
                    self.candidates.add(each)
        self._activate()

    def preciousblock(self, node: Node) -> None:
        """Let it have come before its equals; counted anew once the tip has more work."""
        if node.entry.height < self.tip.entry.height:
            return
        if self.tip.entry.height > self._preferred_at:
            self._first = -1
        self._preferred_at = self.tip.entry.height
        node.sequence, self._first = self._first, self._first - 1
        if node.is_linked and not node.has_failed:
            self.candidates.add(node)
        self._activate()

    def statuses(self) -> dict[str, str]:
        """As getchaintips shows them."""
        parents = {node.parent for node in self.known}
        ends = [node for node in self.known if node not in parents or node is self.tip]
        return {shown(node.block.hash): self._status(node) for node in ends}

    def _status(self, node: Node) -> str:
        if node is self.tip:
            return "active"
        if node.has_failed:
            return "invalid"
        if not node.is_linked:
            return "headers-only"
        return "valid-fork" if node.was_connected else "valid-headers"

    def _fail(self, node: Node) -> None:
        for each in self.known:
            if node in each.ancestors():
                each.has_failed = True
                self.candidates.discard(each)

    def _activate(self) -> dict[Node, str | None]:
        """Step by step to the best; what became of each block that was tried."""
        verdicts: dict[Node, str | None] = {}
        while (best := max(self.candidates, key=lambda node: node.rank)) is not self.tip:
            active, before = self.tip.ancestors(), self.tip.entry.height
            path = [node for node in best.ancestors() if node not in active]
            self.tip = next(node for node in best.ancestors() if node in active)
            for node in reversed(path):
                if node.fault:
                    verdicts[node] = node.fault
                    self._fail(node)
                    break
                verdicts[node], node.was_connected, self.tip = None, True, node
                self.candidates = {each for each in self.candidates if each.rank >= node.rank}
                if node.entry.height > before:
                    break
        return verdicts


class Pair:
    """A node and the model, told the same."""

    def __init__(self, seed: int) -> None:
        self.random, self.served, self.model = Random(seed), Served(REGTEST), Model()
        self.nodes = [self.model.genesis]

    def make(self) -> Node:
        """A block somewhere near the top, not handed in."""
        top = max(node.entry.height for node in self.nodes) - self.random.choice((0, 1, 1, 2, 3, 9))
        parent = self.random.choice([node for node in self.nodes if node.entry.height >= top])
        (fault,) = self.random.choices(("", "bad-cb-amount", "bad-cb-height"), (12, 2, 1))
        if fault == "bad-cb-height":
            coinbase = make_coinbase(parent.entry.height + 2, [TxOut(len(self.nodes), ANYONE)])
            block = make_block(parent.entry, [coinbase])
        else:
            value = 10**11 if fault else None
            block = self.served.chain.block(parent=parent.entry, value=value)
        self.nodes.append(Node(block, HeaderEntry(block.header, parent.entry), parent, fault))
        return self.nodes[-1]

    def step(self) -> set[str | None]:
        """Do something, and compare. Returns the words that were said."""
        method = self.random.choice(
            ["submitblock"] * 15
            + ["submitheader"] * 4
            + ["invalidateblock", "reconsiderblock", *["preciousblock"] * 3]
        )
        is_new = method.startswith("submit") and self.random.random() < 0.5
        node = self.make() if is_new or len(self.nodes) == 1 else self.random.choice(self.nodes[1:])
        answer = self.ask(method, node)
        assert answer == self.expect(method, node)
        tips = {each["hash"]: each["status"] for each in self.served.rpc("getchaintips")}
        assert tips == self.model.statuses()
        assert self.served.rpc("getbestblockhash") == shown(self.model.tip.block.hash)
        return {answer, *tips.values()}

    def ask(self, method: str, node: Node) -> str | None:
        """The node's answer or error."""
        given = {
            "submitblock": node.block.serialize(),
            "submitheader": node.block.header.serialize(),
        }
        try:
            raw = given.get(method, node.block.hash[::-1])
            answer: str | None = self.served.rpc(method, raw.hex())
        except RpcFailed as failed:
            return str(failed.args[1])
        return answer

    def expect(self, method: str, node: Node) -> str | None:
        """The model's."""
        if not method.startswith("submit") and not node.is_known:
            return "Block not found"
        if method == "submitheader" and node.parent is not None and not node.parent.is_known:
            return f"Must submit previous header ({shown(node.parent.block.hash)}) first"
        answer: str | None = getattr(self.model, method)(node)
        return answer


def test_answers_tip_and_statuses_are_those_of_a_tree_that_moves_block_by_block() -> None:
    seen: set[str | None] = set()
    for seed in range(SEEDS):
        pair = Pair(seed)
        for _ in range(STEPS):
            seen |= pair.step()
    assert seen >= {None, "duplicate", "duplicate-invalid", "inconclusive", "prev-blk-not-found"}
    assert seen >= {"bad-prevblk", "bad-cb-amount", "bad-cb-height", "Block not found"}
    assert seen >= {"active", "invalid", "headers-only", "valid-fork", "valid-headers"}
