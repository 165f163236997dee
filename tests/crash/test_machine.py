"""Accept, reorganise, flush, crash, reopen, in any order, on a disk that does what disks do.

After each reopening the coins are those of a replay from genesis, so is the index, and nothing that
was acknowledged is missing. FARTHING_SWEEP=1 goes through 2,000 crash points instead of 200.
"""

import os
import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from chain.block import Block
from chain.chainstate import Chainstate
from chain.coins import coins_hash
from chain.store import Rows, StoreError
from chain.transaction import OutPoint
from node.errors import StorageError
from node.index import AS_OF_KEY, Index
from node.storage import blocks as module
from node.storage.blocks import BlockFiles
from node.storage.buffer import BufferedStore
from tests.crash.disk import DIE, FAIL, SHORT, Death, Disk, FaultyOs, FaultyStore
from tests.crash.trees import coins_at, digest_at, tree
from tests.node.support import QUICK

POINTS = 2_000 if os.environ.get("FARTHING_SWEEP") else 200
FILE_BYTES = 2_500
"""Of a block file: a few blocks, so that there are several."""
NOW = QUICK.genesis.header.time + 10 * 365 * 24 * 3600
PLAIN_OS = os


class Crashes(RuleBasedStateMachine):
    """One node's data, on a bad disk."""

    points = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="crash-")
        self.disk = Disk(Path(self.folder.name) / "blocks", random.Random(0))
        self.promised: set[bytes] = set()
        """Hashes of blocks that were acknowledged."""
        self.doubtful: set[bytes] = set()
        """Those that were handed in, or wait in the buffer: there or not, both are right."""
        module.os = self.disk.os  # type: ignore[attr-defined]
        module.MAX_FILE_BYTES = FILE_BYTES
        self.is_buffered = False
        self.open()

    def teardown(self) -> None:
        """Give back what was borrowed."""
        self.disk.crash(power=False)
        module.os = PLAIN_OS  # type: ignore[attr-defined]
        module.MAX_FILE_BYTES = 128 << 20
        self.folder.cleanup()

    # Life and death.

    def open(self) -> None:
        """Start the node, however often it takes; then look whether all is well."""
        while True:
            try:
                blocks = BlockFiles(self.disk.store, self.disk.folder, QUICK.magic)
                self.buffer = BufferedStore(blocks, limit_bytes=6_000)
                store = self.buffer if self.is_buffered else blocks
                self.index = Index(store)
                self.chain = Chainstate(QUICK, store, indexers=[self.index])
                self.index.catch_up(self.chain)
                break
            except Death:
                self.die(power=self.disk.rng.random() < 0.5)
            except StorageError as error:
                assert "reindex" not in str(error)
                self.die(power=False)
        self.check()

    def die(self, power: bool) -> None:
        """The end of the process, or of the power."""
        type(self).points += 1
        self.disk.crash(power=power)

    def attempt(self, work: Callable[[], object], power: bool) -> bool:
        """Do something that the disk may not survive; whether it did."""
        try:
            work()
        except Death:
            self.die(power)
        except StorageError:
            self.die(power=False)
        else:
            return True
        self.open()
        return False

    # What must hold.

    def check(self) -> None:
        """After each start."""
        tip = self.chain.tip
        assert coins_hash(self.chain.coins) == digest_at(tip.hash)
        assert self.chain.store.get(AS_OF_KEY) == tip.hash
        unspent = {key[33:] for key, _ in self.chain.store.scan(b"n")}
        given = OutPoint(QUICK.genesis.transactions[0].txid, 0)  # the index has it, the coins not
        coins = {*coins_at(tip.hash), given}
        assert unspent == {at.txid + at.index.to_bytes(4, "big") for at in coins}
        here = {entry.hash for entry in self.chain.headers.values() if entry.has_body}
        assert self.promised <= here <= self.promised | self.doubtful | {QUICK.genesis.hash}
        for each in here:
            raw = self.chain.read_block_bytes(each)
            assert raw is not None and Block.parse(raw).hash == each
        best = max(self.chain.headers[each].chainwork for each in here)
        assert tip.chainwork == best
        self.promised = here - {QUICK.genesis.hash}
        self.doubtful = set()

    # What happens.

    @rule(pick=st.integers(0, 10**6), power=st.booleans())
    def accept(self, pick: int, power: bool) -> None:
        """Hand in a block, often one that makes the chain reorganise."""
        known = self.chain.headers
        ready = [
            each
            for each in tree()
            if each.header.prev_hash in known
            and not (each.hash in known and known[each.hash].has_body)
        ]
        if not ready:
            return
        block = ready[pick % min(len(ready), 3)]
        self.doubtful.add(block.hash)
        is_done = self.attempt(lambda: self.chain.accept_block(block, NOW), power)
        if is_done and not self.is_buffered:
            self.promised.add(block.hash)

    @rule(power=st.booleans())
    def flush(self, power: bool) -> None:
        """Bring what is in the buffer to the disk."""
        if self.is_buffered and self.attempt(self.buffer.flush, power):
            self.promised |= self.doubtful
            self.doubtful = set()

    @rule(
        seed=st.integers(0, 2**32),
        kind=st.sampled_from([DIE, FAIL, SHORT]),
        after=st.integers(0, 9),
    )
    def break_soon(self, seed: int, kind: str, after: int) -> None:
        """Let something go wrong a few operations from now."""
        self.disk.rng.seed(seed)
        self.disk.arm(kind, after)

    @rule(power=st.booleans(), buffered=st.booleans(), seed=st.integers(0, 2**32))
    def end(self, power: bool, buffered: bool, seed: int) -> None:
        """Die between two operations, and come back as a node or as an import."""
        self.disk.rng.seed(seed)
        self.is_buffered = buffered
        self.die(power)
        self.open()


