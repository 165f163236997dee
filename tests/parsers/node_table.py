"""The parsers of node/: peer messages, their frames, addresses, and what the operator types."""

import json
from collections.abc import Callable
from decimal import Decimal
from functools import partial

from hypothesis import strategies as st

from chain.encoding import write_compact_size
from chain.errors import DecodeError
from node.config import ConfigError, parse_block_time, split_host
from node.messages import Message, Unknown, decode, encode_frame
from node.rpc.values import Amount, RpcError, parse_amount
from node.wire import FrameReader, PeerAddress
from tests.parsers import made
from tests.parsers.chain_table import SIZE
from tests.parsers.parser import Parser, whole

MAGIC = bytes.fromhex("fabfb5da")


def read_message(data: bytes) -> Message:
    """A payload behind its command, as a frame holds them."""
    command, end, payload = data.partition(b"\n")
    if not end:
        raise DecodeError("no command")
    return decode(command.decode("latin-1"), payload)


def write_message(message: Message) -> bytes:
    return message.command.encode("latin-1") + b"\n" + message.payload()


MANY: dict[str, Callable[[], bytes]] = {
    "many claimed": lambda: b"\xfe\x00\x00\x00\x02" + bytes(SIZE),
    "as many as there is room for": lambda: write_compact_size(SIZE // 36) + bytes(SIZE // 36 * 36),
}


def frames(data: bytes) -> list[tuple[str, bytes]]:
    """All frames of a stream that ends with one, fed in pieces that do not fit them."""
    reader = FrameReader(MAGIC)
    found = []
    for start in range(0, len(data), 1000):
        found += reader.feed(data[start : start + 1000])
    if reader.pending:
        raise DecodeError("cut short")
    return found


def stream(messages: list[tuple[str, bytes]]) -> bytes:
    return b"".join(encode_frame(MAGIC, Unknown(*message)) for message in messages)


def on_a_slow_line() -> bytes:
    """A frame of nearly 4 MB that comes in many pieces."""
    return stream([("block", bytes(SIZE - 24))])


def host(text: str) -> tuple[str, int]:
    found = split_host(text, 8333)
    if found is None or not found[0]:
        raise ConfigError("no host")
    return found


def amount(text: str) -> Amount:
    """As it comes in a request: JSON whose decimals stay decimals."""
    return parse_amount(json.loads(text, parse_float=Decimal))


commands = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=12)
DIGITS: dict[str, Callable[[], str]] = {
    "digits": lambda: "9" * SIZE,
    "decimals": lambda: "0." + "0" * SIZE,
    "text": lambda: '"' + "1" * SIZE + '"',
    "an exponent": lambda: "1e" + "9" * SIZE,
}


def hostile_to(name: str) -> dict[str, Callable[[], bytes]]:
    """The same behind the command."""
    command = name.partition(",")[0].encode()
    if name in ("tx", "block", "version", "small ones"):  # read elsewhere, or holding no list
        return {}
    return {what: partial(behind, command, make) for what, make in MANY.items()}


def behind(command: bytes, make: Callable[[], bytes]) -> bytes:
    return command + b"\n" + make()


PARSERS = [
    *(
        Parser(
            f"message {name}",
            read_message,
            write_message,
            made.strategy(make, 300),
            DecodeError,
            name != "version",  # which may end in what we do not know yet
            hostile=hostile_to(name),
        )
        for name, make in made.MESSAGES.items()
    ),
    Parser(
        "frames",
        frames,
        stream,
        st.lists(st.tuples(commands, st.binary(max_size=60)), max_size=3),
        DecodeError,
        hostile={
            "one in many pieces": on_a_slow_line,
            "empty ones": lambda: stream([("ping", b"")]) * (SIZE // 24),
            "a length that is not there": lambda: stream([("ping", bytes(SIZE))])[:-1],
        },
    ),
    Parser(
        "address of a peer",
        whole(PeerAddress.read_new),
        PeerAddress.write_new,
        made.strategy(made.address),
        DecodeError,
    ),
    Parser(
        "amount in a request",
        amount,
        str,
        st.integers(0, 21 * 10**14).map(Amount),
        (RpcError, ValueError, ArithmeticError),
        False,
        hostile=DIGITS,
    ),
    Parser(
        "host",
        host,
        lambda value: f"[{value[0]}]:{value[1]}" if ":" in value[0] else f"{value[0]}:{value[1]}",
        st.tuples(
            st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True) | st.just("::1"),
            st.integers(0, 65535),
        ),
        ConfigError,
        False,
        hostile=DIGITS,
    ),
    Parser(
        "block time",
        parse_block_time,
        str,
        st.floats(0, 86_400),
        ConfigError,
        False,
        hostile=DIGITS,
    ),
]
