"""Scripts that passed when a transaction came are not run again when a block confirms it.

Whatever a node remembers, its verdict on a block stays that of Bitcoin Core's engine.
"""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from chain.block import Block
from chain.chainstate import Acceptance
from chain.der import parse_lax_der
from chain.errors import Invalid
from chain.params import REGTEST, Params
from chain.script.check import CheckQueue, ScriptCheck, SerialQueue
from chain.script.flags import MANDATORY_FLAGS, STANDARD_FLAGS, ScriptFlag
from chain.store import MemoryStore
from chain.transaction import Transaction
from node.core import Node, NodeOptions
from node.mempool import mempool
from node.mempool.policy import PolicyOptions
from node.mempool.pool import memory_usage
from tests.builders import ChainBuilder, Spendable, key, p2wpkh, with_inputs
from tests.core_engine import CoreEngine
from tests.differential.pair import Pair

QUICK = replace(REGTEST, coinbase_maturity_blocks=2)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HOME = p2wpkh(key(0))


class Watched(ChainBuilder):
    """A chain, its node, and which scripts that ran."""

    def __init__(self, params: Params = QUICK, policy: PolicyOptions | None = None) -> None:
        super().__init__(params)
        self.verified: Counter[bytes] = Counter()
        self.node = Node(
            params,
            MemoryStore(),
            rng=Random(1),
            verifier=self._queue,
            options=NodeOptions(policy=policy or PolicyOptions()),
        )
        self.chainstate = self.node.chainstate

    def _queue(self) -> CheckQueue:
        verified = self.verified

        class Recording(SerialQueue):
            def add(self, check: ScriptCheck) -> None:
                verified[check.tx.wtxid] += len(check.tx.inputs)
                super().add(check)

        return Recording()

    def accept(self, block: Block) -> Acceptance:
        return self.node.submit_block(block, self.now)

    def wait(self, *txs: Transaction) -> None:
        for tx in txs:
            self.node.submit_transaction(tx, self.now)

    def fan(self, parts: int) -> list[Spendable]:
        """So many confirmed coins."""
        tx = self.pay(self.mature()[0], HOME, parts=parts)
        self.mine(txs=[tx])
        self.verified.clear()
        return [self.output(tx, index) for index in range(parts)]


@pytest.fixture
def chain() -> Watched:
    chain = Watched()
    chain.mine(6)
    return chain


def with_signature(tx: Transaction, signature: bytes) -> Transaction:
    first = tx.inputs[0]
    return with_inputs(tx, [first._replace(witness=(signature, first.witness[1])), *tx.inputs[1:]])


