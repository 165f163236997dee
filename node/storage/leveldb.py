"""LevelDB, the store of a node: what `chain.store.Store` asks for, by plyvel.

It knows no row's meaning. A batch is one LevelDB batch, atomic whatever happens; with `sync` it has
reached the disk before `write` returns. Checksums are verified on every read. Beside it: Bitcoin
Core, `src/dbwrapper.cpp`; LevelDB's doc/index.md.
"""

from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import plyvel

from chain.store import Rows
from node.storage.trouble import disk_trouble

WRITE_BUFFER_BYTES = 8 << 20
CACHE_BYTES = 8 << 20
BLOOM_BITS = 10
"""As Core: a missing key is nearly always known to be missing without a read."""
MAX_OPEN_FILES = 256
"""Well below the usual limit of 1,024, which sockets need too."""


class LevelStore:
    """A folder that holds a LevelDB; made if absent. StorageError for whatever the disk refuses."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._db = plyvel.DB(
                str(path),
                create_if_missing=True,
                paranoid_checks=True,  # a damaged log is an error, not the end of the log
                write_buffer_size=WRITE_BUFFER_BYTES,
                lru_cache_size=CACHE_BYTES,
                max_open_files=MAX_OPEN_FILES,
                bloom_filter_bits=BLOOM_BITS,
                compression=None,  # as Core: hashes do not shrink, and it costs a third of a merge
            )
        except (plyvel.Error, OSError) as error:
            raise disk_trouble(path, error) from error

    def get(self, key: bytes) -> bytes | None:
        """See Store.get."""
        try:
            value: bytes | None = self._db.get(key, verify_checksums=True)
        except (plyvel.Error, OSError) as error:
            raise disk_trouble(self.path, error) from error
        return value

    def write(self, batch: Rows, sync: bool = False) -> None:
        """See Store.write."""
        try:
            with self._db.write_batch(transaction=True, sync=sync) as rows:
                for key, value in batch.items():
                    if value is None:
                        rows.delete(key)
                    else:
                        rows.put(key, value)
        except (plyvel.Error, OSError) as error:
            raise disk_trouble(self.path, error) from error

    def scan(
        self, prefix: bytes, start: bytes = b"", reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """See Store.scan. The rows are those of the moment when the scan began."""
        low, high = max(prefix, b"" if reverse else start), after_prefix(prefix)
        if start and reverse:
            high = start + b"\0" if high is None else min(high, start + b"\0")
        # plyvel forgets the row at `start` when a reverse scan begins at it, the last of all.
        rows = self._db.iterator(
            start=None if reverse else low, stop=high, reverse=reverse, verify_checksums=True
        )
        try:
            yield from takewhile(lambda row: row[0] >= low, rows)
        except (plyvel.Error, OSError) as error:
            raise disk_trouble(self.path, error) from error

    def close(self) -> None:
        """See Store.close. Twice does no harm."""
        self._db.close()


def after_prefix(prefix: bytes) -> bytes | None:
    """The first key after all that begin with `prefix`; None if there is none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else None
