"""Advice: for each reason for which a mempool refuses a transaction, what would be accepted.

Knows one sentence for each rule; figures that belong to one refusal are computed in refusal.
Beside it: `node/mempool/reasons.py` (PolicyReason) and `chain/errors.py` (Reason), whose sentences
say the rules themselves.
"""

from chain.errors import Reason
from node.mempool.reasons import PackageReason, PolicyReason

MAX_FEE = "max-fee-exceeded"  # testmempoolaccept's own limit, which is no rule of the mempool
P, R, G = PolicyReason, Reason, PackageReason

POLICY: dict[PolicyReason, str] = {
    P.COINBASE: "Nothing: a coinbase comes with its block, never alone.",
    P.VERSION: "Set its version to 2 (or 3, with version 3's rules) and sign it again.",
    P.TX_SIZE: "Split it: spend fewer inputs or pay fewer outputs in each transaction.",
    P.SCRIPTSIG_SIZE: "Move the data of the scriptSig into a witness: spend by P2WSH or P2TR.",
    P.SCRIPTSIG_NOT_PUSHONLY: "Let the scriptSig hold pushes only, and the rules in the output.",
    P.SCRIPTPUBKEY: "Pay to an address: P2PKH, P2SH, P2WPKH, P2WSH or P2TR.",
    P.BARE_MULTISIG: "Put the multisig into a P2WSH or P2SH output.",
    P.DATACARRIER: "Carry less data in its OP_RETURN outputs, or none.",
    P.DUST: "Raise the output's value, or leave the output out.",
    P.TX_SIZE_SMALL: "Make it larger: another output, such as an OP_RETURN with padding.",
    P.NON_FINAL: "Wait until its lock time has passed, then send it again as it is.",
    P.NON_BIP68_FINAL: "Wait until its inputs are old enough, then send it again as it is.",
    P.TXN_ALREADY_IN_MEMPOOL: "Nothing is to be done: it waits for a block already.",
    P.TXN_SAME_NONWITNESS_DATA_IN_MEMPOOL: "Nothing is to be done: the same payment waits already.",
    P.TXN_ALREADY_KNOWN: "Nothing is to be done: it is in the chain already.",
    P.BAD_TXNS_INPUTS_MISSINGORSPENT: "Send its parents first, or spend outputs that still exist.",
    P.BAD_TXNS_NONSTANDARD_INPUTS: "Spend other outputs; a miner could take this one directly.",
    P.BAD_WITNESS_NONSTANDARD: "Make the witness smaller, and such as its output asks for.",
    P.BAD_TXNS_TOO_MANY_SIGOPS: "Split it: each transaction with fewer signature operations.",
    P.MEMPOOL_MIN_FEE_NOT_MET: "Pay a higher fee, or wait until the mempool is less full.",
    P.MIN_RELAY_FEE_NOT_MET: "Pay a higher fee, or send it together with a child that pays for it.",
    P.BIP125_REPLACEMENT_DISALLOWED: "Ask for it alone: within a package tested, none may replace.",
    P.TRUC_VIOLATION: "Keep version 3's family: one parent and one child of at most 1,000 vB.",
    P.MAX_FEERATE_EXCEEDED: "Pay a lower fee, or allow a higher one when it is handed in.",
    P.TOO_LARGE_CLUSTER: "Wait until some of those that it hangs together with are in a block.",
    P.BAD_TXNS_SPENDS_CONFLICTING_TX: "Spend an output of something else than what it replaces.",
    P.TOO_MANY_POTENTIAL_REPLACEMENTS: "Conflict with fewer: split it into several replacements.",
    P.INSUFFICIENT_FEE: "Pay all the fees that it replaces, and its own relay on top.",
    P.REPLACEMENT_FAILED: "Pay a higher feerate than what it replaces, chunk by chunk.",
    P.MISSING_EPHEMERAL_SPENDS: "Spend the parent's dust output too.",
    P.MEMPOOL_SCRIPT_VERIFY_FLAG_FAILED: "Sign it again; `farthing explain tx` shows the step.",
    P.WITNESS_STRIPPED: "Send it with its witness; it came without.",
    P.MEMPOOL_FULL: "Pay a higher feerate, or wait until the mempool is less full.",
}
CONSENSUS: dict[Reason, str] = {
    R.BAD_TXNS_VIN_EMPTY: "Give it an input to spend.",
    R.BAD_TXNS_VOUT_EMPTY: "Give it an output to pay.",
    R.BAD_TXNS_OVERSIZE: "Split it into several transactions.",
    R.BAD_TXNS_VOUT_NEGATIVE: "Give each output a value of 0 or more.",
    R.BAD_TXNS_VOUT_TOOLARGE: "Lower the output's value: satoshis are counted, not coins.",
    R.BAD_TXNS_TXOUTTOTAL_TOOLARGE: "Lower the outputs' values: together at most 21 million coins.",
    R.BAD_TXNS_INPUTS_DUPLICATE: "Name each spent output once.",
    R.BAD_CB_LENGTH: "Nothing: a coinbase comes with its block, never alone.",
    R.BAD_TXNS_PREVOUT_NULL: "Let each input name an output that exists.",
    R.BAD_TXNS_INPUTS_MISSINGORSPENT: "Send its parents first, or spend outputs that still exist.",
    R.BAD_TXNS_PREMATURE_SPEND_OF_COINBASE: "Wait until the coinbase is old enough.",
    R.BAD_TXNS_INPUTVALUES_OUTOFRANGE: "Spend other outputs: these values can't be.",
    R.BAD_TXNS_IN_BELOWOUT: "Pay out less, or add an input.",
    R.BAD_TXNS_FEE_OUTOFRANGE: "Pay a fee that can be: at most 21 million coins.",
}
PACKAGE: dict[PackageReason, str] = {
    G.PACKAGE_TOO_MANY_TRANSACTIONS: "Hand in at most 25 at once.",
    G.PACKAGE_TOO_LARGE: "Hand in fewer at once.",
    G.PACKAGE_CONTAINS_DUPLICATES: "Give each transaction once.",
    G.PACKAGE_NOT_SORTED: "Give parents before children.",
    G.CONFLICT_IN_PACKAGE: "Leave out one of the two that spend the same output.",
    G.PACKAGE_NOT_CHILD_WITH_PARENTS: "Give one child last, and only parents of it before.",
    G.TRUC_VIOLATION: POLICY[P.TRUC_VIOLATION],
    G.TOO_LARGE_CLUSTER: POLICY[P.TOO_LARGE_CLUSTER],
    G.PACKAGE_RBF_FAILED: "Give one parent with its child, and pay all the fees replaced and more.",
    G.TRANSACTION_FAILED: "See what is said of each transaction.",
    G.UNSPENT_DUST: POLICY[P.MISSING_EPHEMERAL_SPENDS],
}
AnyReason = PolicyReason | Reason | PackageReason


def reason_of(text: str, *, is_package: bool = False) -> AnyReason | None:
    """The rule of a reject string of Core's; None for one that is not known."""
    if text == "missing-inputs":
        return P.BAD_TXNS_INPUTS_MISSINGORSPENT
    known: list[AnyReason] = [*PACKAGE] if is_package else [*POLICY, *CONSENSUS]
    for reason in known:
        before, _, after = reason.text.partition("{}")
        is_open = "{}" in reason.text and text.startswith(before) and text.endswith(after)
        if is_open or text == before:
            return reason
    return None


def advice_for(reason: AnyReason) -> str:
    """What would be accepted, in a sentence."""
    if isinstance(reason, PolicyReason):
        return POLICY[reason]
    return CONSENSUS[reason] if isinstance(reason, Reason) else PACKAGE[reason]
