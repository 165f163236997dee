"""Refusals that are ours: `Rejected`, the reasons of our policy, and `StorageError`.

What consensus forbids is in `chain/errors.py`; a node may disagree about everything in this file.
The texts and classes are Bitcoin Core's, because wallets match on them; so is the second, longer
text, which Core calls the debug message and which is `Rejected.detail` here.

Beside it: Bitcoin Core, `src/validation.cpp` (MemPoolAccept) and `src/policy/policy.cpp`.
"""

from enum import Enum, auto


class PolicyClass(Enum):
    """What a refusal means to the one who sent the transaction; never a reason to punish a peer."""

    CONSENSUS = auto()
    """It can be in no block, or not loose."""
    NOT_STANDARD = auto()
    """Valid, but of a kind we do not relay."""
    INPUTS_NOT_STANDARD = auto()
    """What it spends is of a kind we do not relay the spending of."""
    WITNESS_MUTATED = auto()
    """The witness is stuffed: the same transaction with another witness may be fine."""
    WITNESS_STRIPPED = auto()
    """The witness is missing: the same transaction with its witness may be fine."""
    PREMATURE_SPEND = auto()
    """Valid later."""
    MISSING_INPUTS = auto()
    """It spends what we do not know; its parents may be on their way."""
    CONFLICT = auto()
    """We have it already."""
    MEMPOOL_POLICY = auto()
    """It does not fit among the transactions that wait."""
    RECONSIDERABLE = auto()
    """It pays too little now, or alone; with a child that pays, or later, it may do."""


