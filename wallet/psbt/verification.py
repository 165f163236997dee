"""The last look at a signed transaction: what nodes check is checked before it leaves.

What passes has passed the script machine of the nodes under the flags of their policy, so neither
a bug here nor a fault of the machine sends out a signature that is wrong. Knows no keys; who makes
the signatures is signing.
"""

from collections.abc import Sequence

from chain.script.errors import ScriptError
from chain.script.flags import STANDARD_FLAGS
from chain.script.interpreter import TransactionChecker, verify_script
from chain.script.sighash import PrecomputedSighash
from chain.transaction import Transaction, TxOut
from wallet.errors import SigningFailed


def verify(transaction: Transaction, spent_outputs: Sequence[TxOut]) -> None:
    """Run every input's scripts as nodes will; SigningFailed if one does not pass."""
    shared = PrecomputedSighash(transaction, spent_outputs)
    for index, input_ in enumerate(transaction.inputs):
        checker = TransactionChecker(transaction, index, spent_outputs, shared)
        script = spent_outputs[index].script_pubkey
        try:
            verify_script(input_.script_sig, script, input_.witness, STANDARD_FLAGS, checker)
        except ScriptError as error:
            raise SigningFailed(
                f"the signature of input {index} does not verify ({error.code}); "
                "nothing was sent, try again"
            ) from None
