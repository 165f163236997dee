"""Acceptance: each rule broken in its turn, on a real chain, with Core's text and figures.

Rules about shape alone are in test_policy.py, those about replacement in test_replacement.py.
"""

from dataclasses import replace

import pytest

from chain.encoding import display_hash
from chain.transaction import Transaction, TxIn, TxOut
from node.mempool.policy import PolicyOptions
from node.mempool.reasons import PolicyClass, PolicyReason
from tests.builders import (
    key,
    make_tx,
    p2pkh,
    p2sh,
    p2tr,
    p2wsh,
    sign,
    spendable,
    tx_in,
    with_inputs,
)
from tests.node.support import HOME, Scene, invalid_text

LOOSE = PolicyOptions(accept_nonstandard=True)
TRUE = b"\x51"


@pytest.fixture
def scene() -> Scene:
    return Scene()


def confirmed(scene: Scene, script: bytes, value: int = 100_000) -> Transaction:
    """A mined transaction whose first output has this script."""
    source = scene.coins.pop()
    rest = TxOut(source.output.value - value, HOME)
    funding = scene.chain.spend(source, [TxOut(value, script), rest])
    scene.mine(funding)
    return funding


def test_a_payment_is_accepted(scene: Scene) -> None:
    entry = scene.waiting(scene.coins[0], fee=1_000)
    assert scene.mempool.get(entry.txid) is entry
    assert (entry.fee, entry.time, entry.height) == (1_000, scene.now, scene.chain.height)
    assert (entry.vsize, entry.sigop_cost) == (110, 1)


def test_a_check_changes_nothing(scene: Scene) -> None:
    tx = scene.pay(scene.coins[0])
    assert scene.mempool.check(tx, scene.now).fee == 1_000
    assert len(scene.mempool) == 0
    assert scene.mempool.take_events() == []


# Before anything else, consensus.


def test_a_transaction_is_valid_by_itself(scene: Scene) -> None:
    tx = scene.pay(scene.coins[0])
    nothing = Transaction(2, tx.inputs, (), 0)
    assert invalid_text(lambda: scene.accept(nothing)) == "bad-txns-vout-empty"


def test_spending_more_than_there_is_is_invalid(scene: Scene) -> None:
    tx = scene.pay(scene.coins[0], fee=-1)
    assert invalid_text(lambda: scene.accept(tx)) == "bad-txns-in-belowout"


def test_a_young_coinbase_is_invalid(scene: Scene) -> None:
    block = scene.mine()
    tx = scene.pay(scene.chain.output(block.transactions[0]))
    assert invalid_text(lambda: scene.accept(tx)) == "bad-txns-premature-spend-of-coinbase"
    scene.mine()
    scene.accept(tx)


# In Core's order.


def test_coinbase(scene: Scene) -> None:
    coinbase = scene.chain.coinbase(scene.chain.tip)
    assert str(scene.refuse(coinbase)) == "coinbase"


def test_standardness_is_the_operators_choice(scene: Scene) -> None:
    odd = scene.pay(scene.coins[0], script=TRUE)
    assert str(scene.refuse(odd)) == "scriptpubkey"
    loose = Scene(LOOSE)
    loose.accept(loose.pay(loose.coins[0], script=TRUE, parts=2))


def test_tx_size_small() -> None:
    scene = Scene(LOOSE)
    funding = scene.accept(scene.pay(scene.coins[0], script=TRUE, parts=2)).tx
    for size, output in ((65, b"\x6a\x03abc"), (64, b"\x6a\x02ab")):
        tx = make_tx([tx_in(spendable(funding).outpoint)], [TxOut(0, output)])
        assert tx.stripped_size == size
        if size < 65:
            assert str(scene.refuse(tx)) == "tx-size-small"
        else:
            scene.mempool.check(tx, scene.now)


def test_non_final(scene: Scene) -> None:
    height = scene.chain.height + 1
    now = scene.pay(scene.coins[0], locktime=height - 1)
    later = scene.pay(scene.coins[1], locktime=height)
    scene.accept(now)
    assert str(scene.refuse(later)) == "non-final"
    assert scene.refuse(later).reason.result is PolicyClass.PREMATURE_SPEND
    scene.mine()
    scene.accept(later)


