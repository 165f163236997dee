"""Mistakes that lose money, made through the command line: each is refused, in one clear line.

Every payment is tried with --yes and the right password, so that nothing else can stop it; after
each the wallet's file and the node's mempool must be as they were.
"""

from pathlib import Path

import pytest

from chain.address import witness_address
from scripts.funds import TEST_MNEMONIC
from scripts.network import LocalNetwork
from tests.scripts.conftest import CommandLine

SOMEBODY = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
PASSWORD = "correct horse"


class Payer:
    """The wallet `alice` with ten coins of 50, and a command line to spend them by."""

    def __init__(self, cli: CommandLine, network: LocalNetwork) -> None:
        self.cli, self.node = cli, network.nodes[0]
        self.file = cli.home / "password"
        if not self.file.exists():
            self.file.write_text(PASSWORD)
            restore = ("wallet", "restore", "alice", "--words-file", "-")
            cli(*restore, "--password-file", str(self.file), typed=TEST_MNEMONIC)
            assert cli.json("wallet", "balance", "alice", *self.at)["confirmed"] == 500 * 10**8

    @property
    def at(self) -> tuple[str, ...]:
        return ("--node", self.node.url)

    def refused(self, *words: str, wallet: str = "alice") -> str:
        """What `send` says that must refuse, and leave everything as it was."""
        folder = self.cli.home / "wallets"
        files = {path: path.read_bytes() for path in folder.iterdir()}
        usual = ("--password-file", str(self.file), "--yes", *self.at)
        said = self.cli.refusal("wallet", "send", wallet, *usual, *words)
        assert {path: path.read_bytes() for path in folder.iterdir()} == files
        assert self.node.rpc.call("getrawmempool") == []
        return said


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all, as nothing here changes it."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def alice(cli: CommandLine, network: LocalNetwork) -> Payer:
    return Payer(cli, network)


@pytest.mark.parametrize(
    ("address", "line"),
    [
        (
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            "an address of another network: it begins with bc1, those of regtest with bcrt1",
        ),
        ("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "it begins with tb1"),
        ("1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH", "its first byte is 0"),
        (
            "bcrt1qw508d6qejxtdg4y5r3zarvery0c5xw7kygt080",
            "mistyped, probably: bcrt1qw508d6qejxtdg4y5r3zarv[e]ry0c5xw7kygt080",
        ),
        (
            "bcrt1qw508d6qejxtdg4y5r3zarv2ry0c5xw9kygt080",
            "mistyped, probably: bcrt1qw508d6qejxtdg4y5r3zarv[2]ry0c5xw[9]kygt080",
        ),
        (
            "BCRT1QW508D6QEJXTDG4Y5R3ZARV1RY0C5XW7KYGTO80",
            "does not have: BCRT1QW508D6QEJXTDG4Y5R3ZARV[1]RY0C5XW7KYGTO80",
        ),
        ("bcrt1qw508d6qejxtdg4y5r3zarvry0c5xw7kygt080", "a character was mistyped, or is missing"),
        ("mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8s", "the base58 checksum is wrong"),
        (witness_address("bcrt", 2, bytes(32)), "is of a kind whose coins anybody or nobody"),
        (witness_address("bcrt", 16, bytes(2)), "is of a kind whose coins anybody or nobody"),
        (witness_address("bcrt", 1, b"\xff" * 32), "is of a kind whose coins anybody or nobody"),
    ],
)
def test_an_address_that_is_not_the_payees(alice: Payer, address: str, line: str) -> None:
    said = alice.refused(address, "1")
    assert line in said
    # Told before any node is asked, and of a URI as of an address.
    assert alice.refused(f"bitcoin:{address}?amount=1", "--node", "http://127.0.0.1:1") == said


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["293sat"], "dust, worth less than spending it costs: pay at least 0.00000294"),
        (["0"], "dust"),
        (["1", "--rate", "1001"], "a fee rate of 1001 sat/vB is absurd; at most 1000"),
        (["1000"], "not enough money: 1000.00000"),
        (["40000.5sat"], "nothing below a satoshi"),
        (["1,5"], "write the decimals after a dot"),
        (["22000000"], "more than the 21,000,000 coins"),
    ],
)
def test_an_amount_or_a_fee_that_nobody_means(alice: Payer, words: list[str], line: str) -> None:
    assert line in alice.refused(SOMEBODY, *words)


def test_a_fee_beyond_the_ceiling(alice: Payer) -> None:
    payees = [SOMEBODY, "1000sat"] * 400
    assert "absurd; at most 0.10000000 BTC is accepted" in alice.refused(*payees, "--rate", "999")


def test_what_was_mined_is_not_spent_before_it_is_mature(alice: Payer) -> None:
    alice.cli("wallet", "create", "miner", "--password-file", str(alice.file))
    mine = alice.cli("wallet", "address", "miner").strip()
    alice.node.rpc.call("generatetoaddress", 1, mine)
    assert alice.cli.json("wallet", "balance", "miner", *alice.at)["immature"] == 50 * 10**8
    said = alice.refused(SOMEBODY, "1", wallet="miner")
    assert said.startswith("not enough money: 1.0000")
    assert said.endswith(" 0.00000000 BTC can be spent now, 50.00000000 BTC must mature first")
    (coin,) = alice.cli.json("wallet", "coins", "miner", *alice.at)
    said = alice.refused(SOMEBODY, "1", "--from", coin["coin"], wallet="miner")
    assert "was mined and can be spent after 100 blocks" in said


def test_change_below_dust_goes_to_the_fee_and_is_named(alice: Payer) -> None:
    """One coin of 50 pays all but 200 satoshis and the fee of a payment without change."""
    amount = f"{50 * 10**8 - 20 * 110 - 200}sat"
    send = ("wallet", "send", "alice", SOMEBODY, amount, "--rate", "20", *alice.at)
    shown = alice.cli(*send, "--dry-run").splitlines()
    assert shown[1].startswith("Fee     2,400 sat (21.82 sat/vB, ")
    assert shown[2] == "Change  none: 200 sat are too little, they go to the fee"


@pytest.mark.parametrize(
    "words",
    [
        ["wallet", "send", "alice", SOMEBODY, "1", "--password", "hunter2"],
        ["wallet", "send", "alice", SOMEBODY, "1", "--password=hunter2", "--yes"],
        ["wallet", "create", "new", "--password", "hunter2"],
        ["wallet", "restore", "new", "--password=hunter2"],
        ["wallet", "restore", "new", "--words", "hunter2"],
        ["psbt", "sign", "alice", "x.psbt", "--password", "hunter2"],
        ["psbt", "key", "alice", "--password", "hunter2"],
    ],
)
def test_a_secret_on_the_command_line(cli: CommandLine, words: list[str]) -> None:
    said = cli.refusal(*words, code=2)
    assert "hunter2" not in said
    assert "on the command line is there for others to read" in said
    assert "use --password-file" in said or "use --words-file" in said
    assert not (cli.home / "wallets" / "new.wallet").exists()
