"""Named cases: for every code of ScriptError at least one spend that fails with exactly that code.

Each is a line a student can read; the same cases are put to Bitcoin Core (test_against_core).
"""

from collections.abc import Callable, Sequence

from chain import curve
from chain.hashes import hash160, sha256
from chain.script import sighash
from chain.script import witness as taproot
from chain.script.script import push
from chain.script.templates import multisig, p2pk, p2pkh, p2sh, p2tr, p2wpkh, p2wsh
from chain.transaction import TxOut
from tests.chain.script.helpers import (
    CONSENSUS,
    STANDARD,
    Spend,
    bare,
    bare_tx,
    script,
    with_input,
)

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SECRET, OTHER_SECRET = bytes(31) + b"\x05", bytes(31) + b"\x06"
KEY, OTHER_KEY = curve.public_key(SECRET), curve.public_key(OTHER_SECRET)
# 5G has an even y, so that the secret serves for taproot as it is.
X_ONLY = KEY[1:]
VALUE = 1000
NOTHING = 0
P2SH, STRICTENC, DERSIG, LOW_S, NULLDUMMY, SIGPUSHONLY = (1 << bit for bit in range(6))
MINIMALDATA, DISCOURAGE_NOPS, CLEANSTACK, CLTV, CSV, WITNESS = (1 << bit for bit in range(6, 12))
DISCOURAGE_PROGRAM, MINIMALIF, NULLFAIL, COMPRESSED, CONST = (1 << bit for bit in range(12, 17))
TAPROOT, DISCOURAGE_LEAF, DISCOURAGE_SUCCESS, DISCOURAGE_KEY = (1 << bit for bit in range(17, 21))
SEGWIT = P2SH | WITNESS
TAPSCRIPT = SEGWIT | TAPROOT

Mangle = Callable[[bytes], bytes]


def as_it_is(signature: bytes) -> bytes:
    """No change."""
    return signature


def high_s(signature: bytes) -> bytes:
    """The other of the two spellings: n - S."""
    r_end = 4 + signature[3]
    s = (ORDER - int.from_bytes(signature[r_end + 2 :], "big")).to_bytes(33, "big")
    body = signature[2:r_end] + b"\x02\x21" + s
    return b"\x30" + bytes([len(body)]) + body


def padded_r(signature: bytes) -> bytes:
    """A needless zero in front of R: not DER."""
    body = b"\x02" + bytes([signature[3] + 1]) + b"\x00" + signature[4:]
    return b"\x30" + bytes([len(body)]) + body


def legacy(
    script_pubkey: bytes,
    flags: int,
    *,
    mangle: Mangle = as_it_is,
    hash_type: int = 1,
    before: Sequence[bytes] = (),
    after: Sequence[bytes] = (),
    code: bytes | None = None,
    signers: Sequence[bytes] = (SECRET,),
) -> Spend:
    """Signatures of `code` (the scriptPubKey) between other pushes."""
    tx = bare_tx()
    digest = sighash.legacy_sighash(tx, 0, script_pubkey if code is None else code, hash_type)
    signatures = [mangle(curve.sign_ecdsa(signer, digest)) for signer in signers]
    pushes = [*before, *(s + bytes([hash_type]) for s in signatures), *after]
    tx = with_input(tx, 0, b"".join(push(item) for item in pushes), ())
    return Spend(tx, 0, [TxOut(VALUE, script_pubkey)], flags)


def v0_signature(code: bytes, hash_type: int = 1, secret: bytes = SECRET) -> bytes:
    """A signature of bare_tx() in witness version 0."""
    digest = sighash.witness_v0_sighash(bare_tx(), 0, code, VALUE, hash_type)
    return curve.sign_ecdsa(secret, digest) + bytes([hash_type])


def native(
    script_pubkey: bytes, witness: Sequence[bytes], flags: int, script_sig: bytes = b""
) -> Spend:
    """A witness program and its witness."""
    return Spend(bare_tx(script_sig, witness), 0, [TxOut(VALUE, script_pubkey)], flags)


def wsh(code: bytes, stack: Sequence[bytes], flags: int = CONSENSUS) -> Spend:
    """P2WSH."""
    return native(p2wsh(sha256(code)), [*stack, code], flags)


