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
from wallet.account import CHANGE, RECEIVE, Account, input_weight
from wallet.checksum import checksum
from wallet.errors import BadDescriptor
from wallet.hd import ExtendedPrivateKey
from wallet.mnemonic import seed

ABANDON = "abandon " * 11 + "about"
JUNK = "test " * 11 + "junk"
KINDS = {"pkh": 44, "sh-wpkh": 49, "wpkh": 84, "tr": 86}


def master(words: str) -> ExtendedPrivateKey:
    return ExtendedPrivateKey.from_seed(seed(words))


def address(descriptor: Account, branch: int, index: int, params: Params) -> str:
    return str(script_to_address(descriptor.script(branch, index), params))


def public_key(account: Account, branch: int, index: int) -> bytes:
    return account.descriptor.expand(index, branch).keys[0].key


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
    descriptor = Account.of_master(master(ABANDON), MAIN, "wpkh")
    places = [(RECEIVE, 0), (RECEIVE, 1), (CHANGE, 0)]
    assert [address(descriptor, *place, MAIN) for place in places] == addresses
    assert [public_key(descriptor, *place).hex() for place in places] == keys


def test_nested_segwit_vectors() -> None:
    vectors = dict(load("bip49.json"))
    assert len(vectors) == 13
    descriptor = Account.of_master(master(ABANDON), REGTEST, kind="sh-wpkh")
    assert f" {address(descriptor, RECEIVE, 0, REGTEST)} " in vectors["address"]
    assert "0x" + public_key(descriptor, RECEIVE, 0).hex() == vectors["account0recvPublicKeyHex"]


def test_taproot_vectors() -> None:
    vectors = load("bip86.json")
    assert len(vectors) == 27
    descriptor = Account.of_master(master(ABANDON), MAIN, kind="tr")
    places = [(RECEIVE, 0), (RECEIVE, 1), (CHANGE, 0)]
    scripts = [value for name, value in vectors if name == "scriptPubKey"]
    addresses = [value for name, value in vectors if name == "address"]
    assert [descriptor.script(*place).hex() for place in places] == scripts
    assert [address(descriptor, *place, MAIN) for place in places] == addresses


def test_addresses_of_a_hardware_wallet() -> None:
    vectors = load("trezor_addresses.json")
    kinds = {"legacy": "pkh", "segwit": "wpkh", "p2sh-segwit": "sh-wpkh"}
    assert len(vectors["accounts"]) == 9
    for account in vectors["accounts"]:
        kind = kinds[account["pathType"]]
        found = Account.of_master(master(vectors["mnemonic"]), MAIN, kind, account["account"])
        for line in account["addresses"]:
            branch = {"External": RECEIVE, "Change": CHANGE}[line["chain"]]
            assert address(found, branch, line["addressIndex"], MAIN) == line["address"]


@pytest.mark.parametrize("kind", KINDS)
def test_embit_and_bdk_read_the_text_and_find_the_same_addresses(kind: str) -> None:
    ours = Account.of_master(master(JUNK), REGTEST, kind, 3)
    text = ours.text()
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


@pytest.mark.parametrize("kind", KINDS)
def test_a_descriptor_reads_its_own_text(kind: str) -> None:
    for params in (MAIN, REGTEST):
        descriptor = Account.of_master(master(JUNK), params, kind, 7)
        assert Account.parse(descriptor.text(), params) == descriptor
        assert descriptor.kind == kind
        coin_type = {"main": 0, "regtest": 1}[params.name]
        assert f"/{KINDS[kind]}h/{coin_type}h/7h]" in descriptor.text()


@given(st.data())
def test_one_mistyped_character_is_noticed(data: st.DataObject) -> None:
    text = Account.of_master(master(JUNK), REGTEST).text()
    place = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(st.characters(codec="ascii", categories=("L", "N", "P")))
    changed = text[:place] + character + text[place + 1 :]
    if changed != text:
        with pytest.raises(BadDescriptor):
            Account.parse(changed, REGTEST)


def with_checksum(body: str) -> str:
    return f"{body}#{checksum(body)}"


def test_what_it_does_not_follow_is_refused() -> None:
    key = master(JUNK)
    tpub, tprv = key.public.serialize(REGTEST), key.serialize(REGTEST)
    origin = "[00000000/84h]"
    wif = "cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87JcbXMbcA"
    for body, complaint in [
        (f"wpkh({origin}{tprv}/<0;1>/*)", "private key"),
        (f"wpkh({wif})", "private key"),
        (f"combo({tpub}/<0;1>/*)", "of a kind"),
        (f"wpkh({tpub}/<0;1;2>/*)", "of a kind"),
        ("raw(51)", "of a kind"),
        ("addr(bcrt1qquv9lg5g2r4jkr0ahun0ddfg5xntxjelwjpnuw)", "of a kind"),
        (f"wpkh({tpub}/<0;1>/*h)", "hardened steps"),
        (f"wpkh({tpub}/0h/*)", "hardened steps"),
        (f"sh(wpkh({origin}{tpub}/<0;1>/*)", "expected a script"),
        (f"wpkh({origin}{tpub[:-1]}/<0;1>/*)", "in the descriptor: not an extended key"),
        (f"wpkh({origin}{key.public.serialize(MAIN)}/<0;1>/*)", "unknown version"),
        ("", "expected a script"),
    ]:
        with pytest.raises(BadDescriptor, match=complaint) as refusal:
            Account.parse(with_checksum(body), REGTEST)
        assert tprv not in str(refusal.value)
    with pytest.raises(BadDescriptor, match="character that no descriptor has"):
        checksum("wpkh(é)")
    with pytest.raises(BadDescriptor, match="ends in # and 8 characters"):
        Account.parse(f"wpkh({origin}{tpub}/<0;1>/*)", REGTEST)


def test_what_is_longer_than_any_descriptor_is_refused_at_once() -> None:
    with pytest.raises(BadDescriptor, match="no descriptor has more than 10000 characters"):
        Account.parse("wpkh(" * 2000 + "x", REGTEST)


@pytest.mark.parametrize("gap_limit", [0, -1, 10_001, 1.5, True])
def test_a_gap_limit_has_bounds(gap_limit: int) -> None:
    text = Account.of_master(master(JUNK), REGTEST).text()
    with pytest.raises(BadDescriptor, match="a gap limit is a number from 1 to 10,000"):
        Account.parse(text, REGTEST, gap_limit)


def test_descriptors_of_others_are_followed_as_they_are() -> None:
    tpub = master(JUNK).public.serialize(REGTEST)
    fixed = "02" + "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    for body, kind, branches, change, limit in [
        (f"wpkh({tpub}/0/*)", "wpkh", 1, 0, None),
        (f"wsh(sortedmulti(1,{tpub}/<0;1>/*))", "wsh-sortedmulti", 2, 1, None),
        (f"sh(wsh(pkh({fixed})))", "sh-wsh-pkh", 1, 0, 1),
    ]:
        account = Account.parse(with_checksum(body), REGTEST)
        assert account.kind == kind
        assert len(account.branches) == branches
        assert account.change_branch == change
        assert account.limit == limit


@pytest.mark.parametrize(
    ("kind", "weight"), [("pkh", 588), ("sh-wpkh", 363), ("wpkh", 271), ("tr", 230)]
)
def test_what_an_input_weighs(kind: str, weight: int) -> None:
    """Outpoint, sequence, script length: 41 bytes; then 71 bytes of signature and a 33-byte key."""
    account = Account.of_master(master(JUNK), REGTEST, kind)
    assert input_weight(account.shape, 71) == weight