def test_non_final_by_time(scene: Scene) -> None:
    median = scene.chain.tip.median_time_past
    scene.accept(scene.pay(scene.coins[0], locktime=median - 1))
    assert str(scene.refuse(scene.pay(scene.coins[1], locktime=median))) == "non-final"
    scene.accept(scene.pay(scene.coins[1], locktime=median, sequence=0xFFFFFFFF))


def test_txn_already_in_mempool(scene: Scene) -> None:
    entry = scene.waiting(scene.coins[0])
    assert str(scene.refuse(entry.tx)) == "txn-already-in-mempool"


def test_txn_same_nonwitness_data_in_mempool(scene: Scene) -> None:
    tx = scene.waiting(scene.coins[0]).tx
    twin = with_inputs(tx, [each._replace(witness=(b"", *each.witness)) for each in tx.inputs])
    assert twin.txid == tx.txid
    assert str(scene.refuse(twin)) == "txn-same-nonwitness-data-in-mempool"


def test_missing_inputs(scene: Scene) -> None:
    parent = scene.pay(scene.coins[0], parts=2)
    child = scene.pay(scene.chain.output(parent))
    refusal = scene.refuse(child)
    assert str(refusal) == "bad-txns-inputs-missingorspent"
    assert refusal.reason.result is PolicyClass.MISSING_INPUTS
    scene.accept(parent)
    scene.accept(child)
    beyond = make_tx([tx_in(spendable(parent).outpoint._replace(index=2))], parent.outputs[:1])
    assert str(scene.refuse(beyond)) == "bad-txns-inputs-missingorspent"


def test_txn_already_known(scene: Scene) -> None:
    tx = scene.pay(scene.coins[0])
    scene.mine(tx)
    assert str(scene.refuse(tx)) == "txn-already-known"
    scene.mine(scene.pay(scene.chain.output(tx)))
    assert str(scene.refuse(tx)) == "bad-txns-inputs-missingorspent"


def test_non_bip68_final_by_height(scene: Scene) -> None:
    funding = confirmed(scene, HOME)
    tx = scene.pay(scene.chain.output(funding), sequence=2)
    refusal = scene.refuse(tx)
    assert str(refusal) == "non-BIP68-final"
    assert refusal.reason.result is PolicyClass.PREMATURE_SPEND
    scene.mine()
    scene.accept(tx)


def test_non_bip68_final_by_time(scene: Scene) -> None:
    coin = scene.coins[0]
    assert str(scene.refuse(scene.pay(coin, sequence=1 << 22 | 1))) == "non-BIP68-final"
    scene.accept(scene.pay(coin, sequence=1 << 31 | 1 << 22 | 1))


def test_an_unconfirmed_coin_is_as_old_as_the_next_block(scene: Scene) -> None:
    parent = scene.waiting(scene.coins[0])
    scene.waiting(scene.output(parent), sequence=0)
    parent = scene.waiting(scene.coins[1])
    tx = scene.pay(scene.output(parent), sequence=1)
    assert str(scene.refuse(tx)) == "non-BIP68-final"


def test_nonstandard_inputs(scene: Scene) -> None:
    funding = confirmed(scene, TRUE)
    tx = scene.pay(spendable(funding))
    refusal = scene.refuse(tx)
    assert str(refusal) == "bad-txns-nonstandard-inputs, input 0 script unknown"
    assert refusal.reason.result is PolicyClass.INPUTS_NOT_STANDARD


def test_nonstandard_witness(scene: Scene) -> None:
    funding = confirmed(scene, p2wsh(TRUE))
    tx = make_tx(
        [tx_in(spendable(funding).outpoint, b"", 0, bytes(81), TRUE)], [TxOut(90_000, HOME)]
    )
    refusal = scene.refuse(tx)
    assert str(refusal) == "bad-witness-nonstandard"
    assert refusal.reason.result is PolicyClass.WITNESS_MUTATED


