"""Connecting and disconnecting blocks: flags by height, repeated transactions, order, undo."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chain.connect as connect_module
from chain.block import Block
from chain.coins import Coin, CoinsOverlay
from chain.connect import connect_block, disconnect_block, script_flags_for
from chain.errors import Invalid, Reason
from chain.headers import HeaderEntry
from chain.params import MAIN, REGTEST, Params, with_activation_heights
from chain.script.check import ScriptCheck, SerialQueue
from chain.transaction import OutPoint, Transaction, TxOut
from tests.builders import ANYONE, ChainBuilder, make_block, make_coinbase, make_tx, submit, tx_in
from tests.core_engine import CoreEngine

GENESIS = HeaderEntry(REGTEST.genesis.header, None)
# Core's numbers (script/interpreter.h): P2SH 1, DERSIG 4, NULLDUMMY 16, CLTV 512, CSV 1024,
# WITNESS 2048, TAPROOT 131072.
ALWAYS = 1 + 2048 + 131072


@pytest.mark.parametrize(
    ("height", "expected"),
    [
        (0, ALWAYS),
        (363_724, ALWAYS),
        (363_725, ALWAYS + 4),
        (388_381, ALWAYS + 4 + 512),
        (419_328, ALWAYS + 4 + 512 + 1024),
        (481_823, ALWAYS + 4 + 512 + 1024),
        (481_824, ALWAYS + 4 + 512 + 1024 + 16),
        (900_000, ALWAYS + 4 + 512 + 1024 + 16),
    ],
)
def test_flags_on_mainnet(height: int, expected: int) -> None:
    assert script_flags_for(height, bytes(32), MAIN) == expected


def test_two_blocks_of_mainnet_are_excepted_from_rules_since_genesis() -> None:
    bip16 = "00000000000002dc756eebf4f49723ed8d30cc28a5f108eb94b1ba88ac4f9c22"
    taproot = "0000000000000000000f14c35b2d841e986ab5441de8c585d5ffe55ea1e395ad"
    assert script_flags_for(170_060, bytes.fromhex(bip16)[::-1], MAIN) == 0
    later = 4 + 512 + 1024 + 16
    assert script_flags_for(692_261, bytes.fromhex(taproot)[::-1], MAIN) == 1 + 2048 + later


def test_flags_on_regtest() -> None:
    assert script_flags_for(0, bytes(32), REGTEST) == ALWAYS + 16
    assert script_flags_for(1, bytes(32), REGTEST) == ALWAYS + 4 + 16 + 512 + 1024
    late = with_activation_heights(REGTEST, {"segwit": 5, "csv": 4})
    assert script_flags_for(3, bytes(32), late) == ALWAYS + 4 + 512
    assert script_flags_for(5, bytes(32), late) == ALWAYS + 4 + 16 + 512 + 1024


# Repeated transactions.


class Repeating:
    """A chain on which the coinbase of block 1 may come again: heights are not asked for."""

    def __init__(self, **change: object) -> None:
        params = with_activation_heights(REGTEST, {"bip34": 10_000})
        self.first = make_block(GENESIS, [make_coinbase(7, [TxOut(5, ANYONE)])], params)
        self.entry = HeaderEntry(self.first.header, GENESIS)
        self.again = make_block(self.entry, self.first.transactions, params)
        self.outpoint = OutPoint(self.first.transactions[0].txid, 0)
        self.params: Params = replace(params, **change)  # type: ignore[arg-type]

    def connect(self, coins: dict[OutPoint, Coin]) -> CoinsOverlay:
        overlay = CoinsOverlay(coins)
        entry = HeaderEntry(self.again.header, self.entry)
        connect_block(self.again, entry, overlay, self.params, SerialQueue, scripts_in_order=True)
        return overlay


OLD = Coin(TxOut(5, ANYONE), 1, True)
NEW = Coin(TxOut(5, ANYONE), 2, True)


def test_a_transaction_may_come_again_when_the_first_is_spent() -> None:
    repeating = Repeating()
    with pytest.raises(Invalid) as refused:
        repeating.connect({repeating.outpoint: OLD})
    assert refused.value.reason is Reason.BAD_TXNS_BIP30
    assert repeating.connect({}).get(repeating.outpoint) == NEW


def test_an_excepted_block_overwrites_the_first() -> None:
    repeating = Repeating()
    repeating = Repeating(bip30_exceptions=frozenset([repeating.again.hash]))
    assert repeating.connect({repeating.outpoint: OLD}).get(repeating.outpoint) == NEW


def test_where_heights_make_coinbases_unique_nothing_is_searched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = Repeating().first.hash
    unique = Repeating(coinbase_height_from=1, coinbase_height_hash=first)
    coins = {unique.outpoint: OLD}
    assert unique.connect(coins).get(unique.outpoint) == NEW
    # Another chain than the known one has no such promise,
    for promise in ({"coinbase_height_hash": b"\x07" * 32}, {"coinbase_height_hash": None}):
        with pytest.raises(Invalid, match="bad-txns-BIP30"):
            Repeating(coinbase_height_from=1, **promise).connect(coins)
    # nor has the block of that height itself,
    itself = unique.again.hash
    with pytest.raises(Invalid, match="bad-txns-BIP30"):
        Repeating(coinbase_height_from=2, coinbase_height_hash=itself).connect(coins)
    # nor those from 1,983,702 on, where heights that were once made up come up.
    assert connect_module.HEIGHTS_REPEAT_FROM == 1_983_702
    monkeypatch.setattr(connect_module, "HEIGHTS_REPEAT_FROM", 2)
    with pytest.raises(Invalid, match="bad-txns-BIP30"):
        unique.connect(coins)


# Sums and locks.


def spend_all(
    coins: dict[OutPoint, Coin],
    *,
    sequence: int = 0,
    parent: HeaderEntry = GENESIS,
    params: Params = REGTEST,
) -> None:
    """Connect a block of one transaction for each coin, which all goes to the miner."""
    txs = [make_tx([tx_in(each, b"", sequence)], [TxOut(0, ANYONE)]) for each in coins]
    height = parent.height + 1
    block = make_block(parent, [make_coinbase(height, [TxOut(0, ANYONE)]), *txs], params)
    entry = HeaderEntry(block.header, parent)
    connect_block(block, entry, CoinsOverlay(coins), params, SerialQueue, scripts_in_order=True)


def test_fees_may_be_all_there_is() -> None:
    most = Coin(TxOut(2_099_999_999_999_999, ANYONE), 0, False)
    least = Coin(TxOut(1, ANYONE), 0, False)
    spend_all({OutPoint(bytes(32), 0): most, OutPoint(bytes(32), 1): least})


def parents(times: Sequence[int]) -> HeaderEntry:
    """The last of a chain of headers with these times after genesis."""
    entry = GENESIS
    for time in times:
        entry = HeaderEntry(make_block(entry, [], time=time).header, entry)
    return entry


@pytest.mark.parametrize(("seconds", "is_locked"), [(1_023, True), (1_024, False)])
def test_a_relative_lock_ends_with_its_last_second(seconds: int, is_locked: bool) -> None:
    """From the median time before the coin's block, to that before the spending one (BIP 68)."""
    start = GENESIS.header.time
    parent = parents([start + seconds] * 20)
    assert parent.median_time_past - start == seconds
    coins = {OutPoint(bytes(32), 0): Coin(TxOut(1, ANYONE), 1, False)}
    if is_locked:
        with pytest.raises(Invalid, match="bad-txns-nonfinal"):
            spend_all(coins, sequence=1 << 22 | 2, parent=parent)
    else:
        spend_all(coins, sequence=1 << 22 | 2, parent=parent)


