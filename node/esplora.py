"""Esplora's questions and their answers: what each path of the API means.

It knows the paths and whom to ask; shapes are in `views`, HTTP in `web_esplora`. An answer is JSON
(a list or a dictionary), text or bytes, or `Fixed` if it can never change: that goes only for what
a block's hash names, because everything else a reorganisation may undo. Read beside it: Esplora's
API.md, and src/rest.rs of Blockstream's electrs.

    /blocks[/…] /block-height/:height /block/:hash[/…]        blocks
    /tx/:txid[/…] /broadcast, and POST /tx                    transactions
    /address/:address[/…] /scripthash/:hash[/…]               scripts
    /mempool[/…] /fee-estimates                               what waits
"""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

from chain.address import AddressError, WrongNetwork, address_to_script
from chain.block import Block
from chain.encoding import display_hash, parse_hash
from chain.errors import DecodeError
from chain.hashes import sha256
from chain.headers import HeaderEntry
from chain.transaction import OutPoint
from node import views
from node.index import Index, body_of
from node.lookup import Found, find_transaction, transactions_of
from node.mempool.estimates import TARGETS
from node.rpc.broadcast import broadcast
from node.rpc.values import RpcError
from node.runtime import Runtime
from node.waiting import MempoolIndex

BLOCKS_PER_PAGE = 10
TXS_PER_PAGE = 25
MAX_MEMPOOL_TXS = 50
MAX_RECENT = 10
MAX_SIZES = 1_000
"""Blocks whose sizes are remembered, so that a list of blocks parses none of them twice."""


class Fixed(NamedTuple):
    """An answer that is the same for ever."""

    content: "Content"


Content = str | bytes | list[Any] | dict[str, Any]
Answer = Content | Fixed


