"""The chain state: which tip it stands on, what it remembers, what it writes.

Scenarios draw the tree above them; a block's name says its branch and height.
"""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain import curve
from chain.block import Block
from chain.block_rules import subsidy
from chain.chainstate import ChainChanges, Chainstate
from chain.coins import BlockUndo, coins_hash
from chain.errors import Invalid, Reason
from chain.headers import HeaderEntry
from chain.params import CLASSROOM, MAIN, REGTEST
from chain.script.check import CheckQueue, ScriptCheck, SerialQueue
from chain.script.script import push_number
from chain.store import MemoryStore, Store, StoreError, block_key, undo_key
from chain.transaction import TxIn, TxOut
from tests.builders import (
    ANYONE,
    COIN,
    NULL,
    ChainBuilder,
    Key,
    committing,
    make_block,
    make_tx,
    no_changes,
    p2pk,
    solve,
    submit,
)


def entry_of(chain: ChainBuilder, block: Block) -> HeaderEntry:
    return chain.chainstate.headers[block.hash]


def reopened(chain: ChainBuilder) -> Chainstate:
    return Chainstate(chain.params, chain.store)


def copied(store: Store) -> MemoryStore:
    copy = MemoryStore()
    copy.write(dict(store.scan(b"")))
    return copy


def state(chainstate: Chainstate) -> tuple[object, ...]:
    """Everything that must be the same after opening a store again."""
    entries = {
        entry.hash: (
            entry.header,
            entry.height,
            entry.chainwork,
            entry.sequence is None,
            entry.has_body,
            entry.is_connected_once,
            entry.failed,
        )
        for entry in chainstate.headers.values()
    }
    # Opening puts the active chain first; beside it the order stays.
    aside = [
        (entry.sequence, entry.height, entry.hash)
        for entry in chainstate.headers.values()
        if entry.sequence is not None and entry not in chainstate.active
    ]
    order = [block_hash for _, _, block_hash in sorted(aside)]
    best = chainstate.headers.best_header.chainwork, chainstate.headers.best_candidate.hash
    return entries, order, best, chainstate.tip.hash, coins_hash(chainstate.coins)


# A new chain.


@pytest.mark.parametrize("params", [REGTEST, CLASSROOM, MAIN])
def test_a_new_chain_stands_on_genesis_and_has_no_coins(params) -> None:  # type: ignore[no-untyped-def]
    chainstate = Chainstate(params, MemoryStore())
    assert (chainstate.tip.height, chainstate.tip.hash) == (0, params.genesis.hash)
    assert chainstate.read_block(params.genesis.hash) == params.genesis
    assert list(chainstate.coins) == []
    assert not chainstate.accept_block(params.genesis, 0).is_new


def test_a_block_extends_the_chain() -> None:
    chain = ChainBuilder()
    block = chain.block()
    accepted = chain.accept(block)
    assert accepted.is_new and accepted.entry is chain.tip
    assert accepted.changes == ((), ((chain.tip, block),), {})
    assert chain.chainstate.active.height == 1
    assert chain.chainstate.read_block(block.hash) == block
    assert chain.chainstate.read_block_bytes(block.hash) == block.serialize()
    assert chain.chainstate.read_undo(block.hash) == ()
    (only,) = chain.chainstate.coins
    assert only[1] == (block.transactions[0].outputs[0], 1, True)


def test_what_is_unknown_reads_as_none() -> None:
    chainstate = ChainBuilder().chainstate
    assert chainstate.read_block(bytes(32)) is None
    assert chainstate.read_block_bytes(bytes(32)) is None
    assert chainstate.read_undo(bytes(32)) is None


def test_a_known_block_is_not_taken_in_again() -> None:
    chain = ChainBuilder()
    (block,) = chain.mine()
    again = chain.accept(block)
    assert (again.is_new, again.entry) == (False, chain.tip)
    assert no_changes(again.changes)


def test_a_classroom_chain_is_mined_with_real_work() -> None:
    chain = ChainBuilder(CLASSROOM)
    block = chain.mine()[0]
    assert block.header.bits == 0x1F00FFFF
    assert block.hash[31] == 0 and block.hash[30] == 0


