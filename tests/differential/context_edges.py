"""What a block may have wrong after its parent and against the coins, in the manner of edges."""

from chain.block import Block
from chain.script.script import push, push_number
from chain.transaction import OutPoint, TxOut
from tests.builders import (
    ANYONE,
    COMMITMENT_PREFIX,
    FINAL,
    make_tx,
    p2sh,
    p2wsh,
    padding,
    spendable,
    tx_in,
    with_inputs,
)
from tests.differential.drafts import Draft, trunk
from tests.differential.edges import Edge

MATURITY_BLOCKS = 100


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
    units = max(units + rng.choice((-1, 0, 0, 1, 1, 1)), 0)
    odd = rng.choice((0, 0, 0, 0, 0, 0, 1 << 31, 1 << 16, 1 << 30))
    version = rng.choice((1, 2, 2, 2, 2, 2, 3, 0xFFFFFFFF))
    draft.pay(source, sequence=units | kind | odd, version=version)


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


def size(draft: Draft) -> None:
    """A million bytes without witnesses, or one more or less."""
    wanted = 1_000_000 + draft.rng.choice((-1, 0, 0, 1, 1))
    missing = wanted - draft.block().stripped_size
    # An output is its value, its script's length in five bytes, and its script.
    draft.outputs.append(TxOut(0, padding(missing - 8 - 5)))


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


# Those with two sides come more often.
CONTEXT: tuple[Edge, ...] = (
    *(locktime, age, age) * 2,
    *(height, commitment, longer_commitment, nonce, witness),
)
COINS: tuple[Edge, ...] = (
    *(maturity, reward, hidden_sigops, script, script) * 2,
    *(confirmed_again, spent_twice, order, unknown_input, money),
)
LARGE: tuple[Edge, ...] = (size, weight)  # slow
