"""`farthing node`: one node, run in the foreground; a peer that prints what it hears; its files.

It turns switches into a NodeConfig. Testing and policy switches carry Bitcoin Core's names and
units, with two dashes, so that what is known from bitcoind works here.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from scripts.cli import places
from scripts.cli.common import COIN, fail
from scripts.cli.networks import read_network
from scripts.cli.node_files import export, reindex, take_in

if TYPE_CHECKING:
    from node.mempool.policy import PolicyOptions

DEFAULT_PORT = 18443
LEAST_CLUSTERS = 40
"""So many of the largest clusters the mempool must have room for, as in Core."""
T = TypeVar("T")
AMOUNT = re.compile(r"[0-9]{1,8}(\.[0-9]{1,8})?", re.ASCII)


class Amount(click.ParamType[int]):
    """A feerate in BTC per kvB, as satoshis per kvB."""

    name = "BTC/kvB"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """Exact: no float is ever made of it."""
        if not AMOUNT.fullmatch(str(value)):
            self.fail(
                f"{str(value)[:40]!r} is not an amount in BTC/kvB: write it like 0.00001, "
                "with at most 8 decimals",
                param,
                ctx,
            )
        return int(Decimal(str(value)) * COIN)


class Switch(click.ParamType[bool]):
    """A boolean as bitcoind takes it: bare, `=1` or `=0`."""

    name = "0|1"

    def convert(self, value: Any, param: Any, ctx: Any) -> bool:
        """0 and 1 only."""
        if value not in ("0", "1", True, False):
            self.fail(f"{value!r} is neither 0 nor 1", param, ctx)
        return value in ("1", True)


POLICY_SWITCHES: list[tuple[str, str, Any, int, str]] = [
    # (name, field of PolicyOptions, type, factor to our unit, help)
    ("acceptnonstdtxn", "accept_nonstandard", Switch(), 1, "Relay whatever consensus allows."),
    ("minrelaytxfee", "min_relay_feerate", Amount(), 1, "The lowest feerate that is relayed."),
    (
        "incrementalrelayfee",
        "incremental_relay_feerate",
        Amount(),
        1,
        "What a replacement pays for its own size.",
    ),
    ("dustrelayfee", "dust_relay_feerate", Amount(), 1, "The feerate by which dust is judged."),
    ("maxmempool", "max_mempool_bytes", click.IntRange(1), 1_000_000, "Megabytes."),
    ("mempoolexpiry", "expiry_s", click.IntRange(1), 3_600, "Hours."),
    ("bytespersigop", "bytes_per_sigop", click.IntRange(0), 1, "Bytes that a sigop counts for."),
    ("datacarrier", "datacarrier", Switch(), 1, "Relay OP_RETURN outputs."),
    ("datacarriersize", "datacarrier_size", click.IntRange(0), 1, "Bytes of OP_RETURN scripts."),
    ("permitbaremultisig", "permit_bare_multisig", Switch(), 1, "Relay bare multisig outputs."),
    (
        "limitclustercount",
        "max_cluster_count",
        click.IntRange(1, 64),
        1,
        "Transactions in a cluster.",
    ),
    ("limitclustersize", "max_cluster_vsize", click.IntRange(1), 1_000, "kvB of a cluster."),
]


def policy_switches(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add Core's policy switches; the command gets them by their names."""
    for name, _, kind, _, what in reversed(POLICY_SWITCHES):
        flag = {"is_flag": False, "flag_value": "1"} if isinstance(kind, Switch) else {}
        function = click.option(f"--{name}", type=kind, help=what, **flag)(function)  # type: ignore[arg-type]
    return function


