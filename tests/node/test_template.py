"""The next block: what is chosen, that the chain takes it, and the search for its nonce.

FARTHING_SWEEP=1 compares with greed on more pools of 5,000 transactions.
"""

import os
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from heapq import heapify, heappop, heappush
from operator import attrgetter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.block import Block
from chain.params import CLASSROOM
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from node.entry import MempoolEntry
from node.mempool.cluster import Chunk, arrange, components
from node.mempool.mempool import Mempool
from node.mempool.policy import PolicyOptions
from node.mempool.template import assemble, block_of, choose, grind
from tests.builders import ChainBuilder, key, p2pkh
from tests.node.support import HOME, QUICK, Scene

HUGE = 4_000_000
SEEDS = 50 if os.environ.get("FARTHING_SWEEP") else 2


@pytest.fixture
def scene() -> Scene:
    return Scene()


def mined(scene: Scene, **options: int) -> Block:
    """Assemble, solve, hand in."""
    block = assemble(scene.chain.chainstate, scene.mempool.chunks(), HOME, scene.now, **options)
    scene.chain.chainstate.check_candidate(block, scene.now)
    solved = grind(block, 0, 1_000_000)
    assert solved is not None
    scene.hand_in(solved)
    assert scene.chain.tip.hash == solved.header.hash
    return solved


def test_an_empty_block(scene: Scene) -> None:
    height, parent = scene.chain.height + 1, scene.chain.tip
    block = mined(scene)
    (coinbase,) = block.transactions
    assert coinbase.outputs[0] == TxOut(5_000_000_000, HOME)
    assert coinbase.outputs[1].script_pubkey[:6].hex() == "6a24aa21a9ed"
    assert coinbase.inputs[0].witness == (bytes(32),)
    assert coinbase.inputs[0].script_sig == bytes([0x50 + height, 0])
    assert (coinbase.locktime, coinbase.inputs[0].sequence) == (height - 1, 0xFFFFFFFE)
    assert block.header.prev_hash == parent.hash
    assert (block.header.version, block.header.bits) == (0x20000000, 0x207FFFFF)
    assert block.header.time == scene.now


def test_fees_go_to_the_miner(scene: Scene) -> None:
    entries = [scene.waiting(scene.coins[index], fee=1_000 + index) for index in range(3)]
    block = mined(scene)
    assert {tx.txid for tx in block.transactions[1:]} == {entry.txid for entry in entries}
    assert block.transactions[0].outputs[0].value == 5_000_003_003
    assert len(scene.mempool) == 0


def test_the_median_time_passes(scene: Scene) -> None:
    scene.now = 5
    block = assemble(scene.chain.chainstate, (), HOME, scene.now)
    assert block.header.time == scene.chain.tip.median_time_past + 1


def test_extra_nonces_make_different_blocks(scene: Scene) -> None:
    first, second = (
        assemble(scene.chain.chainstate, (), HOME, scene.now, extra_nonce=nonce)
        for nonce in (0, 70_000)
    )
    assert first.header.merkle_root != second.header.merkle_root
    scene.chain.chainstate.check_candidate(second, scene.now)


def test_heights_beyond_sixteen(scene: Scene) -> None:
    for _ in range(20):
        mined(scene)
    assert scene.chain.height == 24


def test_a_block_of_chosen_transactions(scene: Scene) -> None:
    tx = scene.pay(scene.coins[0], fee=700)
    block = block_of(scene.chain.chainstate, [tx], 700, HOME, scene.now)
    scene.chain.chainstate.check_candidate(block, scene.now)
    assert block.transactions[1:] == (tx,)


def test_classroom_blocks_retarget() -> None:
    scene = Scene(params=replace(CLASSROOM, coinbase_maturity_blocks=1), coins=2)
    scene.waiting(scene.coins[0])
    for _ in range(3):
        scene.now += 10
        mined(scene)
    assert scene.chain.tip.header.bits == 0x1F00FFFF


def test_before_segwit_nothing_commits_and_nothing_has_a_witness() -> None:
    chain = ChainBuilder(replace(QUICK, segwit_from=1_000))
    mempool, old_home = Mempool(chain.chainstate), p2pkh(key(0))

    def mine() -> Block:
        solved = grind(assemble(chain.chainstate, mempool.chunks(), old_home, chain.now), 0, 1_000)
        assert solved is not None
        changes = chain.accept(solved).changes
        assert not changes.failures
        mempool.follow(changes, chain.now)
        chain.learn(solved.transactions[0])
        return solved

    first, *_ = [mine() for _ in range(3)]
    (coinbase,) = first.transactions
    assert len(coinbase.outputs) == 1
    assert not coinbase.has_witness
    parent = mempool.accept(chain.pay(chain.output(coinbase), HOME, fee=99_000), chain.now)
    child = mempool.accept(chain.pay(chain.output(parent.tx), HOME, fee=9_000), chain.now)
    grandchild = mempool.accept(chain.pay(chain.output(child.tx), HOME, fee=9_000), chain.now)
    assert [tx.txid for tx in mine().transactions[1:]] == [parent.txid]
    assert list(mempool) == [child, grandchild]


