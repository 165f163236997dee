"""`farthing explain`: what a script, transaction, block, address or message says, field by field.

It reads what was given and shows what scripts/explain makes of it; how that looks is explain_views.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts.cli.common import json_option, print_json
from scripts.cli.node_rpc import node_option, rpc_of, rpc_options

if TYPE_CHECKING:
    from scripts.explain.debugger import Run
    from scripts.explain.model import Explanation

VERSIONS = {"legacy": "BASE", "v0": "WITNESS_V0", "tapscript": "TAPSCRIPT"}


class Kinds(click.Group):
    """The kinds of things; without one, what was given is looked at, and the kind guessed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`farthing explain 0200…` is `farthing explain anything 0200…`."""
        words = self._words(args)
        kind = args[words[0]] if words else ""
        for word in [args[place] for place in words]:
            if word[0:1] == "-" and word != "-" and kind in (word, "block"):
                raise click.UsageError(f"a block's height is 0 or more, not {word}", ctx)
        if kind in self.commands:  # its options may stand before it
            args = [kind, *args[: words[0]], *args[words[0] + 1 :]]
        elif len(words) > 1:
            raise click.UsageError(
                f"there is no kind {kind[:60]!r}: expected one of {', '.join(self.commands)}, or "
                "one thing alone (put a script's words between quotation marks)",
                ctx,
            )
        elif args and args[0] not in ("-h", "--help"):
            args = ["anything", *args]
        return super().parse_args(ctx, args)

    def _words(self, args: list[str]) -> list[int]:
        """The places of what is no option, nor an option's value."""
        options = [each for command in self.commands.values() for each in command.params]
        valued = {
            name
            for option in options
            if isinstance(option, click.Option) and not option.is_flag
            for name in option.opts
        }
        is_word = [not arg.startswith("-") or arg == "-" or arg[1:].isdigit() for arg in args]
        return [
            place
            for place, _ in enumerate(args)
            if is_word[place] and not (place and args[place - 1] in valued)
        ]


@click.group(cls=Kinds)
def explain() -> None:
    """What bytes say, field by field; and scripts, one step at a time.

    WHAT is hex, a file (hex or binary), - for standard input, or where it makes sense a txid, a
    block's hash or its height, which a node is asked for. Without a kind, it is guessed.

    \b
    Examples:
      farthing explain 76a914751e76e8199196d454941c45d1b3a323f1433bd688ac
      farthing explain script --run "2 3 ADD 5 EQUAL"
      farthing explain tx TXID
      farthing explain block 0 --json
    """


def network_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --network, whose addresses are shown."""
    return click.option(
        "--network",
        type=click.Choice(["regtest", "classroom", "main"]),
        default="regtest",
        show_default=True,
        help="How addresses are written, and which rules bind.",
    )(function)


def step_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --step, which waits for Enter."""
    return click.option(
        "--step", "is_slow", is_flag=True, help="Wait for Enter after each step of a script."
    )(function)


def flags_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --flags, the rules that bind."""
    return click.option(
        "--flags",
        "flag_names",
        default="standard",
        show_default=True,
        help="The rules that bind: standard (a mempool's), mandatory (a block's), none, or names.",
    )(function)


def show(explanation: "Explanation", as_json: bool, is_slow: bool = False) -> None:
    """Print an explanation, and what was run."""
    # lazy: the help text must not wait for it
    from scripts.cli import explain_views as views

    if as_json:
        print_json(explanation.to_json())
        return
    width = views.page_width()
    for line in views.lines_of(explanation, width):
        click.echo(line)
    for run in explanation.runs:
        show_run(run, width, is_slow)
    for line in views.hint_lines(explanation, width):
        click.echo(line)


def show_run(run: "Run", width: int, is_slow: bool) -> None:
    """Print the steps of a script, one after the other, or one for each Enter."""
    # lazy: as above
    from scripts.cli import explain_views as views

    is_slow = is_slow and sys.stdin.isatty() and sys.stdout.isatty()
    if is_slow:
        click.echo(views.dim("Enter: the next step; q: all the rest"), err=True)
    for lines in views.run_lines(run, width):
        click.echo("\n".join(lines))
        if is_slow and lines[0]:
            is_slow = click.getchar() not in ("q", "\x1b")


@explain.command()
@click.argument("what")
@click.option("--run", "is_run", is_flag=True, help="Run it, one step at a time.")
@click.option("--stack", multiple=True, metavar="HEX", help="An element to begin with, top last.")
@click.option("--witness", multiple=True, metavar="HEX", help="An item of a witness to spend with.")
@click.option("--script-sig", metavar="SCRIPT", help="A scriptSig to spend with.")
@click.option(
    "--version",
    type=click.Choice(list(VERSIONS)),
    default="legacy",
    show_default=True,
    help="The generation of Script.",
)
@flags_option
@network_option
@step_option
@json_option
def script(
    what: str,
    is_run: bool,
    stack: tuple[str, ...],
    witness: tuple[str, ...],
    script_sig: str | None,
    version: str,
    flag_names: str,
    network: str,
    is_slow: bool,
    as_json: bool,
) -> None:
    """A script, and its run step by step.

    Its instructions, its shape, its address; with --run, its steps.

    WHAT is hex, or words with spaces between, such as "OP_1 2 ADD 3 EQUAL". With --witness or
    --script-sig it is taken as an output's script and spent with them; signatures can't be good
    without a transaction (farthing explain tx has one).

    \b
    Examples:
      farthing explain script a914000000000000000000000000000000000000000087
      farthing explain script --run --stack 02 --stack 03 "ADD 5 EQUAL"
      farthing explain script "OP_1 OP_IF OP_2 OP_ELSE OP_3 OP_ENDIF" --run --step
    """
    # lazy: as above
    from scripts.cli import explain_work as work

    show(
        work.script(
            what,
            is_run,
            work.hex_items(stack, "--stack"),
            work.hex_items(witness, "--witness"),
            script_sig,
            VERSIONS[version],
            flag_names,
            network,
        ),
        as_json,
        is_slow,
    )


def source_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --node and --offline: who is asked for what was not given."""
    function = click.option("--offline", is_flag=True, help="Ask no node.")(function)
    return node_option(function)


