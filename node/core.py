"""The node: events in, effects out. Everything a node does, but for bytes on wires and disks.

`Node.handle(event, now)` is the door for what comes from outside; the methods below it are for the
operator and the API of the same process. It has no clock (`now`, in seconds, is an argument), no
randomness of its own (`rng`), no threads and no files (`store`): the same node runs behind HTTP and
in the simulator. What it knows is which of its parts to ask:

    version, verack, ping, pong         handshake         the link itself
    inv, getdata, notfound              sync or relay     by the kind of each item
    getheaders, headers, block          sync, download
    tx, feefilter                       relay, fetch, orphans
    addr, addrv2, getaddr               dialer, addresses

Beside it: Bitcoin Core, `src/net_processing.cpp`: ProcessMessage.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from chain.block import Block
from chain.chainstate import Acceptance, ChainChanges, Chainstate
from chain.errors import DecodeError
from chain.params import Params
from chain.script.check import SerialQueue, Verifier
from chain.store import Indexer, Store
from chain.transaction import Transaction
from node.clock import Clock
from node.entry import MempoolEntry
from node.events import (
    BlockConnected,
    BlockDisconnected,
    DialFailed,
    Effect,
    Event,
    LinkClosed,
    LinkOpened,
    Misframed,
    NetAddress,
    Received,
    Tick,
)
from node.mempool import submission, template
from node.mempool.estimates import Estimates
from node.mempool.mempool import Mempool
from node.mempool.policy import PolicyOptions
from node.mempool.submission import PackageResult
from node.mempool.verified import UnverifiedQueue
from node.messages import (
    MSG_BLOCK,
    MSG_WITNESS_BLOCK,
    Addr,
    AddrV2,
    BlockMessage,
    FeeFilter,
    GetAddr,
    GetData,
    GetHeaders,
    Headers,
    Inv,
    InventoryItem,
    Message,
    NotFound,
    Ping,
    Pong,
    SendAddrV2,
    SendHeaders,
    Tx,
    WtxidRelay,
    decode,
)
from node.peers.addresses import AddressBook
from node.peers.dialer import Dialer
from node.peers.download import Download
from node.peers.handshake import Handshake
from node.peers.peer import Outbox, Peer, Stage
from node.peers.relay import Relay
from node.peers.sync import Sync

_BLOCK_KINDS = (MSG_BLOCK, MSG_WITNESS_BLOCK)


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """What an operator may set."""

    allow_private_peers: bool = False
    """Dial private and loopback addresses that gossip tells of: for a network on one machine."""
    listen_address: NetAddress | None = None
    """Where others reach us, to be told to peers; None: nowhere."""
    max_inbound: int = 125
    """Core's -maxconnections, without our own."""
    max_outbound: int = 8
    """Links to addresses of the book: Core's MAX_OUTBOUND_FULL_RELAY_CONNECTIONS."""
    user_agent: str = "/Farthing:0.1.0/"
    policy: PolicyOptions = field(default_factory=PolicyOptions)


