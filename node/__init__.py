"""A node: what nodes may disagree about. Policy, peers, storage, HTTP.

The upper half does no I/O: `Node.handle(event, now)` returns effects, so the same node runs under
Flask and under a simulator with a virtual clock. The lower half is the I/O.

Reading order, which is also the import order: a file imports only files above it.

    errors        Rejected and the reasons of our policy; StorageError
    wire          what peer messages are made of: frames, vectors, addresses, limits
    messages      Bitcoin's peer messages
    feerate       fee and size as an exact ratio; diagrams of what a set of transactions earns
    linearize     transactions that hang together, in the best order for a miner
    entry         a waiting transaction: fee, size, parents and children
    cluster       waiting transactions that hang together, in that order
    events        what happens to a node, and what it wants done
    policy        which transactions this node relays
    pool          the set of waiting transactions: who spends what, who is worst
    replacement   when a newcomer may throw out what it conflicts with
    truc          version 3: families of two, so that fees can be bumped
    acceptance    may this transaction wait here? all rules in order
    package       transactions handed in together
    mempool       transactions waiting for a block, while the chain and the clock move on
    submission    a package handed in: each alone, then together
    saved         a mempool as bytes, and how it is taken in again
    template      the next block, assembled by feerate
    estimates     what to pay for being mined in time
    clock         the time of day, and time that only goes forward
    addresses     peers' addresses known to this node
    peer          what is known about one connected peer
    handshake     a link from its opening to where peers can talk
    dialer        whom to dial, what to say about addresses
    download      block bodies on their way: from whom, for how long
    sync          headers first, then the blocks behind the best of them
    fetch         transactions that peers announced: whom to ask
    orphans       transactions whose parents we lack
    relay         announcing transactions, taking in those of others
    core          Node: events in, effects out
    simulator     many nodes, one virtual clock, a seeded network
    --            below this line, I/O
    storage/      the key-value store on disk: LevelDB, or SQLite where that does not install
    index         scriptPubKey and transaction indexes, committed with each block
    mempool_file  the file in which what waits is kept
    config        how a node process is set up
    links         HTTP links as queues of frames
    threads       a lock that is fair, script checks on several threads
    runtime       one Node behind a lock, its clock, its effects carried out
    transport     links that we dial
    web_peer      links that others dial
    lookup        a transaction with what it spends and the block it is in
    waiting       which waiting transactions touch a script
    rpc_values    what the RPC is made of: errors, amounts, JSON text
    broadcast     taking in a transaction, for both APIs
    views         chain objects as Esplora's JSON
    esplora       Esplora's questions and their answers
    web_esplora   Esplora's API over HTTP
    rpc_views     chain objects as the JSON of Core's RPC
    rpc_chain     the RPC's methods on the chain
    rpc_mempool   the RPC's methods on transactions
    rpc_package   the RPC's methods that judge several transactions
    rpc_mining    the RPC's methods for miners
    rpc_node      the RPC's methods on the node itself
    rpc_methods   the table of the RPC's methods
    web_rpc       JSON-RPC over HTTP: dialects, credentials
    app           one Flask application a node
    grinder       the search for a nonce, as a process of its own
    miner         when to make a block, and the work for it
    server        waitress, set up for long polls
    daemon        a node process from start to stop
"""
