"""`farthing wallet` for its own file: accounts, descriptors, password, backup."""

import json
from pathlib import Path

import pytest

from tests.scripts.conftest import CommandLine
from wallet.checksum import add_checksum

TYPED = ("--password-file", "-")


@pytest.fixture
def alice(cli: CommandLine) -> str:
    cli("wallet", "create", "alice", *TYPED, typed="old\n")
    return cli("wallet", "address", "alice").strip()


def test_a_watcher_made_of_an_export(cli: CommandLine, alice: str, tmp_path: Path) -> None:
    text = cli("wallet", "export", "alice")
    (tmp_path / "alice.txt").write_text(text)
    shown = cli("wallet", "watch", "eyes", str(tmp_path / "alice.txt"))
    assert alice in shown
    assert cli("wallet", "address", "eyes").strip() == alice
    refused = cli.run("wallet", "accounts", "eyes", "--add", "wpkh")
    assert (refused.code, refused.err) == (
        1,
        "farthing: wallet 'eyes' only watches; watch another descriptor under another name\n",
    )


def test_accounts(cli: CommandLine, alice: str) -> None:
    cli("wallet", "accounts", "alice", "--add", "wpkh", "--number", "1", *TYPED, typed="old\n")
    shown = cli("wallet", "accounts", "alice")
    assert "wpkh([" in shown
    assert "/84h/1h/1h]" in shown
    cli("wallet", "check", "alice", *TYPED, typed="old\n")


def test_password_and_backup(cli: CommandLine, alice: str, tmp_path: Path) -> None:
    cli("wallet", "label", "alice", alice, "rent")
    cli("wallet", "backup", "alice", str(tmp_path / "copy"))
    (tmp_path / "new").write_text("new\n")
    new = ("--new-password-file", str(tmp_path / "new"))
    cli("wallet", "password", "alice", *new, *TYPED, typed="old\n")
    refused = cli.run("wallet", "check", "alice", *TYPED, typed="old\n")
    assert (refused.code, refused.err) == (1, "farthing: wrong password for this wallet\n")
    cli("wallet", "restore", "again", "--backup", str(tmp_path / "copy"))
    assert "rent" in cli("wallet", "label", "again")
    cli("wallet", "check", "again", *TYPED, typed="old\n")


def test_a_restore_may_look_further(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "words").write_text("test " * 11 + "junk")
    words = ("--words-file", str(tmp_path / "words"), *TYPED)
    cli("wallet", "restore", "far", "--gap-limit", "77", *words, typed="old\n")
    assert {a["gap_limit"] for a in cli.json("wallet", "accounts", "far")} == {77}
    said = cli.refusal("wallet", "restore", "no", "--gap-limit", "0", *words, code=2)
    assert "0 is not in the range 1<=x<=10000" in said


def test_what_other_wallets_export_is_watched(cli: CommandLine, alice: str, tmp_path: Path) -> None:
    cli("wallet", "accounts", "alice", "--add", "wpkh", *TYPED, typed="old\n")
    both = cli("wallet", "export", "alice").split()
    halves = [half(text, branch) for text in both for branch in (0, 1)]
    core = {"wallet_name": "w", "descriptors": [{"desc": d, "active": True} for d in halves]}
    (tmp_path / "core.json").write_text(json.dumps(core, indent=2))
    (tmp_path / "import.json").write_text(json.dumps(core["descriptors"]))
    (tmp_path / "lines.txt").write_text("\n".join(both))
    parts = [f"# BIP389:\n{both[0]}\n", f"# Receive:\n{halves[0]}\n", f"# Change:\n{halves[1]}\n"]
    (tmp_path / "sparrow.txt").write_text("\n".join(parts))
    for name, given, expected in (
        ("core", [str(tmp_path / "core.json")], both),
        ("import", [str(tmp_path / "import.json")], both),
        ("lines", [str(tmp_path / "lines.txt")], both),
        ("sparrow", [str(tmp_path / "sparrow.txt")], both[:1]),
        ("words", halves[:2], both[:1]),
    ):
        assert alice in cli("wallet", "watch", name, *given)
        assert cli("wallet", "export", name).split() == expected
    said = cli.refusal("wallet", "watch", "wrong", halves[0], halves[3])
    assert "the other is wpkh(…); expected the same descriptor with /1/*, for change" in said
    (tmp_path / "bad.json").write_text('{"descriptors": [{"label": "x"}]}')
    said = cli.refusal("wallet", "watch", "wrong", str(tmp_path / "bad.json"))
    assert said.endswith("is no list of descriptors; expected JSON as listdescriptors writes it")
    (tmp_path / "pair.txt").write_text("\n".join(halves[:2]))
    assert cli("psbt", "address", str(tmp_path / "pair.txt")).strip() == alice
    said = cli.refusal("psbt", "address", str(tmp_path / "lines.txt"))
    assert said.endswith("holds 2 descriptors of different coins; give one of them")
    (tmp_path / "empty").write_text("")
    assert cli.refusal("psbt", "address", str(tmp_path / "empty"))
    assert cli.refusal("wallet", "watch", "wrong", str(tmp_path / "empty"))


def half(text: str, branch: int) -> str:
    """Receiving or change alone, as older programs write them."""
    return add_checksum(text.partition("#")[0].replace("/<0;1>/*", f"/{branch}/*"))
