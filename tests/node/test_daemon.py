"""Real node processes: starting, answering, stopping, and every way in which they can't."""

import http.client
import json
import logging
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node import daemon
from node.errors import StorageError
from node.mempool_file import write_private
from scripts.rpc_client import NodeUnreachable, RpcClient, RpcError
from tests.node.engines import ENGINES
from tests.node.test_runtime import FailingStore, new_runtime

ADDRESS = "bcrt1qnjg0jd8228aq7egyzacy8cys3knf9xvr3v5hfj"
READY_S = 20


class Process:
    """`farthing node run` on a data directory, on a port that is free."""

    def __init__(self, datadir: Path, *options: str, network: str = "regtest") -> None:
        self.folder = datadir / network
        command = [sys.executable, "-m", "farthing", "node", "run", "--network", network]
        command += ["--datadir", str(datadir), "--listen", "127.0.0.1:0", *options]
        self.popen = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.popen.stdout is not None
        self.ready_line = self.popen.stdout.readline()
        self.url = self.ready_line.partition(" at ")[2].partition(" ")[0]
        self.rpc = RpcClient(self.url, self.folder / ".cookie")

    def call(self, method: str, *params: object) -> Any:
        return self.rpc.call(method, *params)

    def end(self, how: int = signal.SIGTERM, timeout_s: float = 10) -> tuple[int, str]:
        """Send a signal; the exit code and what stood on stderr."""
        self.popen.send_signal(how)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float = 10) -> tuple[int, str]:
        _, errors = self.popen.communicate(timeout=timeout_s)
        return self.popen.returncode, errors

    @property
    def log(self) -> str:
        return (self.folder / "debug.log").read_text(encoding="utf-8")


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    started: list[Process] = []
    yield started
    for process in started:
        process.popen.terminate()
        try:
            process.popen.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.popen.kill()
            process.popen.communicate()
            raise


def refused(datadir: Path, *options: str, network: str = "regtest") -> str:
    """Start a node that can't; the one line that it says."""
    process = Process(datadir, *options, network=network)
    code, errors = process.wait(READY_S)
    assert (code, process.ready_line) == (1, "")
    assert errors.count("\n") == 1, errors
    return errors


def test_it_starts_answers_and_leaves_nothing_behind(
    tmp_path: Path, processes: list[Process]
) -> None:
    process = Process(tmp_path)
    processes.append(process)
    assert process.ready_line == (
        f"farthing node ready at {process.url} (regtest, height 0, data in {tmp_path}/regtest)\n"
    )
    cookie = tmp_path / "regtest" / ".cookie"
    assert stat.S_IMODE(cookie.stat().st_mode) == 0o600
    user, _, password = cookie.read_text().partition(":")
    assert (user, len(password)) == ("__cookie__", 64)
    host, port = process.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    for path, status, text in (
        ("/healthz", 200, b"height 0\n"),
        ("/no/such/page", 404, None),
        ("/p2p", 405, None),
    ):
        connection.request("GET", path)
        reply = connection.getresponse()
        body = reply.read()
        assert reply.status == status
        assert text is None or body == text
        assert b"<" not in body
    connection.close()
    assert process.call("getblockcount") == 0
    begun = time.monotonic()
    assert process.end() == (0, "")
    assert time.monotonic() - begun < 1
    left = {each.name for each in (tmp_path / "regtest").iterdir()}
    expected = {".lock", "blocks", "debug.log", "mempool.dat"}
    assert left - {"leveldb", "store.sqlite"} == expected


@pytest.mark.parametrize("how", ["SIGINT", "rpc"])
def test_other_ways_to_stop_it(how: str, tmp_path: Path, processes: list[Process]) -> None:
    process = Process(tmp_path, "--mine-to", ADDRESS)
    processes.append(process)
    begun = time.monotonic()
    if how == "rpc":
        assert "stopping" in process.call("stop")
        assert process.wait() == (0, "")
    else:
        assert process.end(signal.SIGINT) == (0, "")
    assert time.monotonic() - begun < 1.5
    assert not (tmp_path / "regtest" / ".cookie").exists()


