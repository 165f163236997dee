"""`farthing node watch`: what binary frames say, readable, while a payment and a block pass."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chain.params import REGTEST
from scripts.funds import faucet_address, fund, pay_from_faucet
from scripts.network import LocalNetwork
from tests.functional.support import eventually, start_network

SOMEBODY = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


class Watching:
    """A watcher's process and the lines that it has printed."""

    def __init__(self, url: str, *options: str) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "farthing", "node", "watch", url, *options],
            env=os.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def sees(self, pattern: str) -> re.Match[str]:
        """Wait for a line that is wholly of that form."""
        return eventually(
            lambda: [found for line in self.lines if (found := re.fullmatch(pattern, line))]
        )[0]

    def end(self, how: int = signal.SIGINT) -> tuple[int, str]:
        """Its exit code and what it complained of, after a signal."""
        self.process.send_signal(how)
        code = self.process.wait(timeout=15)
        self._reader.join()
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        complaint = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return code, complaint


@contextmanager
def watching(url: str, *options: str) -> Iterator[Watching]:
    watcher = Watching(url, *options)
    try:
        yield watcher
    finally:
        if watcher.process.poll() is None:
            watcher.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalNetwork]:
    folder = tmp_path_factory.mktemp("network")
    with start_network(folder, 2, "--block-time", "off") as network:
        network.wait_for_block(fund(network, REGTEST))
        yield network


def test_a_payment_and_a_block_pass_and_can_be_read(network: LocalNetwork) -> None:
    here, there = network.nodes
    when = r"\d\d:\d\d:\d\d\.\d\d\d"
    with watching(there.url) as watcher:
        watcher.sees(rf"{when} > version     70016 /Farthing-watch:\S+/ height 0")
        watcher.sees(rf"{when} < version     70016 /Farthing:\S+/ height 120")
        watcher.sees(rf"{when} < verack")
        txid = pay_from_faucet(here, REGTEST, SOMEBODY, 250_000_000)
        wtxid = watcher.sees(rf"{when} < inv         wtx ([0-9a-f]{{64}})")[1]
        watcher.sees(rf"{when} > getdata     wtx {wtxid}")
        paid = rf"{when} < tx          {txid}, 1 in, 2 out \((.*) BTC\), \d+ vbytes"
        assert "2.50000000" in watcher.sees(paid)[1].split(", ")
        (block,) = here.rpc.call("generatetoaddress", 1, faucet_address(REGTEST))
        watcher.sees(rf"{when} < (inv         block|headers    ) {block}")
        watcher.sees(rf"{when} < block       {block}, 2 transactions, \d+ bytes")
        assert watcher.end() == (0, "")
        assert all(re.match(rf"{when} [<>] [a-z0-9]+", line) for line in watcher.lines)


def test_programs_read_one_object_a_line(network: LocalNetwork) -> None:
    with watching(network.nodes[0].url, "--json") as watcher:
        watcher.sees(r'.*"command": "verack".*')
        txid = pay_from_faucet(network.nodes[1], REGTEST, SOMEBODY, 10_000)
        watcher.sees(rf'.*"direction": "in", "command": "tx", "summary": "{txid}, .*')
        assert watcher.end(signal.SIGINT) == (0, "")
    rows = [json.loads(line) for line in watcher.lines]
    assert {frozenset(row) for row in rows} == {
        frozenset({"time", "direction", "command", "summary"})
    }


def test_a_node_that_stops_is_one_line(tmp_path: Path) -> None:
    with start_network(tmp_path, 1) as alone, watching(alone.nodes[0].url) as watcher:
        watcher.sees(r".* < verack.*")
        alone.stop_node(0)
        assert watcher.process.wait(timeout=15) == 1
        code, complaint = watcher.end(0)
        assert code == 1
        assert complaint.startswith(f"farthing: the link to {alone.nodes[0].url} is closed: ")
        assert complaint.count("\n") == 1


def test_a_reader_that_has_seen_enough_ends_it(network: LocalNetwork) -> None:
    command = f"{sys.executable} -m farthing node watch {network.nodes[0].url} | head -2"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (0, 2, "")
