"""Extended keys: one seed, a tree of keys (BIP 32).

A private extended key derives everything; a public one derives the non-hardened part below it and
can spend nothing. The curve is chain.curve's. This file knows nothing of scripts or purposes. A
private key shows nothing of itself in `repr`, nor do the errors raised here.

Reference: BIP 32.
"""

import hmac
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from chain import curve
from chain.address import base58check_decode, base58check_encode
from chain.errors import DecodeError
from chain.hashes import hash160
from chain.params import Params
from wallet.errors import BadKey

HARDENED = 0x80000000  # added to an index: only the private key can derive that child
MAX_DEPTH = 255  # one byte
SERIALIZED_SIZE = 78
_STEP = re.compile(r"([0-9]{1,10})(['hH]?)")

Path = tuple[int, ...]


@dataclass(frozen=True)
class _ExtendedKey:
    """What both kinds share: their place in the tree."""

    chain_code: bytes
    depth: int
    parent_fingerprint: bytes
    index: int

    def _serialized(self, prefix: bytes, key: bytes) -> str:
        place = bytes([self.depth]) + self.parent_fingerprint + self.index.to_bytes(4, "big")
        return base58check_encode(prefix + place + self.chain_code + key)

    def _digest(self, data: bytes) -> tuple[bytes, bytes]:
        """BIP 32's I, split in halves: the tweak of the child's key, and the child's chain code."""
        whole = hmac.digest(self.chain_code, data, "sha512")
        return whole[:32], whole[32:]

    def _check_step(self, index: int) -> None:
        if not 0 <= index < 2 * HARDENED or self.depth >= MAX_DEPTH:
            raise BadKey("the derivation path is too long or has an index beyond 2147483647'")


@dataclass(frozen=True)
class ExtendedPublicKey(_ExtendedKey):
    """A public key (33 bytes) and the chain code that derives its children."""

    key: bytes

    def child(self, index: int) -> "ExtendedPublicKey":
        """The child at a non-hardened index; BadKey for a hardened one."""
        self._check_step(index)
        if index >= HARDENED:
            raise BadKey("a hardened child needs the private key")
        tweak, chain_code = self._digest(self.key + index.to_bytes(4, "big"))
        key = curve.add_to_public_key(self.key, tweak)
        return ExtendedPublicKey(chain_code, self.depth + 1, self.fingerprint, index, key)

    def derive(self, path: Path) -> "ExtendedPublicKey":
        """The descendant at a path of non-hardened indexes."""
        key = self
        for index in path:
            key = key.child(index)
        return key

    @cached_property
    def fingerprint(self) -> bytes:
        """The first 4 bytes of the key's hash: how children and descriptors name it."""
        return hash160(self.key)[:4]

    def serialize(self, params: Params) -> str:
        """`xpub…` or `tpub…`, as the network says."""
        return self._serialized(params.xpub_prefix, self.key)


@dataclass(frozen=True)
class ExtendedPrivateKey(_ExtendedKey):
    """A private key (32 bytes) and the chain code that derives its children."""

    secret: bytes

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """The master key of a seed of 16 to 64 bytes."""
        if not 16 <= len(seed) <= 64:
            raise BadKey(f"a seed has 16 to 64 bytes, not {len(seed)}")
        whole = hmac.digest(b"Bitcoin seed", seed, "sha512")
        return cls(whole[32:], 0, bytes(4), 0, _checked_secret(whole[:32]))

    def child(self, index: int) -> "ExtendedPrivateKey":
        """The child at an index; add HARDENED for a hardened one."""
        self._check_step(index)
        parent = bytes(1) + self.secret if index >= HARDENED else self.public.key
        tweak, chain_code = self._digest(parent + index.to_bytes(4, "big"))
        secret = curve.add_to_secret(self.secret, tweak)
        return ExtendedPrivateKey(
            chain_code, self.depth + 1, self.public.fingerprint, index, secret
        )

    def derive(self, path: Path) -> "ExtendedPrivateKey":
        """The descendant at a path."""
        key = self
        for index in path:
            key = key.child(index)
        return key

    @cached_property
    def public(self) -> ExtendedPublicKey:
        """The public half, which can spend nothing."""
        place = (self.chain_code, self.depth, self.parent_fingerprint, self.index)
        return ExtendedPublicKey(*place, curve.public_key(self.secret))

    def serialize(self, params: Params) -> str:
        """`xprv…` or `tprv…`, as the network says: a secret, for vectors and backups."""
        return self._serialized(params.xprv_prefix, bytes(1) + self.secret)

    def __repr__(self) -> str:
        return "ExtendedPrivateKey(hidden)"


def parse_extended_key(text: str, params: Params) -> ExtendedPublicKey | ExtendedPrivateKey:
    """Read `xpub…` or `xprv…`; BadKey says what is wrong and never repeats the text."""
    try:
        data = base58check_decode(text)
    except DecodeError:
        raise BadKey(
            "not an extended key: wrong checksum or characters, a letter is mistyped"
        ) from None
    if len(data) != SERIALIZED_SIZE:
        raise BadKey(f"not an extended key: {len(data)} bytes, expected {SERIALIZED_SIZE}")
    prefix, depth, parent = data[:4], data[4], data[5:9]
    index, chain_code, key = int.from_bytes(data[9:13], "big"), data[13:45], data[45:]
    if prefix not in (params.xpub_prefix, params.xprv_prefix):
        raise BadKey(f"not an extended key of {params.name}: unknown version {prefix.hex()}")
    if depth == 0 and (parent != bytes(4) or index != 0):
        raise BadKey("not an extended key: depth 0 with a parent fingerprint or an index")
    if prefix == params.xprv_prefix:
        if key[0] != 0:
            raise BadKey("not an extended key: a private key must follow a zero byte")
        return ExtendedPrivateKey(chain_code, depth, parent, index, _checked_secret(key[1:]))
    if key[0] not in (2, 3) or not curve.is_valid_public_key(key):
        raise BadKey("not an extended key: its public key is no point of the curve")
    return ExtendedPublicKey(chain_code, depth, parent, index, key)


def parse_path(text: str) -> Path:
    """Indexes of a path such as `m/84'/1'/0'/0/0` (`'`, `h` or `H` for hardened, `m/` optional)."""
    steps = text.split("/", MAX_DEPTH + 2)
    if steps[0] == "m":
        steps = steps[1:]
    if len(steps) > MAX_DEPTH:
        raise BadKey(f"not a derivation path: more than {MAX_DEPTH} steps, a key cannot be deeper")
    path = []
    for step in steps:
        match = _STEP.fullmatch(step)
        if match is None or int(match[1]) >= HARDENED:
            raise BadKey(f"not a derivation path: {text[:80]!r}, expected one like m/84'/1'/0'/0/0")
        path.append(int(match[1]) + (HARDENED if match[2] else 0))
    return tuple(path)


def format_path(path: Path) -> str:
    """The steps of a path, `h` for hardened, without `m/`: `84h/1h/0h`."""
    return "/".join(f"{step - HARDENED}h" if step >= HARDENED else str(step) for step in path)


def _checked_secret(secret: bytes) -> bytes:
    if not 0 < int.from_bytes(secret, "big") < curve.CURVE_ORDER:
        raise BadKey("not an extended key: its private key is not in 1 to n-1")
    return secret
