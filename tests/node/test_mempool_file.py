"""The mempool's file: what a node that is stopped, killed or damaged has waiting afterwards."""

import json
import os
import shutil
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chain.params import REGTEST
from chain.transaction import Transaction
from node.errors import StorageError
from node.mempool.saved import Saved
from node.mempool_file import load, write_private
from scripts.rpc_client import RpcError
from tests.builders import ChainBuilder, key, p2wpkh
from tests.node.serving import RpcFailed, Served
from tests.node.test_daemon import Process, processes

__all__ = ["processes"]  # a fixture
HOME = p2wpkh(key(0))
PAYMENTS = 30


# The file alone.


def test_it_is_for_its_owner_alone_and_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "some.dat"
    for content in (b"first", b"second"):
        write_private(file, content)
        assert file.read_bytes() == content
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["some.dat"]


def test_it_is_synced_before_it_takes_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "some.dat"
    write_private(file, b"old")

    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match="the disk is full"):
        write_private(file, b"new")
    assert file.read_bytes() == b"old"


def test_what_can_not_be_read_is_one_line(tmp_path: Path) -> None:
    assert load(tmp_path / "none.dat") == Saved([], {}, [])
    (tmp_path / "folder.dat").mkdir()
    with pytest.raises(StorageError, match="can't be used"):
        load(tmp_path / "folder.dat")


# Asked for.


def test_savemempool(tmp_path: Path) -> None:
    folder = tmp_path / "regtest"
    folder.mkdir()
    served = Served(folder=tmp_path, blocks=4)
    served.wait(served.chain.pay(served.chain.mature()[0], HOME, fee=1_000))
    assert served.rpc("savemempool") == {"filename": str(folder / "mempool.dat")}
    saved = load(folder / "mempool.dat")
    assert [tx.txid for tx, _, _ in saved.transactions] == list(served.node.mempool.unbroadcast)
    served.runtime.is_mempool_loaded = False
    assert served.rpc("getmempoolinfo")["loaded"] is False
    with pytest.raises(RpcFailed) as caught:
        served.rpc("savemempool")
    assert caught.value.args == (-1, "The mempool was not loaded yet")
    served.runtime.is_mempool_loaded = True
    shutil.rmtree(folder)
    with pytest.raises(RpcFailed) as caught:
        served.rpc("savemempool")
    assert caught.value.args[0] == -1
    assert caught.value.args[1].startswith("Unable to dump mempool to disk: ")


# Real processes.


@pytest.fixture(scope="module")
def funded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Transaction]]:
    """A data directory whose chain has coins, and payments of them: the last spends the first."""
    folder = tmp_path_factory.mktemp("funded")
    chain = ChainBuilder(REGTEST)
    blocks = chain.mine(101)
    fan = chain.pay(chain.mature()[0], HOME, parts=PAYMENTS)
    blocks += chain.mine(txs=[fan])
    process = Process(folder)
    for block in blocks:
        assert process.call("submitblock", block.serialize().hex()) is None
    assert process.end() == (0, "")
    txs = [chain.pay(chain.output(fan, n), HOME, fee=1_000 + n) for n in range(PAYMENTS)]
    return folder, [*txs, chain.pay(chain.output(txs[0]), HOME, fee=5_000)]


@pytest.fixture
def datadir(tmp_path: Path, funded: tuple[Path, list[Transaction]]) -> Path:
    return Path(shutil.copytree(funded[0], tmp_path / "data"))


@pytest.fixture
def txs(funded: tuple[Path, list[Transaction]]) -> list[Transaction]:
    return funded[1]


@pytest.fixture
def start(datadir: Path, processes: list[Process]) -> Iterator[Any]:
    def start(*options: str) -> Process:
        process = Process(datadir, *options)
        processes.append(process)
        deadline = time.monotonic() + 20
        while not process.call("getmempoolinfo")["loaded"]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return process

    yield start


def send(process: Process, txs: list[Transaction]) -> None:
    for tx in txs:
        assert process.call("sendrawtransaction", tx.serialize().hex()) == shown(tx)


def shown(tx: Transaction) -> str:
    return tx.txid[::-1].hex()


def waiting(process: Process) -> Any:
    entries = process.call("getrawmempool", True)
    for entry in entries.values():
        del entry["height"]
    return entries


