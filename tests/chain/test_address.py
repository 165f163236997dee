"""Addresses: the vectors of BIPs 173 and 350, embit, and what is said of a wrong one."""

import json
import re
from pathlib import Path

import pytest
from embit import base58, bech32
from embit.networks import NETWORKS as EMBIT
from embit.script import Script
from embit.script import address_to_scriptpubkey as embit_script
from hypothesis import given
from hypothesis import strategies as st

from chain.address import (
    AddressError,
    WrongNetwork,
    address_to_script,
    base58check_decode,
    base58check_encode,
    bech32_decode,
    bech32_encode,
    is_bech32,
    parse_witness_address,
    script_to_address,
    witness_address,
)
from chain.params import MAIN, REGTEST, Params, custom

HASH = bytes.fromhex("751e76e8199196d454941c45d1b3a323f1433bd6")
P2PKH = b"\x76\xa9\x14" + HASH + b"\x88\xac"
P2SH = b"\xa9\x14" + HASH + b"\x87"


def program_script(version: int, program: bytes) -> bytes:
    return bytes([0x50 + version if version else 0, len(program)]) + program


programs = st.one_of(
    st.sampled_from([20, 32]).flatmap(
        lambda size: st.tuples(st.just(0), st.binary(min_size=size, max_size=size))
    ),
    st.tuples(st.integers(1, 16), st.binary(min_size=2, max_size=40)),
)
hashes = st.binary(min_size=20, max_size=20)
scripts = st.one_of(
    hashes.map(lambda h: b"\x76\xa9\x14" + h + b"\x88\xac"),
    hashes.map(lambda h: b"\xa9\x14" + h + b"\x87"),
    programs.map(lambda each: program_script(*each)),
)


@pytest.mark.parametrize("bip", ["bip173", "bip350"])
def test_checksummed_strings_of_the_bips(shared: Path, bip: str) -> None:
    vectors = json.loads((shared / f"vectors/bips/{bip}.json").read_text())
    assert len(vectors["valid_strings"]) == 7
    assert len(vectors["invalid_strings"]) == {"bip173": 12, "bip350": 14}[bip]
    for text in vectors["valid_strings"]:
        hrp, values, is_bech32m = bech32_decode(text)
        assert is_bech32m == (bip == "bip350")
        assert is_bech32(text)
        assert bech32_encode(hrp, values, is_bech32m=is_bech32m) == text.lower()
    for case in vectors["invalid_strings"]:
        with pytest.raises(AddressError):
            assert bech32_decode(case["string"])[2] == (bip == "bip350")


def test_addresses_of_the_bips(shared: Path) -> None:
    vectors = json.loads((shared / "vectors/bips/bip350.json").read_text())
    assert (len(vectors["valid_addresses"]), len(vectors["invalid_addresses"])) == (8, 15)
    for case in vectors["valid_addresses"]:
        hrp, version, program = parse_witness_address(case["address"])
        assert program_script(version, program).hex() == case["script_pubkey"]
        assert witness_address(hrp, version, program) == case["address"].lower()
        if hrp == "bc":
            assert address_to_script(case["address"], MAIN).hex() == case["script_pubkey"]
        else:
            with pytest.raises(WrongNetwork, match="begins with tb1, those of main with bc1"):
                address_to_script(case["address"], MAIN)
    for case in vectors["invalid_addresses"]:
        with pytest.raises(AddressError):
            address_to_script(case["string"], MAIN)


def test_invalid_addresses_of_the_older_bip(shared: Path) -> None:
    vectors = json.loads((shared / "vectors/bips/bip173.json").read_text())
    assert len(vectors["invalid_addresses"]) == 10
    for case in vectors["invalid_addresses"]:
        for params in (MAIN, REGTEST):
            with pytest.raises(AddressError):
                address_to_script(case["string"], params)


