"""What a transaction must satisfy: by itself, in time, and against the coins it spends.

Knows every rule that a block and the mempool share, except scripts (interpreter). Does not know
blocks. Read beside it: Core's consensus/tx_check.cpp and consensus/tx_verify.cpp.
"""

from collections.abc import Callable, Sequence

from chain.coins import Coin
from chain.errors import Invalid, Reason
from chain.params import Params
from chain.script.checker import (
    LOCKTIME_THRESHOLD,
    SEQUENCE_DISABLE_FLAG,
    SEQUENCE_TYPE_FLAG,
    SEQUENCE_VALUE_MASK,
)
from chain.script.flags import P2SH, WITNESS, ScriptFlag
from chain.script.script import count_sigops, instructions, is_p2sh, is_push_only, witness_program
from chain.transaction import (
    MAX_MONEY,
    NULL_OUTPOINT,
    SEQUENCE_FINAL,
    WITNESS_SCALE_FACTOR,
    OutPoint,
    Transaction,
    TxIn,
    format_money,
)

MAX_BLOCK_WEIGHT = 4_000_000  # BIP 141; Core: MAX_BLOCK_WEIGHT
MIN_COINBASE_SCRIPT_BYTES = 2
MAX_COINBASE_SCRIPT_BYTES = 100
SEQUENCE_UNIT_S = 512  # BIP 68: what a relative lock that counts time counts


def check_transaction(tx: Transaction) -> None:
    """The rules that need nothing but the transaction. Raises Invalid (Core: CheckTransaction)."""
    if not tx.inputs:
        raise Invalid(Reason.BAD_TXNS_VIN_EMPTY)
    if not tx.outputs:
        raise Invalid(Reason.BAD_TXNS_VOUT_EMPTY)
    if tx.stripped_size * WITNESS_SCALE_FACTOR > MAX_BLOCK_WEIGHT:
        raise Invalid(Reason.BAD_TXNS_OVERSIZE)
    total = 0
    for value, _ in tx.outputs:
        if value < 0:
            raise Invalid(Reason.BAD_TXNS_VOUT_NEGATIVE)
        if value > MAX_MONEY:
            raise Invalid(Reason.BAD_TXNS_VOUT_TOOLARGE)
        total += value
        if total > MAX_MONEY:
            raise Invalid(Reason.BAD_TXNS_TXOUTTOTAL_TOOLARGE)
    outpoints = [tx_in.outpoint for tx_in in tx.inputs]
    if len(set(outpoints)) < len(outpoints):
        raise Invalid(Reason.BAD_TXNS_INPUTS_DUPLICATE)
    if outpoints == [NULL_OUTPOINT]:  # a coinbase
        length = len(tx.inputs[0].script_sig)
        if not MIN_COINBASE_SCRIPT_BYTES <= length <= MAX_COINBASE_SCRIPT_BYTES:
            raise Invalid(Reason.BAD_CB_LENGTH)
    elif NULL_OUTPOINT in outpoints:
        raise Invalid(Reason.BAD_TXNS_PREVOUT_NULL)


def is_final(tx: Transaction, height: int, time: int) -> bool:
    """True if `tx` may be in a block at `height` whose lock time cutoff is `time` (unix seconds).

    The cutoff is the median time past of the parent (BIP 113). Core: IsFinalTx.
    """
    if tx.locktime < (height if tx.locktime < LOCKTIME_THRESHOLD else time):
        return True
    return all(tx_in.sequence == SEQUENCE_FINAL for tx_in in tx.inputs)


def sequence_locks(
    tx: Transaction, coin_heights: Sequence[int], median_time_at: Callable[[int], int]
) -> tuple[int, int]:
    """The last height, and the last median time past of a parent, at which `tx` is still locked.

    `coin_heights`: of the coin of each input. `median_time_at(h)`: median time past of the block
    at height h. -1 where nothing is locked (BIP 68). Core: CalculateSequenceLocks.
    """
    last_height = last_time = -1
    if tx.version < 2:
        return last_height, last_time
    for (_, _, sequence, _), coin_height in zip(tx.inputs, coin_heights, strict=True):
        if sequence & SEQUENCE_DISABLE_FLAG:
            continue
        units = sequence & SEQUENCE_VALUE_MASK
        if sequence & SEQUENCE_TYPE_FLAG:
            start = median_time_at(max(coin_height - 1, 0))
            last_time = max(last_time, start + units * SEQUENCE_UNIT_S - 1)
        else:
            last_height = max(last_height, coin_height + units - 1)
    return last_height, last_time


