"""Esplora's answers: each route, the conformance list, all of it against naive recomputation."""

import hashlib
import random
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest

from chain.block import Block
from chain.transaction import OutPoint, Transaction, TxOut
from node.entry import MempoolEntry
from node.mempool.policy import PolicyOptions
from tests.builders import ANYONE, Spendable, key, p2pkh, p2tr, p2wpkh
from tests.node.naive import Naive, active_blocks
from tests.node.serving import Served, shown

HOME = p2wpkh(key(0))
THERE = p2wpkh(key(1))
UNKNOWN = "ab" * 32
GENESIS = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
THERE_ADDRESS = "bcrt1qcava4gh0d6jqcnh9n9zs2fq2v8u0kplxkxq3xl"


def name_of(script: bytes) -> str:
    """The scripthash in a path: not reversed."""
    return hashlib.sha256(script).hexdigest()


def pay(served: Served, script: bytes = THERE, **options: Any) -> Transaction:
    """A payment of the oldest coin, not yet handed in."""
    options.setdefault("fee", 1_000)
    return served.chain.pay(served.chain.mature()[0], script, **options)


@pytest.fixture
def served() -> Served:
    return Served(blocks=12)


def status_at(served: Served, height: int) -> dict[str, Any]:
    entry = served.node.chainstate.active[height]
    return {
        "confirmed": True,
        "block_height": height,
        "block_hash": shown(entry.hash),
        "block_time": entry.header.time,
    }


# Blocks.


def test_the_tip(served: Served) -> None:
    assert served.get("/blocks/tip/height") == "12"
    assert served.get("/blocks/tip/hash") == shown(served.chain.tip.hash)
    assert served.get("/blocks")[0]["id"] == served.get("/blocks/tip/hash")


def test_blocks_come_in_tens_newest_first(served: Served) -> None:
    blocks = served.get("/blocks")
    assert [block["height"] for block in blocks] == list(range(12, 2, -1))
    for block, before in pairwise(blocks):
        assert block["previousblockhash"] == before["id"]
    assert served.get("/blocks/12") == blocks
    assert served.get("/blocks/nonsense") == blocks
    assert [block["height"] for block in served.get("/blocks/3")] == [3, 2, 1, 0]
    (genesis,) = served.get("/blocks/0")
    assert genesis["id"] == GENESIS
    assert genesis["previousblockhash"] is None
    assert served.refused("/blocks/13") == (404, "Block not found")


def test_bits_are_an_integer_and_difficulty_a_float(served: Served) -> None:
    blocks = [*served.get("/blocks"), *served.get("/blocks/3")]
    blocks.append(served.get(f"/block/{blocks[5]['id']}"))
    for block in blocks:
        assert type(block["bits"]) is int
        assert type(block["difficulty"]) is float
        assert (block["bits"], block["difficulty"]) == (545259519, 4.656542373906925e-10)
    text = served.client.get("/api/blocks/0").get_data(as_text=True)
    assert '"difficulty":4.656542373906925e-10' in text


def test_a_block_by_height(served: Served) -> None:
    assert served.get("/block-height/0") == GENESIS
    assert served.get("/block-height/12") == shown(served.chain.tip.hash)
    assert served.refused("/block-height/13") == (404, "Block not found")
    for wrong in ("x", "-1", "1.0", "²", "1" * 20):
        assert served.refused(f"/block-height/{wrong}") == (400, "Invalid number")


def test_a_block_by_hash(served: Served) -> None:
    (block,) = served.chain.mine(txs=[pay(served)])
    name = shown(block.hash)
    raw = block.serialize()
    view = served.get(f"/block/{name}")
    assert view == served.get("/blocks")[0]
    assert (view["id"], view["height"], view["tx_count"]) == (name, 13, 2)
    assert (view["size"], view["weight"]) == (len(raw), block.weight)
    assert view["mediantime"] == served.chain.tip.median_time_past
    assert served.get(f"/block/{name}/raw") == raw
    assert served.get(f"/block/{name}/header") == raw[:80].hex()
    txids = [shown(tx.txid) for tx in block.transactions]
    assert served.get(f"/block/{name}/txids") == txids
    assert served.get(f"/block/{name}/txid/1") == txids[1]
    assert served.refused(f"/block/{name}/txid/2") == (404, "tx index out of range")
    assert served.refused(f"/block/{name}/txid/x") == (400, "Invalid number")
    assert [tx["txid"] for tx in served.get(f"/block/{name}/txs")] == txids
    assert served.get(f"/block/{name}/txs/x") == served.get(f"/block/{name}/txs")
    assert served.get(f"/block/{name}/status") == {
        "in_best_chain": True,
        "height": 13,
        "next_best": None,
    }
    assert served.get(f"/block/{GENESIS}/status") == {
        "in_best_chain": True,
        "height": 0,
        "next_best": served.get("/block-height/1"),
    }


