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
from chain.headers import HeaderEntry
from chain.merkle import merkle_root
from chain.params import Params
from chain.script.script import push_number
from chain.transaction import NULL_OUTPOINT, SEQUENCE_FINAL, Transaction, TxIn, TxOut
from chain.tx_rules import MAX_BLOCK_WEIGHT
from chain.work import decode_bits, next_bits
from node.entry import MempoolEntry
from node.mempool.cluster import Chunk

BLOCK_VERSION = 0x20000000
"""BIP9: no soft fork is being signalled for."""
RESERVED_WEIGHT, RESERVED_SIGOP_COST = 8_000, 400
"""Kept free for the header and whatever coinbase a miner makes: Core's
DEFAULT_BLOCK_RESERVED_WEIGHT and coinbase_output_max_additional_sigops."""
MAX_TIMEWARP_S = 600
"""How far the first block of a retarget period may be dated back; Core: the same name."""
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
    chosen = choose_next(chainstate, chunks)
    fees = sum(entry.fee for entry in chosen)
    txs = [entry.tx for entry in chosen]
    return block_of(chainstate, txs, fees, script_pubkey, now, extra_nonce)


def choose_next(chainstate: Chainstate, chunks: Iterable[Chunk]) -> list[MempoolEntry]:
    """The entries for the block after the tip, in order; room is left for a coinbase."""
    return choose(
        chunks,
        weight=MAX_BLOCK_WEIGHT - RESERVED_WEIGHT,
        sigop_cost=MAX_BLOCK_SIGOPS_COST - RESERVED_SIGOP_COST,
        with_witness=chainstate.tip.height + 1 >= chainstate.params.segwit_from,
    )


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
    time = max(now, min_time(parent, params))
    root, _ = merkle_root([coinbase.txid, *(tx.txid for tx in txs)])
    bits = next_bits(parent, time, params)
    header = BlockHeader(BLOCK_VERSION, parent.hash, root, time, bits, 0)
    return Block(header, (coinbase, *txs))


def min_time(parent: HeaderEntry, params: Params) -> int:
    """The earliest time, in Unix seconds, that a block after `parent` is given here.

    Later than consensus asks where a period begins, against time warps. Core: GetMinimumTime.
    """
    earliest = parent.median_time_past + 1
    if (parent.height + 1) % params.retarget_interval_blocks == 0:
        earliest = max(earliest, parent.header.time - MAX_TIMEWARP_S)
    return earliest


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
    need that. All that waits is final. Core: BlockAssembler::addChunks, whose limits, too, are not
    quite reached, and which asks for the adjusted weight but then takes up the true one.
    """
    chosen: list[MempoolEntry] = []
    left_out: set[bytes] = set()
    failures = 0
    for chunk in chunks:
        if chunk.feerate.fee * 1_000 < MIN_FEERATE * chunk.vsize:
            break
        if chunk.cluster in left_out:
            continue
        cost = sum(entry.sigop_cost for entry in chunk.entries)
        fits = chunk.feerate.size < weight and cost < sigop_cost
        if fits and (with_witness or not any(entry.tx.has_witness for entry in chunk.entries)):
            chosen += chunk.entries
            weight -= sum(entry.tx.weight for entry in chunk.entries)
            sigop_cost, failures = sigop_cost - cost, 0
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
