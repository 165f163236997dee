"""The next block: which transactions, in which order, behind which coinbase; and the search for it.

Transactions are taken by chunks, the best-paying first, so that a child can pay for its parents:
`cluster` has put them in order. It knows the chain's rules for blocks, not who mines or where.
Beside it: Bitcoin Core, `src/node/miner.cpp`; BIP34 (the height in the coinbase), BIP141 (the
witness commitment).
"""

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
from node.cluster import Chunk
from node.entry import MempoolEntry

BLOCK_VERSION = 0x20000000
"""BIP9: no soft fork is being signalled for."""
HEADER_WEIGHT = (80 + 9) * 4
"""The header and the longest count of transactions."""
MAX_FAILURES, NEARLY_FULL_WEIGHT = 1_000, 4_000
"""Core's: when to stop looking for something that still fits."""
MIN_FEERATE = 1
"""Satoshis for 1,000 vbytes: for nothing no room is given. Core's DEFAULT_BLOCK_MIN_TX_FEE."""
NONCES = 1 << 32


def assemble(
    chainstate: Chainstate,
    chunks: Iterable[Chunk],
    script_pubkey: bytes,
    now: int,
    extra_nonce: int = 0,
) -> Block:
    """The block after the tip that pays `script_pubkey` most; everything but its nonce is right.

    `chunks` come best first, as Mempool.chunks gives them. `now` in Unix seconds.
    """
    with_witness = chainstate.tip.height + 1 >= chainstate.params.segwit_from
    empty = block_of(chainstate, (), 0, script_pubkey, now, extra_nonce).transactions[0]
    chosen = choose(
        chunks,
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
    chunks: Iterable[Chunk], *, weight: int, sigop_cost: int, with_witness: bool = True
) -> list[MempoolEntry]:
    """The entries that fit and pay best, parents before children.

    `chunks` come best first. Of a cluster nothing is taken behind a chunk that was left out: it may
    need that. Core: BlockAssembler::addChunks.
    """
    chosen: list[MempoolEntry] = []
    left_out: set[bytes] = set()
    failures = 0
    for chunk in chunks:
        if chunk.feerate.fee * 1_000 < MIN_FEERATE * chunk.vsize:
            break
        room = sum(entry.tx.weight for entry in chunk.entries)
        cost = sum(entry.sigop_cost for entry in chunk.entries)
        fits = room <= weight and cost <= sigop_cost and chunk.cluster not in left_out
        if fits and (with_witness or not any(entry.tx.has_witness for entry in chunk.entries)):
            chosen += chunk.entries
            weight, sigop_cost, failures = weight - room, sigop_cost - cost, 0
            continue
        left_out.add(chunk.cluster)
        failures += 1
        if failures > MAX_FAILURES and weight < NEARLY_FULL_WEIGHT:
            break
    return chosen


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
