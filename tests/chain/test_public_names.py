"""The names that checks from outside rely on, used as such a check would use them.

Core's own vectors come in five shapes: scripts to spend, transactions with the outputs that they
spend, signature hashes, taproot spends with flags as words, and addresses. Each shape is driven
here by these names alone; rename one, or make an argument stricter, and a test says so.
"""

import pytest

from chain import curve
from chain.address import AddressError, address_to_script, parse_witness_address, script_to_address
from chain.block import Block
from chain.errors import DecodeError
from chain.hashes import hash160, tagged_hash
from chain.params import CLASSROOM, MAIN, REGTEST, custom, network
from chain.script.interpreter import ScriptError, ScriptFlag, TransactionChecker, verify_script
from chain.script.sighash import PrecomputedSighash, legacy_sighash, taproot_sighash
from chain.transaction import OutPoint, Transaction, TxIn, TxOut

SECRET = bytes(31) + b"\x05"
KEY = curve.public_key(SECRET)
# The flags of Core's test names; a name that is missing here would be a KeyError there.
CORE_NAMES = """P2SH STRICTENC DERSIG LOW_S NULLDUMMY SIGPUSHONLY MINIMALDATA MINIMALIF NULLFAIL
DISCOURAGE_UPGRADABLE_NOPS CLEANSTACK CHECKLOCKTIMEVERIFY CHECKSEQUENCEVERIFY WITNESS
DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM WITNESS_PUBKEYTYPE CONST_SCRIPTCODE TAPROOT
DISCOURAGE_UPGRADABLE_PUBKEYTYPE DISCOURAGE_OP_SUCCESS DISCOURAGE_UPGRADABLE_TAPROOT_VERSION"""


def flags_of(words: str) -> ScriptFlag:
    """`P2SH,WITNESS`, `NONE` or nothing, as Core's files have them."""
    flags = ScriptFlag(0)
    for word in filter(None, words.split(",")):
        flags |= ScriptFlag[word]
    return flags


def verdict(
    script_sig: bytes, script_pubkey: bytes, witness: list[bytes], flags: str, value: int = 0
) -> str:
    """In the shape of script_tests: a transaction that pays, one that spends it, Core's word."""
    credit = Transaction(
        1,
        [TxIn(OutPoint(bytes(32), 0xFFFFFFFF), b"\x00\x00", 0xFFFFFFFF)],
        [TxOut(value, script_pubkey)],
        0,
    )
    tx_in = TxIn(OutPoint(credit.txid, 0), script_sig, 0xFFFFFFFF, tuple(witness))
    spend = Transaction(1, [tx_in], [TxOut(value, b"")], 0)
    checker = TransactionChecker(spend, 0, [TxOut(value, script_pubkey)])
    try:
        verify_script(
            script_sig=script_sig,
            script_pubkey=script_pubkey,
            witness=witness,
            flags=flags_of(flags),
            checker=checker,
        )
    except ScriptError as error:
        return error.code
    return "OK"


def test_every_flag_has_cores_name() -> None:
    members = {flag.name for flag in ScriptFlag if flag}
    assert members == set(CORE_NAMES.split())
    assert ScriptFlag(0) == ScriptFlag["NONE"] == 0
    assert ScriptFlag["P2SH"] | ScriptFlag["WITNESS"] == ScriptFlag.P2SH | ScriptFlag.WITNESS
    assert (ScriptFlag.P2SH | ScriptFlag.WITNESS) & ~ScriptFlag.P2SH == ScriptFlag.WITNESS
    assert ScriptFlag.CLEANSTACK not in flags_of("P2SH,WITNESS,TAPROOT")


@pytest.mark.parametrize(
    ("script_sig", "script_pubkey", "flags", "expected"),
    [
        ("51", "51", "", "OK"),
        ("51", "51", "NONE", "OK"),
        ("", "51", "P2SH,STRICTENC", "OK"),
        ("", "00", "P2SH,STRICTENC", "EVAL_FALSE"),
        ("", "6a", "P2SH,STRICTENC", "OP_RETURN"),
        ("", "7e", "P2SH,STRICTENC", "DISABLED_OPCODE"),
        ("5151", "75", "CLEANSTACK,P2SH", "OK"),
        ("5151", "61", "CLEANSTACK,P2SH", "CLEANSTACK"),
        ("61", "51", "SIGPUSHONLY", "SIG_PUSHONLY"),
        ("0101", "51", "MINIMALDATA", "MINIMALDATA"),
        ("", "b0", "DISCOURAGE_UPGRADABLE_NOPS", "DISCOURAGE_UPGRADABLE_NOPS"),
        ("00", "b1", "CHECKLOCKTIMEVERIFY", "UNSATISFIED_LOCKTIME"),
        ("4f", "b2", "CHECKSEQUENCEVERIFY", "NEGATIVE_LOCKTIME"),
        ("51" * 1001, "", "", "STACK_SIZE"),
        ("00", "4c", "", "BAD_OPCODE"),
    ],
)
def test_the_shape_of_script_tests(
    script_sig: str, script_pubkey: str, flags: str, expected: str
) -> None:
    scripts = bytes.fromhex(script_sig), bytes.fromhex(script_pubkey)
    assert verdict(*scripts, [], flags) == expected


