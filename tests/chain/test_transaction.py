"""Transactions: bytes to values and back, ids, sizes, and what is refused."""

from pathlib import Path

import pytest
from bitcoin.core import CTransaction
from hypothesis import given
from hypothesis import strategies as st

from chain.encoding import Reader
from chain.errors import DecodeError
from chain.transaction import (
    NULL_OUTPOINT,
    OutPoint,
    Transaction,
    TxIn,
    TxOut,
    format_money,
)
from tests.chain.strategies import transactions

# The signed P2WPKH example of BIP 143; its second input alone has a witness.
EXAMPLE = bytes.fromhex(
    "01000000000102fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f00000000494830"
    "450221008b9d1dc26ba6a9cb62127b02742fa9d754cd3bebf337f7a55d114c8e5cdd30be022040529b194ba3f928"
    "1a99f2b1c0a19c0489bc22ede944ccf4ecbab4cc618ef3ed01eeffffffef51e1b804cc89d182d279655c3aa89e81"
    "5b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a9148280b37df378db99f6"
    "6f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988"
    "ac000247304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a0220573a954c"
    "4518331561406f90300e8f3358f51928d43c212a8caed02de67eebee0121025476c2e83188368da1ff3e292e7aca"
    "fcdb3566bb0ad253f62fc70f07aeee635711000000"
)
IN = "11" * 32 + "00000000" + "00" + "ffffffff"  # an input with an empty scriptSig
OUT = "e803000000000000" + "0151"  # 1,000 satoshis to OP_TRUE


def raw(text: str) -> bytes:
    return bytes.fromhex(text.replace(" ", ""))


def test_the_example_of_bip_143_field_by_field() -> None:
    tx = Transaction.parse(EXAMPLE)
    assert (tx.version, tx.locktime, len(tx.inputs), len(tx.outputs)) == (1, 17, 2, 2)
    first, second = tx.inputs
    txid = "9f96ade4b41d5433f4eda31e1738ec2b36f6e7d1420d94a6af99801a88f7f7ff"
    assert str(first.outpoint) == f"{txid}:0"
    assert first.outpoint.serialize() == EXAMPLE[7:43]
    assert (len(first.script_sig), first.sequence, first.witness) == (73, 0xFFFFFFEE, ())
    assert (second.outpoint.index, second.script_sig, second.sequence) == (1, b"", 0xFFFFFFFF)
    assert [len(item) for item in second.witness] == [71, 33]
    assert [output.value for output in tx.outputs] == [112340000, 223450000]
    assert tx.outputs[0].script_pubkey[:3].hex() == "76a914"
    assert str(OutPoint(tx.txid, 0)).startswith("e8151a2af31c368a35053ddd4bdb285a8595c769a3ad83e0")
    agree(tx, CTransaction.deserialize(EXAMPLE))
    assert (tx.size, tx.stripped_size) == (len(EXAMPLE), len(EXAMPLE) - 110)
    assert tx.weight == 4 * len(EXAMPLE) - 3 * 110
    assert tx.vsize == (tx.weight + 3) // 4
    assert tx.has_witness and not tx.is_coinbase


def agree(tx: Transaction, oracle: CTransaction) -> None:
    """Every value is the one that python-bitcoinlib sees (it knows signed versions only)."""
    assert tx.version == oracle.nVersion & 0xFFFFFFFF
    assert tx.locktime == oracle.nLockTime
    assert tx.txid == oracle.GetTxid()
    assert tx.wtxid == oracle.GetHash()
    assert len(tx.inputs) == len(oracle.vin)
    for index, (ours, theirs) in enumerate(zip(tx.inputs, oracle.vin, strict=True)):
        assert ours.outpoint == (theirs.prevout.hash, theirs.prevout.n)
        assert (ours.script_sig, ours.sequence) == (theirs.scriptSig, theirs.nSequence)
        if oracle.wit.vtxinwit:
            assert ours.witness == tuple(oracle.wit.vtxinwit[index].scriptWitness.stack)
    assert tx.outputs == tuple((output.nValue, output.scriptPubKey) for output in oracle.vout)


