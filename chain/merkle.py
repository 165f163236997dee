"""Merkle trees as Bitcoin builds them: pairs hashed upward, an odd last node paired with itself.

Knows only lists of 32-byte hashes. That pairing makes some lists with a repeated tail share the
root of the list without it (CVE-2012-2459), so the root comes with a warning. Read beside it:
Core's consensus/merkle.cpp.
"""

from collections.abc import Sequence

from chain.hashes import sha256d


def _next_level(level: Sequence[bytes]) -> list[bytes]:
    """The parents of one level, whose length is even."""
    return [sha256d(level[i] + level[i + 1]) for i in range(0, len(level), 2)]


def _even(level: list[bytes]) -> list[bytes]:
    return level if len(level) % 2 == 0 else [*level, level[-1]]


def merkle_root(hashes: Sequence[bytes]) -> tuple[bytes, bool]:
    """The root over 32-byte hashes, and whether two siblings are the same (mutated).

    The root of nothing is 32 zero bytes.
    """
    level, mutated = list(hashes), False
    while len(level) > 1:
        mutated = mutated or any(level[i] == level[i + 1] for i in range(0, len(level) - 1, 2))
        level = _next_level(_even(level))
    return (level[0] if level else bytes(32)), mutated


def merkle_branch(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The siblings on the way from the leaf at `index` up to the root, lowest first."""
    level, branch = list(hashes), []
    while len(level) > 1:
        level = _even(level)
        branch.append(level[index ^ 1])
        level, index = _next_level(level), index >> 1
    return branch