def test_a_stop_and_a_start_keep_what_waits(
    start: Any, datadir: Path, txs: list[Transaction]
) -> None:
    process = start()
    send(process, txs)
    process.call("prioritisetransaction", shown(txs[3]), None, 700)
    process.call("prioritisetransaction", "11" * 32, None, -5)
    before, order = waiting(process), process.call("getrawmempool")
    deltas = process.call("getprioritisedtransactions")
    assert process.call("getmempoolinfo")["unbroadcastcount"] == len(txs)
    time.sleep(1.1)  # so that times that were not kept would differ
    assert process.end() == (0, "")
    file = datadir / "regtest" / "mempool.dat"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    process = start()
    assert process.call("getrawmempool") == order
    assert waiting(process) == before
    assert process.call("getprioritisedtransactions") == deltas
    assert process.call("getmempoolinfo")["unbroadcastcount"] == len(txs)
    assert process.end() == (0, "")


def test_a_kill_loses_only_what_came_after_the_last_save(
    start: Any, txs: list[Transaction]
) -> None:
    process = start()
    send(process, txs[:10])
    process.call("savemempool")
    send(process, txs[10:20])
    process.end(signal.SIGKILL)
    process = start()
    assert process.call("getrawmempool") == [shown(tx) for tx in txs[:10]]
    send(process, txs[10:])
    assert process.end() == (0, "")
    assert len(start().call("getrawmempool")) == len(txs)


def test_killed_while_it_saves_it_starts_with_the_old_or_the_new(
    start: Any, datadir: Path, txs: list[Transaction]
) -> None:
    process = start()
    known = 0
    for number in range(3):
        send(process, txs[known : known + 5])
        process.popen.send_signal(signal.SIGTERM)
        time.sleep(0.01 * number)
        process.end(signal.SIGKILL)
        process = start()
        found = len(process.call("getrawmempool"))
        assert found in (known, known + 5)
        known = found
    assert not (datadir / "regtest" / "mempool.dat.damaged").exists()


def test_a_damaged_file_is_told_of_and_set_aside(
    start: Any, datadir: Path, txs: list[Transaction]
) -> None:
    process = start()
    send(process, txs)
    assert process.end() == (0, "")
    file = datadir / "regtest" / "mempool.dat"
    torn = file.read_bytes()[:-40]
    file.write_bytes(torn)
    process = start()
    assert process.call("getrawmempool") == []
    send(process, txs[:3])
    assert "mempool.dat is damaged" in process.log
    code, errors = process.end()
    assert code == 0
    assert errors.count("\n") == 1
    assert errors.startswith(f"farthing: {file} is damaged (")
    assert (datadir / "regtest" / "mempool.dat.damaged").read_bytes() == torn
    assert len(start().call("getrawmempool")) == 3


def test_what_was_mined_meanwhile_does_not_come_back(
    start: Any, datadir: Path, txs: list[Transaction]
) -> None:
    process = start()
    send(process, txs[:5])
    process.call("savemempool")
    process.call("generatetoaddress", 1, "bcrt1qnjg0jd8228aq7egyzacy8cys3knf9xvr3v5hfj")
    send(process, txs[5:8])
    process.end(signal.SIGKILL)
    assert start().call("getrawmempool") == []


def test_without_persistence_nothing_is_kept_nor_lost(
    start: Any, datadir: Path, txs: list[Transaction]
) -> None:
    process = start()
    send(process, txs[:5])
    assert process.end() == (0, "")
    file = datadir / "regtest" / "mempool.dat"
    before = file.read_bytes()
    process = start("--persistmempool=0")
    assert process.call("getrawmempool") == []
    send(process, txs[5:6])
    assert process.end() == (0, "")
    assert file.read_bytes() == before
    process = start("--persistmempool=0")
    send(process, txs[6:7])
    assert process.call("savemempool") == {"filename": str(file)}  # asked for, it is done
    assert process.end() == (0, "")
    assert start("--persistmempool").call("getrawmempool") == [shown(txs[6])]


def test_a_switch_that_is_none(datadir: Path) -> None:
    process = Process(datadir, "--persistmempool=maybe")
    code, errors = process.wait()
    assert (code, process.ready_line) == (2, "")
    assert "neither 0 nor 1" in errors


def test_the_rpc_says_what_went_wrong(start: Any, datadir: Path) -> None:
    process = start()
    (datadir / "regtest" / "mempool.dat").unlink()
    (datadir / "regtest" / "mempool.dat").mkdir()
    with pytest.raises(RpcError, match="Unable to dump mempool to disk"):
        process.call("savemempool")
    code, errors = process.end()
    assert code == 1
    assert errors.count("\n") == 1
    assert json.dumps(errors).isascii()
