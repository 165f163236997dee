"""Floods: whatever is poured into a mempool, time and memory stay bounded, and who pays is next.

A quick run pours thousands; FARTHING_SWEEP=1 pours 100,000 and 10,000 replacements. Times are
compared within one run: the last of a flood against the first.
"""

import os
import time
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from node.mempool.cluster import Limits
from node.mempool.policy import PolicyOptions
from node.mempool.reasons import Rejected
from node.mempool.template import choose
from node.messages import Tx
from tests.builders import Spendable
from tests.node.guests import Bench
from tests.node.support import Scene
from tests.simulation.base import PAY_TO_ANYONE, coin_of, mature_coins, payment

SWEEP = os.environ.get("FARTHING_SWEEP") == "1"
FLOOD = 100_000 if SWEEP else 2_000
REPLACEMENTS = 10_000 if SWEEP else 300
CLUSTERS = 100 if SWEEP else 4
CLUSTER = 64
BLOCK_WEIGHT, BLOCK_SIGOPS = 3_990_000, 80_000
pytestmark = pytest.mark.timeout(3_600 if SWEEP else 300)


def spend(
    source: OutPoint, values: list[int], witness: tuple[bytes, ...] = (b"\x51",)
) -> Transaction:
    """Of outputs that anyone may spend, to others: a flood needs no signatures to be one."""
    spends = (TxIn(source, b"", 0xFFFFFFFD, witness),)
    return Transaction(2, spends, tuple(TxOut(value, PAY_TO_ANYONE) for value in values), 0)


def fan_out(scene: Scene, count: int, skipped: int = 0) -> list[tuple[OutPoint, int]]:
    """`count` confirmed coins that anyone may spend; of the scene's coins some are left alone."""
    found: list[tuple[OutPoint, int]] = []
    coins = iter(scene.coins[skipped:])
    while len(found) < count:
        source = next(coins)
        parts = min(2_000, count - len(found))
        tx = scene.chain.pay(source, PAY_TO_ANYONE, fee=200_000, parts=parts)
        scene.mine(tx)
        found += [(OutPoint(tx.txid, n), tx.outputs[n].value) for n in range(parts)]
    return found


