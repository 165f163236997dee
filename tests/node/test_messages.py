"""Peer messages: against python-bitcoinlib, against arbitrary bytes, and at their limits."""

from io import BytesIO
from typing import Any

import bitcoin
import bitcoin.messages as oracle
import pytest
from bitcoin.core import CBlock, CBlockHeader, CTransaction
from bitcoin.core.serialize import VectorSerializer
from bitcoin.net import CAddress, CInv
from hypothesis import given
from hypothesis import strategies as st

from chain.block import Block, BlockHeader
from chain.errors import DecodeError
from chain.params import MAIN, REGTEST
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from node.messages import (
    MSG_WITNESS_BLOCK,
    MSG_WITNESS_TX,
    MSG_WTX,
    Addr,
    AddrV2,
    BlockMessage,
    FeeFilter,
    GetAddr,
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
    SendAddrV2,
    SendHeaders,
    Tx,
    Unknown,
    Verack,
    Version,
    WtxidRelay,
    decode,
    encode_frame,
)

REGTEST_MAGIC = bytes.fromhex("fabfb5da")
COMMANDS = """version verack addr addrv2 sendaddrv2 getaddr inv getdata notfound getheaders headers
sendheaders tx wtxidrelay block ping pong feefilter""".split()

u32, u64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
i32, i64 = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
hashes = st.binary(min_size=32, max_size=32)
ports = st.integers(0, 65535)
ipv4 = st.builds(PeerAddress, u32, u64, st.just(1), st.binary(min_size=4, max_size=4), ports)
ipv6 = st.builds(
    PeerAddress, u32, u64, st.just(2), st.binary(min_size=16, max_size=16), ports
).filter(lambda address: not address.address.startswith(bytes(10) + b"\xff\xff"))
onion = st.builds(PeerAddress, u32, u64, st.just(4), st.binary(min_size=32, max_size=32), ports)
unseen = (ipv4 | ipv6).map(lambda address: address._replace(time=0))
agents = st.text("abcXYZ019 .,;-_/:?@()", max_size=256)
items = st.lists(st.builds(InventoryItem, u32, hashes), max_size=5).map(tuple)
headers = st.builds(BlockHeader, i32, hashes, hashes, u32, u32, u32)
inputs = st.builds(
    TxIn,
    st.builds(OutPoint, hashes, u32),
    st.binary(max_size=9),
    u32,
    st.lists(st.binary(max_size=9), max_size=2).map(tuple),
)
outputs = st.builds(TxOut, i64, st.binary(max_size=9))
transactions = st.builds(
    Transaction,
    u32,
    st.lists(inputs, min_size=1, max_size=3).map(tuple),
    st.lists(outputs, max_size=3).map(tuple),
    u32,
)
blocks = st.builds(Block, headers, st.lists(transactions, max_size=3).map(tuple))

messages = st.one_of(
    st.builds(Version, i32, u64, i64, unseen, unseen, u64, agents, i32, st.booleans()),
    st.sampled_from([Verack(), WtxidRelay(), SendAddrV2(), SendHeaders(), GetAddr()]),
    st.builds(Addr, st.lists(ipv4 | ipv6, max_size=5).map(tuple)),
    st.builds(AddrV2, st.lists(ipv4 | ipv6 | onion, max_size=5).map(tuple)),
    st.builds(Inv, items),
    st.builds(GetData, items),
    st.builds(NotFound, items),
    st.builds(GetHeaders, u32, st.lists(hashes, max_size=5).map(tuple), hashes),
    st.builds(Headers, st.lists(headers, max_size=3).map(tuple)),
    st.builds(Tx, transactions),
    st.builds(BlockMessage, blocks),
    st.builds(Ping, u64),
    st.builds(Pong, u64),
    st.builds(FeeFilter, i64),
    st.builds(Unknown, st.just("sendcmpct"), st.binary(max_size=20)),
)


@given(messages)
def test_every_message_survives_its_payload(message: Message) -> None:
    assert decode(message.command, message.payload()) == message


@given(st.sampled_from(COMMANDS), st.binary(max_size=200))
def test_arbitrary_payloads_decode_or_raise_decode_error(command: str, payload: bytes) -> None:
    try:
        message = decode(command, payload)
    except DecodeError:
        return
    assert message.command == command
    if command != "version":  # which may end in what we do not know
        assert message.payload() == payload


