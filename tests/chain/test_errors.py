"""Every consensus reason: Core's words, a result class, a sentence."""

import re

import pytest

from chain.errors import DecodeError, Invalid, Reason, ResultClass

# Restated from Bitcoin Core (validation.cpp, consensus/tx_check.cpp, consensus/tx_verify.cpp).
CONSENSUS = """
    bad-blk-length bad-cb-missing bad-cb-multiple bad-blk-sigops bad-txns-nonfinal bad-cb-height
    bad-blk-weight bad-txns-vin-empty bad-txns-vout-empty bad-txns-oversize bad-txns-vout-negative
    bad-txns-vout-toolarge bad-txns-txouttotal-toolarge bad-txns-inputs-duplicate bad-cb-length
    bad-txns-prevout-null bad-txns-BIP30 bad-txns-inputs-missingorspent
    bad-txns-premature-spend-of-coinbase bad-txns-inputvalues-outofrange bad-txns-in-belowout
    bad-txns-fee-outofrange bad-txns-accumulated-fee-outofrange bad-cb-amount
""".split()
OTHERS = {
    "high-hash": "INVALID_HEADER",
    "bad-diffbits": "INVALID_HEADER",
    "time-too-old": "INVALID_HEADER",
    "bad-version({})": "INVALID_HEADER",
    "time-too-new": "TIME_FUTURE",
    "prev-blk-not-found": "MISSING_PREV",
    "bad-prevblk": "INVALID_PREV",
    "duplicate-invalid": "CACHED_INVALID",
    "bad-txnmrklroot": "MUTATED",
    "bad-txns-duplicate": "MUTATED",
    "bad-witness-nonce-size": "MUTATED",
    "bad-witness-merkle-match": "MUTATED",
    "unexpected-witness": "MUTATED",
    "block-script-verify-flag-failed ({})": "CONSENSUS",
}


def test_the_reasons_are_cores_with_cores_results() -> None:
    expected = {**dict.fromkeys(CONSENSUS, "CONSENSUS"), **OTHERS}
    assert {reason.text: reason.result.name for reason in Reason} == expected


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
def test_a_reason_is_named_as_its_text_and_says_its_rule(reason: Reason) -> None:
    assert reason.name == re.sub(r" ?\(.*", "", reason.text).upper().replace("-", "_")
    assert isinstance(reason.result, ResultClass)
    assert re.fullmatch(r"[A-Z].{20,}\.", reason.sentence)
    assert reason.__doc__ == reason.sentence


def test_no_two_reasons_are_the_same() -> None:
    assert len(Reason) == len(Reason.__members__) == len({reason.text for reason in Reason}) == 38


def test_invalid_speaks_as_core_does() -> None:
    plain = Invalid(Reason.HIGH_HASH)
    assert (plain.reject_reason, str(plain)) == ("high-hash", "high-hash")
    assert plain.args == (Reason.HIGH_HASH, "")
    detailed = Invalid(Reason.BAD_VERSION, "too old", argument="0x00000001")
    assert detailed.reject_reason == "bad-version(0x00000001)"
    assert str(detailed) == "bad-version(0x00000001), too old"
    assert (detailed.reason, detailed.detail) == (Reason.BAD_VERSION, "too old")
    script = Invalid(Reason.BLOCK_SCRIPT_VERIFY_FLAG_FAILED, argument="Operation not valid {}")
    assert script.reject_reason == "block-script-verify-flag-failed (Operation not valid {})"


def test_a_decode_error_is_a_value_error() -> None:
    assert issubclass(DecodeError, ValueError)