class PolicyReason(Enum):
    """Why our policy refuses a transaction: Core's text, its class, and the rule in a sentence.

    A text may hold one `{}`, filled by `Rejected.argument`.
    """

    text: str
    result: PolicyClass
    sentence: str

    def __init__(self, text: str, result: PolicyClass, sentence: str) -> None:
        self.text = text
        self.result = result
        self.sentence = sentence
        self.__doc__ = sentence

    COINBASE = (
        "coinbase",
        PolicyClass.CONSENSUS,
        "A coinbase exists only as the first transaction of its block.",
    )
    VERSION = (
        "version",
        PolicyClass.NOT_STANDARD,
        "A transaction's version is 1, 2 or 3 (BIP68, BIP431); others await a meaning.",
    )
    TX_SIZE = (
        "tx-size",
        PolicyClass.NOT_STANDARD,
        "A transaction weighs at most 400,000 weight units.",
    )
    SCRIPTSIG_SIZE = (
        "scriptsig-size",
        PolicyClass.NOT_STANDARD,
        "A scriptSig has at most 1,650 bytes, enough for 15 signatures of a P2SH multisig.",
    )
    SCRIPTSIG_NOT_PUSHONLY = (
        "scriptsig-not-pushonly",
        PolicyClass.NOT_STANDARD,
        "A scriptSig only pushes data (BIP62: anything else can be changed by a third party).",
    )
    SCRIPTPUBKEY = (
        "scriptpubkey",
        PolicyClass.NOT_STANDARD,
        "An output's script is of a known shape, and a bare multisig has at most three keys.",
    )
    BARE_MULTISIG = (
        "bare-multisig",
        PolicyClass.NOT_STANDARD,
        "A multisig outside P2SH and P2WSH is refused where the operator says so.",
    )
    DATACARRIER = (
        "datacarrier",
        PolicyClass.NOT_STANDARD,
        "All OP_RETURN scripts of a transaction together have at most 100,000 bytes.",
    )
    DUST = (
        "dust",
        PolicyClass.NOT_STANDARD,
        "At most one output is worth less than the fee to spend it, and then the fee is zero.",
    )
    TX_SIZE_SMALL = (
        "tx-size-small",
        PolicyClass.NOT_STANDARD,
        "Without its witness a transaction has at least 65 bytes (64 look like a pair of hashes "
        "in the merkle tree: CVE-2017-12842).",
    )
    NON_FINAL = (
        "non-final",
        PolicyClass.PREMATURE_SPEND,
        "A transaction's lock time has passed for the next block (BIP113).",
    )
    NON_BIP68_FINAL = (
        "non-BIP68-final",
        PolicyClass.PREMATURE_SPEND,
        "The relative lock times of its inputs have passed for the next block (BIP68).",
    )
    TXN_ALREADY_IN_MEMPOOL = (
        "txn-already-in-mempool",
        PolicyClass.CONFLICT,
        "This very transaction waits already.",
    )
    TXN_SAME_NONWITNESS_DATA_IN_MEMPOOL = (
        "txn-same-nonwitness-data-in-mempool",
        PolicyClass.CONFLICT,
        "This transaction waits already with another witness.",
    )
    TXN_ALREADY_KNOWN = (
        "txn-already-known",
        PolicyClass.CONFLICT,
        "This transaction is in the chain already: outputs of it are unspent there.",
    )
    BIP125_REPLACEMENT_DISALLOWED = (
        "bip125-replacement-disallowed",
        PolicyClass.MEMPOOL_POLICY,
        "Where replacement is not wanted, an input must not be spent by a waiting transaction.",
    )
    BAD_TXNS_INPUTS_MISSINGORSPENT = (
        "bad-txns-inputs-missingorspent",
        PolicyClass.MISSING_INPUTS,
        "Every input is an unspent output of the chain or of a waiting transaction.",
    )
    BAD_TXNS_NONSTANDARD_INPUTS = (
        "bad-txns-nonstandard-inputs",
        PolicyClass.INPUTS_NOT_STANDARD,
        "Spent outputs are of a known shape, P2SH scripts have at most 15 signature operations "
        "and the transaction at most 2,500 outside witnesses (BIP54).",
    )
    BAD_WITNESS_NONSTANDARD = (
        "bad-witness-nonstandard",
        PolicyClass.WITNESS_MUTATED,
        "A witness belongs to a witness program and keeps within the sizes that its kind needs.",
    )
    BAD_TXNS_TOO_MANY_SIGOPS = (
        "bad-txns-too-many-sigops",
        PolicyClass.NOT_STANDARD,
        "A transaction costs at most 16,000 signature operations, a fifth of a block's.",
    )
    MEMPOOL_MIN_FEE_NOT_MET = (
        "mempool min fee not met",
        PolicyClass.RECONSIDERABLE,
        "A full mempool asks for more than what it last threw out.",
    )
    MIN_RELAY_FEE_NOT_MET = (
        "min relay fee not met",
        PolicyClass.RECONSIDERABLE,
        "A transaction pays the smallest feerate that we relay for.",
    )
    TOO_LARGE_CLUSTER = (
        "too-large-cluster",
        PolicyClass.MEMPOOL_POLICY,
        "At most 64 waiting transactions, together 101,000 vbytes, hang together by spending.",
    )
    BAD_TXNS_SPENDS_CONFLICTING_TX = (
        "bad-txns-spends-conflicting-tx",
        PolicyClass.CONSENSUS,
        "A transaction does not spend an output of what it would replace.",
    )
    TOO_MANY_POTENTIAL_REPLACEMENTS = (
        "too many potential replacements",
        PolicyClass.MEMPOOL_POLICY,
        "A replacement conflicts with at most 100 clusters of waiting transactions.",
    )
    INSUFFICIENT_FEE = (
        "insufficient fee",
        PolicyClass.RECONSIDERABLE,
        "A replacement pays at least the fees it replaces, and its own relay on top (BIP125).",
    )
    REPLACEMENT_FAILED = (
        "replacement-failed",
        PolicyClass.RECONSIDERABLE,
        "A replacement makes the mempool better for miners, not only fuller.",
    )
    MISSING_EPHEMERAL_SPENDS = (
        "missing-ephemeral-spends",
        PolicyClass.MEMPOOL_POLICY,
        "A transaction that spends from a waiting one spends its dust too.",
    )
    MEMPOOL_SCRIPT_VERIFY_FLAG_FAILED = (
        "mempool-script-verify-flag-failed ({})",
        PolicyClass.NOT_STANDARD,
        "Every input satisfies the script it spends, under our stricter flags.",
    )
    WITNESS_STRIPPED = (
        "mempool-script-verify-flag-failed ({})",
        PolicyClass.WITNESS_STRIPPED,
        "A spend of a witness program comes with its witness.",
    )
    MEMPOOL_FULL = (
        "mempool full",
        PolicyClass.RECONSIDERABLE,
        "Of a mempool over its size the worst-paying are thrown out, newcomers too.",
    )


class Rejected(Exception):  # noqa: N818 - the word of the house, beside Invalid
    """Our policy says no to a transaction that consensus may well allow.

    `reason` is the rule, `detail` the figures of both sides (Core's debug message, may be empty),
    `argument` fills the `{}` of the reason's text.
    """

    def __init__(self, reason: PolicyReason, detail: str = "", *, argument: str = "") -> None:
        super().__init__(reason, detail, argument)
        self.reason = reason
        self.detail = detail
        self.argument = argument

    @property
    def reject_reason(self) -> str:
        """Core's reject string, complete."""
        return self.reason.text.format(self.argument)

    def __str__(self) -> str:
        return f"{self.reject_reason}, {self.detail}" if self.detail else self.reject_reason


class StorageError(Exception):
    """The data directory cannot be used; the message is one line that says what to do."""
