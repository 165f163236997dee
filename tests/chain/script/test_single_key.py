"""Spends by a single key without a script being run: yes only where the interpreter says yes."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from chain.hashes import hash160
from chain.script.check import ScriptCheck
from chain.script.flags import MANDATORY_FLAGS, ScriptFlag
from chain.script.sighash import PrecomputedSighash
from chain.script.single_key import is_signed_by_its_key
from chain.script.templates import p2pk, p2pkh, p2sh, p2tr, p2wpkh
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.builders import Spendable, key, sign
from tests.builders import p2pkh as to_key_hash
from tests.builders import p2tr as to_taproot
from tests.builders import p2wpkh as to_witness
from tests.chain.script.cases import (
    CASES,
    HYBRID_KEY,
    KEY,
    LONG_KEY,
    LOW_S,
    PAY_KEY_HASH,
    VALUE,
    X_ONLY,
    high_s,
    key_path,
    legacy,
    native,
    padded_r,
    v0_signature,
    wpkh,
)
from tests.chain.script.helpers import CONSENSUS, STANDARD, SWEEP, Spend, with_input

CODE = p2pkh(hash160(KEY))
HASH_TYPES = (1, 2, 3, 0x81, 0x82, 0x83)


def says_yes(spend: Spend) -> bool:
    known = PrecomputedSighash(spend.tx, spend.spent_outputs)
    return is_signed_by_its_key(known, spend.input_index, spend.flags)


def pay_key_hash(hash_type: int = 1, flags: int = CONSENSUS) -> Spend:
    return legacy(PAY_KEY_HASH, flags, after=[KEY], hash_type=hash_type)


def odd_spelling(spend: Spend) -> Spend:
    """The same P2PKH, its key pushed by OP_PUSHDATA1."""
    script_sig = spend.tx.inputs[0].script_sig
    script_sig = script_sig[:-34] + b"\x4c" + script_sig[-34:]
    return spend._replace(tx=with_input(spend.tx, 0, script_sig, ()))


def with_witness(spend: Spend, *witness: bytes) -> Spend:
    tx_in = spend.tx.inputs[0]
    return spend._replace(tx=with_input(spend.tx, 0, tx_in.script_sig, [*tx_in.witness, *witness]))


YES = [
    wpkh(KEY, CONSENSUS),
    wpkh(LONG_KEY, CONSENSUS),
    wpkh(HYBRID_KEY, CONSENSUS),
    key_path(),
    pay_key_hash(),
    *(wpkh(KEY, CONSENSUS, v0_signature(CODE, hash_type)) for hash_type in HASH_TYPES),
    *(pay_key_hash(hash_type) for hash_type in (*HASH_TYPES, 0, 4)),
    legacy(PAY_KEY_HASH, CONSENSUS, after=[KEY], mangle=high_s),
    *(make(flags=flags) for make in (key_path, pay_key_hash) for flags in (0, 0x01, 0x800)),
    wpkh(KEY, 0),
]

LEFT_ALONE = {
    "policy wants low s": wpkh(KEY, CONSENSUS | LOW_S, high_s(v0_signature(CODE)[:-1]) + b"\x01"),
    "policy": wpkh(KEY, STANDARD),
    "65 bytes of taproot": key_path(hash_type=1),
    "a long key": legacy(p2pkh(hash160(LONG_KEY)), CONSENSUS, after=[LONG_KEY]),
    "a key in other words": odd_spelling(pay_key_hash()),
    "pay to key": legacy(p2pk(KEY), CONSENSUS),
}

REFUSED = {
    "not DER": wpkh(KEY, CONSENSUS, padded_r(v0_signature(CODE)[:-1]) + b"\x01"),
    "not DER before": legacy(PAY_KEY_HASH, CONSENSUS, after=[KEY], mangle=padded_r),
    "an empty signature": native(p2wpkh(hash160(KEY)), [b"", KEY], CONSENSUS),
    "another key": native(p2wpkh(hash160(LONG_KEY)), [v0_signature(CODE), KEY], CONSENSUS),
    "another key before": legacy(p2pkh(hash160(LONG_KEY)), CONSENSUS, after=[KEY]),
    "another digest": wpkh(KEY, CONSENSUS, v0_signature(b"something else")),
    "another hash type": wpkh(KEY, CONSENSUS, v0_signature(CODE)[:-1] + b"\x02"),
    "another value": wpkh(KEY, CONSENSUS)._replace(
        spent_outputs=[TxOut(VALUE + 1, p2wpkh(hash160(KEY)))]
    ),
    "half a taproot signature": key_path(mangle=lambda signature: signature[:-1]),
    "a program that is no key": native(p2tr(X_ONLY)[:-1], key_path().tx.inputs[0].witness, 0x800),
    "a witness too many": with_witness(pay_key_hash(), b""),
    "three elements": with_witness(wpkh(KEY, CONSENSUS), b""),
    "no witness": native(p2wpkh(hash160(KEY)), [], CONSENSUS),
    "a scriptSig too many": native(
        p2wpkh(hash160(KEY)), wpkh(KEY, CONSENSUS).tx.inputs[0].witness, CONSENSUS, b"\x51"
    ),
    "taproot with a scriptSig": native(
        p2tr(X_ONLY), key_path().tx.inputs[0].witness, CONSENSUS, b"\x51"
    ),
    "wrapped": native(p2sh(hash160(CODE)), wpkh(KEY, CONSENSUS).tx.inputs[0].witness, CONSENSUS),
}


@pytest.mark.parametrize("spend", YES)
def test_a_good_signature_of_the_only_key_is_enough(spend: Spend) -> None:
    assert says_yes(spend)
    assert spend.ours() == "OK"


@pytest.mark.parametrize("spend", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_what_it_does_not_know_is_left_to_the_interpreter(spend: Spend) -> None:
    assert not says_yes(spend)


@pytest.mark.parametrize("spend", REFUSED.values(), ids=REFUSED)
def test_what_is_not_good_is_left_to_the_interpreter(spend: Spend) -> None:
    assert not says_yes(spend)


@pytest.mark.parametrize("spend", [spend for code, spend in CASES if code != "OK"])
def test_it_never_says_yes_where_a_named_case_fails(spend: Spend) -> None:
    assert not says_yes(spend)


@pytest.mark.parametrize("before", [b"\x4c\x47", b"\x4d\x47\x00"])
def test_a_signature_in_other_words_is_left_alone(before: bytes) -> None:
    spend = pay_key_hash()
    script_sig = spend.tx.inputs[0].script_sig
    odd = before[:-1] + script_sig[:1] if len(before) == 2 else before[:1] + script_sig[:1] + b"\0"
    tx = with_input(spend.tx, 0, odd + script_sig[1:], ())
    assert not says_yes(spend._replace(tx=tx))


def test_each_input_is_judged_by_its_own_coin() -> None:
    owner, other = key(3), key(4)
    scripts = [to_witness(owner), to_taproot(owner), to_key_hash(other), to_witness(other)]
    owners = [owner, owner, other, other]
    spent = [
        Spendable(OutPoint(bytes([number]) * 32, number), TxOut(1_000 + number, script), who)
        for number, (script, who) in enumerate(zip(scripts, owners, strict=True))
    ]
    inputs = [TxIn(each.outpoint) for each in spent]
    tx = sign(Transaction(2, inputs, [TxOut(9, b"\x51"), TxOut(8, b"")], 0), spent)
    outputs = [each.output for each in spent]
    known = PrecomputedSighash(tx, outputs)
    assert [is_signed_by_its_key(known, index, CONSENSUS) for index in range(4)] == [True] * 4
    assert ScriptCheck(tx, outputs, MANDATORY_FLAGS).run() is None
    turned = PrecomputedSighash(tx, outputs[::-1])
    assert [is_signed_by_its_key(turned, index, CONSENSUS) for index in range(4)] == [False] * 4


def test_what_it_refuses_gets_the_error_of_the_interpreter() -> None:
    spend = REFUSED["not DER"]
    failure = ScriptCheck(spend.tx, spend.spent_outputs, ScriptFlag(spend.flags)).run()
    assert failure is not None
    assert failure.error.code == spend.ours() == "SIG_DER"


BASES = [wpkh(KEY, CONSENSUS), key_path(), pay_key_hash()]


@settings(max_examples=150 * SWEEP, deadline=None)
@given(
    base=st.sampled_from(BASES),
    part=st.integers(0, 2),
    at=st.integers(0, 120),
    byte=st.integers(0, 255),
    how=st.sampled_from(["replace", "insert", "delete"]),
    flags=st.sampled_from([CONSENSUS, 0, 1, 0x800, 0x801, STANDARD]),
)
def test_a_damaged_spend_is_good_only_if_the_interpreter_says_so(
    base: Spend, part: int, at: int, byte: int, how: str, flags: int
) -> None:
    tx_in = base.tx.inputs[0]
    parts = [tx_in.script_sig, *tx_in.witness, base.spent_outputs[0].script_pubkey]
    part %= len(parts)
    whole = parts[part]
    at %= len(whole) + 1
    keep = at + (how != "insert")
    parts[part] = whole[:at] + (b"" if how == "delete" else bytes([byte])) + whole[keep:]
    tx = with_input(base.tx, 0, parts[0], parts[1:-1])
    damaged = Spend(tx, 0, [TxOut(VALUE, parts[-1])], flags)
    if says_yes(damaged):
        assert damaged.ours() == "OK"
