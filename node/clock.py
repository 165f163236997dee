"""The node's two clocks, both moved from outside: the time of day, and time that only goes forward.

The time of day is for what is shown or checked: blocks, the mempool, versions, addresses. It may
jump: clocks are set, and the operator may stop ours. Whatever waits or times out counts on the
steady one, so that a clock set back by a day makes nobody wait for a day. Beside it: Bitcoin Core,
`src/util/time.h` (NodeClock, SteadyClock).
"""


class Clock:
    """What time it is, as of the event at hand."""

    __slots__ = ("_ahead", "_moved_at", "steady", "unix")

    def __init__(self) -> None:
        self.unix = 0
        """The time of day in whole Unix seconds."""
        self.steady = 0.0
        """Unix seconds too, until the time of day is set back for the first time."""
        self._moved_at: float | None = None
        self._ahead = 0.0
        """How far the time of day has been set back in all."""

    def move(self, now: float) -> None:
        """An event came at `now`, in Unix seconds: both clocks move."""
        if self._moved_at is not None:
            self._ahead += max(self._moved_at - now, 0.0)
        self._moved_at = now
        self.steady = now + self._ahead
        self.unix = int(now)

    def set(self, now: float) -> None:
        """Whoever asks says that it is `now`, by a clock of his own: only the time of day moves."""
        if self._moved_at is None:
            self.move(now)
        self.unix = int(now)

    def when(self, steady: float) -> float:
        """The time on the clock of events at which the steady one will show `steady`."""
        return steady - self._ahead
