"""Transaction rules at their edges. What a block does with them is in tests/cases."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.coins import Coin
from chain.errors import Invalid, Reason
from chain.params import CLASSROOM, REGTEST, Params
from chain.script.flags import ScriptFlag
from chain.script.script import push
from chain.transaction import OutPoint, Transaction, TxOut
from chain.tx_rules import (
    check_inputs,
    check_transaction,
    is_final,
    legacy_sigops,
    sequence_locks,
    sigop_cost,
)
from tests.builders import (
    ANYONE,
    FINAL,
    key,
    make_coinbase,
    make_tx,
    p2sh,
    p2wpkh,
    p2wsh,
    padding,
    tx_in,
)

MAX_MONEY = 2_100_000_000_000_000
HERE = OutPoint(b"\x07" * 32, 0)
THERE = OutPoint(b"\x07" * 32, 1)
P2SH, WITNESS = ScriptFlag.P2SH, ScriptFlag.WITNESS


def paying(*values: int) -> Transaction:
    return make_tx([tx_in(HERE)], [TxOut(value, ANYONE) for value in values])


def refusal(check: Callable[..., object], *arguments: object) -> Reason:
    """The reason for which a check refuses."""
    with pytest.raises(Invalid) as refused:
        check(*arguments)
    return refused.value.reason


def test_all_the_money_there_is_may_be_paid() -> None:
    check_transaction(paying(MAX_MONEY))
    check_transaction(paying(MAX_MONEY - 1, 1, 0))


def test_a_transaction_may_be_as_long_as_a_block() -> None:
    empty = make_tx([tx_in(HERE)], [TxOut(0, padding(300))])
    script = padding(300 + 1_000_000 - empty.stripped_size - 2)  # its length takes two bytes more
    full = make_tx([tx_in(HERE)], [TxOut(0, script)])
    assert full.stripped_size == 1_000_000
    check_transaction(full)


def test_the_first_broken_rule_decides() -> None:
    nothing = make_tx([], [])
    assert refusal(check_transaction, nothing) is Reason.BAD_TXNS_VIN_EMPTY
    both = paying(-1, MAX_MONEY + 1)
    assert refusal(check_transaction, both) is Reason.BAD_TXNS_VOUT_NEGATIVE
    twice = make_tx([tx_in(HERE), tx_in(HERE)], [TxOut(-1, ANYONE)])
    assert refusal(check_transaction, twice) is Reason.BAD_TXNS_VOUT_NEGATIVE


def test_a_coinbase_script_has_2_to_100_bytes() -> None:
    good = make_coinbase(1, [TxOut(0, ANYONE)])
    for length in (2, 100):
        tx = make_tx([good.inputs[0]._replace(script_sig=bytes(length))], good.outputs)
        check_transaction(tx)
    for length in (0, 1, 101):
        tx = make_tx([good.inputs[0]._replace(script_sig=bytes(length))], good.outputs)
        assert refusal(check_transaction, tx) is Reason.BAD_CB_LENGTH


@pytest.mark.parametrize(
    ("locktime", "sequence", "final"),
    [
        (0, 0, True),
        (99, 0, True),
        (100, 0, False),  # the height itself is too early
        (100, FINAL, True),
        (499_999_999, 0, False),
        (500_000_000, 0, True),  # from here on it is seconds
        (1_599_999_999, 0, True),
        (1_600_000_000, 0, False),
        (0xFFFFFFFF, 0, False),
        (0xFFFFFFFF, FINAL, True),
    ],
)
def test_lock_times(locktime: int, sequence: int, final: bool) -> None:
    tx = make_tx([tx_in(HERE, b"", sequence)], [], locktime=locktime)
    assert is_final(tx, 100, 1_600_000_000) is final


def test_one_input_that_is_not_final_is_enough_to_lock() -> None:
    tx = make_tx([tx_in(HERE, b"", FINAL), tx_in(THERE, b"", FINAL - 1)], [], locktime=100)
    assert not is_final(tx, 100, 0)


def median_time_at(height: int) -> int:
    """A chain with ten minutes between blocks."""
    return 1_000_000 + 600 * height


@pytest.mark.parametrize(
    ("sequences", "version", "expected"),
    [
        ([0], 2, (49, -1)),
        ([10], 2, (59, -1)),
        ([0xFFFF], 2, (50 + 0xFFFF - 1, -1)),
        ([0x7FBF000A], 2, (59, -1)),  # bits without meaning are ignored
        ([10], 1, (-1, -1)),
        ([10], 0xFFFFFFFF, (59, -1)),  # the version is an unsigned number
        ([10 | 1 << 31], 2, (-1, -1)),
        ([10 | 1 << 22], 2, (-1, 1_000_000 + 600 * 49 + 10 * 512 - 1)),
        ([10, 3 | 1 << 22, 20, 1 | 1 << 22], 2, (69, 1_000_000 + 600 * 49 + 3 * 512 - 1)),
    ],
)
def test_relative_locks(sequences: list[int], version: int, expected: tuple[int, int]) -> None:
    tx = make_tx([tx_in(HERE, b"", sequence) for sequence in sequences], [], version)
    assert sequence_locks(tx, [50] * len(sequences), median_time_at) == expected


def test_a_coin_of_the_genesis_block_has_no_block_before_it() -> None:
    tx = make_tx([tx_in(HERE, b"", 1 << 22 | 1)], [])
    assert sequence_locks(tx, [0], median_time_at) == (-1, 1_000_000 + 511)


def coin(value: int, height: int = 0, is_coinbase: bool = False) -> Coin:
    return Coin(TxOut(value, ANYONE), height, is_coinbase)


def test_the_fee_is_what_is_left() -> None:
    coins = {HERE: coin(70), THERE: coin(30)}
    tx = make_tx([tx_in(HERE), tx_in(THERE)], [TxOut(60, ANYONE), TxOut(33, ANYONE)])
    assert check_inputs(tx, coins.get, 1, REGTEST) == (7, [coins[HERE], coins[THERE]])
    free = make_tx([tx_in(THERE)], [TxOut(30, ANYONE)])
    assert check_inputs(free, coins.get, 1, REGTEST) == (0, [coins[THERE]])


def test_coins_of_nothing_and_of_everything_may_be_spent() -> None:
    coins = {HERE: coin(0), THERE: coin(MAX_MONEY)}
    tx = make_tx([tx_in(HERE), tx_in(THERE)], [TxOut(0, ANYONE)])
    assert check_inputs(tx, coins.get, 1, REGTEST)[0] == MAX_MONEY


def test_missing_inputs_are_noticed_before_anything_else() -> None:
    coins = {HERE: coin(-5, 0, True)}
    tx = make_tx([tx_in(HERE), tx_in(THERE)], [TxOut(60, ANYONE)])
    reason = refusal(check_inputs, tx, coins.get, 1, REGTEST)
    assert reason is Reason.BAD_TXNS_INPUTS_MISSINGORSPENT


@pytest.mark.parametrize(("params", "maturity"), [(REGTEST, 100), (CLASSROOM, 10)])
def test_a_coinbase_matures(params: Params, maturity: int) -> None:
    coins = {HERE: coin(70, 5, True)}
    tx = make_tx([tx_in(HERE)], [TxOut(60, ANYONE)])
    reason = refusal(check_inputs, tx, coins.get, 5 + maturity - 1, params)
    assert reason is Reason.BAD_TXNS_PREMATURE_SPEND_OF_COINBASE
    assert check_inputs(tx, coins.get, 5 + maturity, params)[0] == 10


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (ScriptFlag.NONE, 0),
        (P2SH, 23 * 4),
        (P2SH | WITNESS, 23 * 4 + 23 + 1 + 23),
    ],
)
def test_sigops_in_what_is_spent(flags: ScriptFlag, expected: int) -> None:
    """Inputs: P2SH, P2WSH, P2WPKH, P2SH of P2WSH, and a witness version without a count."""
    script = b"\x52\xae" + b"\xac" + b"\xae"  # 2 keys, 1, and at most 20: in all 23
    program = p2wsh(script)
    outputs = [p2sh(script), program, p2wpkh(key(1)), p2sh(program), b"\x51\x20" + bytes(32)]
    inputs = [
        tx_in(HERE, push(script)),
        tx_in(HERE, b"", 0, script),
        tx_in(HERE, b"", 0, b"", b""),
        tx_in(HERE, push(program), 0, script),
        tx_in(HERE, b"", 0, script),
    ]
    spent = [Coin(TxOut(1, output), 1, False) for output in outputs]
    assert sigop_cost(make_tx(inputs, []), spent, flags) == expected


@pytest.mark.parametrize(
    "script_sig",
    [
        b"",
        b"\x51",  # a number leaves nothing to parse
        b"\x01\xac\x61",  # NOP is no push
        b"\x01\xac\x05\xac",  # cut off
    ],
)
def test_a_script_sig_that_does_more_than_push_hides_no_sigops(script_sig: bytes) -> None:
    spent = [Coin(TxOut(1, p2sh(b"\xac")), 1, False)]
    assert sigop_cost(make_tx([tx_in(HERE, script_sig)], []), spent, P2SH | WITNESS) == 0


def test_a_p2wsh_input_without_witness_counts_nothing() -> None:
    spent = [Coin(TxOut(1, p2wsh(b"\xac")), 1, False)]
    assert sigop_cost(make_tx([tx_in(HERE)], []), spent, P2SH | WITNESS) == 0


@given(st.lists(st.binary(max_size=8), max_size=3), st.lists(st.binary(max_size=8), max_size=3))
def test_legacy_sigops_are_those_of_all_scripts(sigs: list[bytes], keys: list[bytes]) -> None:
    tx = make_tx([tx_in(HERE, sig) for sig in sigs], [TxOut(0, script) for script in keys])
    alone = [make_tx([tx_in(HERE, sig)], []) for sig in sigs]
    alone += [make_tx([], [TxOut(0, script)]) for script in keys]
    assert legacy_sigops(tx) == sum(legacy_sigops(each) for each in alone)
    assert sigop_cost(make_coinbase(1, tx.outputs), (), P2SH) == 4 * legacy_sigops(
        make_tx([], tx.outputs)
    )


def test_legacy_sigops_count_every_multisig_as_twenty() -> None:
    two_keys = b"\x52\xae"
    assert legacy_sigops(make_tx([tx_in(HERE, two_keys)], [])) == 20
    assert legacy_sigops(make_tx([], [TxOut(0, two_keys)])) == 20


def test_the_script_of_p2sh_is_the_last_push() -> None:
    spent = [Coin(TxOut(1, p2sh(b"\xac")), 1, False)]
    tx = make_tx([tx_in(HERE, push(b"\xac\xac") + push(b"\xac"))], [])
    assert sigop_cost(tx, spent, P2SH) == 4


@pytest.mark.parametrize(
    ("script_pubkey", "witness", "expected"),
    [
        (b"\x00\x14" + bytes(20), [b"\xac\xac"], 1),
        (b"\x51\x14" + bytes(20), [b"\xac\xac"], 0),
        (b"\x00\x20" + bytes(32), [b"\xac\xac", b"\xac"], 1),
        (b"\x51\x20" + bytes(32), [b"\xac\xac", b"\xac"], 0),
        (b"\x00\x13" + bytes(19), [b"\xac\xac"], 0),
        (b"\x00\x15" + bytes(21), [b"\xac\xac"], 0),
        (b"\x00\x1f" + bytes(31), [b"\xac\xac"], 0),
        (b"\x00\x21" + bytes(33), [b"\xac\xac"], 0),
    ],
)
def test_witnesses_count_for_programs_of_version_0_and_their_two_sizes(
    script_pubkey: bytes, witness: list[bytes], expected: int
) -> None:
    spent = [Coin(TxOut(1, script_pubkey), 1, False)]
    tx = make_tx([tx_in(HERE, b"", 0, *witness)], [])
    assert sigop_cost(tx, spent, P2SH | WITNESS) == expected
