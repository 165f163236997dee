"""Hypothesis strategies for transactions and blocks: any values that the wire can carry."""

from hypothesis import strategies as st

from chain.block import Block, BlockHeader
from chain.transaction import OutPoint, Transaction, TxIn, TxOut

u32 = st.integers(0, 2**32 - 1)
hashes = st.binary(min_size=32, max_size=32)
scripts = st.binary(max_size=40) | st.sampled_from([b"\x01" * 252, b"\x02" * 253, b"\x03" * 300])
outpoints = st.builds(OutPoint, hashes, u32)
witnesses = st.lists(scripts, max_size=3).map(tuple)
inputs = st.builds(TxIn, outpoints, scripts, u32, witnesses)
outputs = st.builds(TxOut, st.integers(-(2**63), 2**63 - 1), scripts)
# Without inputs a transaction cannot be told from the start of one with witnesses (BIP 144).
transactions = st.builds(
    Transaction,
    u32,
    st.lists(inputs, min_size=1, max_size=3),
    st.lists(outputs, max_size=3),
    u32,
)
headers = st.builds(BlockHeader, st.integers(-(2**31), 2**31 - 1), hashes, hashes, u32, u32, u32)
blocks = st.builds(Block, headers, st.lists(transactions, max_size=3))