@given(messages, st.data())
def test_damaged_payloads_decode_or_raise_decode_error(
    message: Message, data: st.DataObject
) -> None:
    payload = bytearray(message.payload())
    for _ in range(data.draw(st.integers(1, 3))):
        if payload:
            place = data.draw(st.integers(0, len(payload) - 1))
            payload[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(payload)))
    try:
        decode(message.command, bytes(payload[:end]))
    except DecodeError:
        return


def test_all_commands_are_known() -> None:
    for command in COMMANDS:
        try:
            assert not isinstance(decode(command, b""), Unknown)
        except DecodeError:
            continue


# Against python-bitcoinlib, which speaks protocol versions up to 60002.


@pytest.fixture(autouse=True)
def on_regtest() -> Any:
    bitcoin.SelectParams("regtest")
    yield
    bitcoin.SelectParams("mainnet")


def old_address(host: str, port: int, services: int, time: int = 0) -> CAddress:
    address = CAddress(60002)
    address.nTime, address.nServices, address.ip, address.port = time, services, host, port
    return address


def same_as(message: Message, theirs: Any) -> None:
    """Their bytes are ours, and they read from ours what they would have written."""
    raw = encode_frame(REGTEST_MAGIC, message)
    assert raw == theirs.to_bytes()
    assert oracle.MsgSerializable.from_bytes(raw).to_bytes() == raw


def test_version_is_theirs() -> None:
    theirs = oracle.msg_version(protover=60002)
    theirs.nVersion, theirs.nServices, theirs.nTime = 70016, 9, 1_700_000_000
    theirs.addrTo, theirs.addrFrom = old_address("10.0.0.1", 18444, 1), old_address("::1", 2, 9)
    theirs.nNonce, theirs.strSubVer, theirs.nStartingHeight = 2**63 + 5, b"/farthing:0.1/", 120
    theirs.fRelay = True
    message = Version(
        *(70016, 9, 1_700_000_000),
        *(PeerAddress.of("10.0.0.1", 18444, 1), PeerAddress.of("::1", 2, 9)),
        *(2**63 + 5, "/farthing:0.1/", 120, True),
    )
    same_as(message, theirs)


def test_inventories_are_theirs() -> None:
    for ours, theirs in (
        (Inv, oracle.msg_inv()),
        (GetData, oracle.msg_getdata()),
        (NotFound, oracle.msg_notfound()),
    ):
        for kind, each in ((1, bytes(range(32))), (2, bytes(32))):
            entry = CInv()
            entry.type, entry.hash = kind, each
            theirs.inv.append(entry)
        same_as(ours((InventoryItem(1, bytes(range(32))), InventoryItem(2, bytes(32)))), theirs)


def test_addresses_are_theirs() -> None:
    theirs = oracle.msg_addr(protover=60002)
    theirs.addrs = [old_address("10.0.0.1", 18444, 9, 1_700_000_000), old_address("::1", 1, 0, 5)]
    ours = (PeerAddress.of("10.0.0.1", 18444, 9, 1_700_000_000), PeerAddress.of("::1", 1, 0, 5))
    same_as(Addr(ours), theirs)


def test_headers_and_their_request_are_theirs() -> None:
    request = oracle.msg_getheaders(protover=60002)
    request.locator.nVersion = 70016
    request.locator.vHave = [bytes(range(32)), bytes(32)]
    request.hashstop = b"\x07" * 32
    same_as(GetHeaders(70016, (bytes(range(32)), bytes(32)), b"\x07" * 32), request)
    # Their headers message lacks the count of transactions that Core writes; an empty block has it.
    raw = REGTEST.genesis.header.serialize()
    stream = BytesIO()
    empty = CBlock(*_fields(CBlockHeader.deserialize(raw)))
    VectorSerializer.stream_serialize(CBlock, [empty, empty], stream)
    assert Headers((REGTEST.genesis.header,) * 2).payload() == stream.getvalue()


def _fields(header: CBlockHeader) -> tuple[Any, ...]:
    return (
        *(header.nVersion, header.hashPrevBlock, header.hashMerkleRoot),
        *(header.nTime, header.nBits, header.nNonce),
    )


def test_transactions_and_blocks_are_theirs() -> None:
    raw = MAIN.genesis.serialize()
    block = oracle.msg_block()
    block.block = CBlock.deserialize(raw)
    same_as(BlockMessage(MAIN.genesis), block)
    tx = oracle.msg_tx()
    tx.tx = CTransaction.stream_deserialize(BytesIO(MAIN.genesis.transactions[0].serialize()))
    same_as(Tx(MAIN.genesis.transactions[0]), tx)


