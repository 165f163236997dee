"""Merkle roots and branches, against python-bitcoinlib and by hand."""

import hashlib

import pytest
from bitcoin.core import CBlock
from hypothesis import given
from hypothesis import strategies as st

from chain.merkle import merkle_branch, merkle_root

LEAVES = [bytes([i]) * 32 for i in range(1, 8)]
distinct = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=20, unique=True)


def double(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def climb(leaf: bytes, branch: list[bytes], index: int) -> bytes:
    for level, sibling in enumerate(branch):
        leaf = double(sibling + leaf if index >> level & 1 else leaf + sibling)
    return leaf


def test_the_root_of_nothing_and_of_one() -> None:
    assert merkle_root([]) == (bytes(32), False)
    assert merkle_root(LEAVES[:1]) == (LEAVES[0], False)


def test_an_odd_node_is_paired_with_itself() -> None:
    a, b, c = LEAVES[:3]
    expected = double(double(a + b) + double(c + c))
    assert merkle_root([a, b, c]) == (expected, False)


@given(distinct)
def test_roots_agree_with_python_bitcoinlib(hashes: list[bytes]) -> None:
    assert merkle_root(hashes) == (CBlock.build_merkle_tree_from_txids(hashes)[-1], False)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 7])
def test_a_repeated_tail_has_the_same_root_and_is_noticed(count: int) -> None:
    """CVE-2012-2459: the block with the repeated transactions would have the same hash."""
    honest = LEAVES[:count]
    tail = honest[-(count & -count) :]  # the smallest subtree at the end
    root, mutated = merkle_root([*honest, *tail])
    if count & (count - 1):
        assert root == merkle_root(honest)[0]
    assert mutated


def test_equal_hashes_that_are_no_siblings_are_no_mutation() -> None:
    a, b = LEAVES[:2]
    assert not merkle_root([a, b, b])[1]
    assert merkle_root([a, b, b, b])[1]


@given(distinct)
def test_a_branch_proves_its_leaf_and_no_other_place(hashes: list[bytes]) -> None:
    root, _ = merkle_root(hashes)
    for index, leaf in enumerate(hashes):
        branch = merkle_branch(hashes, index)
        assert len(branch) == (len(hashes) - 1).bit_length()
        assert climb(leaf, branch, index) == root
        if len(hashes) > 1:
            wrong = bytes([branch[0][0] ^ 1]) + branch[0][1:]
            assert climb(leaf, [wrong, *branch[1:]], index) != root
