"""Bitcoin Core's RPC: its methods, their arguments, results and errors. It knows no HTTP.

Reading order, which is also the import order: a file imports only files above it.

    values      what the RPC is made of: errors, amounts, JSON text
    broadcast   taking in a transaction, for both APIs
    views       chain objects as JSON
    chain       the methods on the chain
    mempool     the methods on transactions
    package     the methods that judge several transactions
    mining      the methods for miners
    node        the methods on the node itself
    methods     the table of all methods
"""
