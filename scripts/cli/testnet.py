"""`farthing testnet`: a whole network on this machine, with money on it, in one command.

It knows how to show a network to people; starting and finding processes is scripts/network.py,
money is scripts/funds.py.
"""

import contextlib
import json
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from scripts.cli import places
from scripts.cli.common import coins, fail, json_option, one_line, print_json, print_table
from scripts.network import LocalNetwork, NodeProcess, describe

FIRST_PORT = 18443
WATCH_S = 0.25
CONFIRM_S = 15.0


@click.group()
def testnet() -> None:
    """A local Bitcoin network: nodes, funded accounts, a faucet.

    \b
    Examples:
      farthing testnet up                      five nodes in the foreground; Ctrl-C stops them
      farthing testnet up --nodes 3 --detach   three nodes in the background
      farthing testnet faucet ADDRESS 2.5      pay somebody
      farthing testnet down                    stop every node
    """


def directory_option(function: Any) -> Any:
    """Add --datadir, the folder of the network."""
    return click.option(
        "--datadir",
        "directory",
        type=click.Path(path_type=Path, file_okay=False),
        default=places.testnet_directory,
        show_default="the user's data folder",
        help="The network's folder.",
    )(function)


@testnet.command()
@click.option("--nodes", "count", default=5, show_default=True, help="How many nodes.")
@click.option("--port", default=FIRST_PORT, show_default=True, help="The first node's port.")
@click.option(
    "--network",
    type=click.Choice(["regtest", "classroom"]),
    default="regtest",
    show_default=True,
    help="regtest: blocks cost nothing. classroom: real proof of work, a block every 10 s.",
)
@click.option(
    "--block-time",
    default=None,
    help="auto: a block one second after a payment arrives; a number: seconds between blocks; off."
    "  [default: auto; 10 on classroom]",
)
@click.option("--detach", is_flag=True, help="Leave the nodes running in the background.")
@click.option("--fresh", is_flag=True, help="Forget the blocks of an earlier run.")
@directory_option
@json_option
@one_line
def up(
    count: int,
    port: int,
    network: str,
    block_time: str | None,
    detach: bool,
    fresh: bool,
    directory: Path,
    as_json: bool,
) -> None:
    """Start a network, connect its nodes, fund ten accounts.

    It stays in the foreground and shows blocks as they come; Ctrl-C stops every node. An earlier
    run's chain is taken up again unless --fresh.
    """
    # lazy: the help text must not wait for keys and networks
    from chain.params import network as params_of
    from scripts.funds import faucet_address, fund

    local = LocalNetwork(directory, network)
    params = params_of(network)
    block_time = block_time or ("auto" if params.no_retargeting else str(params.target_spacing_s))
    mining = ["--block-time", block_time, "--mine-to", faucet_address(params)]
    # Before the block below, which stops whatever runs when it ends badly.
    local.require_stopped()
    with stopped_at_the_end(local, keep=detach):
        local.start(
            count,
            first_port=port,
            options=lambda number: mining if number == 0 else [],
            fresh=fresh,
            prepare=lambda: fund(local, params),
        )
        local.wait_for_tip(local.first().rpc.call("getbestblockhash"))
        if as_json:
            print_json(state_of(local))
        else:
            show_banner(local, block_time, detach)
        if not detach:
            watch_blocks(local, as_json)


@contextlib.contextmanager
def stopped_at_the_end(network: LocalNetwork, keep: bool) -> Iterator[None]:
    """Stop the network's nodes however the block ends; with `keep` only when it ends badly."""

    def interrupted(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    # A closed terminal and a plain `kill` must leave nothing running either.
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, interrupted)
    try:
        yield
    except KeyboardInterrupt:
        stopped = network.stop()
        click.echo(f"\nstopped {stopped} nodes; the chain is kept in {network.directory}", err=True)
    except BaseException:
        network.stop()
        raise
    else:
        if not keep:
            network.stop()


