"""Refusals of a node in plain words: what a payer can do about Bitcoin Core's reject strings.

Knows the strings that a wallet's own payments can meet, and the figures behind them; any other is
shown as the node said it. Beside it: Bitcoin Core, `src/validation.cpp`.
"""

import re

_FEE = re.compile(r"(?:relay|min) fee not met, (\d+) < (\d+)")
_REPLACED = re.compile(r"insufficient fee.*?([\d.]+) < ([\d.]+)$")
_ADVICE = {
    "min relay fee not met": "pay a higher fee",
    "mempool min fee not met": "the node is busy: pay a higher fee, or wait",
    "mempool full": "the node is busy: pay a higher fee, or wait",
    "insufficient fee": "to replace a payment, pay its fee and more",
    "replacement-failed": "to replace a payment, pay a higher fee rate than it does",
    "too-large-cluster": "too many payments wait for each other: try again after the next block",
    "bad-txns-inputs-missingorspent": "its coins are spent or unknown there: sync, then pay again",
    "bad-txns-premature-spend-of-coinbase": "mined coins must mature first: try again later",
    "dust": "the amount is too small to be worth spending: pay more",
    "non-final": "its lock time has not come: try again later",
    "non-BIP68-final": "its coins are too young: try again later",
    "Fee exceeds maximum": "the fee is absurdly high: choose a lower rate",
    "already in utxo set": "nothing is to be done: it is in the chain",
}


def advice(reason: str) -> str:
    """What to do about a refusal, as `; …` to append; empty where nothing is known."""
    if found := _FEE.search(reason):
        offered, needed = int(found[1]), int(found[2])
        return f"; pay a fee of at least {needed:,} sat ({needed - offered:,} more)"
    if found := _REPLACED.search(reason):
        return f"; it offers {found[1]} BTC where {found[2]} are needed: pay a higher fee"
    return next((f"; {what}" for text, what in _ADVICE.items() if text in reason), "")
