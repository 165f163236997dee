"""Proof of work: what targets demand, the work they stand for, and retargeting.

Knows the arithmetic, and nothing of clocks or of who mines; block_rules asks whether a header's
bits are the right ones. Read beside it: Core's pow.cpp. Where Core's 256-bit product overflows
(targets beyond 2^233, which no real network that retargets allows), ours does not.
"""

from typing import Protocol, Self

from chain.block import BlockHeader
from chain.encoding import decode_bits, encode_bits
from chain.params import Params

__all__ = ["decode_bits", "encode_bits", "meets_target", "next_bits", "work_of"]

MAX_ADJUSTMENT = 4  # an interval's time counts as a quarter to four times the intended one


class _Entry(Protocol):
    """What retargeting needs of a place in the tree of headers; headers.HeaderEntry has it."""

    @property
    def height(self) -> int: ...
    @property
    def header(self) -> BlockHeader: ...
    @property
    def parent(self) -> Self | None: ...
    def ancestor(self, height: int) -> Self: ...


def work_of(bits: int) -> int:
    """The hashes expected until one meets the target (Core: GetBlockProof); 0 for invalid bits."""
    target = decode_bits(bits)
    return (1 << 256) // (target + 1) if target else 0


def meets_target(block_hash: bytes, bits: int, params: Params) -> bool:
    """True if bits are valid on this network and the hash is at most their target."""
    target = decode_bits(bits)
    return 0 < target <= params.pow_limit and int.from_bytes(block_hash, "little") <= target


def next_bits(parent: _Entry, new_time: int, params: Params) -> int:
    """The bits that a header of time `new_time` must have after `parent` (GetNextWorkRequired)."""
    if parent.height == 0:  # the genesis block is given, and its bits bind nobody
        return params.pow_limit_bits
    if (parent.height + 1) % params.retarget_interval_blocks == 0:
        return _retarget(parent, params)
    if not params.allow_min_difficulty_blocks:
        return parent.header.bits
    if new_time > parent.header.time + 2 * params.target_spacing_s:
        return params.pow_limit_bits  # nobody found a block in time: this one may be easy
    return _last_hard_bits(parent, params)


def _last_hard_bits(entry: _Entry, params: Params) -> int:
    """The bits of the last block that was not let through as an easy one."""
    while entry.header.bits == params.pow_limit_bits and entry.parent is not None:
        if entry.height % params.retarget_interval_blocks == 0:
            break
        entry = entry.parent
    return entry.header.bits


def _retarget(parent: _Entry, params: Params) -> int:
    """The old target times how long the interval took over how long it should (Core's
    CalculateNextWorkRequired). Famously, the time measured is that of one block too few."""
    if params.no_retargeting:
        return parent.header.bits
    interval = params.retarget_interval_blocks
    intended_s = interval * params.target_spacing_s
    first = parent.ancestor(parent.height + 1 - interval)
    taken_s = parent.header.time - first.header.time
    taken_s = min(max(taken_s, intended_s // MAX_ADJUSTMENT), intended_s * MAX_ADJUSTMENT)
    target = decode_bits(parent.header.bits) * taken_s // intended_s
    return encode_bits(min(target, params.pow_limit))
