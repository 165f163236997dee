"""Damage: what may happen to bytes and text on their way here, or at the hands of a stranger.

Hypothesis draws a tape of bytes, and what becomes of the data is read off it: one draw instead of
twenty makes thousands of examples affordable, and a shorter tape is still a simpler example.
"""

from typing import TypeVar

Data = TypeVar("Data", bytes, str)

EXTREME = tuple(
    bytes.fromhex(size)
    for size in (
        *("00", "fc", "fdfd00", "fdfc00", "fdffff", "fe00000100", "feffff0000", "fe00000002"),
        *("fe01000002", "feffffffff", "ff0000000001000000", "ffffffffffffffff7f", "ff" * 9),
    )
)
"""Compact sizes at every edge, three of them longer than they need be."""
ODD_TEXT = (
    *("0", "1", "9" * 5000, "-", ".", "e9", "'", "h", "/", "(", ")", "[", "#", " ", "\n", "\0"),
    *("\ud800", "\N{KELVIN SIGN}", "\N{FULLWIDTH DIGIT ONE}", "\N{COMBINING ACUTE ACCENT}"),
)
"""Characters that one parser or another has ideas about."""


class Tape:
    """Bytes read off one after the other; zeros for ever behind the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        """The next bytes."""
        start, self._at = self._at, self._at + size
        return self._data[start : self._at].ljust(size, b"\0")

    def number(self, size: int) -> int:
        """The number in the next `size` bytes."""
        return int.from_bytes(self.take(size), "little")

    def below(self, limit: int) -> int:
        """A number below `limit`, which is at most 2^16."""
        return self.number(2 if limit > 256 else 1) % limit

    def some(self, limit: int) -> bytes:
        """Up to `limit` bytes; now and then as many as compact sizes change their length at."""
        kind = self.below(16)
        if kind < 14:
            return self.take(self.below(limit + 1))
        return self.take(3) + bytes(249 if kind == 14 else 250 + self.below(60))

    def rest(self) -> bytes:
        """Whatever is left."""
        return self._data[self._at :]


def _extra(data: Data, tape: Tape) -> Data:
    """A little something of the same kind."""
    odd = tape.below(2)
    if isinstance(data, bytes):
        return EXTREME[tape.below(len(EXTREME))] if odd else tape.take(1 + tape.below(3))
    return ODD_TEXT[tape.below(len(ODD_TEXT))] if odd else tape.take(1).decode("latin-1")


def _strike(data: Data, tape: Tape) -> Data:
    """One act of damage."""
    kind, at, length = (
        tape.below(7),
        tape.below(1 << 16) * (len(data) + 1) >> 16,
        tape.below(40) + 1,
    )
    head, tail = data[:at], data[at:]
    match kind:
        case 0:
            return head + _extra(data, tape) + tail
        case 1:
            return head + tail[length:]
        case 2:
            return head + tail[:length] + tail
        case 3:
            return tail[:length] + head + tail[length:]
        case 4:
            return head
    extra = _extra(data, tape)
    return head + extra + tail[len(extra) :]


def spoilt(data: Data, raw: bytes) -> Data:
    """The data with one to three blows, or one time in five something else altogether."""
    tape = Tape(raw)
    if tape.below(5):
        for _ in range(1 + tape.below(3)):
            data = _strike(data, tape)
        return data
    return tape.rest() if isinstance(data, bytes) else tape.rest().decode("utf-8", "replace")
