"""The next block: which transactions, in which order, behind which coinbase; and the search for it.

Transactions are chosen by the feerate of packages: a transaction counts together with those of its
ancestors that are not chosen yet, so that a child can pay for its parents. It knows the chain's
rules for blocks, not who mines or where. Beside it: Bitcoin Core, `src/node/miner.cpp`; BIP34 (the
height in the coinbase), BIP141 (the witness commitment).
"""

import heapq
from collections.abc import Iterable, Sequence

from chain.block import WITNESS_COMMITMENT_PREFIX, Block, BlockHeader
from chain.block_rules import MAX_BLOCK_SIGOPS_COST, WITNESS_NONCE_BYTES, subsidy
from chain.chainstate import Chainstate
from chain.hashes import sha256d
from chain.merkle import merkle_root
from chain.script.script import push_number
from chain.transaction import NULL_OUTPOINT, SEQUENCE_FINAL, Transaction, TxIn, TxOut
from chain.tx_rules import MAX_BLOCK_WEIGHT, legacy_sigops
from chain.work import decode_bits, next_bits
from node.entry import MempoolEntry, feerate_key

BLOCK_VERSION = 0x20000000
"""BIP9: no soft fork is being signalled for."""
HEADER_WEIGHT = (80 + 9) * 4
"""The header and the longest count of transactions."""
MAX_FAILURES, NEARLY_FULL_WEIGHT = 1_000, 4_000
"""Core's: when to stop looking for something that still fits."""
NONCES = 1 << 32


def assemble(
    chainstate: Chainstate,
    entries: Iterable[MempoolEntry],
    script_pubkey: bytes,
    now: int,
    extra_nonce: int = 0,
) -> Block:
    """The block after the tip that pays `script_pubkey` most; everything but its nonce is right.

    `entries` is a Mempool, or any set of entries closed under ancestors. `now` in Unix seconds.
    """
    with_witness = chainstate.tip.height + 1 >= chainstate.params.segwit_from
    empty = block_of(chainstate, (), 0, script_pubkey, now, extra_nonce).transactions[0]
    chosen = choose(
        entries,
        weight=MAX_BLOCK_WEIGHT - HEADER_WEIGHT - empty.weight,
        sigop_cost=MAX_BLOCK_SIGOPS_COST - legacy_sigops(empty) * 4,
        with_witness=with_witness,
    )
    fees = sum(entry.fee for entry in chosen)
    txs = [entry.tx for entry in chosen]
    return block_of(chainstate, txs, fees, script_pubkey, now, extra_nonce)


def block_of(
    chainstate: Chainstate,
    txs: Sequence[Transaction],
    fees: int,
    script_pubkey: bytes,
    now: int,
    extra_nonce: int = 0,
) -> Block:
    """The block after the tip of exactly these transactions, which pay `fees`; its nonce is 0."""
    parent, params = chainstate.tip, chainstate.params
    height = parent.height + 1
    reward = TxOut(subsidy(height, params) + fees, script_pubkey)
    commits = height >= params.segwit_from
    coinbase = _coinbase(height, reward, extra_nonce, txs if commits else None)
    time = max(now, parent.median_time_past + 1)
    root, _ = merkle_root([coinbase.txid, *(tx.txid for tx in txs)])
    bits = next_bits(parent, time, params)
    header = BlockHeader(BLOCK_VERSION, parent.hash, root, time, bits, 0)
    return Block(header, (coinbase, *txs))


def _coinbase(
    height: int, reward: TxOut, extra_nonce: int, committed: Sequence[Transaction] | None
) -> Transaction:
    """Like Core's: locked to its own height, so that no two coinbases are ever alike."""
    script_sig = push_number(height) + push_number(extra_nonce)
    outputs = [reward]
    witness: tuple[bytes, ...] = ()
    if committed is not None:
        nonce = bytes(WITNESS_NONCE_BYTES)
        witness = (nonce,)
        # The coinbase's own place in the tree is zeros: it cannot commit to itself.
        root, _ = merkle_root([bytes(32), *(tx.wtxid for tx in committed)])
        outputs.append(TxOut(0, WITNESS_COMMITMENT_PREFIX + sha256d(root + nonce)))
    tx_in = TxIn(NULL_OUTPOINT, script_sig, SEQUENCE_FINAL - 1, witness)
    return Transaction(2, (tx_in,), tuple(outputs), height - 1)


