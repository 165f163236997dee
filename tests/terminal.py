"""A command at a real terminal of its own (a pty): what it shows, keys that are typed."""

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.untraced import untraced

fcntl = pytest.importorskip("fcntl")
pty = pytest.importorskip("pty")
termios = pytest.importorskip("termios")

COLUMNS = 100
SECONDS = 60
SEQUENCE = re.compile(r"\x1b\[[0-9;?]*([A-Za-z])")


class Terminal:
    """A command at a terminal of its own: what it shows, keys that are typed."""

    def __init__(self, process: "subprocess.Popen[bytes]", handle: int) -> None:
        self.process, self._handle = process, handle
        self.shown = ""

    def type(self, keys: bytes) -> None:
        """As if somebody had."""
        os.write(self._handle, keys)

    def look(self, seconds: float) -> bool:
        """Take in what is shown for so long; False when the command has ended."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._handle], [], [], left)[0]:
                try:
                    got = os.read(self._handle, 65536)
                except OSError:  # Linux: the other end is closed
                    got = b""
                if not got:
                    return False
                self.shown += got.decode()
        return True

    def end(self) -> int:
        """Look until the command ends; its exit code."""
        assert not self.look(SECONDS), self.shown[-500:]
        return self.process.wait(SECONDS)

    @property
    def lines(self) -> list[str]:
        """All that was ever on a line, without colours and the cursor's moves."""
        plain = SEQUENCE.sub(lambda found: "" if found[1] == "m" else "\n", self.shown)
        return [line.strip() for line in re.split(r"[\r\n]+", plain) if line.strip()]


@contextmanager
def terminal(*words: str) -> Iterator[Terminal]:
    """Python with these arguments, in the foreground of a new terminal."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, COLUMNS))

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    # Ctrl-C would come to what measures coverage too, which has words of its own for it.
    process = subprocess.Popen(
        [sys.executable, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=take_terminal,  # noqa: PLW1509 (this thread is the only one)
        env=untraced() | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"},
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
