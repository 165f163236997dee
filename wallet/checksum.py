"""The checksum of a descriptor: eight characters after `#` that notice what was mistyped.

Knows characters only, not what they say. Where one character was mistyped, the checksum also tells
which, as it is linear: what is left over depends on the mistake alone, not on the text around it.

Reference: BIP 380.
"""

from wallet.errors import BadDescriptor, MistypedDescriptor

SIZE = 8
_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_INPUT_CHARSET = (
    "0123456789()[],'/*abcdefgh@:$%{}"
    "IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~"
    'ijklmnopqrstuvwxyzABCDEFGH`#"\\ '
)
_GENERATOR = (0xF5DEE51989, 0xA9FDCA3312, 0x1BAB10E32D, 0x3706B1677A, 0x644D626FFD)


def checksum(body: str) -> str:
    """The eight characters after `#`: they catch any three wrong characters."""
    residue = _residue([*_symbols(body), *[0] * SIZE]) ^ 1
    return "".join(_CHARSET[residue >> (5 * (SIZE - 1 - place)) & 31] for place in range(SIZE))


def add_checksum(body: str) -> str:
    """The descriptor as it is handed on."""
    return f"{body}#{checksum(body)}"


def split_checksum(text: str, *, is_required: bool) -> str:
    """The descriptor without its checksum, which must fit; MistypedDescriptor if it does not."""
    body, mark, given = text.partition("#")
    if not mark and not is_required:
        checksum(body)  # its characters are checked all the same
        return body
    if not mark or len(given) != SIZE:
        raise MistypedDescriptor(
            f"a descriptor ends in # and {SIZE} characters, this one has {len(given)}; "
            "copy it again, all of it"
        )
    if checksum(body) != given:
        raise MistypedDescriptor(
            f"the descriptor's checksum does not fit: a character is mistyped{_where(body, given)}"
        )
    return body


def _symbols(body: str) -> list[int]:
    """Each character in its class of 32; after every three, and at the end, their classes."""
    symbols, group = [], 0
    for place, character in enumerate(body, 1):
        value = _INPUT_CHARSET.find(character)
        if value < 0:
            raise BadDescriptor(
                f"the descriptor holds a character that no descriptor has: number {place}"
            )
        symbols.append(value & 31)
        group = group * 3 + (value >> 5)
        if place % 3 == 0 or place == len(body):
            symbols.append(group)
            group = 0
    return symbols


def _residue(symbols: list[int], residue: int = 1) -> int:
    for symbol in symbols:
        top = residue >> 35
        residue = (residue & 0x7FFFFFFFF) << 5 ^ symbol
        for bit, generator in enumerate(_GENERATOR):
            if top >> bit & 1:
                residue ^= generator
    return residue


def _where(body: str, given: str) -> str:
    """Where one other character would make the checksum fit; empty if there is no such place."""
    if not set(given) <= set(_CHARSET):
        return ", most likely in the checksum itself"
    symbols = [*_symbols(body), *(_CHARSET.index(character) for character in given)]
    wrong = _residue(symbols) ^ 1
    tables = _left_over(len(symbols))
    if any(wrong in table for table in tables[-SIZE:]):
        return ", most likely in the checksum itself"
    for place, character in enumerate(body):
        own, group, weight = _places(place, len(body))
        kind = _INPUT_CHARSET.index(character) >> 5
        for other in range(3):
            classes = symbols[group] + (other - kind) * weight
            needed = wrong ^ tables[group][classes ^ symbols[group]]
            if needed in tables[own]:
                return f", most likely {character!r} at character {place + 1}"
    return ""


def _left_over(count: int) -> list[list[int]]:
    """For each of so many symbols what each of its 32 differences leaves over, by XOR."""
    units, tables = [1, 2, 4, 8, 16], []
    for _ in range(count):
        table = [0]
        for unit in units:
            table += [each ^ unit for each in table]
        tables.append(table)
        units = [_residue([0], unit) for unit in units]
    return tables[::-1]


def _places(place: int, size: int) -> tuple[int, int, int]:
    """Of a character: its symbol, the symbol of its group's classes, and its weight in that."""
    start = place - place % 3
    members = min(3, size - start)
    return place + place // 3, start + start // 3 + members, 3 ** (members - 1 - place % 3)
