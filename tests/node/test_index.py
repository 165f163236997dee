"""The index agrees with the blocks, whatever the chain has been through."""

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.store import MemoryStore, Store, StoreError
from chain.transaction import OutPoint, TxOut
from node.index import Index, Location, body_of
from node.storage.opening import open_store
from tests.builders import ANYONE, ChainBuilder, Spendable, key, p2pkh, p2tr, p2wpkh
from tests.node.naive import Naive, active_blocks, scripthash
from tests.node.serving import QUICK

SCRIPTS = [p2wpkh(key(1)), p2pkh(key(2)), p2tr(key(3)), ANYONE]
DATA = b"\x6a\x04data"
PREFIXES = (b"x", b"o", b"s", b"n")


class Indexed(ChainBuilder):
    """A chain with an index beside it."""

    def __init__(self, store: Store | None = None) -> None:
        store = store or MemoryStore()
        self.index = Index(store)
        super().__init__(QUICK, store, indexers=(self.index,))

    def spendables(self) -> list[Spendable]:
        """Whatever the next block may spend."""
        mature = set(self.mature())
        coins = [(each, self.chainstate.coins.get(each.outpoint)) for each in self._known.values()]
        return [each for each, coin in coins if coin and (not coin.is_coinbase or each in mature)]


def rows(store: Store) -> dict[bytes, bytes]:
    return {key: value for prefix in PREFIXES for key, value in store.scan(prefix)}


def rebuilt(chain: Indexed) -> dict[bytes, bytes]:
    """The rows of an index that never saw another chain than this."""
    fresh = MemoryStore()
    index = Index(fresh)
    for height, block in enumerate(active_blocks(chain.chainstate)):
        undo = chain.chainstate.read_undo(block.hash) if height else ()
        assert undo is not None
        fresh.write(index.rows_for_connect(chain.chainstate.active[height], block, undo))
    return rows(fresh)


def check_answers(chain: Indexed) -> None:
    """Every question, about everything."""
    index, naive = chain.index, Naive(active_blocks(chain.chainstate))
    for txid, tx in naive.txs.items():
        location = index.location(txid)
        assert location is not None
        height, position = naive.places[txid]
        assert location[:2] == (chain.chainstate.active[height].hash, position)
        assert index.transaction_at(location) == tx
        for number in range(len(tx.outputs)):
            outpoint = OutPoint(txid, number)
            assert index.spender_of(outpoint) == naive.spenders.get(outpoint)
    for script, known in naive.scripts.items():
        name = scripthash(script)
        newest_first = known.txids[::-1]
        assert list(index.history(name)) == newest_first
        for number, txid in enumerate(newest_first):
            older = list(index.history(name, naive.places[txid]))
            assert older == newest_first[number + 1 :]
        assert tuple(index.sums(name)) == known.sums
        found = {each.outpoint: (each.value, each.height) for each in index.unspent(name)}
        assert found == known.unspent


def do(chain: Indexed, rng: random.Random) -> None:
    """Something that happens to a chain."""
    match rng.choice(["mine", "mine", "mine", "branch", "invalidate", "reconsider"]):
        case "mine":
            chain.mine(txs=payments(chain, rng))
        case "branch":
            depth = rng.randint(0, min(4, chain.height))
            chain.mine(depth + 1, parent=chain.tip.ancestor(chain.height - depth))
        case "invalidate":
            height = max(1, chain.height - rng.randint(0, 4))
            if chain.height:
                chain.chainstate.invalidate(chain.tip.ancestor(height).hash)
        case "reconsider":
            tips = chain.chainstate.headers.tips()
            chain.chainstate.reconsider(rng.choice(tips).hash)


def payments(chain: Indexed, rng: random.Random) -> list[Any]:
    """Some payments, of which one may spend the last one's outputs."""
    free, txs = chain.spendables(), []
    rng.shuffle(free)
    while free and len(txs) < 4:
        sources = [free.pop() for _ in range(min(len(free), rng.randint(1, 2)))]
        outputs = [TxOut(0, DATA)] if rng.random() < 0.3 else []
        total = sum(each.output.value for each in sources) - 1_000
        outputs += [TxOut(total // 2, rng.choice(SCRIPTS)) for _ in range(2)]
        txs.append(chain.spend(sources, outputs))
        if rng.random() < 0.5:
            free.append(chain.output(txs[-1], len(outputs) - 1))
    return txs


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 14))
def test_after_any_reorganisations_it_is_as_if_rebuilt(seed: int, steps: int) -> None:
    chain, rng = Indexed(), random.Random(seed)
    chain.mine(5)
    for _ in range(steps):
        do(chain, rng)
        name = scripthash(rng.choice(SCRIPTS))
        chain.index.sums(name)  # remembered, and to be right in the end nevertheless
    assert rows(chain.store) == rebuilt(chain)
    check_answers(chain)


