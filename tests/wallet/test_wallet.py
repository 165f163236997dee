"""Wallet, whole: from its file to a payment on its way, and every refusal in between."""

import base64
import json
import logging
import pickle
import random
import traceback
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import bdkpython as bdk
import pytest

import wallet as package
from chain.address import address_to_script, script_to_address
from chain.params import CLASSROOM, MAIN, REGTEST
from chain.transaction import Transaction, TxOut
from tests.wallet.fake_node import FakeNode, shown
from wallet import Wallet, keystore, sealing
from wallet.client import EsploraClient
from wallet.errors import (
    BadAmount,
    BadPassword,
    BadWords,
    CoinUnavailable,
    DamagedFile,
    Dust,
    GapLimitReached,
    NodeRefused,
    NodeTimeout,
    NotEnoughMoney,
    RealMoney,
    SigningFailed,
    WalletError,
    WalletExists,
    WrongNetwork,
    WrongPassword,
)
from wallet.hd import ExtendedPrivateKey
from wallet.mnemonic import seed

COIN = 100_000_000
N = 2**14
PASSWORD = "correct horse"
WORDS = "test " * 11 + "junk"
# The first addresses of m/84'/1'/0' under the words that development networks use.
FIRST = "bcrt1qquv9lg5g2r4jkr0ahun0ddfg5xntxjelwjpnuw"
STRANGER = str(script_to_address(b"\x00\x14" + b"\x07" * 20, REGTEST))
TAPROOT = "bcrt1p8wpt9v4frpf3tkn0srd97pksgsxc5hs52lafxwru9kgeephvs7rqjeprhg"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wallets" / "alice.wallet"


@pytest.fixture
def made(path: Path) -> Wallet:
    return Wallet.create(path, REGTEST, PASSWORD, WORDS, kinds=["wpkh"], scrypt_n=N)[0]


@pytest.fixture
def funded(node: FakeNode, made: Wallet) -> Wallet:
    """Two and a half confirmed coins at its first address."""
    node.chain.pay((script_of(made.address()), 250_000_000), confirm=True)
    made.sync(EsploraClient(node.url))
    return made


def script_of(address: str) -> bytes:
    return address_to_script(address, REGTEST)


def test_the_way_of_a_payment(node: FakeNode, funded: Wallet, path: Path) -> None:
    client = EsploraClient(node.url)
    draft = funded.prepare([(STRANGER, 40_000_000)], feerate=2)
    assert draft.fee == 282
    signed = funded.sign(draft, PASSWORD)
    txid = funded.broadcast(client, signed)
    assert shown(node.chain.mempool[0].txid) == txid
    assert funded.balance() == (0, 250_000_000 - 40_000_000 - 282, 0, 0)
    # What was learnt is on disk, and needs no password to be read.
    again = Wallet.open(path)
    assert again.balance() == funded.balance()
    assert again.history() == funded.history()
    node.chain.mine()
    again.sync(client)
    assert again.balance() == (250_000_000 - 40_000_000 - 282, 0, 0, 0)
    assert [item.direction for item in again.history()] == ["sent", "received"]


