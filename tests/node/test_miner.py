"""When a node makes blocks."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chain.params import CLASSROOM
from node import miner
from node.config import BlockTime
from node.errors import StorageError
from node.miner import Miner
from node.runtime import Runtime
from node.solver import Solver
from tests.node.http_support import eventually
from tests.node.test_runtime import HOME, FailingStore, height, new_runtime, payment


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
        one._solver._processes[0].kill()  # they are begun again
        known = height(runtime)
        eventually(lambda: height(runtime) >= known + 2, timeout_s=30)
        processes = one._solver._processes
    assert len(processes) == (os.cpu_count() or 1)
    assert all(process.poll() is not None for process in processes)


def test_new_transactions_are_taken_into_a_search_that_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(miner, "REFRESH_S", 0.05)
    begun: list[int] = []

    def begin(self: Solver, header: object) -> None:
        begun.append(len(runtime.node.mempool) + 1)
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


def hand_over(block_hash: bytes, of: Runtime, to: Runtime) -> None:
    block = of.node.chainstate.read_block(block_hash)
    assert block is not None
    to.submit_block(block)


def test_auto_tries_again_for_who_still_waits_after_anothers_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(miner, "AUTO_S", 0.1)
    searches: list[object] = []

    def begin(self: Solver, header: object) -> None:
        searches.append(header)
        self.is_done, self.nonce = False, None

    monkeypatch.setattr(Solver, "begin", begin)
    runtime, rival = new_runtime(CLASSROOM), new_runtime(CLASSROOM)
    for hash_ in runtime.generate(HOME, 11):
        hand_over(hash_, runtime, rival)
    with mining(runtime, "auto"):
        runtime.submit_transaction(payment(runtime))
        eventually(lambda: len(searches) == 1)
        hand_over(rival.generate(HOME, 1)[0], rival, runtime)  # it leaves the payment out
        eventually(lambda: len(searches) == 2)
        assert len(runtime.node.mempool) == 1


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
