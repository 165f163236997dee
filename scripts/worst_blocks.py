"""Worst-case blocks: for each way to make a block dear to verify, the coins and what spends them.

Knows Script and the limits that bind blocks; does not run anything (bench_worst). A plan names the
scriptPubKeys of coins that earlier blocks must hold, and makes the transactions of the last block
out of where they lie. `share` is the part of a full block that it fills.

The limit on signature operations binds what a block creates and what it unlocks by hash, not the
bare scripts that it spends: those were counted where they were created. A plan may use one full
block of such preparation; who prepares ten blocks has ten times the effect, on any node.
Read beside it: BIP 54, which would end that. Scripts that run within a witness: worst_tapscripts.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from chain import curve
from chain.encoding import var_bytes
from chain.hashes import hash160, sha256
from chain.script import opcodes as op
from chain.script import sighash
from chain.script.checker import SEQUENCE_TYPE_FLAG
from chain.script.script import push, push_number
from chain.script.sighash import SIGHASH_ALL, SIGHASH_ANYONECANPAY, PrecomputedSighash
from chain.script.templates import multisig, op_return, p2pkh, p2sh, p2tr, p2wpkh, p2wsh
from chain.script.witness import ANNEX_TAG, tapleaf_hash, taproot_output_key
from chain.transaction import SEQUENCE_FINAL, OutPoint, Transaction, TxIn, TxOut

VALUE = 10_000  # satoshis in each prepared coin
FULL_WEIGHT = 3_990_000  # the header and the coinbase need room too
FULL_SIZE = FULL_WEIGHT // 4  # bytes, where each of them counts four
SIGOPS = 20_000  # what a block may hold in its outputs, or unlock by P2SH
WITNESS_SIGOPS = 79_900  # what it may unlock by P2WSH, less some for the coinbase
FULL_SCRIPT = 10_000  # bytes, before taproot
SECRETS = [number.to_bytes(32, "big") for number in range(1, 21)]
KEYS = [curve.public_key(secret) for secret in SECRETS]
SECRET, KEY, X_ONLY_KEY = SECRETS[0], KEYS[0], KEYS[0][1:]
ELEMENT = bytes(519) + b"\x01"  # as long as can be, and true
ANYONE = bytes([op.OP_1])
NOWHERE = OutPoint(bytes(32), 0)

Points = Sequence[OutPoint]
Stack = tuple[bytes, ...]


class Plan(NamedTuple):
    """A block to be: the coins that it needs, each of VALUE, and what it does with them."""

    coins: Sequence[bytes]  # their scriptPubKeys
    spend: Callable[[Points], Sequence[Transaction]]


def spending(
    points: Points,
    script_sigs: Sequence[bytes] = (),
    witnesses: Sequence[Stack] = (),
    outputs: Sequence[TxOut] = (TxOut(VALUE, ANYONE),),
    sequence: int = SEQUENCE_FINAL,
) -> Transaction:
    """One transaction that spends all of `points`."""
    sigs = script_sigs or [b""] * len(points)
    stacks = witnesses or [()] * len(points)
    unlocked = zip(points, sigs, stacks, strict=True)
    inputs = [TxIn(point, sig, sequence, stack) for point, sig, stack in unlocked]
    return Transaction(2, inputs, outputs, 0)


def operations(*opcodes: int) -> bytes:
    """A script of these instructions."""
    return bytes(opcodes)


def wrong_signature(number: int) -> bytes:
    """In strict DER, different for each number, nobody's: as dear to refuse as a good one."""
    half = b"\x02\x20\x11" + sha256(number.to_bytes(4, "big"))[1:]
    return b"\x30\x44" + half + half + bytes([SIGHASH_ALL])


def short_signature(number: int, hash_type: int = SIGHASH_ALL) -> bytes:
    """The same in nine bytes, for scripts full of them: r and s are below 128."""
    r, s = divmod(number, 100)
    return b"\x30\x06\x02\x01" + bytes([1 + r, 2, 1, 1 + s, hash_type])


