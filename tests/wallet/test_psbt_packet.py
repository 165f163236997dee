"""Packets: the vectors of BIP 174, 370, 371 and 373 whole, byte for byte, and what is refused."""

import base64

import pytest
from embit.psbt import PSBT
from hypothesis import given
from hypothesis import strategies as st

from chain.params import MAIN
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.wallet.vectors import load
from wallet.errors import BadPsbt, PsbtMismatch, WalletError
from wallet.psbt.fields import In, Out, field_key, read_tap_origin, write_tap_origin
from wallet.psbt.finish import finalize
from wallet.psbt.inputs import read_spend
from wallet.psbt.packet import Psbt, combine, get
from wallet.psbt.view import describe

COUNTS = {
    "bip174.json": {"invalid psbts": 20, "valid psbts": 10, "signer check failures": 4},
    "bip371.json": {"invalid psbts": 11, "valid psbts": 6},
    "bip373.json": {"invalid psbts": 10, "valid psbts": 14},
    "bip370.json": {"invalid psbts": 24, "valid psbts": 14, "lock time psbts": 10},
}
# What our refusal says, by the words of the vector's own.
COMPLAINTS = [
    ("missing magic", "does not begin with"),
    ("at least a map", "broken or cut short: 1 bytes expected"),
    ("non empty script_sig", "input 0 of the unsigned transaction has a signature already"),
    ("missing global unsigned", "has no unsigned transaction"),
    ("duplicated key", "the input map has the key 00 twice"),
    ("global unsigned tx key", "global field unsigned_tx has a key"),
    ("witness-utxo key", "input field witness_utxo has a key"),
    ("partial signature pub_key", "input field partial_sig has a key"),
    ("redeem script key", "put field redeem_script has a key"),
    ("non-witness utxo key", "input field non_witness_utxo has a key"),
    ("witness script key", "put field witness_script has a key"),
    ("invalid public key", "put field bip32_derivation has a key"),
    ("final script_sig key", "input field final_scriptsig has a key"),
    ("final script witness key", "input field final_scriptwitness has a key"),
    ("sig_hash type key", "input field sighash_type has a key"),
    ("superfluous witness", "broken or cut short"),
    ("taproot internal key length", "put field tap_internal_key has a value"),
    ("key path signature length", "input field tap_key_sig has a value"),
    ("taproot bip32 derivation", "put field tap_bip32_derivation has a key"),
    ("script path key length", "input field tap_script_sig has a key"),
    ("script path signature length", "input field tap_script_sig has a value"),
    ("control block size", "input field tap_leaf_script has a key"),
    ("aggregate pub key length", "put field musig2_participant_pubkeys has a key"),
    ("participant pub keys", "put field musig2_participant_pubkeys has a value"),
    ("public nonce key", "input field musig2_pub_nonce has a key"),
    ("public nonce length", "input field musig2_pub_nonce has a value"),
    ("partial signature key", "input field musig2_partial_sig has a key"),
    ("partial signature length", "input field musig2_partial_sig has a value"),
    # BIP 370: none is of version 0, whatever else ails them
    ("", "version 2"),
]


@pytest.mark.parametrize("name", COUNTS)
def test_every_vector(name: str) -> None:
    vectors = load(name)
    assert {group: len(cases) for group, cases in vectors.items()} == COUNTS[name]
    for case in vectors["invalid psbts"]:
        complaint = next(ours for theirs, ours in COMPLAINTS if theirs in case["error message"])
        refuse(case["encoded psbt"], "version 2" if name == "bip370.json" else complaint)
    for group in ("valid psbts", "lock time psbts"):
        for case in vectors.get(group, []):
            if name == "bip370.json":
                refuse(case["encoded psbt"], "version 2")
            else:
                accept(case["encoded psbt"])


def refuse(text: str, complaint: str) -> None:
    with pytest.raises(BadPsbt) as refusal:
        Psbt.from_text(text)
    assert complaint in str(refusal.value)
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 200


def accept(text: str) -> None:
    psbt = Psbt.from_text(text)
    assert psbt.text() == text
    assert psbt.serialize() == base64.b64decode(text)
    assert combine([psbt, psbt]) == psbt
    shown = describe(psbt, MAIN)
    assert len(shown["inputs"]) == len(psbt.transaction.inputs)
    if psbt.transaction.inputs and "musig2" not in str(shown):
        assert PSBT.from_string(text).tx.txid().hex() == shown["txid"]


def test_what_signers_must_notice() -> None:
    complaints = [
        "input 0 has no witness, so the whole transaction",
        "input 0: the redeem script is not that of the coin",
        "input 1: the redeem script is not that of the coin",
        "input 1: the witness script is not that of the coin",
    ]
    cases = load("bip174.json")["signer check failures"]
    assert len(cases) == len(complaints) == 4
    for case, complaint in zip(cases, complaints, strict=True):
        psbt = Psbt.from_text(case["encoded psbt"])
        with pytest.raises(PsbtMismatch, match=complaint):
            for number in range(len(psbt.inputs)):
                read_spend(psbt, number)
        assert any(complaint in line for line in describe(psbt, MAIN)["problems"])
        with pytest.raises(PsbtMismatch, match=complaint):
            finalize(psbt)


TRANSACTION = Transaction(
    2, [TxIn(OutPoint(b"\x07" * 32, 1), b"", 0xFFFFFFFD)], [TxOut(5_000, b"\x51")], 0
)