def wpkh(public_key: bytes, flags: int, signature: bytes | None = None) -> Spend:
    """P2WPKH."""
    signature = signature or v0_signature(p2pkh(hash160(public_key)))
    return native(p2wpkh(hash160(public_key)), [signature, public_key], flags)


def key_path(mangle: Mangle = as_it_is, hash_type: int = 0, flags: int = CONSENSUS) -> Spend:
    """P2TR of an untweaked key: nobody can tell."""
    spent = [TxOut(VALUE, p2tr(X_ONLY))]
    known = sighash.PrecomputedSighash(bare_tx(), spent)
    digest = sighash.taproot_sighash(known, 0, hash_type)
    signature = curve.sign_schnorr(SECRET, digest, bytes(32))
    suffix = bytes([hash_type]) if hash_type else b""
    return native(p2tr(X_ONLY), [mangle(signature + suffix)], flags)


def tapscript(
    code: bytes,
    stack: Sequence[bytes] = (),
    flags: int = CONSENSUS,
    *,
    sign: bool = False,
    version: int = 0xC0,
    path: bytes = b"",
    mangle_control: Mangle = as_it_is,
    annex: Sequence[bytes] = (),
) -> Spend:
    """Taproot's script path with one leaf; if `sign`, a signature of SECRET lies on top."""
    leaf = node = taproot.tapleaf_hash(code, version)
    for start in range(0, len(path), 32):
        node = taproot.tapbranch_hash(node, path[start : start + 32])
    output_key, parity = taproot.taproot_output_key(X_ONLY, node)
    stack = list(stack)
    if sign:
        known = sighash.PrecomputedSighash(bare_tx(), [TxOut(VALUE, p2tr(output_key))])
        digest = sighash.taproot_sighash(known, 0, leaf_hash=leaf)
        stack.append(curve.sign_schnorr(SECRET, digest, bytes(32)))
    control = mangle_control(bytes([version | parity]) + X_ONLY + path)
    return native(p2tr(output_key), [*stack, code, control, *annex], flags)


def nested(script_sig: bytes, witness: Sequence[bytes] = ()) -> Spend:
    """P2SH of TRUE_PROGRAM."""
    return native(p2sh(hash160(TRUE_PROGRAM)), witness, SEGWIT, script_sig)


PAY_KEY = p2pk(KEY)
PAY_KEY_HASH = p2pkh(hash160(KEY))
TRUE_PROGRAM = p2wsh(sha256(script("1")))
TWO_OF_TWO, ONE_OF_ONE = multisig(2, [KEY, OTHER_KEY]), multisig(1, [KEY])
KEY_CHECK = push(X_ONLY) + script("CHECKSIG")
LONG_KEY = bytes.fromhex(  # 5G, uncompressed
    "042f8bde4d1a07209355b4a7250a5c5128e88b84bddc619ab7cba8d569b240efe4"
    "d8ac222636e5e3d6d4dba9dda6c9c426f788271bab0d6840dca87d3aa6ac62d6"
)
HYBRID_KEY = b"\x06" + LONG_KEY[1:]
IF = script("IF 1 ENDIF")