class Node:
    """One node. Not thread-safe: whoever runs it holds a lock around every call."""

    def __init__(
        self,
        params: Params,
        store: Store,
        *,
        rng: Random,
        options: NodeOptions | None = None,
        verifier: Verifier = SerialQueue,
        indexers: Sequence[Indexer] = (),
        scripts_in_order: bool = True,
    ) -> None:
        """Open the chain in `store`, or begin one. StoreError if it cannot be used."""
        self.params = params
        self.options = options or NodeOptions()
        self.chainstate = Chainstate(
            params,
            store,
            verifier=lambda: UnverifiedQueue(self.mempool, verifier()),
            indexers=indexers,
            scripts_in_order=scripts_in_order,
        )
        self.mempool = Mempool(self.chainstate, self.options.policy)
        self.estimates = Estimates(self.chainstate, self.mempool)
        self.peers: dict[int, Peer] = {}
        self.addresses = AddressBook(rng, store, allow_private=self.options.allow_private_peers)
        self.backlog: Callable[[int], int] = lambda link: 0
        """How many bytes wait to be sent on a link. Whoever carries out our effects may set it:
        we then send a slow reader its blocks no faster than it takes them."""
        self._rng = rng
        self._clock = Clock()
        self._outbox = Outbox()
        self._handshake = Handshake(
            self.peers,
            self._outbox,
            rng,
            self._clock,
            user_agent=self.options.user_agent,
            listen_address=self.options.listen_address,
        )
        self._download = Download(self.chainstate, self.peers, self._outbox, rng, self._clock)
        self._sync = Sync(self.chainstate, self.peers, self._outbox, self._download, self._clock)
        self._relay = Relay(self.mempool, self.peers, self._outbox, rng, self._clock)
        self._dialer = Dialer(
            self.addresses,
            self.peers,
            self._outbox,
            rng,
            self._clock,
            allow_private=self.options.allow_private_peers,
            max_outbound=self.options.max_outbound,
            listen_address=self.options.listen_address,
        )

    # From outside.

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take in one event, at `now` (Unix seconds); what is to be done about it, in order.
        Whatever a peer sends ends here: no exception but the store's own, or a bug of ours."""
        self._clock.move(now)
        match event:
            case Received(link, command, payload):
                self._received(link, command, payload)
            case LinkOpened(link, inbound, address):
                self._link_opened(link, inbound, address)
            case LinkClosed(link):
                if (peer := self.peers.get(link)) is not None:
                    peer.is_closing = True
                    self._forget(peer)
            case Misframed(link, why):
                if (peer := self.peers.get(link)) is not None:
                    self._outbox.punish(peer, why)
            case DialFailed(address):
                self._dialer.failed(address)
            case Tick():
                self._tick()
        self._finish()
        return self._outbox.take()

    def take_effects(self) -> list[Effect]:
        """What the methods below have left to be done, in order."""
        return self._outbox.take()

    def wake_at(self) -> float | None:
        """When something is due: a Tick then, earlier than the usual one, speeds things up."""
        due = self._relay.wake_at()
        return None if due is None else self._clock.when(due)

    # From the operator and the API. Effects are left for take_effects.

    def connect_to(self, address: NetAddress, now: float) -> None:
        """Keep a link to this address, whatever it takes. ValueError if it is our own."""
        self._clock.set(now)
        self._dialer.connect_to(address)

    def submit_transaction(self, tx: Transaction, now: float) -> MempoolEntry:
        """Take in a transaction and announce it. Raises Rejected or Invalid.

        One that waits already is announced again: who submits it twice wants it heard.
        """
        self._clock.set(now)
        waiting = self.mempool.get_by_wtxid(tx.wtxid)
        if waiting is not None:
            self._relay.announce(waiting, again=True)
        try:
            if waiting is None:
                waiting = self.mempool.accept(tx, self._clock.unix)
                self._relay.announce_until_asked(waiting)
            return waiting
        finally:
            self._relay.tell_changes()
            self._finish()

    def submit_package(
        self, txs: Sequence[Transaction], max_feerate: int, now: float
    ) -> PackageResult:
        """Take in a child with its parents, and announce them; see `submission`."""
        self._clock.set(now)
        result = submission.submit(self.mempool, txs, self._clock.unix, max_feerate)
        self._relay.tell_changes()
        for entry in set(result.entries.values()) - result.new:
            self._relay.announce(entry, again=True)
        self._finish()
        return result

    def submit_block(self, block: Block, now: float) -> Acceptance:
        """Take in a block from wherever. Raises Invalid; what fails to connect is in `.changes`."""
        self._clock.set(now)
        acceptance = self.chainstate.accept_block(block, self._clock.unix)
        self._chain_changed(acceptance.changes)
        return acceptance

    def invalidate(self, block_hash: bytes, now: float) -> ChainChanges:
        """Leave a block and all that builds on it. KeyError if unknown, ValueError for genesis."""
        self._clock.set(now)
        changes = self.chainstate.invalidate(block_hash)
        self._sync.disown(block_hash)
        self._chain_changed(changes)
        return changes

    def reconsider(self, block_hash: bytes, now: float) -> ChainChanges:
        """Judge a block and what belongs to it anew. KeyError if it is unknown."""
        self._clock.set(now)
        changes = self.chainstate.reconsider(block_hash)
        self._chain_changed(changes)
        return changes

    def prefer(self, block_hash: bytes, now: float) -> ChainChanges:
        """Of equal work, take this block first. KeyError if it is unknown."""
        self._clock.set(now)
        changes = self.chainstate.prefer(block_hash)
        self._chain_changed(changes)
        return changes

    def assemble_block(self, script_pubkey: bytes, now: float, extra_nonce: int = 0) -> Block:
        """The next block as we would mine it, paying `script_pubkey`; only the work is missing."""
        self._clock.set(now)
        return template.assemble(
            self.chainstate, self.mempool.chunks(), script_pubkey, self._clock.unix, extra_nonce
        )

    def close(self) -> None:
        """Write what is worth keeping. The store is the caller's to close."""
        self.addresses.save()

    # What follows from everything.

    def _chain_changed(self, changes: ChainChanges) -> None:
        for entry, block in changes.disconnected:
            self._outbox.effects.append(BlockDisconnected(entry, block))
            self._relay.block_disconnected(block)
        for entry, block in changes.connected:
            self._outbox.effects.append(BlockConnected(entry, block))
            self._relay.block_connected(block)
        self.mempool.follow(changes, self._clock.unix)
        self._relay.tell_changes(again=True)
        self._sync.after_change(changes)
        self._finish()

    def _finish(self) -> None:
        """Whatever has happened: settle what it left to be done."""
        self._relay.consider_orphans()
        for peer in self.peers.values():
            if peer.blocks_owed:
                self._sync.serve(peer, self.backlog(peer.link))
        for peer in self._outbox.take_closed():
            self._forget(peer)
        self._download.assign()
        self._relay.flush()

    # Links.

    def _link_opened(self, link: int, inbound: bool, address: NetAddress | None) -> None:
        peer = Peer(link, inbound, address, self._clock.steady, self._rng.getrandbits(64))
        inbound_links = sum(each.inbound for each in self.peers.values())
        if inbound and inbound_links >= self.options.max_inbound:
            self._outbox.close(peer, "no room for another link")
        elif (
            inbound
            and address is not None
            and self.addresses.is_discouraged(address, self._clock.unix)
        ):
            self._outbox.close(peer, "this address has misbehaved")
        self.peers[link] = peer
        if not inbound:
            self._dialer.opened(peer)
            self._handshake.send_version(peer, self.chainstate.active.height)

    def _forget(self, peer: Peer) -> None:
        """The link is gone, or as good as gone."""
        self._download.forget(peer)
        self._relay.forget(peer)
        if self.peers.pop(peer.link, None) is not None:
            self._dialer.lost(peer)

    def _tick(self) -> None:
        for peer in self.peers.values():
            self._handshake.check_alive(peer)
        self._download.tick()
        self._relay.tick()
        self._dialer.tick()
        self.mempool.expire(self._clock.unix)
        self._relay.tell_changes()

    # Messages.

    def _received(self, link: int, command: str, payload: bytes) -> None:
        peer = self.peers.get(link)
        if peer is None or peer.is_closing:
            return
        try:
            message = decode(command, payload)
        except DecodeError as error:
            self._outbox.punish(peer, f"malformed {command}: {error}")
            return
        if peer.stage is Stage.OPEN:
            self._on_message(peer, message)
        else:
            self._on_handshake(peer, message)

    def _on_handshake(self, peer: Peer, message: Message) -> None:
        itself = self._handshake.ourselves(message)
        if itself is not None:
            self._dialer.met_ourselves(itself.address)
            self._outbox.close(peer, "that is ourselves")
            return
        self._handshake.on_message(peer, message, self.chainstate.active.height)
        if peer.is_open:
            self._dialer.greet(peer)
            self._sync.greet(peer)
            self._relay.greet(peer)

    def _on_message(self, peer: Peer, message: Message) -> None:
        """The message of a peer whose handshake is done; unknown ones are ignored."""
        match message:
            case Inv(items):
                blocks = [item.hash for item in items if item.kind in _BLOCK_KINDS]
                if blocks:
                    self._sync.on_block_inv(peer, blocks)
                self._relay.on_inv(peer, items)
            case Tx(transaction):
                self._relay.on_tx(peer, transaction)
            case GetData(items):
                self._on_get_data(peer, items)
            case Headers(headers):
                self._sync.on_headers(peer, headers)
            case BlockMessage(block):
                changes = self._sync.on_block(peer, block)
                if changes is not None:
                    self._chain_changed(changes)
            case GetHeaders():
                self._sync.on_get_headers(peer, message)
            case NotFound(items):
                self._download.not_found(peer, [item.hash for item in items])
                self._relay.on_not_found(peer, items)
            case Addr(addresses) | AddrV2(addresses):
                self._dialer.on_addresses(peer, addresses)
            case GetAddr():
                self._dialer.on_get_addr(peer)
            case SendHeaders():
                peer.prefers_headers = True
            case FeeFilter(feerate):
                peer.min_feerate = feerate
            case Pong(nonce):
                if nonce == peer.ping_nonce:
                    peer.ping_nonce, peer.ping_time_s = None, self._clock.steady - peer.pinged_at
            case Ping(nonce):
                self._outbox.send(peer, Pong(nonce))
            case WtxidRelay() | SendAddrV2():
                self._outbox.close(peer, f"{message.command} after the handshake")

    def _on_get_data(self, peer: Peer, items: Sequence[InventoryItem]) -> None:
        blocks = [item.hash for item in items if item.kind in _BLOCK_KINDS]
        others = [item for item in items if item.kind not in _BLOCK_KINDS]
        if others:
            self._relay.on_get_transactions(peer, others, self.backlog(peer.link))
        if blocks:
            self._sync.on_get_blocks(peer, blocks, self.backlog(peer.link))
