"""What `farthing explain` does with its words: read what was given, and have it explained.

The command line is in explain, which imports this file only when a command is used.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from chain.block import HEADER_SIZE, Block, BlockHeader
from chain.encoding import parse_hash
from chain.errors import DecodeError
from chain.params import network as params_of
from chain.script.sighash import SigVersion
from chain.transaction import Transaction
from scripts.cli import places
from scripts.explain import script as scripts
from scripts.explain.address import explain_address
from scripts.explain.block import explain_block, explain_header
from scripts.explain.debugger import debug_output, debug_script
from scripts.explain.flags import parse_flags
from scripts.explain.given import Given, read
from scripts.explain.guess import HEIGHT, WHAT_IT_IS, guess
from scripts.explain.message import explain_message
from scripts.explain.model import ExplainError, Explanation
from scripts.explain.node import Source, is_hash, parse_spent, spent_by
from scripts.explain.refusal import Ask, explain_refusal
from scripts.explain.transaction import Context, explain_transaction
from scripts.network import LocalNetwork, NetworkError
from wallet.errors import NodeError


def given_of(what: str) -> Given:
    """What an argument stands for."""
    return read(what, sys.stdin.buffer.read)


def hex_items(words: Sequence[str], option: str) -> list[bytes]:
    """The bytes of an option that may come more than once; an empty word is an empty element."""
    try:
        return [bytes.fromhex(word) for word in words]
    except ValueError:
        expected = "expected two hex digits a byte, and '' for an empty element"
        raise ExplainError(f"{option}: not all of it is hex; {expected}") from None


def script(
    what: str,
    is_run: bool,
    stack: Sequence[bytes],
    witness: Sequence[bytes],
    script_sig: str | None,
    version: str,
    flag_names: str,
    network: str,
) -> Explanation:
    """A script, and its run if one is asked for."""
    code, generation = scripts.script_of(given_of(what)), SigVersion[version]
    explanation = scripts.explain_script(code, params_of(network), generation)
    flags = parse_flags(flag_names)
    if witness or script_sig is not None:
        unlocking = scripts.script_of(given_of(script_sig)) if script_sig else b""
        return replace(explanation, runs=[debug_output(code, unlocking, witness, flags)])
    if is_run or stack:
        return replace(explanation, runs=[debug_script(code, stack, generation, flags)])
    return explanation


class Known(NamedTuple):
    """What the command line says of a transaction besides its bytes."""

    spent: Sequence[str] = ()
    parents: Sequence[str] = ()
    chosen: str | None = None
    flag_names: str = "standard"
    network: str = "regtest"


class NodeChoice(NamedTuple):
    """Whom to ask; `was_named`: that it does not answer is then worth a word."""

    source: Source | None
    was_named: bool


def node_of(url: str | None, offline: bool) -> NodeChoice:
    """The node that was named, else the first of a running testnet, else none."""
    if offline:
        return NodeChoice(None, False)
    if url:
        return NodeChoice(Source(url), True)
    try:
        network = LocalNetwork(places.testnet_directory())
        running = network.running
    except (NetworkError, OSError):  # a damaged note of it, or one that may not be read
        return NodeChoice(None, False)
    return NodeChoice(Source(running[0].url) if running else None, False)


def required(choice: NodeChoice, what: str) -> Source:
    """The node, or one line that says how to have one."""
    if choice.source is None:
        raise ExplainError(
            f"{what} is asked of a node, and none is known: start a network (farthing testnet up), "
            "name a node (--node URL), or give the bytes"
        )
    return choice.source


def transaction(what: str, known: Known, choice: NodeChoice) -> Explanation:
    """A transaction, by its bytes or its id."""
    given = given_of(what)
    if is_hash(given.text):
        found = required(choice, "the transaction of that id").transaction(given.text)
        return transaction_found(found, known, choice)
    return transaction_found(parse_transaction(given), known, choice)


def parse_transaction(given: Given) -> Transaction:
    """The transaction in the bytes; ExplainError says what is wrong with them."""
    raw = given.bytes("a transaction")
    try:
        return Transaction.parse(raw)
    except DecodeError as error:
        raise ExplainError(
            f"{given.shown} ({len(raw)} bytes) is no transaction: {error}; check that all of it "
            "was copied, or ask by its txid"
        ) from None


def transaction_found(tx: Transaction, known: Known, choice: NodeChoice) -> Explanation:
    """A transaction, and what it spends as far as that is known."""
    given = [parse_spent(text) for text in known.spent]
    parents = [parse_transaction(given_of(text)) for text in known.parents]
    context = Context(
        params_of(known.network),
        spent_by(tx, given, parents),
        flags=parse_flags(known.flag_names),
        chosen=chosen_input(known.chosen, tx),
    )
    return explain_transaction(tx, asked(tx, context, choice))


def asked(tx: Transaction, context: Context, choice: NodeChoice) -> Context:
    """The context with what a node adds; a node that nobody named may be silent."""
    source = choice.source
    if source is None:
        return context
    try:
        found = source.find(tx.txid)
        context = replace(
            context,
            status=source.status(tx.txid) if found else "not known to the node",
            next_height=source.next_height(),
        )
        told = source.spent_outputs(tx)
    except NodeError:
        if choice.was_named:
            raise
        return context
    both = zip(context.spent, told, strict=False)
    return replace(context, spent=[here or there for here, there in both])


def chosen_input(text: str | None, tx: Transaction) -> int | str | None:
    """`all`, or the number of an input that the transaction has."""
    if text is None or text == "all":
        return text
    if not text.isdecimal() or int(text) >= len(tx.inputs):
        raise ExplainError(
            f"--input {text[:20]!r}: the transaction has inputs 0 to {len(tx.inputs) - 1}; give a "
            "number of these, or all"
        )
    return int(text)


MAX_PRICED = 50  # transactions of a block up to which a node is asked for their fees


def block(what: str, network: str, choice: NodeChoice) -> Explanation:
    """A block by its height, its hash or its bytes; a header by its 80 bytes."""
    text = what.strip()
    if is_hash(text) or HEIGHT.fullmatch(text):
        return block_found(required(choice, "a block").block(text), network, choice)
    given = given_of(what)
    if is_hash(given.text):
        return block_found(required(choice, "a block").block(given.text), network, choice)
    return block_of_bytes(given, network, choice)


def block_of_bytes(given: Given, network: str, choice: NodeChoice) -> Explanation:
    """A block or header from its bytes; ExplainError says what is wrong with them."""
    raw = given.bytes("a block")
    try:
        if len(raw) == HEADER_SIZE:
            return explain_header(BlockHeader.parse(raw), params_of(network))
        parsed = Block.parse(raw)
    except DecodeError as error:
        raise ExplainError(
            f"{given.shown} ({len(raw)} bytes) is no block: {error}; a header has {HEADER_SIZE} "
            "bytes, a block has its transactions behind it"
        ) from None
    return block_found(parsed, network, choice)


def block_found(found: Block, network: str, choice: NodeChoice) -> Explanation:
    """A block, with its transactions' fees if a node knows what they spend."""
    fees: list[int | None] = []
    if choice.source is not None and len(found.transactions) <= MAX_PRICED:
        try:
            fees = [fee_of(tx, choice.source) for tx in found.transactions]
        except NodeError:
            if choice.was_named:
                raise
    return explain_block(found, params_of(network), fees)


