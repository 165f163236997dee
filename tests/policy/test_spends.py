"""What is spent and how: coins of odd kinds, witnesses, signature operations. A row a verdict."""

import pytest

from chain.script.script import push
from chain.transaction import Transaction, TxIn, TxOut
from tests.builders import Spendable, key, make_tx, p2pkh, p2sh, p2tr, p2wsh
from tests.policy.asking import ACCEPTED, HOME, Desk, nested, unlocked

P2A = b"\x51\x02\x4e\x73"
FAILED = "mempool-script-verify-flag-failed"
NONSTANDARD = "bad-txns-nonstandard-inputs"
STUFFED = "bad-witness-nonstandard"
TRUE = b"\x51"


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk()


def spend(
    desk: Desk, script: bytes, *, script_sig: bytes = b"", witness: tuple[bytes, ...] = ()
) -> str:
    """The verdict on spending a mined output of that script, cut off before the ids."""
    (coin,) = desk.fund([script])
    return desk.verdict(unlocked(coin, script_sig=script_sig, witness=witness)).split(" of ")[0]


KINDS = [
    (TRUE, "", (), f"{NONSTANDARD}, input 0 script unknown"),
    (b"", "51", (), f"{NONSTANDARD}, input 0 script unknown"),
    (b"\x00" + push(bytes(10)), "", (), f"{NONSTANDARD}, input 0 script unknown"),
    (b"\x52" + push(bytes(2)), "", (), f"{NONSTANDARD}, input 0 witness program is undefined"),
    (b"\x51" + push(bytes(31)), "", (), f"{NONSTANDARD}, input 0 witness program is undefined"),
    (P2A, "", (), ACCEPTED),
    (P2A, "", (b"",), STUFFED),
    (P2A, "51", (), f"{FAILED} (Witness requires empty scriptSig), input 0"),
    (p2pkh(key(1)), "51", (b"\x01",), STUFFED),
    (p2sh(TRUE), "0151", (), ACCEPTED),
    (p2sh(TRUE), "0151", (b"\x01",), STUFFED),
    (p2sh(TRUE), "", (), f"{NONSTANDARD}, input 0 P2SH redeemscript missing"),
    (p2sh(TRUE), "500151", (), f"{NONSTANDARD}, p2sh scriptsig malformed (input 0: Opcode missing "
     "or not understood)"),
    (p2sh(TRUE), "4d0902" + "00" * 521 + "0151", (), f"{NONSTANDARD}, p2sh scriptsig malformed "
     "(input 0: Push value size limit exceeded)"),
    (p2sh(TRUE), "510151", (), f"{FAILED} (Stack size must be exactly one after "
     "execution), input 0"),
    (p2sh(TRUE), "0152", (), f"{FAILED} (Script evaluated without error but finished with a "
     "false/empty top stack element), input 0"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "script_sig", "witness", "verdict"), KINDS)
def test_kinds(
    desk: Desk, script: bytes, script_sig: str, witness: tuple[bytes, ...], verdict: str
) -> None:
    assert spend(desk, script, script_sig=bytes.fromhex(script_sig), witness=witness) == verdict


@pytest.mark.parametrize(
    ("redeem", "verdict"),
    [
        # never executed, but counted
        (b"\x00\x63" + b"\xac" * 15 + b"\x68\x51", ACCEPTED),
        (b"\x00\x63" + b"\xac" * 16 + b"\x68\x51",
         f"{NONSTANDARD}, p2sh redeemscript sigops exceed limit (input 0: 16 > 15)"),
        (b"\x00\x63\x5f\xae\x68\x51", ACCEPTED),  # a multisig of 15
        (b"\x00\x63\x60\xae\x68\x51",
         f"{NONSTANDARD}, p2sh redeemscript sigops exceed limit (input 0: 16 > 15)"),
        (b"\x00\x63\xae\x68\x51",  # of an unknown number: counted as 20
         f"{NONSTANDARD}, p2sh redeemscript sigops exceed limit (input 0: 20 > 15)"),
    ],
)  # fmt: skip
def test_sigops_of_a_redeem_script(desk: Desk, redeem: bytes, verdict: str) -> None:
    script, script_sig = nested(redeem)
    assert spend(desk, script, script_sig=script_sig) == verdict


