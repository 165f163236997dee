"""Slips at the wallet's command line: each is one clear line, and what was shown is true.

And a wallet's file that somebody wrote by hand: its checksum fits, its content does not.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.funds import TEST_MNEMONIC
from tests.scripts.conftest import CommandLine
from wallet import keystore

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
NOWHERE = ("--node", "http://127.0.0.1:1")


@pytest.fixture
def alice(cli: CommandLine) -> CommandLine:
    (cli.home / "password").write_text("correct horse")
    words = ("wallet", "restore", "alice", "--words-file", "-")
    cli(*words, "--password-file", str(cli.home / "password"), typed=TEST_MNEMONIC)
    return cli


@pytest.mark.parametrize(
    ("words", "line", "code"),
    [
        (("send", "alice", ADDRESS, "-0.1"), "An amount is never negative.", 2),
        (("send", "alice", "", "1", "--yes"), "an address is empty: ADDRESS AMOUNT", 2),
        (("send", "alice", ADDRESS, "9" * 17, "--yes"), "more than the 21,000,000 coins", 1),
        (("backup", "alice", ""), "the copy needs a name", 1),
        (("backup", "alice", "/nowhere/at/all/copy"), "there is no folder /nowhere/at/all:", 1),
        (("watch", "bob", ""), "a file's name is empty: give a FILE", 1),
        (("address", "alice", "--amount", "0"), "is dust", 1),
        (("address", "alice", "--amount", "329sat"), "is dust", 1),
        (("address", "alice", "--new", "--message", "\udcff"), "holds what can't be shown", 1),
        (("address", "alice", "--new", "--message", "x" * 3000), "a QR code holds 2,953", 1),
        (("address", "alice", "--account", "9"), "wallet 'alice' has no account 9", 1),
    ],
)
def test_a_slip_is_one_line(
    alice: CommandLine, words: tuple[str, ...], line: str, code: int
) -> None:
    assert line in alice.refusal("wallet", *words, code=code)


def test_an_empty_rate_is_no_rate(alice: CommandLine, network: Any) -> None:
    at = ("--node", network.nodes[0].url, "--yes")
    said = alice.refusal("wallet", "send", "alice", ADDRESS, "1", "--rate", "", *at)
    assert said.startswith("'' is not a fee rate: write satoshis a virtual byte")


def test_a_code_that_cannot_be_written_shows_no_address(alice: CommandLine, tmp_path: Path) -> None:
    ran = alice.run("wallet", "address", "alice", "--svg", str(tmp_path))
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)


def test_each_account_gives_out_its_addresses(alice: CommandLine) -> None:
    kinds = {"bcrt1p": 0, "bcrt1q": 1}
    for prefix, number in kinds.items():
        shown = alice.json("wallet", "address", "alice", "--account", str(number))
        assert shown["address"].startswith(prefix)


def entry(**changed: object) -> bytes:
    usual = {
        "txid": "00" * 32,
        "raw": "",
        "status": [None, None, None],
        "coinbase": False,
        "sent_here": False,
        "credits": [],
        "debits": [],
        "fee": None,
    }
    return b"[]\n" + json.dumps([usual | changed]).encode()


@pytest.mark.parametrize(
    ("verb", "spoil"),
    [
        ("balance", lambda file: {"network": ["x"]}),
        ("balance", lambda file: {"descriptors": [1]}),
        ("balance", lambda file: {"sealed": [1]}),
        ("balance", lambda file: {"state": []}),
        ("balance", lambda file: {"state": {**file.state, "next": [[0, 0, -5]]}}),
        ("balance", lambda file: {"state": {**file.state, "next": [[0, 0, 10**8]]}}),
        ("balance", lambda file: {"state": {**file.state, "labels": {"zz": 1}}}),
        ("history", lambda file: {"state": {**file.state, "labels": {"zz": "\x1b]0;x"}}}),
        ("history", lambda file: {"state": {**file.state, "labels": {"\x07": "x"}}}),
        ("history", lambda file: {"history": entry(status=[1, "00" * 32, 10**18])}),
        ("history", lambda file: {"history": entry(txid=7)}),
    ],
)
def test_a_file_that_makes_no_sense_is_called_damaged(
    alice: CommandLine, verb: str, spoil: Callable[[keystore.WalletFile], dict[str, Any]]
) -> None:
    path = alice.home / "wallets" / "alice.wallet"
    file = keystore.read(path)
    fields = {
        "network": file.network,
        "descriptors": list(file.descriptors),
        "sealed": dict(file.sealed),
        "state": dict(file.state),
    }
    spoilt = spoil(file)
    history = spoilt.pop("history", file.history)
    body = json.dumps(fields | spoilt).encode() + b"\n" + history
    path.write_bytes(b"farthing-wallet 2 %s\n" % keystore._digest(body) + body)
    ran = alice.run("wallet", verb, "alice", *NOWHERE)
    said = ran.err.splitlines()[-1]  # before it, that no node answers
    assert (ran.code, ran.out) == (1, "")
    assert "damaged" in said or "its content does not" in said


def test_a_label_at_nothing_hides_no_history(alice: CommandLine) -> None:
    path = alice.home / "wallets" / "alice.wallet"
    file = keystore.read(path)
    state = {**file.state, "labels": {"zz": "of another time"}}
    keystore.write(path, keystore.replace(file, state=state))
    assert alice.run("wallet", "history", "alice", *NOWHERE).code == 0