# Choosing.


def entry(number: int, fee: int, *parents: MempoolEntry, size: int = 100) -> MempoolEntry:
    tx = Transaction(2, (TxIn(OutPoint(bytes(32), number)),), (TxOut(0, bytes(size - 60)),), 0)
    made = MempoolEntry(tx, fee, tx.weight, 4, 0, 0, number + 1)
    made.parents.update(parents)
    for parent in parents:
        parent.children.add(made)
    return made


def chunks_of(entries: Iterable[MempoolEntry]) -> list[Chunk]:
    """The chunks of the clusters that these make up."""

    def relatives(each: MempoolEntry) -> set[MempoolEntry]:
        return each.parents | each.children

    clusters = [arrange(group, attrgetter("parents")) for group in components(entries, relatives)]
    return sorted(chunk for cluster in clusters for chunk in cluster.chunks)


def chosen_of(
    entries: Iterable[MempoolEntry], *, weight: int, sigop_cost: int
) -> list[MempoolEntry]:
    """The choice from these chunks."""
    return choose(chunks_of(entries), weight=weight, sigop_cost=sigop_cost)


def fees(chosen: list[MempoolEntry]) -> list[int]:
    return [each.fee for each in chosen]


def test_best_first() -> None:
    entries = [entry(n, fee) for n, fee in enumerate([5, 9, 1, 7])]
    assert fees(chosen_of(entries, weight=HUGE, sigop_cost=1_000)) == [9, 7, 5, 1]


def test_a_child_pays_for_its_parents() -> None:
    grandparent = entry(0, 1)
    parent = entry(1, 2, grandparent)
    child = entry(2, 60, parent)
    alone = entry(3, 20)
    chosen = chosen_of([alone, child, parent, grandparent], weight=HUGE, sigop_cost=1_000)
    assert chosen == [grandparent, parent, child, alone]


def test_a_brother_need_not_pay_for_the_parent_again() -> None:
    parent = entry(0, 0)
    rich, poor = entry(1, 100, parent), entry(2, 30, parent)
    alone = entry(3, 20)
    chosen = chosen_of([parent, rich, poor, alone], weight=HUGE, sigop_cost=1_000)
    assert chosen == [parent, rich, poor, alone]


def test_what_does_not_fit_is_passed_over() -> None:
    big, small = entry(0, 100, size=1_000), entry(1, 1)
    weight = small.tx.weight  # as in Core, the limits themselves are not reached
    assert chosen_of([big, small], weight=weight + 1, sigop_cost=1_000) == [small]
    assert chosen_of([big, small], weight=weight, sigop_cost=1_000) == []
    assert chosen_of([big, small], weight=HUGE, sigop_cost=5) == [big]
    assert chosen_of([big, small], weight=HUGE, sigop_cost=4) == []


def test_the_search_ends_when_a_block_is_nearly_full() -> None:
    big = [entry(n, 10_000, size=1_000) for n in range(1_100)]
    small = entry(2_000, 1)
    assert chosen_of([*big, small], weight=3_000, sigop_cost=100_000) == []
    assert chosen_of([*big[:900], small], weight=3_000, sigop_cost=100_000) == [small]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 50), st.integers(61, 300), st.sets(st.integers(0, 11), max_size=3)
        ),
        max_size=12,
    ),
    st.integers(0, 6_000),
)
def test_a_choice_is_whole_and_within_its_limits(
    shapes: list[tuple[int, int, set[int]]], weight: int
) -> None:
    entries = build(shapes)
    chosen = chosen_of(reversed(entries), weight=weight, sigop_cost=1_000)
    assert len(set(chosen)) == len(chosen)
    assert sum(each.tx.weight for each in chosen) <= weight
    for place, each in enumerate(chosen):
        assert each.parents <= set(chosen[:place])
    if sum(each.tx.weight for each in entries) <= weight:
        assert set(chosen) == set(entries)


# Against an exact solver, and against greed.


Drawn = list[tuple[int, int, set[int]]]
"""Fee, size and possible parents of each transaction."""


def build(shapes: Drawn) -> list[MempoolEntry]:
    entries: list[MempoolEntry] = []
    for number, (fee, size, before) in enumerate(shapes):
        parents = [entries[index] for index in before if index < number]
        entries.append(entry(number, fee, *parents, size=size))
    return entries


def best_fees(entries: list[MempoolEntry]) -> dict[int, int]:
    """By weight, the most that a set of just that weight pays which holds all its parents.

    By looking at every set there is.
    """
    best: dict[int, int] = {}
    for mask in range(1 << len(entries)):
        few = {each for index, each in enumerate(entries) if mask >> index & 1}
        if all(each.parents <= few for each in few):
            weight, fee = sum(each.tx.weight for each in few), sum(each.fee for each in few)
            best[weight] = max(fee, best.get(weight, 0))
    return best


