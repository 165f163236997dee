"""The RPC's methods that judge several transactions: `testmempoolaccept` and `submitpackage`.

Each function is a method of Core's RPC, of the same name, parameters and results; its docstring is
what `help` shows. The rules are the mempool's (`acceptance`, `package`, `submission`). Read beside
it: Core's rpc/mempool.cpp.
"""

from collections.abc import Sequence

from chain.encoding import display_hash
from chain.errors import Invalid
from chain.transaction import Transaction
from node.entry import MempoolEntry, fee_at
from node.mempool.package import MAX_TRANSACTIONS, PackageRejected, is_child_with_tree
from node.mempool.reasons import PolicyClass, Rejected
from node.mempool.submission import PackageResult
from node.rpc.broadcast import (
    MAX_FEERATE,
    NOTHING,
    check_burn,
    check_max_feerate,
    parse_transaction,
)
from node.rpc.values import Amount, Code, RpcError
from node.rpc.views import Json
from node.runtime import Runtime


def testmempoolaccept(
    runtime: Runtime, rawtxs: list[str], maxfeerate: Amount = MAX_FEERATE
) -> list[Json]:
    """Whether these transactions would be taken in, one after another, and why not."""
    txs = _parse(rawtxs, maxfeerate)
    mempool, now = runtime.node.mempool, int(runtime.now())
    entries: Sequence[MempoolEntry] = ()
    refusals: dict[bytes, Rejected | Invalid] = {}
    error = ""
    try:
        entries = (mempool.test(txs, now) if len(txs) > 1 else mempool.judge(txs, now)).entries
    except (Rejected, Invalid) as refusal:
        refusals[txs[0].wtxid] = refusal
    except PackageRejected as rejected:
        refusals = rejected.refusals
        error = "" if rejected.reason.blames_one else str(rejected)
        entries = rejected.passed
    return _verdicts(txs, {entry.tx.wtxid: entry for entry in entries}, refusals, error, maxfeerate)


def _verdicts(
    txs: Sequence[Transaction],
    entries: dict[bytes, MempoolEntry],
    refusals: dict[bytes, Rejected | Invalid],
    error: str,
    max_feerate: Amount,
) -> list[Json]:
    """A line for each; behind one that pays too much nothing is said, as it may need that one."""
    views: list[Json] = []
    is_over = False
    for tx in txs:
        view: Json = _names(tx)
        views.append(view)
        if error:
            view["package-error"] = error
        entry, refusal = entries.get(tx.wtxid), refusals.get(tx.wtxid)
        if is_over:
            continue
        if refusal is not None:
            view |= _refused(refusal)
        elif entry is not None and is_absurd(entry, max_feerate):
            view |= {"allowed": False, "reject-reason": "max-fee-exceeded"}
            is_over = True
        elif entry is not None:
            view |= {"allowed": True, "vsize": entry.vsize, "fees": _fees(entry, [entry])}
    return views


def _refused(refusal: Rejected | Invalid) -> Json:
    if refusal.reason.result is PolicyClass.MISSING_INPUTS:
        return {"allowed": False, "reject-reason": "missing-inputs"}
    reason, details = refusal.reject_reason, str(refusal)
    return {"allowed": False, "reject-reason": reason, "reject-details": details}


def is_absurd(entry: MempoolEntry, max_feerate: Amount) -> bool:
    """Does it pay more than whoever hands it in allows? 0 allows anything."""
    limit = fee_at(max_feerate.satoshis, entry.vsize)
    return bool(limit) and entry.fee > limit


def submitpackage(
    runtime: Runtime,
    package: list[str],
    maxfeerate: Amount = MAX_FEERATE,
    maxburnamount: Amount = NOTHING,
) -> Json:
    """Hand in a child with its parents, parents first; the child may pay for them."""
    txs = _parse(package, maxfeerate, maxburnamount)
    if len(txs) > 1 and not is_child_with_tree(txs):
        what = "not child-with-parents or parents depend on each other."
        raise RpcError(Code.VERIFY, f"package topology disallowed. {what}")
    result = runtime.submit_package(txs, maxfeerate.satoshis)
    replaced = {entry.txid for evicted in result.evicted.values() for entry in evicted}
    return {
        "package_msg": "success" if result.error is None else str(result.error),
        "tx-results": {display_hash(tx.wtxid): _outcome(tx, result) for tx in txs},
        "replaced-transactions": [display_hash(txid) for txid in sorted(replaced)],
    }


def _outcome(tx: Transaction, result: PackageResult) -> Json:
    view: Json = {"txid": display_hash(tx.txid)}
    entry, refusal = result.entries.get(tx.wtxid), result.refusals.get(tx.wtxid)
    if refusal is not None:
        view["error"] = str(refusal)
    elif entry is None:
        view["error"] = "package-not-validated"
    elif entry.tx.wtxid != tx.wtxid:
        view["other-wtxid"] = display_hash(entry.tx.wtxid)
    else:
        view["vsize"], view["fees"] = entry.vsize, {"base": Amount(entry.fee)}
        if entry in result.new:
            together = result.together if entry in result.together else [entry]
            view["fees"] = _fees(entry, together)
    return view


def _fees(entry: MempoolEntry, together: Sequence[MempoolEntry]) -> Json:
    """What it pays, and at which rate it was judged, with whom."""
    fee = sum(each.modified_fee for each in together)
    return {
        "base": Amount(entry.fee),
        "effective-feerate": Amount(fee * 1_000 // sum(each.vsize for each in together)),
        "effective-includes": [display_hash(each.tx.wtxid) for each in together],
    }


def _names(tx: Transaction) -> Json:
    return {"txid": display_hash(tx.txid), "wtxid": display_hash(tx.wtxid)}


def _parse(
    texts: list[str], max_feerate: Amount, max_burn: Amount | None = None
) -> list[Transaction]:
    if not 1 <= len(texts) <= MAX_TRANSACTIONS:
        what = f"Array must contain between 1 and {MAX_TRANSACTIONS} transactions."
        raise RpcError(Code.PARAMETER, what)
    check_max_feerate(max_feerate)
    txs = []
    for text in texts:
        txs.append(parse_transaction(text, which=f": {text}"))
        if max_burn is not None:
            check_burn(txs[-1], max_burn)
    return txs


METHODS = (submitpackage, testmempoolaccept)
