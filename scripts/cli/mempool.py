"""`farthing mempool`: what the next blocks would hold, and why each transaction is where it is.

It asks a node and shows what scripts/explain makes of the answers.
"""

from pathlib import Path

import click

from scripts.cli.common import json_option, print_json
from scripts.cli.explain import show
from scripts.cli.node_rpc import rpc_of, rpc_options


@click.command()
@click.argument("txid", required=False)
@click.option("--all", "is_all", is_flag=True, help="List all that wait, not only the first.")
@rpc_options
@json_option
def mempool(
    txid: str | None, is_all: bool, node_url: str | None, cookie: Path | None, as_json: bool
) -> None:
    """What waits for a block: the next blocks, and each transaction's place and why.

    With a TXID (its beginning will do), that one: its cluster chunk by chunk, what it pays alone
    and together with others, and what would move it up.

    \b
    Examples:
      farthing mempool
      farthing mempool TXID
      farthing mempool --json
    """
    # lazy: the help text must not wait for it
    from scripts.explain import waiting
    from scripts.explain.mempool import take_snapshot

    snapshot = take_snapshot(rpc_of(node_url, cookie).call)
    if txid is not None:
        found = waiting.find(snapshot, txid)
        if as_json:
            print_json(waiting.waiting_json(snapshot, found))
            return
        show(waiting.explain_waiting(snapshot, found), as_json)
    elif as_json:
        print_json(waiting.mempool_json(snapshot))
    else:
        count = len(snapshot.entries) if is_all else waiting.SHOWN
        show(waiting.explain_mempool(snapshot, count), as_json)
