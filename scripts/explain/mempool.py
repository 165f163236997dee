"""A mempool as its node tells it: what waits, in chunks, and the blocks that they would fill.

Built from the RPC's getrawmempool, getmempoolcluster and getmempoolinfo; a node of another make
with clusters (Bitcoin Core from 31) answers the same. Knows no words: those are in waiting.
Simplified: a block's limit of signature operations is not counted.
"""

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chain.transaction import COIN
from scripts.explain.model import Json
from scripts.rpc_client import RpcError

Ask = Callable[..., Any]
"""A call of the node's RPC: method, parameters."""
BLOCK_WEIGHT = 4_000_000 - 8_000  # what a miner fills, with room for a coinbase
LATER = 0  # the number of a block too far off to be counted
MAX_BLOCKS = 100
CHILD_VSIZE = 110  # one input and one output, P2WPKH


@dataclass(frozen=True)
class Waiting:
    """A transaction that waits; satoshis, virtual bytes, ids as people see them."""

    txid: str
    vsize: int
    fee: int
    parents: tuple[str, ...]
    children: tuple[str, ...]

    @property
    def feerate(self) -> float:
        """By itself, in satoshis a virtual byte."""
        return self.fee / self.vsize


@dataclass(frozen=True)
class Chunk:
    """Transactions that are mined together, and their place: which block, behind what weight."""

    txids: tuple[str, ...]
    fee: int
    weight: int
    cluster: str
    block: int = LATER  # 1 is the next
    ahead: int = 0  # weight before it, in all blocks

    @property
    def feerate(self) -> float:
        """Satoshis a virtual byte."""
        return self.fee * 4 / self.weight


@dataclass(frozen=True)
class Snapshot:
    """All that waits, best chunks first."""

    entries: dict[str, Waiting]
    chunks: Sequence[Chunk]
    incremental: int  # satoshis for 1,000 vB: what a replacement pays for its relay
    floor: int  # satoshis for 1,000 vB that get in
    capacity: int = BLOCK_WEIGHT

    def chunk_of(self, txid: str) -> Chunk:
        """The chunk that a waiting transaction is in."""
        return self._by_txid[txid]

    @cached_property
    def _by_txid(self) -> dict[str, Chunk]:
        return {txid: chunk for chunk in self.chunks for txid in chunk.txids}

    def in_block(self, number: int) -> list[Chunk]:
        """Its chunks, best first."""
        return [chunk for chunk in self.chunks if chunk.block == number]

    def kin(self, txid: str, link: str) -> set[str]:
        """All `parents` or `children` of a transaction, theirs too, and itself."""
        seen, queue = {txid}, [txid]
        while queue:
            new = set(getattr(self.entries[queue.pop()], link)) & self.entries.keys() - seen
            seen |= new
            queue.extend(new)
        return seen


def take_snapshot(ask: Ask, capacity: int = BLOCK_WEIGHT) -> Snapshot:
    """What waits at a node. Raises what `ask` raises."""
    pool, info = ask("getrawmempool", True), ask("getmempoolinfo")
    entries = {txid: _entry(txid, view) for txid, view in pool.items()}
    chunks: list[Chunk] = []
    for cluster in _clusters(entries.values(), entries):
        chunks += _chunks_of(ask, cluster, pool)
    floor = max(satoshis(info["mempoolminfee"]), satoshis(info["minrelaytxfee"]))
    shown = {txid for chunk in chunks for txid in chunk.txids}
    return Snapshot(
        {txid: entry for txid, entry in entries.items() if txid in shown},
        fill(chunks, capacity),
        satoshis(info["incrementalrelayfee"]),
        floor,
        capacity,
    )


def satoshis(coins: float) -> int:
    """An amount of the RPC in satoshis."""
    return round(coins * COIN)


def _entry(txid: str, view: Any) -> Waiting:
    fee = satoshis(view["fees"]["modified"])
    return Waiting(txid, view["vsize"], fee, tuple(view["depends"]), tuple(view["spentby"]))