@given(transactions)
def test_python_bitcoinlib_sees_the_same(tx: Transaction) -> None:
    agree(tx, CTransaction.deserialize(tx.serialize()))
    stripped = tx.serialize(include_witness=False)
    assert CTransaction.deserialize(stripped).serialize() == stripped


@given(transactions)
def test_bytes_and_values_are_the_same_thing(tx: Transaction) -> None:
    again = Transaction.parse(tx.serialize())
    for name in ("version", "inputs", "outputs", "locktime", "txid", "wtxid", "weight", "vsize"):
        assert getattr(again, name) == getattr(tx, name)
    assert again.serialize() == tx.serialize()
    assert again.serialize(include_witness=False) == tx.serialize(include_witness=False)
    assert (again.size, again.stripped_size) == (
        len(tx.serialize()),
        len(tx.serialize(include_witness=False)),
    )
    assert again == tx and hash(again) == hash(tx)
    assert (again.txid == again.wtxid) is not again.has_witness


@given(st.lists(transactions, min_size=1, max_size=4), st.binary(max_size=5))
def test_transactions_are_read_one_behind_the_other(txs: list[Transaction], rest: bytes) -> None:
    reader = Reader(b"".join(tx.serialize() for tx in txs) + rest)
    assert [Transaction.read(reader) for _ in txs] == txs
    assert reader.remaining == len(rest)


@given(transactions, st.data())
def test_cut_anywhere_it_is_refused(tx: Transaction, data: st.DataObject) -> None:
    whole = tx.serialize()
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(DecodeError):
        Transaction.parse(whole[:cut])


@given(transactions, st.data())
def test_a_changed_byte_gives_another_transaction_or_a_decode_error(
    tx: Transaction, data: st.DataObject
) -> None:
    changed = bytearray(tx.serialize())
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        other = Transaction.parse(memoryview(changed))
    except DecodeError:
        return
    assert other != tx
    assert other.serialize() == changed


@given(st.binary(max_size=200))
def test_any_bytes_give_a_transaction_or_a_decode_error(data: bytes) -> None:
    try:
        tx = Transaction.parse(data)
    except DecodeError:
        return
    assert tx.serialize() == data


REFUSED = {
    "nothing": ("", "cut short"),
    "bytes left over": (f"01000000 01{IN} 01{OUT} 00000000 00", "1 bytes left over"),
    "flag 2": (f"01000000 00 02 01{IN} 01{OUT} 00000000", "unknown transaction flag 2"),
    "flag 3": (f"01000000 00 03 01{IN} 01{OUT} 00 00000000", "unknown transaction flag 3"),
    "flag without witness": (f"01000000 00 01 01{IN} 01{OUT} 00 00000000", "announces witnesses"),
    "flag without inputs": ("01000000 00 01 00 00 00000000", "announces witnesses"),
    "32 Mi inputs": ("01000000 fe00000002" + "00" * 90, "cut short"),
    "33 Mi inputs": ("01000000 fe01000002" + "00" * 90, "above the limit"),
    "32 Mi outputs": (f"01000000 01{IN} fe00000002" + "00" * 50, "cut short"),
    "32 Mi items": (f"01000000 00 01 01{IN} 01{OUT} fe00000002" + "00" * 50, "cut short"),
    "32 MiB scriptSig": ("01000000 01" + "11" * 36 + "fe00000002" + "00" * 50, "cut short"),
    "33 MiB script": (f"01000000 01{IN} 01" + "00" * 8 + "fe01000002 00", "above the limit"),
    "33 MiB item": (f"01000000 00 01 01{IN} 01{OUT} 01 fe01000002 00", "above the limit"),
    "2^64 items": (f"01000000 00 01 01{IN} 01{OUT} ff" + "ff" * 8, "above the limit"),
    "a long count": (f"01000000 fd0100 {IN} 01{OUT} 00000000", "more bytes than it needs"),
    "a long count of none": ("01000000 fd0000 00 00000000", "more bytes than it needs"),
    "a long size": ("01000000 01" + "11" * 36 + "fd0000 ffffffff 00 00000000", "more bytes"),
}


