"""`farthing mempool`: against a real node, the next blocks, the places, and the advice kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chain.transaction import Transaction
from scripts.explain.mempool import Chunk, fill, lift, take_snapshot
from scripts.rpc_client import RpcClient
from tests.builders import key, p2wpkh
from tests.node.serving import Served, running, shown
from tests.scripts.conftest import CommandLine

HOME = p2wpkh(key(0))


@pytest.fixture
def served() -> Served:
    return Served(blocks=8)


@pytest.fixture
def rpc(served: Served, tmp_path: Path) -> Iterator[RpcClient]:
    with running(served) as address:
        cookie = tmp_path / "cookie"
        cookie.write_text(served.runtime.credentials)
        yield RpcClient(f"http://{address.host}:{address.port}", cookie)


@pytest.fixture
def node(rpc: RpcClient) -> list[str]:
    """The words that name the node."""
    return ["--node", rpc.url, "--cookie", str(rpc.cookie)]


def pay(served: Served, number: int, fee: int) -> Transaction:
    return served.chain.pay(served.chain.mature()[number], HOME, fee=fee)


def child_of(served: Served, parent: Transaction, fee: int) -> Transaction:
    return served.chain.pay(served.chain.output(parent), HOME, fee=fee)


def family(served: Served) -> tuple[Transaction, Transaction, Transaction]:
    """A parent with its child, which pays for it, and a stranger between the two by feerate."""
    parent = pay(served, 0, 20)
    child = child_of(served, parent, 4_000)
    stranger = pay(served, 1, 1_000)
    served.wait(parent, child, stranger)
    return parent, child, stranger


def test_an_empty_one_says_so(cli: CommandLine, node: list[str]) -> None:
    assert cli("mempool", *node).startswith("Nothing waits for a block.\n")
    found = cli.json("mempool", *node)
    assert (found["transactions"], found["blocks"], found["waiting"]) == (0, [], [])


def test_the_child_takes_its_parent_along(
    cli: CommandLine, served: Served, node: list[str]
) -> None:
    parent, child, stranger = family(served)
    found = cli.json("mempool", *node)
    assert [row["txid"] for row in found["waiting"]] == [
        shown(each.txid) for each in (parent, child, stranger)
    ]
    (block,) = found["blocks"]
    assert (block["txs"], block["fees"]) == (3, 5_020)
    first, second, third = found["waiting"]
    rate = 4_020 * 4 / (parent.weight + child.weight)
    name = shown(child.txid)[:8]
    alone = 20 / parent.vsize
    assert first["why"] == (
        f"pays {rate:.2f} sat/vB together with its child {name}…, alone {alone:.2f}"
    )
    assert (first["chunk"], first["weight_ahead"]) == (second["chunk"], 0)
    assert third["weight_ahead"] == parent.weight + child.weight
    assert second["parents"] == [first["txid"]] and first["children"] == [second["txid"]]


def test_the_page_and_its_bar(cli: CommandLine, served: Served, node: list[str]) -> None:
    family(served)
    page = cli("mempool", *node)
    assert page.startswith("All that waits fits into the next block\n")
    (bar,) = [line for line in page.splitlines() if line.strip().startswith("next block")]
    assert bar.count("▓") + bar.count("▒") + bar.count("░") + bar.count("█") == 24
    assert "together with its child" in " ".join(page.split())
    assert max(map(len, page.splitlines())) <= 100


def test_one_with_its_cluster_drawn(cli: CommandLine, served: Served, node: list[str]) -> None:
    parent, child, _ = family(served)
    page = cli("mempool", shown(child.txid)[:12], *node)
    lines = page.splitlines()
    (mine,) = [line for line in lines if "◀ this one" in line]
    assert f"└─ {shown(child.txid)[:8]}…" in mine and shown(parent.txid)[:8] in mine
    assert any(f"├─ {shown(parent.txid)[:8]}…" in line for line in lines)
    assert "nothing has to move it up" in page
    found = cli.json("mempool", shown(child.txid), *node)
    assert found["child_fee"] == 0
    assert found["replacement_fee"] == 4_000 + -(-child.vsize // 10)


def test_the_fee_of_a_replacement_is_accepted_and_one_less_is_not(
    cli: CommandLine, served: Served, node: list[str], rpc: RpcClient
) -> None:
    parent, _, _ = family(served)
    fee = cli.json("mempool", shown(parent.txid), *node)["replacement_fee"]
    verdicts = [
        rpc.call("testmempoolaccept", [pay(served, 0, paid).serialize().hex()])[0]["allowed"]
        for paid in (fee - 1, fee)
    ]
    assert verdicts == [False, True]


def test_what_moves_it_into_the_next_block(served: Served, rpc: RpcClient) -> None:
    dear, cheap = pay(served, 0, 2_000), pay(served, 1, 200)
    served.wait(dear, cheap)
    room = 5 * dear.weight // 2  # for two of these; a child takes its parent along
    crowd = [pay(served, number, 1_500) for number in (2, 3)]
    served.wait(*crowd)
    name = shown(cheap.txid)
    before = take_snapshot(rpc.call, room)
    assert before.chunk_of(name).block == 2
    found = lift(before, name)
    assert found.needed == pytest.approx(1_500 * 4 / dear.weight)
    served.wait(child_of(served, cheap, found.child))
    # A little larger than a payment: with its child it does not fit beside the dearest.
    after = take_snapshot(rpc.call, 3 * dear.weight)
    assert after.chunk_of(name).block == 1
    assert after.chunk_of(name).feerate > 1_500 * 4 / dear.weight
    served.wait(pay(served, 1, max(found.replacement, 200 + found.child + 50)))
    assert name not in take_snapshot(rpc.call, room).entries


def test_blocks_fill_and_a_cluster_keeps_its_order() -> None:
    chunks = [
        Chunk(("a",), 900, 60, "a"),
        Chunk(("b",), 800, 60, "b"),
        Chunk(("c",), 100, 30, "b"),
        Chunk(("d",), 50, 40, "d"),
        Chunk(("e",), 10, 900, "e"),
    ]
    places = {chunk.txids[0]: (chunk.block, chunk.ahead) for chunk in fill(chunks, 100)}
    assert places["a"] == (1, 0)
    assert places["d"] == (1, 60)
    assert places["b"] == (2, 100)
    assert places["c"] == (2, 160)
    assert places["e"] == (0, 190)


def test_what_was_asked_badly_is_one_line(
    cli: CommandLine, served: Served, node: list[str]
) -> None:
    family(served)
    assert "no transaction zz waits" in cli.refusal("mempool", "zz", *node)
    assert "no transaction" in cli.refusal("mempool", "00" * 32, *node)
    assert "no network runs" in cli.refusal("mempool")