def leaf_coin(script: bytes) -> tuple[bytes, bytes]:
    """The scriptPubKey of a coin whose only leaf is `script`, and the control block for it."""
    output_key, parity = taproot_output_key(X_ONLY_KEY, tapleaf_hash(script))
    return p2tr(output_key), bytes([0xC0 | parity]) + X_ONLY_KEY


# A normal block: a third each of the payments that wallets make today.


def _payment(point: OutPoint) -> Transaction:
    return spending([point], outputs=(TxOut(VALUE // 2, p2wpkh(hash160(KEY))),) * 2)


def _unlocked(tx: Transaction, *witness: bytes) -> Transaction:
    return spending([tx.inputs[0].outpoint], witnesses=[witness], outputs=tx.outputs)


def _ecdsa(tx: Transaction, secret: bytes, script: bytes) -> bytes:
    digest = sighash.witness_v0_sighash(tx, 0, script, VALUE, SIGHASH_ALL)
    return curve.sign_ecdsa(secret, digest) + bytes([SIGHASH_ALL])


def _pay_from_key(point: OutPoint) -> Transaction:
    tx = _payment(point)
    return _unlocked(tx, _ecdsa(tx, SECRET, p2pkh(hash160(KEY))), KEY)


def _pay_from_taproot(point: OutPoint) -> Transaction:
    tx = _payment(point)
    known = PrecomputedSighash(tx, [TxOut(VALUE, p2tr(X_ONLY_KEY))])
    return _unlocked(tx, curve.sign_schnorr(SECRET, sighash.taproot_sighash(known, 0), bytes(32)))


def _pay_from_multisig(point: OutPoint) -> Transaction:
    tx, script = _payment(point), multisig(2, KEYS[:3])
    return _unlocked(tx, b"", *(_ecdsa(tx, secret, script) for secret in SECRETS[:2]), script)


PAYMENTS: dict[bytes, Callable[[OutPoint], Transaction]] = {
    p2wpkh(hash160(KEY)): _pay_from_key,
    p2tr(X_ONLY_KEY): _pay_from_taproot,
    p2wsh(sha256(multisig(2, KEYS[:3]))): _pay_from_multisig,
}


def normal(share: float) -> Plan:
    """Payments of one input and two outputs: from a key, from a taproot key, two keys of three."""
    weight = sum(pay(NOWHERE).weight for pay in PAYMENTS.values())
    coins = list(PAYMENTS) * int(share * FULL_WEIGHT / weight)

    def spend(points: Points) -> list[Transaction]:
        return [PAYMENTS[coin](point) for coin, point in zip(coins, points, strict=True)]

    return Plan(coins, spend)


# Signature operations, as many as a block may have.


def p2sh_multisig(share: float) -> Plan:
    """One wrong signature against fifteen keys, in redeem scripts: each key is tried."""
    redeem = multisig(1, KEYS[:15]) + operations(op.OP_NOT)
    coins = [p2sh(hash160(redeem))] * int(share * SIGOPS / 15)
    sigs = [b"\x00" + push(wrong_signature(n)) + push(redeem) for n in range(len(coins))]
    return Plan(coins, lambda points: [spending(points, sigs)])


def p2wsh_multisig(share: float) -> Plan:
    """Nine wrong signatures a script, each against twenty keys."""
    drop = operations(op.OP_DROP)
    tries = [b"\x00" + push(wrong_signature(n)) + multisig(1, KEYS) + drop for n in range(9)]
    script = b"".join(tries) + ANYONE
    coins = [p2wsh(sha256(script))] * max(1, int(share * WITNESS_SIGOPS / 180))
    return Plan(coins, lambda points: [spending(points, (), [(script,)] * len(points))])


def tapscript_signatures(share: float) -> Plan:
    """One good signature, verified as often as 3.9 MB of witness may pay for; the rest is annex."""
    size = int(share * FULL_WEIGHT)
    count = size // 50 - 20
    once = operations(op.OP_2DUP, op.OP_CHECKSIGVERIFY)
    script = push(X_ONLY_KEY) + once * count + operations(op.OP_CHECKSIG)
    coin, control = leaf_coin(script)
    annex = bytes([ANNEX_TAG]) + bytes(size - len(script) - 500)

    def spend(points: Points) -> list[Transaction]:
        known = PrecomputedSighash(spending(points), [TxOut(VALUE, coin)])
        digest = sighash.taproot_sighash(
            known, 0, annex_hash=sha256(var_bytes(annex)), leaf_hash=tapleaf_hash(script)
        )
        signature = curve.sign_schnorr(SECRET, digest, bytes(32))
        return [spending(points, (), [(signature, script, control, annex)])]

    return Plan([coin], spend)


# Hashing: before segwit each signature hashes nearly the whole transaction anew.


def many_inputs(share: float) -> Plan:
    """One transaction of thousands of ordinary inputs, as in Bitcoin's block 364,292."""
    coins = [p2pkh(hash160(KEY))] * int(share * FULL_SIZE / 149)

    def spend(points: Points) -> list[Transaction]:
        tx = spending(points)
        known = PrecomputedSighash(tx)
        code, sigs = p2pkh(hash160(KEY)), []
        for index in range(len(points)):
            digest = sighash.legacy_sighash(tx, index, code, SIGHASH_ALL, known)
            signature = curve.sign_ecdsa(SECRET, digest) + bytes([SIGHASH_ALL])
            sigs.append(push(signature) + push(KEY))
        return [spending(points, sigs)]

    return Plan(coins, spend)


def _prepared(script: bytes, sigops: int, share: float) -> Plan:
    """A full transaction that spends a block's worth of a bare script, which unlocks itself."""
    coins = [script] * max(1, int(share * SIGOPS / sigops))
    room = int(share * FULL_SIZE) - 41 * len(coins)
    rest = TxOut(0, op_return(bytes(max(0, room))))
    return Plan(coins, lambda points: [spending(points, outputs=[rest])])


def _filled(script: bytes, instruction: bytes = b"\x00") -> bytes:
    """`script`, as long as can be: what is behind it is read and not run."""
    before, after = operations(op.OP_0, op.OP_IF), operations(op.OP_ENDIF, op.OP_1)
    room = FULL_SCRIPT - len(script) - len(before + after)
    return script + before + instruction * (room // len(instruction)) + after


def code_separators(share: float, hash_type: int = SIGHASH_ALL) -> Plan:
    """A hundred signatures a script, each signing another part of it."""
    after = push(KEY) + operations(op.OP_CHECKSIG, op.OP_CODESEPARATOR)
    sigs = [push(short_signature(n, hash_type)) + after for n in range(99)]
    return _prepared(_filled(b"".join(sigs)), len(sigs), share)


def code_separators_anyone(share: float) -> Plan:
    """The same, each signing one input only: the outputs are as large."""
    return code_separators(share, SIGHASH_ALL | SIGHASH_ANYONECANPAY)


def signatures_in_script(share: float) -> Plan:
    """Two hundred a script: each is cut out of what it signs, so that no two digests are alike."""
    check = push(KEY) + operations(op.OP_CHECKSIG)
    script = b"".join(push(short_signature(n)) + check for n in range(198))
    return _prepared(_filled(script), 198, share)


def hash_types(share: float) -> Plan:
    """Two hundred a script that differ in the hash type alone, pushed so that none is cut out."""
    check = push(KEY) + operations(op.OP_CHECKSIG)
    sigs = [short_signature(n, n) for n in range(4, 202) if n & 31 not in (2, 3)]
    script = b"".join(operations(op.OP_PUSHDATA1, len(sig)) + sig + check for sig in sigs)
    return _prepared(_filled(script), len(sigs), share)


def find_and_delete(share: float) -> Plan:
    """A hundred and eighty a script, looked for in all of it, seen, and never cut out."""
    sigs = [short_signature(n) for n in range(20)]
    pushes = b"".join(operations(op.OP_PUSHDATA1, len(sig)) + sig for sig in sigs)
    once = b"\x00" + pushes + push_number(20) + operations(op.OP_1) * 20 + push_number(20)
    script = (once + operations(op.OP_CHECKMULTISIG)) * 9
    return _prepared(_filled(script), 180, share)


# The witness: 3.9 MB that need not mean anything.


def one_annex(share: float) -> Plan:
    """A taproot key and an annex of 3.9 MB."""
    annex = bytes([ANNEX_TAG]) + bytes(int(share * FULL_WEIGHT) - 600)

    def spend(points: Points) -> list[Transaction]:
        known = PrecomputedSighash(spending(points), [TxOut(VALUE, p2tr(X_ONLY_KEY))])
        digest = sighash.taproot_sighash(known, 0, annex_hash=sha256(var_bytes(annex)))
        return [spending(points, (), [(curve.sign_schnorr(SECRET, digest, bytes(32)), annex)])]

    return Plan([p2tr(X_ONLY_KEY)], spend)


def empty_items(share: float) -> Plan:
    """Millions of empty elements, before a script that succeeds whatever they are."""
    script = operations(op.OP_RESERVED)  # 80, an OP_SUCCESS in tapscript
    coin, control = leaf_coin(script)
    stack = (b"",) * (int(share * FULL_WEIGHT) - 600)
    return Plan([coin], lambda points: [spending(points, (), [(*stack, script, control)])])


def dropped_elements(share: float) -> Plan:
    """Elements of 520 bytes, four hundred an input, which are dropped."""
    script = operations(op.OP_2DROP) * 200 + ANYONE
    witness = (*((ELEMENT,) * 400), script)
    coins = [p2wsh(sha256(script))] * max(1, int(share * FULL_WEIGHT / (400 * 523 + 400)))
    return Plan(coins, lambda points: [spending(points, (), [witness] * len(points))])


# Coins and transactions, as many as fit.


def many_coins(share: float) -> Plan:
    """One transaction that spends 24,000 coins which anyone may spend, at an age in seconds."""
    coins = [ANYONE] * int(share * FULL_SIZE / 41 - 10)
    return Plan(coins, lambda points: [spending(points, sequence=SEQUENCE_TYPE_FLAG)])


def many_leaves(share: float) -> Plan:
    """One transaction that spends 19,000 coins by a script in a tree: a point of the curve each."""
    coin, control = leaf_coin(ANYONE)
    coins = [coin] * int(share * FULL_WEIGHT / (4 * 41 + 37) - 10)
    return Plan(coins, lambda points: [spending(points, (), [(ANYONE, control)] * len(points))])


def many_outputs(share: float) -> Plan:
    """One transaction that creates 110,000 coins."""
    outputs = [TxOut(0, b"")] * int(share * FULL_SIZE / 9 - 10)
    return Plan([ANYONE], lambda points: [spending(points, outputs=outputs)])


def many_transactions(share: float) -> Plan:
    """The smallest transactions, each spending the one before it."""

    def spend(points: Points) -> list[Transaction]:
        txs = [spending(points)]
        for _ in range(int(share * FULL_SIZE / 61 - 10)):
            txs.append(spending([OutPoint(txs[-1].txid, 0)]))
        return txs

    return Plan([ANYONE], spend)


def output_opcodes(share: float) -> Plan:
    """One output whose script is a megabyte of instructions, which nothing runs but all count."""
    output = TxOut(0, operations(op.OP_NOP) * (int(share * FULL_SIZE) - 200))
    return Plan([ANYONE], lambda points: [spending(points, outputs=[output])])
