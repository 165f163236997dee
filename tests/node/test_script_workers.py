"""Scripts in several processes: the same answer as in one, whatever becomes of the processes."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from chain.script.check import ScriptCheck, ScriptFailure, Verifier, verify_serially
from chain.script.flags import MANDATORY_FLAGS
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from node.script_worker import HEAD, are_good, check_of
from node.script_workers import Chunk, ScriptWorkers

GOOD, BAD = TxOut(1, b"\x51"), TxOut(1, b"\x00")
# Each OP_HASH256 of 520 bytes takes some microseconds: a script that takes its time, and is good.
SLOW = TxOut(1, b"\x51" + (b"\x4d\x08\x02" + bytes(520) + b"\xaa" * 190 + b"\x75"))


def check(number: int, spent: Sequence[TxOut]) -> ScriptCheck:
    """A transaction, unlike any other, that spends these without a word."""
    point = OutPoint(number.to_bytes(32, "big"), 0)
    inputs = [TxIn(point._replace(index=index)) for index in range(len(spent))]
    return ScriptCheck(Transaction(2, inputs, [GOOD], 0), spent, MANDATORY_FLAGS)


def checks(count: int, *failing: int) -> list[ScriptCheck]:
    return [check(number, [BAD if number in failing else GOOD]) for number in range(count)]


def outcome(verifier: Verifier, batch: Sequence[ScriptCheck]) -> ScriptFailure | None:
    queue = verifier()
    for each in batch:
        queue.add(each)
    return queue.finish()


def place(failure: ScriptFailure | None) -> tuple[Transaction, int, str] | None:
    return failure and (failure.tx, failure.input_index, failure.error.code)


@pytest.fixture
def workers() -> Iterator[ScriptWorkers]:
    """Two processes beside this one, which have begun."""
    with ScriptWorkers(3) as pool:
        begin(pool)
        yield pool


def begin(pool: ScriptWorkers) -> None:
    pool.start()
    wait_until(lambda: outcome(pool, checks(64)) is None and are_ready(pool))


def are_ready(pool: ScriptWorkers) -> bool:
    return all(worker.is_ready for worker in pool.workers)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_alive(process_id: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        status = Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


def process_ids(pool: ScriptWorkers) -> list[int]:
    return [worker.process.pid for worker in pool.workers]


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 400])
def test_they_find_what_one_process_finds(workers: ScriptWorkers, count: int) -> None:
    for failing in ((), (0,), (count - 1,), (count // 2, count - 1), tuple(range(count))):
        batch = checks(count, *failing)
        assert place(outcome(workers, batch)) == place(verify_serially(batch))


def test_the_first_failure_in_order_is_told_every_time(workers: ScriptWorkers) -> None:
    batch = checks(1500, 700, 710, 1200, 1499)
    for _ in range(10):
        assert place(outcome(workers, batch)) == (batch[700].tx, 0, "EVAL_FALSE")


def test_a_failure_at_a_worker_comes_before_a_later_one_of_ours(workers: ScriptWorkers) -> None:
    # The first chunk goes to a worker, who takes longer over it than we over all the others.
    batch = [check(number, [SLOW]) for number in range(40)] + [check(40, [BAD])]
    batch += checks(600, *range(600))
    assert place(outcome(workers, batch)) == (batch[40].tx, 0, "EVAL_FALSE")


def test_the_inputs_of_one_transaction_are_spread(workers: ScriptWorkers) -> None:
    spent = [GOOD] * 3_000
    assert outcome(workers, [check(0, spent)]) is None
    for failing in (0, 187, 188, 2_999):
        batch = [check(1, [*spent[:failing], BAD, *spent[failing + 1 :]])]
        assert place(outcome(workers, batch)) == (batch[0].tx, failing, "EVAL_FALSE")


def test_a_worker_says_no_if_a_single_script_fails() -> None:
    raw = check(0, [GOOD, BAD, GOOD]).tx.serialize()
    spent, flags = tuple(map(tuple, (GOOD, BAD, GOOD))), int(MANDATORY_FLAGS)
    assert are_good([(raw, spent, flags, 0, 1), (raw, spent, flags, 2, 3)])  # type: ignore[list-item]
    assert not are_good([(raw, spent, flags, 0, 1), (raw, spent, flags, 1, 2)])  # type: ignore[list-item]


def test_a_worker_checks_what_we_would() -> None:
    unlocked = TxIn(OutPoint(bytes(32), 7), b"\x51", 5, (b"", b"\xff" * 300))
    tx = Transaction(2, [unlocked, TxIn(OutPoint(b"1" * 32, 0))], [GOOD, BAD], 9)
    made = ScriptCheck(tx, [TxOut(-1, b""), TxOut(2**62, b"\x6a")], MANDATORY_FLAGS)
    raw = Chunk(3, [(made, range(1, 2))]).serialize()
    (size,) = HEAD.unpack(raw[: HEAD.size])
    [job] = pickle.loads(raw[HEAD.size :])
    assert (size, job[3:]) == (len(raw) - HEAD.size, (1, 2))
    assert check_of(*job[:3]) == made


def test_a_queue_that_is_dropped_leaves_no_trace(workers: ScriptWorkers) -> None:
    for _ in range(5):
        dropped = workers()
        for each in checks(300, *range(300)):
            dropped.add(each)
        assert outcome(workers, checks(500)) is None
        batch = checks(500, 321)
        assert place(outcome(workers, batch)) == (batch[321].tx, 0, "EVAL_FALSE")


def test_a_queue_that_is_sealed_is_run_while_the_next_is_filled(workers: ScriptWorkers) -> None:
    first, second = workers(), workers()
    batch = checks(500, 17, 400)
    for each in batch:
        second.add(each)
    second.seal()
    last = workers()
    for each in checks(500, 3):
        last.add(each)
    wait_until(lambda: not second._waiting and not second._away)  # type: ignore[attr-defined]
    assert place(second.finish()) == (batch[17].tx, 0, "EVAL_FALSE")
    assert place(last.finish()) is not None
    assert first.finish() is None
    assert outcome(workers, checks(500)) is None


def test_what_a_killed_worker_leaves_is_done_here(
    workers: ScriptWorkers, caplog: pytest.LogCaptureFixture
) -> None:
    batch = [check(number, [SLOW]) for number in range(300)]
    batch[250] = check(250, [BAD])
    queue = workers()
    for each in batch:
        queue.add(each)
    for process_id in process_ids(workers):
        os.kill(process_id, signal.SIGKILL)
    assert place(queue.finish()) == (batch[250].tx, 0, "EVAL_FALSE")
    assert process_ids(workers) == []
    assert [record.getMessage() for record in caplog.records] == [
        "a process that runs scripts has ended; going on without it"
    ] * 2
    assert outcome(workers, checks(500)) is None


def test_workers_that_do_not_answer_are_given_up(
    workers: ScriptWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.script_workers.PATIENCE_S", 0.2)
    for process_id in process_ids(workers):
        os.kill(process_id, signal.SIGSTOP)
    batch = checks(500, 99)
    assert place(outcome(workers, batch)) == (batch[99].tx, 0, "EVAL_FALSE")
    wait_until(lambda: outcome(workers, checks(500)) is None and process_ids(workers) == [])


def test_a_worker_that_died_between_blocks_is_done_without(workers: ScriptWorkers) -> None:
    first, second = process_ids(workers)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: outcome(workers, checks(500)) is None and process_ids(workers) == [second])
    batch = checks(500, 99)
    assert place(outcome(workers, batch)) == (batch[99].tx, 0, "EVAL_FALSE")


def test_processes_are_begun_when_first_needed_and_ended() -> None:
    with ScriptWorkers(2) as pool:
        assert outcome(pool, checks(96)) is None
        assert process_ids(pool) == []
        assert outcome(pool, checks(400)) is None
        [process_id] = process_ids(pool)
        assert is_alive(process_id)
    assert not is_alive(process_id)


def test_no_more_are_begun_than_a_node_can_feed() -> None:
    with ScriptWorkers(16) as pool:
        pool.start()
        assert len(process_ids(pool)) == 3
        assert outcome(pool, checks(400)) is None


def test_where_no_process_can_be_begun_scripts_run_here(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with ScriptWorkers(3) as pool:
        batch = checks(400, 77)
        assert place(outcome(pool, batch)) == place(verify_serially(batch))
        assert process_ids(pool) == []
    [record] = caplog.records
    assert record.getMessage().startswith("cannot begin a process that runs scripts (")


def test_one_process_asks_for_no_other() -> None:
    with ScriptWorkers(1) as pool:
        batch = checks(400, 77)
        assert place(outcome(pool, batch)) == place(verify_serially(batch))
        assert process_ids(pool) == []


@pytest.mark.parametrize(
    "last_words", ["", "stdin.write(b'1234')", "stdin.write(HEAD.pack(99) + b'half')"]
)
def test_a_worker_does_not_outlive_its_node(last_words: str) -> None:
    code = (
        "import os, signal, time; from node.script_workers import HEAD, ScriptWorkers\n"
        "pool = ScriptWorkers(2); pool.start(); [worker] = pool.workers\n"
        f"stdin = worker.stdin; {last_words}\n"
        "print(worker.process.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    process_id = int(done.stdout)
    wait_until(lambda: not is_alive(process_id))
    assert done.stderr == ""
