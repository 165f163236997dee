"""Linearization against all orders, all closed sets, and a solver of another make.

FARTHING_SWEEP=1 draws a hundred times as many large clusters.
"""

import itertools
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.mempool.feerate import Comparison, FeeFrac, compare_diagrams
from node.mempool.linearize import (
    Graph,
    chunks,
    components,
    linearize,
    make_graph,
    members,
)

TIMES = 100 if os.environ.get("FARTHING_SWEEP") else 1
Drawn = tuple[list[tuple[int, int]], list[set[int]]]
"""Fees with sizes, and each transaction's parents: what the tests draw, and the oracles read."""


def build(graph: Drawn) -> Graph:
    feerates, parents = graph
    masks = [sum(1 << parent for parent in group) for group in parents]
    return make_graph([FeeFrac(*feerate) for feerate in feerates], masks)


def is_linearization(graph: Graph, order: Sequence[int]) -> bool:
    """Whether `order` holds each transaction once, and none before its parents."""
    done = 0
    for index in order:
        if graph.ancestors[index] & ~done != 1 << index:
            return False
        done |= 1 << index
    return len(order) == len(graph.feerates)


@st.composite
def graphs(draw: st.DrawFn, most: int, fee: int = 30, size: int = 6) -> Drawn:
    """Small numbers, so that feerates are often equal; parents in any numbering."""
    count = draw(st.integers(1, most))
    feerates = draw(
        st.lists(
            st.tuples(st.integers(0, fee), st.integers(1, size)), min_size=count, max_size=count
        )
    )
    place = draw(st.permutations(range(count)))
    parents: list[set[int]] = [set() for _ in range(count)]
    for child in range(count):
        for parent in range(child):
            if draw(st.integers(0, 3)) == 0:
                parents[place[child]].add(place[parent])
    return feerates, parents


def random_graph(rng: random.Random, count: int, chance: float) -> Drawn:
    feerates = [(rng.randrange(50_000), rng.randrange(250, 20_000)) for _ in range(count)]
    place = rng.sample(range(count), count)
    parents: list[set[int]] = [set() for _ in range(count)]
    for parent, child in itertools.combinations(range(count), 2):
        if rng.random() < chance:
            parents[place[child]].add(place[parent])
    return feerates, parents


def diagram(cluster: Graph, order: list[int]) -> list[FeeFrac]:
    return [chunk.feerate for chunk in chunks(cluster, order)]


def topological_orders(parents: list[set[int]], done: tuple[int, ...] = ()) -> Iterator[list[int]]:
    if len(done) == len(parents):
        yield list(done)
    for index in range(len(parents)):
        if index not in done and parents[index] <= set(done):
            yield from topological_orders(parents, (*done, index))


def closed_sets(parents: list[set[int]], within: set[int]) -> Iterator[set[int]]:
    """All non-empty subsets of `within` that hold all their own parents in it."""
    for count in range(1, len(within) + 1):
        for chosen in map(set, itertools.combinations(sorted(within), count)):
            if all(parents[index] & within <= chosen for index in chosen):
                yield chosen


def total(feerates: list[tuple[int, int]], group: set[int]) -> FeeFrac:
    return FeeFrac(sum(feerates[i][0] for i in group), sum(feerates[i][1] for i in group))


# --- the oracles ----------------------------------------------------------------------------------


def best_by_all_closed_sets(graph: Drawn) -> list[FeeFrac]:
    """The optimal diagram: again and again the closed set of the highest feerate."""
    feerates, parents = graph
    left, found = set(range(len(parents))), []
    while left:
        best = max(
            closed_sets(parents, left),
            key=lambda group: Fraction(*total(feerates, group)),
        )
        found.append(total(feerates, best))
        left -= best
    return found


def best_by_ratio_search(graph: Drawn) -> list[FeeFrac]:
    """The same for larger graphs: Dinkelbach's method over cuts in a network of parent links."""
    feerates, parents = graph
    left, found = set(range(len(parents))), []
    while left:
        best = left
        while better := heaviest_closed_set(feerates, parents, left, total(feerates, best)):
            best = better
        found.append(total(feerates, best))
        left -= best
    return found


