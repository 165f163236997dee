"""Bitcoin Core's own script engine, error codes and all flags included, as an oracle.

py-bitcoinkernel ships Core's library, whose C interface answers yes or no and knows the consensus
flags only. Its C++ functions are exported too, and the wheel is pinned, so they can be called in
the layout of its compiler (Itanium C++ ABI): VerifyScript, SignatureHash and a few more.
"""

import ctypes
import pathlib
import sys
from collections.abc import Sequence
from ctypes import POINTER, addressof, byref, c_char, c_int, c_int64, c_uint64, c_void_p

import pytest

from chain.transaction import Transaction, TxOut
from tests.chain.script.helpers import Spend

pbk = pytest.importorskip("pbk", reason="the oracle is the py-bitcoinkernel wheel (Linux)")
if sys.platform != "linux" or sys.maxsize < 1 << 62:
    pytest.skip("the oracle is laid out for 64-bit Linux", allow_module_level=True)

from pbk.script import PrecomputedTransactionData  # noqa: E402

LIBRARY = ctypes.CDLL(
    str(next(pathlib.Path(str(pbk.__file__)).parent.rglob("libbitcoinkernel.so")))
)
# In the order of Core's enum ScriptError_t, with the names of its script_tests.cpp.
CODES = (
    "OK UNKNOWN_ERROR EVAL_FALSE OP_RETURN SCRIPTNUM SCRIPT_SIZE PUSH_SIZE OP_COUNT STACK_SIZE "
    "SIG_COUNT PUBKEY_COUNT VERIFY EQUALVERIFY CHECKMULTISIGVERIFY CHECKSIGVERIFY NUMEQUALVERIFY "
    "BAD_OPCODE DISABLED_OPCODE INVALID_STACK_OPERATION INVALID_ALTSTACK_OPERATION "
    "UNBALANCED_CONDITIONAL NEGATIVE_LOCKTIME UNSATISFIED_LOCKTIME SIG_HASHTYPE SIG_DER "
    "MINIMALDATA SIG_PUSHONLY SIG_HIGH_S SIG_NULLDUMMY PUBKEYTYPE CLEANSTACK MINIMALIF NULLFAIL "
    "DISCOURAGE_UPGRADABLE_NOPS DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM "
    "DISCOURAGE_UPGRADABLE_TAPROOT_VERSION DISCOURAGE_OP_SUCCESS DISCOURAGE_UPGRADABLE_PUBKEYTYPE "
    "WITNESS_PROGRAM_WRONG_LENGTH WITNESS_PROGRAM_WITNESS_EMPTY WITNESS_PROGRAM_MISMATCH "
    "WITNESS_MALLEATED WITNESS_MALLEATED_P2SH WITNESS_UNEXPECTED WITNESS_PUBKEYTYPE "
    "SCHNORR_SIG_SIZE SCHNORR_SIG_HASHTYPE SCHNORR_SIG TAPROOT_WRONG_CONTROL_SIZE "
    "TAPSCRIPT_VALIDATION_WEIGHT TAPSCRIPT_CHECKMULTISIG TAPSCRIPT_MINIMALIF "
    "TAPSCRIPT_EMPTY_PUBKEY OP_CODESEPARATOR SIG_FINDANDDELETE"
).split()

_verify_script = LIBRARY[
    "_Z12VerifyScriptRK7CScriptS1_PK14CScriptWitness19script_verify_flags"
    "RK20BaseSignatureCheckerP13ScriptError_t"
]
_verify_script.restype = ctypes.c_bool
_verify_script.argtypes = [c_void_p, c_void_p, c_void_p, c_uint64, c_void_p, POINTER(c_int)]
_signature_hash = LIBRARY[
    "_Z13SignatureHashI12CTransactionE7uint256RK7CScriptRKT_jiRKl10SigVersion"
    "PK26PrecomputedTransactionDataP12SigHashCache"
]
_signature_hash.restype = None
_signature_hash.argtypes = [
    c_void_p, c_void_p, c_void_p, ctypes.c_uint, c_int, POINTER(c_int64), c_int, c_void_p, c_void_p
]  # fmt: skip
_error_string = LIBRARY["_Z17ScriptErrorStringB5cxx1113ScriptError_t"]
_error_string.restype = None
_error_string.argtypes = [c_void_p, c_int]
_find_and_delete = LIBRARY["_Z13FindAndDeleteR7CScriptRKS_"]
_find_and_delete.restype = c_int
_find_and_delete.argtypes = [c_void_p, c_void_p]
_sigop_count = LIBRARY["_ZNK7CScript13GetSigOpCountEb"]
_sigop_count.restype = ctypes.c_uint
_sigop_count.argtypes = [c_void_p, ctypes.c_bool]
_is_push_only = LIBRARY["_ZNK7CScript10IsPushOnlyEv"]
_is_push_only.restype = ctypes.c_bool
_is_push_only.argtypes = [c_void_p]
_solver = LIBRARY["_Z6SolverRK7CScriptRSt6vectorIS2_IhSaIhEESaIS4_EE"]
_solver.restype = c_int
_solver.argtypes = [c_void_p, c_void_p]
_CHECKER_VTABLE = addressof(
    c_char.in_dll(LIBRARY, "_ZTV34GenericTransactionSignatureCheckerI12CTransactionE")
)
_DIRECT_SIZE = 36  # prevector<36, unsigned char>: shorter scripts live within


