"""`farthing wallet` for its own file: accounts, descriptors, password, backup."""

from pathlib import Path

import pytest

from tests.scripts.conftest import CommandLine

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
