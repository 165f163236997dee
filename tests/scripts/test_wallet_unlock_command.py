"""`farthing wallet unlock` and `lock`: for a while no password is asked, and then it is again."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.network import LocalNetwork
from tests.functional.support import eventually
from tests.functional.test_terminal import terminal as real_terminal
from tests.scripts.conftest import CommandLine

TYPED = ("--password-file", "-")
NOBODY_TO_ASK = (
    "a password is needed and there is no terminal to ask on; use --password-file FILE|-"
)


@pytest.fixture
def alice(cli: CommandLine) -> Iterator[str]:
    cli("wallet", "create", "alice", *TYPED, typed="secret\n")
    yield "alice"
    cli.run("wallet", "lock")


def status(cli: CommandLine) -> dict[str, object]:
    shown: dict[str, object] = cli.json("wallet", "unlock", "alice", "--status")
    return shown


def test_unlocked_for_a_while(cli: CommandLine, alice: str) -> None:
    assert status(cli) == {"name": "alice", "unlocked": False, "seconds_left": 0, "pid": None}
    assert cli("wallet", "unlock", "alice", "--status") == "wallet 'alice' is locked\n"
    assert cli.refusal("wallet", "check", "alice") == NOBODY_TO_ASK
    said = cli("wallet", "unlock", "alice", "--for", "1h30m5s", *TYPED, typed="secret\n")
    assert said == "wallet 'alice' is unlocked for 1 hour 30 minutes\n"
    assert "is whole" in cli("wallet", "check", "alice")
    assert "48h/1h/0h/2h" in cli("psbt", "key", "alice")
    shown = status(cli)
    assert shown["unlocked"] is True
    assert 5400 <= int(str(shown["seconds_left"])) <= 5405
    said = cli("wallet", "unlock", "alice", *TYPED, typed="secret\n")
    assert said == "wallet 'alice' is unlocked for 10 minutes\n"
    assert status(cli)["pid"] != shown["pid"]
    assert cli("wallet", "lock", "alice") == "wallet 'alice' is locked\n"
    assert cli.refusal("wallet", "check", "alice") == NOBODY_TO_ASK
    assert cli("wallet", "lock", "alice") == "wallet 'alice' is locked, as it was\n"


def test_after_the_time_the_password_is_asked_again(cli: CommandLine, alice: str) -> None:
    said = cli("wallet", "unlock", "alice", "--for", "1s", *TYPED, typed="secret\n")
    assert said == "wallet 'alice' is unlocked for 1 second\n"
    eventually(lambda: status(cli)["unlocked"] is False, timeout_s=5)
    assert cli.refusal("wallet", "check", "alice") == NOBODY_TO_ASK


def test_a_password_that_is_given_is_the_one_that_counts(cli: CommandLine, alice: str) -> None:
    wrong = "wrong password for this wallet"
    unlock = ("wallet", "unlock", "alice", *TYPED)
    assert cli.refusal(*unlock, typed="nonsense\n") == wrong
    assert status(cli)["unlocked"] is False
    cli(*unlock, typed="secret\n")
    assert cli.refusal("wallet", "check", "alice", *TYPED, typed="nonsense\n") == wrong
    assert cli.refusal(*unlock, typed="nonsense\n") == wrong
    assert status(cli)["unlocked"] is True


def test_what_makes_a_new_seal_asks_all_the_same(
    cli: CommandLine, alice: str, tmp_path: Path
) -> None:
    (tmp_path / "new").write_text("new\n")
    new = ("--new-password-file", str(tmp_path / "new"))
    cli("wallet", "unlock", "alice", *TYPED, typed="secret\n")
    assert cli.refusal("wallet", "accounts", "alice", "--add", "wpkh") == NOBODY_TO_ASK
    assert cli.refusal("wallet", "password", "alice", *new) == NOBODY_TO_ASK
    assert status(cli)["unlocked"] is True
    cli("wallet", "password", "alice", *new, *TYPED, typed="secret\n")
    assert status(cli)["unlocked"] is False


def test_all_are_locked_at_once(cli: CommandLine, alice: str) -> None:
    cli("wallet", "create", "bob", *TYPED, typed="secret\n")
    cli("wallet", "create", "carol", *TYPED, typed="secret\n")
    for name in ("alice", "bob"):
        cli("wallet", "unlock", name, *TYPED, typed="secret\n")
    assert cli("wallet", "lock").endswith("/wallets; 2 had been unlocked\n")
    assert cli.json("wallet", "lock", "bob") == [{"name": "bob", "was_unlocked": False}]
    assert status(cli)["unlocked"] is False
    assert cli.refusal("wallet", "lock", "nobody").startswith("there is no wallet 'nobody'")


def test_times_that_are_none(cli: CommandLine, alice: str) -> None:
    for time in ("0s", "24h1s", "10", "", "-5m", "1.5h", "10min", "5m10h", "9" * 30 + "h", "ten"):
        said = cli.refusal("wallet", "unlock", "alice", "--for", time, code=2)
        assert said == (
            f"Invalid value for '--for': {time!r} is no time from 1s to 24h: 10m, 90s or 1h30m. "
            "See: farthing wallet unlock --help"
        )


def test_a_payment_without_a_password(cli: CommandLine, alice: str, network: LocalNetwork) -> None:
    (node,) = network.nodes
    at_node = ("--node", node.url)
    address = cli("wallet", "address", "alice").strip()
    node.rpc.call("generatetoaddress", 101, address)
    pay = ("wallet", "send", "alice", address, "0.1", "--yes", *at_node)
    assert cli.refusal(*pay) == NOBODY_TO_ASK
    cli("wallet", "unlock", "alice", *TYPED, typed="secret\n")
    txid = cli.json(*pay)["txid"]
    bumped = cli.json("wallet", "bump", "alice", txid, "--yes", *at_node)["txid"]
    cancelled = cli.json("wallet", "cancel", "alice", bumped, "--yes", *at_node)["txid"]
    assert node.rpc.call("getrawmempool") == [cancelled]
    cli("wallet", "lock", "alice")
    assert cli.refusal("wallet", "bump", "alice", cancelled, "--yes", *at_node) == NOBODY_TO_ASK


def test_it_outlives_its_terminal(
    cli: CommandLine, alice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with real_terminal("-m", "farthing", "wallet", "unlock", "alice", "--for", "5m") as screen:
        while "Password: " not in screen.shown:
            assert screen.look(0.2)
        screen.type(b"secret\n")
        assert screen.end() == 0, screen.shown
    assert screen.lines[-1] == "wallet 'alice' is unlocked for 5 minutes"
    assert "is whole" in cli("wallet", "check", "alice")
    pid = int(str(status(cli)["pid"]))
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: status(cli)["unlocked"] is False, timeout_s=5)
