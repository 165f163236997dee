"""Peers: whom this node talks to, what it asks them for, and what it tells them. No I/O.

Reading order, which is also the import order: a file imports only files above it.

    addresses   peers' addresses known to this node
    peer        what is known about one connected peer
    handshake   a link from its opening to where peers can talk
    dialer      whom to dial, what to say about addresses
    download    block bodies on their way: from whom, for how long
    sync        headers first, then the blocks behind the best of them
    fetch       transactions that peers announced: whom to ask
    orphans     transactions whose parents we lack
    relay       announcing transactions, taking in those of others
"""
