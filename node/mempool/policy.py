"""Standardness: which valid transactions this node relays, judged by their shape and their coins.

It knows one transaction and the coins it spends; not the mempool, not fees in competition. Policy
is not consensus: a miner may include what is refused here, and every number is the operator's.
Beside it: Bitcoin Core, `src/policy/policy.cpp` and `src/policy/ephemeral_policy.cpp`; the rules
stand in the order in which Core asks them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chain.coins import Coin, is_unspendable
from chain.script.opcodes import OP_1, OP_1NEGATE, OP_16
from chain.script.script import count_sigops, instructions, is_p2sh, is_push_only, witness_program
from chain.script.templates import ScriptType, classify, multisig_keys
from chain.transaction import Transaction, TxOut
from node.entry import fee_at
from node.mempool.reasons import PolicyReason, Rejected

MAX_VERSION = 3  # Core's TX_MAX_STANDARD_VERSION: 3 is BIP431's
MAX_WEIGHT = 400_000  # Core's MAX_STANDARD_TX_WEIGHT
MIN_STRIPPED_SIZE = 65  # Core's MIN_STANDARD_TX_NONWITNESS_SIZE
MAX_SCRIPT_SIG_SIZE = 1_650  # Core's MAX_STANDARD_SCRIPTSIG_SIZE
MAX_MULTISIG_KEYS = 3  # of a bare multisig; Core's IsStandard
MAX_DUST_OUTPUTS = 1  # Core's MAX_DUST_OUTPUTS_PER_TX
MAX_SIGOP_COST = 16_000  # Core's MAX_STANDARD_TX_SIGOPS_COST: a fifth of a block
MAX_NON_WITNESS_SIGOPS = 2_500  # Core's MAX_TX_LEGACY_SIGOPS, from BIP54
MAX_P2SH_SIGOPS = 15  # Core's MAX_P2SH_SIGOPS
MAX_PUSH_SIZE = 520  # Core's MAX_SCRIPT_ELEMENT_SIZE
MAX_STACK_ITEMS = 1_000  # Core's MAX_STACK_SIZE
MAX_P2WSH_SCRIPT_SIZE = 3_600  # Core's MAX_STANDARD_P2WSH_SCRIPT_SIZE
MAX_P2WSH_ITEMS = 100  # Core's MAX_STANDARD_P2WSH_STACK_ITEMS
MAX_ITEM_SIZE = 80  # Core's MAX_STANDARD_P2WSH_STACK_ITEM_SIZE, and tapscript's
TOO_LONG, UNKNOWN_OPCODE = "Push value size limit exceeded", "Opcode missing or not understood"
TOO_MANY = "Stack size limit exceeded"
INPUT_SIZE, WITNESS_INPUT_SIZE = 148, 67  # vbytes to spend an output: P2PKH's, P2WPKH's
ANNEX_TAG, LEAF_MASK, TAPSCRIPT_LEAF = 0x50, 0xFE, 0xC0  # BIP341


@dataclass(frozen=True, slots=True)
class PolicyOptions:
    """What an operator may set; the defaults are Bitcoin Core's. Feerates in satoshis per kvB."""

    accept_nonstandard: bool = False
    """Core's -acceptnonstdtxn: relay whatever consensus allows."""
    min_relay_feerate: int = 100
    """Core's -minrelaytxfee."""
    incremental_relay_feerate: int = 100
    """Core's -incrementalrelayfee: what a replacement pays for being relayed again."""
    dust_relay_feerate: int = 3_000
    """Core's -dustrelayfee: an output that costs more to spend at this rate is dust."""
    max_mempool_bytes: int = 300_000_000
    """Core's -maxmempool, of memory."""
    expiry_s: int = 336 * 3_600
    """Core's -mempoolexpiry: two weeks."""
    bytes_per_sigop: int = 20
    """Core's -bytespersigop: weight units that a signature operation counts for at least."""
    datacarrier: bool = True
    """Core's -datacarrier: relay OP_RETURN outputs."""
    datacarrier_size: int = 100_000
    """Core's -datacarriersize: bytes of all OP_RETURN scripts of a transaction together."""
    permit_bare_multisig: bool = True
    """Core's -permitbaremultisig."""
    max_cluster_count: int = 64
    """Core's -limitclustercount: waiting transactions that hang together."""
    max_cluster_vsize: int = 101_000
    """Core's -limitclustersize, in virtual bytes."""


