"""`farthing node import`, `export` and `reindex`, as a user meets them."""

import json
import os
import signal
import threading
from pathlib import Path

import pytest

from chain.params import MAIN, REGTEST
from node.storage.frames import frame
from scripts.cli import node_files
from tests.builders import ChainBuilder
from tests.scripts.conftest import CommandLine

COUNT = 30


@pytest.fixture(scope="module")
def data() -> bytes:
    """A file of 31 blocks, the genesis block among them."""
    chain = ChainBuilder()
    for _ in range(COUNT):
        chain.mine()
    raws = [chain.chainstate.read_block_bytes(entry.hash) for entry in chain.chainstate.active]
    return b"".join(frame(REGTEST.magic, raw or b"") for raw in raws)


@pytest.fixture
def source(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "blocks.dat"
    path.write_bytes(data)
    return path


def test_in_and_out_and_anew(cli: CommandLine, source: Path, data: bytes, tmp_path: Path) -> None:
    where = ["--datadir", str(tmp_path / "d")]
    told = cli("node", "import", str(source), *where)
    assert told.startswith("30 blocks taken in (1 were there already), in ")
    assert told.endswith("s; the chain is at height 30\n")
    again = cli.json("node", "import", str(source), *where, "--par", "1", "--no-index")
    assert (again["complete"], again["new"], again["known"], again["height"]) == (True, 0, 31, 30)
    assert (len(again["bestblock"]), again["troubles"]) == (64, [])

    out = tmp_path / "out.dat"
    assert cli("node", "export", str(out), *where) == f"31 blocks in {out}\n"
    assert out.read_bytes() == data
    told = cli.json("node", "export", str(out), *where)
    assert told == {"complete": True, "blocks": 31, "file": str(out)}

    anew = cli.json("node", "reindex", *where)
    assert (anew["new"], anew["height"], anew["bestblock"]) == (30, 30, again["bestblock"])


def test_each_refusal_is_one_line(cli: CommandLine, source: Path, tmp_path: Path) -> None:
    where = ["--datadir", str(tmp_path / "d")]
    other = tmp_path / "main.dat"
    other.write_bytes(frame(MAIN.magic, MAIN.genesis.serialize()))
    told = cli.refusal("node", "import", str(other), *where)
    assert told.endswith("not of regtest (fabfb5da): choose the network with --network")
    other.write_bytes(b"\0" * 100)
    assert "is no file of blocks" in cli.refusal("node", "import", str(other), *where)
    told = cli.refusal("node", "import", str(tmp_path / "missing"), *where)
    assert told.startswith(f"there is no file {tmp_path / 'missing'}: name a file of blocks")
    told = cli.refusal("node", "import", str(tmp_path), *where)
    assert told.startswith(f"{tmp_path} is a folder: name a file of blocks")
    told = cli.refusal("node", "import", os.devnull, *where)
    assert told.startswith(f"{os.devnull} is no ordinary file: name a file of blocks")
    for words in (["export", str(other)], ["reindex"]):
        nowhere = ["--datadir", str(tmp_path / "nowhere")]
        assert "there is no data in" in cli.refusal("node", *words, *nowhere)
        assert not (tmp_path / "nowhere").exists()
    (tmp_path / "d" / "regtest").mkdir(parents=True, exist_ok=True)
    assert "there are no blocks in" in cli.refusal("node", "reindex", *where)
    assert "Missing argument" in cli.refusal("node", "import", *where, code=2)

    other.write_bytes(source.read_bytes()[:-3])
    ran = cli.run("node", "import", str(other), *where)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert f"{other} ends in the middle of a block (at byte " in ran.err
    assert "the chain is at height 29" in ran.out
    junk = b"rubbish" + source.read_bytes()[-40:]
    other.write_bytes(source.read_bytes()[:-3] + junk)
    ran = cli.run("node", "import", str(other), *where)
    assert "; and 1 more trouble" in ran.err or "no block" in ran.err


def test_an_export_goes_into_a_file_of_its_own(
    cli: CommandLine, source: Path, tmp_path: Path
) -> None:
    where = ["--datadir", str(tmp_path / "d")]
    cli("node", "import", str(source), *where)
    own = tmp_path / "d" / "regtest" / "blocks" / "blk00001.dat"
    told = cli.refusal("node", "export", str(own), *where)
    assert "would lie among the node's own files: choose a place outside" in told
    assert not own.exists()
    for place in ("/dev/full", os.devnull):  # both never end, to who looks what is there
        told = cli.refusal("node", "export", place, *where)
        assert told == f"{place} is no ordinary file: name a file to write to"
    told = cli.refusal("node", "export", str(tmp_path), *where)
    assert told == f"{tmp_path} is a folder: name a file to write to"


def test_ctrl_c_ends_after_a_block_and_the_same_command_goes_on(
    cli: CommandLine, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = node_files.walk

    def interrupted(steps, step, is_asked):  # type: ignore[no-untyped-def]
        def until_ten():  # type: ignore[no-untyped-def]
            for number, at in enumerate(steps):
                if number == 10:
                    signal.raise_signal(signal.SIGINT)
                yield at

        return walk(until_ten(), step, is_asked)

    where = ["--datadir", str(tmp_path / "d")]
    monkeypatch.setattr(node_files, "walk", interrupted)
    for words in (["import", str(source)], ["reindex"]):
        ran = cli.run("node", *words, *where, "--json")
        assert ran.code == 130
        assert ran.err == "farthing: stopped at height 10: the same command goes on from there\n"
        assert json.loads(ran.out)["complete"] is False
        monkeypatch.setattr(node_files, "walk", walk)
        assert cli.json("node", *words, *where)["height"] == COUNT
        monkeypatch.setattr(node_files, "walk", interrupted)
    assert threading.current_thread() is threading.main_thread()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_export_is_stopped_and_gone_on_with(
    cli: CommandLine, source: Path, tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ["--datadir", str(tmp_path / "d")]
    cli("node", "import", str(source), *where)
    out = tmp_path / "out.dat"
    with monkeypatch.context() as patch:
        patch.setattr(node_files, "asked_to_stop", Asked)
        ran = cli.run("node", "export", str(out), *where)
    assert (ran.code, ran.out) == (130, f"0 blocks in {out}\n")
    assert ran.err == "farthing: stopped after 0 blocks: the same command goes on from there\n"
    cli("node", "export", str(out), *where)
    assert out.read_bytes() == data


class Asked:
    """Somebody who stops everything at once."""

    def __enter__(self):  # type: ignore[no-untyped-def]
        return lambda: True

    def __exit__(self, *_: object) -> None:
        pass


def test_damage_is_repaired_or_named(cli: CommandLine, source: Path, tmp_path: Path) -> None:
    where = ["--datadir", str(tmp_path / "d")]
    best = json.loads(cli("node", "import", str(source), *where, "--json"))["bestblock"]
    blocks = tmp_path / "d" / "regtest" / "blocks" / "blk00000.dat"
    whole = blocks.read_bytes()
    blocks.write_bytes(whole[:-1])
    told = cli.refusal("node", "export", str(tmp_path / "out.dat"), *where)
    assert told == f"{blocks} is damaged, bytes are missing: rebuild it with farthing node reindex"
    ran = cli.run("node", "reindex", *where)
    assert (ran.code, ran.err.count("\n")) == (0, 1)
    assert "ends in the middle of a block" in ran.err
    assert ran.err.endswith("; the node will fetch what is missing\n")
    assert "the chain is at height 29" in ran.out
    told = cli.json("node", "import", str(source), *where)
    assert (told["new"], told["bestblock"]) == (1, best)
