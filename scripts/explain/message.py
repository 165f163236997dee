"""Peer messages in their frames: magic, command, length, checksum, and what the payload says.

What a message means is in node/messages.py; here it is only shown.
"""

import dataclasses
from collections.abc import Sequence

from chain.block import Block, BlockHeader
from chain.encoding import display_hash
from chain.errors import DecodeError
from chain.hashes import sha256d
from chain.params import NETWORKS, Params
from chain.transaction import Transaction
from node import messages, wire
from node.messages import InventoryItem, Message, PeerAddress, Unknown
from scripts.explain import places
from scripts.explain.block import explain_header
from scripts.explain.model import ExplainError, Explanation, Field, Problem, Section
from scripts.explain.times import date_of
from scripts.explain.transaction import Context
from scripts.explain.transaction import sections as transaction_sections

MAX_ITEMS = 50  # of a list, shown
MAX_FRAMES = 100  # of one input
KINDS = {
    wire.MSG_TX: "transaction",
    wire.MSG_BLOCK: "block",
    wire.MSG_WTX: "transaction by wtxid",
    wire.MSG_WITNESS_TX: "transaction with its witness",
    wire.MSG_WITNESS_BLOCK: "block with its witnesses",
}
MEANINGS = {
    "services": "1: has the whole chain; 8: has witnesses",
    "feerate": "satoshis for 1,000 virtual bytes",
    "start_height": "how high its sender's chain is",
    "relay": "whether transactions are wanted (BIP 37)",
    "nonce": "any number",
    "user_agent": "what software its sender is",
    "locator": "blocks that its sender has, newest first",
    "stop": "the last block wanted; zeros: as many as fit",
    "receiver": "the address that its sender sees",
    "sender": "the address that its sender thinks it has",
}


def network_of(magic: bytes) -> Params | None:
    """The network whose frames begin so."""
    return next((each for each in NETWORKS.values() if each.magic == magic), None)


def explain_message(raw: bytes, params: Params) -> Explanation:
    """All frames in the bytes, one after the other; ExplainError if the first is cut off."""
    found: list[Section] = []
    problems: list[Problem] = []
    commands: list[str] = []
    at = 0
    while at < len(raw) and len(commands) < MAX_FRAMES:
        head = _head(raw, at)
        section, broken = _frame(raw, at, head, params)
        commands.append(head[0])
        found.append(section)
        problems += broken
        at += wire.HEADER_SIZE + head[1]
    network = network_of(raw[:4])
    facts = [
        Field("command", commands[0]),
        Field("network", network.name if network else "unknown", "by the magic"),
        Field("messages", len(commands)),
    ]
    title = f"peer message {commands[0]}" if len(commands) == 1 else f"{len(commands)} messages"
    return Explanation("message", title, facts, found, problems)


def _head(raw: bytes, at: int) -> tuple[str, int]:
    """The command and the length of the payload."""
    left = len(raw) - at
    if left < wire.HEADER_SIZE:
        raise ExplainError(
            f"a message begins with a header of {wire.HEADER_SIZE} bytes, and at byte {at} only "
            f"{left} are left; expected magic, command, length, checksum and payload"
        )
    name = raw[at + 4 : at + 16].rstrip(b"\0")
    if not name or not name.isascii() or not name.decode().isprintable():
        raise ExplainError(
            f"no peer message: its command would be {name.hex() or 'empty'}; expected 4 bytes of "
            "magic, then the command as text, such as 'ping'"
        )
    length = int.from_bytes(raw[at + 16 : at + 20], "little")
    if length > left - wire.HEADER_SIZE:
        raise ExplainError(
            f"the {name.decode()} message is cut off: it announces a payload of {length} bytes, "
            f"and {left - wire.HEADER_SIZE} are there"
        )
    return name.decode(), length


def _frame(
    raw: bytes, at: int, head: tuple[str, int], params: Params
) -> tuple[Section, list[Problem]]:
    command, length = head
    start = at + wire.HEADER_SIZE
    payload, checksum = raw[start : start + length], raw[at + 20 : start]
    network, expected = network_of(raw[at : at + 4]), sha256d(payload)[:4]
    fields = [
        Field("magic", raw[at : at + 4].hex(), network.name if network else "of no network known",
              raw[at : at + 4], at),
        Field("command", command, "12 bytes, zeros behind", raw[at + 4 : at + 16], at + 4),
        Field("length", length, "bytes of payload", raw[at + 16 : at + 20], at + 16),
        Field("checksum", checksum.hex(), "first bytes of sha256d of the payload",
              checksum, at + 20),
        Field("payload", f"{length} bytes", "", payload, start),
    ]  # fmt: skip
    problems = []
    if checksum != expected:
        detail = f"the payload's is {expected.hex()}"
        where = places.of_function(wire.FrameReader.feed)
        problems.append(Problem("wrong checksum", "A frame names its payload's.", where, detail))
    try:
        message = messages.decode(command, payload)
    except DecodeError as error:
        where, _ = places.of_raise(error.__traceback__)
        rule = "Whatever a peer sends decodes whole, or its link is closed."
        return Section(f"Message {command}", fields), [
            *problems,
            Problem("undecodable", rule, where, str(error)),
        ]
    inner = Section(_sentence(message), *_payload(message, params, start))
    return Section(f"Message {command}", fields, [inner]), problems


def _sentence(message: Message) -> str:
    if isinstance(message, Unknown):
        return "Payload of a message that is not known here"
    return f"Payload: {(type(message).__doc__ or '').strip()}"


def _payload(message: Message, params: Params, start: int) -> tuple[list[Field], list[Section]]:
    fields: list[Field] = []
    inner: list[Section] = []
    names = [each.name for each in dataclasses.fields(message)]  # type: ignore[arg-type]  # is one
    for name in names:
        value = getattr(message, name)
        if isinstance(value, Transaction):
            inner += transaction_sections(value, Context(params), start)
        elif isinstance(value, Block):
            inner += explain_header(value.header, params).sections
            fields.append(Field("transactions", len(value.transactions)))
        elif isinstance(value, tuple) and not isinstance(value, PeerAddress):
            fields += _items(name, value)
        else:
            fields.append(_field(name, value))
    return fields, inner


def _items(name: str, items: Sequence[object]) -> list[Field]:
    fields = [Field(name, len(items), MEANINGS.get(name, "how many"))]
    for number, item in enumerate(items[:MAX_ITEMS]):
        fields.append(_field(f"{name}[{number}]", item))
    if len(items) > MAX_ITEMS:
        fields.append(Field("…", f"{len(items) - MAX_ITEMS} more"))
    return fields


def _field(name: str, value: object) -> Field:
    meaning = MEANINGS.get(name, "")
    if isinstance(value, PeerAddress):
        host = value.host or value.address.hex()
        seen = f", seen {date_of(value.time)}" if value.time else ""
        return Field(name, f"{host} port {value.port}", f"services {value.services}{seen}")
    if isinstance(value, InventoryItem):
        return Field(name, display_hash(value.hash), KINDS.get(value.kind, f"kind {value.kind}"))
    if isinstance(value, BlockHeader):
        return Field(name, display_hash(value.hash), f"time {date_of(value.time)}")
    if isinstance(value, bytes):
        return Field(name, display_hash(value) if len(value) == 32 else value.hex(), meaning)
    if name == "time" and isinstance(value, int):
        return Field(name, value, date_of(value))
    return Field(name, value if isinstance(value, bool | int) else str(value), meaning)