def with_high_s(tx: Transaction) -> Transaction:
    """Signed otherwise, as consensus allows and policy does not."""
    found = parse_lax_der(tx.inputs[0].witness[0][:-1])
    assert found is not None
    numbers = [found[0], ORDER - found[1]]
    texts = [number.to_bytes(number.bit_length() // 8 + 1, "big") for number in numbers]
    body = b"".join(b"\x02" + bytes([len(text)]) + text for text in texts)
    return with_signature(tx, b"\x30" + bytes([len(body)]) + body + b"\x01")


def broken(tx: Transaction) -> Transaction:
    """With a signature of something else."""
    signature = bytearray(tx.inputs[0].witness[0])
    signature[10] ^= 1
    return with_signature(tx, bytes(signature))


def test_a_block_of_what_waits_runs_no_script(chain: Watched) -> None:
    coins = chain.fan(12)
    txs = [chain.pay(coins[n : n + 3], HOME, fee=1_000) for n in range(0, 12, 3)]
    txs.append(chain.pay(chain.output(txs[0]), HOME, fee=1_000))
    chain.wait(*txs)
    chain.mine(txs=txs)
    assert chain.verified == {}


def test_what_is_new_in_a_block_is_verified(chain: Watched) -> None:
    coins = chain.fan(4)
    old, new = (chain.pay(pair, HOME, fee=1_000) for pair in (coins[:2], coins[2:]))
    chain.wait(old)
    chain.mine(txs=[old, new])
    assert chain.verified == {new.wtxid: 2}


def test_another_witness_is_verified(chain: Watched) -> None:
    tx = chain.pay(chain.fan(1), HOME, fee=1_000)
    chain.wait(tx)
    other = with_high_s(tx)
    assert other.txid == tx.txid
    assert other.wtxid != tx.wtxid
    chain.mine(txs=[other])
    assert chain.verified == {other.wtxid: 1}


def test_a_wrong_witness_is_found_out(chain: Watched) -> None:
    tx = chain.pay(chain.fan(1), HOME, fee=1_000)
    chain.wait(tx)
    with pytest.raises(Invalid, match="block-script-verify-flag-failed"):
        chain.mine(txs=[broken(tx)])
    assert tx.txid in chain.node.mempool
    chain.mine(txs=[tx])
    assert chain.verified == {broken(tx).wtxid: 1}


def test_what_was_replaced_is_still_known(chain: Watched) -> None:
    [coin] = chain.fan(1)
    old, new = (chain.pay(coin, HOME, fee=fee) for fee in (1_000, 5_000))
    chain.wait(old, new)
    assert old.txid not in chain.node.mempool
    chain.mine(txs=[old])
    assert chain.verified == {}


def test_what_was_mined_is_still_known_on_another_branch(chain: Watched) -> None:
    tx = chain.pay(chain.fan(1), HOME, fee=1_000)
    chain.wait(tx)
    parent = chain.tip
    chain.mine(txs=[tx])
    chain.node.invalidate(chain.tip.hash, chain.now)
    chain.mine(2, txs=[tx], parent=parent)
    assert chain.verified == {}


def test_only_so_many_that_left_are_known(chain: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mempool, "MAX_LEFT", 3)
    coins = chain.fan(5)
    old = [chain.pay(coin, HOME, fee=1_000) for coin in coins]
    chain.wait(*old, *(chain.pay(coin, HOME, fee=5_000) for coin in coins))
    chain.mine(txs=old)
    assert set(chain.verified) == {tx.wtxid for tx in old[:2]}


def test_what_was_thrown_out_is_still_known() -> None:
    chain = Watched(policy=PolicyOptions(max_mempool_bytes=5_000))
    chain.mine(6)
    fees = (500, 900, 700)
    txs = [chain.pay(coin, HOME, fee=fee) for coin, fee in zip(chain.fan(3), fees, strict=True)]
    assert 2 * memory_usage(txs[0]) < 5_000 < 3 * memory_usage(txs[0])
    chain.wait(*txs)
    assert txs[0].txid not in chain.node.mempool
    chain.mine(txs=txs)
    assert chain.verified == {}


def test_only_flags_that_the_mempool_asked_for_are_taken_as_passed(chain: Watched) -> None:
    [coin] = chain.fan(1)
    tx = chain.pay(coin, HOME, fee=1_000)
    chain.wait(tx)

    def is_verified(flags: ScriptFlag) -> bool:
        return chain.node.mempool.has_verified(ScriptCheck(tx, [coin.output], flags))

    assert is_verified(ScriptFlag.NONE)
    assert is_verified(MANDATORY_FLAGS)
    assert is_verified(STANDARD_FLAGS)
    assert not is_verified(MANDATORY_FLAGS | ScriptFlag.SIGPUSHONLY)


@pytest.mark.parametrize("seed", range(3))
def test_with_blocks_and_reorganisations_of_all_kinds_the_engine_agrees(seed: int) -> None:
    rng = Random(seed)
    with CoreEngine() as engine:
        pair = Pair(engine)
        chain = Watched(REGTEST)
        pair.chain = chain
        for _ in range(104):
            assert pair.deliver(chain.block().serialize()) is None
        fan = chain.pay(chain.mature()[0], HOME, parts=90)
        assert pair.deliver(chain.block([fan]).serialize()) is None
        coins = [chain.output(fan, index) for index in range(90)]
        floor = chain.height
        words: Counter[str] = Counter()
        included = 0
        waited: list[Transaction] = []
        chain.verified.clear()
        for _ in range(50):
            while coins and len(waited) < 6:
                tx = chain.pay(coins.pop(), HOME, fee=rng.randrange(500, 5_000))
                waited.append(tx)
                if rng.random() < 0.8:
                    chain.wait(tx)
            deep = max(floor, chain.height - rng.choice([0, 0, 0, 1, 2, 3]))
            parent = chain.chainstate.active[deep]
            for number in range(chain.height - deep + 1):
                txs = rng.sample(waited, rng.randrange(min(4, len(waited) + 1)))
                made = [rng.choice([each, each, each, with_high_s(each)]) for each in txs]
                if made and rng.random() < 0.15:
                    made[-1] = broken(made[-1])
                included += len(made)
                block = chain.block(made, parent=parent)
                word = pair.deliver(block.serialize())
                words[(word or "connected").partition(" ")[0]] += 1
                if word not in (None, "inconclusive"):
                    break
                parent = chain.chainstate.headers[block.hash]
                assert number <= 3
            here = chain.node.mempool
            waited = [tx for tx in waited if tx.txid in here or rng.random() < 0.3]
            chain.node.mempool.check_consistency()
        assert {"connected", "inconclusive", "block-script-verify-flag-failed"} <= set(words)
        assert chain.verified.total() < included / 2
