"""A guess: which kind of thing some bytes or words are.

What parses as one kind hardly ever parses as another: a message has its magic, a transaction and a
block must end where their counts say. Nearly anything is a script, so that comes last.
"""

import re

from chain.block import HEADER_SIZE, Block
from chain.errors import DecodeError
from chain.script.errors import ScriptError
from chain.script.opcodes import instructions
from chain.transaction import Transaction
from node.wire import HEADER_SIZE as FRAME_HEADER_SIZE
from scripts.explain.address import BASE58, looks_like_bech32
from scripts.explain.given import Given
from scripts.explain.message import network_of
from scripts.explain.model import ExplainError
from scripts.explain.node import is_hash

WORDS = re.compile(r"\s|^OP_", re.IGNORECASE)
HEIGHT = re.compile(r"0|[1-9][0-9]{0,6}")


WHAT_IT_IS = {
    "hash": "the id of a transaction or block",
    "height": "the height of a block",
    "message": "a peer message",
    "tx": "a transaction",
    "block": "a block",
    "header": "the header of a block",
    "address": "an address",
    "script": "a script",
}


def guess(given: Given) -> str:
    """One of WHAT_IT_IS; ExplainError if it can be none of them."""
    is_frame = given.raw is not None and network_of(given.raw[:4]) is not None
    if is_frame and len(given.raw or b"") >= FRAME_HEADER_SIZE:
        return "message"
    if is_hash(given.text):
        return "hash"
    if HEIGHT.fullmatch(given.text):
        return "height"
    if given.raw is None:
        return _guess_text(given)
    raw = given.raw
    if _parses(Transaction, raw):
        return "tx"
    if len(raw) == HEADER_SIZE:
        return "header"
    if _parses(Block, raw):
        return "block"
    return _guess_script(given, raw)


def _guess_text(given: Given) -> str:
    text = given.text
    if looks_like_bech32(text):
        return "address"
    if 26 <= len(text) <= 36 and text[0] in "123mn" and sum(c in BASE58 for c in text) > 24:
        return "address"
    if WORDS.search(text):
        return "script"
    given.bytes("a script, transaction, block, message or address")
    return "script"


def _guess_script(given: Given, raw: bytes) -> str:
    try:
        list(instructions(raw))
    except ScriptError:
        if WORDS.search(given.text):
            return "script"
        raise ExplainError(
            f"{given.shown}: {len(raw)} bytes that are no message, transaction, block, header or "
            "whole script; if you know what they are, name the kind: farthing explain script HEX"
        ) from None
    return "script"


def _parses(kind: type[Transaction] | type[Block], raw: bytes) -> bool:
    try:
        kind.parse(raw)
    except DecodeError:
        return False
    return True
