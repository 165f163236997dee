"""`farthing wallet` against a real node: what it prints, for people and for programs."""

from pathlib import Path

import click
import pytest

from scripts.cli.common import coins, print_table
from scripts.funds import TEST_MNEMONIC
from scripts.network import LocalNetwork
from tests.scripts.conftest import CommandLine
from tests.scripts.test_qr import scan, svg_pixels, terminal_pixels

SOMEBODY = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
OTHER = "bcrt1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqc8gma6"
NOTHING = "farthing: nothing was signed or sent"
PASSWORD = "correct horse"
TYPED = ("--password-file", "-")


@pytest.fixture
def node(network: LocalNetwork) -> tuple[str, str]:
    return ("--node", network.nodes[0].url)


def test_a_new_wallet_shows_its_words_once(cli: CommandLine) -> None:
    shown = cli("wallet", "create", "alice", *TYPED, typed=f"{PASSWORD}\n")
    file = cli.home / "wallets" / "alice.wallet"
    assert f"Wallet 'alice' on regtest: {file}" in shown
    words = [line.split()[1] for line in shown.splitlines() if line[:5].strip().isdigit()]
    assert len(words) == 12
    assert file.stat().st_mode & 0o777 == 0o600
    address = cli("wallet", "address", "alice").strip()
    assert f"First address: {address}" in shown
    shown = cli.json("wallet", "address", "alice")
    assert shown == {"address": address, "uri": f"bitcoin:{address}"}
    assert cli("wallet", "address", "alice", "--new").strip() != address
    restored = cli.json(
        *["wallet", "restore", "twin", "--words-file", "-", "--password-file"],
        password_file(cli.home),
        typed=" ".join(words),
    )
    assert restored["address"] == address
    assert "mnemonic" not in restored


def password_file(folder: Path) -> str:
    file = folder / "password"
    file.write_text(f"{PASSWORD}\r\nand notes\n")
    return str(file)


def test_a_wallet_as_programs_make_it(cli: CommandLine) -> None:
    made = cli.json("wallet", "create", "bob", "--network", "classroom", *TYPED, typed=PASSWORD)
    assert set(made) == {"name", "network", "file", "address", "mnemonic"}
    assert (made["name"], made["network"]) == ("bob", "classroom")
    assert len(made["mnemonic"].split()) == 12
    assert cli.json("wallet", "list") == ["bob"]


def test_wallets_are_listed(cli: CommandLine) -> None:
    assert cli("wallet", "list") == f"no wallets in {cli.home}/wallets\n"
    for name in ("zoe", "alice", "Bob-2_x"):
        cli("wallet", "create", name, *TYPED, typed=PASSWORD)
    assert cli("wallet", "list") == "Bob-2_x\nalice\nzoe\n"


def test_a_password_is_asked_for_twice_when_new(cli: CommandLine, terminal: list[str]) -> None:
    terminal += [PASSWORD, PASSWORD]
    cli.run("wallet", "create", "alice")
    terminal += [TEST_MNEMONIC, PASSWORD, PASSWORD]
    ran = cli.run("wallet", "restore", "rich")
    assert ran.code == 0
    assert "Its coins are found by: farthing wallet balance rich" in ran.out
    assert "bcrt1pfewlxm8meyyvgjydfu7v8j4ej64symj6ut8sf66h9germp94qgzs92e5zv" in ran.out
    assert "junk" not in ran.out + ran.err


