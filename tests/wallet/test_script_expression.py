"""Descriptors of every kind: the vectors of BIP 380 to 387 whole, and what two wallets find."""

import re
from typing import Any

import bdkpython as bdk
import pytest
from embit import descriptor as embit_descriptor
from embit.networks import NETWORKS
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.address import script_to_address
from chain.params import MAIN, REGTEST
from tests.wallet.vectors import load
from wallet.checksum import add_checksum
from wallet.errors import (
    BadDescriptor,
    BadDescriptorKey,
    BadKey,
    BadThreshold,
    MisplacedScript,
    MistypedDescriptor,
)
from wallet.hd import ExtendedPrivateKey
from wallet.key_expression import parse_key
from wallet.script_expression import OutputDescriptor, parse_descriptor

H = 2**31
# BIP 380: of its "valid" list these are the examples of what is not, by the notes beside them.
BROKEN = {
    "Missing checksum": MistypedDescriptor,
    "Too long checksum (9 chars)": MistypedDescriptor,
    "Too short checksum (7 chars)": MistypedDescriptor,
    "Error in payload": MistypedDescriptor,
    "Error in checksum": MistypedDescriptor,
    "Invalid characters in payload": BadDescriptor,
}


def scripts(text: str, count: int) -> list[str]:
    """The scripts as the vectors list them: of a ranged descriptor the first few."""
    descriptor = parse_descriptor(text, MAIN)
    if not descriptor.is_ranged:
        return [found.script_pubkey.hex() for found in descriptor.expand_all()]
    return [descriptor.expand(index).script_pubkey.hex() for index in range(count)]


def test_bip_380_checksums_and_keys() -> None:
    vectors = load("bip380.json")
    assert (len(vectors["valid"]), len(vectors["invalid"])) == (29, 16)
    keys = 0
    for case in vectors["valid"]:
        if case["note"] in BROKEN:
            with pytest.raises(BROKEN[case["note"]]) as refusal:
                parse_descriptor(case["desc"], MAIN)
            assert type(refusal.value) is BROKEN[case["note"]]
        elif case["desc"].startswith("raw"):
            assert parse_descriptor(case["desc"], MAIN).text() == "raw(deadbeef)#89f8spxm"
        else:
            keys += 1
            read_key(case["desc"])
    assert keys == 21
    for case in vectors["invalid"]:
        with pytest.raises(BadDescriptorKey):
            parse_key(case["desc"], MAIN)


def read_key(text: str) -> None:
    """A public key with hardened steps can be written, but only a private one derives them."""
    key = parse_key(text, MAIN)
    if "xpub" in text and re.search(r"/[\d*]+h", text.split("]")[-1]):
        with pytest.raises(BadKey, match="needs the private key"):
            key.derive(0)
        return
    derived = key.derive(7)
    origin = re.match(r"\[([0-9a-f]{8})(.*?)\]", text)
    if origin:
        assert derived.origin.fingerprint.hex() == origin[1]
        assert len(derived.origin.path) >= origin[2].count("/")
    if text.endswith("/*h"):
        assert derived.origin.path[-1] == 7 + H
    if len(key.public) == 65:
        assert derived.key[0] == 4


# What our refusal is, by the words of the vector's own explanation, which are often cut short.
KINDS = [
    ("ncompressed", BadDescriptorKey),
    ("hreshold", BadThreshold),
    ("More than 15 keys", BadThreshold),
    ("Non-hex script", BadDescriptor),
    ("Invalid address", BadDescriptor),
    ("", MisplacedScript),
]


@pytest.mark.parametrize(
    ("name", "valid", "invalid"),
    [
        ("bip381.json", 17, 4),
        ("bip382.json", 12, 11),
        ("bip383.json", 9, 4),
        ("bip384.json", 4, 3),
        ("bip385.json", 4, 6),
        ("bip386.json", 6, 4),
        ("bip387.json", 6, 7),
    ],
)
def test_the_scripts_of_bips_381_to_387(name: str, valid: int, invalid: int) -> None:
    vectors = load(name)
    assert (len(vectors["valid"]), len(vectors["invalid"])) == (valid, invalid)
    for case in vectors["valid"]:
        if case["desc"].startswith("tr(") and ",pkh(" in case["desc"]:  # the BIP: invalid
            with pytest.raises(MisplacedScript, match=r"pkh\(\) cannot stand inside tr\(\)"):
                parse_descriptor(case["desc"], MAIN)
        elif "Child 0" in case["scripts"]:
            check_combo_children(case["desc"])
        else:
            assert scripts(case["desc"], len(case["scripts"])) == case["scripts"]
    for case in vectors["invalid"]:
        expected = next(kind for words, kind in KINDS if words in case["why"])
        with pytest.raises(BadDescriptor) as refusal:
            parse_descriptor(case["desc"], MAIN)
        assert type(refusal.value) is expected, (case, refusal.value)
        assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 200


