"""Transactions by themselves: shape, size, outputs, dust. One row a verdict."""

import pytest

from chain.script.script import push
from chain.transaction import TxIn, TxOut
from tests.builders import NULL, key, make_tx, p2pk, p2pkh, p2sh, p2tr, p2wpkh, p2wsh, padding
from tests.node.serving import QUICK, refusal
from tests.policy.asking import ACCEPTED, HOME, Desk, unlocked

A, B, C, D = (key(number).public for number in range(1, 5))
P2A = b"\x51\x02\x4e\x73"


def multisig(required: int, *keys: bytes, total: int | None = None) -> bytes:
    count = len(keys) if total is None else total
    return bytes([0x50 + required]) + b"".join(map(push, keys)) + bytes([0x50 + count, 0xAE])


def carrier(size: int) -> bytes:
    """An OP_RETURN script of that size."""
    data = size - 1
    prefix = next(len(push(bytes(n))) - n for n in range(data + 1) if len(push(bytes(n))) == data)
    return b"\x6a" + push(bytes(data - prefix))


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk(coins=200)


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        *((0, "version"), (1, ACCEPTED), (2, ACCEPTED), (3, ACCEPTED), (4, "version")),
        *((0xFFFFFFFF, "version"), (0x80000001, "version")),
    ],
)
def test_versions(desk: Desk, version: int, verdict: str) -> None:
    assert desk.verdict(desk.pay(version=version)) == verdict


OUTPUTS: list[tuple[str, bytes, str]] = [
    ("p2pk", p2pk(key(1)), ACCEPTED),
    ("p2pkh", p2pkh(key(1)), ACCEPTED),
    ("p2sh", p2sh(b"\x51"), ACCEPTED),
    ("p2wpkh", p2wpkh(key(1)), ACCEPTED),
    ("p2wsh", p2wsh(b"\x51"), ACCEPTED),
    ("p2tr", p2tr(key(1)), ACCEPTED),
    ("p2a", P2A, ACCEPTED),
    ("version 0, 21 bytes", b"\x00" + push(bytes(21)), "scriptpubkey"),
    ("version 0, 2 bytes", b"\x00" + push(bytes(2)), "scriptpubkey"),
    ("version 1, 31 bytes", b"\x51" + push(bytes(31)), ACCEPTED),
    ("version 1, 40 bytes", b"\x51" + push(bytes(40)), ACCEPTED),
    ("version 1, 41 bytes", b"\x51" + push(bytes(41)), "scriptpubkey"),
    ("version 1, 1 byte", b"\x51" + push(bytes(1)), "scriptpubkey"),
    ("version 2, 2 bytes", b"\x52\x02\x4e\x73", ACCEPTED),
    ("version 16, 32 bytes", b"\x60" + push(bytes(32)), ACCEPTED),
    ("anyone", b"\x51", "scriptpubkey"),
    ("empty", b"", "scriptpubkey"),
    ("unreadable", b"\x4c", "scriptpubkey"),
    ("key of no curve's size", push(bytes(34)) + b"\xac", "scriptpubkey"),
    ("key that is none", push(b"\x02" + bytes(32)) + b"\xac", ACCEPTED),
    ("p2pkh that verifies", p2pkh(key(1))[:-1] + b"\xad", "scriptpubkey"),
    ("1 of 1", multisig(1, A), ACCEPTED),
    ("1 of 2", multisig(1, A, B), ACCEPTED),
    ("3 of 3", multisig(3, A, B, C), ACCEPTED),
    ("1 of 4", multisig(1, A, B, C, D), "scriptpubkey"),
    ("0 of 2", b"\x00" + multisig(1, A, B)[1:], "scriptpubkey"),
    ("3 of 2", multisig(3, A, B), "scriptpubkey"),
    ("2 of 2, said 3", multisig(2, A, B, total=3), "scriptpubkey"),
    ("1 of 1, no key", multisig(1, bytes(33)), "scriptpubkey"),
    ("op_return alone", b"\x6a", ACCEPTED),
    ("op_return pushes", b"\x6a" + push(b"hello") + b"\x51", ACCEPTED),
    ("op_return acts", b"\x6a\xac", "scriptpubkey"),
    ("op_return cut short", b"\x6a\x05\x01", "scriptpubkey"),
    ("op_return reserved", b"\x6a\x50", ACCEPTED),
    ("behind an op_return", b"\x51\x6a", "scriptpubkey"),
]


@pytest.mark.parametrize(("script", "verdict"), [row[1:] for row in OUTPUTS], ids=str)
def test_outputs(desk: Desk, script: bytes, verdict: str) -> None:
    assert desk.verdict(desk.pay(None, TxOut(10_000, script))) == verdict


