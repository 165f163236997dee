"""Taking in a transaction from whoever brings it: Core's `sendrawtransaction`, for both APIs.

It knows the order of the questions and the code of each refusal; the rules themselves are the
mempool's. Read beside it: Core's node/transaction.cpp (BroadcastTransaction).
"""

from chain.coins import is_unspendable
from chain.errors import DecodeError, Invalid
from chain.script.errors import ScriptError
from chain.script.machine import MAX_SCRIPT_ELEMENT_SIZE
from chain.script.opcodes import OP_NOP10, instructions
from chain.transaction import COIN, OutPoint, Transaction
from node.entry import fee_at
from node.lookup import Found, waiting_coins
from node.mempool.reasons import PolicyClass, Rejected
from node.rpc.values import Amount, Code, RpcError, parse_hex
from node.runtime import Runtime

MAX_FEERATE = Amount(COIN // 10)
"""For 1,000 virtual bytes: Core's DEFAULT_MAX_RAW_TX_FEE_RATE, against slips of the finger."""
NOTHING = Amount(0)


def parse_transaction(text: str, which: str = ".") -> Transaction:
    """A transaction from hex. RpcError if it is none; `which` says in it what was read."""
    try:
        raw = parse_hex(text)
        try:
            return Transaction.parse(raw)
        except DecodeError:
            return _without_inputs(raw)
    except ValueError:  # DecodeError too
        what = f"TX decode failed{which} Make sure the tx has at least one input."
        raise RpcError(Code.DECODE, what) from None


def _without_inputs(raw: bytes) -> Transaction:
    """One with neither inputs nor outputs, which a node refuses with a reason. DecodeError if it is
    not that: where inputs lack, the count of outputs looks like the flag of those with witnesses.
    """
    if len(raw) != 10 or raw[4:6] != b"\0\0":
        raise DecodeError("it is no transaction")
    return Transaction(int.from_bytes(raw[:4], "little"), (), (), int.from_bytes(raw[6:], "little"))


def broadcast(
    runtime: Runtime, text: str, max_feerate: Amount = MAX_FEERATE, max_burn: Amount = NOTHING
) -> bytes:
    """Put a transaction, given in hex, into the mempool and announce it; its txid, wire order.

    One that waits already is announced again. `max_feerate` for 1,000 virtual bytes, 0 for none.
    RpcError says why not.
    """
    tx = parse_transaction(text)
    check_burn(tx, max_burn)
    check_max_feerate(max_feerate)
    with runtime.lock:
        node = runtime.node
        waiting = node.mempool.get(tx.txid)
        if waiting is not None:
            tx = waiting.tx  # perhaps with another witness: it is the same payment
        else:
            _check_new(runtime, tx, max_feerate)
        try:
            return runtime.submit_transaction(tx).txid
        except (Rejected, Invalid) as error:
            raise refusal(error) from error


def check_max_feerate(max_feerate: Amount) -> None:
    """RpcError if a limit on the feerate is no limit."""
    if max_feerate.satoshis >= COIN:
        what = "Fee rates larger than or equal to 1BTC/kvB are not accepted"
        raise RpcError(Code.PARAMETER, what)


def check_burn(tx: Transaction, max_burn: Amount) -> None:
    """RpcError if it would throw away more than that."""
    for value, script in tx.outputs:
        if (is_unspendable(script) or not _has_valid_ops(script)) and value > max_burn.satoshis:
            what = "Unspendable output exceeds maximum configured by user (maxburnamount)"
            raise RpcError(Code.VERIFY, what)


def _has_valid_ops(script: bytes) -> bool:
    """Core: CScript::HasValidOps."""
    try:
        return all(
            opcode <= OP_NOP10 and len(data or b"") <= MAX_SCRIPT_ELEMENT_SIZE
            for opcode, data, _ in instructions(script)
        )
    except ScriptError:
        return False


def _check_new(runtime: Runtime, tx: Transaction, max_feerate: Amount) -> None:
    node = runtime.node
    outpoints = (OutPoint(tx.txid, number) for number in range(len(tx.outputs)))
    if any(node.chainstate.coins.get(outpoint) is not None for outpoint in outpoints):
        raise RpcError(Code.IN_CHAIN, "Transaction outputs already in utxo set")
    found = Found(tx, waiting_coins(node, tx))
    if max_feerate.satoshis and found.fee > fee_at(max_feerate.satoshis, tx.vsize):
        try:
            node.mempool.check(tx, int(runtime.now()))  # what else is wrong is said first
        except (Rejected, Invalid) as error:
            raise refusal(error) from error
        what = "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)"
        raise RpcError(Code.VERIFY, what)


def refusal(error: Rejected | Invalid) -> RpcError:
    """What is said about a transaction that was refused."""
    is_missing = error.reason.result is PolicyClass.MISSING_INPUTS
    return RpcError(Code.VERIFY if is_missing else Code.REJECTED, str(error))
