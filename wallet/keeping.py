"""Keeping a wallet: its password, its accounts, copies of its file, and its time unlocked.

Each of these reads the file, works, and saves it whole; what another program changed of the same
meanwhile is not overwritten. A copy holds everything: accounts, history, labels, and the words
under the password that the wallet had then.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from wallet import keystore, unlocking
from wallet.account import GAP_LIMIT, Account
from wallet.errors import WalletError, WatchOnly
from wallet.keystore import WalletFile, identity
from wallet.vault import SealKey, Secrets, check_accounts
from wallet.wallet import Wallet


def unlock(path: Path, password: str, seconds: int) -> None:
    """Let the wallet sign without its password for so long, on this machine, for this user."""
    opened, file = Wallet.open(path), keystore.read(path)
    if opened.is_watch_only:
        raise WatchOnly("this wallet only watches: it has no keys to unlock")
    key = SealKey.of_password(file.sealed, password)
    check_accounts(opened.master(key), opened.accounts)
    unlocking.begin(path, file, key, seconds)


def check(path: Path, password: str | SealKey) -> None:
    """WrongPassword, or DamagedFile unless words, seal and every address belong together."""
    opened = Wallet.open(path)
    check_accounts(opened.master(password), opened.accounts)


def change_password(path: Path, old: str, new: str) -> None:
    """Seal the words anew, and lock. Copies made before still open with the old password."""
    check(path, old)
    file = keystore.read(path)
    secrets = Secrets.opened(file.sealed, old, file.identity)
    sealed = secrets.sealed(new, file.identity, file.sealed["n"])
    keystore.update(path, file, _unless_changed(file, lambda now: replace(now, sealed=sealed)))
    unlocking.lock(path)


def add_account(
    path: Path, password: str, kind: str, number: int = 0, gap_limit: int = GAP_LIMIT
) -> int:
    """One more account of the same words, to be synced; returns its place in the wallet."""
    check(path, password)
    file, opened = keystore.read(path), Wallet.open(path)
    secrets = Secrets.opened(file.sealed, password, file.identity)
    account = Account.of_master(secrets.master(), opened.params, kind, number, gap_limit)
    if account.text() in file.descriptors:
        raise WalletError(f"the wallet has account {number} of type {kind} already")
    descriptors = (*file.descriptors, account.text())
    sealed = secrets.sealed(password, identity(file.network, descriptors), file.sealed["n"])

    def change(now: WalletFile) -> WalletFile:
        gaps = [*now.state["gap_limits"], gap_limit]
        # What no sync has looked at yet can't be caught up with.
        state = {**now.state, "gap_limits": gaps, "waiting": None}
        return replace(now, descriptors=descriptors, sealed=sealed, state=state)

    keystore.update(path, file, _unless_changed(file, change))
    unlocking.lock(path)  # what was sealed before is not served any more
    return len(descriptors) - 1


def copy(path: Path, to: Path) -> Wallet:
    """A whole copy, checked as it is read. WalletExists if there is a file already."""
    opened = Wallet.open(path)
    opened.utxos(), opened.history()
    keystore.write(to, keystore.read(path), new=True)
    return Wallet.open(to)


def _unless_changed(
    file: WalletFile, change: Callable[[WalletFile], WalletFile]
) -> Callable[[WalletFile], WalletFile]:
    def changed(now: WalletFile) -> WalletFile:
        if (now.sealed, now.descriptors) != (file.sealed, file.descriptors):
            raise WalletError("another program changed password or accounts meanwhile; try again")
        return change(now)

    return changed
