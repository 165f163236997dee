"""A buffer in front of a store: many batches become one, for who takes in many blocks.

Each batch leaves the chain whole, so any number of them in a row does too: coins, undo, index and
best block still move together, only less often. A portion is first sealed, and written when the
next one is full: meanwhile whoever must consent to it can find out whether to. What is in the
buffer when a process dies was promised to nobody. It does not know what rows mean.
"""

import time
from collections.abc import Iterator
from typing import Protocol

from chain.store import Rows, Store

LIMIT_BYTES = 8 << 20
ROW_BYTES = 150
"""What Python and the store behind add to a row's own bytes, about."""
SEAL_EVERY_S = 0.5
"""A crash undoes the work of no more than two portions."""


class Consent(Protocol):
    """Who must agree before a portion is written."""

    def seal(self) -> None:
        """A portion ends here."""

    def settle(self) -> None:
        """The sealed portion is about to be written: the last moment to object, by an exception."""


class NoObjection:
    """Nobody has to agree."""

    def seal(self) -> None:
        """See Consent."""

    def settle(self) -> None:
        """See Consent."""


class BufferedStore:
    """A store that writes to another one twice a second, and as often as `limit_bytes` come."""

    def __init__(self, store: Store, limit_bytes: int = LIMIT_BYTES) -> None:
        self.consent: Consent = NoObjection()
        self.turns = 0
        """How often a portion was sealed, and the one before it written."""
        self._store, self._limit = store, limit_bytes
        self._rows: dict[bytes, bytes | None] = {}
        self._sealed: dict[bytes, bytes | None] = {}
        self._bytes = 0  # in the open portion
        self._turned_at = time.monotonic()

    @property
    def is_empty(self) -> bool:
        """Whether all is written."""
        return not self._rows and not self._sealed

    def get(self, key: bytes) -> bytes | None:
        """See Store.get."""
        for rows in self._rows, self._sealed:
            if key in rows:
                return rows[key]
        return self._store.get(key)

    def write(self, batch: Rows, sync: bool = False) -> None:
        """See Store.write; only a flush reaches the disk, whatever `sync` says."""
        self._rows.update(batch)
        self._bytes += sum(ROW_BYTES + len(value or b"") for value in batch.values())
        is_due = time.monotonic() - self._turned_at > SEAL_EVERY_S
        if is_due or self._bytes >= self._limit:
            self._turn()

    def _turn(self) -> None:
        """Write the portion that is sealed, and seal the open one."""
        self.consent.settle()
        if self._sealed:
            self._store.write(self._sealed, sync=True)
        self._sealed, self._rows, self._bytes = self._rows, {}, 0
        self.consent.seal()
        self._turned_at = time.monotonic()
        self.turns += 1

    def flush(self) -> None:
        """Write all of it."""
        while not self.is_empty:
            self._turn()

    def drop(self) -> None:
        """Forget what was not written."""
        self._rows, self._sealed, self._bytes = {}, {}, 0
        self._turned_at = time.monotonic()

    def scan(
        self, prefix: bytes, start: bytes = b"", reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """See Store.scan. What is in the buffer is written first."""
        self.flush()
        return self._store.scan(prefix, start, reverse)

    def close(self) -> None:
        """See Store.close. What was not flushed is gone."""
        self._store.close()
