"""A node's RPC for a command that looks into a mempool: which node, and its cookie file.

A cookie is known for the nodes of the local network and for a node run from the usual folder; any
other is named with --cookie.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts.cli import places
from scripts.cli.common import fail

if TYPE_CHECKING:
    from scripts.rpc_client import RpcClient

Options = Callable[..., Any]


def node_option(function: Options) -> Options:
    """Add --node: who is asked."""
    return click.option(
        "--node",
        "node_url",
        envvar="FARTHING_NODE",
        show_envvar=True,
        metavar="URL",
        help="The node to ask.  [default: the first of a running testnet]",
    )(function)


def rpc_options(function: Options) -> Options:
    """Add --node and --cookie: who is asked."""
    function = click.option(
        "--cookie",
        type=click.Path(dir_okay=False, path_type=Path),
        help="The node's cookie file.  [default: that of a local network's node]",
    )(function)
    return node_option(function)


def rpc_of(url: str | None, cookie: Path | None) -> "RpcClient":
    """The node's RPC; one line on how to name it if its cookie is not known."""
    # lazy: the help text must not wait for it
    from scripts.network import LocalNetwork
    from scripts.rpc_client import RpcClient

    if url and cookie:
        if not cookie.is_file():
            fail(f"there is no cookie file {cookie}; it lies in the node's folder, while it runs")
        return RpcClient(url.rstrip("/"), cookie)
    network = LocalNetwork(places.testnet_directory())
    if url is None:
        return network.first().rpc
    for node in network.running:
        if node.url == url.rstrip("/"):
            return node.rpc
    cookies = sorted(places.node_directory().glob("*/.cookie"))
    if len(cookies) != 1:
        fail(f"no cookie file is known for the node at {url}; name it with --cookie FILE")
    return RpcClient(url.rstrip("/"), cookies[0])