def test_bare_multisig_where_it_is_not_wanted() -> None:
    desk = Desk(permit_bare_multisig=False)
    for keys, verdict in (((A,), "bare-multisig"), ((A, B, C), "bare-multisig")):
        assert desk.verdict(desk.pay(None, TxOut(10_000, multisig(1, *keys)))) == verdict
    too_many = TxOut(10_000, multisig(1, A, B, C, D))
    assert desk.verdict(desk.pay(None, too_many)) == "scriptpubkey"
    assert desk.rpc("getmempoolinfo")["permitbaremultisig"] is False


CARRIERS: list[tuple[dict[str, int], list[int], str]] = [
    ({}, [100_000], "tx-size"),  # the outputs alone weigh so much
    ({}, [40_000, 50_000], ACCEPTED),
    ({"datacarrier_size": 83}, [83], ACCEPTED),
    ({"datacarrier_size": 83}, [84], "datacarrier"),
    ({"datacarrier_size": 83}, [40, 43], ACCEPTED),
    ({"datacarrier_size": 83}, [40, 44], "datacarrier"),
    ({"datacarrier_size": 83}, [1] * 83, ACCEPTED),
    ({"datacarrier_size": 83}, [1] * 84, "datacarrier"),
    ({"datacarrier_size": 2}, [2], ACCEPTED),
    ({"datacarrier_size": 1}, [1], ACCEPTED),
    ({"datacarrier_size": 1}, [2], "datacarrier"),
    ({"datacarrier_size": 0}, [1], "datacarrier"),
    ({"datacarrier": False}, [1], "datacarrier"),
    ({"datacarrier": False, "datacarrier_size": 83}, [1], "datacarrier"),
    ({"datacarrier_size": 100_001}, [99_700], ACCEPTED),
]


@pytest.mark.parametrize(("policy", "sizes", "verdict"), CARRIERS)
def test_data(policy: dict[str, int], sizes: list[int], verdict: str) -> None:
    desk = Desk(QUICK, 1, **policy)
    outputs = [TxOut(0, b"\x6a" if size == 1 else carrier(size)) for size in sizes]
    assert desk.verdict(desk.pay(None, *outputs, fee=50_000)) == verdict


DUST = [
    (p2pk(key(1)), 576),
    (p2pkh(key(1)), 546),
    (p2sh(b"\x51"), 540),
    (p2wpkh(key(1)), 294),
    (p2wsh(b"\x51"), 330),
    (p2tr(key(1)), 330),
    (P2A, 240),
    (b"\x60" + push(bytes(2)), 240),
    (b"\x51" + push(bytes(40)), 354),
    (multisig(1, A), 582),
    (multisig(1, A, B, C), 786),
]


