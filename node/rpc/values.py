"""What the RPC is made of: error codes, amounts with eight decimals, JSON text.

It knows no method and no HTTP. Amounts never pass through a float: they are integers in satoshis,
and only their text has a point. Read beside it: Core's rpc/protocol.h and core_write.cpp
(ValueFromAmount).
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from enum import IntEnum
from string import digits, hexdigits
from typing import NamedTuple, NewType

from chain.transaction import COIN, MAX_MONEY

Hash = NewType("Hash", bytes)
"""Of a block or transaction, as a parameter: 64 hex digits outside, 32 bytes in wire order here."""


class Code(IntEnum):
    """Core's error codes, as far as they are used here."""

    MISC = -1
    """Anything else; also too many or too few arguments."""
    TYPE = -3
    NOT_FOUND = -5
    """No such block, transaction or address."""
    PARAMETER = -8
    NOT_CONNECTED = -9
    """To other nodes; or this one is being stopped."""
    DECODE = -22
    """Bytes that are not the thing they should be."""
    VERIFY = -25
    """Missing inputs, or a fee that is too high."""
    REJECTED = -26
    """By consensus or policy; the message is the reject string."""
    IN_CHAIN = -27
    """The transaction's outputs are in the set of coins already."""
    REQUEST = -32600
    METHOD = -32601
    PARSE = -32700


class RpcError(Exception):
    """An answer that says no."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = int(code)


class Amount(NamedTuple):
    """Satoshis, shown as coins: a JSON number with eight decimals."""

    satoshis: int

    def __str__(self) -> str:
        whole, rest = divmod(abs(self.satoshis), COIN)
        return f"{'-' if self.satoshis < 0 else ''}{whole}.{rest:08d}"


def parse_amount(value: object) -> Amount:
    """Coins, as a JSON number or text, in satoshis. RpcError in Core's words."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise RpcError(Code.TYPE, "Amount is not a number or string")
    try:
        if isinstance(value, str) and not set(value) <= set(f"{digits}.eE+-"):
            raise ArithmeticError  # Python's numbers may also hold blanks and underscores
        satoshis = Decimal(value).scaleb(8)
        is_possible, is_whole = 0 <= satoshis <= MAX_MONEY, satoshis % 1 == 0
    except ArithmeticError:  # no number, or one beyond all measure
        raise RpcError(Code.TYPE, "Invalid amount") from None
    if not is_possible:
        raise RpcError(Code.TYPE, "Amount out of range")
    if not is_whole:
        raise RpcError(Code.TYPE, "Invalid amount")
    return Amount(int(satoshis))


def parse_hash(name: str, text: str) -> Hash:
    """The parameter of that name as a hash. RpcError in Core's words."""
    if len(text) != 64:
        what = f"{name} must be of length 64 (not {len(text)}, for '{text[:80]}')"
        raise RpcError(Code.PARAMETER, what)
    if not set(text) <= set(hexdigits):
        raise RpcError(Code.PARAMETER, f"{name} must be hexadecimal string (not '{text}')")
    return Hash(bytes.fromhex(text)[::-1])


def parse_hex(text: str) -> bytes:
    """The bytes of hex digits and nothing else. ValueError; Core: ParseHex."""
    if not text.isalnum():  # Python lets blanks through
        raise ValueError("not hex digits alone")
    return bytes.fromhex(text)


def to_json(value: object) -> str:
    """JSON text, amounts included."""
    match value:
        case Amount() | Decimal():
            return str(value)
        case Mapping():
            members = (f"{json.dumps(key)}:{to_json(each)}" for key, each in value.items())
            return "{" + ",".join(members) + "}"
        case list() | tuple():
            return "[" + ",".join(map(to_json, value)) + "]"
    return json.dumps(value)
