"""A payment that waits, on the command line: bumped, taken back, hurried by its child."""

import pytest

from scripts.cli.common import coins
from scripts.funds import TEST_MNEMONIC
from scripts.network import LocalNetwork
from tests.scripts.conftest import CommandLine
from tests.scripts.test_wallet_command import PASSWORD, SOMEBODY, TYPED, password_file


@pytest.fixture
def options(network: LocalNetwork) -> tuple[str, ...]:
    return ("--node", network.nodes[0].url, *TYPED, "--yes")


def test_a_bump_where_all_was_sent(cli: CommandLine, network: LocalNetwork) -> None:
    (node,) = network.nodes
    typed = {"typed": PASSWORD}
    cli("wallet", "create", "alice", *TYPED, **typed)
    address = cli("wallet", "address", "alice").strip()
    node.rpc.call("generatetoaddress", 101, address)
    options = ("--node", node.url, *TYPED, "--yes")
    sent = ("wallet", "send", "alice", SOMEBODY, "--all", "--rate", "2")
    first = cli.json(*sent, *options, **typed)
    bump = ("wallet", "bump", "alice", first["txid"], "--rate", "5")
    shown = cli(*bump, *options[:2], "--dry-run").splitlines()
    second = cli.json(*bump, *options, **typed)
    less = second["fee"] - first["fee"]
    assert shown[:2] == [
        f"Pays    {coins(first['amount'] - less)} to {SOMEBODY}",
        f"        {less:,} sat less than before, which go to the fee",
    ]
    assert second["taken"] == first["amount"] - second["amount"] == less > 0
    bump = ("wallet", "bump", "alice", second["txid"], "--rate", "9", "--reduce")
    assert cli.json(*bump, SOMEBODY, *options, **typed)["change"] == 0
    said = cli.refusal(*bump, SOMEBODY, "--child", *options, code=2)
    assert said.startswith("--child replaces nothing that --reduce could make less; choose one")
    node.rpc.call("generatetoaddress", 1, SOMEBODY)


def test_a_payment_is_bumped_hurried_and_taken_back(
    cli: CommandLine, network: LocalNetwork, options: tuple[str, ...]
) -> None:
    words = ("wallet", "restore", "rich", "--words-file", "-", "--password-file")
    cli(*words, password_file(cli.home), typed=TEST_MNEMONIC)
    send = ("wallet", "send", "rich", SOMEBODY, "1", "--rate", "2", "--label", "tea")
    first = cli.json(*send, *options, typed=PASSWORD)
    bump = ("wallet", "bump", "rich", first["txid"])
    looked = cli.json(*bump, "--rate", "5", *options[:2], "--dry-run")
    assert looked["fee"] == 5 * looked["vsize"]
    second = cli.json(*bump, *options, typed=PASSWORD)
    assert second["payees"] == first["payees"]
    assert first["fee"] + 140 < second["fee"] < first["fee"] + 160
    assert network.nodes[0].rpc.call("getrawmempool") == [second["txid"]]
    (newest, *_) = cli.json("wallet", "history", "rich", *options[:2])
    assert (newest["txid"], newest["label"]) == (second["txid"], "tea")
    child = ("wallet", "bump", "rich", second["txid"], "--child", "--rate", "20")
    hurried = cli.json(*child, *options, typed=PASSWORD)
    assert hurried["payees"] == []
    assert 17 * (140 + 110) < hurried["fee"] < 20 * (141 + 111)
    ran = cli.run("wallet", "cancel", "rich", second["txid"], *options, typed=PASSWORD)
    assert ran.code == 0
    assert ran.err.startswith("Fee     ")
    assert "of what is paid" not in ran.err
    assert network.nodes[0].rpc.call("getrawmempool") == ran.out.split()
    said = cli.refusal("wallet", "cancel", "rich", first["txid"], *options, typed=PASSWORD)
    assert said == f"'{first['txid']}' is no transaction of this wallet's history"
    said = cli.refusal("wallet", "bump", "rich", ran.out.strip(), "--rate", "1", *options)
    assert "is too little: to outbid what waits, name at least" in said
