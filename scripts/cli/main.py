"""`farthing`: the root command. Each group of commands is imported when it is used, not before."""

import os
import sys

import click

from scripts.cli.common import run
from scripts.cli.lazy import LazyGroup

COMPLETING = "_FARTHING_COMPLETE"
"""The variable by which a shell asks what may come next."""
GROUPS = {
    "testnet": ("testnet", "A local network: nodes, funded accounts, a faucet."),
    "wallet": ("wallet", "Keys, payments, balances."),
    "psbt": ("wallet_psbt", "Payments signed apart, by several or offline."),
    "node": ("node", "One node: run it, watch its gossip, move its blocks."),
    "mempool": ("mempool", "What waits for a block, where it stands and why."),
    "explain": ("explain", "What bytes say: scripts, transactions, blocks, …"),
    "completion": ("completion", "What a shell needs to complete all these."),
}


class Root(LazyGroup):
    """The groups; a list of them imports none."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What each is for."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, what) for name, (_, what) in GROUPS.items()])


@click.command(
    cls=Root,
    places={name: module for name, (module, _) in GROUPS.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="farthing", prog_name="farthing")
def root() -> None:
    """A Bitcoin you can read, and a whole Bitcoin network you can run.

    \b
    Start here:
      farthing testnet up             five nodes and ten funded accounts
      farthing wallet create alice    keys of your own
      farthing explain TXID           a payment, field by field and step by step

    Exit codes: 0 done, 1 it could not be done, 2 wrong usage, 130 interrupted.
    """


def main() -> None:
    """Run the command line and exit: 0 done, 1 it could not be done, 2 wrong usage."""
    if COMPLETING in os.environ:
        # lazy: a shell asks, not a user
        from scripts.cli.completion import answer_shell

        sys.exit(answer_shell(root))
    sys.exit(run(root, sys.argv[1:]))