# Branches.


def test_of_equal_branches_the_first_stays_and_more_work_wins() -> None:
    """
    genesis -> a1 -> a2
            -> b1 -> b2 -> b3
    """
    chain = ChainBuilder()
    genesis = chain.tip
    a = chain.mine(2)
    b = chain.branch(genesis, 3)
    assert [submit(chain, block) for block in b[:2]] == ["inconclusive", "inconclusive"]
    assert chain.tip.hash == a[1].hash
    changes = chain.accept(b[2]).changes
    assert [block for _, block in changes.disconnected] == a[::-1]
    assert [block for _, block in changes.connected] == b
    assert [entry.hash for entry, _ in changes.connected] == [block.hash for block in b]
    assert chain.tip.hash == b[2].hash
    assert chain.chainstate.active[1].hash == b[0].hash


def test_the_coins_after_a_reorganisation_are_those_of_the_new_branch() -> None:
    chain = ChainBuilder()
    chain.mine(102)
    fork = chain.tip
    source = chain.mature()[0]
    paid = chain.pay(source, ANYONE, fee=5)
    chain.mine(2, txs=[paid])
    other = chain.pay(source, ANYONE, fee=9, parts=2)
    twice = chain.pay(chain.output(other, 1))
    chain.mine(3, txs=[other, twice], parent=fork)
    straight = ChainBuilder()
    for height in range(1, chain.height + 1):
        block = chain.chainstate.read_block(chain.chainstate.active[height].hash)
        assert block is not None and submit(straight, block) is None
    assert straight.tip.hash == chain.tip.hash
    assert coins_hash(straight.chainstate.coins) == coins_hash(chain.chainstate.coins)
    undo = chain.chainstate.read_undo(chain.chainstate.active[103].hash)
    assert undo is not None
    assert [[coin.output.value for coin in spent] for spent in undo] == [
        [5_000_000_000],
        [2_499_999_996],
    ]


def test_a_reorganisation_that_fails_ends_on_the_best_valid_chain() -> None:
    """
    genesis -> a1 -> a2
            -> b1 -> b2 -> b3 (greedy) -> b4
    """
    chain = ChainBuilder()
    genesis = chain.tip
    a = chain.mine(2)
    b = chain.branch(genesis, 2)
    parent = HeaderEntry(b[1].header, HeaderEntry(b[0].header, genesis))
    b += [chain.block(parent=parent, value=51 * 10**8)]
    b += chain.branch(HeaderEntry(b[2].header, parent), 1)
    before = coins_hash(chain.chainstate.coins)
    for block in b:
        chain.chainstate.accept_header(block.header, chain.now)
    answers = [submit(chain, block) for block in (b[3], b[0], b[1])]
    assert answers == ["inconclusive"] * 3
    accepted = chain.accept(b[2])
    assert {hash_: str(error) for hash_, error in accepted.changes.failures.items()} == {
        b[2].hash: "bad-cb-amount, coinbase pays too much (actual=5100000000 vs limit=5000000000)"
    }
    assert accepted.changes.connected == accepted.changes.disconnected == ()
    assert (chain.tip.hash, coins_hash(chain.chainstate.coins)) == (a[1].hash, before)
    assert [entry_of(chain, block).failed for block in b] == [False, False, True, True]
    # b1 and b2 have been found valid on the way, and no more.
    assert [entry_of(chain, block).is_connected_once for block in b] == [True, True, False, False]
    assert submit(chain, b[3]) == "duplicate-invalid"
    late = chain.block(parent=entry_of(chain, b[3]))
    assert submit(chain, late) == "bad-prevblk"
    assert state(reopened(chain)) == state(chain.chainstate)
    # A valid b3 turns the chain.
    assert submit(chain, chain.block(parent=entry_of(chain, b[1]))) is None
    assert chain.chainstate.active[2].hash == b[1].hash


