"""The search for a nonce, as a process of its own: headers in on stdin, nonces out on stdout.

A line `NUMBER HEADER TARGET START STOP` (the header's first 76 bytes and the target, big endian, in
hexadecimal; the nonces from START up to but not STOP) replaces the search under way within a few
milliseconds; the answer is `NUMBER NONCE`, or `NUMBER -` when there is none. The end of stdin ends
the process, so it never outlives its node. It imports nothing of ours, so that it starts in
milliseconds. Beside it: Bitcoin Core, `src/rpc/mining.cpp` (generate).
"""

import hashlib
import os
import sys
import threading

SLICE = 2_000
"""Nonces tried between two looks at what came: some 2 milliseconds."""
SWITCH_INTERVAL_S = 0.0005
"""How long the search keeps the thread that reads from telling what came."""


def search(header: bytes, target: bytes, start: int, stop: int) -> int | None:
    """The first nonce from `start` on, below `stop`, that meets the target."""
    sha256, rest, highest = hashlib.sha256, header[64:], target[0]
    # The first 64 bytes are a block of SHA-256 by themselves: hashed once.
    copy = sha256(header[:64]).copy
    for nonce in range(start, stop):
        inner = copy()
        inner.update(rest + nonce.to_bytes(4, "little"))
        digest = sha256(inner.digest()).digest()
        # To turn a digest round costs a twentieth of all: only where its highest byte will do.
        if digest[31] <= highest and digest[::-1] <= target:
            return nonce
    return None


def work(jobs: list[str]) -> str | None:
    """The answer to the newest job; None if another has come before there is one."""
    line = ""
    while jobs:
        line = jobs.pop(0)
    number, header_hex, target_hex, first, end = line.split()
    header, target, stop = bytes.fromhex(header_hex), bytes.fromhex(target_hex), int(end)
    for start in range(int(first), stop, SLICE):
        if jobs:
            return None
        nonce = search(header, target, start, min(start + SLICE, stop))
        if nonce is not None:
            return f"{number} {nonce}"
    return f"{number} -"


def main() -> None:
    """Search for what stdin says, until it ends."""
    if hasattr(os, "nice"):
        os.nice(10)  # the node comes first
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    jobs: list[str] = []
    came = threading.Semaphore(0)

    def read() -> None:
        for line in sys.stdin:
            jobs.append(line)
            came.release()
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while came.acquire():
        answer = work(jobs) if jobs else None
        if answer is not None:
            print(answer, flush=True)


if __name__ == "__main__":
    main()
