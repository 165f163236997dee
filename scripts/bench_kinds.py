"""Kinds of output: how each is locked and unlocked, and the chains that spend thousands of them.

All use few keys, for verifying does not care; every signature is real and signs its own input.
Read beside it: chain/script/templates.py, for the shapes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from chain import curve
from chain.block import Block
from chain.chainstate import Chainstate
from chain.hashes import hash160, sha256
from chain.params import REGTEST
from chain.script import sighash
from chain.script.check import NoChecks
from chain.script.script import push
from chain.script.templates import multisig, p2pkh, p2tr, p2wsh
from chain.store import MemoryStore
from chain.transaction import SEQUENCE_FINAL, OutPoint, Transaction, TxIn, TxOut
from scripts.bench_blocks import FEE, PUBLIC_KEY, SCRIPT, SECRET, mine, signed

SECRETS = [SECRET, *(number.to_bytes(32, "big") for number in (2, 3))]
KEY_HASH = hash160(PUBLIC_KEY)
MULTISIG = multisig(2, [curve.public_key(secret) for secret in SECRETS])
ALL = bytes([sighash.SIGHASH_ALL])

Unlock = Callable[[Transaction, TxOut], TxIn]
"""The only input of a transaction, unlocked; the output is the one that it spends."""


@dataclass(frozen=True)
class Kind:
    """One shape of output."""

    name: str
    script: bytes
    unlock: Unlock
    signatures: int = 1  # to verify, for each input
    is_schnorr: bool = False


def _ecdsa(secret: bytes, digest: bytes) -> bytes:
    return curve.sign_ecdsa(secret, digest, grind_low_r=False) + ALL


def _v0_digest(tx: Transaction, spent: TxOut, code: bytes) -> bytes:
    return sighash.witness_v0_sighash(tx, 0, code, spent.value, sighash.SIGHASH_ALL)


def _unlock_p2wpkh(tx: Transaction, spent: TxOut) -> TxIn:
    signature = _ecdsa(SECRET, _v0_digest(tx, spent, p2pkh(KEY_HASH)))
    return tx.inputs[0]._replace(witness=(signature, PUBLIC_KEY))


def _unlock_p2wsh(tx: Transaction, spent: TxOut) -> TxIn:
    digest = _v0_digest(tx, spent, MULTISIG)
    two = [_ecdsa(secret, digest) for secret in SECRETS[:2]]
    return tx.inputs[0]._replace(witness=(b"", *two, MULTISIG))


def _unlock_p2pkh(tx: Transaction, spent: TxOut) -> TxIn:
    digest = sighash.legacy_sighash(tx, 0, spent.script_pubkey, sighash.SIGHASH_ALL)
    return tx.inputs[0]._replace(script_sig=push(_ecdsa(SECRET, digest)) + push(PUBLIC_KEY))


def _unlock_p2tr(tx: Transaction, spent: TxOut) -> TxIn:
    digest = sighash.taproot_sighash(sighash.PrecomputedSighash(tx, [spent]), 0)
    return tx.inputs[0]._replace(witness=(curve.sign_schnorr(SECRET, digest, bytes(32)),))


# An output key without a tweak: a signature by it is as good as one by any other.
P2WPKH = Kind("P2WPKH", SCRIPT, _unlock_p2wpkh)
P2TR = Kind("P2TR key path", p2tr(PUBLIC_KEY[1:]), _unlock_p2tr, is_schnorr=True)
P2WSH = Kind("2-of-3 P2WSH", p2wsh(sha256(MULTISIG)), _unlock_p2wsh, signatures=2)
P2PKH = Kind("P2PKH", p2pkh(KEY_HASH), _unlock_p2pkh)


def spend(kind: Kind, point: OutPoint, spent: TxOut) -> Transaction:
    """A transaction that hands one output on to the same kind, for a fee."""
    outputs = (TxOut(spent.value - FEE, kind.script),)
    bare = Transaction(2, (TxIn(point, b"", SEQUENCE_FINAL, ()),), outputs, 0)
    return Transaction(2, (kind.unlock(bare, spent),), outputs, 0)


def fan(chainstate: Chainstate, coinbase: Transaction, kind: Kind, count: int) -> Transaction:
    """A transaction that makes `count` equal coins of a coinbase; it is mined."""
    whole = coinbase.outputs[0].value
    outputs = (TxOut((whole - FEE * count) // count, kind.script),) * count
    tx = signed([(OutPoint(coinbase.txid, 0), whole)], outputs)
    mine(chainstate, [tx])
    return tx


def funded(kind: Kind, count: int) -> tuple[Chainstate, list[tuple[OutPoint, TxOut]]]:
    """A chain, scripts unchecked, and `count` coins in it that may be spent."""
    chainstate = Chainstate(REGTEST, MemoryStore(), verifier=NoChecks)
    first, *_ = [mine(chainstate) for _ in range(1 + REGTEST.coinbase_maturity_blocks)]
    tx = fan(chainstate, first.transactions[0], kind, count)
    return chainstate, [(OutPoint(tx.txid, n), output) for n, output in enumerate(tx.outputs)]


def move(
    chainstate: Chainstate, kind: Kind, coins: Sequence[tuple[OutPoint, TxOut]]
) -> list[tuple[OutPoint, TxOut]]:
    """Mine a block that spends each of the coins in a transaction of its own; what it makes."""
    txs = [spend(kind, *coin) for coin in coins]
    mine(chainstate, txs, FEE * len(txs))
    return [(OutPoint(tx.txid, 0), tx.outputs[0]) for tx in txs]


def blocks_of(chainstate: Chainstate, first: int = 1) -> list[Block]:
    """The blocks of its active chain, from this height on."""
    found = (chainstate.read_block(entry.hash) for entry in list(chainstate.active)[first:])
    return [block for block in found if block is not None]


def chain_of(kind: Kind, spends: int, blocks: int) -> list[Block]:
    """A chain whose last `blocks` blocks hold `spends` spends of this kind each."""
    chainstate, coins = funded(kind, spends)
    for _ in range(blocks):
        coins = move(chainstate, kind, coins)
    return blocks_of(chainstate)


def bare_signatures(kind: Kind, count: int) -> list[Callable[[], bool]]:
    """`count` signatures of this kind, each ready to be verified by the bare library."""
    digests = [sha256(number.to_bytes(4, "big")) for number in range(min(count, 1_000))]
    if kind.is_schnorr:
        parts = [(curve.sign_schnorr(SECRET, d, bytes(32)), d) for d in digests]
        made = [partial(curve.verify_schnorr, PUBLIC_KEY[1:], *part) for part in parts]
    else:
        parts = [(curve.sign_ecdsa(SECRET, d), d) for d in digests]
        made = [partial(curve.verify_ecdsa, PUBLIC_KEY, *part) for part in parts]
    return [made[number % len(made)] for number in range(count)]
