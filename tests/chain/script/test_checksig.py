"""Checksig: the examples of BIP 66, and the habits of CHECKMULTISIG."""

import pytest

from chain import curve
from chain.script.script import push
from chain.script.sighash import legacy_sighash
from chain.script.templates import multisig, p2pk
from chain.transaction import Transaction, TxOut
from tests.chain.script.cases import KEY, OTHER_KEY, OTHER_SECRET, SECRET, legacy, padded_r
from tests.chain.script.helpers import CONSENSUS, Spend, bare, bare_tx, script, with_input

P1, P2 = f"<{KEY.hex()}>", f"<{OTHER_KEY.hex()}>"
DERSIG = 1 << 2
F, BAD_F = "<300602010102010101>", "<30060201010201010001>"  # invalid, in DER and not


def signed(script_pubkey: str, pushes: str) -> tuple[str, str]:
    """What becomes of a spend before strict DER and since.

    S1 and S2 sign script_pubkey; S1' and S2' are the same signatures, but not in DER.
    """
    code = script(script_pubkey)
    words = {"F": F, "F'": BAD_F}
    for name, secret in (("S1", SECRET), ("S2", OTHER_SECRET)):
        signature = curve.sign_ecdsa(secret, legacy_sighash(bare_tx(), 0, code, 1))
        words[name] = f"<{signature.hex()}01>"
        words[name + "'"] = f"<{padded_r(signature).hex()}01>"
    script_sig = " ".join(words.get(word, word) for word in pushes.split())
    before = bare(script_sig, script_pubkey, flags=0).ours()
    return before, bare(script_sig, script_pubkey, flags=DERSIG).ours()


@pytest.mark.parametrize(
    ("number", "pushes", "script_pubkey", "before", "after"),
    [
        (1, "S1'", f"{P1} CHECKSIG", "OK", "SIG_DER"),
        (2, "S1'", f"{P1} CHECKSIG NOT", "EVAL_FALSE", "SIG_DER"),
        (3, "F", f"{P1} CHECKSIG", "EVAL_FALSE", "EVAL_FALSE"),
        (4, "F", f"{P1} CHECKSIG NOT", "OK", "OK"),
        (4, "0", f"{P1} CHECKSIG NOT", "OK", "OK"),
        (5, "F'", f"{P1} CHECKSIG", "EVAL_FALSE", "SIG_DER"),
        (6, "F'", f"{P1} CHECKSIG NOT", "OK", "SIG_DER"),
        (7, "0 S1' S2", f"2 {P1} {P2} 2 CHECKMULTISIG", "OK", "SIG_DER"),
        (8, "0 S1' S2", f"2 {P1} {P2} 2 CHECKMULTISIG NOT", "EVAL_FALSE", "SIG_DER"),
        (9, "0 F S2'", f"2 {P1} {P2} 2 CHECKMULTISIG", "EVAL_FALSE", "SIG_DER"),
        (10, "0 F S2'", f"2 {P1} {P2} 2 CHECKMULTISIG NOT", "OK", "SIG_DER"),
        (11, "0 S1' F", f"2 {P1} {P2} 2 CHECKMULTISIG", "EVAL_FALSE", "EVAL_FALSE"),
        (12, "0 S1' F", f"2 {P1} {P2} 2 CHECKMULTISIG NOT", "OK", "OK"),
    ],
)
def test_the_examples_of_bip_66(
    number: int, pushes: str, script_pubkey: str, before: str, after: str
) -> None:
    assert signed(script_pubkey, pushes) == (before, after)


SECRETS = [bytes(31) + bytes([number]) for number in (5, 6, 7)]
KEYS = [curve.public_key(secret) for secret in SECRETS]


@pytest.mark.parametrize(
    ("needed", "signers", "code"),
    [
        (0, [], "OK"),
        (1, [0], "OK"),
        (1, [2], "OK"),
        (2, [0, 1], "OK"),
        (2, [0, 2], "OK"),
        (2, [1, 2], "OK"),
        (3, [0, 1, 2], "OK"),
        (2, [1, 0], "EVAL_FALSE"),  # in the order of the keys, or not at all
        (2, [2, 0], "EVAL_FALSE"),
        (2, [1, 1], "EVAL_FALSE"),
        (1, [], "INVALID_STACK_OPERATION"),
        (1, [0, 1], "OK"),  # without CLEANSTACK: the first is taken for the dummy
    ],
)
def test_multisig_takes_signatures_in_order(needed: int, signers: list[int], code: str) -> None:
    flags = CONSENSUS & ~(1 << 4) if signers == [0, 1] and needed == 1 else CONSENSUS
    spend = legacy(
        multisig(needed, KEYS), flags, before=[b""], signers=[SECRETS[who] for who in signers]
    )
    assert spend.ours() == code


def test_a_key_that_is_never_tried_may_be_nonsense() -> None:
    strict = 1 << 1
    keys = [b"nonsense", *KEYS[1:]]
    good = legacy(multisig(1, keys), strict, before=[b""], signers=[SECRETS[2]])
    assert good.ours() == "OK"
    bad = legacy(multisig(1, keys), strict, before=[b""], signers=[SECRETS[0]])
    assert bad.ours() == "PUBKEYTYPE"


def test_multisig_counts_its_keys_as_operations() -> None:
    def spend(nops: int) -> Spend:
        words = "NOP " * nops + "0 0 " + f"{P1} " * 20 + "20 CHECKMULTISIG"
        return bare("", words)

    assert spend(180).ours() == "OK"
    assert spend(181).ours() == "OP_COUNT"


def test_a_signature_cannot_sign_itself() -> None:
    """FindAndDelete: the signature within the script is cut out before it is checked."""
    code = script(f"DROP {P1} CHECKSIG")
    signature = curve.sign_ecdsa(SECRET, legacy_sighash(bare_tx(), 0, code, 1)) + b"\x01"
    script_pubkey = f"<{signature.hex()}> DROP {P1} CHECKSIG"
    assert bare(f"<{signature.hex()}>", script_pubkey).ours() == "OK"
    for_two = script(f"DROP 1 {P1} 1 CHECKMULTISIG")
    signature = curve.sign_ecdsa(SECRET, legacy_sighash(bare_tx(), 0, for_two, 1)) + b"\x01"
    script_pubkey = f"<{signature.hex()}> DROP 1 {P1} 1 CHECKMULTISIG"
    assert bare(f"0 <{signature.hex()}>", script_pubkey).ours() == "OK"


def test_an_old_accident_makes_one_signature_good_for_all() -> None:
    """SIGHASH_SINGLE without an output beside the input signs the number one."""
    number_one = b"\x01" + bytes(31)
    signature = curve.sign_ecdsa(SECRET, number_one) + b"\x03"
    tx = Transaction(2, bare_tx().inputs * 2, bare_tx().outputs, 0)
    tx = with_input(tx, 1, push(signature), ())
    spent = [TxOut(1000, p2pk(KEY))] * 2
    assert Spend(tx, 1, spent).ours() == "OK"
    assert Spend(with_input(tx, 0, push(signature), ()), 0, spent).ours() == "EVAL_FALSE"
