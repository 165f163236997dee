"""Fitting arguments to parameters: by place, by name, both, and neither."""

import pytest

from node.rpc.methods import TABLE, call
from node.rpc.values import RpcError
from tests.node.serving import Served

GENESIS = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
# What operators and programs may rely on.
NAMES = """estimatesmartfee generateblock generatetoaddress generatetodescriptor getbestblockhash
getblock getblockchaininfo getblockcount getblockhash getblockheader getblocktemplate getchaintips
getmempoolancestors getmempoolcluster getmempooldescendants getmempoolentry getmempoolinfo
getmininginfo getnetworkhashps getnetworkinfo getpeerinfo getprioritisedtransactions getrawmempool
getrawtransaction gettxout gettxoutsetinfo help invalidateblock preciousblock prioritisetransaction
reconsiderblock savemempool sendrawtransaction setmocktime stop submitblock submitheader
submitpackage testmempoolaccept uptime"""


@pytest.fixture(scope="module")
def served() -> Served:
    return Served(blocks=2)


def refusal(served: Served, name: str, *places: object, **names: object) -> tuple[int, str]:
    with pytest.raises(RpcError) as caught:
        call(served.runtime, name, names or places)
    return caught.value.code, str(caught.value)


def test_the_methods() -> None:
    assert sorted(TABLE) == NAMES.split()


@pytest.mark.parametrize("name", ["getinfo", "", "__init__", "GETBLOCK", "METHODS"])
def test_what_is_no_method(served: Served, name: str) -> None:
    assert refusal(served, name) == (-32601, "Method not found")


def test_by_place_by_name_and_both(served: Served) -> None:
    raw = call(served.runtime, "getblock", [GENESIS, 0])
    assert call(served.runtime, "getblock", {"blockhash": GENESIS, "verbosity": 0}) == raw
    assert call(served.runtime, "getblock", {"args": [GENESIS], "verbosity": 0}) == raw
    assert call(served.runtime, "getblock", {"args": [GENESIS, 0]}) == raw
    assert call(served.runtime, "getblock", {"verbosity": False, "blockhash": GENESIS}) == raw
    assert call(served.runtime, "getblockcount", {}) == 2
    assert call(served.runtime, "getblockcount", []) == 2


def test_null_is_the_same_as_nothing(served: Served) -> None:
    block = call(served.runtime, "getblock", [GENESIS])
    assert call(served.runtime, "getblock", [GENESIS, None]) == block
    assert call(served.runtime, "getblock", {"blockhash": GENESIS, "verbosity": None}) == block
    code, text = refusal(served, "getblock", None)
    assert (code, text) == (-3, "blockhash: JSON value of type null is not of expected type string")


def test_too_many_and_too_few(served: Served) -> None:
    usage = "getblock blockhash ( verbosity )\n\nA block: 0 hex, 1 with txids"
    for places in ((), (GENESIS, 1, 2)):
        code, text = refusal(served, "getblock", *places)
        assert code == -1
        assert text.startswith(usage)
    assert refusal(served, "getblock", verbosity=1)[0] == -1
    assert refusal(served, "getblockcount", 1)[0] == -1


def test_names_that_do_not_fit(served: Served) -> None:
    assert refusal(served, "getblock", block=GENESIS) == (-8, "Unknown named parameter block")
    twice = "Parameter blockhash specified twice both as positional and named argument"
    assert refusal(served, "getblock", args=[GENESIS], blockhash=GENESIS) == (-8, twice)
    answer = (-8, "Parameter args must be an array")
    assert refusal(served, "getblock", args=GENESIS) == answer


@pytest.mark.parametrize(
    ("name", "places", "code", "text"),
    [
        ("getblockhash", ["1"], -3, "height: JSON value of type string"),
        ("getblockhash", [True], -3, "height: JSON value of type bool is not of expected type num"),
        ("getblockheader", [GENESIS, 1], -3, "verbose: JSON value of type number is not of expect"),
        (
            "getblock",
            [5],
            -3,
            "blockhash: JSON value of type number is not of expected type string",
        ),
        ("getblock", [[]], -3, "blockhash: JSON value of type array"),
        ("getblock", [{}], -3, "blockhash: JSON value of type object"),
        (
            "getblock",
            [GENESIS, "1"],
            -3,
            "verbosity: JSON value of type string is not of expected t",
        ),
        ("getblock", ["12"], -8, "blockhash must be of length 64 (not 2, for '12')"),
        ("getblockheader", ["12"], -8, "hash must be of length 64 (not 2, for '12')"),
        ("getblock", ["z" * 64], -8, "blockhash must be hexadecimal string (not 'zzzz"),
        (
            "testmempoolaccept",
            ["00"],
            -3,
            "rawtxs: JSON value of type string is not of expected ty",
        ),
        ("testmempoolaccept", [[1]], -3, "rawtxs: JSON value of type number is not of expected ty"),
        ("sendrawtransaction", ["00", []], -3, "Amount is not a number or string"),
    ],
)
def test_types(served: Served, name: str, places: list[object], code: int, text: str) -> None:
    found, why = refusal(served, name, *places)
    assert found == code
    assert why.startswith(text)


def test_help(served: Served) -> None:
    lines = call(served.runtime, "help", []).split("\n")
    assert [line.split()[0] for line in lines] == NAMES.split()
    assert "getrawtransaction txid ( verbosity blockhash )" in lines
    text = call(served.runtime, "help", ["getblockcount"])
    assert text == "getblockcount\n\nThe height of the tip."
    assert call(served.runtime, "help", ["nope"]) == "help: unknown command: nope"
