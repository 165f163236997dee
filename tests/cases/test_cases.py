"""Each bad block and transaction is refused for exactly its reason: by us, and by Core's engine."""

import time
from collections.abc import Iterator

import pytest

from chain.errors import Invalid, Reason, ResultClass
from chain.tx_rules import check_transaction
from tests.builders import ChainBuilder, submit
from tests.cases.bad_blocks import BAD_BLOCKS, BadBlock
from tests.cases.bad_situations import BAD_SITUATIONS, BadSituation, raised_by
from tests.cases.bad_transactions import BAD_TRANSACTIONS, BadTransaction
from tests.cases.good_blocks import GOOD_BLOCKS, GoodBlock
from tests.core_engine import CoreEngine


@pytest.fixture(scope="module")
def chain() -> ChainBuilder:
    """Ten mature coinbases; no case adds to it."""
    chain = ChainBuilder()
    chain.mine(110)
    chain.now = int(time.time()) + 60  # ahead of the engine's, so that too new is too new for both
    return chain


@pytest.fixture(scope="module")
def engine(chain: ChainBuilder) -> Iterator[CoreEngine]:
    with CoreEngine() as engine:
        for height in range(1, chain.height + 1):
            raw = chain.chainstate.read_block_bytes(chain.chainstate.active[height].hash)
            assert raw is not None and engine.submit(raw) is None
        yield engine


def expected_text(case: BadBlock | BadTransaction, reason: Reason) -> str:
    return case.text or reason.text


@pytest.mark.parametrize("case_type", BAD_BLOCKS, ids=lambda case_type: case_type.__name__)
def test_a_bad_block(case_type: type[BadBlock], chain: ChainBuilder, engine: CoreEngine) -> None:
    case, tip = case_type(), chain.tip
    block = case.build(chain)
    expected = expected_text(case, case.reason)
    once_more = expected if case.forgets else "duplicate-invalid"
    answers = [submit(chain, block), submit(chain, block)]
    assert answers == [expected, once_more]
    assert [engine.submit(block.serialize()) for _ in range(2)] == answers
    assert chain.tip is tip
    assert engine.tip == tip.hash[::-1].hex()
    if case.reason.result is ResultClass.MUTATED:
        entry = chain.chainstate.headers.get(block.hash)
        assert entry is None or not entry.failed


@pytest.mark.parametrize("case_type", BAD_TRANSACTIONS, ids=lambda case_type: case_type.__name__)
def test_a_bad_transaction_in_a_block(
    case_type: type[BadTransaction], chain: ChainBuilder, engine: CoreEngine
) -> None:
    case, tip = case_type(), chain.tip
    block = chain.block([case.build(chain)])
    expected = expected_text(case, case.reason_in_block or case.reason)
    assert submit(chain, block) == expected
    assert engine.submit(block.serialize()) == expected
    assert chain.tip is tip


def test_a_transaction_that_no_block_could_hold(chain: ChainBuilder) -> None:
    for case_type in BAD_TRANSACTIONS:
        if case_type.reason_in_block is not None:
            with pytest.raises(Invalid) as refused:
                check_transaction(case_type().build(chain))
            assert refused.value.reason is case_type.reason


@pytest.fixture(scope="module")
def growing() -> Iterator[tuple[ChainBuilder, CoreEngine]]:
    """A chain, with its equal in the engine, for blocks that are good. Two hours a block."""
    chain = ChainBuilder()
    with CoreEngine() as engine:
        for _ in range(130):
            block = chain.block(time=chain.tip.header.time + 7200)
            assert submit(chain, block) is None and engine.submit(block.serialize()) is None
        yield chain, engine


@pytest.mark.parametrize("case_type", GOOD_BLOCKS, ids=lambda case_type: case_type.__name__)
def test_a_good_block(case_type: type[GoodBlock], growing: tuple[ChainBuilder, CoreEngine]) -> None:
    chain, engine = growing
    block = case_type().build(chain)
    assert submit(chain, block) is None
    assert engine.submit(block.serialize()) is None
    assert chain.tip.hash == block.hash and engine.tip == block.hash[::-1].hex()


@pytest.mark.parametrize("case_type", BAD_SITUATIONS, ids=lambda case_type: case_type.__name__)
def test_a_bad_situation(case_type: type[BadSituation]) -> None:
    invalid = raised_by(case_type())
    assert invalid is not None and invalid.reason is case_type.reason


def test_every_reason_has_its_case() -> None:
    triggered = {case_type.reason for case_type in BAD_BLOCKS}
    triggered |= {case_type.reason for case_type in BAD_TRANSACTIONS}
    triggered |= {case_type.reason for case_type in BAD_SITUATIONS}
    assert triggered == set(Reason)
