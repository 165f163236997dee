"""Keeping a wallet: password, accounts, copies; and wallets that only watch."""

import random
from pathlib import Path

import pytest

from chain.address import script_to_address
from chain.params import REGTEST
from chain.transaction import Transaction
from tests.wallet.fake_node import FakeChain
from wallet import Wallet, keeping, keystore
from wallet.errors import (
    BadDescriptor,
    DamagedFile,
    WalletError,
    WalletExists,
    WatchOnly,
    WrongPassword,
)
from wallet.psbt import finish, signing
from wallet.psbt.packet import Psbt

COIN = 100_000_000
WORDS = "test " * 11 + "junk"
STRANGER = str(script_to_address(b"\x00\x14" + b"\x07" * 20, REGTEST))
KINDS = ["tr", "wpkh", "sh-wpkh", "pkh"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "alice.wallet"
    Wallet.create(path, REGTEST, "old", WORDS, scrypt_n=2**14)
    return path


def funded(wallet: Wallet, chain: FakeChain) -> Wallet:
    scripts = [(each.script(0, 0), COIN + n) for n, each in enumerate(wallet.accounts)]
    chain.pay(*scripts, confirm=True)
    wallet.sync(chain)  # type: ignore[arg-type]
    return wallet


def test_another_password(path: Path) -> None:
    keeping.check(path, "old")
    keeping.change_password(path, "old", "new")
    keeping.check(path, "new")
    with pytest.raises(WrongPassword):
        keeping.check(path, "old")
    with pytest.raises(WrongPassword):
        keeping.change_password(path, "old", "newer")
    assert keystore.read(path).sealed["n"] == 2**14


def test_a_swapped_descriptor_is_noticed_by_a_check(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "mallory.wallet"
    Wallet.create(other, REGTEST, "old", "abandon " * 11 + "about", scrypt_n=2**14)
    ours, theirs = keystore.read(path), keystore.read(other)
    forged = keystore.WalletFile("regtest", theirs.descriptors, ours.sealed, ours.state)
    keystore.write(path, forged)
    with pytest.raises(DamagedFile, match="altered since it was sealed"):
        keeping.check(path, "old")


def test_several_accounts_are_one_wallet(path: Path) -> None:
    chain = FakeChain()
    funded(Wallet.open(path), chain)
    for place, kind in enumerate(KINDS[1:], 1):
        assert keeping.add_account(path, "old", kind) == place
    assert keeping.add_account(path, "old", "tr", number=1, gap_limit=3) == 4
    with pytest.raises(WalletError, match="account 1 of type tr already"):
        keeping.add_account(path, "old", "tr", number=1)
    wallet = Wallet.open(path)
    assert [account.kind for account in wallet.accounts] == [*KINDS, "tr"]
    assert wallet.accounts[4].gap_limit == 3
    chain.pay(*[(each.script(0, 2), COIN) for each in wallet.accounts], confirm=True)
    wallet.sync(chain)  # type: ignore[arg-type]
    assert wallet.balance().confirmed == 6 * COIN
    assert wallet.address(account=4) == wallet.address_at(3, account=4)
    draft = wallet.prepare([(STRANGER, 6 * COIN - 100_000)], feerate=3, rng=random.Random(1))
    assert len({coin.path.account for coin in draft.coins}) == 5
    signed = wallet.sign(draft, "old")
    assert draft.vsize - 2 <= signed.vsize <= draft.vsize
    alone = wallet.prepare([(STRANGER, COIN // 2)], feerate=3, account=3)
    assert {coin.path.account for coin in alone.coins} == {3}


def test_a_copy_has_everything(path: Path, tmp_path: Path) -> None:
    wallet = funded(Wallet.open(path), FakeChain())
    wallet.set_label(wallet.address_at(0), "rent")
    wallet.freeze(wallet.utxos()[0].outpoint)
    copy = keeping.copy(path, tmp_path / "copy")
    assert copy.balance() == wallet.balance() == (0, 0, 0, COIN)
    assert copy.labels == {wallet.address_at(0): "rent"}
    assert copy.history() == wallet.history()
    keeping.check(tmp_path / "copy", "old")
    with pytest.raises(WalletExists):
        keeping.copy(path, tmp_path / "copy")
    (tmp_path / "copy").write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DamagedFile):
        keeping.copy(tmp_path / "copy", tmp_path / "third")
    assert not (tmp_path / "third").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_watcher_prepares_what_the_owner_signs(tmp_path: Path, kind: str) -> None:
    owner = Wallet.in_memory(WORDS, REGTEST, kind=kind)
    Wallet.watch(tmp_path / "w", REGTEST, [owner.descriptor], gap_limit=5)
    watcher = funded(Wallet.open(tmp_path / "w"), FakeChain())
    assert watcher.is_watch_only
    assert not owner.is_watch_only
    assert watcher.address() == owner.address_at(1)
    draft = watcher.prepare([(STRANGER, COIN // 2)], feerate=2)
    with pytest.raises(WatchOnly, match="only watches"):
        watcher.sign(draft, "any")
    packet = Psbt.from_text(watcher.unsigned(draft).text())
    find = signing.keys_of_master(owner.master())
    done, missing = finish.finalize(signing.sign(packet, find, REGTEST)[0])
    assert missing == ()
    signed: Transaction = finish.extract(done)
    assert draft.vsize - 2 <= signed.vsize <= draft.vsize


def test_nothing_to_watch_and_private_keys_make_no_file(tmp_path: Path) -> None:
    private = Wallet.in_memory(WORDS, REGTEST).master().serialize(REGTEST)
    for texts in ([], ["wpkh(nonsense)#qqqqqqqq"], [f"wpkh({private}/<0;1>/*)"]):
        with pytest.raises(BadDescriptor):
            Wallet.watch(tmp_path / "w", REGTEST, texts)
    assert not (tmp_path / "w").exists()