def spend_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the ways to give the outputs that a transaction spends."""
    function = click.option(
        "--prevtx",
        "parents",
        multiple=True,
        metavar="WHAT",
        help="A transaction that it spends from; may come again.",
    )(function)
    function = click.option(
        "--spent",
        multiple=True,
        metavar="VALUE:SCRIPTHEX",
        help="The output that an input spends, in satoshis; once for each input, in order.",
    )(function)
    return click.option(
        "--input", "chosen", metavar="N", help="Which input's steps to show; or all."
    )(function)


@explain.command()
@click.argument("what")
@spend_options
@flags_option
@source_options
@network_option
@step_option
@json_option
def tx(
    what: str,
    chosen: str | None,
    spent: tuple[str, ...],
    parents: tuple[str, ...],
    flag_names: str,
    node_url: str | None,
    offline: bool,
    network: str,
    is_slow: bool,
    as_json: bool,
) -> None:
    """A transaction, and each of its spends.

    Every field, the fee, broken rules; each input's script, one step at a time.

    WHAT is a txid, hex, a file or -. The fee and the steps need the outputs that it spends: a node
    is asked for them, or they are given with --spent or --prevtx.

    \b
    Examples:
      farthing explain tx TXID
      farthing explain tx payment.hex --spent 5000000000:0014… --input 0
      farthing explain tx - --offline < payment.hex
    """
    # lazy: as above
    from scripts.cli import explain_work as work

    known = work.Known(spent, parents, chosen, flag_names, network)
    show(work.transaction(what, known, work.node_of(node_url, offline)), as_json, is_slow)


@explain.command()
@click.argument("what")
@source_options
@network_option
@json_option
def block(what: str, node_url: str | None, offline: bool, network: str, as_json: bool) -> None:
    """A block or a header.

    Its fields, proof of work, coinbase, tree and transactions, and the rules that it breaks.

    WHAT is a height, a block's hash, hex, a file or -.

    \b
    Examples:
      farthing explain block 0
      farthing explain block block.bin --network main
    """
    # lazy: as above
    from scripts.cli import explain_work as work

    show(work.block(what, network, work.node_of(node_url, offline)), as_json)


@explain.command()
@click.argument("what", metavar="ADDRESS")
@json_option
def address(what: str, as_json: bool) -> None:
    """An address, or where it was mistyped.

    Its parts, its networks and the script that it stands for.

    \b
    Example:
      farthing explain address bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080
    """
    # lazy: as above
    from scripts.cli import explain_work as work

    show(work.address(what), as_json)


@explain.command()
@click.argument("what")
@network_option
@json_option
def message(what: str, network: str, as_json: bool) -> None:
    """Peer messages in their frames.

    Magic, command, length, checksum, payload; one or several, as they came over a link.

    \b
    Example:
      farthing explain message fabfb5da70696e67000000000000000008000000…
    """
    # lazy: as above
    from scripts.cli import explain_work as work

    show(work.message(what, network), as_json)


@explain.command()
@click.argument("what", nargs=-1, required=True)
@rpc_options
@json_option
def refusal(
    what: tuple[str, ...], node_url: str | None, cookie: Path | None, as_json: bool
) -> None:
    """Why a node refuses a transaction, and what it would accept.

    The rule, the figures on both sides, and what to change. Several are asked for together, parents
    first. Nothing is sent: the node is only asked.

    WHAT is hex, a file or -.

    \b
    Examples:
      farthing explain refusal payment.hex
      farthing explain refusal parent.hex child.hex
    """
    # lazy: as above
    from scripts.cli import explain_work as work

    show(work.refusal(what, rpc_of(node_url, cookie).call), as_json)


@explain.command()
@click.argument("what")
@source_options
@network_option
@step_option
@json_option
def anything(
    what: str, node_url: str | None, offline: bool, network: str, is_slow: bool, as_json: bool
) -> None:
    """Whatever it is: the kind is guessed. The word `anything` may be left out.

    \b
    Examples:
      farthing explain anything payment.hex
      farthing explain TXID
    """
    # lazy: as above
    from scripts.cli import explain_work as work

    found = work.anything(what, network, work.node_of(node_url, offline))
    show(found, as_json, is_slow)