def choose(
    entries: Iterable[MempoolEntry], *, weight: int, sigop_cost: int, with_witness: bool = True
) -> list[MempoolEntry]:
    """The entries that fit and pay best, parents before children."""
    choice = _Choice(weight, sigop_cost)
    for entry in entries:
        if with_witness or not _needs_witness(entry):
            choice.offer(entry)
    choice.run()
    return list(choice.chosen)


def _needs_witness(entry: MempoolEntry) -> bool:
    return any(each.tx.has_witness for each in entry.ancestors() | {entry})


class _Choice:
    """Best package first; whatever is chosen makes its descendants' packages smaller."""

    def __init__(self, weight: int, sigop_cost: int) -> None:
        self._weight_left = weight
        self._sigops_left = sigop_cost
        # Fee and size of each entry's package: itself and its ancestors that are not chosen.
        self._packages: dict[MempoolEntry, tuple[int, int]] = {}
        self._heap: list[tuple[int, int, MempoolEntry]] = []
        self.chosen: dict[MempoolEntry, None] = {}  # used as an ordered set

    def offer(self, entry: MempoolEntry) -> None:
        """Let an entry take part."""
        package = [entry, *entry.ancestors()] if entry.parents else [entry]
        self._rank(entry, sum(each.fee for each in package), sum(each.vsize for each in package))

    def _rank(self, entry: MempoolEntry, fee: int, vsize: int) -> None:
        """Give an entry its place by what its package pays; an earlier place is void."""
        self._packages[entry] = fee, vsize
        heapq.heappush(self._heap, (-feerate_key(fee, vsize), entry.sequence, entry))

    def run(self) -> None:
        """Choose until nothing is left, or nothing that fits is likely to be."""
        failures = 0
        while self._heap:
            rank, _, entry = heapq.heappop(self._heap)
            if entry in self.chosen or rank != -feerate_key(*self._packages[entry]):
                continue
            if self._take(entry):
                failures = 0
                continue
            failures += 1
            if failures > MAX_FAILURES and self._weight_left < NEARLY_FULL_WEIGHT:
                break

    def _take(self, entry: MempoolEntry) -> bool:
        """Choose an entry and what it needs; False, and nothing, if they do not fit."""
        package = [each for each in entry.ancestors() if each not in self.chosen]
        # Fewer ancestors first: a parent always has fewer than its child.
        package.sort(key=lambda each: (len(each.ancestors()), each.sequence))
        package.append(entry)
        weight = sum(each.tx.weight for each in package)
        sigops = sum(each.sigop_cost for each in package)
        if weight > self._weight_left or sigops > self._sigops_left:
            return False
        self._weight_left -= weight
        self._sigops_left -= sigops
        self.chosen.update(dict.fromkeys(package))
        self._shrink_packages(package)
        return True

    def _shrink_packages(self, chosen: list[MempoolEntry]) -> None:
        left: dict[MempoolEntry, tuple[int, int]] = {}
        for each in chosen:
            for child in each.descendants():
                if child in self._packages and child not in self.chosen:
                    fee, vsize = left.get(child) or self._packages[child]
                    left[child] = fee - each.fee, vsize - each.vsize
        for child, (fee, vsize) in left.items():
            self._rank(child, fee, vsize)


def grind(block: Block, start: int, tries: int) -> Block | None:
    """The block with the first nonce from `start` on that meets its target; None if none of
    `tries` does."""
    header = block.header
    target = decode_bits(header.bits)
    prefix = header.serialize()[:-4]
    for nonce in range(start, min(start + tries, NONCES)):
        digest = sha256d(prefix + nonce.to_bytes(4, "little"))
        if int.from_bytes(digest, "little") <= target:
            return Block(header._replace(nonce=nonce), block.transactions)
    return None
