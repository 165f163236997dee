"""What a block may have wrong: each function takes a good draft to the edge of one rule.

An edge is the last thing that is right or the first that is wrong, as chance will have it; what it
is, is for the engine to say. Two edges in one draft show the order in which rules are asked.
"""

from collections.abc import Callable, Sequence

from chain.block import Block
from chain.errors import DecodeError
from chain.script.script import push, push_number
from chain.transaction import OutPoint, Transaction, TxOut
from tests.builders import (
    ANYONE,
    COMMITMENT_PREFIX,
    FINAL,
    NULL,
    make_coinbase,
    make_tx,
    p2sh,
    p2wsh,
    padding,
    spendable,
    tx_in,
    with_inputs,
)
from tests.differential.drafts import REGTEST_BITS, Draft, trunk

Edge = Callable[[Draft], None]
MAX_MONEY = 2_100_000_000_000_000
MATURITY_BLOCKS = 100


# The header.


def version(draft: Draft) -> None:
    """2, 3 and 4 are the lowest allowed, one after another; it is a signed number."""
    versions = (0, 1, 2, 3, 4, 5, 0x7FFFFFFF, -1, -0x80000000)
    draft.header["version"] = draft.rng.choice(versions)


def time(draft: Draft) -> None:
    """Above the median of eleven blocks, and at most two hours ahead of the clock."""
    past, now = draft.parent.median_time_past, draft.chain.now
    times = (past - 1, past, past + 1, now, now + 7199, now + 7200, now + 7201, 0, 0xFFFFFFFF)
    draft.header["time"] = draft.rng.choice(times)


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


def size(draft: Draft) -> None:
    """A million bytes without witnesses, or one more or less."""
    wanted = 1_000_000 + draft.rng.choice((-1, 0, 0, 1, 1))
    missing = wanted - draft.block().stripped_size
    # An output is its value, its script's length in five bytes, and its script.
    draft.outputs.append(TxOut(0, padding(missing - 8 - 5)))


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
    length = draft.rng.choice((0, 1, 2, 3, 4, 99, 100, 100, 101, 101))
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
        (0,), (-1,), (-(1 << 63),), (1 << 62,), (MAX_MONEY,), (MAX_MONEY + 1,),
        (MAX_MONEY, 0), (MAX_MONEY, 1), (MAX_MONEY - 1, 1), (1, -1), (1, MAX_MONEY, -1),
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


# The body after its parent.


def height(draft: Draft) -> None:
    """The height that a coinbase begins with, in other numbers and other spellings."""
    number = draft.height.to_bytes(3, "little")
    draft.height_script = draft.rng.choice(
        (
            push_number(draft.height - 1),
            push_number(draft.height + 1),
            push(number),
            push(number[:1]),
            b"\x4c" + push_number(draft.height),
            push_number(draft.height)[1:],
            b"\x00" + push_number(draft.height),
            push_number(draft.height) + b"\x00",
        )
    )


def locktime(draft: Draft) -> None:
    """Locked until a height or time just past or just to come, if any input cares."""
    rng, past = draft.rng, draft.parent.median_time_past
    times = (past - 1, past, past + 1, 499_999_999, 500_000_000, 0xFFFFFFFF)
    lock = rng.choice((draft.height - 1, draft.height, draft.height + 1, *times))
    sequence = rng.choice((FINAL, FINAL - 1, FINAL - 1, 1 << 31))
    if rng.randrange(4):
        draft.pay(locktime=lock, sequence=sequence, version=rng.choice((1, 2, 0xFFFFFFFF)))
    else:
        draft.locktime, draft.sequence = lock, sequence


def age(draft: Draft) -> None:
    """A relative lock that ends with this block, or one later, and its bits (BIP 68)."""
    rng, (source, coin) = draft.rng, draft.source()
    units = draft.height - coin.height
    kind = 0
    if rng.randrange(2):
        kind = 1 << 22
        before = draft.parent.ancestor(max(coin.height - 1, 0)).median_time_past
        units = (draft.parent.median_time_past - before) // 512
    units = max(units + rng.choice((-1, 0, 0, 1, 1)), 0)
    odd = rng.choice((0, 0, 0, 1 << 31, 1 << 16, 1 << 30))
    draft.pay(source, sequence=units | kind | odd, version=rng.choice((1, 2, 2, 2, 0xFFFFFFFF)))


