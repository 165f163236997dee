"""The RPC's methods on the node itself."""

import random
import time

from chain.params import MAIN
from node.core import Node
from node.events import LinkOpened, NetAddress, Received, Send
from node.messages import Message
from tests.builders import key, p2wpkh
from tests.node.serving import Served, refusal

ADDRESS = "bcrt1qcava4gh0d6jqcnh9n9zs2fq2v8u0kplxkxq3xl"


def test_mining_on_demand() -> None:
    served = Served(blocks=3)
    hashes = served.rpc("generatetoaddress", 2, ADDRESS)
    assert [served.rpc("getblockhash", height) for height in (4, 5)] == hashes
    coinbase = served.node.chainstate.read_block(served.chain.tip.hash)
    assert coinbase is not None
    assert coinbase.transactions[0].outputs[0].script_pubkey == p2wpkh(key(1))
    tx = served.chain.pay(served.chain.mature()[0], p2wpkh(key(0)), fee=1_000)
    (txid,) = served.wait(tx)
    (mined,) = served.rpc("generatetoaddress", 1, ADDRESS)
    assert txid in served.rpc("getblock", mined)["tx"]
    assert served.rpc("generatetoaddress", 0, ADDRESS) == []
    code, text = refusal(served, "generatetoaddress", 1, "nonsense")
    assert (code, text.startswith("Error: Invalid address")) == (-5, True)


def test_real_money_is_neither_mined_nor_given_another_time() -> None:
    served = Served(MAIN)
    real = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
    assert refusal(served, "generatetoaddress", 1, real)[0] == -1
    assert refusal(served, "setmocktime", 5)[0] == -1


def test_a_block_of_our_own_that_is_refused() -> None:
    served = Served(blocks=3)
    served.rpc("setmocktime", served.chain.tip.header.time - 7_300)
    code, text = refusal(served, "generatetoaddress", 1, ADDRESS)
    assert code == -1
    assert text.startswith("ProcessNewBlock, block not accepted: time-too-new")


def test_the_clock() -> None:
    served = Served()
    served.rpc("setmocktime", 1_700_000_000)
    assert served.runtime.now() == 1_700_000_000
    served.rpc("setmocktime", 0)
    assert abs(served.runtime.now() - time.time()) < 5
    for wrong in (-1, 2**32):
        code, text = refusal(served, "setmocktime", wrong)
        assert code == -8
        assert text == f"Mocktime must be in the range [0, 4294967295], not {wrong}."


def test_uptime() -> None:
    served = Served()
    assert served.rpc("uptime") in (0, 1)
    served.runtime.started_at -= 100
    assert served.rpc("uptime") in (100, 101)


def test_stopping() -> None:
    served = Served()
    assert served.rpc("stop") == "Farthing stopping"
    assert not served.runtime.stopping.is_set()  # the answer goes out first
    assert served.runtime.stopping.wait(5)


def shake_hands(served: Served, link: int, *, inbound: bool, address: NetAddress) -> None:
    """Link the served node with another one, which is thrown away."""
    other = Node(served.node.params, type(served.store)(), rng=random.Random(2))
    now = served.runtime.now()
    to_other = list(served.node.handle(LinkOpened(link, inbound, address), now))
    to_us = list(other.handle(LinkOpened(1, not inbound, None), now))
    while to_other or to_us:
        answers = [each for each in to_us if isinstance(each, Send)]
        to_us = [
            e for sent in to_other if isinstance(sent, Send) for e in tell(other, 1, sent, now)
        ]
        to_other = [e for sent in answers for e in tell(served.node, link, sent, now)]


def tell(node: Node, link: int, sent: Send, now: float) -> list[object]:
    message: Message = sent.message
    return list(node.handle(Received(link, message.command, message.payload()), now))


def test_the_network() -> None:
    served = Served(blocks=2)
    assert served.rpc("getpeerinfo") == []
    shake_hands(served, 7, inbound=True, address=NetAddress("10.0.0.1", 50_000))
    served.node.handle(LinkOpened(8, False, NetAddress("::1", 18_444)), served.runtime.now())
    info = served.rpc("getnetworkinfo")
    assert info["subversion"].startswith("/Satoshi:28.0.0/Farthing:")
    assert info["version"] == 280_000
    assert info["protocolversion"] == 70_016
    assert info["localservices"] == "0000000000000009"
    assert info["localservicesnames"] == ["NETWORK", "WITNESS"]
    assert info["localrelay"] is True
    counts = (info["connections"], info["connections_in"], info["connections_out"])
    assert counts == (2, 1, 1)
    assert (info["relayfee"], info["incrementalfee"]) == (0.000001, 0.000001)
    known, new = served.rpc("getpeerinfo")
    assert (known["id"], known["addr"], known["inbound"]) == (7, "10.0.0.1:50000", True)
    assert known["subver"].startswith("/Farthing:")
    assert (known["version"], known["services"]) == (70_016, "0000000000000009")
    assert known["servicesnames"] == ["NETWORK", "WITNESS"]
    assert (known["startingheight"], known["relaytxes"]) == (0, True)
    assert known["connection_type"] == "inbound"
    assert (new["id"], new["addr"]) == (8, "[::1]:18444")
    assert (new["version"], new["subver"], new["startingheight"]) == (0, "", -1)
    assert (new["synced_headers"], new["synced_blocks"]) == (-1, -1)
    assert new["connection_type"] == "outbound-full-relay"
    assert "pingtime" not in new
    served.node.peers[7].ping_time_s = 0.25
    served.node.peers[7].learn_block(served.chain.tip)
    known = served.rpc("getpeerinfo")[0]
    assert known["pingtime"] == 0.25
    assert (known["synced_headers"], known["synced_blocks"]) == (2, 2)
