"""The search for a nonce, as a process of its own: headers in on stdin, nonces out on stdout.

A line `NUMBER HEADER TARGET` (the header's first 76 bytes and the target, big endian, in
hexadecimal) replaces the search under way; the answer is `NUMBER NONCE`, or `NUMBER -` when there
is none. The end of stdin ends the process, so it never outlives its node. It imports nothing of
ours, so that it starts in milliseconds. Beside it: Bitcoin Core, `src/rpc/mining.cpp` (generate).
"""

import hashlib
import os
import sys
import threading

SLICE = 20_000
"""Nonces tried between two looks at stdin: some 20 milliseconds."""


def search(header: bytes, target: bytes, start: int, tries: int) -> int | None:
    """The first nonce from `start` on that meets the target, among `tries`."""
    # The first 64 bytes are a block of SHA-256 by themselves: hashed once.
    middle, rest = hashlib.sha256(header[:64]), header[64:]
    for nonce in range(start, min(start + tries, 1 << 32)):
        inner = middle.copy()
        inner.update(rest + nonce.to_bytes(4, "little"))
        if hashlib.sha256(inner.digest()).digest()[::-1] <= target:
            return nonce
    return None


def main() -> None:
    """Search for what stdin says, until it ends."""
    if hasattr(os, "nice"):
        os.nice(10)  # the node comes first
    jobs: list[str] = []
    came = threading.Semaphore(0)

    def read() -> None:
        for line in sys.stdin:
            jobs.append(line)
            came.release()
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        came.acquire()
        number, header, target = jobs.pop(0).split()
        for start in range(0, 1 << 32, SLICE):
            if jobs:
                break
            nonce = search(bytes.fromhex(header), bytes.fromhex(target), start, SLICE)
            if nonce is not None:
                print(number, nonce, flush=True)
                break
        else:
            print(number, "-", flush=True)


if __name__ == "__main__":
    main()