def test_the_best_known_key_hash_on_two_networks() -> None:
    """The addresses of the key 1, as every wallet shows them."""
    assert script_to_address(P2PKH, MAIN) == "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH"
    assert script_to_address(P2PKH, REGTEST) == "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r"
    native = program_script(0, HASH)
    assert script_to_address(native, MAIN) == "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
    assert script_to_address(native, REGTEST) == "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


@given(scripts, st.sampled_from([(MAIN, "main"), (REGTEST, "regtest")]))
def test_embit_writes_the_same_addresses(script: bytes, net: tuple[Params, str]) -> None:
    params, name = net
    address = script_to_address(script, params)
    assert address is not None
    assert address_to_script(address, params) == script
    if Script(script).script_type() is not None:  # embit knows the six types in use
        assert address == Script(script).address(EMBIT[name])
        assert embit_script(address).data == script


@given(programs, st.data())
def test_a_mistyped_character_is_noticed(program: tuple[int, bytes], data: st.DataObject) -> None:
    address = witness_address("bcrt", *program)
    at = data.draw(st.integers(5, len(address) - 1))
    other = data.draw(
        st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l").filter(address[at].__ne__)
    )
    with pytest.raises(AddressError, match="mistyped"):
        address_to_script(address[:at] + other + address[at + 1 :], REGTEST)


def mistype(address: str, places: set[int], data: st.DataObject) -> str:
    letters = list(address)
    for place in places:
        others = [c for c in "qpzry9x8gf2tvdw0s3jn54khce6mua7l" if c != letters[place]]
        letters[place] = data.draw(st.sampled_from(others))
    return "".join(letters)


@given(programs, st.sampled_from(["bc", "bcrt"]), st.data())
def test_one_or_two_mistyped_characters_are_pointed_at(
    program: tuple[int, bytes], hrp: str, data: st.DataObject
) -> None:
    address = witness_address(hrp, *program)
    # All but the version, which tells which of the two checksums was meant.
    anywhere = st.integers(len(hrp) + 2, len(address) - 1)
    places = data.draw(st.sets(anywhere, min_size=1, max_size=2))
    text = mistype(address, places, data)
    marked = "".join(f"[{c}]" if n in places else c for n, c in enumerate(text))
    assert bech32.bech32_decode(text) == (None, None, None)
    with pytest.raises(AddressError) as caught:
        address_to_script(text, REGTEST)
    said = "the bech32 checksum is wrong: a character was mistyped, probably: "
    assert str(caught.value) == said + marked
    # In capitals as well, as a QR code has it.
    with pytest.raises(AddressError) as caught:
        address_to_script(text.upper(), MAIN)
    assert str(caught.value) == said + marked.upper()


def test_a_mistyped_version_is_pointed_at() -> None:
    for right, wrong in (("q", "p"), ("p", "q")):
        address = witness_address("bcrt", "qp".index(right), bytes(range(32)))
        assert address[5] == right
        with pytest.raises(AddressError, match=rf"probably: bcrt1\[{wrong}\]qqqsyqcyq"):
            address_to_script(f"bcrt1{wrong}{address[6:]}", REGTEST)


@pytest.mark.parametrize(
    "marked",
    [
        "bcrt1prgd7st57dh8w7xfjtptg5hl5l82cg3t[t]w2h44sprn85g3[h]fnxu5qgjyfts",
        "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kyg[8]08[z]",
    ],
)
def test_the_version_tells_which_checksum_was_meant(marked: str) -> None:
    """Each of these is also two mistakes away from an address with the other checksum."""
    with pytest.raises(AddressError, match=f"probably: {re.escape(marked)}$"):
        address_to_script(marked.replace("[", "").replace("]", ""), REGTEST)


def test_what_was_mistyped_too_often_is_pointed_at_nowhere() -> None:
    for text in (
        "bcrt1qw508d6qejxtdg4z5q3qarvary0c5xw7kygt080",
        "bcrt1qw508d6qejxtdg45r3zarvary0c5xw7kygt080",
        "bcrt1qqw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
    ):
        with pytest.raises(AddressError, match="was mistyped, or is missing"):
            address_to_script(text, REGTEST)


