"""The checker: lock times, and signatures whose digests are computed once."""

import pytest

from chain import curve
from chain.script import sighash
from chain.script.checker import TransactionChecker
from chain.script.sighash import SigVersion
from chain.transaction import TxOut
from tests.chain.script.helpers import bare_tx

SECRET = bytes(31) + b"\x05"
KEY = curve.public_key(SECRET)
SPENT = [TxOut(1000, b"\x51")]


@pytest.mark.parametrize(
    ("required", "locktime", "sequence", "expected"),
    [
        (0, 0, 0, True),
        (5, 5, 0, True),
        (5, 6, 0xFFFFFFFE, True),
        (6, 5, 0, False),
        (5, 5, 0xFFFFFFFF, False),
        (499_999_999, 500_000_000, 0, False),
        (500_000_000, 499_999_999, 0, False),
        (499_999_999, 499_999_999, 0, True),
        (500_000_000, 500_000_000, 0, True),
        (0xFFFFFFFF, 0xFFFFFFFF, 0, True),
        (0x100000000, 0xFFFFFFFF, 0, False),
    ],
)
def test_lock_time(required: int, locktime: int, sequence: int, expected: bool) -> None:
    tx = bare_tx(locktime=locktime, sequence=sequence)
    assert TransactionChecker(tx, 0, SPENT).check_lock_time(required) is expected


@pytest.mark.parametrize(
    ("required", "sequence", "version", "expected"),
    [
        (0, 0, 2, True),
        (5, 5, 2, True),
        (5, 5, 1, False),
        (5, 5, 0, False),
        (5, 5, 0xFFFFFFFF, True),  # versions are unsigned
        (6, 5, 2, False),
        (5, 5 | 1 << 31, 2, False),
        (5, 5 | 1 << 22, 2, False),
        (5 | 1 << 22, 5, 2, False),
        (5 | 1 << 22, 5 | 1 << 22, 2, True),
        (6 | 1 << 22, 5 | 1 << 22, 2, False),
        (5 | 1 << 16, 5 | 1 << 17, 2, True),  # bits without a meaning
        (0xFFFF, 0xFFFE, 2, False),
    ],
)
def test_sequence(required: int, sequence: int, version: int, expected: bool) -> None:
    tx = bare_tx(version=version, sequence=sequence)
    assert TransactionChecker(tx, 0, SPENT).check_sequence(required) is expected


def test_each_version_has_its_digest() -> None:
    tx, code = bare_tx(), b"\x51"
    checker = TransactionChecker(tx, 0, SPENT)
    legacy = curve.sign_ecdsa(SECRET, sighash.legacy_sighash(tx, 0, code, 1)) + b"\x01"
    v0 = curve.sign_ecdsa(SECRET, sighash.witness_v0_sighash(tx, 0, code, 1000, 1)) + b"\x01"
    for _ in range(2):  # the second time from memory
        assert checker.check_ecdsa(legacy, KEY, code, SigVersion.BASE)
        assert checker.check_ecdsa(v0, KEY, code, SigVersion.WITNESS_V0)
        assert not checker.check_ecdsa(legacy, KEY, code, SigVersion.WITNESS_V0)
        assert not checker.check_ecdsa(v0, KEY, code, SigVersion.BASE)
        assert not checker.check_ecdsa(v0, KEY, b"\x52", SigVersion.WITNESS_V0)
    assert not checker.check_ecdsa(b"", KEY, code, SigVersion.BASE)
    assert not checker.check_ecdsa(b"\x01", KEY, code, SigVersion.BASE)


def test_what_the_inputs_share_can_be_handed_in() -> None:
    tx = bare_tx()
    shared = sighash.PrecomputedSighash(tx, SPENT)
    assert TransactionChecker(tx, 0, SPENT, shared).precomputed is shared