def heaviest_closed_set(
    feerates: list[tuple[int, int]], parents: list[set[int]], left: set[int], than: FeeFrac
) -> set[int]:
    """The closed set that pays the most above the feerate `than`; empty if none pays more."""
    source, sink = -1, -2
    room: dict[int, dict[int, int]] = {node: {} for node in (source, sink, *left)}
    for index in left:
        gain = feerates[index][0] * than.size - than.fee * feerates[index][1]
        room[source][index], room[index][source] = max(gain, 0), 0
        room[index][sink], room[sink][index] = max(-gain, 0), 0
        for parent in parents[index] & left:
            room[index][parent] = 10**30
            room[parent].setdefault(index, 0)
    while True:
        came = {source: source}
        queue = [source]
        for node in queue:
            for following, free in room[node].items():
                if free and following not in came:
                    came[following] = node
                    queue.append(following)
        if sink not in came:
            return set(came) - {source}
        way, node = [], sink
        while node != source:
            way.append((came[node], node))
            node = came[node]
        amount = min(room[a][b] for a, b in way)
        for a, b in way:
            room[a][b] -= amount
            room[b][a] += amount


def by_ancestor_feerate(graph: Drawn) -> list[int]:
    """The order of miners before clusters: next, the best transaction with its ancestors."""
    feerates, parents = graph
    order: list[int] = []

    def waiting_ancestors(index: int) -> set[int]:
        found, queue = {index}, [index]
        while queue:
            new = parents[queue.pop()] - found - set(order)
            found |= new
            queue.extend(new)
        return found

    while len(order) < len(parents):
        packages = [waiting_ancestors(i) for i in range(len(parents)) if i not in order]
        package = max(packages, key=lambda group: Fraction(*total(feerates, group)))
        while package:
            ready = min(i for i in package if not parents[i] & package)
            order.append(ready)
            package.remove(ready)
    return order


# --- the best order -------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(graphs(6))
def test_no_order_at_all_is_better(graph: Drawn) -> None:
    cluster = build(graph)
    ours = diagram(cluster, linearize(cluster))
    for order in topological_orders(graph[1]):
        assert is_linearization(cluster, order)
        assert compare_diagrams(ours, diagram(cluster, order)) in (
            Comparison.EQUAL,
            Comparison.BETTER,
        )


@settings(max_examples=60, deadline=None)
@given(graphs(9))
def test_the_diagram_is_the_best_over_all_closed_sets(graph: Drawn) -> None:
    cluster = build(graph)
    best = best_by_all_closed_sets(graph)
    assert compare_diagrams(diagram(cluster, linearize(cluster)), best) is Comparison.EQUAL


@pytest.mark.parametrize(("count", "clusters"), [(20, 20), (64, 2)])
@pytest.mark.parametrize("chance", [0.02, 0.05, 0.1, 0.3])
def test_large_clusters_are_as_another_solver_has_them(
    count: int, clusters: int, chance: float
) -> None:
    rng = random.Random(f"{count} {chance}")
    for _ in range(clusters * TIMES):
        graph = random_graph(rng, count, chance)
        cluster = build(graph)
        ours = diagram(cluster, linearize(cluster))
        assert compare_diagrams(ours, best_by_ratio_search(graph)) is Comparison.EQUAL


