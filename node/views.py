"""Chain objects as Esplora's JSON: names, types and which keys are there, to the letter.

It turns values into dictionaries and looks nothing up (`lookup`, `index`). Amounts are integers in
satoshis, hashes are in display order, feerates are floats in satoshis a virtual byte. Read beside
it: Esplora's API.md, and src/rest.rs of Blockstream's electrs, for what API.md leaves open.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from chain.address import script_to_address
from chain.block import Block, BlockHeader
from chain.coins import Coin
from chain.encoding import display_hash, write_compact_size
from chain.hashes import sha256d
from chain.headers import HeaderEntry
from chain.merkle import merkle_branch
from chain.params import Params
from chain.script.errors import ScriptError
from chain.script.opcodes import disassemble
from chain.script.script import instructions, is_p2sh, witness_program
from chain.script.templates import p2pkh
from chain.transaction import OutPoint, TxIn, TxOut
from node.entry import MempoolEntry
from node.index import Sums
from node.lookup import Found

Json = dict[str, Any]

HISTOGRAM_BIN_VSIZE = 50_000
"""Virtual bytes; a bin of the mempool's histogram is at least as wide (electrs)."""
U32 = 0xFFFFFFFF

# What rust-bitcoin calls provably unspendable by its first opcode: OP_RESERVED, OP_VER, OP_VERIF,
# OP_VERNOTIF, OP_RESERVED1 and 2, the disabled ones, and all that have no meaning.
_UNSPENDABLE = {0x50, 0x62, 0x65, 0x66, 0x89, 0x8A, *range(0x7E, 0x82), *range(0x83, 0x87)}
_UNSPENDABLE |= {0x8D, 0x8E, *range(0x95, 0x9A), *range(0xBA, 0x100)}


# Blocks.


class BlockSize(NamedTuple):
    """What must be counted in a block's body."""

    tx_count: int
    size: int
    weight: int


def size_of(block: Block) -> BlockSize:
    """Count."""
    return BlockSize(len(block.transactions), block.size, block.weight)


def difficulty(bits: int) -> float:
    """How many times harder than the easiest target of main, to 16 digits (Core: GetDifficulty)."""
    return float(f"{0xFFFF / (bits & 0xFFFFFF) * 256.0 ** (29 - (bits >> 24)):.16g}")


def block_view(entry: HeaderEntry, size: BlockSize) -> Json:
    """A block without its transactions."""
    header = entry.header
    return {
        "id": display_hash(entry.hash),
        "height": entry.height,
        "version": header.version & U32,
        "timestamp": header.time,
        "tx_count": size.tx_count,
        "size": size.size,
        "weight": size.weight,
        "merkle_root": display_hash(header.merkle_root),
        "previousblockhash": entry.parent and display_hash(header.prev_hash),
        "mediantime": entry.median_time_past,
        "nonce": header.nonce,
        "bits": header.bits,
        "difficulty": difficulty(header.bits),
    }


def block_status_view(entry: HeaderEntry | None, following: HeaderEntry | None) -> Json:
    """Where a block of the active chain stands, and what comes after it; None: not on it."""
    return {
        "in_best_chain": entry is not None,
        "height": entry and entry.height,
        "next_best": following and display_hash(following.hash),
    }


# Transactions.


def status_view(block: HeaderEntry | None) -> Json:
    """Whether confirmed, and where: `block` is one of the active chain, or None."""
    if block is None:
        return {"confirmed": False}
    return {
        "confirmed": True,
        "block_height": block.height,
        "block_hash": display_hash(block.hash),
        "block_time": block.header.time,
    }


def transaction_view(found: Found, params: Params) -> Json:
    """A transaction; its block, if any, is of the active chain."""
    tx = found.tx
    coins: Sequence[Coin | None] = found.coins or [None] * len(tx.inputs)
    return {
        "txid": display_hash(tx.txid),
        "version": tx.version,
        "locktime": tx.locktime,
        "vin": [
            _input_view(tx_in, coin and coin.output, params)
            for tx_in, coin in zip(tx.inputs, coins, strict=True)
        ],
        "vout": [output_view(output, params) for output in tx.outputs],
        "size": tx.size,
        "weight": tx.weight,
        "fee": found.fee,
        "status": status_view(found.block),
    }


def _input_view(tx_in: TxIn, spent: TxOut | None, params: Params) -> Json:
    view: Json = {
        "txid": display_hash(tx_in.outpoint.txid),
        "vout": tx_in.outpoint.index,
        "prevout": spent and output_view(spent, params),
        "scriptsig": tx_in.script_sig.hex(),
        "scriptsig_asm": disassemble(tx_in.script_sig),
    }
    if tx_in.witness:
        view["witness"] = [item.hex() for item in tx_in.witness]
    view["is_coinbase"] = tx_in.outpoint.is_null
    view["sequence"] = tx_in.sequence
    if spent is not None:
        view.update(_inner_scripts(tx_in, spent.script_pubkey))
    return view


def _inner_scripts(tx_in: TxIn, script: bytes) -> Json:
    """The scripts that an input reveals, as text."""
    view = {}
    redeem_script = _last_push(tx_in.script_sig) if is_p2sh(script) else None
    if redeem_script is not None:
        script = redeem_script
        view["inner_redeemscript_asm"] = disassemble(script)
    if script_type(script) == "v0_p2wsh" and tx_in.witness:
        view["inner_witnessscript_asm"] = disassemble(tx_in.witness[-1])
    return view


