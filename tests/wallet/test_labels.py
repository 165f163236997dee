"""Labels: at which things they stand, how they are inherited, and that the file keeps them."""

from pathlib import Path

import pytest

from chain.params import REGTEST
from tests.wallet.fake_node import COIN, FakeChain
from wallet import Wallet
from wallet.errors import BadLabel, DamagedFile
from wallet.labels import kind_of, labels_from_json, with_label

SOMEBODY = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
TXID = "ab" * 32


@pytest.fixture
def paid(tmp_path: Path) -> Wallet:
    """A wallet with a file, paid 1 and 2 coins at its first address in one transaction."""
    wallet, _ = Wallet.create(tmp_path / "a.wallet", REGTEST, "password", scrypt_n=16_384)
    chain = FakeChain()
    script = wallet.accounts[0].script(0, 0)
    chain.pay((script, COIN), (b"\x6a", 0), (script, 2 * COIN), confirm=True)
    wallet.sync(chain)  # type: ignore[arg-type]
    return wallet


def test_a_transaction_a_coin_and_an_address_have_labels_which_the_file_keeps(
    paid: Wallet, tmp_path: Path
) -> None:
    (item,) = paid.history()
    address, txid = paid.address_at(0), item.txid
    paid.set_label(address.upper(), "  till ")
    assert [each.label for each in paid.history()] == ["till"]
    assert {paid.coin_label(coin) for coin in paid.utxos()} == {"till"}
    paid.set_label(txid.upper(), "March")
    paid.set_label(f"{txid}:2", "the large one")
    again = Wallet.open(tmp_path / "a.wallet")
    assert again.labels == {address: "till", txid: "March", f"{txid}:2": "the large one"}
    assert [each.label for each in again.history()] == ["March"]
    labels = {coin.outpoint.index: again.coin_label(coin) for coin in again.utxos()}
    assert labels == {0: "till", 2: "the large one"}
    again.set_label(txid, "")
    assert [each.label for each in Wallet.open(tmp_path / "a.wallet").history()] == ["till"]


def test_what_is_not_the_wallets_gets_no_label(paid: Wallet) -> None:
    (item,) = paid.history()
    for thing in (SOMEBODY, TXID, f"{item.txid}:1", f"{item.txid}:", f"{item.txid}:02", "x", ""):
        with pytest.raises(BadLabel, match="nothing of this wallet"):
            paid.set_label(thing, "mine")
    assert paid.labels == {}


def test_an_address_with_a_label_is_not_given_to_somebody_else(paid: Wallet) -> None:
    first = paid.address(label="Alice")
    assert paid.address(label="Alice") == first
    second = paid.address(label="Bob")
    assert second != first
    third = paid.address()
    assert third not in (first, second)
    assert paid.address() == third
    items = paid.addresses()
    assert [(item.number, item.label) for item in items] == [
        (0, ""),
        (1, "Alice"),
        (2, "Bob"),
        (3, ""),
    ]
    assert (items[0].received, items[0].held) == (3 * COIN, 3 * COIN)
    assert {(item.received, item.held) for item in items[1:]} == {(0, 0)}


def test_what_can_be_a_label() -> None:
    assert with_label({}, TXID, "é" * 255) == {TXID: "é" * 255}
    with pytest.raises(BadLabel, match="has 256 characters; at most 255"):
        with_label({}, TXID, "é" * 256)
    for text in ("a\x1b[2Jb", "a\nb", "a\u202eb", "\ud800x"):
        with pytest.raises(BadLabel, match="can't be shown"):
            with_label({}, TXID, text)


def test_kinds_are_those_that_label_files_have() -> None:
    kinds = [kind_of(text) for text in (TXID, f"{TXID}:0", SOMEBODY)]
    assert kinds == ["tx", "output", "addr"]


@pytest.mark.parametrize("value", [[], None, "x", {"a": 1}, {"a": None}])
def test_damaged_labels_are_noticed(value: object) -> None:
    with pytest.raises(DamagedFile, match="labels are damaged"):
        labels_from_json(value)
