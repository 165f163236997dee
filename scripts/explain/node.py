"""What a node is asked: transactions, the outputs that they spend, blocks by hash or height.

Any Esplora API will do; what it hands out is hashed and compared, so a wrong answer is noticed.
"""

import re
from collections.abc import Sequence

from chain.block import Block
from chain.encoding import parse_hash
from chain.transaction import OutPoint, Transaction, TxOut
from scripts.explain.model import ExplainError
from wallet.client import EsploraClient

MAX_PARENTS = 500  # transactions asked for, to know what one spends
_HASH = re.compile(r"[0-9a-fA-F]{64}")


def is_hash(text: str) -> bool:
    """Whether a text is 64 hex digits: a txid or a block's hash."""
    return bool(_HASH.fullmatch(text))


class Source:
    """One node, and what it has told so far. Methods raise WalletError's NodeError."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = EsploraClient(url)
        self._known: dict[bytes, Transaction | None] = {}

    def transaction(self, txid: str) -> Transaction:
        """The transaction of that id; ExplainError if the node has none."""
        found = self.find(parse_hash(txid))
        if found is None:
            raise ExplainError(
                f"{self.url} knows no transaction {txid}; check the id, ask another node with "
                "--node URL, or give the transaction's bytes"
            )
        return found

    def find(self, txid: bytes) -> Transaction | None:
        """The transaction of that id (wire order); None if the node has none."""
        if txid not in self._known:
            self._known[txid] = self._client.transaction(txid)
        return self._known[txid]

    def spent_outputs(self, tx: Transaction) -> list[TxOut | None]:
        """The output that each input spends; None for what the node does not know."""
        if tx.is_coinbase:
            return []
        parents = dict.fromkeys(tx_in.outpoint.txid for tx_in in tx.inputs)
        found = {txid: self.find(txid) for txid in list(parents)[:MAX_PARENTS]}
        return [output_of(found.get(tx_in.outpoint.txid), tx_in.outpoint) for tx_in in tx.inputs]

    def status(self, txid: bytes) -> str:
        """`in block 102` or `waiting for a block`."""
        height = self._client.status(txid).height
        return "waiting for a block" if height is None else f"in block {height}"

    def next_height(self) -> int:
        """Of the block that comes next."""
        return self._client.tip().height + 1

    def block(self, name: str) -> Block:
        """The block of that hash or height; ExplainError if the node has none."""
        if is_hash(name):
            block_hash: bytes | None = parse_hash(name)
        else:
            block_hash = self._client.block_hash(int(name))
        block = self._client.block(block_hash) if block_hash else None
        if block is None:
            kind = "block" if is_hash(name) else "block at height"
            raise ExplainError(
                f"{self.url} has no {kind} {name}; check it, ask another node with --node URL, or "
                "give the block's bytes"
            )
        return block


def output_of(parent: Transaction | None, outpoint: OutPoint) -> TxOut | None:
    """The output that an outpoint names, if `parent` is the transaction and has it."""
    if parent is None or parent.txid != outpoint.txid or outpoint.index >= len(parent.outputs):
        return None
    return parent.outputs[outpoint.index]


def parse_spent(text: str) -> TxOut:
    """`VALUE:SCRIPTHEX`, the value in satoshis; ExplainError otherwise."""
    value, separator, script = text.partition(":")
    try:
        if not (separator and re.fullmatch(r"[0-9]{1,16}", value)):
            raise ValueError
        return TxOut(int(value), bytes.fromhex(script))
    except ValueError:
        raise ExplainError(
            f"--spent {text[:60]!r}: expected VALUE:SCRIPTHEX, the value in satoshis, such as "
            "5000:0014751e76e8199196d454941c45d1b3a323f1433bd6"
        ) from None


def spent_by(
    tx: Transaction, spent: Sequence[TxOut], parents: Sequence[Transaction]
) -> list[TxOut | None]:
    """The outputs that `tx` spends, as the command line gives them."""
    if spent and len(spent) != len(tx.inputs):
        raise ExplainError(
            f"--spent was given {len(spent)} times and the transaction has {len(tx.inputs)} "
            "inputs; give it once for each, in order"
        )
    if spent:
        return list(spent)
    by_txid = {parent.txid: parent for parent in parents}
    return [output_of(by_txid.get(tx_in.outpoint.txid), tx_in.outpoint) for tx_in in tx.inputs]
