"""The solver: grinder processes that share out the nonces of one header.

Each process tries a range of its own; the first that finds a nonce, or the last that finds none,
ends the search. It does not know what is in a block, nor when to make one (`miner`), nor how a hash
is tried (`grinder`). Beside it: Bitcoin Core, `src/rpc/mining.cpp` (GenerateBlock).
"""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from chain.block import BlockHeader
from chain.work import decode_bits

GRINDER = Path(__file__).with_name("grinder.py")
NONCES = 1 << 32
"""As many as a header's four bytes can say."""
NOTHING = f"{bytes(76).hex()} {bytes(32).hex()}"
"""A header and a target for those who have nothing to do."""


class Solver:
    """So many grinder processes, started when first needed and again if one dies.

    `answered` is called by a thread of its own when a search is done.
    """

    def __init__(self, processes: int, answered: Callable[[], None]) -> None:
        self._count, self._tell = processes, answered
        self._lock = threading.Lock()  # each process has a thread that reads its answers
        self._processes: list[subprocess.Popen[str]] = []
        self._number = 0  # of the search; answers to older ones come too late
        self._searching = 0
        self.is_done = False
        self.nonce: int | None = None

    def begin(self, header: BlockHeader, nonces: int = NONCES) -> None:
        """Search for this header's nonce below `nonces`, and for no other's any more.

        Once that `is_done`, `nonce` tells; None if there is none, or if a process died over it.
        """
        target = decode_bits(header.bits).to_bytes(32, "big").hex()
        with self._lock:
            self.is_done, self.nonce, self._searching = False, None, self._count
            self._start_missing()
            self._hand_out(f"{header.serialize()[:76].hex()} {target}", nonces)

    def rest(self) -> None:
        """Search for nothing any more; the processes wait for the next time."""
        with self._lock:
            self.is_done = True
            self._hand_out(NOTHING, 0)

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            self._end_all()

    def _hand_out(self, job: str, nonces: int) -> None:
        self._number += 1
        for which, process in enumerate(self._processes):
            start, stop = (nonces * share // self._count for share in (which, which + 1))
            assert process.stdin is not None
            with contextlib.suppress(OSError):  # it died: `_read` says so
                process.stdin.write(f"{self._number} {job} {start} {stop}\n")
                process.stdin.flush()

    def _start_missing(self) -> None:
        if any(process.poll() is not None for process in self._processes):
            self._end_all()
        while len(self._processes) < self._count:
            process = subprocess.Popen(
                [sys.executable, "-I", str(GRINDER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,  # Ctrl-C is the node's to handle
            )
            self._processes.append(process)
            threading.Thread(target=self._read, args=(process,), daemon=True).start()

    def _end_all(self) -> None:
        processes, self._processes = self._processes, []
        for process in processes:
            process.kill()
            process.wait()
            assert process.stdin is not None
            with contextlib.suppress(OSError):
                process.stdin.close()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            number, answer = line.split()
            with self._lock:
                if int(number) == self._number:
                    self._heard(None if answer == "-" else int(answer))
        process.stdout.close()
        with self._lock:
            process.wait()  # so that `begin` knows, once it is told
            if process in self._processes:
                self._searching = 1  # the others' answers are not waited for
                self._heard(None)

    def _heard(self, nonce: int | None) -> None:
        """One process has looked at its nonces."""
        self._searching -= 1
        if not self.is_done and (nonce is not None or not self._searching):
            self.is_done, self.nonce = True, nonce
            self._tell()