class Refusal(Exception):  # noqa: N818 - an answer too
    """A status and the one line that goes with it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Esplora:
    """The API of one node. To be called under the runtime's lock."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._node = runtime.node
        self._chainstate = runtime.node.chainstate
        self._mempool = runtime.node.mempool
        self._waiting = MempoolIndex(runtime.node)
        self._sizes: dict[bytes, views.BlockSize] = {}
        runtime.subscribe(self._waiting.told)

    @property
    def _index(self) -> Index:
        if self._runtime.index is None:
            raise Refusal(501, "this node keeps no index: start it without --no-index")
        return self._runtime.index

    def get(self, path: Sequence[str], query: dict[str, str]) -> Answer | None:
        """The answer to `GET /a/b/c`, given as [a, b, c]; None if there is no such path."""
        tip = self._chainstate.tip
        match path:
            case ["blocks", "tip", "hash"]:
                return display_hash(tip.hash)
            case ["blocks", "tip", "height"]:
                return str(tip.height)
            case ["blocks"]:
                return self._blocks(tip.height)
            case ["blocks", height]:
                return self._blocks(self._height(height) if _is_number(height) else tip.height)
            case ["block-height", height]:
                return display_hash(self._chainstate.active[self._height(height)].hash)
            case ["block", block_hash, *rest]:
                return self._of_block(block_hash, rest)
            case ["tx", txid, *rest]:
                return self._of_transaction(txid, rest)
            case ["broadcast"]:
                if "tx" not in query:
                    raise Refusal(400, "Missing tx")
                return self.post(query["tx"])
            case ["address" | "scripthash" as kind, name, *rest]:
                return self._of_script(kind, name, rest)
            case ["mempool", *rest]:
                return self._of_mempool(rest)
            case ["fee-estimates"]:
                now = int(self._runtime.now())
                return views.estimates_view(self._node.estimates.feerates(TARGETS, now))
            case ["address-prefix", _]:
                raise Refusal(400, "address search disabled")
            case ["block-template"]:
                raise Refusal(403, "mining REST endpoints are disabled")
        return None

    def post(self, transaction: str) -> str:
        """Take in a transaction; its txid."""
        try:
            return display_hash(broadcast(self._runtime, transaction.strip()))
        except RpcError as error:
            raise Refusal(400, f"sendrawtransaction RPC error {error.code}: {error}") from error

    # Blocks.

    def _of_block(self, name: str, rest: Sequence[str]) -> Answer | None:
        match rest:
            case []:
                return Fixed(self._block_view(self._block(name)))
            case ["status"]:
                return self._block_status(name)
            case ["header"]:
                return Fixed(self._block(name).header.serialize().hex())
            case ["raw"]:
                return Fixed(self._chainstate.read_block_bytes(self._block(name).hash) or b"")
            case ["txids"]:
                txs = self._body(self._block(name)).transactions
                return Fixed([display_hash(tx.txid) for tx in txs])
            case ["txid", number]:
                txs = self._body(self._block(name)).transactions
                if _number(number) >= len(txs):
                    raise Refusal(404, "tx index out of range")
                return Fixed(display_hash(txs[_number(number)].txid))
            case ["txs"]:
                return self._block_transactions(name, 0)
            case ["txs", start]:
                return self._block_transactions(name, int(start) if _is_number(start) else 0)
        return None

    def _block(self, name: str) -> HeaderEntry:
        """The block of that hash, on the active chain or not."""
        entry = self._chainstate.headers.get(_hash(name))
        if entry is None or not entry.has_body:
            raise Refusal(404, "Block not found")
        return entry

    def _body(self, entry: HeaderEntry) -> Block:
        return body_of(self._chainstate, entry)

    def _height(self, text: str) -> int:
        height = _number(text)
        if height > self._chainstate.tip.height:
            raise Refusal(404, "Block not found")
        return height

    def _block_view(self, entry: HeaderEntry) -> views.Json:
        size = self._sizes.get(entry.hash)
        if size is None:
            if len(self._sizes) >= MAX_SIZES:
                self._sizes.clear()
            size = self._sizes[entry.hash] = views.size_of(self._body(entry))
        return views.block_view(entry, size)

    def _blocks(self, height: int) -> list[views.Json]:
        heights = range(height, max(-1, height - BLOCKS_PER_PAGE), -1)
        return [self._block_view(self._chainstate.active[each]) for each in heights]

    def _block_status(self, name: str) -> views.Json:
        active = self._chainstate.active
        entry = self._chainstate.headers.get(_hash(name))
        if entry is None or entry not in active:
            return views.block_status_view(None, None)
        following = active[entry.height + 1] if entry.height < active.height else None
        return views.block_status_view(entry, following)

    def _block_transactions(self, name: str, start: int) -> list[views.Json]:
        entry = self._block(name)
        block = self._body(entry)
        if start >= len(block.transactions):
            raise Refusal(400, "start index out of range")
        if start % TXS_PER_PAGE:
            raise Refusal(400, f"start index must be a multiple of {TXS_PER_PAGE}")
        page = transactions_of(self._chainstate, entry, block, start, TXS_PER_PAGE)
        return [self._view(found) for found in page]

    # Transactions.

    def _of_transaction(self, name: str, rest: Sequence[str]) -> Answer | None:
        match rest:
            case []:
                return self._view(self._transaction(name))
            case ["status"]:
                found = self._find(_hash(name))
                return views.status_view(found and found.block)
            case ["hex"]:
                return self._transaction(name).tx.serialize().hex()
            case ["raw"]:
                return self._transaction(name).tx.serialize()
            case ["merkle-proof"]:
                block, txids, position = self._place(name)
                return views.merkle_view(txids, position, block.height)
            case ["merkleblock-proof"]:
                block, txids, position = self._place(name)
                return views.merkle_block(block.header, txids, position).hex()
            case ["outspend", number]:
                return self._spend(OutPoint(_hash(name), _number(number)))
            case ["outspends"]:
                tx = self._transaction(name).tx
                return [self._spend(OutPoint(tx.txid, n)) for n in range(len(tx.outputs))]
        return None

    def _find(self, txid: bytes) -> Found | None:
        if txid in self._mempool:
            return find_transaction(self._node, None, txid)
        return find_transaction(self._node, self._index, txid)

    def _transaction(self, name: str) -> Found:
        found = self._find(_hash(name))
        if found is None:
            raise Refusal(404, "Transaction not found")
        return found

    def _view(self, found: Found) -> views.Json:
        if found.block is not None and found.block not in self._chainstate.active:
            found = found._replace(block=None)
        return views.transaction_view(found, self._node.params)

    def _place(self, name: str) -> tuple[HeaderEntry, list[bytes], int]:
        """A confirmed transaction's block, the txids in it, and its place among them."""
        location = self._index.location(_hash(name))
        if location is None:
            raise Refusal(404, "Transaction not found or is unconfirmed")
        entry = self._chainstate.headers[location.block_hash]
        txids = [tx.txid for tx in self._body(entry).transactions]
        return entry, txids, location.position

    def _spend(self, outpoint: OutPoint) -> views.Json:
        waiting = self._mempool.spender_of(outpoint)
        if waiting is not None:
            spent = [tx_in.outpoint for tx_in in waiting.tx.inputs]
            return views.spend_view(waiting.txid, spent.index(outpoint), None)
        spender = self._index.spender_of(outpoint)
        location = spender and self._index.location(spender[0])
        if spender is None or location is None:
            return {"spent": False}
        return views.spend_view(*spender, self._chainstate.headers[location.block_hash])

    # Scripts.

    def _of_script(self, kind: str, name: str, rest: Sequence[str]) -> Answer | None:
        match rest:
            case []:
                key = self._scripthash(kind, name)
                return {
                    kind: name,
                    "chain_stats": views.sums_view(self._index.sums(key)),
                    "mempool_stats": views.sums_view(self._waiting.sums(key)),
                }
            case ["txs"]:
                key = self._scripthash(kind, name)
                waiting = islice(self._waiting.history(key), MAX_MEMPOOL_TXS)
                confirmed = islice(self._index.history(key), TXS_PER_PAGE)
                return self._views(chain(waiting, confirmed))
            case ["txs", "mempool"]:
                key = self._scripthash(kind, name)
                return self._views(islice(self._waiting.history(key), MAX_MEMPOOL_TXS))
            case ["txs", "chain"]:
                key = self._scripthash(kind, name)
                return self._views(islice(self._index.history(key), TXS_PER_PAGE))
            case ["txs", "chain", last_seen]:
                key = self._scripthash(kind, name)
                return self._views(islice(self._history_after(key, last_seen), TXS_PER_PAGE))
            case ["utxo"]:
                return list(self._unspent(self._scripthash(kind, name)))
        return None

    def _scripthash(self, kind: str, name: str) -> bytes:
        if kind == "scripthash":
            try:
                # Not reversed: Electrum's protocol does, Esplora does not.
                return parse_hash(name)[::-1]
            except DecodeError:
                raise Refusal(400, "Invalid scripthash") from None
        try:
            return sha256(address_to_script(name, self._node.params))
        except WrongNetwork:
            raise Refusal(400, "Address on invalid network") from None
        except AddressError as error:
            raise Refusal(400, str(error)) from None

    def _views(self, txids: Iterator[bytes]) -> list[views.Json]:
        return [self._view(found) for found in map(self._find, txids) if found is not None]

    def _history_after(self, scripthash: bytes, last_seen: str) -> Iterator[bytes]:
        try:
            location = self._index.location(parse_hash(last_seen))
        except DecodeError:
            return self._index.history(scripthash)
        if location is None:
            return iter(())
        height = self._chainstate.headers[location.block_hash].height
        return self._index.history(scripthash, (height, location.position))

    def _unspent(self, scripthash: bytes) -> Iterator[views.Json]:
        for outpoint, value, height in self._index.unspent(scripthash):
            if self._mempool.spender_of(outpoint) is None:
                yield views.unspent_view(outpoint, value, self._chainstate.active[height])
        for txid in self._waiting.history(scripthash):
            found = self._find(txid)
            for number, (value, script) in enumerate(found.tx.outputs if found else ()):
                outpoint = OutPoint(txid, number)
                if sha256(script) == scripthash and self._mempool.spender_of(outpoint) is None:
                    yield views.unspent_view(outpoint, value, None)

    # What waits.

    def _of_mempool(self, rest: Sequence[str]) -> Answer | None:
        match rest:
            case []:
                return views.backlog_view(self._mempool)
            case ["txids"]:
                return [display_hash(entry.txid) for entry in self._mempool]
            case ["recent"]:
                found = map(self._find, islice(self._waiting.newest(), MAX_RECENT))
                return [views.recent_view(each) for each in found if each is not None]
        return None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def _number(text: str) -> int:
    if not _is_number(text):
        raise Refusal(400, "Invalid number")
    return int(text)


def _hash(text: str) -> bytes:
    try:
        return parse_hash(text)
    except DecodeError:
        raise Refusal(400, "Invalid hex string") from None
