"""A node: what nodes may disagree about. Policy, peers, storage, HTTP.

The upper half does no I/O: `Node.handle(event, now)` returns effects, so the same node runs under
Flask and under a simulator with a virtual clock. The lower half is the I/O.

Reading order, which is also the import order: a file imports only files above it.

    errors        StorageError
    wire          what peer messages are made of: frames, vectors, addresses, limits
    messages      Bitcoin's peer messages
    entry         a waiting transaction: fee, size, parents and children
    events        what happens to a node, and what it wants done
    mempool/      transactions waiting for a block (it has a list of its own)
    clock         the time of day, and time that only goes forward
    peers/        whom to talk to and about what (it has a list of its own)
    core          Node: events in, effects out
    simulator     many nodes, one virtual clock, a seeded network
    --            below this line, I/O
    storage/      the key-value store on disk: LevelDB, or SQLite where that does not install
    index         scriptPubKey and transaction indexes, committed with each block
    mempool_file  the file in which what waits is kept
    config        how a node process is set up
    links         HTTP links as queues of frames
    threads       a lock that is fair
    script_worker   a process that runs scripts
    script_workers  scripts, run in several processes
    speculation   blocks connected before the verdict on their scripts
    importer      blocks from files and to files, by the thousand
    runtime       one Node behind a lock, its clock, its effects carried out
    transport     links that we dial
    web_peer      links that others dial
    lookup        a transaction with what it spends and the block it is in
    waiting       which waiting transactions touch a script
    views         chain objects as Esplora's JSON
    rpc/          Bitcoin Core's RPC (it has a list of its own)
    esplora       Esplora's questions and their answers
    web_esplora   Esplora's API over HTTP
    web_rpc       JSON-RPC over HTTP: dialects, credentials
    app           one Flask application a node
    grinder       the search for a nonce, as a process of its own
    solver        processes that share out the nonces of one header
    miner         when to make a block, and the work for it
    server        waitress, set up for long polls
    daemon        a node process from start to stop
"""
