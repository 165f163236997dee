"""A wallet: keys and intentions. It meets nodes over HTTP only.

Reading order, which is also the import order: a file imports only files above it.

    errors          what can go wrong, one sentence each
    mnemonic        words to seed
    hd              seed to keys
    descriptor      which scriptPubKeys are ours
    keystore        the file: public half readable, secrets sealed
    client          a node's Esplora API
    ledger          transactions that concern us: balance and history
    coin_selection  which coins pay
    builder         an unsigned transaction with change
    signer          signatures
    wallet          Wallet: all of it together
"""
