"""Reasons of our policy, and `Rejected`, which carries one: refusals that are ours.

What consensus forbids is in `chain/errors.py`; a node may disagree about everything in this file.
The texts and classes are Bitcoin Core's, because wallets match on them; so is the second, longer
text, which Core calls the debug message and which is `Rejected.detail` here.

Beside it: Bitcoin Core, `src/validation.cpp` (MemPoolAccept) and `src/policy/policy.cpp`.
"""

from enum import Enum, auto


class PolicyClass(Enum):
    """What a refusal means to the one who sent the transaction; never a reason to punish a peer."""

    CONSENSUS = auto()  # it can be in no block, or not loose
    NOT_STANDARD = auto()  # valid, but of a kind we do not relay
    INPUTS_NOT_STANDARD = auto()  # what it spends is of a kind we do not relay the spending of
    WITNESS_MUTATED = auto()  # the witness is stuffed: with another the transaction may be fine
    WITNESS_STRIPPED = auto()  # the witness is missing: with it the transaction may be fine
    PREMATURE_SPEND = auto()  # valid later
    MISSING_INPUTS = auto()  # it spends what we do not know; its parents may be on their way
    CONFLICT = auto()  # we have it already
    MEMPOOL_POLICY = auto()  # it does not fit among the transactions that wait
    RECONSIDERABLE = auto()  # it pays too little now, or alone


