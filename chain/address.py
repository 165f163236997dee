"""Addresses: the scriptPubKeys that people can write down, in base58check, bech32 and bech32m.

Knows the three encodings, and which scripts have an address. Does not know how such a script is
spent (script/templates). Read beside it: BIP 173 and BIP 350, whose reference code this follows.
"""

from collections.abc import Iterable

from chain.errors import DecodeError
from chain.hashes import sha256d
from chain.params import NETWORKS, Params

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_CONSTANT = 1
_BECH32M_CONSTANT = 0x2BC830A3
_CHECKSUM_SIZE = 6
MAX_BECH32_LENGTH = 90  # characters (BIP 173)
MAX_BASE58_LENGTH = 120  # characters: an extended key has 111, and decoding long text is quadratic
MAX_WITNESS_VERSION = 16

_P2PKH = (b"\x76\xa9\x14", b"\x88\xac")  # DUP HASH160 push of 20 … EQUALVERIFY CHECKSIG
_P2SH = (b"\xa9\x14", b"\x87")  # HASH160 push of 20 … EQUAL
_HASH_SIZE = 20
_OP_1 = 0x51
_VERSION_0_SCRIPT_SIZES = (22, 34)  # bytes: a program of 20 or 32


# How witness addresses begin on the networks that people know; tb on the public test networks.
_KNOWN_BEGINNINGS = ("tb1", *(f"{params.bech32_hrp}1" for params in NETWORKS.values()))


class AddressError(DecodeError):
    """The text is not an address, and why."""


class WrongNetwork(AddressError):  # noqa: N818, Error would say nothing more
    """The text is an address, but of another network."""


def base58check_encode(data: bytes) -> str:
    """The data and four bytes of checksum, in base 58."""
    data += sha256d(data)[:4]
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    zeros = len(data) - len(data.lstrip(b"\0"))
    return _BASE58[0] * zeros + text


def base58check_decode(text: str) -> bytes:
    """The data without its checksum. Raises AddressError."""
    if len(text) > MAX_BASE58_LENGTH:
        raise AddressError(f"{len(text)} characters are too many for base58")
    number = 0
    for character in text:
        digit = _BASE58.find(character)
        if digit < 0:
            raise AddressError(f"{character!r} is not a base58 character")
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip(_BASE58[0]))
    data = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if sha256d(data[:-4])[:4] != data[-4:]:  # fewer than four bytes equal no checksum
        raise AddressError("the base58 checksum is wrong: a character was mistyped or is missing")
    return data[:-4]


def _polymod(values: Iterable[int], checksum: int = 1) -> int:
    """What a BCH code leaves over: it notices any four wrong characters."""
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum


def _expand(hrp: str) -> list[int]:
    return [ord(c) >> 5 for c in hrp] + [0] + [ord(c) & 31 for c in hrp]


def _regroup(values: Iterable[int], old_bits: int, new_bits: int) -> tuple[list[int], int, int]:
    """The same bits in other groups; the bits left over at the end and how many they are."""
    groups, pool, count = [], 0, 0
    for value in values:
        pool, count = pool << old_bits | value, count + old_bits
        while count >= new_bits:
            count -= new_bits
            groups.append(pool >> count)
            pool &= (1 << count) - 1
    return groups, pool, count


def bech32_encode(hrp: str, values: list[int], *, is_bech32m: bool) -> str:
    """`hrp`, a 1, and the 5-bit values with their checksum."""
    constant = _BECH32M_CONSTANT if is_bech32m else _BECH32_CONSTANT
    remainder = _polymod([*_expand(hrp), *values, *[0] * _CHECKSUM_SIZE]) ^ constant
    checksum = [remainder >> 5 * (5 - i) & 31 for i in range(_CHECKSUM_SIZE)]
    return hrp + "1" + "".join(_BECH32[value] for value in values + checksum)


def bech32_decode(text: str) -> tuple[str, list[int], bool]:
    """The part before the 1, the 5-bit values, and whether it is bech32m. Raises AddressError."""
    hrp, values = _bech32_parts(text)
    remainder = _polymod(_expand(hrp) + values)
    if remainder not in (_BECH32_CONSTANT, _BECH32M_CONSTANT):
        wrong = [len(text) - 1 - place for place in _mistyped(remainder, values)]
        where = f"probably: {_marked(text, wrong)}" if wrong else "or is missing"
        raise AddressError(f"the bech32 checksum is wrong: a character was mistyped, {where}")
    return hrp, values[:-_CHECKSUM_SIZE], remainder == _BECH32M_CONSTANT


def is_bech32(text: str) -> bool:
    """Whether `bech32_decode` takes it; where it does not, this is a hundred times as fast."""
    try:
        hrp, values = _bech32_parts(text)
    except AddressError:
        return False
    return _polymod(_expand(hrp) + values) in (_BECH32_CONSTANT, _BECH32M_CONSTANT)


def _bech32_parts(text: str) -> tuple[str, list[int]]:
    """The part before the 1, and the 5-bit values, checksum included. Raises AddressError."""
    if not text.isascii():  # or a letter from elsewhere might become one of ours below
        raise AddressError("a character that bech32 does not have")
    if text not in (text.lower(), text.upper()):
        raise AddressError("upper and lower case are mixed")
    hrp, _, data = text.lower().rpartition("1")  # without a 1, nothing comes before it
    if not hrp or len(data) < _CHECKSUM_SIZE or len(text) > MAX_BECH32_LENGTH:
        raise AddressError("not bech32: expected a prefix, a 1 and 6 to 88 characters")
    if not all(33 <= ord(c) <= 126 for c in hrp):
        raise AddressError("a character that bech32 does not have")
    strange = [place for place, c in enumerate(data, len(hrp) + 1) if c not in _BECH32]
    if strange:
        raise AddressError(f"a character that bech32 does not have: {_marked(text, strange)}")
    return hrp, [_BECH32.index(c) for c in data]


