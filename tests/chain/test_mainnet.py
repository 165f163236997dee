"""Bitcoin's own first blocks and headers, and what becomes of them when one byte is changed."""

import os
import random
from pathlib import Path

import pytest

from chain.block import Block, BlockHeader
from chain.chainstate import Chainstate
from chain.coins import coins_hash
from chain.errors import DecodeError, Invalid, Reason
from chain.params import MAIN
from chain.store import MemoryStore

# FARTHING_SWEEP=1 changes every byte of every header (ten seconds), not of every hundredth.
SWEEP = bool(os.environ.get("FARTHING_SWEEP"))
NOW = 1_300_000_000  # a moment after all of them


def lines(path: Path) -> list[bytes]:
    return [bytes.fromhex(line) for line in path.read_text().split()]


@pytest.fixture(scope="module")
def blocks(shared: Path) -> list[bytes]:
    found = lines(shared / "vectors/mainnet/mainnet_1_256.hex")
    assert len(found) == 255
    return found


@pytest.fixture(scope="module")
def headers(shared: Path) -> list[bytes]:
    found = lines(shared / "vectors/mainnet/mainnet_0_8999.hex")
    assert len(found) == 9000
    return found


def test_the_first_blocks_are_valid(blocks: list[bytes], headers: list[bytes]) -> None:
    chainstate = Chainstate(MAIN, MemoryStore())
    for raw in blocks:
        block = Block.parse(raw)
        accepted = chainstate.accept_block(block, NOW)
        assert [entry.hash for entry, _ in accepted.changes.connected] == [block.hash]
        assert chainstate.read_block_bytes(block.hash) == raw
    assert chainstate.active.height == 255
    assert chainstate.tip.header == BlockHeader.parse(headers[255])
    # Hal Finney was paid ten coins in block 170.
    paid = Block.parse(blocks[169]).transactions[1]
    assert [output.value for output in paid.outputs] == [1_000_000_000, 4_000_000_000]
    total = sum(coin.output.value for _, coin in chainstate.coins)
    assert total == 255 * 5_000_000_000


def test_headers_over_four_changes_of_interval_are_valid(headers: list[bytes]) -> None:
    chainstate = Chainstate(MAIN, MemoryStore())
    parsed = [BlockHeader.parse(raw) for raw in headers]
    assert parsed[0] == MAIN.genesis.header
    entries = chainstate.accept_headers(parsed[1:], NOW)
    assert chainstate.headers.best_header is entries[-1]
    assert (entries[-1].height, entries[-1].chainwork) == (8999, 9000 * 0x100010001)
    assert chainstate.active.height == 0


def changed_at(raw: bytes, position: int, rng: random.Random) -> bytes:
    """The same bytes but for one."""
    return raw[:position] + bytes([raw[position] ^ rng.randrange(1, 256)]) + raw[position + 1 :]


def test_each_header_with_one_byte_changed_is_refused(headers: list[bytes]) -> None:
    """Whatever the byte, the hash is another, and the work behind it is gone."""
    chainstate = Chainstate(MAIN, MemoryStore())
    rng = random.Random(1)
    refused = 0
    for height, raw in enumerate(headers):
        everywhere = SWEEP or height % 100 == 1
        for position in range(80) if everywhere else [rng.randrange(80)]:
            changed = BlockHeader.parse(changed_at(raw, position, rng))
            with pytest.raises(Invalid) as caught:
                chainstate.accept_header(changed, NOW)
            assert caught.value.reason is Reason.HIGH_HASH
            refused += 1
        assert len(chainstate.headers) == max(height, 1)  # nothing of it is kept
        chainstate.accept_header(BlockHeader.parse(raw), NOW)
    assert chainstate.headers.best_header.hash == BlockHeader.parse(headers[-1]).hash
    assert chainstate.headers.best_header.height == 8999
    assert refused == (80 * 9000 if SWEEP else 8910 + 90 * 80)


def test_each_block_with_one_byte_changed_is_refused(blocks: list[bytes]) -> None:
    """At every byte; and a lie about a body does not spoil the true one, which comes after it."""
    chainstate = Chainstate(MAIN, MemoryStore())
    rng = random.Random(2)
    for height, raw in enumerate(blocks, 1):
        for position in range(len(raw)):
            with pytest.raises((DecodeError, Invalid)) as caught:
                chainstate.accept_block(Block.parse(changed_at(raw, position, rng)), NOW)
            if isinstance(caught.value, Invalid):
                expected = Reason.HIGH_HASH if position < 80 else Reason.BAD_TXNMRKLROOT
                assert caught.value.reason is expected
            assert position >= 80 or isinstance(caught.value, Invalid)
            assert chainstate.active.height == height - 1
        accepted = chainstate.accept_block(Block.parse(raw), NOW)
        assert [entry.height for entry, _ in accepted.changes.connected] == [height]
    assert chainstate.active.height == 255


def test_a_body_refused_first_does_not_spoil_the_blocks_behind_it(blocks: list[bytes]) -> None:
    """All changed bodies come before the first true one, which finds their headers there."""
    chainstate = Chainstate(MAIN, MemoryStore())
    rng = random.Random(3)
    for raw in blocks:
        chainstate.accept_header(BlockHeader.parse(raw[:80]), NOW)
        with pytest.raises((DecodeError, Invalid)):
            changed = changed_at(raw, rng.randrange(80, len(raw)), rng)
            chainstate.accept_block(Block.parse(changed), NOW)
    assert chainstate.active.height == 0
    for raw in blocks:
        chainstate.accept_block(Block.parse(raw), NOW)
    assert chainstate.active.height == 255


def test_going_back_to_genesis_and_forth_again_gives_the_same_coins(blocks: list[bytes]) -> None:
    chainstate = Chainstate(MAIN, MemoryStore())
    for raw in blocks:
        chainstate.accept_block(Block.parse(raw), NOW)
    before, first = coins_hash(chainstate.coins), chainstate.active[1].hash
    gone = chainstate.invalidate(first)
    assert (len(gone.disconnected), list(chainstate.coins)) == (255, [])
    back = chainstate.reconsider(first)
    assert (len(back.connected), coins_hash(chainstate.coins)) == (255, before)
