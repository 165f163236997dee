"""A mempool as bytes and back: the same transactions, times, deltas and order; nothing unjudged."""

import struct
from collections.abc import Callable
from io import BytesIO

import bitcoin.core
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.encoding import write_compact_size
from chain.errors import DecodeError
from chain.transaction import Transaction
from node.mempool.mempool import Mempool
from node.mempool.policy import PolicyOptions
from node.mempool.saved import Saved, dump, parse, restore
from tests.builders import with_inputs
from tests.node.support import Scene

TWO_WEEKS_S = 14 * 24 * 3_600


@pytest.fixture
def scene() -> Scene:
    return Scene()


def again(scene: Scene, raw: bytes | None = None, options: PolicyOptions | None = None) -> Mempool:
    """What a node that is started anew makes of the saved mempool."""
    saved = parse(dump(scene.mempool) if raw is None else raw)
    mempool = Mempool(scene.chain.chainstate, options)
    for _ in restore(mempool, saved, scene.now):
        mempool.check_consistency()
    mempool.check_consistency()
    return mempool


def rows(mempool: Mempool) -> list[tuple[bytes, int, int, int]]:
    return [(each.tx.wtxid, each.fee, each.delta, each.time) for each in mempool]


def family(scene: Scene) -> list[Transaction]:
    """Four that wait, two of them parent and child, at four times."""
    txs = []
    parent = scene.waiting(scene.coins[0])
    scene.now += 100
    child = scene.waiting(scene.output(parent), fee=4_000)
    for number in (1, 2):
        scene.now += 100
        txs.append(scene.waiting(scene.coins[number], fee=900 + number).tx)
    return [parent.tx, child.tx, *txs]


def test_all_comes_back(scene: Scene) -> None:
    txs = family(scene)
    mempool = scene.mempool
    mempool.prioritise(txs[1].txid, 500)
    mempool.prioritise(txs[2].txid, -20)
    mempool.prioritise(bytes(32), 77)
    mempool.unbroadcast.update(dict.fromkeys([txs[3].txid, txs[0].txid]))
    scene.now += 1_000
    restored = again(scene)
    assert rows(restored) == rows(mempool)
    assert [row[3] for row in rows(restored)] == [scene.now - 1_300 + 100 * n for n in range(4)]
    assert restored.deltas == {txs[1].txid: 500, txs[2].txid: -20, bytes(32): 77}
    assert list(restored.unbroadcast) == [txs[3].txid, txs[0].txid]


def test_nothing_comes_back_of_nothing(scene: Scene) -> None:
    raw = dump(scene.mempool)
    assert raw == struct.pack("<QQ", 1, 0) + b"\0\0"
    assert len(again(scene)) == 0


def test_the_bytes_are_those_of_core(scene: Scene) -> None:
    """Read by another library: version, count, transactions with time and delta, and the rest."""
    txs = family(scene)
    scene.mempool.prioritise(txs[2].txid, -20)
    scene.mempool.prioritise(b"\7" * 32, 1 << 40)
    scene.mempool.unbroadcast[txs[1].txid] = None
    stream = BytesIO(dump(scene.mempool))
    assert struct.unpack("<QQ", stream.read(16)) == (1, 4)
    for tx, entry in zip(txs, scene.mempool, strict=True):
        theirs = bitcoin.core.CTransaction.stream_deserialize(stream)
        assert theirs.serialize() == tx.serialize()
        time, delta = struct.unpack("<qq", stream.read(16))
        assert (time, delta) == (entry.time, -20 if tx is txs[2] else 0)
    assert stream.read(1 + 32 + 8) == b"\1" + b"\7" * 32 + struct.pack("<q", 1 << 40)
    assert stream.read() == b"\1" + txs[1].txid


def test_parents_come_first_even_if_they_came_later(scene: Scene) -> None:
    first = scene.pay(scene.coins[0])
    second = scene.pay(scene.chain.output(first))
    scene.mine(first, second)
    third = scene.waiting(scene.chain.output(second)).tx
    scene.now += 50
    scene.moved(scene.chain.chainstate.invalidate(scene.chain.tip.hash))
    assert [entry.txid for entry in scene.mempool] == [third.txid, first.txid, second.txid]
    restored = again(scene)
    assert [entry.txid for entry in restored] == [first.txid, second.txid, third.txid]
    assert {row[3] for row in rows(restored)} == {scene.now - 50, scene.now}


def test_what_would_have_expired_stays_away(scene: Scene) -> None:
    txs = family(scene)
    assert scene.mempool.options.expiry_s == TWO_WEEKS_S
    old = scene.mempool.get(txs[2].txid)
    assert old is not None
    scene.now = old.time + TWO_WEEKS_S
    raw = dump(scene.mempool)
    assert {row[0] for row in rows(again(scene, raw))} == {tx.wtxid for tx in txs[2:]}
    scene.now += 1
    assert {row[0] for row in rows(again(scene, raw))} == {txs[3].wtxid}


