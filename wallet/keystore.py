"""The wallet's file: its public half readable without the password, its secrets sealed.

    farthing-wallet 2 <SHA-256 of the format line and of everything below it>
    {"descriptors": […], "network": "regtest", "sealed": {…}, "state": {…}}
    <history, bytes to this file>

The checksum notices accidents (any flipped byte, a piece missing) before anything is believed, so a
damaged file and a wrong password are never confused. Against malice stands the seal, which also
binds format, network and descriptors (wallet.sealing). What `state`, `sealed` and `history` hold is
not known here; history is long, so it is only looked at by who needs it.

A save is a new file beside the old one, flushed, then renamed over it: whatever happens in between,
old or new is there, whole. Who saves says what it changes in the file as it is then, under a lock:
of two processes that save one wallet, neither undoes what the other did.
"""

import contextlib
import errno
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wallet.errors import DamagedFile, NoSuchWallet, WalletError, WalletExists

try:
    import fcntl
except ImportError:  # Windows: there the last to save wins
    fcntl = None  # type: ignore[assignment]

FORMAT = 2
MAGIC = b"farthing-wallet "
MAX_FILE_BYTES = 500_000_000  # a million transactions; more is not a wallet
HEADER_BYTES = len(MAGIC) + len("2 ") + 64
_READ_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class WalletFile:
    """What a file holds; nothing is sealed (`{}`) in a wallet that only watches.

    `digest` is that of the file it was read from, or written to.
    """

    network: str
    descriptors: tuple[str, ...]
    sealed: Mapping[str, Any]
    state: Mapping[str, Any]
    history: bytes = b""
    digest: bytes = field(default=b"", compare=False)

    @property
    def identity(self) -> bytes:
        """What the seal binds: everything in the clear that never changes under it."""
        return identity(self.network, self.descriptors)


def identity(network: str, descriptors: tuple[str, ...]) -> bytes:
    """Format, network and descriptors as canonical bytes."""
    whole = {"format": FORMAT, "network": network, "descriptors": descriptors}
    return json.dumps(whole, sort_keys=True).encode()


def read(path: Path) -> WalletFile:
    """Read a wallet's file; NoSuchWallet or DamagedFile."""
    data = _read_bytes(path)
    begin = data.find(b"\n", 0, 2 * HEADER_BYTES) + 1
    line = data[: begin - 1]
    if not data.startswith(MAGIC) or not begin:
        raise DamagedFile(f"{path} is no wallet file, or its beginning is damaged")
    version, _, digest = line.removeprefix(MAGIC).partition(b" ")
    if version != b"%d" % FORMAT:
        raise DamagedFile(f"{path} is damaged, or was written by another version of Farthing")
    if digest != _digest(memoryview(data)[begin:]):
        raise DamagedFile(
            f"{path} is damaged (its checksum does not fit); restore from a backup or the words"
        )
    # The history may be long: it is cut out once, and not copied before.
    end = data.find(b"\n", begin)
    end = len(data) if end < 0 else end
    try:
        whole = json.loads(data[begin:end])
        both = tuple(whole["descriptors"]), whole["sealed"]
        if not all(type(text) is str for text in (whole["network"], *both[0])):
            raise TypeError("network and descriptors are words")
        if not type(whole["state"]) is type(both[1]) is dict:
            raise TypeError("what is sealed, and the state, have names")
        return WalletFile(whole["network"], *both, whole["state"], data[end + 1 :], digest)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DamagedFile(
            f"{path} is not a wallet: its checksum fits, its content does not"
        ) from None


def write(path: Path, file: WalletFile, *, new: bool = False) -> WalletFile:
    """Save all or nothing, for the owner's eyes only. `new` refuses to replace: WalletExists."""
    whole = {
        "network": file.network,
        "descriptors": file.descriptors,
        "sealed": file.sealed,
        "state": file.state,
    }
    head = json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()
    body = head + b"\n" + file.history
    digest = _digest(body)
    try:
        _replace(path, MAGIC + b"%d %s\n" % (FORMAT, digest) + body, new)
    except FileExistsError:
        if not path.parent.is_dir():
            raise WalletError(
                f"cannot save {path}: {path.parent} is no folder; move it away"
            ) from None
        raise WalletExists(f"{path} exists already; choose another name or move it away") from None
    except OSError as error:
        raise WalletError(
            f"cannot save {path}: {error.strerror}; nothing was changed, "
            "make room or choose another place"
        ) from error
    return replace(file, digest=digest)


def update(path: Path, known: WalletFile, change: Callable[[WalletFile], WalletFile]) -> WalletFile:
    """Save what `change` makes of the file as it is now: `known`, or what others made of it.

    What is saved is returned. Others who save wait meanwhile.
    """
    with _locked(path.parent):
        _remove_left_over(path)
        try:
            handle = os.open(path, _READ_FLAGS)
            with os.fdopen(handle, "rb") as file:
                is_known = file.read(HEADER_BYTES).endswith(known.digest)
        except OSError:
            is_known = False
        return write(path, change(known if is_known and known.digest else read(path)))


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system takes back from whoever dies."""
    if fcntl is None:
        yield
        return
    try:
        handle = os.open(directory, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        raise WalletError(f"cannot save in {directory}: {error.strerror}") from error
    try:
        yield
    finally:
        os.close(handle)


def _digest(body: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(MAGIC + b"%d\n" % FORMAT)
    digest.update(body)
    return digest.hexdigest().encode()


def _read_bytes(path: Path) -> bytes:
    try:
        handle = os.open(path, _READ_FLAGS)
        with os.fdopen(handle, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise NoSuchWallet(f"there is no wallet at {path}; create or restore one first") from None
    except OSError as error:
        linked = error.errno == errno.ELOOP
        why = "it is a symbolic link" if linked else error.strerror
        raise NoSuchWallet(f"cannot read the wallet at {path}: {why}") from error
    if len(data) > MAX_FILE_BYTES:
        raise DamagedFile(f"{path} is larger than any wallet")
    return data


def _remove_left_over(path: Path) -> None:
    """What saves of this wallet that were killed left behind; others wait until we are done."""
    for name in os.listdir(path.parent):
        if name.startswith(f".{path.name}.") and name.endswith(".tmp"):
            (path.parent / name).unlink(missing_ok=True)


def _replace(path: Path, data: bytes, new: bool) -> None:
    """Temporary file in the same directory, write, flush to disk, rename, flush the directory."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    handle = os.open(temporary, _WRITE_FLAGS, 0o600)
    try:
        try:
            _write_all(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)
        if new:
            os.link(temporary, path)  # unlike a rename it fails if the name is taken
            os.unlink(temporary)
        else:
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_directory(path.parent)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _sync_directory(directory: Path) -> None:
    """Make the rename itself durable, where directories can be opened (not on Windows)."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
