"""A client that says, where a terminal can show it, how far a long sync is.

How many addresses there are to look at is known when the last of them was empty: so it counts.
"""

import sys
import time
from collections.abc import Iterator

from wallet.client import EsploraClient, HistoryRow

SILENT_S = 1.0
"""What takes no longer needs no word."""
SHOWN_EVERY_S = 0.1


class PatientClient(EsploraClient):
    """Counts the addresses that it asks for, on standard error."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._begun, self._shown, self._count = time.monotonic(), 0.0, 0

    def history(self, script: bytes) -> Iterator[HistoryRow]:
        """See EsploraClient."""
        self._count, now = self._count + 1, time.monotonic()
        taken_s = now - self._begun
        if taken_s > SILENT_S and now - self._shown > SHOWN_EVERY_S and sys.stderr.isatty():
            self._shown = now
            rate = self._count / taken_s
            self._show(f"looking for payments: {self._count:,} addresses, {rate:.0f} a second")
        return super().history(script)

    def rest(self) -> None:
        """Take the line away."""
        if self._shown:
            self._show("")

    def _show(self, text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
