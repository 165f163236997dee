"""The RPC's methods for miners, and a miner who knows nothing but a template."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from chain.block import Block, BlockHeader
from chain.params import MAIN, REGTEST
from node.events import NetAddress
from node.rpc import mining
from tests.builders import ANYONE, key, p2pkh, p2tr, p2wpkh
from tests.core_engine import CoreEngine
from tests.node.serving import QUICK, Served, refusal, running, shown

RULES = {"rules": ["segwit"]}
ADDRESS = "bcrt1qcava4gh0d6jqcnh9n9zs2fq2v8u0kplxkxq3xl"
THERE = p2wpkh(key(1))  # which is that address


def test_an_empty_template() -> None:
    served = Served(blocks=3)
    tip = served.chain.tip
    template = served.rpc("getblocktemplate", RULES)
    commitment = template.pop("default_witness_commitment")
    assert commitment.startswith("6a24aa21a9ed")
    assert template == {
        "capabilities": ["proposal"],
        "version": 0x20000000,
        "rules": ["csv", "!segwit", "taproot"],
        "vbavailable": {},
        "vbrequired": 0,
        "previousblockhash": shown(tip.hash),
        "transactions": [],
        "coinbaseaux": {},
        "coinbasevalue": 5_000_000_000,
        "longpollid": shown(tip.hash) + "0",
        "target": "7fffff" + "00" * 29,
        "mintime": tip.median_time_past + 1,
        "mutable": ["time", "transactions", "prevblock"],
        "noncerange": "00000000ffffffff",
        "sigoplimit": 80_000,
        "sizelimit": 4_000_000,
        "weightlimit": 4_000_000,
        "curtime": served.chain.now,
        "bits": "207fffff",
        "height": 4,
    }


def test_a_template_of_parents_and_children() -> None:
    served = Served(blocks=4)
    first, second = served.chain.mature()[:2]
    parent = served.chain.pay(first, THERE, fee=1_000)
    child = served.chain.pay(served.chain.output(parent), THERE, fee=9_000)
    other = served.chain.pay(second, THERE, fee=500)
    served.wait(other, parent, child)
    template = served.rpc("getblocktemplate", RULES)
    assert template["coinbasevalue"] == 5_000_010_500
    lines = template["transactions"]
    assert [line["txid"] for line in lines] == [shown(tx.txid) for tx in (parent, child, other)]
    assert [line["hash"] for line in lines] == [shown(tx.wtxid) for tx in (parent, child, other)]
    assert [line["data"] for line in lines] == [
        tx.serialize().hex() for tx in (parent, child, other)
    ]
    assert [line["depends"] for line in lines] == [[], [1], []]
    assert [line["fee"] for line in lines] == [1_000, 9_000, 500]
    assert [line["weight"] for line in lines] == [tx.weight for tx in (parent, child, other)]
    assert [line["sigops"] for line in lines] == [1, 1, 1]


def test_what_a_template_is_refused_for() -> None:
    served = Served(blocks=1)
    segwit = (
        'getblocktemplate must be called with the segwit rule set (call with {"rules": ["segwit"]})'
    )
    assert refusal(served, "getblocktemplate", {}) == (-8, segwit)
    assert refusal(served, "getblocktemplate", {"rules": ["csv"]}) == (-8, segwit)
    assert refusal(served, "getblocktemplate", {"rules": "segwit"}) == (-8, segwit)
    assert refusal(served, "getblocktemplate", {"mode": "x", **RULES}) == (-8, "Invalid mode")
    assert refusal(served, "getblocktemplate", {"mode": 5}) == (-8, "Invalid mode")
    assert refusal(served, "getblocktemplate", 5)[0] == -3
    assert refusal(served, "getblocktemplate")[0] == -1
    assert refusal(served, "getblocktemplate", {**RULES, "longpollid": "x"}) == (
        -8,
        "longpollid must be of length 64 (not 1, for 'x')",
    )


def test_before_segwit_the_old_limits_hold() -> None:
    served = Served(replace(QUICK, segwit_from=100))
    template = served.rpc("getblocktemplate", RULES)
    assert template["rules"] == ["csv", "taproot"]
    assert (template["sigoplimit"], template["sizelimit"]) == (20_000, 1_000_000)
    assert not {"weightlimit", "default_witness_commitment"} & template.keys()


def test_a_period_does_not_begin_long_before_the_last_one_ended() -> None:
    served = Served(replace(QUICK, retarget_interval_blocks=5), blocks=4)
    late = served.chain.block(time=served.chain.now + 7_000)
    assert served.rpc("submitblock", late.serialize().hex()) is None
    assert served.rpc("getblocktemplate", RULES)["mintime"] < served.chain.now
    served = Served(replace(QUICK, retarget_interval_blocks=5), blocks=3)
    late = served.chain.block(time=served.chain.now + 7_000)
    assert served.rpc("submitblock", late.serialize().hex()) is None
    template = served.rpc("getblocktemplate", RULES)
    assert template["mintime"] == template["curtime"] == late.header.time - 600


# A miner.


def sha256d(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()


def compact(number: int) -> bytes:
    return bytes([number]) if number < 0xFD else b"\xfd" + number.to_bytes(2, "little")


def root(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes += hashes[-1:] * (len(hashes) % 2)
        hashes = [sha256d(a + b) for a, b in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


def work(template: dict[str, Any], script: bytes) -> bytes:
    """A block in bytes, from a template and from nothing else; the coins go to `script`."""
    number = template["height"].to_bytes(4, "little").rstrip(b"\0")
    number += b"\0" * (number[-1] >> 7)
    script_sig = bytes([len(number)]) + number + b"\x04mine"
    if template["height"] <= 16:
        script_sig = bytes([0x50 + template["height"]]) + b"\x04mine"
    commitment = bytes.fromhex(template["default_witness_commitment"])
    start = (1).to_bytes(4, "little")
    rest: bytes = (
        b"\1" + bytes(32) + b"\xff" * 4 + bytes([len(script_sig)]) + script_sig + b"\xff" * 4
    )
    rest += b"\2" + template["coinbasevalue"].to_bytes(8, "little") + compact(len(script)) + script
    rest += bytes(8) + compact(len(commitment)) + commitment
    coinbase = start + b"\0\1" + rest + b"\1\x20" + bytes(32) + bytes(4)
    txids = [bytes.fromhex(line["txid"])[::-1] for line in template["transactions"]]
    header: bytes = template["version"].to_bytes(4, "little")
    header += bytes.fromhex(template["previousblockhash"])[::-1]
    header += root([sha256d(start + rest + bytes(4)), *txids])
    header += template["curtime"].to_bytes(4, "little") + bytes.fromhex(template["bits"])[::-1]
    nonce = 0
    while sha256d(header + nonce.to_bytes(4, "little"))[::-1].hex() > template["target"]:
        nonce += 1
    lines = [bytes.fromhex(line["data"]) for line in template["transactions"]]
    body = compact(1 + len(lines)) + coinbase + b"".join(lines)
    return header + nonce.to_bytes(4, "little") + body


def test_a_miner_who_knows_a_template_alone() -> None:
    """What it makes is a block, says the chain, and so does Core's engine."""
    served = Served(REGTEST, blocks=104)
    chain = served.chain
    first, second, third, fourth = chain.mature()[:4]
    fan = chain.pay(first, p2tr(key(2)), fee=5_000, parts=20)
    children = [chain.pay(chain.output(fan, n), THERE, fee=400 + n) for n in range(20)]
    merge = chain.pay([chain.output(each) for each in children[:7]], p2pkh(key(3)), fee=90_000)
    legacy = chain.pay(second, p2pkh(key(1)), fee=700)
    spent = chain.pay(chain.output(legacy), THERE, fee=800)
    txs = [fan, *children, merge, legacy, spent, chain.pay([third, fourth], THERE, fee=100)]
    served.wait(*txs)
    template = served.rpc("getblocktemplate", RULES)
    assert len(template["transactions"]) == len(txs)
    block = work(template, THERE)
    unsolved = bytearray(block)
    unsolved[76:80] = bytes(4)
    proposal = {"mode": "proposal", "data": unsolved.hex()}
    assert served.rpc("getblocktemplate", proposal) is None
    assert served.rpc("submitblock", block.hex()) is None
    assert served.rpc("getbestblockhash") == sha256d(block[:80])[::-1].hex()
    assert served.rpc("getrawmempool") == []
    again = work(served.rpc("getblocktemplate", RULES), THERE)  # coinbases differ by height
    assert served.rpc("submitblock", again.hex()) is None
    with CoreEngine() as engine:
        for height in range(1, chain.height + 1):
            raw = served.rpc("getblock", served.rpc("getblockhash", height), 0)
            assert engine.submit(bytes.fromhex(raw)) is None
        assert engine.height == 106


