"""Blocks from files and to files, by the thousand: import, export, and reindex, which is an import.

It knows blocks that come before their parents, blocks that are there already, and what to say of
those that are no good. Blocks are connected ahead of the verdict on their scripts, in a buffer that
is not written before it. It does not know progress bars: each step is handed out, and whoever takes
the steps may stop after any. Beside it: LoadExternalBlockFile in Bitcoin Core's
`src/validation.cpp`.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from chain.block import HEADER_SIZE, Block, BlockHeader
from chain.chainstate import Chainstate
from chain.encoding import display_hash
from chain.errors import DecodeError, Invalid
from chain.params import NETWORKS, Params
from chain.script.check import Verifier
from chain.store import Store, StoreError
from node.config import NodeConfig
from node.errors import StorageError
from node.index import Index
from node.script_workers import ScriptWorkers
from node.speculation import ScriptsFailed, Speculation
from node.storage.blocks import BlockFiles, block_files
from node.storage.buffer import BufferedStore
from node.storage.frames import HEAD, FrameFile, check_magic, frame, hiding_key
from node.storage.opening import BLOCKS_FOLDER, DirectoryLock, open_data
from node.storage.trouble import disk_trouble

MAX_WAITING = 100_000
"""Blocks whose parents have not come yet; only their places in the file are kept."""


class _Place(NamedTuple):
    file: FrameFile
    offset: int
    length: int

    def read(self) -> bytes:
        return self.file.read(self.offset, self.length)


@dataclass
class Tally:
    """What became of the blocks so far."""

    new: int = 0
    known: int = 0
    troubles: list[str] = field(default_factory=list)
    """One line each: blocks that are no good, files that are damaged."""

    def copy(self) -> "Tally":
        """As it stands now."""
        return replace(self, troubles=[*self.troubles])


class Importer:
    """Takes blocks into a chain. StorageError or StoreError: the disk failed, start again later."""

    def __init__(
        self,
        buffer: BufferedStore,
        open_chain: Callable[[Verifier], Chainstate],
        now: int,
        verifier: Speculation,
    ) -> None:
        """`open_chain` opens the chain in the buffer; more than once if a script fails."""
        self._buffer = buffer
        self._open_chain = open_chain
        self._now = now
        self._verifier = verifier
        self.chainstate = open_chain(verifier)
        self.tally = Tally()
        self._waiting: dict[bytes, list[_Place]] = {}  # by the parent that is missing
        self._unsettled: list[_Place] = []  # taken in, and not known to be written
        self._settled = Tally()  # as it was before them
        # The same of the portion that is sealed: how many of them, and the tally behind them.
        self._turns, self._sealed, self._tally_then = buffer.turns, 0, Tally()
        buffer.consent = verifier

    def take(self, file: FrameFile) -> Iterator[int]:
        """Take in all blocks of a file, in any order; after each, where in the file we are.

        The file must stay open until `finish`: blocks may wait in it.
        """
        for offset, raw in file:
            ready = [_Place(file, offset, len(raw))]
            while ready:
                place = ready.pop()
                if place.offset != offset or place.file is not file:
                    raw = place.read()
                try:
                    ready += self._take(place, raw)
                except ScriptsFailed:
                    ready += self._take_again()
                self._note()
            yield offset + place.length
        if file.trouble:
            self.settle()
            self.tally.troubles.append(file.trouble)
            self._note()

    def settle(self) -> None:
        """Wait until all scripts so far have been run, and write what the blocks have changed."""
        try:
            self._buffer.flush()
        except ScriptsFailed:
            self._take_again()
        self._note()

    def _note(self) -> None:
        """Follow the buffer after each block, which is one write at most."""
        if self._buffer.is_empty:
            self._unsettled, self._sealed = [], 0
            self._settled = self._tally_then = self.tally.copy()
        elif self._buffer.turns > self._turns:
            del self._unsettled[: self._sealed]
            self._sealed, self._settled = len(self._unsettled), self._tally_then
            self._tally_then = self.tally.copy()
        self._turns = self._buffer.turns

    def _take_again(self) -> list[_Place]:
        """Begin again where the disk is, and let nothing pass before its scripts; see `_take`."""
        places, self._unsettled, self.tally = self._unsettled, [], self._settled
        self._buffer.drop()
        is_on, self._verifier.is_on = self._verifier.is_on, False
        self.chainstate = self._open_chain(self._verifier)
        ready = [waiting for place in places for waiting in self._take(place, place.read())]
        self._buffer.flush()
        self._verifier.is_on = is_on
        return ready

    def _take(self, place: _Place, raw: bytes) -> list[_Place]:
        """Take in a block, or have it wait; the places of those that waited for it.

        Raises ScriptsFailed: of those taken in since the last flush, not all are good.
        """
        header = BlockHeader.parse(raw[:HEADER_SIZE])
        entry = self.chainstate.headers.get(header.hash)
        if entry is None and header.prev_hash not in self.chainstate.headers:
            self._wait(header, place)
            return []
        self._unsettled.append(place)
        if entry is not None and entry.has_body:
            self.tally.known += 1
        elif not self._accept(place, raw):
            return []
        return self._waiting.pop(header.hash, [])

    def _wait(self, header: BlockHeader, place: _Place) -> None:
        if len(self._waiting) < MAX_WAITING:
            self._waiting.setdefault(header.prev_hash, []).append(place)

    def _accept(self, place: _Place, raw: bytes) -> bool:
        try:
            changes = self.chainstate.accept_block(Block.parse(raw), self._now).changes
        except (DecodeError, Invalid) as error:
            self._blame(place, raw, error)
            return False
        self.tally.new += 1
        for block_hash, invalid in changes.failures.items():
            self.tally.troubles.append(f"block {display_hash(block_hash)} is invalid ({invalid})")
        return True

    def _blame(self, place: _Place, raw: bytes, error: Exception) -> None:
        shown = display_hash(BlockHeader.parse(raw[:HEADER_SIZE]).hash)
        self.tally.troubles.append(
            f"{place.file.path}: the block at byte {place.offset} ({shown}) is no good ({error})"
        )

    def finish(self) -> None:
        """No more files: blocks that still wait are a trouble too."""
        self.settle()
        waiting = sum(map(len, self._waiting.values()))
        if waiting:
            place, parent = min(
                ((place, parent) for parent, some in self._waiting.items() for place in some),
                key=lambda each: (each[0].file.path, each[0].offset),
            )
            self.tally.troubles.append(
                f"{place.file.path}: {waiting} blocks can't be joined to the chain, the "
                f"first at byte {place.offset}: block {display_hash(parent)} is missing"
            )
        self._waiting.clear()


class Opened(NamedTuple):
    """The data of a network, opened to take in many blocks."""

    importer: Importer
    buffer: BufferedStore
    blocks: BlockFiles


@contextlib.contextmanager
def opened(config: NodeConfig, now: int, *, rebuilding: bool = False) -> Iterator[Opened]:
    """Open the data of a network for an import, nobody else being in it.

    Raises StorageError or StoreError. What is in the buffer at the end is written, unless the end
    is an exception.
    """
    with DirectoryLock(config.folder), contextlib.ExitStack() as stack:
        blocks = open_data(config.folder, config.params.magic, config.engine, rebuilding=rebuilding)
        buffer = BufferedStore(blocks)
        stack.callback(buffer.close)
        workers = stack.enter_context(ScriptWorkers(config.threads))
        # Alone we would run all scripts at the end, and keep whoever stops us waiting.
        verifier = Speculation(workers, is_on=config.threads > 1)
        importer = Importer(buffer, partial(_open_chain, config, buffer), now, verifier)
        yield Opened(importer, buffer, blocks)
        importer.settle()


def _open_chain(config: NodeConfig, store: Store, verifier: Verifier) -> Chainstate:
    indexers = () if config.no_index else (Index(store),)
    in_order = config.threads == 1
    chainstate = Chainstate(
        config.params, store, verifier=verifier, indexers=indexers, scripts_in_order=in_order
    )
    for index in indexers:
        index.catch_up(chainstate)
    return chainstate


def open_source(path: Path, params: Params) -> FrameFile:
    """A file of blocks that somebody hands us. StorageError if it is none, or another network's."""
    _refuse_no_file(path, "name a file of blocks, such as Bitcoin Core's blk00000.dat")
    file = FrameFile(path, params.magic, hiding_key(path))
    names = {each.magic: each.name for each in NETWORKS.values()} | {params.magic: params.name}
    try:
        check_magic(file, names)
    except StorageError:
        file.close()
        raise
    return file


