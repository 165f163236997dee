"""Two programs that save one wallet: what either learnt is kept, whoever saves last."""

import subprocess
import sys
from pathlib import Path

import pytest

from chain.params import REGTEST
from chain.transaction import OutPoint
from tests.wallet.fake_node import FakeChain
from wallet import Wallet

ROOT = Path(__file__).resolve().parents[2]
COIN = 100_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "alice.wallet"
    Wallet.create(path, REGTEST, "x", scrypt_n=2**14)
    return path


def paid(chain: FakeChain, wallet: Wallet, number: int) -> OutPoint:
    script = wallet.accounts[0].script(0, number)
    return OutPoint(chain.pay((script, COIN + number), confirm=True).txid, 0)


def test_labels_and_frozen_coins_of_both_are_kept(path: Path) -> None:
    chain, first = FakeChain(), Wallet.open(path)
    coins = [paid(chain, first, number) for number in range(4)]
    first.sync(chain)  # type: ignore[arg-type]
    first.freeze(coins[0], coins[3])
    first.set_label(first.address_at(3), "to go")
    second = Wallet.open(path)
    first.set_label(first.address_at(0), "mine")
    first.unfreeze(coins[3])
    first.freeze(coins[1])
    second.set_label(second.address_at(1), "theirs")
    second.set_label(second.address_at(3), "")
    second.freeze(coins[2])
    for wallet in (second, Wallet.open(path)):
        assert wallet._ledger.frozen == set(coins[:3])
        assert wallet.labels == {first.address_at(0): "mine", first.address_at(1): "theirs"}
        assert wallet.balance() == (COIN + 3, 0, 0, 3 * COIN + 3)


def test_transactions_and_addresses_of_both_are_kept(path: Path) -> None:
    chain, first, second = FakeChain(), Wallet.open(path), Wallet.open(path)
    paid(chain, first, 0)
    first.sync(chain)  # type: ignore[arg-type]
    assert second.address(new=True) == second.address_at(1)
    assert second.balance().confirmed == COIN  # it was told what the other found
    third = Wallet.open(path)
    paid(chain, first, 2)
    first.sync(chain)  # type: ignore[arg-type]
    fourth = FakeChain()
    fourth.counter = 100
    lost = paid(fourth, third, 5)
    third.sync(fourth, full=True)  # type: ignore[arg-type]
    both = Wallet.open(path)
    assert {coin.value - COIN for coin in both.utxos()} >= {2, 5}
    assert both.address() == both.address_at(6)
    both.sync(chain)  # type: ignore[arg-type]
    assert both.balance() == (2 * COIN + 2, 0, 0, 0)
    assert lost not in [coin.outpoint for coin in both.utxos()]


RUSH = """
import sys
from pathlib import Path
from wallet import Wallet
wallet = Wallet.open(Path(sys.argv[1]))
for number in range(10):
    wallet.set_label(wallet.address_at(number), wallet.label(wallet.address_at(number)))
    wallet.set_label(wallet.address_at(int(sys.argv[2]) * 5 + number % 5), sys.argv[2])
"""


def test_processes_that_save_at_once_wait_for_each_other(path: Path) -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", RUSH, str(path), str(number)], cwd=ROOT)
        for number in range(3)
    ]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    wallet = Wallet.open(path)
    assert wallet.labels == {wallet.address_at(n): str(n // 5) for n in range(15)}
