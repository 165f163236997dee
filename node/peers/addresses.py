"""The address book: where other nodes may be reached, who said so, and whom not to bother with.

It does not dial and does not know links (`core`). An address lands in one of 1,024 buckets of 64
places, chosen by a secret and by *who told us*: one talker fills 64 buckets at most and cannot
push out what others told. Addresses that answered move to 256 buckets of their own. To pick one, a
bucket is drawn first, so that a crowded bucket weighs no more than a lonely one.

Its rows in the store:

    p                         secret (32)              buckets are chosen by this
    p host:port               services seen answered source   this peer may be reached there

Beside it: Bitcoin Core, `src/addrman.cpp`; Heilman et al., "Eclipse Attacks on Bitcoin's
Peer-to-Peer Network" (2015). Simplified: an address has one place among the unproven, Core gives it
up to eight.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from random import Random

from chain.hashes import sha256
from chain.store import Rows, Store
from node.events import NetAddress

ROW_PREFIX = b"p"
NEW_BUCKETS, TRIED_BUCKETS, BUCKET_SIZE = 1024, 256, 64
"""Core's ADDRMAN_NEW_BUCKET_COUNT, ADDRMAN_TRIED_BUCKET_COUNT and ADDRMAN_BUCKET_SIZE."""
NEW_BUCKETS_PER_SOURCE, TRIED_BUCKETS_PER_GROUP = 64, 8
"""Core's ADDRMAN_NEW_BUCKETS_PER_SOURCE_GROUP and ADDRMAN_TRIED_BUCKETS_PER_GROUP."""
HORIZON_S = 30 * 24 * 3600
"""Not seen for so long: as good as gone (ADDRMAN_HORIZON)."""
MAX_FAILURES = 3
"""An address that never answered is given up after so many tries (ADDRMAN_RETRIES)."""
RETRY_S = 600
"""Between two tries of one address, so that nobody can make us hammer a third party."""
KEEP_TRIED_S = 4 * 3600
"""One that answered within this time keeps its place (ADDRMAN_REPLACEMENT)."""
LOWEST_PORT = 1024
"""Below are the ports of services that a stranger might want us to prod."""
SHARE_PERCENT, SHARE_AT_LEAST = 23, 25
"""Of the book, told in one answer: Core's MAX_PCT_ADDR_TO_SEND; a small network needs more."""
DISCOURAGED_S, MAX_DISCOURAGED = 24 * 3600, 10_000
"""How long and how many of those who misbehaved are remembered; Core: until restart, 50,000."""
DRAWS = 50
"""Attempts to draw a usable address before we leave it for the next time."""
# Routable as IPv6, but an IPv4 address of somebody's choice is inside: NAT64, 6to4, Teredo.
_TUNNELS = tuple(map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_disguised(ip: IPv4Address | IPv6Address) -> bool:
    """An IPv4 address in the dress of an IPv6 one."""
    return ip.version == 6 and (bool(ip.ipv4_mapped) or any(ip in net for net in _TUNNELS))


def is_public(host: str) -> bool:
    """True for an address that the whole Internet can route."""
    ip = _ip(host)
    if ip is None or _is_disguised(ip):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def is_usable(address: NetAddress, allow_private: bool) -> bool:
    """May we dial what gossip says? Never a service port, a multicast or a link-local address."""
    ip = _ip(address.host)
    if ip is None or not LOWEST_PORT <= address.port <= 0xFFFF or _is_disguised(ip):
        return False
    if is_public(address.host) or not allow_private:
        return is_public(address.host)
    is_odd = ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved
    return ip.is_loopback or (ip.is_private and not is_odd)


def group_of(address: NetAddress) -> str:
    """Who probably has one owner: an IPv4 /16, an IPv6 /32; on private ranges each is its own."""
    ip = _ip(address.host)
    if ip is None or not is_public(address.host):
        return f"{address.host}:{address.port}"
    return ip.packed[: 2 if ip.version == 4 else 4].hex()


@dataclass(slots=True, eq=False)
class KnownAddress:
    """What we know of one address."""

    address: NetAddress
    source: str
    """The group of who told us."""
    services: int
    seen: int
    """When somebody last claimed that it was up, Unix seconds."""
    answered: int = 0
    """When it last answered us; 0: never."""
    failures: int = 0
    """Tries since it last answered."""
    tried: float = 0
    """When we last tried."""

    def is_stale(self, now: float) -> bool:
        """Not worth its place."""
        never = not self.answered and self.failures >= MAX_FAILURES
        return never or now - max(self.seen, self.answered) > HORIZON_S

    def row(self) -> bytes:
        """Its value in the store."""
        return f"{self.services} {self.seen} {self.answered} {self.source}".encode()


_Table = dict[int, dict[int, KnownAddress]]


class AddressBook:
    """All known addresses. The rng is asked for a secret once, and whenever one is drawn."""

    def __init__(self, rng: Random, store: Store, *, allow_private: bool) -> None:
        """Load what `store` has."""
        self._rng = rng
        self._store = store
        self._allow_private = allow_private
        self._known: dict[NetAddress, KnownAddress] = {}
        self._new: _Table = {}
        self._tried: _Table = {}
        self._discouraged: dict[NetAddress | str, float] = {}
        self._unsaved: dict[bytes, bytes | None] = {}
        self._secret = store.get(ROW_PREFIX) or b""
        if not self._secret:
            self._secret = self._unsaved[ROW_PREFIX] = rng.randbytes(32)
        self._load(dict(store.scan(ROW_PREFIX)))

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, address: NetAddress) -> bool:
        return address in self._known

    # Where an address belongs.

    def _draw(self, *parts: object) -> int:
        text = self._secret + repr(parts).encode()
        return int.from_bytes(sha256(text)[:8], "little")

    def _place(self, known: KnownAddress, table: _Table) -> tuple[int, int]:
        group, address = group_of(known.address), tuple(known.address)
        if table is self._tried:
            one_of = self._draw("tried", address) % TRIED_BUCKETS_PER_GROUP
            bucket = self._draw("tried", group, one_of) % TRIED_BUCKETS
        else:
            one_of = self._draw("new", group, known.source) % NEW_BUCKETS_PER_SOURCE
            bucket = self._draw("new", known.source, one_of) % NEW_BUCKETS
        return bucket, self._draw(bucket, address) % BUCKET_SIZE

    def _put(self, known: KnownAddress, table: _Table) -> None:
        bucket, slot = self._place(known, table)
        table.setdefault(bucket, {})[slot] = known

    def _holder(self, known: KnownAddress, table: _Table) -> KnownAddress | None:
        bucket, slot = self._place(known, table)
        return table.get(bucket, {}).get(slot)

    def _take_out(self, known: KnownAddress, table: _Table) -> None:
        bucket, slot = self._place(known, table)
        if table.get(bucket, {}).get(slot) is known:
            del table[bucket][slot]
            if not table[bucket]:
                del table[bucket]

    # What we learn.

    def add(
        self,
        address: NetAddress,
        *,
        source: NetAddress | None,
        now: float,
        seen: int = 0,
        services: int = 0,
    ) -> bool:
        """Note what `source` told us. True if it was news and there was room."""
        seen = min(seen, int(now))
        if (known := self._known.get(address)) is not None:
            known.seen = max(known.seen, seen)
            return False
        if not is_usable(address, self._allow_private) or now - seen > HORIZON_S:
            return False
        known = KnownAddress(address, group_of(source or address), services, seen)
        return self._settle(known, now)

    def _settle(self, known: KnownAddress, now: float) -> bool:
        """Put it among the unproven, unless somebody worth keeping has its place."""
        holder = self._holder(known, self._new)
        if holder is not None:
            if not holder.is_stale(now):
                return False
            self._forget(holder)
        self._put(known, self._new)
        self._known[known.address] = known
        self._unsaved[_key(known.address)] = known.row()
        return True

    def _forget(self, known: KnownAddress) -> None:
        self._take_out(known, self._new)
        del self._known[known.address]
        self._unsaved[_key(known.address)] = None

    def attempted(self, address: NetAddress, now: float) -> None:
        """We are about to dial it."""
        if (known := self._known.get(address)) is not None:
            known.tried = now
            known.failures += 1

    def answered(self, address: NetAddress, now: float, services: int) -> None:
        """It shook hands with us: from now on it counts as proven."""
        if (known := self._known.get(address)) is None:
            return
        known.answered, known.failures, known.services = int(now), 0, services
        holder = self._holder(known, self._tried)
        if holder is None or (holder is not known and now - holder.answered > KEEP_TRIED_S):
            self._take_out(known, self._new)
            self._put(known, self._tried)
            if holder is not None and not self._settle(holder, now):
                del self._known[holder.address]
                self._unsaved[_key(holder.address)] = None
        self._unsaved[_key(address)] = known.row()

    # Whom to avoid.

    def discourage(self, whom: NetAddress | str, now: float) -> None:
        """Remember that an address, or a public host whatever its port, misbehaved."""
        self._discouraged.pop(whom, None)
        self._discouraged[whom] = now + DISCOURAGED_S
        while len(self._discouraged) > MAX_DISCOURAGED:
            del self._discouraged[next(iter(self._discouraged))]

    def is_discouraged(self, address: NetAddress, now: float) -> bool:
        """True if it, or its host, misbehaved lately."""
        until = max(self._discouraged.get(whom, 0.0) for whom in (address, address.host))
        return until > now

    # Whom to use.

    def choose(
        self, now: float, taken_groups: Iterable[str], taken: Iterable[NetAddress]
    ) -> NetAddress | None:
        """An address to dial, of none of these groups and none of these; None if luck fails us."""
        groups, addresses = frozenset(taken_groups), frozenset(taken)
        if sum(address in self._known for address in addresses) == len(self._known):
            return None
        for _ in range(DRAWS):
            tables = [table for table in (self._new, self._tried) if table]
            bucket = self._rng.choice([*self._rng.choice(tables).values()])
            known = self._rng.choice([*bucket.values()])
            if (
                known.address not in addresses
                and abs(now - known.tried) >= RETRY_S  # a clock may be set back
                and not known.is_stale(now)
                and group_of(known.address) not in groups
                and not self.is_discouraged(known.address, now)
            ):
                return known.address
        return None

    def share(self, limit: int, now: float) -> list[KnownAddress]:
        """Some addresses, drawn at random, to tell another node."""
        good = [
            known
            for known in self._known.values()
            if not known.is_stale(now) and not self.is_discouraged(known.address, now)
        ]
        wanted = max(len(good) * SHARE_PERCENT // 100, SHARE_AT_LEAST)
        return self._rng.sample(good, min(len(good), wanted, limit))

    # Keeping.

    def _load(self, rows: Mapping[bytes, bytes]) -> None:
        for key, value in rows.items():
            if key == ROW_PREFIX:
                continue
            host, _, port = key[1:].decode().rpartition(":")
            services, seen, answered, source = value.decode().split(" ", 3)
            address = NetAddress(host, int(port))
            known = KnownAddress(address, source, int(services), int(seen), int(answered))
            self._known[address] = known
            self._put(known, self._tried if known.answered else self._new)

    def save(self) -> None:
        """Write what has changed since the last time."""
        if self._unsaved:
            rows: Rows = self._unsaved
            self._store.write(rows)
            self._unsaved = {}


def _key(address: NetAddress) -> bytes:
    return ROW_PREFIX + f"{address.host}:{address.port}".encode()
