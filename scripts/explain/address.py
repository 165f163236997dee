"""An address, taken apart; and a mistyped one, with the place of the mistake where it can be found.

Both checksums find a wrong character by trying: with one character changed back, they hold again.
"""

from collections.abc import Callable, Iterator

from chain.address import (
    AddressError,
    address_to_script,
    base58check_decode,
    bech32_decode,
    is_bech32,
    parse_witness_address,
)
from chain.params import NETWORKS
from chain.script.opcodes import core_asm
from chain.script.templates import classify
from scripts.explain.model import ExplainError, Explanation, Field, Section
from scripts.explain.script import shape_sentence

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
CHECKSUM_SIZE = 6  # characters
MAX_LENGTH = 120  # characters that an address may be thought to have
STRANGERS = {"tb": "Bitcoin's public test networks"}
HRPS = (*(params.bech32_hrp for params in NETWORKS.values()), *STRANGERS)


def explain_address(text: str) -> Explanation:
    """The parts of an address and the script that it stands for; ExplainError for a wrong one."""
    text = text.strip()
    if len(text) > MAX_LENGTH:
        raise ExplainError(f"{len(text)} characters are too many for an address")
    if looks_like_bech32(text):
        return _explain_bech32(text)
    return _explain_base58(text)


def looks_like_bech32(text: str) -> bool:
    """Whether a text begins as witness addresses do, or could be nothing else."""
    lowered = text.lower()
    known = lowered.startswith(tuple(f"{hrp}1" for hrp in HRPS))
    hrp, separator, data = lowered.rpartition("1")
    shaped = bool(separator and hrp.isalpha() and len(hrp) < 10 and len(data) > 30)
    return known or (shaped and (text in (lowered, text.upper()) or not _base58_good(text)))


def _base58_good(text: str) -> bool:
    try:
        base58check_decode(text)
    except AddressError:
        return False
    return True


def _explain_bech32(text: str) -> Explanation:
    try:
        hrp, version, program = parse_witness_address(text)
    except AddressError as error:
        raise ExplainError(f"{text} is no address: {_bech32_mistake(text, str(error))}") from None
    prefix = 0x50 + version if version else 0
    script = bytes((prefix, len(program))) + program
    kind = "bech32m (BIP 350)" if version else "bech32 (BIP 173)"
    data = text.lower().rpartition("1")[2]
    fields = [
        Field("prefix", hrp, _prefix_meaning(hrp)),
        Field("separator", "1", "the last 1 is the separator"),
        Field("version", version, f"of the witness; the character {data[0]!r}"),
        Field("program", program.hex(), f"{len(program)} bytes in {len(data) - 7} characters"),
        Field("checksum", data[-CHECKSUM_SIZE:], f"{kind}: finds any four wrong characters"),
    ]
    networks = [each.name for each in NETWORKS.values() if each.bech32_hrp == hrp]
    return _explanation(text, script, networks or [STRANGERS.get(hrp, "unknown")], kind, fields)


def _prefix_meaning(hrp: str) -> str:
    names = [each.name for each in NETWORKS.values() if each.bech32_hrp == hrp]
    return ", ".join(names) or STRANGERS.get(hrp, "of no network known here")


def _explain_base58(text: str) -> Explanation:
    try:
        data = base58check_decode(text)
    except AddressError as error:
        raise ExplainError(f"{text} is no address: {_base58_mistake(text, str(error))}") from None
    prefix, payload = data[:1], data[1:]
    matches = [
        (params, is_script)
        for params in NETWORKS.values()
        for is_script, number in ((False, params.p2pkh_prefix), (True, params.p2sh_prefix))
        if prefix == bytes([number])
    ]
    if len(payload) != 20 or not matches:
        raise ExplainError(
            f"{text} is base58 with a good checksum, but no address: {len(data)} bytes that begin "
            f"with {prefix.hex() or 'nothing'}; an address has 21"
        )
    script = address_to_script(text, matches[0][0])
    networks = [params.name for params, _ in matches]
    what = "hash160 of a script" if matches[0][1] else "hash160 of a public key"
    names = ", ".join(networks)
    fields = [
        Field("prefix", prefix[0], f"{names}: {what}", prefix, 0),
        Field("payload", payload.hex(), what, payload, 1),
        Field("checksum", _checksum(text), "first four bytes of sha256d of the rest"),
    ]
    if networks != ["main"]:
        networks.append(STRANGERS["tb"])
    return _explanation(text, script, networks, "base58check", fields)


