"""Errors of the two lower kinds: the bytes are not the thing, and consensus says no.

Knows every reason for which consensus refuses a header, block or transaction, in Bitcoin Core's
words, and how bad each is. Does not know where each rule is checked: look for `Reason.X` in tx_rules,
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
    """One consensus rule: Core's reject string, its result class, and the rule in a sentence."""

    text: str
    result: ResultClass
    sentence: str

    def __init__(self, text: str, result: ResultClass, sentence: str) -> None:
        self.text, self.result, self.sentence = text, result, sentence
        self.__doc__ = sentence

    # A header, alone and after its parent.
    HIGH_HASH = (
        "high-hash",
        ResultClass.INVALID_HEADER,
        "A header's hash is at most the target in its bits, and that target at most the network's.",
    )
    DUPLICATE_INVALID = (
        "duplicate-invalid",
        ResultClass.CACHED_INVALID,
        "A block that was found invalid, or that builds on one, stays invalid.",
    )
    PREV_BLK_NOT_FOUND = (
        "prev-blk-not-found",
        ResultClass.MISSING_PREV,
        "A header's parent is known.",
    )
    BAD_PREVBLK = (
        "bad-prevblk",
        ResultClass.INVALID_PREV,
        "A header's parent is not invalid.",
    )
    BAD_DIFFBITS = (
        "bad-diffbits",
        ResultClass.INVALID_HEADER,
        "A header's bits are those that retargeting gives for its height.",
    )
    TIME_TOO_OLD = (
        "time-too-old",
        ResultClass.INVALID_HEADER,
        "A header's time is above the median of the eleven blocks before it.",
    )
    TIME_TIMEWARP_ATTACK = (
        "time-timewarp-attack",
        ResultClass.INVALID_HEADER,
        "The first header of an interval is at most 600 seconds older than its parent (BIP 94).",
    )
    TIME_TOO_NEW = (
        "time-too-new",
        ResultClass.TIME_FUTURE,
        "A header's time is at most two hours ahead of the node's clock.",
    )
    BAD_VERSION = (
        "bad-version({})",
        ResultClass.INVALID_HEADER,
        "A header's version is at least 2, 3, 4 once BIP 34, 66, 65 are active.",
    )
    TOO_LITTLE_CHAINWORK = (
        "too-little-chainwork",
        ResultClass.HEADER_LOW_WORK,
        "A peer's headers are kept only on a chain with enough work behind it.",
    )

    # A block, alone.
    BAD_TXNMRKLROOT = (
        "bad-txnmrklroot",
        ResultClass.MUTATED,
        "The header's merkle root is that of the block's transactions.",
    )
    BAD_TXNS_DUPLICATE = (
        "bad-txns-duplicate",
        ResultClass.MUTATED,
        "No transactions are repeated where the merkle tree would not show it (CVE-2012-2459).",
    )
    BAD_BLK_LENGTH = (
        "bad-blk-length",
        ResultClass.CONSENSUS,
        "A block has transactions, and without witnesses at most 1,000,000 bytes.",
    )
    BAD_CB_MISSING = (
        "bad-cb-missing",
        ResultClass.CONSENSUS,
        "A block's first transaction is a coinbase.",
    )
    BAD_CB_MULTIPLE = (
        "bad-cb-multiple",
        ResultClass.CONSENSUS,
        "A block's other transactions are not coinbases.",
    )
    BAD_BLK_SIGOPS = (
        "bad-blk-sigops",
        ResultClass.CONSENSUS,
        "A block's signature operations cost at most 80,000 (BIP 141).",
    )

    # A block, after its parent.
    BAD_TXNS_NONFINAL = (
        "bad-txns-nonfinal",
        ResultClass.CONSENSUS,
        "A block's transactions are past their locktimes (BIP 113) and relative locks (BIP 68).",
    )
    BAD_CB_HEIGHT = (
        "bad-cb-height",
        ResultClass.CONSENSUS,
        "A coinbase's scriptSig begins with the block's height (BIP 34).",
    )
    BAD_WITNESS_NONCE_SIZE = (
        "bad-witness-nonce-size",
        ResultClass.MUTATED,
        "A coinbase that commits to witnesses has a witness of exactly one 32-byte item (BIP 141).",
    )
    BAD_WITNESS_MERKLE_MATCH = (
        "bad-witness-merkle-match",
        ResultClass.MUTATED,
        "The coinbase's commitment is that of the block's witnesses (BIP 141).",
    )
    UNEXPECTED_WITNESS = (
        "unexpected-witness",
        ResultClass.MUTATED,
        "No transaction has a witness unless the coinbase commits to it (BIP 141).",
    )
    BAD_BLK_WEIGHT = (
        "bad-blk-weight",
        ResultClass.CONSENSUS,
        "A block's weight is at most 4,000,000 (BIP 141).",
    )

    # A transaction, alone.
    BAD_TXNS_VIN_EMPTY = (
        "bad-txns-vin-empty",
        ResultClass.CONSENSUS,
        "A transaction has inputs.",
    )
    BAD_TXNS_VOUT_EMPTY = (
        "bad-txns-vout-empty",
        ResultClass.CONSENSUS,
        "A transaction has outputs.",
    )
    BAD_TXNS_OVERSIZE = (
        "bad-txns-oversize",
        ResultClass.CONSENSUS,
        "A transaction without its witness has at most 1,000,000 bytes.",
    )
    BAD_TXNS_VOUT_NEGATIVE = (
        "bad-txns-vout-negative",
        ResultClass.CONSENSUS,
        "No output's value is negative.",
    )
    BAD_TXNS_VOUT_TOOLARGE = (
        "bad-txns-vout-toolarge",
        ResultClass.CONSENSUS,
        "No output's value is above 21 million coins (CVE-2010-5139).",
    )
    BAD_TXNS_TXOUTTOTAL_TOOLARGE = (
        "bad-txns-txouttotal-toolarge",
        ResultClass.CONSENSUS,
        "A transaction's outputs together are at most 21 million coins (CVE-2010-5139).",
    )
    BAD_TXNS_INPUTS_DUPLICATE = (
        "bad-txns-inputs-duplicate",
        ResultClass.CONSENSUS,
        "A transaction spends no output twice (CVE-2018-17144).",
    )
    BAD_CB_LENGTH = (
        "bad-cb-length",
        ResultClass.CONSENSUS,
        "A coinbase's scriptSig has 2 to 100 bytes.",
    )
    BAD_TXNS_PREVOUT_NULL = (
        "bad-txns-prevout-null",
        ResultClass.CONSENSUS,
        "Only a coinbase has an input that spends nothing.",
    )

    # A transaction or block, against the coins it spends.
    BAD_TXNS_BIP30 = (
        "bad-txns-BIP30",
        ResultClass.CONSENSUS,
        "No output takes the place of an unspent one (BIP 30, CVE-2012-1909).",
    )
    BAD_TXNS_INPUTS_MISSINGORSPENT = (
        "bad-txns-inputs-missingorspent",
        ResultClass.CONSENSUS,
        "Every input spends an output that exists and is unspent.",
    )
    BAD_TXNS_PREMATURE_SPEND_OF_COINBASE = (
        "bad-txns-premature-spend-of-coinbase",
        ResultClass.CONSENSUS,
        "A coinbase's outputs are spent only once it has matured (100 blocks in Bitcoin).",
    )
    BAD_TXNS_INPUTVALUES_OUTOFRANGE = (
        "bad-txns-inputvalues-outofrange",
        ResultClass.CONSENSUS,
        "The values spent, each and together, lie between 0 and 21 million coins.",
    )
    BAD_TXNS_IN_BELOWOUT = (
        "bad-txns-in-belowout",
        ResultClass.CONSENSUS,
        "A transaction pays out at most what it takes in.",
    )
    BAD_TXNS_FEE_OUTOFRANGE = (
        "bad-txns-fee-outofrange",
        ResultClass.CONSENSUS,
        "A fee is at most 21 million coins.",
    )
    BAD_TXNS_ACCUMULATED_FEE_OUTOFRANGE = (
        "bad-txns-accumulated-fee-outofrange",
        ResultClass.CONSENSUS,
        "A block's fees together are at most 21 million coins.",
    )
    BLOCK_SCRIPT_VERIFY_FLAG_FAILED = (
        "block-script-verify-flag-failed ({})",
        ResultClass.CONSENSUS,
        "Every input's scripts succeed under the rules in force at the block's height.",
    )
    BAD_CB_AMOUNT = (
        "bad-cb-amount",
        ResultClass.CONSENSUS,
        "A coinbase pays at most the subsidy and the block's fees.",
    )


class Invalid(Exception):
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
