"""The chain state: takes in headers and blocks, and stays on the valid chain with the most work.

Knows the order in which the rules are asked, what is remembered of what failed, how to choose a
tip and get there, and that the store changes in one atomic batch a move. Does not know peers, the
mempool, clocks (`now` is an argument) nor threads (the verifier is one too).
Read beside it: Core's validation.cpp, from AcceptBlockHeader and AcceptBlock to ActivateBestChain.

Simplified: Core moves block by block and writes coins now and then; here a whole reorganisation is
worked out in memory and written at once, so that a store is never between two tips.
An exception that comes out of the store is the end of this object: open the store again.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from chain.block import Block, BlockHeader
from chain.block_rules import check_block, check_block_context, check_header_context, check_proof
from chain.coins import BlockUndo, CoinsOverlay, read_undo, serialize_undo
from chain.connect import connect_block, disconnect_block
from chain.errors import Invalid, Reason, ResultClass
from chain.headers import ActiveChain, HeaderEntry
from chain.params import Params
from chain.script.check import NoChecks, SerialQueue, Verifier
from chain.store import (
    REPAIR,
    TIP_KEY,
    Indexer,
    Rows,
    Store,
    StoredCoins,
    StoreError,
    block_key,
    coin_rows,
    genesis_rows,
    header_row,
    load_headers,
    parse_row,
    undo_key,
)

EntryAndBlock = tuple[HeaderEntry, Block]


class ChainChanges(NamedTuple):
    """What became of the active chain."""

    disconnected: tuple[EntryAndBlock, ...]  # newest first
    connected: tuple[EntryAndBlock, ...]  # oldest first
    failures: Mapping[bytes, Invalid]  # blocks found invalid on the way, by hash


class Acceptance(NamedTuple):
    """A block was kept. Whether it is on the active chain is for `changes` to say."""

    entry: HeaderEntry
    is_new: bool  # False: we had it already, and nothing was done
    changes: ChainChanges


class _Move:
    """The way from one tip to another, worked out before a single row is written."""

    def __init__(self, coins: StoredCoins) -> None:
        self.overlay = CoinsOverlay(coins)
        self.rows: dict[bytes, bytes | None] = {}  # undo and index
        self.disconnected: list[EntryAndBlock] = []
        self.connected: list[EntryAndBlock] = []


class Chainstate:
    """One node's view of the chain, over a store that it alone writes."""

    def __init__(
        self,
        params: Params,
        store: Store,
        *,
        verifier: Verifier = SerialQueue,
        indexers: Sequence[Indexer] = (),
        scripts_in_order: bool = True,
    ) -> None:
        """Open `store`, or begin a chain in it if it is empty. StoreError if it cannot be used.

        `scripts_in_order`: see connect_block.
        """
        self.params = params
        self.store = store
        self.coins = StoredCoins(store)
        self._verifier = verifier
        self._indexers = indexers
        self._scripts_in_order = scripts_in_order
        self._changed: dict[HeaderEntry, None] = {}  # their rows are not written yet; in order
        self.headers = load_headers(store, params)
        self.active = ActiveChain(self.headers.genesis)
        if not self.headers.genesis.has_body:
            self._begin()
        tip = self.headers.get(store.get(TIP_KEY) or b"")
        if tip is None or not tip.is_connected_once:
            raise StoreError(f"the tip is not among the connected blocks: {REPAIR}")
        self.active.set_tip(tip)
        # Core since version 30 (LoadBlockIndex, LoadChainTip): a restart does not change the chain.
        self.headers.put_first(self.active)

    def _begin(self) -> None:
        """The genesis block is given; its coinbase is not a coin (Core: ConnectBlock)."""
        genesis = self.headers.genesis
        genesis.is_connected_once = True
        self._note(self.headers.link_body(genesis))
        rows = genesis_rows(self.params)
        for indexer in self._indexers:
            rows.update(indexer.rows_for_connect(genesis, self.params.genesis, ()))
        self._write(rows, sync=True)

    # Asking.

    @property
    def tip(self) -> HeaderEntry:
        """The last connected block."""
        return self.active.tip

    def read_block_bytes(self, block_hash: bytes) -> bytes | None:
        """The serialized block, or None if we have no body of that hash."""
        return self.store.get(block_key(block_hash))

    def read_block(self, block_hash: bytes) -> Block | None:
        """The block, or None if we have no body of that hash."""
        raw = self.read_block_bytes(block_hash)
        return None if raw is None else parse_row(Block.read, raw, "a block")

    def read_undo(self, block_hash: bytes) -> BlockUndo | None:
        """What the block spent; None if it was never connected."""
        raw = self.store.get(undo_key(block_hash))
        return None if raw is None else parse_row(read_undo, raw, "undo data")

    # Taking in.

    def accept_header(self, header: BlockHeader, now: int) -> HeaderEntry:
        """Check a header and keep it. `now` in unix seconds. Raises Invalid."""
        return self.accept_headers([header], now)[0]

    def accept_headers(self, headers: Iterable[BlockHeader], now: int) -> list[HeaderEntry]:
        """The same for many, in one write. Those before the first invalid one are kept."""
        try:
            return [self._add_header(header, now) for header in headers]
        finally:
            self._write({}, sync=False)

    def accept_block(self, block: Block, now: int) -> Acceptance:
        """Check a block, keep it, and move to the best chain.

        Raises Invalid if the block is refused before its coins are looked at. What is found wrong
        while connecting it, or blocks that waited for it, is in `.changes.failures`.
        """
        check_block(block, self.params)
        entry = self._add_header(block.header, now)
        if entry.has_body:
            return Acceptance(entry, False, ChainChanges((), (), {}))
        try:
            check_block_context(block, entry.ancestor(entry.height - 1), self.params)
        except Invalid as invalid:
            if invalid.reason.result is not ResultClass.MUTATED:
                self._note(self.headers.mark_failed(entry))
            self._write({}, sync=False)
            raise
        self._note(self.headers.link_body(entry))
        return Acceptance(entry, True, self._activate(block))

    def check_candidate(self, block: Block, now: int) -> None:
        """Would this block, once mined, be valid after the tip? Changes nothing. Raises Invalid.

        ValueError if it does not build on the tip. Core: TestBlockValidity.
        """
        if block.header.prev_hash != self.tip.hash:
            raise ValueError("the block does not build on the tip")
        check_block(block, self.params, check_proof_of_work=False)
        check_header_context(block.header, self.tip, self.params, now)
        check_block_context(block, self.tip, self.params)
        self._apply(block, HeaderEntry(block.header, self.tip), CoinsOverlay(self.coins))

    def invalidate(self, block_hash: bytes) -> ChainChanges:
        """Treat a block and all that builds on it as invalid, by the operator's word.

        KeyError if it is unknown, ValueError if it is the genesis block. Core: InvalidateBlock.
        """
        entry = self.headers[block_hash]
        if entry is self.headers.genesis:
            raise ValueError("the genesis block cannot be invalidated")
        self._note(self.headers.mark_failed(entry))
        return self._activate()

    def prefer(self, block_hash: bytes) -> ChainChanges:
        """Treat a block as if it had come before all others of equal work. KeyError if unknown.

        It lasts until the next such call or start; a block with less work than the tip's, or whose
        bodies are not all here, stays where it is. Core: PreciousBlock.
        """
        entry = self.headers[block_hash]
        if entry.sequence is None or entry.chainwork < self.tip.chainwork:
            return ChainChanges((), (), {})
        self.headers.put_first([entry])
        return self._activate()

    def reconsider(self, block_hash: bytes) -> ChainChanges:
        """Forget that a block, its ancestors and its descendants are invalid. KeyError if unknown.

        What breaks a rule will be found again. Core: ResetBlockFailureFlags.
        """
        self._note(self.headers.clear_failed(self.headers[block_hash]))
        return self._activate()

    def _add_header(self, header: BlockHeader, now: int) -> HeaderEntry:
        """Core: AcceptBlockHeader. What fails here is not remembered: refusing it costs little."""
        known = self.headers.get(header.hash)
        if known is not None:
            if known.failed:
                raise Invalid(Reason.DUPLICATE_INVALID)
            return known
        check_proof(header, self.params)
        parent = self.headers.get(header.prev_hash)
        if parent is None:
            raise Invalid(Reason.PREV_BLK_NOT_FOUND)
        if parent.failed:
            raise Invalid(Reason.BAD_PREVBLK)
        check_header_context(header, parent, self.params, now)
        entry = self.headers.add(header)
        self._note([entry])
        return entry

    # Moving.

    def _activate(self, arrived: Block | None = None) -> ChainChanges:
        """Move to the best candidate; what fails on the way is marked, and the next best is tried.

        Writes once: the block that arrived, the headers that changed and, if we moved, coins, undo,
        index and tip. Core: ActivateBestChain.
        """
        rows: Rows = {} if arrived is None else {block_key(arrived.hash): arrived.serialize()}
        failures: dict[bytes, Invalid] = {}
        while (target := self.headers.best_candidate) is not self.tip:
            move = self._work_out(target, arrived, failures)
            if move is not None:
                coins = move.overlay.changes()
                self._write({**rows, **move.rows, **coin_rows(coins), TIP_KEY: target.hash}, True)
                self.coins.remember(coins)
                self.active.set_tip(target)
                return ChainChanges(tuple(move.disconnected), tuple(move.connected), failures)
        self._write(rows, sync=True)
        return ChainChanges((), (), failures)

    def _work_out(
        self, target: HeaderEntry, arrived: Block | None, failures: dict[bytes, Invalid]
    ) -> _Move | None:
        """The way to `target`; None if a block on it is invalid, which is then among `failures`."""
        move = _Move(self.coins)
        for height in range(self.active.height, self.active.fork_with(target).height, -1):
            self._disconnect(self.active[height], move)
        for entry in self.active.path_to(target):
            here = arrived if arrived is not None and arrived.hash == entry.hash else None
            try:
                self._connect(entry, here or self._block_of(entry), move)
            except Invalid as invalid:
                failures[entry.hash] = invalid
                self._note(self.headers.mark_failed(entry))
                return None
            self._note([entry])
        return move

    def _disconnect(self, entry: HeaderEntry, move: _Move) -> None:
        block, undo = self._block_of(entry), self.read_undo(entry.hash)
        if undo is None:
            raise StoreError(f"the undo data of {entry} is missing: {REPAIR}")
        try:
            disconnect_block(block, undo, move.overlay)
        except ValueError:
            raise StoreError(f"the undo data of {entry} is another block's: {REPAIR}") from None
        for indexer in self._indexers:
            move.rows.update(indexer.rows_for_disconnect(entry, block, undo))
        move.disconnected.append((entry, block))

    def _apply(self, block: Block, entry: HeaderEntry, overlay: CoinsOverlay) -> BlockUndo:
        """Check a block against the coins, and spend them; its scripts are run only once.

        They depend on it and its ancestors alone, under the rules of its height. (Other activation
        heights than those that a store was begun with are not noticed in it, by Core neither.)
        """
        verifier = NoChecks if entry.is_connected_once else self._verifier
        order = self._scripts_in_order
        return connect_block(block, entry, overlay, self.params, verifier, scripts_in_order=order)

    def _connect(self, entry: HeaderEntry, block: Block, move: _Move) -> None:
        undo = self._apply(block, entry, move.overlay)
        entry.is_connected_once = True
        for indexer in self._indexers:
            move.rows.update(indexer.rows_for_connect(entry, block, undo))
        move.rows[undo_key(entry.hash)] = serialize_undo(undo)
        move.connected.append((entry, block))

    def _block_of(self, entry: HeaderEntry) -> Block:
        block = self.read_block(entry.hash)
        if block is None:
            raise StoreError(f"the body of {entry} is missing: {REPAIR}")
        return block

    # Writing.

    def _note(self, entries: Iterable[HeaderEntry]) -> None:
        """These entries changed: their rows go into the next batch."""
        self._changed.update(dict.fromkeys(entries))

    def _write(self, rows: Rows, sync: bool) -> None:
        batch = {**dict(map(header_row, self._changed)), **rows}
        if batch:
            self.store.write(batch, sync)
        self._changed.clear()