def show_banner(network: LocalNetwork, block_time: str, detached: bool) -> None:
    """Print what a new user needs: nodes, accounts, where the data lies, what to do next."""
    state = state_of(network)
    folder = (
        ""
        if network.directory == places.testnet_directory().resolve()
        else (f" --datadir {shlex.quote(str(network.directory))}")
    )
    click.echo(f"\n{len(network.nodes)} nodes ({network.network}), connected, at one tip:\n")
    for number, node in enumerate(network.nodes):
        click.echo(f"  node {number}   {node.url}   Esplora API: {node.url}/api")
    click.echo("\nAvailable accounts:\n")
    for number, account in enumerate(state["accounts"]):
        balance = coins(account["balance"])
        click.echo(f"  ({number}) {account['address']}   {balance}   {account['path']}")
    click.echo(f"\nMnemonic: {state['mnemonic']}")
    click.echo("          (known to everybody: never send real money to it)")
    click.echo(f"Blocks:   {describe_block_time(block_time)}")
    click.echo(f"Data:     {network.directory}")
    click.echo(f"Pay:      farthing testnet faucet{folder} ADDRESS 2.5")
    stop = f"farthing testnet down{folder}" if detached else "Ctrl-C"
    click.echo(f"Stop:     {stop}\n")


def describe_block_time(block_time: str) -> str:
    """One sentence about when blocks are mined."""
    if block_time == "auto":
        return "one second after a payment arrives"
    if block_time == "off":
        return "only by: farthing testnet mine N"
    return f"one every {block_time} seconds or so"


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
                click.echo(f"the node at {gone.url} has ended: {gone.last_words()}", err=True)
        if node.pid in reported:
            fail(f"the first node is gone; see {node.log}")
        for number in range(height + 1, node.rpc.call("getblockcount") + 1):
            show_block(node, number, as_json)
            height = number


def show_block(node: NodeProcess, height: int, as_json: bool) -> None:
    """Print one line about a block."""
    block = node.rpc.call("getblock", node.rpc.call("getblockhash", height))
    count = len(block["tx"])
    if as_json:
        click.echo(json.dumps({"height": height, "hash": block["hash"], "transactions": count}))
        return
    what = "1 transaction" if count == 1 else f"{count} transactions"
    stamp = time.strftime("%H:%M:%S", time.localtime(block["time"]))
    click.echo(f"{stamp}  block {height}  {block['hash']}  {what}, {block['size']} bytes")


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


@testnet.command()
@directory_option
@json_option
@one_line
def status(directory: Path, as_json: bool) -> None:
    """Show the nodes (height, tip, peers, waiting transactions) and the accounts."""
    network = LocalNetwork(directory)
    network.first()
    state = state_of(network)
    if as_json:
        print_json(state)
        return
    rows = []
    for number, node in enumerate(network.nodes):
        if not network.is_running(node):
            rows.append([number, node.url, "ended", "", "", "", ""])
            continue
        seen = describe(node)
        rows.append(
            [
                number,
                node.url,
                node.pid,
                seen["height"],
                seen["tip"][:16],
                seen["peers"],
                seen["mempool"],
            ]
        )
    print_table(["node>", "url", "pid>", "height>", "tip", "peers>", "waiting>"], rows)
    accounts = [
        [number, account["address"], coins(account["balance"]), account["path"]]
        for number, account in enumerate(state["accounts"])
    ]
    print_table(["account>", "address", "balance>", "path"], accounts)


@testnet.command()
@directory_option
@json_option
@one_line
def down(directory: Path, as_json: bool) -> None:
    """Stop every node of the network; its data stays for the next `up`."""
    network = LocalNetwork(directory)
    stopped = network.stop()
    if as_json:
        print_json({"stopped": stopped})
    elif stopped:
        click.echo(f"stopped {stopped} nodes; the chain is kept in {network.directory}")
    else:
        click.echo(f"no network runs in {network.directory}")


