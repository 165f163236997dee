"""A node at the other end of HTTP: the few routes of Esplora's API that a wallet needs.

The node is not trusted. Amounts are taken from raw transactions only, whose id is recomputed here;
the values that the API tells are never read (but for `confirmed_balance`, which is for show). That
a transaction is confirmed is the node's word, and so is that there are no others: a wallet that
must not be deceived about that asks a node of its own. Every answer has a limit of size and of
time.

Simplified: no merkle proofs, no retries; the time limit counts from the first byte of the answer's
body, before it each read has its own.

Reference: Esplora's API.md.
"""

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
import urllib3

from chain.block import Block
from chain.encoding import display_hash, parse_hash
from chain.errors import DecodeError
from chain.hashes import sha256
from chain.merkle import merkle_root
from chain.params import Params
from chain.transaction import Transaction
from chain.work import decode_bits
from wallet.errors import (
    NodeError,
    NodeNonsense,
    NodeRefused,
    NodeTimeout,
    NodeUnreachable,
    WrongNetwork,
)
from wallet.ledger import Status, Tip
from wallet.package import Waiting
from wallet.refusals import advice

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 20.0  # a read; a busy node answers within seconds
BODY_TIMEOUT_S = 60.0  # a whole answer
MAX_TRANSACTION_BYTES = 4_000_000  # a block's worth
MAX_BLOCK_BYTES = 4_000_000
MAX_JSON_BYTES = 50_000_000  # a page of 75 transactions of standard size, as JSON
MAX_TEXT_BYTES = 10_000
PAGE_SIZE = 25  # confirmed transactions a page: Esplora's contract
MEMPOOL_PAGE_SIZE = 50  # pending ones that a script's first page holds at most
MAX_HISTORY = 100_000  # transactions of one script
MAX_WAITING = 2_000  # transactions of a mempool that are told apart from one sync to the next
MAX_HEIGHT = 2**31
FALLBACK_FEERATE = Decimal(1)  # satoshis a virtual byte, for a node that has no estimates
MAX_ESTIMATE = Decimal(200)  # a node may not talk us into more; a person may choose more


class HistoryRow(NamedTuple):
    """One line of a script's history."""

    txid: bytes
    status: Status