def commitment(draft: Draft) -> None:
    """A commitment where none is needed, none where one is, several, longer and shorter ones."""
    rng = draft.rng
    draft.commits = rng.choice((True, True, True, False))
    lure = COMMITMENT_PREFIX + rng.randbytes(32)
    lures = (lure, lure + b"\x07", lure[:-1], b"\x6a" + lure, lure.replace(b"\xed", b"\xee"))
    if rng.randrange(2):
        draft.outputs.append(TxOut(0, rng.choice(lures)))
    if rng.randrange(2):
        draft.late_outputs.append(TxOut(0, rng.choice(lures)))


def longer_commitment(draft: Draft) -> None:
    """The right commitment, and something after it in the same script."""
    draft.commits = True
    draft.commitment_tail = draft.rng.choice((b"\x07", bytes(50)))


def nonce(draft: Draft) -> None:
    """The coinbase's witness: not one item of 32 bytes, or another one than was committed to."""
    lists = ((), (b"",), (bytes(31),), (bytes(33),), (bytes(32), b""), (b"\7" * 32,))
    items = draft.rng.choice(lists)
    draft.commits = draft.rng.choice((True, True, None))
    if draft.rng.randrange(3) == 0:
        draft.nonce = items
        return

    def change(block: Block) -> Block:
        coinbase, *txs = block.transactions
        inputs = [each._replace(witness=items) for each in coinbase.inputs]
        return Block(block.header, (with_inputs(coinbase, inputs), *txs))

    draft.changes.append(change)


def witness(draft: Draft) -> None:
    """A witness changed, added or taken away after all was committed to."""
    draft.pay()

    def change(block: Block) -> Block:
        txs = list(block.transactions)
        at = draft.rng.randrange(1, len(txs)) if len(txs) > 1 else 0
        if txs[at].inputs:
            first, *others = txs[at].inputs
            items = draft.rng.choice(((), (b"\x07",), (*first.witness, b""), first.witness[1:]))
            txs[at] = with_inputs(txs[at], [first._replace(witness=items), *others])
        return Block(block.header, txs)

    draft.changes.append(change)


def weight(draft: Draft) -> None:
    """A weight of four million, or one more or less, nearly all of it witness."""
    # A witness program of a version to come: any witness will do.
    made = draft.chain.spend(draft.source().spendable, [TxOut(1, b"\x60\x02\x07\x07")])
    spent = tx_in(OutPoint(made.txid, 0))
    draft.txs += [made, make_tx([spent._replace(witness=(bytes(70_000),))], [TxOut(0, ANYONE)])]
    missing = 4_000_000 + draft.rng.choice((-1, 0, 0, 1, 1)) - draft.block().weight
    item = bytes(70_000 + missing)
    draft.txs[-1] = make_tx([spent._replace(witness=(item,))], [TxOut(0, ANYONE)])


# Against the coins.


def confirmed_again(draft: Draft) -> None:
    """A transaction that is in the chain already, with outputs unspent or not (BIP 30)."""
    block = draft.rng.choice(trunk()[100:])
    draft.txs.append(block.transactions[-1])


def spent_twice(draft: Draft) -> None:
    """An output spent by two transactions, or by one in a block before."""
    rng = draft.rng
    if rng.randrange(2):
        source = draft.source().spendable
        draft.txs += [draft.chain.pay(source), draft.chain.pay(source, b"", fee=1)]
    else:
        gone = rng.choice(trunk()[102:]).transactions[1].inputs[0].outpoint
        draft.txs.append(make_tx([tx_in(gone)], [TxOut(0, ANYONE)]))


