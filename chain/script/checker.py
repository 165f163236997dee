"""The checker: the questions that a script asks about the transaction which spends it.

Three questions: is this signature good, has the locktime passed, is the input old enough. Knows the
transaction; does not know scripts, stacks or flags.
Reference: Core, GenericTransactionSignatureChecker in src/script/interpreter.cpp.
"""

import hashlib
from collections.abc import Sequence

from chain.curve import verify_ecdsa, verify_schnorr
from chain.script import sighash
from chain.script.errors import ScriptError
from chain.script.sighash import NO_CODESEPARATOR, PrecomputedSighash, SigVersion
from chain.transaction import SEQUENCE_FINAL, Transaction, TxOut

LOCKTIME_THRESHOLD = 500_000_000  # below: a block height; from here on: seconds since 1970
SEQUENCE_DISABLE_FLAG = 1 << 31  # BIP 68: this sequence number is no relative lock time
SEQUENCE_TYPE_FLAG = 1 << 22  # set: units of 512 seconds; not set: blocks
SEQUENCE_VALUE_MASK = 0xFFFF


class TransactionChecker:
    """Answers for one input of one transaction."""

    __slots__ = ("_digests", "_states", "input_index", "precomputed", "tx", "value")

    def __init__(
        self,
        tx: Transaction,
        input_index: int,
        spent_outputs: Sequence[TxOut],
        precomputed: PrecomputedSighash | None = None,
    ) -> None:
        """`spent_outputs` has one output for each input; `precomputed` may serve all of them."""
        self.tx = tx
        self.input_index = input_index
        self.value = spent_outputs[input_index].value
        self.precomputed = precomputed or PrecomputedSighash(tx, spent_outputs)
        self._digests: dict[tuple[bytes, int, bool], bytes] = {}
        self._states: dict[tuple[bytes, int], hashlib._Hash] = {}

    def check_ecdsa(
        self, signature: bytes, public_key: bytes, script_code: bytes, version: SigVersion
    ) -> bool:
        """Whether `signature`, its hash type behind it, is the key's for this input."""
        if not signature:
            return False
        what = script_code, signature[-1], version is SigVersion.BASE
        if what not in self._digests:  # a multisig asks for the same digest again and again
            self._digests[what] = self._ecdsa_digest(*what)
        return verify_ecdsa(public_key, signature[:-1], self._digests[what])

    def _ecdsa_digest(self, script_code: bytes, hash_type: int, is_legacy: bool) -> bytes:
        spend, rest = (self.tx, self.input_index, script_code), (hash_type, self.precomputed)
        if is_legacy:
            return sighash.legacy_sighash(*spend, *rest, self._states)
        return sighash.witness_v0_sighash(*spend, self.value, *rest)

    def check_schnorr(
        self,
        signature: bytes,
        public_key: bytes,
        annex_hash: bytes | None,
        leaf_hash: bytes | None = None,
        codeseparator_index: int = NO_CODESEPARATOR,
    ) -> None:
        """Raise ScriptError unless `signature` is the x-only key's for this input (BIP 341)."""
        if len(signature) not in (64, 65):
            raise ScriptError("SCHNORR_SIG_SIZE")
        hash_type = sighash.SIGHASH_DEFAULT
        if len(signature) == 65:
            hash_type = signature[64]
            if hash_type == sighash.SIGHASH_DEFAULT:  # is said by saying nothing
                raise ScriptError("SCHNORR_SIG_HASHTYPE")
        what = hash_type, annex_hash, leaf_hash, codeseparator_index
        digest = sighash.taproot_sighash(self.precomputed, self.input_index, *what)
        if not verify_schnorr(public_key, signature[:64], digest):
            raise ScriptError("SCHNORR_SIG")

    def check_lock_time(self, required: int) -> bool:
        """Whether the transaction's locktime is at least `required`, and in force (BIP 65)."""
        locktime = self.tx.locktime
        if (required < LOCKTIME_THRESHOLD) != (locktime < LOCKTIME_THRESHOLD):
            return False  # a height and a time cannot be compared
        return required <= locktime and self.tx.inputs[self.input_index].sequence != SEQUENCE_FINAL

    def check_sequence(self, required: int) -> bool:
        """Whether the input's relative lock time is at least `required`, and in force (BIP 112)."""
        sequence = self.tx.inputs[self.input_index].sequence
        if self.tx.version < 2 or sequence & SEQUENCE_DISABLE_FLAG:
            return False
        if (required ^ sequence) & SEQUENCE_TYPE_FLAG:
            return False  # blocks and seconds cannot be compared
        return required & SEQUENCE_VALUE_MASK <= sequence & SEQUENCE_VALUE_MASK