class _Session(requests.Session):
    """A Session that looks at no redirect.

    Told not to follow one, requests still reads the whole body of the reply, and unpacks it.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        """There is none."""


class EsploraClient:
    """One node's Esplora API at a `url` like http://127.0.0.1:18443; methods raise NodeError."""

    def __init__(
        self, url: str, *, api_path: str = "/api", read_timeout_s: float = READ_TIMEOUT_S
    ) -> None:
        """A `url` with a path of its own is taken as the API's; otherwise `api_path` is added."""
        self.url = url.rstrip("/")
        self._base = self.url if _path_of(self.url) else self.url + api_path
        self._timeouts = (CONNECT_TIMEOUT_S, read_timeout_s)
        self._session = _Session()
        self._session.trust_env = False  # no proxy, no password from .netrc
        self._session.headers["Accept-Encoding"] = "identity"  # no decompression bombs

    def check_network(self, params: Params) -> None:
        """WrongNetwork unless the node's first block is that network's and its last as hard.

        Networks may share their first block (regtest, classroom); their difficulty tells them
        apart. This finds mistakes; a node that wants to deceive can.
        """
        status, genesis = self._get("/block-height/0", MAX_TEXT_BYTES)
        blocks = self._json("/blocks")
        try:
            height, bits = _integer(blocks[0]["height"]), _integer(blocks[0]["bits"])
        except (LookupError, TypeError, ValueError):
            raise self._nonsense("its list of blocks") from None
        is_hard = bits == params.pow_limit_bits
        if not params.no_retargeting:
            is_hard = bits < 2**32 and 0 < decode_bits(bits) <= params.pow_limit
        is_same = self._expect_ok(status, genesis) == display_hash(params.genesis.hash).encode()
        if not is_same or (height > 0 and not is_hard):
            raise WrongNetwork(
                f"{self.url} is a node of another network, this wallet belongs to {params.name}: "
                f"name a node of {params.name}"
            )

    def tip(self) -> Tip:
        """The tip of the node's chain: height, hash and time from one answer."""
        blocks = self._json("/blocks")
        try:
            shown = blocks[0]
            height, block_hash = _integer(shown["height"]), _hash_text(shown["id"])
            tip = Tip(height, block_hash, _integer(shown.get("timestamp", 0)))
        except (AttributeError, LookupError, TypeError, ValueError):
            raise self._nonsense("its list of blocks") from None
        return tip

    def history(self, script: bytes) -> Iterator[HistoryRow]:
        """A script's transactions, pending ones first, then newest first, read page by page."""
        base = f"/scripthash/{sha256(script).hex()}/txs"
        route, seen = base, set[bytes]()
        while True:
            rows = self._history_page(route)
            if any(row.txid in seen for row in rows) or len(seen) > MAX_HISTORY:
                raise self._nonsense("a history that repeats itself or has no end")
            seen.update(row.txid for row in rows)
            yield from rows
            confirmed = [row for row in rows if row.status.height is not None]
            if len(confirmed) < PAGE_SIZE:
                return
            route = f"{base}/chain/{display_hash(confirmed[-1].txid)}"

    def waiting_txids(self) -> set[bytes] | None:
        """The ids of all that waits at the node; None if they are more than MAX_WAITING."""
        try:
            txids = {parse_hash(txid) for txid in self._json("/mempool/txids")}
        except (TypeError, ValueError, AttributeError):
            raise self._nonsense("its list of what waits") from None
        return txids if len(txids) <= MAX_WAITING else None

    def transaction(self, txid: bytes) -> Transaction | None:
        """A transaction from its raw bytes, its id recomputed; None if the node has it not."""
        name = display_hash(txid)
        status, body = self._get(f"/tx/{name}/raw", MAX_TRANSACTION_BYTES)
        if status == 404:
            return None
        try:
            transaction = Transaction.parse(self._expect_ok(status, body))
        except DecodeError:
            raise self._nonsense(f"bytes that are no transaction for {name}") from None
        if transaction.txid != txid:
            raise self._nonsense(f"another transaction than {name}, which was asked for")
        return transaction

    def status(self, txid: bytes) -> Status:
        """Where a transaction that the node has is: in a block or waiting."""
        try:
            return _status(self._json(f"/tx/{display_hash(txid)}/status"))
        except (LookupError, TypeError, ValueError):
            raise self._nonsense("a status that is not one") from None

    def waiting(self, txid: bytes) -> Waiting | None:
        """What a pending transaction pays and spends; None if it is confirmed or unknown.

        Fee and size are the node's word: good enough to outbid, and never more than a ceiling.
        """
        status, body = self._get(f"/tx/{display_hash(txid)}", MAX_JSON_BYTES)
        if status == 404:
            return None
        self._expect_ok(status, body)
        try:
            shown = json.loads(body)
            if shown["status"]["confirmed"] is True:
                return None
            vsize = -(-_integer(shown["weight"]) // 4)
            parents = frozenset(parse_hash(spent["txid"]) for spent in shown["vin"])
            return Waiting(txid, _integer(shown["fee"]), vsize, parents)
        except (LookupError, TypeError, ValueError, RecursionError):
            raise self._nonsense("a transaction that is not one") from None

    def pending_spenders(self, txid: bytes) -> set[bytes]:
        """The pending transactions that spend an output of this one."""
        spends = self._json(f"/tx/{display_hash(txid)}/outspends")
        try:
            return {
                parse_hash(spend["txid"])
                for spend in spends
                if spend["spent"] and spend["status"]["confirmed"] is not True
            }
        except (LookupError, TypeError, ValueError):
            raise self._nonsense("a list of spends that is not one") from None

    def block_hash(self, height: int) -> bytes | None:
        """The hash of the block at `height` of the node's chain; None if it is not that high."""
        status, body = self._get(f"/block-height/{height}", MAX_TEXT_BYTES)
        if status == 404:
            return None
        try:
            return parse_hash(self._expect_ok(status, body).decode())
        except ValueError:
            raise self._nonsense("something that is not a block's hash") from None

    def block(self, block_hash: bytes) -> Block | None:
        """A block from its raw bytes, hash and root recomputed; None if the node has it not."""
        name = display_hash(block_hash)
        status, body = self._get(f"/block/{name}/raw", MAX_BLOCK_BYTES)
        if status == 404:
            return None
        try:
            block = Block.parse(self._expect_ok(status, body))
        except DecodeError:
            raise self._nonsense(f"bytes that are no block for {name}") from None
        root = merkle_root([tx.txid for tx in block.transactions])
        if block.hash != block_hash or root != (block.header.merkle_root, False):
            raise self._nonsense(f"another block than {name}, which was asked for")
        return block

    def feerate(self, target: int) -> Decimal:
        """Satoshis a virtual byte to confirm within `target` blocks, by the node's estimate.

        1 when it has none; beyond MAX_ESTIMATE it is not believed.
        """
        estimates = self._json("/fee-estimates")
        try:
            known = {int(blocks): Decimal(rate) for blocks, rate in estimates.items()}
        except (AttributeError, ArithmeticError, TypeError, ValueError):
            raise self._nonsense("its fee estimates") from None
        if not known:
            return FALLBACK_FEERATE
        within = [blocks for blocks in known if blocks <= target]
        rate = known[max(within) if within else min(known)]
        if not rate.is_finite() or not 0 < rate <= MAX_ESTIMATE:
            raise self._nonsense(f"a fee rate of {rate} sat/vB; choose a rate yourself")
        return max(round(rate, 3), Decimal("0.001"))

    def broadcast(self, transaction: Transaction) -> str:
        """Hand a transaction to the node; its txid as people see it. NodeRefused says why not."""
        response = self._request("POST", "/tx", transaction.serialize().hex())
        status, body = self._body(response, MAX_TEXT_BYTES)
        if status == 400:
            reason = _plain(body)
            what = f"{self.url} refused the transaction: {reason}{advice(reason)}"
            raise NodeRefused(what, reason)
        txid = display_hash(transaction.txid)
        if _plain(self._expect_ok(status, body)) != txid:
            raise self._nonsense("another txid than that of the transaction it was given")
        return txid

    def confirmed_balance(self, address: str) -> int:
        """Satoshis that the node says an address holds in blocks: for show only."""
        answer = self._json(f"/address/{address}")
        try:
            stats = answer["chain_stats"]
            return _integer(stats["funded_txo_sum"]) - _integer(stats["spent_txo_sum"])
        except (LookupError, TypeError, ValueError):
            raise self._nonsense("its statistics of an address") from None

    def close(self) -> None:
        """Close the connections that were kept open."""
        self._session.close()

    def _history_page(self, route: str) -> list[HistoryRow]:
        page = self._json(route)
        try:
            return [HistoryRow(parse_hash(row["txid"]), _status(row["status"])) for row in page]
        except (LookupError, TypeError, ValueError):
            raise self._nonsense("a history that is not one") from None

    def _json(self, route: str) -> Any:
        body = self._expect_ok(*self._get(route, MAX_JSON_BYTES))
        try:
            return json.loads(body, parse_float=Decimal)
        except (ValueError, RecursionError):
            raise self._nonsense(f"something that is not JSON for {route}") from None

    def _get(self, route: str, limit: int) -> tuple[int, bytes]:
        return self._body(self._request("GET", route), limit)

    def _request(self, method: str, route: str, data: str | None = None) -> requests.Response:
        try:
            return self._session.request(
                method,
                self._base + route,
                data=data,
                headers={"Content-Type": "text/plain"} if data else None,
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            )
        except requests.Timeout:
            raise self._timeout() from None
        except requests.ConnectionError:
            raise NodeUnreachable(
                f"no node answers at {self.url}; start it, or check the address"
            ) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError):
            raise self._nonsense("something that is not HTTP") from None

    def _body(self, response: requests.Response, limit: int) -> tuple[int, bytes]:
        """(status, body), read as it comes, within the limits of size and time."""
        deadline = time.monotonic() + BODY_TIMEOUT_S
        body = bytearray()
        try:
            while chunk := response.raw.read1(65536, decode_content=False):
                body += chunk
                if len(body) > limit:
                    raise self._nonsense("an answer without end")
                if time.monotonic() > deadline:
                    raise self._timeout()
        except urllib3.exceptions.TimeoutError:
            raise self._timeout() from None
        except urllib3.exceptions.HTTPError:
            raise self._nonsense("an answer that breaks off") from None
        finally:
            # A whole answer gives its connection back; of a broken one nothing is used again.
            response.close()
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise self._nonsense("a compressed answer, which was not asked for")
        return response.status_code, bytes(body)

    def _expect_ok(self, status: int, body: bytes) -> bytes:
        if status == 200:
            return body
        if status in (429, 503):
            raise NodeUnreachable(f"{self.url} is busy ({status}); try again in a moment")
        raise self._nonsense(f"status {status}: {_plain(body)}")

    def _timeout(self) -> NodeTimeout:
        return NodeTimeout(f"{self.url} did not answer in time; try again or use another node")

    def _nonsense(self, what: str) -> NodeNonsense:
        return NodeNonsense(f"{self.url} answered with {what}; is it a Farthing or Esplora node?")


def _path_of(url: str) -> str:
    """The path of a node's address; NodeError if it is no address to send a request to."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.username or parts.query or parts.fragment:
        raise NodeError(
            f"{url[:200]!r} is no node's address; write one like http://127.0.0.1:18443"
        )
    return parts.path


def _integer(value: Any) -> int:
    """A JSON integer that can be a height, a time or a sum; anything else is a ValueError."""
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError("not a whole number in range")
    return value


def _hash_text(value: Any) -> str:
    return display_hash(parse_hash(value))


def _status(value: Any) -> Status:
    if value["confirmed"] is not True:
        return Status()
    height = _integer(value["block_height"])
    if height > MAX_HEIGHT:
        raise ValueError("no chain is that high")
    return Status(height, _hash_text(value["block_hash"]), _integer(value["block_time"]))


def _plain(body: bytes) -> str:
    """The start of a text as one line without control characters: it goes to a terminal."""
    text = body[:300].decode(errors="replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