def check_combo_children(text: str) -> None:
    """A ranged combo: at each index what the four plain kinds have there."""
    for index in (0, 1):
        key = text[len("combo(") : -1]
        plain = [f"pk({key})", f"pkh({key})", f"wpkh({key})", f"sh(wpkh({key}))"]
        expected = [parse_descriptor(each, MAIN).expand(index).script_pubkey for each in plain]
        found = parse_descriptor(text, MAIN).expand_all(index)
        assert [each.script_pubkey for each in found] == expected


def test_every_checksum_vector_is_a_descriptor() -> None:
    vectors = load("descriptor_checksums.json")
    assert len(vectors) == 18
    for case in vectors:
        text = f"{case['desc']}#{case['checksum']}"
        assert parse_descriptor(text, MAIN, is_checksum_required=True).text() == text


MASTERS = [ExtendedPrivateKey.from_seed(bytes([number]) * 16) for number in (1, 2, 3)]


def cosigner(number: int, *, private: bool = False) -> str:
    master = MASTERS[number]
    account = master.derive((48 + H, 1 + H, H, 2 + H))
    key = account.serialize(REGTEST) if private else account.public.serialize(REGTEST)
    return f"[{master.public.fingerprint.hex()}/48h/1h/0h/2h]{key}/<0;1>/*"


ALL = ",".join(cosigner(number) for number in range(3))
SHAPES = [
    f"wsh(sortedmulti(2,{ALL}))",
    f"wsh(multi(2,{ALL}))",
    f"sh(wsh(multi(3,{ALL})))",
    f"sh(sortedmulti(1,{ALL}))",
    f"wpkh({cosigner(0)})",
    f"pkh({cosigner(1)})",
    f"sh(wpkh({cosigner(2)}))",
    f"tr({cosigner(0)})",
]


def embits(text: str) -> Any:
    return embit_descriptor.Descriptor.from_string(text)


@pytest.mark.parametrize("body", SHAPES, ids=[shape[:12] for shape in SHAPES])
def test_embit_and_bdk_find_the_same_addresses(body: str) -> None:
    ours, theirs = parse_descriptor(body, REGTEST), embits(body)
    first, second = bdk.Descriptor(add_checksum(body), bdk.NetworkKind.TEST).to_single_descriptors()
    wallet = bdk.Wallet(first, second, bdk.Network.REGTEST, bdk.Persister.new_in_memory())
    assert ours.branches == 2
    for branch, kind in enumerate((bdk.KeychainKind.EXTERNAL, bdk.KeychainKind.INTERNAL)):
        for index in (0, 1, 500):
            found = script_to_address(ours.script(branch, index), REGTEST)
            derived = theirs.derive(index, branch_index=branch)
            assert found == derived.address(NETWORKS["regtest"])
            assert found == str(wallet.peek_address(kind, index).address)
            expansion = ours.expand(index, branch)
            embit_keys = {key.key.sec() for key in derived.keys} if "tr(" not in body else set()
            if embit_keys:
                assert {key.key for key in expansion.keys} == embit_keys
            for key in expansion.keys:
                master = next(m for m in MASTERS if m.public.fingerprint == key.origin.fingerprint)
                assert master.derive(key.origin.path).public.key == key.key


def test_taproot_trees_match_embits_miniscript_leaves() -> None:
    key = cosigner(0).replace("<0;1>", "0")
    body = f"tr({key},{{pk({cosigner(1)}),{{pk({cosigner(2)}),pk({cosigner(0)})}}}})"
    body = body.replace("<0;1>", "0")
    for index in (0, 9):
        ours = parse_descriptor(body, REGTEST).expand(index)
        theirs = embits(body).derive(index)
        assert ours.script_pubkey == theirs.script_pubkey().data
        assert len(ours.leaves) == 3
        assert [len(leaf.way) for leaf in ours.leaves] == [1, 2, 2]


def test_private_keys_derive_hardened_children_and_hide() -> None:
    text = f"wpkh({cosigner(0, private=True)})".replace("/*", "/*h")
    descriptor = parse_descriptor(text, REGTEST)
    assert descriptor.is_private and descriptor.is_ranged
    secret = cosigner(0, private=True).split("]")[1].split("/")[0]
    assert secret not in repr(descriptor)
    [key] = descriptor.root.all_keys()
    found = key.derive_secret(4, 1)
    expected = MASTERS[0].derive((48 + H, 1 + H, H, 2 + H, 1, 4 + H))
    assert found == expected.secret
    assert descriptor.expand(4, 1).keys[0].key == expected.public.key


def test_double_star_is_short_for_both_branches() -> None:
    whole = parse_descriptor(f"wpkh({cosigner(0)})", REGTEST)
    short = parse_descriptor(f"wpkh({cosigner(0).replace('<0;1>/*', '**')})", REGTEST)
    places = [(0, 0), (1, 5)]
    assert [whole.script(*place) for place in places] == [short.script(*place) for place in places]