def _marked(text: str, places: list[int]) -> str:
    """The text, on one line, with the characters at these places in brackets."""
    shown = [c if c.isprintable() else ascii(c)[1:-1] for c in text]
    return "".join(f"[{c}]" if place in places else c for place, c in enumerate(shown))


def _mistyped(remainder: int, values: list[int]) -> list[int]:
    """Places, counted from the end, of the one or two values that must be wrong; else none.

    The code is linear: what is left over depends on the mistakes alone, and no two pairs of them
    leave the same; a single one is a pair at one place. What should stand there is not told: a
    wrong guess would pay somebody else (BIP 173).
    """
    left_over = list(range(1, len(_BECH32)))  # by each mistake at the last place
    places: dict[int, int] = {}
    for place in range(len(values)):
        places |= dict.fromkeys(left_over, place)
        left_over = [_polymod([0], each) for each in left_over]
    wrongs = [remainder ^ _BECH32_CONSTANT, remainder ^ _BECH32M_CONSTANT]
    for wrong in wrongs if values[0] == 0 else wrongs[::-1]:
        for each, place in places.items():
            if wrong ^ each in places:
                return [place, places[wrong ^ each]]
    return []


def witness_address(hrp: str, version: int, program: bytes) -> str:
    """The address of a witness program: bech32 for version 0, bech32m for later ones (BIP 350)."""
    values, rest, count = _regroup(program, 8, 5)
    if count:
        values.append(rest << 5 - count)
    return bech32_encode(hrp, [version, *values], is_bech32m=version > 0)


def parse_witness_address(text: str) -> tuple[str, int, bytes]:
    """Prefix, witness version and program. Raises AddressError."""
    hrp, values, is_bech32m = bech32_decode(text)
    if not values or values[0] > MAX_WITNESS_VERSION:
        raise AddressError("no such witness version: expected 0 to 16")
    groups, rest, count = _regroup(values[1:], 5, 8)
    version, program = values[0], bytes(groups)
    if rest or count > 4:
        raise AddressError("the padding at the end is wrong")
    if is_bech32m != (version > 0):
        raise AddressError(f"witness version {version} is written in the wrong kind of bech32")
    if not 2 <= len(program) <= 40 or (version == 0 and len(program) not in (20, 32)):
        raise AddressError(f"a witness program of version {version} has not {len(program)} bytes")
    return hrp, version, program


def script_to_address(script: bytes, params: Params) -> str | None:
    """The address of a scriptPubKey; None if it has none."""
    for prefix, (head, tail) in ((params.p2pkh_prefix, _P2PKH), (params.p2sh_prefix, _P2SH)):
        is_sized = len(script) == len(head) + _HASH_SIZE + len(tail)
        if is_sized and script.startswith(head) and script.endswith(tail):
            return base58check_encode(bytes((prefix,)) + script[len(head) : -len(tail)])
    if not 4 <= len(script) <= 42 or script[1] != len(script) - 2:
        return None
    version = script[0] - _OP_1 + 1 if script[0] else 0
    if script[0] and not 1 <= version <= MAX_WITNESS_VERSION:
        return None
    if version == 0 and len(script) not in _VERSION_0_SCRIPT_SIZES:
        return None
    return witness_address(params.bech32_hrp, version, script[2:])


def address_to_script(text: str, params: Params) -> bytes:
    """The scriptPubKey that an address of this network stands for.

    Raises WrongNetwork for another network's address, AddressError for what is none.
    """
    try:
        hrp, version, program = parse_witness_address(text)
    except AddressError:
        beginnings = (params.bech32_hrp + "1", *_KNOWN_BEGINNINGS)
        meant = next((known for known in beginnings if text.lower().startswith(known)), None)
        if meant is None:
            return _base58_to_script(text, params)
        ones = [place for place, c in enumerate(text) if c == "1" and place >= len(meant)]
        if ones:  # the last of them was taken for the one behind the prefix
            why = f"a character that bech32 does not have: {_marked(text, ones)}"
            raise AddressError(why) from None
        raise
    if hrp != params.bech32_hrp:
        expected = f"those of {params.name} with {params.bech32_hrp}1"
        raise WrongNetwork(f"an address of another network: it begins with {hrp}1, {expected}")
    return bytes((version + _OP_1 - 1 if version else 0, len(program))) + program


def _base58_to_script(text: str, params: Params) -> bytes:
    data = base58check_decode(text)
    if len(data) != 1 + _HASH_SIZE:
        raise AddressError(f"an address holds {1 + _HASH_SIZE} bytes, this holds {len(data)}")
    for prefix, (head, tail) in ((params.p2pkh_prefix, _P2PKH), (params.p2sh_prefix, _P2SH)):
        if data[0] == prefix:
            return head + data[1:] + tail
    expected = f"those of {params.name} with {params.p2pkh_prefix} or {params.p2sh_prefix}"
    raise WrongNetwork(f"an address of another network: its first byte is {data[0]}, {expected}")
