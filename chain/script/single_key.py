"""Single keys: spends whose only signature can be judged without running a script.

Nearly all inputs are of three kinds: P2WPKH, taproot by its key, P2PKH. This file only ever says
yes. Whatever it does not know, or does not find good, goes to the interpreter, whose verdict and
error count; so all that must hold is that the interpreter says yes too, which stands beside each
kind. It knows consensus flags only: policy asks for more. Reference: interpreter, witness.
"""

from chain.curve import verify_ecdsa, verify_schnorr
from chain.hashes import hash160
from chain.script.flags import MANDATORY_FLAGS
from chain.script.opcodes import cut
from chain.script.script import push
from chain.script.sighash import (
    PrecomputedSighash,
    legacy_sighash,
    signed_code,
    taproot_sighash,
    witness_v0_sighash,
)
from chain.script.signatures import is_strict_der
from chain.script.templates import p2pkh

_POLICY = ~int(MANDATORY_FLAGS)
_KEY_SIZE = 33  # bytes; P2PKH with longer keys is left to the interpreter


def is_signed_by_its_key(shared: PrecomputedSighash, index: int, flags: int) -> bool:
    """True only if input `index` is of one of the three kinds, and the interpreter accepts it.

    Flags that are not set ask for less, never for more: P2WPKH without WITNESS is free to take.
    """
    if flags & _POLICY:
        return False
    _, script_sig, _, witness = shared.tx.inputs[index]
    script = shared.spent_outputs[index].script_pubkey
    if script_sig:
        return not witness and _is_good_p2pkh(script_sig, script, shared, index)
    if len(witness) == 2:
        return _is_good_p2wpkh(*witness, script, shared, index)
    return len(witness) == 1 and _is_good_p2tr(*witness, script, shared, index)


def _is_good_p2wpkh(
    signature: bytes, key: bytes, script: bytes, shared: PrecomputedSighash, index: int
) -> bool:
    """The five steps of the P2PKH script that the program stands for.

    Strict DER is all that DERSIG asks for; what verifies is no longer than an element may be. The
    program counts as true on the stack, as nobody knows a key whose hash is zero.
    """
    key_hash = hash160(key)
    if script != b"\x00\x14" + key_hash or not is_strict_der(signature):
        return False
    what = p2pkh(key_hash), shared.spent_outputs[index].value, signature[-1], shared
    return verify_ecdsa(key, signature[:-1], witness_v0_sighash(shared.tx, index, *what))


def _is_good_p2tr(signature: bytes, script: bytes, shared: PrecomputedSighash, index: int) -> bool:
    """One element is neither annex nor script. 64 bytes sign everything; 65 are the interpreter's.

    A program of another size than a key's verifies nothing.
    """
    if script[:2] != b"\x51\x20":
        return False
    return verify_schnorr(script[2:], signature, taproot_sighash(shared, index))


def _is_good_p2pkh(
    script_sig: bytes, script: bytes, shared: PrecomputedSighash, index: int
) -> bool:
    """The scriptSig is two pushes, of a signature and a key; then the same five steps."""
    signature, key = script_sig[1 : -_KEY_SIZE - 1], script_sig[-_KEY_SIZE:]
    if not is_strict_der(signature) or script_sig != push(signature) + push(key):
        return False
    if script != p2pkh(hash160(key)):
        return False
    code = signed_code(cut(script), {push(signature)})
    digest = legacy_sighash(shared.tx, index, code, signature[-1], shared)
    return verify_ecdsa(key, signature[:-1], digest)
