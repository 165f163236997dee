"""Values as Esplora's JSON, one by one: shapes that a chain of ordinary payments does not have."""

import pytest

from chain.coins import Coin
from chain.encoding import Reader
from chain.hashes import sha256d
from chain.headers import HeaderEntry
from chain.merkle import merkle_root
from chain.params import REGTEST
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from node import views
from node.entry import MempoolEntry
from node.lookup import Found
from tests.builders import key, p2pk, p2pkh, p2sh, p2tr, p2wpkh, p2wsh

GENESIS = HeaderEntry(REGTEST.genesis.header, None)
MULTISIG = b"\x51\x21" + key(1).public + b"\x51\xae"


@pytest.mark.parametrize(
    ("script", "name"),
    [
        (b"", "empty"),
        (b"\x6a", "op_return"),
        (b"\x6a\xff", "op_return"),
        (p2pk(key(1)), "p2pk"),
        (b"\x41" + bytes(65) + b"\xac", "p2pk"),
        (b"\x20" + bytes(32) + b"\xac", "unknown"),
        (p2pkh(key(1)), "p2pkh"),
        (p2sh(b"\x51"), "p2sh"),
        (p2wpkh(key(1)), "v0_p2wpkh"),
        (p2wsh(b"\x51"), "v0_p2wsh"),
        (p2tr(key(1)), "v1_p2tr"),
        (b"\x51\x02\x4e\x73", "unknown"),  # pay to anchor
        (b"\x52\x20" + bytes(32), "unknown"),  # witness version 2
        (MULTISIG, "unknown"),
        (b"\x51", "unknown"),
        (b"\x01", "unknown"),
        *((bytes([opcode]), "provably_unspendable") for opcode in (0x50, 0x62, 0x65, 0x7E, 0x95)),
        *((bytes([opcode]), "provably_unspendable") for opcode in (0x86, 0x8E, 0xBA, 0xC5, 0xFF)),
        *((bytes([opcode]), "unknown") for opcode in (0x61, 0x82, 0x87, 0x8B, 0x8F, 0x9A, 0xB9)),
    ],
)
def test_script_types(script: bytes, name: str) -> None:
    assert views.script_type(script) == name


def test_an_output() -> None:
    assert views.output_view(TxOut(5, p2wpkh(key(1))), REGTEST) == {
        "scriptpubkey": p2wpkh(key(1)).hex(),
        "scriptpubkey_asm": f"OP_0 OP_PUSHBYTES_20 {p2wpkh(key(1))[2:].hex()}",
        "scriptpubkey_type": "v0_p2wpkh",
        "scriptpubkey_address": "bcrt1qcava4gh0d6jqcnh9n9zs2fq2v8u0kplxkxq3xl",
        "value": 5,
    }
    assert "scriptpubkey_address" not in views.output_view(TxOut(5, MULTISIG), REGTEST)


def test_a_coinbase() -> None:
    coinbase = REGTEST.genesis.transactions[0]
    txid = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
    view = views.transaction_view(Found(coinbase, (), GENESIS), REGTEST)
    assert list(view) == "txid version locktime vin vout size weight fee status".split()
    assert view["txid"] == txid
    assert (view["version"], view["locktime"], view["size"], view["weight"]) == (1, 0, 204, 816)
    assert view["fee"] == 0
    (vin,) = view["vin"]
    assert vin["txid"] == "0" * 64
    assert vin["vout"] == 4294967295
    assert vin["prevout"] is None
    assert vin["is_coinbase"] is True
    assert vin["scriptsig"].startswith("04ffff001d0104")
    assert vin["scriptsig_asm"].startswith("OP_PUSHBYTES_4 ffff001d OP_PUSHBYTES_1 04 ")
    assert vin["sequence"] == 4294967295
    assert "witness" not in vin
    assert view["status"] == {
        "confirmed": True,
        "block_height": 0,
        "block_hash": "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
        "block_time": 1296688602,
    }
    assert views.status_view(None) == {"confirmed": False}