def own_sources(config: NodeConfig) -> list[FrameFile]:
    """The block files of a network's data."""
    folder = config.folder / BLOCKS_FOLDER
    return [FrameFile(path, config.params.magic) for path in block_files(folder)]


def export(chainstate: Chainstate, path: Path) -> Iterator[int]:
    """Write the active chain to a file; after each block, how many are in it.

    A file that has the chain's first blocks already is gone on with. StorageError if it holds
    anything else, or for whatever the disk refuses; StoreError for a chain that is damaged.
    """
    magic, height, end = chainstate.params.magic, 0, 0
    if path.exists():
        _refuse_no_file(path, "name a file to write to")
    try:
        path.touch()
        for count, place in _exported(chainstate, path):
            height, end = count, place
            yield height
        with path.open("r+b") as file:
            file.truncate(end)
            file.seek(end)
            yield height
            while height <= chainstate.tip.height:
                raw = chainstate.read_block_bytes(chainstate.active[height].hash)
                if raw is None:
                    raise StoreError(f"the body of {chainstate.active[height]} is missing")
                file.write(frame(magic, raw))
                height += 1
                yield height
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise disk_trouble(path, error) from error


def _exported(chainstate: Chainstate, path: Path) -> Iterator[tuple[int, int]]:
    """For each block of the chain that the file has: how many by now, and where it ends."""
    height, active = 0, chainstate.active
    with contextlib.closing(FrameFile(path, chainstate.params.magic)) as file:
        for offset, raw in file:
            block_hash = BlockHeader.parse(raw[:HEADER_SIZE]).hash
            is_next = offset == file.end + HEAD.size and height <= active.height
            if not is_next or active[height].hash != block_hash:
                break
            height += 1
            yield height, offset + len(raw)
        else:
            if file.magic.startswith(file.read(0, 4)):  # perhaps empty, or torn
                return
    raise StorageError(
        f"{path} holds something else than this chain's blocks (from byte {file.end} on): "
        "remove it, or choose another name"
    )


def _refuse_no_file(path: Path, instead: str) -> None:
    """StorageError for what can't be read twice, or not at all."""
    if path.is_dir():
        raise StorageError(f"{path} is a folder: {instead}")
    if not path.exists():
        raise StorageError(f"there is no file {path}: {instead}")
    if not path.is_file():
        raise StorageError(f"{path} is no ordinary file: {instead}")
