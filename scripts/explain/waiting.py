"""Waiting, in words: the next blocks as a picture, each transaction's place and why it is there.

Knows how a snapshot (mempool) is told to people and to programs; asks nobody.
"""

from collections.abc import Sequence

from scripts.explain.mempool import CHILD_VSIZE, LATER, Chunk, Lift, Snapshot, Waiting, lift
from scripts.explain.model import ExplainError, Explanation, Field, Json, Section, Table, Value

SHADES = ((20.0, "█"), (5.0, "▓"), (2.0, "▒"), (0.0, "░"))  # from so many sat/vB on
BAR, SHOWN_BLOCKS, SHOWN = 24, 6, 20
SHORT, LEAST_PREFIX = 8, 4  # digits of a txid
LEGEND = "each bar is what that block holds, in sat/vB: █ 20 and more, ▓ 5, ▒ 2, ░ less"


def short(txid: str) -> str:
    """Enough of an id to find it by."""
    return f"{txid[:SHORT]}…"


def explain_mempool(snapshot: Snapshot, shown: int = SHOWN) -> Explanation:
    """The next blocks, and for the first `shown` transactions their place and why."""
    count = len(snapshot.entries)
    if not count:
        hint = "Send something: farthing testnet faucet ADDRESS 0.5 --no-wait"
        return Explanation("mempool", "Nothing waits for a block.", hints=[hint])
    facts = [
        Field("transactions", count),
        Field("vsize", sum(each.vsize for each in snapshot.entries.values()), "vB"),
        Field("fees", sum(each.fee for each in snapshot.entries.values()), "satoshis"),
        Field("floor", f"{snapshot.floor / 1_000:.3f}", "sat/vB: what pays less is not let in"),
    ]
    blocks = Section("Next blocks", picture=[*_bars(snapshot), LEGEND], table=_blocks(snapshot))
    rows = _rows(snapshot)
    columns = ["block>", "ahead>", "txid", "fee>", "sat/vB>", "why"]
    table = Table(columns, rows[:shown])
    waiting = Section("Waiting, the first to be mined first (ahead: vB)", table=table)
    hints = ["farthing mempool TXID (or its beginning) tells more of one."]
    if count > shown:
        hints.insert(0, f"{count - shown} more wait behind these; --all shows them.")
    return Explanation("mempool", _title(snapshot), facts, [blocks, waiting], hints=hints)


def _title(snapshot: Snapshot) -> str:
    numbers = {chunk.block for chunk in snapshot.chunks}
    if LATER in numbers:
        return f"What waits fills more than {max(numbers)} blocks"
    many = max(numbers)
    if many == 1:
        return "All that waits fits into the next block"
    return f"What waits fills {many} blocks"


def _rows(snapshot: Snapshot) -> list[list[Value]]:
    return [
        [
            chunk.block or "later",
            chunk.ahead // 4,
            short(txid),
            snapshot.entries[txid].fee,
            f"{chunk.feerate:.2f}",
            why(snapshot, chunk, txid),
        ]
        for chunk in snapshot.chunks
        for txid in chunk.txids
    ]


def _bars(snapshot: Snapshot) -> list[str]:
    lines = []
    for number in _numbers(snapshot)[:SHOWN_BLOCKS]:
        chunks = snapshot.in_block(number)
        weight = sum(chunk.weight for chunk in chunks)
        bar = "".join(_shade(chunks, weight * (cell + 0.5) / BAR) for cell in range(BAR))
        full = 100 * weight / snapshot.capacity
        name = "next block" if number == 1 else f"block {number}"
        lines.append(f"{name:<10}  {bar}  {full:.1f}% full")
    return lines


def _numbers(snapshot: Snapshot) -> list[int]:
    return sorted({chunk.block for chunk in snapshot.chunks} - {LATER})


def _shade(chunks: Sequence[Chunk], place: float) -> str:
    """The sign for the feerate of what lies at this weight of a block."""
    for chunk in chunks:
        place -= chunk.weight
        if place <= 0:
            break
    return next((sign for least, sign in SHADES if chunk.feerate >= least), SHADES[-1][1])


def _blocks(snapshot: Snapshot) -> Table:
    rows: list[list[Value]] = []
    for number in _numbers(snapshot)[:SHOWN_BLOCKS]:
        chunks = snapshot.in_block(number)
        count = sum(len(chunk.txids) for chunk in chunks)
        size = sum(snapshot.entries[txid].vsize for chunk in chunks for txid in chunk.txids)
        fees = sum(chunk.fee for chunk in chunks)
        rates = [chunk.feerate for chunk in chunks]
        rows.append([number, count, size, fees, f"{min(rates):.2f}", f"{max(rates):.2f}"])
    return Table(["block>", "txs>", "vB>", "fees>", "least sat/vB>", "most sat/vB>"], rows)


def why(snapshot: Snapshot, chunk: Chunk, txid: str) -> str:
    """Why it stands where it stands."""
    entry = snapshot.entries[txid]
    others = [each for each in chunk.txids if each != txid]
    text = f"pays {chunk.feerate:.2f} sat/vB"
    if others:
        who = ", ".join(f"its {_kin(entry, each)} {short(each)}" for each in others[:2])
        more = f" and {len(others) - 2} more" if len(others) > 2 else ""
        text += f" together with {who}{more}, alone {entry.feerate:.2f}"
    outside = [parent for parent in entry.parents if parent not in chunk.txids]
    if outside:
        names = ", ".join(short(parent) for parent in outside[:2])
        text += f"; waits for {names}{'' if len(outside) < 3 else ' …'}"
    return text


