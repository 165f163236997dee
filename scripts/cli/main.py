"""`farthing`: the root command. Each group of commands is imported when it is used, not before."""

import importlib
import os
import sys

import click

from scripts.cli.common import run
from scripts.cli.completion import VARIABLE, answer_shell

GROUPS = {
    "testnet": ("scripts.cli.testnet", "A local network: nodes, funded accounts, a faucet."),
    "wallet": ("scripts.cli.wallet", "Keys, payments, balances."),
    "psbt": ("scripts.cli.wallet_psbt", "Payments signed apart, by several or offline."),
    "node": ("scripts.cli.node", "One node: run it, watch its gossip, move its blocks."),
    "mempool": ("scripts.cli.mempool", "What waits for a block, where it stands and why."),
    "explain": ("scripts.cli.explain", "What bytes say: scripts, transactions, blocks, …"),
    "completion": ("scripts.cli.completion", "What a shell needs to complete all these."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported at their first use, so that `--help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which a new user meets them."""
        return list(GROUPS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The group of that name, imported now."""
        if cmd_name not in GROUPS:
            return None
        module, _ = GROUPS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the groups without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, what) for name, (_, what) in GROUPS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
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
    if VARIABLE in os.environ:
        sys.exit(answer_shell(root))
    sys.exit(run(root, sys.argv[1:]))
