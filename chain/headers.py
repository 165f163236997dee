"""The tree of headers: every header we know, who its parent is and how much work stands behind it.

Knows chainwork, median time past, ancestors, which branches are failed, which have all their
bodies, and which is best. Does not check rules (block_rules) nor keep anything (chainstate).
Read beside it: Core's chain.h and chain.cpp, and FindMostWorkChain in validation.cpp.
"""

from collections.abc import Iterable, Iterator, Sequence

from chain.block import BlockHeader
from chain.encoding import display_hash
from chain.work import work_of

MEDIAN_TIME_BLOCKS = 11  # Core: nMedianTimeSpan
_LOCATOR_DENSE_HASHES = 10  # so many blocks in a row, then every 2nd, 4th, 8th, ... back to genesis


class HeaderEntry:
    """One header in its place in the tree, and what we have learnt about its block."""

    __slots__ = (
        "_median_time",  # see median_time_past; None until somebody asks, which is for few headers
        "chainwork",  # sum of the expected hashes of this block and all before it
        "children",
        "failed",  # breaks a rule, or descends from a block that does, or is declared invalid
        "has_body",  # its block is in the store
        "hash",
        "header",
        "height",
        "is_connected_once",  # its block has passed every rule at least once, scripts included
        "parent",
        "sequence",  # place among equals: the order of being complete; None if bodies are missing
        "skip",
    )

    def __init__(self, header: BlockHeader, parent: "HeaderEntry | None") -> None:
        self.header = header
        self.hash = header.hash
        self.parent = parent
        self.height: int = 0 if parent is None else parent.height + 1
        self.chainwork: int = work_of(header.bits) + (0 if parent is None else parent.chainwork)
        self.children: list[HeaderEntry] = []
        self.has_body = self.is_connected_once = self.failed = False
        self.sequence: int | None = None
        self._median_time: int | None = None
        # A second way back, far enough that any ancestor is a few dozen steps away.
        self.skip = None if parent is None else parent.ancestor(self.height & (self.height - 1))

    def __repr__(self) -> str:
        return f"HeaderEntry({self.height}, {display_hash(self.hash)})"

    @property
    def median_time_past(self) -> int:
        """Median of the times of this block and the ten before it, unix seconds."""
        if self._median_time is None:
            times: list[int] = []
            entry: HeaderEntry | None = self
            while entry is not None and len(times) < MEDIAN_TIME_BLOCKS:
                times.append(entry.header.time)
                entry = entry.parent
            self._median_time = sorted(times)[len(times) // 2]
        return self._median_time

    def ancestor(self, height: int) -> "HeaderEntry":
        """The ancestor at `height`, perhaps this entry itself. IndexError if there is none."""
        if not 0 <= height <= self.height:
            raise IndexError(f"no ancestor at height {height} of a block at {self.height}")
        entry = self
        while entry.height > height and entry.skip is not None and entry.parent is not None:
            entry = entry.skip if entry.skip.height >= height else entry.parent
        return entry

    def is_ancestor_of(self, other: "HeaderEntry") -> bool:
        """True if `other` builds on this entry, or is it."""
        return self.height <= other.height and other.ancestor(self.height) is self

    def descendants(self) -> "Iterator[HeaderEntry]":
        """This entry and everything that builds on it, parents first."""
        waiting = [self]
        while waiting:
            entry = waiting.pop()
            yield entry
            waiting.extend(entry.children)


class ActiveChain:
    """The chain of connected blocks, by height."""

    def __init__(self, genesis: HeaderEntry) -> None:
        self._entries = [genesis]

    @property
    def tip(self) -> HeaderEntry:
        """The last connected block."""
        return self._entries[-1]

    @property
    def height(self) -> int:
        """The height of the tip."""
        return len(self._entries) - 1

    def __iter__(self) -> Iterator[HeaderEntry]:
        return iter(self._entries)

    def __getitem__(self, height: int) -> HeaderEntry:
        if height < 0:
            raise IndexError(f"no block at height {height}")
        return self._entries[height]

    def __contains__(self, entry: HeaderEntry) -> bool:
        return entry.height < len(self._entries) and self._entries[entry.height] is entry

    def fork_with(self, entry: HeaderEntry) -> HeaderEntry:
        """The last block that this chain and the branch of `entry` have in common."""
        common = entry.ancestor(min(entry.height, self.height))
        while common not in self and common.parent is not None:
            common = common.parent
        return common

    def path_to(self, entry: HeaderEntry) -> list[HeaderEntry]:
        """What must be connected after the fork to reach `entry`, oldest first."""
        path = []
        while entry not in self and entry.parent is not None:
            path.append(entry)
            entry = entry.parent
        return path[::-1]

    def set_tip(self, entry: HeaderEntry) -> None:
        """Make `entry` the tip."""
        path = self.path_to(entry)
        del self._entries[self.fork_with(entry).height + 1 :]
        self._entries.extend(path)


class HeaderTree(dict[bytes, HeaderEntry]):
    """All headers known, by hash, parents before children."""

    def __init__(self, genesis: BlockHeader) -> None:
        self.genesis = HeaderEntry(genesis, None)
        super().__init__({self.genesis.hash: self.genesis})
        self._next_sequence = 0
        # By parent, in order of coming: entries with bodies whose ancestors' are not all here.
        self._waiting: dict[HeaderEntry, list[HeaderEntry]] = {}
        # Most work among those not failed; of equals, the first heard of.
        self.best_header = self.genesis
        # The same among those whose bodies are all here: what the tip should be.
        self.best_candidate = self.genesis

    def add(self, header: BlockHeader) -> HeaderEntry:
        """Hang a header whose parent is known into the tree (KeyError if it is not)."""
        if header.hash in self:
            return self[header.hash]
        parent = self[header.prev_hash]
        entry = HeaderEntry(header, parent)
        parent.children.append(entry)
        self[entry.hash] = entry
        if entry.chainwork > self.best_header.chainwork:
            self.best_header = entry
        return entry

    def link_body(self, entry: HeaderEntry) -> list[HeaderEntry]:
        """Note that the body of `entry` has arrived. Returns all entries that changed.

        Blocks become candidates in the order in which their last missing ancestor came
        (Core: ReceivedBlockTransactions).
        """
        entry.has_body = True
        if entry.parent is not None and entry.parent.sequence is None:
            self._waiting.setdefault(entry.parent, []).append(entry)
            return [entry]
        linked = [entry]
        for each in linked:  # grows as it goes
            self.restore_sequence(each, self._next_sequence)
            linked += self._waiting.pop(each, ())
        return linked

    def restore_sequence(self, entry: HeaderEntry, sequence: int) -> None:
        """Make `entry`, which has all bodies down to genesis, a candidate at this place."""
        entry.has_body = True
        entry.sequence = sequence
        self._next_sequence = max(self._next_sequence, sequence + 1)
        if not entry.failed and _is_better(entry, self.best_candidate):
            self.best_candidate = entry

    def put_first(self, entries: Iterable[HeaderEntry]) -> None:
        """Of equal work, these candidates come before all others."""
        places = [each.sequence for each in self.values() if each.sequence is not None]
        first = min(places) - 1
        for entry in entries:
            entry.sequence = first
        self.choose_again()

    def mark_failed(self, entry: HeaderEntry) -> list[HeaderEntry]:
        """Fail `entry` and everything that builds on it. Returns all entries that changed."""
        changed = [each for each in entry.descendants() if not each.failed]
        for each in changed:
            each.failed = True
        self.choose_again()
        return changed

    def clear_failed(self, entry: HeaderEntry) -> list[HeaderEntry]:
        """Forgive `entry`, its ancestors and its descendants (Core: ResetBlockFailureFlags)."""
        changed = [each for each in entry.descendants() if each.failed]
        ancestor = entry.parent
        while ancestor is not None and ancestor.failed:
            changed.append(ancestor)
            ancestor = ancestor.parent
        for each in changed:
            each.failed = False
        self.choose_again()
        return changed

    def choose_again(self) -> None:
        """Find the best header and candidate anew, after entries have failed or been forgiven."""
        self.best_header = self.best_candidate = self.genesis
        for entry in self.values():
            if entry.failed:
                continue
            if entry.chainwork > self.best_header.chainwork:
                self.best_header = entry
            if entry.sequence is not None and _is_better(entry, self.best_candidate):
                self.best_candidate = entry

    def tips(self) -> list[HeaderEntry]:
        """The ends of all branches, highest first."""
        ends = (entry for entry in self.values() if not entry.children)
        return sorted(ends, key=lambda entry: entry.height, reverse=True)


def _is_better(entry: HeaderEntry, than: HeaderEntry) -> bool:
    """More work; of equal work, the lower sequence. Both have one."""
    return (entry.chainwork, -(entry.sequence or 0)) > (than.chainwork, -(than.sequence or 0))


def locator(entry: HeaderEntry) -> list[bytes]:
    """Hashes from `entry` back to genesis, ever sparser: where we stand, in a few lines.

    The peer answers from the first hash that it has on its own chain (Core: LocatorEntries).
    """
    heights, step, height = [], 1, entry.height
    while height > 0:
        heights.append(height)
        step *= 1 if len(heights) < _LOCATOR_DENSE_HASHES else 2
        height -= step
    return [entry.ancestor(height).hash for height in (*heights, 0)]


def after_locator(
    tree: HeaderTree, active: ActiveChain, hashes: Sequence[bytes], stop: bytes, limit: int = 2_000
) -> list[HeaderEntry]:
    """What follows, on the active chain, the first known hash of a locator.

    Ends after `stop` or `limit` entries (Core: MAX_HEADERS_RESULTS). A locator without hashes asks
    for `stop` alone; one that we know nothing of is answered from genesis on.
    """
    if not hashes:
        wanted = tree.get(stop)
        return [] if wanted is None else [wanted]
    found = (tree.get(block_hash) for block_hash in hashes)
    start = next((entry.height for entry in found if entry is not None and entry in active), 0)
    entries = []
    for height in range(start + 1, min(start + limit, active.height) + 1):
        entries.append(active[height])
        if active[height].hash == stop:
            break
    return entries
