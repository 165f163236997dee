"""Each parser against made-up values, their bytes damaged, and bytes out of the blue.

FARTHING_SWEEP=1 tries ten thousand examples on each instead of a thousand.
"""

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.parsers import chain_table, damage, node_table, wallet_table
from tests.parsers.parser import Parser

EXAMPLES = 10_000 if os.environ.get("FARTHING_SWEEP") else 1_000
PARSERS = [*chain_table.PARSERS, *node_table.PARSERS, *wallet_table.PARSERS]
MADE = [parser for parser in PARSERS if parser.values is not None]


def is_accepted(parser: Parser, data: Any) -> bool:
    """Whether it is the thing; if so it must survive being written down."""
    try:
        value = parser.parse(data)
    except parser.refusal as error:
        assert isinstance(data, bytes) or "\n" not in str(error)
        return False
    if parser.write is not None:
        written = parser.write(value)
        assert parser.parse(written) == value
        assert written == data or not parser.one_spelling
    return True


@pytest.mark.parametrize("parser", MADE, ids=str)
def test_a_parser(parser: Parser) -> None:
    """A value comes back; damaged or made up it comes back too, or is refused in its own words."""
    assert parser.values is not None
    verdicts: list[bool] = []

    @settings(max_examples=EXAMPLES, database=None)
    @given(parser.values, st.binary(max_size=60))
    def examples(value: Any, tape: bytes) -> None:
        data = value if parser.write is None else parser.write(value)
        if parser.write is not None:
            assert parser.parse(data) == value
        if type(data) in (str, bytes):
            data = damage.spoilt(data, tape)
        verdicts.append(is_accepted(parser, data))

    examples()
    assert len(verdicts) >= EXAMPLES
    assert True in verdicts and (not parser.refusal or False in verdicts)
