"""Bitcoin's own first blocks and headers, and what becomes of them when one byte is changed."""

import random
from pathlib import Path

import pytest

from chain.block import Block, BlockHeader
from chain.chainstate import Chainstate
from chain.coins import coins_hash
from chain.errors import DecodeError, Invalid
from chain.params import MAIN
from chain.store import MemoryStore

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


def test_a_changed_byte_in_a_header_is_refused(headers: list[bytes]) -> None:
    chainstate = Chainstate(MAIN, MemoryStore())
    rng = random.Random(1)
    for raw in headers[1:200]:
        changed = bytearray(raw)
        changed[rng.randrange(80)] ^= 1 << rng.randrange(8)
        with pytest.raises(Invalid):
            chainstate.accept_header(BlockHeader.parse(changed), NOW)
        chainstate.accept_header(BlockHeader.parse(raw), NOW)
    assert len(chainstate.headers) == 200


def test_a_changed_byte_in_a_body_is_refused_and_the_true_body_is_not(blocks: list[bytes]) -> None:
    chainstate = Chainstate(MAIN, MemoryStore())
    rng = random.Random(2)
    for raw in blocks:
        changed = bytearray(raw)
        changed[rng.randrange(80, len(raw))] ^= 1 << rng.randrange(8)
        with pytest.raises((DecodeError, Invalid)):
            chainstate.accept_block(Block.parse(changed), NOW)
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
