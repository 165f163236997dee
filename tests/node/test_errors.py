"""The reasons of our policy: their texts are an interface that wallets match on."""

from node.errors import StorageError
from node.mempool.reasons import PolicyClass, PolicyReason, Rejected

# Restated from Bitcoin Core, not imported.
TEXTS = {
    *"""
    bad-txns-inputs-missingorspent bad-txns-nonstandard-inputs bad-txns-spends-conflicting-tx
    bad-txns-too-many-sigops bad-witness-nonstandard bare-multisig
    coinbase datacarrier dust missing-ephemeral-spends non-BIP68-final non-final replacement-failed
    scriptpubkey scriptsig-not-pushonly scriptsig-size too-large-cluster tx-size tx-size-small
    txn-already-in-mempool txn-already-known txn-same-nonwitness-data-in-mempool version
    """.split(),
    "TRUC-violation",
    "bip125-replacement-disallowed",
    "insufficient fee{}",
    "mempool full",
    "mempool min fee not met",
    "mempool-script-verify-flag-failed ({})",
    "min relay fee not met",
    "max feerate exceeded",
    "too many potential replacements{}",
}


def test_texts_are_cores() -> None:
    assert {reason.text for reason in PolicyReason} == TEXTS


def test_names_are_the_texts_in_capitals() -> None:
    for reason in PolicyReason:
        name = (
            reason.text.removesuffix(" ({})")
            .removesuffix("{}")
            .translate(str.maketrans("- ", "__"))
            .upper()
        )
        assert reason.name == name or reason is PolicyReason.WITNESS_STRIPPED


def test_every_reason_states_its_rule_in_one_sentence() -> None:
    for reason in PolicyReason:
        assert reason.sentence.endswith(".")
        assert reason.__doc__ == reason.sentence
        assert isinstance(reason.result, PolicyClass)


def test_no_two_reasons_collapse_into_one() -> None:
    assert len(PolicyReason) == len(TEXTS) + 1  # a missing witness shares its text


def test_a_rejection_shows_reason_and_figures() -> None:
    refusal = Rejected(PolicyReason.MIN_RELAY_FEE_NOT_MET, "0 < 110")
    assert refusal.reject_reason == "min relay fee not met"
    assert str(refusal) == "min relay fee not met, 0 < 110"
    assert refusal.reason.result is PolicyClass.RECONSIDERABLE
    assert str(Rejected(PolicyReason.DUST)) == "dust"


def test_a_rejection_fills_its_argument() -> None:
    refusal = Rejected(
        PolicyReason.MEMPOOL_SCRIPT_VERIFY_FLAG_FAILED, "input 0", argument="OP_RETURN was found"
    )
    assert refusal.reject_reason == "mempool-script-verify-flag-failed (OP_RETURN was found)"
    assert str(refusal) == "mempool-script-verify-flag-failed (OP_RETURN was found), input 0"


def test_a_storage_error_is_its_message() -> None:
    assert str(StorageError("data directory in use")) == "data directory in use"
