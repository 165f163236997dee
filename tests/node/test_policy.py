"""Standardness: each rule by itself, on transactions that need no chain."""

from collections.abc import Sequence

import pytest

from chain.coins import Coin
from chain.transaction import OutPoint, Transaction, TxIn, TxOut, format_money
from node.mempool import policy
from node.mempool.policy import PolicyOptions
from node.mempool.reasons import PolicyReason, Rejected
from tests.builders import key, p2pkh, p2sh, p2tr, p2wpkh, p2wsh
from tests.node.support import reason_of

PUBLIC = key(1).public
DEFAULT = PolicyOptions()
HOME = p2wpkh(key(1))


def push(data: bytes) -> bytes:
    size = len(data)
    if size < 76:
        return bytes([size]) + data
    return (
        b"\x4c" + bytes([size]) + data
        if size < 256
        else b"\x4d" + size.to_bytes(2, "little") + data
    )


def tx(
    *outputs: TxOut | bytes,
    script_sig: bytes = b"",
    witness: Sequence[bytes] = (),
    version: int = 2,
) -> Transaction:
    made = tuple(each if isinstance(each, TxOut) else TxOut(10_000, each) for each in outputs)
    tx_in = TxIn(OutPoint(b"\x07" * 32, 0), script_sig, 0xFFFFFFFF, tuple(witness))
    return Transaction(version, (tx_in,), made or (TxOut(10_000, HOME),), 0)


def coin(script: bytes) -> Coin:
    return Coin(TxOut(10_000, script), 1, False)


def multisig(required: int, keys: int) -> bytes:
    number = push(bytes([keys])) if keys > 16 else bytes([0x50 + keys])
    return bytes([0x50 + required]) + push(PUBLIC) * keys + number + b"\xae"


def standard(made: Transaction, options: PolicyOptions = DEFAULT) -> PolicyReason | None:
    try:
        policy.check_standard(made, options)
    except Rejected as refusal:
        assert refusal.detail == ""  # as in Core
        return refusal.reason
    return None


# By itself.


@pytest.mark.parametrize("version", [1, 2, 3])
def test_known_versions(version: int) -> None:
    assert standard(tx(version=version)) is None


@pytest.mark.parametrize("version", [0, 4, 0xFFFFFFFF])
def test_unknown_versions(version: int) -> None:
    assert standard(tx(version=version)) is PolicyReason.VERSION


def test_weight() -> None:
    fat = TxOut(0, b"\x6a" + b"\x4e" + (99_000).to_bytes(4, "little") + bytes(99_000))
    assert standard(tx(fat)) is None
    room = 400_000 - tx(fat, witness=[b"\x01"]).weight
    assert standard(tx(fat, witness=[bytes(room - 3)])) is None  # 3 longer size, 1 was there
    assert tx(fat, witness=[bytes(room - 1)]).weight == 400_000
    assert standard(tx(fat, witness=[bytes(room - 1)])) is None
    assert standard(tx(fat, witness=[bytes(room)])) is PolicyReason.TX_SIZE


def test_script_sig_size() -> None:
    script = push(bytes(500)) * 3
    script += push(bytes(1650 - len(script) - 2))
    assert len(script) == 1650
    assert standard(tx(script_sig=script)) is None
    assert standard(tx(script_sig=script + b"\x51")) is PolicyReason.SCRIPTSIG_SIZE


def test_script_sig_pushes_only() -> None:
    assert standard(tx(script_sig=b"\x51\x4f\x00")) is None
    assert standard(tx(script_sig=b"\x51\x61")) is PolicyReason.SCRIPTSIG_NOT_PUSHONLY
    assert standard(tx(script_sig=b"\x05abc")) is PolicyReason.SCRIPTSIG_NOT_PUSHONLY


@pytest.mark.parametrize(
    "script",
    [
        *(p2pkh(key(1)), p2sh(b"\x51"), HOME, p2wsh(b"\x51"), p2tr(key(1))),
        *(push(PUBLIC) + b"\xac", bytes.fromhex("51024e73"), b"\x52" + push(bytes(32))),
        *(multisig(1, 1), multisig(2, 3), b"\x6a", b"\x6a" + push(b"hello")),
    ],
)
def test_known_outputs(script: bytes) -> None:
    assert standard(tx(script)) is None


@pytest.mark.parametrize(
    "script", [b"", b"\x51", multisig(1, 4), multisig(1, 17), b"\x6a\x61", b"\x00" + push(bytes(5))]
)
def test_unknown_outputs(script: bytes) -> None:
    assert standard(tx(script)) is PolicyReason.SCRIPTPUBKEY


