"""Consensus: what every honest node must agree on, and nothing else.

Nothing here opens a file or a socket, starts a thread, reads a clock or draws a random number. Time
is an argument, the store is an object handed in, and so is the function that checks a batch of
scripts.

Reading order, which is also the import order: a file imports only files above it.

    errors         what can be wrong: Reason, Invalid, DecodeError
    encoding       little-endian integers, compact sizes, the hex that people see
    hashes         sha256d, hash160, tagged hashes
    der            r and s of a signature, as the first nodes read it
    curve_ecdsa    secp256k1 in the readable `ecdsa` library
    curve_libsecp  secp256k1 in libsecp256k1, the library of Bitcoin Core
    curve          signatures and keys: one interface over the two
    transaction    a transaction: parse, serialize, ids, weight
    merkle         the tree that a header commits to
    block          a header and a block
    params         networks as frozen data
    work           compact targets, chainwork, retargeting
    address        scriptPubKeys as people write them: base58check, bech32, bech32m
    script/        the script machine (it has a list of its own)
    coins          unspent outputs: overlay, undo
    tx_rules       what a transaction must satisfy
    headers        the tree of headers
    block_rules    what a block must satisfy, alone and after its parent
    connect        what a block must satisfy against the coins it spends
    store          the key-value store: its interface, its layout, its in-memory form
    chainstate     accept a header, accept a block, reorganise
"""