def _last_push(script_sig: bytes) -> bytes | None:
    data = None
    try:
        for instruction in instructions(script_sig):
            data = instruction[1]
    except ScriptError:
        return None
    return data


def output_view(output: TxOut, params: Params) -> Json:
    """An output, or the one that an input spends."""
    script = output.script_pubkey
    view: Json = {
        "scriptpubkey": script.hex(),
        "scriptpubkey_asm": disassemble(script),
        "scriptpubkey_type": script_type(script),
    }
    address = script_to_address(script, params)
    if address is not None:
        view["scriptpubkey_address"] = address
    view["value"] = output.value
    return view


def script_type(script: bytes) -> str:
    """Esplora's name of a scriptPubKey's shape; the first that fits."""
    if not script:
        return "empty"
    if script[0] == 0x6A:
        return "op_return"
    if script[-1] == 0xAC and script[0] == len(script) - 2 and script[0] in (33, 65):
        return "p2pk"
    if script == p2pkh(script[3:23]):
        return "p2pkh"
    if is_p2sh(script):
        return "p2sh"
    version, program = witness_program(script) or (-1, b"")
    kinds = {(0, 20): "v0_p2wpkh", (0, 32): "v0_p2wsh", (1, 32): "v1_p2tr"}
    if (version, len(program)) in kinds:
        return kinds[version, len(program)]
    return "provably_unspendable" if script[0] in _UNSPENDABLE else "unknown"


def spend_view(txid: bytes, number: int, block: HeaderEntry | None) -> Json:
    """Who spent an output: a transaction, its input, and where it is."""
    status = status_view(block)
    return {"spent": True, "txid": display_hash(txid), "vin": number, "status": status}


# Proofs.


def merkle_view(txids: Sequence[bytes], position: int, height: int) -> Json:
    """How a transaction leads up to the merkle root of its block."""
    branch = [display_hash(sibling) for sibling in merkle_branch(txids, position)]
    return {"block_height": height, "merkle": branch, "pos": position}


def merkle_block(header: BlockHeader, txids: Sequence[bytes], position: int) -> bytes:
    """The same as a peer message `merkleblock` with one match (BIP 37)."""
    levels = [list(txids)]
    while len(level := levels[-1]) > 1:
        pairs = zip(level[::2], [*level[1::2], level[-1]], strict=False)
        levels.append([sha256d(left + right) for left, right in pairs])
    hashes: list[bytes] = []
    bits: list[bool] = []

    def descend(depth: int, number: int) -> None:
        is_on_path = position >> depth == number
        bits.append(is_on_path)
        if depth == 0 or not is_on_path:
            hashes.append(levels[depth][number])
            return
        for child in (2 * number, 2 * number + 1):
            if child < len(levels[depth - 1]):
                descend(depth - 1, child)

    descend(len(levels) - 1, 0)
    packed = sum(bit << number for number, bit in enumerate(bits))
    flags = packed.to_bytes((len(bits) + 7) // 8, "little")
    head = header.serialize() + len(txids).to_bytes(4, "little")
    counted = write_compact_size(len(hashes)) + b"".join(hashes)
    return head + counted + write_compact_size(len(flags)) + flags


# Scripts.


def sums_view(sums: Sums) -> Json:
    """The statistics of a script, confirmed or waiting."""
    return {
        "tx_count": sums.tx_count,
        "funded_txo_count": sums.funded_count,
        "funded_txo_sum": sums.funded_sum,
        "spent_txo_count": sums.spent_count,
        "spent_txo_sum": sums.spent_sum,
    }


def unspent_view(outpoint: OutPoint, value: int, block: HeaderEntry | None) -> Json:
    """An unspent output, and where the transaction is that made it."""
    txid, status = display_hash(outpoint.txid), status_view(block)
    return {"txid": txid, "vout": outpoint.index, "status": status, "value": value}


# The mempool.


def recent_view(found: Found) -> Json:
    """A waiting transaction in short; its value is what it spends, as in electrs."""
    value = sum(coin.output.value for coin in found.coins)
    txid, vsize = display_hash(found.tx.txid), found.tx.vsize
    return {"txid": txid, "fee": found.fee, "vsize": vsize, "value": value}


def backlog_view(entries: Iterable[MempoolEntry]) -> Json:
    """What waits, and a histogram of what it pays: [lowest feerate, virtual bytes], best first."""
    rates = sorted(((e.fee / e.tx.vsize, e.tx.vsize, e.fee) for e in entries), reverse=True)
    histogram: list[list[float]] = []
    width = 0
    for number, (rate, vsize, _) in enumerate(rates):
        width += vsize
        following = rates[number + 1][0] if number + 1 < len(rates) else None
        if following is None or (width > HISTOGRAM_BIN_VSIZE and following != rate):
            histogram.append([rate, width])
            width = 0
    return {
        "count": len(rates),
        "vsize": sum(vsize for _, vsize, _ in rates),
        "total_fee": sum(fee for _, _, fee in rates),
        "fee_histogram": histogram,
    }


def estimates_view(feerates: Mapping[int, int]) -> dict[str, float]:
    """For each target, in blocks, the feerate to pay; given for 1,000 virtual bytes."""
    return {str(target): feerate / 1000 for target, feerate in feerates.items()}
