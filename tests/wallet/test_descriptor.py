"""Descriptors: public vectors, and what embit and BDK find under the same line of text."""

import bdkpython as bdk
import pytest
from embit import descriptor as embit_descriptor
from embit.networks import NETWORKS
from hypothesis import given
from hypothesis import strategies as st

from chain.address import script_to_address
from chain.params import MAIN, REGTEST, Params
from tests.wallet.vectors import load
from wallet.checksum import checksum
from wallet.descriptor import CHANGE, RECEIVE, Descriptor
from wallet.errors import BadDescriptor
from wallet.hd import ExtendedPrivateKey
from wallet.mnemonic import seed

ABANDON = "abandon " * 11 + "about"
JUNK = "test " * 11 + "junk"
WRAPPERS = {"pkh": 44, "sh(wpkh": 49, "wpkh": 84, "tr": 86}


def master(words: str) -> ExtendedPrivateKey:
    return ExtendedPrivateKey.from_seed(seed(words))


def address(descriptor: Descriptor, branch: int, index: int, params: Params) -> str:
    return str(script_to_address(descriptor.script(branch, index), params))


def test_checksums_of_all_vectors() -> None:
    vectors = load("descriptor_checksums.json")
    assert len(vectors) == 18
    for vector in vectors:
        assert checksum(vector["desc"]) == vector["checksum"]


def test_native_segwit_vectors() -> None:
    vectors = load("bip84.json")
    assert len(vectors) == 18
    addresses = [value for name, value in vectors if name == "address"]
    keys = [value for name, value in vectors if name == "pubkey"]
    descriptor = Descriptor.of_account(master(ABANDON), MAIN)
    places = [(RECEIVE, 0), (RECEIVE, 1), (CHANGE, 0)]
    assert [address(descriptor, *place, MAIN) for place in places] == addresses
    assert [descriptor.public_key(*place).hex() for place in places] == keys


def test_nested_segwit_vectors() -> None:
    vectors = dict(load("bip49.json"))
    assert len(vectors) == 13
    descriptor = Descriptor.of_account(master(ABANDON), REGTEST, wrapper="sh(wpkh")
    assert f" {address(descriptor, RECEIVE, 0, REGTEST)} " in vectors["address"]
    assert "0x" + descriptor.public_key(RECEIVE, 0).hex() == vectors["account0recvPublicKeyHex"]


def test_taproot_vectors() -> None:
    vectors = load("bip86.json")
    assert len(vectors) == 27
    descriptor = Descriptor.of_account(master(ABANDON), MAIN, wrapper="tr")
    places = [(RECEIVE, 0), (RECEIVE, 1), (CHANGE, 0)]
    scripts = [value for name, value in vectors if name == "scriptPubKey"]
    addresses = [value for name, value in vectors if name == "address"]
    assert [descriptor.script(*place).hex() for place in places] == scripts
    assert [address(descriptor, *place, MAIN) for place in places] == addresses


def test_addresses_of_a_hardware_wallet() -> None:
    vectors = load("trezor_addresses.json")
    kinds = {"legacy": "pkh", "segwit": "wpkh", "p2sh-segwit": "sh(wpkh"}
    assert len(vectors["accounts"]) == 9
    for account in vectors["accounts"]:
        wrapper = kinds[account["pathType"]]
        found = Descriptor.of_account(
            master(vectors["mnemonic"]), MAIN, account["account"], wrapper
        )
        for line in account["addresses"]:
            branch = {"External": RECEIVE, "Change": CHANGE}[line["chain"]]
            assert address(found, branch, line["addressIndex"], MAIN) == line["address"]


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_embit_and_bdk_read_the_text_and_find_the_same_addresses(wrapper: str) -> None:
    ours = Descriptor.of_account(master(JUNK), REGTEST, 3, wrapper)
    text = ours.text(REGTEST)
    embits = embit_descriptor.Descriptor.from_string(text)
    first, second = bdk.Descriptor(text, bdk.NetworkKind.TEST).to_single_descriptors()
    wallet = bdk.Wallet(first, second, bdk.Network.REGTEST, bdk.Persister.new_in_memory())
    keychains = {RECEIVE: bdk.KeychainKind.EXTERNAL, CHANGE: bdk.KeychainKind.INTERNAL}
    for branch in (RECEIVE, CHANGE):
        for index in (0, 1, 19, 1000):
            found = address(ours, branch, index, REGTEST)
            theirs = embits.derive(index, branch_index=branch)
            assert found == theirs.address(NETWORKS["regtest"])
            assert found == str(wallet.peek_address(keychains[branch], index).address)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_descriptor_reads_its_own_text(wrapper: str) -> None:
    for params in (MAIN, REGTEST):
        descriptor = Descriptor.of_account(master(JUNK), params, 7, wrapper)
        assert Descriptor.parse(descriptor.text(params), params) == descriptor
        coin_type = {"main": 0, "regtest": 1}[params.name]
        assert f"/{WRAPPERS[wrapper]}h/{coin_type}h/7h]" in descriptor.text(params)


@given(st.data())
def test_one_mistyped_character_is_noticed(data: st.DataObject) -> None:
    text = Descriptor.of_account(master(JUNK), REGTEST).text(REGTEST)
    place = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(st.characters(codec="ascii", categories=("L", "N", "P")))
    changed = text[:place] + character + text[place + 1 :]
    if changed != text:
        with pytest.raises(BadDescriptor):
            Descriptor.parse(changed, REGTEST)


def with_checksum(body: str) -> str:
    return f"{body}#{checksum(body)}"


def test_what_it_does_not_follow_is_refused() -> None:
    key = master(JUNK)
    tpub, tprv = key.public.serialize(REGTEST), key.serialize(REGTEST)
    origin = "[00000000/84h]"
    for body, complaint in [
        (f"wpkh({origin}{tprv}/<0;1>/*)", "private key"),
        (f"wpkh({origin}{tpub}/0/*)", "of a kind"),
        (f"wpkh({tpub}/<0;1>/*)", "of a kind"),
        (f"wpkh({origin}{tpub}/<0;1>/*))", "of a kind"),
        (f"sh(wpkh({origin}{tpub}/<0;1>/*)", "of a kind"),
        (f"wsh({origin}{tpub}/<0;1>/*)", "of a kind"),
        (f"wpkh({origin}{tpub[:-1]}/<0;1>/*)", "in the descriptor: not an extended key"),
        (f"wpkh([00000000/2147483648]{tpub}/<0;1>/*)", "in the descriptor: not a derivation path"),
        (f"wpkh({origin}{key.public.serialize(MAIN)}/<0;1>/*)", "unknown version"),
        ("", "of a kind"),
    ]:
        with pytest.raises(BadDescriptor, match=complaint) as refusal:
            Descriptor.parse(with_checksum(body), REGTEST)
        assert tprv not in str(refusal.value)
    with pytest.raises(BadDescriptor, match="character that no descriptor has"):
        checksum("wpkh(é)")
    with pytest.raises(BadDescriptor, match="ends in # and 8 characters"):
        Descriptor.parse(f"wpkh({origin}{tpub}/<0;1>/*)", REGTEST)


def test_what_is_longer_than_any_descriptor_is_refused_at_once() -> None:
    with pytest.raises(BadDescriptor, match="no descriptor has more than 4000 characters"):
        Descriptor.parse("wpkh(" * 800 + "x", REGTEST)
