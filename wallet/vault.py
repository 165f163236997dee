"""The vault: a wallet's words while it is open, how they are sealed, and what must fit them.

A seal binds the public half's identity; the words must also lead to every account that stands
there, so neither a seal nor a descriptor that was put in from elsewhere passes. Nothing here shows
itself in `repr`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from chain.params import Params
from wallet.account import Account
from wallet.errors import BadPassword, DamagedFile, RealMoney
from wallet.hd import ExtendedPrivateKey


@dataclass(frozen=True)
class SealKey:
    """What opens one seal in the password's place: stretched from it, and no way back to it."""

    secret: bytes = field(repr=False)

    @classmethod
    def of_password(cls, sealed: Mapping[str, Any], password: str) -> Self:
        """The key of a seal. WrongPassword, DamagedFile."""
        # lazy: reading balances must not wait for a cipher library
        from wallet.sealing import key_of

        return cls(key_of(sealed, password))


@dataclass(frozen=True)
class Secrets:
    """Phrase and BIP 39 passphrase."""

    words: str
    passphrase: str = ""

    @classmethod
    def opened(
        cls, sealed: Mapping[str, Any], password: str | SealKey | None, bound: bytes
    ) -> Self:
        """Open a seal. BadPassword without a password, WrongPassword, DamagedFile."""
        if password is None:
            raise BadPassword("signing needs the wallet's password")
        # lazy: reading balances must not wait for a cipher library
        from wallet.sealing import unseal_with

        key = password if isinstance(password, SealKey) else SealKey.of_password(sealed, password)
        secret: dict[str, Any] = json.loads(unseal_with(sealed, key.secret, bound))
        return cls(secret["words"], secret["passphrase"])

    def sealed(
        self, password: str, bound: bytes, scrypt_n: int | None = None
    ) -> dict[str, str | int]:
        """Sealed under a password. BadPassword if it is empty."""
        # lazy: reading balances must not wait for a cipher library
        from wallet import sealing

        text = json.dumps({"words": self.words, "passphrase": self.passphrase}).encode()
        return sealing.seal(text, password, bound, scrypt_n=scrypt_n or sealing.SCRYPT_N)

    def master(self) -> ExtendedPrivateKey:
        """The key above all others."""
        # lazy: word lists are for making and opening wallets only
        from wallet.mnemonic import seed

        return ExtendedPrivateKey.from_seed(seed(self.words, self.passphrase))

    def __repr__(self) -> str:
        return "Secrets(hidden)"


def check_accounts(master: ExtendedPrivateKey, accounts: Iterable[Account]) -> None:
    """DamagedFile unless the master key leads to every key of the accounts."""
    for account in accounts:
        for key in account.descriptor.root.all_keys():
            if key.origin is None or master.derive(key.origin.path).public != key.extended:
                raise DamagedFile("the sealed words are not those of this wallet's addresses")


def refuse_real_money(params: Params) -> None:
    """RealMoney where coins are worth money."""
    if params.is_real_money:
        raise RealMoney(
            f"coins of {params.name} are real money; Farthing makes keys and signs for practice "
            "networks only, use a wallet made for money"
        )
