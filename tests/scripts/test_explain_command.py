"""`farthing explain`: what may be given, which kind it is, and one line for what is wrong."""

import io
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chain.params import REGTEST
from chain.transaction import Transaction
from node import messages
from scripts.cli import explain, explain_views
from scripts.network import LocalNetwork
from tests.chain.script.helpers import bare
from tests.scripts.conftest import CommandLine
from wallet.client import EsploraClient

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
P2PKH = "76a914751e76e8199196d454941c45d1b3a323f1433bd688ac"
SPEND = bare("2 3", "ADD 5 EQUAL")
TX = SPEND.tx.serialize().hex()
SPENT = f"1000:{SPEND.spent_outputs[0].script_pubkey.hex()}"
PING = messages.encode_frame(REGTEST.magic, messages.Ping(7)).hex()
GENESIS = REGTEST.genesis.serialize()
KINDS = ("script", "tx", "block", "address", "message", "anything")


class BytesStdin(io.TextIOWrapper):
    """Standard input that is no terminal, as bytes and as text."""

    def __init__(self, typed: str) -> None:
        super().__init__(io.BytesIO(typed.encode("latin-1")))


# Kinds


@pytest.mark.parametrize(
    ("what", "kind", "looks"),
    [
        (TX, "tx", "a transaction"),
        (P2PKH, "script", "a script"),
        ("OP_1 2 ADD", "script", "a script"),
        (PING, "message", "a peer message"),
        (GENESIS.hex(), "block", "a block"),
        (GENESIS[:80].hex(), "header", "the header of a block"),
        (ADDRESS, "address", "an address"),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "address", "an address"),
    ],
)
def test_the_kind_is_guessed(cli: CommandLine, what: str, kind: str, looks: str) -> None:
    assert cli.json("explain", what, "--offline")["kind"] == kind
    assert cli("explain", what, "--offline").startswith(f"This looks like {looks}.\n")


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("script", P2PKH),
        ("tx", TX),
        ("block", GENESIS.hex()),
        ("message", PING),
        ("anything", TX),
    ],
)
def test_bytes_come_as_hex_from_a_file_or_from_standard_input(
    cli: CommandLine, tmp_path: Path, kind: str, what: str
) -> None:
    offline = [] if kind in ("script", "message") else ["--offline"]
    expected = cli.json("explain", kind, what, *offline)
    raw = bytes.fromhex(what)
    (tmp_path / "binary").write_bytes(raw)
    (tmp_path / "text").write_text("\n".join(re.findall(".{1,40}", what)) + "\n")
    for name in ("binary", "text"):
        assert cli.json("explain", kind, str(tmp_path / name), *offline) == expected
    assert cli.json("explain", kind, "-", *offline, typed=what + "\n") == expected
    assert cli.json("explain", kind, "-", *offline, typed=raw) == expected


# What is wrong


@pytest.mark.parametrize("kind", KINDS)
def test_junk_is_one_line(cli: CommandLine, tmp_path: Path, kind: str) -> None:
    files = {
        "empty": b"",
        "blank": b" \n\n",
        "text": b"z" * 100_000,
        "odd": b"abc" * 1001,
        "long": b"ab" * 5_000_000,
        "letters": "żółć ".encode(),
    }
    for name, data in files.items():
        path = tmp_path / name
        path.write_bytes(data)
        if (kind, name) not in {("script", "letters"), ("anything", "letters")}:
            cli.refusal("explain", kind, str(path))
    not_utf8 = "\udcff"  # as Python hands it over
    words = ("", " ", "abc", "zz zz", "0x", "no/such/file", "nothing.hex", str(tmp_path), not_utf8)
    for what in words:
        if kind != "script" or what != "0x":
            assert "unexpected" not in cli.refusal("explain", kind, what)


def test_a_script_may_quote_any_bytes(cli: CommandLine) -> None:
    quoted, pushed = (cli.json("explain", "script", each) for each in ("'\udcff'", "01ff"))
    assert quoted["facts"] == pushed["facts"]