def test_small_messages_are_theirs() -> None:
    same_as(Verack(), oracle.msg_verack())
    same_as(GetAddr(), oracle.msg_getaddr())
    same_as(Ping(2**64 - 1), oracle.msg_ping(nonce=2**64 - 1))
    same_as(Pong(7), oracle.msg_pong(nonce=7))


# What python-bitcoinlib does not know, from the BIPs.


def test_newer_messages_are_as_in_their_bips() -> None:
    assert FeeFilter(48_508).payload() == bytes.fromhex("7cbd000000000000")  # BIP133's example
    assert (WtxidRelay.command, SendAddrV2.command) == ("wtxidrelay", "sendaddrv2")
    assert WtxidRelay().payload() == SendAddrV2().payload() == SendHeaders().payload() == b""
    assert (MSG_WTX, MSG_WITNESS_TX, MSG_WITNESS_BLOCK) == (5, 0x40000001, 0x40000002)


# Limits.


@pytest.mark.parametrize(
    ("kind", "item", "limit"),
    [
        (Inv, InventoryItem(1, bytes(32)), 50_000),
        (GetData, InventoryItem(1, bytes(32)), 50_000),
        (NotFound, InventoryItem(1, bytes(32)), 50_000),
        (Addr, PeerAddress.of("1.2.3.4", 1), 1_000),
        (AddrV2, PeerAddress.of("1.2.3.4", 1), 1_000),
        (Headers, REGTEST.genesis.header, 2_000),
    ],
)
def test_a_list_has_its_limit_both_ways(kind: Any, item: Any, limit: int) -> None:
    full = kind((item,) * limit)
    assert decode(kind.command, full.payload()) == full
    with pytest.raises(ValueError, match=f"{limit + 1} items in a message, at most {limit}"):
        kind((item,) * (limit + 1)).payload()
    one = kind((item,)).payload()[1:]
    count = b"\xfd" + (limit + 1).to_bytes(2, "little")
    with pytest.raises(DecodeError, match=f"{limit + 1} items in a message, at most {limit}"):
        decode(kind.command, count + one * (limit + 1))


def test_a_locator_has_its_limit() -> None:
    full = GetHeaders(70016, (bytes(32),) * 101, bytes(32))
    assert decode("getheaders", full.payload()) == full
    raw = full.payload()
    with pytest.raises(DecodeError, match="102 items in a message, at most 101"):
        decode("getheaders", raw[:4] + b"\x66" + bytes(32) + raw[5:])


def version(agent: str) -> Version:
    nobody = PeerAddress(0, 0, 2, bytes(16), 0)
    return Version(70016, 0, 0, nobody, nobody, 0, agent, 0, True)


def test_a_user_agent_has_its_limit() -> None:
    assert decode("version", version("a" * 256).payload()) == version("a" * 256)
    with pytest.raises(ValueError, match="a user agent of 257 bytes, at most 256"):
        version("a" * 257).payload()
    raw = version("a" * 256).payload()
    longer = raw.replace(b"\xfd\x00\x01", b"\xfd\x01\x01") + b"a"
    with pytest.raises(DecodeError):
        decode("version", longer)


def test_a_user_agent_cannot_forge_log_lines() -> None:
    got = decode("version", version("/evil:1/\r\n\x1b[31m<ok>").payload())
    assert isinstance(got, Version)
    assert got.user_agent == "/evil:1/31mok"


def test_a_version_may_end_early_or_late() -> None:
    raw = version("x").payload()
    assert decode("version", raw + b"something new") == version("x")
    short = decode("version", raw[:-1])
    assert isinstance(short, Version)
    assert short.relay


def test_headers_carry_no_transactions() -> None:
    raw = Headers((REGTEST.genesis.header,)).payload()
    with pytest.raises(DecodeError, match="transactions in a headers message"):
        decode("headers", raw[:-1] + b"\x01")


def test_what_is_left_over_is_an_error() -> None:
    with pytest.raises(DecodeError, match="left over"):
        decode("ping", bytes(9))
    with pytest.raises(DecodeError, match="left over"):
        decode("verack", b"\0")


def test_an_unknown_message_is_kept_as_it_came() -> None:
    message = decode("sendcmpct", b"\1" * 9)
    assert message == Unknown("sendcmpct", b"\1" * 9)
    assert message.payload() == b"\1" * 9