def _clusters(entries: Iterable[Waiting], known: dict[str, Waiting]) -> list[list[str]]:
    """The ids that hang together by spending, group by group."""
    groups: list[list[str]] = []
    seen: set[str] = set()
    for entry in entries:
        if entry.txid in seen:
            continue
        group = [entry.txid]
        seen.add(entry.txid)
        for txid in group:  # it grows
            new = {*known[txid].parents, *known[txid].children} & known.keys() - seen
            seen |= new
            group += sorted(new)
        groups.append(group)
    return groups


def _chunks_of(ask: Ask, cluster: Sequence[str], pool: Json) -> list[Chunk]:
    """A cluster's chunks, best first; none if it has just left the mempool."""
    name = min(cluster)
    if len(cluster) == 1:
        view: Any = pool[name]
        return [Chunk((name,), satoshis(view["fees"]["chunk"]), view["chunkweight"], name)]
    try:
        views = ask("getmempoolcluster", name)["chunks"]
    except RpcError:
        return []
    chunks = [
        Chunk(tuple(view["txs"]), satoshis(view["chunkfee"]), view["chunkweight"], name)
        for view in views
    ]
    return chunks if all(txid in pool for chunk in chunks for txid in chunk.txids) else []


def fill(chunks: Sequence[Chunk], capacity: int) -> list[Chunk]:
    """The chunks with their places: each block takes the best that fit, a cluster's in order."""
    rest = sorted(chunks, key=lambda chunk: -chunk.feerate)  # stable: a cluster's stay in order
    placed: list[Chunk] = []
    ahead = 0
    for number in range(1, MAX_BLOCKS + 1):
        room, left_out, later = capacity, set[str](), list[Chunk]()
        for chunk in rest:
            if chunk.weight > room or chunk.cluster in left_out:
                left_out.add(chunk.cluster)
                later.append(chunk)
                continue
            placed.append(_placed(chunk, number, ahead))
            room, ahead = room - chunk.weight, ahead + chunk.weight
        rest = later
        if not rest:
            break
    for chunk in rest:
        placed.append(_placed(chunk, LATER, ahead))
        ahead += chunk.weight
    return placed


def _placed(chunk: Chunk, block: int, ahead: int) -> Chunk:
    return Chunk(chunk.txids, chunk.fee, chunk.weight, chunk.cluster, block, ahead)


@dataclass(frozen=True)
class Lift:
    """What it takes to be in the next block; satoshis."""

    needed: float  # feerate that the next block asks for, in sat/vB
    replacement: int  # the least fee of a replacement of the same size that gets there
    child: int  # the fee of a child of CHILD_VSIZE that takes it there; 0 if it is there


def lift(snapshot: Snapshot, txid: str) -> Lift:
    """What would move a transaction into the next block, or keep it there if it is replaced."""
    entry, chunk = snapshot.entries[txid], snapshot.chunk_of(txid)
    lost = sum(snapshot.entries[each].fee for each in snapshot.kin(txid, "children"))
    relay = math.ceil(entry.vsize * snapshot.incremental / 1_000)
    next_block = snapshot.in_block(1)
    if chunk.block == 1 or not next_block:
        return Lift(chunk.feerate, lost + relay, 0)
    needed = next_block[-1].feerate
    behind = {each for one in snapshot.chunks if one.block != 1 for each in one.txids}
    others = (snapshot.kin(txid, "parents") & behind) - {txid}
    size, paid = _totals(snapshot, others)
    alone = math.floor(needed * (size + entry.vsize)) + 1 - paid
    child = math.floor(needed * (size + entry.vsize + CHILD_VSIZE)) + 1 - paid - entry.fee
    return Lift(needed, max(alone, lost + relay), child)


def _totals(snapshot: Snapshot, txids: Collection[str]) -> tuple[int, int]:
    entries = [snapshot.entries[txid] for txid in txids]
    return sum(each.vsize for each in entries), sum(each.fee for each in entries)
