"""The paying half of a wallet: coins kept back, payments prepared, handed to a node, and noted.

What it needs of the other half (addresses, keys, the file) is declared here and done in wallet.
Nothing is signed without being verified. A payment is noted before it is handed in, so that none
is forgotten and no coin pays twice, whatever happens in between.
"""

import contextlib
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from chain.encoding import display_hash
from chain.params import Params
from chain.script.templates import ScriptType, classify
from chain.transaction import OutPoint, Transaction
from wallet import payments, replacement
from wallet.account import Account
from wallet.amounts import rate_per_kvb
from wallet.builder import Draft, Purse, payable_script
from wallet.conflicts import with_payment
from wallet.errors import (
    NodeError,
    NodeRefused,
    NodeUnreachable,
    NotEnoughMoney,
    NotPending,
    WalletError,
)
from wallet.ledger import Coin, KeyPath, Ledger
from wallet.payments import Recipient
from wallet.vault import SealKey

if TYPE_CHECKING:
    # lazy: who hands a client in has loaded it; reading balances must not wait for HTTP
    from wallet.client import EsploraClient

# The first of these that is paid and that the wallet has too: the newest tells least.
CHANGE_KINDS = (ScriptType.P2TR, ScriptType.P2WPKH, ScriptType.P2SH, ScriptType.P2PKH)
DEFAULT_TARGET = 6  # blocks until a payment should confirm, Core's default


