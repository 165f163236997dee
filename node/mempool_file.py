"""The mempool's file: written whole or not at all, and put aside if it makes no sense.

It knows files; what is in this one is for `saved` to say. Beside it: Bitcoin Core,
`src/node/mempool_persist.cpp`, DumpMempool.
"""

import os
from pathlib import Path

from chain.errors import DecodeError
from node.errors import StorageError
from node.mempool.saved import NOTHING, Saved, parse
from node.storage.trouble import disk_trouble


def write_private(file: Path, content: bytes) -> None:
    """For its owner alone, and whole from the moment it is there. StorageError if it can't be."""
    temporary = file.with_name(f"{file.name}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except OSError as error:
        raise disk_trouble(file, error) from error


def load(file: Path) -> Saved:
    """What was saved, if anything was. StorageError if it is damaged: it is then set aside."""
    try:
        return parse(file.read_bytes())
    except FileNotFoundError:
        return NOTHING
    except OSError as error:
        raise disk_trouble(file, error) from error
    except DecodeError as error:
        aside = file.with_name(f"{file.name}.damaged")
        file.replace(aside)
        text = f"{file} is damaged ({error}): it is kept as {aside.name}, and nothing waits"
        raise StorageError(text) from error
