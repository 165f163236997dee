"""The files of `farthing psbt`: reading PSBTs, keys and descriptors, and showing what they say.

Knows files, standard input and words on the command line. What the commands are: wallet_psbt.
"""

import json
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scripts.cli.common import coins, complain, fail, plural, print_json

if TYPE_CHECKING:
    from chain.params import Params
    from wallet.client import EsploraClient
    from wallet.psbt.packet import Psbt
    from wallet.script_expression import OutputDescriptor
    from wallet.uri import PaymentUri

MAX_FILE_BYTES = 30_000_000  # of a PSBT as base64


def network_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --network, by which addresses and keys are read and written."""
    return click.option(
        "--network",
        type=click.Choice(["regtest", "classroom", "main"]),
        default="regtest",
        show_default=True,
        help="Whose addresses and keys these are.",
    )(function)


def read_psbt(place: str) -> "Psbt":
    """The PSBT in a file (text or bytes), on standard input (-), or in the word itself."""
    # lazy: the help text must not wait for the wallet
    from wallet.psbt.packet import MAGIC, Psbt

    if place.startswith("cHNidP"):
        return Psbt.from_text(place)
    raw = read_file(place)
    if raw.startswith(MAGIC):
        return Psbt.parse(raw)
    return Psbt.from_text(raw.decode("ascii", errors="replace"))


def read_file(place: str) -> bytes:
    """What is in a file, or on standard input for -; one line if it is far too long."""
    if not place:
        fail("a file's name is empty: give a FILE, or - for standard input")
    if place == "-":
        raw = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    else:
        with Path(place).open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        fail(f"{place} is too long for a PSBT; is it another file?")
    return raw


def read_line(place: str) -> str:
    """A descriptor or a key: the word itself if it is one, else the first line of the file."""
    if "(" in place or "[" in place:
        return place.strip()
    text = read_file(place).decode("utf-8", errors="replace").strip()
    return text.splitlines()[0] if text else ""


def read_lines(place: str) -> list[str]:
    """Descriptors: the word itself if it is one, else those of a file, one a line or in JSON.

    In JSON they stand as Bitcoin Core's listdescriptors and importdescriptors write them.
    """
    if "(" in place:
        return [place.strip()]
    text = read_file(place).decode("utf-8", errors="replace").strip()
    if text.startswith(("{", "[")):
        try:
            whole = json.loads(text)
            listed = whole["descriptors"] if isinstance(whole, dict) else whole
            return [str(each["desc"]) for each in listed]
        except (ValueError, TypeError, LookupError, RecursionError):
            fail(f"{place} is no list of descriptors; expected JSON as listdescriptors writes it")
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def read_descriptor(place: str, params: "Params") -> "OutputDescriptor":
    """The descriptor in a file or in the word, perhaps in two halves; checksums are required."""
    # lazy: the help text must not wait for the wallet
    from wallet.account import GAP_LIMIT
    from wallet.pairing import accounts_of
    from wallet.script_expression import parse_descriptor

    lines = read_lines(place)
    if len(lines) < 2:
        return parse_descriptor("".join(lines), params, is_checksum_required=True)
    found = accounts_of(lines, params, GAP_LIMIT)
    if len(found) > 1:
        fail(f"{place} holds {len(found)} descriptors of different coins; give one of them")
    return found[0].descriptor


def params_of(network: str) -> "Params":
    """The network of that name."""
    # lazy: the help text must not wait for the chain
    from chain.params import network as named

    return named(network)


def show(made: "Psbt", as_json: bool, **facts: object) -> None:
    """Print a PSBT, for a file or for a program."""
    if as_json:
        print_json({"psbt": made.text(), **facts})
    else:
        click.echo(made.text())


def paid_from(
    client: "EsploraClient",
    found: "OutputDescriptor",
    params: "Params",
    payees: "Sequence[PaymentUri]",
    rate_per_kvb: int,
) -> "tuple[Psbt, bytes]":
    """Look for the coins of a descriptor and spend some of them; and where change would go.

    A payee without an amount gets what is left.
    """
    # lazy: the help text must not wait for the wallet
    from chain.transaction import Transaction
    from wallet.account import Account
    from wallet.builder import payable_script, payment

    # lazy too
    from wallet.ledger import Ledger
    from wallet.psbt.create import create as create_psbt
    from wallet.sync import synchronise

    ledger = synchronise(client, [Account(found)], Ledger())
    spendable = ledger.spendable(params.coinbase_maturity_blocks)
    sources = {txid: Transaction.parse(entry.raw) for txid, entry in ledger.entries.items()}
    change, chance = ledger.next_index[0, 1], random.SystemRandom()
    pays = [payment(p.address, p.amount, params) for p in payees if p.amount is not None]
    rest = [payable_script(p.address, params) for p in payees if p.amount is None]
    made = create_psbt(
        *(found, spendable, sources, pays, change, rate_per_kvb, chance),
        rest_to=rest[0] if rest else None,
    )
    return made, found.script(1, change)


def preview(made: "Psbt", params: "Params", whose: str, is_own: Callable[[str], bool]) -> None:
    """What a payment does, for people, on standard error; what returns to its owner is named."""
    # lazy: the help text must not wait for the wallet
    from wallet.psbt.view import describe

    shown = describe(made, params)
    for output in shown["outputs"]:
        address, value = output["address"], coins(output["value"])
        if address and is_own(address):
            click.echo(f"Change  {value} back to {whose} at {address}", err=True)
        else:
            where = address or f"script {output['script'][:60]}"
            click.echo(f"Pays    {value} to {where}", err=True)
    paid = "not known yet"
    if shown["fee"] is not None:
        spent = shown["fee"] + sum(output["value"] for output in shown["outputs"])
        paid = f"{shown['fee']:,} sat, {100 * shown['fee'] / spent:.2f}% of what is spent"
        paid += "" if shown["fee_proven"] else " (as stated: no proof of the amounts is there)"
    click.echo(f"Fee     {paid}, for {plural(len(shown['inputs']), 'coin')} spent", err=True)
    for problem in shown["problems"]:
        complain(problem)
