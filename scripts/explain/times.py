"""Times as people read them: dates in UTC, for seconds since 1970."""

from datetime import UTC, datetime


def date_of(seconds: int) -> str:
    """`2009-01-03 18:15:05 UTC`; the number where no calendar goes."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{seconds} s after 1970"
