"""Partially signed transactions: a payment on its way between those who must sign it.

One creates it, one adds what the signers need to know, each signs on a machine of its own, one puts
the signatures together and finishes. Version 0 alone.

Reading order, which is also the import order: a file imports only files above it.

    fields   what may stand in a map: types, keys and values
    packet   the file: parse, serialize, combine
    inputs   an input with all that is known of it, checked
    update   from descriptors and transactions: what signers need to know
    create   a payment from the coins of a descriptor
    signing  signatures, each verified before it leaves
    verification  the last look at a signed transaction
    verification  the last look at a signed transaction
    finish   from signatures to a transaction
    view     a readable form

Reference: BIP 174, and 371 for taproot.
"""