def check_standard(tx: Transaction, options: PolicyOptions) -> None:
    """The transaction by itself. Rejected if we do not relay its kind. Core: IsStandardTx."""
    if not 1 <= tx.version <= MAX_VERSION:
        raise Rejected(PolicyReason.VERSION)
    if tx.weight > MAX_WEIGHT:
        raise Rejected(PolicyReason.TX_SIZE)
    for tx_in in tx.inputs:
        if len(tx_in.script_sig) > MAX_SCRIPT_SIG_SIZE:
            raise Rejected(PolicyReason.SCRIPTSIG_SIZE)
        if not is_push_only(tx_in.script_sig):
            raise Rejected(PolicyReason.SCRIPTSIG_NOT_PUSHONLY)
    carrier_left = options.datacarrier_size if options.datacarrier else 0
    for output in tx.outputs:
        carrier_left = _check_output(output.script_pubkey, carrier_left, options)
    if len(dust(tx, options.dust_relay_feerate)) > MAX_DUST_OUTPUTS:
        raise Rejected(PolicyReason.DUST)


def _check_output(script_pubkey: bytes, carrier_left: int, options: PolicyOptions) -> int:
    """Returns how many bytes of data the next outputs may still carry."""
    kind = classify(script_pubkey)
    if kind is ScriptType.NONSTANDARD:
        raise Rejected(PolicyReason.SCRIPTPUBKEY)
    if kind is ScriptType.NULL_DATA:
        if len(script_pubkey) > carrier_left:
            raise Rejected(PolicyReason.DATACARRIER)
        return carrier_left - len(script_pubkey)
    if kind is ScriptType.MULTISIG:
        _, keys = multisig_keys(script_pubkey) or (0, [])
        if len(keys) > MAX_MULTISIG_KEYS:
            raise Rejected(PolicyReason.SCRIPTPUBKEY)
        if not options.permit_bare_multisig:
            raise Rejected(PolicyReason.BARE_MULTISIG)
    return carrier_left


def dust_threshold(output: TxOut, feerate: int) -> int:
    """The least value in satoshis that is worth the fee of spending it. Core: GetDustThreshold."""
    if is_unspendable(output.script_pubkey):
        return 0
    length = len(output.script_pubkey)
    output_size = 8 + (1 if length < 253 else 3) + length
    spend_size = WITNESS_INPUT_SIZE if witness_program(output.script_pubkey) else INPUT_SIZE
    return fee_at(feerate, output_size + spend_size)


def dust(tx: Transaction, feerate: int) -> list[int]:
    """Indexes of the outputs that are not worth spending."""
    return [
        index
        for index, output in enumerate(tx.outputs)
        if output.value < dust_threshold(output, feerate)
    ]


def check_inputs_standard(tx: Transaction, coins: Sequence[Coin]) -> None:
    """The coins it spends, one an input. Rejected if we do not relay spends of such.

    Guards against scripts that are cheap to send and dear to verify. Core:
    ValidateInputsStandardness.
    """
    if _non_witness_sigops(tx, coins) > MAX_NON_WITNESS_SIGOPS:
        _refuse_inputs("non-witness sigops exceed bip54 limit")
    for index, (tx_in, coin) in enumerate(zip(tx.inputs, coins, strict=True)):
        kind = classify(coin.output.script_pubkey)
        if kind is ScriptType.NONSTANDARD:
            _refuse_inputs(f"input {index} script unknown")
        elif kind is ScriptType.WITNESS_UNKNOWN:
            _refuse_inputs(f"input {index} witness program is undefined")
        elif kind is ScriptType.P2SH:
            _check_redeem_script(index, tx_in.script_sig)


def _refuse_inputs(detail: str) -> None:
    raise Rejected(PolicyReason.BAD_TXNS_NONSTANDARD_INPUTS, detail)


def _check_redeem_script(index: int, script_sig: bytes) -> None:
    pushes = _pushes(script_sig)
    if pushes is None:
        error = _why_malformed(script_sig)
        _refuse_inputs(f"p2sh scriptsig malformed (input {index}: {error})")
    elif not pushes:
        _refuse_inputs(f"input {index} P2SH redeemscript missing")
    elif (sigops := count_sigops(pushes[-1], True)) > MAX_P2SH_SIGOPS:
        figures = f"(input {index}: {sigops} > {MAX_P2SH_SIGOPS})"
        _refuse_inputs(f"p2sh redeemscript sigops exceed limit {figures}")