def test_unknown_fields_are_kept_in_their_places() -> None:
    plain = Psbt.of_transaction(TRANSACTION)
    odd = {b"\xfc\x03abc\x00": b"mine", b"\xef": b"", b"\x55later": b"x"}
    psbt = Psbt(TRANSACTION, {**odd, **plain.fields}, (odd,), (odd,))
    again = Psbt.parse(psbt.serialize())
    assert again.serialize() == psbt.serialize()
    assert list(again.fields) == [*odd, b"\x00"]
    assert again.inputs == (odd,)


def test_combining_keeps_what_each_knows() -> None:
    plain = Psbt.of_transaction(TRANSACTION)
    one = plain.with_inputs([{b"\x55one": b"1", b"\x55both": b"first"}])
    two = plain.with_inputs([{b"\x55two": b"2", b"\x55both": b"second"}])
    both = combine([one, two])
    assert both.inputs[0] == {b"\x55one": b"1", b"\x55two": b"2", b"\x55both": b"first"}
    other = Psbt.of_transaction(Transaction(2, TRANSACTION.inputs, [TxOut(5_001, b"\x51")], 0))
    with pytest.raises(PsbtMismatch, match="different transactions"):
        combine([one, other])
    with pytest.raises(PsbtMismatch, match="nothing to combine"):
        combine([])


def with_input(key: bytes, value: bytes) -> bytes:
    return Psbt.of_transaction(TRANSACTION).with_inputs([{key: value}]).serialize()


KEY = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        (field_key(In.BIP32_DERIVATION, KEY), b"", "origin has 0 bytes"),
        (field_key(In.BIP32_DERIVATION, KEY), b"12345", "origin has 5 bytes"),
        (field_key(In.BIP32_DERIVATION, b"\x02" + bytes(32)), bytes(4), "has a key of the wrong"),
        (field_key(In.PARTIAL_SIG, KEY), b"\x30\x01", "partial_sig has a value"),
        (field_key(In.SIGHASH_TYPE), b"\x01", "sighash_type has a value"),
        (field_key(In.NON_WITNESS_UTXO), b"\x01", "non_witness_utxo: "),
        (field_key(In.WITNESS_UTXO), bytes(10), "witness_utxo has a value"),
        (field_key(In.FINAL_SCRIPTWITNESS), b"\x01", "final_scriptwitness: "),
        (field_key(In.SHA256, bytes(32)), b"no preimage", "sha256 has a value"),
        (field_key(In.TAP_BIP32_DERIVATION, KEY[1:]), b"\x01", "tap_bip32_derivation: "),
        (b"\x0e", bytes(32), "field 0x0e belongs to version 2"),
        (b"\xfd", b"", "broken or cut short"),
    ],
)  # fmt: skip
def test_a_field_has_its_form(key: bytes, value: bytes, complaint: str) -> None:
    with pytest.raises(BadPsbt, match=complaint):
        Psbt.parse(with_input(key, value))


def test_the_tree_of_an_output_must_be_one() -> None:
    leaf = b"\xc0\x01\x51"
    for tree, is_good in [
        (b"\x00" + leaf, True),
        (b"\x01" + leaf + b"\x01" + leaf, True),
        (b"\x01" + leaf + b"\x02" + leaf + b"\x02" + leaf, True),
        (b"\x01" + leaf, False),
        (b"", False),
        (b"\x01" + leaf + b"\x01" + leaf + b"\x01" + leaf, False),
        (b"\x81" + leaf, False),
        (b"\x00\xc1\x01\x51", False),
    ]:
        plain = Psbt.of_transaction(TRANSACTION)
        raw = Psbt(
            TRANSACTION, plain.fields, plain.inputs, ({field_key(Out.TAP_TREE): tree},)
        ).serialize()
        if is_good:
            assert get(Psbt.parse(raw).outputs[0], Out.TAP_TREE) == tree
        else:
            with pytest.raises(BadPsbt, match="tap_tree has a value"):
                Psbt.parse(raw)


def test_origins_of_taproot_keys_are_read_as_written() -> None:
    value = write_tap_origin((b"\x01" * 32, b"\x02" * 32), read_tap_origin(b"\x00abcd")[1])
    assert read_tap_origin(value) == ((b"\x01" * 32, b"\x02" * 32), (b"abcd", ()))


def test_what_is_no_text_or_too_long_is_refused() -> None:
    refuse("", "does not begin with")
    refuse("cHNidP8*", "expected base64")
    refuse("é", "expected base64")
    with pytest.raises(BadPsbt, match="too many"):
        Psbt.parse(bytes(20_000_001))
    signed = TRANSACTION.inputs[0]._replace(witness=(b"x",))
    with pytest.raises(BadPsbt, match="input 0 of the unsigned transaction has a signature"):
        Psbt.of_transaction(Transaction(2, [signed], TRANSACTION.outputs, 0))


def test_no_bytes_make_it_fall() -> None:
    [text] = [
        case["encoded psbt"]
        for case in load("bip174.json")["valid psbts"]
        if "2-of-2 multisig, redeem script" in case["description"]
    ]
    raw = base64.b64decode(text)

    @given(st.integers(0, len(raw) - 1), st.binary(max_size=3), st.booleans())
    def change(place: int, news: bytes, cuts: bool) -> None:
        changed = raw[:place] + news + (b"" if cuts else raw[place + len(news) :])
        try:
            psbt = Psbt.parse(changed)
            assert psbt.serialize() == changed
            describe(psbt, MAIN)
            finalize(psbt)
        except WalletError as refusal:
            assert "\n" not in str(refusal)

    change()