@pytest.mark.parametrize(
    ("pushes", "detail"),
    [
        (b"\x51" * 1_000, "Stack size limit exceeded"),  # and the redeem script is one more
        (b"\x51" * 1_000 + push(bytes(521)), "Push value size limit exceeded"),
    ],
)
def test_a_scriptsig_that_pushes_too_much(desk: Desk, pushes: bytes, detail: str) -> None:
    script, script_sig = nested(TRUE)
    verdict = spend(desk, script, script_sig=pushes + script_sig)
    assert verdict == f"{NONSTANDARD}, p2sh scriptsig malformed (input 0: {detail})"
    fits = spend(desk, script, script_sig=pushes[:998] + script_sig)
    assert fits == f"{FAILED} (Stack size must be exactly one after execution), input 0"


def dropping(count: int, size: int) -> tuple[bytes, tuple[bytes, ...]]:
    """A script that wants `count` items, and those."""
    return b"\x75" * count + TRUE, (bytes(size),) * count


WITNESSES = [
    (*dropping(1, 80), ACCEPTED),
    (*dropping(1, 81), STUFFED),
    (*dropping(100, 1), ACCEPTED),
    (*dropping(101, 1), STUFFED),
    (b"\x75\x75\x51", (bytes(81), b"\x01"), STUFFED),
    (b"\x75" * 99 + TRUE, (bytes(80),) * 99, ACCEPTED),
]


@pytest.mark.parametrize(("script", "items", "verdict"), WITNESSES)
def test_witness_scripts(desk: Desk, script: bytes, items: tuple[bytes, ...], verdict: str) -> None:
    assert spend(desk, p2wsh(script), witness=(*items, script)) == verdict
    outer, script_sig = nested(p2wsh(script))
    assert spend(desk, outer, script_sig=script_sig, witness=(*items, script)) == verdict


@pytest.mark.parametrize(("size", "verdict"), [(3_600, ACCEPTED), (3_601, STUFFED)])
def test_size_of_a_witness_script(desk: Desk, size: int, verdict: str) -> None:
    script = (push(bytes(500)) + b"\x75") * 7  # 504 bytes each
    script += b"\x61" * (size - len(script) - 1) + TRUE
    assert len(script) == size
    assert spend(desk, p2wsh(script), witness=(script,)) == verdict


def test_taproot(desk: Desk) -> None:
    script = p2tr(key(1))
    leaf = b"\xc0" + key(1).public[1:]
    wrong = f"{FAILED} (Witness program hash mismatch), input 0"
    rows = [
        ((b"",), f"{FAILED} (Invalid Schnorr signature size), input 0"),
        ((bytes(64),), f"{FAILED} (Invalid Schnorr signature), input 0"),
        ((bytes(64), b"\x50"), STUFFED),  # an annex
        ((bytes(64), b"\x50\x01\x02"), STUFFED),
        ((TRUE, b"\x50"), STUFFED),
        ((TRUE, b""), STUFFED),  # no control block
        ((bytes(80), TRUE, leaf), wrong),
        ((bytes(81), TRUE, leaf), STUFFED),
        ((bytes(81), TRUE, b"\xc1" + leaf[1:]), STUFFED),
        ((bytes(81), TRUE, b"\xc2" + leaf[1:]), wrong),  # another leaf version: no limit
        ((TRUE, leaf[:-1]), f"{FAILED} (Invalid Taproot control block size), input 0"),
    ]
    for witness, verdict in rows:
        assert spend(desk, script, witness=witness) == verdict, witness
    outer, script_sig = nested(script)
    verdict = f"{FAILED} (Witness version reserved for soft-fork upgrades), input 0"
    assert spend(desk, outer, script_sig=script_sig, witness=(bytes(99), TRUE, b"\x50")) == verdict


def test_a_stripped_witness(desk: Desk) -> None:
    tx = desk.pay()
    bare = make_tx([tx.inputs[0]._replace(witness=())], tx.outputs)
    verdict = desk.verdict(bare)
    assert verdict.startswith(f"{FAILED} (Witness program hash mismatch), input 0 of ")
    assert desk.verdict(tx) == ACCEPTED
    assert desk.verdict(bare) == "txn-same-nonwitness-data-in-mempool"
    assert desk.verdict(tx) == "txn-already-in-mempool"


