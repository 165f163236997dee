"""An agent: a process of its own that holds the key of one wallet's seal, in memory, for a while.

It is begun as a file by a Python that sees the standard library alone (`python -I agent.py`), so
that no foreign module comes near the key; arguments and environment tell nothing. Key and orders
come through a pipe. The key is that of the seal, not the password and not the words: it opens one
state of one wallet's file and nothing else. It lies in one page of memory that is never swapped out
nor dumped where the system can promise that. The agent ends at its time, when it is told to, when
it is asked for another seal (the wallet has a new password, or another wallet has its name), and
when wallet or socket are gone. Nothing is written to disk but the socket's name.

What is asked and answered, one line each: `left`, `lock`, `key SEAL`; the answer is the
milliseconds left and the process's id, and behind it the 32 bytes of the key. Whom it does not
serve it does not answer.

Reference: unix(7), SO_PEERCRED; ssh-agent(1) lives alike.
"""

import contextlib
import ctypes
import json
import mmap
import os
import select
import signal
import socket
import stat
import struct
import sys
import time
from pathlib import Path
from typing import NoReturn

KEY_BYTES = 32
MAX_REQUEST_BYTES = 128
LOOK_S = 0.5  # how soon it notices that wallet or socket are gone
CALL_S = 1.0  # a caller who says nothing for so long is not waited for
PR_SET_DUMPABLE = 4  # linux/prctl.h


def clock() -> float:
    """Seconds that no change of the date moves; on Linux those asleep count too."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def open_folder(folder: Path) -> int:
    """The folder of the sockets as a file descriptor; PermissionError if others may enter it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    found = os.fstat(handle)
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        os.close(handle)
        raise PermissionError(0, "others may enter it; remove it", str(folder))
    return handle


def place(folder: Path, handle: int, name: str) -> str:
    """What a socket is called by: a path of any length would not fit into an address."""
    through = f"/proc/self/fd/{handle}"
    return f"{through if os.path.exists(through) else folder}/{name}"


def peer(link: socket.socket) -> tuple[int, int]:
    """The process at the other end and its user."""
    if not hasattr(socket, "SO_PEERCRED"):
        return 0, os.getuid()  # where no system says it, the folder that others can't enter must do
    size = struct.calcsize("iII")
    found = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    pid, uid, _ = struct.unpack("iII", found)
    return pid, uid


class Agent:
    """The key, its orders, and the socket at which it is asked for."""

    def __init__(self, source: int) -> None:
        self.page = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        _keep_in_memory(self.page)
        self.key = memoryview(self.page)[:KEY_BYTES]
        if os.readv(source, [self.key]) != KEY_BYTES:
            raise SystemExit("no key came")
        with os.fdopen(source, "rb", closefd=False) as file:
            orders = json.load(file)
        self.ends = clock() + orders["seconds"]
        self.seal, self.wallet = str(orders["seal"]), str(orders["wallet"])
        self.folder, self.name = Path(orders["folder"]), str(orders["name"])
        self.handle = open_folder(self.folder)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.last_caller: socket.socket | None = None  # hears by our end that it is done
        self.inode = self._listen()

    def _listen(self) -> int:
        """Take the name; an agent that had it before sees that and ends."""
        fresh = f".{os.getpid()}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh, dir_fd=self.handle)
        self.listener.bind(place(self.folder, self.handle, fresh))
        self.listener.listen()
        os.rename(fresh, self.name, src_dir_fd=self.handle, dst_dir_fd=self.handle)
        return os.stat(self.name, dir_fd=self.handle).st_ino

    def serve(self) -> None:
        """Answer until it is over."""
        while (left := self.ends - clock()) > 0 and self._is_wanted():
            if select.select([self.listener], [], [], min(left, LOOK_S))[0]:
                with contextlib.suppress(OSError):
                    caller, _ = self.listener.accept()
                    if self._answer(caller):
                        self.last_caller = caller
                        return
                    caller.close()

    def _answer(self, caller: socket.socket) -> bool:
        """Answer one question; True if it was the last."""
        caller.settimeout(max(0.001, min(CALL_S, self.ends - clock())))
        if peer(caller)[1] != os.getuid():
            return False
        word, _, seal = caller.recv(MAX_REQUEST_BYTES).decode("ascii", "replace").partition(" ")
        left_s = self.ends - clock()
        if left_s <= 0 or (word == "key" and seal.strip() != self.seal):
            return True
        line = f"{int(left_s * 1000)} {os.getpid()}\n".encode()
        with contextlib.suppress(OSError):  # who has hung up may have asked to lock all the same
            caller.sendmsg([line, self.key] if word == "key" else [line])
        return word.strip() == "lock"

    def _is_wanted(self) -> bool:
        """Whether the wallet is there, and the socket is still ours."""
        try:
            os.stat(self.wallet)
            return os.stat(self.name, dir_fd=self.handle).st_ino == self.inode
        except OSError:
            return False

    def end(self) -> None:
        """Forget the key and give the name up."""
        self.key[:] = bytes(KEY_BYTES)
        self.listener.close()
        with contextlib.suppress(OSError):
            if os.stat(self.name, dir_fd=self.handle).st_ino == self.inode:
                os.unlink(self.name, dir_fd=self.handle)


def _keep_in_memory(page: mmap.mmap) -> None:
    """Keep it out of swap and of memory images, as far as the system lets a user do that."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        libc.mlock(ctypes.c_void_p(address), ctypes.c_size_t(len(page)))
        page.madvise(mmap.MADV_DONTDUMP)
        libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def _stop(number: int, frame: object) -> NoReturn:
    raise SystemExit(0)


def main() -> None:
    """Take key and orders from standard input, say so when it listens, and serve."""
    import resource  # lazy: not there on Windows, where this file is read for its constants

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    for heedless in (signal.SIGHUP, signal.SIGINT):  # a terminal that closes is not the end
        signal.signal(heedless, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    agent = Agent(sys.stdin.fileno())
    try:
        os.write(sys.stdout.fileno(), b"ready\n")
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        agent.serve()
    finally:
        agent.end()


if __name__ == "__main__":
    main()