def test_money_comes_and_goes(
    cli: CommandLine, network: LocalNetwork, node: tuple[str, str], terminal: list[str]
) -> None:
    restore = ["wallet", "restore", "rich", "--words-file", "-"]
    cli(*restore, "--password-file", password_file(cli.home), typed=TEST_MNEMONIC)
    assert cli("wallet", "balance", "rich", *node).splitlines() == [
        "confirmed  500.00000000 BTC",
        "pending    0.00000000 BTC",
        "immature   0.00000000 BTC",
        "frozen     0.00000000 BTC",
    ]
    terminal += ["y", PASSWORD]
    ran = cli.run("wallet", "send", "rich", SOMEBODY, "0.4", "--fee-rate", "2", *node)
    assert ran.code == 0
    assert ran.err.startswith(f"Pays    0.40000000 BTC to {SOMEBODY}\nFee     ")
    assert "(2.0" in ran.err
    (txid,) = ran.out.splitlines()
    assert network.nodes[0].rpc.call("getrawmempool") == [txid]
    (newest, *_) = cli.json("wallet", "history", "rich", *node)
    assert (newest["txid"], newest["height"], newest["time"]) == (txid, None, None)
    assert newest["net"] == -40_000_000 - newest["fee"]
    assert "pending" in cli("wallet", "history", "rich", *node)
    network.nodes[0].rpc.call("generatetoaddress", 1, SOMEBODY)
    assert "block 121" in cli("wallet", "history", "rich", *node)
    held = cli.json("wallet", "balance", "rich", *node)
    assert held == {
        "confirmed": 50_000_000_000 - 40_000_000 - newest["fee"],
        "pending": 0,
        "immature": 0,
        "frozen": 0,
        "fresh": True,
    }
    asked = ("wallet", "send", "rich", SOMEBODY, "1", *node, *TYPED, "--yes")
    sent = cli.json(*asked, typed=PASSWORD)
    assert sent["amount"] == 100_000_000
    network.nodes[0].rpc.call("generatetoaddress", 1, SOMEBODY)


def test_being_paid_by_a_uri_that_a_phone_scans(cli: CommandLine, tmp_path: Path) -> None:
    cli("wallet", "create", "alice", *TYPED, typed=PASSWORD)
    address = cli("wallet", "address", "alice").strip()
    drawn = cli("wallet", "address", "alice", "--qr")
    first, _, code = drawn.partition("\n")
    assert first == address
    assert scan(terminal_pixels(code)) == [f"BITCOIN:{address.upper()}"]
    svg = tmp_path / "tea.svg"
    asked = ("--amount", "40000sat", "--label", "Alice's tea", "--svg", str(svg))
    text = cli("wallet", "address", "alice", *asked).strip()
    assert text == f"bitcoin:{address}?amount=0.0004&label=Alice%27s%20tea"
    assert scan(svg_pixels(svg.read_bytes())) == [text]
    assert cli.json("wallet", "address", "alice", *asked) == {"address": address, "uri": text}
    said = cli.refusal("wallet", "address", "alice", "--message", "x" * 3_000)
    assert "too long" in said


