"""What a block may have wrong by itself: each takes a good draft to the edge of one rule.

An edge is the last thing that is right or the first that is wrong, as chance will have it; what it
is, is for the engine to say. Two edges in one draft show the order in which rules are asked.
"""

from collections.abc import Callable, Sequence

from chain.block import Block
from chain.errors import DecodeError
from chain.transaction import OutPoint, Transaction, TxOut
from tests.builders import (
    ANYONE,
    NULL,
    make_coinbase,
    make_tx,
    tx_in,
    with_inputs,
)
from tests.differential.drafts import REGTEST_BITS, Draft

Edge = Callable[[Draft], None]
MAX_MONEY = 2_100_000_000_000_000


# The header.


def version(draft: Draft) -> None:
    """2, 3 and 4 are the lowest allowed, one after another; it is a signed number."""
    versions = (0, 1, 2, 3, 4, 5, 0x7FFFFFFF, -1, -0x80000000)
    draft.header["version"] = draft.rng.choice(versions)


def time(draft: Draft) -> None:
    """Above the median of eleven blocks, and at most two hours ahead of the clock."""
    past, now = draft.parent.median_time_past, draft.chain.now
    edges = (past, past + 1, now + 7200, now + 7201)
    draft.header["time"] = draft.rng.choice((*edges, *edges, past - 1, now, 0, 0xFFFFFFFF))


def bits(draft: Draft) -> None:
    """The only right ones, other spellings, and targets that are no targets."""
    odd = (0x207FFFFE, 0x1F7FFFFF, 0x21007FFF, 0x20800000, 0x20FFFFFF, 0x2100FFFF)
    worse = (0, 0x01FEDCBA, 0xFF7FFFFF, 0x207FFFFF | 0x800000, 0x22000100, 0x01003456)
    draft.header["bits"] = draft.rng.choice((REGTEST_BITS, *odd, *worse))


def proof(draft: Draft) -> None:
    """No work."""
    draft.is_solved = False


def parent(draft: Draft) -> None:
    """A parent that nobody has."""
    draft.header["prev_hash"] = draft.rng.randbytes(32)


def root(draft: Draft) -> None:
    """Another root."""
    draft.header["merkle_root"] = draft.rng.choice((bytes(32), draft.rng.randbytes(32)))


# The body by itself.


def repeated_tail(draft: Draft) -> None:
    """The last few transactions twice: where the tree is even, the root stays (CVE-2012-2459)."""
    count = draft.rng.choice((1, 1, 2, 3))
    if draft.rng.randrange(2):
        draft.changes.append(
            lambda block: Block(block.header, (*block.transactions, *block.transactions[-count:]))
        )
    else:
        draft.txs += draft.txs[-count:]


def other_body(draft: Draft) -> None:
    """The same header, with a transaction taken away, changed or moved."""

    def change(block: Block) -> Block:
        coinbase, *txs = block.transactions
        if draft.rng.randrange(2) or not txs:
            outputs = (*coinbase.outputs, TxOut(0, b""))
            coinbase = make_tx(coinbase.inputs, outputs, coinbase.version, coinbase.locktime)
        else:
            txs = draft.rng.choice((txs[:-1], txs[1:], txs[::-1]))
        return Block(block.header, (coinbase, *txs))

    draft.changes.append(change)


def no_transactions(draft: Draft) -> None:
    """An empty body, under a root that says so or not."""
    if draft.rng.randrange(2):
        draft.header["merkle_root"] = bytes(32)
    draft.changes.append(lambda block: Block(block.header, ()))


def first_transaction(draft: Draft) -> None:
    """No coinbase, or not in the first place."""
    draft.arrange = draft.rng.choice((lambda txs: txs[1:], lambda txs: txs[::-1]))


def more_coinbases(draft: Draft) -> None:
    """A second coinbase, or what is nearly one."""
    outpoint = draft.rng.choice((NULL, NULL, NULL._replace(index=0), OutPoint(b"\1" * 32, NULL[1])))
    tx = make_coinbase(draft.height, [TxOut(0, ANYONE)], extra=b"\0")
    tx = with_inputs(tx, [tx.inputs[0]._replace(outpoint=outpoint)])
    draft.txs.insert(draft.rng.randint(0, len(draft.txs)), tx)