@pytest.mark.parametrize(("script", "least"), DUST)
def test_dust(desk: Desk, script: bytes, least: int) -> None:
    below = TxOut(least - 1, script)
    assert desk.verdict(desk.pay(None, below)) == "dust, tx with dust output must be 0-fee"
    assert desk.verdict(desk.pay(None, below, below)) == "dust"
    free = desk.pay(None, below, fee=0)
    cost = 81 if script[-1] == 0xAE else 2 if script[-1] == 0xAC else 1
    vsize = max(free.vsize, cost * 20 // 4)  # a bare multisig counts for twenty
    assert desk.verdict(free) == f"min relay fee not met, 0 < {-(-vsize // 10)}"
    assert desk.verdict(desk.pay(None, TxOut(least, script))) == ACCEPTED


@pytest.mark.parametrize(("feerate", "least"), [(0, 0), (1, 1), (1_000, 98), (3_333, 327)])
def test_another_dust_feerate(feerate: int, least: int) -> None:
    desk = Desk(coins=4, dust_relay_feerate=feerate)
    if least:
        below = desk.pay(None, TxOut(least - 1, HOME))
        assert desk.verdict(below) == "dust, tx with dust output must be 0-fee"
    assert desk.verdict(desk.pay(None, TxOut(least, HOME))) == ACCEPTED


def test_op_return_is_no_dust_and_neither_is_anything_where_all_is_relayed(desk: Desk) -> None:
    assert desk.verdict(desk.pay(None, TxOut(0, b"\x6a"), TxOut(0, b"\x6a"))) == ACCEPTED
    lenient = Desk(accept_nonstandard=True)
    assert lenient.verdict(lenient.pay(None, TxOut(0, HOME), TxOut(0, HOME))) == ACCEPTED
    assert lenient.verdict(lenient.pay(None, TxOut(9, b"\x51"), version=7)) == ACCEPTED


@pytest.mark.parametrize(
    ("size", "verdict"), [(63, "tx-size-small"), (64, "tx-size-small"), (65, ACCEPTED)]
)
def test_smallest(desk: Desk, size: int, verdict: str) -> None:
    data = b"\x6a" + push(bytes(size - 60 - 2)) if size > 62 else b"\x6a"
    assert 60 + len(data) == size
    tx = desk.chain.spend(desk.coin(), [TxOut(0, data)])
    assert tx.stripped_size == size + 1 - 1
    assert desk.verdict(tx) == verdict
    lenient = Desk(coins=1, accept_nonstandard=True)
    assert lenient.verdict(lenient.chain.spend(lenient.coin(), [TxOut(0, data)])) == verdict


@pytest.mark.parametrize(("over", "verdict"), [(0, ACCEPTED), (4, "tx-size")])
def test_heaviest(desk: Desk, over: int, verdict: str) -> None:
    """An output's byte weighs four: the witness item must make the weight even."""
    source = desk.fund([p2wsh(b"\x75\x51")])[0]
    for item in range(1, 5):
        small = unlocked(source, TxOut(0, padding(300)), witness=[bytes(item), b"\x75\x51"])
        if small.weight % 4 == 0:
            size = 300 + (400_000 + over - small.weight) // 4 - 2
            tx = unlocked(source, TxOut(0, padding(size)), witness=[bytes(item), b"\x75\x51"])
            size += (400_000 + over - tx.weight) // 4
            tx = unlocked(source, TxOut(0, padding(size)), witness=[bytes(item), b"\x75\x51"])
            assert tx.weight == 400_000 + over
            assert desk.verdict(tx) == verdict
            return
    raise AssertionError("no witness of that length")


def test_scriptsigs(desk: Desk) -> None:
    for script_sig, reason in (
        (push(bytes(520)) * 3 + push(bytes(80)), "scriptsig-size"),  # 1,651 bytes
        (b"\x61", "scriptsig-not-pushonly"),
        (b"\x4c", "scriptsig-not-pushonly"),
        (b"\x61" * 1_651, "scriptsig-size"),
    ):
        assert desk.verdict(unlocked(desk.coin(), script_sig=script_sig)) == reason
    longest = push(bytes(520)) * 3 + push(bytes(79))
    assert len(longest) == 1_650
    verdict = desk.verdict(unlocked(desk.coin(), script_sig=longest))
    assert verdict.startswith(
        "mempool-script-verify-flag-failed (Witness requires empty scriptSig)"
    )


def test_what_consensus_forbids(desk: Desk) -> None:
    coin = desk.coin()
    spent = TxIn(coin.outpoint)
    out = TxOut(1_000, HOME)
    rows = [
        (make_tx([spent], []), "bad-txns-vout-empty"),
        (make_tx([spent], [TxOut(-1, HOME)]), "bad-txns-vout-negative"),
        (make_tx([spent], [TxOut(21 * 10**14 + 1, HOME)]), "bad-txns-vout-toolarge"),
        (make_tx([spent], [TxOut(21 * 10**14, HOME), out]), "bad-txns-txouttotal-toolarge"),
        (make_tx([spent, spent], [out]), "bad-txns-inputs-duplicate"),
        (
            desk.chain.spend(coin, [TxOut(100_000_001, HOME)]),
            "bad-txns-in-belowout, value in (1.00) < value out (1.00000001)",
        ),
    ]
    for tx, verdict in rows:
        assert desk.verdict(tx) == verdict
    brief = make_tx([TxIn(NULL, b"\1")], [out])
    assert desk.verdict(brief) == "bad-cb-length"
    assert desk.verdict(make_tx([TxIn(NULL), spent], [out])) == "bad-txns-prevout-null"
    huge = make_tx([spent], [TxOut(0, padding(1_000_001))])
    assert desk.verdict(huge) == "bad-txns-oversize"


def test_a_transaction_without_inputs_is_understood_if_it_has_no_outputs(desk: Desk) -> None:
    blank = "01000000" + "00" + "00" + "00000000"
    (answer,) = desk.rpc("testmempoolaccept", [blank])
    assert answer["reject-reason"] == "bad-txns-vin-empty"
    for count in (1, 2):  # taken for the flag of those with witnesses
        text = "01000000" + "00" + f"{count:02x}" + ("e803000000000000" + "0151") * count + "00" * 4
        for method, params in (
            ("sendrawtransaction", [text]),
            ("testmempoolaccept", [[text]]),
            ("submitpackage", [[text]]),
        ):
            code, what = refusal(desk, method, *params)
            assert (code, what[:16]) == (-22, "TX decode failed")


def test_coinbases_travel_only_in_blocks(desk: Desk) -> None:
    block = desk.chain.block()
    assert desk.verdict(block.transactions[0]) == "coinbase"
    desk.chain.accept(block)
    answer = "-27 Transaction outputs already in utxo set"
    assert desk.send(block.transactions[0]) == answer