class _CScript(ctypes.Structure):
    """prevector: 36 bytes or a pointer and a capacity, then the size (plus 37 if a pointer)."""

    _fields_ = (("union", c_char * _DIRECT_SIZE), ("size", ctypes.c_uint32))

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.keep = ctypes.create_string_buffer(data, max(1, len(data)))
        if len(data) <= _DIRECT_SIZE:
            ctypes.memmove(byref(self), data, len(data))
            self.size = len(data)
        else:
            c_uint64.from_buffer(self, 0).value = addressof(self.keep)
            ctypes.c_uint32.from_buffer(self, 8).value = len(data)
            self.size = len(data) + _DIRECT_SIZE + 1

    def __bytes__(self) -> bytes:
        if self.size <= _DIRECT_SIZE:
            return ctypes.string_at(byref(self), self.size)
        return ctypes.string_at(c_uint64.from_buffer(self, 0).value, self.size - _DIRECT_SIZE - 1)


class _Vector(ctypes.Structure):
    """std::vector: where it begins, where it ends, where its room ends."""

    _fields_ = (("begin", c_uint64), ("end", c_uint64), ("room", c_uint64))


def _vector(start: int, size: int) -> _Vector:
    return _Vector(start, start + size, start + size)


class _Checker(ctypes.Structure):
    """GenericTransactionSignatureChecker<CTransaction>; the tail is room for its sighash cache."""

    _fields_ = (
        ("vtable", c_uint64),
        ("tx", c_uint64),
        ("missing_data", c_int),
        ("input_index", ctypes.c_uint),
        ("amount", c_int64),
        ("precomputed", c_uint64),
        ("cache", c_char * 4096),
    )


def _pointer(handle: object) -> int:
    return int(ctypes.cast(handle._as_parameter_, c_void_p).value or 0)  # type: ignore[attr-defined]


class Core:
    """Core's view of one transaction and the outputs that it spends."""

    def __init__(self, tx: Transaction, spent_outputs: Sequence[TxOut]) -> None:
        self.spent_outputs = spent_outputs
        self.tx = pbk.Transaction(tx.serialize())
        outputs = [
            pbk.TransactionOutput(pbk.ScriptPubkey(output.script_pubkey), output.value)
            for output in spent_outputs
        ]
        self.precomputed = PrecomputedTransactionData(self.tx, outputs)
        # A btck_Transaction is a std::shared_ptr<const CTransaction>.
        self.c_tx = c_uint64.from_address(_pointer(self.tx)).value

    def verify(
        self, input_index: int, script_sig: bytes, witness: Sequence[bytes], flags: int
    ) -> str:
        """The code of Core's VerifyScript."""
        spent = self.spent_outputs[input_index]
        checker = _Checker(
            vtable=_CHECKER_VTABLE + 16,
            tx=self.c_tx,
            input_index=input_index,
            amount=spent.value,
            precomputed=_pointer(self.precomputed),
        )
        buffers = [ctypes.create_string_buffer(item, max(1, len(item))) for item in witness]
        items = (_Vector * max(1, len(witness)))(
            *(_vector(addressof(b), len(item)) for b, item in zip(buffers, witness, strict=True))
        )
        stack = _vector(addressof(items), len(witness) * ctypes.sizeof(_Vector))
        sig, pubkey, code = _CScript(script_sig), _CScript(spent.script_pubkey), c_int(-1)
        good = _verify_script(
            byref(sig), byref(pubkey), byref(stack), int(flags), byref(checker), byref(code)
        )
        assert good == (code.value == 0)
        return CODES[code.value]

    def sighash(self, input_index: int, script_code: bytes, hash_type: int, version: int) -> bytes:
        """Core's SignatureHash: `version` 0 is legacy, 1 is witness version 0."""
        result, script = ctypes.create_string_buffer(32), _CScript(script_code)
        amount = c_int64(self.spent_outputs[input_index].value)
        hash_type = (hash_type + (1 << 31)) % (1 << 32) - (1 << 31)
        _signature_hash(
            result, byref(script), self.c_tx, input_index, hash_type, byref(amount), version, 0, 0
        )
        return result.raw


def code_of(spend: Spend) -> str:
    """The code of Core's VerifyScript for an input about to be spent."""
    tx_in = spend.tx.inputs[spend.input_index]
    engine = Core(spend.tx, spend.spent_outputs)
    return engine.verify(spend.input_index, tx_in.script_sig, tx_in.witness, spend.flags)


def is_valid(spend: Spend) -> bool:
    """What the wheel's own interface says, which knows the consensus flags only."""
    engine, spent = Core(spend.tx, spend.spent_outputs), spend.spent_outputs[spend.input_index]
    return bool(
        pbk.ScriptPubkey(spent.script_pubkey).verify(
            spent.value,
            engine.tx,
            engine.precomputed,
            spend.input_index,
            pbk.ScriptVerificationFlags(spend.flags),
        )
    )


def error_text(number: int) -> str:
    """Core's ScriptErrorString."""
    text = (c_uint64 * 4)()
    _error_string(byref(text), number)
    return ctypes.string_at(text[0], text[1]).decode()


def find_and_delete(script: bytes, unwanted: bytes) -> tuple[bytes, int]:
    """Core's FindAndDelete. Scripts within 36 bytes, so that nothing has to be freed."""
    assert len(script) <= _DIRECT_SIZE
    result, needle = _CScript(script), _CScript(unwanted)
    count = _find_and_delete(byref(result), byref(needle))
    return bytes(result), count


def count_sigops(script: bytes, accurate: bool) -> int:
    """Core's CScript::GetSigOpCount."""
    return int(_sigop_count(byref(_CScript(script)), accurate))


def is_push_only(script: bytes) -> bool:
    """Core's CScript::IsPushOnly."""
    return bool(_is_push_only(byref(_CScript(script))))


def solve(script: bytes) -> int:
    """Core's Solver: the number of a TxoutType."""
    solutions = _Vector()
    return int(_solver(byref(_CScript(script)), byref(solutions)))
