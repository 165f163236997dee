"""What can go wrong in a wallet: one class for each kind, one line of text for each case.

The text says what was wrong, what was expected and what to do next; it never holds a secret.
Nothing here knows how a text is shown: a command line prints `str(error)`, a script catches the
class.
"""


# ruff: noqa: N818 - the names say what happened, as everywhere in this house


class WalletError(Exception):
    """Anything that a wallet refuses or cannot do; `str()` is one line for a person."""


class RealMoney(WalletError):
    """The network's coins are worth money: this program neither makes keys nor signs there."""


class BadAmount(WalletError):
    """The text or number is not an amount that can be paid."""


class BadUri(WalletError):
    """The text is not a payment URI, or it asks for something that nobody here knows."""


class BadLabel(WalletError):
    """The text can't be a label, or what it shall stand at is not this wallet's."""


class BadWords(WalletError):
    """The words are not a recovery phrase; the text never repeats them."""


class BadKey(WalletError):
    """The text is not an extended key or a derivation path of this network."""


class BadDescriptor(WalletError):
    """The text is not an output descriptor that this wallet can follow."""


class MistypedDescriptor(BadDescriptor):
    """The checksum of a descriptor does not fit, or is missing where it is required."""


class BadDescriptorKey(BadDescriptor):
    """What stands in the place of a key is none, or none that may stand there."""


class MisplacedScript(BadDescriptor):
    """A script expression that cannot stand where it stands, or that nobody here knows."""


class BadThreshold(BadDescriptor):
    """So many signatures of so many keys: there is no such multisignature."""


class BadPsbt(WalletError):
    """The bytes or the text are not a partially signed transaction of version 0."""


class PsbtMismatch(WalletError):
    """What a partially signed transaction says of an input contradicts itself, or another."""


class PsbtIncomplete(WalletError):
    """Something that the next step needs is not in the partially signed transaction yet."""


class BadPassword(WalletError):
    """The password cannot be used for a new wallet."""


class WatchOnly(WalletError):
    """The wallet follows coins whose keys are elsewhere: it signs nothing."""


class WrongPassword(WalletError):
    """The password does not open this wallet."""


class DamagedFile(WalletError):
    """The file is not what was written: a bit flipped, a piece missing, or somebody's edit."""


class NoSuchWallet(WalletError):
    """There is no file at that place, or none that may be read."""


class WalletExists(WalletError):
    """A file is there already, and is never overwritten."""


class WrongNetwork(WalletError):
    """The file or the address belongs to another network."""


class UnknownAddress(WalletError):
    """The text is not an address that this wallet knows how to pay."""


class GapLimitReached(WalletError):
    """One more unused address would lie where a restore from the words does not look."""


class NotEnoughMoney(WalletError):
    """The spendable coins do not cover amount and fee: `have` and `need`, in satoshis."""

    def __init__(self, message: str, have: int, need: int) -> None:
        super().__init__(message)
        self.have = have
        self.need = need


class CoinUnavailable(WalletError):
    """A coin that was named cannot be spent: unknown, spent, frozen, immature, or not sure yet."""


class NotPending(WalletError):
    """The payment cannot be changed or hurried: it is confirmed, unknown, or not ours to change."""


class Dust(WalletError):
    """An output is worth less than it costs to spend; nodes do not relay it."""


class AbsurdFee(WalletError):
    """The fee, or the fee rate, is beyond what anybody means to pay."""


class SigningFailed(WalletError):
    """A signature did not verify, or a key is missing; the transaction stays here."""


class NodeError(WalletError):
    """Talking to the node failed; which way, the subclass says."""


class NodeUnreachable(NodeError):
    """Nobody answers at that address."""


class NodeTimeout(NodeError):
    """The node did not answer in time."""


class NodeNonsense(NodeError):
    """The answer is not what was asked for: broken, too large, or a lie that was noticed."""


class NodeRefused(NodeError):
    """The node says no to a transaction; `reason` is its own text."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
