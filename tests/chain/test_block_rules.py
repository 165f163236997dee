"""Rules of blocks and headers that the cases do not reach: activation, order, subsidy."""

from collections.abc import Callable

import pytest

from chain.block import Block
from chain.block_rules import (
    check_block,
    check_block_context,
    check_header_context,
    check_proof,
    subsidy,
)
from chain.errors import Invalid, Reason
from chain.headers import HeaderEntry
from chain.params import CLASSROOM, MAIN, REGTEST, Params, with_activation_heights
from chain.transaction import TxOut
from tests.builders import (
    ANYONE,
    OutPoint,
    committing,
    make_block,
    make_coinbase,
    make_tx,
    solve,
    tx_in,
    with_inputs,
)

GENESIS = HeaderEntry(REGTEST.genesis.header, None)
SOMETHING = OutPoint(b"\x07" * 32, 0)
NOW = REGTEST.genesis.header.time + 10_000


def verdict(check: Callable[..., object], *arguments: object) -> str | None:
    """The reject reason of a check, None if it passes."""
    try:
        check(*arguments)
    except Invalid as invalid:
        return invalid.reject_reason
    return None


def test_a_genesis_block_is_given_even_where_its_target_is_too_easy() -> None:
    for params in (REGTEST, CLASSROOM, MAIN):
        check_proof(params.genesis.header, params)
        check_block(params.genesis, params)
    # Anyone else's block with regtest's bits is too easy for the classroom.
    easy = solve(REGTEST.genesis.header._replace(time=7, nonce=0))
    check_proof(easy, REGTEST)
    assert verdict(check_proof, easy, CLASSROOM) == "high-hash"


def test_proof_of_work_may_be_left_out_of_the_question() -> None:
    block = make_block(GENESIS, [make_coinbase(1, [TxOut(0, ANYONE)])])
    unsolved = Block(solve(block.header, valid=False), block.transactions)
    assert verdict(check_block, unsolved, REGTEST) == "high-hash"
    check_block(unsolved, REGTEST, check_proof_of_work=False)


def test_proof_of_work_comes_before_the_body_and_the_root_before_the_rest() -> None:
    header = solve(REGTEST.genesis.header._replace(merkle_root=bytes(32)), valid=False)
    assert verdict(check_block, Block(header, []), REGTEST) == "high-hash"
    solved = solve(header._replace(merkle_root=b"\x07" * 32))
    assert verdict(check_block, Block(solved, []), REGTEST) == "bad-txnmrklroot"
    # The root of nothing is zero.
    solved = solve(header)
    assert verdict(check_block, Block(solved, []), REGTEST) == "bad-blk-length"


@pytest.mark.parametrize(
    ("version", "height", "expected"),
    [
        (1, 9, None),
        (1, 10, "bad-version(0x00000001)"),
        (-1, 10, "bad-version(0xffffffff)"),
        (2, 19, None),
        (2, 20, "bad-version(0x00000002)"),
        (3, 29, None),
        (3, 30, "bad-version(0x00000003)"),
        (4, 30, None),
    ],
)
def test_versions_go_out_of_use_one_by_one(version: int, height: int, expected: str | None) -> None:
    params = with_activation_heights(REGTEST, {"bip34": 10, "dersig": 20, "cltv": 30})
    parent = chain_of(height - 1, params)
    header = make_block(parent, [], params, version=version).header
    assert verdict(check_header_context, header, parent, params, NOW) == expected


def chain_of(height: int, params: Params) -> HeaderEntry:
    entry = GENESIS
    for _ in range(height):
        entry = HeaderEntry(make_block(entry, [], params).header, entry)
    return entry


def test_a_header_may_be_two_hours_ahead_and_must_be_after_the_median() -> None:
    parent = chain_of(12, REGTEST)
    for time, now, expected in [
        (parent.median_time_past, NOW, "time-too-old"),
        (parent.median_time_past + 1, NOW, None),
        (NOW + 7200, NOW, None),
        (NOW + 7201, NOW, "time-too-new"),
    ]:
        header = make_block(parent, [], time=time).header
        assert verdict(check_header_context, header, parent, REGTEST, now) == expected