def policy_of(switches: dict[str, Any]) -> "PolicyOptions":
    """PolicyOptions with what was given on the command line, defaults for the rest.

    As in Core, an incremental relay fee alone lifts the relay fee to it.
    """
    # lazy: the help text must not wait for the node
    from node.mempool.policy import PolicyOptions

    given = {
        field: switches[name] * factor if factor > 1 else switches[name]
        for name, field, _, factor, _ in POLICY_SWITCHES
        if switches[name] is not None
    }
    options = PolicyOptions(**given)
    least = -(-LEAST_CLUSTERS * options.max_cluster_vsize // 1_000_000)
    if options.max_mempool_bytes < LEAST_CLUSTERS * options.max_cluster_vsize:
        fail(f"--maxmempool must be at least {least} (MB): {LEAST_CLUSTERS} clusters must fit")
    lifted = max(options.min_relay_feerate, options.incremental_relay_feerate)
    return replace(options, **{"min_relay_feerate": lifted} | given)


def named(switch: str, parse: Callable[[], T]) -> T:
    """What a switch means, or one line that names the switch."""
    try:
        return parse()
    except ValueError as error:
        fail(f"{switch}: {error}")


@click.group()
def node() -> None:
    """One node: run it, watch its gossip, move its blocks.

    \b
    Examples:
      farthing node run --datadir ./data
      farthing node run --datadir ./b --listen 127.0.0.1:18444 --peer http://127.0.0.1:18443
      farthing node watch http://127.0.0.1:18443
      farthing node import blocks.dat --datadir ./data
    """


for each in (take_in, export, reindex):
    node.add_command(each)


@node.command()
@click.option(
    "--network",
    default="regtest",
    show_default=True,
    help="regtest, classroom, main, or a FILE.toml that describes one of your own.",
)
@click.option(
    "--datadir",
    type=click.Path(path_type=Path, file_okay=False),
    default=places.node_directory,
    show_default="the user's data folder",
    help="Where its data lies.",
)
@click.option("--listen", default=f"127.0.0.1:{DEFAULT_PORT}", show_default=True, help="HOST:PORT.")
@click.option("--peer", "peers", multiple=True, help="A node to dial (repeatable).")
@click.option("--connect", is_flag=True, help="Dial only the given peers, none learnt by gossip.")
@click.option("--allow-host", "allow_hosts", multiple=True, help="A further name for this node.")
@click.option("--allow-private-peers", is_flag=True, help="Believe gossip about private addresses.")
@click.option(
    "--block-time",
    default="auto",
    show_default=True,
    help="With --mine-to. auto: a block one second after a payment; seconds between blocks; off.",
)
@click.option("--mine-to", help="Mine, and pay this address.")
@click.option(
    "--mine-par",
    type=click.IntRange(0),
    default=0,
    help="Processes that mine, where the work is real.  [default: all processors]",
)
@click.option(
    "--par",
    type=click.IntRange(0),
    default=0,
    help="Processes that check scripts; more than 4 are of no use.  [default: all processors]",
)
@click.option(
    "--store",
    "engine",
    type=click.Choice(["auto", "leveldb", "sqlite"]),
    default="auto",
    show_default=True,
    help="auto: what is there, else LevelDB if it is installed.",
)
@click.option("--no-index", is_flag=True, help="Keep no index; most of Esplora's API then is gone.")
@click.option(
    "--max-inbound",
    type=click.IntRange(0, 1000),
    default=125,
    show_default=True,
    help="Links that others may open.",
)
@click.option(
    "--persistmempool",
    type=Switch(),
    default=True,
    is_flag=False,
    flag_value="1",
    help="Keep what waits from one run to the next.  [default: 1]",
)
@click.option(
    "--testactivationheight",
    "heights",
    multiple=True,
    help="NAME@HEIGHT for bip34, dersig, cltv, csv or segwit (repeatable).",
)
@policy_switches
def run(
    network: str,
    datadir: Path,
    listen: str,
    peers: tuple[str, ...],
    allow_hosts: tuple[str, ...],
    block_time: str,
    heights: tuple[str, ...],
    **switches: Any,
) -> None:
    """Run a node in the foreground until Ctrl-C or SIGTERM.

    \b
    Example:
      farthing node run --network regtest --datadir ./data --listen 127.0.0.1:18443
    """
    # lazy: the help text must not wait for the node
    from node import daemon
    from node.config import NodeConfig, parse_address, parse_addresses, parse_block_time

    config = NodeConfig(
        params=read_network(network, heights),
        datadir=datadir,
        listen=named("--listen", lambda: parse_address(listen, DEFAULT_PORT)),
        peers=named("--peer", lambda: parse_addresses(peers, DEFAULT_PORT)),
        connect_only=switches["connect"],
        allow_hosts=allow_hosts,
        allow_private_peers=switches["allow_private_peers"],
        block_time=named("--block-time", lambda: parse_block_time(block_time)),
        mine_to=switches["mine_to"],
        mine_par=switches["mine_par"],
        par=switches["par"],
        engine=switches["engine"],
        no_index=switches["no_index"],
        max_inbound=switches["max_inbound"],
        persist_mempool=switches["persistmempool"],
        policy=policy_of(switches),
    )
    raise click.exceptions.Exit(daemon.run(config))


@node.command()
@click.argument("url")
@click.option("--network", default="regtest", show_default=True, help="The node's network.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def watch(url: str, network: str, as_json: bool) -> None:
    """Print the gossip of the node at URL as it passes, decoded, until Ctrl-C.

    \b
    Example:
      farthing node watch http://127.0.0.1:18443
    """
    # lazy: the help text must not wait for the node
    from node.config import parse_address
    from scripts import watch as watching

    address = parse_address(url, DEFAULT_PORT)
    raise click.exceptions.Exit(watching.run(address, read_network(network, ()), as_json=as_json))