def test_times_go_on_counting(scene: Scene) -> None:
    """Whoever came in between does not hide what is older."""
    saved = dump(scene.mempool), scene.waiting(scene.coins[0]).tx
    raw, old = dump(scene.mempool), saved[1]
    scene.now += TWO_WEEKS_S - 10
    mempool = Mempool(scene.chain.chainstate)
    young = mempool.accept(scene.pay(scene.coins[1]), scene.now)
    list(restore(mempool, parse(raw), scene.now))
    assert [entry.txid for entry in mempool] == [young.txid, old.txid]
    mempool.expire(scene.now + 10)
    assert len(mempool) == 2
    mempool.expire(scene.now + 11)
    assert [entry.txid for entry in mempool] == [young.txid]


def test_a_time_to_come_is_now(scene: Scene) -> None:
    scene.waiting(scene.coins[0])
    raw = dump(scene.mempool)
    scene.now -= 1_000
    assert [row[3] for row in rows(again(scene, raw))] == [scene.now]


def test_what_was_mined_meanwhile_stays_away(scene: Scene) -> None:
    txs = family(scene)
    raw = dump(scene.mempool)
    scene.mine(txs[0])
    assert [row[0] for row in rows(again(scene, raw))] == [tx.wtxid for tx in txs[1:]]


def test_what_is_wrong_stays_away_with_what_hangs_on_it(scene: Scene) -> None:
    txs = family(scene)
    first = txs[0].inputs[0]
    wrong = with_inputs(txs[0], [first._replace(witness=(first.witness[0][:9], first.witness[1]))])
    raw = dump(scene.mempool).replace(txs[0].serialize(), wrong.serialize())
    mempool = again(scene, raw)
    assert [entry.txid for entry in mempool] == [tx.txid for tx in txs[2:]]


def test_a_child_brings_back_a_parent_that_pays_too_little(scene: Scene) -> None:
    """One may have got in with a package, by an addition that is known, or from a block."""
    parents = [scene.pay(scene.coins[number], fee=0) for number in (0, 1)]
    child = scene.pay([scene.chain.output(each) for each in parents], fee=9_000)
    scene.mempool.take(scene.mempool.judge([*parents, child], scene.now, together=True))
    valued = scene.pay(scene.coins[2], fee=0)
    scene.mempool.prioritise(valued.txid, 1_000)
    scene.accept(valued)
    scene.now += 9
    restored = again(scene)
    assert {entry.txid for entry in restored} == scene.txids()
    assert {row[3] for row in rows(restored) if row[0] in (child.wtxid, valued.wtxid)} == {
        scene.now - 9
    }


def test_cheap_ones_without_a_child_stay_away(scene: Scene) -> None:
    scene.waiting(scene.coins[0], fee=200)
    dear = scene.waiting(scene.coins[1], fee=20_000)
    restored = again(scene, options=PolicyOptions(min_relay_feerate=10_000))
    assert [entry.txid for entry in restored] == [dear.txid]


def test_what_came_by_itself_meanwhile_keeps_its_place(scene: Scene) -> None:
    tx = scene.waiting(scene.coins[0]).tx
    scene.mempool.unbroadcast[tx.txid] = None
    raw = dump(scene.mempool)
    mempool = Mempool(scene.chain.chainstate)
    mempool.accept(tx, scene.now + 60)
    list(restore(mempool, parse(raw), scene.now + 60))
    assert [entry.time for entry in mempool] == [scene.now + 60]
    assert list(mempool.unbroadcast) == [tx.txid]


def test_unbroadcast_ones_that_left_are_forgotten(scene: Scene) -> None:
    txs = family(scene)
    scene.mempool.unbroadcast.update((tx.txid, None) for tx in txs)
    scene.mine(txs[3])
    assert list(scene.mempool.unbroadcast) == [tx.txid for tx in txs[:3]]
    scene.waiting(scene.coins[0], fee=50_000)  # replaces the family
    assert list(scene.mempool.unbroadcast) == [txs[2].txid]


# Bytes that are none.


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: b"",
        lambda raw: raw[:-1],
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw + b"\0",
        lambda raw: struct.pack("<Q", 2) + raw[8:],
        lambda raw: raw[:8] + struct.pack("<Q", 2**64 - 1) + raw[16:],
        lambda raw: b"{}" * 99,
    ],
)
def test_what_is_damaged_is_not_read(scene: Scene, spoil: Callable[[bytes], bytes]) -> None:
    family(scene)
    with pytest.raises(DecodeError):
        parse(spoil(dump(scene.mempool)))


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_read_or_refused(tail: bytes) -> None:
    for raw in (tail, struct.pack("<QQ", 1, 0) + tail):
        try:
            saved = parse(raw)
        except DecodeError:
            continue
        assert saved.transactions == []
        parts = [write_compact_size(len(saved.deltas))]
        parts += [txid + struct.pack("<q", delta) for txid, delta in saved.deltas.items()]
        parts += [write_compact_size(len(saved.unbroadcast)), *saved.unbroadcast]
        assert raw[16:] == b"".join(parts) or len(saved.deltas) < raw[16]


def test_additions_are_read(scene: Scene) -> None:
    assert parse(struct.pack("<QQ", 1, 0) + b"\0\0") == Saved([], {}, [])
