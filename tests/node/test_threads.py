"""Scripts on several threads: the same answer as on one, whatever the threads do."""

import threading
from dataclasses import dataclass
from typing import Any

import pytest

from chain.script.check import verify_serially
from node.threads import ThreadedVerifier


@dataclass(frozen=True)
class Check:
    """Stands for a ScriptCheck: `run` gives the error or None."""

    number: int
    fails: bool = False
    crashes: bool = False

    def run(self) -> str | None:
        if self.crashes:
            raise AssertionError("a fault of ours")
        return f"error {self.number}" if self.fails else None


def checks(count: int, *failing: int) -> Any:
    return [Check(number, number in failing) for number in range(count)]


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 64, 65, 1000])
def test_it_finds_what_a_single_thread_finds(threads: int, count: int) -> None:
    verifier = ThreadedVerifier(threads)
    for failing in ((), (0,), (count - 1,), (count // 2, count - 1), tuple(range(count))):
        batch = checks(count, *failing)
        assert verifier(batch) == verify_serially(batch)


def test_the_first_failure_in_order_is_told_every_time() -> None:
    verifier = ThreadedVerifier(4)
    batch = checks(2000, 700, 710, 1500, 1999)
    for _ in range(50):
        failure = verifier(batch)
        assert failure is not None
        assert (failure.check.number, failure.error) == (700, "error 700")  # type: ignore[attr-defined, comparison-overlap]


def test_a_fault_in_a_thread_is_raised_where_it_was_asked() -> None:
    verifier = ThreadedVerifier(3)
    batch = checks(500)
    batch[400] = Check(400, crashes=True)
    with pytest.raises(AssertionError, match="a fault of ours"):
        verifier(batch)
    assert verifier(checks(500)) is None


def test_threads_are_begun_when_first_needed() -> None:
    before = threading.active_count()
    verifier = ThreadedVerifier(3)
    verifier(checks(10))
    assert threading.active_count() == before
    for _ in range(3):
        verifier(checks(500))
    assert threading.active_count() == before + 2