def spending(script: bytes, script_sig: bytes = b"", *witness: bytes) -> views.Json:
    """The view of the one input of a transaction that spends `script`, and its transaction's."""
    tx_in = TxIn(OutPoint(b"\x11" * 32, 1), script_sig, 5, witness)
    tx = Transaction(0xFFFFFFFF, [tx_in], [TxOut(1_000, b"\x51")], 7)
    view = views.transaction_view(Found(tx, (Coin(TxOut(1_200, script), 3, False),)), REGTEST)
    assert view["fee"] == 200
    assert view["version"] == 4294967295
    (vin,) = view["vin"]
    assert vin["prevout"]["scriptpubkey"] == script.hex()
    assert vin["is_coinbase"] is False
    assert ("witness" in vin) == bool(witness)
    return {name: value for name, value in vin.items() if name.startswith("inner_")}


def test_inner_scripts() -> None:
    push_51 = b"\x01\x51"
    assert spending(p2wpkh(key(1)), b"", b"signature", b"key") == {}
    assert spending(p2sh(b"\x51"), push_51) == {"inner_redeemscript_asm": "OP_PUSHNUM_1"}
    assert spending(p2sh(b""), b"\x00") == {"inner_redeemscript_asm": ""}
    assert spending(p2sh(b""), b"\x01\x51\x51") == {}  # the last is no push of bytes
    assert spending(p2sh(b""), b"\x02\x51") == {}  # cut off
    assert spending(p2sh(b"")) == {}
    assert spending(p2wsh(b"\x51"), b"", b"\x01", b"\x51") == {
        "inner_witnessscript_asm": "OP_PUSHNUM_1"
    }
    nested = p2wsh(b"\x51")
    assert spending(p2sh(nested), b"\x22" + nested, b"\x51") == {
        "inner_redeemscript_asm": f"OP_0 OP_PUSHBYTES_32 {nested[2:].hex()}",
        "inner_witnessscript_asm": "OP_PUSHNUM_1",
    }
    assert "inner_witnessscript_asm" not in spending(p2wsh(b"\x51"))


def test_where_coins_are_not_known_nothing_is_made_up() -> None:
    tx = Transaction(2, [TxIn(OutPoint(b"\x11" * 32, 1))], [TxOut(1_000, b"\x51")], 0)
    view = views.transaction_view(Found(tx, ()), REGTEST)
    assert view["fee"] == 0
    assert view["vin"][0]["prevout"] is None
    assert view["vin"][0]["is_coinbase"] is False


def test_a_block() -> None:
    assert views.block_view(GENESIS, views.size_of(REGTEST.genesis)) == {
        "id": "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
        "height": 0,
        "version": 1,
        "timestamp": 1296688602,
        "tx_count": 1,
        "size": 285,
        "weight": 1140,
        "merkle_root": "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b",
        "previousblockhash": None,
        "mediantime": 1296688602,
        "nonce": 2,
        "bits": 545259519,
        "difficulty": 4.656542373906925e-10,
    }


@pytest.mark.parametrize(
    ("bits", "value"),
    [
        (0x1D00FFFF, 1.0),
        (0x1B0404CB, 16307.42093852398),  # the example of the wiki's page on difficulty
        (0x1F00FFFF, 1 / 65536),
        (0x207FFFFF, 4.656542373906925e-10),
    ],
)
def test_difficulty(bits: int, value: float) -> None:
    assert views.difficulty(bits) == value


# Proofs.


