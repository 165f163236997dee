"""A key expression: a key inside a descriptor, where it comes from, and which keys lie below it.

    [d34db33f/84h/1h/0h]tpubDC…/<0;1>/*

Knows hex and WIF keys, extended keys, their origin, steps below them, `<0;1>` (a choice of branch),
`*` (the index) and `/**`, short for `/<0;1>/*`. Does not know which script a key goes into. A
private key shows nothing of itself in `repr` or in errors.

Reference: BIP 380 (key expressions), 389 (`<0;1>`), 388 (`/**`).
"""

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from chain import curve
from chain.address import base58check_decode
from chain.errors import DecodeError
from chain.hashes import hash160
from chain.params import Params
from wallet.errors import BadDescriptorKey, BadKey
from wallet.hd import (
    HARDENED,
    MAX_DEPTH,
    ExtendedPrivateKey,
    ExtendedPublicKey,
    Path,
    parse_extended_key,
)

MAX_BRANCHES = 100  # alternatives between < and >; there are two in practice
_ORIGIN = re.compile(r"\[([0-9a-fA-F]{8})((?:/[0-9]{1,10}['h]?)*)\]")
_STEP = re.compile(r"([0-9]{1,10})(['h]?)")
_HEX = re.compile(r"[0-9a-fA-F]{64}(?:[0-9a-fA-F]{2}(?:[0-9a-fA-F]{64})?)?")
_FIELD_SIZE = 2**256 - 2**32 - 977  # p of secp256k1
_LAST_STEPS = {"*": 0, "*h": HARDENED, "*'": HARDENED}


class Origin(NamedTuple):
    """Which master key, and the path from it: how a signer recognises a key as its own."""

    fingerprint: bytes
    path: Path


class DerivedKey(NamedTuple):
    """One public key of a descriptor: 33 or 65 bytes (32 if it was written so), and its origin."""

    key: bytes
    origin: Origin

    @property
    def x_only(self) -> bytes:
        """The 32 bytes by which taproot knows the key."""
        return self.key[-32:] if len(self.key) == 32 else self.key[1:33]


@dataclass(frozen=True)
class KeyExpression:
    """A fixed key (`public`) or an extended one, the steps below it, and whether `*` follows."""

    origin: Origin | None
    public: bytes
    extended: ExtendedPublicKey | ExtendedPrivateKey | None = None
    steps: tuple[Path, ...] = ()  # at each step the alternatives: one, or those between < and >
    last_step: int | None = None  # what is added to the index: 0, or HARDENED
    secret: bytes | None = field(default=None, repr=False)  # of a fixed key

    @property
    def branches(self) -> int:
        """How many alternatives there are: 1 without `<…>`."""
        return max(map(len, self.steps), default=1)

    @property
    def is_compressed(self) -> bool:
        """False for the 65 bytes that segwit does not take."""
        return len(self.public) != 65

    @property
    def is_private(self) -> bool:
        """Whether a private key is in it."""
        return self.secret is not None or isinstance(self.extended, ExtendedPrivateKey)

    def derive(self, index: int, branch: int = 0) -> DerivedKey:
        """The public key at a place; BadKey if only a private key could derive it."""
        path = self._path(index, branch)
        public = self.public
        if isinstance(self.extended, ExtendedPrivateKey):
            public = self.extended.derive(path).public.key
        elif self.extended is not None:
            public = self._above(self.extended, path[:-1]).derive(path[-1:]).key
        root = self.origin or Origin(_fingerprint(self.public), ())
        return DerivedKey(public, Origin(root.fingerprint, root.path + path))

    def derive_secret(self, index: int, branch: int = 0) -> bytes | None:
        """The 32-byte private key at a place, if the expression holds one."""
        if isinstance(self.extended, ExtendedPrivateKey):
            return self.extended.derive(self._path(index, branch)).secret
        return self.secret

    def _above(self, extended: ExtendedPublicKey, path: Path) -> ExtendedPublicKey:
        """The key above the last step, which is the same for all indexes: derived once."""
        if path not in self._parents:
            self._parents[path] = extended.derive(path)
        return self._parents[path]

    @cached_property
    def _parents(self) -> dict[Path, ExtendedPublicKey]:
        return {}

    def _path(self, index: int, branch: int) -> Path:
        chosen = tuple(step[branch if len(step) > 1 else 0] for step in self.steps)
        return chosen if self.last_step is None else (*chosen, index + self.last_step)


