"""What a hostile input of 4 MB costs beside an honest one of the same size (in CI, of 250 kB).

Each parser has its own honest input, or is compared with the reading of a block of payments.
Processor time counts, the best of a few tries, so that a busy machine does not decide.
"""

import contextlib
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from chain.block import Block
from tests.parsers.chain_table import SIZE, normal_block
from tests.parsers.parser import Parser
from tests.parsers.test_examples import PARSERS

WORST = 10  # times what an honest input costs
WORST_ROOM = 1_000_000  # bytes, for an input of a thousand
TRIES = 3
CASES = [
    pytest.param(parser, make, id=f"{parser} | {name}")
    for parser in PARSERS
    for name, make in parser.hostile.items()
]
CLAIMS = [case for case in CASES if str(case.id).endswith("claimed")]


def cost_s(
    parse: Callable[[Any], Any], data: Any, refusal: Any = (), enough_s: float = 0.0
) -> float:
    """Seconds of this thread, untraced (coverage pays by the line, not by the work).

    Not tried again once it is below `enough_s`.
    """
    costs: list[float] = []
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        while len(costs) < TRIES and (not costs or min(costs) > enough_s):
            start = time.thread_time()
            with contextlib.suppress(refusal):
                parse(data)
            costs.append(time.thread_time() - start)
    finally:
        sys.settrace(tracer)
    return min(costs)


@cache
def of_a_block() -> float:
    """The yardstick for what has no honest input of that size."""
    return cost_s(Block.parse, normal_block())


@cache
def honest(parser_name: str) -> float:
    [parser] = [parser for parser in PARSERS if parser.name == parser_name]
    return cost_s(parser.parse, parser.normal()) if parser.normal else of_a_block()


@pytest.mark.parametrize(("parser", "make"), CASES)
def test_a_hostile_input_costs_little_more(parser: Parser, make: Callable[[], Any]) -> None:
    data, allowed_s = make(), WORST * honest(parser.name)
    assert 0.9 * SIZE <= len(data) <= 1.1 * SIZE
    spent_s = cost_s(parser.parse, data, parser.refusal, allowed_s / 2)
    assert spent_s <= allowed_s, f"{spent_s / allowed_s * WORST:.1f} times an honest one"


@pytest.mark.parametrize(("parser", "make"), CLAIMS)
def test_what_is_claimed_and_not_there_takes_no_room(
    parser: Parser, make: Callable[[], Any]
) -> None:
    """Counts are not believed before what they count has been read."""
    data = make()[:1000]
    with pytest.raises(parser.refusal):  # and whatever is made once is made now
        parser.parse(data)
    tracemalloc.start()
    cost_s(parser.parse, data, parser.refusal)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < WORST_ROOM
