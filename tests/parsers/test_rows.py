"""A store with one damaged row: it opens, or says that it is damaged; nothing else."""

import os
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from chain.chainstate import Chainstate
from chain.params import REGTEST
from chain.store import MemoryStore, StoreError
from tests.builders import ChainBuilder
from tests.parsers import damage

EXAMPLES = 10_000 if os.environ.get("FARTHING_SWEEP") else 1_000


@cache
def rows() -> dict[bytes, bytes]:
    """What a chain of three blocks leaves in its store."""
    chain = ChainBuilder()
    chain.mine(3)
    return dict(chain.store.scan(b""))


def opens(there: dict[bytes, bytes]) -> bool:
    """Whether a chain opens on these rows and reads what it shows, or StoreError in one line."""
    store = MemoryStore()
    store.write(there)
    try:
        chainstate = Chainstate(REGTEST, store)
        chainstate.read_block_bytes(chainstate.tip.hash)
        list(chainstate.coins)
    except StoreError as error:
        assert "\n" not in str(error)
        return False
    return True


def test_a_store_with_a_damaged_row() -> None:
    outcomes: list[bool] = []

    @settings(max_examples=EXAMPLES, database=None)
    @given(st.integers(0, 1000), st.binary(max_size=30), st.booleans())
    def examples(number: int, tape: bytes, is_key: bool) -> None:
        there = dict(rows())
        key = sorted(there)[number % len(there)]
        value = there.pop(key)
        if is_key:
            there[damage.spoilt(key, tape)] = value
        else:
            there[key] = damage.spoilt(value, tape)
        outcomes.append(opens(there))

    assert opens(rows())
    examples()
    assert outcomes.count(True) and outcomes.count(False)
