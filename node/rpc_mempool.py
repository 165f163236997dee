"""The RPC's methods on transactions: raw ones, waiting ones, new ones.

Each function is a method of Core's RPC, of the same name, parameters and results; its docstring is
what `help` shows. They are called under the runtime's lock. Blocks are in `rpc_chain`. Read beside
it: Core's rpc/rawtransaction.cpp and rpc/mempool.cpp.
"""

from chain.encoding import display_hash
from chain.errors import Invalid
from chain.transaction import Transaction
from node.broadcast import MAX_FEERATE, NOTHING, broadcast, parse_transaction
from node.entry import fee_at
from node.errors import PolicyClass, Rejected
from node.lookup import Found, find_transaction, transactions_of
from node.rpc_chain import find_block
from node.rpc_values import Amount, Code, Hash, RpcError
from node.rpc_views import Json, confirmations, entry_view, transaction_view
from node.runtime import Runtime

MAX_TESTED = 25
"""Core's MAX_PACKAGE_COUNT."""


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


def testmempoolaccept(
    runtime: Runtime, rawtxs: list[str], maxfeerate: Amount = MAX_FEERATE
) -> list[Json]:
    """Whether each of these transactions would be taken in by itself, and why not."""
    if not 1 <= len(rawtxs) <= MAX_TESTED:
        what = f"Array must contain between 1 and {MAX_TESTED} transactions."
        raise RpcError(Code.PARAMETER, what)
    txs = [parse_transaction(text) for text in rawtxs]
    return [_test(runtime, tx, maxfeerate) for tx in txs]


def _test(runtime: Runtime, tx: Transaction, max_feerate: Amount) -> Json:
    view: Json = {"txid": display_hash(tx.txid), "wtxid": display_hash(tx.wtxid)}
    try:
        entry = runtime.node.mempool.check(tx, int(runtime.now()))
    except (Rejected, Invalid) as error:
        reason = error.reject_reason
        if error.reason.result is PolicyClass.MISSING_INPUTS:
            reason = "missing-inputs"
        return {**view, "allowed": False, "reject-reason": reason, "reject-details": str(error)}
    if max_feerate.satoshis and entry.fee > fee_at(max_feerate.satoshis, entry.vsize):
        return {**view, "allowed": False, "reject-reason": "max-fee-exceeded"}
    fees = {
        "base": Amount(entry.fee),
        "effective-feerate": Amount(entry.fee * 1000 // entry.vsize),
        "effective-includes": [display_hash(tx.wtxid)],
    }
    return {**view, "allowed": True, "vsize": entry.vsize, "fees": fees}


def getrawmempool(runtime: Runtime, verbose: bool = False) -> list[str] | Json:
    """All waiting transactions: their txids, or an entry for each."""
    mempool = runtime.node.mempool
    if verbose:
        return {display_hash(entry.txid): entry_view(entry) for entry in mempool}
    return [display_hash(entry.txid) for entry in mempool]


def getmempoolentry(runtime: Runtime, txid: Hash) -> Json:
    """A waiting transaction."""
    entry = runtime.node.mempool.get(txid)
    if entry is None:
        raise RpcError(Code.NOT_FOUND, "Transaction not in mempool")
    return entry_view(entry)


def getmempoolinfo(runtime: Runtime) -> Json:
    """The mempool as a whole. Feerates in coins for 1,000 virtual bytes."""
    mempool, options = runtime.node.mempool, runtime.node.mempool.options
    return {
        "loaded": True,
        "size": len(mempool),
        "bytes": mempool.total_vsize,
        "usage": mempool.usage_bytes,
        "total_fee": Amount(mempool.total_fee),
        "maxmempool": options.max_mempool_bytes,
        "mempoolminfee": Amount(mempool.min_feerate(int(runtime.now()))),
        "minrelaytxfee": Amount(options.min_relay_feerate),
        "incrementalrelayfee": Amount(options.incremental_relay_feerate),
        "unbroadcastcount": 0,
        "fullrbf": True,
    }


METHODS = (
    getmempoolentry,
    getmempoolinfo,
    getrawmempool,
    getrawtransaction,
    sendrawtransaction,
    testmempoolaccept,
)