def test_the_valid_part_of_a_failing_branch_is_kept_if_it_is_better() -> None:
    """
    genesis -> a1
            -> b1 -> b2 -> b3 (greedy)
    """
    chain = ChainBuilder()
    genesis = chain.tip
    a = chain.mine(1)
    b = chain.branch(genesis, 2)
    parent = HeaderEntry(b[1].header, HeaderEntry(b[0].header, genesis))
    b += [chain.block(parent=parent, value=51 * 10**8)]
    for block in b:
        chain.chainstate.accept_header(block.header, chain.now)
    chain.accept(b[2])
    chain.accept(b[1])
    changes = chain.accept(b[0]).changes
    assert [block.hash for _, block in changes.disconnected] == [a[0].hash]
    assert [block.hash for _, block in changes.connected] == [b[0].hash, b[1].hash]
    assert list(changes.failures) == [b[2].hash]
    assert chain.tip.hash == b[1].hash


# Headers first.


def test_bodies_may_come_in_any_order_after_their_headers() -> None:
    chain = ChainBuilder()
    blocks = chain.branch(chain.tip, 4)
    entries = chain.chainstate.accept_headers([block.header for block in blocks], chain.now)
    assert chain.chainstate.headers.best_header is entries[3]
    for number in (2, 0, 3):
        assert chain.accept(blocks[number]).is_new
    assert chain.height == 1
    changes = chain.accept(blocks[1]).changes
    assert [block for _, block in changes.connected] == blocks[1:]


def test_headers_before_an_invalid_one_are_kept() -> None:
    chain = ChainBuilder()
    headers = [block.header for block in chain.branch(chain.tip, 3)]
    headers[2] = solve(headers[2]._replace(time=0))
    with pytest.raises(Invalid, match="time-too-old"):
        chain.chainstate.accept_headers(headers, chain.now)
    assert chain.chainstate.headers.best_header.hash == headers[1].hash
    assert chain.chainstate.accept_header(headers[1], chain.now).height == 2
    assert state(reopened(chain)) == state(chain.chainstate)


def test_a_header_too_new_is_welcome_later() -> None:
    chain = ChainBuilder()
    block = chain.block(time=chain.now + 7201)
    for _ in range(2):
        assert submit(chain, block) == "time-too-new"
    chain.now += 1
    assert submit(chain, block) is None


def test_a_damaged_body_does_not_condemn_its_header() -> None:
    chain = ChainBuilder()
    chain.mine(101)
    block = chain.block([chain.pay(chain.mature()[0])])
    coinbase, paid = block.transactions
    other = type(paid)(paid.version, [paid.inputs[0]._replace(witness=(b"x",))], paid.outputs, 0)
    for damaged, reason in [
        (Block(block.header, [coinbase]), "bad-txnmrklroot"),
        (Block(block.header, [coinbase, other]), "bad-witness-merkle-match"),
    ]:
        assert submit(chain, damaged) == reason
    assert state(reopened(chain)) == state(chain.chainstate)
    assert submit(chain, block) is None


def test_a_body_that_breaks_a_rule_of_its_height_condemns_its_header() -> None:
    chain = ChainBuilder()
    block = make_block(chain.tip, [chain.coinbase(HeaderEntry(chain.block().header, chain.tip))])
    assert submit(chain, block) == "bad-cb-height"
    assert submit(chain, block) == "duplicate-invalid"
    assert not entry_of(chain, block).has_body
    assert state(reopened(chain)) == state(chain.chainstate)


# By the operator's word.


def test_invalidating_goes_back_and_reconsidering_comes_forth() -> None:
    """
    genesis -> a1 -> a2 -> a3
                  -> b2
    """
    chain = ChainBuilder()
    a = chain.mine(3)
    (b2,) = chain.branch(entry_of(chain, a[0]), 1)
    chain.accept(b2)
    before = state(chain.chainstate)
    changes = chain.chainstate.invalidate(a[1].hash)
    assert [block for _, block in changes.disconnected] == [a[2], a[1]]
    assert [block for _, block in changes.connected] == [b2]
    assert chain.tip.hash == b2.hash
    assert submit(chain, chain.block(parent=entry_of(chain, a[2]))) == "bad-prevblk"
    assert submit(chain, a[2]) == "duplicate-invalid"
    assert state(reopened(chain)) == state(chain.chainstate)
    # Its child being forgiven, so is the block itself.
    changes = chain.chainstate.reconsider(a[2].hash)
    assert [block for _, block in changes.disconnected] == [b2]
    assert [block for _, block in changes.connected] == a[1:]
    after = state(chain.chainstate)
    assert after[2:] == before[2:]


