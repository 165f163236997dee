"""The RPC's methods on the chain."""

import platform
from pathlib import Path
from typing import Any

import pytest

from chain.block import Block
from chain.coins import coins_hash
from chain.params import REGTEST
from chain.transaction import Transaction, TxOut
from tests.builders import key, make_block, p2wpkh, padding
from tests.core_engine import CoreEngine
from tests.node.serving import Served, refusal, shown

HOME, THERE = p2wpkh(key(0)), p2wpkh(key(1))
UNKNOWN = "ab" * 32
GENESIS = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
COIN = 100_000_000


@pytest.fixture
def served() -> Served:
    return Served(blocks=5)


def test_heights_and_hashes(served: Served) -> None:
    assert served.rpc("getblockcount") == 5
    assert served.rpc("getbestblockhash") == shown(served.chain.tip.hash)
    assert served.rpc("getblockhash", 0) == GENESIS
    assert served.rpc("getblockhash", 5) == served.rpc("getbestblockhash")
    for height in (6, -1):
        assert refusal(served, "getblockhash", height) == (-8, "Block height out of range")


def test_the_genesis_header(served: Served) -> None:
    assert served.rpc("getblockheader", GENESIS) == {
        "hash": GENESIS,
        "confirmations": 6,
        "height": 0,
        "version": 1,
        "versionHex": "00000001",
        "merkleroot": "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b",
        "time": 1296688602,
        "mediantime": 1296688602,
        "nonce": 2,
        "bits": "207fffff",
        "target": "7fffff" + "0" * 58,
        "difficulty": 4.656542373906925e-10,
        "chainwork": "0" * 63 + "2",
        "nTx": 1,
        "nextblockhash": served.rpc("getblockhash", 1),
    }


def test_headers(served: Served) -> None:
    tip = served.rpc("getbestblockhash")
    header = served.rpc("getblockheader", tip)
    assert header["previousblockhash"] == served.rpc("getblockhash", 4)
    assert "nextblockhash" not in header
    assert header["confirmations"] == 1
    raw = served.chain.tip.header.serialize().hex()
    assert served.rpc("getblockheader", tip, False) == raw
    for method in ("getblockheader", "getblock", "invalidateblock", "reconsiderblock"):
        assert refusal(served, method, UNKNOWN) == (-5, "Block not found")


def test_a_header_without_its_body(served: Served) -> None:
    block = served.chain.block()
    served.node.chainstate.accept_header(block.header, served.chain.now)
    name = shown(block.hash)
    header = served.rpc("getblockheader", name)
    assert (header["nTx"], header["confirmations"]) == (0, -1)
    answer = (-1, "Block not available (not fully downloaded)")
    assert refusal(served, "getblock", name) == answer
    assert served.rpc("getblockchaininfo")["headers"] == 6
    assert served.rpc("getblockchaininfo")["verificationprogress"] < 1


def test_a_block_in_four_ways(served: Served) -> None:
    tx = served.chain.pay(served.chain.mature()[0], THERE, fee=1_000)
    (block,) = served.chain.mine(txs=[tx])
    name, raw = shown(block.hash), block.serialize()
    assert served.rpc("getblock", name, 0) == raw.hex()
    assert served.rpc("getblock", name, False) == raw.hex()
    one = served.rpc("getblock", name)
    assert one == served.rpc("getblock", name, 1) == served.rpc("getblock", name, True)
    txids = [shown(each.txid) for each in block.transactions]
    assert one["tx"] == txids
    assert (one["nTx"], one["size"], one["weight"]) == (2, len(raw), block.weight)
    assert one["strippedsize"] == block.stripped_size
    assert one["confirmations"] == 1
    two, three = (served.rpc("getblock", name, verbosity) for verbosity in (2, 3))
    assert [each["txid"] for each in two["tx"]] == txids
    assert two["tx"][1]["hex"] == tx.serialize().hex()
    assert "fee" not in two["tx"][0]
    assert two["tx"][1]["fee"] == 0.00001
    (vin,) = three["tx"][1]["vin"]
    prevout = vin.pop("prevout")
    assert two["tx"][1]["vin"] == [vin]
    assert prevout["generated"] is True
    assert (prevout["height"], prevout["value"]) == (1, 50)
    assert prevout["scriptPubKey"]["hex"] == HOME.hex()
    assert three["tx"][0] == two["tx"][0]


def test_a_stale_block(served: Served) -> None:
    old = served.chain.tip
    served.chain.mine(2, parent=old.parent)
    header = served.rpc("getblockheader", shown(old.hash))
    assert header["confirmations"] == -1
    assert "nextblockhash" not in header


