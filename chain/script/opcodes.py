"""Opcodes: their numbers and names, how an instruction is laid out in bytes, and scripts as text.

Does not know what an opcode does (operations). There are two text forms in use: Esplora's, which is
that of rust-bitcoin, and that of Bitcoin Core's RPC. Reference: Core, src/script/script.h.
"""

from collections.abc import Iterator
from functools import lru_cache

from chain.script.errors import ScriptError
from chain.script.numbers import decode_number

# 01..4b push that many bytes; the three OP_PUSHDATA are followed by a length of 1, 2 or 4 bytes.
OP_0, OP_PUSHDATA1, OP_PUSHDATA2, OP_PUSHDATA4 = 0x00, 0x4C, 0x4D, 0x4E
OP_1NEGATE, OP_RESERVED, OP_1, OP_2, OP_3, OP_16 = 0x4F, 0x50, 0x51, 0x52, 0x53, 0x60
OP_NOP, OP_VER, OP_IF, OP_NOTIF, OP_VERIF, OP_VERNOTIF, OP_ELSE, OP_ENDIF = range(0x61, 0x69)
OP_VERIFY, OP_RETURN, OP_TOALTSTACK, OP_FROMALTSTACK = range(0x69, 0x6D)
OP_2DROP, OP_2DUP, OP_3DUP, OP_2OVER, OP_2ROT, OP_2SWAP, OP_IFDUP, OP_DEPTH = range(0x6D, 0x75)
OP_DROP, OP_DUP, OP_NIP, OP_OVER, OP_PICK, OP_ROLL, OP_ROT, OP_SWAP, OP_TUCK = range(0x75, 0x7E)
OP_CAT, OP_SUBSTR, OP_LEFT, OP_RIGHT, OP_SIZE = range(0x7E, 0x83)
OP_INVERT, OP_AND, OP_OR, OP_XOR, OP_EQUAL, OP_EQUALVERIFY = range(0x83, 0x89)
OP_RESERVED1, OP_RESERVED2, OP_1ADD, OP_1SUB, OP_2MUL, OP_2DIV = range(0x89, 0x8F)
OP_NEGATE, OP_ABS, OP_NOT, OP_0NOTEQUAL, OP_ADD, OP_SUB = range(0x8F, 0x95)
OP_MUL, OP_DIV, OP_MOD, OP_LSHIFT, OP_RSHIFT = range(0x95, 0x9A)
OP_BOOLAND, OP_BOOLOR, OP_NUMEQUAL, OP_NUMEQUALVERIFY, OP_NUMNOTEQUAL = range(0x9A, 0x9F)
OP_LESSTHAN, OP_GREATERTHAN, OP_LESSTHANOREQUAL, OP_GREATERTHANOREQUAL = range(0x9F, 0xA3)
OP_MIN, OP_MAX, OP_WITHIN = range(0xA3, 0xA6)
OP_RIPEMD160, OP_SHA1, OP_SHA256, OP_HASH160, OP_HASH256, OP_CODESEPARATOR = range(0xA6, 0xAC)
OP_CHECKSIG, OP_CHECKSIGVERIFY, OP_CHECKMULTISIG, OP_CHECKMULTISIGVERIFY = range(0xAC, 0xB0)
OP_NOP1, OP_CHECKLOCKTIMEVERIFY, OP_CHECKSEQUENCEVERIFY = range(0xB0, 0xB3)
OP_NOP4, OP_NOP5, OP_NOP6, OP_NOP7, OP_NOP8, OP_NOP9, OP_NOP10 = range(0xB3, 0xBA)
OP_CHECKSIGADD, OP_INVALIDOPCODE = 0xBA, 0xFF

_NAMES = {number: name for name, number in list(globals().items()) if name.startswith("OP_")}
_NAMES |= {opcode: f"OP_{opcode - OP_1 + 1}" for opcode in range(OP_1, OP_16 + 1)}
_RUST_NAMES = {OP_1NEGATE: "OP_PUSHNUM_NEG1"}
_RUST_NAMES |= {OP_CHECKLOCKTIMEVERIFY: "OP_CLTV", OP_CHECKSEQUENCEVERIFY: "OP_CSV"}
_LENGTH_SIZES = {OP_PUSHDATA1: 1, OP_PUSHDATA2: 2, OP_PUSHDATA4: 4}