def test_invalidating_what_is_not_on_the_chain_moves_nothing() -> None:
    chain = ChainBuilder()
    genesis = chain.tip
    chain.mine(2)
    b = chain.branch(genesis, 3)
    chain.accept(b[0])
    assert no_changes(chain.chainstate.invalidate(b[0].hash))
    assert submit(chain, b[1]) == "bad-prevblk"
    assert no_changes(chain.chainstate.reconsider(b[0].hash))
    assert [submit(chain, block) for block in b[1:]] == ["inconclusive", None]


def test_invalidating_with_nothing_beside_stops_at_the_parent() -> None:
    chain = ChainBuilder()
    blocks = chain.mine(3)
    changes = chain.chainstate.invalidate(blocks[0].hash)
    assert [block for _, block in changes.disconnected] == blocks[::-1]
    assert chain.height == 0 and list(chain.chainstate.coins) == []
    chain.mine(1)
    # The two-block branch has more work again.
    assert len(chain.chainstate.reconsider(blocks[1].hash).connected) == 3


def test_a_block_that_breaks_a_rule_is_found_again_when_reconsidered() -> None:
    chain = ChainBuilder()
    block = chain.block(value=51 * 10**8)
    assert submit(chain, block) == "bad-cb-amount"
    changes = chain.chainstate.reconsider(block.hash)
    assert [invalid.reason for invalid in changes.failures.values()] == [Reason.BAD_CB_AMOUNT]
    assert submit(chain, block) == "duplicate-invalid"


def test_the_operator_may_prefer_one_of_equal_work() -> None:
    chain = ChainBuilder()
    first, second, third = (chain.block() for _ in range(3))
    for block in (first, second, third):
        chain.accept(block)
    changes = chain.chainstate.prefer(second.hash)
    assert [entry.hash for entry, _ in changes.connected] == [chain.tip.hash] == [second.hash]
    assert [entry.hash for entry, _ in changes.disconnected] == [first.hash]
    chain.chainstate.prefer(third.hash)
    assert chain.tip.hash == third.hash
    chain.chainstate.prefer(first.hash)
    chain.chainstate.invalidate(first.hash)
    assert chain.tip.hash == third.hash  # preferred later than the second
    again = reopened(chain)
    assert again.tip.hash == third.hash
    again.reconsider(first.hash)
    assert again.tip.hash == third.hash  # the word does not outlast the process, the tip does


def test_what_cannot_be_preferred_stays_where_it_is() -> None:
    chain = ChainBuilder()
    stale, second, failed = chain.block(), *chain.mine(2)
    rival = chain.block(parent=chain.tip.parent)
    chain.chainstate.accept_header(rival.header, chain.now)  # its body is missing
    chain.accept(stale)
    for block in (stale, rival, second):
        assert chain.chainstate.prefer(block.hash) == ChainChanges((), (), {})
    chain.chainstate.invalidate(failed.hash)
    chain.chainstate.prefer(failed.hash)
    assert chain.tip.hash == second.hash
    assert chain.accept(rival).changes.connected
    before = entry_of(chain, stale).sequence
    chain.chainstate.prefer(stale.hash)
    assert entry_of(chain, stale).sequence == before