def test_bits_come_before_time_and_time_before_version() -> None:
    parent = chain_of(12, REGTEST)
    bad = make_block(parent, [], time=parent.median_time_past, version=1).header
    for header, expected in [
        (bad._replace(bits=0x207FFFFE), "bad-diffbits"),
        (bad, "time-too-old"),
        (bad._replace(time=NOW), "bad-version(0x00000001)"),
    ]:
        assert verdict(check_header_context, header, parent, REGTEST, NOW) == expected


def test_before_relative_locks_lock_times_end_with_the_blocks_own_time() -> None:
    """BIP 113 replaced the time of the block itself by the median time past."""
    params = with_activation_heights(REGTEST, {"csv": 20})
    for height, expected in ((19, None), (20, "bad-txns-nonfinal")):
        parent = chain_of(height - 1, params)
        time = parent.header.time + 1
        assert parent.median_time_past < time - 1
        locked = make_tx([tx_in(SOMETHING, b"", 0)], [TxOut(0, ANYONE)], locktime=time - 1)
        block = make_block(parent, [make_coinbase(height, [TxOut(0, ANYONE)]), locked], time=time)
        assert verdict(check_block_context, block, parent, params) == expected


def test_before_their_soft_forks_heights_and_commitments_are_not_asked_for() -> None:
    params = with_activation_heights(REGTEST, {"bip34": 3, "segwit": 3})
    for height in (2, 3):
        parent = chain_of(height - 1, params)
        wrong = make_coinbase(7, [TxOut(0, ANYONE)])
        block = make_block(parent, [wrong], params)
        expected = None if height < 3 else "bad-cb-height"
        assert verdict(check_block_context, block, parent, params) == expected
        right = make_coinbase(height, [TxOut(0, ANYONE)])
        committed = committing(right, [])
        spoilt = with_inputs(committed, [committed.inputs[0]._replace(witness=(b"\x07" * 32,))])
        block = make_block(parent, [spoilt], params)
        # Before segwit nothing commits to a witness, so that there must be none.
        expected = "unexpected-witness" if height < 3 else "bad-witness-merkle-match"
        assert verdict(check_block_context, block, parent, params) == expected


def test_the_order_of_the_rules_after_the_parent() -> None:
    parent = chain_of(5, REGTEST)
    locked = make_tx([tx_in(SOMETHING, b"", 0)], [TxOut(0, ANYONE)], locktime=6)
    wrong_height = make_coinbase(7, [TxOut(0, ANYONE)], witness=[b"\x07"])
    right_height = make_coinbase(6, [TxOut(0, ANYONE)], witness=[b"\x07"])
    for txs, expected in [
        ([wrong_height, locked], "bad-txns-nonfinal"),
        ([wrong_height], "bad-cb-height"),
        ([right_height], "unexpected-witness"),
    ]:
        block = make_block(parent, txs)
        assert verdict(check_block_context, block, parent, REGTEST) == expected


def test_the_subsidy_halves_until_nothing_is_left() -> None:
    assert [subsidy(height, MAIN) for height in (0, 1, 209_999, 210_000, 420_000, 840_000)] == [
        5_000_000_000,
        5_000_000_000,
        5_000_000_000,
        2_500_000_000,
        1_250_000_000,
        312_500_000,
    ]
    assert subsidy(33 * 210_000 - 1, MAIN) == 1
    assert subsidy(33 * 210_000, MAIN) == 0
    assert subsidy(64 * 210_000, MAIN) == 0
    total = sum(subsidy(era * 210_000, MAIN) * 210_000 for era in range(70))
    assert total == 2_099_999_997_690_000
    assert [subsidy(height, REGTEST) for height in (149, 150, 299, 300)] == [
        5_000_000_000,
        2_500_000_000,
        2_500_000_000,
        1_250_000_000,
    ]


def test_reasons_say_what_was_found() -> None:
    parent = chain_of(1, REGTEST)
    header = make_block(parent, [], version=1).header
    with pytest.raises(Invalid) as refused:
        check_header_context(header, parent, REGTEST, NOW)
    assert refused.value.reason is Reason.BAD_VERSION
    with pytest.raises(Invalid, match=r"^bad-diffbits, 207ffffe instead of 207fffff$"):
        check_header_context(header._replace(bits=0x207FFFFE), parent, REGTEST, NOW)
