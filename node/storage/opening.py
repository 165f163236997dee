"""Opening a network's data: which store, and the lock that keeps a second process out.

A folder that holds data keeps the kind of store it was begun with. The lock is the operating
system's, so it goes with the process however that ends; the file stays and means nothing. Beside
it: Bitcoin Core, `src/util/fs_helpers.cpp` (LockDirectory).
"""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from chain.store import Store
from node.errors import StorageError
from node.storage.blocks import END_KEY, BlockFiles, block_files, sync_folder
from node.storage.trouble import disk_trouble

LEVELDB_FOLDER = "leveldb"
SQLITE_FILE = "store.sqlite"
BLOCKS_FOLDER = "blocks"
LOCK_FILE = ".lock"
ENGINES = ("auto", "leveldb", "sqlite")


def open_store(path: Path, engine: str = "auto") -> Store:
    """The store in the folder `path`, made if absent; `engine` is one of ENGINES.

    `auto` takes what is there, else LevelDB, else SQLite. StorageError in one line for an engine
    that is not installed, or not the one of the data, and for whatever the disk refuses.
    """
    if engine not in ENGINES:
        raise StorageError(f"no store is called {engine!r}: choose one of {', '.join(ENGINES)}")
    engine = _choose(path, engine)
    make_folder(path)
    if engine == "sqlite":
        # lazy: the engine that is not used costs nothing
        from node.storage.sqlite import SqliteStore

        return SqliteStore(path / SQLITE_FILE)
    # lazy: plyvel may not be installed
    from node.storage.leveldb import LevelStore

    return LevelStore(path / LEVELDB_FOLDER)


def open_data(
    path: Path, magic: bytes, engine: str = "auto", *, rebuilding: bool = False
) -> BlockFiles:
    """The store in the folder `path`, blocks in files; made if absent.

    With `rebuilding` the database is begun anew, or an earlier rebuilding is gone on with; see
    BlockFiles. Raises StorageError, as open_store does.
    """
    if rebuilding:
        return _open_to_rebuild(path, magic, engine)
    store = open_store(path, engine)
    try:
        return BlockFiles(store, path / BLOCKS_FOLDER, magic)
    except StorageError:
        store.close()
        raise


def _open_to_rebuild(path: Path, magic: bytes, engine: str) -> BlockFiles:
    if not block_files(path / BLOCKS_FOLDER):
        raise StorageError(
            f"there are no blocks in {path / BLOCKS_FOLDER}, so nothing can be rebuilt: "
            f"delete {path} and start the node, it fetches the chain from its peers"
        )
    if not _is_begun(path, engine):
        _remove_database(path)
    store = open_store(path, engine)
    return BlockFiles(store, path / BLOCKS_FOLDER, magic, rebuilding=True)


def _is_begun(path: Path, engine: str) -> bool:
    """Whether the database is one that a rebuilding left unfinished, and no more than that."""
    try:
        store = open_store(path, engine)
    except StorageError:
        return False
    try:
        return store.get(END_KEY) is None
    except StorageError:
        return False
    finally:
        store.close()


def _remove_database(path: Path) -> None:
    """Whoever starts a node in between finds blocks without a database, never half of one."""
    old = path / f"{LEVELDB_FOLDER}.old"
    try:
        shutil.rmtree(old, ignore_errors=True)
        if (path / LEVELDB_FOLDER).exists():
            (path / LEVELDB_FOLDER).rename(old)
            sync_folder(path)
            shutil.rmtree(old)
        for suffix in ("", "-wal", "-shm"):  # the file itself first: a log alone means nothing
            (path / f"{SQLITE_FILE}{suffix}").unlink(missing_ok=True)
    except OSError as error:
        raise disk_trouble(path, error) from error


def _choose(path: Path, engine: str) -> str:
    present = [
        name
        for name, file in (("leveldb", LEVELDB_FOLDER), ("sqlite", SQLITE_FILE))
        if (path / file).exists()
    ]
    if present and engine not in ("auto", *present):
        raise StorageError(
            f"{path} holds a {present[0]} store, not {engine}: leave the choice to it, "
            "or use another --datadir"
        )
    has_leveldb = find_spec("plyvel") is not None
    chosen = present[0] if present and engine == "auto" else engine
    if chosen == "auto":
        chosen = "leveldb" if has_leveldb else "sqlite"
    if chosen == "leveldb" and not has_leveldb:
        raise StorageError(
            f"LevelDB is not installed here, {path} needs it: pip install plyvel, "
            "or use another --datadir, which will then be kept in SQLite"
        )
    return chosen


def make_folder(path: Path) -> None:
    """Make the folder, for its owner alone, and those above it; StorageError if that can't be."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in missing:
            sync_folder(folder.parent)
    except OSError as error:
        raise disk_trouble(path, error) from error


class DirectoryLock:
    """Held while this object is open, as a context or until `release`; StorageError if it is taken.

    Not inherited by processes that this one starts.
    """

    def __init__(self, path: Path) -> None:
        make_folder(path)
        file = path / LOCK_FILE
        try:
            self._handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise disk_trouble(file, error) from error
        try:
            _lock(self._handle)
        except (BlockingIOError, PermissionError) as error:
            os.close(self._handle)
            raise StorageError(
                f"{path} is in use by another node: stop that one first, "
                "or choose another --datadir"
            ) from error
        except OSError as error:
            os.close(self._handle)
            raise disk_trouble(file, error) from error

    def release(self) -> None:
        """Let others in."""
        os.close(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