def test_the_shape_of_script_tests_with_a_witness() -> None:
    """A list of bytes, and an amount that the signature would cover."""
    anyone = b"\x00\x20" + bytes.fromhex(
        "4ae81572f06e1b88fd5ced7a1a000945432e83e1551e6f721ee9c00b8cc33260"
    )  # SHA-256 of OP_TRUE
    assert verdict(b"", anyone, [b"\x51"], "P2SH,WITNESS", 1) == "OK"
    assert verdict(b"", anyone, [b"\x52"], "P2SH,WITNESS", 1) == "WITNESS_PROGRAM_MISMATCH"
    assert verdict(b"", anyone, [], "P2SH,WITNESS", 1) == "WITNESS_PROGRAM_WITNESS_EMPTY"
    assert verdict(b"", anyone, [], "P2SH", 1) == "OK"
    assert verdict(b"", b"\x51", [b""], "P2SH,WITNESS", 1) == "WITNESS_UNEXPECTED"


# The first two lines of Core's sighash.json: raw transaction, script, input, hash type, digest.
SIGHASHES = [
    (
        "907c2bc503ade11cc3b04eb2918b6f547b0630ab569273824748c87ea14b0696526c66ba740200000004ab65ab"
        "abfd1f9bdd4ef073c7afc4ae00da8a66f429c917a0081ad1e1dabce28d373eab81d8628de802000000096aab52"
        "53ab52000052ad042b5f25efb33beec9f3364e8a9139e8439d9d7e26529c3c30b6c3fd89f8684cfd68ea020000"
        "0009ab53526500636a52ab599ac2fe02a526ed040000000008535300516352515164370e010000000003006300"
        "ab2ec229",
        "",
        2,
        1864164639,
        "31af167a6cf3f9d5f6875caa4d31704ceb0eba078d132b78dab52c3b8997317e",
    ),
    (
        "a0aa3126041621a6dea5b800141aa696daf28408959dfb2df96095db9fa425ad3f427f2f61030000000153602"
        "90e9c6063fa26912c2e7fb6a0ad80f1c5fea1771d42f12976092e7a85a4229fdb6e890000000001abc109f6e47"
        "688ac0e4682988785744602b8c87228fcef0695085edf19088af1a9db126e93000000000665516aac536afffff"
        "fff8fe53e0806e12dfd05d67ac68f4768fdbe23fc48ace22a5aa8ba04c96d58e2750300000009ac51abac63ab5"
        "153650524aa680455ce7b000000000000499e50030000000008636a00ac526563ac5051ee030000000003abaca"
        "bd2b6fe000000000003516563910fb6b5",
        "65",
        0,
        -1391424484,
        "48d6a1bd2cd9eec54eb866fc71209418a950402b5d7e52363bfb75c98e141175",
    ),
]


@pytest.mark.parametrize(("raw", "code", "index", "hash_type", "digest"), SIGHASHES)
def test_the_shape_of_sighash(raw: str, code: str, index: int, hash_type: int, digest: str) -> None:
    """Hash types are 32-bit numbers with a sign, digests are shown in reverse."""
    tx = Transaction.parse(bytes.fromhex(raw))
    found = legacy_sighash(tx, index, bytes.fromhex(code), hash_type)
    assert found[::-1].hex() == digest
    assert legacy_sighash(tx, index, bytes.fromhex(code), hash_type % 2**32) == found
    by_name = legacy_sighash(
        tx=tx, input_index=index, script_code=b"\xab" + bytes.fromhex(code), hash_type=hash_type
    )
    assert by_name == found  # an OP_CODESEPARATOR is not signed


def test_the_shape_of_transaction_tests() -> None:
    """Raw bytes in, fields out, and an input verified against a list of what all of them spend."""
    raw = bytes.fromhex(
        "0100000001" + "11" * 32 + "07000000" + "0151" + "feffffff" + "01"
        "e803000000000000" + "0151" + "64000000"
    )
    tx = Transaction.parse(raw)
    assert (tx.version, tx.locktime, tx.serialize()) == (1, 100, raw)
    assert (tx.inputs[0].outpoint.txid, tx.inputs[0].outpoint.index) == (b"\x11" * 32, 7)
    assert (tx.inputs[0].script_sig, tx.inputs[0].sequence) == (b"\x51", 0xFFFFFFFE)
    assert list(tx.inputs[0].witness) == []
    assert (tx.outputs[0].value, tx.outputs[0].script_pubkey) == (1000, b"\x51")
    assert tx.weight == 4 * len(raw)
    assert tx.txid == tx.wtxid and type(tx.txid) is bytes and len(tx.txid) == 32
    spent_outputs = [TxOut(0, bytes.fromhex("0164b17551"))]  # 100 CHECKLOCKTIMEVERIFY DROP 1
    [tx_in] = tx.inputs
    rest = (
        tx_in.witness,
        ScriptFlag["CHECKLOCKTIMEVERIFY"],
        TransactionChecker(tx, 0, spent_outputs),
    )
    verify_script(tx_in.script_sig, spent_outputs[0].script_pubkey, *rest)
    with pytest.raises(ScriptError) as caught:
        verify_script(b"", bytes.fromhex("0165b17551"), *rest)
    assert caught.value.code == "UNSATISFIED_LOCKTIME"
    with pytest.raises(DecodeError):
        Transaction.parse(raw + b"\0")
    coinbase = Transaction.parse(raw[:5] + bytes(32) + b"\xff" * 4 + raw[41:])
    assert coinbase.inputs[0].outpoint.is_null and coinbase.is_coinbase