def test_after_a_restart_the_active_chain_comes_first_of_equals() -> None:
    """
    genesis -> a
            -> b1 -> b2     a came before b1, but b1 was on the active chain when we stopped
    """
    chain = ChainBuilder()
    a, b1 = chain.block(), chain.block()
    chain.accept(a)
    chain.accept(b1)
    (b2,) = chain.mine(1, parent=entry_of(chain, b1))
    again = reopened(chain)
    again.invalidate(b2.hash)
    assert again.tip.hash == b1.hash
    again.invalidate(b1.hash)
    assert again.tip.hash == a.hash
    assert reopened(chain).tip.hash == a.hash
    again.reconsider(b1.hash)
    assert again.tip.hash == b2.hash
    again.invalidate(b2.hash)
    assert reopened(chain).tip.hash == b1.hash


def test_genesis_and_the_unknown_cannot_be_invalidated() -> None:
    chainstate = ChainBuilder().chainstate
    with pytest.raises(ValueError, match="genesis"):
        chainstate.invalidate(chainstate.tip.hash)
    for act in (chainstate.invalidate, chainstate.reconsider, chainstate.prefer):
        with pytest.raises(KeyError):
            act(bytes(32))


def best_of(entries: list[HeaderEntry], failed: set[bytes]) -> HeaderEntry:
    """The naive choice: most work, first complete, nothing failed on the way."""
    good = [entry for entry in entries if entry.hash not in failed and entry.sequence is not None]
    return max(good, key=lambda entry: (entry.chainwork, -(entry.sequence or 0)))


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=10),
    st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=8),
)
def test_the_operators_word_in_any_order(tree: list[int], words: list[tuple[bool, int]]) -> None:
    chain = ChainBuilder()
    entries = [chain.tip]
    for back in tree:
        block = chain.block(parent=entries[max(len(entries) - 1 - back, 0)])
        entries.append(chain.accept(block).entry)
    failed: set[bytes] = set()
    for is_invalid, pick in words:
        chosen = entries[1 + pick % (len(entries) - 1)]
        below = {entry.hash for entry in entries if chosen.is_ancestor_of(entry)}
        above = {entry.hash for entry in entries if entry.is_ancestor_of(chosen)}
        if is_invalid:
            chain.chainstate.invalidate(chosen.hash)
            failed |= below
        else:
            chain.chainstate.reconsider(chosen.hash)
            failed -= below | above
        assert {entry.hash for entry in entries if entry.failed} == failed
        assert chain.tip is best_of(entries, failed)
        assert len(list(chain.chainstate.coins)) == chain.height
        assert state(reopened(chain)) == state(chain.chainstate)


# Scripts are not run twice.


def test_scripts_of_a_block_connected_before_are_not_run_again() -> None:
    runs: list[int] = []

    class Counting(SerialQueue):
        def add(self, check: ScriptCheck) -> None:
            runs.append(len(check.tx.inputs))
            super().add(check)

    def verifier() -> CheckQueue:
        return Counting()

    chain = ChainBuilder(verifier=verifier)
    chain.mine(101)
    tip = chain.mine(txs=[chain.pay(chain.mature()[0])])[0]
    assert runs[-1] == 1
    count = len(runs)
    chain.chainstate.invalidate(tip.hash)
    chain.chainstate.reconsider(tip.hash)
    assert (chain.tip.hash, len(runs)) == (tip.hash, count)


# Candidates.


def test_a_candidate_is_checked_and_nothing_remains() -> None:
    chain = ChainBuilder()
    chain.mine(101)
    before = state(chain.chainstate)
    good = chain.block([chain.pay(chain.mature()[0])])
    unsolved = Block(solve(good.header, valid=False), good.transactions)
    chain.chainstate.check_candidate(unsolved, chain.now)
    for block, reason in [
        (chain.block(value=subsidy(102, REGTEST) + 1), "bad-cb-amount"),
        (Block(good.header, good.transactions[:1]), "bad-txnmrklroot"),
        (chain.block(time=chain.now + 7201), "time-too-new"),
        (make_block(chain.tip, [chain.coinbase(chain.tip.ancestor(5))]), "bad-cb-height"),
    ]:
        with pytest.raises(Invalid) as refused:
            chain.chainstate.check_candidate(block, chain.now)
        assert refused.value.reject_reason == reason
    with pytest.raises(ValueError, match="does not build on the tip"):
        chain.chainstate.check_candidate(chain.block(parent=chain.tip.ancestor(5)), chain.now)
    assert state(chain.chainstate) == before
    assert chain.chainstate.headers.get(good.hash) is None