def test_bare_multisig_is_the_operators_choice() -> None:
    strict = PolicyOptions(permit_bare_multisig=False)
    assert standard(tx(multisig(1, 2)), strict) is PolicyReason.BARE_MULTISIG
    assert standard(tx(multisig(1, 4)), strict) is PolicyReason.SCRIPTPUBKEY


def data(size: int) -> TxOut:
    """An OP_RETURN script of this size."""
    body = bytes(size - 4)
    return TxOut(0, b"\x6a\x4d" + len(body).to_bytes(2, "little") + body)


def test_data_of_all_outputs_counts_together() -> None:
    assert standard(tx(data(50_000), data(49_000))) is None
    few = PolicyOptions(datacarrier_size=1_000)
    assert standard(tx(data(600), data(400)), few) is None
    assert standard(tx(data(600), data(401)), few) is PolicyReason.DATACARRIER
    none = PolicyOptions(datacarrier=False)
    assert standard(tx(b"\x6a"), none) is PolicyReason.DATACARRIER


@pytest.mark.parametrize(
    ("script", "threshold"),
    [
        (p2pkh(key(1)), 546),
        (p2sh(b"\x51"), 540),
        (HOME, 294),
        (p2wsh(b"\x51"), 330),
        (p2tr(key(1)), 330),
        (bytes.fromhex("51024e73"), 240),
        (b"\x6a" + push(b"hello"), 0),
        (bytes(300), 1_377),  # a script whose length takes three bytes
    ],
)
def test_dust(script: bytes, threshold: int) -> None:
    assert policy.dust_threshold(TxOut(0, script), 3_000) == threshold
    assert policy.dust(tx(TxOut(threshold, script)), 3_000) == []
    if threshold:
        assert policy.dust(tx(HOME, TxOut(threshold - 1, script)), 3_000) == [1]


def test_one_dust_output_may_be() -> None:
    assert standard(tx(TxOut(293, HOME))) is None  # the fee decides, later
    assert standard(tx(TxOut(293, HOME), TxOut(0, HOME))) is PolicyReason.DUST
    assert standard(tx(TxOut(0, HOME), TxOut(0, HOME)), PolicyOptions(dust_relay_feerate=0)) is None


# What it spends.


def inputs_refusal(script: bytes, script_sig: bytes = b"") -> str:
    with pytest.raises(Rejected) as caught:
        policy.check_inputs_standard(tx(script_sig=script_sig), [coin(script)])
    assert caught.value.reason is PolicyReason.BAD_TXNS_NONSTANDARD_INPUTS
    return caught.value.detail


def test_spent_scripts_are_known() -> None:
    for script in (HOME, p2pkh(key(1)), p2tr(key(1)), multisig(1, 20), bytes.fromhex("51024e73")):
        policy.check_inputs_standard(tx(), [coin(script)])
    assert inputs_refusal(b"\x51") == "input 0 script unknown"
    unknown = b"\x52" + push(bytes(32))
    assert inputs_refusal(unknown) == "input 0 witness program is undefined"


def test_redeem_scripts_have_few_sigops() -> None:
    fifteen = b"\xac" * 15
    spend = tx(script_sig=push(fifteen))
    policy.check_inputs_standard(spend, [coin(p2sh(fifteen))])
    sixteen = b"\xac" * 16
    expected = "p2sh redeemscript sigops exceed limit (input 0: 16 > 15)"
    assert inputs_refusal(p2sh(sixteen), push(sixteen)) == expected


def test_redeem_scripts_are_there() -> None:
    assert inputs_refusal(p2sh(b"")) == "input 0 P2SH redeemscript missing"
    malformed = "p2sh scriptsig malformed (input 0: Opcode missing or not understood)"
    long = "p2sh scriptsig malformed (input 0: Push value size limit exceeded)"
    assert inputs_refusal(p2sh(b""), push(bytes(521))) == long
    assert inputs_refusal(p2sh(b""), b"\x50") == malformed  # OP_RESERVED counts as a push
    assert inputs_refusal(p2sh(b""), b"\x61") == malformed


@pytest.mark.parametrize("redeem", [b"\x51", b"\x4f", b"\x00"])
def test_redeem_scripts_may_come_from_number_opcodes(redeem: bytes) -> None:
    policy.check_inputs_standard(tx(script_sig=redeem), [coin(p2sh(b""))])


def spend_of(script: bytes, count: int, script_sig: bytes = b"") -> tuple[Transaction, list[Coin]]:
    inputs = tuple(TxIn(OutPoint(b"\x07" * 32, index), script_sig) for index in range(count))
    return Transaction(2, inputs, (TxOut(1, HOME),), 0), [coin(script)] * count


