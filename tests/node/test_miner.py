"""When a node makes blocks, and the process that finds nonces."""

import hashlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chain.params import CLASSROOM
from node import grinder, miner
from node.config import BlockTime
from node.errors import StorageError
from node.miner import Miner, Solver
from node.runtime import Runtime
from tests.node.http_support import eventually
from tests.node.test_runtime import HOME, FailingStore, height, new_runtime, payment

HEADER = bytes(range(76))
EASY = "7fffff" + "00" * 29


def hash_of(header: bytes, nonce: int) -> bytes:
    raw = header + nonce.to_bytes(4, "little")
    return hashlib.sha256(hashlib.sha256(raw).digest()).digest()[::-1]


@contextmanager
def mining(runtime: Runtime, block_time: BlockTime) -> Iterator[Miner]:
    one = Miner(runtime, HOME, block_time)
    one.start()
    try:
        yield one
    finally:
        runtime.request_stop()
        one.stop()
        assert not one._thread.is_alive()


def test_the_grinder_finds_the_first_nonce() -> None:
    target = bytes.fromhex("0100" + "00" * 30)
    found = grinder.search(HEADER, target, 0, 10_000)
    assert found is not None
    expected = next(nonce for nonce in range(10_000) if hash_of(HEADER, nonce) <= target)
    assert found == expected
    assert grinder.search(HEADER, target, 0, found) is None
    assert grinder.search(HEADER, bytes(32), (1 << 32) - 5, 100) is None


@contextmanager
def grinding() -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-I", str(miner.GRINDER)],
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
        impossible = "00" * 32
        process.stdin.write(f"1 {HEADER.hex()} {impossible}\n")
        process.stdin.flush()
        time.sleep(0.2)
        process.stdin.write(f"2 {HEADER.hex()} {EASY}\n")
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
        yield f"1 {HEADER.hex()} {'00' * 32}\n"
        yield f"2 {HEADER.hex()} {EASY}\n"
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


def test_auto_makes_a_block_a_second_after_a_transaction() -> None:
    runtime = new_runtime()
    runtime.generate(HOME, 102)
    with mining(runtime, "auto"):
        time.sleep(0.2)
        assert height(runtime) == 102
        begun = time.monotonic()
        runtime.submit_transaction(payment(runtime, 1))
        time.sleep(0.3)
        runtime.submit_transaction(payment(runtime, 2))
        eventually(lambda: height(runtime) == 103)
        assert 0.9 < time.monotonic() - begun < 1.6
        assert not len(runtime.node.mempool)
        time.sleep(1.2)
        assert height(runtime) == 103


def test_auto_goes_on_while_blocks_leave_some_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(miner, "AUTO_S", 0.1)
    runtime = new_runtime()
    runtime.generate(HOME, 103)
    full, real = [True], runtime.node.assemble_block

    def one_at_a_time(*arguments: object) -> object:
        block = real(*arguments)  # type: ignore[arg-type]
        if full:
            full.pop()
            runtime.submit_transaction(payment(runtime, 2))  # comes while the block is made
        return block

    monkeypatch.setattr(runtime.node, "assemble_block", one_at_a_time)
    with mining(runtime, "auto"):
        runtime.submit_transaction(payment(runtime, 1))
        eventually(lambda: height(runtime) == 105)
        assert not len(runtime.node.mempool)


def test_auto_makes_no_block_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(miner, "AUTO_S", 0.3)
    runtime = new_runtime()
    runtime.generate(HOME, 101)
    with mining(runtime, "auto"):
        runtime.submit_transaction(payment(runtime))
        runtime.generate(HOME, 1)  # somebody else was faster
        time.sleep(0.6)
        assert height(runtime) == 102


def test_an_interval_runs_from_the_last_block() -> None:
    runtime = new_runtime()
    with mining(runtime, 0.3):
        eventually(lambda: height(runtime) == 1)
        begun = time.monotonic()
        eventually(lambda: height(runtime) == 4)
        assert 0.8 < time.monotonic() - begun < 2.5


def test_real_work_is_found_by_a_process_and_starts_anew_on_a_new_tip() -> None:
    runtime = new_runtime(CLASSROOM)
    with mining(runtime, 0.0) as one:
        eventually(lambda: height(runtime) >= 2, timeout_s=30)
        assert one._solver is not None
        assert one._solver._process is not None
        process = one._solver._process
        process.kill()  # it is begun again
        known = height(runtime)
        eventually(lambda: height(runtime) >= known + 2, timeout_s=30)
        process = one._solver._process
    assert process is not None
    assert process.poll() is not None


def test_new_transactions_are_taken_into_a_search_that_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(miner, "REFRESH_S", 0.05)
    begun: list[int] = []

    def begin(self: Solver, block: object) -> None:
        begun.append(len(block.transactions))  # type: ignore[attr-defined]
        self.is_done, self.nonce = False, None

    runtime = new_runtime(CLASSROOM)
    runtime.generate(HOME, 11)
    monkeypatch.setattr(Solver, "begin", begin)
    with mining(runtime, 0.0):
        eventually(lambda: begun == [1])
        runtime.submit_transaction(payment(runtime))
        eventually(lambda: begun == [1, 2])
        runtime.generate(HOME, 1)
        eventually(lambda: begun == [1, 2, 1])


def test_a_failing_disk_ends_the_miner_and_the_node() -> None:
    store = FailingStore()
    runtime = new_runtime(store=store)
    with mining(runtime, 0.05) as one:
        eventually(lambda: height(runtime) >= 1)
        store.is_full = True
        eventually(lambda: runtime.failure)
        eventually(lambda: not one._thread.is_alive())
    with pytest.raises(StorageError):
        runtime.generate(HOME, 1)


def test_a_block_of_ours_that_is_refused_is_logged_and_not_spun_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = new_runtime()
    assemble = runtime.node.assemble_block

    def wrong(*arguments: object) -> object:
        block = assemble(*arguments)  # type: ignore[arg-type]
        return type(block)(block.header._replace(merkle_root=bytes(32)), block.transactions)

    monkeypatch.setattr(runtime.node, "assemble_block", wrong)
    with mining(runtime, 0.0):
        eventually(lambda: "bad-txnmrklroot" in caplog.text)
        time.sleep(0.3)
    assert caplog.text.count("bad-txnmrklroot") == 1
