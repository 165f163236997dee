"""Payment URIs: an address, and what is asked to be paid to it, as one line that can be scanned.

Knows how they are written and read, not whose address it is: that is judged where an address typed
by hand is (wallet.builder). What a stranger wrote into one may hold nothing that could drive a
terminal. Beside it: BIP 21.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from chain.address import AddressError, bech32_decode
from wallet.amounts import format_amount, parse_amount
from wallet.errors import BadAmount, BadUri

SCHEME = "bitcoin:"
MAX_LENGTH = 2_953  # characters: the most that a QR code holds
_AMOUNT = re.compile(r"(\d*)\.?(\d*)", re.ASCII)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_KNOWN = ("amount", "label", "message")


@dataclass(frozen=True)
class PaymentUri:
    """`amount` in satoshis, None if the payer chooses; `label` names the payee, `message` why."""

    address: str
    amount: int | None = None
    label: str = ""
    message: str = ""

    def text(self) -> str:
        """The URI; BadUri if it is longer than a QR code holds, or holds what can't be shown."""
        if not (self.label + self.message).isprintable():
            raise BadUri("the label or the message holds what can't be shown; use plain text")
        values = {"label": quote(self.label, safe=""), "message": quote(self.message, safe="")}
        if self.amount is not None:
            values = {"amount": format_amount(self.amount).rstrip("0").rstrip("."), **values}
        query = "&".join(f"{name}={value}" for name, value in values.items() if value)
        text = SCHEME + self.address + ("?" + query if query else "")
        if len(text) > MAX_LENGTH:
            raise BadUri(
                f"label and message are too long: with them the URI has {len(text):,} characters, "
                f"a QR code holds {MAX_LENGTH:,}"
            )
        return text

    def qr_text(self) -> str:
        """The URI for a QR code: in capitals where that changes nothing, as they are denser."""
        text = self.text()
        return text.upper() if _is_bech32(self.address) and "?" not in text else text


def is_uri(text: str) -> bool:
    """Whether a word is meant as a payment URI."""
    return text[: len(SCHEME)].lower() == SCHEME


def parse_uri(text: str) -> PaymentUri:
    """Read a payment URI; BadUri says what is wrong, or what it asks for that nobody here knows."""
    if not is_uri(text):
        raise BadUri(f"a payment URI begins with {SCHEME}, not with {text[:12]!r}")
    if len(text) > MAX_LENGTH:
        raise BadUri(
            f"the payment URI has {len(text):,} characters; at most {MAX_LENGTH:,} are read"
        )
    address, _, query = text[len(SCHEME) :].partition("#")[0].partition("?")
    if not address:
        raise BadUri("the payment URI holds no address; ask the payee for one with an address")
    values = _read_query(query)
    amount = _read_amount(values["amount"]) if "amount" in values else None
    return PaymentUri(address, amount, values.get("label", ""), values.get("message", ""))


def _is_bech32(address: str) -> bool:
    try:
        bech32_decode(address)
    except AddressError:
        return False
    return True


def _read_query(query: str) -> dict[str, str]:
    """The parameters that are known here; others are left out, unless the payee requires them."""
    values: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        name = _decode(name).lower()
        if name.startswith("req-"):
            raise BadUri(
                f"the payment URI requires {name[:40]!r}, which is not known here and must not be "
                "passed over; ask the payee for a plain address"
            )
        if name in values:
            raise BadUri(f"the payment URI says {name} twice; ask the payee which one is meant")
        if name in _KNOWN:
            values[name] = _decode(value)
    return values


def _decode(text: str) -> str:
    """Percent-encoded UTF-8 as text, where each character that is not for showing is a blank."""
    try:
        if _BAD_ESCAPE.search(text):
            raise ValueError
        decoded = unquote_to_bytes(text).decode()
    except ValueError:
        raise BadUri(f"{text[:40]!r} in the payment URI is no percent-encoded text") from None
    return "".join(character if character.isprintable() else " " for character in decoded)


def _read_amount(text: str) -> int:
    """Satoshis of decimal coins, where one side of the dot may be empty (BIP 21)."""
    match = _AMOUNT.fullmatch(text)
    if match is None or not match[1] + match[2]:
        raise BadUri(f"the payment URI asks for {text[:40]!r}, which is no amount in decimal coins")
    try:
        return parse_amount(f"{match[1] or 0}.{match[2] or 0}")
    except BadAmount as error:
        raise BadUri(f"the amount in the payment URI can't be paid: {error}") from None