def test_the_state_of_the_chain(served: Served) -> None:
    info = served.rpc("getblockchaininfo")
    assert info == {
        "chain": "regtest",
        "blocks": 5,
        "headers": 5,
        "bestblockhash": served.rpc("getbestblockhash"),
        "bits": "207fffff",
        "target": "7fffff" + "0" * 58,
        "difficulty": 4.656542373906925e-10,
        "time": served.chain.tip.header.time,
        "mediantime": served.chain.tip.median_time_past,
        "verificationprogress": 1,
        "initialblockdownload": False,
        "chainwork": f"{12:064x}",
        "size_on_disk": 0,
        "pruned": False,
        "warnings": [],
    }


def test_the_size_on_disk(tmp_path: Path) -> None:
    folder = tmp_path / "regtest" / "store"
    folder.mkdir(parents=True)
    (folder / "one").write_bytes(bytes(10))
    (folder.parent / "two").write_bytes(bytes(7))
    served = Served(folder=tmp_path)
    assert served.rpc("getblockchaininfo")["size_on_disk"] == 17
    assert served.rpc("gettxoutsetinfo")["disk_size"] == 17


# Branches.


def tips(served: Served) -> list[tuple[int, int, str]]:
    found = served.rpc("getchaintips")
    assert all(len(tip["hash"]) == 64 for tip in found)
    return [(tip["height"], tip["branchlen"], tip["status"]) for tip in found]


def test_the_ends_of_branches(served: Served) -> None:
    chain = served.chain
    assert tips(served) == [(5, 0, "active")]
    chain.mine(4, parent=chain.tip.ancestor(3))
    assert tips(served) == [(7, 0, "active"), (5, 2, "valid-fork")]
    chain.mine(1, parent=chain.tip.ancestor(1))
    assert tips(served)[2:] == [(2, 1, "valid-headers")]
    served.node.chainstate.accept_header(chain.block().header, chain.now)
    assert tips(served)[:2] == [(8, 1, "headers-only"), (7, 0, "active")]
    served.rpc("invalidateblock", served.rpc("getblockhash", 6))
    assert (8, 5, "invalid") in tips(served)
    assert (5, 0, "active") in tips(served)


def test_invalidate_and_reconsider(served: Served) -> None:
    tip, fourth = served.rpc("getbestblockhash"), served.rpc("getblockhash", 4)
    assert served.rpc("invalidateblock", fourth) is None
    assert served.rpc("getblockcount") == 3
    assert served.rpc("getblockheader", tip)["confirmations"] == -1
    assert served.rpc("reconsiderblock", fourth) is None
    assert served.rpc("getbestblockhash") == tip
    assert served.rpc("invalidateblock", GENESIS) is None
    assert served.rpc("getbestblockhash") == tip


def test_of_equal_work_the_precious_one_is_taken(served: Served) -> None:
    chain = served.chain
    first, rival = chain.tip, chain.block(parent=chain.tip.parent)
    assert submit(served, rival) == "inconclusive"
    assert served.rpc("preciousblock", shown(rival.hash)) is None
    assert served.rpc("getbestblockhash") == shown(rival.hash)
    assert served.rpc("preciousblock", shown(first.hash)) is None
    assert served.rpc("preciousblock", served.rpc("getblockhash", 1)) is None
    assert served.rpc("getbestblockhash") == shown(first.hash)
    assert refusal(served, "preciousblock", "00" * 32) == (-5, "Block not found")


# Blocks handed in.


def submit(served: Served, block: Block) -> Any:
    return served.rpc("submitblock", block.serialize().hex())


def test_blocks_handed_in(served: Served) -> None:
    chain = served.chain
    block = chain.block()
    assert submit(served, block) is None
    assert served.rpc("getbestblockhash") == shown(block.hash)
    assert submit(served, block) == "duplicate"
    rival = chain.block(parent=chain.tip.parent)
    assert submit(served, rival) == "inconclusive"
    for nonsense in ("", "zz", "00", chain.block().serialize().hex()[:-2]):
        assert refusal(served, "submitblock", nonsense) == (-22, "Block decode failed")
    longer = chain.block().serialize().hex() + "00"  # what is behind a block is ignored
    assert served.rpc("submitblock", longer, "and so is this") is None
    assert submit(served, make_block(chain.tip, [], root=bytes(32))) == "bad-blk-length"
    wrong_root = make_block(chain.tip, [chain.coinbase(chain.tip)], root=bytes(32))
    assert submit(served, wrong_root) == "bad-txnmrklroot"
    assert submit(served, chain.block(time=0)) == "time-too-old"


def without_witness_nonce(block: Block) -> Block:
    first, *others = block.transactions
    bare = Transaction(
        first.version,
        [tx_in._replace(witness=()) for tx_in in first.inputs],
        first.outputs,
        first.locktime,
    )
    return Block(block.header, [bare, *others])


