"""The link itself: opened, versions exchanged, alive, and with whom.

It knows the table in `peer`, and nothing of what peers talk about afterwards. Clocks of peers are
read and believed nowhere (CVE-2024-52912). Beside it: Bitcoin Core, `src/net_processing.cpp`:
PushNodeVersion, VERSION and VERACK in ProcessMessage, MaybeSendPing.
"""

from collections.abc import Mapping
from random import Random

from node.clock import Clock
from node.events import NetAddress
from node.messages import (
    NODE_NETWORK,
    NODE_WITNESS,
    PROTOCOL_VERSION,
    Message,
    PeerAddress,
    Ping,
    SendAddrV2,
    Verack,
    Version,
    WtxidRelay,
)
from node.peers.peer import Outbox, Peer, Stage

OLDEST_VERSION = 70012
"""Of a peer's protocol: the first that knows sendheaders. Core still accepts 31800."""
HANDSHAKE_TIMEOUT_S = 60
"""Core's m_peer_connect_timeout."""
PING_INTERVAL_S = 120
"""Core's PING_INTERVAL."""
PONG_TIMEOUT_S = 20 * 60
"""Core's TIMEOUT_INTERVAL."""
SERVICES = NODE_NETWORK | NODE_WITNESS
"""Ours, and those that a peer must have for us to dial it: blocks, with their witnesses."""
NOWHERE = PeerAddress.of("0.0.0.0", 0)


class Handshake:
    """Brings links to the stage where peers can talk, and notices when they fall silent."""

    def __init__(
        self,
        peers: Mapping[int, Peer],
        outbox: Outbox,
        rng: Random,
        clock: Clock,
        *,
        user_agent: str,
        listen_address: NetAddress | None,
    ) -> None:
        self._peers = peers
        self._outbox = outbox
        self._rng = rng
        self._clock = clock
        self._user_agent = user_agent
        self._sender = PeerAddress.of(*listen_address, SERVICES) if listen_address else NOWHERE

    def send_version(self, peer: Peer, height: int) -> None:
        """Say who we are; `height` is that of our tip."""
        receiver = PeerAddress.of(*peer.address) if peer.address else NOWHERE
        version = Version(
            version=PROTOCOL_VERSION,
            services=SERVICES,
            time=self._clock.unix,
            receiver=receiver,
            sender=self._sender,
            nonce=peer.nonce,
            user_agent=self._user_agent,
            start_height=height,
            relay=True,
        )
        self._outbox.send(peer, version)

    def on_message(self, peer: Peer, message: Message, height: int) -> None:
        """A message before the link is open; what comes out of turn is ignored."""
        match message:
            case Version() if peer.stage is Stage.VERSION_AWAITED:
                self._on_version(peer, message, height)
            case _ if peer.stage is Stage.VERSION_AWAITED:
                pass
            case WtxidRelay():
                peer.wtxid_relay = True
            case SendAddrV2():
                peer.wants_new_addresses = True
            case Verack():
                peer.stage, peer.is_greeted = Stage.OPEN, True

    def _on_version(self, peer: Peer, version: Version, height: int) -> None:
        if version.version < OLDEST_VERSION:
            self._outbox.close(peer, f"speaks the old protocol {version.version}")
        elif not peer.inbound and SERVICES & ~version.services:
            self._outbox.close(peer, "does not serve the whole chain")
        else:
            peer.version, peer.stage = version, Stage.VERACK_AWAITED
            if peer.inbound:
                self.send_version(peer, height)
            for reply in (WtxidRelay(), SendAddrV2(), Verack()):
                self._outbox.send(peer, reply)

    def ourselves(self, message: Message) -> Peer | None:
        """The link that we dialled and that leads back to us, if this version gives it away."""
        if not isinstance(message, Version):
            return None
        dialled = (peer for peer in self._peers.values() if not peer.inbound)
        return next((peer for peer in dialled if peer.nonce == message.nonce), None)

    def check_alive(self, peer: Peer) -> None:
        """Time has passed: ping it, or give it up."""
        now = self._clock.steady
        if peer.stage is not Stage.OPEN:
            if now - peer.opened_at > HANDSHAKE_TIMEOUT_S:
                self._outbox.close(peer, "no handshake")
        elif peer.ping_nonce is not None:
            if now - peer.pinged_at > PONG_TIMEOUT_S:
                self._outbox.close(peer, "no pong")
        elif now - peer.pinged_at > PING_INTERVAL_S:
            peer.ping_nonce, peer.pinged_at = self._rng.getrandbits(64), now
            self._outbox.send(peer, Ping(peer.ping_nonce))