# Proposals.


def propose(served: Served, block: Block | str) -> Any:
    data = block if isinstance(block, str) else block.serialize().hex()
    return served.rpc("getblocktemplate", {"mode": "proposal", "data": data})


def unsolved(block: Block) -> Block:
    header, target = block.header, int("7fffff" + "00" * 29, 16)
    for nonce in range(1_000):
        header = header._replace(nonce=nonce)
        if int.from_bytes(header.hash, "little") > target:
            break
    return Block(header, block.transactions)


def test_proposals() -> None:
    served = Served(blocks=3)
    chain = served.chain
    assert propose(served, unsolved(chain.block())) is None
    assert propose(served, chain.block(value=9_000_000_000)) == "bad-cb-amount"
    assert propose(served, chain.block(time=5)) == "time-too-old"
    assert propose(served, chain.block(root=bytes(32))) == "bad-txnmrklroot"
    assert propose(served, chain.block(bits=0x207FFFFE)) == "bad-diffbits"
    tip = chain.tip
    assert tip.parent is not None
    aside = chain.block(parent=tip.parent)
    assert propose(served, aside) == "inconclusive-not-best-prevblk"
    assert served.rpc("submitblock", aside.serialize().hex()) == "inconclusive"
    assert propose(served, aside) == "duplicate-inconclusive"
    raw = served.rpc("getblock", shown(tip.hash), 0)
    assert propose(served, raw) == "duplicate"
    served.rpc("invalidateblock", shown(tip.hash))
    assert propose(served, raw) == "duplicate-invalid"
    wrong = {"mode": "proposal", "data": 5}
    missing = "Missing data String key for proposal"
    assert refusal(served, "getblocktemplate", wrong) == (-3, missing)
    assert refusal(served, "getblocktemplate", {"mode": "proposal"}) == (-3, missing)
    assert propose(served, raw + "00") == "duplicate-invalid"  # what is behind a block is ignored
    for text in ("", "zz", "00", raw[:-2]):
        wrong = {"mode": "proposal", "data": text}
        assert refusal(served, "getblocktemplate", wrong) == (-22, "Block decode failed")


