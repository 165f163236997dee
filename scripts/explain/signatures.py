"""Signatures and keys as bytes: what they say, and which parts of a transaction a signature signs.

Knows DER, the 64 bytes of Schnorr and the hash types. Does not verify anything (debugger).
"""

from chain.der import parse_lax_der
from chain.script.sighash import SIGHASH_ANYONECANPAY, SigVersion
from chain.script.signatures import is_strict_der
from scripts.explain.model import Field

_KINDS = {1: "ALL", 2: "NONE", 3: "SINGLE"}
_OUTPUTS = {1: "all outputs", 2: "no outputs", 3: "the output beside it"}
_SCHNORR_SIZES = (64, 65)
_X_ONLY_SIZE = 32


def hash_type_name(hash_type: int) -> str:
    """`ALL|ANYONECANPAY`; a number where there is no name."""
    if hash_type == 0:
        return "DEFAULT"
    name = _KINDS.get(hash_type & ~SIGHASH_ANYONECANPAY, f"0x{hash_type:02x}")
    return f"{name}|ANYONECANPAY" if hash_type & SIGHASH_ANYONECANPAY else name


def what_is_signed(hash_type: int, version: SigVersion, is_taproot: bool = False) -> str:
    """Which fields of the transaction go into the digest."""
    kind = hash_type & (3 if is_taproot else 0x1F)
    parts = ["version", "locktime"]
    if hash_type & SIGHASH_ANYONECANPAY:
        parts.append("this input only")
    else:
        is_loose = kind in (2, 3) and not is_taproot
        parts.append("all inputs" + (", sequences of the others free" if is_loose else ""))
    parts.append(_OUTPUTS.get(kind, _OUTPUTS[1]))
    if is_taproot:
        spent = "this input's" if hash_type & SIGHASH_ANYONECANPAY else "all inputs'"
        parts.append(f"{spent} values and scriptPubKeys")
        parts += ["the leaf"] * (version is SigVersion.TAPSCRIPT)
    else:
        parts.append("this script")
        parts += ["the value spent"] * (version is SigVersion.WITNESS_V0)
    return ", ".join(parts)


def signature_fields(signature: bytes, start: int | None = None) -> list[Field]:
    """The parts of a DER signature with its hash type, or of a Schnorr signature."""
    if len(signature) in _SCHNORR_SIZES and not is_strict_der(signature):
        return _schnorr_fields(signature, start)
    if not is_strict_der(signature):
        return _loose_fields(signature)
    r_end = 4 + signature[3]
    at = start or 0
    return [
        Field("DER", signature[0], "a sequence of two numbers", signature[:2], at),
        Field("R", signature[4:r_end].hex(), "x of the signer's random point", signature[2:r_end],
              at + 2),
        Field("S", signature[r_end + 2 : -1].hex(), "the answer that only the key's owner knows",
              signature[r_end:-1], at + r_end),
        _hash_type_field(signature[-1], at + len(signature) - 1),
    ]  # fmt: skip


def _schnorr_fields(signature: bytes, start: int | None) -> list[Field]:
    at = start or 0
    fields = [
        Field("R", signature[:32].hex(), "x of the signer's random point", signature[:32], at),
        Field("s", signature[32:64].hex(), "the answer that only the key's owner knows",
              signature[32:64], at + 32),
    ]  # fmt: skip
    if len(signature) == 65:
        return [*fields, _hash_type_field(signature[64], at + 64)]
    return [*fields, Field("hash type", "DEFAULT", "left out: all inputs and outputs are signed")]


def _hash_type_field(hash_type: int, start: int) -> Field:
    kind = _OUTPUTS.get(hash_type & 0x1F, "all outputs")
    inputs = "this input only" if hash_type & SIGHASH_ANYONECANPAY else "all inputs"
    meaning = f"what is signed: {inputs}, {kind}"
    return Field("hash type", hash_type_name(hash_type), meaning, bytes([hash_type]), start)


def _loose_fields(signature: bytes) -> list[Field]:
    """What could be read before BIP 66 asked for strict DER."""
    numbers = parse_lax_der(signature[:-1])
    if numbers is None:
        return []
    r, s = numbers
    meaning = "found in a signature that is not strict DER (BIP 66)"
    return [Field("R", f"{r:x}", meaning), Field("S", f"{s:x}", meaning)]


def looks_like_signature(item: bytes) -> bool:
    """Whether an element may be meant as a DER signature with its hash type."""
    return is_strict_der(item) or (9 <= len(item) <= 73 and item[:1] == b"\x30")


def looks_like_key(item: bytes) -> bool:
    """Whether an element has the size and first byte of a public key."""
    return (len(item) == 33 and item[0] in (2, 3)) or (len(item) == 65 and item[0] == 4)


def describe(item: bytes) -> str:
    """A stack's or witness's element in a few words; empty if it could be anything."""
    if looks_like_signature(item):
        return f"signature, {hash_type_name(item[-1])}"
    if looks_like_key(item):
        return "public key"
    if len(item) in _SCHNORR_SIZES:
        return "Schnorr signature"
    return "a hash or an x-only key" if len(item) == _X_ONLY_SIZE else ""
