"""Synchronisation: headers first, then the blocks behind the best of them.

It knows which headers to ask for and to keep, what an invalid block costs the one who sent it, how
a new tip is announced and how blocks are served. It does not know how bodies are fetched
(`download`), transactions (`relay`), nor what else follows when the tip moves (`core`). Every peer
is asked for its headers, so one that withholds them hides nothing.

Beside it: Bitcoin Core, `src/net_processing.cpp`: ProcessHeadersMessage, MaybePunishNodeForBlock.
Simplified: no compact blocks; a branch with little work waits in memory until it has enough, where
Core downloads its headers twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from chain.block import Block, BlockHeader
from chain.chainstate import ChainChanges, Chainstate
from chain.errors import Invalid, ResultClass
from chain.headers import HeaderEntry, after_locator, locator
from chain.work import meets_target, work_of
from node.clock import Clock
from node.messages import (
    MSG_BLOCK,
    MSG_WITNESS_BLOCK,
    PROTOCOL_VERSION,
    GetHeaders,
    Headers,
    Inv,
    InventoryItem,
    NotFound,
    SendHeaders,
    Unknown,
)
from node.peers.download import Download
from node.peers.peer import Outbox, Peer, Recent
from node.wire import MAX_HEADERS

HEADERS_TIMEOUT_S = 120
"""Core's HEADERS_RESPONSE_TIME: until then we do not ask the same peer again."""
MAX_ANNOUNCED = 8
"""Headers in one announcement: Core's MAX_BLOCKS_TO_ANNOUNCE."""
LOW_WORK_BLOCKS = 144
"""A branch that stays further behind our tip than the work of so many blocks is not kept."""
MAX_LOW_WORK_HEADERS = 20_000
"""Headers of such a branch that wait, a peer: two megabytes."""
MAX_SIDE_HEADERS = 10_000
"""Headers of branches that end behind our tip, a peer: no honest one has so many to tell. Measured
against the tip, not the best header: that one may be a liar's, with no bodies behind it."""
MAX_AHEAD = 288
"""A block that nobody asked for is kept only this close to the tip: Core's MIN_BLOCKS_TO_KEEP."""
MAX_BLOCKS_OWED = 512
"""Blocks that a peer may ask for before it has got them."""
SERVE_BYTES = 8_000_000
"""What may wait on a link before the next block is sent; its outbox holds 16 MB."""
MAX_SOURCES = 2048
"""Bodies whose sender we remember until they connect."""

PUNISHED = frozenset(
    {
        ResultClass.CONSENSUS,
        ResultClass.MUTATED,
        ResultClass.INVALID_HEADER,
        ResultClass.INVALID_PREV,
        ResultClass.MISSING_PREV,
        ResultClass.CACHED_INVALID,
    }
)
"""Classes that cost the sender its link; a time in the future and little work do not."""