def extract(raw: bytes) -> tuple[bytes, list[tuple[int, bytes]]]:
    """What a merkleblock proves: its root, and (position, txid) of the matches (BIP 37)."""
    reader = Reader(raw[80:])
    total = reader.u32()
    hashes = [reader.take(32) for _ in range(reader.compact_size())]
    flags = reader.var_bytes()
    reader.finish()
    bits = [bool(flags[number // 8] >> number % 8 & 1) for number in range(8 * len(flags))]
    used, matches = [0, 0], []

    def width(height: int) -> int:
        return (total + (1 << height) - 1) >> height

    def descend(height: int, position: int) -> bytes:
        matched = bits[used[0]]
        used[0] += 1
        if height == 0 or not matched:
            found = hashes[used[1]]
            used[1] += 1
            if height == 0 and matched:
                matches.append((position, found))
            return found
        left = right = descend(height - 1, 2 * position)
        if 2 * position + 1 < width(height - 1):
            right = descend(height - 1, 2 * position + 1)
            assert left != right
        return sha256d(left + right)

    height = 0
    while width(height) > 1:
        height += 1
    root = descend(height, 0)
    assert used[1] == len(hashes)
    assert (used[0] + 7) // 8 == len(flags)
    assert not any(bits[used[0] :])
    return root, matches


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 11, 16, 17])
def test_proofs(count: int) -> None:
    txids = [bytes([number + 1]) * 32 for number in range(count)]
    root = merkle_root(txids)[0]
    for position in range(count):
        proof = views.merkle_block(GENESIS.header, txids, position)
        assert proof[:80] == GENESIS.header.serialize()
        assert extract(proof) == (root, [(position, txids[position])])
        view = views.merkle_view(txids, position, 9)
        assert (view["block_height"], view["pos"]) == (9, position)
        node, number = txids[position], position
        for sibling in (bytes.fromhex(text)[::-1] for text in view["merkle"]):
            node = sha256d(sibling + node if number & 1 else node + sibling)
            number >>= 1
        assert node == root


def test_a_proof_that_others_made() -> None:
    """Block 100,000 of main, its third transaction; root, txids and proof are in many libraries."""
    txids = [
        "8c14f0db3df150123e6f3dbbf30f8b955a8249b62ac1d1ff16284aefa3d06d87",
        "fff2525b8931402dd09222c50775608f75787bd2b87e56995a7bdd30f79702c4",
        "6359f0868171b1d194cbee1af2f16ea598ae8fad666d9b012c8ed2b79a236ec4",
        "e9a66845e05d5abc0ad04ec80f774a7e585c6e8db975962d069a522137b80c1d",
    ]
    wire = [bytes.fromhex(text)[::-1] for text in txids]
    root = "f3e94742aca4b5ef85488dc37c06c3282295ffec960994b2c0d5ac2a25a95766"
    assert extract(views.merkle_block(GENESIS.header, wire, 2))[0][::-1].hex() == root
    assert views.merkle_view(wire, 2, 100_000) == {
        "block_height": 100_000,
        "merkle": [
            "e9a66845e05d5abc0ad04ec80f774a7e585c6e8db975962d069a522137b80c1d",
            "ccdafb73d8dcd0173d5d5c3c9a0770d0b3953db889dab99ef05b1907518cb815",
        ],
        "pos": 2,
    }


# The mempool.


def waiting(fee: int, vsize: int) -> MempoolEntry:
    """An entry that pays so much for so many virtual bytes."""
    script = bytes(vsize - 62)  # of 253 to 65,535 bytes
    tx = Transaction(2, [TxIn(OutPoint(bytes(32), fee))], [TxOut(1, script)], 0)
    assert tx.vsize == vsize
    return MempoolEntry(tx, fee, tx.weight, 0, 0, 0, 0)


def test_an_empty_backlog() -> None:
    empty = {"count": 0, "vsize": 0, "total_fee": 0, "fee_histogram": []}
    assert views.backlog_view([]) == empty


def test_a_backlog() -> None:
    entries = [waiting(10_000, 10_000), waiting(60_000, 20_000), waiting(40_000, 10_000)]
    assert views.backlog_view(entries) == {
        "count": 3,
        "vsize": 40_000,
        "total_fee": 110_000,
        "fee_histogram": [[1.0, 40_000]],
    }
    # A bin ends beyond 50,000 virtual bytes, but never between equal feerates.
    entries += [waiting(40_000, 20_000), waiting(20_000, 10_000), waiting(2_000, 4_000)]
    assert views.backlog_view(entries)["fee_histogram"] == [[2.0, 60_000], [0.5, 14_000]]
    entries = [waiting(50_000, 50_000), waiting(1_000, 500), waiting(500, 1_000)]
    assert views.backlog_view(entries)["fee_histogram"] == [[1.0, 50_500], [0.5, 1_000]]


def test_estimates() -> None:
    assert views.estimates_view({1: 30_001, 144: 100}) == {"1": 30.001, "144": 0.1}