# Writing.


class Recording(MemoryStore):
    """Remembers the batches; fails in place of writing when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[tuple[dict[bytes, bytes | None], bool]] = []
        self.broken = False

    def write(self, batch: Mapping[bytes, bytes | None], sync: bool = False) -> None:
        if self.broken:
            raise OSError("disk full")
        self.batches.append((dict(batch), sync))
        super().write(batch, sync)

    def taken(self) -> list[tuple[dict[bytes, bytes | None], bool]]:
        batches, self.batches = self.batches, []
        return batches


def kinds(batch: Mapping[bytes, bytes | None]) -> str:
    return "".join(sorted({key[:1].decode() for key in batch}))


def test_a_reorganisation_is_one_synchronous_batch() -> None:
    store = Recording()
    chain = ChainBuilder(store=store)
    assert [(kinds(batch), sync) for batch, sync in store.taken()] == [("bhtv", True)]
    genesis = chain.tip
    a1, a2 = chain.mine(2)
    assert [(kinds(batch), sync) for batch, sync in store.taken()] == [("bchtu", True)] * 2
    b = chain.branch(genesis, 3)
    for block in b[:2]:
        chain.accept(block)
    assert [(kinds(batch), sync) for batch, sync in store.taken()] == [("bh", True)] * 2
    chain.accept(b[2])
    ((batch, sync),) = store.taken()
    assert sync and kinds(batch) == "bchtu"
    assert batch[b"t"] == b[2].hash
    assert {key for key in batch if key[:1] == b"u"} == {undo_key(block.hash) for block in b}
    coins = {key: value for key, value in batch.items() if key[:1] == b"c"}
    assert {key[1:33]: value is None for key, value in coins.items()} == {
        **{block.transactions[0].txid: True for block in (a1, a2)},
        **{block.transactions[0].txid: False for block in b},
    }
    chain.accept(b[2])
    assert store.taken() == []


def test_headers_are_written_once_for_many() -> None:
    store = Recording()
    chain = ChainBuilder(store=store)
    store.taken()
    headers = [block.header for block in chain.branch(chain.tip, 5)]
    chain.chainstate.accept_headers(headers, chain.now)
    ((batch, sync),) = store.taken()
    assert (len(batch), kinds(batch), sync) == (5, "h", False)
    chain.chainstate.accept_headers(headers, chain.now)
    assert store.taken() == []


def test_that_a_header_is_condemned_is_written_without_haste() -> None:
    store = Recording()
    chain = ChainBuilder(store=store)
    store.taken()
    block = make_block(chain.tip, [chain.coinbase(HeaderEntry(chain.block().header, chain.tip))])
    assert submit(chain, block) == "bad-cb-height"
    assert [(kinds(batch), sync) for batch, sync in store.taken()] == [("h", False)]


def test_coins_just_made_are_not_read_from_the_store() -> None:
    class Reading(MemoryStore):
        def get(self, key: bytes) -> bytes | None:
            read.append(key)
            return super().get(key)

    read: list[bytes] = []
    chain = ChainBuilder(store=Reading())
    chain.mine(101)
    block = chain.block([chain.pay(chain.mature()[0])])
    read.clear()
    assert submit(chain, block) is None
    spent = block.transactions[1].inputs[0].outpoint
    assert b"c" + spent.txid + spent.index.to_bytes(4, "big") not in read


def test_a_write_that_fails_leaves_the_store_as_it_was() -> None:
    store = Recording()
    chain = ChainBuilder(store=store)
    genesis = chain.tip
    chain.mine(2)
    for block in chain.branch(genesis, 3):
        before = state(Chainstate(REGTEST, store))
        store.broken = True
        with pytest.raises(OSError, match="disk full"):
            chain.accept(block)
        store.broken = False
        # Whoever opens it again finds the old state and can go on.
        chain.chainstate = Chainstate(REGTEST, store)
        assert state(chain.chainstate) == before
        chain.accept(block)
    assert chain.height == 3


def test_every_prefix_of_the_batches_is_a_good_store() -> None:
    """What a crash between two batches leaves behind opens, and takes in the rest."""
    store = Recording()
    chain = ChainBuilder(store=store)
    genesis = chain.tip
    blocks = [*chain.mine(2), *chain.branch(genesis, 3)]
    for block in blocks[2:]:
        chain.accept(block)
    chain.chainstate.invalidate(blocks[3].hash)
    end = state(chain.chainstate)
    batches = store.taken()
    for count in range(1, len(batches)):
        prefix = MemoryStore()
        for batch, _ in batches[:count]:
            prefix.write(batch)
        copy = ChainBuilder(store=prefix)
        for block in blocks:
            submit(copy, block)
        copy.chainstate.invalidate(blocks[3].hash)
        assert state(copy.chainstate)[2:] == end[2:]


class Counting:
    """An indexer that notes every call and keeps one row: the tip's height."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int, int]] = []

    def rows_for_connect(
        self, entry: HeaderEntry, block: Block, undo: BlockUndo
    ) -> dict[bytes, bytes | None]:
        self.calls.append(("connect", entry.height, len(undo)))
        return {b"n": bytes([entry.height])}

    def rows_for_disconnect(
        self, entry: HeaderEntry, block: Block, undo: BlockUndo
    ) -> dict[bytes, bytes | None]:
        self.calls.append(("disconnect", entry.height, len(undo)))
        return {b"n": None}


