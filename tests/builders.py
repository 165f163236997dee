"""Chains grown in memory: keys, payments, blocks, and a chain that mines them.

Everything here is deterministic and goes through the real code. Most tests need no more than

    chain = ChainBuilder()
    chain.mine(101)
    tx = chain.pay(chain.mature()[0], p2wpkh(key(1)), fee=1000)
    chain.mine(txs=[tx])
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from chain import curve
from chain.block import Block, BlockHeader, witness_merkle_root
from chain.block_rules import subsidy
from chain.chainstate import Acceptance, ChainChanges, Chainstate
from chain.errors import Invalid
from chain.hashes import hash160, sha256d, tagged_hash
from chain.headers import HeaderEntry
from chain.merkle import merkle_root
from chain.params import REGTEST, Params
from chain.script.script import push, push_number
from chain.script.sighash import (
    PrecomputedSighash,
    legacy_sighash,
    taproot_sighash,
    witness_v0_sighash,
)
from chain.store import MemoryStore, Store
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from chain.work import decode_bits, next_bits

COIN = 100_000_000
SIGHASH_ALL = 1
FINAL = 0xFFFFFFFF
REPLACEABLE = 0xFFFFFFFD
NULL = OutPoint(bytes(32), 0xFFFFFFFF)
BLOCK_VERSION = 0x20000000
COMMITMENT_PREFIX = bytes.fromhex("6a24aa21a9ed")
ANYONE = b"\x51"  # OP_TRUE: an output that anyone may spend, with an empty scriptSig


# Keys and the scripts that pay to them.


@dataclass(frozen=True)
class Key:
    """A deterministic secret and its compressed public key."""

    secret: bytes
    public: bytes


@cache
def key(number: int) -> Key:
    """The key of this number, always the same."""
    secret = hashlib.sha256(b"farthing test key %d" % number).digest()
    return Key(secret, curve.public_key(secret))


def p2pk(owner: Key) -> bytes:
    return push(owner.public) + b"\xac"


def p2pkh(owner: Key) -> bytes:
    return b"\x76\xa9" + push(hash160(owner.public)) + b"\x88\xac"


def p2sh(redeem_script: bytes) -> bytes:
    return b"\xa9" + push(hash160(redeem_script)) + b"\x87"


def p2wpkh(owner: Key) -> bytes:
    return b"\x00" + push(hash160(owner.public))


def p2wsh(witness_script: bytes) -> bytes:
    return b"\x00" + push(hashlib.sha256(witness_script).digest())


def p2tr(owner: Key) -> bytes:
    """Spendable by key alone (BIP 86)."""
    internal = owner.public[1:]
    tweak = tagged_hash("TapTweak", internal)
    return b"\x51" + push(curve.tweak_public_key(internal, tweak)[0])


def _taproot_secret(owner: Key) -> bytes:
    secret = owner.secret if owner.public[0] == 2 else curve.negate_secret(owner.secret)
    return curve.add_to_secret(secret, tagged_hash("TapTweak", owner.public[1:]))


def padding(size_bytes: int) -> bytes:
    """A script of `size_bytes` (at least 300) in two instructions, unspendable."""
    return b"\x6a\x4e" + (size_bytes - 6).to_bytes(4, "little") + bytes(size_bytes - 6)


# Transactions.


class Spendable(NamedTuple):
    """An output to spend, and who may (None: anyone)."""

    outpoint: OutPoint
    output: TxOut
    owner: Key | None = None


def tx_in(
    outpoint: OutPoint, script_sig: bytes = b"", sequence: int = FINAL, *witness: bytes
) -> TxIn:
    return TxIn(outpoint, script_sig, sequence, tuple(witness))


def make_tx(
    inputs: Iterable[TxIn], outputs: Iterable[TxOut], version: int = 2, locktime: int = 0
) -> Transaction:
    return Transaction(version, tuple(inputs), tuple(outputs), locktime)


def with_inputs(tx: Transaction, inputs: Iterable[TxIn]) -> Transaction:
    """`tx` with other inputs."""
    return Transaction(tx.version, tuple(inputs), tx.outputs, tx.locktime)


def sign(tx: Transaction, spent: Sequence[Spendable]) -> Transaction:
    """Fill in scriptSig and witness of every input whose owner is known."""
    inputs = [_signed_input(tx, index, spent) for index in range(len(tx.inputs))]
    return with_inputs(tx, inputs)


def _signed_input(tx: Transaction, index: int, spent: Sequence[Spendable]) -> TxIn:
    outpoint, _, sequence, _ = tx.inputs[index]
    owner, output = spent[index].owner, spent[index].output
    script = output.script_pubkey
    if owner is None:
        return tx.inputs[index]
    if script == p2wpkh(owner):
        code = p2pkh(owner)
        digest = witness_v0_sighash(tx, index, code, output.value, SIGHASH_ALL)
        signature = curve.sign_ecdsa(owner.secret, digest) + b"\x01"
        return TxIn(outpoint, b"", sequence, (signature, owner.public))
    if script == p2tr(owner):
        digest = taproot_sighash(PrecomputedSighash(tx, [each.output for each in spent]), index)
        signature = curve.sign_schnorr(_taproot_secret(owner), digest, bytes(32))
        return TxIn(outpoint, b"", sequence, (signature,))
    digest = legacy_sighash(tx, index, script, SIGHASH_ALL)
    signature = curve.sign_ecdsa(owner.secret, digest) + b"\x01"
    keys = b"" if script == p2pk(owner) else push(owner.public)
    return TxIn(outpoint, push(signature) + keys, sequence, ())


def spendable(tx: Transaction, index: int = 0, owner: Key | None = None) -> Spendable:
    """Output `index` of `tx`."""
    return Spendable(OutPoint(tx.txid, index), tx.outputs[index], owner)


# Blocks.


def make_coinbase(
    height: int, outputs: Iterable[TxOut], *, extra: bytes = b"", witness: Sequence[bytes] = ()
) -> Transaction:
    """A coinbase whose scriptSig is the height and `extra`, padded to at least two bytes."""
    script_sig = push_number(height) + extra
    if len(script_sig) < 2:
        script_sig += b"\x00"
    return make_tx([TxIn(NULL, script_sig, FINAL, tuple(witness))], outputs)


def committing(coinbase: Transaction, txs: Sequence[Transaction]) -> Transaction:
    """`coinbase` with the witness commitment of a block of itself and `txs` (BIP 141)."""
    nonce = bytes(32)
    header = BlockHeader(0, bytes(32), bytes(32), 0, 0, 0)
    root = witness_merkle_root(Block(header, (coinbase, *txs)))
    output = TxOut(0, COMMITMENT_PREFIX + sha256d(root + nonce))
    inputs = tuple(
        TxIn(each.outpoint, each.script_sig, each.sequence, (nonce,)) for each in coinbase.inputs
    )
    return Transaction(coinbase.version, inputs, (*coinbase.outputs, output), coinbase.locktime)


def make_block(
    parent: HeaderEntry,
    txs: Sequence[Transaction],
    params: Params = REGTEST,
    *,
    time: int | None = None,
    version: int = BLOCK_VERSION,
    bits: int | None = None,
    root: bytes | None = None,
) -> Block:
    """A solved block of exactly these transactions (coinbase included) after `parent`."""
    if time is None:
        time = max(parent.header.time + 1, parent.median_time_past + 1)
    if bits is None:
        bits = next_bits(parent, time, params)
    if root is None:
        root = merkle_root([tx.txid for tx in txs])[0]
    header = solve(BlockHeader(version, parent.hash, root, time, bits, 0))
    return Block(header, tuple(txs))


def solve(header: BlockHeader, *, valid: bool = True) -> BlockHeader:
    """The same header with the first nonce that meets its target (or, on demand, fails it)."""
    target = decode_bits(header.bits)
    for nonce in range(1 << 32):
        solved = header._replace(nonce=nonce)
        if (int.from_bytes(solved.hash, "little") <= target) is valid:
            return solved
    raise AssertionError("no nonce will do")


class ChainBuilder:
    """A Chainstate in memory, and the means to make blocks for it.

    Knows every output it made, so that fees and signatures come by themselves. Coinbases pay
    `key(0)` by P2WPKH unless told otherwise.
    """

    def __init__(
        self, params: Params = REGTEST, store: Store | None = None, **options: Any
    ) -> None:
        self.params = params
        self.store = MemoryStore() if store is None else store
        self.chainstate = Chainstate(params, self.store, **options)
        self.now = params.genesis.header.time + 10 * 365 * 24 * 3600  # later than any block
        self.owner = key(0)
        self._known: dict[OutPoint, Spendable] = {}
        self._owners: dict[bytes, Key] = {}
        self._serial = 0
        for number in range(10):
            self.knows(key(number))

    @property
    def tip(self) -> HeaderEntry:
        return self.chainstate.tip

    @property
    def height(self) -> int:
        return self.tip.height

    def knows(self, owner: Key) -> None:
        """From now on outputs to this key are recognised as its own."""
        for script in (p2pk(owner), p2pkh(owner), p2wpkh(owner), p2tr(owner)):
            self._owners[script] = owner

    # Payments.

    def mature(self) -> list[Spendable]:
        """The coinbase outputs that the next block may spend, oldest first."""
        deepest = self.height + 1 - self.params.coinbase_maturity_blocks
        coins = (self.chainstate.coins.get(each) for each in self._known)
        return [
            spendable
            for spendable, coin in zip(self._known.values(), coins, strict=True)
            if coin is not None and coin.is_coinbase and coin.height <= deepest
        ]

    def spend(
        self,
        sources: Spendable | Sequence[Spendable],
        outputs: Sequence[TxOut],
        *,
        version: int = 2,
        locktime: int = 0,
        sequence: int = REPLACEABLE,
    ) -> Transaction:
        """A signed transaction from `sources` to exactly `outputs`."""
        spent = [sources] if isinstance(sources, Spendable) else list(sources)
        unsigned = make_tx(
            [tx_in(each.outpoint, b"", sequence) for each in spent], outputs, version, locktime
        )
        tx = sign(unsigned, spent)
        self.learn(tx)
        return tx

    def pay(
        self,
        sources: Spendable | Sequence[Spendable],
        script: bytes = ANYONE,
        *,
        fee: int = 0,
        parts: int = 1,
        **options: int,
    ) -> Transaction:
        """A signed transaction of all of `sources` but `fee` to `script`, in equal parts."""
        spent = [sources] if isinstance(sources, Spendable) else list(sources)
        total = sum(each.output.value for each in spent) - fee
        values = [total // parts] * (parts - 1)
        values.append(total - sum(values))
        return self.spend(spent, [TxOut(value, script) for value in values], **options)

    def output(self, tx: Transaction, index: int = 0) -> Spendable:
        """An output of a transaction that this builder made or mined."""
        return self._known[OutPoint(tx.txid, index)]

    def known(self, outpoint: OutPoint) -> Spendable | None:
        """The output there, if it is known."""
        return self._known.get(outpoint)

    def learn(self, tx: Transaction) -> None:
        """Make the outputs of `tx` known."""
        for index, output in enumerate(tx.outputs):
            owner = self._owners.get(output.script_pubkey)
            found = spendable(tx, index, owner)
            if owner is not None or output.script_pubkey == ANYONE:
                self._known[found.outpoint] = found

    def fees(self, txs: Iterable[Transaction]) -> int:
        """What `txs` leave to the miner; inputs of unknown origin count as nothing."""
        total = 0
        for tx in txs:
            known = [self._known.get(each.outpoint) for each in tx.inputs]
            total += sum(each.output.value for each in known if each is not None)
            total -= sum(output.value for output in tx.outputs)
        return min(max(total, 0), 21_000_000 * COIN)  # what is nonsense is for the rules to find

    # Blocks.

    def coinbase(
        self,
        parent: HeaderEntry,
        txs: Sequence[Transaction] = (),
        *,
        script: bytes | None = None,
        value: int | None = None,
        commit: bool = True,
    ) -> Transaction:
        """The coinbase of a block of `txs` after `parent`, different from every other."""
        self._serial += 1
        height = parent.height + 1
        if value is None:
            value = subsidy(height, self.params) + self.fees(txs)
        output = TxOut(value, p2wpkh(self.owner) if script is None else script)
        coinbase = make_coinbase(height, [output], extra=push(self._serial.to_bytes(4, "little")))
        return committing(coinbase, txs) if commit else coinbase

    def block(
        self,
        txs: Sequence[Transaction] = (),
        *,
        parent: HeaderEntry | None = None,
        script: bytes | None = None,
        value: int | None = None,
        **header: Any,
    ) -> Block:
        """A valid block of `txs` after `parent` (the tip), not yet handed in."""
        parent = self.tip if parent is None else parent
        coinbase = self.coinbase(parent, txs, script=script, value=value)
        self.learn(coinbase)
        return make_block(parent, [coinbase, *txs], self.params, **header)

    def accept(self, block: Block) -> Acceptance:
        """Hand a block in. Raises Invalid as Chainstate does."""
        return self.chainstate.accept_block(block, self.now)

    def mine(
        self,
        count: int = 1,
        txs: Sequence[Transaction] = (),
        *,
        parent: HeaderEntry | None = None,
        script: bytes | None = None,
    ) -> list[Block]:
        """Mine `count` blocks in a row after `parent` (the tip), the first with `txs`.

        Raises Invalid if one is refused, in whatever way.
        """
        blocks = []
        for number in range(count):
            block = self.block(txs if number == 0 else (), parent=parent, script=script)
            accepted = self.accept(block)
            refusal = accepted.changes.failures.get(block.hash)
            if refusal is not None:
                raise refusal
            parent = accepted.entry if parent is not None else None
            blocks.append(block)
        return blocks

    def branch(self, parent: HeaderEntry, count: int) -> list[Block]:
        """`count` empty blocks in a row after `parent`, not handed in."""
        blocks = []
        for _ in range(count):
            blocks.append(self.block(parent=parent))
            parent = HeaderEntry(blocks[-1].header, parent)
        return blocks


def no_changes(changes: ChainChanges) -> bool:
    """True if the chain stayed as it was and nothing failed."""
    return not (changes.connected or changes.disconnected or changes.failures)


def submit(chain: ChainBuilder, block: Block) -> str | None:
    """What `submitblock` answers: None if connected, duplicate, inconclusive, or the reason."""
    try:
        accepted = chain.accept(block)
    except Invalid as invalid:
        return invalid.reject_reason
    if not accepted.is_new:
        return "duplicate"
    refusal = accepted.changes.failures.get(block.hash)
    if refusal is not None:
        return refusal.reject_reason
    return None if accepted.entry.is_connected_once else "inconclusive"
