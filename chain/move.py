"""A move: the way from one tip to another, worked out in memory before a single row is written.

Knows how disconnected and connected blocks add up to one batch: coins, undo, index, tip. Does not
know which tip to move to nor where blocks come from (chainstate). A move that meets an invalid
block is thrown away. Read beside it: Core's validation.cpp, DisconnectTip and ConnectTip.
"""

from collections.abc import Sequence

from chain.block import Block
from chain.coins import BlockUndo, CoinSource, CoinsOverlay, serialize_undo
from chain.connect import connect_block, disconnect_block
from chain.headers import HeaderEntry
from chain.params import Params
from chain.script.check import ScriptCheck, ScriptFailure, Verifier
from chain.store import TIP_KEY, Indexer, StoreError, coin_rows, header_row, undo_key

EntryAndBlock = tuple[HeaderEntry, Block]


class Move:
    """Blocks that leave the active chain, then blocks that join it, over the coins at the tip."""

    def __init__(
        self,
        coins: CoinSource,
        params: Params,
        verifier: Verifier,
        indexers: Sequence[Indexer],
        scripts_in_order: bool,
    ) -> None:
        self.overlay = CoinsOverlay(coins)
        self.disconnected: list[EntryAndBlock] = []  # newest first
        self.connected: list[EntryAndBlock] = []  # oldest first
        self._params = params
        self._verifier = verifier
        self._indexers = indexers
        self._scripts_in_order = scripts_in_order
        self._rows: dict[bytes, bytes | None] = {}

    def disconnect(self, entry: HeaderEntry, block: Block, undo: BlockUndo) -> None:
        """Take off the block at the end. StoreError if `undo` is not this block's."""
        try:
            disconnect_block(block, undo, self.overlay)
        except ValueError:
            raise StoreError(f"the undo data of {entry} is not that of its block") from None
        for indexer in self._indexers:
            self._rows.update(indexer.rows_for_disconnect(entry, block, undo))
        self.disconnected.append((entry, block))

    def connect(self, entry: HeaderEntry, block: Block) -> None:
        """Put a block at the end. Raises Invalid; the move is then spoilt."""
        undo = connect_block(
            block,
            entry,
            self.overlay,
            self._params,
            _already_verified if entry.is_connected_once else self._verifier,
            scripts_in_order=self._scripts_in_order,
        )
        entry.is_connected_once = True
        for indexer in self._indexers:
            self._rows.update(indexer.rows_for_connect(entry, block, undo))
        self._rows[undo_key(entry.hash)] = serialize_undo(undo)
        self.connected.append((entry, block))

    def rows(self, tip: HeaderEntry) -> dict[bytes, bytes | None]:
        """Everything that must be written, at once, for the chain to end in `tip`."""
        headers = dict(header_row(entry) for entry, _ in self.connected)
        return {**self._rows, **headers, **coin_rows(self.overlay.changes()), TIP_KEY: tip.hash}


def _already_verified(checks: Sequence[ScriptCheck]) -> ScriptFailure | None:
    """A block's scripts depend on nothing but the block and its ancestors: once is enough."""
    return None
