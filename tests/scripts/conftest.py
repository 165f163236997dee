"""`cli`: a command line in this process, with what it printed and its exit code."""

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

from chain.params import REGTEST
from scripts.cli.common import run
from scripts.cli.main import root
from scripts.funds import fund
from scripts.network import LocalNetwork
from tests.functional.support import start_network


class NamedBytes(io.BytesIO):
    """Bytes that say whence they come, as those of standard input do."""

    name = "<stdin>"


class Stdin(io.TextIOWrapper):
    """Standard input, which is no terminal until a test says so."""

    is_terminal = False

    def __init__(self, typed: str | bytes) -> None:
        raw = typed if isinstance(typed, bytes) else typed.encode()
        super().__init__(NamedBytes(raw), "utf-8")

    def isatty(self) -> bool:
        return self.is_terminal


@dataclass
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str


class CommandLine:
    """`farthing`, its wallets and networks below `home`."""

    def __init__(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.home = home
        self._monkeypatch, self._capsys = monkeypatch, capsys
        monkeypatch.setenv("FARTHING_HOME", str(home))
        monkeypatch.delenv("FARTHING_NODE", raising=False)
        monkeypatch.delenv("FARTHING_DEBUG", raising=False)

    def run(self, *words: str, typed: str | bytes = "") -> Ran:
        self._capsys.readouterr()
        self._monkeypatch.setattr(sys, "stdin", Stdin(typed))
        code = run(root, words)
        shown = self._capsys.readouterr()
        return Ran(code, shown.out, shown.err)

    def __call__(self, *words: str, typed: str | bytes = "") -> str:
        """What a command prints that must succeed and complain of nothing."""
        ran = self.run(*words, typed=typed)
        assert (ran.code, ran.err) == (0, ""), ran
        return ran.out

    def json(self, *words: str, typed: str | bytes = "") -> Any:
        return json.loads(self(*words, "--json", typed=typed))

    def refusal(self, *words: str, typed: str | bytes = "", code: int = 1) -> str:
        """The one line of a command that must refuse, without its `farthing: `."""
        ran = self.run(*words, typed=typed)
        assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1), ran
        assert ran.err.startswith("farthing: ")
        return ran.err.removeprefix("farthing: ").rstrip("\n")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def cli(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    return CommandLine(home, monkeypatch, capsys)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A terminal with somebody at it; what they type, in order, at prompts that show it or not."""
    typed: list[str] = []
    monkeypatch.setattr(Stdin, "is_terminal", True)
    for prompt in ("hidden_prompt_func", "visible_prompt_func"):
        monkeypatch.setattr(click.termui, prompt, lambda text: typed.pop(0))
    yield typed
    assert typed == [], "not all of it was asked for"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalNetwork]:
    """A funded network of one node, which mines when told to."""
    folder = tmp_path_factory.mktemp("home") / "testnet"
    with start_network(folder, 1, "--block-time", "off") as network:
        fund(network, REGTEST)
        yield network