Instruction = tuple[int, bytes | None, int]
"""An opcode, the bytes that it pushes (None if it is above 4e), and where the next one starts."""


class TruncatedPushError(ScriptError):
    """A push reaches beyond the end of the script.

    `position` is where its data should have begun; if its length is cut off, where that begins.
    """

    def __init__(self, opcode: int, position: int, length_is_missing: bool) -> None:
        super().__init__("BAD_OPCODE")
        self.opcode = opcode
        self.position = position
        self.length_is_missing = length_is_missing


def instructions(script: bytes, position: int = 0) -> Iterator[Instruction]:
    """The instructions of `script` in order; TruncatedPushError if the last one is cut off."""
    end = len(script)
    while position < end:
        opcode = script[position]
        position += 1
        if opcode > OP_PUSHDATA4:
            yield opcode, None, position
            continue
        if opcode == OP_0:  # needs no slice
            yield opcode, b"", position
            continue
        size = opcode
        if opcode >= OP_PUSHDATA1:
            length_size = _LENGTH_SIZES[opcode]
            if end - position < length_size:
                raise TruncatedPushError(opcode, position, True)
            size = int.from_bytes(script[position : position + length_size], "little")
            position += length_size
        if end - position < size:
            raise TruncatedPushError(opcode, position, False)
        yield opcode, script[position : position + size], position + size
        position += size


@lru_cache(maxsize=16)
def cut(script: bytes) -> tuple[bytes, ...]:
    """The bytes of each instruction of `script`; a push that reaches beyond the end is the last.

    Remembered, for the two hundred signatures that one script may check.
    """
    parts, start = [], 0
    try:
        for _, _, following in instructions(script):
            parts.append(script[start:following])
            start = following
    except TruncatedPushError:
        parts.append(script[start:])
    return tuple(parts)


def opcode_name(opcode: int) -> str:
    """The name in common use: OP_CHECKSIG; OP_PUSHBYTES_20; OP_UNKNOWN if it has none."""
    if OP_0 < opcode < OP_PUSHDATA1:
        return f"OP_PUSHBYTES_{opcode}"
    return _NAMES.get(opcode, "OP_UNKNOWN")


def _rust_name(opcode: int) -> str:
    """The name that rust-bitcoin prints; what has no name acts as OP_RETURN and is called so."""
    if OP_1 <= opcode <= OP_16:
        return f"OP_PUSHNUM_{opcode - OP_1 + 1}"
    name = _RUST_NAMES.get(opcode, opcode_name(opcode))
    return f"OP_RETURN_{opcode}" if name == "OP_UNKNOWN" else name


def disassemble(script: bytes) -> str:
    """`script` as text in Esplora's form: `OP_0 OP_PUSHBYTES_20 <hex>`."""
    words: list[str] = []
    try:
        for opcode, data, _ in instructions(script):
            words.append(_rust_name(opcode))
            if data:
                words.append(data.hex())
    except TruncatedPushError as cut:
        if cut.length_is_missing:  # rust-bitcoin puts no space here
            return " ".join(words) + "<unexpected end>"
        words += [_rust_name(cut.opcode), "<push past end>"]
    return " ".join(words)


def core_asm(script: bytes) -> str:
    """`script` as text in the form of Core's RPC: short pushes as numbers, the rest as bare hex."""
    words: list[str] = []
    try:
        for opcode, data, _ in instructions(script):
            if data is None:
                words.append(_core_name(opcode))
            elif len(data) <= 4:
                words.append(str(decode_number(data, must_be_minimal=False)) if data else "0")
            else:
                words.append(data.hex())
    except TruncatedPushError:
        words.append("[error]")
    return " ".join(words)


def _core_name(opcode: int) -> str:
    """Core's GetOpName: OP_1NEGATE and OP_1..OP_16 are shown as the numbers that they push."""
    if opcode == OP_1NEGATE or OP_1 <= opcode <= OP_16:
        return str(opcode - OP_1 + 1)
    return opcode_name(opcode)
