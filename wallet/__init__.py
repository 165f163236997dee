"""A wallet: keys and intentions. It meets nodes over HTTP only.

Reading order, which is also the import order: a file imports only files above it.

    errors          what can go wrong, one sentence each
    amounts         coins as people write them, exact to the satoshi
    uri             an address and what to pay to it, in one line
    mnemonic        words to seed
    hd              seed to keys
    checksum        the eight characters behind a descriptor
    key_expression  keys inside a descriptor: origins, paths, branches
    script_expression  any descriptor: a small tree, and its scripts
    account         which scriptPubKeys are ours, and what spending one weighs
    pairing         receiving and change, written apart, joined
    sealing         secrets under a password: scrypt and an AEAD
    vault           a wallet's words while it is open, and how they are sealed
    keystore        the file: public half readable, secrets sealed
    agent           a process that holds a seal's key for a while
    unlocking       beginning an agent, asking it, ending it
    ledger          transactions that concern us: coins, balance, history
    conflicts       transactions of which only one can be
    ledger_file     the ledger in the wallet's file
    merging         what two programs learnt of one wallet
    labels          what the owner calls addresses, transactions, coins
    package         what waits together, and what a child must add
    refusals        what to do when a node says no
    client          a node's Esplora API
    sync            what a node says, brought into the ledger
    catch_up        what is new since, from blocks and what waits alone
    coin_selection  which coins pay
    builder         an unsigned transaction with change
    payments        a payment drawn up: who gets what, from which coins
    summary         what a payment does, in figures
    replacement     a pending payment outbid, taken back, or hurried by its child
    payer           the paying half of a wallet: prepare, hand in, note
    psbt/           payments signed apart: partially signed transactions
    wallet          Wallet: all of it together
    keeping         password, accounts, copies of the file

`from wallet import Wallet` is the way in; `wallet.client.EsploraClient` is the node at the other
end.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wallet.wallet import Wallet

__all__ = ["Wallet"]


def __getattr__(name: str) -> object:
    if name == "Wallet":
        # lazy: reading one file of this package must not load them all
        from wallet.wallet import Wallet

        return Wallet
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