def order(draft: Draft) -> None:
    """A payment of a payment, in the right order or not."""
    first = draft.pay()
    draft.pay(spendable(first))
    if draft.rng.randrange(3):
        draft.txs[-2:] = draft.txs[:-3:-1]


def unknown_input(draft: Draft) -> None:
    """What does not exist, or never was a coin."""
    known = draft.source().spendable.outpoint
    genesis = draft.chain.params.genesis.transactions[0].txid
    commitment_at = OutPoint(trunk()[110].transactions[0].txid, 1)
    odd = (OutPoint(b"\x07" * 32, 0), known._replace(index=9), OutPoint(genesis, 0), commitment_at)
    draft.txs.append(make_tx([tx_in(draft.rng.choice(odd))], [TxOut(0, ANYONE)]))


def maturity(draft: Draft) -> None:
    """A coinbase with 98, 99 or 100 blocks on top, or that of the block itself."""
    at = draft.height - MATURITY_BLOCKS + draft.rng.choice((-1, 0, 0, 1, 1, 2))
    ancestor = draft.parent.ancestor(at)
    block = draft.chain.chainstate.read_block(ancestor.hash)
    if block is not None:
        source = draft.chain.output(block.transactions[0])
        draft.sources = [each for each in draft.sources if each.spendable != source]
        draft.pay(source)


def money(draft: Draft) -> None:
    """A fee of nothing, or of less."""
    draft.txs.append(draft.chain.pay(draft.source().spendable, fee=draft.rng.choice((0, -1, -1))))


def reward(draft: Draft) -> None:
    """What the coinbase claims: all, one satoshi more, or less."""
    draft.excess = draft.rng.choice((-1, 0, 0, 1, 1))


def script(draft: Draft) -> None:
    """A script that fails."""
    draft.script_spend(want_good=False)


def hidden_sigops(draft: Draft) -> None:
    """80,000 of cost in scripts of every kind, or one more or less."""
    per_script = 1 + 16 + 20 + 1
    # Zero IF ... ENDIF one: never run, with multisigs of 1, 16 and an unknown number of keys.
    code = b"\x00\x63" + b"\x51\xae" + b"\x60\xae" + b"\xae" + b"\xac" + b"\x68\x51"
    odd = draft.rng.randrange(5)
    few = b"\x00\x63" + b"\xac" * odd + b"\x68\x51"
    outputs = [p2sh(code), p2wsh(code), p2sh(p2wsh(code)), p2wsh(few)]
    made = draft.chain.spend(draft.source().spendable, [TxOut(1, each) for each in outputs])
    inputs = [
        tx_in(OutPoint(made.txid, 0), push(code)),  # four times per_script
        tx_in(OutPoint(made.txid, 1), b"", 0, code),
        tx_in(OutPoint(made.txid, 2), push(p2wsh(code)), 0, code),
        tx_in(OutPoint(made.txid, 3), b"", 0, few),
    ]
    draft.txs[:] = [made, make_tx(inputs, [TxOut(0, ANYONE)])]
    cost = per_script * 6 + odd + bool(made.inputs[0].witness[1:])  # P2WPKH counts, P2TR does not
    plain = (80_000 + draft.rng.choice((-1, 0, 0, 1, 4)) - cost) // 4
    draft.outputs.append(TxOut(0, b"\xac" * plain))


HEADER: tuple[Edge, ...] = (version, time, bits, proof, parent, root)
BODY: tuple[Edge, ...] = (
    repeated_tail, other_body, no_transactions, first_transaction, more_coinbases, coinbase_length,
    plain_sigops, no_inputs, no_outputs, output_values, repeated_input, null_input, damage,
)  # fmt: skip
CONTEXT: tuple[Edge, ...] = (
    height, locktime, locktime, age, age, commitment, longer_commitment, nonce, witness,
)  # fmt: skip
COINS: tuple[Edge, ...] = (
    confirmed_again, spent_twice, order, unknown_input, maturity, money, reward, hidden_sigops,
    script, script, script,
)  # fmt: skip
LARGE: tuple[Edge, ...] = (size, weight)  # slow