def test_relative_locks_bind_from_their_height_on() -> None:
    coins = {OutPoint(bytes(32), 0): Coin(TxOut(1, ANYONE), 1, False)}
    parent = parents([GENESIS.header.time + 1] * 3)
    spend_all(coins, sequence=9, parent=parent, params=activated(5))
    with pytest.raises(Invalid, match="bad-txns-nonfinal"):
        spend_all(coins, sequence=9, parent=parent, params=activated(4))


def activated(height: int) -> Params:
    return with_activation_heights(REGTEST, {"csv": height})


# Order.


def forged(chain: ChainBuilder) -> Transaction:
    """A payment whose signature is another's."""
    tx = chain.pay(chain.mature()[0])
    witness = (b"\x01", tx.inputs[0].witness[1])
    return make_tx([tx.inputs[0]._replace(witness=witness)], tx.outputs)


@pytest.mark.parametrize("options", [{}, {"scripts_in_order": True}, {"scripts_in_order": False}])
def test_scripts_are_asked_in_their_turn_or_last_of_all(options: dict[str, bool]) -> None:
    """As in Core with one script thread (`-par=1`), and with several."""
    chain, in_order = ChainBuilder(**options), options.get("scripts_in_order", True)
    script_error = "block-script-verify-flag-failed (Non-canonical DER signature)"
    with CoreEngine(threads=0 if in_order else 2) as engine:
        for block in chain.mine(102):
            assert engine.submit(block.serialize()) is None
        missing = make_tx([tx_in(OutPoint(b"\x07" * 32, 0))], [TxOut(0, ANYONE)])
        for block, expected in [
            (chain.block([forged(chain)]), script_error),
            (chain.block([missing, forged(chain)]), "bad-txns-inputs-missingorspent"),
            (
                chain.block([forged(chain), missing]),
                script_error if in_order else "bad-txns-inputs-missingorspent",
            ),
            (
                chain.block([forged(chain)], value=51 * 10**8),
                script_error if in_order else "bad-cb-amount",
            ),
        ]:
            assert submit(chain, block) == expected
            assert engine.submit(block.serialize()) == expected