def test_send_asks_for_an_estimate_unless_told_a_rate(node: FakeNode, funded: Wallet) -> None:
    client = EsploraClient(node.url)
    before = len(node.requests)
    txid = funded.send(client, [(STRANGER, 1_000), (TAPROOT, 2_000)], password=PASSWORD, target=1)
    assert node.requests[before:] == ["/api/fee-estimates", "/api/tx"]
    item = funded.history()[0]
    assert item.txid == txid
    size = node.chain.mempool[-1].vsize
    assert item.fee in (-(-size * 55 // 10), -(-(size + 1) * 55 // 10))
    funded.send(client, [(STRANGER, 1_000)], password=PASSWORD, feerate=Decimal("1.5"))
    assert node.requests[-1] == "/api/tx"
    assert node.requests.count("/api/fee-estimates") == 1


def test_a_refused_payment_leaves_no_trace(node: FakeNode, funded: Wallet) -> None:
    client = EsploraClient(node.url)
    signed = funded.sign(funded.prepare([(STRANGER, COIN)], feerate=1), PASSWORD)
    node.chain.rewind(1, keep=False)
    before = funded.history()
    with pytest.raises(NodeRefused, match="missing"):
        funded.broadcast(client, signed)
    assert funded.history() == before


def test_a_payment_sent_twice_is_one(node: FakeNode, funded: Wallet) -> None:
    client = EsploraClient(node.url)
    signed = funded.sign(funded.prepare([(STRANGER, COIN)], feerate=1), PASSWORD)
    assert funded.broadcast(client, signed) == funded.broadcast(client, signed)
    assert len(funded.history()) == 2


def test_a_payment_that_cannot_be_noted_is_not_sent(
    node: FakeNode, funded: Wallet, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = funded.sign(funded.prepare([(STRANGER, COIN)], feerate=1), PASSWORD)

    def full(handle: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    client = EsploraClient(node.url)
    client.tip()
    monkeypatch.setattr("wallet.keystore.os.write", full)
    with pytest.raises(
        WalletError, match=f"payment {shown(signed.txid)} was not sent: cannot save"
    ):
        funded.broadcast(client, signed)
    monkeypatch.undo()
    assert node.chain.mempool == []
    assert funded.history() == Wallet.open(path).history()
    assert len(funded.history()) == 1
    funded.broadcast(client, signed)


def test_a_payment_whose_fate_is_unknown_is_kept_and_offered_again(
    node: FakeNode, funded: Wallet, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = EsploraClient(node.url)
    signed = funded.sign(funded.prepare([(STRANGER, COIN)], feerate=1), PASSWORD)

    def silent(transaction: Transaction) -> str:
        raise NodeTimeout("the node does not answer")

    monkeypatch.setattr(client, "broadcast", silent)
    with pytest.raises(NodeTimeout, match=f"offers it again .{shown(signed.txid)}"):
        funded.broadcast(client, signed)
    again = Wallet.open(path)
    assert again.history()[0].txid == shown(signed.txid)
    assert again.balance().confirmed == 0  # its coin pays nobody else
    again.sync(EsploraClient(node.url))
    assert [tx.txid for tx in node.chain.mempool] == [signed.txid]


def test_of_two_payments_at_once_the_second_learns_of_the_first(
    node: FakeNode, funded: Wallet, path: Path
) -> None:
    client, other = EsploraClient(node.url), Wallet.open(path)
    first = funded.sign(funded.prepare([(STRANGER, COIN)], feerate=2), PASSWORD)
    second = other.sign(other.prepare([(TAPROOT, COIN)], feerate=9), PASSWORD)
    funded.broadcast(client, first)
    what = f"not sent: its coins have been spent meanwhile by payment {shown(first.txid)}; prepare"
    with pytest.raises(CoinUnavailable, match=what):
        other.broadcast(client, second)
    assert [tx.txid for tx in node.chain.mempool] == [first.txid]
    assert Wallet.open(path).history()[0].txid == shown(first.txid)


def test_known_words_give_the_known_addresses(made: Wallet) -> None:
    assert made.address() == FIRST
    assert made.network == "regtest"
    first, second = bdk.Descriptor(made.descriptor, bdk.NetworkKind.TEST).to_single_descriptors()
    theirs = bdk.Wallet(first, second, bdk.Network.REGTEST, bdk.Persister.new_in_memory())
    for index in range(30):
        for branch, keychain in enumerate((bdk.KeychainKind.EXTERNAL, bdk.KeychainKind.INTERNAL)):
            assert made.address_at(index, branch) == str(
                theirs.peek_address(keychain, index).address
            )


def test_other_accounts_and_passphrases_are_other_wallets(path: Path) -> None:
    addresses = {
        Wallet.in_memory(WORDS, REGTEST, kind="wpkh").address(),
        Wallet.in_memory(WORDS, REGTEST).address(),
        Wallet.in_memory(WORDS, REGTEST, account=1).address(),
        Wallet.in_memory(WORDS, REGTEST, passphrase="x").address(),
    }
    assert len(addresses) == 4
    with_passphrase, _ = Wallet.create(path, REGTEST, PASSWORD, WORDS, "x", scrypt_n=N)
    assert with_passphrase.address() in addresses - {FIRST}
    assert Wallet.open(path).address() == with_passphrase.address()


def test_new_wallets_have_new_words(tmp_path: Path) -> None:
    first, words = Wallet.create(tmp_path / "a.wallet", REGTEST, PASSWORD, scrypt_n=N)
    second, others = Wallet.create(tmp_path / "b.wallet", REGTEST, PASSWORD, scrypt_n=N)
    assert len(words.split()) == 12
    assert words != others
    assert first.address() != second.address()
    assert Wallet.in_memory(words, REGTEST).address() == first.address()


def test_restoring_from_the_words_finds_the_same(
    node: FakeNode, funded: Wallet, tmp_path: Path
) -> None:
    client = EsploraClient(node.url)
    for number in range(3):
        funded.send(client, [(STRANGER, 1_000_000 + number)], password=PASSWORD, feerate=1)
        node.chain.mine()
    funded.sync(client)
    restored, _ = Wallet.create(
        tmp_path / "b.wallet", REGTEST, "other", WORDS, kinds=["tr", "wpkh"], scrypt_n=N
    )
    restored.sync(client)
    assert restored.balance() == funded.balance()
    assert [i.txid for i in restored.history()] == [i.txid for i in funded.history()]
    assert restored.address(account=1) == funded.address()


def test_addresses_move_on_when_paid_or_asked_and_not_beyond_the_gap(
    node: FakeNode, made: Wallet, path: Path
) -> None:
    client = EsploraClient(node.url)
    assert made.address() == made.address() == made.address_at(0)
    assert made.address(new=True) == made.address_at(1)
    assert Wallet.open(path).address() == made.address_at(1)
    for index in range(2, 20):
        assert made.address(new=True) == made.address_at(index)
    with pytest.raises(GapLimitReached, match="20 addresses wait unpaid already"):
        made.address(new=True)
    assert made.address() == made.address_at(19)
    node.chain.pay((script_of(made.address_at(19)), COIN), confirm=True)
    made.sync(client)
    assert made.balance().confirmed == COIN
    assert made.address() == made.address_at(20)
    assert made.address(new=True) == made.address_at(21)


def test_a_payment_that_is_in_no_block_yet_leads_nobody_beyond_the_gap(
    node: FakeNode, made: Wallet
) -> None:
    """It may be taken back: from the words alone nobody would look as far as that."""
    client = EsploraClient(node.url)
    for _ in range(19):
        made.address(new=True)
    node.chain.pay((script_of(made.address_at(19)), COIN))
    made.sync(client)
    assert made.balance().pending == COIN
    for new in (False, True):
        with pytest.raises(GapLimitReached, match="or for a block; use one of them"):
            made.address(new)
    assert made.addresses()[19].received == COIN
    node.chain.pay((script_of(made.address_at(4)), COIN), confirm=True)
    made.sync(client)
    assert made.address() == made.address_at(20)


def test_change_goes_to_an_address_of_its_own_each_time(node: FakeNode, funded: Wallet) -> None:
    client = EsploraClient(node.url)
    for number in range(3):
        draft = funded.prepare([(STRANGER, COIN // 10)], feerate=1)
        change = next(o for o in draft.transaction.outputs if o.value == draft.change)
        assert script_to_address(change.script_pubkey, REGTEST) == funded.address_at(number, 1)
        funded.broadcast(client, funded.sign(draft, PASSWORD))
        if number == 1:
            funded.sync(client)


def test_where_change_stands_is_left_to_chance(funded: Wallet) -> None:
    first = {
        funded.prepare([(STRANGER, COIN)], feerate=1, rng=random.Random(n)).transaction.outputs[0]
        for n in range(20)
    }
    assert len(first) == 2


def test_password_and_damage_are_told_apart(path: Path, made: Wallet, funded: Wallet) -> None:
    draft = funded.prepare([(STRANGER, COIN)], feerate=1)
    with pytest.raises(WrongPassword, match=r"^wrong password for this wallet$"):
        funded.sign(draft, "incorrect horse")
    with pytest.raises(BadPassword, match="needs the wallet's password"):
        funded.sign(draft)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedFile, match="checksum does not fit"):
        Wallet.open(path)


def test_somebody_elses_addresses_put_into_the_file_are_noticed(
    node: FakeNode, path: Path, made: Wallet, tmp_path: Path
) -> None:
    """An editor who also mends the checksum: the seal knows which addresses are its own."""
    other, _ = Wallet.create(tmp_path / "mallory.wallet", REGTEST, "m", scrypt_n=N)
    file = keystore.read(path)
    keystore.write(path, replace(file, descriptors=(other.descriptor,)))
    forged = Wallet.open(path)
    node.chain.pay((script_of(forged.address()), COIN), confirm=True)
    forged.sync(EsploraClient(node.url))
    draft = forged.prepare([(STRANGER, COIN // 2)], feerate=1)
    with pytest.raises(DamagedFile, match="altered since it was sealed"):
        forged.sign(draft, PASSWORD)
    keystore.write(path, replace(file, network="classroom"))
    with pytest.raises(DamagedFile, match="altered"):
        Wallet.open(path).sign(draft, PASSWORD)


def test_a_seal_over_other_words_is_noticed(
    funded: Wallet, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = json.dumps({"words": "abandon " * 11 + "about", "passphrase": ""}).encode()
    file = keystore.read(path)
    sealed = sealing.seal(secret, PASSWORD, file.identity, scrypt_n=N)
    keystore.write(path, replace(file, sealed=sealed))
    opened = Wallet.open(path)
    with pytest.raises(DamagedFile, match="not those of this wallet's addresses"):
        opened.sign(opened.prepare([(STRANGER, COIN)], feerate=1), PASSWORD)


def edit_file(path: Path, edit: Callable[[Any, Any], None]) -> None:
    """Change the history in the file and mend the checksum, as somebody with an editor might."""
    file = keystore.read(path)
    coins, history = map(json.loads, file.history.split(b"\n"))
    edit(coins, history)
    changed = "\n".join(map(json.dumps, (coins, history))).encode()
    keystore.write(path, replace(file, history=changed))


@pytest.mark.parametrize("lie", ["value", "raw", "gone"])
def test_an_edited_history_cannot_change_what_is_signed(
    funded: Wallet, path: Path, lie: str
) -> None:
    def edit(coins: Any, history: Any) -> None:
        entry = history[0]
        if lie == "value":
            coins[0][2] = 50 * COIN
        elif lie == "gone":
            history.clear()
        else:
            real = Transaction.parse(bytes.fromhex(entry["raw"]))
            other = Transaction(
                2, real.inputs, (TxOut(250_000_000, real.outputs[0].script_pubkey),), 9
            )
            entry["raw"] = other.serialize().hex()

    edit_file(path, edit)
    with pytest.raises(DamagedFile, match="contradicts itself"):
        Wallet.open(path).prepare([(STRANGER, COIN)], feerate=1)


def test_an_edited_history_cannot_make_a_payee_look_like_ourselves(
    funded: Wallet, path: Path
) -> None:
    def edit(coins: Any, history: Any) -> None:
        real = Transaction.parse(bytes.fromhex(history[0]["raw"]))
        outputs = (TxOut(1, address_to_script(STRANGER, REGTEST)),)
        raw = Transaction(2, real.inputs, outputs, 9).serialize().hex()
        history.append(
            {**history[0], "txid": "ab" * 32, "raw": raw, "credits": [[0, 1, [0, 0, 3]]]}
        )

    draft = funded.prepare([(STRANGER, COIN)], feerate=1)
    edit_file(path, edit)
    forged = Wallet.open(path)
    assert not forged.owns(STRANGER)
    assert forged.summary(draft).payees == ((STRANGER, COIN),)
    assert forged.summary(draft).left == 250_000_000 - COIN - draft.fee


def test_a_draft_of_another_wallet_is_not_signed(node: FakeNode, funded: Wallet) -> None:
    draft = funded.prepare([(STRANGER, COIN)], feerate=1)
    with pytest.raises(SigningFailed, match="another key"):
        Wallet.in_memory("abandon " * 11 + "about", REGTEST).sign(draft)


def test_a_file_is_for_its_network(path: Path, made: Wallet) -> None:
    assert Wallet.open(path, REGTEST).network == "regtest"
    with pytest.raises(WrongNetwork, match="belongs to regtest, not to classroom"):
        Wallet.open(path, CLASSROOM)


def test_a_network_of_ones_own(path: Path) -> None:
    ours = replace(REGTEST, name="island", bech32_hrp="isl")
    made, _ = Wallet.create(path, ours, PASSWORD, WORDS, scrypt_n=N)
    assert made.address().startswith("isl1p")
    assert Wallet.open(path, ours).address() == made.address()
    with pytest.raises(WrongNetwork, match="island"):
        Wallet.open(path)


def test_accounts_and_what_is_said_of_them_go_together(path: Path, made: Wallet) -> None:
    file = keystore.read(path)
    for descriptors, gaps in [(file.descriptors * 2, [20]), (file.descriptors, ["x"])]:
        state = {**file.state, "gap_limits": gaps}
        keystore.write(path, replace(file, descriptors=descriptors, state=state))
        with pytest.raises(DamagedFile, match="says of its accounts what can't be"):
            Wallet.open(path)


def test_an_existing_file_is_never_replaced(path: Path, made: Wallet) -> None:
    before = path.read_bytes()
    with pytest.raises(WalletExists):
        Wallet.create(path, REGTEST, PASSWORD, scrypt_n=N)
    assert path.read_bytes() == before


def test_nothing_is_made_or_signed_where_money_is_real(path: Path, funded: Wallet) -> None:
    with pytest.raises(RealMoney, match="real money"):
        Wallet.create(path.with_name("b.wallet"), MAIN, PASSWORD)
    with pytest.raises(RealMoney):
        Wallet.in_memory(WORDS, MAIN)
    draft = funded.prepare([(STRANGER, COIN)], feerate=1)
    funded.params = MAIN
    with pytest.raises(RealMoney):
        funded.sign(draft, PASSWORD)
    assert not path.with_name("b.wallet").exists()


def test_a_file_of_main_can_be_read_but_not_signed_with(path: Path, made: Wallet) -> None:
    """Somebody may write such a file by hand; its addresses are public knowledge."""
    file = keystore.read(path)
    keystore.write(path, replace(file, network="main"))
    with pytest.raises(WalletError):
        Wallet.open(path)


@pytest.mark.parametrize(
    ("recipients", "error"),
    [
        ([], BadAmount),
        ([(STRANGER, 0)], Dust),
        ([(STRANGER, 293)], Dust),
        ([(STRANGER, 3 * COIN)], NotEnoughMoney),
        ([("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", COIN)], WrongNetwork),
        ([(STRANGER, 0.5)], BadAmount),
    ],
)
def test_mistakes_are_refused_before_anything_is_signed(
    funded: Wallet, recipients: list[tuple[str, int]], error: type[WalletError]
) -> None:
    with pytest.raises(error) as refusal:
        funded.prepare(recipients, feerate=1)
    assert "\n" not in str(refusal.value)


def test_wrong_words_and_passwords_make_no_file(path: Path) -> None:
    with pytest.raises(BadWords):
        Wallet.create(path, REGTEST, PASSWORD, "abandon " * 12)
    with pytest.raises(BadPassword):
        Wallet.create(path, REGTEST, "")
    assert not path.exists()


def secrets_of(words: str) -> list[str]:
    """Every form in which the keys of a wallet might show."""
    master = ExtendedPrivateKey.from_seed(seed(words))
    account = master.derive((84 + 2**31, 1 + 2**31, 2**31))
    keys = [master, account, account.derive((0, 0))]
    raw = [seed(words), *(key.secret for key in keys)]
    texts = [words, " ".join(words.split()[:4])]
    texts += [key.serialize(REGTEST) for key in keys]
    for secret in raw:
        texts += [secret.hex(), str(secret)[2:-1], base64.b64encode(secret).decode()]
    return texts


def test_no_secret_is_in_the_file(path: Path) -> None:
    _, words = Wallet.create(path, REGTEST, PASSWORD, scrypt_n=N)
    text = path.read_text()
    for secret in [PASSWORD, *secrets_of(words)]:
        assert secret not in text


def test_no_secret_is_in_reprs_logs_or_tracebacks(
    node: FakeNode, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made, words = Wallet.create(path, REGTEST, PASSWORD, scrypt_n=N)
    memory = Wallet.in_memory(words, REGTEST)
    node.chain.pay((script_of(made.address()), COIN), confirm=True)
    client = EsploraClient(node.url)
    shown_texts = [repr(made), str(memory), repr(memory._secrets), repr(vars(memory))]
    for wallet in (made, memory):
        wallet.sync(client)
        draft = wallet.prepare([(STRANGER, COIN // 4)], feerate=1)
        shown_texts.append(repr(draft))
        try:
            wallet.sign(replace(draft, spent_outputs=(TxOut(1, b"\x51"),)), PASSWORD)
        except SigningFailed as error:
            shown_texts += traceback.format_exception(error)
        try:
            wallet.sign(draft, "wrong")
        except WrongPassword as error:
            shown_texts += traceback.format_exception(error)
        wallet.broadcast(client, wallet.sign(draft, PASSWORD))
    everything = "\n".join([*shown_texts, caplog.text])
    assert "POST /api/tx" in everything  # the log was listened to
    for secret in [PASSWORD, *secrets_of(words)]:
        assert secret not in everything


def test_an_unchanged_wallet_is_not_written(node: FakeNode, funded: Wallet, path: Path) -> None:
    before = path.stat().st_mtime_ns
    funded.sync(EsploraClient(node.url))
    assert path.stat().st_mtime_ns == before


def test_the_package_gives_wallet_and_nothing_else() -> None:
    assert package.Wallet is Wallet
    with pytest.raises(AttributeError, match="no attribute 'Purse'"):
        package.Purse  # noqa: B018
    assert pickle.loads(pickle.dumps(WalletError("x"))).args == ("x",)


def test_a_balance_is_noted_in_the_file_and_is_what_the_coins_say(
    funded: Wallet, path: Path
) -> None:
    """Asked of a file just read it needs neither coins nor history."""
    file = keystore.read(path)
    assert Wallet.open(path).balance() == funded.balance()
    keystore.write(path, replace(file, history=b"not even JSON"))
    assert Wallet.open(path).balance() == funded.balance()
    with pytest.raises(DamagedFile, match="history is damaged"):
        Wallet.open(path).utxos()
    keystore.write(path, file)
    (coin,) = Wallet.open(path).utxos()
    opened = Wallet.open(path)
    opened.freeze(coin.outpoint)
    assert opened.balance() == Wallet.open(path).balance()
    assert opened.balance().frozen == coin.value
    assert opened.balance() == opened._ledger.balance(REGTEST.coinbase_maturity_blocks)
