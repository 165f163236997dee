"""Labels: what the owner calls addresses, transactions and coins.

They belong to the public half of the file and are told to no node. A label stands under the text
that people use for the thing: an address, a txid, or `txid:number` of an output. The kinds, and
how long a label may be, are those of BIP 329, by which wallets exchange labels.
"""

import contextlib
import re
from collections.abc import Container, Mapping
from typing import Any

from chain.address import AddressError, address_to_script, script_to_address
from chain.encoding import display_hash, parse_hash
from chain.params import Params
from chain.transaction import Transaction
from wallet.errors import BadLabel, DamagedFile
from wallet.ledger import Ledger

MAX_LABEL = 255  # characters, BIP 329's advice
_TXID = re.compile(r"[0-9a-f]{64}")
_OUTPUT = re.compile(r"[0-9a-f]{64}:[0-9]+")

Labels = Mapping[str, str]


def check_label(text: str) -> str:
    """The text as a label; BadLabel if it can't be one."""
    text = text.strip()
    if len(text) > MAX_LABEL:
        raise BadLabel(f"the label has {len(text):,} characters; at most {MAX_LABEL} are kept")
    if not text.isprintable():
        raise BadLabel(f"the label {text[:40]!r} holds what can't be shown; use plain text")
    return text


def with_label(labels: Labels, reference: str, text: str) -> Labels:
    """The labels with one more, changed, or (for an empty text) fewer; BadLabel if it can't be."""
    text = check_label(text)
    others = {known: label for known, label in labels.items() if known != reference}
    return {**others, reference: text} if text else others


def kind_of(reference: str) -> str:
    """What a label stands at, in BIP 329's words: `tx`, `output` or `addr`."""
    if _TXID.fullmatch(reference):
        return "tx"
    return "output" if _OUTPUT.fullmatch(reference) else "addr"


def own_reference(text: str, ledger: Ledger, ours: Container[bytes], params: Params) -> str:
    """The one spelling of a thing of this wallet, whose scriptPubKeys are `ours`; else BadLabel."""
    txid, colon, number = text.lower().partition(":")
    entry = ledger.entries.get(parse_hash(txid)) if _TXID.fullmatch(txid) else None
    numbers = {str(credit.output) for credit in entry.credits} if entry else set()
    if entry and (not colon or number in numbers):
        return txid + colon + number
    with contextlib.suppress(AddressError):
        script = address_to_script(text, params)
        if script in ours:
            return str(script_to_address(script, params))
    raise BadLabel(
        f"{text[:100]!r} is nothing of this wallet; name one of its addresses, a transaction of "
        "its history, or a coin as txid:number"
    )


def entry_labels(labels: Labels, ledger: Ledger, params: Params) -> dict[str, str]:
    """By txid, the label of each transaction: its own, else that of an address of ours it pays."""
    found = {}
    has_addresses = any(kind_of(reference) == "addr" for reference in labels)
    for entry in ledger.entries.values() if has_addresses else ():
        outputs = Transaction.parse(entry.raw).outputs
        paid = [outputs[credit.output].script_pubkey for credit in entry.credits]
        texts = (labels.get(script_to_address(script, params) or "", "") for script in paid)
        found[display_hash(entry.txid)] = next(filter(None, texts), "")
    return {**found, **labels}


def labels_from_json(value: Any) -> Labels:
    """Read labels from a file; DamagedFile if they are anything else, or would drive a terminal."""
    texts = [*value, *value.values()] if isinstance(value, dict) else [None]
    if not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise DamagedFile("the wallet's labels are damaged; restore from a backup")
    return dict(value)
