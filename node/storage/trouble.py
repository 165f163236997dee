"""Trouble with a disk, as one sentence that says what to do.

It knows the words that operating systems, LevelDB and SQLite use for the same few misfortunes. It
does not know what was being read or written. Beside it: Bitcoin Core, `src/init.cpp` and
`src/node/abort.cpp`, which end a node in the same cases.
"""

from pathlib import Path

from chain.store import REPAIR
from node.errors import StorageError

_FULL = ("no space left", "disk is full", "file too large", "quota exceeded", "file size limit")
_FORBIDDEN = ("read-only", "readonly", "permission denied", "operation not permitted")
_TAKEN = ("already held", "resource temporarily unavailable", "database is locked")
_DAMAGED = (
    "corruption",
    "malformed",
    "not a database",
    "checksum",
    "bad block",
    "invalid argument",
)
_HANDLES = ("too many open files",)


def disk_trouble(path: Path, error: Exception) -> StorageError:
    """The StorageError that tells a person what `error`, met at `path`, means and asks for."""
    text = " ".join(str(error).split()) or type(error).__name__
    lowered = text.lower()
    for words, sentence in (
        (
            _FULL,
            "the disk is full, nothing more can be written to {path}: free some space and start "
            "the node again; nothing that was acknowledged is lost",
        ),
        (_FORBIDDEN, "{path} may not be written: make it writable, or choose another --datadir"),
        (_TAKEN, "{path} is in use by another process: stop it, or choose another --datadir"),
        (
            _DAMAGED,
            f"the data in {{path}} is damaged ({{text}}): {REPAIR}",
        ),
        (_HANDLES, "too many open files: raise the limit (ulimit -n) and start again"),
    ):
        if any(word in lowered for word in words):
            return StorageError(sentence.format(path=path, text=text))
    return StorageError(
        f"{path} can't be used ({text}): check the disk, or choose another --datadir"
    )
