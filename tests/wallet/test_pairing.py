"""Receiving and change written apart: joined where they belong together, refused where not."""

import itertools
import random
import re
from pathlib import Path

import bdkpython as bdk
import pytest
from embit.descriptor import Descriptor as EmbitDescriptor

from chain.params import REGTEST
from tests.wallet.fake_node import FakeChain
from wallet import Wallet
from wallet.checksum import add_checksum
from wallet.errors import BadDescriptor, MistypedDescriptor
from wallet.pairing import accounts_of

WORDS = "test " * 11 + "junk"
KINDS = {"pkh": "bip44", "sh-wpkh": "bip49", "wpkh": "bip84", "tr": "bip86"}
SECRET = bdk.DescriptorSecretKey(bdk.NetworkKind.TEST, bdk.Mnemonic.from_string(WORDS), None)
BRANCHES = (bdk.KeychainKind.EXTERNAL, bdk.KeychainKind.INTERNAL)
COIN = 100_000_000


def exported(kind: str) -> list[str]:
    """The pair that BDK exports."""
    make = getattr(bdk.Descriptor, f"new_{KINDS[kind]}")
    return [str(make(SECRET, branch, bdk.NetworkKind.TEST)) for branch in BRANCHES]


def half(text: str, branch: int) -> str:
    """One half of a whole descriptor, as Bitcoin Core lists it."""
    return add_checksum(text.partition("#")[0].replace("/<0;1>/*", f"/{branch}/*"))


def texts(*descriptors: str) -> list[str]:
    return [account.text() for account in accounts_of(descriptors, REGTEST, 20)]


def own(kind: str, account: int = 0, words: str = WORDS) -> str:
    return Wallet.in_memory(words, REGTEST, account, kind=kind).descriptor


@pytest.mark.parametrize("kind", KINDS)
def test_bdks_pair_is_one_account_with_bdks_addresses(kind: str) -> None:
    pair = exported(kind)
    (account,) = accounts_of(pair, REGTEST, 20)
    assert (account.text(), account.gap_limit) == (own(kind), 20)
    real = bdk.Wallet(
        *(bdk.Descriptor(text, bdk.NetworkKind.TEST) for text in pair),
        bdk.Network.REGTEST,
        bdk.Persister.new_in_memory(),
    )
    for branch, kept in enumerate(BRANCHES):
        for number in range(3):
            theirs = real.peek_address(kept, number).address.script_pubkey().to_bytes()
            assert account.script(branch, number) == bytes(theirs)


def test_embit_agrees_on_several_keys() -> None:
    keys = [own("wpkh", n).partition("#")[0][5:-1] for n in range(3)]
    whole = f"wsh(sortedmulti(2,{','.join(keys)}))"
    assert texts(half(whole, 0), half(whole, 1)) == [add_checksum(whole)]
    (account,) = accounts_of([half(whole, 1), half(whole, 0)], REGTEST, 20)
    for branch in (0, 1):
        apart = EmbitDescriptor.from_string(half(whole, branch).partition("#")[0])
        assert account.script(branch, 5) == apart.derive(5).script_pubkey().data


def test_all_that_core_lists_in_any_order() -> None:
    """Four kinds, each in two halves; and what is there twice counts once."""
    whole = [own(kind) for kind in KINDS]
    halves = [half(text, branch) for text in whole for branch in (0, 1)]
    for seed in range(20):
        random.Random(seed).shuffle(halves)
        assert sorted(texts(*halves, *halves[:3])) == sorted(whole)
    assert texts(whole[0], half(whole[0], 0), half(whole[0], 1)) == [whole[0]]


def test_steps_before_the_branch_stay() -> None:
    key = re.search(r"tpub\w+", own("wpkh"))
    assert key
    whole = f"wpkh({key[0]}/0/1/<0;1>/*)"
    assert texts(half(whole, 0), half(whole, 1)) == [add_checksum(whole)]


def test_what_is_no_half_is_left_alone() -> None:
    first, second = own("wpkh"), own("tr", 1)
    assert texts(first, second) == [first, second]
    assert texts(half(first, 0)) == [half(first, 0)]
    assert texts(half(first, 1)) == [half(first, 1)]
    odd = add_checksum(half(first, 0).partition("#")[0].replace("/0/*", "/5/*"))
    assert texts(odd, second) == [odd, second]
    assert texts() == []


OTHER = "abandon " * 11 + "about"
WPKH, TR = own("wpkh"), own("tr")


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (half(WPKH, 0), half(TR, 1), r"wpkh\(.*/0/\*, for receiving, .* the other is tr\(…\); "),
        (half(WPKH, 1), half(TR, 0), r"wpkh\(.*/1/\*, for change, .*/0/\*, for receiving$"),
        (half(WPKH, 0), half(own("wpkh", 1), 1), r"the other has another key: \[.*/84h/1h/1h"),
        (half(WPKH, 0), half(own("wpkh", words=OTHER), 1), r"the other has another key"),
        (half(WPKH, 0), half(own("wpkh", 1), 0), r"the other has another key"),
        (half(WPKH, 0), half(WPKH.replace("/84h", "/85h"), 1), r"the other has another origin"),
        (half(WPKH, 0), half(WPKH.replace("/<", "/7/<"), 1), r"the other is wpkh\(…/7\)"),
        (half(WPKH, 0), TR, r"stands alone: expected the same descriptor with /1/\*, for change"),
    ],
)
def test_halves_that_do_not_belong_together(first: str, second: str, why: str) -> None:
    for given in itertools.permutations([first, second]):
        with pytest.raises(BadDescriptor) as refusal:
            texts(*given)
        assert "\n" not in str(refusal.value)
    with pytest.raises(BadDescriptor, match=why):
        texts(first, second)


def test_each_half_needs_its_own_checksum() -> None:
    with pytest.raises(MistypedDescriptor):
        texts(half(WPKH, 0), half(WPKH, 1).replace("/1/*", "/2/*"))


def test_a_watcher_of_a_pair_takes_change_where_the_owner_looks(tmp_path: Path) -> None:
    owner = Wallet.in_memory(WORDS, REGTEST, kind="wpkh")
    watcher = Wallet.watch(tmp_path / "w", REGTEST, exported("wpkh"))
    chain = FakeChain()
    chain.pay((watcher.accounts[0].script(0, 0), COIN), confirm=True)
    watcher.sync(chain)  # type: ignore[arg-type]
    draft = watcher.prepare([(owner.address_at(3), COIN // 3)], feerate=2)
    change = owner.accounts[0].script(1, 0)
    assert change in {output.script_pubkey for output in draft.transaction.outputs}
