"""The RPC's methods on the chain: blocks, headers, coins, branches; blocks handed in.

Each function is a method of Core's RPC, of the same name, parameters and results; its docstring is
what `help` shows. They are called under the runtime's lock. What waits is in `mempool`, the
node itself in `node`. Read beside it: Core's rpc/blockchain.cpp and rpc/mining.cpp.
"""

import contextlib
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator

from chain.block import Block, witness_commitment
from chain.block_rules import WITNESS_NONCE_BYTES
from chain.coins import Coin, coins_hash
from chain.encoding import Reader, decode_bits, display_hash
from chain.errors import Invalid
from chain.headers import HeaderEntry
from chain.transaction import OutPoint, Transaction
from node.lookup import transactions_of
from node.rpc.values import Amount, Code, Hash, RpcError, parse_hash, parse_hex
from node.rpc.views import Json, block_view, header_view, script_view
from node.rpc.views import transaction_view as show
from node.runtime import Runtime
from node.views import difficulty


def getblockcount(runtime: Runtime) -> int:
    """The height of the tip."""
    return runtime.node.chainstate.tip.height


def getbestblockhash(runtime: Runtime) -> str:
    """The hash of the tip."""
    return display_hash(runtime.node.chainstate.tip.hash)


def getblockhash(runtime: Runtime, height: int) -> str:
    """The hash of the block at a height of the active chain."""
    active = runtime.node.chainstate.active
    if not 0 <= height <= active.height:
        raise RpcError(Code.PARAMETER, "Block height out of range")
    return display_hash(active[height].hash)


def find_entry(runtime: Runtime, block_hash: bytes) -> HeaderEntry:
    """The header of that hash, on the active chain or not. RpcError if it is unknown."""
    entry = runtime.node.chainstate.headers.get(block_hash)
    if entry is None:
        raise RpcError(Code.NOT_FOUND, "Block not found")
    return entry


def find_block(runtime: Runtime, block_hash: bytes) -> tuple[HeaderEntry, Block]:
    """The block of that hash too. RpcError if there is no body."""
    entry = find_entry(runtime, block_hash)
    block = runtime.node.chainstate.read_block(block_hash)
    if block is None:
        raise RpcError(Code.MISC, "Block not available (not fully downloaded)")
    return entry, block


def getblock(runtime: Runtime, blockhash: Hash, verbosity: int | bool = 1) -> str | Json:
    """A block: 0 hex, 1 with txids, 2 with transactions, 3 with what they spend too."""
    entry, block = find_block(runtime, blockhash)
    if verbosity <= 0:
        return block.serialize().hex()
    chainstate = runtime.node.chainstate
    txs: list[str | Json] = [display_hash(tx.txid) for tx in block.transactions]
    if verbosity >= 2:
        txs = [
            show(found, chainstate.params, with_fee=True, with_prevouts=verbosity >= 3)
            for found in transactions_of(chainstate, entry, block)
        ]
    return block_view(entry, chainstate.active, block, txs)


def getblockheader(runtime: Runtime, blockhash: str, verbose: bool = True) -> str | Json:
    """A block's header, as JSON or in hex."""
    entry = find_entry(runtime, parse_hash("hash", blockhash))  # Core's name for it in errors
    if not verbose:
        return entry.header.serialize().hex()
    raw = runtime.node.chainstate.read_block_bytes(entry.hash)
    tx_count = Reader(raw[80:89]).compact_size() if raw else 0
    return header_view(entry, runtime.node.chainstate.active, tx_count)


def getblockchaininfo(runtime: Runtime) -> Json:
    """How far the chain is."""
    chainstate = runtime.node.chainstate
    tip, best = chainstate.tip, chainstate.headers.best_header
    return {
        "chain": chainstate.params.name,
        "blocks": tip.height,
        "headers": best.height,
        "bestblockhash": display_hash(tip.hash),
        "bits": f"{tip.header.bits:08x}",
        "target": f"{decode_bits(tip.header.bits):064x}",
        "difficulty": difficulty(tip.header.bits),
        "time": tip.header.time,
        "mediantime": tip.median_time_past,
        "verificationprogress": min(1, (tip.height + 1) / (best.height + 1)),
        "initialblockdownload": False,
        "chainwork": f"{tip.chainwork:064x}",
        "size_on_disk": _size_on_disk(runtime),
        "pruned": False,
        "warnings": [],
    }


def _size_on_disk(runtime: Runtime) -> int:
    size = 0
    for folder, _, names in os.walk(runtime.config.folder):
        for name in names:
            with contextlib.suppress(OSError):  # the store has just deleted it
                size += os.path.getsize(os.path.join(folder, name))
    return size


def getchaintips(runtime: Runtime) -> list[Json]:
    """The ends of all branches, and how far each is known to be valid."""
    chainstate = runtime.node.chainstate
    tips = {chainstate.tip, *chainstate.headers.tips()}
    return [
        {
            "height": tip.height,
            "hash": display_hash(tip.hash),
            "branchlen": tip.height - chainstate.active.fork_with(tip).height,
            "status": "active" if tip is chainstate.tip else _status(tip),
        }
        for tip in sorted(tips, key=lambda tip: tip.height, reverse=True)
    ]