def _why_malformed(script_sig: bytes) -> str:
    """What stops a scriptSig that should only push."""
    for count, (_, data, _) in enumerate(instructions(script_sig)):
        if data is not None and len(data) > MAX_PUSH_SIZE:
            return TOO_LONG
        if count == MAX_STACK_ITEMS:
            return TOO_MANY
    return UNKNOWN_OPCODE


def _non_witness_sigops(tx: Transaction, coins: Sequence[Coin]) -> int:
    """Core: CheckSigopsBIP54."""
    sigops = 0
    for tx_in, coin in zip(tx.inputs, coins, strict=True):
        script_pubkey = coin.output.script_pubkey
        sigops += count_sigops(tx_in.script_sig, True)
        if is_p2sh(script_pubkey):
            pushes = _pushes(tx_in.script_sig)
            sigops += count_sigops(pushes[-1], True) if pushes else 0
        else:
            sigops += count_sigops(script_pubkey, True)
    return sigops


def _pushes(script_sig: bytes) -> list[bytes] | None:
    """What a scriptSig leaves on the stack; None if it does anything but push, or too much."""
    if not is_push_only(script_sig):
        return None
    stack: list[bytes] = []
    for opcode, data, _ in instructions(script_sig):
        if data is not None and len(data) <= MAX_PUSH_SIZE:
            stack.append(data)
        elif OP_1 <= opcode <= OP_16:
            stack.append(bytes([opcode - OP_1 + 1]))
        elif opcode == OP_1NEGATE:
            stack.append(b"\x81")
        else:
            return None
    return stack if len(stack) <= MAX_STACK_ITEMS else None


def check_witness_standard(tx: Transaction, coins: Sequence[Coin]) -> None:
    """The witnesses. Rejected if one is where none belongs, or larger than its kind needs.

    Core: IsWitnessStandard.
    """
    for tx_in, coin in zip(tx.inputs, coins, strict=True):
        if tx_in.witness and not _is_witness_standard(
            coin.output.script_pubkey, tx_in.script_sig, tx_in.witness
        ):
            raise Rejected(PolicyReason.BAD_WITNESS_NONSTANDARD)


def _is_witness_standard(script_pubkey: bytes, script_sig: bytes, witness: Sequence[bytes]) -> bool:
    if classify(script_pubkey) is ScriptType.P2A:
        return False
    nested = is_p2sh(script_pubkey)
    if nested:
        pushes = _pushes(script_sig)
        if not pushes:
            return False
        script_pubkey = pushes[-1]
    program = witness_program(script_pubkey)
    if program is None:
        return False
    version, data = program
    if len(data) == 32 and version == 0:
        *items, script = witness
        return (
            len(script) <= MAX_P2WSH_SCRIPT_SIZE
            and len(items) <= MAX_P2WSH_ITEMS
            and _are_small(items)
        )
    if len(data) == 32 and version == 1 and not nested:
        return _is_taproot_witness_standard(witness)
    return True


def _is_taproot_witness_standard(witness: Sequence[bytes]) -> bool:
    if len(witness) == 1:
        return True  # a signature alone
    *items, _script, control = witness
    if not control or control[0] == ANNEX_TAG:
        return False
    return control[0] & LEAF_MASK != TAPSCRIPT_LEAF or _are_small(items)


def _are_small(items: Sequence[bytes]) -> bool:
    return all(len(item) <= MAX_ITEM_SIZE for item in items)


def spends_witness_program(tx: Transaction, coins: Sequence[Coin]) -> bool:
    """Does an input need a witness? Then one without is stripped, not wrong.

    Core: SpendsNonAnchorWitnessProg.
    """
    for tx_in, coin in zip(tx.inputs, coins, strict=True):
        script_pubkey = coin.output.script_pubkey
        if is_p2sh(script_pubkey):
            script_pubkey = (_pushes(tx_in.script_sig) or [b""])[-1]
        elif classify(script_pubkey) is ScriptType.P2A:
            continue
        if witness_program(script_pubkey):
            return True
    return False