def test_branches_may_be_many_but_of_one_count() -> None:
    three = cosigner(0).replace("<0;1>", "<0;1;7h>")
    assert parse_descriptor(f"pkh({three.replace('7h', '7')})", REGTEST).branches == 3
    with pytest.raises(BadDescriptorKey, match="different lengths"):
        parse_descriptor(f"wsh(multi(1,{three},{cosigner(1)}))", REGTEST)
    for bad, complaint in [
        ("<0>", "two numbers or more"),
        ("<0;0>", "all different"),
        ("<0;1>/<2;3>", "more than one"),
        ("<0;x>", "no step of a path"),
    ]:
        with pytest.raises(BadDescriptorKey, match=complaint):
            parse_descriptor(f"pkh({cosigner(0).replace('<0;1>', bad)})", REGTEST)


@pytest.mark.parametrize("body", [SHAPES[0], SHAPES[4], "raw(deadbeef)"])
@given(data=st.data())
@settings(max_examples=60)
def test_the_place_of_one_mistyped_character_is_named(body: str, data: st.DataObject) -> None:
    text = add_checksum(body)
    place = data.draw(st.integers(0, len(text) - 1).filter(lambda at: text[at] != "#"))
    other = data.draw(st.sampled_from("023456789acdefghjklmnpqrstuvwxyz(),/<>*").filter(
        lambda character: character != text[place]
    ))  # fmt: skip
    changed = text[:place] + other + text[place + 1 :]
    with pytest.raises(MistypedDescriptor, match="mistyped, most likely") as refusal:
        parse_descriptor(changed, REGTEST)
    if place < len(body):
        assert f"{other!r} at character {place + 1}" in str(refusal.value)
    else:
        assert "in the checksum itself" in str(refusal.value)


def test_what_no_single_character_explains_names_no_place() -> None:
    text = add_checksum(SHAPES[4])
    changed = text[:20] + "zzzz" + text[24:]
    with pytest.raises(MistypedDescriptor, match=r"a character is mistyped$"):
        parse_descriptor(changed, REGTEST)


@pytest.mark.parametrize(
    ("body", "kind", "complaint"),
    [
        ("wpkh", MisplacedScript, "expected a script such as"),
        ("wsh(wpkh)", MisplacedScript, r"inside wsh\(…\) expected"),
        ("musig(a)", MisplacedScript, "'musig' is no script expression"),
        ("wpkh()", BadDescriptorKey, "is none"),
        ("wpkh(tpub)", BadDescriptorKey, "not an extended key"),
        ("wpkh([0000000/1]02)", BadDescriptorKey, "origin"),
        ("wpkh([00000000/2147483648]02)", BadDescriptorKey, "no step of a path"),
        ("multi(1)", BadThreshold, "no 1 signatures of 0 keys"),
        ("multi(2222,a)", BadThreshold, "begins with a number"),
        ("tr({a,b})", MisplacedScript, r"inside tr"),
        ("raw(0)", BadDescriptor, "hex digits"),
        ("sh(" * 4000, BadDescriptor, "10000 characters"),
    ],
)
def test_what_is_no_descriptor_is_refused(body: str, kind: type, complaint: str) -> None:
    with pytest.raises(kind, match=complaint):
        parse_descriptor(body, REGTEST)


POINT = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"


def test_trees_and_keys_have_their_limits() -> None:
    deep = f"tr({POINT}," + f"{{pk({POINT})," * 129 + f"pk({POINT})" + "}" * 129 + ")"
    with pytest.raises(BadDescriptor, match="at most 128 deep"):
        parse_descriptor(deep, REGTEST)
    for tree in ("{pk(a)}", "{", "{,}", f"{{pk({POINT}),pk({POINT})"):
        with pytest.raises(BadDescriptor):
            parse_descriptor(f"tr({POINT},{tree})", REGTEST)
    four = ",".join([POINT] * 4)
    with pytest.raises(BadThreshold, match="at most 3"):
        parse_descriptor(f"multi(1,{four})", REGTEST)
    with pytest.raises(BadThreshold, match="at most 20"):
        parse_descriptor(f"wsh(multi(1,{','.join([POINT] * 21)}))", REGTEST)
    with pytest.raises(BadDescriptorKey, match="no such point"):
        parse_descriptor("pkh(02" + "00" * 32 + ")", REGTEST)
    with pytest.raises(BadDescriptorKey, match="only in tr"):
        parse_descriptor(f"wpkh({POINT[2:]})", REGTEST)
    with pytest.raises(BadDescriptorKey, match="none of regtest"):
        parse_descriptor("wpkh(L4rK1yDtCWekvXuE6oXD9jCYfFNV2cWRpVuPLBcCU2z8TrisoyY1)", REGTEST)


@given(st.text(max_size=60))
def test_no_text_makes_it_fall(text: str) -> None:
    for body in (text, f"wsh(multi(1,{text}))", f"tr({POINT},{text})", f"pkh({text}"):
        try:
            assert isinstance(parse_descriptor(body, REGTEST), OutputDescriptor)
        except BadDescriptor as refusal:
            assert "\n" not in str(refusal)