def test_where_everything_is_relayed_scripts_still_meet_the_strict_flags() -> None:
    desk = Desk(accept_nonstandard=True)
    assert spend(desk, TRUE) == ACCEPTED
    verdict = f"{FAILED} (Witness version reserved for soft-fork upgrades), input 0"
    assert spend(desk, b"\x52" + push(b"\1\1")) == verdict
    assert spend(desk, P2A, witness=(b"",)) == ACCEPTED
    assert spend(desk, p2wsh(dropping(1, 81)[0]), witness=(bytes(81), b"\x75\x51")) == ACCEPTED
    verdict = f"{FAILED} (NOPx reserved for soft-fork upgrades), input 0"
    assert spend(desk, b"\xb0\x51") == verdict


# Signature operations.


def busy(sigops: int) -> bytes:
    """A witness script that counts for so many and executes none."""
    twenties, ones = divmod(sigops, 20)
    return b"\x00\x63" + b"\xae" * twenties + b"\xac" * ones + b"\x68\x51"


@pytest.mark.parametrize(
    ("bytes_per_sigop", "sigops", "vsize"),
    [(20, 1, None), (20, 100, 500), (20, 139, 695), (0, 139, None), (1_000, 3, 750), (7, 99, 174)],
)
def test_size_by_sigops(bytes_per_sigop: int, sigops: int, vsize: int | None) -> None:
    desk = Desk(bytes_per_sigop=bytes_per_sigop)
    (coin,) = desk.fund([p2wsh(busy(sigops))])
    tx = unlocked(coin, witness=(busy(sigops),))
    size = tx.vsize if vsize is None else vsize
    (answer,) = desk.test(tx)
    assert answer["vsize"] == size
    assert answer["fees"]["effective-feerate"] == 1_000 * 1_000 // size / 10**8
    poor = unlocked(coin, TxOut(99_999_999 - 0, HOME), witness=(busy(sigops),))
    needed = -(-size // 10)
    assert needed > 1
    assert desk.verdict(poor) == f"min relay fee not met, 1 < {needed}"
    assert desk.verdict(tx) == ACCEPTED
    entry = desk.rpc("getmempoolentry", tx.txid[::-1].hex())
    assert (entry["vsize"], entry["weight"]) == (size, tx.weight)
    assert entry["chunkweight"] == max(tx.weight, bytes_per_sigop * sigops)


def many(desk: Desk, counts: list[int]) -> list[Spendable]:
    return desk.fund([p2wsh(busy(count)) for count in counts])


def spend_all(coins: list[Spendable], counts: list[int], *outputs: TxOut) -> Transaction:
    inputs = [
        TxIn(coin.outpoint, witness=(busy(count),))
        for coin, count in zip(coins, counts, strict=True)
    ]
    outs = outputs or (TxOut(sum(coin.output.value for coin in coins) - 100_000, HOME),)
    return make_tx(inputs, outs)


def test_sigop_cost_of_a_transaction(desk: Desk) -> None:
    """A fifth of a block's."""
    for last, verdict in ((1_600, ACCEPTED), (1_601, "bad-txns-too-many-sigops, 16001")):
        counts = [1_600] * 9 + [last]
        assert desk.verdict(spend_all(many(desk, counts), counts)) == verdict


def test_sigops_outside_witnesses(desk: Desk) -> None:
    """At most 2,500: of the outputs spent, redeem scripts, scriptSigs."""
    redeem = b"\x00\x63" + b"\xac" * 15 + b"\x68\x51"
    script, script_sig = nested(redeem)
    coins = desk.fund([script] * 168, value=10_000_000)
    for count, ends in ((166, False), (167, True)):  # 2,490 and 2,505
        inputs = [TxIn(coin.outpoint, script_sig) for coin in coins[:count]]
        tx = make_tx(inputs, [TxOut(count * 10_000_000 - 500_000, HOME)])
        verdict = f"{NONSTANDARD}, non-witness sigops exceed bip54 limit" if ends else ACCEPTED
        assert desk.verdict(tx) == verdict