def test_unknown_and_misspelt_blocks(served: Served) -> None:
    for rest in ("", "/header", "/raw", "/txids", "/txid/0", "/txs", "/txs/25"):
        assert served.refused(f"/block/{UNKNOWN}{rest}") == (404, "Block not found")
    for rest in ("", "/status", "/header", "/raw", "/txids", "/txid/0", "/txs", "/txs/25"):
        assert served.refused(f"/block/zz{rest}") == (400, "Invalid hex string")
    nowhere = {"in_best_chain": False, "height": None, "next_best": None}
    assert served.get(f"/block/{UNKNOWN}/status") == nowhere


def test_a_block_of_which_only_the_header_is_known(served: Served) -> None:
    block = served.chain.block()
    served.node.chainstate.accept_header(block.header, served.chain.now)
    assert served.refused(f"/block/{shown(block.hash)}") == (404, "Block not found")


def test_pages_of_a_blocks_transactions(served: Served) -> None:
    fan = pay(served, HOME, parts=30)
    (block,) = served.chain.mine(txs=[fan])
    start = f"/block/{shown(block.hash)}/txs"
    assert served.refused(f"{start}/1") == (400, "start index must be a multiple of 25")
    assert served.refused(f"{start}/25") == (400, "start index out of range")
    assert served.refused(f"{start}/2") == (400, "start index out of range")
    txs = [served.chain.pay(served.chain.output(fan, n), fee=500) for n in range(30)]
    (block,) = served.chain.mine(txs=txs)
    start = f"/block/{shown(block.hash)}/txs"
    first, second = served.get(start), served.get(f"{start}/25")
    assert (len(first), len(second)) == (25, 6)
    assert [tx["txid"] for tx in first + second] == served.get(f"/block/{shown(block.hash)}/txids")
    assert all(tx["status"] == status_at(served, 14) for tx in first + second)
    assert [tx["fee"] for tx in first + second] == [0] + [500] * 30


