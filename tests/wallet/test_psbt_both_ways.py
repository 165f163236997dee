"""Payments signed apart with wallets nobody here wrote: BDK and embit, in every order.

Each of three makes a PSBT, each of three signs it, each of three finishes it; a real chain state
takes the transaction. The words are the same everywhere, so everybody can sign for everybody.
"""

import itertools
from functools import cache

import bdkpython as bdk
import pytest
from embit import bip32, finalizer
from embit.descriptor import Descriptor as EmbitDescriptor
from embit.psbt import PSBT, DerivationPath
from embit.transaction import Transaction as EmbitTransaction

from chain.params import REGTEST
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.builders import ChainBuilder
from wallet.checksum import add_checksum
from wallet.hd import ExtendedPrivateKey
from wallet.psbt.finish import extract, finalize
from wallet.psbt.packet import Psbt, combine
from wallet.psbt.signing import keys_of_descriptors, keys_of_master, sign
from wallet.psbt.update import update
from wallet.psbt.verification import verify
from wallet.script_expression import parse_descriptor

COIN = 100_000_000
H = 2**31
SEEDS = [bytes([number]) * 32 for number in (1, 2, 3)]
MASTERS = [ExtendedPrivateKey.from_seed(seed) for seed in SEEDS]
PATH = (84 + H, 1 + H, H)
WHO = ["ours", "embit", "bdk"]
FEE = 1_000


def key(number: int, *, private: bool = False) -> str:
    account = MASTERS[number].derive(PATH)
    text = account.serialize(REGTEST) if private else account.public.serialize(REGTEST)
    return f"[{MASTERS[number].public.fingerprint.hex()}/84h/1h/0h]{text}/<0;1>/*"


def descriptor(shape: str, holder: int | None = None) -> str:
    """The descriptor of a shape, with the private key of one holder."""
    keys = [key(number, private=number == holder) for number in range(3)]
    several = f"sortedmulti(2,{','.join(keys)})"
    return {
        "wpkh": f"wpkh({keys[0]})",
        "pkh": f"pkh({keys[0]})",
        "sh(wpkh)": f"sh(wpkh({keys[0]}))",
        "tr": f"tr({keys[0]})",
        "wsh": f"wsh({several})",
        "sh(wsh)": f"sh(wsh({several}))",
        "sh": f"sh({several})",
    }[shape]


SINGLE = ["wpkh", "tr", "pkh", "sh(wpkh)"]
SEVERAL = ["wsh", "sh(wsh)", "sh"]


@cache
def chain() -> ChainBuilder:
    """One chain for all payments, with many coins to spend."""
    builder = ChainBuilder()
    builder.mine(100 + 60)
    return builder


_used: list[OutPoint] = []


def funding(shape: str) -> Transaction:
    """A mined transaction that pays two coins of the shape: receiving 3 and change 5."""
    ours = parse_descriptor(descriptor(shape), REGTEST)
    source = next(each for each in chain().mature() if each.outpoint not in _used)
    _used.append(source.outpoint)
    half = source.output.value // 2
    outputs = [TxOut(half, ours.script(0, 3)), TxOut(half, ours.script(1, 5))]
    transaction = chain().spend(source, outputs)
    chain().mine(txs=[transaction])
    return transaction


def unsigned(shape: str, source: Transaction) -> Transaction:
    """Both coins to one stranger and one change output."""
    ours = parse_descriptor(descriptor(shape), REGTEST)
    total = sum(output.value for output in source.outputs)
    inputs = [TxIn(OutPoint(source.txid, index), b"", 0xFFFFFFFD) for index in (0, 1)]
    outputs = [TxOut(COIN, b"\x00\x14" + bytes(20)), TxOut(total - COIN - FEE, ours.script(1, 6))]
    return Transaction(2, inputs, outputs, 0)


# The three ways to make one.


def make_ours(shape: str, source: Transaction) -> str:
    ours = parse_descriptor(descriptor(shape), REGTEST)
    psbt = Psbt.of_transaction(unsigned(shape, source))
    return update(psbt, [ours], {source.txid: source}).text()


def make_embit(shape: str, source: Transaction) -> str:
    theirs = EmbitDescriptor.from_string(descriptor(shape))
    parent = EmbitTransaction.parse(source.serialize())
    psbt = PSBT(EmbitTransaction.parse(unsigned(shape, source).serialize()))
    places = [(psbt.inputs[0], 3, 0), (psbt.inputs[1], 5, 1), (psbt.outputs[1], 6, 1)]
    for number, (scope, index, branch) in enumerate(places):
        derived = theirs.derive(index, branch_index=branch)
        for each in derived.keys:
            way = DerivationPath(each.origin.fingerprint, each.origin.derivation)
            public = each.key.get_public_key() if hasattr(each.key, "get_public_key") else each.key
            if shape == "tr":
                scope.taproot_bip32_derivations[public] = ([], way)
                scope.taproot_internal_key = public
            else:
                scope.bip32_derivations[public] = way
        scope.redeem_script = derived.redeem_script()
        scope.witness_script = derived.witness_script()
        if number < 2:
            scope.non_witness_utxo = None if shape == "tr" else parent
            scope.witness_utxo = None if shape in ("pkh", "sh") else parent.vout[number]
    return str(psbt.to_string())


def make_bdk(shape: str, source: Transaction) -> str:
    wallet = bdk_wallet(shape, None)
    wallet.reveal_addresses_to(bdk.KeychainKind.EXTERNAL, 3)
    wallet.reveal_addresses_to(bdk.KeychainKind.INTERNAL, 5)
    known = bdk.Transaction(source.serialize())
    wallet.apply_unconfirmed_txs([bdk.UnconfirmedTx(tx=known, last_seen=1)])
    stranger = bdk.Script(b"\x00\x14" + bytes(20))
    total = sum(output.value for output in source.outputs)
    builder = bdk.TxBuilder().add_recipient(stranger, bdk.Amount.from_sat(total - COIN))
    return str(builder.fee_absolute(bdk.Amount.from_sat(FEE)).finish(wallet).serialize())


