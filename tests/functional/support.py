"""What the functional tests share: free ports, networks that stop by themselves, patience.

This is the file to copy from when writing a functional test: `start_network` gives real processes,
`farthing` runs a command as a user does, `refusal` is the one line of a command that refused,
`eventually` waits for what takes a moment.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from scripts.network import LocalNetwork

T = TypeVar("T")
PATIENCE_S = 30.0


def free_ports(count: int) -> int:
    """The first of `count` neighbouring ports that nobody listens on.

    Each worker of the suite looks in a range of its own: two must not find the same.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    lowest = 20_000 + 1_000 * (worker % 10)
    for first in range(lowest + time.time_ns() // 1_000 % 900, lowest + 1_000 - count):
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise AssertionError("no free ports")


@contextmanager
def start_network(
    folder: Path, count: int, *options: str, network: str = "regtest"
) -> Iterator[LocalNetwork]:
    """A network of real processes, stopped at the end of the block whatever happens in it."""
    local = LocalNetwork(folder, network)
    local.start(count, first_port=free_ports(count), options=lambda _: options)
    try:
        yield local
    finally:
        local.stop()


def farthing(home: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """One command in a process of its own, its wallets and networks below `home`."""
    return subprocess.run(
        [sys.executable, "-m", "farthing", *words],
        env=os.environ | {"FARTHING_HOME": str(home)},
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
    )


def refusal(done: subprocess.CompletedProcess[str], code: int = 1) -> str:
    """What a command said that refused, without its `farthing: `; it must be one line."""
    assert done.returncode == code, done
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("farthing: "), lines
    return lines[0].removeprefix("farthing: ")


def eventually(ask: Callable[[], T], timeout_s: float = PATIENCE_S) -> T:
    """Ask again and again until the answer is true-like; AssertionError with the last answer."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"still {answer!r} after {timeout_s} s"
        time.sleep(0.05)