@testnet.command()
@click.argument("count", type=click.IntRange(1, 1000), default=1)
@click.option("--to", "address", help="Who earns the blocks.  [default: the faucet]")
@directory_option
@json_option
@one_line
def mine(count: int, address: str | None, directory: Path, as_json: bool) -> None:
    """Mine COUNT blocks now, and wait until every node has them."""
    # lazy: only commands that need keys wait for them
    from chain.params import network as params_of
    from scripts.funds import faucet_address

    network = LocalNetwork(directory)
    node = network.first()
    to = address or faucet_address(params_of(network.network))
    hashes = [node.rpc.call("generatetoaddress", 1, to)[0] for _ in progress(count)]
    network.wait_for_tip(hashes[-1])
    height = node.rpc.call("getblockcount")
    if as_json:
        print_json({"hashes": hashes, "height": height})
    else:
        click.echo(f"mined {count} to {to}; every node is at height {height}")


def progress(count: int) -> Iterator[int]:
    """Numbers up to `count`, with a bar on a terminal when it takes a while."""
    if count < 10 or not sys.stderr.isatty():
        yield from range(count)
        return
    with click.progressbar(range(count), label="mining", file=sys.stderr) as bar:
        yield from bar


@testnet.command()
@click.argument("address")
@click.argument("amount")
@click.option("--no-wait", is_flag=True, help="Return at once, without waiting for a block.")
@directory_option
@json_option
@one_line
def faucet(address: str, amount: str, no_wait: bool, directory: Path, as_json: bool) -> None:
    """Pay AMOUNT bitcoins to ADDRESS, and wait until every node has the payment in a block.

    \b
    Example:
      farthing testnet faucet bcrt1q… 2.5
    """
    # lazy: only commands that need keys wait for them
    from chain.params import network as params_of
    from scripts.funds import pay_from_faucet
    from wallet.amounts import parse_amount

    network = LocalNetwork(directory)
    satoshis = parse_amount(amount)
    txid = pay_from_faucet(network.first(), params_of(network.network), address, satoshis)
    height = None if no_wait else wait_for_confirmation(network, txid)
    if as_json:
        print_json({"txid": txid, "amount": satoshis, "height": height})
        return
    where = f", confirmed in block {height}" if height else ", waiting for a block"
    click.echo(f"paid {coins(satoshis)} to {address}{where}\n{txid}")


def wait_for_confirmation(network: LocalNetwork, txid: str) -> int | None:
    """The height of the block that holds a payment, once every node has it; None if none comes."""
    node = network.first()
    deadline = time.monotonic() + CONFIRM_S
    while time.monotonic() < deadline:
        seen = node.rpc.call("getrawtransaction", txid, 1)
        if seen.get("blockhash"):
            network.wait_for_tip(node.rpc.call("getbestblockhash"))
            return int(node.rpc.call("getblockheader", seen["blockhash"])["height"])
        time.sleep(0.05)
    return None


@testnet.command()
@click.option("--node", "number", type=int, help="Only this node's log.")
@click.option("--lines", default=20, show_default=True, help="How many of the last lines of each.")
@click.option("--follow", "-f", is_flag=True, help="Go on printing as lines come; Ctrl-C ends.")
@directory_option
@json_option
@one_line
def logs(number: int | None, lines: int, follow: bool, directory: Path, as_json: bool) -> None:
    """Print what the nodes wrote."""
    network = LocalNetwork(directory)
    chosen = dict(enumerate(network.nodes))
    if number is not None:
        if number not in chosen:
            fail(f"there is no node {number}; this network has nodes 0 to {len(chosen) - 1}")
        chosen = {number: chosen[number]}
    if not chosen:
        fail(f"no network is known in {directory}; start one with: farthing testnet up")
    places_read = {which: show_log(which, node, -lines, as_json) for which, node in chosen.items()}
    with contextlib.suppress(KeyboardInterrupt):
        while follow:
            time.sleep(WATCH_S)
            for which, node in chosen.items():
                places_read[which] = show_log(which, node, places_read[which], as_json)


def show_log(number: int, node: NodeProcess, start: int, as_json: bool) -> int:
    """Print a log's lines from line `start` (negative: from the end); returns the next line."""
    try:
        lines = node.log.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        lines = []
    for line in lines[start:]:
        click.echo(json.dumps({"node": number, "line": line}) if as_json else f"{number} | {line}")
    return len(lines)
