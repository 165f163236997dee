"""Work and retargeting, on real headers and on the cases of Core's pow_tests.cpp."""

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.block import BlockHeader
from chain.params import CLASSROOM, MAIN, REGTEST
from chain.work import decode_bits, encode_bits, meets_target, next_bits, work_of

LIMIT = 0x1D00FFFF
HARDER = 0x1C0FFFFF


@dataclass
class Entry:
    """A header's place in a chain, as simple as can be."""

    height: int
    header: BlockHeader
    chain: "list[Entry]"

    @property
    def parent(self) -> "Entry | None":
        return self.chain[self.height - 1] if self.height else None

    def ancestor(self, height: int) -> "Entry":
        assert 0 <= height <= self.height
        return self.chain[height]


def grow(headers: list[BlockHeader]) -> list[Entry]:
    chain: list[Entry] = []
    chain.extend(Entry(height, header, chain) for height, header in enumerate(headers))
    return chain


def header(time: int, bits: int) -> BlockHeader:
    return BlockHeader(1, bytes(32), bytes(32), time, bits, 0)


def test_real_headers_follow_the_rules(shared: Path) -> None:
    lines = (shared / "vectors/mainnet/mainnet_0_8999.hex").read_text().split()
    assert len(lines) == 9000
    chain = grow([BlockHeader.parse(bytes.fromhex(line)) for line in lines])
    for parent, entry in pairwise(chain):
        assert next_bits(parent, entry.header.time, MAIN) == entry.header.bits
        assert meets_target(entry.header.hash, entry.header.bits, MAIN)
    assert sum(work_of(entry.header.bits) for entry in chain) == 9000 * 0x100010001


@pytest.mark.parametrize(
    ("bits", "work"),
    [
        (0x1D00FFFF, 0x100010001),
        (0x207FFFFF, 2),
        (0x2100FFFF, 1),
        (0x03000001, 2**255),
        (0x00000000, 0),
        (0x1D80FFFF, 0),
        (0xFF123456, 0),
    ],
)
def test_work_is_the_number_of_hashes_expected(bits: int, work: int) -> None:
    assert work_of(bits) == work


def test_a_hash_must_be_at_most_the_target() -> None:
    target = 0xFFFF << 208
    at_target, above = target.to_bytes(32, "little"), (target + 1).to_bytes(32, "little")
    assert meets_target(at_target, LIMIT, MAIN)
    assert not meets_target(above, LIMIT, MAIN)
    assert meets_target(bytes(32), HARDER, MAIN)
    assert meets_target(b"\x01" + bytes(31), 0x01010000, MAIN)  # the hardest target of all
    assert not meets_target(b"\x02" + bytes(31), 0x01010000, MAIN)


@pytest.mark.parametrize("bits", [0, 0x1D80FFFF, 0xFF123456, 0x1D010000, 0x207FFFFF])
def test_no_hash_meets_bits_that_the_network_does_not_allow(bits: int) -> None:
    assert not meets_target(bytes(32), bits, MAIN)


# Bitcoin Core's pow_tests.cpp: time of the interval's first block, of its last, bits, bits after.
RETARGETS = {
    "an ordinary one (32255)": (1261130161, 1262152739, 0x1D00FFFF, 0x1D00D86A),
    "never above the limit (2015)": (1231006505, 1233061996, 0x1D00FFFF, 0x1D00FFFF),
    "at most four times harder (68543)": (1279008237, 1279297671, 0x1C05A3F4, 0x1C0168FD),
    "at most four times easier (46367)": (1263163443, 1269211443, 0x1C387F6F, 0x1D00E1FD),
}


@pytest.mark.parametrize(("first", "last", "bits", "after"), RETARGETS.values(), ids=RETARGETS)
def test_retargets_of_bitcoin(first: int, last: int, bits: int, after: int) -> None:
    between = header((first + last) // 2, bits)
    interval = [header(first, bits), *[between] * 2014, header(last, bits)]
    chain = grow([header(0, bits)] * 2016 + interval)
    assert next_bits(chain[4031], last + 1, MAIN) == after
    assert next_bits(chain[4030], last + 1, MAIN) == bits


def test_block_one_has_the_easiest_bits_whatever_genesis_has() -> None:
    genesis = grow([header(0, 0x1B0404CB)])[0]
    for params, bits in ((MAIN, 0x1D00FFFF), (REGTEST, 0x207FFFFF), (CLASSROOM, 0x1F00FFFF)):
        assert next_bits(genesis, 0, params) == bits


def test_regtest_never_changes() -> None:
    chain = grow([header(1000 + height, 0x207FFFFF) for height in range(300)])
    for parent in chain:
        assert next_bits(parent, 10_000, REGTEST) == 0x207FFFFF


def test_without_retargeting_bits_stay_even_where_they_would_change() -> None:
    params = replace(MAIN, no_retargeting=True)
    chain = grow([header(height, HARDER) for height in range(2016)])
    assert next_bits(chain[2015], 0, params) == HARDER


def test_an_easy_block_after_a_long_wait_and_then_the_old_bits_again() -> None:
    """The rule of Bitcoin's public test networks: 2 x 600 s without a block."""
    params = replace(MAIN, allow_min_difficulty_blocks=True)
    easy, hard = header(1000, LIMIT), header(1000, HARDER)
    chain = grow([easy, hard, hard, easy, easy])
    assert next_bits(chain[2], 2200, params) == HARDER
    assert next_bits(chain[2], 2201, params) == LIMIT
    assert next_bits(chain[4], 2200, params) == HARDER
    assert next_bits(grow([easy, easy, easy])[2], 1001, params) == LIMIT
    behind_the_interval = grow([easy] * 2015 + [hard] + [easy] * 3)
    assert next_bits(behind_the_interval[2018], 1001, params) == LIMIT
    just_at_it = grow([easy] * 2016 + [hard] + [easy] * 2)
    assert next_bits(just_at_it[2018], 1001, params) == HARDER
    assert next_bits(behind_the_interval[2015], 1001, params) == encode_bits(
        min(decode_bits(HARDER) // 4, decode_bits(LIMIT))
    )


@pytest.mark.parametrize(("seconds", "ratio"), [(190, (190, 200)), (20, (1, 4)), (5000, (4, 1))])
def test_the_classroom_retargets_every_20_blocks(seconds: int, ratio: tuple[int, int]) -> None:
    bits = 0x1E7FFFFF
    chain = grow(
        [header(0, bits)] * 20 + [header(5000, bits)] * 19 + [header(5000 + seconds, bits)]
    )
    target = min(decode_bits(bits) * ratio[0] // ratio[1], 0xFFFF << 224)
    assert next_bits(chain[39], 0, CLASSROOM) == encode_bits(target)
    assert next_bits(chain[38], 0, CLASSROOM) == bits


@given(st.integers(1, 0xFFFFFFFF), st.integers(0, 2**256 - 1))
def test_meeting_a_target_is_a_comparison_of_numbers(bits: int, number: int) -> None:
    target = decode_bits(bits)
    expected = 0 < target < 2**255 and number <= target
    assert meets_target(number.to_bytes(32, "little"), bits, REGTEST) == expected