def fee_of(tx: Transaction, source: Source) -> int | None:
    """The fee in satoshis; None for a coinbase, and where a node does not know all outputs."""
    spent = [output for output in source.spent_outputs(tx) if output is not None]
    if tx.is_coinbase or len(spent) < len(tx.inputs):
        return None
    return sum(each.value for each in spent) - sum(each.value for each in tx.outputs)


def address(what: str) -> Explanation:
    """An address as text."""
    given = given_of(what)
    if not given.text:
        raise ExplainError(f"{given.shown} is no text; expected an address, such as bcrt1q…")
    return explain_address(given.text)


def message(what: str, network: str) -> Explanation:
    """Messages in their frames."""
    return explain_message(given_of(what).bytes("a peer message"), params_of(network))


MAX_REFUSALS = 25  # transactions that a node judges together


def refusal(what: Sequence[str], ask: Ask) -> Explanation:
    """What a node says of transactions, asked by its RPC."""
    if len(what) > MAX_REFUSALS:
        raise ExplainError(f"{len(what)} transactions were given; at most {MAX_REFUSALS} together")
    return explain_refusal([parse_transaction(given_of(each)) for each in what], ask)


def anything(what: str, network: str, choice: NodeChoice) -> Explanation:
    """Whatever was given, under the kind that it looks like."""
    given = given_of(what)
    kind = guess(given)
    known = Known(network=network)
    if kind == "tx":
        found = transaction_found(parse_transaction(given), known, choice)
    elif kind == "hash":
        found = named(given.text, known, choice)
    elif kind == "height":
        if choice.source is None:
            raise ExplainError(
                f"{given.text} looks like a block's height, which is asked of a node, and none is "
                "known: start a network (farthing testnet up), or name the kind: "
                f"farthing explain script {given.text}"
            )
        found = block(given.text, network, choice)
    elif kind in ("block", "header"):
        found = block_of_bytes(given, network, choice)
    elif kind == "message":
        found = explain_message(given.bytes("a peer message"), params_of(network))
    elif kind == "address":
        found = explain_address(given.text)
    else:
        code = scripts.script_of(given)
        found = scripts.explain_script(code, params_of(network), SigVersion.BASE)
    return replace(found, guess=f"This looks like {WHAT_IT_IS[kind]}.")


def named(name: str, known: Known, choice: NodeChoice) -> Explanation:
    """A transaction or a block of that id: a node is asked for one, then for the other."""
    source = required(choice, "what has that id")
    found = source.find(parse_hash(name))
    if found is not None:
        return transaction_found(found, known, choice)
    try:
        return block_found(source.block(name), known.network, choice)
    except ExplainError:
        raise ExplainError(
            f"{source.url} knows no transaction or block {name}; check the id, or ask another node "
            "with --node URL"
        ) from None