@given(st.text(max_size=100))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        script = address_to_script(text, REGTEST)
    except AddressError:
        return
    assert script_to_address(script, REGTEST) is not None


@given(st.binary(max_size=80))
def test_base58check_agrees_with_embit(data: bytes) -> None:
    text = base58check_encode(data)
    assert text == base58.encode_check(data)
    assert base58check_decode(text) == data


def test_base58_of_any_first_byte_and_of_the_greatest_length() -> None:
    for first in range(256):
        data = bytes([first]) + HASH
        assert base58check_decode(base58check_encode(data)) == data
    zeros = bytes(114)  # a 1 for each, and six characters of checksum
    assert len(base58check_encode(zeros)) == 120
    assert base58check_decode(base58check_encode(zeros)) == zeros


@pytest.mark.parametrize(("first", "is_good"), [(32, False), (33, True), (126, True), (127, False)])
def test_the_prefix_is_of_visible_characters(first: int, is_good: bool) -> None:
    text = bech32_encode(chr(first) + "b", [3, 1], is_bech32m=True)
    if is_good:
        assert bech32_decode(text) == (chr(first) + "b", [3, 1], True)
    else:
        with pytest.raises(AddressError, match="a character that bech32 does not have"):
            bech32_decode(text)


@given(programs, st.integers(0, 90), st.characters(codec="utf-8"))
def test_a_quick_look_sees_what_decoding_sees(
    program: tuple[int, bytes], place: int, letter: str
) -> None:
    text = witness_address("bcrt", *program)
    text = text[:place] + letter + text[place + 1 :]
    try:
        bech32_decode(text)
    except AddressError:
        assert not is_bech32(text)
    else:
        assert is_bech32(text)


@given(st.text("abcdef", min_size=1, max_size=5), programs)
def test_bech32_agrees_with_embit(hrp: str, program: tuple[int, bytes]) -> None:
    address = witness_address(hrp, *program)
    assert address == bech32.encode(hrp, program[0], program[1])
    assert parse_witness_address(address.upper()) == (hrp, *program)


@pytest.mark.parametrize(
    "script",
    [
        "",
        "00",
        "0014",
        "6a",
        "76a914" + "00" * 20 + "88ad",
        "76a915" + "00" * 20 + "88ac",
        "a914" + "00" * 20 + "88",
        "a915" + "00" * 20 + "87",
        "76a914" + "00" * 21 + "88ac",
        "a914" + "00" * 21 + "87",
        "0013" + "00" * 19,
        "0021" + "00" * 33,
        "0015" + "00" * 20,
        "5101" + "00",
        "5129" + "00" * 41,
        "6102" + "0000",
        "5002" + "0000",
        "5014" + "00" * 20,
        "4f02" + "0000",
        "0202" + "0000",
        "21" + "02" * 33 + "ac",
    ],
)
def test_scripts_without_an_address(script: str) -> None:
    assert script_to_address(bytes.fromhex(script), REGTEST) is None


def test_the_smallest_and_largest_programs_have_addresses() -> None:
    for size in (2, 40):
        for version in (1, 16):
            script = program_script(version, bytes(size))
            address = script_to_address(script, REGTEST)
            assert address is not None and address_to_script(address, REGTEST) == script


