"""A runtime around a real node: clock, effects, mining, failing disks, two of them over HTTP."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

import pytest
from flask import Flask

from chain.block import Block
from chain.errors import Invalid, Reason
from chain.params import CLASSROOM, REGTEST, Params
from chain.store import MemoryStore, Rows, StoreError
from chain.transaction import OutPoint, Transaction, TxOut
from node import transport
from node.config import NodeConfig
from node.core import Node, NodeOptions
from node.errors import StorageError
from node.events import (
    BlockConnected,
    BlockDisconnected,
    DialFailed,
    LinkOpened,
    NetAddress,
    TransactionAccepted,
    TransactionRemoved,
)
from node.messages import Ping, Unknown
from node.runtime import Notification, Runtime, Stopping
from node.server import Server, listen
from node.web_peer import blueprint
from tests.builders import Spendable, key, make_tx, p2wpkh, sign, tx_in
from tests.node.http_support import HERE, Dialler, eventually, frame

OWNER = key(0)
HOME = p2wpkh(OWNER)


def new_runtime(params: Params = REGTEST, store: MemoryStore | None = None) -> Runtime:
    options = NodeOptions(allow_private_peers=True)
    node = Node(params, store or MemoryStore(), rng=Random(), options=options)
    return Runtime(node, None, NodeConfig(params, Path("unused"), HERE))


@contextmanager
def running(runtime: Runtime) -> Iterator[NetAddress]:
    """The runtime behind a real server, its clock ticking, its dials carried out."""
    app = Flask("test")
    app.register_blueprint(blueprint(runtime))
    server = Server(listen(HERE), app, 20)
    server.should_stop, server.on_stop = runtime.stopping.is_set, runtime.request_stop
    runtime.wake_server = server.pull_trigger
    runtime.dial = lambda address: threading.Thread(
        target=transport.dial, args=(runtime.links, runtime.dial_failed, address), daemon=True
    ).start()
    threads = [threading.Thread(target=each) for each in (server.run, runtime.tick_forever)]
    for thread in threads:
        thread.start()
    try:
        yield server.address
    finally:
        runtime.request_stop()
        for thread in threads:
            thread.join(timeout=10)
            assert not thread.is_alive()


def height(runtime: Runtime) -> int:
    return runtime.node.chainstate.tip.height


def payment(runtime: Runtime, height: int = 1, fee: int = 1_000) -> Transaction:
    """A standard transaction that spends the coinbase of the block at `height`, mined to HOME."""
    with runtime.lock:
        block = runtime.node.chainstate.read_block(runtime.node.chainstate.active[height].hash)
    assert block is not None
    coinbase = block.transactions[0]
    coin = Spendable(OutPoint(coinbase.txid, 0), coinbase.outputs[0], OWNER)
    outputs = [TxOut(coin.output.value - fee, HOME)]
    return sign(make_tx([tx_in(coin.outpoint)], outputs), [coin])


def test_it_mines_and_tells_its_subscribers() -> None:
    runtime, told = new_runtime(), list[Notification]()
    runtime.subscribe(told.append)
    hashes = runtime.generate(HOME, 3)
    assert height(runtime) == 3
    assert hashes[-1] == runtime.node.chainstate.tip.hash
    assert [type(each) for each in told] == [BlockConnected] * 3
    changes = runtime.invalidate(hashes[-1])
    assert len(changes.disconnected) == 1
    assert isinstance(told[-1], BlockDisconnected)
    (other,) = runtime.generate(HOME, 1)
    assert other != hashes[-1]  # made anew within the same second, and still another block
    runtime.reconsider(hashes[-1])
    assert height(runtime) == 3
    runtime.unsubscribe(told.append)


def test_a_payment_waits_is_mined_and_its_subscribers_hear_of_it() -> None:
    runtime, told = new_runtime(), list[Notification]()
    runtime.generate(HOME, 101)
    runtime.subscribe(told.append)
    tx = payment(runtime)
    entry = runtime.submit_transaction(tx)
    assert runtime.submit_transaction(tx) is entry
    runtime.generate(HOME, 1)
    kinds = [type(each) for each in told]
    assert kinds.count(TransactionAccepted) == kinds.count(TransactionRemoved) == 1
    block = runtime.node.chainstate.read_block(runtime.node.chainstate.tip.hash)
    assert block is not None
    assert block.transactions[1].txid == tx.txid


def test_the_search_is_real_where_the_work_is() -> None:
    runtime = new_runtime(CLASSROOM)
    (found,) = runtime.generate(HOME, 1)
    assert int.from_bytes(found, "little") <= 0xFFFF << 8 * (0x1F - 3)


def test_a_tip_that_changes_under_the_search_begins_it_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime, rival = new_runtime(), new_runtime()
    rival.generate(HOME, 2)
    blocks = [rival.node.chainstate.read_block(e.hash) for e in (rival.node.chainstate.active[1],)]
    real, calls = runtime.search, []

    def search(block: Block) -> Block | None:
        calls.append(block)
        if len(calls) == 1:
            assert blocks[0] is not None
            runtime.submit_block(blocks[0])
        return real(block)

    monkeypatch.setattr(runtime, "search", search)
    (mined,) = runtime.generate(HOME, 1)
    assert height(runtime) == 2
    assert runtime.node.chainstate.tip.hash == mined
    assert len(calls) == 2


def test_a_search_without_hope_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = new_runtime()
    monkeypatch.setattr("node.runtime.grind", lambda block, start, tries: None)
    block = runtime.assemble(HOME)
    runtime.stopping.set()
    with pytest.raises(Stopping):
        runtime.search(block)


def test_a_block_of_ours_that_is_refused_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = new_runtime()
    assemble = runtime.node.assemble_block

    def wrong(*arguments: object) -> Block:
        block = assemble(*arguments)  # type: ignore[arg-type]
        return Block(block.header._replace(merkle_root=bytes(32)), block.transactions)

    monkeypatch.setattr(runtime.node, "assemble_block", wrong)
    with pytest.raises(Invalid) as caught:
        runtime.generate(HOME, 1)
    assert caught.value.reason is Reason.BAD_TXNMRKLROOT


def test_the_clock_stands_still_where_it_was_set() -> None:
    runtime = new_runtime()
    assert abs(runtime.now() - time.time()) < 1
    runtime.set_mock_time(2_000_000_000)
    assert runtime.now() == 2_000_000_000
    time.sleep(0.02)
    assert runtime.now() == 2_000_000_000
    # What peers wait for goes on.
    assert 2_000_000_000.01 < runtime._event_time() < 2_000_000_005
    runtime.generate(HOME, 1)
    assert runtime.node.chainstate.tip.header.time == 2_000_000_000
    runtime.set_mock_time(0)
    assert abs(runtime.now() - time.time()) < 1


class FailingStore(MemoryStore):
    """Its disk is full from some moment on."""

    is_full = False

    def write(self, batch: Rows, sync: bool = False) -> None:
        if self.is_full:
            raise StorageError("the disk is full: free some space")
        super().write(batch, sync)


def test_a_disk_that_fails_stops_the_node_and_nothing_is_acknowledged_after() -> None:
    store = FailingStore()
    runtime = new_runtime(store=store)
    woken: list[bool] = []
    runtime.wake_server = lambda: woken.append(True)
    runtime.generate(HOME, 1)
    store.is_full = True
    with pytest.raises(StorageError, match="the disk is full"):
        runtime.generate(HOME, 1)
    assert (runtime.failure, height(runtime)) == ("the disk is full: free some space", 1)
    assert runtime.stopping.is_set()
    assert woken
    store.is_full = False
    with pytest.raises(StorageError, match="the disk is full"):
        runtime.generate(HOME, 1)
    runtime.fail("something later")
    assert runtime.failure == "the disk is full: free some space"


def test_a_disk_that_fails_under_an_event_stops_the_node_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime = new_runtime()

    def fail(*_: object) -> list[object]:
        raise StoreError("damaged")

    monkeypatch.setattr(runtime.node, "handle", fail)
    runtime.deliver(LinkOpened(1, True, HERE))
    assert runtime.failure == "damaged"
    runtime.deliver(LinkOpened(2, True, HERE))  # no longer heard


def test_two_runtimes_over_http_agree() -> None:
    one, other = new_runtime(), new_runtime()
    with ExitStack() as stack:
        here = stack.enter_context(running(one))
        stack.enter_context(running(other))
        one.generate(HOME, 150)
        other.connect_to(here)
        eventually(lambda: height(other) == 150)
        tx = payment(one)
        begun = time.monotonic()
        one.submit_transaction(tx)
        eventually(lambda: other.node.mempool.get(tx.txid))
        assert time.monotonic() - begun < 2
        (mined,) = other.generate(HOME, 1)
        eventually(lambda: one.node.chainstate.tip.hash == mined)
        assert not len(one.node.mempool)
        # Under a clock that stands still, news still travels.
        for runtime in (one, other):
            runtime.set_mock_time(int(time.time()) + 100)
        for number in (2, 3, 4):
            one.submit_transaction(payment(one, number))
        eventually(lambda: len(other.node.mempool) == 3)


def test_a_link_that_is_closed_is_dialled_again() -> None:
    one, other = new_runtime(), new_runtime()
    with ExitStack() as stack:
        here = stack.enter_context(running(one))
        stack.enter_context(running(other))
        other.connect_to(here)
        eventually(lambda: other.node.peers and one.node.peers)
        (link,) = one.links.all()
        one.links.close(link, "for the test")
        eventually(lambda: one.links.get(link.number + 1))


def test_a_peer_of_another_network_is_closed_with_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, stranger = new_runtime(), new_runtime(CLASSROOM)
    with ExitStack() as stack:
        caplog.set_level(logging.INFO, "farthing")
        here = stack.enter_context(running(one))
        stack.enter_context(running(stranger))
        stranger.connect_to(here)
        eventually(lambda: "closed: magic" in caplog.text)
    lines = [line for line in caplog.text.splitlines() if "closed: magic" in line]
    assert len(lines) == 1
    assert "expected fabfb5da" in lines[0]


def test_what_is_no_peer_message_costs_the_link() -> None:
    runtime = new_runtime()
    with running(runtime) as here:
        dialler = Dialler(here)
        name = dialler.open()
        garbled = frame("version", b"too short")
        assert dialler.status(body=garbled, Farthing_Link=name, Farthing_Seq="1") == 410
        assert runtime.links.all() == []
        dialler.close()


def test_who_does_not_read_is_closed() -> None:
    runtime = new_runtime()
    with running(runtime) as here:
        dialler = Dialler(here)
        dialler.open()
        (link,) = runtime.links.all()
        assert runtime.node.backlog(link.number) == 0
        big = Unknown("big", bytes(3_900_000))
        for _ in range(4):
            runtime._send(link.number, big)
        assert runtime.node.backlog(link.number) == 4 * 3_900_024
        runtime._send(link.number, big)
        assert link.closed
        assert runtime.node.backlog(link.number) == 0
        runtime._send(link.number, Ping(1))  # too late, and no harm
        dialler.close()


def test_without_a_transport_a_dial_fails() -> None:
    runtime = new_runtime()
    heard: list[object] = []
    handle = runtime.node.handle
    runtime.node.handle = lambda event, now: (heard.append(event), handle(event, now))[1]  # type: ignore[method-assign]
    address = NetAddress("127.0.0.1", 20_000)
    runtime.connect_to(address)
    assert heard == [DialFailed(address)]


def test_the_lock_lets_who_waits_come_next() -> None:
    runtime = new_runtime()
    turns: list[str] = []
    stop = threading.Event()

    def hog() -> None:
        while not stop.is_set():
            with runtime.lock:
                turns.append("hog")
                time.sleep(0.002)

    hogging = threading.Thread(target=hog)
    hogging.start()
    begun = time.monotonic()
    for _ in range(20):
        with runtime.lock, runtime.lock:
            turns.append("other")
    assert time.monotonic() - begun < 1
    stop.set()
    hogging.join()
    runtime.lock.acquire()
    results: list[bool] = []
    for _ in range(2):
        waiting = threading.Thread(target=lambda: results.append(runtime.lock.acquire(0.05)))
        waiting.start()
        waiting.join()
    assert results == [False, False]
    runtime.lock.release()