def _status(tip: HeaderEntry) -> str:
    if tip.failed:
        return "invalid"
    if tip.sequence is None:
        return "headers-only"
    return "valid-fork" if tip.is_connected_once else "valid-headers"


def invalidateblock(runtime: Runtime, blockhash: Hash) -> None:
    """Treat a block, and all that builds on it, as invalid."""
    find_entry(runtime, blockhash)
    with contextlib.suppress(ValueError):  # the genesis block stays, and Core says nothing
        runtime.invalidate(blockhash)


def reconsiderblock(runtime: Runtime, blockhash: Hash) -> None:
    """Take back `invalidateblock`, and judge the block anew."""
    find_entry(runtime, blockhash)
    runtime.reconsider(blockhash)


def preciousblock(runtime: Runtime, blockhash: Hash) -> None:
    """Treat a block as if it had come before all others with the same work."""
    find_entry(runtime, blockhash)
    runtime.prefer(blockhash)


def submitblock(runtime: Runtime, hexdata: str, dummy: str = "") -> str | None:
    """Hand in a block: null if it is the tip's now, or Core's word for what became of it.

    As with Core, `dummy` and bytes behind the block are ignored.
    """
    try:
        block = with_witness_nonce(runtime, Block.read(Reader(parse_hex(hexdata))))
    except ValueError:
        raise RpcError(Code.DECODE, "Block decode failed") from None
    try:
        entry, is_new, changes = runtime.submit_block(block)
    except Invalid as invalid:
        return invalid.reject_reason
    if not is_new:
        return "duplicate"
    if entry.hash in changes.failures:
        return changes.failures[entry.hash].reject_reason
    return None if entry.is_connected_once else "inconclusive"


def with_witness_nonce(runtime: Runtime, block: Block) -> Block:
    """The block as Core completes it: a miner may leave out the coinbase's witness, 32 zeros.

    Core: node/miner.cpp, validation.cpp UpdateUncommittedBlockStructures.
    """
    node = runtime.node
    parent = node.chainstate.headers.get(block.header.prev_hash)
    if parent is None or parent.height + 1 < node.params.segwit_from:
        return block
    if witness_commitment(block) is None or block.transactions[0].has_witness:
        return block
    first, *others = block.transactions
    # It has inputs: with none, its outputs would not have been decoded as such.
    inputs = (first.inputs[0]._replace(witness=(bytes(WITNESS_NONCE_BYTES),)), *first.inputs[1:])
    completed = Transaction(first.version, inputs, first.outputs, first.locktime)
    return Block(block.header, (completed, *others))


def gettxout(runtime: Runtime, txid: Hash, n: int, include_mempool: bool = True) -> Json | None:
    """An unspent output; null if there is none."""
    node, outpoint = runtime.node, OutPoint(txid, n)
    tip = node.chainstate.tip
    coin = node.chainstate.coins.get(outpoint) if 0 <= n < 2**32 else None
    if include_mempool:
        if node.mempool.spender_of(outpoint) is not None:
            return None
        coin = coin or node.mempool.coin(outpoint, tip.height + 1)
    if coin is None:
        return None
    return {
        "bestblock": display_hash(tip.hash),
        "confirmations": tip.height - coin.height + 1,
        "value": Amount(coin.output.value),
        "scriptPubKey": script_view(coin.output, node.params),
        "coinbase": coin.is_coinbase,
    }


def gettxoutsetinfo(runtime: Runtime, hash_type: str = "hash_serialized_3") -> Json:
    """The set of unspent outputs: how many, how much, and their digest."""
    if hash_type not in ("hash_serialized_3", "none"):
        raise RpcError(Code.PARAMETER, f"'{hash_type}' is not a valid hash_type")
    chainstate = runtime.node.chainstate
    count: Counter[str] = Counter()
    coins = _counted(chainstate.coins, count)
    digest = {}
    if hash_type == "none":
        deque(coins, maxlen=0)
    else:
        digest[hash_type] = display_hash(coins_hash(coins))
    return {
        "height": chainstate.tip.height,
        "bestblock": display_hash(chainstate.tip.hash),
        "transactions": count["transactions"],
        "txouts": count["txouts"],
        "bogosize": count["bogosize"],
        **digest,
        "disk_size": _size_on_disk(runtime),
        "total_amount": Amount(count["satoshis"]),
    }


def _counted(
    coins: Iterable[tuple[OutPoint, Coin]], count: Counter[str]
) -> Iterator[tuple[OutPoint, Coin]]:
    """The same coins, in order of their ids; they are counted as they pass, never all in memory."""
    last = None
    for outpoint, coin in coins:
        count["transactions"] += outpoint.txid != last
        count["txouts"] += 1
        # Core's measure of size that depends on no database: GetBogoSize.
        count["bogosize"] += 50 + len(coin.output.script_pubkey)
        count["satoshis"] += coin.output.value
        last = outpoint.txid
        yield outpoint, coin


METHODS = (
    getbestblockhash,
    getblock,
    getblockchaininfo,
    getblockcount,
    getblockhash,
    getblockheader,
    getchaintips,
    gettxout,
    gettxoutsetinfo,
    invalidateblock,
    preciousblock,
    reconsiderblock,
    submitblock,
)
