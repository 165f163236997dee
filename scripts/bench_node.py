"""A node's process: how its start depends on the chain, and how fast it takes in payments.

Four clients that keep their connections post payments, and then ask the same server for `/healthz`,
which does nothing: what is lost between the two is the node's own work.
"""

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from chain.chainstate import Chainstate
from chain.params import REGTEST
from chain.store import MemoryStore, Store
from node.index import Index
from node.storage.opening import open_data
from scripts.bench_blocks import Row, mine
from scripts.bench_kinds import P2WPKH, funded, spend

CLIENTS = 4
SHORT_CHAIN = 100
RUN = [sys.executable, "-m", "farthing", "node", "run", "--block-time", "off"]


def copy(source: Store, folder: Path) -> None:
    """Write a chain that was grown in memory to the disk, indexed, as a node keeps it."""
    store = open_data(folder, REGTEST.magic)
    store.write(dict(source.scan(b"")), True)
    Index(store).catch_up(Chainstate(REGTEST, store))
    store.close()


@contextmanager
def running(datadir: Path, port: int) -> Iterator[float]:
    """A node on this data; how many seconds it took until it was ready.

    Python keeps what it has compiled, beside the data: as for a user, only the first start does it.
    """
    environment = os.environ | {
        "FARTHING_HOME": str(datadir),
        "PYTHONPYCACHEPREFIX": str(datadir.parent / "compiled"),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    begin = time.perf_counter()
    child = subprocess.Popen(
        [*RUN, "--datadir", str(datadir), "--listen", f"127.0.0.1:{port}"],
        stdout=subprocess.PIPE,
        env=environment,
    )
    try:
        if child.stdout is None or b"ready" not in child.stdout.readline():
            raise AssertionError("the node did not start")
        yield time.perf_counter() - begin
    finally:
        child.terminate()
        child.communicate()


def start_row(length: int, rounds: int, port: int) -> Row:
    """Seconds until a node with a long chain is ready, against one with a short chain."""
    times: dict[int, list[float]] = {SHORT_CHAIN: [], length: []}
    chainstate = Chainstate(REGTEST, MemoryStore())
    with tempfile.TemporaryDirectory() as name:
        for count in times:
            while chainstate.tip.height < count:
                mine(chainstate)
            copy(chainstate.store, Path(name) / str(count) / "regtest")
        for _ in range(2 * rounds):  # a start is short: half of them meet some other work
            for count, taken in times.items():
                with running(Path(name) / str(count), port) as ready_s:
                    taken.append(ready_s)
    against = f"with {SHORT_CHAIN}"
    what = f"start of a node with {length:,} blocks"
    return what, min(times[length]), "s", against, min(times[SHORT_CHAIN])


Request = tuple[str, str, bytes]  # method, path, body
IDLE: Request = "GET", "/healthz", b""
ROUNDS = 9
"""Of both kinds of request in turn; the one whose ratio is the median counts."""


def asked(port: int, requests: Sequence[Request]) -> None:
    """One client, one connection, one request after the other; all must be answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for method, path, body in requests:
        connection.request(method, path, body or None)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise AssertionError(f"{path} answered {answer.status}: {text[:80]!r}")
    connection.close()


def all_clients(port: int, requests: Sequence[Request]) -> float:
    """Milliseconds a request, when CLIENTS clients have shared these out."""
    with ThreadPoolExecutor(CLIENTS) as clients:
        begin = time.perf_counter()
        for done in [clients.submit(asked, port, requests[n::CLIENTS]) for n in range(CLIENTS)]:
            done.result()
        return (time.perf_counter() - begin) * 1e3 / len(requests)


def payments_row(count: int, port: int) -> Row:
    """Milliseconds a payment through POST /api/tx, against a request for /healthz."""
    chainstate, coins = funded(P2WPKH, count)
    raws = [spend(P2WPKH, *coin).serialize().hex().encode() for coin in coins]
    pairs: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as name:
        copy(chainstate.store, Path(name) / "node" / "regtest")
        with running(Path(name) / "node", port):
            all_clients(port, [IDLE] * 10 * CLIENTS)  # its threads are started
            for part in range(ROUNDS):
                posts = [("POST", "/api/tx", raw) for raw in raws[part::ROUNDS]]
                taken = all_clients(port, posts)
                pairs.append((taken, all_clients(port, [IDLE] * len(posts))))
    posted, idle = sorted(pairs, key=lambda pair: pair[0] / pair[1])[ROUNDS // 2]
    what = f"a payment by POST /api/tx, {CLIENTS} clients"
    return what, posted, "ms", "a request for /healthz", idle
