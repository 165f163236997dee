"""`farthing psbt` against a real node: two of three by files, a watch-only partner, refusals."""

import base64
import json
import re
from pathlib import Path

import pytest

from chain.params import REGTEST
from chain.transaction import Transaction
from scripts.funds import pay_from_faucet
from scripts.network import LocalNetwork
from tests.scripts.conftest import CommandLine
from wallet.checksum import add_checksum
from wallet.hd import ExtendedPrivateKey

SOMEBODY = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
OTHER = "bcrt1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqc8gma6"
PASSWORD = "correct horse"
TYPED = ("--password-file", "-")
NAMES = ("alice", "bob", "carol")
COIN = 100_000_000


def save(folder: Path, name: str, text: str) -> str:
    file = folder / name
    file.write_text(text)
    return str(file)


@pytest.fixture
def shared(cli: CommandLine, tmp_path: Path) -> str:
    """The file with the descriptor of three people's wallet."""
    keys = []
    for name in NAMES:
        cli("wallet", "create", name, *TYPED, typed=PASSWORD)
        text = cli("psbt", "key", name, *TYPED, typed=PASSWORD)
        assert text.startswith("[") and "/48h/1h/0h/2h]tpub" in text
        assert cli.json("psbt", "key", name, *TYPED, typed=PASSWORD) == {"key": text.strip()}
        keys.append(save(tmp_path, f"{name}.key", text))
    text = cli("psbt", "multisig", "2", *keys)
    assert text.startswith("wsh(sortedmulti(2,[")
    assert cli.json("psbt", "multisig", "2", *keys) == {"descriptor": text.strip()}
    return save(tmp_path, "shared.txt", text)


def mine(network: LocalNetwork) -> None:
    network.nodes[0].rpc.call("generatetoaddress", 1, SOMEBODY)


