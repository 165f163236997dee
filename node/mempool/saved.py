"""A saved mempool: what waits, as bytes, and how it is taken in again.

The bytes are those of Core's mempool.dat, which both programs can then read:

    u64                version: 1
    u64                how many transactions; for each, parents first:
        transaction    with witnesses
        i64, i64       when it came, in Unix seconds; what the operator adds to its fee, satoshis
    compact size       how many such additions to the fees of others; for each a txid and an i64
    compact size       how many transactions nobody has asked for yet (unbroadcast); their txids

Core writes its version 2 unless told -persistmempoolv1: the same, xored with a key, which is not
read here. What is read is judged as if it came anew, so that a file brings in nothing that a peer
could not. Knows no files (`mempool_file`). Beside it: Bitcoin Core, `src/node/mempool_persist.cpp`.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from chain.encoding import Reader, write_compact_size
from chain.errors import DecodeError, Invalid
from chain.transaction import Transaction
from node.entry import MempoolEntry
from node.mempool.mempool import Mempool
from node.mempool.reasons import PolicyClass, Rejected
from node.mempool.submission import submit

VERSION = 1


class Saved(NamedTuple):
    """What is in a file."""

    transactions: list[tuple[Transaction, int, int]]
    """With time and delta."""
    deltas: dict[bytes, int]
    """Of transactions that are not among these, by txid."""
    unbroadcast: list[bytes]


NOTHING = Saved([], {}, [])


def dump(mempool: Mempool) -> bytes:
    """All that is worth keeping."""
    entries = dict.fromkeys(each for entry in mempool for each in _after_ancestors(entry))
    parts = [struct.pack("<QQ", VERSION, len(entries))]
    for entry in entries:
        parts += [entry.tx.serialize(), struct.pack("<qq", entry.time, entry.delta)]
    deltas = {txid: delta for txid, delta in mempool.deltas.items() if txid not in mempool}
    parts.append(write_compact_size(len(deltas)))
    parts += [txid + struct.pack("<q", delta) for txid, delta in deltas.items()]
    parts += [write_compact_size(len(mempool.unbroadcast)), *mempool.unbroadcast]
    return b"".join(parts)


def _after_ancestors(entry: MempoolEntry) -> list[MempoolEntry]:
    ancestors = sorted(entry.ancestors(), key=lambda each: len(each.ancestors()))
    return [*ancestors, entry]


def parse(raw: bytes) -> Saved:
    """What `dump`, or Core, wrote. Raises DecodeError."""
    reader = Reader(raw)
    if (version := reader.u64()) != VERSION:
        raise DecodeError(f"it is of version {version}, expected {VERSION}")
    count = reader.u64()
    transactions = [(Transaction.read(reader), reader.i64(), reader.i64()) for _ in range(count)]
    deltas = {reader.take(32): reader.i64() for _ in range(reader.count(40))}
    unbroadcast = [reader.take(32) for _ in range(reader.count(32))]
    reader.finish()
    return Saved(transactions, deltas, unbroadcast)


def restore(mempool: Mempool, saved: Saved, now: int) -> Iterator[None]:
    """Take in what may still wait, one transaction a step, and what is known about it.

    `now` in Unix seconds. Between steps the mempool may change.
    """
    too_cheap: dict[bytes, Transaction] = {}
    times: dict[bytes, int] = {}
    for txid, delta in saved.deltas.items():
        mempool.prioritise(txid, delta)
    for tx, time, delta in saved.transactions:
        if delta:
            mempool.prioritise(tx.txid, delta)
        if time + mempool.options.expiry_s >= now and tx.txid not in mempool:
            _take_in(mempool, tx, now, too_cheap)
            times[tx.txid] = min(time, now)
            for txid in (tx.txid, *(tx_in.outpoint.txid for tx_in in tx.inputs)):
                if txid in times:  # a parent too, who may have come in only now
                    mempool.backdate(txid, times[txid])
        yield
    mempool.unbroadcast.update((txid, None) for txid in saved.unbroadcast if txid in mempool)


def _take_in(
    mempool: Mempool, tx: Transaction, now: int, too_cheap: dict[bytes, Transaction]
) -> None:
    """Alone or, where parents paid too little alone, with them."""
    try:
        mempool.accept(tx, now)
    except (Rejected, Invalid) as refusal:
        if refusal.reason.result is PolicyClass.RECONSIDERABLE:
            too_cheap[tx.txid] = tx
        elif refusal.reason.result is PolicyClass.MISSING_INPUTS:
            txids = dict.fromkeys(tx_in.outpoint.txid for tx_in in tx.inputs)
            submit(mempool, [*(too_cheap[txid] for txid in txids if txid in too_cheap), tx], now)