@pytest.mark.parametrize("engine", ENGINES)
def test_it_comes_back_with_all_it_acknowledged(
    engine: str, tmp_path: Path, processes: list[Process]
) -> None:
    acknowledged: list[str] = []
    for how in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
        process = Process(tmp_path, "--store", engine)
        processes.append(process)
        assert process.call("getblockcount") == len(acknowledged)
        for number, block in enumerate(acknowledged):
            assert process.call("getblockhash", number + 1) == block
        acknowledged += process.call("generatetoaddress", 5, ADDRESS)
        process.end(how)
    # A cookie that a killed process left is no hindrance, nor does it outlive the next.
    assert not (tmp_path / "regtest" / ".cookie").exists()


def test_a_stop_in_the_middle_of_long_work_is_quick_and_loses_nothing(
    tmp_path: Path, processes: list[Process]
) -> None:
    process = Process(tmp_path)
    processes.append(process)

    def generate() -> None:
        try:
            process.call("generatetoaddress", 100_000, ADDRESS)
        except (NodeUnreachable, RpcError):
            return

    working = threading.Thread(target=generate)
    working.start()
    time.sleep(0.5)
    begun = time.monotonic()
    code, errors = process.end()
    assert (code, errors) == (0, "")
    assert time.monotonic() - begun < 1.5
    working.join()
    again = Process(tmp_path)
    processes.append(again)
    assert again.call("getblockcount") > 0


def test_a_second_process_on_the_same_data_is_one_line(
    tmp_path: Path, processes: list[Process]
) -> None:
    processes.append(Process(tmp_path))
    assert refused(tmp_path) == (
        f"farthing: {tmp_path}/regtest is in use by another node: stop that one first, "
        "or choose another --datadir\n"
    )
    assert processes[0].call("getblockcount") == 0