def test_what_things_are_called(cli: CommandLine) -> None:
    cli("wallet", "create", "alice", *TYPED, typed=PASSWORD)
    assert cli("wallet", "label", "alice").startswith("no labels yet; farthing wallet label alice")
    address = cli.json("wallet", "address", "alice", "--label", "Bob, rent")["address"]
    assert cli("wallet", "label", "alice", address) == "Bob, rent\n"
    other = cli("wallet", "address", "alice").strip()
    assert other != address
    assert cli("wallet", "label", "alice", other, "till") == "till\n"
    listed = cli.json("wallet", "label", "alice")
    assert {(each["type"], each["ref"], each["label"]) for each in listed} == {
        ("addr", address, "Bob, rent"),
        ("addr", other, "till"),
    }
    assert [line.split()[0] for line in cli("wallet", "label", "alice").splitlines()[2:]] == [
        "Bob,",
        "till",
    ]
    shown = cli("wallet", "addresses", "alice")
    assert address in shown and "Bob, rent" in shown
    numbers = [each["number"] for each in cli.json("wallet", "addresses", "alice")]
    assert numbers == [0, 1]
    assert cli("wallet", "label", "alice", other, "--remove") == ""
    label = ("wallet", "label", "alice")
    assert f"{other} has no label; give it one" in cli.refusal(*label, other)
    assert "nothing of this wallet" in cli.refusal(*label, SOMEBODY, "Bob")
    assert "which label to remove" in cli.refusal(*label, "--remove", code=2)
    assert "not both" in cli.refusal(*label, other, "x", "--remove", code=2)


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["0.4", SOMEBODY], 2, "'0.4' stands where an address should"),
        ([SOMEBODY], 2, "an amount must stand behind"),
        ([SOMEBODY, "lots"], 1, "'lots' is not an amount"),
        ([SOMEBODY, OTHER, "1"], 1, f"'{OTHER[:40]}…' is not an amount"),
        ([SOMEBODY, "1", f"bitcoin:{SOMEBODY}"], 2, "an amount must stand behind"),
        ([f"bitcoin:{SOMEBODY}?amount=1", "2"], 1, "asks for 1.00000000 BTC, and 2.00000000 BTC"),
        ([f"bitcoin:{SOMEBODY}?req-pop=1", "1"], 1, "requires 'req-pop'"),
        ([SOMEBODY, "0.4.2"], 1, "is not an amount"),
        ([SOMEBODY, "4mBTC"], 1, "is not an amount"),
        ([SOMEBODY, "4sat", "BTC"], 1, "is not an amount"),
        ([SOMEBODY, "sat"], 1, "'sat' is not an amount"),
    ],
)
def test_payees_that_can_not_be(cli: CommandLine, words: list[str], code: int, line: str) -> None:
    cli("wallet", "create", "alice", *TYPED, typed=PASSWORD)
    assert line in cli.refusal("wallet", "send", "alice", "--yes", *words, code=code)


def test_several_are_paid_at_once_by_words_and_by_uri(
    cli: CommandLine, network: LocalNetwork, node: tuple[str, str]
) -> None:
    restore = ["wallet", "restore", "rich", "--words-file", "-"]
    cli(*restore, "--password-file", password_file(cli.home), typed=TEST_MNEMONIC)
    paid = [
        SOMEBODY,
        "40000",
        "sat",
        f"bitcoin:{OTHER}?amount=.5&message=rent",
        OTHER.upper(),
        "1 BTC",
    ]
    send = ["wallet", "send", "rich", *paid, "--rate", "2", *node, *TYPED, "--yes"]
    sent = cli.json(*send, typed=PASSWORD)
    assert sent["amount"] == 40_000 + 50_000_000 + 100_000_000
    raw = network.nodes[0].rpc.call("getrawtransaction", sent["txid"], True)
    outputs = {(o["scriptPubKey"]["address"], round(o["value"] * 10**8)) for o in raw["vout"]}
    assert outputs >= {(SOMEBODY, 40_000), (OTHER, 50_000_000), (OTHER, 100_000_000)}
    network.nodes[0].rpc.call("generatetoaddress", 1, SOMEBODY)


def test_what_would_be_sent_is_shown_and_asked(
    cli: CommandLine, network: LocalNetwork, node: tuple[str, str], terminal: list[str]
) -> None:
    restore = ["wallet", "restore", "rich", "--words-file", "-"]
    cli(*restore, "--password-file", password_file(cli.home), typed=TEST_MNEMONIC)
    held = cli.json("wallet", "balance", "rich", *node)["confirmed"]
    coin = next(c for c in cli.json("wallet", "coins", "rich", *node) if c["amount"] == 50 * 10**8)
    how = ("--rate", "3", "--from", coin["coin"], *node)
    send = ("wallet", "send", "rich", SOMEBODY, "0.00001", OTHER, "500sat", *how)
    looked = cli(*send, "--dry-run").splitlines()
    fee = 3 * 196  # one recipient is paid by taproot, and so is the change
    assert looked[:4] == [
        f"Pays    0.00001000 BTC to {SOMEBODY}",
        f"Pays    0.00000500 BTC to {OTHER}",
        "        0.00001500 BTC in all",
        f"Fee     {fee} sat (3.00 sat/vB, 39.20% of what is paid), for 1 coin spent; that is much",
    ]
    assert looked[4].startswith("Change  ") and looked[4].endswith(" BTC back to rich")
    assert looked[5] == f"Left    {coins(held - 1_500 - fee)} in rich"
    shown = cli.json(*send, "--dry-run")
    assert (shown["dry_run"], shown["fee"], shown["feerate"]) == (True, fee, "3.00")
    terminal.append("n")
    ran = cli.run(*send)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines() == [*looked[:4], ran.err.splitlines()[4], looked[5], NOTHING]
    assert network.nodes[0].rpc.call("getrawmempool") == []


