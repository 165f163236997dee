"""Payments drawn up: everything to one, coins by name, coins kept back, and the lock time."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from chain.address import address_to_script, script_to_address
from chain.params import REGTEST
from chain.script.templates import classify
from chain.transaction import OutPoint
from tests.wallet.fake_node import FakeNode
from wallet import Wallet
from wallet.client import EsploraClient
from wallet.errors import BadAmount, CoinUnavailable, NotEnoughMoney
from wallet.ledger import KeyPath, Tip
from wallet.payments import format_outpoint, lock_time, parse_outpoint

COIN = 100_000_000
WORDS = "test " * 11 + "junk"
STRANGERS = [str(script_to_address(b"\x00\x14" + bytes([n]) * 20, REGTEST)) for n in (7, 8)]


@pytest.fixture
def client(node: FakeNode) -> EsploraClient:
    return EsploraClient(node.url)


@pytest.fixture
def rich(node: FakeNode, client: EsploraClient, tmp_path: Path) -> Wallet:
    """Coins of 1, 2 and 4 at three addresses, and one of 50 just mined."""
    wallet, _ = Wallet.create(
        tmp_path / "a.wallet", REGTEST, "x", WORDS, kinds=["wpkh"], scrypt_n=2**14
    )
    scripts = [wallet.accounts[0].script(0, number) for number in range(4)]
    for number in range(3):
        node.chain.pay((scripts[number], 2**number * COIN), confirm=True)
    node.chain.mine(scripts[3])
    wallet.sync(client)
    return wallet


def by_value(wallet: Wallet) -> dict[int, OutPoint]:
    return {coin.value: coin.outpoint for coin in wallet.utxos()}


def test_all_that_is_left_goes_to_one(rich: Wallet) -> None:
    draft = rich.prepare([(STRANGERS[0], COIN), (STRANGERS[1], None)], feerate=2)
    assert len(draft.coins) == 3
    assert sorted(o.value for o in draft.transaction.outputs) == [COIN, 6 * COIN - draft.fee]
    # Three inputs of 67.75, two outputs of 31, and 10.5 virtual bytes around them.
    assert (draft.change, draft.fee) == (0, 2 * 276)
    with pytest.raises(BadAmount, match="only one recipient"):
        rich.prepare([(STRANGERS[0], None), (STRANGERS[1], None)], feerate=2)
    with pytest.raises(NotEnoughMoney, match=r"7\.0"):
        rich.prepare([(STRANGERS[0], 7 * COIN), (STRANGERS[1], None)], feerate=2)


def test_what_costs_more_than_it_is_worth_stays(
    node: FakeNode, client: EsploraClient, rich: Wallet
) -> None:
    node.chain.pay((rich.accounts[0].script(0, 0), 600), confirm=True)
    rich.sync(client)
    assert len(rich.prepare([(STRANGERS[0], None)], feerate=8).coins) == 4
    assert len(rich.prepare([(STRANGERS[0], None)], feerate=9).coins) == 3


def test_coins_that_are_named_pay_all_and_alone(rich: Wallet) -> None:
    coins = by_value(rich)
    named = [coins[COIN], coins[2 * COIN]]
    draft = rich.prepare([(STRANGERS[0], COIN // 2)], feerate=1, coins=named)
    assert {coin.outpoint for coin in draft.coins} == set(named)
    assert draft.change == 3 * COIN - COIN // 2 - draft.fee
    everything = rich.prepare([(STRANGERS[0], None)], feerate=1, coins=named[:1] * 2)
    assert [coin.outpoint for coin in everything.coins] == named[:1]
    with pytest.raises(NotEnoughMoney) as refusal:
        rich.prepare([(STRANGERS[0], 3 * COIN)], feerate=1, coins=named)
    assert refusal.value.have == 3 * COIN


def test_a_coin_that_cannot_be_spent_is_named_with_the_reason(
    node: FakeNode, client: EsploraClient, rich: Wallet
) -> None:
    node.chain.pay((rich.accounts[0].script(0, 0), 5 * COIN))
    rich.sync(client)
    coins = by_value(rich)
    rich.freeze(coins[COIN])
    reasons = {
        coins[50 * COIN]: "was mined and can be spent after 100 blocks",
        coins[5 * COIN]: "waits for its first block",
        coins[COIN]: "is frozen",
        OutPoint(bytes(32), 0): "is not in this wallet",
    }
    for outpoint, why in reasons.items():
        with pytest.raises(CoinUnavailable, match=f"{format_outpoint(outpoint)} {why}"):
            rich.prepare([(STRANGERS[0], COIN)], feerate=1, coins=[coins[4 * COIN], outpoint])


def test_frozen_coins_are_kept_back_until_they_are_not(
    client: EsploraClient, rich: Wallet, tmp_path: Path
) -> None:
    coins = by_value(rich)
    rich.freeze(coins[4 * COIN], coins[COIN])
    again = Wallet.open(tmp_path / "a.wallet")
    again.sync(client)
    assert again.balance() == (2 * COIN, 0, 50 * COIN, 5 * COIN)
    assert again.balance().total == 57 * COIN
    states = {coin.value // COIN: again.coin_state(coin) for coin in again.utxos()}
    assert states == {1: "frozen", 2: "confirmed", 4: "frozen", 50: "immature"}
    with pytest.raises(NotEnoughMoney) as refusal:
        again.prepare([(STRANGERS[0], 3 * COIN)], feerate=1)
    assert refusal.value.have == 2 * COIN
    again.unfreeze(coins[4 * COIN])
    assert again.balance() == (6 * COIN, 0, 50 * COIN, COIN)
    assert again.prepare([(STRANGERS[0], 3 * COIN)], feerate=1).fee > 0
    with pytest.raises(CoinUnavailable, match="not in this wallet"):
        again.freeze(OutPoint(bytes(32), 0))


KINDS = ("tr", "wpkh", "sh-wpkh", "pkh")
PAID = {
    "tr": "bcrt1p8wpt9v4frpf3tkn0srd97pksgsxc5hs52lafxwru9kgeephvs7rqjeprhg",
    "wpkh": "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
    "sh-wpkh": "2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc",
    "pkh": "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn",
}


@pytest.mark.parametrize("paid", KINDS)
def test_change_looks_like_what_is_paid_where_the_wallet_can(
    node: FakeNode, client: EsploraClient, tmp_path: Path, paid: str
) -> None:
    path = tmp_path / "all.wallet"
    every, _ = Wallet.create(path, REGTEST, "x", WORDS, scrypt_n=2**14, kinds=KINDS)
    one, _ = Wallet.create(tmp_path / "one", REGTEST, "x", WORDS, scrypt_n=2**14, kinds=["wpkh"])
    node.chain.pay((every._script(KeyPath(1, 0, 0)), COIN), confirm=True)
    for wallet in (every, one):
        wallet.sync(client)
        draft = wallet.prepare([(PAID[paid], COIN // 3)], feerate=1)
        (change,) = [o.script_pubkey for o in draft.transaction.outputs if o.value == draft.change]
        kind = paid if wallet is every else "wpkh"
        assert classify(change) is classify(address_to_script(PAID[kind], REGTEST))
        assert change in wallet._ours()


def test_change_never_lies_where_a_restore_does_not_look(
    node: FakeNode, client: EsploraClient, rich: Wallet
) -> None:
    """Thirty payments that are lost before the one that is mined."""
    for number in range(30):
        rich.send(client, [(STRANGERS[0], COIN + number)], password="x", feerate=1)
        if number < 29:
            lost = node.chain.mempool.pop().txid
            kept = {txid: e for txid, e in rich._ledger.entries.items() if txid != lost}
            rich._ledger = replace(rich._ledger, entries=kept)
    node.chain.mine()
    rich.sync(client)
    restored = Wallet.in_memory(WORDS, REGTEST, kind="wpkh")
    restored.sync(client)
    assert restored.balance() == rich.balance()


def test_the_lock_time_is_the_tips_or_a_little_before() -> None:
    rng, tip, now = random.Random(1), Tip(1_000, "ab" * 32, 1_700_000_000), 1_700_000_000
    times = [lock_time(tip, now + 8 * 3600, rng) for _ in range(3_000)]
    assert 0.88 < times.count(1_000) / 3_000 < 0.93
    assert min(times) < 910
    assert all(901 <= time <= 1_000 for time in times)
    assert lock_time(Tip(5, "ab" * 32, now), now, random.Random(2)) <= 5
    assert all(lock_time(Tip(5, "ab" * 32, now), now, rng) >= 0 for _ in range(100))
    # Who has not heard of a block for long would tell so by the height.
    assert lock_time(tip, now + 8 * 3600 + 1, rng) == 0
    assert lock_time(None, now, rng) == 0


def test_a_payment_carries_the_lock_time_and_sequences_that_let_it_count(
    node: FakeNode, client: EsploraClient, rich: Wallet
) -> None:
    when = 1_700_000_000
    name = node.chain.tip().block_hash
    blocks = b'[{"id": "%s", "height": 4, "timestamp": %d}]' % (name.encode(), when)
    node.answers["/blocks"] = (200, blocks)
    rich.sync(client)
    drafts = [rich.prepare([(STRANGERS[0], COIN)], feerate=1, now=when) for _ in range(20)]
    assert max(draft.transaction.locktime for draft in drafts) == 4
    assert {i.sequence for d in drafts for i in d.transaction.inputs} == {0xFFFFFFFD}
    late = rich.prepare([(STRANGERS[0], None)], feerate=1, now=when + 10**6)
    assert late.transaction.locktime == 0


@pytest.mark.parametrize("text", ["", "ab", "ab" * 32, "ab" * 32 + ":", "zz" * 32 + ":1", "\x1b:1"])
def test_what_names_no_coin_is_refused(text: str) -> None:
    with pytest.raises(CoinUnavailable, match="write txid:number") as refusal:
        parse_outpoint(text)
    assert str(refusal.value).isprintable()


def test_a_coins_name_is_read_back() -> None:
    outpoint = OutPoint(bytes(range(32)), 7)
    assert parse_outpoint(format_outpoint(outpoint)) == outpoint
    assert format_outpoint(outpoint).startswith("1f1e1d")
