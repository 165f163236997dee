"""Block files: the bodies of blocks, in files that only grow, beside a store that keeps the rest.

A store over another one: a row `b` (chain/store.py) goes into a file, and what the other store
keeps in its place says where. The files are Core's `blk*.dat`, so that they can be read without the
database, which is how a damaged one is rebuilt. They reach the disk before anything refers to them;
what lies behind the end that the database names was never acknowledged: a torn block there is cut
off when they are opened.

    key         value                                                 in words
    b hash(32)  file (u32), offset (u32), length (u32), crc32 (u32)   there is the block
    f           file (u32), end (u32)                                 the files are known up to here

Why not in LevelDB: it rewrites bodies while it sorts them. 400 blocks of 1 MB, each synced: 3.9
bytes written for one, the last hundred taking 3.7 times as long as the first, pauses of 0.8 s; in
files 1.01 bytes, no slower at the end, 9 ms at most. A small block costs 0.2 ms more, for a second
sync.
Read beside it: Bitcoin Core, `src/node/blockstorage.cpp` (FindNextBlockPos, WriteBlock).
"""

import contextlib
import os
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from zlib import crc32

from chain.block import HEADER_SIZE
from chain.hashes import sha256d
from chain.store import REPAIR, VERSION_KEY, Rows, Store, block_key
from node.errors import StorageError
from node.storage.frames import FrameFile, frame
from node.storage.trouble import disk_trouble

BLOCK_PREFIX = b"b"
BLOCK_BYTE = BLOCK_PREFIX[0]
END_KEY = b"f"
MAX_FILE_BYTES = 128 << 20
"""Core: MAX_BLOCKFILE_SIZE."""
CLOSED = -1
O_BINARY = getattr(os, "O_BINARY", 0)
"""Where lines end otherwise, files must be told to leave bytes alone."""
_PLACE = struct.Struct("<IIII")
_END = struct.Struct("<II")


