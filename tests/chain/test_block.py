"""Headers and blocks, against real ones and against python-bitcoinlib."""

from pathlib import Path

import pytest
from bitcoin.core import CBlock, CBlockHeader
from hypothesis import given
from hypothesis import strategies as st

from chain.block import Block, BlockHeader, witness_commitment, witness_merkle_root
from chain.encoding import Reader, display_hash
from chain.errors import DecodeError
from chain.hashes import sha256d
from chain.merkle import merkle_root
from chain.transaction import NULL_OUTPOINT, Transaction, TxIn, TxOut
from tests.builders import ChainBuilder
from tests.chain.strategies import blocks, headers, transactions

EMPTY_HEADER = BlockHeader(1, bytes(32), bytes(32), 0, 0, 0)
MAGIC = "6a24aa21a9ed"  # BIP 141


def test_real_headers(shared: Path) -> None:
    lines = (shared / "vectors/mainnet/mainnet_0_8999.hex").read_text().split()
    assert len(lines) == 9000
    previous = bytes(32)
    for line in lines:
        header = BlockHeader.parse(bytes.fromhex(line))
        assert header.serialize().hex() == line
        assert header.prev_hash == previous
        assert header.bits == 0x1D00FFFF
        previous = header.hash
    assert previous == CBlockHeader.deserialize(bytes.fromhex(lines[-1])).GetHash()


def test_real_blocks(shared: Path) -> None:
    lines = (shared / "vectors/mainnet/mainnet_1_256.hex").read_text().split()
    assert len(lines) == 255
    first = Block.parse(bytes.fromhex(lines[0]))
    expected = "00000000839a8e6886ab5951d76f411475428afc90947ee320161bbf18eb6048"
    assert display_hash(first.hash) == expected
    for line in lines:
        block = Block.parse(bytes.fromhex(line))
        assert block.serialize().hex() == line
        assert block.size == block.stripped_size == len(line) // 2
        assert block.weight == 2 * len(line)
        txids = [tx.txid for tx in block.transactions]
        assert merkle_root(txids) == (block.header.merkle_root, False)
        assert block.transactions[0].is_coinbase
        assert txids == [tx.GetTxid() for tx in CBlock.deserialize(bytes.fromhex(line)).vtx]


@given(headers)
def test_headers_come_back(header: BlockHeader) -> None:
    data = header.serialize()
    assert len(data) == 80
    again = BlockHeader.parse(data)
    assert again == header and again.hash == header.hash == sha256d(data)
    oracle = CBlockHeader.deserialize(data)
    assert (oracle.nVersion, oracle.hashPrevBlock, oracle.hashMerkleRoot) == header[:3]
    assert (oracle.nTime, oracle.nBits, oracle.nNonce) == header[3:]


def test_a_changed_copy_of_a_header_has_its_own_hash() -> None:
    assert EMPTY_HEADER.hash == EMPTY_HEADER.hash
    other = EMPTY_HEADER._replace(nonce=1)
    assert isinstance(other, BlockHeader)
    assert other.hash == sha256d(other.serialize()) != EMPTY_HEADER.hash


@pytest.mark.parametrize("size", [0, 79, 81])
def test_a_header_has_80_bytes(size: int) -> None:
    with pytest.raises(DecodeError):
        BlockHeader.parse(bytes(size))


@given(blocks, st.binary(max_size=3))
def test_blocks_come_back(block: Block, rest: bytes) -> None:
    data = block.serialize()
    again = Block.parse(data)
    assert again == block and hash(again) == hash(block)
    assert again.serialize() == data
    assert again.size == len(data)
    assert again.stripped_size == len(again.serialize(include_witness=False))
    assert again.weight == 3 * again.stripped_size + again.size
    reader = Reader(data + rest)
    assert Block.read(reader) == block
    assert reader.remaining == len(rest)


@given(blocks, st.data())
def test_a_block_cut_anywhere_is_refused(block: Block, data: st.DataObject) -> None:
    whole = block.serialize()
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(DecodeError):
        Block.parse(whole[:cut])


@given(st.binary(max_size=300))
def test_any_bytes_give_a_block_or_a_decode_error(data: bytes) -> None:
    try:
        block = Block.parse(data)
    except DecodeError:
        return
    assert block.serialize() == data


def test_a_count_of_transactions_that_cannot_be_there_is_refused() -> None:
    head = EMPTY_HEADER.serialize()
    with pytest.raises(DecodeError, match="cannot be in the 100 bytes left"):
        Block.parse(head + bytes.fromhex("fe00000002") + bytes(100))
    with pytest.raises(DecodeError, match="1 bytes left over"):
        Block.parse(head + bytes(2))
    with pytest.raises(DecodeError, match="1 items cannot be in the 9 bytes left"):
        Block.parse(head + b"\x01" + bytes(9))
    smallest = head + b"\x01" + bytes(10)  # version, no inputs, no outputs, locktime
    assert Block.parse(smallest).serialize() == smallest


@given(st.lists(transactions, min_size=1, max_size=3))
def test_blocks_differ_if_any_byte_does(txs: list[Transaction]) -> None:
    block = Block(EMPTY_HEADER, txs)
    assert block != Block(EMPTY_HEADER, [*txs, txs[0]])
    assert block != Block(EMPTY_HEADER._replace(nonce=1), txs)
    assert block != block.serialize()
    plural = f"{len(txs)} transactions)"
    assert repr(block) == f"Block({EMPTY_HEADER.hash[::-1].hex()}, {plural}"


def committing(*scripts: str) -> Block:
    outputs = [TxOut(0, bytes.fromhex(script)) for script in scripts]
    return Block(EMPTY_HEADER, [Transaction(1, [TxIn(NULL_OUTPOINT)], outputs, 0)])


@pytest.mark.parametrize(
    ("scripts", "commitment"),
    [
        ([], None),
        (["51"], None),
        ([MAGIC + "11" * 31], None),
        (["6a24aa21a9ee" + "11" * 32], None),
        (["00" + MAGIC + "11" * 32], None),
        ([MAGIC + "11" * 32], "11" * 32),
        ([MAGIC + "11" * 32 + "2222"], "11" * 32),
        ([MAGIC + "11" * 32, "51", MAGIC + "33" * 32, MAGIC + "44" * 31], "33" * 32),
    ],
)
def test_the_last_output_that_looks_like_a_commitment_is_it(
    scripts: list[str], commitment: str | None
) -> None:
    found = witness_commitment(committing(*scripts))
    assert (None if found is None else found.hex()) == commitment


def test_an_empty_block_commits_to_nothing() -> None:
    assert witness_commitment(Block(EMPTY_HEADER, ())) is None


@given(st.lists(transactions, min_size=1, max_size=3))
def test_the_witness_root_takes_zero_for_the_coinbase(txs: list[Transaction]) -> None:
    expected = merkle_root([bytes(32)] + [tx.wtxid for tx in txs[1:]])[0]
    assert witness_merkle_root(Block(EMPTY_HEADER, txs)) == expected
    if any(tx.has_witness for tx in txs):  # otherwise python-bitcoinlib has no answer
        oracle = CBlock.deserialize(Block(EMPTY_HEADER, txs).serialize())
        assert expected == oracle.calc_witness_merkle_root()


def test_a_block_is_written_with_its_witnesses_unless_told_otherwise() -> None:
    chain = ChainBuilder()
    block = chain.block()
    assert block.transactions[0].has_witness
    assert block.serialize() == block.serialize(include_witness=True)
    assert len(block.serialize()) == block.size > len(block.serialize(include_witness=False))
