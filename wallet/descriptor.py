"""Descriptors: one line of text that says which scriptPubKeys are ours (BIP 380 to 386).

    wpkh([d34db33f/84h/1h/0h]tpubDC…/<0;1>/*)#checksum

reads: pay to the hash of a public key; the key with fingerprint d34db33f derived along 84h/1h/0h
gives this account key; below it branch 0 receives, branch 1 takes change, and `*` counts addresses.
Other wallets read the same line. Simplified: one key, ranged and with both branches; no key is
private. All other descriptors: script_expression.

Reference: BIP 380 (key origins), 381, 382, 386 (the wrappers), 389 (`<0;1>`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from chain import curve
from chain.hashes import hash160, tagged_hash
from chain.params import Params
from chain.script.templates import p2pkh, p2sh, p2tr, p2wpkh
from wallet.checksum import add_checksum, split_checksum
from wallet.errors import BadDescriptor, BadKey
from wallet.hd import (
    HARDENED,
    ExtendedPrivateKey,
    ExtendedPublicKey,
    Path,
    format_path,
    parse_extended_key,
    parse_path,
)

MAX_LENGTH = 4_000  # characters: with the deepest path that keys can have, 255 steps, 3,300
RECEIVE, CHANGE = 0, 1  # the two branches of an account, BIP 44's names: external and internal
BRANCHES = (RECEIVE, CHANGE)
_FORM = re.compile(
    r"(?P<wrapper>pkh|wpkh|tr|sh\(wpkh)\("
    r"\[(?P<fingerprint>[0-9a-f]{8})(?P<path>(?:/[0-9]+['hH]?)*)\]"
    r"(?P<key>[1-9A-HJ-NP-Za-km-z]+)/<0;1>/\*(?P<end>\)+)"
)


def _taproot(key: bytes) -> bytes:
    """BIP 86: the key alone, committed to no script."""
    output_key, _ = curve.tweak_public_key(key[1:], tagged_hash("TapTweak", key[1:]))
    return p2tr(output_key)


# How a public key becomes a scriptPubKey, and the purpose under which wallets look for it.
WRAPPERS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "pkh": (44, lambda key: p2pkh(hash160(key))),
    "sh(wpkh": (49, lambda key: p2sh(hash160(p2wpkh(hash160(key))))),
    "wpkh": (84, lambda key: p2wpkh(hash160(key))),
    "tr": (86, _taproot),
}


@dataclass(frozen=True)
class Descriptor:
    """One account: a wrapper, an account key, and where that key comes from."""

    wrapper: str
    fingerprint: bytes
    path: Path
    account_key: ExtendedPublicKey

    @classmethod
    def of_account(
        cls, master: ExtendedPrivateKey, params: Params, account: int = 0, wrapper: str = "wpkh"
    ) -> Self:
        """The descriptor of an account of a master key: m/purpose'/coin type'/account'."""
        purpose, _ = WRAPPERS[wrapper]
        path = (purpose + HARDENED, params.coin_type + HARDENED, account + HARDENED)
        return cls(wrapper, master.public.fingerprint, path, master.derive(path).public)

    @classmethod
    def parse(cls, text: str, params: Params) -> Self:
        """Read a descriptor with its checksum; BadDescriptor says what is wrong."""
        if len(text) > MAX_LENGTH:
            raise BadDescriptor(f"no descriptor has more than {MAX_LENGTH} characters")
        body = split_checksum(text, is_required=True)
        match = _FORM.fullmatch(body)
        if match is None or len(match["end"]) != match["wrapper"].count("(") + 1:
            raise BadDescriptor(
                "the descriptor is of a kind this wallet does not follow: "
                "expected wpkh([fingerprint/path]tpub…/<0;1>/*)#checksum"
            )
        try:
            key = parse_extended_key(match["key"], params)
            path = parse_path("m" + match["path"])
        except BadKey as error:
            raise BadDescriptor(f"in the descriptor: {error}") from None
        if isinstance(key, ExtendedPrivateKey):
            raise BadDescriptor("the descriptor holds a private key; give the public one")
        return cls(match["wrapper"], bytes.fromhex(match["fingerprint"]), path, key)

    def text(self, params: Params) -> str:
        """The line of text, with its checksum."""
        origin = "/".join(filter(None, (self.fingerprint.hex(), format_path(self.path))))
        key = self.account_key.serialize(params)
        body = f"{self.wrapper}([{origin}]{key}/<0;1>/*{')' * (self.wrapper.count('(') + 1)}"
        return add_checksum(body)

    def public_key(self, branch: int, index: int) -> bytes:
        """The 33-byte public key of one address."""
        return self._branches[branch].child(index).key

    def script(self, branch: int, index: int) -> bytes:
        """The scriptPubKey of one address."""
        _, wrap = WRAPPERS[self.wrapper]
        return wrap(self.public_key(branch, index))

    @cached_property
    def _branches(self) -> tuple[ExtendedPublicKey, ...]:
        return tuple(self.account_key.child(branch) for branch in BRANCHES)
