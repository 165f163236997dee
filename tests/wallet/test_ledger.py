"""The ledger alone: conflicts, its file form, what it refuses to read. (More in test_sync.)"""

import json
from dataclasses import replace

import pytest

from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet.conflicts import without_conflicts
from wallet.errors import DamagedFile
from wallet.ledger import Balance, KeyPath, Ledger, Record, Status, Tip, entries_of
from wallet.ledger_file import balance_from_json, history_to_bytes, ledger_from_json, ledger_to_json

COIN = 100_000_000
OURS = {b"\x00\x14" + bytes([n]) * 20: KeyPath(0, n // 10, n % 10) for n in range(20)}
FIRST, SECOND, *_ = OURS
THEIRS = b"\x00\x14" + b"\xff" * 20
CONFIRMED = Status(5, "ab" * 32, 1_700_000_000)


def transaction(*inputs: OutPoint, pays: list[tuple[bytes, int]], number: int = 0) -> Transaction:
    return Transaction(
        2,
        tuple(TxIn(outpoint, b"", 0, ()) for outpoint in inputs),
        tuple(TxOut(value, script) for script, value in pays),
        number,
    )


def outside(number: int) -> OutPoint:
    return OutPoint(bytes([number]) * 32, 0)


def records(*items: tuple[Transaction, Status]) -> dict[bytes, Record]:
    return {t.txid: Record(t, status) for t, status in items}


def test_of_two_that_spend_one_output_the_confirmed_stays() -> None:
    a = transaction(outside(1), pays=[(FIRST, 1)])
    b = transaction(outside(1), outside(2), pays=[(FIRST, 2)])
    c = transaction(outside(3), pays=[(FIRST, 3)])
    for pending in (records((a, CONFIRMED), (b, Status()), (c, Status())),):
        assert list(without_conflicts(pending)) == [a.txid, c.txid]
    both_pending = records((a, Status()), (b, Status()))
    assert list(without_conflicts(both_pending)) == [b.txid]
    assert without_conflicts(records((c, CONFIRMED))) == records((c, CONFIRMED))


def test_a_spend_is_known_by_its_funding_whatever_their_order() -> None:
    funding = transaction(outside(1), pays=[(THEIRS, 9), (FIRST, 10)])
    spend = transaction(OutPoint(funding.txid, 1), pays=[(SECOND, 4), (THEIRS, 5)])
    mixed = transaction(OutPoint(spend.txid, 0), outside(2), pays=[(THEIRS, 6)])
    for order in ([funding, spend, mixed], [mixed, spend, funding]):
        entries = entries_of(records(*((t, CONFIRMED) for t in order)), OURS)
        assert [entries[t.txid].net for t in (funding, spend, mixed)] == [10, -6, -4]
        assert [entries[t.txid].fee for t in (funding, spend, mixed)] == [None, 1, None]
        assert entries[mixed.txid].direction == "sent"
        assert Ledger(entries).coins() == []


def read_again(ledger: Ledger) -> Ledger:
    head = json.loads(json.dumps(ledger_to_json(ledger)))
    return ledger_from_json(head, history_to_bytes(ledger))


def test_what_it_touches_and_how_far_it_is_used() -> None:
    tenth = next(script for script, path in OURS.items() if path == (0, 1, 3))
    funding = transaction(outside(1), pays=[(FIRST, 10), (tenth, 20)])
    spend = transaction(OutPoint(funding.txid, 0), pays=[(THEIRS, 9)])
    ledger = Ledger(entries_of(records((funding, CONFIRMED), (spend, Status())), OURS))
    assert ledger.used((0, 0)) == 1
    assert ledger.used((0, 1)) == 4
    assert ledger.touching() == {
        (0, 0, 0): {funding.txid: CONFIRMED, spend.txid: Status()},
        (0, 1, 3): {funding.txid: CONFIRMED},
    }
    assert Ledger().used((0, 0)) == 0


def test_a_pending_coinbase_is_never_spendable() -> None:
    null = OutPoint(bytes(32), 0xFFFFFFFF)
    coinbase = transaction(null, pays=[(FIRST, 50 * COIN)])
    ledger = Ledger(entries_of(records((coinbase, Status())), OURS), Tip(1_000, "cd" * 32))
    assert ledger.balance(100) == (0, 0, 50 * COIN, 0)
    assert ledger.spendable(100) == []
    unknown_tip = Ledger(entries_of(records((coinbase, CONFIRMED)), OURS))
    assert unknown_tip.balance(100) == (0, 0, 50 * COIN, 0)


def test_its_file_form_is_read_back() -> None:
    funding = transaction(outside(1), pays=[(FIRST, 10)])
    spend = transaction(OutPoint(funding.txid, 0), pays=[(SECOND, 4)])
    entries = entries_of(records((funding, CONFIRMED), (spend, Status())), OURS)
    for ledger in (
        Ledger(),
        Ledger(entries, Tip(7, "cd" * 32), {(0, 0): 3, (1, 1): 4}, {(0, 1): 23}),
    ):
        assert read_again(ledger) == ledger


@pytest.mark.parametrize(
    "change",
    [
        {"tip": 5},
        {"tip": [1, 2, 3, 4]},
        {"frozen": ["ab"]},
        {"frozen": [["zz", 1]]},
        {"next": [1]},
        {"next": None},
        {"scanned": ["x", 1]},
    ],
)
def test_a_file_form_that_is_none_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(DamagedFile, match="history is damaged"):
        ledger_from_json(json.loads(json.dumps(ledger_to_json(Ledger()))) | change, b"[]")
    with pytest.raises(DamagedFile):
        ledger_from_json({}, b"")


@pytest.mark.parametrize(
    "history", [b"[", b"\xff", b"5", b"[5]", b"[{}]", b'[{"txid": "zz"}]', b"[" * 100_000]
)
def test_a_history_that_is_none_is_refused_when_it_is_asked_for(history: bytes) -> None:
    ledger = ledger_from_json(json.loads(json.dumps(ledger_to_json(Ledger()))), b"[]\n" + history)
    assert ledger.balance(100).total == 0
    with pytest.raises(DamagedFile, match="history is damaged"):
        ledger.history()


@pytest.mark.parametrize(
    "coins", [b"", b"[", b"5", b"[5]", b'[["zz",0,1,[0,0,0],1,false,false]]', b"[" * 100_000]
)
def test_coins_that_are_none_are_refused_when_they_are_asked_for(coins: bytes) -> None:
    ledger = ledger_from_json(json.loads(json.dumps(ledger_to_json(Ledger()))), coins + b"\n[]")
    assert ledger.history() == []
    with pytest.raises(DamagedFile, match="history is damaged"):
        ledger.coins()


def test_coins_that_are_not_written_follow_from_the_entries() -> None:
    funding = transaction(outside(1), pays=[(FIRST, 10)])
    ledger = Ledger(entries_of(records((funding, CONFIRMED)), OURS))
    entries = history_to_bytes(ledger).rpartition(b"\n")[2]
    old = ledger_from_json(json.loads(json.dumps(ledger_to_json(ledger))), entries)
    assert old.coins() == ledger.coins() != []


def test_a_noted_balance_is_that_of_its_maturity_alone() -> None:
    funding = transaction(outside(1), pays=[(FIRST, 10)])
    ledger = Ledger(entries_of(records((funding, CONFIRMED)), OURS), Tip(7, "cd" * 32))
    noted = json.loads(json.dumps(ledger_to_json(ledger, 100)))
    assert balance_from_json(noted, 100) == ledger.balance(100) == Balance(10, 0, 0, 0)
    assert balance_from_json(noted, 10) is None
    assert balance_from_json(ledger_to_json(ledger), 100) is None
    assert balance_from_json({}, 100) is None
    for lie in (None, 5, [], ["x"], [100], [100, 1, 2], [100, 1, 2, 3, 4, 5]):
        with pytest.raises(DamagedFile, match="history is damaged"):
            balance_from_json({"balance": lie}, 100)


def test_new_entries_are_added_to_those_that_are_written() -> None:
    """What is written grows at its end; whatever else changes, all is written anew."""
    funding = transaction(outside(1), pays=[(FIRST, 10)])
    spend = transaction(OutPoint(funding.txid, 0), pays=[(SECOND, 7)])
    one = entries_of(records((funding, CONFIRMED)), OURS)
    both = entries_of(records((funding, CONFIRMED), (spend, Status())), OURS)
    moved = entries_of(records((funding, Status(9, "ab" * 32, 1)), (spend, Status())), OURS)
    for before in ({}, one):
        written = history_to_bytes(Ledger(before))
        for after in ({}, one, both, moved):
            grown = history_to_bytes(Ledger(after), Ledger(before), written)
            assert grown == history_to_bytes(Ledger(after))
    head = history_to_bytes(Ledger(one)).rpartition(b"\n")[2][1:-1]
    assert head in history_to_bytes(Ledger(both), Ledger(one), b"[]\n[" + head + b"]")


def test_what_is_read_again_is_written_as_it_was() -> None:
    funding = transaction(outside(1), pays=[(FIRST, 10)])
    ledger = Ledger(entries_of(records((funding, CONFIRMED)), OURS), Tip(7, "cd" * 32))
    again = read_again(ledger)
    assert len(again.entries) == 1
    assert history_to_bytes(replace(again, tip=None)) is history_to_bytes(again)
    assert again.coins() == ledger.coins()