def test_a_coinbase_that_left_out_its_witness_is_completed(served: Served) -> None:
    chain = served.chain
    tx = chain.pay(chain.mature()[0], THERE, parts=2, fee=1_000)
    block = chain.block([tx])
    assert submit(served, without_witness_nonce(block)) is None
    assert served.rpc("getblock", shown(block.hash), 0) == block.serialize().hex()
    # What has no place in the chain, or nothing to complete, is judged as it came.
    orphan = Block(chain.block().header._replace(prev_hash=bytes(32)), block.transactions)
    assert submit(served, without_witness_nonce(orphan)) in ("prev-blk-not-found", "high-hash")
    plain = make_block(chain.tip, [chain.coinbase(chain.tip)])
    uncommitted = Transaction(
        2, without_witness_nonce(plain).transactions[0].inputs, plain.transactions[0].outputs[:1], 0
    )
    assert submit(served, make_block(chain.tip, [uncommitted])) is None


def test_blocks_that_do_not_connect(served: Served) -> None:
    chain = served.chain
    greedy = chain.block(value=51 * COIN)
    child = make_block(
        type(chain.tip)(greedy.header, chain.tip),
        [chain.coinbase(type(chain.tip)(greedy.header, chain.tip))],
    )
    assert submit(served, child) == "prev-blk-not-found"
    assert submit(served, greedy) == "bad-cb-amount"
    assert submit(served, greedy) == "duplicate-invalid"
    assert submit(served, child) == "bad-prevblk"
    # A child that was kept for later, on a parent that turns out to be bad.
    parent = chain.tip.parent
    assert parent is not None
    bad = chain.block(value=51 * COIN, parent=parent)
    assert submit(served, bad) == "inconclusive"
    entry = served.node.chainstate.headers[bad.hash]
    assert submit(served, chain.block(parent=entry)) == "inconclusive"
    assert submit(served, bad) == "duplicate-invalid"


# Coins.


def test_an_unspent_output(served: Served) -> None:
    tx = served.chain.pay(served.chain.mature()[0], THERE, parts=2, fee=1_000)
    txid = shown(tx.txid)
    assert served.rpc("gettxout", txid, 0) is None
    served.wait(tx)
    coin = served.rpc("gettxout", txid, 1)
    assert coin == {
        "bestblock": served.rpc("getbestblockhash"),
        "confirmations": 0,
        "value": 24.999995,
        "scriptPubKey": {
            "asm": f"0 {THERE[2:].hex()}",
            "hex": THERE.hex(),
            "type": "witness_v0_keyhash",
            "address": "bcrt1qcava4gh0d6jqcnh9n9zs2fq2v8u0kplxkxq3xl",
        },
        "coinbase": False,
    }
    assert served.rpc("gettxout", txid, 1, False) is None
    source = shown(tx.inputs[0].outpoint.txid)
    assert served.rpc("gettxout", source, 0) is None  # a waiting transaction spends it
    assert served.rpc("gettxout", source, 0, False)["coinbase"] is True
    served.chain.mine(txs=[tx])
    mined = served.rpc("gettxout", txid, 1)
    assert mined["confirmations"] == 1
    for wrong in (2, -1, 2**32):
        assert served.rpc("gettxout", txid, wrong) is None
    assert served.rpc("gettxout", source, 0, False) is None


def test_the_set_of_coins(served: Served) -> None:
    source = served.chain.mature()[0]
    outputs = [TxOut(30 * COIN, THERE), TxOut(20 * COIN - 7, HOME)]
    served.chain.mine(txs=[served.chain.spend(source, outputs)])
    digest = coins_hash(served.node.chainstate.coins)
    expected = {
        "height": 6,
        "bestblock": served.rpc("getbestblockhash"),
        "transactions": 6,
        "txouts": 7,
        "bogosize": 7 * 72,
        "hash_serialized_3": shown(digest),
        "disk_size": 0,
        "total_amount": 300.0,
    }
    assert served.rpc("gettxoutsetinfo") == expected
    del expected["hash_serialized_3"]
    assert served.rpc("gettxoutsetinfo", "none") == expected
    answer = (-8, "'muhash' is not a valid hash_type")
    assert refusal(served, "gettxoutsetinfo", "muhash") == answer


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the engine's inside is read")
def test_the_set_of_coins_is_described_as_core_describes_it() -> None:
    served = Served(blocks=103, params=REGTEST)
    sources = served.chain.mature()
    scripts = [HOME, THERE, b"\x6a\x04none", b"\x51", padding(600), b"\x51" * 10_001]
    outputs = [TxOut(1000 * number, script) for number, script in enumerate(scripts)]
    split = served.chain.spend(sources[0], outputs * 50)  # indexes of one byte, and beyond
    served.chain.mine(txs=[split, served.chain.pay(sources[1], THERE)])
    with CoreEngine() as engine:
        for entry in list(served.chain.chainstate.active)[1:]:
            block = served.chain.chainstate.read_block_bytes(entry.hash)
            assert block is not None
            assert engine.submit(block) is None
        theirs = engine.coins_info()._asdict()
    ours = served.rpc("gettxoutsetinfo")
    assert {name: ours[name] for name in theirs} == theirs
    assert theirs["txouts"] > 200
