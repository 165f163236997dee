"""Signatures: each input of ours signed, and the finished transaction verified before it leaves.

Signatures are deterministic (RFC 6979) with a low S and a low R; the curve's library makes them.
What comes out has passed the script machine of the nodes under the flags of their policy, so
neither a bug here nor a fault of the machine sends out a signature that is wrong. The amounts of
all inputs are signed, so a node that lied about one gets a transaction that nobody accepts.

Reference: BIP 143 (what is signed), BIP 141.
"""

from collections.abc import Sequence

from chain import curve
from chain.hashes import hash160
from chain.script.errors import ScriptError
from chain.script.flags import STANDARD_FLAGS
from chain.script.interpreter import TransactionChecker, verify_script
from chain.script.sighash import SIGHASH_ALL, PrecomputedSighash, witness_v0_sighash
from chain.script.templates import p2pkh, p2wpkh
from chain.transaction import Transaction, TxOut
from wallet.errors import SigningFailed


def sign(
    transaction: Transaction, spent_outputs: Sequence[TxOut], secrets: Sequence[bytes]
) -> Transaction:
    """The transaction with a witness on every input; one output and one 32-byte secret for each.

    Raises SigningFailed if a key does not fit its output, or the result does not verify.
    """
    shared = PrecomputedSighash(transaction, spent_outputs)
    inputs = [
        input_._replace(witness=_witness(transaction, index, spent, secret, shared))
        for index, (input_, spent, secret) in enumerate(
            zip(transaction.inputs, spent_outputs, secrets, strict=True)
        )
    ]
    signed = Transaction(transaction.version, inputs, transaction.outputs, transaction.locktime)
    verify(signed, spent_outputs)
    return signed


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


def _witness(
    transaction: Transaction, index: int, spent: TxOut, secret: bytes, shared: PrecomputedSighash
) -> tuple[bytes, bytes]:
    """BIP 141's witness for pay to witness public key hash: signature, public key."""
    public_key = curve.public_key(secret)
    key_hash = hash160(public_key)
    if spent.script_pubkey != p2wpkh(key_hash):
        raise SigningFailed(f"input {index} belongs to another key than the wallet's")
    digest = witness_v0_sighash(
        transaction, index, p2pkh(key_hash), spent.value, SIGHASH_ALL, shared
    )
    return curve.sign_ecdsa(secret, digest) + bytes([SIGHASH_ALL]), public_key