def test_where_nobody_can_be_asked(cli: CommandLine, node: tuple[str, str]) -> None:
    cli("wallet", "create", "alice", *TYPED, typed=PASSWORD)
    send = ("wallet", "send", "alice", SOMEBODY, "1", *node)
    said = cli.refusal(*send, *TYPED, typed=PASSWORD, code=2)
    assert said == (
        "there is no terminal to ask on: look first with --dry-run, then repeat with --yes. "
        "See: farthing wallet send --help"
    )
    assert "contradict each other" in cli.refusal(*send, "--yes", "--dry-run", code=2)
    assert "no terminal to ask on" in cli.refusal("psbt", "sign", "alice", "x", code=2)


def test_a_payment_is_called_what_the_uri_says(cli: CommandLine, node: tuple[str, str]) -> None:
    restore = ["wallet", "restore", "rich", "--words-file", "-"]
    cli(*restore, "--password-file", password_file(cli.home), typed=TEST_MNEMONIC)
    uri = f"bitcoin:{SOMEBODY}?amount=0.1&label=Bob&message=March%1b%20rent"
    send = ("wallet", "send", "rich", uri, "--yes", *node, *TYPED)
    sent = cli.json(*send, typed=PASSWORD)
    second = cli.run(*send, "--label", "April", typed=PASSWORD)
    assert second.err.startswith("Pays    0.10000000 BTC to ")
    called = {i["txid"]: i["label"] for i in cli.json("wallet", "history", "rich", *node)}
    assert called[sent["txid"]] == "Bob, March  rent"
    assert called[second.out.strip()] == "April"
    assert "can't be shown" in cli.refusal(*send, "--label", "\x1b", typed=PASSWORD)


def test_what_is_to_be_copied_is_never_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [["0.40000000 BTC", "bread", "ab" * 32], ["1.00000000 BTC", "", "cd" * 32]]
    columns = ["amount>", "label", "txid"]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for terminal, below in (("100", False), ("80", True), ("20", True)):
        monkeypatch.setenv("COLUMNS", terminal)
        print_table(columns, rows, is_last_long=True)
        lines = capsys.readouterr().out.splitlines()
        if below:
            assert [lines[2], lines[4]] == ["0.40000000 BTC   bread", "1.00000000 BTC"]
            assert [lines[3], lines[5]] == ["  " + "ab" * 32, "  " + "cd" * 32]
        else:
            assert lines[2] == "0.40000000 BTC   bread   " + "ab" * 32


def test_a_wallet_without_payments(cli: CommandLine, node: tuple[str, str]) -> None:
    cli("wallet", "create", "poor", *TYPED, typed=PASSWORD)
    assert cli("wallet", "history", "poor", *node).startswith("no payments yet; farthing wallet")
    assert cli.json("wallet", "history", "poor", *node) == []


