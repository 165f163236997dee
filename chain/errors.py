"""Errors of the two lower kinds: the bytes are not the thing, and consensus says no.

Knows every reason for which consensus refuses a header, block or transaction, in Bitcoin Core's
words, and how bad each is. Does not know where a rule is checked: look for `Reason.X` in tx_rules,
block_rules, connect and chainstate. Read beside it: Core's consensus/validation.h.
Left out: the reasons of signet and BIP 94, and too-little-chainwork, which sync never lets arise.
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


class Reason(Enum):
    """One consensus rule. Its name is Core's reject string in capitals: HIGH_HASH, `high-hash`."""

    def __init__(
        self, sentence: str, result: ResultClass = ResultClass.CONSENSUS, text: str = ""
    ) -> None:
        self.sentence = self.__doc__ = sentence
        self.result = result
        self.text = text or self.name.lower().replace("_", "-")  # may hold {} for an argument

    # A header, alone and after its parent.
    HIGH_HASH = (
        "A header's hash is at most the target in its bits, and that target at most the network's.",
        ResultClass.INVALID_HEADER,
    )
    DUPLICATE_INVALID = (
        "A block that was found invalid, or that builds on one, stays invalid.",
        ResultClass.CACHED_INVALID,
    )
    PREV_BLK_NOT_FOUND = ("A header's parent is known.", ResultClass.MISSING_PREV)
    BAD_PREVBLK = ("A header's parent is not invalid.", ResultClass.INVALID_PREV)
    BAD_DIFFBITS = (
        "A header's bits are those that retargeting gives for its height.",
        ResultClass.INVALID_HEADER,
    )
    TIME_TOO_OLD = (
        "A header's time is above the median of the eleven blocks before it.",
        ResultClass.INVALID_HEADER,
    )
    TIME_TOO_NEW = (
        "A header's time is at most two hours ahead of the node's clock.",
        ResultClass.TIME_FUTURE,
    )
    BAD_VERSION = (
        "A header's version is at least 2, 3, 4 once BIP 34, 66, 65 are active.",
        ResultClass.INVALID_HEADER,
        "bad-version({})",
    )

    # A block, alone.
    BAD_TXNMRKLROOT = (
        "The header's merkle root is that of the block's transactions.",
        ResultClass.MUTATED,
    )
    BAD_TXNS_DUPLICATE = (
        "No transactions are repeated where the merkle tree would not show it (CVE-2012-2459).",
        ResultClass.MUTATED,
    )
    BAD_BLK_LENGTH = "A block has transactions, and without witnesses at most 1,000,000 bytes."
    BAD_CB_MISSING = "A block's first transaction is a coinbase."
    BAD_CB_MULTIPLE = "A block's other transactions are not coinbases."
    BAD_BLK_SIGOPS = "A block's signature operations cost at most 80,000 (BIP 141)."

    # A block, after its parent.
    BAD_TXNS_NONFINAL = (
        "A block's transactions are past their locktimes (BIP 113) and relative locks (BIP 68)."
    )
    BAD_CB_HEIGHT = "A coinbase's scriptSig begins with the block's height (BIP 34)."
    BAD_WITNESS_NONCE_SIZE = (
        "A coinbase that commits to witnesses has a witness of exactly one 32-byte item (BIP 141).",
        ResultClass.MUTATED,
    )
    BAD_WITNESS_MERKLE_MATCH = (
        "The coinbase's commitment is that of the block's witnesses (BIP 141).",
        ResultClass.MUTATED,
    )
    UNEXPECTED_WITNESS = (
        "No transaction has a witness unless the coinbase commits to it (BIP 141).",
        ResultClass.MUTATED,
    )
    BAD_BLK_WEIGHT = "A block's weight is at most 4,000,000 (BIP 141)."

    # A transaction, alone.
    BAD_TXNS_VIN_EMPTY = "A transaction has inputs."
    BAD_TXNS_VOUT_EMPTY = "A transaction has outputs."
    BAD_TXNS_OVERSIZE = "A transaction without its witness has at most 1,000,000 bytes."
    BAD_TXNS_VOUT_NEGATIVE = "No output's value is negative."
    BAD_TXNS_VOUT_TOOLARGE = "No output's value is above 21 million coins (CVE-2010-5139)."
    BAD_TXNS_TXOUTTOTAL_TOOLARGE = (
        "A transaction's outputs together are at most 21 million coins (CVE-2010-5139)."
    )
    BAD_TXNS_INPUTS_DUPLICATE = "A transaction spends no output twice (CVE-2018-17144)."
    BAD_CB_LENGTH = "A coinbase's scriptSig has 2 to 100 bytes."
    BAD_TXNS_PREVOUT_NULL = "Only a coinbase has an input that spends nothing."

    # A transaction or block, against the coins it spends.
    BAD_TXNS_BIP30 = (
        "No output takes the place of an unspent one (BIP 30, CVE-2012-1909).",
        ResultClass.CONSENSUS,
        "bad-txns-BIP30",
    )
    BAD_TXNS_INPUTS_MISSINGORSPENT = "Every input spends an output that exists and is unspent."
    BAD_TXNS_PREMATURE_SPEND_OF_COINBASE = (
        "A coinbase's outputs are spent only once it has matured (100 blocks in Bitcoin)."
    )
    BAD_TXNS_INPUTVALUES_OUTOFRANGE = (
        "The values spent, each and together, lie between 0 and 21 million coins."
    )
    BAD_TXNS_IN_BELOWOUT = "A transaction pays out at most what it takes in."
    BAD_TXNS_FEE_OUTOFRANGE = "A fee is at most 21 million coins."
    BAD_TXNS_ACCUMULATED_FEE_OUTOFRANGE = "A block's fees together are at most 21 million coins."
    BLOCK_SCRIPT_VERIFY_FLAG_FAILED = (
        "Every input's scripts succeed under the rules in force at the block's height "
        "(BIP 16, 65, 66, 112, 141, 143, 147, 341, 342).",
        ResultClass.CONSENSUS,
        "block-script-verify-flag-failed ({})",
    )
    BAD_CB_AMOUNT = "A coinbase pays at most the subsidy and the block's fees."


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
