"""A local network as people and programs see it: banner, tables, blocks and logs as they come.

It asks the nodes and prints; it starts and stops nothing (`scripts/cli/testnet.py`).
"""

import contextlib
import shlex
import time
from pathlib import Path
from typing import Any

import click

from scripts.cli import places
from scripts.cli.common import coins, complain, fail, plural, print_json_line, print_table
from scripts.network import LocalNetwork
from scripts.node_process import NodeProcess, describe
from scripts.rpc_client import NodeUnreachable

WATCH_S = 0.25
DEFAULT_NODE = "http://127.0.0.1:18443"
NO_ANSWER = {"height": "", "tip": "no answer", "peers": "", "mempool": ""}


def state_of(network: LocalNetwork) -> dict[str, Any]:
    """The network as data: nodes, accounts, mnemonic."""
    # lazy: only commands that show accounts need keys
    from chain.params import network as params_of
    from scripts.funds import TEST_MNEMONIC, balances

    known = balances(network.first(), params_of(network.network))
    return {
        "nodes": [
            {"url": node.url, "datadir": node.datadir, "pid": node.pid} for node in network.running
        ],
        "accounts": [
            {"address": account.address, "path": account.path, "balance": account.balance}
            for account in known
        ],
        "mnemonic": TEST_MNEMONIC,
    }


def datadir_words(directory: Path) -> str:
    """` --datadir DIRECTORY` where it is not the usual one, for commands to copy."""
    usual = directory == places.testnet_directory().resolve()
    return "" if usual else f" --datadir {shlex.quote(str(directory))}"


def show_banner(network: LocalNetwork, block_time: str, detached: bool) -> None:
    """Print what a new user needs: nodes, accounts, where the data lies, what to do next."""
    state = state_of(network)
    folder = datadir_words(network.directory)
    count, first = len(network.nodes), network.nodes[0].url
    joined = ", connected, at one tip" if count > 1 else ""
    click.echo(f"\n{plural(count, 'node')} ({network.network}){joined}:\n")
    for number, node in enumerate(network.nodes):
        click.echo(f"  node {number}   {node.url}   Esplora API: {node.url}/api")
    click.echo("\nAvailable accounts:\n")
    for number, account in enumerate(state["accounts"]):
        balance = coins(account["balance"])
        click.echo(f"  ({number}) {account['address']}   {balance}   {account['path']}")
    click.echo(f"\nMnemonic: {state['mnemonic']}")
    click.echo("          (known to everybody: never send real money to it)")
    click.echo(f"Blocks:   {describe_block_time(block_time, folder)}")
    click.echo(f"Data:     {network.directory}")
    click.echo(f"Pay:      farthing testnet faucet{folder} ADDRESS 2.5")
    if first != DEFAULT_NODE:
        click.echo(f"Wallets:  export FARTHING_NODE={first}")
    stop = f"farthing testnet down{folder}" if detached else "Ctrl-C"
    click.echo(f"Stop:     {stop}\n")


def describe_block_time(block_time: str, folder: str = "") -> str:
    """One sentence about when blocks are mined."""
    if block_time == "auto":
        return "one second after a payment arrives"
    if block_time == "off":
        return f"only by: farthing testnet mine{folder}"
    if float(block_time) == 0:
        return "as fast as their work is done; difficulty follows, every 20 blocks"
    return f"about one every {block_time} s"


def show_status(network: LocalNetwork) -> None:
    """Print two tables: nodes and accounts."""
    state = state_of(network)
    rows = [
        [number, node.url, *status_of(network, node)] for number, node in enumerate(network.nodes)
    ]
    print_table(["node>", "url", "pid>", "height>", "tip", "peers>", "waiting>"], rows)
    accounts = [
        [number, account["address"], coins(account["balance"]), account["path"]]
        for number, account in enumerate(state["accounts"])
    ]
    click.echo()
    print_table(["account>", "address", "balance>", "path"], accounts)


def status_of(network: LocalNetwork, node: NodeProcess) -> list[object]:
    """A node's row, but for its number and address."""
    if not network.is_running(node):
        return ["", "", "ended", "", ""]
    try:
        seen = describe(node)
    except NodeUnreachable:
        seen = NO_ANSWER
    return [node.pid, seen["height"], seen["tip"][:16], seen["peers"], seen["mempool"]]


def watch_blocks(network: LocalNetwork, as_json: bool) -> None:
    """Print each new block of the first node, until interrupted; a node that ends is named."""
    node = network.first()
    height = node.rpc.call("getblockcount")
    reported: set[int] = set()
    while True:
        time.sleep(WATCH_S)
        for gone in network.nodes:
            if gone.pid not in reported and not network.is_running(gone):
                reported.add(gone.pid)
                complain(f"the node at {gone.url} has ended: {gone.last_words()}")
        if node.pid in reported:
            fail(f"the first node is gone; see {node.log}")
        with contextlib.suppress(NodeUnreachable):  # if it has ended, the next round tells
            for number in range(height + 1, node.rpc.call("getblockcount") + 1):
                show_block(node, number, as_json)
                height = number


def show_block(node: NodeProcess, height: int, as_json: bool) -> None:
    """Print one line about a block."""
    block = node.rpc.call("getblock", node.rpc.call("getblockhash", height))
    count = len(block["tx"])
    if as_json:
        print_json_line({"height": height, "hash": block["hash"], "transactions": count})
        return
    what = plural(count, "transaction")
    stamp = time.strftime("%H:%M:%S", time.localtime(block["time"]))
    click.echo(f"{stamp}  block {height}  {block['hash']}  {what}, {block['size']} bytes")


def show_log(
    number: int, node: NodeProcess, as_json: bool, *, start: int = 0, last: int | None = None
) -> int:
    """Print a log's lines from line `start` on, or only the `last` ones; returns the next line."""
    try:
        lines = node.log.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        lines = []
    if last is not None:
        start = max(0, len(lines) - last)
    elif start > len(lines):  # the node has begun a new file
        start = 0
    for line in lines[start:]:
        if as_json:
            print_json_line({"node": number, "line": line})
        else:
            click.echo(f"{number} | {line}")
    return len(lines)
