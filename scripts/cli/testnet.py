"""`farthing testnet`: a whole network on this machine, with money on it, in one command.

It knows the commands; how a network looks is scripts/cli/network_views.py, starting and finding
processes is scripts/network.py, money is scripts/funds.py.
"""

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from scripts.cli import places
from scripts.cli.common import coins, fail, json_option, plural, print_json, print_json_line
from scripts.cli.network_views import (
    WATCH_S,
    datadir_words,
    show_banner,
    show_log,
    show_status,
    state_of,
    watch_blocks,
)
from scripts.network import LocalNetwork

if TYPE_CHECKING:
    from chain.params import Params

FIRST_PORT = 18443
CONFIRM_S = 15.0  # a block comes a second after a payment
CONFIRM_SPACINGS = 12  # where blocks take their time: missed once in 150,000 times


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
    help="auto: a block one second after a payment arrives; a number: seconds between blocks; off."
    "  [default: auto; on classroom 0, as fast as the work is done]",
)
@click.option("--detach", is_flag=True, help="Leave the nodes running in the background.")
@click.option("--fresh", is_flag=True, help="Forget the blocks of an earlier run.")
@directory_option
@json_option
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

    \b
    Example:
      farthing testnet up --nodes 3 --detach
    """
    # lazy: the help text must not wait for keys and networks
    from chain.params import network as params_of
    from node.config import parse_block_time

    params = params_of(network)
    # Where work is real, nothing but the difficulty sets the pace.
    block_time = block_time or ("auto" if params.no_retargeting else "0")
    if parse_block_time(block_time) == 0 and params.no_retargeting:
        fail(f"blocks of {network} cost no work: --block-time 0 would never rest; give seconds")
    local = LocalNetwork(directory, network)
    with stopped_if_broken_off(local):
        start(local, params, count, port, block_time, fresh)
        if as_json:
            (print_json if detach else print_json_line)(state_of(local))
        else:
            show_banner(local, block_time, detach)
        if not detach:
            watch_blocks(local, as_json)


def start(
    local: LocalNetwork, params: "Params", count: int, port: int, block_time: str, fresh: bool
) -> None:
    """Start the nodes, the first one mining, and see that there is money and that they agree.

    What an interrupted first start left is half made, and is begun afresh.
    """
    # lazy: the help text must not wait for keys and networks
    from scripts.funds import faucet_address, fund

    mining = ["--block-time", block_time, "--mine-to", faucet_address(params)]
    fresh = fresh or not local.is_funded
    # By the clock, blocks would come between those that fund the accounts.
    mines_later = fresh and block_time not in ("auto", "off")

    def prepare() -> None:
        fund(local, params)
        if mines_later:
            local.stop_node(0)
            local.restart_node(0, options=mining)

    local.start(
        count,
        first_port=port,
        options=lambda number: mining if number == 0 and not mines_later else [],
        fresh=fresh,
        prepare=prepare,
    )
    local.wait_for_links()
    local.wait_for_block(local.first().rpc.call("getbestblockhash"))


@contextlib.contextmanager
def stopped_if_broken_off(network: LocalNetwork) -> Iterator[None]:
    """Stop the nodes that are started in the block, if it does not come to its end."""

    def interrupted(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    # A closed terminal and a plain `kill` must leave nothing running either.
    before = {name: signal.signal(name, interrupted) for name in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except KeyboardInterrupt:
        stopped = network.stop_children()
        if not stopped:
            raise
        click.echo(f"\n{stop_words(network, stopped)}", err=True)
    except BaseException:
        network.stop_children()
        raise
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def stop_words(network: LocalNetwork, stopped: int) -> str:
    """One line about nodes that were stopped."""
    return f"stopped {plural(stopped, 'node')}; the chain is kept in {network.directory}"


@testnet.command()
@directory_option
@json_option
def status(directory: Path, as_json: bool) -> None:
    """Show the nodes (height, tip, peers, waiting transactions) and the accounts.

    \b
    Example:
      farthing testnet status --json
    """
    network = LocalNetwork(directory)
    if as_json:
        print_json(state_of(network))
    else:
        show_status(network)


@testnet.command()
@directory_option
@json_option
def down(directory: Path, as_json: bool) -> None:
    """Stop every node of the network; its data stays for the next `up`.

    \b
    Example:
      farthing testnet down
    """
    network = LocalNetwork(directory)
    stopped = network.stop()
    if as_json:
        print_json({"stopped": stopped})
    elif stopped:
        click.echo(stop_words(network, stopped))
    else:
        click.echo(f"no network runs in {network.directory}")


@testnet.command()
@click.argument("count", type=click.IntRange(1, 1000), default=1)
@click.option("--to", "address", help="Who earns the blocks.  [default: the faucet]")
@directory_option
@json_option
def mine(count: int, address: str | None, directory: Path, as_json: bool) -> None:
    """Mine COUNT blocks now, and wait until every node has them.

    \b
    Example:
      farthing testnet mine 3
    """
    # lazy: only commands that need keys wait for them
    from chain.address import AddressError, address_to_script
    from chain.params import network as params_of
    from scripts.funds import faucet_address

    network = LocalNetwork(directory)
    node, params = network.first(), params_of(network.network)
    to = address or faucet_address(params)
    try:
        address_to_script(to, params)
    except AddressError as error:
        fail(f"--to {to}: {error}")
    hashes = [node.rpc.call("generatetoaddress", 1, to)[0] for _ in progress(count)]
    network.wait_for_block(hashes[-1])
    height = node.rpc.call("getblockcount")
    if as_json:
        print_json({"hashes": hashes, "height": height})
    else:
        click.echo(f"mined {plural(count, 'block')} to {to}; every node has them, height {height}")


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
    params = params_of(network.network)
    satoshis = parse_amount(amount)
    txid = pay_from_faucet(network.first(), params, address, satoshis)
    height = None
    if not no_wait:
        patience_s = CONFIRM_SPACINGS * params.target_spacing_s
        height = wait_for_confirmation(
            network, txid, CONFIRM_S if params.no_retargeting else patience_s
        )
    if as_json:
        print_json({"txid": txid, "amount": satoshis, "height": height})
        return
    where = f"confirmed in block {height}" if height else "waiting for a block"
    if height is None and not no_wait:
        where += f" (make one: farthing testnet mine{datadir_words(network.directory)})"
    click.echo(f"paid {coins(satoshis)} to {address}, {where}\n{txid}")


def wait_for_confirmation(network: LocalNetwork, txid: str, patience_s: float) -> int | None:
    """The height of the block that holds a payment, once every node has it; None if none comes."""
    node = network.first()
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        block = node.rpc.call("getrawtransaction", txid, 1).get("blockhash")
        if block:
            network.wait_for_block(block)
            return int(node.rpc.call("getblockheader", block)["height"])
        time.sleep(0.05)
    return None


@testnet.command()
@click.option("--node", "number", type=int, help="Only this node's log.")
@click.option(
    "--lines",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="How many of the last lines of each.",
)
@click.option("--follow", "-f", is_flag=True, help="Go on printing as lines come; Ctrl-C ends.")
@directory_option
@json_option
def logs(number: int | None, lines: int, follow: bool, directory: Path, as_json: bool) -> None:
    """Print what the nodes wrote about their lives.

    \b
    Example:
      farthing testnet logs --node 0 --follow
    """
    network = LocalNetwork(directory)
    chosen = dict(enumerate(network.nodes))
    if not chosen:
        fail(f"no network is known in {directory}; start one with: farthing testnet up")
    if number is not None:
        if number not in chosen:
            fail(f"there is no node {number}; this network has nodes 0 to {len(chosen) - 1}")
        chosen = {number: chosen[number]}
    read = {which: show_log(which, node, as_json, last=lines) for which, node in chosen.items()}
    with contextlib.suppress(KeyboardInterrupt):
        while follow:
            time.sleep(WATCH_S)
            for which, node in chosen.items():
                read[which] = show_log(which, node, as_json, start=read[which])
