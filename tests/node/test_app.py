"""The application of a node: liveness, and errors as one line of text."""

import pytest
from flask.testing import FlaskClient

from chain.store import StoreError
from node.app import create_app
from node.errors import StorageError
from node.runtime import Runtime, Stopping
from tests.node.test_runtime import HOME, new_runtime


@pytest.fixture
def runtime() -> Runtime:
    return new_runtime()


@pytest.fixture
def client(runtime: Runtime) -> FlaskClient:
    app = create_app(runtime)

    @app.get("/fail/<kind>")
    def fail(kind: str) -> str:
        raise {
            "stopping": Stopping("this node is stopping"),
            "storage": StorageError("the disk is full"),
            "store": StoreError("damaged"),
            "bug": AssertionError("a secret of ours"),
        }[kind]

    return app.test_client()


def test_liveness(runtime: Runtime, client: FlaskClient) -> None:
    runtime.generate(HOME, 2)
    reply = client.get("/healthz")
    assert (reply.status_code, reply.text) == (200, "height 2\n")
    runtime.request_stop()
    reply = client.get("/healthz")
    assert (reply.status_code, reply.text) == (503, "stopping\n")


def test_liveness_waits_for_nobody(runtime: Runtime, client: FlaskClient) -> None:
    with runtime.lock:
        assert client.get("/healthz").status_code == 200


def test_a_disk_that_fails_under_a_request_stops_the_node(
    runtime: Runtime, client: FlaskClient
) -> None:
    reply = client.get("/fail/storage")
    assert (reply.status_code, reply.text) == (503, "this node's disk has failed\n")
    assert runtime.failure == "the disk is full"
    assert client.get("/healthz").text == "the disk is full\n"
    assert client.get("/fail/store").status_code == 503


def test_a_fault_shows_nothing_to_strangers(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    reply = client.get("/fail/bug")
    assert (reply.status_code, reply.text) == (500, "a fault of this node; its log tells more\n")
    assert "a secret of ours" in caplog.text


def test_what_is_not_there_and_a_stop_are_one_line(client: FlaskClient) -> None:
    for path, status in (("/no/such/page", 404), ("/p2p", 405), ("/fail/stopping", 503)):
        reply = client.get(path)
        assert reply.status_code == status
        assert reply.text.count("\n") == 1
        assert reply.content_type == "text/plain; charset=utf-8"