class Payer(ABC):
    """Whoever has coins, a ledger and a signature; methods raise WalletError, one line."""

    params: Params
    accounts: tuple[Account, ...]
    _ledger: Ledger

    @abstractmethod
    def sign(self, draft: Draft, password: str | SealKey | None = None) -> Transaction:
        """Sign and verify."""

    @abstractmethod
    def _replace(self, ledger: Ledger) -> None:
        """Take the next ledger, on disk first."""

    @abstractmethod
    def _ours(self) -> dict[bytes, KeyPath]:
        """Our scriptPubKeys, as far as a restore would look."""

    @abstractmethod
    def _purse(self, coins: Sequence[Coin], account: int) -> Purse:
        """These coins, what each weighs, and where their change goes."""

    def coin_state(self, coin: Coin) -> str:
        """`immature`, `frozen`, `pending` or `confirmed`: where the balance counts it."""
        return payments.coin_state(coin, self._ledger, self.params.coinbase_maturity_blocks)

    def freeze(self, *outpoints: OutPoint) -> None:
        """Keep coins back from payments; CoinUnavailable if one is not there."""
        self._replace(payments.frozen_with(self._ledger, outpoints, freeze=True))

    def unfreeze(self, *outpoints: OutPoint) -> None:
        """Let payments take these coins again."""
        self._replace(payments.frozen_with(self._ledger, outpoints, freeze=False))

    def prepare(
        self,
        recipients: Sequence[Recipient],
        *,
        feerate: Decimal | int,
        coins: Sequence[OutPoint] | None = None,
        account: int | None = None,
        rng: random.Random | None = None,
        now: int | None = None,
    ) -> Draft:
        """A payment of satoshis to addresses, at a rate in satoshis a virtual byte, unsigned.

        An amount of None takes all that is left. `coins` names those to pay from, all of them. With
        an account only that one's pay; else change goes to one whose addresses look like those paid
        if there is one, or where the largest coin lies.
        """
        rng, maturity = rng or random.SystemRandom(), self.params.coinbase_maturity_blocks
        spendable = self._ledger.spendable(maturity)
        usable = [coin for coin in spendable if account in (None, coin.path.account)]
        if coins is not None:
            usable = payments.chosen_coins(self._ledger, coins, maturity)
        rate = rate_per_kvb(feerate)
        if account is None:
            account = self._change_account(usable, recipients)
        purse = replace(
            self._purse(usable, account),
            debt=lambda some: payments.debt_of(some, self._ledger, rate),
        )
        try:
            return payments.pay(
                recipients,
                purse,
                self.params,
                rate,
                rng,
                use_all=coins is not None,
                locktime=self._lock_time(rng, now),
            )
        except NotEnoughMoney as error:
            more = payments.withheld(self._ledger, maturity)
            raise NotEnoughMoney(f"{error}{more}", error.have, error.need) from None

    def bump(
        self,
        client: "EsploraClient",
        txid: str,
        *,
        feerate: Decimal | int | None = None,
        target: int = DEFAULT_TARGET,
        rng: random.Random | None = None,
        reduce: str | None = None,
    ) -> Draft:
        """A pending payment of ours again, at a higher fee: same recipients, less change.

        Without a rate, the node's estimate for `target` blocks, or a little more than it pays now.
        Where there is no change, the address `reduce` gets so much less; without one more coins
        pay, or the only recipient. NotPending if it cannot be replaced.
        """
        less = None if reduce is None else payable_script(reduce, self.params)
        make = partial(replacement.outbid, reduced=less)
        return self._replacement(client, txid, make, feerate, target, rng)

    def cancel(
        self,
        client: "EsploraClient",
        txid: str,
        *,
        feerate: Decimal | int | None = None,
        target: int = DEFAULT_TARGET,
        rng: random.Random | None = None,
    ) -> Draft:
        """A replacement of a pending payment of ours that pays everything back to ourselves."""
        return self._replacement(client, txid, replacement.take_back, feerate, target, rng)

    def speed_up(
        self,
        client: "EsploraClient",
        txid: str,
        *,
        feerate: Decimal | int | None = None,
        target: int = DEFAULT_TARGET,
        rng: random.Random | None = None,
    ) -> Draft:
        """A child that pays for a pending transaction, ours or another's, and for all above it.

        It spends what of that transaction is ours, to ourselves. NotPending if nothing is.
        """
        rng, entry = rng or random.SystemRandom(), replacement.pending_entry(self._ledger, txid)
        coins = replacement.own_outputs(entry, self._ledger)
        if not coins:
            raise NotPending(f"no output of {txid} is ours to spend: no child of it can pay")
        rate = rate_per_kvb(client.feerate(target) if feerate is None else feerate)
        missing = replacement.missing_for(client, entry, rate)
        purse = self._confirmed_purse(coins)
        locktime = self._lock_time(rng, None)
        return replacement.child(coins, purse, missing, rate, rng, locktime=locktime)

    def _replacement(
        self,
        client: "EsploraClient",
        txid: str,
        make: Callable[..., Draft],
        feerate: Decimal | int | None,
        target: int,
        rng: random.Random | None,
    ) -> Draft:
        rng, entry = rng or random.SystemRandom(), replacement.pending_entry(self._ledger, txid)
        replacement.refuse_irreplaceable(entry, self._ledger)
        beaten = replacement.rivals(client, entry)
        if feerate is not None:
            rate = rate_per_kvb(feerate)
            replacement.refuse_too_low(rate, beaten)
        else:
            rate = max(rate_per_kvb(client.feerate(target)), replacement.next_rate(beaten))
        purse = self._confirmed_purse(replacement.spent_coins(entry, self._ledger))
        locktime = self._lock_time(rng, None)
        return make(entry, self._ledger, purse, beaten, rate, rng, locktime=locktime)

    def _confirmed_purse(self, besides: Sequence[Coin]) -> Purse:
        """Coins that may be added: confirmed ones alone, for others might go with what is replaced.

        The purse knows `besides` too when it weighs and proves.
        """
        spendable = self._ledger.spendable(self.params.coinbase_maturity_blocks)
        account = besides[0].path.account
        coins = [c for c in spendable if c.height is not None and c.path.account == account]
        return self._purse([c for c in coins if c not in besides], account)

    def broadcast(self, client: "EsploraClient", transaction: Transaction) -> str:
        """Note a signed payment and hand it to a node; its txid as people see it.

        If a node later lacks it, each sync offers it again until it is confirmed or refused.
        CoinUnavailable if another program has paid with its coins since they were chosen.
        """
        txid, before = display_hash(transaction.txid), self._ledger
        try:
            self._replace(with_payment(before, transaction, self._ours()))
        except WalletError as error:
            raise type(error)(f"payment {txid} was not sent: {error}") from error
        try:
            client.broadcast(transaction)
        except (NodeRefused, NodeUnreachable):  # no node has it
            with contextlib.suppress(WalletError):  # if that can't be noted, the next sync does it
                self._replace(before)
            raise
        except NodeError as error:
            more = "whether it has the payment will show; each sync offers it again"
            raise type(error)(f"{error}; {more} ({txid})") from error
        return txid

    def send(
        self,
        client: "EsploraClient",
        recipients: Sequence[Recipient],
        *,
        password: str | SealKey | None = None,
        feerate: Decimal | int | None = None,
        target: int = DEFAULT_TARGET,
    ) -> str:
        """Prepare, sign and broadcast; without a rate, the node's estimate for `target` blocks."""
        rate = client.feerate(target) if feerate is None else feerate
        return self.broadcast(client, self.sign(self.prepare(recipients, feerate=rate), password))

    def _change_account(self, coins: Sequence[Coin], recipients: Sequence[Recipient]) -> int:
        """Where change does not stand out: beside its kind. Core: TransactionChangeType."""
        paid = {classify(payable_script(address, self.params)) for address, _ in recipients}
        for kind in [kind for kind in CHANGE_KINDS if kind in paid]:
            for account in range(len(self.accounts)):
                if classify(self._purse((), account).change_script) is kind:
                    return account
        return max(coins, key=lambda coin: coin.value).path.account if coins else 0

    def _lock_time(self, rng: random.Random, now: int | None) -> int:
        return payments.lock_time(self._ledger.tip, int(time.time()) if now is None else now, rng)