class PolicyReason(Enum):
    """Why our policy refuses a transaction: Core's text, the rule in a sentence, and its class.

    A text may hold one `{}`, filled by `Rejected.argument`.
    """

    def __init__(
        self, text: str, sentence: str, result: PolicyClass = PolicyClass.NOT_STANDARD
    ) -> None:
        self.text, self.sentence, self.result = text, sentence, result
        self.__doc__ = sentence

    COINBASE = (
        "coinbase",
        "A coinbase exists only as the first transaction of its block.",
        PolicyClass.CONSENSUS,
    )
    VERSION = ("version", "A transaction's version is 1, 2 or 3 (BIP68, BIP431).")
    TX_SIZE = ("tx-size", "A transaction weighs at most 400,000 weight units.")
    SCRIPTSIG_SIZE = ("scriptsig-size", "A scriptSig has at most 1,650 bytes.")
    SCRIPTSIG_NOT_PUSHONLY = ("scriptsig-not-pushonly", "A scriptSig only pushes data (BIP62).")
    SCRIPTPUBKEY = (
        "scriptpubkey",
        "An output is of a known shape, a bare multisig has at most three keys.",
    )
    BARE_MULTISIG = (
        "bare-multisig",
        "No multisig outside P2SH and P2WSH, where the operator says so.",
    )
    DATACARRIER = ("datacarrier", "All OP_RETURN scripts together have at most 100,000 bytes.")
    DUST = (
        "dust",
        "At most one output is worth less than its spending costs, and then the fee is zero.",
    )
    TX_SIZE_SMALL = (
        "tx-size-small",
        "Without witness at least 65 bytes (64 could be two hashes: CVE-2017-12842).",
    )
    NON_FINAL = (
        "non-final",
        "A transaction's lock time has passed for the next block (BIP113).",
        PolicyClass.PREMATURE_SPEND,
    )
    NON_BIP68_FINAL = (
        "non-BIP68-final",
        "The relative lock times of its inputs have passed for the next block (BIP68).",
        PolicyClass.PREMATURE_SPEND,
    )
    TXN_ALREADY_IN_MEMPOOL = (
        "txn-already-in-mempool",
        "This very transaction waits already.",
        PolicyClass.CONFLICT,
    )
    TXN_SAME_NONWITNESS_DATA_IN_MEMPOOL = (
        "txn-same-nonwitness-data-in-mempool",
        "This transaction waits already with another witness.",
        PolicyClass.CONFLICT,
    )
    TXN_ALREADY_KNOWN = (
        "txn-already-known",
        "This transaction is in the chain already: outputs of it are unspent there.",
        PolicyClass.CONFLICT,
    )
    BAD_TXNS_INPUTS_MISSINGORSPENT = (
        "bad-txns-inputs-missingorspent",
        "Every input is an unspent output of the chain or of a waiting transaction.",
        PolicyClass.MISSING_INPUTS,
    )
    BAD_TXNS_NONSTANDARD_INPUTS = (
        "bad-txns-nonstandard-inputs",
        "Spent outputs are of a known shape, with few signature operations outside witnesses.",
        PolicyClass.INPUTS_NOT_STANDARD,
    )
    BAD_WITNESS_NONSTANDARD = (
        "bad-witness-nonstandard",
        "A witness belongs to a witness program and keeps within the sizes that its kind needs.",
        PolicyClass.WITNESS_MUTATED,
    )
    BAD_TXNS_TOO_MANY_SIGOPS = (
        "bad-txns-too-many-sigops",
        "A transaction costs at most 16,000 signature operations, a fifth of a block's.",
    )
    MEMPOOL_MIN_FEE_NOT_MET = (
        "mempool min fee not met",
        "A full mempool asks for more than what it last threw out.",
        PolicyClass.RECONSIDERABLE,
    )
    MIN_RELAY_FEE_NOT_MET = (
        "min relay fee not met",
        "A transaction pays the smallest feerate that we relay for.",
        PolicyClass.RECONSIDERABLE,
    )
    BIP125_REPLACEMENT_DISALLOWED = (
        "bip125-replacement-disallowed",
        "Where several transactions are only tested, none may replace what waits.",
        PolicyClass.MEMPOOL_POLICY,
    )
    TRUC_VIOLATION = (
        "TRUC-violation",
        "Version 3 promises at most one parent and one small child, all of version 3 (BIP431).",
        PolicyClass.MEMPOOL_POLICY,
    )
    MAX_FEERATE_EXCEEDED = (
        "max feerate exceeded",
        "A feerate is at most what whoever handed it in allows, against slips of the finger.",
        PolicyClass.MEMPOOL_POLICY,
    )
    TOO_LARGE_CLUSTER = (
        "too-large-cluster",
        "At most 64 waiting transactions, together 101,000 vbytes, hang together by spending.",
        PolicyClass.MEMPOOL_POLICY,
    )
    BAD_TXNS_SPENDS_CONFLICTING_TX = (
        "bad-txns-spends-conflicting-tx",
        "A transaction does not spend an output of what it would replace.",
        PolicyClass.CONSENSUS,
    )
    TOO_MANY_POTENTIAL_REPLACEMENTS = (
        "too many potential replacements{}",
        "A replacement conflicts with at most 100 clusters of waiting transactions.",
        PolicyClass.MEMPOOL_POLICY,
    )
    INSUFFICIENT_FEE = (
        "insufficient fee{}",
        "A replacement pays at least the fees it replaces, and its own relay on top (BIP125).",
        PolicyClass.RECONSIDERABLE,
    )
    REPLACEMENT_FAILED = (
        "replacement-failed",
        "A replacement makes the mempool better for miners, not only fuller.",
        PolicyClass.RECONSIDERABLE,
    )
    MISSING_EPHEMERAL_SPENDS = (
        "missing-ephemeral-spends",
        "A transaction that spends from a waiting one spends its dust too.",
        PolicyClass.MEMPOOL_POLICY,
    )
    MEMPOOL_SCRIPT_VERIFY_FLAG_FAILED = (
        "mempool-script-verify-flag-failed ({})",
        "Every input satisfies the script it spends, under our stricter flags.",
    )
    WITNESS_STRIPPED = (
        "mempool-script-verify-flag-failed ({})",
        "A spend of a witness program comes with its witness.",
        PolicyClass.WITNESS_STRIPPED,
    )
    MEMPOOL_FULL = (
        "mempool full",
        "Of a mempool over its size the worst-paying are thrown out, newcomers too.",
        PolicyClass.RECONSIDERABLE,
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


class PackageReason(Enum):
    """Why transactions handed in together are refused together: Core's text, the rule, its class.

    The last two say that one transaction is at fault: its own refusal tells more.
    """

    def __init__(self, text: str, sentence: str, blames_one: bool = False) -> None:
        self.text, self.sentence, self.blames_one = text, sentence, blames_one
        self.__doc__ = sentence

    PACKAGE_TOO_MANY_TRANSACTIONS = (
        "package-too-many-transactions",
        "A package has at most 25 transactions.",
    )
    PACKAGE_TOO_LARGE = ("package-too-large", "A package weighs at most 404,000 weight units.")
    PACKAGE_CONTAINS_DUPLICATES = (
        "package-contains-duplicates",
        "No two transactions of a package have the same id.",
    )
    PACKAGE_NOT_SORTED = ("package-not-sorted", "In a package parents come before children.")
    CONFLICT_IN_PACKAGE = (
        "conflict-in-package",
        "No two transactions of a package spend the same output.",
    )
    PACKAGE_NOT_CHILD_WITH_PARENTS = (
        "package-not-child-with-parents",
        "A package is a child, last, and parents of it.",
    )
    TRUC_VIOLATION = (
        "TRUC-violation",
        "Version 3 promises at most one parent and one small child, all of version 3 (BIP431).",
    )
    TOO_LARGE_CLUSTER = (
        "too-large-cluster",
        "At most 64 waiting transactions, together 101,000 vbytes, hang together by spending.",
    )
    PACKAGE_RBF_FAILED = (
        "package RBF failed: {}",
        "A package that replaces is one parent with its child, and pays as a replacement does.",
    )
    TRANSACTION_FAILED = (
        "transaction failed",
        "Each transaction of a package keeps the rules for one.",
        True,
    )
    UNSPENT_DUST = (
        "unspent-dust",
        "A transaction that spends from one of its package spends its dust too.",
        True,
    )
