"""Block bodies on their way: which are wanted next, from whom, and for how long we wait.

It does not know validity (`sync`). A body is asked of one peer; when that one takes too long, of
two others at once, then of four, and so on, while the first may still deliver: a hundred peers that
announce and withhold delay a block by seconds and then are passed over. So does one that trickles,
as soon as somebody else has nothing to do. Among equals the lot decides, so that coming first gains
nothing. Within the window bodies come in any order.

Beside it: Bitcoin Core, `src/net_processing.cpp`: FindNextBlocksToDownload, and the stalling of
blocks in SendMessages.
"""

from collections.abc import Mapping, Sequence
from random import Random

from chain.chainstate import Chainstate
from chain.headers import HeaderEntry
from node.clock import Clock
from node.messages import MSG_WITNESS_BLOCK, GetData, InventoryItem
from node.peers.peer import Outbox, Peer

MAX_BLOCKS_ASKED = 16
"""On their way from one peer: Core's MAX_BLOCKS_IN_TRANSIT_PER_PEER."""
DOWNLOAD_WINDOW = 1024
"""How far beyond the fork bodies are fetched: Core's BLOCK_DOWNLOAD_WINDOW."""
BLOCK_TIMEOUT_S = 5
"""A peer that sends none of the blocks asked of it for so long is passed over for others. Core
waits ten minutes; on our networks blocks are small, and fetching one twice is cheap."""
BLOCK_RETRY_S = 2
"""The same for a block that somebody has kept us waiting for already."""
MAX_AT_ONCE = 64
"""Peers that are asked for the same block, besides those who are late."""
BLOCK_GIVE_UP_S = 60
"""And after so long its link is closed: 4 MB in a minute is half a megabit a second."""
SLOW_S = 600
"""How long it is passed over, unless it delivers."""


class Download:
    """Who has been asked for what. `Peer.blocks_asked` is the same, seen from the peer."""

    def __init__(
        self,
        chain: Chainstate,
        peers: Mapping[int, Peer],
        outbox: Outbox,
        rng: Random,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._chain = chain
        self._peers = peers
        self._outbox = outbox
        self._asked: dict[bytes, set[int]] = {}
        """Blocks on their way, and on which links we expect them; never an empty set."""
        self._late: dict[bytes, int] = {}
        """How many we expect a block from no longer: one more is asked at once, up to a limit."""
        self._is_stale = False

    def look_again(self) -> None:
        """Something has changed: `assign` may find work."""
        self._is_stale = True

    def assign(self) -> None:
        """Ask for the next blocks, if anything has changed since the last time."""
        if not self._is_stale:
            return
        self._is_stale = False
        now = self._clock.steady
        ready = [peer for peer in self._peers.values() if peer.is_open]
        self._rng.shuffle(ready)
        # Whoever kept us waiting comes last; those we chose come before those who chose us.
        ready.sort(key=lambda each: (each.is_slow_until > now, each.inbound, not each.was_useful))
        for peer in ready:
            most = 1 if peer.is_slow_until > now else MAX_BLOCKS_ASKED
            wanted = self._next_blocks(peer, most - len(peer.blocks_asked))
            for entry in wanted:
                self._asked.setdefault(entry.hash, set()).add(peer.link)
                peer.blocks_asked[entry.hash] = now
            if wanted:
                items = (InventoryItem(MSG_WITNESS_BLOCK, entry.hash) for entry in wanted)
                self._outbox.send(peer, GetData(tuple(items)))

    def _next_blocks(self, peer: Peer, most: int) -> list[HeaderEntry]:
        """The lowest missing blocks of its best chain that may be asked of it, at most `most`."""
        best, chain = peer.best_known, self._chain
        if most <= 0 or best is None or best.failed or best.chainwork < chain.tip.chainwork:
            return []
        if best.sequence is not None:  # it is here, with all its ancestors
            return []
        fork = chain.active.fork_with(best)
        wanted: list[HeaderEntry] = []
        for height in range(fork.height + 1, min(best.height, fork.height + DOWNLOAD_WINDOW) + 1):
            entry = best.ancestor(height)
            if not entry.has_body and self._may_ask(peer, entry.hash):
                wanted.append(entry)
                if len(wanted) == most:
                    break
        return wanted

    def _may_ask(self, peer: Peer, block_hash: bytes) -> bool:
        at_once = min(self._late.get(block_hash, 0) + 1, MAX_AT_ONCE)
        asked = len(self._asked.get(block_hash, ()))
        return asked < at_once and block_hash not in peer.blocks_asked

    def arrived(self, peer: Peer, block_hash: bytes) -> bool:
        """It sent a body. True if we had asked anybody for it."""
        now, asked_at = self._clock.steady, peer.blocks_asked.pop(block_hash, None)
        if asked_at is None:
            return block_hash in self._asked
        self._expect_no_more(peer, block_hash)
        peer.last_block_at = now
        if now - asked_at <= BLOCK_TIMEOUT_S:
            peer.is_slow_until = 0
        for still_owed in peer.blocks_asked:  # it was only slow: expect the rest of it again
            self._asked.setdefault(still_owed, set()).add(peer.link)
        self.look_again()
        return True

    def cancel(self, block_hash: bytes) -> None:
        """The block is ours, from wherever: nobody is asked for it any more."""
        self._late.pop(block_hash, None)
        for link in self._asked.pop(block_hash, ()):
            self._peers[link].blocks_asked.pop(block_hash, None)

    def forget(self, peer: Peer) -> None:
        """Its link is gone: what it owes is asked of others."""
        self._release(peer)
        peer.blocks_asked.clear()

    def not_found(self, peer: Peer, hashes: Sequence[bytes]) -> None:
        """It does not have blocks that it was asked for, whatever it announced."""
        owed = [block_hash for block_hash in hashes if block_hash in peer.blocks_asked]
        if owed:
            self._release(peer)
            peer.blocks_asked.clear()
            peer.best_known = None  # until it announces something again

    def tick(self) -> None:
        """Time has passed: look for those who keep us waiting."""
        now = self._clock.steady
        others_are_free = any(map(self._is_free, self._peers.values()))
        late = []
        for peer in self._peers.values():
            if not peer.blocks_asked:
                continue
            first, asked_at = next(iter(peer.blocks_asked.items()))
            patience = BLOCK_RETRY_S if first in self._late else BLOCK_TIMEOUT_S
            waited = now - max(asked_at, peer.last_block_at)
            if waited > BLOCK_GIVE_UP_S:
                self._outbox.close(peer, "a block that we asked for did not come")
            elif waited > patience or (others_are_free and now - asked_at > BLOCK_TIMEOUT_S):
                late.append(peer)
        for peer in late:
            peer.is_slow_until = now + SLOW_S
            self._release(peer)

    def _is_free(self, peer: Peer) -> bool:
        """Does it have what we lack, and time? Then the window is full of what others owe."""
        is_quick = peer.is_open and peer.is_slow_until <= self._clock.steady
        best = peer.best_known
        return is_quick and not peer.blocks_asked and best is not None and best.sequence is None

    def _release(self, peer: Peer) -> None:
        """Let others be asked for what it owes."""
        for block_hash in peer.blocks_asked:
            self._expect_no_more(peer, block_hash)
        self.look_again()

    def _expect_no_more(self, peer: Peer, block_hash: bytes) -> None:
        """It is late, gone, or has sent a body that may be false: that counts until it connects."""
        links = self._asked.get(block_hash, set())
        if peer.link in links:
            self._late[block_hash] = self._late.get(block_hash, 0) + 1
            links.remove(peer.link)
            if not links:
                del self._asked[block_hash]
