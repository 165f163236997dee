"""An account: one line of text that says which scriptPubKeys are ours, and how far to look for it.

    tr([d34db33f/86h/1h/0h]tpubDC…/<0;1>/*)#checksum

Branch 0 receives, branch 1 takes change, and `*` counts addresses. An account of a seed is one of
four kinds, each below its own purpose; any other descriptor can be followed too, by whoever holds
its keys elsewhere. No key here is private.

Reference: BIP 44, 49, 84, 86 (where accounts lie), BIP 389 (`<0;1>`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from chain.encoding import compact_size_length
from chain.params import Params
from chain.script.script import witness_program
from chain.script.templates import multisig_keys
from wallet.checksum import add_checksum
from wallet.errors import BadDescriptor, BadKey, DamagedFile
from wallet.hd import HARDENED, ExtendedPrivateKey, format_path
from wallet.script_expression import Expansion, OutputDescriptor, parse_descriptor

RECEIVE, CHANGE = 0, 1  # the two branches of an account, BIP 44's names: external and internal
GAP_LIMIT = 20  # BIP 44
MAX_GAP_LIMIT = 10_000
# The kinds of a seed's accounts: purpose, and how a key becomes a script.
KINDS = {
    "tr": (86, "tr({})"),
    "wpkh": (84, "wpkh({})"),
    "sh-wpkh": (49, "sh(wpkh({}))"),
    "pkh": (44, "pkh({})"),
}
# Bytes of a signature with its hash type. DER with low S; R is low too if we sign ourselves.
ECDSA_SIZE, LOW_R_ECDSA_SIZE, SCHNORR_SIZE = 72, 71, 64


@dataclass(frozen=True)
class Account:
    """A public descriptor, and after how many unused addresses the search for more ends."""

    descriptor: OutputDescriptor
    gap_limit: int = GAP_LIMIT

    @classmethod
    def of_master(
        cls,
        master: ExtendedPrivateKey,
        params: Params,
        kind: str = "tr",
        number: int = 0,
        gap_limit: int = GAP_LIMIT,
    ) -> Self:
        """The account of a master key at m/purpose'/coin type'/number'."""
        purpose, form = KINDS[kind]
        path = (purpose + HARDENED, params.coin_type + HARDENED, number + HARDENED)
        key = master.derive(path).public.serialize(params)
        origin = f"[{master.public.fingerprint.hex()}/{format_path(path)}]"
        text = add_checksum(form.format(f"{origin}{key}/<0;1>/*"))
        return cls.parse(text, params, gap_limit)

    @classmethod
    def parse(cls, text: str, params: Params, gap_limit: int = GAP_LIMIT) -> Self:
        """Read a descriptor with its checksum; BadDescriptor says why it can't be followed."""
        found = parse_descriptor(text, params, is_checksum_required=True)
        if found.is_private:
            raise BadDescriptor("the descriptor holds a private key; give the public one")
        if found.root.name in ("raw", "addr", "combo") or found.branches > 2:
            raise BadDescriptor(
                "the descriptor is of a kind that no wallet here follows: expected one with keys, "
                "one script an address, and at most the branches <0;1>"
            )
        if type(gap_limit) is not int or not 1 <= gap_limit <= MAX_GAP_LIMIT:
            raise BadDescriptor(f"a gap limit is a number from 1 to {MAX_GAP_LIMIT:,}")
        try:
            found.expand()
        except BadKey:
            raise BadDescriptor(
                "the descriptor has hardened steps below a public key; only the private key "
                "could follow it"
            ) from None
        return cls(found, gap_limit)

    def text(self) -> str:
        """The line of text, with its checksum: what other wallets read."""
        return self.descriptor.text()

    @property
    def kind(self) -> str:
        """`tr`, `wpkh`, `sh-wpkh`, `pkh`, or the names of another descriptor, outside in."""
        names: list[str] = []
        node = self.descriptor.root
        while node.inner is not None:
            names, node = [*names, node.name], node.inner
        return "-".join([*names, node.name])

    @property
    def branches(self) -> range:
        """The branches there are: receiving and change, or receiving alone."""
        return range(self.descriptor.branches)

    @property
    def change_branch(self) -> int:
        """Where change goes."""
        return self.branches[-1]

    @property
    def limit(self) -> int | None:
        """How many addresses a branch has: 1 if nothing counts them, None for no end."""
        return None if self.descriptor.is_ranged else 1

    def script(self, branch: int, number: int) -> bytes:
        """The scriptPubKey of one address."""
        known = self.scripts.get((branch, number))
        if known is None:
            known = self.descriptor.script(branch, number)
            self.scripts[branch, number] = known
        return known

    @cached_property
    def scripts(self) -> dict[tuple[int, int], bytes]:
        """What `script` has worked out before: deriving takes a fifth of a millisecond."""
        return {}

    @cached_property
    def shape(self) -> Expansion:
        """The first address with its scripts: all others are built alike."""
        return self.descriptor.expand()

    def input_weight(self, *, grinds: bool) -> int:
        """Weight units of a signed input; who signs grinds for a low R, or may not."""
        return input_weight(self.shape, LOW_R_ECDSA_SIZE if grinds else ECDSA_SIZE)


def noted_accounts(texts: Sequence[str], gap_limits: object, params: Params) -> list[Account]:
    """The accounts of a wallet's file; DamagedFile if their gap limits are none."""
    gaps = gap_limits if isinstance(gap_limits, list) else []
    if len(gaps) != len(texts) or not all(type(gap) is int for gap in gaps):
        raise DamagedFile("the file says of its accounts what can't be; restore it")
    return [Account.parse(text, params, gap) for text, gap in zip(texts, gaps, strict=True)]


def input_weight(known: Expansion, ecdsa_size: int = ECDSA_SIZE) -> int:
    """Weight units of an input of this shape, signed: 4 a byte, 1 in the witness."""
    program = witness_program(known.redeem_script or known.script_pubkey)
    redeem = b"" if known.redeem_script is None else known.redeem_script
    if known.internal_key is not None:
        unlocked, script_sig = 1 + 1 + SCHNORR_SIZE, 0
    elif known.witness_script is not None:
        script = known.witness_script
        pushed = compact_size_length(len(script)) + len(script)
        unlocked = 1 + _unlocking(script, known, ecdsa_size) + pushed
        script_sig = 1 + len(redeem) if redeem else 0
    elif program is not None:
        unlocked, script_sig = 1 + 1 + ecdsa_size + 1 + 33, 1 + len(redeem) if redeem else 0
    else:
        code = redeem or known.script_pubkey
        pushed = 3 + len(redeem) if redeem else 0
        unlocked, script_sig = 0, _unlocking(code, known, ecdsa_size) + pushed
    blank = 32 + 4 + 4 + compact_size_length(script_sig)
    return 4 * (blank + script_sig) + unlocked


def _unlocking(script: bytes, known: Expansion, ecdsa_size: int) -> int:
    """Bytes of signatures and keys, each behind its length, that satisfy a script."""
    several = multisig_keys(script)
    if several is not None:
        return 1 + several[0] * (1 + ecdsa_size)  # and the item that CHECKMULTISIG wastes
    return 1 + ecdsa_size + 1 + max(len(key.key) for key in known.keys)
