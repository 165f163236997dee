"""How a node process is set up: its network, its places, whom it knows, how much it takes on.

It turns what people write (`http://host:port`, `auto`) into values and refuses the rest in one
line; it does not know the command line (`scripts/cli/node.py`). Names are resolved here, once, so
that what is dialled later is an address (DNS rebinding). Beside it: Bitcoin Core, `src/init.cpp`.
"""

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from chain.address import AddressError, address_to_script
from chain.params import Params
from node.events import NetAddress
from node.mempool.policy import PolicyOptions

MAX_PAR = 15
"""Core's MAX_SCRIPTCHECK_THREADS."""
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

BlockTime = float | Literal["auto", "off"]


class ConfigError(ValueError):
    """A setting that can't be; the message is one line that says what is expected."""


@dataclass(frozen=True)
class NodeConfig:
    """What a node is told when it starts."""

    params: Params
    datadir: Path
    """Of all networks; this one's data lies in a folder of its own below it."""
    listen: NetAddress
    """Loopback unless others are to reach us; port 0 takes any free one."""
    peers: tuple[NetAddress, ...] = ()
    """Dialled at the start, and again whenever the link is gone."""
    connect_only: bool = False
    """Dial no one else: Core's -connect."""
    allow_hosts: tuple[str, ...] = ()
    """Names, besides the usual ones, under which requests may address us."""
    allow_private_peers: bool = False
    """Believe gossip about loopback and private addresses: on a network within one machine."""
    block_time: BlockTime = "auto"
    """When to mine: `auto`, a second after a transaction arrives; every so many seconds; `off`."""
    mine_to: str | None = None
    """The address that mined blocks pay; without it nothing is mined."""
    mine_par: int = 0
    """Processes that search for nonces, where the work is real; 0: as many as processors."""
    par: int = 0
    """Processes that check scripts; 0: as many as there are processors."""
    engine: str = "auto"
    """The store: one of `node.storage.opening.ENGINES`."""
    no_index: bool = False
    """Leave out the index of scripts and transactions; most of Esplora's API then has no answer."""
    persist_mempool: bool = True
    """Write what waits at the stop and take it in again at the start: Core's -persistmempool."""
    policy: PolicyOptions = field(default_factory=PolicyOptions)
    max_inbound: int = 125
    """Core's DEFAULT_MAX_PEER_CONNECTIONS."""

    @property
    def folder(self) -> Path:
        """Where this network's data lies."""
        return self.datadir / self.params.name

    @property
    def cookie_file(self) -> Path:
        """The operator's credentials, while the node runs."""
        return self.folder / ".cookie"

    @property
    def mempool_file(self) -> Path:
        """What waited when the node stopped."""
        return self.folder / "mempool.dat"

    @property
    def log_file(self) -> Path:
        """What the node tells of its life."""
        return self.folder / "debug.log"

    @property
    def threads(self) -> int:
        """How many processes check scripts, the node's own among them (threads, in Core)."""
        return min(MAX_PAR, self.par or os.cpu_count() or 1)

    @property
    def mining_processes(self) -> int:
        """How many processes search for nonces, where the work is real."""
        return self.mine_par or os.cpu_count() or 1

    @property
    def mine_to_script(self) -> bytes | None:
        """The scriptPubKey that mined blocks pay; ConfigError if `mine_to` is no address here."""
        if self.mine_to is None or self.block_time == "off":
            return None
        try:
            return address_to_script(self.mine_to, self.params)
        except AddressError as error:
            raise ConfigError(f"--mine-to {self.mine_to}: {error}") from error

    def allows_host(self, header: str | None) -> bool:
        """Whether a request's Host names us: no page of another site can then speak to us.

        Names count only if listed. A node that listens on all addresses has no list of them, so
        any IP address passes there: a browser's page is rebound by a name, never by an address.
        """
        host, _ = split_host(header or "", 0) or ("", 0)
        listed = {self.listen.host, *_LOCAL_NAMES, *(name.lower() for name in self.allow_hosts)}
        if host in listed:
            return True
        return is_ip(host) and ip_address(self.listen.host).is_unspecified


def is_ip(host: str) -> bool:
    """Whether `host` is an IP address as text."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def split_host(text: str, default_port: int) -> tuple[str, int] | None:
    """`host`, `host:port` or `[v6]:port`, in lower case without a final dot; None if malformed."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.netloc != text or parts.username is not None or not text.isascii():
        return None
    return host.rstrip("."), default_port if port is None else port


def parse_address(text: str, default_port: int) -> NetAddress:
    """A peer or node as people write it (`http://host:port`, `host:port`, `host`), resolved once.

    ConfigError in one line if it can't be understood or the name is unknown.
    """
    expected = f"expected http://HOST:PORT, not {text!r}"
    bare = text.removeprefix("http://").removesuffix("/")
    split = split_host(bare, default_port)
    if split is None or not 0 <= split[1] <= 65535:
        raise ConfigError(expected)
    host, port = split
    if is_ip(host):
        return NetAddress(str(ip_address(host)), port)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"no host is called {host!r}: {expected}") from error
    return NetAddress(str(found[0][4][0]), port)


def parse_addresses(texts: Iterable[str], default_port: int) -> tuple[NetAddress, ...]:
    """Several, each once, in their order."""
    return tuple(dict.fromkeys(parse_address(text, default_port) for text in texts))


def parse_block_time(text: str) -> BlockTime:
    """`auto`, `off` or seconds (at least 0); ConfigError otherwise."""
    if text == "auto":
        return "auto"
    if text == "off":
        return "off"
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise ConfigError(f"expected auto, off or a number of seconds, not {text!r}")
    return seconds