def test_an_index_is_changed_in_the_same_batch() -> None:
    store, index = Recording(), Counting()
    chain = ChainBuilder(store=store, indexers=[index])
    genesis = chain.tip
    chain.mine(2)
    b = chain.branch(genesis, 3)
    for block in b:
        chain.accept(block)
    assert index.calls == [
        ("connect", 0, 0),
        ("connect", 1, 0),
        ("connect", 2, 0),
        ("disconnect", 2, 0),
        ("disconnect", 1, 0),
        ("connect", 1, 0),
        ("connect", 2, 0),
        ("connect", 3, 0),
    ]
    written = [batch.get(b"n") for batch, _ in store.taken()]
    assert written == [b"\0", b"\1", b"\2", None, None, b"\3"]


# Opening.


def test_opening_again_gives_the_same_state() -> None:
    """
    genesis -> a1 -> a2 -> a3     the tip
                  -> b2 -> b3     b3 greedy
            -> c1 ->    -> c3     c1 without a body; c2 and c3 have come
    """
    chain = ChainBuilder()
    genesis = chain.tip
    a = chain.mine(3)
    b2 = chain.branch(entry_of(chain, a[0]), 1)[0]
    chain.accept(b2)
    b3 = chain.block(parent=entry_of(chain, b2), value=51 * 10**8)
    chain.accept(b3)
    chain.mine(parent=entry_of(chain, b2))
    c = chain.branch(genesis, 5)
    chain.chainstate.accept_headers([block.header for block in c], chain.now)
    for block in c[1:]:
        chain.accept(block)
    again = reopened(chain)
    assert state(again) == state(chain.chainstate)
    assert [again.active[height].hash for height in range(4)] == [
        chain.chainstate.active[height].hash for height in range(4)
    ]
    apart = Chainstate(REGTEST, copied(chain.store))
    for chainstate in (chain.chainstate, apart):
        changes = chainstate.accept_block(c[0], chain.now).changes
        assert [block.hash for _, block in changes.connected] == [block.hash for block in c]
    assert state(apart) == state(chain.chainstate)


@pytest.fixture
def grown() -> ChainBuilder:
    """
    genesis -> a1 -> a2 -> a3     the tip
            -> b1
    """
    chain = ChainBuilder()
    genesis = chain.tip
    chain.mine(3)
    chain.accept(chain.branch(genesis, 1)[0])
    return chain