def grown(store: Store | None = None) -> Indexed:
    chain, rng = Indexed(store), random.Random(5)
    chain.mine(4)
    for _ in range(6):
        chain.mine(txs=payments(chain, rng))
    return chain


@pytest.mark.parametrize("engine", ["auto", "sqlite"])
def test_it_reads_the_same_from_disk(tmp_path: Path, engine: str) -> None:
    chain = grown(open_store(tmp_path, engine))
    check_answers(chain)
    chain.mine(3, parent=chain.tip.ancestor(chain.height - 2))
    check_answers(chain)
    assert rows(chain.store) == rebuilt(chain)
    chain.store.close()


def test_the_genesis_block_is_indexed_too() -> None:
    chain = Indexed()
    coinbase = chain.params.genesis.transactions[0]
    location = Location(chain.params.genesis.hash, 0, 81)
    assert chain.index.location(coinbase.txid) == location
    assert chain.index.transaction_at(location) == coinbase


def test_unknown_things() -> None:
    chain = grown()
    index = chain.index
    assert index.location(bytes(32)) is None
    assert index.spender_of(OutPoint(bytes(32), 0)) is None
    assert list(index.history(bytes(32))) == []
    assert list(index.unspent(bytes(32))) == []
    assert index.sums(bytes(32)) == (0, 0, 0, 0, 0)
    coinbase = chain.mine()[0].transactions[0]
    place = (chain.height, 0)
    assert list(index.history(scripthash(SCRIPTS[0]), place)) == []
    assert list(index.history(scripthash(coinbase.outputs[0].script_pubkey), place)) != []


def test_what_cannot_be_spent_has_no_history() -> None:
    chain = Indexed()
    chain.mine(3)
    chain.mine(txs=[chain.spend(chain.mature()[0], [TxOut(0, DATA)])])
    assert list(chain.index.history(scripthash(DATA))) == []


def test_remembered_sums_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.index.MAX_REMEMBERED_SUMS", 2)
    chain = grown()
    for _ in range(2):
        check_answers(chain)
    assert len(chain.index._sums) == 2


def test_a_candidate_block_leaves_no_trace() -> None:
    chain = grown()
    before = rows(chain.store)
    chain.chainstate.check_candidate(chain.block(), chain.now)
    assert rows(chain.store) == before


def test_an_index_that_was_left_out_catches_up() -> None:
    chain = grown()
    chain.index.catch_up(chain.chainstate)  # nothing to do
    complete = rows(chain.store)
    chain.store.write(dict.fromkeys(complete))
    chain.index.catch_up(chain.chainstate)
    assert rows(chain.store) == complete

    # Meanwhile the chain reorganises without it.
    without = ChainBuilder(QUICK, chain.store)
    without.mine(4, parent=without.tip.ancestor(without.height - 3))
    assert rows(chain.store) == complete
    chain.chainstate = without.chainstate
    chain.index.catch_up(without.chainstate)
    assert rows(chain.store) == rebuilt(chain)
    check_answers(chain)


def test_damage_is_noticed() -> None:
    chain = grown()
    txid = chain.mine()[0].transactions[0].txid
    with pytest.raises(StoreError, match="a block that the index names is missing"):
        chain.index.transaction_at(Location(bytes(32), 0, 81))
    chain.store.write({b"x" + txid: b"short"})
    with pytest.raises(StoreError, match="a row of the index is damaged"):
        chain.index.location(txid)
    chain.store.write({b"x": None, b"u" + chain.tip.hash: None})
    with pytest.raises(StoreError, match=r"the undo data of .* is missing"):
        chain.index.catch_up(chain.chainstate)
    chain.store.write({b"x": None, b"b" + chain.tip.hash: None})
    with pytest.raises(StoreError, match=r"the body of .* is missing"):
        body_of(chain.chainstate, chain.tip)


def test_the_rows_are_as_documented() -> None:
    chain = Indexed()
    chain.mine(3)
    source = chain.mature()[0]
    tx = chain.pay(source, SCRIPTS[0], fee=7)
    block = chain.mine(txs=[tx])[0]
    offset = 81 + block.transactions[0].size
    value = source.output.value - 7
    four = (4).to_bytes(4, "big")
    one, none = (1).to_bytes(4, "big"), bytes(4)
    to, back = scripthash(SCRIPTS[0]), scripthash(source.output.script_pubkey)
    found = rows(chain.store)
    assert found[b"x"] == block.hash
    assert found[b"x" + tx.txid] == block.hash + one + offset.to_bytes(4, "big")
    assert found[b"o" + source.outpoint.txid + none] == tx.txid + none
    assert found[b"n" + to + tx.txid + none] == four + value.to_bytes(8, "big")
    assert b"n" + back + source.outpoint.txid + none not in found
    paid = one + value.to_bytes(8, "big")
    assert found[b"s" + to + four + one] == tx.txid + paid + bytes(12)
    spent = one + source.output.value.to_bytes(8, "big")
    assert found[b"s" + back + four + one] == tx.txid + bytes(12) + spent
