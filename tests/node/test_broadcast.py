"""Taking in a transaction: the order of the questions and the code of each refusal."""

from collections.abc import Callable

import pytest

from chain.transaction import Transaction, TxIn, TxOut
from node.rpc.broadcast import broadcast, parse_transaction
from node.rpc.values import Amount, RpcError
from tests.builders import key, p2wpkh
from tests.node.serving import Served

HOME, THERE = p2wpkh(key(0)), p2wpkh(key(1))
COIN = 100_000_000


@pytest.fixture
def served() -> Served:
    return Served(blocks=5)


def refusal(call: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(RpcError) as caught:
        call()
    return caught.value.code, str(caught.value)


def text(tx: Transaction) -> str:
    return tx.serialize().hex()


def test_not_a_transaction() -> None:
    answer = (-22, "TX decode failed. Make sure the tx has at least one input.")
    for nonsense in ("", "0", "zz", "0200"):
        assert refusal(lambda text=nonsense: parse_transaction(text)) == answer


def test_taken_in_and_again(served: Served) -> None:
    tx = served.chain.pay(served.chain.mature()[0], THERE, fee=1_000)
    assert broadcast(served.runtime, text(tx)) == tx.txid
    assert broadcast(served.runtime, text(tx)) == tx.txid
    (tx_in,) = tx.inputs
    broken = TxIn(tx_in.outpoint, b"", tx_in.sequence, (b"another", b"witness"))
    twin = Transaction(tx.version, [broken], tx.outputs, tx.locktime)
    assert twin.txid == tx.txid
    assert broadcast(served.runtime, text(twin)) == tx.txid
    assert [entry.tx for entry in served.node.mempool] == [tx]


def test_in_the_chain_already(served: Served) -> None:
    tx = served.chain.pay(served.chain.mature()[0], THERE, parts=2)
    served.chain.mine(txs=[tx])
    answer = (-27, "Transaction outputs already in utxo set")
    assert refusal(lambda: broadcast(served.runtime, text(tx))) == answer
    served.chain.mine(txs=[served.chain.pay(served.chain.output(tx, 0))])
    assert refusal(lambda: broadcast(served.runtime, text(tx))) == answer
    served.chain.mine(txs=[served.chain.pay(served.chain.output(tx, 1))])
    answer = (-25, "bad-txns-inputs-missingorspent")
    assert refusal(lambda: broadcast(served.runtime, text(tx))) == answer


def test_burning_by_mistake(served: Served) -> None:
    source = served.chain.mature()[0]
    outputs = [TxOut(5, b"\x6a"), TxOut(source.output.value - 2_000, HOME)]
    tx = served.chain.spend(source, outputs)
    answer = (-25, "Unspendable output exceeds maximum configured by user (maxburnamount)")
    assert refusal(lambda: broadcast(served.runtime, text(tx))) == answer
    assert refusal(lambda: broadcast(served.runtime, text(tx), Amount(0), Amount(4))) == answer
    assert broadcast(served.runtime, text(tx), max_burn=Amount(5)) == tx.txid


def test_a_fee_by_mistake(served: Served) -> None:
    source = served.chain.mature()[0]
    tx = served.chain.pay(source, THERE, fee=COIN)
    answer = (-25, "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)")
    assert refusal(lambda: broadcast(served.runtime, text(tx))) == answer
    exactly = served.chain.pay(source, THERE, fee=tx.vsize * COIN // 10 // 1_000)
    assert broadcast(served.runtime, text(exactly)) == exactly.txid
    assert broadcast(served.runtime, text(tx), max_feerate=Amount(0)) == tx.txid


def test_what_else_is_wrong_is_said_before_the_fee(served: Served) -> None:
    tx = served.chain.pay(served.chain.mature()[0], THERE, fee=COIN)
    (tx_in,) = tx.inputs
    unsigned = Transaction(tx.version, [TxIn(tx_in.outpoint)], tx.outputs, 0)
    code, why = refusal(lambda: broadcast(served.runtime, text(unsigned)))
    assert code == -26
    assert why.startswith("mempool-script-verify-flag-failed (Witness program hash mismatch)")


def test_refused_by_consensus(served: Served) -> None:
    tx = served.chain.pay(served.chain.mature()[0], THERE, fee=-1)
    code, why = refusal(lambda: broadcast(served.runtime, text(tx)))
    assert (code, why.split(",")[0]) == (-26, "bad-txns-in-belowout")
