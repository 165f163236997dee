"""Reindex on a disk that does what disks do: begun, crashed, begun again, among all else.

The machine of test_machine, with a database that is lost now and then and has to be built anew from
the block files. After each rebuilding the coins, the index and the best block are those of a replay
from genesis and nothing acknowledged is missing; a rebuilding that was broken off is never taken
for a node's data. FARTHING_SWEEP=1 goes through 2,000 crash points instead of 200.
"""

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing

import pytest
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.stateful import rule

from chain.chainstate import Chainstate
from chain.script.check import SerialQueue, Verifier
from chain.store import Rows, StoreError
from node.errors import StorageError
from node.importer import Importer
from node.index import Index
from node.speculation import Speculation
from node.storage import opening
from node.storage.blocks import BlockFiles, block_files
from node.storage.buffer import BufferedStore
from node.storage.frames import FrameFile
from tests.crash.disk import DIE, FAIL, SHORT, Death, FaultyStore
from tests.crash.test_machine import NOW, Crashes, run
from tests.crash.trees import tree
from tests.node.support import QUICK

POINTS = 2_000 if os.environ.get("FARTHING_SWEEP") else 200
REAL_OPEN, REAL_REMOVE = opening.open_store, opening._remove_database
HANDED_IN = {block.hash for block in tree()}


class Reindexes(Crashes):
    """One node's data, on a bad disk, whose database is rebuilt every so often."""

    broken_off = rebuilt = 0

    def __init__(self) -> None:
        super().__init__()
        self.data = self.disk.folder.parent
        opening.open_store = lambda path, engine="auto": self.disk.store
        opening._remove_database = lambda path: self.lose_database()

    def teardown(self) -> None:
        """Give back what was borrowed."""
        opening.open_store, opening._remove_database = REAL_OPEN, REAL_REMOVE
        super().teardown()

    def lose_database(self) -> None:
        """All of it; the block files stay."""
        self.disk.store = FaultyStore(self.disk)

    def rebuild(self, buffer_bytes: int) -> None:
        """What `farthing node reindex` does."""
        blocks = opening.open_data(self.data, QUICK.magic, rebuilding=True)
        buffer = BufferedStore(blocks, buffer_bytes)

        def open_chain(verifier: Verifier) -> Chainstate:
            index = Index(buffer)
            chain = Chainstate(QUICK, buffer, verifier=verifier, indexers=[index])
            index.catch_up(chain)
            return chain

        importer = Importer(buffer, open_chain, NOW, Speculation(SerialQueue))
        with ExitStack() as stack:
            for path in block_files(self.disk.folder):
                file = stack.enter_context(closing(FrameFile(path, QUICK.magic)))
                for _ in importer.take(file):
                    pass
            importer.finish()
        buffer.flush()
        blocks.finish()

    @rule(
        seed=st.integers(0, 2**32),
        faults=st.lists(
            st.tuples(st.sampled_from([DIE, DIE, FAIL, SHORT]), st.integers(0, 9)), min_size=1
        ),
        power=st.booleans(),
        buffer_bytes=st.sampled_from([1, 1_000, 6_000]),
    )
    def reindex(
        self, seed: int, faults: list[tuple[str, int]], power: bool, buffer_bytes: int
    ) -> None:
        """The database is damaged, and rebuilt, however many attempts that takes."""
        self.die(power=False)
        self.disk.rng.seed(seed)
        self.lose_database()
        for kind, after in faults:
            self.disk.arm(kind, after)
            try:
                self.rebuild(buffer_bytes)
                break
            except Death:
                self.die(power)
            except StorageError:
                self.die(power=False)
            if self.passes_for_whole():
                break
        else:
            self.disk.arm("", 0)
            self.rebuild(buffer_bytes)
        self.disk.crash(power=False)
        type(self).rebuilt += 1
        self.doubtful = HANDED_IN  # what was never acknowledged may have been written
        self.open()

    def passes_for_whole(self) -> bool:
        """Whether a node would run on what was broken off: only if its last write was made."""
        try:
            opening.open_data(self.data, QUICK.magic).close()
        except StorageError as error:
            assert "reindex" in str(error)
            type(self).broken_off += 1
            return False
        return True


@pytest.mark.timeout(3_000)
def test_a_rebuilt_database_is_right_at_any_crash_point() -> None:
    Reindexes.broken_off = Reindexes.rebuilt = 0
    run(POINTS, machine=Reindexes)
    assert Reindexes.points >= POINTS
    assert Reindexes.broken_off > POINTS / 20
    assert Reindexes.rebuilt > POINTS / 20


def finished_too_early(patch: pytest.MonkeyPatch) -> None:
    """A rebuilding counts as done with its first block."""
    write = BlockFiles.write

    def at_once(blocks: BlockFiles, batch: Rows, sync: bool = False) -> None:
        write(blocks, batch, sync)
        if blocks._rebuilding:
            blocks._store.write({b"f": blocks_end(blocks)}, True)

    patch.setattr(BlockFiles, "write", at_once)


def blocks_end(blocks: BlockFiles) -> bytes:
    return blocks._number.to_bytes(4, "little") + blocks._end.to_bytes(4, "little")


def without_the_last_flush(patch: pytest.MonkeyPatch) -> None:
    """What the buffer holds at the end never reaches the database."""
    patch.setattr(Importer, "finish", lambda importer: importer.chainstate.store._rows.clear())


def all_but_the_last_file(patch: pytest.MonkeyPatch) -> None:
    """A file of blocks is left out, if there are several."""
    files = block_files
    patch.setattr(
        sys.modules[__name__], "block_files", lambda path: files(path)[:-1] or files(path)
    )


@pytest.mark.parametrize(
    "fault", [finished_too_early, without_the_last_flush, all_but_the_last_file]
)
def test_a_rebuilding_that_promises_too_much_is_found_out(
    fault: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fault(monkeypatch)
    with pytest.raises((AssertionError, StorageError, StoreError)):
        run(10 * POINTS, phases=(Phase.generate,), machine=Reindexes)
