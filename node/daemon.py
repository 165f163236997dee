"""A node process from start to stop: lock, store, node, server, cookie; and back again.

It knows the order in which these come and go, and who must be told in one line when one of them
can't be had. Whatever ends the process ends it here. Beside it: Bitcoin Core, `src/init.cpp`
(AppInitMain, Shutdown).
"""

import contextlib
import gc
import logging
import logging.handlers
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from types import FrameType

from chain.script.check import Verifier
from chain.store import Store
from node.app import create_app
from node.config import ConfigError, NodeConfig
from node.core import Node, NodeOptions
from node.errors import StorageError
from node.events import NetAddress
from node.index import Index
from node.mempool.saved import NOTHING, restore
from node.mempool_file import load, write_private
from node.miner import Miner
from node.runtime import DISK_FAILURES, Runtime
from node.script_workers import ScriptWorkers
from node.server import AddressInUse, Server, listen
from node.storage.opening import DirectoryLock, open_data
from node.storage.trouble import disk_trouble

SWITCH_INTERVAL_S = 0.001
"""How long a busy thread keeps the others waiting: a post takes 4 ms beside one instead of 12."""
GARBAGE_THRESHOLDS = 100_000, 10, 10
"""Objects between two looks for garbage in cycles: a full block makes 70,000 that are in none."""
MAX_LOG_BYTES = 10_000_000
"""Of debug.log, and of the one before it."""
RESTORED_AT_ONCE = 20
"""Transactions taken in again between two turns of others."""
STOP_S = 5.0
"""How long a stop waits for what the node is doing at the moment."""
EXPECTED = (*DISK_FAILURES, ConfigError, AddressInUse)
log = logging.getLogger("farthing")


def run(config: NodeConfig) -> int:
    """Run a node until it is told to stop; the exit code: 0, or 1 with one line on stderr."""
    tune_interpreter()
    _on_signals(_end)
    try:
        with DirectoryLock(config.folder):
            return _run(config)
    except EXPECTED as error:
        print(f"farthing: {error}", file=sys.stderr)
        return 1
    except SystemExit:
        return 0


def tune_interpreter() -> None:
    """Set what Python leaves to a program, for the whole process."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    gc.freeze()  # what is imported stays


def _on_signals(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, handler)


def _end(number: int, frame: FrameType | None) -> None:
    """While the node is being opened, the first signal ends that; the rest are too many."""
    _on_signals(signal.SIG_IGN)
    raise SystemExit(0)


def _run(config: NodeConfig) -> int:
    script_pubkey = config.mine_to_script
    with contextlib.ExitStack() as stack:
        bound = stack.enter_context(listen(config.listen))
        config = replace(config, listen=NetAddress(*bound.getsockname()[:2]))
        stack.enter_context(_logging(config.log_file))
        store = open_data(config.folder, config.params.magic, config.engine)
        with contextlib.ExitStack() as refused:  # the data may be of no use
            refused.callback(store.close)
            verifier = stack.enter_context(ScriptWorkers(config.threads))
            runtime = _runtime(config, store, verifier)
            refused.pop_all()
        stack.callback(_close, runtime, store)
        stack.callback(config.cookie_file.unlink, missing_ok=True)
        server = Server(bound, create_app(runtime), config.max_inbound)
        runtime.wake_server = server.pull_trigger
        server.should_stop, server.on_stop = runtime.stopping.is_set, runtime.request_stop
        server.on_ready = lambda: _ready(runtime)
        if script_pubkey is not None:
            miner = Miner(runtime, script_pubkey, config.block_time)
            miner.start()
            stack.callback(miner.stop)
        stack.callback(runtime.request_stop)
        _on_signals(lambda *_: server.stop_soon())
        server.run()
    if runtime.failure is not None:
        print(f"farthing: {runtime.failure}", file=sys.stderr)
        return 1
    log.info("stopped")
    return 0


def _runtime(config: NodeConfig, store: Store, verifier: Verifier) -> Runtime:
    """The node on its store, as configured."""
    index = None if config.no_index else Index(store)
    host, _ = config.listen
    options = NodeOptions(
        allow_private_peers=config.allow_private_peers,
        listen_address=None if ip_address(host).is_unspecified else config.listen,
        max_inbound=config.max_inbound,
        max_outbound=0 if config.connect_only else NodeOptions().max_outbound,
        policy=config.policy,
    )
    node = Node(
        config.params,
        store,
        rng=random.SystemRandom(),
        options=options,
        verifier=verifier,
        indexers=() if index is None else (index,),
        scripts_in_order=config.threads == 1,
    )
    if index is not None:
        index.catch_up(node.chainstate)
    runtime = Runtime(node, index, config)
    runtime.dial = lambda address: _start(_dial, runtime, address)
    runtime.is_mempool_loaded = not config.persist_mempool
    return runtime


def _start(work: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=work, args=arguments, name=work.__name__, daemon=True).start()


def _dial(runtime: Runtime, address: NetAddress) -> None:
    # lazy: requests takes as long to import as the rest together; a node answers before that
    from node.transport import dial

    dial(runtime.links, runtime.dial_failed, address)


def _ready(runtime: Runtime) -> None:
    """The server's loop runs: from now on the node answers."""
    config = runtime.config
    write_private(config.cookie_file, runtime.credentials.encode())
    host, port = config.listen
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    text = (
        f"farthing node ready at {url} ({config.params.name}, "
        f"height {runtime.node.chainstate.tip.height}, data in {config.folder})"
    )
    log.info("%s", text)
    with contextlib.suppress(OSError):  # nobody has to read it
        print(text, flush=True)
    _start(_live, runtime)
    if not runtime.is_mempool_loaded:
        _start(_restore, runtime)