def paid(cli: CommandLine, network: LocalNetwork, address: str) -> tuple[str, str]:
    """Half a bitcoin arrives at an address, in a block; the option that names the node."""
    node = network.nodes[0]
    pay_from_faucet(node, REGTEST, address, COIN // 2)
    mine(network)
    return ("--node", node.url)


def sign(cli: CommandLine, name: str, place: str) -> str:
    ran = cli.run("psbt", "sign", name, place, "--yes", *TYPED, typed=PASSWORD)
    assert ran.code == 0, ran
    assert f"Pays    0.20000000 BTC to {SOMEBODY}" in ran.err
    assert re.search(r"\nFee     \d+ sat, 0\.00% of what is spent, for 1 coin spent", ran.err)
    return ran.out


def test_two_of_three_by_files(
    cli: CommandLine, network: LocalNetwork, shared: str, tmp_path: Path
) -> None:
    address = cli("psbt", "address", shared).strip()
    assert cli.json("psbt", "address", shared, "--index", "0") == {"address": address}
    assert cli("psbt", "address", shared, "--change").strip() != address
    node = paid(cli, network, address)
    ran = cli.run("psbt", "create", shared, SOMEBODY, "0.2", "--fee-rate", "2", *node)
    assert ran.code == 0 and "for 1 coin spent" in ran.err, ran
    payment = save(tmp_path, "payment.psbt", ran.out)
    assert "0 of 2 signatures" in cli("psbt", "decode", payment)
    for typed in (ran.out, base64.b64decode(ran.out)):  # text, or the bytes themselves
        assert "0 of 2 signatures" in cli("psbt", "decode", "-", typed=typed)
    looked = cli.run("psbt", "sign", "alice", payment, "--dry-run")
    assert (looked.code, looked.out) == (0, "") and "Pays    0.20000000 BTC to" in looked.err
    alices = save(tmp_path, "alices.psbt", sign(cli, "alice", payment))
    carols = save(tmp_path, "carols.psbt", sign(cli, "carol", payment))
    shown = cli("psbt", "decode", alices)
    assert "1 of 2 signatures" in shown and shown.count("  signed  ") == 1
    assert "1 of 2 signatures; let another sign" in cli.refusal("psbt", "extract", alices)
    assert "has signed already" in unsignable(cli, "alice", alices)
    halfway = cli.run("psbt", "finalize", alices)
    assert (halfway.code, halfway.out) == (0, Path(alices).read_text())
    assert "let another sign" in halfway.err
    both = save(tmp_path, "both.psbt", cli("psbt", "combine", alices, carols))
    final = cli.json("psbt", "finalize", both)
    assert (final["complete"], final["missing"]) == (True, [])
    decoded = cli.json("psbt", "decode", final["psbt"])
    assert decoded["complete"] is True
    raw = cli("psbt", "extract", "-", typed=final["psbt"])
    transaction = Transaction.parse(bytes.fromhex(raw))
    rate = decoded["fee"] / transaction.vsize
    assert 2 <= rate < 2.1
    txid = cli("psbt", "extract", both, "--broadcast", *node).strip()
    assert txid == decoded["txid"]
    mine(network)
    spent = cli.refusal("psbt", "create", shared, SOMEBODY, "0.4", *node)
    assert "not enough money" in spent


def unsignable(cli: CommandLine, name: str, place: str) -> str:
    ran = cli.run("psbt", "sign", name, place, "--yes", *TYPED, typed=PASSWORD)
    assert (ran.code, ran.out) == (1, "")
    return ran.err


def test_a_watch_only_partner_prepares_and_the_wallet_signs(
    cli: CommandLine, network: LocalNetwork, tmp_path: Path
) -> None:
    cli("wallet", "create", "alice", *TYPED, typed=PASSWORD)
    text = cli("psbt", "descriptor", "alice")
    assert cli.json("psbt", "descriptor", "alice") == {"descriptor": text.strip()}
    watched = save(tmp_path, "alice.txt", text)
    address = cli("wallet", "address", "alice").strip()
    assert cli("psbt", "address", watched).strip() == address
    assert cli("psbt", "address", text.strip()).strip() == address
    node = paid(cli, network, address)
    made = cli.run("psbt", "create", watched, SOMEBODY, "0.2", *node)
    assert made.code == 0, made
    [line] = made.out.splitlines()
    looked = cli.run("psbt", "sign", "alice", line, "--dry-run")
    assert re.search(r"^Change  0\.29\d+ BTC back to alice at bcrt1", looked.err, re.MULTILINE)
    signed = sign(cli, "alice", line)
    raw = save(tmp_path, "raw.psbt", "")
    Path(raw).write_bytes(bytes_of(signed))
    sent = cli.json("psbt", "extract", raw, "--broadcast", *node)
    assert sent["broadcast"] is True
    mine(network)
    held = cli.json("wallet", "balance", "alice", *node)
    fee = cli.json("psbt", "decode", raw)["fee"]
    assert held["confirmed"] == COIN // 2 - 20_000_000 - fee


def bytes_of(text: str) -> bytes:
    return base64.b64decode(text)


def test_refusals(cli: CommandLine, network: LocalNetwork, shared: str, tmp_path: Path) -> None:
    node = ("--node", network.nodes[0].url)
    empty = save(tmp_path, "empty", "")
    assert "no PSBT" in cli.refusal("psbt", "decode", empty)
    assert "No such file" in cli.refusal("psbt", "decode", "nowhere.psbt")
    assert "PSBT" in cli.refusal("psbt", "decode", "cHNidP8")
    assert "no PSBT" in cli.refusal("psbt", "decode", "-", typed=b"\xff\xfe")
    assert "descriptor" in cli.refusal("psbt", "address", "-", typed=b"\xff\xfe")
    assert "too long for a PSBT" in cli.refusal("psbt", "decode", "/dev/zero")
    text = Path(shared).read_text().strip()
    typo = text.replace("sortedmulti", "sortedmultl")
    said = cli.refusal("psbt", "address", typo)
    assert "most likely 'l' at character 15" in said
    assert "ends in # and 8" in cli.refusal("psbt", "address", text.split("#")[0])
    assert "another network" in cli.refusal(
        "psbt", "create", shared, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "1", *node
    )
    fixed = cli("psbt", "descriptor", "alice").strip().split("#")[0].replace("<0;1>", "0")
    single = add_checksum(fixed)
    assert "gives no change" in cli.refusal("psbt", "create", single, SOMEBODY, "1", *node)
    assert "no branch for change" in cli.refusal("psbt", "address", single, "--change")
    assert "has no address" in cli.refusal("psbt", "address", add_checksum("raw(6a)"))
    both = ("psbt", "sign", "alice", "-", "--yes", *TYPED)
    assert "can't both come from standard input" in cli.refusal(*both)
    other = cli.refusal("psbt", "multisig", "4", *[text.split(",")[1]] * 3)
    assert "no 4 signatures of 3 keys" in other
    master = ExtendedPrivateKey.from_seed(bytes(16))
    private = master.serialize(REGTEST)
    assert "is private" in cli.refusal("psbt", "multisig", "1", f"[00000000]{private}/<0;1>/*")


def test_several_are_paid_by_uris_and_words_and_all_that_is_left(
    cli: CommandLine, network: LocalNetwork, tmp_path: Path
) -> None:
    cli("wallet", "create", "alice", *TYPED, typed=PASSWORD)
    watched = save(tmp_path, "alice.txt", cli("wallet", "export", "alice"))
    node = paid(cli, network, cli("wallet", "address", "alice").strip())
    create = ("psbt", "create", watched)
    uri = f"bitcoin:{SOMEBODY}?amount=0.1&label=tea"
    ran = cli.run(*create, uri, OTHER, "40000", "sat", "--rate", "2", *node)
    assert ran.code == 0, ran
    outputs = cli.json("psbt", "decode", ran.out.strip())["outputs"]
    assert {(o["address"], o["value"]) for o in outputs} > {(SOMEBODY, COIN // 10), (OTHER, 40_000)}
    shown = ran.err.splitlines()
    assert {f"Pays    0.10000000 BTC to {SOMEBODY}", f"Pays    0.00040000 BTC to {OTHER}"} < set(
        shown
    )
    assert sum(line.startswith("Change  0.3995") for line in shown) == len(outputs) - 2 == 1

    everything = cli.run(*create, uri, OTHER, "--all", "--rate", "2", *node, "--json")
    decoded = cli.json("psbt", "decode", json.loads(everything.out)["psbt"])
    values = {o["address"]: o["value"] for o in decoded["outputs"]}
    assert values == {SOMEBODY: COIN // 10, OTHER: COIN // 2 - COIN // 10 - decoded["fee"]}

    for words, said in (
        ([SOMEBODY], f"an amount must stand behind '{SOMEBODY}': 0.4 or 40000sat"),
        (["0.4", SOMEBODY], "'0.4' stands where an address should: ADDRESS AMOUNT"),
        ([SOMEBODY, OTHER, "--all"], "with --all, one ADDRESS stands without an amount"),
    ):
        assert cli.refusal(*create, *words, *node, code=2).startswith(said)
    assert "the URI asks for 0.10000000 BTC" in cli.refusal(*create, uri, "0.2", *node)
    assert "dust" in cli.refusal(*create, SOMEBODY, "1sat", *node)