def test_a_port_in_use_is_one_line_and_leaves_the_data_alone(
    tmp_path: Path, processes: list[Process]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert refused(tmp_path, "--listen", address) == (
            f"farthing: {address} is in use: stop what listens there, "
            "or choose another port with --listen\n"
        )
    processes.append(Process(tmp_path))
    assert processes[0].call("getblockcount") == 0


def test_data_of_another_network_is_one_line(tmp_path: Path, processes: list[Process]) -> None:
    process = Process(tmp_path)
    processes.append(process)
    process.end()
    shutil.move(tmp_path / "regtest", tmp_path / "classroom")
    line = refused(tmp_path, network="classroom")
    assert "fabfb5da" in line
    assert "use another data directory" in line


def test_a_data_directory_that_can_not_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "in the way" not in refused(tmp_path / "file" / "deeper")
    (tmp_path / "regtest" / "debug.log").mkdir(parents=True)
    assert "can't be used" in refused(tmp_path)


def test_a_wrong_address_to_mine_to_is_one_line(tmp_path: Path) -> None:
    assert refused(tmp_path, "--mine-to", "nonsense").startswith("farthing: --mine-to nonsense: ")


def test_it_mines_for_real_in_a_process_that_never_outlives_it(
    tmp_path: Path, processes: list[Process]
) -> None:
    options = ("--mine-to", ADDRESS, "--block-time", "0")
    process = Process(tmp_path, *options, network="classroom")
    processes.append(process)
    deadline = time.monotonic() + 30
    while process.call("getblockcount") < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    children = Path(f"/proc/{process.popen.pid}/task/{process.popen.pid}/children")
    if not children.exists():
        pytest.skip("this system does not tell a process's children")
    threads = Path(f"/proc/{process.popen.pid}/task")
    found = [int(pid) for task in threads.glob("*/children") for pid in task.read_text().split()]
    assert len(found) == os.cpu_count()
    process.end(signal.SIGKILL)
    while any(Path(f"/proc/{child}/cmdline").exists() for child in found):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_nodes_find_each_other_and_agree(tmp_path: Path, processes: list[Process]) -> None:
    first = Process(tmp_path / "a", "--allow-private-peers")
    processes.append(first)
    first.call("generatetoaddress", 3, ADDRESS)
    second = Process(tmp_path / "b", "--allow-private-peers", "--peer", first.url)
    processes.append(second)
    stranger = Process(tmp_path / "c", "--peer", first.url, network="classroom")
    processes.append(stranger)
    deadline = time.monotonic() + 20
    while second.call("getbestblockhash") != first.call("getbestblockhash"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    while "closed: magic" not in first.log:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert "expected fabfb5da" in first.log
    assert stranger.call("getblockcount") == 0


def test_a_node_that_is_told_to_dial_itself_says_so(
    tmp_path: Path, processes: list[Process]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    process = Process(tmp_path, "--listen", address, "--peer", f"http://{address}")
    processes.append(process)
    deadline = time.monotonic() + 5
    while f"--peer {address}: that is the address of this node" not in process.log:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("a small disk can't be mounted here (it takes root)")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_full_disk_ends_the_node_and_loses_nothing_acknowledged(
    engine: str, small_disk: Path, processes: list[Process]
) -> None:
    process = Process(small_disk, "--store", engine)
    processes.append(process)
    acknowledged = process.call("generatetoaddress", 20, ADDRESS)
    (small_disk / "ballast").write_bytes(bytes(12_000_000 - used(small_disk) - 400_000))
    with pytest.raises((RpcError, NodeUnreachable)):
        while True:
            acknowledged += process.call("generatetoaddress", 10, ADDRESS)
    code, errors = process.wait()
    assert (code, errors.count("\n")) == (1, 1)
    assert errors.startswith("farthing: the disk is full, nothing more can be written to ")
    assert not (small_disk / "regtest" / ".cookie").exists()
    assert "the disk is full" in refused(small_disk) or not is_full(small_disk)

    (small_disk / "ballast").unlink()
    again = Process(small_disk)
    processes.append(again)
    assert again.call("getblockcount") >= len(acknowledged)
    for number, block in enumerate(acknowledged):
        assert again.call("getblockhash", number + 1) == block
    assert len(again.call("generatetoaddress", 3, ADDRESS)) == 3
    assert again.end() == (0, "")


def used(place: Path) -> int:
    return shutil.disk_usage(place).used


def is_full(place: Path) -> bool:
    return shutil.disk_usage(place).free < 100_000


def test_log_lines_can_not_be_forged(caplog: pytest.LogCaptureFixture) -> None:
    record = logging.LogRecord("x", 20, "x", 1, "from %s", ("a\n2026 ERROR\x1b[2J é",), None)
    assert daemon._escaped(record)
    assert record.getMessage() == "from a\\n2026 ERROR\\x1b[2J é"
    try:
        raise AssertionError("crash")
    except AssertionError as crash:
        hook = (AssertionError, crash, None, None)
        daemon._log_crash(threading.ExceptHookArgs(hook))
    daemon._log_crash(threading.ExceptHookArgs((SystemExit, None, None, None)))
    assert caplog.text.count("a thread ended") == 1


def test_a_cookie_that_can_not_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".cookie").mkdir()
    with pytest.raises(StorageError, match="can't be used"):
        write_private(tmp_path / ".cookie", b"secret")


def test_a_signal_while_it_starts_is_a_good_end(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from node import daemon\n"
        "from node.config import NodeConfig; from node.events import NetAddress\n"
        "from chain.params import REGTEST\n"
        "daemon._runtime = lambda *_: os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.exit(daemon.run(NodeConfig(REGTEST, Path(sys.argv[1]), NetAddress('127.0.0.1', 0))))"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=20)
    assert ran.returncode == 0


def test_a_fault_in_the_clocks_thread_stops_the_node(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = new_runtime()

    def crash() -> None:
        raise AssertionError("we are wrong")

    monkeypatch.setattr(runtime, "tick_forever", crash)
    daemon._live(runtime)
    assert runtime.stopping.is_set()
    assert runtime.failure == "a fault of this program; unused/regtest/debug.log tells more"
    assert "we are wrong" in caplog.text


def test_closing_waits_for_the_node_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(daemon, "STOP_S", 0.1)
    runtime, store = new_runtime(), FailingStore()
    busy = threading.Thread(target=runtime.lock.acquire)
    busy.start()
    busy.join()
    daemon._close(runtime, store)
    assert "in the middle of something long" in caplog.text


def test_a_disk_that_fails_at_the_very_end_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    store = FailingStore()
    runtime = new_runtime(store=store)

    def fail() -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(runtime.node, "close", fail)
    daemon._close(runtime, store)
    assert runtime.failure == "the disk is full"


def test_requests_that_make_no_sense_leave_it_well(
    tmp_path: Path, processes: list[Process]
) -> None:
    process = Process(tmp_path)
    processes.append(process)
    host, port = process.url.removeprefix("http://").split(":")
    for raw in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS hello
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /%00%0a%0d HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /p2p HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /p2p HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\n\r\n",
        os.urandom(2000),
    ):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            try:
                while connection.recv(65536):
                    pass
            except ConnectionResetError:
                pass
    assert process.call("getblockcount") == 0
    assert "Traceback" not in process.log
    assert json.dumps(process.end()) == '[0, ""]'
