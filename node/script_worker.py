"""A worker: a process that runs scripts for a node which connects a block.

Chunks of checks come in on stdin, each with its number; for each goes out whether all are good. The
end of stdin ends the process, so it never outlives its node. It knows nothing of blocks, coins or
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

HEAD = struct.Struct("<QI")  # the chunk's number, and the size of the pickle behind it
ANSWER = struct.Struct("<Q?")  # the chunk's number, and whether all of it is good
READY = 0
"""The number of the answer that says: I have begun. Chunks count from 1."""


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
    os.write(answers, ANSWER.pack(READY, True))
    while len(head := chunks.read(HEAD.size)) == HEAD.size:
        number, size = HEAD.unpack(head)
        if len(raw := chunks.read(size)) < size:
            break  # the node died while it wrote
        os.write(answers, ANSWER.pack(number, are_good(pickle.loads(raw))))


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # the node died
        serve(sys.stdin.buffer, sys.stdout.fileno())
