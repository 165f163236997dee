"""SQLite, where LevelDB does not install: the same interface on the standard library's sqlite3.

One table of keys and values, in key order on the disk too. A batch is a transaction in a log; with
`sync` the log has reached the disk before `write` returns. SQLite does not notice a flipped bit, so
each row carries a checksum. Beside it: sqlite.org/wal.html and
sqlite.org/pragma.html#pragma_synchronous.

Simplified: a bit flipped in a key hides its row from `get`, and only a scan finds it (LevelDB has
checksums of whole pages). A scan reads page by page, so rows changed while it runs are seen or not
seen as it happens (LevelDB shows those of its beginning).
"""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

from chain.store import Rows
from node.storage.trouble import disk_trouble

PAGE_ROWS = 500
_TOP = b"\xff" * 128
"""Above every key: ours have at most 69 bytes."""
_SETUP = """
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA temp_store = MEMORY;
CREATE TABLE IF NOT EXISTS rows
  (key BLOB PRIMARY KEY, value BLOB NOT NULL, check_sum INTEGER NOT NULL) WITHOUT ROWID;
"""


class SqliteStore:
    """A file that holds the rows; made if absent. StorageError for whatever the disk refuses."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(
                path, timeout=1, isolation_level=None, check_same_thread=False
            )
            try:
                self._db.text_factory = bytes
                self._db.executescript(_SETUP)
            except sqlite3.Error:
                self._db.close()
                raise
        except sqlite3.Error as error:
            raise disk_trouble(path, error) from error

    def _rows(self, question: str, *values: object) -> list[tuple[bytes, bytes]]:
        with self._lock:
            try:
                rows = self._db.execute(question, values).fetchall()
            except sqlite3.Error as error:
                raise disk_trouble(self.path, error) from error
        for key, value, check_sum in rows:
            # A flipped bit can make a text or a number of what was bytes.
            if type(key) is not bytes or type(value) is not bytes or _sum(key, value) != check_sum:
                raise disk_trouble(self.path, ValueError("checksum mismatch"))
        return [(key, value) for key, value, _ in rows]

    def get(self, key: bytes) -> bytes | None:
        """See Store.get."""
        rows = self._rows("SELECT key, value, check_sum FROM rows WHERE key = ?", key)
        return rows[0][1] if rows else None

    def write(self, batch: Rows, sync: bool = False) -> None:
        """See Store.write."""
        gone = [(key,) for key, value in batch.items() if value is None]
        put = [(key, value, _sum(key, value)) for key, value in batch.items() if value is not None]
        with self._lock:
            try:
                self._db.execute(f"PRAGMA synchronous = {'FULL' if sync else 'NORMAL'}")
                with self._db:
                    self._db.execute("BEGIN IMMEDIATE")
                    self._db.executemany("DELETE FROM rows WHERE key = ?", gone)
                    self._db.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", put)
            except sqlite3.Error as error:
                raise disk_trouble(self.path, error) from error

    def scan(
        self, prefix: bytes, start: bytes = b"", reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """See Store.scan."""
        low, high = max(prefix, b"" if reverse else start), prefix + _TOP
        if start and reverse:
            high = min(high, start + b"\0")
        order = "DESC" if reverse else "ASC"
        question = (
            "SELECT key, value, check_sum FROM rows WHERE key >= ? AND key < ? "
            f"ORDER BY key {order} LIMIT {PAGE_ROWS}"
        )
        while page := self._rows(question, low, high):
            yield from page
            if reverse:
                high = page[-1][0]
            else:
                low = page[-1][0] + b"\0"

    def close(self) -> None:
        """See Store.close. Twice does no harm."""
        with self._lock:
            self._db.close()


def _sum(key: bytes, value: bytes) -> int:
    return crc32(value, crc32(key))