class Sync:
    """Headers and blocks between this chain and its peers."""

    def __init__(
        self,
        chain: Chainstate,
        peers: Mapping[int, Peer],
        outbox: Outbox,
        download: Download,
        clock: Clock,
    ) -> None:
        self._chain = chain
        self._download = download
        self._clock = clock
        self._peers = peers
        self._outbox = outbox
        self._sources: dict[bytes, int] = {}
        """Bodies that have not connected yet, and on which link they came."""
        self._disowned = Recent(MAX_SOURCES)
        """Blocks that the operator declared invalid: peers who think otherwise are not to blame."""

    # Headers.

    def greet(self, peer: Peer) -> None:
        """The handshake is done: ask a new peer for what it has."""
        self._outbox.send(peer, SendHeaders())
        self._ask_headers(peer)

    def _ask_headers(
        self, peer: Peer, after: HeaderEntry | None = None, first: bytes = b""
    ) -> None:
        """Ask for what follows `after`; by default our best header's parent.

        The parent, so that a peer on the same chain has something to answer and shows what it has.
        """
        best = self._chain.headers.best_header
        hashes = locator(after or best.parent or best)
        hashes = [first, *hashes] if first else hashes
        peer.headers_asked_at = self._clock.steady
        self._outbox.send(peer, GetHeaders(PROTOCOL_VERSION, tuple(hashes), bytes(32)))

    def _ask_headers_once(self, peer: Peer) -> None:
        asked_at = peer.headers_asked_at
        if asked_at is None or self._clock.steady - asked_at > HEADERS_TIMEOUT_S:
            peer.unknown_block = None
            self._ask_headers(peer)

    def on_block_inv(self, peer: Peer, hashes: Sequence[bytes]) -> None:
        """It announced blocks by their hashes: ask for the headers of what we do not know."""
        for block_hash in hashes:
            entry = self._chain.headers.get(block_hash)
            if entry is None:
                peer.unknown_block = block_hash
            else:
                peer.learn_block(entry)
        self._download.look_again()
        if peer.unknown_block is not None:
            self._ask_headers_once(peer)

    def on_headers(self, peer: Peer, headers: tuple[BlockHeader, ...]) -> None:
        """Headers came, asked for or as an announcement."""
        peer.headers_asked_at = None
        if any(child.prev_hash != parent.hash for parent, child in pairwise(headers)):
            self._outbox.punish(peer, "headers that do not follow each other")
        elif headers:
            self._take_headers(peer, headers)
        if peer.unknown_block is not None:
            if self._chain.headers.get(peer.unknown_block) is not None:
                peer.unknown_block = None
            else:
                self._ask_headers_once(peer)

    def _take_headers(self, peer: Peer, headers: tuple[BlockHeader, ...]) -> None:
        is_full = len(headers) == MAX_HEADERS
        waiting, peer.low_work = tuple(map(BlockHeader.parse, peer.low_work)), []
        if waiting and waiting[-1].hash == headers[0].prev_hash:
            headers = (*waiting, *headers)
        parent = self._chain.headers.get(headers[0].prev_hash)
        if parent is None:
            if len(headers) > MAX_ANNOUNCED:
                self._outbox.punish(peer, "headers without a parent")
            else:
                self._ask_headers(peer)
        elif self._has_enough_work(parent, headers, is_full):
            self._keep_headers(peer, headers, is_full)
        elif is_full:
            self._wait_for_work(peer, parent, headers)

    def _has_enough_work(
        self, parent: HeaderEntry, headers: Sequence[BlockHeader], is_full: bool
    ) -> bool:
        """Is the end of these headers worth a place in memory?

        If more are to come, the branch waits until it is ahead of our tip, and so costs nothing.
        """
        if self._chain.headers.get(headers[-1].hash) is not None:
            return True
        tip = self._chain.tip
        slack = -1 if is_full else LOW_WORK_BLOCKS * work_of(tip.header.bits)
        enough = tip.chainwork - slack
        return parent.chainwork + sum(work_of(header.bits) for header in headers) >= enough

    def _wait_for_work(
        self, peer: Peer, parent: HeaderEntry, headers: tuple[BlockHeader, ...]
    ) -> None:
        params = self._chain.params
        if not all(meets_target(each.hash, each.bits, params) for each in headers[-MAX_HEADERS:]):
            self._outbox.punish(peer, "headers without proof of work")
        elif len(headers) > MAX_LOW_WORK_HEADERS:
            self._outbox.close(peer, "a long branch with little work")
        else:
            peer.low_work = [header.serialize() for header in headers]
            self._ask_headers(peer, parent, headers[-1].hash)

    def _keep_headers(self, peer: Peer, headers: tuple[BlockHeader, ...], is_full: bool) -> None:
        tree = self._chain.headers
        size = len(tree)
        try:
            self._chain.accept_headers(headers, self._clock.unix)
        except Invalid as invalid:
            self.judge(peer, invalid, headers)
            is_full = False
        last = next((e for h in reversed(headers) if (e := tree.get(h.hash)) is not None), None)
        if last is not None:
            peer.learn_block(last)
        if last is not None and last.chainwork <= self._chain.tip.chainwork:
            peer.side_headers += len(tree) - size
            if peer.side_headers > MAX_SIDE_HEADERS:
                self._outbox.close(peer, "too many headers that lead nowhere")
        self._download.look_again()
        if is_full and last is not None:
            is_behind = last.is_ancestor_of(tree.best_header)
            self._ask_headers(peer, None if is_behind else last)

    def on_get_headers(self, peer: Peer, message: GetHeaders) -> None:
        """It asks what follows on our chain."""
        chain = self._chain
        entries = after_locator(chain.headers, chain.active, message.locator, message.stop)
        peer.best_sent = entries[-1] if entries else chain.tip
        self._outbox.send(peer, Headers(tuple(entry.header for entry in entries)))

    def judge(self, peer: Peer, invalid: Invalid, headers: Iterable[BlockHeader]) -> None:
        """What it costs `peer` to have sent these: the class of the reason alone decides."""
        if invalid.reason.result in PUNISHED and not any(map(self._is_disowned, headers)):
            self._outbox.punish(peer, str(invalid))

    def _is_disowned(self, header: BlockHeader) -> bool:
        """Does it build on a block that is invalid only because the operator said so?

        What has once been connected broke no rule; that is known after a restart too.
        """
        tree = self._chain.headers
        entry = tree.get(header.hash) or tree.get(header.prev_hash)
        while entry is not None and entry.failed:
            if entry.is_connected_once or entry.hash in self._disowned:
                return True
            entry = entry.parent
        return False

    def disown(self, block_hash: bytes) -> None:
        """The operator declared this block invalid."""
        self._disowned.add(block_hash)

    # Bodies.

    def on_block(self, peer: Peer, block: Block) -> ChainChanges | None:
        """A body came. What it did to the active chain, or None."""
        block_hash = block.hash
        was_asked = self._download.arrived(peer, block_hash)
        try:
            entry = self._chain.accept_header(block.header, self._clock.unix)
            peer.learn_block(entry)
            if entry.has_body or not (was_asked or self._is_welcome(entry)):
                return None
            changes = self._chain.accept_block(block, self._clock.unix).changes
        except Invalid as invalid:
            self.judge(peer, invalid, [block.header])
            return None
        peer.was_useful = True
        self._sources[block_hash] = peer.link
        if len(self._sources) > MAX_SOURCES:
            del self._sources[next(iter(self._sources))]
        return changes

    def _is_welcome(self, entry: HeaderEntry) -> bool:
        """May a block come unasked?"""
        tip = self._chain.tip
        return entry.chainwork >= tip.chainwork and entry.height <= tip.height + MAX_AHEAD

    def after_change(self, changes: ChainChanges) -> None:
        """The chain has taken in a block: settle accounts, and announce a new tip."""
        for entry, _ in changes.connected:
            self._sources.pop(entry.hash, None)
            self._download.cancel(entry.hash)
        for block_hash, invalid in changes.failures.items():
            entry_or_none = self._chain.headers.get(block_hash)
            sender = self._peers.get(self._sources.pop(block_hash, -1))
            if sender is not None and entry_or_none is not None:
                self.judge(sender, invalid, [entry_or_none.header])
        if changes.connected:
            self._announce([entry for entry, _ in changes.connected])
        self._download.look_again()

    def _announce(self, entries: list[HeaderEntry]) -> None:
        tip = entries[-1]
        for peer in self._peers.values():
            if not peer.is_open or peer.has_block(tip):
                continue
            fresh = [entry for entry in entries if not peer.has_block(entry)]
            parent = fresh[0].parent
            connects = parent is None or peer.has_block(parent)
            if peer.prefers_headers and connects and len(fresh) <= MAX_ANNOUNCED:
                self._outbox.send(peer, Headers(tuple(entry.header for entry in fresh)))
                peer.best_sent = tip
            else:
                self._outbox.send(peer, Inv((InventoryItem(MSG_BLOCK, tip.hash),)))

    # Those who ask us.

    def on_get_blocks(self, peer: Peer, hashes: Sequence[bytes], backlog: int) -> None:
        """It wants bodies; `backlog`: bytes that wait on its link already."""
        if len(peer.blocks_owed) + len(hashes) > MAX_BLOCKS_OWED:
            self._outbox.close(peer, "asks for more blocks than it takes")
            return
        peer.blocks_owed.extend(hashes)
        self.serve(peer, backlog)

    def serve(self, peer: Peer, backlog: int) -> None:
        """Send what it asked for, as long as its link keeps up."""
        missing = []
        while peer.blocks_owed and backlog < SERVE_BYTES:
            block_hash = peer.blocks_owed.pop(0)
            body = self._chain.read_block_bytes(block_hash)
            if body is None:
                missing.append(InventoryItem(MSG_WITNESS_BLOCK, block_hash))
            else:
                backlog += len(body)
                self._outbox.send(peer, Unknown("block", body))
        if missing:
            self._outbox.send(peer, NotFound(tuple(missing)))
