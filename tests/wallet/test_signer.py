"""Signatures: accepted by Bitcoin Core's engine, low in S and R, and checked before they leave."""

import random

import coincurve
import pytest
from bitcoin.core import CTransaction
from bitcoin.core.script import SIGHASH_ALL, SIGVERSION_WITNESS_V0, CScript, SignatureHash
from hypothesis import given, settings
from hypothesis import strategies as st

from chain import curve
from chain.hashes import hash160
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet import signer
from wallet.builder import INPUT_WEIGHT, Purse, build
from wallet.errors import SigningFailed
from wallet.ledger import Coin, KeyPath

pbk = pytest.importorskip("pbk", reason="py-bitcoinkernel is not installed")
COIN = 100_000_000
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def script_of(secret: bytes) -> bytes:
    return b"\x00\x14" + hash160(coincurve.PrivateKey(secret).public_key.format())


def unsigned(secrets: list[bytes], value: int) -> tuple[Transaction, list[TxOut]]:
    spent = [TxOut(value + number, script_of(secret)) for number, secret in enumerate(secrets)]
    inputs = tuple(
        TxIn(OutPoint(bytes([number + 1]) * 32, number), b"", 0xFFFFFFFD, ())
        for number in range(len(secrets))
    )
    return Transaction(2, inputs, (TxOut(value - 500, script_of(secrets[0])),), 0), spent


secret_keys = st.integers(1, ORDER - 1).map(lambda number: number.to_bytes(32, "big"))


@given(st.lists(secret_keys, min_size=1, max_size=4), st.integers(1_000, 21 * COIN))
@settings(deadline=None, max_examples=40)
def test_cores_engine_and_another_library_accept_what_we_sign(
    secrets: list[bytes], value: int
) -> None:
    transaction, spent = unsigned(secrets, value)
    signed = signer.sign(transaction, spent, secrets)
    assert signed.txid == transaction.txid
    core = pbk.Transaction(signed.serialize())
    other = CTransaction.deserialize(signed.serialize())
    for index, output in enumerate(spent):
        script = pbk.ScriptPubkey(output.script_pubkey)
        flags = pbk.ScriptVerificationFlags.ALL & ~pbk.ScriptVerificationFlags.TAPROOT
        assert script.verify(output.value, core, None, index, flags)
        signature, key = signed.inputs[index].witness
        code = CScript(b"\x76\xa9\x14" + hash160(key) + b"\x88\xac")
        digest = SignatureHash(code, other, index, SIGHASH_ALL, output.value, SIGVERSION_WITNESS_V0)
        assert coincurve.PublicKey(key).verify(signature[:-1], digest, hasher=None)


@given(secret_keys, st.binary(min_size=32, max_size=32))
@settings(deadline=None, max_examples=50)
def test_signatures_are_low_short_and_always_the_same(secret: bytes, digest: bytes) -> None:
    signature = curve.sign_ecdsa(secret, digest)
    assert len(signature) <= 70
    r_size = signature[3]
    r = int.from_bytes(signature[4 : 4 + r_size], "big")
    s = int.from_bytes(signature[6 + r_size :], "big")
    assert 0 < r < 2**255
    assert 0 < s <= ORDER // 2
    assert curve.sign_ecdsa(secret, digest) == signature


def test_a_signed_payment_weighs_what_the_draft_said() -> None:
    secrets = [bytes([number]) * 32 for number in range(1, 6)]
    coins = [
        Coin(OutPoint(bytes([n]) * 32, 0), COIN, KeyPath(0, n), 1, False, False) for n in range(5)
    ]
    payments = [TxOut(4 * COIN + COIN // 2, script_of(secrets[0]))]
    purse = Purse(
        coins,
        lambda coin: TxOut(coin.value, script_of(secrets[coin.path.number])),
        script_of(secrets[1]),
    )
    for seed in range(20):
        draft = build(payments, purse, 2_345, random.Random(seed))
        keys = [secrets[coin.path.number] for coin in draft.coins]
        signed = signer.sign(draft.transaction, draft.spent_outputs, keys)
        assert draft.vsize - 1 <= signed.vsize <= draft.vsize
        assert signed.inputs[0].script_sig == b""
    assert INPUT_WEIGHT == 271


def test_a_key_that_does_not_fit_is_refused() -> None:
    transaction, spent = unsigned([b"\x01" * 32, b"\x02" * 32], COIN)
    with pytest.raises(SigningFailed, match="input 1 belongs to another key"):
        signer.sign(transaction, spent, [b"\x01" * 32, b"\x03" * 32])


@pytest.mark.parametrize("bit", [0, 100, 255])
def test_a_fault_while_signing_does_not_leave_the_house(
    monkeypatch: pytest.MonkeyPatch, bit: int
) -> None:
    """One bit of the key flips inside the library, as a faulty machine might do it."""
    honest = curve.sign_ecdsa

    def faulty(secret: bytes, digest: bytes) -> bytes:
        flipped = int.from_bytes(secret, "big") ^ 1 << bit
        return honest(flipped.to_bytes(32, "big"), digest)

    monkeypatch.setattr(curve, "sign_ecdsa", faulty)
    transaction, spent = unsigned([b"\x01" * 32], COIN)
    with pytest.raises(SigningFailed, match=r"does not verify .*nothing was sent"):
        signer.sign(transaction, spent, [b"\x01" * 32])


def test_a_lie_about_an_amount_makes_a_signature_nobody_accepts() -> None:
    """So the fee cannot be more than the signer saw (BIP 143)."""
    secrets = [b"\x01" * 32]
    transaction, spent = unsigned(secrets, COIN)
    signed = signer.sign(transaction, spent, secrets)
    with pytest.raises(SigningFailed):
        signer.verify(signed, [TxOut(COIN * 2, spent[0].script_pubkey)])
