"""JSON-RPC over HTTP: dialects, batches, credentials, and who is kept out."""

import base64
import json
from decimal import Decimal
from typing import Any

import pytest
from werkzeug.test import TestResponse

from node.errors import StorageError
from tests.builders import key, p2wpkh
from tests.node.serving import Served, shown


@pytest.fixture
def served() -> Served:
    return Served(blocks=3)


def post(served: Served, body: object, **headers: str) -> TestResponse:
    """A request of the operator, with other headers in place of some."""
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return served.client.post("/", data=text, headers={**served.headers, **headers})


def reply(served: Served, body: object, status: int) -> Any:
    response = post(served, body)
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.headers["Content-Type"] == "application/json"
    return json.loads(response.get_data())


COUNT: dict[str, Any] = {"method": "getblockcount", "params": [], "id": 1}
NOT_FOUND = {"code": -32601, "message": "Method not found"}
OUT_OF_RANGE = {"code": -8, "message": "Block height out of range"}


@pytest.mark.parametrize("version", [{}, {"jsonrpc": None}, {"jsonrpc": "1.0"}, {"jsonrpc": "1.1"}])
def test_the_old_dialect(served: Served, version: dict[str, Any]) -> None:
    asked = {**COUNT, **version, "version": "1.1"}
    assert reply(served, asked, 200) == {"result": 3, "error": None, "id": 1}
    answer = reply(served, {**asked, "method": "getinfo"}, 404)
    assert answer == {"result": None, "error": NOT_FOUND, "id": 1}
    answer = reply(served, {**asked, "method": "getblockhash", "params": [9]}, 500)
    assert answer == {"result": None, "error": OUT_OF_RANGE, "id": 1}
    del asked["id"]
    assert reply(served, asked, 200) == {"result": 3, "error": None, "id": None}


def test_the_new_dialect(served: Served) -> None:
    asked = {**COUNT, "jsonrpc": "2.0", "id": "name"}
    assert reply(served, asked, 200) == {"jsonrpc": "2.0", "result": 3, "id": "name"}
    answer = reply(served, {**asked, "method": "getinfo"}, 200)
    assert answer == {"jsonrpc": "2.0", "error": NOT_FOUND, "id": "name"}
    answer = reply(served, {**asked, "method": "getblockhash", "params": [9]}, 200)
    assert answer == {"jsonrpc": "2.0", "error": OUT_OF_RANGE, "id": "name"}
    asked["id"] = None
    assert reply(served, asked, 200) == {"jsonrpc": "2.0", "result": 3, "id": None}


def test_a_notification_is_carried_out_and_not_answered(served: Served) -> None:
    asked = {"jsonrpc": "2.0", "method": "setmocktime", "params": [1_700_000_000]}
    for each in (asked, [asked], {**asked, "method": "nope"}):
        response = post(served, each)
        assert (response.status_code, response.get_data()) == (204, b"")
    assert served.runtime.now() == 1_700_000_000


def test_batches(served: Served) -> None:
    new, wrong = {**COUNT, "jsonrpc": "2.0", "id": 2}, {**COUNT, "method": "nope", "id": 3}
    silent = {"jsonrpc": "2.0", "method": "getblockcount"}
    assert reply(served, [COUNT, new, silent, wrong, 5], 200) == [
        {"result": 3, "error": None, "id": 1},
        {"jsonrpc": "2.0", "result": 3, "error": None, "id": 2},
        {"result": None, "error": NOT_FOUND, "id": 3},
        {
            "result": None,
            "error": {"code": -32600, "message": "Invalid Request object"},
            "id": None,
        },
    ]
    assert reply(served, [], 200) == []
    (answer,) = reply(served, [{**new, "method": "nope"}], 200)
    assert answer == {"jsonrpc": "2.0", "error": NOT_FOUND, "id": 2}


def test_names_for_parameters(served: Served) -> None:
    asked = {**COUNT, "method": "getblockhash", "params": {"height": 3}}
    assert reply(served, asked, 200)["result"] == shown(served.chain.tip.hash)
    for nothing in ({"params": None}, {"params": {}}):
        assert reply(served, {**COUNT, **nothing}, 200)["result"] == 3
    assert reply(served, {"method": "getblockcount", "id": 1}, 200)["result"] == 3


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "Parse error"),
        ("{", "Parse error"),
        (b"\xff", "Parse error"),
        ("[" * 100_000, "Parse error"),
        ('{"method": "getblockcount", "id": NaN}', "Parse error"),
        ('{"method": "getblockcount", "id": 1e99999999999999999999}', "Parse error"),
        ("5", "Top-level object parse error"),
        ('"text"', "Top-level object parse error"),
    ],
)
def test_what_is_no_json(served: Served, body: str | bytes, message: str) -> None:
    answer = reply(served, body, 500)
    error = {"code": -32700, "message": message}
    assert answer == {"result": None, "error": error, "id": None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": 5}, "Method must be a string"),
        ({"method": None}, "Method must be a string"),
        ({"params": "text"}, "Params must be an array or object"),
        ({"jsonrpc": "3.0"}, "JSON-RPC version not supported"),
        ({"jsonrpc": 2.0}, "JSON-RPC version not supported"),
        ({"jsonrpc": []}, "JSON-RPC version not supported"),
    ],
)
def test_what_is_no_request(served: Served, change: dict[str, Any], message: str) -> None:
    answer = reply(served, {**COUNT, **change}, 400)
    assert answer == {"result": None, "error": {"code": -32600, "message": message}, "id": 1}