def coinbase_length(draft: Draft) -> None:
    """A scriptSig of 2 to 100 bytes, which is also to hold the height."""
    length = draft.rng.choice((0, 1, 1, 2, 2, 3, 99, 100, 100, 100, 101, 101, 101))
    whole = draft.height_script + bytes(101)
    draft.height_script, draft.extra = whole[:length], b""


def plain_sigops(draft: Draft) -> None:
    """20,000 in plain sight, or one more or less."""
    count = 20_000 + draft.rng.choice((-1, 0, 0, 1, 1)) - sum(map(_plain, draft.txs))
    many, rest = divmod(max(count, 0), 20)
    draft.outputs.append(TxOut(0, b"\xae" * many + b"\xac" * rest))  # a multisig counts for 20


def _plain(tx: Transaction) -> int:
    """Only of the payments to keys that drafts are filled with: others may be counted wrongly."""
    scripts = [
        *(each.script_sig for each in tx.inputs),
        *(each.script_pubkey for each in tx.outputs),
    ]
    return sum(script.count(b"\xac") for script in scripts if script[-1:] == b"\xac")


# A transaction by itself.


def no_inputs(draft: Draft) -> None:
    """Neither inputs nor outputs, or only no inputs: which reads as another transaction."""
    outputs = draft.rng.choice(([], [TxOut(0, ANYONE)]))
    draft.txs.append(make_tx([], outputs))


def no_outputs(draft: Draft) -> None:
    """All for the miner."""
    draft.txs.append(draft.chain.spend(draft.source().spendable, []))


def output_values(draft: Draft) -> None:
    """From nothing to 21 million coins, each and together."""
    lists: Sequence[Sequence[int]] = (
        (MAX_MONEY,), (MAX_MONEY + 1,), (MAX_MONEY + 1,), (MAX_MONEY, 1), (MAX_MONEY, 1),
        (MAX_MONEY, 0), (MAX_MONEY - 1, 1), (0,), (-1,), (1, -1), (1, MAX_MONEY, -1),
        (-(1 << 63),), (1 << 62,),
    )  # fmt: skip
    outputs = [TxOut(value, ANYONE) for value in draft.rng.choice(lists)]
    if draft.rng.randrange(4):
        draft.txs.append(draft.chain.spend(draft.source().spendable, outputs))
    else:
        draft.outputs += outputs


def repeated_input(draft: Draft) -> None:
    """One output spent by two inputs (CVE-2018-17144)."""
    source = draft.source().spendable
    between = [draft.source().spendable] * draft.rng.randrange(2)
    draft.txs.append(draft.chain.pay([source, *between, source]))


def null_input(draft: Draft) -> None:
    """An input that spends nothing, or nearly so, beside a good one."""
    outpoint = draft.rng.choice((NULL, NULL._replace(index=0), OutPoint(b"\1" * 32, NULL.index)))
    tx = draft.chain.pay(draft.source().spendable)
    inputs = [*tx.inputs, tx_in(outpoint)]
    draft.rng.shuffle(inputs)
    draft.txs.append(with_inputs(tx, inputs))


def damage(draft: Draft) -> None:
    """Some bytes of a transaction changed, and all the rest right about it."""
    rng = draft.rng
    tx = draft.pay()
    raw = bytearray(tx.serialize())
    at = rng.randrange(len(raw))
    end = at + rng.randint(1, 4)
    how = rng.randrange(6)
    if how < 3:
        raw[at] ^= 1 << rng.randrange(8)
    else:
        raw[at:end] = (bytes([0xFF * rng.randrange(2)]) * (end - at), b"", raw[at:end] * 2)[how - 3]
    try:
        draft.txs[-1] = Transaction.parse(bytes(raw))
    except DecodeError:  # then in its bytes only
        old, new = tx.serialize(), bytes(raw)
        draft.byte_changes.append((old, new))


# Those with two sides come more often.
HEADER: tuple[Edge, ...] = (
    *(version, time, time, bits) * 2,
    *(proof, parent, root),
)
BODY: tuple[Edge, ...] = (
    *(coinbase_length, plain_sigops, output_values) * 2,
    *(repeated_tail, other_body, no_transactions, first_transaction, more_coinbases),
    *(no_inputs, no_outputs, repeated_input, null_input, damage),
)
