"""Errors of the two lower kinds: the bytes are not the thing, and consensus says no.

Knows every reason for which consensus refuses a header, block or transaction, in Bitcoin Core's
words, and how bad each is. Does not know where a rule is checked: look for `Reason.X` in tx_rules,
block_rules, connect and chainstate. Read beside it: Core's consensus/validation.h.
Left out: signet's only reason, and results that this house does not use.
"""

from enum import Enum, auto


class DecodeError(ValueError):
    """The bytes or the text are not the thing they should be."""


class ResultClass(Enum):
    """What kind of wrong it is; this alone decides what it costs the peer that sent it."""

    CONSENSUS = auto()  # breaks a consensus rule, and always will
    MUTATED = auto()  # the body is not the one that the header names: the header may yet be good
    INVALID_HEADER = auto()  # the header alone breaks a rule
    INVALID_PREV = auto()  # builds on something invalid
    MISSING_PREV = auto()  # builds on something unknown
    CACHED_INVALID = auto()  # was found invalid before
    TIME_FUTURE = auto()  # too early: may become valid
    HEADER_LOW_WORK = auto()  # valid perhaps, but on too little work to be worth keeping


class Reason(Enum):
    """One consensus rule: Core's reject string, the rule in a sentence, and its result class."""

    def __init__(
        self, text: str, sentence: str, result: ResultClass = ResultClass.CONSENSUS
    ) -> None:
        self.text, self.sentence, self.result = text, sentence, result
        self.__doc__ = sentence

    # A header, alone and after its parent.
    HIGH_HASH = (
        "high-hash",
        "A header's hash is at most the target in its bits, and that target at most the network's.",
        ResultClass.INVALID_HEADER,
    )
    DUPLICATE_INVALID = (
        "duplicate-invalid",
        "A block that was found invalid, or that builds on one, stays invalid.",
        ResultClass.CACHED_INVALID,
    )
    PREV_BLK_NOT_FOUND = (
        "prev-blk-not-found",
        "A header's parent is known.",
        ResultClass.MISSING_PREV,
    )
    BAD_PREVBLK = ("bad-prevblk", "A header's parent is not invalid.", ResultClass.INVALID_PREV)
    BAD_DIFFBITS = (
        "bad-diffbits",
        "A header's bits are those that retargeting gives for its height.",
        ResultClass.INVALID_HEADER,
    )
    TIME_TOO_OLD = (
        "time-too-old",
        "A header's time is above the median of the eleven blocks before it.",
        ResultClass.INVALID_HEADER,
    )
    TIME_TIMEWARP_ATTACK = (
        "time-timewarp-attack",
        "The first header of an interval is at most 600 seconds older than its parent (BIP 94).",
        ResultClass.INVALID_HEADER,
    )
    TIME_TOO_NEW = (
        "time-too-new",
        "A header's time is at most two hours ahead of the node's clock.",
        ResultClass.TIME_FUTURE,
    )
    BAD_VERSION = (
        "bad-version({})",
        "A header's version is at least 2, 3, 4 once BIP 34, 66, 65 are active.",
        ResultClass.INVALID_HEADER,
    )
    TOO_LITTLE_CHAINWORK = (
        "too-little-chainwork",
        "A peer's headers are kept only on a chain with enough work behind it.",
        ResultClass.HEADER_LOW_WORK,
    )

    # A block, alone.
    BAD_TXNMRKLROOT = (
        "bad-txnmrklroot",
        "The header's merkle root is that of the block's transactions.",
        ResultClass.MUTATED,
    )
    BAD_TXNS_DUPLICATE = (
        "bad-txns-duplicate",
        "No transactions are repeated where the merkle tree would not show it (CVE-2012-2459).",
        ResultClass.MUTATED,
    )
    BAD_BLK_LENGTH = (
        "bad-blk-length",
        "A block has transactions, and without witnesses at most 1,000,000 bytes.",
    )
    BAD_CB_MISSING = ("bad-cb-missing", "A block's first transaction is a coinbase.")
    BAD_CB_MULTIPLE = ("bad-cb-multiple", "A block's other transactions are not coinbases.")
    BAD_BLK_SIGOPS = (
        "bad-blk-sigops",
        "A block's signature operations cost at most 80,000 (BIP 141).",
    )

    # A block, after its parent.
    BAD_TXNS_NONFINAL = (
        "bad-txns-nonfinal",
        "A block's transactions are past their locktimes (BIP 113) and relative locks (BIP 68).",
    )
    BAD_CB_HEIGHT = (
        "bad-cb-height",
        "A coinbase's scriptSig begins with the block's height (BIP 34).",
    )
    BAD_WITNESS_NONCE_SIZE = (
        "bad-witness-nonce-size",
        "A coinbase that commits to witnesses has a witness of exactly one 32-byte item (BIP 141).",
        ResultClass.MUTATED,
    )
    BAD_WITNESS_MERKLE_MATCH = (
        "bad-witness-merkle-match",
        "The coinbase's commitment is that of the block's witnesses (BIP 141).",
        ResultClass.MUTATED,
    )
    UNEXPECTED_WITNESS = (
        "unexpected-witness",
        "No transaction has a witness unless the coinbase commits to it (BIP 141).",
        ResultClass.MUTATED,
    )
    BAD_BLK_WEIGHT = ("bad-blk-weight", "A block's weight is at most 4,000,000 (BIP 141).")

    # A transaction, alone.
    BAD_TXNS_VIN_EMPTY = ("bad-txns-vin-empty", "A transaction has inputs.")
    BAD_TXNS_VOUT_EMPTY = ("bad-txns-vout-empty", "A transaction has outputs.")
    BAD_TXNS_OVERSIZE = (
        "bad-txns-oversize",
        "A transaction without its witness has at most 1,000,000 bytes.",
    )
    BAD_TXNS_VOUT_NEGATIVE = ("bad-txns-vout-negative", "No output's value is negative.")
    BAD_TXNS_VOUT_TOOLARGE = (
        "bad-txns-vout-toolarge",
        "No output's value is above 21 million coins (CVE-2010-5139).",
    )
    BAD_TXNS_TXOUTTOTAL_TOOLARGE = (
        "bad-txns-txouttotal-toolarge",
        "A transaction's outputs together are at most 21 million coins (CVE-2010-5139).",
    )
    BAD_TXNS_INPUTS_DUPLICATE = (
        "bad-txns-inputs-duplicate",
        "A transaction spends no output twice (CVE-2018-17144).",
    )
    BAD_CB_LENGTH = ("bad-cb-length", "A coinbase's scriptSig has 2 to 100 bytes.")
    BAD_TXNS_PREVOUT_NULL = (
        "bad-txns-prevout-null",
        "Only a coinbase has an input that spends nothing.",
    )

    # A transaction or block, against the coins it spends.
    BAD_TXNS_BIP30 = (
        "bad-txns-BIP30",
        "No output takes the place of an unspent one (BIP 30, CVE-2012-1909).",
    )
    BAD_TXNS_INPUTS_MISSINGORSPENT = (
        "bad-txns-inputs-missingorspent",
        "Every input spends an output that exists and is unspent.",
    )
    BAD_TXNS_PREMATURE_SPEND_OF_COINBASE = (
        "bad-txns-premature-spend-of-coinbase",
        "A coinbase's outputs are spent only once it has matured (100 blocks in Bitcoin).",
    )
    BAD_TXNS_INPUTVALUES_OUTOFRANGE = (
        "bad-txns-inputvalues-outofrange",
        "The values spent, each and together, lie between 0 and 21 million coins.",
    )
    BAD_TXNS_IN_BELOWOUT = (
        "bad-txns-in-belowout",
        "A transaction pays out at most what it takes in.",
    )
    BAD_TXNS_FEE_OUTOFRANGE = ("bad-txns-fee-outofrange", "A fee is at most 21 million coins.")
    BAD_TXNS_ACCUMULATED_FEE_OUTOFRANGE = (
        "bad-txns-accumulated-fee-outofrange",
        "A block's fees together are at most 21 million coins.",
    )
    BLOCK_SCRIPT_VERIFY_FLAG_FAILED = (
        "block-script-verify-flag-failed ({})",
        "Every input's scripts succeed under the rules in force at the block's height.",
    )
    BAD_CB_AMOUNT = ("bad-cb-amount", "A coinbase pays at most the subsidy and the block's fees.")


class Invalid(Exception):  # noqa: N818, a verdict more than a mishap
    """Consensus says no.

    `reason` is the rule broken, `detail` what was found (for people), and `argument` fills the
    `{}` of a reason's text, as Core does.
    """

    def __init__(self, reason: Reason, detail: str = "", *, argument: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.argument = argument

    @property
    def reject_reason(self) -> str:
        """Core's reject string, complete."""
        return self.reason.text.format(self.argument)

    def __str__(self) -> str:
        return f"{self.reject_reason}, {self.detail}" if self.detail else self.reject_reason
