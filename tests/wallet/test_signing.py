"""Signatures of a wallet: accepted by Bitcoin Core's engine, low in S and R, and checked last."""

import random
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain import curve
from chain.address import script_to_address
from chain.params import REGTEST
from chain.transaction import Transaction, TxOut
from tests.wallet.fake_node import FakeChain
from wallet import Wallet
from wallet.errors import SigningFailed
from wallet.psbt.verification import verify

pbk = pytest.importorskip("pbk", reason="py-bitcoinkernel is not installed")
COIN = 100_000_000
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
WORDS = "test " * 11 + "junk"
STRANGER = str(script_to_address(b"\x00\x14" + b"\x07" * 20, REGTEST))
KINDS = ("tr", "wpkh", "sh-wpkh", "pkh")

secret_keys = st.integers(1, ORDER - 1).map(lambda number: number.to_bytes(32, "big"))


def funded(kind: str, coins: int = 5) -> Wallet:
    """A wallet with coins of one each at addresses of their own, half of them on the branch of
    change.
    """
    wallet, chain = Wallet.in_memory(WORDS, REGTEST, kind=kind), FakeChain()
    scripts = [wallet.accounts[0].script(number % 2, number) for number in range(coins)]
    chain.pay(*[(script, COIN + number) for number, script in enumerate(scripts)], confirm=True)
    wallet.sync(chain)  # type: ignore[arg-type]
    return wallet


def core_accepts(signed: Transaction, spent: tuple[TxOut, ...]) -> None:
    core = pbk.Transaction(signed.serialize())
    outputs = [pbk.TransactionOutput(pbk.ScriptPubkey(o.script_pubkey), o.value) for o in spent]
    known = pbk.script.PrecomputedTransactionData(core, outputs)
    for index, output in enumerate(spent):
        script = pbk.ScriptPubkey(output.script_pubkey)
        assert script.verify(output.value, core, known, index, pbk.ScriptVerificationFlags.ALL)


@pytest.mark.parametrize("kind", KINDS)
def test_cores_engine_accepts_what_we_sign_and_it_weighs_what_was_said(kind: str) -> None:
    wallet = funded(kind)
    for seed in range(4):
        rng, rate = random.Random(seed), Decimal("2.345")
        draft = wallet.prepare([(STRANGER, 4 * COIN + seed)], feerate=rate, rng=rng)
        signed = wallet.sign(draft)
        assert signed.txid == draft.transaction.txid or kind in ("pkh", "sh-wpkh")
        assert draft.vsize - (4 if kind == "pkh" else 1) <= signed.vsize <= draft.vsize
        core_accepts(signed, draft.spent_outputs)


def test_a_schnorr_signature_takes_random_bytes_and_an_ecdsa_one_none() -> None:
    for kind, count in (("tr", 2), ("wpkh", 1)):
        wallet = funded(kind, 1)
        draft = wallet.prepare([(STRANGER, COIN // 2)], feerate=1, rng=random.Random(1))
        assert len({wallet.sign(draft).serialize() for _ in range(2)}) == count


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


def test_a_draft_of_another_wallet_is_refused() -> None:
    draft = funded("wpkh").prepare([(STRANGER, COIN)], feerate=1)
    with pytest.raises(SigningFailed, match="input 0 belongs to another key"):
        funded("tr").sign(draft)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bit", [0, 100, 255])
def test_a_fault_while_signing_does_not_leave_the_house(
    monkeypatch: pytest.MonkeyPatch, kind: str, bit: int
) -> None:
    """One bit of the key flips inside the library, as a faulty machine might do it."""

    def faulty(honest: Callable[..., bytes]) -> Callable[..., bytes]:
        def sign(secret: bytes, *rest: bytes) -> bytes:
            flipped = int.from_bytes(secret, "big") ^ 1 << bit
            return honest(flipped.to_bytes(32, "big"), *rest)

        return sign

    wallet = funded(kind)
    draft = wallet.prepare([(STRANGER, COIN)], feerate=1)
    monkeypatch.setattr(curve, "sign_ecdsa", faulty(curve.sign_ecdsa))
    monkeypatch.setattr(curve, "sign_schnorr", faulty(curve.sign_schnorr))
    with pytest.raises(SigningFailed, match=r"does not verify"):
        wallet.sign(draft)


@pytest.mark.parametrize("kind", KINDS[:3])
def test_a_lie_about_an_amount_makes_a_signature_nobody_accepts(kind: str) -> None:
    """So the fee cannot be more than the signer saw (BIP 143, 341)."""
    wallet = funded(kind)
    draft = wallet.prepare([(STRANGER, COIN // 2)], feerate=1)
    signed = wallet.sign(draft)
    verify(signed, draft.spent_outputs)
    lie = [TxOut(spent.value * 2, spent.script_pubkey) for spent in draft.spent_outputs]
    with pytest.raises(SigningFailed, match="nothing was sent"):
        verify(signed, lie)