def parse_key(text: str, params: Params, *, is_x_only_allowed: bool = False) -> KeyExpression:
    """Read a key expression; BadDescriptorKey says what is wrong, without repeating a secret."""
    origin = None
    if text.startswith("["):
        match = _ORIGIN.match(text)
        if match is None:
            raise BadDescriptorKey(
                "the origin of a key is not like [d34db33f/84h/1h/0h]: eight hex digits, "
                "then numbers below 2147483648 with h for hardened"
            )
        path = tuple(_number(step) for step in match[2].split("/")[1:])
        origin = Origin(bytes.fromhex(match[1]), path)
        text = text[match.end() :]
    key, *steps = text.removesuffix("/**").split("/", MAX_DEPTH + 2)
    if text.endswith("/**"):
        steps += ["<0;1>", "*"]
    if key[1:4] in ("pub", "prv"):
        return _extended_key(key, steps, origin, params)
    if steps:
        raise BadDescriptorKey("nothing can be derived below a single key; use an extended one")
    if _HEX.fullmatch(key):
        return _hex_key(key, origin, is_x_only_allowed)
    return _private_key(key, origin, params)


def _hex_key(key: str, origin: Origin | None, is_x_only_allowed: bool) -> KeyExpression:
    public = bytes.fromhex(key)
    if len(public) == 32 and not is_x_only_allowed:
        raise BadDescriptorKey("a public key of 32 bytes stands only in tr(); expected 33")
    whole = _as_point(public)
    if whole[0] not in (2, 3, 4) or not curve.is_valid_public_key(whole):
        raise BadDescriptorKey(f"{key[:12]}… is no public key: no such point on the curve")
    return KeyExpression(origin, public)


def _private_key(key: str, origin: Origin | None, params: Params) -> KeyExpression:
    try:
        data = base58check_decode(key)
    except DecodeError:
        raise BadDescriptorKey(
            "what stands in the place of a key is none: expected hex, a private key, or tpub…; "
            "perhaps a letter is mistyped"
        ) from None
    if data[:1] != bytes([params.wif_prefix]) or data[33:] not in (b"", b"\x01"):
        raise BadDescriptorKey(f"what stands in the place of a key is none of {params.name}")
    try:
        public = curve.public_key(data[1:33])
    except ValueError:
        raise BadDescriptorKey("a private key is not 32 bytes between 1 and n-1") from None
    is_compressed = len(data) == 34
    return KeyExpression(
        origin, public if is_compressed else _uncompressed(public), secret=data[1:33]
    )


def _extended_key(
    key: str, steps: list[str], origin: Origin | None, params: Params
) -> KeyExpression:
    try:
        extended = parse_extended_key(key, params)
    except BadKey as error:
        raise BadDescriptorKey(f"in the descriptor: {error}") from None
    last_step = _LAST_STEPS.get(steps[-1]) if steps else None
    if last_step is not None:
        steps = steps[:-1]
    chosen = tuple(_alternatives(step) for step in steps)
    if sum(len(step) > 1 for step in chosen) > 1:
        raise BadDescriptorKey("a key has more than one <…;…>; give at most one")
    public = extended.public.key if isinstance(extended, ExtendedPrivateKey) else extended.key
    return KeyExpression(origin, public, extended, chosen, last_step)


def _alternatives(step: str) -> Path:
    if not step.startswith("<") or not step.endswith(">"):
        return (_number(step),)
    found = tuple(_number(each) for each in step[1:-1].split(";", MAX_BRANCHES))
    if not 2 <= len(found) <= MAX_BRANCHES or len(set(found)) != len(found):
        raise BadDescriptorKey("between < and > stand two numbers or more, all different: <0;1>")
    return found


def _number(step: str) -> int:
    match = _STEP.fullmatch(step)
    if match is None or int(match[1]) >= HARDENED:
        raise BadDescriptorKey(
            f"{step[:20]!r} is no step of a path: expected a number below 2147483648, "
            "with h behind it if it is hardened"
        )
    return int(match[1]) + (HARDENED if match[2] else 0)


def _fingerprint(public: bytes) -> bytes:
    return hash160(_as_point(public))[:4]


def _as_point(public: bytes) -> bytes:
    """An x-only key stands for the point with an even y (BIP 340)."""
    return b"\x02" + public if len(public) == 32 else public


def _uncompressed(public: bytes) -> bytes:
    """The 65-byte form, which old private keys stand for; a public key holds no secret."""
    x = int.from_bytes(public[1:], "big")
    y = pow(x**3 + 7, (_FIELD_SIZE + 1) // 4, _FIELD_SIZE)
    y = y if y % 2 == public[0] % 2 else _FIELD_SIZE - y
    return b"\x04" + public[1:] + y.to_bytes(32, "big")
