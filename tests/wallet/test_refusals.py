"""A node's refusal in plain words: the figures of both sides, and what to do."""

import pytest

from tests.builders import key, p2wpkh
from tests.node.serving import Served, running
from wallet.client import EsploraClient
from wallet.errors import NodeRefused
from wallet.refusals import advice

ERROR = "sendrawtransaction RPC error -26: "


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("min relay fee not met, 4 < 11", "; pay a fee of at least 11 sat (7 more)"),
        ("mempool min fee not met, 1100 < 1234", "; pay a fee of at least 1,234 sat (134 more)"),
        ("dust, tx with dust output must be 0-fee", "; the amount is too small"),
        ("too-large-cluster", "; too many payments wait"),
        ("something new", ""),
        (
            "insufficient fee, rejecting replacement ab, less fees than conflicting txs; "
            "0.000009 < 0.00001",
            "; it offers 0.000009 BTC where 0.00001 are needed",
        ),
    ],
)
def test_words_for_a_reason(reason: str, said: str) -> None:
    found = advice(ERROR + reason)
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_a_real_node_s_refusal_comes_with_them() -> None:
    served = Served(blocks=5)
    tx = served.chain.pay(served.chain.mature()[0], p2wpkh(key(0)), fee=4)
    with running(served) as address:
        client = EsploraClient(f"http://{address.host}:{address.port}")
        with pytest.raises(NodeRefused, match=r"4 < 11; pay a fee of at least 11 sat \(7 more\)"):
            client.broadcast(tx)
        client.close()
