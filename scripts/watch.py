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
from node import messages
from node.events import NetAddress
from node.links import Link, Links
from node.messages import Message, decode, encode_frame
from node.transport import dial

SHOWN_ITEMS = 3
_TX, _WTX, _BLOCK = messages.MSG_TX, messages.MSG_WTX, messages.MSG_BLOCK
_WITNESS_TX, _WITNESS_BLOCK = messages.MSG_WITNESS_TX, messages.MSG_WITNESS_BLOCK
_KINDS = {_TX: "tx", _WTX: "wtx", _BLOCK: "block", _WITNESS_TX: "tx", _WITNESS_BLOCK: "block"}
_ASKED_AS = {_TX: _WITNESS_TX, _WTX: _WTX, _BLOCK: _WITNESS_BLOCK}


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
        us, them = messages.PeerAddress.of("127.0.0.1", 0), messages.PeerAddress.of(*self._address)
        nonce, now = randbits(64), int(time.time())
        self._send(
            link,
            messages.Version(
                messages.PROTOCOL_VERSION,
                0,
                now,
                them,
                us,
                nonce,
                "/Farthing-watch:0.1.0/",
                0,
                True,
            ),
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
        case messages.Version():
            return (messages.WtxidRelay(), messages.Verack())
        case messages.Ping(nonce) if not isinstance(message, messages.Pong):
            return (messages.Pong(nonce),)
        case messages.GetHeaders():
            return (messages.Headers(()),)
        case messages.GetData(items):
            return (messages.NotFound(items),)
        case messages.Inv(items):
            wanted = [
                messages.InventoryItem(_ASKED_AS[i.kind], i.hash)
                for i in items
                if i.kind in _ASKED_AS
            ]
            return (messages.GetData(tuple(wanted)),) if wanted else ()
        case messages.Headers(headers):
            wanted = [messages.InventoryItem(_WITNESS_BLOCK, header.hash) for header in headers]
            return (messages.GetData(tuple(wanted)),) if wanted else ()
    return ()


def summary(message: Message) -> str:
    """A message in a line, without its name."""
    match message:
        case messages.Version():
            return f"{message.version} {message.user_agent} height {message.start_height}"
        case messages.Inv(items) | messages.GetData(items) | messages.NotFound(items):
            return listed(
                [f"{_KINDS.get(kind, kind)} {display_hash(each)}" for kind, each in items]
            )
        case messages.Headers(headers):
            return listed([display_hash(header.hash) for header in headers])
        case messages.GetHeaders():
            return f"after {listed([display_hash(each) for each in message.locator[:1]])}"
        case messages.Tx(transaction):
            return describe(transaction)
        case messages.BlockMessage(block):
            count = len(block.transactions)
            return (
                f"{display_hash(block.header.hash)}, {count} "
                f"transaction{'s' * (count != 1)}, {block.size} bytes"
            )
        case messages.Addr(addresses) | messages.AddrV2(addresses):
            return listed([f"{each.host}:{each.port}" for each in addresses])
        case messages.Ping(nonce):
            return f"{nonce:016x}"
        case messages.FeeFilter(feerate):
            return f"{feerate // 1000}.{feerate % 1000:03d} sat/vB"
        case messages.Unknown(_, body):
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