@given(
    st.lists(
        st.tuples(st.integers(1, 60), st.integers(61, 300), st.sets(st.integers(0, 8), max_size=3)),
        max_size=9,
    ),
    st.integers(0, 9_000),
)
def test_no_choice_is_better_where_a_chunk_ends(shapes: Drawn, room: int) -> None:
    """If all fits, or the room ends where a chunk does, nobody can earn more.

    Elsewhere it takes a knapsack to do better, and by less than the first chunk left out pays.
    """
    entries = build(shapes)
    best = best_fees(entries)

    def most(room: int) -> int:
        return max(fee for weight, fee in best.items() if weight <= room)

    end, paid = 0, 0
    chunks = chunks_of(entries)
    missed = 0
    for chunk in chunks:
        if end + chunk.feerate.size > room and not missed:
            missed = chunk.feerate.fee
        end, paid = end + chunk.feerate.size, paid + chunk.feerate.fee
        chosen = choose(chunks, weight=end + 1, sigop_cost=1_000)
        assert sum(fees(chosen)) == paid == most(end)
    chosen = choose(chunks, weight=room + 1, sigop_cost=1_000)
    assert sum(fees(chosen)) >= most(room) - max(0, missed - 1)


def greedy(entries: list[MempoolEntry], room: int) -> int:
    """The fees of a block filled by the feerate of transactions with all that they need, as Core
    did before it knew clusters."""
    needed = {each: each.ancestors() | {each} for each in entries}

    def place(each: MempoolEntry) -> tuple[Fraction, int, MempoolEntry]:
        fee = sum(other.fee for other in needed[each])
        weight = sum(other.tx.weight for other in needed[each])
        return -Fraction(fee, weight), numbers[each], each

    numbers = {each: number for number, each in enumerate(entries)}
    heap = [place(each) for each in entries]
    heapify(heap)
    fee = 0
    while heap:
        rank, _, each = heappop(heap)
        if each not in needed or rank != place(each)[0]:
            continue
        few = needed[each]
        weight = sum(other.tx.weight for other in few)
        if weight > room:
            continue  # unless more of what it needs is taken for another's sake
        room, fee = room - weight, fee + sum(other.fee for other in few)
        for other in few:
            del needed[other]
        for other in {child for one in few for child in one.descendants()} & needed.keys():
            needed[other] -= few
            heappush(heap, place(other))
    return fee


def family(rng: Random, count: int) -> Drawn:
    """Transactions that hang together, like payments do: mostly chains and fans, some merges."""
    return [
        (
            int(rng.lognormvariate(6, 1.2)) + 100,
            rng.choice([110, 140, 140, 220, 400, 1_500]),
            set(rng.sample(range(number), min(number, rng.choice([1, 1, 1, 2])))),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_fees_are_never_lower_than_by_greed(seed: int) -> None:
    rng = Random(seed)
    entries: list[MempoolEntry] = []
    while len(entries) < 5_000:
        count = min(rng.choice([1, 1, 1, 2, 2, 3, 5, 10, 25]), 5_000 - len(entries))
        start = len(entries)
        for fee, size, before in family(rng, count):
            parents = [entries[start + index] for index in before]
            entries.append(entry(len(entries), fee, *parents, size=size))
    chunks = chunks_of(entries)
    total = sum(each.tx.weight for each in entries)
    for share in (10, 4, 2):
        room = total // share
        chosen = choose(chunks, weight=room + 1, sigop_cost=1_000_000)
        assert sum(each.tx.weight for each in chosen) <= room
        assert sum(fees(chosen)) >= greedy(entries, room)


# The search.


def test_grinding(scene: Scene) -> None:
    block = assemble(scene.chain.chainstate, (), HOME, scene.now)
    solved = grind(block, 0, 1_000)
    assert solved is not None
    nonce = solved.header.nonce
    assert solved.transactions == block.transactions
    assert solved.header == block.header._replace(nonce=nonce)
    assert grind(block, 0, nonce) is None
    assert grind(block, nonce, 1) == solved
    assert grind(block, 2**32, 10) is None
    assert grind(block, 0, 0) is None
    hard = Block(block.header._replace(bits=0x1D00FFFF), block.transactions)
    assert grind(hard, 2**32 - 5, 1_000) is None


def test_for_nothing_no_room_is_given() -> None:
    scene = Scene(PolicyOptions(min_relay_feerate=0))
    free = scene.waiting(scene.coins[0], fee=0)
    assert len(mined(scene).transactions) == 1
    scene.waiting(scene.output(free), fee=1)
    assert mined(scene).transactions[1].txid == free.txid