# Long polls.


class Clients:
    """Clients on sockets of their own, each waiting in a thread of its own."""

    def __init__(self, served: Served, address: NetAddress, pool: ThreadPoolExecutor) -> None:
        self.served = served
        self._address = address
        self._pool = pool

    def ask(self, method: str, *params: object) -> Any:
        connection = http.client.HTTPConnection(*self._address, timeout=20)
        asked = json.dumps({"id": 1, "method": method, "params": params})
        connection.request("POST", "/", asked, self.served.headers)
        reply = json.loads(connection.getresponse().read())
        connection.close()
        return reply["error"] or reply["result"]

    def poll(self, seen: str) -> "Future[Any]":
        return self._pool.submit(self.ask, "getblocktemplate", {**RULES, "longpollid": seen})


@pytest.fixture
def clients() -> Iterator[Clients]:
    served = Served(blocks=4)
    with ThreadPoolExecutor(10) as pool, running(served) as address:
        yield Clients(served, address, pool)
        served.runtime.request_stop()


def seconds(call: Callable[[], object]) -> float:
    begun = time.monotonic()
    call()
    return time.monotonic() - begun


def test_two_clients_wait_for_a_block(clients: Clients) -> None:
    template = clients.ask("getblocktemplate", RULES)
    polls = [clients.poll(template["longpollid"]) for _ in range(2)]
    time.sleep(0.3)
    assert not any(poll.done() for poll in polls)
    (mined,) = clients.ask("generatetoaddress", 1, ADDRESS)  # plain requests are answered meanwhile
    assert seconds(lambda: [poll.result(5) for poll in polls]) < 2
    for poll in polls:
        assert poll.result()["previousblockhash"] == mined
        assert poll.result()["height"] == template["height"] + 1
    late = clients.poll(template["longpollid"])  # there is another tip already
    assert late.result(5)["previousblockhash"] == mined


