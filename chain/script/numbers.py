"""Numbers and booleans as the stack holds them: little-endian bytes whose last bit is the sign.

5 is `05`, -5 is `85`, 128 is `8000`, zero is no byte at all. This file knows the encoding and its
limits, not the operations. Reference: Core, src/script/script.h, class CScriptNum.
"""

from chain.script.errors import ScriptError

MAX_NUMBER_SIZE = 4  # bytes an operand may have (Core: nDefaultMaxNumSize); results may be longer
TRUE, FALSE = b"\x01", b""


def encode_number(number: int) -> bytes:
    """The shortest encoding of `number`."""
    size = (abs(number).bit_length() + 8) // 8  # one bit more than the magnitude, for the sign
    if number == 0:
        return b""
    sign = 1 << (8 * size - 1) if number < 0 else 0
    return (abs(number) | sign).to_bytes(size, "little")


def decode_number(data: bytes, must_be_minimal: bool, max_size: int = MAX_NUMBER_SIZE) -> int:
    """The integer in `data`; ScriptError SCRIPTNUM if too long, or padded against the rule."""
    if len(data) > max_size:
        raise ScriptError("SCRIPTNUM")
    number = int.from_bytes(data, "little")
    sign = 1 << (8 * len(data) - 1) if data else 0
    number = sign - number if number & sign else number
    if must_be_minimal and encode_number(number) != data:
        raise ScriptError("SCRIPTNUM")
    return number


def to_bool(data: bytes) -> bool:
    """False for zero in any length, negative zero included; True otherwise."""
    return data.lstrip(b"\x00") not in (b"", b"\x80")