def _live(runtime: Runtime) -> None:
    """Dial the peers that were named, then let time pass."""
    try:
        for peer in runtime.config.peers:
            try:
                runtime.connect_to(peer)
            except ValueError as error:
                log.warning("--peer %s:%d: %s", *peer, error)
        runtime.tick_forever()
    except Exception:
        log.exception("the clock's thread ended")
        runtime.fail(f"a fault of this program; {runtime.config.log_file} tells more")


def _restore(runtime: Runtime) -> None:
    """Take in what waited at the last stop, a little at a time so that others get their turn."""
    try:
        saved = load(runtime.config.mempool_file)
    except StorageError as error:
        saved = NOTHING
        log.warning("%s", error)
        print(f"farthing: {error}", file=sys.stderr)
    steps = restore(runtime.node.mempool, saved, int(runtime.now()))
    while runtime.restore(steps, RESTORED_AT_ONCE):
        if runtime.stopping.is_set():
            return
    runtime.is_mempool_loaded = True


@contextlib.contextmanager
def _logging(file: Path) -> Iterator[None]:
    """Log to `file`, which is kept from growing; one line an event, whoever caused it."""
    logging.raiseExceptions = False  # a log that can't be written is no reason to stop
    try:
        handler = logging.handlers.RotatingFileHandler(
            file, maxBytes=MAX_LOG_BYTES, backupCount=1, encoding="utf-8"
        )
    except OSError as error:
        raise disk_trouble(file, error) from error
    form = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    form.converter = time.gmtime
    handler.setFormatter(form)
    handler.addFilter(_escaped)
    root = logging.getLogger()
    root.addHandler(handler)
    log.setLevel(logging.INFO)
    threading.excepthook = _log_crash
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


def _escaped(record: logging.LogRecord) -> bool:
    """What strangers send may get into a line, but starts none and moves no cursor."""
    text = record.getMessage()
    record.msg = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    record.args = ()
    return True


def _log_crash(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_value is not None:
        log.error("a thread ended", exc_info=crash.exc_value)


def _close(runtime: Runtime, store: Store) -> None:
    """Write what is worth keeping and let go of the store.

    What the node is doing at the moment is waited for, a while: a batch is written whole or not at
    all. The lock is kept, so that nobody touches the store afterwards.
    """
    if not runtime.lock.acquire(STOP_S):
        log.warning("stopped in the middle of something long")
        return
    try:
        if runtime.failure is None:
            runtime.node.close()
            if runtime.config.persist_mempool and runtime.is_mempool_loaded:
                runtime.save_mempool()
    except DISK_FAILURES as error:
        runtime.fail(str(error))
    finally:
        store.close()
