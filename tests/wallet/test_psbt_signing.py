"""Signing and finishing: what is refused, and what a signer shows before it signs."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain import curve
from chain.params import CLASSROOM, MAIN, REGTEST
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet.errors import (
    AbsurdFee,
    PsbtIncomplete,
    PsbtMismatch,
    RealMoney,
    SigningFailed,
    WalletError,
)
from wallet.hd import ExtendedPrivateKey
from wallet.psbt.fields import In, field_key, of_kind
from wallet.psbt.finish import extract, finalize
from wallet.psbt.inputs import fee
from wallet.psbt.packet import Psbt, combine, get
from wallet.psbt.signing import keys_of_descriptors, keys_of_master, sign
from wallet.psbt.update import update
from wallet.psbt.view import describe, hash_type_name
from wallet.script_expression import parse_descriptor

COIN = 100_000_000
H = 2**31
MASTERS = [ExtendedPrivateKey.from_seed(bytes([number]) * 32) for number in (1, 2, 3)]


def key(number: int) -> str:
    account = MASTERS[number].derive((86 + H, 1 + H, H)).public.serialize(REGTEST)
    return f"[{MASTERS[number].public.fingerprint.hex()}/86h/1h/0h]{account}/<0;1>/*"


BODIES = {
    "wpkh": f"wpkh({key(0)})",
    "pkh": f"pkh({key(0)})",
    "tr": f"tr({key(0)})",
    "tree": f"tr({key(0)},{{pk({key(1)}),multi_a(1,{key(1)},{key(2)})}})",
    "wsh": f"wsh(multi(2,{key(0)},{key(1)},{key(2)}))",
    "wsh(pk)": f"wsh(pk({key(0)}))",
    "sh(pkh)": f"sh(pkh({key(0)}))",
}


def packet(shape: str, *, paid: int = COIN - 1_000, updated: bool = True) -> Psbt:
    """One coin of a bitcoin, to a change output of the same descriptor."""
    ours = parse_descriptor(BODIES[shape], REGTEST)
    source = Transaction(
        2, [TxIn(OutPoint(b"\x09" * 32, 0), b"\x51")], [TxOut(COIN, ours.script(0, 2))], 0
    )
    spend = Transaction(
        2, [TxIn(OutPoint(source.txid, 0), b"", 0xFFFFFFFD)], [TxOut(paid, ours.script(1, 7))], 0
    )
    psbt = Psbt.of_transaction(spend)
    return update(psbt, [ours], {source.txid: source}) if updated else psbt


def with_field(psbt: Psbt, kind: int, value: bytes) -> Psbt:
    return psbt.with_inputs([{**psbt.inputs[0], field_key(kind): value}])


def sign_all(psbt: Psbt, *holders: int) -> Psbt:
    for holder in holders or (0,):
        psbt, added = sign(psbt, keys_of_master(MASTERS[holder]), REGTEST)
        assert added == 1
    return psbt


@pytest.mark.parametrize("shape", BODIES)
def test_signed_finished_and_let_out(shape: str) -> None:
    holders = (2, 0) if shape == "wsh" else (0,)
    psbt = packet(shape)
    assert fee(psbt) == 1_000
    signed = sign_all(psbt, *holders)
    assert sign(signed, keys_of_master(MASTERS[holders[0]]), REGTEST) == (signed, 0)
    done, missing = finalize(Psbt.from_text(signed.text()))
    assert missing == ()
    assert extract(done).outputs == psbt.transaction.outputs
    assert finalize(done) == (done, ())
    assert set(describe(done, REGTEST)["inputs"][0]["fields"]) <= {
        "non_witness_utxo", "witness_utxo", "final_scriptsig", "final_scriptwitness"
    }  # fmt: skip


def test_signatures_are_low_and_taproots_are_random() -> None:
    signed = sign_all(packet("wpkh"))
    [(_, signature)] = of_kind(signed.inputs[0], In.PARTIAL_SIG)
    assert len(signature) <= 71 and signature[3] <= 32
    assert sign_all(packet("wpkh")) == signed
    assert sign_all(packet("tr")) != sign_all(packet("tr"))
    fixed = [
        sign(packet("tr"), keys_of_master(MASTERS[0]), REGTEST, random_bytes=bytes)
        for _ in range(2)
    ]
    assert fixed[0] == fixed[1]


def test_combining_two_signers_suffices() -> None:
    psbt = packet("wsh")
    parts = [sign_all(psbt, holder) for holder in (1, 2)]
    for part in parts:
        done, missing = finalize(part)
        assert missing == ("input 0 has 1 of 2 signatures; let another sign",)
        with pytest.raises(PsbtIncomplete, match="input 0 is not finished"):
            extract(done)
    assert describe(parts[0], REGTEST)["inputs"][0]["state"] == "1 of 2 signatures"
    one_way, other_way = (finalize(combine(order)).psbt for order in (parts, parts[::-1]))
    assert extract(one_way) == extract(other_way)


def test_unknown_fields_outlive_the_last_form() -> None:
    odd = {b"\xfc\x01abc": b"kept"}
    signed = sign_all(packet("wpkh"))
    done = finalize(signed.with_inputs([{**signed.inputs[0], **odd}])).psbt
    assert done.inputs[0][b"\xfc\x01abc"] == b"kept"


def test_strangers_keys_are_left_alone() -> None:
    stranger = ExtendedPrivateKey.from_seed(bytes(32))
    for psbt in (packet("wpkh"), packet("tr")):
        assert sign(psbt, keys_of_master(stranger), REGTEST) == (psbt, 0)
        assert sign(psbt, lambda public, origin: b"\x01" * 32, REGTEST) == (psbt, 0)
    plain = parse_descriptor(BODIES["wpkh"], REGTEST)
    assert sign(packet("wpkh"), keys_of_descriptors([plain]), REGTEST)[1] == 0


def test_no_signature_where_money_is_real(monkeypatch: pytest.MonkeyPatch) -> None:
    find = keys_of_master(MASTERS[0])
    with pytest.raises(RealMoney, match="real money"):
        sign(packet("wpkh"), find, MAIN)
    monkeypatch.setattr(curve, "BACKEND_NAME", "ecdsa")
    for params in (REGTEST, CLASSROOM):
        assert sign(packet("wpkh"), find, params)[1] == 1
    with pytest.raises(RealMoney, match="timing attacks"):
        sign(packet("wpkh"), find, replace(REGTEST, name="mine"))


def test_a_fault_while_signing_does_not_leave_the_house(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, shape in (("sign_ecdsa", "wpkh"), ("sign_schnorr", "tr")):
        honest = getattr(curve, name)
        monkeypatch.setattr(
            curve, name, lambda secret, *rest, honest=honest: honest(bytes([1] * 32), *rest)
        )
        with pytest.raises(SigningFailed, match="input 0 does not verify"):
            sign(packet(shape), keys_of_master(MASTERS[0]), REGTEST)


@pytest.mark.parametrize("shape", ["wpkh", "pkh", "tr"])
@pytest.mark.parametrize("hash_type", [2, 3, 0x81, 0x82, 0x83])
def test_hash_types_that_leave_something_open_must_be_allowed(shape: str, hash_type: int) -> None:
    psbt = with_field(packet(shape), In.SIGHASH_TYPE, hash_type.to_bytes(4, "little"))
    find = keys_of_master(MASTERS[0])
    with pytest.raises(PsbtMismatch, match=f"wants hash type 0x{hash_type:02x}, which lets others"):
        sign(psbt, find, REGTEST)
    signed, added = sign(psbt, find, REGTEST, any_hash_type=True)
    assert added == 1
    assert extract(finalize(signed).psbt).outputs == psbt.transaction.outputs


@pytest.mark.parametrize(("shape", "hash_type"), [("wpkh", 0), ("tr", 4), ("wpkh", 0x101)])
def test_what_is_no_hash_type_is_refused(shape: str, hash_type: int) -> None:
    psbt = with_field(packet(shape), In.SIGHASH_TYPE, hash_type.to_bytes(4, "little"))
    with pytest.raises(PsbtMismatch, match="which is none"):
        sign(psbt, keys_of_master(MASTERS[0]), REGTEST, any_hash_type=True)


def test_single_needs_its_output() -> None:
    psbt = packet("wpkh")
    bare = Transaction(2, psbt.transaction.inputs, [], 0)
    fields = {**psbt.inputs[0], field_key(In.SIGHASH_TYPE): (3).to_bytes(4, "little")}
    with pytest.raises(PsbtMismatch, match="signs an output that is not there"):
        sign(
            Psbt.of_transaction(bare).with_inputs([fields]),
            keys_of_master(MASTERS[0]),
            REGTEST,
            any_hash_type=True,
            max_fee=None,
        )


@pytest.mark.parametrize("shape", ["wpkh", "tr"])
def test_a_signature_of_another_hash_type_is_not_finished(shape: str) -> None:
    psbt = with_field(packet(shape), In.SIGHASH_TYPE, (0x81).to_bytes(4, "little"))
    signed, _ = sign(psbt, keys_of_master(MASTERS[0]), REGTEST, any_hash_type=True)
    with pytest.raises(PsbtMismatch, match="another hash type"):
        finalize(with_field(signed, In.SIGHASH_TYPE, (1).to_bytes(4, "little")))


def test_lies_about_coins_are_noticed() -> None:
    psbt, find = packet("wpkh"), keys_of_master(MASTERS[0])
    more = TxOut(2 * COIN, parse_descriptor(BODIES["wpkh"], REGTEST).script(0, 2))
    with pytest.raises(PsbtMismatch, match="states an output that its transaction does not have"):
        sign(with_field(psbt, In.WITNESS_UTXO, more.serialize()), find, REGTEST)
    other = Transaction(2, [TxIn(OutPoint(bytes(32), 0), b"\x51")], [more], 0)
    with pytest.raises(PsbtMismatch, match="the transaction that is given for it"):
        sign(with_field(psbt, In.NON_WITNESS_UTXO, other.serialize()), find, REGTEST)
    far = Transaction(2, [TxIn(OutPoint(psbt.transaction.inputs[0].outpoint.txid, 9))], [more], 0)
    moved = Psbt.of_transaction(far).with_inputs(psbt.inputs)
    with pytest.raises(PsbtMismatch, match="spends output 9, which is not there"):
        sign(moved, find, REGTEST)
    with pytest.raises(PsbtMismatch, match="has a witness script, and its coin has none"):
        sign(with_field(psbt, In.WITNESS_SCRIPT, b"\x51"), find, REGTEST)
    tap = packet("tr")
    wrong = with_field(tap, In.TAP_MERKLE_ROOT, bytes(32))
    with pytest.raises(PsbtMismatch, match="internal key and tree are not those"):
        sign(wrong, find, REGTEST)


@pytest.mark.parametrize(
    ("shape", "missing", "complaint"),
    [
        ("wsh", In.WITNESS_SCRIPT, "lacks its witness script"),
        ("sh(pkh)", In.REDEEM_SCRIPT, "lacks its redeem script"),
        ("tr", In.TAP_INTERNAL_KEY, "lacks its internal key"),
        ("tr", In.WITNESS_UTXO, "does not say what it spends"),
    ],
)
def test_what_is_missing_is_named(shape: str, missing: int, complaint: str) -> None:
    psbt = packet(shape)
    fields = {k: v for k, v in psbt.inputs[0].items() if k != field_key(missing)}
    less = psbt.with_inputs([fields])
    with pytest.raises(PsbtIncomplete, match=complaint):
        sign(less, keys_of_master(MASTERS[0]), REGTEST)
    if missing != In.TAP_INTERNAL_KEY:
        assert any(complaint in line for line in finalize(less).missing)
        assert complaint in describe(less, REGTEST)["inputs"][0]["state"]
    unsigned = finalize(packet(shape)).missing
    assert len(unsigned) == 1 and re.search("signature", unsigned[0])


def test_fees_beyond_reason_and_below_zero_stay_here() -> None:
    rich, find = packet("wpkh", paid=COIN // 2), keys_of_master(MASTERS[0])
    with pytest.raises(AbsurdFee, match=r"a fee of 0\.50000000 BTC is absurd"):
        sign(rich, find, REGTEST)
    rich, _ = sign(rich, find, REGTEST, max_fee=None)
    rich = finalize(rich).psbt
    with pytest.raises(AbsurdFee, match=r"a fee of 0\.50000000 BTC is absurd"):
        extract(rich)
    assert extract(rich, max_fee=None).txid == rich.transaction.txid
    poor = packet("wpkh", paid=2 * COIN)
    with pytest.raises(PsbtMismatch, match="worth more than its inputs"):
        sign(poor, find, REGTEST, max_fee=None)
    shown = describe(poor, REGTEST)
    assert (shown["fee"], shown["fee_proven"]) == (None, False)
    assert shown["problems"] == ["the payment's outputs are worth more than its inputs"]
    assert fee(packet("wpkh", updated=False)) is None


@pytest.mark.parametrize("value", [-5, -1, 21_000_000 * COIN + 1, 2**63 - 1])
def test_no_coin_has_such_an_amount(value: int) -> None:
    psbt = packet("wpkh")
    [fields], place = psbt.inputs, field_key(In.NON_WITNESS_UTXO)
    alone = {key: each for key, each in fields.items() if key != place}
    raw = value.to_bytes(8, "little", signed=True) + b"\x00"
    lying = psbt.with_inputs([{**alone, field_key(In.WITNESS_UTXO): raw}])
    with pytest.raises(PsbtMismatch, match="states an amount that no coin has"):
        sign(lying, keys_of_master(MASTERS[0]), REGTEST)
    assert "amount that no coin has" in describe(lying, REGTEST)["problems"][0]


def two_coins(shape: str, *stated: int) -> Psbt:
    """Two coins of a bitcoin, of which only these amounts are stated, to somebody."""
    ours = parse_descriptor(BODIES[shape], REGTEST)
    outputs = [TxOut(COIN, ours.script(0, number)) for number in range(2)]
    source = Transaction(2, [TxIn(OutPoint(b"\x09" * 32, 0), b"\x51")], outputs, 0)
    inputs = [TxIn(OutPoint(source.txid, number), b"", 0xFFFFFFFD) for number in range(2)]
    spend = Transaction(2, inputs, [TxOut(COIN + COIN // 2, b"\x51")], 0)
    whole = update(Psbt.of_transaction(spend), [ours], {source.txid: source})
    lies = []
    for fields, value, output in zip(whole.inputs, stated, outputs, strict=True):
        kept = {k: v for k, v in fields.items() if k != field_key(In.NON_WITNESS_UTXO)}
        kept[field_key(In.WITNESS_UTXO)] = TxOut(value, output.script_pubkey).serialize()
        lies.append(kept)
    return whole.with_inputs(lies)


@pytest.mark.parametrize("shape", ["wpkh", "wsh(pk)"])
def test_a_fee_that_nobody_saw_is_not_signed_in_two_parts(shape: str) -> None:
    # CVE-2020-14199: each packet shows a fee of 1,000; the first halves of both pay 0.5 coins.
    find, small = keys_of_master(MASTERS[0]), COIN // 2 + 1_000
    packets = [two_coins(shape, COIN, small), two_coins(shape, small, COIN)]
    for each in packets:
        shown = describe(each, REGTEST)
        assert (shown["fee"], shown["fee_proven"]) == (1_000, False)
        with pytest.raises(PsbtIncomplete, match="a false one could hide a fee"):
            sign(each, find, REGTEST)
    believed = [sign(each, find, REGTEST, any_amount=True)[0] for each in packets]
    true = two_coins(shape, COIN, COIN)
    both = true.with_inputs([believed[0].inputs[0], believed[1].inputs[1]])
    both = both.with_inputs(
        [
            {**fields, field_key(In.WITNESS_UTXO): get_utxo(true, number)}
            for number, fields in enumerate(both.inputs)
        ]
    )
    assert len(extract(finalize(both).psbt, max_fee=None).inputs) == 2  # so it would be lost


def get_utxo(psbt: Psbt, number: int) -> bytes:
    found = get(psbt.inputs[number], In.WITNESS_UTXO)
    assert found is not None
    return found


def test_what_cannot_lie_needs_no_proof() -> None:
    find = keys_of_master(MASTERS[0])
    # Taproot signs every amount; a single input signs its own.
    assert sign(two_coins("tr", COIN, COIN), find, REGTEST, max_fee=None)[1] == 2
    alone = packet("wpkh")
    [fields] = alone.inputs
    bare = {k: v for k, v in fields.items() if k != field_key(In.NON_WITNESS_UTXO)}
    assert get(bare, In.WITNESS_UTXO) is not None
    assert sign(alone.with_inputs([bare]), find, REGTEST)[1] == 1
    assert describe(two_coins("tr", COIN, COIN), REGTEST)["fee_proven"]


def test_a_wrong_signature_is_not_let_out() -> None:
    signed = sign_all(packet("wpkh"))
    [(public, signature)] = of_kind(signed.inputs[0], In.PARTIAL_SIG)
    other = sign_all(packet("wpkh", paid=COIN - 2_000))
    [(_, foreign)] = of_kind(other.inputs[0], In.PARTIAL_SIG)
    assert foreign != signature
    broken = {**signed.inputs[0], field_key(In.PARTIAL_SIG, public): foreign}
    with pytest.raises(SigningFailed):
        finalize(signed.with_inputs([broken]))


def test_the_view_says_what_signers_look_for() -> None:
    shown = describe(sign_all(packet("wsh"), 1), REGTEST)
    assert (shown["fee"], shown["complete"], shown["problems"]) == (1_000, False, [])
    [tx_in], [output] = shown["inputs"], shown["outputs"]
    assert (tx_in["value"], tx_in["kind"], tx_in["hash_type"]) == (COIN, "witness v0", "ALL")
    assert [each["signed"] for each in tx_in["keys"]] == [False, True, False]
    origin = f"{MASTERS[1].public.fingerprint.hex()}/86h/1h/0h/0/2"
    assert tx_in["keys"][1]["origin"] == origin
    assert output["keys"][0]["origin"].endswith("/86h/1h/0h/1/7")
    assert "OP_CHECKMULTISIG" in tx_in["script"]
    assert describe(packet("tr"), REGTEST)["inputs"][0]["state"] == "0 of 1 signatures"
    done = finalize(sign_all(packet("tree"))).psbt
    assert describe(done, REGTEST)["complete"] is True
    assert hash_type_name(0x83) == "SINGLE|ANYONECANPAY"


def test_outputs_and_trees_are_told_to_signers() -> None:
    psbt = packet("tree")
    assert get(psbt.inputs[0], In.TAP_MERKLE_ROOT) is not None
    assert len(list(of_kind(psbt.inputs[0], In.TAP_LEAF_SCRIPT))) == 2
    assert len(list(of_kind(psbt.inputs[0], In.TAP_BIP32_DERIVATION))) == 3
    names = describe(psbt, REGTEST)["outputs"][0]["fields"]
    assert names == ["tap_internal_key", "tap_tree", "tap_bip32_derivation"]


@given(st.binary(max_size=40), st.sampled_from([In.WITNESS_SCRIPT, In.REDEEM_SCRIPT]))
def test_odd_scripts_are_refused_in_one_line(script: bytes, kind: int) -> None:
    psbt = with_field(packet("wsh"), kind, script)
    for step in (lambda: sign_all(psbt), lambda: finalize(psbt)):
        with pytest.raises(WalletError) as refusal:
            step()
        assert "\n" not in str(refusal.value)