def test_transactions_are_looked_at_now_and_then(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (mining.FIRST_LOOK_S, mining.NEXT_LOOK_S) == (60, 10)
    monkeypatch.setattr(mining, "FIRST_LOOK_S", 0.5)
    monkeypatch.setattr(mining, "NEXT_LOOK_S", 0.4)
    served = clients.served
    first, second = served.chain.mature()[:2]
    template = clients.ask("getblocktemplate", RULES)
    poll = clients.poll(template["longpollid"])
    time.sleep(0.7)
    assert not poll.done()  # nothing had changed
    served.wait(served.chain.pay(first, THERE, fee=500))
    assert seconds(lambda: poll.result(5)) < 2
    assert len(poll.result()["transactions"]) == 1
    poll = clients.poll(template["longpollid"])
    assert 0.3 < seconds(lambda: poll.result(5)) < 3  # changed before it came, but it waits
    seen = poll.result()["longpollid"]
    poll = clients.poll(seen)
    served.rpc("prioritisetransaction", poll_txid(served), 0, 5)
    assert poll.result(5)["longpollid"] != seen
    served.wait(served.chain.pay(second, THERE, fee=500))


def poll_txid(served: Served) -> str:
    (txid,) = served.rpc("getrawmempool")
    return str(txid)


def test_only_so_many_may_wait(clients: Clients) -> None:
    seen = clients.ask("getblocktemplate", RULES)["longpollid"]
    polls = [clients.poll(seen) for _ in range(8)]
    time.sleep(0.5)
    refused = clients.ask("getblocktemplate", {**RULES, "longpollid": seen})
    what = "too many long polls are waiting already: try again later"
    assert refused == {"code": -1, "message": what}
    assert clients.ask("getblockcount") == 4
    clients.ask("generatetoaddress", 1, ADDRESS)
    assert {poll.result(5)["height"] for poll in polls} == {6}
    poll = clients.poll("00" * 32)  # there is room again
    assert poll.result(5)["height"] == 6


def test_a_stop_ends_the_waiting(clients: Clients) -> None:
    poll = clients.poll(clients.ask("getblocktemplate", RULES)["longpollid"])
    time.sleep(0.3)
    clients.served.runtime.request_stop()
    assert seconds(lambda: poll.result(5)) < 1
    assert poll.result() == {"code": -9, "message": "Shutting down"}


# Blocks to order.


def outputs_of(served: Served, block_hash: str) -> list[tuple[int, bytes]]:
    block = served.node.chainstate.read_block(bytes.fromhex(block_hash)[::-1])
    assert block is not None
    return [(value, script) for value, script in block.transactions[0].outputs]


def test_a_block_of_exactly_these() -> None:
    served = Served(blocks=6)
    chain = served.chain
    first, second, third = chain.mature()[:3]
    waiting, other = chain.pay(first, THERE, fee=1_000), chain.pay(second, THERE, fee=9_000)
    free = chain.pay(third, ANYONE, fee=0)  # policy would refuse it
    served.wait(waiting, other)
    asked = [shown(waiting.txid), free.serialize().hex()]
    mined = served.rpc("generateblock", ADDRESS, asked)["hash"]
    assert served.rpc("getbestblockhash") == mined
    txids = served.rpc("getblock", mined)["tx"]
    assert txids[1:] == [shown(waiting.txid), shown(free.txid)]
    assert served.rpc("getrawmempool") == [shown(other.txid)]
    assert outputs_of(served, mined)[0] == (5_000_000_000, THERE)  # the fees are nobody's
    made = served.rpc("generateblock", f"addr({ADDRESS})", [], False)
    assert served.rpc("getbestblockhash") == mined
    assert BlockHeader.parse(bytes.fromhex(made["hex"])[:80]).hash[::-1].hex() == made["hash"]
    assert served.rpc("submitblock", made["hex"]) is None
    empty = served.rpc("generateblock", "raw(51)", [])["hash"]
    assert outputs_of(served, empty)[0] == (5_000_000_000, b"\x51")


def test_what_a_block_to_order_is_refused_for() -> None:
    served = Served(blocks=4)
    chain = served.chain
    unknown = "00" * 32
    assert refusal(served, "generateblock", ADDRESS, [unknown]) == (
        -5,
        f"Transaction {unknown} not in mempool.",
    )
    for text in ("00", "zz", "zz" * 32, ""):
        assert refusal(served, "generateblock", ADDRESS, [text]) == (
            -22,
            f"Transaction decode failed for {text}. Make sure the tx has at least one input.",
        )
    parent = chain.pay(chain.mature()[0], THERE, fee=1_000)
    child = chain.pay(chain.output(parent), THERE, fee=1_000)
    wrong = [tx.serialize().hex() for tx in (child, parent)]
    code, text = refusal(served, "generateblock", ADDRESS, wrong)
    assert code == -25
    assert text.startswith("TestBlockValidity failed: bad-txns-inputs-missingorspent")
    for output in ("nonsense", "raw(zz)", "pk(02)", "addr(x)", "raw", "raw()"):
        code, text = refusal(served, "generateblock", output, [])
        assert (code, text.split(":")[:2]) == (-5, ["Error", " Invalid address or descriptor"])
    assert served.rpc("getblockcount") == 4


def test_a_search_that_comes_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served(blocks=1)
    monkeypatch.setattr(served.runtime, "search", lambda block: None)
    assert refusal(served, "generateblock", ADDRESS, []) == (-1, "Failed to make block.")


def test_mining_to_a_descriptor() -> None:
    served = Served()
    hashes = served.rpc("generatetodescriptor", 2, "raw(5152)#00000000")
    assert served.rpc("getbestblockhash") == hashes[-1]
    assert [outputs_of(served, each)[0][1] for each in hashes] == [b"\x51\x52"] * 2


def test_real_money_is_not_mined() -> None:
    served = Served(MAIN)
    real = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
    for method, *asked in (("generateblock", real, []), ("generatetodescriptor", 1, "raw(51)")):
        assert refusal(served, method, *asked) == (-1, "real bitcoins are not mined here")


# Headers, and figures.


def test_headers() -> None:
    served = Served(blocks=2)
    block, orphan = served.chain.block(), served.chain.branch(served.chain.tip, 2)[1]
    assert served.rpc("submitheader", block.serialize()[:80].hex()) is None
    assert served.rpc("submitheader", block.serialize()[:80].hex()) is None
    assert served.rpc("getblockchaininfo")["headers"] == 3
    assert served.rpc("getblockcount") == 2
    previous = shown(orphan.header.prev_hash)
    code, text = refusal(served, "submitheader", orphan.serialize()[:80].hex())
    assert (code, text) == (-25, f"Must submit previous header ({previous}) first")
    late = served.chain.block(time=5)
    assert refusal(served, "submitheader", late.serialize()[:80].hex()) == (-25, "time-too-old")
    assert served.rpc("submitheader", block.serialize().hex()) is None  # the rest is ignored
    for wrong in ("", "zz", "00" * 79):
        assert refusal(served, "submitheader", wrong) == (-22, "Block header decode failed")
    assert served.rpc("submitblock", block.serialize().hex()) is None


def test_figures() -> None:
    served = Served()
    assert served.rpc("getnetworkhashps") == 0
    start = served.chain.now - 10_000
    for number in range(5):
        block = served.chain.block(time=start + 10 * number)
        assert served.rpc("submitblock", block.serialize().hex()) is None
    # Two hashes a block are expected, one block every ten seconds.
    assert served.rpc("getnetworkhashps", 3) == 0.2
    assert served.rpc("getnetworkhashps", 2, 4) == 0.2
    assert served.rpc("getnetworkhashps") == 10 / (start + 40 - REGTEST.genesis.header.time)
    for nblocks in (0, -2):
        code, text = refusal(served, "getnetworkhashps", nblocks)
        assert (code, text) == (-8, "Invalid nblocks. Must be a positive number.")
    for height in (-2, 6):
        code, text = refusal(served, "getnetworkhashps", 5, height)
        assert (code, text) == (-8, "Block does not exist at specified height")
    info = served.rpc("getmininginfo")
    assert info.pop("networkhashps") == served.rpc("getnetworkhashps")
    assert info.pop("difficulty") < 1e-9
    assert info == {
        "blocks": 5,
        "bits": "207fffff",
        "target": "7fffff" + "00" * 29,
        "pooledtx": 0,
        "chain": "regtest",
        "warnings": [],
    }