MAKE = {"ours": make_ours, "embit": make_embit, "bdk": make_bdk}


# The three ways to sign one, with the key of one holder.


def bdk_wallet(shape: str, holder: int | None) -> bdk.Wallet:
    # with a private key in it, it reads no <0;1>
    body = descriptor(shape, holder)
    first, second = (
        bdk.Descriptor(add_checksum(body.replace("<0;1>", branch)), bdk.NetworkKind.TEST)
        for branch in "01"
    )
    return bdk.Wallet(first, second, bdk.Network.REGTEST, bdk.Persister.new_in_memory())


def sign_ours(text: str, shape: str, holder: int) -> str:
    signed, added = sign(Psbt.from_text(text), keys_of_master(MASTERS[holder]), REGTEST)
    assert added == 2
    return signed.text()


def sign_embit(text: str, shape: str, holder: int) -> str:
    psbt = PSBT.from_string(text)
    assert psbt.sign_with(bip32.HDKey.from_seed(SEEDS[holder])) == 2
    return str(psbt.to_string())


def sign_bdk(text: str, shape: str, holder: int) -> str:
    psbt = bdk.Psbt(text)
    wallet = bdk_wallet(shape, holder)
    wallet.reveal_addresses_to(bdk.KeychainKind.EXTERNAL, 6)
    wallet.reveal_addresses_to(bdk.KeychainKind.INTERNAL, 6)
    options = bdk.SignOptions(
        trust_witness_utxo=True,
        assume_height=None,
        allow_all_sighashes=False,
        try_finalize=False,
        sign_with_tap_internal_key=True,
        allow_grinding=True,
    )
    wallet.sign(psbt, options)
    return str(psbt.serialize())


SIGN = {"ours": sign_ours, "embit": sign_embit, "bdk": sign_bdk}


# The three ways to finish one.


def finish_ours(text: str) -> bytes:
    done, missing = finalize(Psbt.from_text(text))
    assert missing == ()
    return extract(done).serialize()


def finish_embit(text: str) -> bytes:
    return bytes(finalizer.finalize_psbt(PSBT.from_string(text)).serialize())


def finish_bdk(text: str) -> bytes:
    result = bdk.Psbt(text).finalize()
    assert result.could_finalize, result.errors
    return bytes(result.psbt.extract_tx().serialize())


FINISH = {"ours": finish_ours, "embit": finish_embit, "bdk": finish_bdk}


def accepted(raw: bytes) -> bool:
    """Mined, into the chain that all these coins are in."""
    height = chain().height
    chain().mine(txs=[Transaction.parse(raw)])
    return chain().height == height + 1


@pytest.mark.parametrize("shape", SINGLE)
def test_one_makes_another_signs_a_third_finishes(shape: str) -> None:
    for maker in WHO:
        source = funding(shape)
        made = MAKE[maker](shape, source)
        raws = set()
        for signer, finisher in itertools.product(WHO, repeat=2):
            if "ours" not in (maker, signer, finisher):
                continue
            if finisher == "embit" and not can_embit_finish(shape, signer):
                continue
            raw = FINISH[finisher](SIGN[signer](made, shape, 0))
            raws.add((signer, Transaction.parse(raw).txid, raw))
        assert len({txid for _, txid, _ in raws}) == 1
        last = next(raw for signer, _, raw in sorted(raws) if signer == "ours")
        assert accepted(last)
        check_all_valid([raw for _, _, raw in raws], source)


def can_embit_finish(shape: str, signer: str) -> bool:
    """Its finalizer calls itself unreliable: it knows of taproot only what it signed itself."""
    return shape in ("wpkh", "pkh") or (shape == "tr" and signer == "embit")


def check_all_valid(raws: list[bytes], source: Transaction) -> None:
    """Those that were not mined would have been: every script passes under the nodes' policy."""
    for raw in raws:
        transaction = Transaction.parse(raw)
        spent = [source.outputs[each.outpoint.index] for each in transaction.inputs]
        verify(transaction, spent)


@pytest.mark.parametrize("shape", SEVERAL)
def test_two_of_three_sign_in_each_order(shape: str) -> None:
    holders = [(0, 1), (2, 0), (1, 2)]
    pairs = [pair for pair in itertools.product(WHO, repeat=2) if "ours" in pair]
    for maker in WHO:
        source = funding(shape)
        made = MAKE[maker](shape, source)
        raws = []
        for (first, second), (one, other) in zip(pairs, itertools.cycle(holders), strict=False):
            in_turn = SIGN[second](SIGN[first](made, shape, one), shape, other)
            apart = combine(
                [
                    Psbt.from_text(SIGN[first](made, shape, one)),
                    Psbt.from_text(SIGN[second](made, shape, other)),
                ]
            ).text()
            raws += [finish_ours(in_turn), finish_bdk(apart)]
        assert accepted(raws[0])
        check_all_valid(raws, source)


def test_private_descriptors_sign_as_the_seed_does() -> None:
    source = funding("wsh")
    made = Psbt.from_text(make_ours("wsh", source))
    private = [parse_descriptor(descriptor("wsh", holder), REGTEST) for holder in (0, 2)]
    signed, added = sign(made, keys_of_descriptors(private), REGTEST)
    assert added == 4
    assert accepted(finish_ours(signed.text()))
