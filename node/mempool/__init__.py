"""The mempool: transactions that wait for a block, as this node judges and orders them.

Reading order, which is also the import order: a file imports only files above it.

    reasons       why a transaction or a package may not wait here
    feerate       fee and size as an exact ratio; diagrams of what a set of transactions earns
    linearize     transactions that hang together, in the best order for a miner
    cluster       waiting transactions that hang together, in that order
    policy        which transactions this node relays
    pool          the set of waiting transactions: who spends what, who is worst
    replacement   when a newcomer may throw out what it conflicts with
    truc          version 3: families of two, so that fees can be bumped
    acceptance    may this transaction wait here? all rules in order
    package       transactions handed in together
    mempool       transactions waiting for a block, while the chain and the clock move on
    verified      scripts that need not run again
    submission    a package handed in: each alone, then together
    saved         a mempool as bytes, and how it is taken in again
    template      the next block, assembled by feerate
    estimates     what to pay for being mined in time
"""
