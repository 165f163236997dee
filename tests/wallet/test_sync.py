"""Sync: what the wallet says it holds is what the chain holds, whatever happened to the chain."""

import hashlib
import json
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chain.address import script_to_address
from chain.params import CLASSROOM, REGTEST
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.wallet.fake_node import FakeChain, FakeNode, shown
from wallet import Wallet
from wallet.account import RECEIVE, Account
from wallet.client import EsploraClient
from wallet.errors import NodeNonsense, NodeUnreachable, NotEnoughMoney
from wallet.hd import ExtendedPrivateKey
from wallet.ledger import Balance, Status
from wallet.ledger_file import history_to_bytes, ledger_from_json, ledger_to_json
from wallet.mnemonic import seed

COIN = 100_000_000
WORDS = "test " * 11 + "junk"
OTHER = "0014" + "07" * 20
KEYS = Account.of_master(ExtendedPrivateKey.from_seed(seed(WORDS)), CLASSROOM)
SCRIPTS = {(branch, index): KEYS.script(branch, index) for branch in (0, 1) for index in range(70)}
STRANGER = str(script_to_address(bytes.fromhex(OTHER), CLASSROOM))


def receive(index: int) -> bytes:
    return SCRIPTS[RECEIVE, index]


class CountingChain(FakeChain):
    """Counts what a sync asks."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = 0
        self.scripts = 0
        self.fetched = 0
        self.read = 0

    def block(self, block_hash: bytes) -> SimpleNamespace | None:
        self.read += 1
        return super().block(block_hash)

    def history(self, script: bytes) -> Iterator[tuple[bytes, Status]]:
        self.scripts += 1
        for row in super().history(script):
            self.rows += 1
            yield row

    def transaction(self, txid: bytes) -> Transaction | None:
        self.fetched += 1
        return super().transaction(txid)


@pytest.fixture
def chain() -> CountingChain:
    return CountingChain()


@pytest.fixture
def wallet() -> Wallet:
    return Wallet.in_memory(WORDS, CLASSROOM)


def sync(wallet: Wallet, chain: FakeChain, **options: bool) -> Balance:
    wallet.sync(chain, **options)  # a FakeChain answers as a client does
    return wallet.balance()


def test_an_empty_wallet_looks_at_twenty_addresses_a_branch(
    wallet: Wallet, chain: CountingChain
) -> None:
    assert sync(wallet, chain) == (0, 0, 0, 0)
    assert chain.scripts == 40
    assert wallet.history() == []


def test_pending_then_confirmed(wallet: Wallet, chain: FakeChain) -> None:
    chain.pay((receive(0), COIN))
    assert sync(wallet, chain) == (0, COIN, 0, 0)
    chain.mine()
    assert sync(wallet, chain) == (COIN, 0, 0, 0)
    assert sync(wallet, chain).total == COIN


def test_coinbases_mature(wallet: Wallet, chain: FakeChain) -> None:
    """Ten blocks in the classroom: spendable in the tenth block after its own."""
    chain.mine(receive(0))
    for _ in range(8):
        chain.mine()
        assert sync(wallet, chain) == (0, 0, 50 * COIN, 0)
    with pytest.raises(NotEnoughMoney):
        wallet.prepare([(STRANGER, COIN)], feerate=1)
    chain.mine()
    assert sync(wallet, chain) == (50 * COIN, 0, 0, 0)
    wallet.prepare([(STRANGER, COIN)], feerate=1)


def test_payments_within_the_gap_are_found_and_move_it_on(
    wallet: Wallet, chain: CountingChain
) -> None:
    for index in (19, 39, 59):
        chain.pay((receive(index), COIN), confirm=True)
    assert sync(wallet, chain) == (3 * COIN, 0, 0, 0)
    assert chain.scripts == 80 + 20
    assert wallet.address() == wallet.address_at(60)


def test_a_payment_beyond_the_gap_is_found_once_the_gap_moves(
    wallet: Wallet, chain: FakeChain
) -> None:
    chain.pay((receive(20), COIN), confirm=True)
    assert sync(wallet, chain) == (0, 0, 0, 0)
    chain.pay((receive(5), 1), confirm=True)
    assert sync(wallet, chain) == (COIN + 1, 0, 0, 0)


def test_later_syncs_read_only_what_is_new(wallet: Wallet, chain: CountingChain) -> None:
    for n in range(60):
        chain.pay((receive(n % 3), 1_000 + n), confirm=True)
    sync(wallet, chain)
    assert (chain.rows, chain.fetched, chain.read) == (60, 60, 0)
    chain.pay((receive(0), 5), confirm=True)
    sync(wallet, chain)
    # No history of an address is read, only the new block, and nothing if there is none.
    for _ in range(3):
        assert (chain.rows, chain.fetched, chain.read) == (60, 60, 1)
        assert sync(wallet, chain).confirmed == sum(range(1_000, 1_060)) + 5
    before = chain.rows
    assert sync(wallet, chain, full=True).confirmed == sum(range(1_000, 1_060)) + 5
    assert chain.rows == before + 61


def test_of_what_waits_only_the_new_is_fetched(wallet: Wallet, chain: CountingChain) -> None:
    sync(wallet, chain)
    for _ in range(5):
        chain.pay((bytes.fromhex(OTHER), COIN))
    chain.pay((receive(0), COIN))
    for _ in range(2):
        assert sync(wallet, chain) == (0, COIN, 0, 0)
        assert (chain.rows, chain.fetched) == (0, 6)
    chain.pay((receive(1), COIN))
    assert sync(wallet, chain) == (0, 2 * COIN, 0, 0)
    assert (chain.rows, chain.fetched) == (0, 7)


def test_a_mempool_too_large_to_tell_apart_is_never_taken_for_an_empty_one(
    wallet: Wallet, chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(wallet, chain)
    chain.pay((receive(0), COIN))
    monkeypatch.setattr(chain, "waiting_txids", lambda: None)
    assert sync(wallet, chain) == (0, COIN, 0, 0)


def test_addresses_that_come_into_sight_are_looked_at_though_nothing_is_new(
    wallet: Wallet, chain: FakeChain
) -> None:
    chain.pay((receive(20), COIN), confirm=True)
    assert sync(wallet, chain) == (0, 0, 0, 0)
    wallet.address(new=True)
    assert sync(wallet, chain) == (COIN, 0, 0, 0)


def test_a_pending_chain_of_payments_is_followed_in_any_order(
    wallet: Wallet, chain: FakeChain
) -> None:
    sync(wallet, chain)
    first = chain.pay((receive(0), COIN))
    second = Transaction(
        2, (TxIn(OutPoint(first.txid, 0), b"", 1),), (TxOut(COIN - 9, receive(1)),), 0
    )
    third = Transaction(
        2, (TxIn(OutPoint(second.txid, 0), b"", 1),), (TxOut(COIN - 99, bytes.fromhex(OTHER)),), 0
    )
    for tx in (second, third):
        chain.broadcast(tx)
    chain.mempool.reverse()
    assert sync(wallet, chain) == (0, 0, 0, 0)
    assert len(wallet.history()) == 3


@pytest.mark.parametrize("blocks", [29, 30, 31])
def test_after_many_blocks_the_histories_are_read(
    wallet: Wallet, chain: CountingChain, blocks: int
) -> None:
    sync(wallet, chain)
    chain.pay((receive(0), COIN))
    for _ in range(blocks):
        chain.mine()
    assert sync(wallet, chain) == (COIN, 0, 0, 0)
    assert (chain.read, chain.rows) == ((blocks, 0) if blocks <= 30 else (0, 1))


def test_a_full_mempool_is_left_to_the_histories(wallet: Wallet, chain: CountingChain) -> None:
    sync(wallet, chain)
    for _ in range(301):
        chain.pay((bytes.fromhex(OTHER), COIN))
    chain.pay((receive(0), COIN))
    assert sync(wallet, chain) == (0, COIN, 0, 0)
    assert (chain.rows, chain.fetched) == (1, 1)


def test_a_payment_confirms_elsewhere_after_a_reorganisation(
    wallet: Wallet, chain: FakeChain
) -> None:
    chain.pay((receive(0), COIN), confirm=True)
    assert sync(wallet, chain) == (COIN, 0, 0, 0)
    chain.rewind(1)
    chain.mine(transactions=[])
    assert sync(wallet, chain) == (0, COIN, 0, 0)
    chain.mine()
    assert sync(wallet, chain) == (COIN, 0, 0, 0)
    assert wallet.history()[0].height == 2


@pytest.mark.parametrize(("count", "asked", "blocks"), [(24, 24, 0), (25, 0, 1)])
def test_a_block_that_holds_much_is_read_whole(
    wallet: Wallet, chain: CountingChain, count: int, asked: int, blocks: int
) -> None:
    for _ in range(count):
        chain.pay((receive(0), 1_000))
        chain.pay((b"\x51", 1_000))
    chain.mine()
    assert sync(wallet, chain) == (1_000 * count, 0, 0, 0)
    assert (chain.fetched, chain.read) == (asked, blocks)
    assert len(wallet.history()) == count


def test_a_reorganisation_below_known_payments(wallet: Wallet, chain: FakeChain) -> None:
    """Everything from block 3 on changes, and one payment never comes back."""
    for n in range(6):
        chain.pay((receive(0), 1 << n), confirm=True)
    assert sync(wallet, chain).confirmed == 0b111111
    chain.rewind(4)
    lost = chain.mempool[1]
    chain.drop(lost)
    chain.mine()
    assert sync(wallet, chain) == (0b110111, 0, 0, 0)
    assert shown(lost.txid) not in [item.txid for item in wallet.history()]


def test_a_coinbase_that_lost_its_block_is_gone(wallet: Wallet, chain: FakeChain) -> None:
    chain.mine(receive(0))
    assert sync(wallet, chain) == (0, 0, 50 * COIN, 0)
    chain.rewind(1)
    chain.mine()
    assert sync(wallet, chain) == (0, 0, 0, 0)


def test_replaced_and_dropped_payments(wallet: Wallet, chain: FakeChain) -> None:
    first = chain.pay((receive(0), COIN))
    sync(wallet, chain)
    second = chain.replace(first, (receive(0), COIN - 500))
    assert sync(wallet, chain) == (0, COIN - 500, 0, 0)
    chain.drop(second)
    assert sync(wallet, chain) == (0, 0, 0, 0)
    assert wallet.address() == wallet.address_at(1)  # an address once seen is not given out again


def test_what_we_sent_is_offered_again_until_it_is_refused(
    wallet: Wallet, chain: FakeChain
) -> None:
    chain.pay((receive(0), COIN), confirm=True)
    sync(wallet, chain)
    txid = wallet.send(chain, [(STRANGER, COIN // 2)], feerate=1)
    sent = chain.mempool[0]
    assert shown(sent.txid) == txid
    pending = wallet.balance()
    assert pending.confirmed == 0
    assert sync(wallet, chain) == pending
    for _ in range(3):
        chain.drop(sent)
        assert sync(wallet, chain) == pending
        assert chain.mempool == [sent]
    # Another copy of the wallet spends the coin: ours is refused and is off.
    chain.drop(sent)
    rival = Transaction(2, sent.inputs, (TxOut(COIN - 1_000, receive(7)),), 0)
    chain.broadcast(rival)
    assert sync(wallet, chain) == (0, COIN - 1_000, 0, 0)
    assert txid not in [item.txid for item in wallet.history()]


def test_a_new_payment_may_spend_pending_change_but_not_a_strangers_coin(
    wallet: Wallet, chain: FakeChain
) -> None:
    chain.pay((receive(0), COIN), confirm=True)
    chain.pay((receive(1), COIN))
    sync(wallet, chain)
    wallet.send(chain, [(STRANGER, COIN // 2)], feerate=1)
    wallet.send(chain, [(STRANGER, COIN // 4)], feerate=1)
    with pytest.raises(NotEnoughMoney):
        wallet.prepare([(STRANGER, COIN // 2)], feerate=1)
    sync(wallet, chain)
    assert [item.direction for item in wallet.history()].count("sent") == 2


def test_history_tells_direction_and_fee(wallet: Wallet, chain: FakeChain) -> None:
    chain.mine(receive(0))
    chain.pay((receive(1), 2 * COIN), confirm=True)
    for _ in range(10):
        chain.mine()
    sync(wallet, chain)
    draft = wallet.prepare([(STRANGER, 51 * COIN)], feerate=3)
    wallet.broadcast(chain, wallet.sign(draft))
    sync(wallet, chain)
    own = wallet.address_at(9)
    wallet.send(chain, [(own, COIN // 2)], feerate=1)
    moved, sent, received, mined = wallet.history()
    assert [i.direction for i in (moved, sent, received, mined)] == [
        "moved",
        "sent",
        "received",
        "mined",
    ]
    assert (sent.net, sent.fee) == (-51 * COIN - draft.fee, draft.fee)
    assert moved.net == -(moved.fee or 0)
    assert (received.net, received.fee, received.height) == (2 * COIN, None, 2)
    assert (mined.net, mined.fee, mined.height, mined.time) == (50 * COIN, None, 1, 1_700_000_001)


def test_a_transaction_that_vanishes_while_we_read(wallet: Wallet) -> None:
    """It is left out, and looked for again although newer ones are known by then."""

    class Vanishing(FakeChain):
        hidden: bytes | None = None

        def transaction(self, txid: bytes) -> Transaction | None:
            return None if txid == self.hidden else super().transaction(txid)

    chain = Vanishing()
    chain.hidden = chain.pay((receive(0), COIN), confirm=True).txid
    chain.pay((receive(0), 1), confirm=True)
    assert sync(wallet, chain) == (1, 0, 0, 0)
    chain.hidden = None
    assert sync(wallet, chain) == (COIN + 1, 0, 0, 0)


def test_a_chain_that_moves_while_we_read(wallet: Wallet) -> None:
    """A block at each question: the view is taken, but nothing is built on it next time."""

    class Restless(CountingChain):
        def history(self, script: bytes) -> Iterator[tuple[bytes, Status]]:
            self.mine()
            return super().history(script)

    restless = Restless()
    for n in range(30):
        restless.pay((receive(0), 1 + n), confirm=True)
    assert sync(wallet, restless).confirmed == sum(range(1, 31))
    rows = restless.rows
    sync(wallet, restless)
    assert restless.rows - rows >= 30


def test_conflicting_stories_are_settled_for_the_confirmed_one(
    wallet: Wallet, chain: FakeChain
) -> None:
    """A liar shows both a payment and its replacement."""
    first = chain.pay((receive(0), COIN))
    second = Transaction(2, first.inputs, (TxOut(2 * COIN, receive(1)),), 1)
    chain.mempool.append(second)
    assert sync(wallet, chain).total in (COIN, 2 * COIN)
    chain.mempool.remove(first)
    chain.mine(transactions=[first])
    assert sync(wallet, chain) == (COIN, 0, 0, 0)


def test_a_transaction_that_does_nothing_to_us_is_left_out(
    wallet: Wallet, chain: FakeChain
) -> None:
    class Liar(FakeChain):
        def history(self, script: bytes) -> Iterator[tuple[bytes, Status]]:
            rows = [(t.txid, s) for t, s in self.everything() if not t.is_coinbase]
            return iter(rows if script == receive(3) else [])

    liar = Liar()
    liar.pay((bytes.fromhex(OTHER), 5 * COIN))
    assert sync(wallet, liar) == (0, 0, 0, 0)
    assert wallet.history() == []


def test_a_transaction_that_cannot_be_is_refused(wallet: Wallet, chain: FakeChain) -> None:
    chain.pay((receive(0), 21_000_001 * COIN))
    with pytest.raises(NodeNonsense, match="cannot be: bad-txns-vout-toolarge"):
        sync(wallet, chain)
    chain.mempool.clear()
    chain.pay((receive(0), -5))
    with pytest.raises(NodeNonsense, match="cannot be: bad-txns-vout-negative"):
        sync(wallet, chain)
    assert wallet.balance() == (0, 0, 0, 0)


def test_payments_on_every_address_without_end(
    wallet: Wallet, chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Endless(FakeChain):
        def history(self, script: bytes) -> Iterator[tuple[bytes, Status]]:
            return iter([(script.ljust(32, b"\0"), Status())])

    monkeypatch.setattr("wallet.sync.MAX_SCRIPTS", 30)
    with pytest.raises(NodeNonsense, match="without end"):
        sync(wallet, Endless())


def test_a_history_larger_than_any(
    wallet: Wallet, chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wallet.sync.MAX_FETCHED_BYTES", 200)
    chain.pay((receive(0), COIN))
    sync(wallet, chain)
    chain.pay((receive(0), COIN))
    chain.pay((receive(0), COIN))
    with pytest.raises(NodeNonsense, match="larger than any"):
        sync(wallet, chain, full=True)


def test_a_sync_that_fails_halfway_changes_nothing(node: FakeNode, wallet: Wallet) -> None:
    node.chain.pay((receive(0), COIN), confirm=True)
    client = EsploraClient(node.url)
    wallet.sync(client)
    before = wallet.history(), wallet.utxos()
    paid = node.chain.pay((receive(1), COIN), confirm=True)
    node.answers[f"/tx/{shown(paid.txid)}/raw"] = (503, b"busy")
    with pytest.raises(NodeUnreachable):
        wallet.sync(client)
    assert (wallet.history(), wallet.utxos()) == before
    node.answers.clear()
    wallet.sync(client)
    assert wallet.balance() == (2 * COIN, 0, 0, 0)


def test_a_lie_about_values_changes_no_amount(node: FakeNode, wallet: Wallet) -> None:
    """The node says in JSON that a coin is tiny; the fee is still reckoned from what was signed."""
    paid = node.chain.pay((receive(0), COIN), confirm=True)
    outspoken = {
        "txid": shown(paid.txid),
        "fee": 1,
        "vout": [{"scriptpubkey": receive(0).hex(), "value": 1_000}],
        "status": {
            "confirmed": True,
            "block_height": 1,
            "block_hash": node.chain.blocks[1][0],
            "block_time": 5,
        },
    }
    page = json.dumps([outspoken]).encode()
    node.answers[f"/scripthash/{hashlib.sha256(receive(0)).hexdigest()}/txs"] = (200, page)
    client = EsploraClient(node.url)
    wallet.sync(client)
    assert wallet.balance() == (COIN, 0, 0, 0)
    draft = wallet.prepare([(STRANGER, COIN // 2)], feerate=1)
    assert draft.spent_outputs == (TxOut(COIN, receive(0)),)
    assert draft.fee + draft.change + COIN // 2 == COIN
    # And a raw transaction with other values is not the one that was asked for.
    lie = Transaction(2, paid.inputs, (TxOut(1_000, receive(0)),), 0)
    node.answers[f"/tx/{shown(paid.txid)}/raw"] = (200, lie.serialize())
    with pytest.raises(NodeNonsense, match="another transaction"):
        Wallet.in_memory(WORDS, CLASSROOM).sync(client)


class Life(RuleBasedStateMachine):
    """A wallet's life on a chain that reorganises, forgets and replaces."""

    def __init__(self) -> None:
        super().__init__()
        self.chain = FakeChain()
        self.wallet = Wallet.in_memory(WORDS, CLASSROOM)

    @rule(index=st.integers(0, 19), value=st.integers(1_000, 5 * COIN), confirm=st.booleans())
    def receives(self, index: int, value: int, confirm: bool) -> None:
        self.chain.pay((receive(index), value), confirm=confirm)

    @rule(ours=st.booleans())
    def mines(self, ours: bool) -> None:
        self.chain.mine(*([receive(0)] if ours else []))

    @rule(part=st.integers(1, 9), feerate=st.integers(1, 20), to_self=st.booleans())
    def sends(self, part: int, feerate: int, to_self: bool) -> None:
        self.wallet.sync(self.chain)
        available = self.wallet.balance().confirmed
        address = self.wallet.address_at(3) if to_self else STRANGER
        value = max(available * part // 10, 1_000)
        try:
            draft = self.wallet.prepare([(address, value)], feerate=feerate)
        except NotEnoughMoney as error:
            assert error.need > error.have or part == 9
            return
        spent = sum(output.value for output in draft.spent_outputs)
        assert spent == value + draft.change + draft.fee
        self.wallet.broadcast(self.chain, self.wallet.sign(draft))

    @precondition(lambda self: len(self.chain.blocks) > 4)
    @rule(depth=st.integers(1, 4), keep=st.booleans(), empty=st.booleans())
    def reorganises(self, depth: int, keep: bool, empty: bool) -> None:
        self.chain.rewind(depth, keep=keep)
        for _ in range(depth + 1):
            self.chain.mine(transactions=[] if empty else None)

    @precondition(lambda self: self.chain.mempool)
    @rule(data=st.data())
    def forgets(self, data: st.DataObject) -> None:
        self.chain.drop(data.draw(st.sampled_from(self.chain.mempool)))

    @precondition(lambda self: any(t.locktime == 0 for t in self.strangers()))
    @rule(data=st.data(), value=st.integers(1_000, COIN))
    def replaces(self, data: st.DataObject, value: int) -> None:
        self.chain.replace(data.draw(st.sampled_from(self.strangers())), (receive(2), value))

    @rule()
    def restores(self) -> None:
        self.wallet.sync(self.chain)
        restored = Wallet.in_memory(WORDS, CLASSROOM)
        restored.sync(self.chain)
        assert restored.balance() == self.wallet.balance()
        assert sorted(restored.utxos()) == sorted(self.wallet.utxos())

    def strangers(self) -> list[Transaction]:
        return [t for t in self.chain.mempool if t.inputs[0].outpoint in self.chain.strangers]

    @invariant()
    def the_wallet_holds_what_the_chain_says(self) -> None:
        self.wallet.sync(self.chain)
        truth = self.chain.unspent(set(SCRIPTS.values()))
        coins = {coin.outpoint: coin for coin in self.wallet.utxos()}
        assert {outpoint: coin.value for outpoint, coin in coins.items()} == {
            outpoint: value for outpoint, (value, _, _) in truth.items()
        }
        expected = [0, 0, 0]
        for value, status, is_coinbase in truth.values():
            if is_coinbase and len(self.chain.blocks) - (status.height or 0) < 10:
                expected[2] += value
            else:
                expected[0 if status.height is not None else 1] += value
        assert list(self.wallet.balance()) == [*expected, 0]
        nets = sum(item.net for item in self.wallet.history())
        assert nets == self.wallet.balance().total

    @invariant()
    def the_ledger_survives_its_file(self) -> None:
        ledger = self.wallet._ledger
        head = json.loads(json.dumps(ledger_to_json(ledger)))
        assert ledger_from_json(head, history_to_bytes(ledger)) == ledger


Life.TestCase.settings = settings(
    max_examples=25, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLife = Life.TestCase


def test_regtest_coinbases_need_a_hundred_blocks(chain: FakeChain) -> None:
    wallet = Wallet.in_memory(WORDS, REGTEST)
    chain.mine(receive(0))
    for _ in range(98):
        chain.mine()
    assert sync(wallet, chain) == (0, 0, 50 * COIN, 0)
    chain.mine()
    assert sync(wallet, chain) == (50 * COIN, 0, 0, 0)