def test_sigops_outside_witnesses_are_few() -> None:
    twenty = multisig(1, 20)
    policy.check_inputs_standard(*spend_of(twenty, 125))
    with pytest.raises(Rejected, match="non-witness sigops exceed bip54 limit"):
        policy.check_inputs_standard(*spend_of(twenty, 126))
    redeem = b"\xac" * 15
    policy.check_inputs_standard(*spend_of(p2sh(redeem), 166, push(redeem)))
    with pytest.raises(Rejected, match="non-witness sigops exceed bip54 limit"):
        policy.check_inputs_standard(*spend_of(p2sh(redeem), 167, push(redeem)))


# Witnesses.


def witness_is_standard(script: bytes, witness: Sequence[bytes], script_sig: bytes = b"") -> bool:
    spend = tx(script_sig=script_sig, witness=witness)
    try:
        policy.check_witness_standard(spend, [coin(script)])
    except Rejected as refusal:
        assert refusal.reason is PolicyReason.BAD_WITNESS_NONSTANDARD
        return False
    return True


def test_a_witness_stands_where_it_belongs() -> None:
    assert witness_is_standard(HOME, [bytes(72), PUBLIC])
    assert witness_is_standard(p2pkh(key(1)), [])
    assert not witness_is_standard(p2pkh(key(1)), [b"x"])
    assert not witness_is_standard(bytes.fromhex("51024e73"), [b"x"])


def test_a_nested_witness() -> None:
    assert witness_is_standard(p2sh(HOME), [b"x"], push(HOME))
    assert not witness_is_standard(p2sh(b"\x51"), [b"x"], push(b"\x51"))
    assert not witness_is_standard(p2sh(HOME), [b"x"])
    assert not witness_is_standard(p2sh(HOME), [b"x"], b"\x61")
    taproot = p2tr(key(1))
    assert witness_is_standard(
        p2sh(taproot), [bytes(99), b"", b"\xc0"], push(taproot)
    )  # no taproot


def test_witness_scripts_are_small() -> None:
    home = p2wsh(b"")
    assert witness_is_standard(home, [*[bytes(80)] * 100, bytes(3_600)])
    assert not witness_is_standard(home, [bytes(3_601)])
    assert not witness_is_standard(home, [*[b""] * 101, b""])
    assert not witness_is_standard(home, [bytes(81), b""])


def test_taproot_witnesses() -> None:
    home = p2tr(key(1))
    control = b"\xc0" + bytes(32)
    assert witness_is_standard(home, [bytes(64)])
    assert not witness_is_standard(home, [bytes(64), b"\x50annex"])
    assert witness_is_standard(home, [bytes(80), bytes(9_000), control])
    assert not witness_is_standard(home, [bytes(81), b"", control])
    assert witness_is_standard(home, [bytes(81), b"", b"\xc2" + bytes(32)])  # not tapscript
    assert not witness_is_standard(home, [b"", b""])


def test_which_spends_need_a_witness() -> None:
    def needs(script: bytes, script_sig: bytes = b"") -> bool:
        return policy.spends_witness_program(tx(script_sig=script_sig), [coin(script)])

    assert needs(HOME)
    assert needs(p2tr(key(1)))
    assert needs(p2sh(HOME), push(HOME))
    assert not needs(p2pkh(key(1)))
    assert not needs(p2sh(b"\x51"), push(b"\x51"))
    assert not needs(p2sh(HOME))
    assert not needs(bytes.fromhex("51024e73"))


@pytest.mark.parametrize(
    ("satoshis", "text"),
    [
        (0, "0.00"),
        (1, "0.00000001"),
        (10_001, "0.00010001"),
        (60_000, "0.0006"),
        (150_000_000, "1.50"),
        (-5_000_000_000, "-50.00"),
    ],
)
def test_money_is_written_as_core_does(satoshis: int, text: str) -> None:
    assert format_money(satoshis) == text


def test_options_are_cores() -> None:
    expected = PolicyOptions(
        accept_nonstandard=False,
        min_relay_feerate=100,
        incremental_relay_feerate=100,
        dust_relay_feerate=3_000,
        max_mempool_bytes=300_000_000,
        expiry_s=14 * 24 * 3_600,
        bytes_per_sigop=20,
        datacarrier=True,
        datacarrier_size=100_000,
        permit_bare_multisig=True,
        max_cluster_count=64,
        max_cluster_vsize=101_000,
    )
    assert expected == DEFAULT
    assert reason_of(lambda: policy.check_standard(tx(version=9), DEFAULT)) is PolicyReason.VERSION
