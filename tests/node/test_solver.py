"""The processes that find nonces, and what shares the work out to them."""

import hashlib
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chain.block import BlockHeader
from node import grinder, solver
from node.solver import Solver

HEADER = bytes(range(76))
EASY = "7fffff" + "00" * 29
IMPOSSIBLE = "00" * 32
ALL = 1 << 32
REGTEST_BITS = 0x207FFFFF  # every second hash will do
HARD_BITS = 0x1C00FFFF  # one in 2**40: none among few


def hash_of(header: bytes, nonce: int) -> bytes:
    raw = header + nonce.to_bytes(4, "little")
    return hashlib.sha256(hashlib.sha256(raw).digest()).digest()[::-1]


def test_the_grinder_finds_the_first_nonce() -> None:
    target = bytes.fromhex("0100" + "00" * 30)
    found = grinder.search(HEADER, target, 0, 10_000)
    assert found is not None
    expected = next(nonce for nonce in range(10_000) if hash_of(HEADER, nonce) <= target)
    assert found == expected
    assert grinder.search(HEADER, target, 0, found) is None
    assert grinder.search(HEADER, bytes(32), ALL - 5, ALL) is None


@contextmanager
def grinding() -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-I", str(solver.GRINDER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_the_grinder_answers_the_newest_question_and_ends_with_its_stdin() -> None:
    with grinding() as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"1 {HEADER.hex()} {IMPOSSIBLE} 0 {ALL}\n")
        process.stdin.flush()
        time.sleep(0.2)
        process.stdin.write(f"2 {HEADER.hex()} {EASY} 0 {ALL}\n")
        process.stdin.flush()
        number, nonce = process.stdout.readline().split()
        assert number == "2"
        assert hash_of(HEADER, int(nonce)) <= bytes.fromhex(EASY)
        process.stdin.close()
        assert process.wait(timeout=5) == 0


def test_the_grinder_says_when_there_is_no_nonce(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its loop in this process, with few nonces, until its stdin ends."""
    ended = threading.Event()

    class Ended(BaseException):
        pass

    def end(code: int) -> None:
        ended.set()
        raise Ended

    def lines() -> Iterator[str]:
        yield f"1 {HEADER.hex()} {IMPOSSIBLE} 0 {ALL}\n"
        yield f"2 {HEADER.hex()} {EASY} 0 {ALL}\n"
        deadline = time.monotonic() + 5
        while "2 " not in "".join(seen) and time.monotonic() < deadline:
            seen.append(capsys.readouterr().out)
            time.sleep(0.01)

    seen: list[str] = []
    monkeypatch.setattr(grinder.os, "nice", lambda by: None)
    monkeypatch.setattr(grinder.os, "_exit", end)
    monkeypatch.setattr(grinder.threading, "excepthook", lambda crash: None)
    monkeypatch.setattr(grinder.sys, "stdin", lines())
    monkeypatch.setattr(grinder, "search", lambda header, target, *_: 7 if target[0] else None)
    monkeypatch.setattr(grinder, "SLICE", 1 << 31)
    threading.Thread(target=grinder.main, daemon=True).start()
    assert ended.wait(6)
    assert "".join(seen).splitlines()[-1] == "2 7"


def header(bits: int, time_s: int = 0) -> BlockHeader:
    return BlockHeader(1, bytes(32), bytes(32), time_s, bits, 0)


@contextmanager
def solving(processes: int) -> Iterator[tuple[Solver, threading.Event]]:
    answered = threading.Event()
    one = Solver(processes, answered.set)
    try:
        yield one, answered
    finally:
        one.close()


def is_solved_by(nonce: int | None, what: BlockHeader) -> bool:
    return nonce is not None and hash_of(what.serialize()[:76], nonce)[0] < 0x80


def test_the_nonces_are_shared_out_and_all_looked_at() -> None:
    target = 0x00FFFF << (8 * (0x1F - 3))  # bits 0x1f00ffff: one in 65,536
    this = header(0x1F00FFFF)
    raw, limit = this.serialize()[:76], target.to_bytes(32, "big")
    good = [nonce for nonce in range(200_000) if hash_of(raw, nonce) <= limit]
    assert good
    for processes in (1, 3):
        with solving(processes) as (one, answered):
            one.begin(this, good[-1] + 1)
            assert answered.wait(20)
            assert one.is_done
            assert one.nonce in good
            assert len(one._processes) == processes
            answered.clear()
            one.begin(this, good[0])  # one short of the first
            assert answered.wait(20)
            assert (one.is_done, one.nonce) == (True, None)


def test_a_new_template_interrupts_the_search_at_once() -> None:
    """Each process is in the middle of an hour's work when the new header comes."""
    easy, taken = header(REGTEST_BITS), []
    with solving(2) as (one, answered):
        one.begin(easy)
        assert answered.wait(20)  # they run
        for number in range(15):
            one.begin(header(HARD_BITS, number))
            time.sleep(0.02)
            answered.clear()
            begun = time.perf_counter()
            one.begin(easy)
            assert answered.wait(20)
            taken.append(time.perf_counter() - begun)
            assert is_solved_by(one.nonce, easy)
    assert statistics.median(taken) < 0.1, taken


def worked_s(pid: int) -> float:
    """Seconds of processor time that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_at_rest_the_processes_do_nothing() -> None:
    with solving(1) as (one, answered):
        one.begin(header(HARD_BITS))
        time.sleep(0.5)
        pid = one._processes[0].pid
        assert worked_s(pid) > 0.1
        one.rest()
        time.sleep(0.1)
        before = worked_s(pid)
        time.sleep(0.5)
        assert worked_s(pid) - before < 0.05
        assert not answered.is_set()  # nobody asked


def test_a_process_that_dies_ends_the_search_and_is_begun_again() -> None:
    with solving(2) as (one, answered):
        one.begin(header(HARD_BITS))
        first = list(one._processes)
        first[1].kill()
        assert answered.wait(10)
        assert (one.is_done, one.nonce) == (True, None)
        answered.clear()
        one.begin(header(REGTEST_BITS))
        assert answered.wait(20)
        assert is_solved_by(one.nonce, header(REGTEST_BITS))
        assert all(process.poll() is not None for process in first)
        one.close()
        answered.clear()
        one.begin(header(REGTEST_BITS))  # and after all of them were ended
        assert answered.wait(20)
