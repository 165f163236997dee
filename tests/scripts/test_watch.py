"""`farthing node watch`: gossip as it passes, one decoded line each."""

import io
import json
import re
import socket
import threading
import time

import pytest

from chain.encoding import display_hash
from chain.params import CLASSROOM, REGTEST
from node.events import NetAddress
from node.messages import (
    Addr,
    FeeFilter,
    GetData,
    GetHeaders,
    Headers,
    Inv,
    InventoryItem,
    NotFound,
    PeerAddress,
    Ping,
    Pong,
    SendHeaders,
    Unknown,
)
from scripts import watch
from tests.node.http_support import eventually, frame, listening
from tests.node.test_runtime import HOME, new_runtime, payment, running

HASH = bytes(range(32))


class Watching:
    """`watch.run` in a thread of its own, and what it has printed."""

    def __init__(self, address: NetAddress, as_json: bool = False) -> None:
        self.out = io.StringIO()
        self.code: int | None = None
        self._thread = threading.Thread(target=self._run, args=(address, as_json), daemon=True)
        self._thread.start()

    def _run(self, address: NetAddress, as_json: bool) -> None:
        self.code = watch.run(address, REGTEST, as_json=as_json, out=self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.getvalue().splitlines()

    def sees(self, pattern: str) -> None:
        eventually(lambda: any(re.fullmatch(pattern, line) for line in self.lines))


def test_the_handshake_a_payment_and_a_block_show_with_their_contents() -> None:
    runtime = new_runtime()
    runtime.generate(HOME, 101)
    with running(runtime) as address:
        watching = Watching(address)
        time_of_day = r"\d\d:\d\d:\d\d\.\d\d\d"
        watching.sees(rf"{time_of_day} > version     70016 /Farthing-watch:0\.1\.0/ height 0")
        watching.sees(rf"{time_of_day} < version     70016 /Farthing:0\.1\.0/ height 101")
        watching.sees(rf"{time_of_day} < verack")
        tx = payment(runtime)
        txid = display_hash(tx.txid)
        runtime.submit_transaction(tx)
        watching.sees(rf"{time_of_day} < inv         wtx {display_hash(tx.wtxid)}")
        watching.sees(rf"{time_of_day} > getdata     wtx {display_hash(tx.wtxid)}")
        watching.sees(
            rf"{time_of_day} < tx          {txid}, 1 in, 1 out \(49\.99999000 BTC\), 110 vbytes"
        )
        (mined,) = runtime.generate(HOME, 1)
        block = display_hash(mined)
        watching.sees(rf"{time_of_day} < (inv         block|headers    ) {block}")
        watching.sees(rf"{time_of_day} < block       {block}, 2 transactions, \d+ bytes")
        assert all(re.match(rf"{time_of_day} [<>] \w+", line) for line in watching.lines)
    eventually(lambda: watching.code == 1)


def test_json_lines_are_for_programs() -> None:
    runtime = new_runtime()
    with running(runtime) as address:
        watching = Watching(address, as_json=True)
        eventually(lambda: len(watching.lines) > 4)
    eventually(lambda: watching.code == 1)
    rows = [json.loads(line) for line in watching.lines]
    assert rows[0]["direction"] == "out"
    assert rows[0]["command"] == "version"
    assert {"time", "direction", "command", "summary"} == set(rows[0])
    assert {row["direction"] for row in rows} == {"in", "out"}


def test_nobody_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = NetAddress("127.0.0.1", bound.getsockname()[1])
        assert watch.run(address, REGTEST) == 1
    error = capsys.readouterr().err
    assert error == (
        f"farthing: no node answers at http://127.0.0.1:{address.port}: nobody listens there\n"
    )


def test_a_node_of_another_network_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with running(new_runtime(CLASSROOM)) as address:
        assert watch.run(address, REGTEST, out=io.StringIO()) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"farthing: the link to http://127.0.0.1:{address.port} is closed: ")
    assert error.count("\n") == 1


def test_what_does_not_decode_is_shown_as_such() -> None:
    with listening() as listener:
        watching = Watching(listener.address)
        eventually(lambda: listener.recorder.opened_links)
        (link,) = listener.recorder.opened_links
        link.push(frame("ping", b"short"))
        link.push(frame("novelty", bytes(9)))
        watching.sees(r"\S+ < ping        malformed: .*")
        watching.sees(r"\S+ < novelty     9 bytes")
        listener.links.close(link, "done")
        eventually(lambda: watching.code == 1)


def test_control_c_is_a_good_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watch, "dial", interrupted)
    assert watch.run(NetAddress("127.0.0.1", 1), REGTEST) == 0


def test_a_reader_that_leaves_is_a_good_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    moved: list[int] = []
    monkeypatch.setattr("scripts.watch.os.dup2", lambda old, new: moved.append(new))
    with running(new_runtime()) as address:
        begun = time.monotonic()
        assert watch.run(address, REGTEST, out=Broken()) == 0
        assert time.monotonic() - begun < 3
    assert len(moved) == 1


def test_answers_keep_the_link_going_and_ask_for_contents() -> None:
    tx, block = InventoryItem(1, HASH), InventoryItem(2, HASH)
    header = REGTEST.genesis.header
    assert watch.answers(Ping(7)) == (Pong(7),)
    assert watch.answers(Pong(7)) == ()
    assert watch.answers(GetHeaders(1, (), HASH)) == (Headers(()),)
    assert watch.answers(GetData((tx,))) == (NotFound((tx,)),)
    asked = GetData((InventoryItem(0x40000001, HASH), InventoryItem(0x40000002, HASH)))
    assert watch.answers(Inv((tx, block, InventoryItem(99, HASH)))) == (asked,)
    assert watch.answers(Inv(())) == ()
    assert watch.answers(Headers((header,))) == (
        GetData((InventoryItem(0x40000002, header.hash),)),
    )
    assert watch.answers(SendHeaders()) == ()


def test_each_message_has_its_summary() -> None:
    shown = display_hash(HASH)
    address = PeerAddress.of("10.0.0.1", 18443)
    for message, text in (
        (Addr((address,)), "10.0.0.1:18443"),
        (Ping(255), "00000000000000ff"),
        (FeeFilter(1_234), "1.234 sat/vB"),
        (GetHeaders(70016, (HASH, HASH), bytes(32)), f"after {shown}"),
        (Unknown("x", b"12"), "2 bytes"),
        (SendHeaders(), ""),
        (Inv((InventoryItem(1, HASH),) * 5), ", ".join([f"tx {shown}"] * 3) + " and 2 more"),
        (NotFound((InventoryItem(77, HASH),)), f"77 {shown}"),
    ):
        assert watch.summary(message) == text