@pytest.mark.parametrize("kind", ["tx", "block", "address", "message", "anything"])
def test_megabytes_of_noise_are_one_line(cli: CommandLine, tmp_path: Path, kind: str) -> None:
    noise = tmp_path / "noise"
    noise.write_bytes(b"\x93\xff\x4d" + bytes(range(255, -1, -1)) * 16_000)
    cli.refusal("explain", kind, str(noise))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["abcdefabcdefa"], "13 hex digits are not whole bytes: one is missing or too many"),
        (["tx", TX[:-2]], "is no transaction: the transaction is cut short"),
        (["tx", TX + "00"], "is no transaction: 1 bytes left over after the end"),
        (["tx", "zz"], "'zz' is not hex: digit 1 is 'z', and no file 'zz' is here"),
        (["block", "00" * 79], "is no block: "),
        (["tx", "ab" * 32], "asked of a node, and none is known: start a network"),
        (["ab" * 32], "what has that id is asked of a node, and none is known"),
        (["block", "7"], "a block is asked of a node, and none is known"),
        (["51"], "51 looks like a block's height, which is asked of a node, and none is known"),
        (["tx", TX, "--input", "1"], "--input '1': the transaction has inputs 0 to 0"),
        (["tx", TX, "--spent", "5"], "expected VALUE:SCRIPTHEX"),
        (["tx", TX, "--flags", "X"], "no script rule is called 'X'"),
        (["script", "1", "--stack", "x"], "--stack: not all of it is hex"),
        (["script", "1", "--witness", "x"], "--witness: not all of it is hex"),
        (["wrong.hex"], "there is no file wrong.hex"),
        ([f"{ADDRESS[:-1]}q"], "it holds if character 44 ('q') is '0': was it mistyped?"),
        (["1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3"], "character 34 ('3') is '2'"),
        (["message", PING[:-2]], "the ping message is cut off"),
        (["05aabb"], "3 bytes that are no message, transaction, block, header or whole script"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(cli: CommandLine, words: list[str], line: str) -> None:
    assert line in cli.refusal("explain", *words)


def test_wrong_usage(cli: CommandLine) -> None:
    assert "No such option '--wrong'" in cli.refusal("explain", TX, "--wrong", code=2)
    assert "Missing argument" in cli.refusal("explain", "tx", code=2)
    assert "Missing argument" in cli.refusal("explain", "--network", "main", code=2)
    for words in (["foo", "bar"], ["OP_1", "OP_2"], ["--json", "blok", "0"]):
        said = cli.refusal("explain", *words, code=2)
        assert "there is no kind " in said and "expected one of script, tx, block, " in said
    for words in (["-1"], ["block", "-17"], ["--json", "block", "-1"]):
        assert "a block's height is 0 or more, not -1" in cli.refusal("explain", *words, code=2)
    assert "No such option '-1'" in cli.refusal("explain", "tx", "-1", code=2)


def test_options_may_stand_before_the_kind(cli: CommandLine) -> None:
    usual = cli("explain", "script", "51", "--network", "main", "--json")
    assert cli("explain", "--network", "main", "--json", "script", "51") == usual
    assert cli("explain", "--json", "script", "--network", "main", "51") == usual
    (run,) = cli.json("explain", "--stack", "02", "script", "2 EQUAL")["runs"]
    assert run["is_good"]


def test_an_address_is_text(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(ADDRESS + "\n")
    assert cli.json("explain", "address", str(tmp_path / "file"))["kind"] == "address"
    (tmp_path / "binary").write_bytes(b"\xff\0")
    assert "is no text" in cli.refusal("explain", "address", str(tmp_path / "binary"))


def test_a_file_that_may_not_be_read(cli: CommandLine, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(TX)
    secret.chmod(0)
    if not os.access(secret, os.R_OK):
        assert "can't read" in cli.refusal("explain", "tx", str(secret))


def test_a_node_that_is_named_must_answer(cli: CommandLine) -> None:
    silent = ["--node", "http://127.0.0.1:9"]
    for words in (["tx", TX], ["tx", "ab" * 32], ["block", "0"]):
        said = cli.refusal("explain", *words, *silent)
        assert "no node answers at http://127.0.0.1:9" in said


# What is run


def test_a_script_is_run_on_a_stack(cli: CommandLine) -> None:
    words = ["explain", "script", "ADD 5 EQUAL", "--stack", "02", "--stack", "03"]
    (run,) = cli.json(*words)["runs"]
    assert run["is_good"]
    assert [step["stack_after"] for step in run["steps"]] == [["05"], ["05", "05"], ["01"]]
    shown = cli(*words)
    assert "OK  the script ends true" in shown
    assert "begins top  03  number 3" in shown


def test_a_script_that_fails_shows_where(cli: CommandLine) -> None:
    shown = cli("explain", "script", "1 2 EQUALVERIFY", "--run")
    assert "FAILS  EQUALVERIFY: Script failed an OP_EQUALVERIFY operation" in shown
    assert re.search(r"refused at   chain/script/operations\.py:\d+", shown)
    assert "in step      3, OP_EQUALVERIFY of script" in shown


def test_a_script_is_spent_with_a_scriptsig_or_a_witness(cli: CommandLine) -> None:
    (run,) = cli.json("explain", "script", "ADD 5 EQUAL", "--script-sig", "2 3")["runs"]
    assert run["is_good"]
    program = f"0 {'ab' * 32}"
    (run,) = cli.json("explain", "script", program, "--witness", "", "--witness", "51")["runs"]
    assert run["code"] == "WITNESS_PROGRAM_MISMATCH"


def test_the_rules_can_be_chosen(cli: CommandLine) -> None:
    words = ["explain", "script", "1 NOP10", "--run"]
    (strict,) = cli.json(*words)["runs"]
    (loose,) = cli.json(*words, "--flags", "mandatory")["runs"]
    assert (strict["code"], loose["code"]) == ("DISCOURAGE_UPGRADABLE_NOPS", "OK")
    (leaf,) = cli.json(*words, "--version", "tapscript", "--flags", "p2sh,witness")["runs"]
    assert leaf["flags"] == ["P2SH", "WITNESS"]


def test_a_transaction_with_what_it_spends(cli: CommandLine, tmp_path: Path) -> None:
    found = cli.json("explain", "tx", TX, "--offline", "--spent", SPENT)
    assert found["facts"]["fee"] == 999
    assert found["runs"][0]["is_good"]
    parent = Transaction(2, SPEND.tx.inputs, SPEND.spent_outputs, 0)
    outpoint = SPEND.tx.inputs[0].outpoint._replace(txid=parent.txid, index=0)
    child = Transaction(2, [SPEND.tx.inputs[0]._replace(outpoint=outpoint)], SPEND.tx.outputs, 0)
    (tmp_path / "parent").write_bytes(parent.serialize())
    words = [child.serialize().hex(), "--offline", "--prevtx", str(tmp_path / "parent")]
    assert cli.json("explain", "tx", *words)["facts"]["fee"] == 999
    shown = cli("explain", "tx", TX, "--offline")
    assert "1 of 1 outputs that it spends are not known" in " ".join(shown.split())


# How it looks


@pytest.mark.parametrize("columns", [20, 80, 120, 300])
def test_a_page_fits_its_terminal(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setattr(explain_views.shutil, "get_terminal_size", lambda: os.terminal_size(
        (columns, 24)))  # fmt: skip
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert explain_views.page_width() == min(max(columns, 60), 160)


def test_steps_wait_for_enter_on_a_terminal(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "farthing", "explain", "script", "1 2 ADD 3 EQUAL"]
    child, terminal = pty.fork()
    if child == 0:
        os.environ["FARTHING_HOME"] = str(tmp_path)
        os.execv(sys.executable, [*words, "--run", "--step"])
    shown, pressed = b"", 0
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.4)[0]:
            if shown.count(b"Push the number") > pressed or b"Instructions" in shown:
                pressed += 1
                os.write(terminal, b"\n")
            continue
        try:
            chunk = os.read(terminal, 65536)
        except OSError:
            break
        shown += chunk
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, shown
    assert pressed >= 5
    assert b"the script ends true" in shown


def test_in_a_pipe_nothing_waits() -> None:
    words = [sys.executable, "-m", "farthing", "explain", "script", "1", "--run", "--step"]
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the script ends true" in done.stdout
    assert "\x1b" not in done.stdout


# With a node


def test_a_node_is_asked_for_what_is_missing(cli: CommandLine, network: LocalNetwork) -> None:
    node = ["--node", network.nodes[0].url]
    client = EsploraClient(network.nodes[0].url)
    height = client.tip().height
    first = cli.json("explain", "block", "1", *node)
    (row,) = next(each for each in first["sections"] if each["title"] == "Transactions")["rows"]
    coinbase = cli.json("explain", row["txid"], *node)
    assert coinbase["facts"]["is_coinbase"] is True
    assert coinbase["facts"]["status"] == "in block 1"
    assert cli.json("explain", first["facts"]["hash"], *node)["facts"] == first["facts"]
    assert cli.json("explain", "block", first["facts"]["hash"], *node) == first
    for words in (["block", str(height + 5)], ["block", "ab" * 32], ["tx", "ab" * 32], ["ab" * 32]):
        refused = cli.refusal("explain", *words, *node)
        assert network.nodes[0].url in refused
    client.close()


def test_the_nodes_of_a_running_testnet_are_known(
    cli: CommandLine, network: LocalNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FARTHING_HOME", str(network.directory.parent))
    assert cli.json("explain", "0")["title"].startswith("block 0f9188f1")
    assert cli.json("explain", "tx", TX)["facts"]["status"] == "not known to the node"


def test_a_damaged_note_of_a_testnet_is_no_reason_to_fail(cli: CommandLine) -> None:
    folder = cli.home / "testnet"
    folder.mkdir()
    (folder / "network.json").write_text("{")
    assert cli.json("explain", "tx", TX)["kind"] == "tx"


def test_a_node_that_nobody_named_may_be_silent(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scripts.cli import explain_work
    from scripts.explain.node import Source

    silent = explain_work.NodeChoice(Source("http://127.0.0.1:9"), was_named=False)
    monkeypatch.setattr(explain_work, "node_of", lambda *_: silent)
    assert "status" not in cli.json("explain", "tx", TX)["facts"]
    assert cli.json("explain", "block", GENESIS.hex())["kind"] == "block"


def test_json_is_one_value(cli: CommandLine) -> None:
    assert json.loads(cli("explain", ADDRESS, "--json"))["facts"]["script_pubkey"].startswith(
        "0014"
    )
    assert explain.VERSIONS.keys() == {"legacy", "v0", "tapscript"}