def test_the_shape_of_taproot_tests() -> None:
    """Outputs of every input, flags as words, and a witness that stands beside the transaction."""
    internal = KEY[1:]
    tweak = tagged_hash("TapTweak", internal)
    output_key, _ = curve.tweak_public_key(internal, tweak)
    prevouts = [TxOut(5000, b"\x51"), TxOut(6000, b"\x51\x20" + output_key)]
    inputs = [TxIn(OutPoint(bytes([n]) * 32, n)) for n in (1, 2)]
    tx = Transaction.parse(Transaction(2, inputs, [TxOut(900, b"\x51")], 0).serialize())
    secret = SECRET if KEY[0] == 2 else curve.negate_secret(SECRET)
    digest = taproot_sighash(PrecomputedSighash(tx, prevouts), 1)
    witness = [curve.sign_schnorr(curve.add_to_secret(secret, tweak), digest, bytes(32))]
    checker = TransactionChecker(tx, 1, prevouts)
    script_pubkey, flags = prevouts[1].script_pubkey, flags_of("P2SH,DERSIG,WITNESS,TAPROOT")
    verify_script(b"", script_pubkey, witness, flags, checker)
    for wrong, code in (
        ([bytes(64)], "SCHNORR_SIG"),
        ([witness[0][:63]], "SCHNORR_SIG_SIZE"),
        ([witness[0] + b"\0"], "SCHNORR_SIG_HASHTYPE"),
        ([*witness, b"\x50annex"], "SCHNORR_SIG"),
        ([], "WITNESS_PROGRAM_WITNESS_EMPTY"),
    ):
        with pytest.raises(ScriptError, match=code):
            verify_script(b"", script_pubkey, wrong, flags, checker)
        verify_script(b"", script_pubkey, wrong, flags_of("P2SH,WITNESS"), checker)
    otherwise = TransactionChecker(tx, 1, [TxOut(5001, b"\x51"), prevouts[1]])
    with pytest.raises(ScriptError, match="SCHNORR_SIG"):
        verify_script(b"", script_pubkey, witness, flags, otherwise)


def test_the_shape_of_address_tests() -> None:
    """An address, its script and its network. Public test networks share regtest's first bytes."""
    digest = hash160(KEY)
    p2pkh, p2sh = b"\x76\xa9\x14" + digest + b"\x88\xac", b"\xa9\x14" + digest + b"\x87"
    witness = [
        b"\x00\x14" + digest,
        b"\x00\x20" + bytes(32),
        b"\x51\x20" + bytes(32),
        b"\x60\x02ab",
    ]
    public_test = custom({"name": "signet", "bech32_hrp": "tb"})
    assert (network("main"), network("regtest"), network("classroom")) == (MAIN, REGTEST, CLASSROOM)
    letters = {
        "main": ("1", "3", "bc1"),
        "regtest": ("mn", "2", "bcrt1"),
        "signet": ("mn", "2", "tb1"),
    }
    for params in (MAIN, REGTEST, public_test):
        for script in (p2pkh, p2sh, *witness):
            address = script_to_address(script, params)
            assert address is not None and address_to_script(address, params) == script
            beginning = letters[params.name][min((p2pkh, p2sh, script).index(script), 2)]
            assert address.startswith(tuple(beginning) if len(beginning) < 3 else beginning)
            if script in witness:
                assert address_to_script(address.upper(), params) == script
                version, program = script[0] and script[0] - 0x50, script[2:]
                assert parse_witness_address(address) == (params.bech32_hrp, version, program)
    for wrong in (
        "",
        "x",
        "1",
        "bc1",
        "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMh",
        "bc1qqqqqqqqqqqqqqqqqqq",
    ):
        with pytest.raises(AddressError):
            address_to_script(wrong, MAIN)


def test_the_shape_of_recorded_blocks() -> None:
    raw = MAIN.genesis.serialize()
    block = Block.parse(raw)
    assert block.serialize() == raw and len(block.transactions) == 1
    shown = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
    assert block.header.hash[::-1].hex() == shown
