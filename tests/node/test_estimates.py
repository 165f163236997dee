"""Fee estimates: never empty, never rising with the target, and what a naive count gives."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.params import REGTEST
from chain.transaction import Transaction
from node.mempool.cluster import Chunk
from node.mempool.estimates import TARGETS, Estimates, estimate, falling, price_at
from node.mempool.feerate import FeeFrac
from node.mempool.mempool import Mempool
from tests.builders import padding
from tests.node.serving import RpcFailed, Served
from tests.node.support import Scene

ROOM = 3_992_000
ESPLORA = (*range(1, 26), 144, 504, 1008)
RECENT = 6

fee_fracs = st.builds(FeeFrac, st.integers(-100, 10**9), st.integers(200, 400_000))
chunk_lists = st.lists(fee_fracs, max_size=60).map(
    lambda chunks: sorted(chunks, key=lambda chunk: Fraction(*chunk), reverse=True)
)
price_lists = st.lists(st.integers(0, 500_000), max_size=RECENT)


def naive(chunks: list[FeeFrac], prices: list[int], floor: int, target: int) -> int:
    """Blocks filled one chunk after another; then the cheapest of the last blocks."""
    left = target * ROOM
    answers = [floor]
    for fee, weight in chunks:
        left -= weight
        if left < 0:
            whole = 0
            while Fraction(whole, 1_000) <= Fraction(fee * 4, weight):
                whole = max(whole + 1, fee * 4_000 // weight)
            answers.append(whole)
            break
    if prices:
        answers.append(min(prices[age] for age in range(len(prices)) if age < target))
    return max(answers)


@given(chunk_lists, price_lists, st.integers(1, 100_000))
def test_estimates_are_what_a_naive_count_gives(
    chunks: list[FeeFrac], prices: list[int], floor: int
) -> None:
    estimates = estimate(chunks, prices, floor, ESPLORA)
    assert list(estimates) == list(ESPLORA)
    assert estimates == {target: naive(chunks, prices, floor, target) for target in ESPLORA}


@given(chunk_lists, price_lists, st.integers(1, 100_000))
def test_who_has_more_time_never_pays_more_and_nobody_less_than_the_floor(
    chunks: list[FeeFrac], prices: list[int], floor: int
) -> None:
    values = list(estimate(chunks, prices, floor, range(1, 1_009)).values())
    assert len(values) == 1_008
    assert values == sorted(values, reverse=True)
    assert all(type(value) is int for value in values)
    assert min(values) >= floor


def test_one_has_to_beat_what_the_blocks_until_then_cannot_hold() -> None:
    chunks = [FeeFrac(200_000 * rate, 200_000) for rate in range(50, 0, -1)]
    estimates = estimate(chunks, [], 100, (1, 2, 3, 4))
    # Nineteen of them fit into a block, 39 into two: those that pay 32, and 12, and more.
    assert estimates == {1: 31 * 4_000 + 1, 2: 11 * 4_000 + 1, 3: 100, 4: 100}


@given(st.lists(st.builds(FeeFrac, st.integers(0, 9_999), st.integers(1, 999)), max_size=30))
def test_chunks_of_a_block_fall_and_lose_nothing(feerates: list[FeeFrac]) -> None:
    chunks = falling(feerates)
    rates = [Fraction(*chunk) for chunk in chunks]
    assert rates == sorted(rates, reverse=True)
    assert sum(fee for fee, _ in chunks) == sum(fee for fee, _ in feerates)
    assert sum(size for _, size in chunks) == sum(size for _, size in feerates)
    # No start of the block pays more for its size than the chunks that cover it.
    assert not rates or rates[0] == max(
        Fraction(sum(f for f, _ in feerates[:n]), sum(s for _, s in feerates[:n]))
        for n in range(1, len(feerates) + 1)
    )


def test_a_child_pays_for_its_parent_in_a_block() -> None:
    chunks = falling([FeeFrac(900, 100), FeeFrac(0, 100), FeeFrac(1_000, 100), FeeFrac(300, 100)])
    assert chunks == [FeeFrac(900, 100), FeeFrac(1_000, 200), FeeFrac(300, 100)]
    assert price_at(chunks, 300) == 20_001
    assert price_at(chunks, 400) == 12_001
    assert price_at(chunks, 401) == 0


# From a chain.


@pytest.fixture
def scene() -> Scene:
    return Scene(coins=120)


def full_block(scene: Scene, fee: int) -> list[Transaction]:
    """Ten payments of a tenth of a block each; `fee` satoshis each, and one more the next."""
    coins = [scene.coins.pop() for _ in range(10)]
    script = padding(99_500)
    return [scene.chain.pay(coin, script, fee=fee + n) for n, coin in enumerate(coins)][::-1]


def lowest(txs: list[Transaction], fee: int) -> int:
    return fee * 4_000 // txs[-1].weight + 1


def feerates(scene: Scene) -> list[int]:
    estimates = Estimates(scene.chain.chainstate, scene.mempool)
    return list(estimates.feerates(ESPLORA, scene.now).values())


def test_a_chain_without_blocks_has_estimates_too(scene: Scene) -> None:
    served = Served(REGTEST)
    assert set(served.node.estimates.feerates(TARGETS, 0).values()) == {100}
    assert TARGETS == ESPLORA


def test_blocks_with_room_tell_nothing(scene: Scene) -> None:
    scene.chain.mine(txs=[scene.pay(scene.coins.pop(), fee=90_000) for _ in range(5)])
    scene.chain.mine(txs=full_block(scene, 1_000_000)[:9])  # nine tenths
    assert set(feerates(scene)) == {100}


def test_full_blocks_tell_what_it_took(scene: Scene) -> None:
    prices = []
    for fee in (3_000_000, 1_000_000, 2_000_000):
        txs = full_block(scene, fee)
        scene.chain.mine(txs=txs)
        prices.append(lowest(txs, fee))
    # The last one for the next block; the cheapest of the last two, or of all, for later ones.
    # Before these three there was room.
    assert feerates(scene) == [prices[2], prices[1], prices[1], *[100] * 25]


def test_each_block_is_read_once_and_a_stale_one_is_forgotten(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    chainstate = scene.chain.chainstate
    reads: list[bytes] = []
    read = chainstate.read_block_bytes

    def reading(block_hash: bytes) -> bytes | None:
        reads.append(block_hash)
        return read(block_hash)

    monkeypatch.setattr(chainstate, "read_block_bytes", reading)
    estimates = Estimates(chainstate, scene.mempool)
    scene.chain.mine(20)
    estimates.feerates([6], scene.now)
    assert len(reads) == RECENT
    txs = full_block(scene, 2_000_000)
    scene.chain.mine(txs=txs)
    for _ in range(3):
        assert estimates.feerates([1], scene.now) == {1: lowest(txs, 2_000_000)}
    assert len(reads) == RECENT + 1
    chainstate.invalidate(chainstate.tip.hash)
    assert estimates.feerates([1], scene.now) == {1: 100}


def test_a_risen_minimum_is_the_floor(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mempool, "min_feerate", lambda mempool, now: 5_000)
    assert set(feerates(scene)) == {5_000}


def test_what_waits_is_counted_by_chunks(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = [
        Chunk((), FeeFrac(40_000 * rate, 1_000_000), b"", (0, 0, b"")) for rate in (9, 8, 7, 6)
    ]
    monkeypatch.setattr(Mempool, "chunks", lambda mempool: chunks)
    scene.mempool.total_vsize = 1_000_000
    assert feerates(scene)[:2] == [6 * 160 + 1, 100]


# Asked for.


def test_the_rpc_and_esplora_give_the_same(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mempool, "min_feerate", lambda mempool, now: 2_000)
    chunk = Chunk(
        (), FeeFrac(75_000_000, 30_000_000), b"", (0, 0, b"")
    )  # of more than seven blocks
    monkeypatch.setattr(Mempool, "chunks", lambda mempool: [chunk])
    served.node.mempool.total_vsize = 7_500_000
    estimates = served.get("/fee-estimates")
    for target in (1, 6, 25, 144, 1008):
        assert served.rpc("estimatesmartfee", target) == {
            "feerate": 0.00010001 if target < 8 else 0.00002,
            "blocks": target,
        }
        assert estimates[str(target)] == (10.001 if target < 8 else 2)
    assert served.rpc("estimatesmartfee", 30, "CONSERVATIVE")["blocks"] == 30


@pytest.fixture
def served() -> Served:
    return Served(blocks=5)


@pytest.mark.parametrize("target", [0, -1, 1009, 10**30])
def test_targets_that_are_none(served: Served, target: int) -> None:
    with pytest.raises(RpcFailed) as caught:
        served.rpc("estimatesmartfee", target)
    assert caught.value.args == (-8, "Invalid conf_target, must be between 1 and 1008")


def test_modes_that_are_none(served: Served) -> None:
    with pytest.raises(RpcFailed) as caught:
        served.rpc("estimatesmartfee", 6, "fast")
    modes = '"unset", "economical", "conservative"'
    assert caught.value.args == (
        -8,
        f"Invalid estimate_mode parameter, must be one of: {modes}",
    )
    with pytest.raises(RpcFailed) as caught:
        served.rpc("estimatesmartfee", "6")
    assert caught.value.args[0] == -3
