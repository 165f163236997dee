"""The RPC's methods on transactions: raw ones, waiting ones, new ones.

Each function is a method of Core's RPC, of the same name, parameters and results; its docstring is
what `help` shows. They are called under the runtime's lock. Blocks are in `chain`. Read beside
it: Core's rpc/rawtransaction.cpp and rpc/mempool.cpp.
"""

from collections.abc import Iterable

from chain.encoding import display_hash
from node.entry import MempoolEntry
from node.errors import StorageError
from node.lookup import Found, find_transaction, transactions_of
from node.mempool.estimates import MAX_TARGET
from node.mempool.policy import dust
from node.rpc.broadcast import MAX_FEERATE, NOTHING, broadcast
from node.rpc.chain import find_block
from node.rpc.values import Amount, Code, Hash, RpcError
from node.rpc.views import Json, confirmations, entry_view, transaction_view
from node.runtime import Runtime

ESTIMATE_MODES = ("unset", "economical", "conservative")


def getrawtransaction(
    runtime: Runtime, txid: Hash, verbosity: int | bool = 0, blockhash: Hash | None = None
) -> str | Json:
    """A transaction: 0 hex, 1 JSON, 2 with what it spends too; with a block hash, only there."""
    if blockhash is None:
        found = _find(runtime, txid)
    else:
        found = _find_in_block(runtime, txid, blockhash)
    if verbosity <= 0:
        return found.tx.serialize().hex()
    active, block = runtime.node.chainstate.active, found.block
    view: Json = {}
    if blockhash is not None and block is not None:
        view["in_active_chain"] = block in active
    with_coins = verbosity >= 2 and block is not None
    view.update(
        transaction_view(found, runtime.node.params, with_fee=with_coins, with_prevouts=with_coins)
    )
    if block is not None:
        view["blockhash"] = display_hash(block.hash)
        view["confirmations"] = max(0, confirmations(block, active))
        view["time"] = view["blocktime"] = block.header.time
    return view


def _find(runtime: Runtime, txid: bytes) -> Found:
    found = find_transaction(runtime.node, runtime.index, txid)
    if found is None:
        hint = "" if runtime.index is not None else " (this node keeps no index: give a blockhash)"
        what = f"No such mempool or blockchain transaction{hint}. "
        raise RpcError(Code.NOT_FOUND, f"{what}Use gettransaction for wallet transactions.")
    return found


def _find_in_block(runtime: Runtime, txid: bytes, blockhash: bytes) -> Found:
    if blockhash not in runtime.node.chainstate.headers:
        raise RpcError(Code.NOT_FOUND, "Block hash not found")
    entry, block = find_block(runtime, blockhash)
    for found in transactions_of(runtime.node.chainstate, entry, block):
        if found.tx.txid == txid:
            return found
    what = "No such transaction found in the provided block. "
    raise RpcError(Code.NOT_FOUND, f"{what}Use gettransaction for wallet transactions.")


def sendrawtransaction(
    runtime: Runtime,
    hexstring: str,
    maxfeerate: Amount = MAX_FEERATE,
    maxburnamount: Amount = NOTHING,
) -> str:
    """Hand in a transaction; its txid. Feerates in coins for 1,000 virtual bytes."""
    return display_hash(broadcast(runtime, hexstring, maxfeerate, maxburnamount))


def getrawmempool(runtime: Runtime, verbose: bool = False) -> list[str] | Json:
    """All waiting transactions: their txids, or an entry for each."""
    return _shown(runtime, runtime.node.mempool, verbose)


def getmempoolancestors(runtime: Runtime, txid: Hash, verbose: bool = False) -> list[str] | Json:
    """All that must be mined before a waiting transaction: txids, or an entry for each."""
    return _shown(runtime, _waiting(runtime, txid).ancestors(), verbose)


def getmempooldescendants(runtime: Runtime, txid: Hash, verbose: bool = False) -> list[str] | Json:
    """All that cannot be mined before a waiting transaction: txids, or an entry for each."""
    return _shown(runtime, _waiting(runtime, txid).descendants(), verbose)


def _shown(runtime: Runtime, entries: Iterable[MempoolEntry], verbose: bool) -> list[str] | Json:
    mempool = runtime.node.mempool
    if verbose:
        return {display_hash(entry.txid): entry_view(entry, mempool) for entry in entries}
    return [display_hash(entry.txid) for entry in entries]


def _waiting(runtime: Runtime, txid: bytes) -> MempoolEntry:
    entry = runtime.node.mempool.get(txid)
    if entry is None:
        raise RpcError(Code.NOT_FOUND, "Transaction not in mempool")
    return entry


def getmempoolentry(runtime: Runtime, txid: Hash) -> Json:
    """A waiting transaction."""
    return entry_view(_waiting(runtime, txid), runtime.node.mempool)


