"""What a block must satisfy against the coins it spends, and what it does to them.

`connect_block` is the outline of consensus: spend, count, create, pay, verify. It puts the scripts
into a queue as it goes, so that whoever supplies the queue may have them run meanwhile. Does not
know the store nor the choice of chain (chainstate).
Read beside it: Core's validation.cpp, ConnectBlock and DisconnectBlock.
"""

from collections.abc import Sequence

from chain.block import Block
from chain.block_rules import MAX_BLOCK_SIGOPS_COST, subsidy
from chain.coins import BlockUndo, Coin, CoinsOverlay
from chain.encoding import display_hash
from chain.errors import Invalid, Reason
from chain.headers import HeaderEntry
from chain.params import Params
from chain.script.check import CheckQueue, ScriptCheck, Verifier
from chain.script.flags import ScriptFlag
from chain.transaction import MAX_MONEY, OutPoint, Transaction
from chain.tx_rules import check_inputs, sequence_locks, sigop_cost

# From here on a coinbase may begin with the height that some early coinbase began with by accident,
# so that unique heights no longer make unique coinbases. Core: BIP34_IMPLIES_BIP30_LIMIT.
HEIGHTS_REPEAT_FROM = 1_983_702


def connect_block(
    block: Block,
    entry: HeaderEntry,
    overlay: CoinsOverlay,
    params: Params,
    verifier: Verifier,
    *,
    scripts_in_order: bool,
) -> BlockUndo:
    """Apply `block`, which has passed block_rules, to the coins of its parent in `overlay`.

    Returns what it spent. Raises Invalid; the overlay is then spoilt and must be thrown away.
    If several rules are broken, the first failing transaction decides the reason, as in Core with
    one script thread; with `scripts_in_order` false scripts come last, as in Core with several.
    """
    parent = entry.ancestor(entry.height - 1)
    flags = script_flags_for(entry.height, entry.hash, params)
    queue = verifier()
    undo: list[tuple[Coin, ...]] = []
    coinbase, *payments = block.transactions
    _check_nothing_overwritten(block, entry, overlay, params)
    try:
        fees = 0
        sigops = sigop_cost(coinbase, (), flags)
        overlay.add_outputs(coinbase, entry.height)
        for tx in payments:
            fee, spent = check_inputs(tx, overlay.get, entry.height, params)
            fees += fee
            if fees > MAX_MONEY:
                raise Invalid(Reason.BAD_TXNS_ACCUMULATED_FEE_OUTOFRANGE)
            _check_relative_locks(tx, spent, parent, params)
            sigops += sigop_cost(tx, spent, flags)
            if sigops > MAX_BLOCK_SIGOPS_COST:
                raise Invalid(Reason.BAD_BLK_SIGOPS, f"cost {sigops}")
            queue.add(ScriptCheck(tx, [coin.output for coin in spent], flags))
            undo.append(tuple(spent))
            overlay.spend_inputs(tx)
            overlay.add_outputs(tx, entry.height)
        claimed = sum(output.value for output in coinbase.outputs)
        limit = fees + subsidy(entry.height, params)
        if claimed > limit:
            detail = f"coinbase pays too much (actual={claimed} vs limit={limit})"
            raise Invalid(Reason.BAD_CB_AMOUNT, detail)
    except Invalid:
        if scripts_in_order:
            _finish(queue)
        raise
    _finish(queue)
    return tuple(undo)


def disconnect_block(block: Block, undo: BlockUndo, overlay: CoinsOverlay) -> None:
    """Take back what `connect_block` did, from the end. ValueError if `undo` is another's."""
    payments = block.transactions[1:]
    for tx, spent in zip(reversed(payments), reversed(undo), strict=True):
        overlay.remove_outputs(tx)
        overlay.restore_inputs(tx, spent)
    overlay.remove_outputs(block.transactions[0])


def script_flags_for(height: int, block_hash: bytes, params: Params) -> ScriptFlag:
    """The script rules that bind a block (Core: GetBlockScriptFlags).

    Rules that every block but one happens to satisfy are in force from genesis, that one excepted.
    """
    always = ScriptFlag.P2SH | ScriptFlag.WITNESS | ScriptFlag.TAPROOT
    flags = ScriptFlag(params.script_flag_exceptions.get(block_hash, always))
    for active_from, flag in (
        (params.strict_der_from, ScriptFlag.DERSIG),
        (params.locktime_verify_from, ScriptFlag.CHECKLOCKTIMEVERIFY),
        (params.relative_locktime_from, ScriptFlag.CHECKSEQUENCEVERIFY),
        (params.segwit_from, ScriptFlag.NULLDUMMY),
    ):
        if height >= active_from:
            flags |= flag
    return flags


def _check_nothing_overwritten(
    block: Block, entry: HeaderEntry, overlay: CoinsOverlay, params: Params
) -> None:
    """No transaction may repeat the id of one that still has unspent outputs (BIP 30)."""
    if entry.hash in params.bip30_exceptions or _are_coinbases_unique(entry, params):
        return
    for tx in block.transactions:
        for index in range(len(tx.outputs)):
            if overlay.get(OutPoint(tx.txid, index)) is not None:
                raise Invalid(Reason.BAD_TXNS_BIP30, display_hash(tx.txid))


def _are_coinbases_unique(entry: HeaderEntry, params: Params) -> bool:
    """True where heights in coinbases (BIP 34) make the search for repeated ids needless."""
    start = params.coinbase_height_from
    if not start < entry.height < HEIGHTS_REPEAT_FROM:
        return False
    return entry.ancestor(start).hash == params.coinbase_height_hash  # None is no block's


def _check_relative_locks(
    tx: Transaction, spent: Sequence[Coin], parent: HeaderEntry, params: Params
) -> None:
    if parent.height + 1 < params.relative_locktime_from:
        return
    heights = [coin.height for coin in spent]
    locks = sequence_locks(tx, heights, lambda height: parent.ancestor(height).median_time_past)
    if locks[0] > parent.height or locks[1] >= parent.median_time_past:
        raise Invalid(Reason.BAD_TXNS_NONFINAL, "inputs are younger than their relative locks")


def _finish(queue: CheckQueue) -> None:
    failure = queue.finish()
    if failure is not None:
        detail = f"input {failure.input_index} of {display_hash(failure.tx.txid)}"
        raise Invalid(Reason.BLOCK_SCRIPT_VERIFY_FLAG_FAILED, detail, argument=failure.error.text)