def test_without_a_node_the_last_known_is_shown(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("wallet", "create", "poor", *TYPED, typed=PASSWORD)
    monkeypatch.setenv("FARTHING_NODE", "http://127.0.0.1:1")
    ran = cli.run("wallet", "balance", "poor", "--json")
    assert ran.code == 0
    assert '"fresh": false' in ran.out
    assert ran.err == (
        "farthing: no node answers at http://127.0.0.1:1; start it, or check the address; "
        "showing what was known at the last contact\n"
    )
    assert "no node answers" in cli.refusal(
        "wallet", "send", "poor", SOMEBODY, "1", *TYPED, "--yes", typed=PASSWORD
    )


@pytest.mark.parametrize("name", ["", "../x", "a b", "a/b", ".", "é", "x" * 65, "-", "a.b", "a\n"])
def test_names_that_can_not_be(cli: CommandLine, name: str) -> None:
    said = cli.refusal("wallet", "create", *TYPED, "--", name, typed=PASSWORD)
    assert "use up to 64 letters, digits, '-' and '_'" in said
    assert list(cli.home.iterdir()) == []


def test_refusals(cli: CommandLine, node: tuple[str, str], tmp_path: Path) -> None:
    create, restore = ("wallet", "create", "alice"), ("wallet", "restore", "alice")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\xfd")
    assert "is empty; give at least one" in cli.refusal(*create, *TYPED, typed="\n")
    assert "use --password-file FILE|-" in cli.refusal(*create)
    assert "is no text file" in cli.refusal(*create, "--password-file", str(binary))
    assert "No such file" in cli.refusal(*create, "--password-file", "nowhere", code=2)
    assert "use --words-file FILE|-" in cli.refusal(*restore, *TYPED, typed=PASSWORD)
    assert "is no text file" in cli.refusal(*restore, "--words-file", str(binary))
    typed = ("--words-file", "-", "--password-file", password_file(tmp_path))
    said = cli.refusal(*restore, *typed, typed="test test test")
    assert "test" not in said
    assert "12" in said
    assert not (cli.home / "wallets").exists()
    cli(*create, *TYPED, typed=PASSWORD)
    for words in (create, restore):
        assert "choose another name" in cli.refusal(*words, *TYPED, typed=PASSWORD)
    asked = ("wallet", "send", "alice", SOMEBODY, "1", "--yes", *node)
    assert "not enough money" in cli.refusal(*asked, *TYPED, typed=PASSWORD)
    assert "wallet create nobody" in cli.refusal("wallet", "address", "nobody")


def test_words_and_password_can_not_share_one_input(cli: CommandLine) -> None:
    words = ["wallet", "restore", "alice", "--words-file", "-", *TYPED]
    assert "put one into a file" in cli.refusal(*words, typed=f"{TEST_MNEMONIC}\n{PASSWORD}")


def test_a_home_that_can_not_be(cli: CommandLine) -> None:
    (cli.home / "wallets").write_text("in the way")
    said = cli.refusal("wallet", "create", "alice", *TYPED, typed=PASSWORD)
    assert f"{cli.home}/wallets is no folder" in said


@pytest.mark.parametrize("as_json", [False, True])
def test_a_wallet_whose_words_nobody_saw_is_not_kept(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    def full(*_: object, **named: object) -> None:
        if not named.get("err"):
            raise OSError(28, "No space left on device")
        real(*_, **named)  # type: ignore[arg-type]

    real = click.echo
    monkeypatch.setattr(click, "echo", full)
    words = ["wallet", "create", "alice", *TYPED, *(["--json"] if as_json else [])]
    assert cli.refusal(*words, typed=PASSWORD) == (
        "the words can't be shown (No space left on device), so wallet 'alice' was not kept"
    )
    assert list((cli.home / "wallets").iterdir()) == []
    # Of words that somebody has, the wallet stays.
    restore = ["wallet", "restore", "rich", "--words-file", "-"]
    said = cli.refusal(*restore, "--password-file", password_file(cli.home), typed=TEST_MNEMONIC)
    assert said.startswith("can't read or write: No space left on device")
    assert [path.name for path in (cli.home / "wallets").iterdir()] == ["rich.wallet"]