REFUSED = [
    ("", "the base58 checksum is wrong"),
    ("1", "the base58 checksum is wrong"),
    ("hello", "'l' is not a base58 character"),
    ("x" * 121, "121 characters are too many for base58"),
    ("mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8s", "the base58 checksum is wrong"),
    (base58check_encode(b"\x6f" + bytes(19)), "an address holds 21 bytes, this holds 20"),
    (base58check_encode(b"\xef" + bytes(32)), "an address holds 21 bytes, this holds 33"),
    (
        "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt08b",
        r"a character that bech32 does not have: bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt08\[b\]$",
    ),
    (
        "bcrt1bw508d6qejxtdg4y5r3zarvary0c5xwikygt080",
        r"does not have: bcrt1\[b\]w508d6qejxtdg4y5r3zarvary0c5xw\[i\]kygt080$",
    ),
    (
        "BCRT11W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KYGT081",
        r"does not have: BCRT1\[1\]W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KYGT08\[1\]$",
    ),
    ("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt08p", "the bech32 checksum is wrong"),
    ("bcrt1Qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "upper and lower case are mixed"),
    ("bcrt1qqqqq", "not bech32: expected a prefix"),
    ("bcrt1" + "q" * 90, "not bech32"),
    (bech32_encode("bcrt", [], is_bech32m=False), "no such witness version"),
    (bech32_encode("bcrt", [17, 0, 0, 0, 0], is_bech32m=True), "no such witness version"),
    (bech32_encode("bcrt", [0, *[0] * 32], is_bech32m=True), "the wrong kind of bech32"),
    (bech32_encode("bcrt", [1, *[0] * 32], is_bech32m=False), "the wrong kind of bech32"),
    (bech32_encode("bcrt", [1, 0, 0, 0, 1], is_bech32m=True), "the padding at the end is wrong"),
    (bech32_encode("bcrt", [1, *[0] * 6], is_bech32m=True), "the padding at the end is wrong"),
    (bech32_encode("bcrt", [1, *[0] * 9], is_bech32m=True), "the padding at the end is wrong"),
    (bech32_encode("bcrt", [1, 0, 0], is_bech32m=True), "has not 1 bytes"),
    (bech32_encode("bcrt", [1, *[0] * 66], is_bech32m=True), "has not 41 bytes"),
    (bech32_encode("bcrt", [0, *[0] * 34], is_bech32m=False), "version 0 has not 21 bytes"),
]


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_refused(text: str, why: str) -> None:
    with pytest.raises(AddressError, match=why) as caught:
        address_to_script(text, REGTEST)
    assert not isinstance(caught.value, WrongNetwork)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            "begins with bc1, those of regtest with bcrt1",
        ),
        ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "begins with bc1"),
        (witness_address("ltc", 1, bytes(32)), "begins with ltc1"),
        ("1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH", "first byte is 0, those of regtest with 111 or 196"),
        (base58check_encode(b"\x05" + HASH), "first byte is 5"),
    ],
)
def test_an_address_of_another_network_is_called_so(text: str, why: str) -> None:
    with pytest.raises(WrongNetwork, match=why):
        address_to_script(text, REGTEST)


def test_a_mistyped_address_of_another_network_is_not_taken_for_base58() -> None:
    for address in ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "tb1qqqqqqqqqqqqqqqqqqq"):
        with pytest.raises(AddressError, match="the bech32 checksum is wrong"):
            address_to_script(address, REGTEST)


def test_a_letter_that_only_looks_like_one_of_ours_is_not_it() -> None:
    """The sign for kelvin turns into a plain k where text is made lower case."""
    address = "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4"
    assert address_to_script(address, MAIN) == program_script(0, HASH)
    with pytest.raises(AddressError, match="a character that bech32 does not have"):
        address_to_script(address.replace("K", "\N{KELVIN SIGN}"), MAIN)


def test_a_network_of_ones_own_has_addresses_of_its_own() -> None:
    groat = custom({"name": "groat", "bech32_hrp": "gr", "p2sh_prefix": 50, "p2pkh_prefix": 38})
    for script in (P2PKH, P2SH, program_script(1, bytes(32))):
        address = script_to_address(script, groat)
        assert address is not None and address_to_script(address, groat) == script
        with pytest.raises(WrongNetwork):
            address_to_script(address, REGTEST)
    with pytest.raises(AddressError, match="mistyped"):
        address_to_script("gr1qqqqqqqqqqqqqqqqqqq", groat)


def test_what_cannot_be_shown_is_shown_by_its_number() -> None:
    with pytest.raises(AddressError, match="does not have: ") as refused:
        address_to_script("bcrt1q\nqqqqqqqq", REGTEST)
    assert str(refused.value).endswith(r"bcrt1q[\n]qqqqqqqq")