def test_too_many_sigops() -> None:
    scene = Scene(LOOSE)
    # A bare CHECKMULTISIG counts as 20 keys, four times; the input's signature once.
    scene.accept(scene.pay(scene.coins[0], script=b"\xae" * 199 + b"\xac" * 19, fee=1_000_000))
    tx = scene.pay(scene.coins[1], script=b"\xae" * 200, fee=1_000_000)
    assert str(scene.refuse(tx)) == "bad-txns-too-many-sigops, 16001"


def test_sigops_count_as_bytes() -> None:
    scene = Scene(LOOSE)
    tx = scene.pay(scene.coins[0], script=b"\xae" * 100, fee=1_000_000)
    entry = scene.accept(tx)
    assert entry.sigop_cost == 100 * 20 * 4 + 1
    assert entry.weight == entry.sigop_cost * 20
    assert entry.vsize == -(-8_001 * 20 // 4)


def test_dust_pays_no_fee(scene: Scene) -> None:
    def with_dust(fee: int) -> Transaction:
        value = scene.coins[0].output.value
        return scene.chain.spend(scene.coins[0], [TxOut(value - 293 - fee, HOME), TxOut(293, HOME)])

    assert str(scene.refuse(with_dust(1))) == "dust, tx with dust output must be 0-fee"
    assert str(scene.refuse(with_dust(0))) == "min relay fee not met, 0 < 15"


def test_dust_is_swept_up_by_the_child() -> None:
    scene = Scene(PolicyOptions(min_relay_feerate=0))
    value = scene.coins[0].output.value
    parent = scene.chain.spend(scene.coins[0], [TxOut(value, HOME), TxOut(0, HOME)])
    scene.accept(parent)
    main, dust = scene.chain.output(parent, 0), scene.chain.output(parent, 1)
    careless = scene.pay(main)
    refusal = scene.refuse(careless)
    assert refusal.reject_reason == "missing-ephemeral-spends"
    assert refusal.detail == (
        f"tx {display_hash(careless.txid)} (wtxid={display_hash(careless.wtxid)}) "
        "did not spend parent's ephemeral dust"
    )
    scene.accept(scene.pay([main, dust]))


def test_min_relay_fee_not_met(scene: Scene) -> None:
    assert str(scene.refuse(scene.pay(scene.coins[0], fee=0))) == "min relay fee not met, 0 < 11"
    refusal = scene.refuse(scene.pay(scene.coins[0], fee=10))
    assert str(refusal) == "min relay fee not met, 10 < 11"
    assert refusal.reason.result is PolicyClass.RECONSIDERABLE
    scene.waiting(scene.coins[0], fee=11)


def test_min_relay_fee_is_the_operators_choice() -> None:
    scene = Scene(PolicyOptions(min_relay_feerate=1_000))
    refusal = scene.refuse(scene.pay(scene.coins[0], fee=109))
    assert str(refusal) == "min relay fee not met, 109 < 110"
    scene.waiting(scene.coins[0], fee=110)


def test_too_large_cluster_by_count(scene: Scene) -> None:
    entry = scene.waiting(scene.coins[0])
    for _ in range(63):
        entry = scene.waiting(scene.output(entry))
    refusal = scene.refuse(scene.pay(scene.output(entry)))
    assert str(refusal) == "too-large-cluster"
    assert refusal.reason.result is PolicyClass.MEMPOOL_POLICY


def test_a_cluster_is_wide_too() -> None:
    scene = Scene(PolicyOptions(max_cluster_count=3))
    first, second = scene.waiting(scene.coins[0]), scene.waiting(scene.coins[1])
    scene.waiting([scene.output(first), scene.output(second)])
    third = scene.waiting(scene.coins[2], parts=2)
    child = scene.waiting(scene.output(third))
    scene.waiting([scene.output(third, 1), scene.coins[3]])
    assert str(scene.refuse(scene.pay(scene.output(child)))) == "too-large-cluster"


def test_too_large_cluster_by_size() -> None:
    scene = Scene(PolicyOptions(max_cluster_vsize=219))
    first = scene.waiting(scene.coins[0])
    entry = scene.waiting(scene.output(first))
    assert first.weight + entry.weight <= 219 * 4
    assert str(scene.refuse(scene.pay(scene.output(entry)))) == "too-large-cluster"


def refused_script(scene: Scene, tx: Transaction) -> tuple[str, PolicyClass]:
    refusal = scene.refuse(tx)
    spent = tx.inputs[0].outpoint
    assert refusal.detail == (
        f"input 0 of {display_hash(tx.txid)} (wtxid {display_hash(tx.wtxid)}), "
        f"spending {display_hash(spent.txid)}:{spent.index}"
    )
    return refusal.reject_reason, refusal.reason.result


def test_scripts_are_verified(scene: Scene) -> None:
    tx = scene.pay(scene.coins[0])
    signature, public = tx.inputs[0].witness
    other = with_inputs(tx, [tx.inputs[0]._replace(witness=(signature, key(1).public))])
    text, result = refused_script(scene, other)
    assert text == ("mempool-script-verify-flag-failed (Script failed an OP_EQUALVERIFY operation)")
    assert result is PolicyClass.NOT_STANDARD
    wrong = with_inputs(
        tx, [tx.inputs[0]._replace(witness=(signature[:-2] + b"\0" + b"\1", public))]
    )
    text, _ = refused_script(scene, wrong)
    assert text.startswith("mempool-script-verify-flag-failed (Signature must be zero")


def test_a_missing_witness_is_stripped_not_wrong(scene: Scene) -> None:
    tx = scene.pay(scene.coins[0])
    bare = with_inputs(tx, [tx.inputs[0]._replace(witness=())])
    text, result = refused_script(scene, bare)
    assert text == "mempool-script-verify-flag-failed (Witness program hash mismatch)"
    assert result is PolicyClass.WITNESS_STRIPPED


def test_scripts_face_our_stricter_flags_even_if_nonstandard_is_accepted() -> None:
    scene = Scene(LOOSE)
    funding = scene.accept(scene.pay(scene.coins[0], script=TRUE, parts=2)).tx
    unclean = make_tx([tx_in(spendable(funding).outpoint, TRUE)], [TxOut(90_000, HOME)])
    text, result = refused_script(scene, unclean)
    assert text == (
        "mempool-script-verify-flag-failed (Stack size must be exactly one after execution)"
    )
    assert result is PolicyClass.NOT_STANDARD


@pytest.mark.parametrize("script", [p2pkh(key(1)), p2tr(key(1))])
def test_other_kinds_of_output_can_be_spent(scene: Scene, script: bytes) -> None:
    funding = scene.accept(scene.pay(scene.coins[0], script=script)).tx
    spent = spendable(funding, 0, key(1))
    value = spent.output.value
    scene.accept(sign(make_tx([tx_in(spent.outpoint)], [TxOut(value - 500, HOME)]), [spent]))


def test_p2sh_can_be_spent(scene: Scene) -> None:
    funding = confirmed(scene, p2sh(HOME))
    spent = spendable(funding)
    inner = spent._replace(output=spent.output._replace(script_pubkey=HOME), owner=key(0))
    tx = sign(make_tx([tx_in(spent.outpoint)], [TxOut(90_000, HOME)]), [inner])
    nested = [TxIn(each.outpoint, b"\x16" + HOME, 0xFFFFFFFF, each.witness) for each in tx.inputs]
    scene.accept(with_inputs(tx, nested))


def test_the_first_broken_rule_decides(scene: Scene) -> None:
    tx = scene.pay(scene.coins[0], fee=0, script=TRUE, locktime=999, version=9)
    assert scene.refuse(tx).reason is PolicyReason.VERSION
    tx = scene.pay(scene.coins[0], fee=0, script=TRUE, locktime=999)
    assert scene.refuse(tx).reason is PolicyReason.SCRIPTPUBKEY
    tx = scene.pay(scene.coins[0], fee=0, locktime=999)
    assert scene.refuse(tx).reason is PolicyReason.NON_FINAL
    bare = with_inputs(tx, [each._replace(witness=()) for each in tx.inputs])
    bare = Transaction(bare.version, bare.inputs, bare.outputs, 0)
    assert scene.refuse(bare).reason is PolicyReason.MIN_RELAY_FEE_NOT_MET


def test_options_can_be_replaced() -> None:
    assert replace(LOOSE, min_relay_feerate=5).accept_nonstandard