def getmempoolcluster(runtime: Runtime, txid: Hash) -> Json:
    """What hangs together with a waiting transaction, in the chunks in which it would be mined."""
    cluster = runtime.node.mempool.cluster_of(_waiting(runtime, txid))
    return {
        "clusterweight": sum(chunk.feerate.size for chunk in cluster.chunks),
        "txcount": len(cluster.entries),
        "chunks": [
            {
                "chunkfee": Amount(chunk.feerate.fee),
                "chunkweight": chunk.feerate.size,
                "txs": [display_hash(entry.txid) for entry in chunk.entries],
            }
            for chunk in cluster.chunks
        ],
    }


def prioritisetransaction(
    runtime: Runtime, txid: Hash, dummy: int | None = None, fee_delta: int = 0
) -> bool:
    """Count a transaction, waiting or not, as if it paid so many satoshis more (or less)."""
    if dummy:
        what = "Priority is no longer supported, dummy argument to prioritisetransaction must be 0."
        raise RpcError(Code.PARAMETER, what)
    mempool = runtime.node.mempool
    entry = mempool.get(txid)
    options = mempool.options
    has_rules = not options.accept_nonstandard
    if entry is not None and has_rules and dust(entry.tx, options.dust_relay_feerate):
        what = "Priority is not supported for transactions with dust outputs."
        raise RpcError(Code.PARAMETER, what)
    mempool.prioritise(txid, fee_delta)
    return True


def getprioritisedtransactions(runtime: Runtime) -> Json:
    """What `prioritisetransaction` has changed, by txid. Satoshis."""
    mempool = runtime.node.mempool
    view: Json = {}
    for txid, delta in mempool.deltas.items():
        entry = mempool.get(txid)
        view[display_hash(txid)] = {"fee_delta": delta, "in_mempool": entry is not None}
        if entry is not None:
            view[display_hash(txid)]["modified_fee"] = entry.modified_fee
    return view


def getmempoolinfo(runtime: Runtime) -> Json:
    """The mempool as a whole. Feerates in coins for 1,000 virtual bytes."""
    mempool, options = runtime.node.mempool, runtime.node.mempool.options
    return {
        "loaded": runtime.is_mempool_loaded,
        "size": len(mempool),
        "bytes": mempool.total_vsize,
        "usage": mempool.usage_bytes,
        "total_fee": Amount(mempool.total_fee),
        "maxmempool": options.max_mempool_bytes,
        "mempoolminfee": Amount(mempool.min_feerate(int(runtime.now()))),
        "minrelaytxfee": Amount(options.min_relay_feerate),
        "incrementalrelayfee": Amount(options.incremental_relay_feerate),
        "unbroadcastcount": len(mempool.unbroadcast),
        "fullrbf": True,
        "permitbaremultisig": options.permit_bare_multisig,
        "maxdatacarriersize": options.datacarrier_size if options.datacarrier else 0,
        "limitclustercount": options.max_cluster_count,
        "limitclustersize": options.max_cluster_vsize,
    }


def savemempool(runtime: Runtime) -> Json:
    """Write what waits to the file from which it is taken in again at the next start."""
    if not runtime.is_mempool_loaded:
        raise RpcError(Code.MISC, "The mempool was not loaded yet")
    try:
        return {"filename": str(runtime.save_mempool())}
    except StorageError as error:
        raise RpcError(Code.MISC, f"Unable to dump mempool to disk: {error}") from error


def estimatesmartfee(runtime: Runtime, conf_target: int, estimate_mode: str = "economical") -> Json:
    """The feerate, in coins for 1,000 virtual bytes, to pay for being mined within so many blocks.

    There is one estimate for all modes, and there always is one.
    """
    if not 1 <= conf_target <= MAX_TARGET:
        what = f"Invalid conf_target, must be between 1 and {MAX_TARGET}"
        raise RpcError(Code.PARAMETER, what)
    if estimate_mode.lower() not in ESTIMATE_MODES:
        modes = ", ".join(f'"{mode}"' for mode in ESTIMATE_MODES)
        raise RpcError(Code.PARAMETER, f"Invalid estimate_mode parameter, must be one of: {modes}")
    feerates = runtime.node.estimates.feerates([conf_target], int(runtime.now()))
    return {"feerate": Amount(feerates[conf_target]), "blocks": conf_target}


METHODS = (
    estimatesmartfee,
    getmempoolancestors,
    getmempoolcluster,
    getmempooldescendants,
    getmempoolentry,
    getmempoolinfo,
    getprioritisedtransactions,
    getrawmempool,
    getrawtransaction,
    prioritisetransaction,
    savemempool,
    sendrawtransaction,
)
