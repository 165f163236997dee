"""The tree of headers: ancestors, medians, candidates, locators."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.block import BlockHeader
from chain.headers import (
    ActiveChain,
    HeaderEntry,
    HeaderTree,
    after_locator,
    locator,
)

BITS = 0x207FFFFF
GENESIS = BlockHeader(1, bytes(32), bytes(32), 1_000_000, BITS, 0)


def child(parent: HeaderEntry, salt: int = 0, *, time: int | None = None) -> BlockHeader:
    """A header after `parent`; the tree asks for no proof of work."""
    time = parent.header.time + 600 if time is None else time
    return BlockHeader(1, parent.hash, salt.to_bytes(32, "big"), time, BITS, 0)


def grow(tree: HeaderTree, parent: HeaderEntry, count: int, salt: int = 0) -> list[HeaderEntry]:
    grown = []
    for _ in range(count):
        parent = tree.add(child(parent, salt))
        grown.append(parent)
    return grown


def test_an_entry_knows_height_work_and_parent() -> None:
    tree = HeaderTree(GENESIS)
    first, second = grow(tree, tree.genesis, 2)
    assert (tree.genesis.height, first.height, second.height) == (0, 1, 2)
    assert second.parent is first
    # 2 ** 256 // (target + 1) is 2 for the easiest target.
    assert (tree.genesis.chainwork, second.chainwork) == (2, 6)
    assert tree.get(second.hash) is second and second.hash in tree and tree[first.hash] is first
    assert tree.get(bytes(32)) is None
    assert len(tree) == 3 and list(tree.values()) == [tree.genesis, first, second]
    assert repr(second) == f"HeaderEntry(2, {second.hash[::-1].hex()})"


def test_adding_twice_changes_nothing_and_orphans_are_refused() -> None:
    tree = HeaderTree(GENESIS)
    first = tree.add(child(tree.genesis))
    assert tree.add(child(tree.genesis)) is first
    assert tree.genesis.children == [first]
    with pytest.raises(KeyError):
        tree.add(child(HeaderEntry(child(first), first)))


def test_median_time_past_is_the_middle_of_eleven() -> None:
    tree = HeaderTree(GENESIS)
    entry, times = tree.genesis, [GENESIS.time]
    for offset in (5, -3, 40, 2, 2, -9, 100, 1, 7, 3, 8, -20, 6):
        times.append(GENESIS.time + offset)
        entry = tree.add(child(entry, len(times), time=times[-1]))
        recent = sorted(times[-11:])
        assert entry.median_time_past == recent[len(recent) // 2]


@given(st.integers(0, 300), st.integers(0, 300))
def test_ancestors_are_found_by_skipping(height: int, wanted: int) -> None:
    entry = _LONG[height]
    if wanted <= height:
        assert entry.ancestor(wanted) is _LONG[wanted]
        assert _LONG[wanted].is_ancestor_of(entry)
    else:
        with pytest.raises(IndexError):
            entry.ancestor(wanted)
        assert not _LONG[wanted].is_ancestor_of(entry)


_LONG_TREE = HeaderTree(GENESIS)
_LONG = [_LONG_TREE.genesis, *grow(_LONG_TREE, _LONG_TREE.genesis, 300)]


def test_no_ancestor_is_below_genesis_and_branches_are_told_apart() -> None:
    tree = HeaderTree(GENESIS)
    one, other = grow(tree, tree.genesis, 3, 1), grow(tree, tree.genesis, 3, 2)
    with pytest.raises(IndexError):
        one[0].ancestor(-1)
    assert one[0].is_ancestor_of(one[0])
    assert not one[0].is_ancestor_of(other[2])


def test_ancestors_are_near_even_in_long_chains() -> None:
    """A step is a skip or a parent; the way is logarithmic squared at worst."""
    for height in (300, 299, 256, 255):
        for wanted in range(height):
            entry, steps = _LONG[height], 0
            while entry.height > wanted:
                assert entry.skip is not None and entry.parent is not None
                entry = entry.skip if entry.skip.height >= wanted else entry.parent
                steps += 1
            assert steps <= 45


def test_the_active_chain_follows_its_tip() -> None:
    tree = HeaderTree(GENESIS)
    left, right = grow(tree, tree.genesis, 3, 1), grow(tree, tree.genesis, 2, 2)
    active = ActiveChain(tree.genesis)
    assert (active.tip, active.height) == (tree.genesis, 0)
    active.set_tip(left[2])
    assert active.tip is left[2] and active[1] is left[0] and left[1] in active
    assert right[1] not in active
    assert active.fork_with(right[1]) is tree.genesis
    assert active.fork_with(left[1]) is left[1]
    assert active.path_to(right[1]) == right
    assert active.path_to(left[0]) == []
    active.set_tip(right[1])
    assert (active.height, active[2], left[0] in active) == (2, right[1], False)
    active.set_tip(tree.genesis)
    assert active.height == 0
    with pytest.raises(IndexError):
        active[-1]
    with pytest.raises(IndexError):
        active[1]


def test_a_fork_higher_than_the_active_chain_is_found() -> None:
    tree = HeaderTree(GENESIS)
    trunk = grow(tree, tree.genesis, 2)
    left, right = grow(tree, trunk[1], 1, 1), grow(tree, trunk[1], 9, 2)
    active = ActiveChain(tree.genesis)
    active.set_tip(left[0])
    assert active.fork_with(right[8]) is trunk[1]


def test_the_best_header_has_most_work_and_came_first() -> None:
    tree = HeaderTree(GENESIS)
    left = grow(tree, tree.genesis, 2, 1)
    right = grow(tree, tree.genesis, 2, 2)
    assert tree.best_header is left[1]
    assert tree.mark_failed(left[0]) == left
    assert tree.best_header is right[1]
    assert set(tree.clear_failed(left[1])) == set(left)
    assert tree.best_header is left[1]


def test_candidates_need_every_body_and_keep_the_order_of_completion() -> None:
    """
    genesis -> a1 -> a2
            -> b1 -> b2     b2's body comes first, but b1's comes after both of a's.
    """
    tree = HeaderTree(GENESIS)
    tree.link_body(tree.genesis)
    a1, a2 = grow(tree, tree.genesis, 2, 1)
    b1, b2 = grow(tree, tree.genesis, 2, 2)
    assert tree.link_body(b2) == [b2]
    assert (b2.sequence, tree.best_candidate) == (None, tree.genesis)
    assert tree.link_body(a1) == [a1]
    assert tree.link_body(a2) == [a2]
    assert tree.link_body(b1) == [b1, b2]
    assert [each.sequence for each in (tree.genesis, a1, a2, b1, b2)] == [0, 1, 2, 3, 4]
    assert tree.best_candidate is a2
    tree.mark_failed(a2)
    assert tree.best_candidate is b2
    tree.mark_failed(b1)
    assert tree.best_candidate is a1
    tree.clear_failed(b2)
    assert tree.best_candidate is b2
    tree.clear_failed(a2)
    assert tree.best_candidate is a2


def test_a_failed_entry_does_not_become_a_candidate() -> None:
    tree = HeaderTree(GENESIS)
    tree.link_body(tree.genesis)
    (first,) = grow(tree, tree.genesis, 1)
    tree.mark_failed(first)
    tree.link_body(first)
    assert tree.best_candidate is tree.genesis and first.sequence == 1
    assert tree.mark_failed(first) == []


def test_failure_spreads_down_and_forgiveness_up_and_down_but_not_sideways() -> None:
    """
    genesis -> a1 -> a2 -> a3
                  -> b2
    """
    tree = HeaderTree(GENESIS)
    a1, a2, a3 = grow(tree, tree.genesis, 3, 1)
    (b2,) = grow(tree, a1, 1, 2)
    assert set(tree.mark_failed(a1)) == {a1, a2, a3, b2}
    assert set(tree.clear_failed(a2)) == {a1, a2, a3}
    assert b2.failed
    assert tree.clear_failed(tree.genesis) == [b2]
    assert tree.mark_failed(b2) == [b2]
    # A child of something failed does not count either.
    grow(tree, b2, 5)
    tree.mark_failed(b2)
    assert tree.best_header is a3


def test_tips_are_the_ends_of_branches() -> None:
    tree = HeaderTree(GENESIS)
    assert tree.tips() == [tree.genesis]
    long, short = grow(tree, tree.genesis, 3, 1), grow(tree, tree.genesis, 1, 2)
    assert tree.tips() == [long[2], short[0]]


def test_a_locator_is_dense_near_the_tip_and_ends_in_genesis() -> None:
    def heights(entry: HeaderEntry) -> list[int]:
        return [_LONG_TREE[block_hash].height for block_hash in locator(entry)]

    assert heights(_LONG[0]) == [0]
    assert heights(_LONG[3]) == [3, 2, 1, 0]
    near = [300, 299, 298, 297, 296, 295, 294, 293, 292, 291]
    assert heights(_LONG[300]) == [*near, 289, 285, 277, 261, 229, 165, 37, 0]


def test_headers_after_a_locator() -> None:
    tree = HeaderTree(GENESIS)
    main = [tree.genesis, *grow(tree, tree.genesis, 12, 1)]
    side = grow(tree, main[4], 3, 2)
    active = ActiveChain(tree.genesis)
    active.set_tip(main[12])
    nowhere = bytes(32)
    assert after_locator(tree, active, locator(main[9]), nowhere) == main[10:]
    assert after_locator(tree, active, locator(main[12]), nowhere) == []
    # A peer on a side branch is met at the fork, a stranger at genesis.
    assert after_locator(tree, active, locator(side[2]), nowhere) == main[5:]
    assert after_locator(tree, active, [b"\x07" * 32], nowhere) == main[1:]
    assert after_locator(tree, active, locator(main[2]), main[6].hash) == main[3:7]
    assert after_locator(tree, active, locator(main[2]), nowhere, limit=2) == main[3:5]
    # Without a locator a single header is asked for by name.
    assert after_locator(tree, active, [], side[1].hash) == [side[1]]
    assert after_locator(tree, active, [], nowhere) == []
    long = ActiveChain(_LONG_TREE.genesis)
    long.set_tip(_LONG[300])
    assert after_locator(_LONG_TREE, long, [], _LONG[7].hash) == [_LONG[7]]


def test_a_peer_is_sent_2000_headers_at_once() -> None:
    tree = HeaderTree(GENESIS)
    grown = grow(tree, tree.genesis, 2_001)
    active = ActiveChain(tree.genesis)
    active.set_tip(grown[-1])
    assert after_locator(tree, active, [GENESIS.hash], bytes(32)) == grown[:2_000]