def _kin(entry: Waiting, txid: str) -> str:
    if txid in entry.parents:
        return "parent"
    return "child" if txid in entry.children else "relative"


def find(snapshot: Snapshot, name: str) -> str:
    """The txid that `name` is or begins; ExplainError if there is none, or more than one."""
    wanted = name.strip().lower().rstrip("…")
    found = [txid for txid in snapshot.entries if txid.startswith(wanted)]
    if len(found) == 1 and len(wanted) >= LEAST_PREFIX:
        return found[0]
    if len(found) > 1 and len(wanted) >= LEAST_PREFIX:
        raise ExplainError(f"{len(found)} waiting transactions begin with {name}; give more of it")
    raise ExplainError(
        f"no transaction {name[:70]} waits; farthing mempool lists those that do, and farthing "
        "explain tx TXID knows those in blocks"
    )


def explain_waiting(snapshot: Snapshot, txid: str) -> Explanation:
    """One transaction: its place, its cluster chunk by chunk, and what would move it up."""
    entry, chunk = snapshot.entries[txid], snapshot.chunk_of(txid)
    facts = [
        Field("txid", txid),
        Field("place", _place(chunk), f"behind {chunk.ahead // 4:,} vB"),
        Field("why", why(snapshot, chunk, txid)),
        Field("fee", entry.fee, "satoshis"),
        Field("vsize", entry.vsize, "vB"),
        Field("alone", f"{entry.feerate:.3f}", "sat/vB"),
        Field("together", f"{chunk.feerate:.3f}", "sat/vB, its chunk: what decides its place"),
    ]
    found = lift(snapshot, txid)
    move = [Field("replacement", found.replacement, _of_replacement(found, chunk))]
    if found.child:
        meaning = f"satoshis or more, by a child of {CHILD_VSIZE} vB that spends from it"
        move.insert(0, Field("next block", f"{found.needed:.2f}", "sat/vB are needed to be in it"))
        move.append(Field("child", found.child, meaning))
    else:
        move.insert(0, Field("next block", True, "nothing has to move it up"))
    sections = [
        Section("Its cluster, chunk by chunk", picture=_drawing(snapshot, txid)),
        Section("What would move it up", move),
    ]
    return Explanation("waiting", f"Waiting: {short(txid)}, {_place(chunk)}", facts, sections)


def _of_replacement(found: Lift, chunk: Chunk) -> str:
    where = " for the next block" if chunk.block != 1 else ""
    return f"satoshis or more, by a transaction of its size in its place{where}"


def _place(chunk: Chunk) -> str:
    if chunk.block == LATER:
        return "in a block far off"
    return "in the next block" if chunk.block == 1 else f"in block {chunk.block} from now"


def _drawing(snapshot: Snapshot, txid: str) -> list[str]:
    """The cluster's chunks, their transactions below them, and what each spends."""
    name = snapshot.chunk_of(txid).cluster
    lines = []
    for number, chunk in enumerate((c for c in snapshot.chunks if c.cluster == name), 1):
        size = -(-chunk.weight // 4)
        place = _place(chunk)
        lines.append(f"chunk {number}  {chunk.feerate:.2f} sat/vB, {size:,} vB, {place}")
        for place_in, each in enumerate(chunk.txids, 1):
            entry = snapshot.entries[each]
            branch = "└─" if place_in == len(chunk.txids) else "├─"
            spends = ", ".join(short(parent) for parent in entry.parents[:2])
            spends += " …" if len(entry.parents) > 2 else ""
            mark = "  ◀ this one" if each == txid else ""
            text = f"{branch} {short(each)} {entry.feerate:.2f} sat/vB, {entry.fee:,} sat"
            lines.append(f"{text}{'  spends ' + spends if spends else ''}{mark}")
    return lines


def mempool_json(snapshot: Snapshot) -> Json:
    """All that waits, for programs."""
    blocks = _blocks(snapshot).to_json()
    txs = [tx_json(snapshot, txid) for chunk in snapshot.chunks for txid in chunk.txids]
    return {"transactions": len(txs), "floor": snapshot.floor, "blocks": blocks, "waiting": txs}


def tx_json(snapshot: Snapshot, txid: str) -> Json:
    """One that waits, for programs: block 1 is the next, 0 one too far off to be counted."""
    entry, chunk = snapshot.entries[txid], snapshot.chunk_of(txid)
    return {
        "txid": txid,
        "block": chunk.block,
        "weight_ahead": chunk.ahead,
        "fee": entry.fee,
        "vsize": entry.vsize,
        "feerate": round(entry.feerate, 3),
        "chunk": list(chunk.txids),
        "chunk_feerate": round(chunk.feerate, 3),
        "cluster": chunk.cluster,
        "parents": list(entry.parents),
        "children": list(entry.children),
        "why": why(snapshot, chunk, txid),
    }


def waiting_json(snapshot: Snapshot, txid: str) -> Json:
    """One, with its cluster and what would move it up."""
    found, name = lift(snapshot, txid), snapshot.chunk_of(txid).cluster
    return {
        **tx_json(snapshot, txid),
        "replacement_fee": found.replacement,
        "child_fee": found.child,
        "next_block_feerate": round(found.needed, 3),
        "chunks": [
            {"txids": list(chunk.txids), "fee": chunk.fee, "weight": chunk.weight}
            for chunk in snapshot.chunks
            if chunk.cluster == name
        ],
    }
