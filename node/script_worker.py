"""A worker: a process that runs scripts for a node which connects a block.

Chunks of checks come in on stdin; for each goes out a byte that says whether all are good. The end
of stdin ends the process, so it never outlives its node. It knows nothing of blocks, coins or
stores. Beside it: Bitcoin Core, `src/checkqueue.h` (CCheckQueue::Loop).
"""

import contextlib
import os
import pickle
import struct
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import BinaryIO

from chain.script.check import ScriptCheck
from chain.script.flags import ScriptFlag
from chain.transaction import Transaction, TxOut

Job = tuple[bytes, tuple[tuple[int, bytes], ...], int, int, int]
"""A transaction, the (value, scriptPubKey) that each input spends, the flags; the inputs to check:
from the first to before the last."""

HEAD = struct.Struct("<I")  # the size of the pickle behind it
NO, YES = b"\0", b"\1"
"""Answers: whether all in a chunk is good. The first says: I have begun."""


flags_of = lru_cache(ScriptFlag)


@lru_cache(maxsize=1)
def check_of(raw: bytes, spent: tuple[tuple[int, bytes], ...], flags: int) -> ScriptCheck:
    """The check that a job is part of; a large transaction comes in several jobs, one by one."""
    outputs = [TxOut(*output) for output in spent]
    return ScriptCheck(Transaction.parse(raw), outputs, flags_of(flags))


def are_good(jobs: Sequence[Job]) -> bool:
    """True if no script fails."""
    return all(check_of(*job[:3]).run(range(*job[3:])) is None for job in jobs)


def serve(chunks: BinaryIO, answers: int) -> None:
    """Run what comes until the end; `answers` is a file descriptor."""
    os.write(answers, YES)
    while len(head := chunks.read(HEAD.size)) == HEAD.size:
        (size,) = HEAD.unpack(head)
        if len(raw := chunks.read(size)) < size:
            break  # the node died while it wrote
        os.write(answers, YES if are_good(pickle.loads(raw)) else NO)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # the node died
        serve(sys.stdin.buffer, sys.stdout.fileno())