def test_sizes_are_remembered_of_so_many_blocks(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.esplora.MAX_SIZES", 3)
    blocks = served.get("/blocks")
    assert served.get("/blocks") == blocks
    assert [served.get(f"/block/{block['id']}") for block in blocks] == blocks


# Transactions.


def test_a_transaction_in_each_form(served: Served) -> None:
    tx = pay(served)
    (txid,) = served.wait(tx)
    assert txid == shown(tx.txid)
    for is_mined in (False, True):
        if is_mined:
            served.chain.mine(txs=[tx])
        view = served.get(f"/tx/{txid}")
        status = status_at(served, 13) if is_mined else {"confirmed": False}
        assert view["status"] == status
        assert served.get(f"/tx/{txid}/status") == status
        assert (view["fee"], view["vout"][0]["value"]) == (1_000, 50 * 10**8 - 1_000)
        assert view["vin"][0]["prevout"]["value"] == 50 * 10**8
        assert served.get(f"/tx/{txid}/hex") == tx.serialize().hex()
        assert served.get(f"/tx/{txid}/raw") == tx.serialize()


def test_a_coinbase(served: Served) -> None:
    txid = served.get(f"/block/{served.get('/block-height/5')}/txid/0")
    view = served.get(f"/tx/{txid}")
    assert view["fee"] == 0
    (vin,) = view["vin"]
    assert (vin["prevout"], vin["is_coinbase"]) == (None, True)
    assert vin["scriptsig"]
    assert view["status"] == status_at(served, 5)


def test_unknown_and_misspelt_transactions(served: Served) -> None:
    assert served.get(f"/tx/{UNKNOWN}/status") == {"confirmed": False}
    assert served.get(f"/tx/{UNKNOWN}/outspend/0") == {"spent": False}
    for rest in ("", "/hex", "/raw", "/outspends"):
        assert served.refused(f"/tx/{UNKNOWN}{rest}") == (404, "Transaction not found")
    for rest in ("/merkle-proof", "/merkleblock-proof"):
        answer = (404, "Transaction not found or is unconfirmed")
        assert served.refused(f"/tx/{UNKNOWN}{rest}") == answer
        assert served.refused(f"/tx/{served.wait(pay(served))[0]}{rest}") == answer
        served.chain.mine()
    for rest in ("", "/status", "/hex", "/raw", "/outspends", "/merkle-proof", "/outspend/0"):
        assert served.refused(f"/tx/12{rest}") == (400, "Invalid hex string")
    assert served.refused(f"/tx/{UNKNOWN}/outspend/x") == (400, "Invalid number")


def test_proofs(served: Served) -> None:
    tx = pay(served)
    (block,) = served.chain.mine(txs=[tx])
    coinbase, txid = (shown(each.txid) for each in block.transactions)
    proof = served.get(f"/tx/{txid}/merkle-proof")
    assert proof == {"block_height": 13, "merkle": [coinbase], "pos": 1}
    one = bytes.fromhex(served.get(f"/tx/{txid}/merkleblock-proof"))
    count = (2).to_bytes(4, "little")
    hashes = b"".join(each.txid for each in block.transactions)
    assert one == block.header.serialize() + count + b"\x02" + hashes + b"\x01\x05"
    alone = served.get(f"/block/{GENESIS}/txid/0")
    proof = served.get(f"/tx/{alone}/merkle-proof")
    assert proof == {"block_height": 0, "merkle": [], "pos": 0}


def test_spends(served: Served) -> None:
    source = served.chain.mature()[0]
    tx = served.chain.spend(source, [TxOut(10**8, THERE), TxOut(10**8, HOME), TxOut(0, b"\x6a")])
    name, paid = shown(source.outpoint.txid), shown(tx.txid)
    assert served.get(f"/tx/{name}/outspend/0") == {"spent": False}
    assert served.get(f"/tx/{name}/outspends") == [{"spent": False}] * 2
    waits = {"spent": True, "txid": paid, "vin": 0, "status": {"confirmed": False}}
    assert served.post(tx)[0] == 400  # it pays 48 coins in fees
    served.runtime.submit_transaction(tx)
    assert served.get(f"/tx/{name}/outspends") == [waits, {"spent": False}]
    assert served.get(f"/tx/{paid}/outspends") == [{"spent": False}] * 3
    served.chain.mine(txs=[tx])
    assert served.get(f"/tx/{name}/outspend/0") == {**waits, "status": status_at(served, 13)}
    assert served.get(f"/tx/{name}/outspend/7") == {"spent": False}
    second = [served.chain.output(tx, 1), served.chain.output(tx, 0)]
    (joined,) = served.wait(served.chain.pay(second, HOME, fee=1_000))
    assert [spend.get("vin") for spend in served.get(f"/tx/{paid}/outspends")] == [1, 0, None]
    assert served.get(f"/tx/{paid}/outspend/0")["txid"] == joined


# Handing in.


def test_a_payment_may_be_handed_in_twice_until_it_is_mined(served: Served) -> None:
    tx = pay(served)
    assert served.post(tx) == (200, shown(tx.txid))
    assert served.post(f"\n {tx.serialize().hex().upper()} \n") == (200, shown(tx.txid))
    assert served.get(f"/broadcast?tx={tx.serialize().hex()}") == shown(tx.txid)
    served.chain.mine(txs=[tx])
    answer = "sendrawtransaction RPC error -27: Transaction outputs already in utxo set"
    assert served.post(tx) == (400, answer)
    served.chain.mine(txs=[served.chain.pay(served.chain.output(tx), HOME, fee=1_000)])
    answer = "sendrawtransaction RPC error -25: bad-txns-inputs-missingorspent"
    assert served.post(tx) == (400, answer)


def test_what_is_refused_is_refused_in_cores_words(served: Served) -> None:
    head = "sendrawtransaction RPC error "
    undecodable = f"{head}-22: TX decode failed. Make sure the tx has at least one input."
    for text in ("", "zz", "00", "é", '{"tx": 1}', pay(served).serialize().hex() + "00"):
        assert served.post(text) == (400, undecodable)
    assert served.refused("/broadcast?tx=00") == (400, undecodable)
    assert served.refused("/broadcast") == (400, "Missing tx")
    answer = f"{head}-26: min relay fee not met, 0 < 11"
    assert served.post(pay(served, fee=0)) == (400, answer)
    status, text = served.post(pay(served, fee=-5))
    assert (status, text.split(",")[0]) == (400, f"{head}-26: bad-txns-in-belowout")
    assert served.get("/mempool/txids") == []


def test_a_replaced_payment_is_gone_at_once(served: Served) -> None:
    old, new = pay(served), pay(served, HOME, fee=5_000)
    served.wait(old)
    served.wait(new)
    assert served.refused(f"/tx/{shown(old.txid)}") == (404, "Transaction not found")
    assert served.get(f"/tx/{shown(new.txid)}")["status"] == {"confirmed": False}
    assert served.get(f"/address/{THERE_ADDRESS}")["mempool_stats"]["tx_count"] == 0
    assert served.get("/mempool/txids") == [shown(new.txid)]


# Scripts.


def test_addresses_and_scripthashes_are_two_names_of_one_thing(served: Served) -> None:
    served.chain.mine(txs=[pay(served)])
    served.wait(pay(served))
    by_address, by_hash = f"/address/{THERE_ADDRESS}", f"/scripthash/{name_of(THERE)}"
    one, other = served.get(by_address), served.get(by_hash)
    assert list(one) == ["address", "chain_stats", "mempool_stats"]
    assert one.pop("address") == THERE_ADDRESS
    assert other.pop("scripthash") == name_of(THERE)
    assert one == other
    amount = 50 * 10**8 - 1_000
    assert one["chain_stats"] == one["mempool_stats"] == sums(1, 1, amount, 0, 0)
    for rest in ("/txs", "/txs/chain", "/txs/mempool", "/utxo"):
        assert served.get(by_address + rest) == served.get(by_hash + rest)
        assert served.get(by_address + rest)
    upper = served.get(f"/address/{THERE_ADDRESS.upper()}")
    assert upper == {"address": THERE_ADDRESS.upper(), **one}


def sums(*values: int) -> dict[str, int]:
    names = "tx_count funded_txo_count funded_txo_sum spent_txo_count spent_txo_sum"
    return dict(zip(names.split(), values, strict=True))


def test_a_script_that_nobody_used(served: Served) -> None:
    nothing = sums(0, 0, 0, 0, 0)
    expected = {"scripthash": UNKNOWN, "chain_stats": nothing, "mempool_stats": nothing}
    assert served.get(f"/scripthash/{UNKNOWN}") == expected
    for rest in ("/txs", "/txs/chain", "/txs/mempool", "/utxo"):
        assert served.get(f"/scripthash/{UNKNOWN}{rest}") == []


def test_misspelt_scripts(served: Served) -> None:
    foreign = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
    checksum = "bcrt1qcava4gh0d6jqcnh9n9zs2fq2v8u0kplxkxq3xm"
    for rest in ("", "/txs", "/txs/chain", "/txs/chain/x", "/txs/mempool", "/utxo"):
        assert served.refused(f"/scripthash/zz{rest}") == (400, "Invalid scripthash")
        assert served.refused(f"/address/{foreign}{rest}") == (400, "Address on invalid network")
        status, text = served.refused(f"/address/{checksum}{rest}")
        assert (status, "checksum" in text) == (400, True)


def test_a_history_in_pages(served: Served) -> None:
    fan = pay(served, HOME, parts=60)
    served.chain.mine(txs=[fan])
    coins = [served.chain.output(fan, number) for number in range(60)]
    for start in (0, 20, 40):
        served.chain.mine(txs=[served.chain.pay(coin, THERE) for coin in coins[start : start + 20]])
    (late,) = served.wait(pay(served))
    base = f"/scripthash/{name_of(THERE)}/txs"
    first = served.get(base)
    assert (len(first), first[0]["txid"]) == (26, late)
    assert served.get(f"{base}/mempool") == first[:1]
    assert served.get(f"{base}/chain") == first[1:]
    pages, last = [first[1:]], first[-1]["txid"]
    while len(pages[-1]) == 25:
        pages.append(served.get(f"{base}/chain/{last}"))
        last = pages[-1][-1]["txid"]
    seen = [tx["txid"] for page in pages for tx in page]
    assert list(map(len, pages)) == [25, 25, 10]
    assert len(set(seen)) == 60
    heights = [tx["status"]["block_height"] for page in pages for tx in page]
    assert heights == sorted(heights, reverse=True)
    assert served.get(f"{base}/chain/{last}") == []
    assert served.get(f"{base}/chain/{UNKNOWN}") == []
    assert served.get(f"{base}/chain/{late}") == []
    assert served.get(f"{base}/chain/{shown(fan.txid)}") == []  # not of this script
    assert served.get(f"{base}/chain/nonsense") == first[1:]


def test_at_most_fifty_wait_on_a_page(served: Served) -> None:
    fan = pay(served, HOME, parts=60)
    served.chain.mine(txs=[fan])
    coins = [served.chain.output(fan, number) for number in range(60)]
    txids = served.wait(*(served.chain.pay(coin, THERE, fee=500) for coin in coins))
    newest = txids[:-51:-1]
    base = f"/address/{THERE_ADDRESS}/txs"
    assert [tx["txid"] for tx in served.get(base)] == newest
    assert [tx["txid"] for tx in served.get(f"{base}/mempool")] == newest
    assert served.get(f"/address/{THERE_ADDRESS}")["mempool_stats"]["tx_count"] == 60


def test_unspent_outputs(served: Served) -> None:
    tx = pay(served, THERE, parts=2)
    path, half = f"/address/{THERE_ADDRESS}/utxo", (50 * 10**8 - 1_000) // 2
    served.wait(tx)
    waits = {"confirmed": False}
    rows = [{"txid": shown(tx.txid), "vout": n, "status": waits, "value": half} for n in (0, 1)]
    assert sorted(served.get(path), key=lambda row: row["vout"]) == rows
    served.chain.mine(txs=[tx])
    rows = [{**row, "status": status_at(served, 13)} for row in rows]
    assert sorted(served.get(path), key=lambda row: row["vout"]) == rows
    back = served.chain.pay(served.chain.output(tx, 0), THERE, fee=500)
    served.wait(back)
    change = {"txid": shown(back.txid), "vout": 0, "status": waits, "value": half - 500}
    assert served.get(path) == [rows[1], change]
    stats = served.get(f"/address/{THERE_ADDRESS}")["mempool_stats"]
    assert stats == sums(1, 1, half - 500, 1, half)


# What waits.


def test_the_mempool(served: Served) -> None:
    assert served.get("/mempool")["fee_histogram"] == []
    coins = served.chain.mature()
    txs = [served.chain.pay(coins[n], THERE, fee=1_000 * (n + 1)) for n in range(11)]
    txids = served.wait(*txs)
    assert sorted(served.get("/mempool/txids")) == sorted(txids)
    backlog = served.get("/mempool")
    vsize = sum(tx.vsize for tx in txs)
    assert (backlog["count"], backlog["vsize"], backlog["total_fee"]) == (11, vsize, 66_000)
    assert backlog["fee_histogram"] == [[1_000 / txs[0].vsize, vsize]]
    recent = served.get("/mempool/recent")
    assert [each["txid"] for each in recent] == txids[:0:-1]
    vsize = txs[10].vsize
    newest = {"txid": txids[10], "fee": 11_000, "vsize": vsize, "value": 50 * 10**8}
    assert recent[0] == newest
    served.chain.mine(txs=txs[5:])
    assert [each["txid"] for each in served.get("/mempool/recent")] == txids[4::-1]


def test_fee_estimates_are_always_there(served: Served) -> None:
    estimates = served.get("/fee-estimates")
    assert list(estimates) == [*map(str, range(1, 26)), "144", "504", "1008"]
    assert set(estimates.values()) == {0.1}
    served.wait(pay(served, fee=100_000))
    assert served.get("/fee-estimates") == estimates


def test_what_is_switched_off(served: Served) -> None:
    assert served.refused("/address-prefix/bc") == (400, "address search disabled")
    answer = (403, "mining REST endpoints are disabled")
    assert served.refused("/block-template") == answer


def test_without_an_index_what_needs_none_is_answered() -> None:
    served = Served(blocks=3, with_index=False)
    assert served.get("/blocks/tip/height") == "3"
    assert len(served.get(f"/block/{served.get('/block-height/2')}/txs")) == 1
    (txid,) = served.wait(pay(served))
    assert served.get(f"/tx/{txid}")["fee"] == 1_000
    answer = (501, "this node keeps no index: start it without --no-index")
    assert served.refused(f"/address/{THERE_ADDRESS}") == answer
    assert served.refused(f"/tx/{UNKNOWN}") == answer


# Reorganisations.


def reorganise(served: Served, depth: int, txs: list[Transaction], at: int = 0) -> list[Block]:
    """Replace `depth` blocks by one more, of which block number `at` has `txs`."""
    chain = served.chain
    parent = chain.tip.ancestor(chain.height - depth)
    blocks = []
    for number in range(depth + 1):
        block = chain.block(txs if number == at else (), parent=parent)
        parent = chain.accept(block).entry
        blocks.append(block)
    assert chain.tip.hash == blocks[-1].hash
    return blocks


def test_a_reorganisation_is_seen_in_every_answer(served: Served) -> None:
    tx = pay(served)
    (old,) = served.chain.mine(txs=[tx])
    txid, address = shown(tx.txid), f"/address/{THERE_ADDRESS}"
    page = f"/block/{shown(old.hash)}"
    fixed = served.get(page)
    assert served.get(address)["chain_stats"]["tx_count"] == 1

    # Confirmed again, at the same height.
    new = reorganise(served, 1, [tx])
    assert served.get(f"/tx/{txid}/status") == status_at(served, 13)
    assert served.get(f"/tx/{txid}/status")["block_hash"] == shown(new[0].hash)
    nowhere = {"in_best_chain": False, "height": None, "next_best": None}
    assert served.get(f"{page}/status") == nowhere
    assert served.get(page) == fixed  # still a block, but of no chain
    stale = served.get(f"{page}/txs")[1]
    assert (stale["txid"], stale["status"]) == (txid, {"confirmed": False})
    assert stale["fee"] == 1_000

    # At another height.
    reorganise(served, 2, [tx], at=1)
    assert served.get(f"/tx/{txid}/status") == status_at(served, 14)
    assert served.get(f"/tx/{txid}/merkle-proof")["block_height"] == 14

    # Not at all: it waits again.
    reorganise(served, 3, [])
    assert served.get(f"/tx/{txid}/status") == {"confirmed": False}
    stats = served.get(address)
    amount = 50 * 10**8 - 1_000
    assert stats["chain_stats"] == sums(0, 0, 0, 0, 0)
    assert stats["mempool_stats"] == sums(1, 1, amount, 0, 0)
    assert served.get(f"{address}/utxo")[0]["status"] == {"confirmed": False}
    assert [each["status"]["confirmed"] for each in served.get(f"{address}/txs")] == [False]

    # A shorter chain, and back to genesis, where it has nothing to spend.
    tip = served.node.chainstate.active[10].hash
    served.runtime.invalidate(served.node.chainstate.active[11].hash)
    assert served.get("/blocks/tip/hash") == shown(tip)
    assert served.refused("/block-height/11") == (404, "Block not found")
    first = served.node.chainstate.active[1].hash
    served.runtime.invalidate(first)
    assert served.get("/blocks/tip/hash") == GENESIS
    assert served.refused(f"/tx/{txid}") == (404, "Transaction not found")
    assert served.get(address)["mempool_stats"] == sums(0, 0, 0, 0, 0)
    assert len(served.get("/blocks")) == 1
    served.runtime.reconsider(first)
    assert int(served.get("/blocks/tip/height")) > 12


def test_a_reorganisation_of_twenty_blocks() -> None:
    served = Served(blocks=10)
    tx = pay(served)
    served.chain.mine(20, txs=[tx])
    reorganise(served, 20, [])
    assert served.get("/blocks/tip/height") == "31"
    assert served.get(f"/tx/{shown(tx.txid)}/status") == {"confirmed": False}
    assert served.get("/mempool/txids") == [shown(tx.txid)]


# Everything at once.


def test_all_answers_are_those_of_naive_recomputation() -> None:
    rng = random.Random(11)
    served = Served(blocks=6, policy=PolicyOptions(accept_nonstandard=True))
    for _ in range(40):
        random_payments(served, rng)
        if rng.random() < 0.2:
            reorganise(served, rng.randint(1, 3), [])
        elif rng.random() < 0.6 and len(served.node.mempool):
            some = rng.choice(list(served.node.mempool))
            served.chain.mine(txs=in_order(some.ancestors() | {some}))
        elif rng.random() < 0.6:
            served.runtime.generate(HOME, 1)
    for _ in range(5):
        random_payments(served, rng)
    served.node.mempool.check_consistency()
    compare_everything(served)


def in_order(entries: Iterable[MempoolEntry]) -> list[Transaction]:
    """Parents first."""
    return [entry.tx for entry in sorted(entries, key=lambda entry: len(entry.ancestors()))]


def random_payments(served: Served, rng: random.Random) -> None:
    scripts = [THERE, p2pkh(key(2)), p2tr(key(3)), ANYONE]
    for _ in range(rng.randint(1, 4)):
        tx = random_payment(served, rng, scripts)
        if tx is not None:
            served.wait(tx)


def random_payment(served: Served, rng: random.Random, scripts: list[bytes]) -> Transaction | None:
    mempool, coins = served.node.mempool, served.node.chainstate.coins
    mature = set(served.chain.mature())
    free = []
    for outpoint, each in served.chain._known.items():
        coin = coins.get(outpoint)
        unspent = outpoint.txid in mempool or (
            coin is not None and (not coin.is_coinbase or each in mature)
        )
        if unspent and mempool.spender_of(outpoint) is None and each.output.value > 10_000:
            free.append(each)
    if not free:
        return None
    sources: list[Spendable] = rng.sample(free, min(len(free), rng.randint(1, 2)))
    total = sum(each.output.value for each in sources) - 2_000
    outputs = [TxOut(total // 2, rng.choice(scripts)) for _ in range(2)]
    return served.chain.spend(sources, [*outputs, TxOut(0, b"\x6a\x01x")])


def compare_everything(served: Served) -> None:
    blocks, mempool = active_blocks(served.node.chainstate), in_order(served.node.mempool)
    confirmed = Naive(blocks)
    height = len(blocks)
    waiting_block = Block(blocks[-1].header, mempool)
    everything = Naive([*blocks, waiting_block])  # as if all that waits were in one more block
    assert len(mempool) > 3
    assert any(len(known.txids) > 50 for known in confirmed.scripts.values())

    def status(txid: bytes) -> dict[str, Any]:
        at = everything.places[txid][0]
        return {"confirmed": False} if at == height else status_at(served, at)

    for txid, tx in everything.txs.items():
        view = served.get(f"/tx/{shown(txid)}")
        assert view["status"] == status(txid)
        assert [each["value"] for each in view["vout"]] == [each.value for each in tx.outputs]
        if not tx.is_coinbase:
            spent = [everything.output(tx_in.outpoint) for tx_in in tx.inputs]
            seen = [each["prevout"] for each in view["vin"]]
            assert [each["value"] for each in seen] == [each.value for each in spent]
            assert [each["scriptpubkey"] for each in seen] == [e.script_pubkey.hex() for e in spent]
            paid = sum(output.value for output in tx.outputs)
            assert view["fee"] == sum(each.value for each in spent) - paid
        expected = []
        for number in range(len(tx.outputs)):
            spender = everything.spenders.get(OutPoint(txid, number))
            expected.append({"spent": False})
            if spender is not None:
                name, vin = spender
                found = {"spent": True, "txid": shown(name), "vin": vin, "status": status(name)}
                expected[-1] = found
        assert served.get(f"/tx/{shown(txid)}/outspends") == expected
    for script, known in everything.scripts.items():
        base = f"/scripthash/{name_of(script)}"
        before = confirmed.scripts[script]
        stats = served.get(base)
        assert tuple(stats["chain_stats"].values()) == before.sums
        pairs = zip(known.sums, before.sums, strict=True)
        assert tuple(stats["mempool_stats"].values()) == tuple(a - b for a, b in pairs)
        rows = {(row["txid"], row["vout"]): row for row in served.get(f"{base}/utxo")}
        assert rows == {
            (shown(txid), vout): {
                "txid": shown(txid),
                "vout": vout,
                "status": status(txid),
                "value": value,
            }
            for (txid, vout), (value, _) in known.unspent.items()
        }
        seen = [tx["txid"] for tx in served.get(f"{base}/txs")]
        newest = [shown(txid) for txid in reversed(before.txids)]
        pending = {shown(txid) for txid in known.txids[len(before.txids) :]}
        assert set(seen[: len(pending)]) == pending
        assert seen[len(pending) :] == newest[:25]
        while len(newest) > 25:
            last, newest = newest[24], newest[25:]
            page = served.get(f"{base}/txs/chain/{last}")
            assert [tx["txid"] for tx in page] == newest[:25]
