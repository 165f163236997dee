"""A buffer in front of a store: many batches become one, for who takes in many blocks.

Each batch leaves the chain whole, so any number of them in a row does too: coins, undo, index and
best block still move together, only less often. What is in the buffer when a process dies was
promised to nobody. It does not know what rows mean.
"""

import time
from collections.abc import Callable, Iterator

from chain.store import Rows, Store

LIMIT_BYTES = 16 << 20
ROW_BYTES = 150
"""What Python and the store behind add to a row's own bytes, about."""
FLUSH_EVERY_S = 1.0
"""A crash undoes the work of no longer time."""


class BufferedStore:
    """A store that writes to another one each second, and when `limit_bytes` have come together."""

    def __init__(self, store: Store, limit_bytes: int = LIMIT_BYTES) -> None:
        self._store, self._limit = store, limit_bytes
        self._rows: dict[bytes, bytes | None] = {}
        self._bytes = 0
        self._flushed_at = time.monotonic()
        self.before_flush: Callable[[], None] = lambda: None
        """Called before anything is written: the last moment to object, by an exception."""

    @property
    def is_empty(self) -> bool:
        """Whether all is written."""
        return not self._rows

    def get(self, key: bytes) -> bytes | None:
        """See Store.get."""
        return self._rows[key] if key in self._rows else self._store.get(key)

    def write(self, batch: Rows, sync: bool = False) -> None:
        """See Store.write; only a flush reaches the disk, whatever `sync` says."""
        self._rows.update(batch)
        self._bytes += sum(ROW_BYTES + len(value or b"") for value in batch.values())
        is_due = time.monotonic() - self._flushed_at > FLUSH_EVERY_S
        if is_due or self._bytes >= self._limit:
            self.flush()

    def flush(self) -> None:
        """Write all of it, at once."""
        if self._rows:
            self.before_flush()
            self._store.write(self._rows, sync=True)
        self.drop()

    def drop(self) -> None:
        """Forget what was not written."""
        self._rows, self._bytes = {}, 0
        self._flushed_at = time.monotonic()

    def scan(
        self, prefix: bytes, start: bytes = b"", reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """See Store.scan. What is in the buffer is written first."""
        self.flush()
        return self._store.scan(prefix, start, reverse)

    def close(self) -> None:
        """See Store.close. What was not flushed is gone."""
        self._store.close()