def _checksum(text: str) -> str:
    number = 0
    for character in text:
        number = number * 58 + BASE58.index(character)
    return f"{number & 0xFFFFFFFF:08x}"


def _explanation(
    text: str, script: bytes, networks: list[str], kind: str, fields: list[Field]
) -> Explanation:
    facts = [
        Field("networks", ", ".join(networks), "where it can be used"),
        Field("type", classify(script).value, shape_sentence(script)),
        Field("encoding", kind),
        Field("script_pubkey", script.hex(), "what an output to it holds"),
        Field("asm", core_asm(script), "the same in words"),
    ]
    return Explanation("address", f"address {text}", facts, [Section("Parts", fields)])


def _bech32_mistake(text: str, error: str) -> str:
    """What is wrong with what was meant as bech32, and where."""
    if text not in (text.lower(), text.upper()):
        place = _second_case(text)
        letter = text[place - 1]
        return f"upper and lower case are mixed, from character {place} ({letter!r}) on; use one"
    lowered = text.lower()
    known = next((hrp for hrp in HRPS if lowered.startswith(f"{hrp}1")), None)
    start = len(known) + 1 if known else lowered.rfind("1") + 1
    for place, character in enumerate(lowered[start:], start + 1):
        if character not in BECH32:
            left_out = "1, b, i and o are left out"
            return f"character {place} ({character!r}) is none that bech32 has ({left_out})"
    if "checksum" not in error:
        return _wrong_kind(lowered, error)
    for change, candidate in _changes(lowered, start, BECH32):
        if _holds(candidate):
            return f"the checksum is wrong; it holds if {change}: was it mistyped?"
    for hrp in HRPS:
        if _holds(f"{hrp}1{lowered[start:]}"):
            return f"the checksum is wrong; it holds if the prefix is {hrp}1: was it changed?"
    return error if "probably" in error else f"{error}; too many, so it can't be said where"


def _second_case(text: str) -> int:
    """The place of the first letter whose case is not that of the letters before it."""
    first = next(letter for letter in text if letter.isalpha())
    letters = ((n, c) for n, c in enumerate(text, 1) if c.isalpha())
    return next(place for place, letter in letters if letter.islower() != first.islower())


def _wrong_kind(text: str, error: str) -> str:
    if "wrong kind" not in error:
        return error
    is_m = bech32_decode(text)[2]
    have, want = ("bech32m", "bech32") if is_m else ("bech32", "bech32m")
    version = BECH32.index(text[text.rfind("1") + 1])
    return f"its checksum is {have}, and witness version {version} wants {want} (BIP 350)"


def _changes(text: str, start: int, alphabet: str) -> Iterator[tuple[str, str]]:
    """The text with one character replaced, or two neighbours swapped, and how."""
    for at in range(start, len(text) - 1):
        if text[at] != text[at + 1]:
            swapped = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
            yield f"characters {at + 1} and {at + 2} ({text[at : at + 2]!r}) change places", swapped
    for at in range(start, len(text)):
        for other in alphabet:
            if other != text[at]:
                changed = text[:at] + other + text[at + 1 :]
                yield f"character {at + 1} ({text[at]!r}) is {other!r}", changed


def _holds(text: str) -> bool:
    return is_bech32(text) and _parses(parse_witness_address, text)


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except AddressError:
        return False
    return True


def _base58_mistake(text: str, error: str) -> str:
    for place, character in enumerate(text, 1):
        if character not in BASE58:
            return (
                f"character {place} ({character!r}) is none that base58 has (0, O, I and l are "
                "left out); nor does it begin as bech32 does"
            )
    if "checksum" in error and 26 <= len(text) <= 36:
        for change, candidate in _changes(text, 0, BASE58):
            if _parses(base58check_decode, candidate):
                return f"the checksum is wrong; it holds if {change}: was it mistyped?"
    return error
