"""Coins on the command line: listed, kept back, chosen, and all of them paid to one."""

import pytest

from scripts.funds import TEST_MNEMONIC
from scripts.network import LocalNetwork
from tests.scripts.conftest import CommandLine
from tests.scripts.test_wallet_command import PASSWORD, SOMEBODY, TYPED, password_file

OTHER = "bcrt1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqc8gma6"


@pytest.fixture
def node(network: LocalNetwork) -> tuple[str, str]:
    return ("--node", network.nodes[0].url)


@pytest.fixture
def rich(cli: CommandLine) -> None:
    words = ("wallet", "restore", "rich", "--words-file", "-", "--password-file")
    cli(*words, password_file(cli.home), typed=TEST_MNEMONIC)


def test_a_wallet_without_coins_says_so(cli: CommandLine, node: tuple[str, str]) -> None:
    cli("wallet", "create", "new", *TYPED, typed=PASSWORD)
    assert cli("wallet", "coins", "new", *node).startswith("no coins yet; farthing wallet address")
    assert cli.json("wallet", "coins", "new", *node) == []


@pytest.mark.usefixtures("rich")
def test_coins_are_kept_back_and_chosen(cli: CommandLine, node: tuple[str, str]) -> None:
    held = cli.json("wallet", "coins", "rich", *node)
    assert [coin["amount"] for coin in held] == [5_000_000_000] * 10
    assert {coin["state"] for coin in held} == {"confirmed"}
    first, second = held[0]["coin"], held[1]["coin"]
    said = cli("wallet", "freeze", "rich", first, second)
    assert said == "2 coins frozen; 100.00000000 BTC kept back in all\n"
    assert "frozen     100.00000000 BTC" in cli("wallet", "balance", "rich", *node)
    listed = cli("wallet", "coins", "rich", *node)
    assert listed.count("frozen") == 2
    assert first in listed
    send = ("wallet", "send", "rich", *node, *TYPED)
    assert "is frozen; unfreeze it first" in cli.refusal(
        *send, SOMEBODY, "1", "--from", first, "--yes", typed=PASSWORD
    )
    assert cli.json("wallet", "unfreeze", "rich", first) == {"frozen": 5_000_000_000}
    asked = (*send, SOMEBODY, "1", OTHER, "--all", "--from", first, "--rate", "1", "--dry-run")
    looked = cli.json(*asked)
    # One input of 67.75, outputs of 31 and 43, and 10.5 virtual bytes around them.
    assert (looked["fee"], looked["change"], looked["coins"]) == (153, 0, 1)
    paid = {payee["address"]: payee["amount"] for payee in looked["payees"]}
    assert paid == {SOMEBODY: 100_000_000, OTHER: 4_900_000_000 - 153}
    everything = cli.json(*send, OTHER, "--all", "--rate", "1", "--dry-run")
    assert (everything["coins"], everything["left"]) == (9, 5_000_000_000)


@pytest.mark.usefixtures("rich")
@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((SOMEBODY, "1", "--all"), "with --all, one ADDRESS stands without an amount"),
        ((SOMEBODY, OTHER, "--all"), "with --all, one ADDRESS stands without an amount"),
        ((SOMEBODY,), f"an amount must stand behind '{SOMEBODY}'"),
    ],
)
def test_who_gets_the_rest_must_be_plain(
    cli: CommandLine, words: tuple[str, ...], line: str
) -> None:
    assert line in cli.refusal("wallet", "send", "rich", *words, "--dry-run", code=2)


@pytest.mark.usefixtures("rich")
def test_what_names_no_coin_of_the_wallet_is_refused(cli: CommandLine) -> None:
    assert "write txid:number" in cli.refusal("wallet", "freeze", "rich", "abc")
    assert "is not in this wallet" in cli.refusal("wallet", "unfreeze", "rich", "ab" * 32 + ":0")
