"""Encodings: in which bytes signatures and keys may be written, whatever they say.

Early Bitcoin took whatever OpenSSL could parse: one signature had many spellings, and anybody could
change a transaction's id on its way. These rules leave one. Whether a signature is valid is not
asked here.
Reference: BIP 66 (strict DER), BIP 146 (low S); Core, src/script/interpreter.cpp.
"""

from chain.curve import CURVE_ORDER
from chain.script import flags as flag
from chain.script.errors import ScriptError
from chain.script.sighash import SIGHASH_ALL, SIGHASH_ANYONECANPAY, SIGHASH_SINGLE, SigVersion


def check_signature_encoding(signature: bytes, flags: int) -> None:
    """`signature` is DER with the hash type behind it, or empty: a short way to fail on purpose."""
    if not signature:
        return
    if flags & (flag.DERSIG | flag.LOW_S | flag.STRICTENC) and not is_strict_der(signature):
        raise ScriptError("SIG_DER")
    if flags & flag.LOW_S and not _has_low_s(signature):
        raise ScriptError("SIG_HIGH_S")
    kind = signature[-1] & ~SIGHASH_ANYONECANPAY
    if flags & flag.STRICTENC and not SIGHASH_ALL <= kind <= SIGHASH_SINGLE:
        raise ScriptError("SIG_HASHTYPE")


def check_public_key_encoding(public_key: bytes, flags: int, version: SigVersion) -> None:
    """Length and first byte only; in witness version 0 policy wants the short form."""
    if flags & flag.STRICTENC and not (_is_compressed(public_key) or _is_uncompressed(public_key)):
        raise ScriptError("PUBKEYTYPE")
    short_only = flags & flag.WITNESS_PUBKEYTYPE and version is SigVersion.WITNESS_V0
    if short_only and not _is_compressed(public_key):
        raise ScriptError("WITNESS_PUBKEYTYPE")


def _is_compressed(public_key: bytes) -> bool:
    return len(public_key) == 33 and public_key[0] in (2, 3)


def _is_uncompressed(public_key: bytes) -> bool:
    return len(public_key) == 65 and public_key[0] == 4


def is_strict_der(signature: bytes) -> bool:
    """Whether `signature` is 30 <size> 02 <size> <R> 02 <size> <S> <hash type>, all sizes exact.

    R and S are positive and as short as can be: a zero byte in front only before a set top bit.
    """
    size = len(signature)
    if not 9 <= size <= 73 or signature[0] != 0x30 or signature[1] != size - 3:
        return False
    s_start = 4 + signature[3]
    if s_start + 1 >= size or s_start + signature[s_start + 1] + 3 != size:
        return False
    return _is_der_integer(signature[2:s_start]) and _is_der_integer(signature[s_start:-1])


def _is_der_integer(encoded: bytes) -> bool:
    """Whether 02 <size> <bytes> is a positive number without a needless zero in front."""
    digits = encoded[2:]
    if encoded[0] != 0x02 or not digits or digits[0] & 0x80:
        return False
    return not (len(digits) > 1 and digits[0] == 0 and not digits[1] & 0x80)


def _has_low_s(signature: bytes) -> bool:
    """Whether S of a signature that is strict DER is at most half the order of the curve.

    As libsecp256k1 has it, a signature with a number out of range is read as zero, which is low.
    """
    r_end = 4 + signature[3]
    r = int.from_bytes(signature[4:r_end], "big")
    s = int.from_bytes(signature[r_end + 2 : -1], "big")
    return s <= CURVE_ORDER // 2 or max(r, s) >= CURVE_ORDER