@pytest.mark.parametrize(("text", "why"), REFUSED.values(), ids=REFUSED)
def test_refused(text: str, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        Transaction.parse(raw(text))


def test_without_inputs_there_can_be_no_outputs() -> None:
    """The count of outputs stands where the flag would be: zero is no flag, one is."""
    empty = Transaction.parse(raw("01000000 00 00 00000000"))
    assert (empty.inputs, empty.outputs, empty.has_witness) == ((), (), False)
    assert empty == Transaction(1, (), (), 0)
    with pytest.raises(DecodeError):
        Transaction.parse(Transaction(1, (), (TxOut(1, b""),), 0).serialize())


def test_the_version_is_unsigned_and_values_are_signed() -> None:
    tx = Transaction.parse(raw(f"ffffffff 01{IN} 01" + "ff" * 8 + "00 ffffffff"))
    assert (tx.version, tx.outputs[0].value, tx.locktime) == (0xFFFFFFFF, -1, 0xFFFFFFFF)
    assert tx.outputs[0].serialize() == b"\xff" * 8 + b"\0"


def test_a_coinbase_spends_nothing_alone() -> None:
    nothing = TxIn(NULL_OUTPOINT)
    something = TxIn(OutPoint(bytes(32), 0))
    assert tuple(NULL_OUTPOINT) == (bytes(32), 0xFFFFFFFF)
    assert nothing.outpoint.is_null and not something.outpoint.is_null
    assert Transaction(1, (nothing,), (), 0).is_coinbase
    assert not Transaction(1, (nothing, something), (), 0).is_coinbase
    assert not Transaction(1, (something,), (), 0).is_coinbase


def test_witnesses_tell_transactions_of_one_id_apart() -> None:
    tx = Transaction.parse(EXAMPLE)
    bare = Transaction.parse(tx.serialize(include_witness=False))
    assert bare.txid == tx.txid == bare.wtxid != tx.wtxid
    assert bare != tx and len({bare, tx, Transaction.parse(EXAMPLE)}) == 2
    assert bare != bare.serialize()
    assert repr(tx) == f"Transaction({tx.txid[::-1].hex()})"


def test_the_transactions_of_bip_69(shared: Path) -> None:
    files = sorted((shared / "vectors/bips/bip69").glob("*.hex"))
    assert len(files) == 5
    for file in files:
        data = bytes.fromhex(file.read_text().strip())
        tx = Transaction.parse(data)
        agree(tx, CTransaction.deserialize(data))
        assert tx.serialize() == data


@pytest.mark.parametrize("size", range(8))
def test_a_part_of_a_virtual_byte_counts_as_a_whole_one(size: int) -> None:
    tx = Transaction(2, [TxIn(OutPoint(bytes(32), 0), b"", 0, (bytes(size),))], [TxOut(0, b"")], 0)
    # Without its witness 4 + 1 + 41 + 1 + 9 + 4 bytes; with it marker, flag, a count and a size.
    assert (tx.stripped_size, tx.size) == (60, 64 + size)
    assert tx.weight == 244 + size
    assert tx.vsize == {0: 61, 1: 62, 2: 62, 3: 62, 4: 62, 5: 63, 6: 63, 7: 63}[size]


@pytest.mark.parametrize(
    ("satoshis", "text"),
    [
        (0, "0.00"),
        (1, "0.00000001"),
        (-1, "-0.00000001"),
        (100_000_000, "1.00"),
        (99_000_000, "0.99"),
        (110_000_000, "1.10"),
        (100_100_000, "1.001"),
        (-150_000_000, "-1.50"),
        (2_099_999_976_543_210, "20999999.7654321"),
        (123_456_789, "1.23456789"),
    ],
)
def test_money_in_coins_with_two_to_eight_decimals(satoshis: int, text: str) -> None:
    assert format_money(satoshis) == text