def test_another_networks_store_is_refused(grown: ChainBuilder) -> None:
    with pytest.raises(StoreError, match="not 2 and"):
        Chainstate(CLASSROOM, grown.store)


def test_a_store_without_its_tip_is_refused(grown: ChainBuilder) -> None:
    for tip in (None, b"\x07" * 32, entry_not_connected(grown)):
        grown.store.write({b"t": tip})
        with pytest.raises(StoreError, match="tip is not among the connected blocks: rebuild"):
            reopened(grown)


def entry_not_connected(chain: ChainBuilder) -> bytes:
    (side,) = [entry for entry in chain.chainstate.headers.tips() if entry is not chain.tip]
    return side.hash


def test_a_store_with_a_hole_in_its_headers_is_refused(grown: ChainBuilder) -> None:
    key = next(key for key, _ in grown.store.scan(b"h") if key[1:5] == b"\0\0\0\2")
    grown.store.write({key: None})
    with pytest.raises(StoreError, match="headers in the store are damaged"):
        reopened(grown)


@pytest.mark.parametrize(
    ("make_key", "what"),
    [(block_key, "body"), (undo_key, "undo data")],
)
def test_missing_blocks_and_undo_are_noticed_when_needed(
    make_key,
    what: str,
    grown: ChainBuilder,  # type: ignore[no-untyped-def]
) -> None:
    grown.store.write({make_key(grown.tip.hash): None})
    with pytest.raises(StoreError, match=rf"the {what} of HeaderEntry\(3, .* is missing: rebuild"):
        reopened(grown).invalidate(grown.tip.hash)


@pytest.mark.parametrize(
    ("make_key", "value", "message"),
    [
        (block_key, b"\x07", "a block in the store is damaged"),
        (undo_key, b"", "undo data in the store is damaged"),
        (undo_key, b"\1\0", "is another block's"),
    ],
)
def test_damaged_blocks_and_undo_are_noticed_when_needed(
    make_key,
    value: bytes,
    message: str,
    grown: ChainBuilder,  # type: ignore[no-untyped-def]
) -> None:
    grown.store.write({make_key(grown.tip.hash): value})
    with pytest.raises(StoreError, match=message):
        reopened(grown).invalidate(grown.tip.hash)


# Core's own test chain.


@pytest.mark.parametrize(
    ("is_locked", "tip", "coins"),
    [
        (
            False,
            "696e92821f65549c7ee134edceeeeaaa4105647a3c4fd9f298c0aec0ab50425c",
            "6657b736d4fe4db0cbc796789e812d5dba7f5c143764b1b6905612f1830609d1",
        ),
        (
            True,
            "6affe030b7965ab538f820a56ef56c8149b7dc1d1c144af57113be080db7c397",
            "b952555c8ab81fec46f3d4253b7af256d766ceb39fb7752b9d18cdf4a0141327",
        ),
    ],
)
def test_the_chain_of_cores_unit_tests_has_the_digest_that_core_gives_it(
    is_locked: bool, tip: str, coins: str
) -> None:
    """110 blocks that pay to the key 1, one second each (test/util/setup_common.cpp).

    Their hash and the digest of their coins stand in chainparams.cpp, as a snapshot of regtest;
    since version 30 coinbases are locked to the height before theirs.
    """
    chainstate = Chainstate(REGTEST, MemoryStore())
    script = p2pk(Key(bytes(31) + b"\1", curve.public_key(bytes(31) + b"\1")))
    for height in range(1, 111):
        sequence, locktime = (0xFFFFFFFE, height - 1) if is_locked else (0xFFFFFFFF, 0)
        script_sig = push_number(height) + b"\0"
        inputs = [TxIn(NULL, script_sig, sequence, ())]
        coinbase = make_tx(inputs, [TxOut(50 * COIN, script)], locktime=locktime)
        time = 1_598_887_951 + height
        block = make_block(chainstate.tip, [committing(coinbase, [])], time=time)
        assert chainstate.accept_block(block, time).changes.connected
    assert chainstate.tip.hash[::-1].hex() == tip
    assert coins_hash(chainstate.coins)[::-1].hex() == coins
