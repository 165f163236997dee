"""Chain objects as the JSON of Bitcoin Core's RPC: headers, blocks, transactions, entries.

It turns values into dictionaries and looks nothing up. Left out are the descriptors of outputs
(`desc`) and the names of signature types in `asm`. Read beside it: Core's core_write.cpp
(TxToUniv), rpc/blockchain.cpp (blockheaderToJSON) and rpc/mempool.cpp (entryToJSON).
"""

from collections.abc import Collection
from typing import Any

from chain.address import script_to_address
from chain.block import Block
from chain.coins import Coin
from chain.encoding import decode_bits, display_hash
from chain.headers import ActiveChain, HeaderEntry
from chain.params import Params
from chain.script.opcodes import core_asm
from chain.script.templates import classify
from chain.transaction import Transaction, TxIn, TxOut
from node.entry import MempoolEntry
from node.lookup import Found
from node.mempool.mempool import Mempool
from node.rpc.values import Amount
from node.views import U32, difficulty

Json = dict[str, Any]
MAX_REPLACEABLE_SEQUENCE = 0xFFFFFFFD
"""BIP 125: an input up to this one says that its transaction may be replaced."""


def confirmations(entry: HeaderEntry, active: ActiveChain) -> int:
    """How many blocks of the active chain there are from this one on; -1 if it is not of it."""
    return active.height - entry.height + 1 if entry in active else -1


def header_view(entry: HeaderEntry, active: ActiveChain, tx_count: int) -> Json:
    """A header and its place in the chain."""
    header = entry.header
    view = {
        "hash": display_hash(entry.hash),
        "confirmations": confirmations(entry, active),
        "height": entry.height,
        "version": header.version,
        "versionHex": f"{header.version & U32:08x}",
        "merkleroot": display_hash(header.merkle_root),
        "time": header.time,
        "mediantime": entry.median_time_past,
        "nonce": header.nonce,
        "bits": f"{header.bits:08x}",
        "target": f"{decode_bits(header.bits):064x}",
        "difficulty": difficulty(header.bits),
        "chainwork": f"{entry.chainwork:064x}",
        "nTx": tx_count,
    }
    if entry.parent is not None:
        view["previousblockhash"] = display_hash(header.prev_hash)
    if entry in active and entry.height < active.height:
        view["nextblockhash"] = display_hash(active[entry.height + 1].hash)
    return view


def block_view(entry: HeaderEntry, active: ActiveChain, block: Block, txs: list[Any]) -> Json:
    """A block; `txs` as they shall be shown."""
    return {
        **header_view(entry, active, len(block.transactions)),
        "strippedsize": block.stripped_size,
        "size": block.size,
        "weight": block.weight,
        "tx": txs,
    }


def transaction_view(found: Found, params: Params, *, with_fee: bool, with_prevouts: bool) -> Json:
    """A transaction by itself; fee and what it spends only where the coins are known."""
    tx = found.tx
    coins = found.coins if with_prevouts else ()
    view = {
        "txid": display_hash(tx.txid),
        "hash": display_hash(tx.wtxid),
        "version": tx.version,
        "size": tx.size,
        "vsize": tx.vsize,
        "weight": tx.weight,
        "locktime": tx.locktime,
        "vin": [
            _input_view(tx_in, coins[number] if coins else None, params)
            for number, tx_in in enumerate(tx.inputs)
        ],
        "vout": [
            {"value": Amount(output.value), "n": n, "scriptPubKey": script_view(output, params)}
            for n, output in enumerate(tx.outputs)
        ],
    }
    if with_fee and found.coins:
        view["fee"] = Amount(found.fee)
    view["hex"] = tx.serialize().hex()
    return view


def _input_view(tx_in: TxIn, coin: Coin | None, params: Params) -> Json:
    script = tx_in.script_sig
    if tx_in.outpoint.is_null:
        view: Json = {"coinbase": script.hex()}
    else:
        view = {
            "txid": display_hash(tx_in.outpoint.txid),
            "vout": tx_in.outpoint.index,
            "scriptSig": {"asm": core_asm(script), "hex": script.hex()},
        }
    if tx_in.witness:
        view["txinwitness"] = [item.hex() for item in tx_in.witness]
    if coin is not None:
        view["prevout"] = {
            "generated": coin.is_coinbase,
            "height": coin.height,
            "value": Amount(coin.output.value),
            "scriptPubKey": script_view(coin.output, params),
        }
    return {**view, "sequence": tx_in.sequence}


def script_view(output: TxOut, params: Params) -> Json:
    """What an output demands of its spender."""
    script = output.script_pubkey
    view = {"asm": core_asm(script), "hex": script.hex(), "type": classify(script).value}
    address = script_to_address(script, params)
    if address is not None:
        view["address"] = address
    return view


def entry_view(entry: MempoolEntry, mempool: Mempool) -> Json:
    """A waiting transaction: what it pays, and whom it hangs together with."""
    chunk = mempool.chunk_of(entry)
    ancestors, descendants = entry.ancestors() | {entry}, entry.descendants() | {entry}
    return {
        "vsize": entry.vsize,
        "weight": entry.tx.weight,
        "time": entry.time,
        "height": entry.height,
        "descendantcount": len(descendants),
        "descendantsize": sum(each.vsize for each in descendants),
        "ancestorcount": len(ancestors),
        "ancestorsize": sum(each.vsize for each in ancestors),
        "chunkweight": chunk.feerate.size,
        "wtxid": display_hash(entry.tx.wtxid),
        "fees": {
            "base": Amount(entry.fee),
            "modified": Amount(entry.modified_fee),
            "ancestor": _fees(ancestors),
            "descendant": _fees(descendants),
            "chunk": Amount(chunk.feerate.fee),
        },
        "depends": [display_hash(parent.txid) for parent in entry.parents],
        "spentby": [display_hash(child.txid) for child in entry.children],
        "bip125-replaceable": any(_signals(each.tx) for each in ancestors),
        "unbroadcast": entry.txid in mempool.unbroadcast,
    }


def _fees(entries: Collection[MempoolEntry]) -> Amount:
    return Amount(sum(entry.modified_fee for entry in entries))


def _signals(tx: Transaction) -> bool:
    return any(tx_in.sequence <= MAX_REPLACEABLE_SEQUENCE for tx_in in tx.inputs)
