"""Every way to be wrong, one small class each, giving exactly its reason.

`bad_transactions` holds transactions that no block may contain (the mempool refuses them too),
`bad_blocks` blocks that no chain may contain. The style is that of Core's
test/functional/data/invalid_txs.py. A new reject reason in chain.errors needs a case here.
"""