def run(
    points: int, phases: Sequence[Phase] = tuple(Phase), machine: type[Crashes] = Crashes
) -> None:
    """As many examples as it takes for so many crash points. Raises what a check raises."""
    machine.points = 0
    while machine.points < points:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=20, stateful_step_count=40, database=None, phases=phases
            ),
        )


@pytest.mark.timeout(3_000)
def test_nothing_acknowledged_is_lost_at_any_crash_point() -> None:
    run(POINTS)
    assert Crashes.points >= POINTS


def test_the_tree_reorganises() -> None:
    assert len(tree()) == 45
    parents = [block.header.prev_hash for block in tree()]
    assert len(parents) - len(set(parents)) == 5  # branches
    assert sum(len(block.transactions) > 1 for block in tree()) > 10


def without_sync(patch: pytest.MonkeyPatch) -> None:
    """Blocks are not on the disk when something refers to them."""
    patch.setattr(FaultyOs, "fsync", lambda *_: None)


def without_sync_of_the_database(patch: pytest.MonkeyPatch) -> None:
    """The node says yes before the batch is safe."""
    write = FaultyStore.write
    patch.setattr(FaultyStore, "write", lambda store, batch, sync=False: write(store, batch))


def in_two_batches(patch: pytest.MonkeyPatch) -> None:
    """The best block moves before the coins."""
    write = BlockFiles.write

    def halves(blocks: BlockFiles, batch: Rows, sync: bool = False) -> None:
        write(blocks, {key: row for key, row in batch.items() if key == b"t"}, sync)
        write(blocks, {key: row for key, row in batch.items() if key != b"t"}, sync)

    patch.setattr(BlockFiles, "write", halves)


def without_the_rest_of_a_short_write(patch: pytest.MonkeyPatch) -> None:
    """A part was written, and nobody looked how much."""
    write = FaultyOs.write
    patch.setattr(FaultyOs, "write", lambda own, file, data: write(own, file, data) and len(data))


@pytest.mark.parametrize(
    "fault",
    [without_sync, without_sync_of_the_database, in_two_batches, without_the_rest_of_a_short_write],
)
def test_a_store_that_promises_too_much_is_found_out(
    fault: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fault(monkeypatch)
    with pytest.raises((AssertionError, StorageError, StoreError)):
        run(10 * POINTS, phases=(Phase.generate,))