def check_inputs(
    tx: Transaction, get_coin: Callable[[OutPoint], Coin | None], height: int, params: Params
) -> tuple[int, list[Coin]]:
    """Money and maturity for a block at `height`. Returns the fee in satoshi and the coins spent.

    Raises Invalid. Core: CheckTxInputs.
    """
    coins: list[Coin] = []
    for tx_in in tx.inputs:
        coin = get_coin(tx_in.outpoint)
        if coin is None:
            raise Invalid(Reason.BAD_TXNS_INPUTS_MISSINGORSPENT, str(tx_in.outpoint))
        coins.append(coin)
    value_in = 0
    for (value, _), made_at, is_coinbase in coins:
        if is_coinbase and height - made_at < params.coinbase_maturity_blocks:
            detail = f"tried to spend coinbase at depth {height - made_at}"
            raise Invalid(Reason.BAD_TXNS_PREMATURE_SPEND_OF_COINBASE, detail)
        value_in += value
        if not (0 <= value <= MAX_MONEY and value_in <= MAX_MONEY):
            raise Invalid(Reason.BAD_TXNS_INPUTVALUES_OUTOFRANGE)
    value_out = sum([value for value, _ in tx.outputs])
    if value_in < value_out:
        detail = f"value in ({format_money(value_in)}) < value out ({format_money(value_out)})"
        raise Invalid(Reason.BAD_TXNS_IN_BELOWOUT, detail)
    fee = value_in - value_out
    if fee > MAX_MONEY:
        raise Invalid(Reason.BAD_TXNS_FEE_OUTOFRANGE)
    return fee, coins


def legacy_sigops(tx: Transaction) -> int:
    """Signature operations written in the transaction itself, counted the oldest way."""
    count = 0
    for _, script_sig, _, _ in tx.inputs:
        if script_sig:
            count += count_sigops(script_sig, False)
    for _, script_pubkey in tx.outputs:
        count += count_sigops(script_pubkey, False)
    return count


def sigop_cost(tx: Transaction, spent: Sequence[Coin], flags: ScriptFlag) -> int:
    """What `tx` takes of a block's 80,000: legacy * 4 + P2SH * 4 + witness (BIP 141).

    `spent` holds the coin of each input, nothing for a coinbase. Core: GetTransactionSigOpCost.
    """
    cost, bits = legacy_sigops(tx) * WITNESS_SCALE_FACTOR, int(flags)
    for tx_in, ((_, script_pubkey), _, _) in zip(tx.inputs, spent, strict=False):
        program = witness_program(script_pubkey)
        if bits & P2SH and is_p2sh(script_pubkey):
            redeem_script = _last_push(tx_in.script_sig)
            cost += count_sigops(redeem_script, True) * WITNESS_SCALE_FACTOR
            program = witness_program(redeem_script)
        if program is not None and bits & WITNESS:
            cost += _witness_sigops(tx_in, *program)
    return cost


def _last_push(script_sig: bytes) -> bytes:
    """What a P2SH scriptSig leaves on top of the stack; nothing if it does more than push."""
    if not is_push_only(script_sig):
        return b""
    pushes = [data for _, data, _ in instructions(script_sig)]
    return pushes[-1] or b"" if pushes else b""


def _witness_sigops(tx_in: TxIn, version: int, program: bytes) -> int:
    """Core: WitnessSigOps. Taproot has a budget of its own instead."""
    if version == 0 and len(program) == 20:
        return 1
    if version == 0 and len(program) == 32 and tx_in.witness:
        return count_sigops(tx_in.witness[-1], True)
    return 0
