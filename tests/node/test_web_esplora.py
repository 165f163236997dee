"""Esplora's API as HTTP: statuses, types, caching, CORS, limits."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.builders import key, p2wpkh
from tests.node.serving import Served, shown

UNKNOWN = "ab" * 32
GENESIS = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
FIVE_YEARS = "public, max-age=157784630"


@pytest.fixture
def served() -> Served:
    return Served(blocks=3)


def ask(served: Served, path: str, method: str = "GET", **options: Any) -> TestResponse:
    response = served.client.open("/api" + path, method=method, **options)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    return response


@pytest.mark.parametrize(
    ("path", "kind", "caching"),
    [
        ("/blocks/tip/height", "text/plain", "public, max-age=0"),
        ("/blocks/tip/hash", "text/plain", "public, max-age=0"),
        ("/blocks", "application/json", "public, max-age=0"),
        ("/block-height/0", "text/plain", "public, max-age=0"),
        (f"/block/{GENESIS}", "application/json", FIVE_YEARS),
        (f"/block/{GENESIS}/header", "text/plain", FIVE_YEARS),
        (f"/block/{GENESIS}/raw", "application/octet-stream", FIVE_YEARS),
        (f"/block/{GENESIS}/txids", "application/json", FIVE_YEARS),
        (f"/block/{GENESIS}/txid/0", "text/plain", FIVE_YEARS),
        (f"/block/{GENESIS}/status", "application/json", "public, max-age=0"),
        (f"/block/{GENESIS}/txs", "application/json", "public, max-age=0"),
        (f"/tx/{UNKNOWN}/status", "application/json", "public, max-age=0"),
        (f"/scripthash/{UNKNOWN}", "application/json", "public, max-age=0"),
        ("/fee-estimates", "application/json", "public, max-age=0"),
        ("/mempool/recent", "application/json", "public, max-age=0"),
    ],
)
def test_types_and_caching(served: Served, path: str, kind: str, caching: str) -> None:
    response = ask(served, path)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == kind
    assert response.headers["Cache-Control"] == caching
    assert not response.get_data().endswith(b"\n")


def test_text_is_bare(served: Served) -> None:
    assert ask(served, "/blocks/tip/height").get_data() == b"3"
    assert ask(served, "/block-height/0").get_data() == GENESIS.encode()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/nope"),
        ("GET", "/blocks/tip"),
        ("GET", "/blocks/tip/nope"),
        ("GET", "/block"),
        ("GET", f"/block/{GENESIS}/"),
        ("GET", f"/block/{GENESIS}/nope"),
        ("GET", f"/block//{GENESIS}"),
        ("GET", f"/tx/{UNKNOWN}/nope"),
        ("GET", "/tx"),
        ("GET", "/mempool/nope"),
        ("GET", f"/scripthash/{UNKNOWN}/nope"),
        ("GET", '/"quoted"'),
        ("POST", "/blocks"),
        ("POST", "/tx/"),
        ("PUT", "/tx"),
        ("PATCH", "/tx"),
        ("DELETE", "/tx"),
    ],
)
def test_what_there_is_not(served: Served, method: str, path: str) -> None:
    if path == "/blocks/tip":
        # "tip" is no height and so as good as absent.
        assert ask(served, path).get_json() == ask(served, "/blocks").get_json()
        return
    response = ask(served, f"{path}?with=query", method)
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "text/plain"
    assert response.get_data(as_text=True) == f'endpoint does not exist "{path}"'
    assert "Cache-Control" not in response.headers


def test_the_root_without_a_slash(served: Served) -> None:
    assert ask(served, "").get_data() == b'endpoint does not exist "/"'


def test_head_is_not_answered(served: Served) -> None:
    assert ask(served, "/blocks/tip/height", "HEAD").status_code == 404


def test_a_browser_may_ask_first(served: Served) -> None:
    response = ask(served, "/tx", "OPTIONS", headers={"Origin": "http://example.com"})
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert response.headers["Access-Control-Allow-Headers"] == "Content-Type"


def test_refusals_are_text_and_never_those_that_are_tried_again(served: Served) -> None:
    tx = served.chain.pay(served.chain.mature()[0], p2wpkh(key(1)), fee=0)
    bodies = ["", "00", "zz", tx.serialize().hex(), b"\xff\xfe"]
    for body in bodies:
        response = ask(served, "/tx", "POST", data=body)
        assert response.status_code == 400
        assert response.headers["Content-Type"] == "text/plain"
        assert "Cache-Control" not in response.headers


def test_handing_in(served: Served) -> None:
    tx = served.chain.pay(served.chain.mature()[0], p2wpkh(key(1)), fee=1_000)
    text = tx.serialize().hex()
    kinds = ("text/plain", "application/x-www-form-urlencoded", "application/json", None)
    for kind in kinds:
        response = ask(served, "/tx", "POST", data=text, content_type=kind)
        assert response.status_code == 200
        assert response.get_data(as_text=True) == shown(tx.txid)
        assert response.headers["Content-Type"] == "text/plain"
        assert response.headers["Cache-Control"] == "public, max-age=0"


def test_a_body_that_is_too_long(served: Served) -> None:
    response = ask(served, "/tx", "POST", data="0" * 1_000_001)
    assert (response.status_code, response.get_data()) == (413, b"Request body too large")
    assert ask(served, "/tx", "POST", data="0" * 1_000_000).status_code == 400