@pytest.mark.parametrize("count", [3, 10, 30, 64])
@pytest.mark.parametrize("chance", [0.02, 0.1, 0.3])
def test_the_old_order_by_ancestor_feerate_is_never_better(count: int, chance: float) -> None:
    rng = random.Random(f"{count} {chance}")
    outcomes = set()
    for _ in range(TIMES * 192 // count):
        graph = random_graph(rng, count, chance)
        cluster = build(graph)
        order, old = linearize(cluster), by_ancestor_feerate(graph)
        assert is_linearization(cluster, order) and is_linearization(cluster, old)
        outcomes.add(compare_diagrams(diagram(cluster, order), diagram(cluster, old)))
    assert outcomes <= {Comparison.EQUAL, Comparison.BETTER}
    assert Comparison.BETTER in outcomes or count < 64 or chance < 0.1


def test_the_old_order_is_worse_where_two_children_pay_for_one_parent() -> None:
    # Two children together lift their parent above the lone transaction; each alone does not.
    graph: Drawn = ([(0, 10), (24, 10), (24, 10), (15, 10)], [set(), {0}, {0}, set()])
    cluster = build(graph)
    assert by_ancestor_feerate(graph)[0] == 3
    assert diagram(cluster, linearize(cluster)) == [FeeFrac(48, 30), FeeFrac(15, 10)]
    ours, old = (diagram(cluster, order) for order in (linearize(cluster), [3, 0, 1, 2]))
    assert compare_diagrams(ours, old) is Comparison.BETTER


# --- chunks and ties ------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(graphs(8, fee=3, size=3))
def test_chunks_are_the_finest_possible(graph: Drawn) -> None:
    feerates, parents = graph
    cluster = build(graph)
    found = chunks(cluster, linearize(cluster))
    assert all(not b.feerate.beats(a.feerate) for a, b in itertools.pairwise(found))
    for chunk in found:
        whole = set(chunk.members)
        assert chunk.feerate == total(feerates, whole)
        for part in closed_sets(parents, whole):
            assert part == whole or chunk.feerate.beats(total(feerates, part))


@settings(max_examples=60, deadline=None)
@given(graphs(10, fee=3, size=3))
def test_ties_are_broken_by_size_and_then_by_index(graph: Drawn) -> None:
    """Whatever could have come next at some place, and did not, ranks behind what came."""
    feerates, parents = graph
    cluster = build(graph)
    found = chunks(cluster, linearize(cluster))
    for place, chunk in enumerate(found):
        done = {index for before in found[:place] for index in before.members}
        for later in found[place:]:
            if all(parents[index] <= done | set(later.members) for index in later.members):
                assert rank(feerates, set(chunk.members)) <= rank(feerates, set(later.members))
        for inner, index in enumerate(chunk.members):
            for other in chunk.members[inner:]:
                if parents[other] <= done | set(chunk.members[:inner]):
                    assert rank(feerates, {index}) <= rank(feerates, {other})


def rank(feerates: list[tuple[int, int]], group: set[int]) -> tuple[Fraction, int, int]:
    feerate = total(feerates, group)
    return -Fraction(*feerate), feerate.size, max(group)


@settings(max_examples=60, deadline=None)
@given(graphs(12, fee=3, size=3), st.randoms(use_true_random=False))
def test_the_chunks_do_not_depend_on_the_numbering(graph: Drawn, rng: random.Random) -> None:
    feerates, parents = graph
    new = rng.sample(range(len(parents)), len(parents))
    old = sorted(range(len(parents)), key=lambda index: new[index])
    renumbered = (
        [feerates[index] for index in old],
        [{new[parent] for parent in parents[index]} for index in old],
    )
    here, there = build(graph), build(renumbered)
    ours = {frozenset(chunk.members) for chunk in chunks(here, linearize(here))}
    theirs = {
        frozenset(old[index] for index in chunk.members)
        for chunk in chunks(there, linearize(there))
    }
    assert ours == theirs


def test_a_run_adds_up_the_chunks_of_one_feerate() -> None:
    cluster = build(([(9, 1), (2, 2), (1, 1), (0, 5)], [set(), set(), set(), set()]))
    found = chunks(cluster, linearize(cluster))
    assert [(chunk.members, chunk.run) for chunk in found] == [
        ((0,), 1),
        ((2,), 1),
        ((1,), 3),
        ((3,), 5),
    ]


def test_chunks_of_an_order_that_is_not_the_best() -> None:
    cluster = build(([(5, 1), (1, 1), (3, 1), (3, 1)], [set(), set(), {1}, set()]))
    assert [chunk.members for chunk in chunks(cluster, [1, 2, 3, 0])] == [(1, 2, 3, 0)]
    assert [chunk.members for chunk in chunks(cluster, linearize(cluster))] == [(0,), (3,), (1, 2)]


# --- clusters -------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(graphs(12))
def test_a_cluster_knows_who_comes_before_and_after(graph: Drawn) -> None:
    cluster = build(graph)
    for index, parents in enumerate(graph[1]):
        expected = {index}.union(*(set(members(cluster.ancestors[parent])) for parent in parents))
        assert set(members(cluster.ancestors[index])) == expected
        for other in range(len(graph[1])):
            before = cluster.ancestors[index] >> other & 1
            assert cluster.descendants[other] >> index & 1 == before


@settings(max_examples=40, deadline=None)
@given(graphs(12))
def test_components_are_what_hangs_together(graph: Drawn) -> None:
    cluster, (_, parents) = build(graph), graph
    label = list(range(len(parents)))
    for child, group in enumerate(parents):
        for parent in group:
            label = [label[parent] if one == label[child] else one for one in label]
    expected = {frozenset(i for i, one in enumerate(label) if one == name) for name in label}
    assert {frozenset(members(group)) for group in components(cluster)} == expected


def test_a_chain_longer_than_any_limit_is_taken_in_stride() -> None:
    """A reorganisation can bring back more than 64 in a row, to be cut down later."""
    count = 1100
    graph: Drawn = ([(1, 1)] * count, [{index + 1} for index in range(count - 1)] + [set()])
    assert is_linearization(build(graph), list(range(count))[::-1])


def test_what_is_no_linearization() -> None:
    cluster = build(([(1, 1), (1, 1), (1, 1)], [set(), {0}, {1}]))
    assert is_linearization(cluster, [0, 1, 2])
    for wrong in ([1, 0, 2], [0, 2, 1], [0, 1], [0, 1, 1], [0, 1, 2, 2]):
        assert not is_linearization(cluster, wrong)


def test_the_empty_cluster() -> None:
    assert linearize(build(([], []))) == []


def test_a_fee_below_zero_goes_last() -> None:
    cluster = build(([(-5, 1), (2, 1), (3, 1)], [set(), {0}, set()]))
    assert diagram(cluster, linearize(cluster)) == [FeeFrac(3, 1), FeeFrac(-3, 2)]


# --- the time for the hardest ---------------------------------------------------------------------


def links_of_two_layers(rng: random.Random) -> Iterator[tuple[int, int]]:
    return ((a, b) for a in range(32) for b in range(32, 64) if rng.random() < 0.15)


def links_of_a_comb(_: random.Random) -> Iterator[tuple[int, int]]:
    yield from ((a, a + 2) for a in range(0, 62, 2))
    yield from ((a, a + 1) for a in range(0, 64, 2))


NASTY: dict[str, Callable[[random.Random], Iterator[tuple[int, int]]]] = {
    "chain": lambda _: zip(range(63), range(1, 64), strict=True),
    "comb": links_of_a_comb,
    "many children": lambda _: ((0, child) for child in range(1, 64)),
    "many parents": lambda _: ((parent, 63) for parent in range(63)),
    "two layers": links_of_two_layers,
    "two full layers": lambda _: itertools.product(range(32), range(32, 64)),
    "eight full layers": lambda _: (
        (a, b) for a in range(64) for b in range(64) if b // 8 == a // 8 + 1
    ),
    "all that can be": lambda _: itertools.combinations(range(64), 2),
}


@pytest.mark.parametrize("shape", NASTY)
def test_the_hardest_clusters_take_milliseconds(shape: str) -> None:
    """Measured: at most 5 ms each; the bound leaves room for slow machines and coverage."""
    took = []
    for seed in range(3):
        rng = random.Random(seed)
        parents: list[set[int]] = [set() for _ in range(64)]
        for parent, child in NASTY[shape](rng):
            parents[child].add(parent)
        # Those that come last pay most: surplus has far to go.
        feerates = [(rng.randrange(1 + index**2), rng.randrange(400, 6000)) for index in range(64)]
        cluster = build((feerates, parents))
        start = time.process_time()
        order = linearize(cluster)
        took.append(time.process_time() - start)
        assert is_linearization(cluster, order)
        if shape == "chain":
            best = best_by_ratio_search((feerates, parents))
            assert compare_diagrams(diagram(cluster, order), best) is Comparison.EQUAL
    assert min(took) < 0.1