CASES: list[tuple[str, Spend]] = [
    # What the script says.
    ("OK", bare("2 3", "ADD 5 EQUAL")),
    ("EVAL_FALSE", bare("2 3", "ADD 6 EQUAL")),
    ("EVAL_FALSE", bare("", "")),
    ("EVAL_FALSE", bare("", "<0080>")),  # negative zero
    ("EVAL_FALSE", bare("<00>", f"HASH160 <{hash160(bytes(1)).hex()}> EQUAL", P2SH)),
    ("EVAL_FALSE", wsh(script("0"), ())),
    ("EVAL_FALSE", wpkh(KEY, CONSENSUS, v0_signature(b"something else"))),
    ("EVAL_FALSE", native(script(f"0 <{'00' * 20}>"), (), CONSENSUS)),
    ("OP_RETURN", bare("", "RETURN")),
    ("OP_RETURN", bare("1", "IF RETURN ENDIF")),
    ("OK", bare("0", "IF RETURN ENDIF 1")),
    ("VERIFY", bare("0", "VERIFY 1")),
    ("EQUALVERIFY", bare("1 2", "EQUALVERIFY 1")),
    ("EQUALVERIFY", native(p2wpkh(hash160(KEY)), [b"", OTHER_KEY], CONSENSUS)),
    ("NUMEQUALVERIFY", bare("1 2", "NUMEQUALVERIFY 1")),
    ("CHECKSIGVERIFY", bare("0", f"<{KEY.hex()}> CHECKSIGVERIFY 1")),
    ("CHECKMULTISIGVERIFY", bare("0 0", f"1 <{KEY.hex()}> 1 CHECKMULTISIGVERIFY 1")),
    # Limits.
    ("OK", bare("", "1 <7fffffff> 1ADD")),
    ("SCRIPTNUM", bare("", "<ffffffff00> 1ADD")),
    ("OK", bare("", "<0100> 1ADD")),
    ("SCRIPTNUM", bare("", "<0100> 1ADD", MINIMALDATA)),
    ("SCRIPTNUM", tapscript(script("<ffffffff00>") + push(X_ONLY) + script("CHECKSIGADD"), [b""])),
    ("OK", bare("", "1" + " NOP" * 201)),
    ("OK", bare("", "16" + " NOP" * 201)),
    ("OP_COUNT", bare("", "1" + " NOP" * 202)),
    ("OP_COUNT", bare("", "1 0 IF" + " NOP" * 202 + " ENDIF")),
    ("OP_COUNT", bare("0 0" + " 0" * 20, "NOP " * 181 + "20 CHECKMULTISIG")),
    ("OK", tapscript(script("1" + " NOP" * 202))),
    ("OK", bare("", "1" + f" <{'00' * 519}> DROP" * 19 + " NOP" * 62)),
    ("SCRIPT_SIZE", bare("", "1" + f" <{'00' * 519}> DROP" * 19 + " NOP" * 63)),
    ("OK", tapscript(script("1" + f" <{'00' * 519}> DROP" * 19 + " NOP" * 100))),
    ("OK", bare(f"<{'01' * 520}>", "")),
    ("PUSH_SIZE", bare(f"<{'01' * 521}>", "")),
    ("PUSH_SIZE", bare("0", f"IF <{'01' * 521}> ENDIF 1")),
    ("OK", wsh(script("DROP 1"), [bytes(520)])),
    ("PUSH_SIZE", wsh(script("DROP 1"), [bytes(521)])),
    ("PUSH_SIZE", native(p2wpkh(hash160(bytes(521))), [b"", bytes(521)], CONSENSUS)),
    ("PUSH_SIZE", tapscript(script("DROP 1"), [bytes(521)])),
    ("OK", bare("1 " * 1000, "")),
    ("STACK_SIZE", bare("1 " * 1001, "")),
    ("STACK_SIZE", bare("1 " * 999, "1 TOALTSTACK 1 1")),
    ("OK", tapscript(script("2DROP " * 499 + "DROP"), [b"\x01"] * 1000)),
    ("STACK_SIZE", tapscript(script("DROP"), [b"\x01"] * 1001)),
    ("PUBKEY_COUNT", bare("0 0 0", "21 CHECKMULTISIG")),
    ("PUBKEY_COUNT", bare("0 0 0", "-1 CHECKMULTISIG")),
    ("SIG_COUNT", bare("0", f"2 <{KEY.hex()}> 1 CHECKMULTISIG")),
    ("SIG_COUNT", bare("0", f"-1 <{KEY.hex()}> 1 CHECKMULTISIG")),
    # Malformed scripts.
    ("BAD_OPCODE", bare("", "1 RESERVED")),
    ("OK", bare("", "1 0 IF RESERVED ENDIF")),
    ("BAD_OPCODE", bare("", "1 0 IF VERIF ENDIF")),
    ("BAD_OPCODE", bare("", "1 0xbb")),
    ("BAD_OPCODE", bare("", "1 0x02ff")),  # a push that is cut off
    ("BAD_OPCODE", bare("", "1 0x4dff")),
    ("BAD_OPCODE", bare("0 0", f"<{KEY.hex()}> CHECKSIGADD")),
    ("BAD_OPCODE", tapscript(script("1 0x02ff"))),
    ("DISABLED_OPCODE", bare("1 1", "CAT")),
    ("DISABLED_OPCODE", bare("", "0 IF MUL ENDIF 1")),
    ("INVALID_STACK_OPERATION", bare("", "DUP")),
    ("INVALID_STACK_OPERATION", bare("", "IF 1 ENDIF")),
    ("INVALID_STACK_OPERATION", bare("1", "1 PICK")),
    ("INVALID_STACK_OPERATION", bare("1", "-1 ROLL")),
    ("INVALID_STACK_OPERATION", bare("", "CHECKLOCKTIMEVERIFY")),
    ("INVALID_STACK_OPERATION", bare("0", "CHECKSIG")),
    (
        "INVALID_STACK_OPERATION",
        bare("", f"0 0 <{KEY.hex()}> 1 CHECKMULTISIG DROP 0 0 CHECKMULTISIG"),
    ),
    ("INVALID_ALTSTACK_OPERATION", bare("1", "FROMALTSTACK")),
    ("INVALID_ALTSTACK_OPERATION", bare("1 TOALTSTACK", "FROMALTSTACK")),
    ("UNBALANCED_CONDITIONAL", bare("1", "IF 1")),
    ("UNBALANCED_CONDITIONAL", bare("1", "ELSE")),
    ("UNBALANCED_CONDITIONAL", bare("1", "ENDIF")),
    ("UNBALANCED_CONDITIONAL", bare("1 IF", "1 ENDIF")),
    # Lock times.
    ("OK", bare("", "5 CHECKLOCKTIMEVERIFY", locktime=5, sequence=0)),
    ("OK", bare("", "0 CHECKLOCKTIMEVERIFY 1", sequence=0)),
    ("NEGATIVE_LOCKTIME", bare("", "-1 CHECKLOCKTIMEVERIFY", locktime=5, sequence=0)),
    ("NEGATIVE_LOCKTIME", bare("", "-1 CHECKSEQUENCEVERIFY", sequence=0)),
    ("UNSATISFIED_LOCKTIME", bare("", "6 CHECKLOCKTIMEVERIFY", locktime=5, sequence=0)),
    ("UNSATISFIED_LOCKTIME", bare("", "5 CHECKLOCKTIMEVERIFY", locktime=5)),
    ("UNSATISFIED_LOCKTIME", bare("", "5 CHECKLOCKTIMEVERIFY", locktime=500000000, sequence=0)),
    ("OK", bare("", "<ffffffff00> CHECKLOCKTIMEVERIFY", locktime=0xFFFFFFFF, sequence=0)),
    ("SCRIPTNUM", bare("", "<ffffffff0000> CHECKLOCKTIMEVERIFY", sequence=0)),
    ("OK", bare("", "1 6 CHECKLOCKTIMEVERIFY DROP", CONSENSUS & ~CLTV, locktime=5)),
    ("OK", bare("", "5 CHECKSEQUENCEVERIFY", sequence=5)),
    ("UNSATISFIED_LOCKTIME", bare("", "6 CHECKSEQUENCEVERIFY", sequence=5)),
    ("UNSATISFIED_LOCKTIME", bare("", "5 CHECKSEQUENCEVERIFY", sequence=5, version=1)),
    ("UNSATISFIED_LOCKTIME", bare("", "5 CHECKSEQUENCEVERIFY", sequence=1 << 22 | 5)),
    ("UNSATISFIED_LOCKTIME", bare("", "5 CHECKSEQUENCEVERIFY", sequence=1 << 31 | 5)),
    ("OK", bare("", f"{1 << 31} CHECKSEQUENCEVERIFY", sequence=5)),
    ("OK", bare("", f"{1 << 31} CHECKSEQUENCEVERIFY", sequence=5, version=1)),
    ("OK", bare("", "6 CHECKSEQUENCEVERIFY", CONSENSUS & ~CSV, sequence=5)),
    # Malleability.
    ("OK", legacy(PAY_KEY, STANDARD)),
    ("OK", legacy(PAY_KEY, CONSENSUS, hash_type=4)),
    ("SIG_HASHTYPE", legacy(PAY_KEY, STRICTENC, hash_type=4)),
    ("SIG_HASHTYPE", legacy(PAY_KEY, STRICTENC, hash_type=0x80)),
    ("SIG_DER", legacy(PAY_KEY, DERSIG, mangle=padded_r)),
    ("SIG_DER", legacy(PAY_KEY, LOW_S, mangle=padded_r)),
    ("SIG_DER", legacy(PAY_KEY, STRICTENC, mangle=padded_r)),
    ("OK", legacy(PAY_KEY, NOTHING, mangle=padded_r)),
    ("OK", legacy(PAY_KEY, CONSENSUS, mangle=high_s)),
    ("SIG_HIGH_S", legacy(PAY_KEY, LOW_S, mangle=high_s)),
    ("OK", bare("0x4c0101", "")),
    ("MINIMALDATA", bare("0x4c0101", "", MINIMALDATA)),
    ("MINIMALDATA", bare("0x0101", "", MINIMALDATA)),
    ("MINIMALDATA", bare("0x0110", "", MINIMALDATA)),
    ("OK", bare("0x0111", "", MINIMALDATA)),
    ("MINIMALDATA", bare("0x0181", "", MINIMALDATA)),
    ("MINIMALDATA", bare("0x4c00", "1", MINIMALDATA)),
    ("MINIMALDATA", bare("0x4d010002", "1", MINIMALDATA)),
    ("OK", bare("1 NOP", "")),
    ("SIG_PUSHONLY", bare("1 NOP", "", SIGPUSHONLY)),
    ("SIG_PUSHONLY", bare("NOP <51>", f"HASH160 <{hash160(script('1')).hex()}> EQUAL", P2SH)),
    ("OK", bare("NOP <51>", f"HASH160 <{hash160(script('1')).hex()}> EQUAL", NOTHING)),
    ("OK", legacy(TWO_OF_TWO, STANDARD, before=[b""], signers=[SECRET, OTHER_SECRET])),
    ("OK", legacy(ONE_OF_ONE, CONSENSUS & ~NULLDUMMY, before=[b"x"])),
    ("SIG_NULLDUMMY", legacy(ONE_OF_ONE, CONSENSUS, before=[b"x"])),
    ("OK", legacy(p2pk(LONG_KEY), STANDARD)),
    ("OK", legacy(p2pk(HYBRID_KEY), CONSENSUS)),
    ("PUBKEYTYPE", legacy(p2pk(HYBRID_KEY), STRICTENC)),
    ("PUBKEYTYPE", legacy(p2pk(KEY[:-1]), STRICTENC)),
    ("OK", bare("1 1", "")),
    ("CLEANSTACK", bare("1 1", "", SEGWIT | CLEANSTACK)),
    ("CLEANSTACK", wsh(script("1 1"), ())),
    ("CLEANSTACK", wsh(script("DROP"), [b"\x01"])),
    ("CLEANSTACK", tapscript(script("1 1"))),
    ("OK", wsh(IF, [b"\x02"])),
    ("MINIMALIF", wsh(IF, [b"\x02"], SEGWIT | MINIMALIF)),
    ("MINIMALIF", wsh(script("NOTIF 1 ENDIF"), [b"\x00"], SEGWIT | MINIMALIF)),
    ("OK", bare("2", "IF 1 ENDIF", SEGWIT | MINIMALIF)),
    ("OK", legacy(PAY_KEY + script("NOT"), CONSENSUS, code=b"\x51")),
    ("NULLFAIL", legacy(PAY_KEY + script("NOT"), NULLFAIL, code=b"\x51")),
    ("OK", bare("0", f"<{KEY.hex()}> CHECKSIG NOT", NULLFAIL)),
    ("OK", bare("0 0", f"1 <{KEY.hex()}> 1 CHECKMULTISIG NOT", NULLFAIL)),
    ("NULLFAIL", legacy(TWO_OF_TWO + script("NOT"), NULLFAIL, before=[b"", b""])),
    ("NULLFAIL", legacy(ONE_OF_ONE + script("NOT"), NULLFAIL, code=b"\x51", before=[b""])),
    # Kept free for soft forks.
    ("OK", bare("", "1 NOP1 NOP10")),
    ("DISCOURAGE_UPGRADABLE_NOPS", bare("", "1 NOP1", DISCOURAGE_NOPS)),
    ("DISCOURAGE_UPGRADABLE_NOPS", bare("", "1 NOP10", DISCOURAGE_NOPS)),
    ("OK", bare("", "1 CHECKLOCKTIMEVERIFY", DISCOURAGE_NOPS)),
    ("OK", native(script("2 <0102>"), [b"x"], CONSENSUS)),
    ("OK", native(script(f"2 <{X_ONLY.hex()}>"), [b"x"], CONSENSUS)),
    ("OK", native(p2sh(hash160(p2tr(X_ONLY))), [b"x"], CONSENSUS, push(p2tr(X_ONLY)))),
    ("DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM", native(script("2 <0102>"), [], STANDARD)),
    ("DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM", native(script("1 <0102>"), [], STANDARD)),
    ("OK", native(script("1 <4e73>"), (), STANDARD)),  # pay to anchor
    (
        "DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM",
        bare("<51024e73>", f"HASH160 <{hash160(script('1 <4e73>')).hex()}> EQUAL", STANDARD),
    ),
    ("OK", tapscript(script("RETURN"), version=0xC2)),
    ("DISCOURAGE_UPGRADABLE_TAPROOT_VERSION", tapscript(script("1"), (), STANDARD, version=0xC2)),
    ("OK", tapscript(script("0xfe 0x02ff"))),
    ("DISCOURAGE_OP_SUCCESS", tapscript(script("0xfe 0x02ff"), (), STANDARD)),
    ("OK", tapscript(script("<aabb> CHECKSIG"), [b"x"])),
    ("DISCOURAGE_UPGRADABLE_PUBKEYTYPE", tapscript(script("<aabb> CHECKSIG"), [b"x"], STANDARD)),
    # Witness version 0.
    ("OK", wpkh(KEY, STANDARD)),
    ("OK", wsh(script("1"), (), STANDARD)),
    ("OK", native(TRUE_PROGRAM, (), P2SH)),  # before segwit anybody could take it
    ("WITNESS_PROGRAM_WRONG_LENGTH", native(script("0 <0102>"), (), CONSENSUS)),
    ("WITNESS_PROGRAM_WITNESS_EMPTY", native(TRUE_PROGRAM, (), CONSENSUS)),
    ("WITNESS_PROGRAM_WITNESS_EMPTY", native(p2tr(X_ONLY), (), CONSENSUS)),
    ("WITNESS_PROGRAM_MISMATCH", native(TRUE_PROGRAM, [b"\x52"], CONSENSUS)),
    ("WITNESS_PROGRAM_MISMATCH", native(p2wpkh(bytes([1] * 20)), [b"", b"", b""], CONSENSUS)),
    ("WITNESS_MALLEATED", native(TRUE_PROGRAM, [b"\x51"], CONSENSUS, script_sig=script("1"))),
    ("OK", nested(push(TRUE_PROGRAM), [b"\x51"])),
    ("OK", native(p2sh(hash160(TRUE_PROGRAM)), [b"\x51"], STANDARD, push(TRUE_PROGRAM))),
    ("OK", native(p2sh(hash160(TRUE_PROGRAM)), (), P2SH, push(TRUE_PROGRAM))),
    ("WITNESS_MALLEATED_P2SH", nested(script("1") + push(TRUE_PROGRAM), [b"\x51"])),
    ("WITNESS_MALLEATED_P2SH", nested(script("0x4c22") + TRUE_PROGRAM, [b"\x51"])),
    ("WITNESS_UNEXPECTED", bare("1", "", SEGWIT, [b""])),
    ("OK", bare("1", "", P2SH, [b""])),
    ("OK", wpkh(LONG_KEY, CONSENSUS)),
    ("WITNESS_PUBKEYTYPE", wpkh(LONG_KEY, SEGWIT | COMPRESSED)),
    ("OK", legacy(p2pk(LONG_KEY), SEGWIT | COMPRESSED)),
    # Taproot.
    ("OK", key_path()),
    ("OK", key_path(hash_type=0x83)),
    ("OK", native(p2tr(X_ONLY), (), SEGWIT)),  # before taproot anybody could take it
    ("SCHNORR_SIG_SIZE", key_path(lambda signature: signature[:-1])),
    ("SCHNORR_SIG_SIZE", key_path(lambda signature: b"")),
    ("SCHNORR_SIG_HASHTYPE", key_path(lambda signature: signature + b"\x00")),
    ("SCHNORR_SIG_HASHTYPE", key_path(lambda signature: signature + b"\x04")),
    ("SCHNORR_SIG", key_path(lambda signature: bytes(64))),
    ("SCHNORR_SIG", key_path(lambda signature: signature + b"\x01")),
    ("OK", tapscript(KEY_CHECK, (), STANDARD, sign=True)),
    ("OK", tapscript(KEY_CHECK, (), CONSENSUS, sign=True, path=bytes(32 * 128))),
    ("OK", tapscript(script("1"), annex=[b"\x50"])),
    ("SCHNORR_SIG", tapscript(KEY_CHECK, sign=True, annex=[b"\x50"])),
    ("SCHNORR_SIG", tapscript(KEY_CHECK, [bytes(64)])),
    ("SCHNORR_SIG_SIZE", tapscript(KEY_CHECK, [b"\x01"])),
    ("SCHNORR_SIG", native(p2tr(X_ONLY), [bytes(64), b"\x50"], CONSENSUS)),
    ("TAPROOT_WRONG_CONTROL_SIZE", tapscript(script("1"), mangle_control=lambda c: c[:1])),
    ("TAPROOT_WRONG_CONTROL_SIZE", tapscript(script("1"), mangle_control=lambda c: c[:-1])),
    ("TAPROOT_WRONG_CONTROL_SIZE", tapscript(script("1"), mangle_control=lambda c: c + b"x")),
    ("TAPROOT_WRONG_CONTROL_SIZE", tapscript(script("1"), path=bytes(32 * 129))),
    ("WITNESS_PROGRAM_MISMATCH", tapscript(script("1"), mangle_control=lambda c: c + bytes(32))),
    (
        "WITNESS_PROGRAM_MISMATCH",
        tapscript(script("1"), mangle_control=lambda c: bytes([c[0] ^ 1]) + c[1:]),
    ),
    (
        "WITNESS_PROGRAM_MISMATCH",
        tapscript(script("1"), mangle_control=lambda c: c[:1] + b"\xff" * 32),
    ),
    ("TAPSCRIPT_CHECKMULTISIG", tapscript(script("0 0 0 CHECKMULTISIG"))),
    ("TAPSCRIPT_MINIMALIF", tapscript(IF, [b"\x02"])),
    ("TAPSCRIPT_EMPTY_PUBKEY", tapscript(script("0 CHECKSIG"), [b"x"])),
    ("TAPSCRIPT_EMPTY_PUBKEY", tapscript(script("0 CHECKSIG"), [b""])),
    # 50 for each signature, of 50 and 1 + (1 + 7) + (1 + 6) + (1 + 33) bytes of witness.
    ("OK", tapscript(script("<aabb> 2DUP CHECKSIGVERIFY CHECKSIG"), [bytes(7)])),
    (
        "TAPSCRIPT_VALIDATION_WEIGHT",
        tapscript(script("<aabb> 2DUP CHECKSIGVERIFY CHECKSIG"), [bytes(6)]),
    ),
    ("OK", tapscript(script(f"0 <{X_ONLY.hex()}> CHECKSIGADD 1 NUMEQUAL"), sign=True)),
    ("OK", tapscript(script(f"7 <{X_ONLY.hex()}> CHECKSIGADD 7 NUMEQUAL"), [b""])),
    # What a signature signs must not depend on the signature.
    ("OK", legacy(script("CODESEPARATOR") + PAY_KEY, CONSENSUS, code=PAY_KEY)),
    ("OP_CODESEPARATOR", legacy(script("CODESEPARATOR") + PAY_KEY, CONST, code=PAY_KEY)),
    ("OP_CODESEPARATOR", bare("", "1 0 IF CODESEPARATOR ENDIF", CONST)),
    ("OK", wsh(script("1 CODESEPARATOR"), (), SEGWIT | CONST)),
    ("OK", bare("<aa>", f"<aa> DROP <{KEY.hex()}> CHECKSIG NOT", NOTHING)),
    ("SIG_FINDANDDELETE", bare("<aa>", f"<aa> DROP <{KEY.hex()}> CHECKSIG NOT", CONST)),
    ("SIG_FINDANDDELETE", bare("0 <aa>", f"<aa> DROP 1 <{KEY.hex()}> 1 CHECKMULTISIG NOT", CONST)),
]
