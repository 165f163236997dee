"""Creating: the fee is right before anybody has signed, whatever shape the coins have."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.params import REGTEST
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet.errors import AbsurdFee, NotEnoughMoney
from wallet.hd import ExtendedPrivateKey
from wallet.ledger import Coin, KeyPath
from wallet.psbt.create import create, input_weight
from wallet.psbt.finish import extract, finalize
from wallet.psbt.inputs import fee
from wallet.psbt.packet import Psbt
from wallet.psbt.signing import keys_of_master, sign
from wallet.script_expression import parse_descriptor

COIN = 100_000_000
H = 2**31
MASTERS = [ExtendedPrivateKey.from_seed(bytes([number]) * 32) for number in (1, 2, 3)]
SOMEBODY = b"\x00\x14" + bytes(20)


def key(number: int) -> str:
    account = MASTERS[number].derive((48 + H, 1 + H)).public.serialize(REGTEST)
    return f"[{MASTERS[number].public.fingerprint.hex()}/48h/1h]{account}/<0;1>/*"


ALL = ",".join(map(key, range(3)))
BODIES = [
    f"wpkh({key(0)})",
    f"sh(wpkh({key(0)}))",
    f"pkh({key(0)})",
    f"tr({key(0)})",
    f"wsh(sortedmulti(2,{ALL}))",
    f"sh(wsh(multi(3,{ALL})))",
    f"sh(multi(1,{ALL}))",
    f"wsh(pkh({key(0)}))",
]


def made(body: str, values: list[int], paid: int, rate: int, seed: int = 1) -> Psbt:
    ours = parse_descriptor(body, REGTEST)
    outputs = [TxOut(value, ours.script(0, index)) for index, value in enumerate(values)]
    source = Transaction(2, [TxIn(OutPoint(b"\x05" * 32, 0), b"\x51")], outputs, 0)
    coins = [
        Coin(OutPoint(source.txid, index), value, KeyPath(0, 0, index), 5, False, False)
        for index, value in enumerate(values)
    ]
    sources, payment = {source.txid: source}, TxOut(paid, SOMEBODY)
    return create(ours, coins, sources, [payment], 0, rate, random.Random(seed))


def signed(psbt: Psbt) -> Transaction:
    for master in MASTERS:
        psbt, _ = sign(psbt, keys_of_master(master), REGTEST)
    return extract(finalize(psbt).psbt)


@pytest.mark.parametrize("body", BODIES, ids=[body[:10] for body in BODIES])
def test_the_rate_is_met_and_not_by_much(body: str) -> None:
    for count in (1, 3):
        psbt = made(body, [COIN] * count, count * COIN - COIN // 2, 5_000)
        transaction = signed(psbt)
        paid = fee(psbt)
        assert paid is not None and len(transaction.inputs) == count
        # our own signatures have 71 bytes, a stranger's 72
        assert 5 <= paid / transaction.vsize < 5.15
        assert sorted(output.value for output in transaction.outputs)[0] > 40_000_000


def test_weights_are_those_of_the_proposals() -> None:
    def weight(body: str) -> int:
        return input_weight(parse_descriptor(body, REGTEST).expand(0))

    assert weight(f"tr({key(0)})") == 230  # 57.5 virtual bytes
    assert weight(f"wpkh({key(0)})") == 272  # 68
    assert weight(f"sh(wpkh({key(0)}))") == 272 + 4 * 23
    assert weight(f"pkh({key(0)})") == 4 * 148
    assert weight(f"wsh(multi(2,{ALL}))") == 418  # 104.5


@given(
    st.lists(st.integers(1_000, COIN), min_size=1, max_size=6),
    st.integers(600, 3 * COIN),
    st.integers(1_000, 50_000),
)
@settings(max_examples=40)
def test_inputs_are_outputs_and_fee(values: list[int], paid: int, rate: int) -> None:
    try:
        psbt = made(BODIES[0], values, paid, rate)
    except NotEnoughMoney as error:
        assert error.have == sum(values) and error.need > error.have - COIN
        return
    outputs = psbt.transaction.outputs
    assert TxOut(paid, SOMEBODY) in outputs and len(outputs) <= 2
    cost = fee(psbt)
    assert cost is not None and cost * 1000 >= rate * signed(psbt).vsize
    assert all(output.value >= 294 for output in outputs)


def test_what_is_absurd_or_too_much_is_refused() -> None:
    with pytest.raises(AbsurdFee, match=r"1001 sat/vB is absurd"):
        made(BODIES[0], [COIN], 1_000, 1_001_000)
    with pytest.raises(AbsurdFee, match=r"is absurd; at most 0\.10000000"):
        made(BODIES[4], [COIN // 50] * 140, 2 * COIN, 1_000_000)
    with pytest.raises(NotEnoughMoney, match=r"0\.50000000 BTC can be spent now"):
        made(BODIES[0], [COIN // 2], COIN, 1_000)
    with pytest.raises(NotEnoughMoney):
        made(BODIES[0], [], COIN, 1_000)