@pytest.mark.parametrize("name", ["1.5", "1E+400", "-7", "true", '"\\ud800"', "null"])
def test_an_id_comes_back_as_it_was(served: Served, name: str) -> None:
    response = post(served, f'{{"method": "getblockcount", "id": {name}}}')
    assert response.get_data(as_text=True).endswith(f'"id":{name}}}\n')


@pytest.mark.parametrize("name", [[], {}, [[[]]], json.loads("[" * 900 + "]" * 900)])
def test_an_id_has_nothing_within(served: Served, name: Any) -> None:
    """Or a reply might be too deep to be written, though the request could just be read."""
    message = "Id must be a string, a number or null"
    answer = reply(served, {**COUNT, "id": name}, 400)
    assert answer == {"result": None, "error": {"code": -32600, "message": message}, "id": None}


def test_a_request_without_a_method(served: Served) -> None:
    assert reply(served, {"id": 4}, 400)["error"]["message"] == "Missing method"
    new = reply(served, {"id": 4, "jsonrpc": "2.0"}, 200)
    assert new["error"] == {"code": -32600, "message": "Missing method"}


def test_amounts_are_exact_numbers(served: Served) -> None:
    tx = served.chain.pay(served.chain.mature()[0], p2wpkh(key(1)), fee=10_000_001)
    asked = {"method": "sendrawtransaction", "params": [tx.serialize().hex(), 0], "id": 1}
    assert reply(served, asked, 200)["result"] == shown(tx.txid)
    response = post(served, {"method": "getmempoolinfo", "id": 1})
    assert b'"total_fee":0.10000001,' in response.get_data()
    exact = json.loads(response.get_data(), parse_float=Decimal)["result"]
    assert exact["mempoolminfee"] == Decimal("0.00000100")
    # A feerate on the way in does not pass through a float either.
    body = '{"method": "sendrawtransaction", "params": ["00", 0.123456789], "id": 1}'
    assert reply(served, body, 500)["error"] == {"code": -3, "message": "Invalid amount"}


# Who may ask.


def test_without_credentials(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("node.web_rpc.time.sleep", waits.append)
    wrong = base64.b64encode(b"__cookie__:guess").decode()
    cookie = served.headers["Authorization"].split()[1]
    tries = ["", f"Bearer {cookie}", f"Basic {wrong}", "Basic !", "Basic", "Basic \xe9\xe9"]
    for number, shows in enumerate(tries):
        headers = {"Authorization": shows} if shows else {}
        response = served.client.post("/", json=COUNT, headers=headers)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == 'Basic realm="jsonrpc"'
        assert response.headers["Content-Type"] == "text/plain"
        assert len(waits) == max(0, number - 1)
    assert set(waits) == {0.25}


def test_with_credentials(served: Served) -> None:
    shown_as = served.headers["Authorization"].split()[1]
    for scheme in ("Basic", "basic", "BASIC"):
        assert post(served, COUNT, Authorization=f"{scheme} {shown_as}").status_code == 200


def test_no_page_in_a_browser_gets_in(served: Served) -> None:
    response = post(served, COUNT, Origin="http://127.0.0.1:18443")
    assert response.status_code == 403
    assert post(served, COUNT, Origin="null").status_code == 403
    assert response.get_data(as_text=True).count("\n") == 1
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.1:18443"])
def test_a_foreign_host_is_refused(served: Served, host: str) -> None:
    assert post(served, COUNT, Host=host).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:18443", "localhost:18443", "localhost", "[::1]:18443"])
def test_our_own_names(served: Served, host: str) -> None:
    assert post(served, COUNT, Host=host).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_other_methods(served: Served, method: str) -> None:
    response = served.client.open("/", method=method)
    assert response.status_code == 405
    assert response.get_data() == b"JSONRPC server handles only POST requests\n"


# Trouble.


def test_a_disk_that_fails_is_one_line(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(served.store, "write", fail)
    block = served.chain.block().serialize().hex()
    response = post(served, {"method": "submitblock", "params": [block], "id": 1})
    assert response.status_code == 503
    assert response.get_data(as_text=True).count("\n") == 1
    assert served.runtime.stopping.is_set()
    asked = {
        "method": "generatetoaddress",
        "params": [1, "bcrt1qcava4gh0d6jqcnh9n9zs2fq2v8u0kplxkxq3xl"],
        "id": 1,
    }
    assert post(served, asked).status_code == 503
