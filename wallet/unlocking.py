"""Unlocking: a wallet's seal opens without its password for a while, by a key that an agent holds.

This is the side of those who ask: beginning an agent (wallet.agent, a process of its own), asking
it, ending it. Its socket lies beside the wallet, in a folder that nobody else may enter, so that
whoever finds the wallet finds the agent too, whatever the environment says. Needs Unix sockets,
which Windows has not.
"""

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wallet import agent
from wallet.errors import WalletError
from wallet.keystore import WalletFile
from wallet.vault import SealKey

FOLDER = ".unlocked"  # beside the wallets' files
MAX_SECONDS = 24 * 3600  # longer is a wallet without a password
PATIENCE_S = 5.0


@dataclass(frozen=True)
class Answer:
    """What an agent says: how long it will live, its process, and the key if that was asked."""

    left_s: float
    pid: int
    key: bytes = field(default=b"", repr=False)


def begin(path: Path, file: WalletFile, key: SealKey, seconds: int) -> None:
    """Have the key of a wallet's seal held for so long; an agent that was there before ends."""
    if not 1 <= seconds <= MAX_SECONDS:
        raise WalletError(f"a wallet can be unlocked for 1 s to {MAX_SECONDS // 3600} h")
    if not hasattr(socket, "AF_UNIX"):
        raise WalletError("unlocking needs Unix sockets, which this system lacks; give passwords")
    lock(path)
    orders = {
        "folder": str(_folder(path)),
        "name": _name(path),
        "wallet": str(path.absolute()),
        "seal": _seal(file),
        "seconds": seconds,
    }
    try:
        _folder(path).mkdir(mode=0o700, exist_ok=True)
        os.close(agent.open_folder(_folder(path)))
    except OSError as error:
        raise WalletError(f"can't unlock: {_folder(path)}: {error.strerror}") from error
    process = subprocess.Popen(
        [sys.executable, "-I", agent.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        cwd="/",
    )
    _hand_over(process, key.secret + json.dumps(orders).encode())
    # In a program that goes on, somebody must take note of its end.
    threading.Thread(target=process.wait, daemon=True).start()


def held(path: Path, file: WalletFile) -> SealKey | None:
    """The key of this very seal; None while the wallet is locked."""
    answer = _ask(path, f"key {_seal(file)}")
    if answer is None or len(answer.key) != agent.KEY_BYTES:
        return None
    return SealKey(answer.key)


def left(path: Path) -> Answer | None:
    """How long the wallet is unlocked still; None while it is locked."""
    return _ask(path, "left")


def lock(path: Path) -> bool:
    """End the wallet's agent; whether there was one. It has forgotten the key when this returns."""
    return _ask(path, "lock") is not None


def _hand_over(process: "subprocess.Popen[bytes]", orders: bytes) -> None:
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise AssertionError("an agent without pipes")
    with process.stdin as to, process.stdout as said, process.stderr as complaint:
        with contextlib.suppress(BrokenPipeError):
            to.write(orders)
            to.close()
        if said.readline() == b"ready\n":
            return
        why = complaint.read().decode(errors="replace").strip().splitlines()
    process.wait()
    raise WalletError(f"can't unlock: {why[-1] if why else 'no process could be begun'}")


def _ask(path: Path, question: str) -> Answer | None:
    """Ask a wallet's agent, and wait until it hangs up; None if there is none or it is silent."""
    pid = 0
    try:
        with _linked(path) as link:
            pid, uid = agent.peer(link)
            if uid != os.getuid():
                return None
            link.sendall(question.encode() + b"\n")
            said = b"".join(iter(lambda: link.recv(4096), b""))
    except (FileNotFoundError, ConnectionError):
        return None
    except TimeoutError:
        which = f"kill -9 {pid}" if pid else f"pkill -9 -f {agent.__file__}"
        raise WalletError(
            f"the process that holds the key of {path} does not answer; end it: {which}"
        ) from None
    except OSError as error:
        raise WalletError(f"can't ask whether {path} is unlocked: {error.strerror}") from error
    line, _, key = said.partition(b"\n")
    try:
        left_ms, process = line.split()
        return Answer(int(left_ms) / 1000, int(process), key)
    except ValueError:
        return None


@contextlib.contextmanager
def _linked(path: Path) -> Iterator[socket.socket]:
    if not hasattr(socket, "AF_UNIX"):
        raise FileNotFoundError(path)
    handle = agent.open_folder(_folder(path))
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(PATIENCE_S)
            link.connect(agent.place(_folder(path), handle, _name(path)))
            yield link
    finally:
        os.close(handle)


def _folder(path: Path) -> Path:
    return path.absolute().parent / FOLDER


def _name(path: Path) -> str:
    """Short, whatever the wallet is called: an address has room for a hundred bytes."""
    return hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]


def _seal(file: WalletFile) -> str:
    """What names one state of a wallet's secrets: seal and everything that it binds."""
    whole = json.dumps(dict(file.sealed), sort_keys=True).encode() + b"\n" + file.identity
    return hashlib.sha256(whole).hexdigest()