def test_a_block_has_one_queue_for_its_scripts() -> None:
    queues: list[list[ScriptCheck]] = []

    class Recording(SerialQueue):
        def __init__(self) -> None:
            super().__init__()
            queues.append([])

        def add(self, check: ScriptCheck) -> None:
            super().add(check)
            queues[-1].append(check)

    chain = ChainBuilder(verifier=Recording)
    chain.mine(102)
    assert queues == [[]] * 102
    first = chain.pay(chain.mature()[:2], parts=2)
    second = chain.pay(chain.output(first, 1))
    chain.mine(txs=[first, second])
    assert [(check.tx, len(check.spent_outputs)) for check in queues[-1]] == [
        (first, 2),
        (second, 1),
    ]
    assert len(queues) == 103


def test_a_failed_script_is_named() -> None:
    chain = ChainBuilder()
    chain.mine(101)
    tx = forged(chain)
    block = chain.block([tx])
    invalid = chain.accept(block).changes.failures[block.hash]
    assert invalid.detail == f"input 0 of {tx.txid[::-1].hex()}"
    assert invalid.argument == "Non-canonical DER signature"


# Undo.


def random_block(
    coins: dict[OutPoint, Coin], choices: Sequence[tuple[int, int, int]]
) -> tuple[Block, HeaderEntry]:
    """A block at height 7 of transactions that spend `coins`, or each other, at random."""
    parent = GENESIS
    for _ in range(6):
        parent = HeaderEntry(make_block(parent, []).header, parent)
    open_coins = {outpoint: coin.output.value for outpoint, coin in coins.items()}
    txs: list[Transaction] = []
    for pick, count, outputs in choices:
        picked = [list(open_coins)[(pick + each) % len(open_coins)] for each in range(count)]
        spent = list(dict.fromkeys(picked))
        value = sum(open_coins.pop(outpoint) for outpoint in spent)
        scripts = [b"\x6a" if each == 3 else ANYONE for each in range(outputs)]
        paid = [TxOut(value // outputs, script) for script in scripts]
        tx = make_tx([tx_in(outpoint) for outpoint in spent], paid)
        txs.append(tx)
        for index, output in enumerate(paid):
            if output.script_pubkey == ANYONE:
                open_coins[OutPoint(tx.txid, index)] = output.value
    block = make_block(parent, [make_coinbase(7, [TxOut(1, ANYONE)]), *txs])
    return block, HeaderEntry(block.header, parent)


choices = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 3), st.integers(1, 4)), max_size=8)


def applied(coins: dict[OutPoint, Coin], overlay: CoinsOverlay) -> dict[OutPoint, Coin]:
    """The set of coins with the changes made."""
    changed = {**coins, **overlay.changes()}
    return {outpoint: coin for outpoint, coin in changed.items() if coin is not None}


@given(choices)
def test_undoing_gives_back_what_was(choices: list[tuple[int, int, int]]) -> None:
    coins = {
        OutPoint(bytes([number]) * 32, number): Coin(TxOut(1000 + number, ANYONE), number, False)
        for number in range(5)
    }
    block, entry = random_block(coins, choices)
    overlay = CoinsOverlay(coins)
    undo = connect_block(block, entry, overlay, REGTEST, SerialQueue, scripts_in_order=True)
    after = applied(coins, overlay)
    assert after != coins
    # No money appears: what is missing was burnt or left to the miner.
    assert sum(c.output.value for c in after.values()) <= 1 + sum(
        c.output.value for c in coins.values()
    )
    disconnect_block(block, undo, overlay)
    assert applied(coins, overlay) == coins
    # And once more on top of it.
    assert connect_block(block, entry, overlay, REGTEST, SerialQueue, scripts_in_order=True) == undo
    assert applied(coins, overlay) == after


def test_the_undo_of_another_block_is_noticed() -> None:
    coins = {OutPoint(bytes(32), 0): Coin(TxOut(1000, ANYONE), 0, False)}
    block, entry = random_block(coins, [(0, 1, 2), (0, 2, 1)])
    overlay = CoinsOverlay(coins)
    undo = connect_block(block, entry, overlay, REGTEST, SerialQueue, scripts_in_order=True)
    for damaged in (undo[:-1], (*undo, ()), (undo[0], undo[1][:-1])):
        with pytest.raises(ValueError, match="zip"):
            disconnect_block(block, damaged, CoinsOverlay(coins))
