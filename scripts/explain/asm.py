"""Scripts from words, in any of the forms in which people meet them.

`OP_DUP` or `DUP`; decimal numbers, which are pushed; hex, which is pushed, plain or in `<>`; bytes
that stand as they are behind `0x`, and text in quotes (both as Core's tests write them). Esplora's
`OP_PUSHBYTES_20 <hex>` and `OP_PUSHNUM_2` are read too.
"""

import re

from chain.script import opcodes as op
from chain.script.script import push, push_number
from scripts.explain.model import ExplainError

MAX_NUMBER_DIGITS = 10  # a longer row of digits is hex; Core prints no longer number
_WORD = re.compile(r"'[^']*'|\S+")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")
_NUMBER = re.compile(r"-?[0-9]{1,10}")
_PUSH_WORD = re.compile(r"OP_PUSHBYTES_\d+|OP_PUSHDATA[124]")
_BYTES = {op.opcode_name(opcode): opcode for opcode in range(op.OP_1NEGATE, 0xBB)}
_BYTES |= {"OP_0": 0, "OP_FALSE": 0, "OP_TRUE": op.OP_1, "OP_CLTV": op.OP_CHECKLOCKTIMEVERIFY}
_BYTES |= {"OP_CSV": op.OP_CHECKSEQUENCEVERIFY, "OP_NOP2": op.OP_CHECKLOCKTIMEVERIFY}
_BYTES |= {"OP_NOP3": op.OP_CHECKSEQUENCEVERIFY, "OP_PUSHNUM_NEG1": op.OP_1NEGATE}
_BYTES |= {f"OP_PUSHNUM_{number}": op.OP_1 + number - 1 for number in range(1, 17)}
_BYTES |= {"OP_INVALIDOPCODE": op.OP_INVALIDOPCODE}
_BYTES.pop("OP_UNKNOWN", None)


def assemble(text: str) -> bytes:
    """The script that the words say; ExplainError names the first that says nothing."""
    parts: list[bytes] = []
    push_word = ""
    for word in _WORD.findall(text):
        if push_word:
            parts.append(_long_hand(push_word, word))
            push_word = ""
        elif _PUSH_WORD.fullmatch(word):
            push_word = word
        else:
            parts.append(_instruction(word))
    if push_word:
        raise ExplainError(f"{push_word} stands at the end; write the bytes to push behind it")
    return b"".join(parts)


def _instruction(word: str) -> bytes:
    if word.startswith("'") and word.endswith("'") and len(word) > 1:
        return push(word[1:-1].encode(errors="surrogateescape"))
    if word.startswith("0x") and _HEX.fullmatch(word[2:]):
        return bytes.fromhex(word[2:])
    if word.startswith("<") and word.endswith(">") and (word == "<>" or _HEX.fullmatch(word[1:-1])):
        return push(bytes.fromhex(word[1:-1]))
    if _NUMBER.fullmatch(word):
        return push_number(int(word))
    name = word.upper() if word.upper().startswith("OP_") else f"OP_{word.upper()}"
    if name in _BYTES:
        return bytes([_BYTES[name]])
    if _HEX.fullmatch(word):
        return push(bytes.fromhex(word))
    raise ExplainError(
        f"{word[:60]!r} is no word of a script; expected an opcode such as OP_DUP, a number, or "
        "bytes as hex digits, two a byte"
    )


def _long_hand(push_word: str, word: str) -> bytes:
    """A push whose opcode is written out: `OP_PUSHBYTES_2 abcd`."""
    if not _HEX.fullmatch(word):
        raise ExplainError(f"{word[:60]!r} behind {push_word} is not hex; two digits a byte")
    data = bytes.fromhex(word)
    for size, name in ((1, "OP_PUSHDATA1"), (2, "OP_PUSHDATA2"), (4, "OP_PUSHDATA4")):
        if push_word == name:
            if len(data) >= 1 << 8 * size:
                raise ExplainError(f"{len(data)} bytes are more than {name} can push")
            return bytes([op.OP_PUSHDATA1 + size.bit_length() - 1]) + (
                len(data).to_bytes(size, "little") + data
            )
    if push_word != f"OP_PUSHBYTES_{len(data)}" or len(data) >= op.OP_PUSHDATA1:
        raise ExplainError(f"{push_word} is followed by {len(data)} bytes; one of them is wrong")
    return push(data)
