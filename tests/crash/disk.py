"""A disk that fails on demand: each write may be refused, cut short, or be the last thing that ever
happens; and after a power cut, what was not synced is there in part.

It stands in for the store below the block files, and for the calls of `os` by which those write.
A kill leaves all that was written. A power cut leaves of the store's batches those up to some point
after the last sync (its log has an order), and of a file's unsynced bytes any sectors (those have
none), the others zero; files whose folder was not synced may be gone.
"""

import errno
import os
import random
from collections.abc import Iterator
from pathlib import Path

from chain.store import MemoryStore, Rows
from node.errors import StorageError

SECTOR_BYTES = 64
"""Small, as the blocks of the tests are."""
DIE, FAIL, SHORT = "die", "fail", "short"


class Death(BaseException):
    """The process is no more."""


class Disk:
    """What survives."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        self.store = FaultyStore(self)
        self.os = FaultyOs(self)
        self.synced_bytes: dict[Path, int] = {}
        self.durable_names: set[Path] = set()
        self._kind, self._left = "", 0
        self.steps = 0

    def arm(self, kind: str, after: int) -> None:
        """Let the operation after so many others go wrong."""
        self._kind, self._left = kind, after

    def step(self) -> str:
        """An operation begins: what is to go wrong with it, if anything."""
        self.steps += 1
        self._left -= 1
        if self._left >= 0 or not self._kind:
            return ""
        kind, self._kind = self._kind, ""
        return kind

    def crash(self, *, power: bool) -> None:
        """The process is gone, or the power is; only the disk is left."""
        self._kind = ""
        self.os.close_all()
        if power:
            self.store.lose_some()
            for path in sorted(self.folder.glob("*")):
                self._lose_some(path)
        self.store.settle()
        for path in self.folder.glob("*"):
            self.synced_bytes[path] = path.stat().st_size
            self.durable_names.add(path)

    def _lose_some(self, path: Path) -> None:
        if path not in self.durable_names and self.rng.random() < 0.5:
            path.unlink()
            return
        raw = bytearray(path.read_bytes())
        synced = self.synced_bytes.get(path, 0)
        del raw[self.rng.randint(min(synced, len(raw)), len(raw)) :]
        for at in range(synced, len(raw), SECTOR_BYTES):
            if self.rng.random() < 0.3:
                end = min(at + SECTOR_BYTES, len(raw))
                raw[at:end] = bytes(end - at)
        path.write_bytes(raw)


class FaultyStore:
    """A store whose batches are atomic, in order, and durable up to the last sync."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._synced: dict[bytes, bytes | None] = {}
        self._pending: list[Rows] = []
        self._view = MemoryStore()
        self.get = self._view.get

    def write(self, batch: Rows, sync: bool = False) -> None:
        """See Store.write."""
        kind = self._disk.step()
        if kind == FAIL:
            raise StorageError("the disk is full")
        if kind == DIE and self._disk.rng.random() < 0.5:
            raise Death
        self._pending.append(dict(batch))
        self._view.write(batch)
        if kind == DIE:
            raise Death
        if sync:
            self.settle()

    def settle(self) -> None:
        """All that was written is durable."""
        for batch in self._pending:
            self._synced.update(batch)
        self._pending = []

    def lose_some(self) -> None:
        """Of the batches since the last sync, the first few are left."""
        del self._pending[self._disk.rng.randint(0, len(self._pending)) :]
        self.settle()
        self._view = MemoryStore()
        self._view.write(self._synced)
        self.get = self._view.get

    def scan(
        self, prefix: bytes, start: bytes = b"", reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """See Store.scan."""
        return self._view.scan(prefix, start, reverse)

    def close(self) -> None:
        """Nothing to let go of."""


class FaultyOs:
    """The calls of `os` by which the block files write."""

    O_RDWR, O_CREAT, O_RDONLY, name = os.O_RDWR, os.O_CREAT, os.O_RDONLY, os.name
    SEEK_SET = os.SEEK_SET
    ftruncate, lseek = staticmethod(os.ftruncate), staticmethod(os.lseek)

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._paths: dict[int, Path] = {}  # of what is open

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        """See os.open."""
        handle = os.open(path, flags, mode)
        self._paths[handle] = path
        return handle

    def close(self, handle: int) -> None:
        """See os.close."""
        del self._paths[handle]
        os.close(handle)

    def write(self, handle: int, data: memoryview) -> int:
        """See os.write: it may take a part only."""
        kind = self._disk.step()
        part = data[: self._disk.rng.randint(0, len(data))] if kind in (DIE, FAIL) else data
        if kind == SHORT:
            part = data[: max(1, len(data) // 3)]
        os.write(handle, part)
        if kind == DIE:
            raise Death
        if kind == FAIL:
            raise OSError(errno.ENOSPC, "No space left on device")
        return len(part)

    def fsync(self, handle: int) -> None:
        """See os.fsync."""
        kind, path = self._disk.step(), self._paths[handle]
        if kind == FAIL:
            raise OSError(errno.EIO, "Input/output error")
        if kind == DIE:
            raise Death
        if path.is_dir():
            self._disk.durable_names.update(path.iterdir())
        else:
            self._disk.synced_bytes[path] = path.stat().st_size

    def close_all(self) -> None:
        """A process that ends lets go of its files."""
        for handle in list(self._paths):
            self.close(handle)
