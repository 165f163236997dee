"""Values made up from a tape: transactions, blocks, coins, scripts, peer messages."""

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import strategies as st

from chain.block import Block, BlockHeader
from chain.coins import Coin
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from node import messages
from node.messages import InventoryItem, PeerAddress
from tests.parsers.damage import Tape

Value = TypeVar("Value")
Steps = list[tuple[int, bytes | None]]
INVENTORIES = (messages.Inv, messages.GetData, messages.NotFound)
EMPTY = (
    messages.Verack,
    messages.WtxidRelay,
    messages.SendAddrV2,
    messages.SendHeaders,
    messages.GetAddr,
)
AGENT_LETTERS = "abcXYZ019 .,;-_/:?@()"


def strategy(make: Callable[[Tape], Value], size: int = 150) -> st.SearchStrategy[Value]:
    """What hypothesis draws: a tape, and what `make` reads off it."""
    return st.binary(max_size=size).map(lambda raw: make(Tape(raw)))


def several(
    make: Callable[[Tape], Value], tape: Tape, least: int = 0, most: int = 3
) -> list[Value]:
    """A few of them."""
    return [make(tape) for _ in range(least + tape.below(most - least + 1))]


def signed(tape: Tape, size: int) -> int:
    return int.from_bytes(tape.take(size), "little", signed=True)


def tx_in(tape: Tape) -> TxIn:
    outpoint = OutPoint(tape.take(32), tape.number(4))
    witness = several(lambda tape: tape.some(20), tape)
    return TxIn(outpoint, tape.some(20), tape.number(4), tuple(witness))


def tx_out(tape: Tape) -> TxOut:
    return TxOut(signed(tape, 8), tape.some(30))


def transaction(tape: Tape) -> Transaction:
    """Without inputs it could not be told from the start of one with witnesses (BIP 144)."""
    version, inputs = tape.number(4), several(tx_in, tape, least=1)
    return Transaction(version, inputs, several(tx_out, tape), tape.number(4))


def header(tape: Tape) -> BlockHeader:
    hashes = tape.take(32), tape.take(32)
    return BlockHeader(signed(tape, 4), *hashes, tape.number(4), tape.number(4), tape.number(4))


def block(tape: Tape) -> Block:
    return Block(header(tape), several(transaction, tape))


def coin(tape: Tape) -> Coin:
    return Coin(tx_out(tape), tape.number(4) >> 1, bool(tape.below(2)))


def undo(tape: Tape) -> tuple[tuple[Coin, ...], ...]:
    return tuple(tuple(several(coin, tape)) for _ in range(tape.below(4)))


def instruction(tape: Tape) -> tuple[int, bytes | None]:
    match tape.below(4):
        case 0:
            data = tape.take(tape.below(40))
            return len(data), data
        case 1:
            data = tape.some(60)
            return 0x4C + tape.below(3) if len(data) < 256 else 0x4D, data
    return 0x4F + tape.below(0x100 - 0x4F), None


def steps(tape: Tape) -> Steps:
    return several(instruction, tape, most=11)


def script(instructions: Steps) -> bytes:
    """A script from its instructions: each push with the opcode it had."""
    parts = []
    for opcode, data in instructions:
        size = {0x4C: 1, 0x4D: 2, 0x4E: 4}.get(opcode, 0)
        length = len(data or b"").to_bytes(size, "little") if size else b""
        parts.append(bytes([opcode]) + length + (data or b""))
    return b"".join(parts)


def inventory(tape: Tape) -> Any:
    kind = INVENTORIES[tape.below(3)]
    return kind(tuple(InventoryItem(tape.number(4), tape.take(32)) for _ in range(tape.below(4))))


def address(tape: Tape, *, old: bool = False) -> PeerAddress:
    """Of a network that its message can name."""
    time, services, port = tape.number(4), tape.number(8), tape.number(2)
    network = 1 + tape.below(2) if old else (1, 2, 4, 9)[tape.below(4)]
    host = tape.take({1: 4, 2: 16, 4: 32, 9: 7}[network])
    if network == 2 and host.startswith(bytes(10)):
        host = b"\x20" + host[1:]  # not one of the other network in disguise
    return PeerAddress(time, services, network, host, port)


def addresses(tape: Tape) -> messages.Addr:
    return messages.Addr(tuple(several(lambda tape: address(tape, old=True), tape)))


def any_addresses(tape: Tape) -> messages.AddrV2:
    return messages.AddrV2(tuple(several(address, tape)))


def version(tape: Tape) -> messages.Version:
    peers = [address(tape, old=True)._replace(time=0) for _ in range(2)]
    agent = "".join(AGENT_LETTERS[byte % len(AGENT_LETTERS)] for byte in tape.some(20)[:256])
    numbers = signed(tape, 4), tape.number(8), signed(tape, 8)
    last = signed(tape, 4), bool(tape.below(2))
    return messages.Version(*numbers, peers[0], peers[1], tape.number(8), agent, *last)


def get_headers(tape: Tape) -> messages.GetHeaders:
    locator = tuple(several(lambda tape: tape.take(32), tape))
    return messages.GetHeaders(tape.number(4), locator, tape.take(32))


def small_message(tape: Tape) -> messages.Message:
    match tape.below(3):
        case 0:
            return EMPTY[tape.below(len(EMPTY))]()
        case 1:
            return (messages.Ping, messages.Pong)[tape.below(2)](tape.number(8))
    return messages.FeeFilter(signed(tape, 8))


MESSAGES: dict[str, Callable[[Tape], messages.Message]] = {
    "version": version,
    "addr": addresses,
    "addrv2": any_addresses,
    "inv, getdata, notfound": inventory,
    "getheaders": get_headers,
    "headers": lambda tape: messages.Headers(tuple(several(header, tape))),
    "tx": lambda tape: messages.Tx(transaction(tape)),
    "block": lambda tape: messages.BlockMessage(block(tape)),
    "small ones": small_message,
}