class BlockFiles:
    """A store whose blocks lie in the folder `path`. StorageError for whatever the disk refuses."""

    def __init__(self, store: Store, path: Path, magic: bytes, *, rebuilding: bool = False) -> None:
        """`rebuilding`: the store is to be made anew from the files, and `finish` ends that."""
        self._store, self.path, self._magic = store, path, magic
        self._rebuilding = rebuilding
        self._failure: StorageError | None = None
        # Blocks that are in the files but not yet in the store, by key and checksum.
        self._found: dict[tuple[bytes, int], bytes] = {}
        self.trouble = ""
        """When rebuilding: what was found wrong with the last file, which may have been torn."""
        try:
            if not path.is_dir():
                path.mkdir(mode=0o700)
                sync_folder(path.parent)
            self._number, self._end = self._find() if rebuilding else self._known_end()
            self._file = self._open_end()
        except OSError as error:
            raise disk_trouble(path, error) from error

    # Opening.

    def _known_end(self) -> tuple[int, int]:
        """The number of the last file and its length, as the store has it."""
        row = self._store.get(END_KEY)
        if row is not None:
            return self._end_on_disk(*_END.unpack(row))
        if block_files(self.path):
            raise StorageError(f"the database beside {self.path} is not complete: {REPAIR}")
        if self._store.get(VERSION_KEY) is not None:
            raise StorageError(
                f"the data beside {self.path} is of an earlier version, which kept blocks "
                "elsewhere: use another --datadir"
            )
        self._store.write({END_KEY: _END.pack(0, 0)}, sync=True)
        return 0, 0

    def _end_on_disk(self, number: int, end: int) -> tuple[int, int]:
        """The end that the store knows, or behind it that of blocks it was not told of."""
        size = self._name(number).stat().st_size if self._name(number).exists() else 0
        if size < end:
            raise StorageError(f"{self._name(number)} is damaged, bytes are missing: {REPAIR}")
        if self._name(number + 1).exists():
            number, end = number + 1, 0
        if not self._name(number).exists():  # who made the store died before the first file
            return number, end
        with contextlib.closing(self._frames(number, end)) as file:
            deque(file, maxlen=0)
        return number, file.end

    def _find(self) -> tuple[int, int]:
        """Look through all files; where the last block of the last one ends."""
        number = end = 0
        for path in block_files(self.path):
            number = int(path.stem[3:])
            with contextlib.closing(self._frames(number, 0)) as file:
                for offset, raw in file:
                    key, check = block_key(sha256d(raw[:HEADER_SIZE])), crc32(raw)
                    self._found[key, check] = _PLACE.pack(number, offset, len(raw), check)
            end, self.trouble = file.end, file.trouble
        return number, end

    def _open_end(self) -> int:
        """The last file, without a block that was torn: its descriptor."""
        name = self._name(self._number)
        is_new = not name.exists()
        file = os.open(name, os.O_RDWR | os.O_CREAT | O_BINARY, 0o600)
        try:
            os.ftruncate(file, self._end)
            os.lseek(file, self._end, os.SEEK_SET)
            if is_new:
                sync_folder(self.path)
        except OSError:
            os.close(file)
            raise
        return file

    def _frames(self, number: int, start: int) -> FrameFile:
        return FrameFile(self._name(number), self._magic, start=start)

    def _name(self, number: int) -> Path:
        return self.path / f"blk{number:05}.dat"

    # Writing.

    def write(self, batch: Rows, sync: bool = False) -> None:
        """See Store.write. Blocks are on the disk, synced, before the rest is written.

        Once that has failed it fails until the files are opened anew: a system forgets what it
        could not write, and calls the next sync a success.
        """
        if self._failure is not None:
            raise self._failure
        rows = dict(batch)
        bodies = {
            key: raw for key, raw in batch.items() if key[0] == BLOCK_BYTE and raw is not None
        }
        if bodies:
            try:
                rows |= {key: self._place(key, raw) for key, raw in bodies.items()}
                os.fsync(self._file)
            except OSError as error:
                self._failure = disk_trouble(self._name(self._number), error)
                raise self._failure from error
            if not self._rebuilding:
                rows[END_KEY] = _END.pack(self._number, self._end)
        self._store.write(rows, sync)

    def _place(self, key: bytes, raw: bytes) -> bytes:
        """Where the block is: there already, or appended now."""
        check = crc32(raw)
        return self._found.get((key, check)) or self._append(raw, check)

    def _append(self, raw: bytes, check: int) -> bytes:
        data = memoryview(frame(self._magic, raw))
        if self._end and self._end + len(data) > MAX_FILE_BYTES:
            os.fsync(self._file)
            self._let_go()
            self._number, self._end = self._number + 1, 0
            self._file = self._open_end()
        place = _PLACE.pack(self._number, self._end + len(data) - len(raw), len(raw), check)
        self._end += len(data)
        while data:  # a disk that fills up takes a part
            data = data[os.write(self._file, data) :]
        return place

    def finish(self) -> None:
        """The store has all that is in the files: from now on it speaks for them."""
        self._store.write({END_KEY: _END.pack(self._number, self._end)}, sync=True)
        self._rebuilding = False
        self._found.clear()

    # Reading.

    def get(self, key: bytes) -> bytes | None:
        """See Store.get."""
        row = self._store.get(key)
        if row is None or key[:1] != BLOCK_PREFIX:
            return row
        if len(row) != _PLACE.size:
            raise StorageError(f"the database beside {self.path} is damaged: {REPAIR}")
        number, offset, length, check = _PLACE.unpack(row)
        name = self._name(number)
        try:
            with name.open("rb") as file:
                file.seek(offset)
                raw = file.read(length)
        except FileNotFoundError:
            raw = b""
        except OSError as error:
            raise disk_trouble(name, error) from error
        if len(raw) != length or crc32(raw) != check:
            raise StorageError(f"{name} is damaged (the block at byte {offset}): {REPAIR}")
        return raw

    def scan(
        self, prefix: bytes, start: bytes = b"", reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """See Store.scan; of blocks, where they are."""
        return self._store.scan(prefix, start, reverse)

    def close(self) -> None:
        """See Store.close. Twice does no harm."""
        self._let_go()
        self._store.close()

    def _let_go(self) -> None:
        """Of the file, if it is open."""
        if self._file != CLOSED:
            os.close(self._file)
        self._file = CLOSED


def block_files(path: Path) -> Sequence[Path]:
    """The files of blocks in a folder that are not empty, in order."""
    return [file for file in sorted(path.glob("blk*.dat")) if file.stat().st_size]


def sync_folder(path: Path) -> None:
    """What was just made in a folder survives a power cut once the folder has reached the disk."""
    if os.name != "posix":  # elsewhere folders can't be opened
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