def least_fee(tx: Transaction) -> int:
    return -(-tx.vsize * 100 // 1_000)


def minimum_paying(source: OutPoint, value: int) -> Transaction:
    fee = least_fee(spend(source, [value]))
    return spend(source, [value - fee])


def timed(calls: list[Callable[[], object]]) -> float:
    """Seconds of processor time a call: other work on the machine does not count."""
    begun = time.thread_time()
    for call in calls:
        call()
    return (time.thread_time() - begun) / len(calls)


def check_next(scene: Scene, payer: Spendable) -> None:
    """A payment with a proper fee gets in, and into the next block."""
    tx = scene.pay(payer, fee=200_000)
    entry = scene.mempool.accept(tx, scene.now)
    chosen = choose(scene.mempool.chunks(), weight=BLOCK_WEIGHT, sigop_cost=BLOCK_SIGOPS)
    assert chosen[0] is entry


def test_a_flood_at_the_least_fee() -> None:
    scene = Scene(coins=80)
    coins = fan_out(scene, FLOOD)
    txs = [minimum_paying(*coin) for coin in coins]
    tenth = FLOOD // 10
    calls = [lambda tx=tx: scene.mempool.accept(tx, scene.now) for tx in txs]  # type: ignore[misc]
    first = timed(calls[:tenth])
    timed(calls[tenth:-tenth])
    last = timed(calls[-tenth:])
    assert len(scene.mempool) == FLOOD
    assert last < 3 * first
    check_next(scene, scene.coins[-1])


def test_a_flood_into_a_full_mempool() -> None:
    room = FLOOD // 10
    size = 2_200
    scene = Scene(PolicyOptions(max_mempool_bytes=room * size), coins=80)
    coins = fan_out(scene, FLOOD)
    refused = 0
    for number, (source, value) in enumerate(coins):
        tx = minimum_paying(source, value - number % 50)
        try:
            scene.mempool.accept(tx, scene.now)
        except Rejected as refusal:
            assert refusal.reject_reason in ("mempool min fee not met", "mempool full")
            refused += 1
        scene.mempool.take_events()
        assert scene.mempool.usage_bytes <= room * size
    assert refused > FLOOD // 2
    assert len(scene.mempool._worst) < 3 * len(scene.mempool) + 2_000
    check_next(scene, scene.coins[-1])


def test_memory_is_what_the_limit_counts() -> None:
    """Within a factor of two: the estimate is for people to plan with."""
    scene = Scene(coins=80)
    raw = [minimum_paying(*coin).serialize() for coin in fan_out(scene, 1_500)]
    tracemalloc.start()
    try:
        for each in raw:
            scene.mempool.accept(Transaction.parse(each), scene.now)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.5 < used / scene.mempool.usage_bytes < 2


def chain_of(source: OutPoint, value: int) -> Iterator[Transaction]:
    for _ in range(CLUSTER):
        tx = minimum_paying(source, value)
        yield tx
        source, value = OutPoint(tx.txid, 0), tx.outputs[0].value


def fan_of(source: OutPoint, value: int) -> Iterator[Transaction]:
    share = (value - 10_000) // (CLUSTER - 1)
    root = spend(source, [share] * (CLUSTER - 1))
    yield root
    for number in range(CLUSTER - 1):
        yield minimum_paying(OutPoint(root.txid, number), share)


@pytest.mark.parametrize("shape", [chain_of, fan_of])
def test_clusters_to_the_limit(
    shape: Callable[[OutPoint, int], Iterator[Transaction]],
) -> None:
    scene = Scene(coins=80)
    singles = [minimum_paying(*coin) for coin in fan_out(scene, CLUSTERS * CLUSTER, 1)]
    alone = timed([lambda tx=tx: scene.mempool.accept(tx, scene.now) for tx in singles])  # type: ignore[misc]
    spent = 0.0
    for coin in fan_out(scene, CLUSTERS):
        family = list(shape(*coin))
        calls = [lambda tx=tx: scene.mempool.accept(tx, scene.now) for tx in family]  # type: ignore[misc]
        spent += timed(calls)
        last = family[-1]
        extra = minimum_paying(OutPoint(last.txid, 0), last.outputs[0].value)
        with pytest.raises(Rejected, match="too-large-cluster"):
            scene.mempool.accept(extra, scene.now)
    limits = Limits(CLUSTER, 404_000)
    assert all(limits.allow(each.entries) for each in scene.mempool.clusters_of(scene.mempool))
    assert spent / CLUSTERS < 40 * alone
    check_next(scene, scene.coins[-1])


def test_replacements_of_one_output() -> None:
    scene = Scene()
    ((source, value),) = fan_out(scene, 1)
    half = REPLACEMENTS // 2
    txs = [spend(source, [value - 1_000 - 11 * number]) for number in range(REPLACEMENTS)]
    calls = [lambda tx=tx: scene.mempool.accept(tx, scene.now) for tx in txs]  # type: ignore[misc]
    early, late = timed(calls[:half]), timed(calls[half:])
    assert len(scene.mempool) == 1
    assert len(scene.mempool._worst) < 1_100
    assert late < 3 * early
    with pytest.raises(Rejected, match="insufficient fee"):
        scene.mempool.accept(txs[0], scene.now)
    check_next(scene, scene.coins[1])


def test_orphans_from_one_peer_cost_no_other() -> None:
    bench = Bench()
    flooder, honest = bench.guest(), bench.guest()
    parent = payment(mature_coins(bench.node.chainstate)[0])
    child = payment(coin_of(parent), fee=500)
    honest.say(Tx(child))
    for number in range(10_000 if SWEEP else 500):
        unknown = OutPoint(number.to_bytes(32, "big"), 0), 10**8
        flooder.say(Tx(payment(unknown)))
    assert len(bench.node._relay._orphans) <= 101
    honest.say(Tx(parent))
    bench.tick()
    assert {parent.txid, child.txid} <= {entry.txid for entry in bench.node.mempool}
