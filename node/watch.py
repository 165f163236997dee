"""Watching a node: a peer that prints what it hears, decoded, one line a message.

It shakes hands as any node does, asks for each transaction and block that is announced, so that
their contents show, and keeps nothing. It knows how messages read to a person; what they mean to a
node it does not know. Beside it: `messages`; Bitcoin Core, `contrib/message-capture`.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from secrets import randbits
from typing import TextIO

from chain.encoding import display_hash
from chain.errors import DecodeError
from chain.params import Params
from chain.transaction import COIN, Transaction
from node.events import NetAddress
from node.links import Link, Links
from node.messages import (
    MSG_BLOCK,
    MSG_TX,
    MSG_WITNESS_BLOCK,
    MSG_WITNESS_TX,
    MSG_WTX,
    PROTOCOL_VERSION,
    Addr,
    AddrV2,
    BlockMessage,
    FeeFilter,
    GetData,
    GetHeaders,
    Headers,
    Inv,
    InventoryItem,
    Message,
    NotFound,
    PeerAddress,
    Ping,
    Pong,
    Tx,
    Unknown,
    Verack,
    Version,
    WtxidRelay,
    decode,
    encode_frame,
)
from node.transport import dial

SHOWN_ITEMS = 3
_KINDS = {
    MSG_TX: "tx",
    MSG_WTX: "wtx",
    MSG_BLOCK: "block",
    MSG_WITNESS_TX: "tx",
    MSG_WITNESS_BLOCK: "block",
}
_ASKED_AS = {
    MSG_TX: MSG_WITNESS_TX,
    MSG_WTX: MSG_WTX,
    MSG_BLOCK: MSG_WITNESS_BLOCK,
}


def run(
    address: NetAddress, params: Params, *, as_json: bool = False, out: TextIO | None = None
) -> int:
    """Print the gossip of the node at `address` until Ctrl-C (0), or until it ends the link (1)."""
    watcher = Watcher(address, params, as_json, out or sys.stdout)
    try:
        dial(watcher.links, watcher.failed, address)
    except KeyboardInterrupt:
        return 0
    if watcher.has_no_reader:
        # Python would complain when it flushes what nobody reads.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    print(f"farthing: {watcher.end}", file=sys.stderr)
    return 1


class Watcher:
    """One end of a link, as its handler."""

    def __init__(self, address: NetAddress, params: Params, as_json: bool, out: TextIO) -> None:
        self.links = Links(params.magic, self, max_inbound=0)
        self.end = ""
        """Why there is no link, or none any more."""
        self.has_no_reader = False
        self._address = address
        self._as_json = as_json
        self._out = out
        self._lock = threading.Lock()

    def failed(self, address: NetAddress, why: str) -> None:
        """No link came about."""
        self.end = f"no node answers at http://{address.host}:{address.port}: {why}"

    def opened(self, link: Link) -> None:
        """See LinkHandler."""
        us, them = PeerAddress.of("127.0.0.1", 0), PeerAddress.of(*self._address)
        nonce, now = randbits(64), int(time.time())
        self._send(
            link,
            Version(PROTOCOL_VERSION, 0, now, them, us, nonce, "/Farthing-watch:0.1.0/", 0, True),
        )

    def closed(self, link: Link, why: str) -> None:
        """See LinkHandler."""
        self.end = f"the link to http://{self._address.host}:{self._address.port} is closed: {why}"

    def misframed(self, link: Link, why: str) -> None:
        """See LinkHandler."""

    def received(self, link: Link, command: str, payload: bytes) -> None:
        """See LinkHandler."""
        try:
            message = decode(command, payload)
        except DecodeError as error:
            self._print("<", command, f"malformed: {error}")
            return
        self._print("<", command, summary(message))
        for answer in answers(message):
            self._send(link, answer)
        if self.has_no_reader:
            self.links.close(link, "nobody reads")

    def _send(self, link: Link, message: Message) -> None:
        self._print(">", message.command, summary(message))
        link.push(encode_frame(self.links.magic, message))

    def _print(self, direction: str, command: str, text: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self._as_json:
            way = "in" if direction == "<" else "out"
            line = json.dumps({"time": now, "direction": way, "command": command, "summary": text})
        else:
            line = f"{now[11:23]} {direction} {command:<11} {text}".rstrip()
        try:
            with self._lock:
                print(line, file=self._out, flush=True)
        except BrokenPipeError:  # `| head` has seen enough
            self.has_no_reader = True


def answers(message: Message) -> Sequence[Message]:
    """What keeps the link going, and what makes announcements show their contents."""
    match message:
        case Version():
            return (WtxidRelay(), Verack())
        case Ping(nonce) if not isinstance(message, Pong):
            return (Pong(nonce),)
        case GetHeaders():
            return (Headers(()),)
        case GetData(items):
            return (NotFound(items),)
        case Inv(items):
            wanted = [
                InventoryItem(_ASKED_AS[i.kind], i.hash) for i in items if i.kind in _ASKED_AS
            ]
            return (GetData(tuple(wanted)),) if wanted else ()
        case Headers(headers):
            wanted = [InventoryItem(MSG_WITNESS_BLOCK, header.hash) for header in headers]
            return (GetData(tuple(wanted)),) if wanted else ()
    return ()


def summary(message: Message) -> str:
    """A message in a line, without its name."""
    match message:
        case Version():
            return f"{message.version} {message.user_agent} height {message.start_height}"
        case Inv(items) | GetData(items) | NotFound(items):
            return listed(
                [f"{_KINDS.get(kind, kind)} {display_hash(each)}" for kind, each in items]
            )
        case Headers(headers):
            return listed([display_hash(header.hash) for header in headers])
        case GetHeaders():
            return f"after {listed([display_hash(each) for each in message.locator[:1]])}"
        case Tx(transaction):
            return describe(transaction)
        case BlockMessage(block):
            count = len(block.transactions)
            return (
                f"{display_hash(block.header.hash)}, {count} "
                f"transaction{'s' * (count != 1)}, {block.size} bytes"
            )
        case Addr(addresses) | AddrV2(addresses):
            return listed([f"{each.host}:{each.port}" for each in addresses])
        case Ping(nonce):
            return f"{nonce:016x}"
        case FeeFilter(feerate):
            return f"{feerate // 1000}.{feerate % 1000:03d} sat/vB"
        case Unknown(_, body):
            return f"{len(body)} bytes"
    return ""


def describe(tx: Transaction) -> str:
    """A transaction in a line: what it pays."""
    amounts = ", ".join(coins(output.value) for output in tx.outputs[:SHOWN_ITEMS])
    more = ", …" * (len(tx.outputs) > SHOWN_ITEMS)
    return (
        f"{display_hash(tx.txid)}, {len(tx.inputs)} in, {len(tx.outputs)} out "
        f"({amounts}{more} BTC), {tx.vsize} vbytes"
    )


def coins(satoshis: int) -> str:
    """Satoshis as BTC, exact."""
    return f"{satoshis // COIN}.{satoshis % COIN:08d}"


def listed(items: Sequence[str]) -> str:
    """The first of them, and how many more."""
    more = len(items) - SHOWN_ITEMS
    return ", ".join(items[:SHOWN_ITEMS]) + (f" and {more} more" if more > 0 else "")
