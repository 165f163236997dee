"""Which waiting transactions touch a script: the unconfirmed half of the index.

It follows the mempool by what the runtime tells its subscribers, and keeps references only: the
entries are the mempool's. What blocks contain is in `index`. Read beside it: the mempool of
Blockstream's electrs (src/new_index/mempool.rs).
"""

from collections.abc import Iterator

from node.core import Node
from node.entry import MempoolEntry
from node.events import TransactionAccepted, TransactionRemoved
from node.index import Sums, sums_of
from node.lookup import waiting_coins
from node.runtime import Notification


class MempoolIndex:
    """Waiting transactions by scripthash."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._scripts: dict[bytes, dict[bytes, Sums]] = {}  # by txid, in the order of arrival
        self._txids: dict[bytes, dict[bytes, None]] = {}  # by scripthash, in the same order
        for entry in node.mempool:
            self._add(entry)

    def told(self, notification: Notification) -> None:
        """Follow the mempool; see Runtime.subscribe."""
        match notification:
            case TransactionAccepted(entry):
                # It may have gone again before this was told, and its coins with it.
                if self._node.mempool.get(entry.txid) is entry:
                    self._add(entry)
            case TransactionRemoved(txid):
                self._remove(txid)

    def _add(self, entry: MempoolEntry) -> None:
        scripts = sums_of(entry.tx, waiting_coins(self._node, entry.tx))
        self._scripts[entry.txid] = scripts
        for scripthash in scripts:
            self._txids.setdefault(scripthash, {})[entry.txid] = None

    def _remove(self, txid: bytes) -> None:
        for scripthash in self._scripts.pop(txid, ()):
            txids = self._txids[scripthash]
            del txids[txid]
            if not txids:
                del self._txids[scripthash]

    def history(self, scripthash: bytes) -> Iterator[bytes]:
        """The txids that touch a script, newest first."""
        return reversed(self._txids.get(scripthash, {}))

    def newest(self) -> Iterator[bytes]:
        """All txids, newest first."""
        return reversed(self._scripts)

    def sums(self, scripthash: bytes) -> Sums:
        """What waits to come to a script and to go from it."""
        sums = Sums()
        for txid in self._txids.get(scripthash, ()):
            sums = sums.plus(self._scripts[txid][scripthash])
        return sums
