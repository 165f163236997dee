"""What a block must satisfy by itself, and after its parent, before any coin is looked at.

Knows proof of work, the body's agreement with its header, times, versions, sizes and the witness
commitment. Does not know coins (connect). Read beside it: Core's validation.cpp, CheckBlock,
ContextualCheckBlockHeader and ContextualCheckBlock; the order of the checks is theirs.

A reason of class MUTATED says that this *body* is damaged, and says nothing about the header: the
true body may still come.
"""

from chain.block import Block, BlockHeader, witness_commitment, witness_merkle_root
from chain.errors import Invalid, Reason
from chain.hashes import sha256d
from chain.headers import HeaderEntry
from chain.merkle import merkle_root
from chain.params import Params
from chain.script.script import push_number
from chain.transaction import WITNESS_SCALE_FACTOR
from chain.tx_rules import MAX_BLOCK_WEIGHT, check_transaction, is_final, legacy_sigops
from chain.work import meets_target, next_bits

MAX_BLOCK_SIGOPS_COST = 80_000  # BIP 141; Core: the same name
MAX_FUTURE_BLOCK_TIME_S = 2 * 60 * 60  # Core: MAX_FUTURE_BLOCK_TIME
WITNESS_NONCE_BYTES = 32  # BIP 141: the witness reserved value


def check_block(block: Block, params: Params, *, check_proof_of_work: bool = True) -> None:
    """The rules that need nothing but the block. Raises Invalid (Core: CheckBlock)."""
    if check_proof_of_work:
        check_proof(block.header, params)
    _check_agreement(block)
    size = block.stripped_size  # no transaction is shorter than a byte: their number is bounded too
    if not block.transactions or size * WITNESS_SCALE_FACTOR > MAX_BLOCK_WEIGHT:
        count = len(block.transactions)
        raise Invalid(Reason.BAD_BLK_LENGTH, f"{count} transactions, {size} bytes without witness")
    if not block.transactions[0].is_coinbase:
        raise Invalid(Reason.BAD_CB_MISSING)
    if any(tx.is_coinbase for tx in block.transactions[1:]):
        raise Invalid(Reason.BAD_CB_MULTIPLE)
    for tx in block.transactions:
        check_transaction(tx)
    sigops = sum(legacy_sigops(tx) for tx in block.transactions)
    if sigops * WITNESS_SCALE_FACTOR > MAX_BLOCK_SIGOPS_COST:
        raise Invalid(Reason.BAD_BLK_SIGOPS, f"{sigops} in scripts alone")


def check_proof(header: BlockHeader, params: Params) -> None:
    """The hash is at most the target that the header claims. The genesis block is given."""
    if header.hash != params.genesis.hash and not meets_target(header.hash, header.bits, params):
        raise Invalid(Reason.HIGH_HASH, "proof of work failed")


def _check_agreement(block: Block) -> None:
    """The body is the one that the header names."""
    root, mutated = merkle_root([tx.txid for tx in block.transactions])
    if root != block.header.merkle_root:
        raise Invalid(Reason.BAD_TXNMRKLROOT)
    if mutated:
        raise Invalid(Reason.BAD_TXNS_DUPLICATE)


def check_header_context(
    header: BlockHeader, parent: HeaderEntry, params: Params, now: int
) -> None:
    """What a header must satisfy as the child of `parent`, at `now` (unix seconds). Raises Invalid.

    Core: ContextualCheckBlockHeader.
    """
    expected = next_bits(parent, header.time, params)
    if header.bits != expected:
        raise Invalid(Reason.BAD_DIFFBITS, f"{header.bits:08x} instead of {expected:08x}")
    if header.time <= parent.median_time_past:
        raise Invalid(Reason.TIME_TOO_OLD, f"{header.time} <= {parent.median_time_past}")
    if header.time > now + MAX_FUTURE_BLOCK_TIME_S:
        raise Invalid(Reason.TIME_TOO_NEW, f"{header.time} is over two hours after {now}")
    height = parent.height + 1
    for version, active_from in (
        (2, params.coinbase_height_from),
        (3, params.strict_der_from),
        (4, params.locktime_verify_from),
    ):
        if header.version < version and height >= active_from:
            # Core prints the signed number as if it were unsigned.
            raise Invalid(Reason.BAD_VERSION, argument=f"0x{header.version & 0xFFFFFFFF:08x}")


def check_block_context(block: Block, parent: HeaderEntry, params: Params) -> None:
    """What a body must satisfy after `parent`. Raises Invalid (Core: ContextualCheckBlock)."""
    height = parent.height + 1
    after_relative_locks = height >= params.relative_locktime_from  # BIP 113 came with BIP 68
    cutoff = parent.median_time_past if after_relative_locks else block.header.time
    for tx in block.transactions:
        if not is_final(tx, height, cutoff):
            raise Invalid(Reason.BAD_TXNS_NONFINAL, "locked until later")
    script_sig = block.transactions[0].inputs[0].script_sig
    if height >= params.coinbase_height_from and not script_sig.startswith(push_number(height)):
        raise Invalid(Reason.BAD_CB_HEIGHT, f"coinbase does not begin with {height}")
    _check_witness(block, height >= params.segwit_from)
    if block.weight > MAX_BLOCK_WEIGHT:
        raise Invalid(Reason.BAD_BLK_WEIGHT, f"weight {block.weight}")


def _check_witness(block: Block, is_segwit_active: bool) -> None:
    """Witnesses are exactly those the coinbase commits to (Core: CheckWitnessMalleation)."""
    commitment = witness_commitment(block) if is_segwit_active else None
    if commitment is None:
        if any(tx.has_witness for tx in block.transactions):
            raise Invalid(Reason.UNEXPECTED_WITNESS)
        return
    nonce = block.transactions[0].inputs[0].witness
    if len(nonce) != 1 or len(nonce[0]) != WITNESS_NONCE_BYTES:
        raise Invalid(Reason.BAD_WITNESS_NONCE_SIZE)
    if sha256d(witness_merkle_root(block) + nonce[0]) != commitment:
        raise Invalid(Reason.BAD_WITNESS_MERKLE_MATCH)


def subsidy(height: int, params: Params) -> int:
    """New satoshi that the block at `height` may create (Core: GetBlockSubsidy)."""
    return params.initial_subsidy >> height // params.halving_interval_blocks
