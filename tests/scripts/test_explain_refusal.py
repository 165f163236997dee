"""`farthing explain refusal`: the rule, the figures, and advice that a real node then accepts."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chain.params import REGTEST
from chain.transaction import Transaction, TxOut
from node.mempool.reasons import PackageReason, PolicyReason
from scripts.explain.advice import CONSENSUS, POLICY, advice_for, reason_of
from tests.builders import key, p2wpkh, with_inputs
from tests.node.serving import Served, running, shown
from tests.scripts.conftest import CommandLine

HOME = p2wpkh(key(0))
Explained = Callable[..., Any]


class BytesStdin(io.TextIOWrapper):
    """Standard input that is no terminal, as bytes and as text."""

    def __init__(self, typed: str) -> None:
        super().__init__(io.BytesIO(typed.encode("latin-1")))


@pytest.fixture
def served() -> Served:
    return Served(blocks=8)


@pytest.fixture
def node(served: Served, tmp_path: Path) -> Iterator[list[str]]:
    """The words that name the node."""
    with running(served) as address:
        cookie = tmp_path / "cookie"
        cookie.write_text(served.runtime.credentials)
        yield ["--node", f"http://{address.host}:{address.port}", "--cookie", str(cookie)]


@pytest.fixture
def explained(cli: CommandLine, node: list[str]) -> Explained:
    def explain(*txs: Transaction) -> Any:
        return cli.json("explain", "refusal", *(tx.serialize().hex() for tx in txs), *node)

    return explain


def pay(served: Served, fee: int = 1_000, **options: int) -> Transaction:
    return served.chain.pay(served.chain.mature()[0], HOME, fee=fee, **options)


def child_of(served: Served, parent: Transaction, fee: int) -> Transaction:
    return served.chain.pay(served.chain.output(parent), HOME, fee=fee)


def advice(found: Any) -> list[str]:
    sections = [found["sections"][0]]
    assert sections[0]["title"] == "What would be accepted"
    return [field["value"] for section in sections for field in section["fields"]]


@pytest.mark.parametrize("reason", list(PolicyReason))
def test_each_reason_has_an_advice_and_is_found_by_its_text(reason: PolicyReason) -> None:
    text = reason.text.format("any")
    found = reason_of(text)
    assert found is not None and found.text == reason.text
    assert POLICY[reason].endswith(".") and len(POLICY[reason]) < 80


def test_each_rule_for_a_transaction_has_an_advice() -> None:
    assert all(advice_for(reason).endswith(".") for reason in CONSENSUS)
    assert all(advice_for(reason) for reason in PackageReason)
    assert reason_of("bad-txns-vin-empty") is not None
    assert reason_of("no such reason") is None


def test_what_would_be_accepted_is_said_with_fee_and_size(
    served: Served, explained: Explained
) -> None:
    tx = pay(served)
    facts = explained(tx)["facts"]
    assert (facts["allowed"], facts["fee"], facts["vsize"]) == (True, 1_000, tx.vsize)
    assert facts["feerate"] == f"{1_000 * 1_000 // tx.vsize / 1_000:.3f}"


def test_too_small_a_fee_and_the_fee_that_does(served: Served, explained: Explained) -> None:
    found = explained(pay(served, fee=4))
    assert (found["facts"]["offered"], found["facts"]["needed"]) == (4, 11)
    assert advice(found)[0] == "Pay at least 11 sat: 7 more than it does."
    (problem,) = found["problems"]
    assert problem["code"] == "min relay fee not met"
    assert problem["rule"] == "A transaction pays the smallest feerate that we relay for."
    assert explained(pay(served, fee=11))["facts"]["allowed"]
    assert not explained(pay(served, fee=10))["facts"]["allowed"]


def test_a_replacement_and_what_it_must_pay(served: Served, explained: Explained) -> None:
    served.wait(pay(served, fee=1_000))
    found = explained(pay(served, fee=900))
    assert (found["facts"]["offered"], found["facts"]["needed"]) == (900, 1_000)
    assert advice(found)[0].startswith("Replace by paying at least 1,011 sat:")
    found = explained(pay(served, fee=1_005))
    assert (found["facts"]["offered"], found["facts"]["needed"]) == (5, 11)
    assert advice(found)[0].startswith("Replace by paying 6 sat more")
    assert explained(pay(served, fee=1_011))["facts"]["allowed"]


def test_a_missing_parent_is_named(served: Served, explained: Explained) -> None:
    parent = pay(served)
    child = child_of(served, parent, 1_000)
    assert advice(explained(child)) == [f"Send its parent first: {shown(parent.txid)}"]
    served.wait(parent)
    assert explained(child)["facts"]["allowed"]


def test_an_output_that_is_spent(served: Served, explained: Explained) -> None:
    parent = pay(served)
    first = child_of(served, parent, 1_000)
    served.wait(parent, first)
    served.chain.mine(1, txs=[parent, first])
    (line,) = advice(explained(child_of(served, parent, 2_000)))
    assert line == f"Spend another output: {shown(parent.txid)}:0 is spent, or was never there."


def test_a_lock_time_and_the_height_to_wait_for(served: Served, explained: Explained) -> None:
    height = served.chain.height
    found = explained(pay(served, locktime=height + 5))
    assert found["problems"][0]["code"] == "non-final"
    assert advice(found)[0].startswith(f"Wait until height {height + 5}: 5 more")
    served.chain.mine(4)
    assert not explained(pay(served, locktime=height + 5))["facts"]["allowed"]
    served.chain.mine(1)
    assert explained(pay(served, locktime=height + 5))["facts"]["allowed"]


def test_a_relative_lock(served: Served, explained: Explained) -> None:
    parent = pay(served)
    served.chain.mine(1, txs=[parent])
    spend = served.chain.pay(served.chain.output(parent), HOME, fee=500, sequence=4)
    found = explained(spend)
    assert found["problems"][0]["code"] == "non-BIP68-final"
    assert advice(found)[0].startswith(f"Wait until height {served.chain.height + 3}: input ")
    served.chain.mine(3)
    assert explained(spend)["facts"]["allowed"]


def test_dust_and_its_parts(served: Served, explained: Explained) -> None:
    source = served.chain.mature()[0]
    outputs = [TxOut(200, HOME), TxOut(source.output.value - 1_200, HOME)]
    found = explained(served.chain.spend(source, outputs))
    assert advice(found)[0] == "Give output 0 at least 294 sat: it has 200."


def test_dust_of_a_parent_that_is_left(served: Served, explained: Explained) -> None:
    source = served.chain.mature()[0]
    parent = served.chain.spend(source, [TxOut(source.output.value, HOME), TxOut(0, HOME)])
    child = served.chain.pay([served.chain.output(parent, n) for n in (0, 1)], HOME, fee=1_000)
    raw = [tx.serialize().hex() for tx in (parent, child)]
    assert served.rpc("submitpackage", raw)["package_msg"] == "success"
    found = explained(served.chain.pay(served.chain.output(parent), HOME, fee=9_000))
    assert found["problems"][0]["code"] == "missing-ephemeral-spends"
    assert advice(found) == [f"Spend the dust output too: {shown(parent.txid)}:1"]


def test_the_promises_of_version_3(served: Served, explained: Explained) -> None:
    parent = pay(served, version=3)
    served.wait(parent)
    output = served.chain.output(parent)
    found = explained(served.chain.pay(output, HOME, fee=1_000))
    assert found["problems"][0]["code"] == "TRUC-violation"
    assert advice(found)[0].startswith("Give it the version of what it spends")
    large = served.chain.pay(output, HOME, fee=9_000, parts=60, version=3)
    assert advice(explained(large)) == [f"Make it at most 1,000 vB: it has {large.vsize:,}."]
    child = served.chain.pay(output, HOME, fee=1_000, version=3)
    served.wait(child)
    grandchild = served.chain.pay(served.chain.output(child), HOME, fee=1_000, version=3)
    assert advice(explained(grandchild))[0].startswith("Spend from one waiting transaction")


def test_only_the_input_that_is_missing_is_named(served: Served, explained: Explained) -> None:
    waiting, unknown = pay(served), served.chain.pay(served.chain.mature()[1], HOME, fee=1_000)
    served.wait(waiting, child_of(served, waiting, 1_000))
    both = [served.chain.output(tx) for tx in (waiting, unknown)]
    found = explained(served.chain.pay(both, HOME, fee=5_000))
    assert advice(found) == [f"Send its parent first: {shown(unknown.txid)}"]


def test_a_bad_signature_and_one_already_waiting(served: Served, explained: Explained) -> None:
    tx = pay(served)
    first = tx.inputs[0]
    broken = with_inputs(tx, [first._replace(witness=(bytes(71), first.witness[1]))])
    assert "farthing explain tx" in advice(explained(broken))[0]
    served.wait(tx)
    assert "it waits" in advice(explained(tx))[0]


def test_paying_out_more_than_comes_in(served: Served, explained: Explained) -> None:
    source = served.chain.mature()[0]
    value = source.output.value
    found = explained(served.chain.spend(source, [TxOut(value + 1, HOME)]))
    assert advice(found)[0].startswith(f"Pay out at most {value:,} sat")


def test_a_young_coinbase_and_how_long_to_wait(cli: CommandLine, tmp_path: Path) -> None:
    served = Served(REGTEST)
    coinbase = served.chain.mine(1)[0].transactions[0]
    served.chain.mine(96)
    spend = served.chain.pay(served.chain.output(coinbase), HOME, fee=500)
    cookie = tmp_path / "cookie"
    cookie.write_text(served.runtime.credentials)

    def ask() -> Any:
        words = ["--node", f"http://{address.host}:{address.port}", "--cookie", str(cookie)]
        return cli.json("explain", "refusal", spend.serialize().hex(), *words)

    with running(served) as address:
        assert advice(ask()) == ["Wait until the coinbase is 100 blocks deep: it is 97 deep now."]
        assert not ask()["facts"]["allowed"]
        served.chain.mine(3)
        assert ask()["facts"]["allowed"]


def test_a_package_is_asked_together(served: Served, explained: Explained) -> None:
    parent = pay(served, fee=1_000)
    child = child_of(served, parent, 1_000)
    found = explained(parent, child)
    assert found["facts"]["allowed"] is True
    assert len(found["sections"]) == 2
    found = explained(child, parent)
    assert found["problems"][0]["code"].startswith("package-not-sorted")
    assert found["facts"]["allowed"] is False


def test_as_a_page(cli: CommandLine, served: Served, node: list[str]) -> None:
    page = cli("explain", "refusal", pay(served, fee=4).serialize().hex(), *node)
    assert "Refused: min relay fee not met" in page
    assert "Pay at least 11 sat: 7 more than it does." in page
    assert max(map(len, page.splitlines())) <= 100


def test_what_was_given_badly_is_one_line(cli: CommandLine, node: list[str]) -> None:
    assert "is not hex" in cli.refusal("explain", "refusal", "xyz", *node)
    assert "no transaction" in cli.refusal("explain", "refusal", "00" * 20, *node)
    assert "at most 25" in cli.refusal("explain", "refusal", *["00"] * 26, *node)
    assert "no network runs" in cli.refusal("explain", "refusal", "00")
    nowhere = ["--node", "http://127.0.0.1:1"]
    assert "no cookie file" in cli.refusal("explain", "refusal", "00", *nowhere)
    assert "there is no cookie" in cli.refusal(
        "explain", "refusal", "00", *nowhere, "--cookie", "x"
    )
