"""Wallet: the accounts of one seed on one network, from their file to a payment on its way.

Reading needs the public half alone: addresses, balance and history ask for no password and hold no
key. Signing opens the seal, uses the keys and forgets them; a wallet that only watches has no keys.
It never makes keys nor signs where coins are worth money. Whose word is what: amounts are proven,
confirmations are the node's word (wallet.sync).

    wallet, words = Wallet.create(path, REGTEST, password)
    wallet.sync(EsploraClient("http://127.0.0.1:18443"))
    draft = wallet.prepare([(address, 40_000_000)], feerate=2)
    txid = wallet.broadcast(client, wallet.sign(draft, password))
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from chain.address import address_to_script, script_to_address
from chain.encoding import display_hash
from chain.params import Params, network
from chain.transaction import Transaction, TxOut
from wallet import keystore, ledger_file
from wallet.account import GAP_LIMIT, RECEIVE, Account, noted_accounts
from wallet.amounts import rate_per_kvb
from wallet.builder import Draft, Purse
from wallet.catch_up import catch_up
from wallet.errors import (
    BadDescriptor,
    DamagedFile,
    GapLimitReached,
    SigningFailed,
    WatchOnly,
    WrongNetwork,
)
from wallet.hd import ExtendedPrivateKey
from wallet.keystore import WalletFile
from wallet.labels import Labels, entry_labels, labels_from_json, own_reference, with_label
from wallet.ledger import AddressItem, Balance, Coin, HistoryItem, KeyPath, Ledger
from wallet.merging import merged, with_changes
from wallet.pairing import accounts_of
from wallet.payer import Payer
from wallet.summary import Summary, summarise
from wallet.sync import synchronise
from wallet.vault import SealKey, Secrets, check_accounts, refuse_real_money

if TYPE_CHECKING:
    # lazy: who hands a client in has loaded it; reading balances must not wait for HTTP
    from wallet.client import EsploraClient
    from wallet.psbt.packet import Psbt


class Wallet(Payer):
    """Made by `create`, `watch`, `open`, `in_memory`; methods raise WalletError, one line."""

    def __init__(
        self,
        params: Params,
        accounts: Sequence[Account],
        ledger: Ledger,
        *,
        file: tuple[Path, WalletFile] | None = None,
        secrets: Secrets | None = None,
        labels: Labels | None = None,
    ) -> None:
        """For the makers: a wallet has a file, or (in memory) its secrets."""
        self.params = params
        self.accounts = tuple(accounts)
        self._ledger = self._read = ledger
        self._file = file
        self._secrets = secrets
        self._labels = labels or {}

    @classmethod
    def create(
        cls,
        path: Path,
        params: Params,
        password: str,
        words: str | None = None,
        passphrase: str = "",
        *,
        kinds: Sequence[str] = ("tr",),
        gap_limit: int = GAP_LIMIT,
        scrypt_n: int | None = None,
    ) -> tuple[Self, str]:
        """A new file; returns the wallet and its words: new ones, or those to restore (then sync).

        `passphrase` is BIP 39's, part of the key and kept with the words. `kinds` are those of
        account.KINDS, an account for each. `scrypt_n` is for tests.
        """
        # lazy: word lists are for making and opening wallets only
        from wallet import mnemonic

        refuse_real_money(params)
        words = mnemonic.new_words() if words is None else mnemonic.check_words(words)
        secrets = Secrets(words, passphrase)
        master = secrets.master()
        accounts = [Account.of_master(master, params, kind, 0, gap_limit) for kind in kinds]
        descriptors = tuple(account.text() for account in accounts)
        sealed = secrets.sealed(password, keystore.identity(params.name, descriptors), scrypt_n)
        return cls._new(path, params, accounts, sealed), words

    @classmethod
    def watch(
        cls, path: Path, params: Params, descriptors: Sequence[str], *, gap_limit: int = GAP_LIMIT
    ) -> Self:
        """A new file that follows public descriptors, two halves or whole: others sign."""
        accounts = accounts_of(descriptors, params, gap_limit)
        if not accounts:
            raise BadDescriptor("nothing to watch: give at least one descriptor")
        return cls._new(path, params, accounts, {})

    @classmethod
    def open(cls, path: Path, params: Params | None = None) -> Self:
        """The public half of a file, without password; `params` for a network of one's own."""
        file = keystore.read(path)
        if params is not None and params.name != file.network:
            raise WrongNetwork(
                f"the wallet at {path} belongs to {file.network}, not to {params.name}"
            )
        try:
            params = params or network(file.network)
        except ValueError as error:
            raise WrongNetwork(f"the wallet at {path}: {error}") from None
        accounts = noted_accounts(file.descriptors, file.state.get("gap_limits"), params)
        labels = labels_from_json(file.state.get("labels", {}))
        ledger = ledger_file.ledger_from_json(file.state, file.history)
        return cls(params, accounts, ledger, file=(path, file), labels=labels)

    @classmethod
    def in_memory(
        cls,
        words: str,
        params: Params,
        account: int = 0,
        passphrase: str = "",
        kind: str = "tr",
        gap_limit: int = GAP_LIMIT,
    ) -> Self:
        """A wallet without a file, for tests and local networks; it signs without a password."""
        # lazy: word lists are for making and opening wallets only
        from wallet.mnemonic import check_words

        refuse_real_money(params)
        secrets = Secrets(check_words(words), passphrase)
        found = Account.of_master(secrets.master(), params, kind, account, gap_limit)
        return cls(params, [found], Ledger(), secrets=secrets)

    @classmethod
    def _new(
        cls, path: Path, params: Params, accounts: Sequence[Account], sealed: Mapping[str, Any]
    ) -> Self:
        descriptors = tuple(account.text() for account in accounts)
        empty, gaps = Ledger(), {"gap_limits": [each.gap_limit for each in accounts]}
        file = WalletFile(params.name, descriptors, sealed, gaps)
        file = ledger_file.with_ledger(file, empty, empty, params)
        file = keystore.write(path, file, new=True)
        return cls(params, accounts, Ledger(), file=(path, file))

    def __repr__(self) -> str:
        return f"Wallet({self.network}, {len(self.accounts)} accounts)"

    @property
    def network(self) -> str:
        """The network's name."""
        return self.params.name

    @property
    def is_watch_only(self) -> bool:
        """Whether others hold the keys."""
        return self._secrets is None and self._file is not None and not self._file[1].sealed

    @property
    def descriptor(self) -> str:
        """The first account as other wallets read it; it shows all addresses, can spend nothing."""
        return self.accounts[0].text()

    def address(self, new: bool = False, label: str = "", account: int = 0) -> str:
        """The first receiving address never paid; with `new` the one after those given out so far.

        An address with a label was given to somebody: for another purpose there is the next one.
        GapLimitReached when as many as the gap limit wait unpaid, or for a block (what is in none
        may never be): a restore would not look beyond.
        """
        owner, path = self.accounts[account], self._next(account, RECEIVE)
        given = self.label(self.address_at(path.number, account=account)) not in ("", label)
        if owner.limit is None:
            path = path._replace(number=path.number + (new or given))
            if path.number >= self._ledger.used(path.lane, settled=True) + owner.gap_limit:
                raise GapLimitReached(
                    f"{owner.gap_limit} addresses wait unpaid already, or for a block; use one of "
                    "them, for a wallet restored from the words would not look beyond"
                )
            self._replace(self._ledger.with_next(path))
        address = self.address_at(path.number, account=account)
        if label:
            self.set_label(address, label)
        return address

    def address_at(self, index: int, branch: int = RECEIVE, account: int = 0) -> str:
        """The address at a place of an account, used or not."""
        script = self.accounts[account].script(branch, index)
        return script_to_address(script, self.params) or script.hex()

    def sync(self, client: "EsploraClient", *, full: bool = False) -> None:
        """Learn from a node what happened. `full` reads all again: nodes can hide things."""
        ledger = None if full else catch_up(client, self.accounts, self._ledger)
        self._replace(ledger or synchronise(client, self.accounts, self._ledger, full=full))

    def balance(self) -> Balance:
        """Satoshis as of the last sync: confirmed, pending, immature."""
        maturity = self.params.coinbase_maturity_blocks
        state = self._file[1].state if self._file and self._ledger is self._read else {}
        return ledger_file.balance_from_json(state, maturity) or self._ledger.balance(maturity)

    def history(self) -> list[HistoryItem]:
        """What happened to the wallet, newest first."""
        labels = entry_labels(self._labels, self._ledger, self.params)
        return [
            item._replace(label=labels[item.txid]) if item.txid in labels else item
            for item in self._ledger.history()
        ]

    @property
    def labels(self) -> dict[str, str]:
        """What the owner named, by address, txid or `txid:number` of an output."""
        return dict(self._labels)

    def label(self, reference: str) -> str:
        """The label of an address, a txid or an output; empty if there is none."""
        return self._labels.get(reference, "")

    def set_label(self, reference: str, text: str) -> None:
        """Name an address, a transaction or a coin of this wallet; an empty text takes it away."""
        reference = own_reference(reference, self._ledger, self._ours(), self.params)
        self._replace(self._ledger, with_label(self._labels, reference, text))

    def coin_label(self, coin: Coin) -> str:
        """The label of a coin, else that of its address."""
        outpoint = f"{display_hash(coin.outpoint.txid)}:{coin.outpoint.index}"
        address = self.address_at(coin.path.number, coin.path.branch, coin.path.account)
        return self.label(outpoint) or self.label(address)

    def owns(self, address: str) -> bool:
        """Whether an address is this wallet's, as far as a restore would look."""
        return bool(self._proven([address_to_script(address, self.params)]))

    def addresses(self) -> list[AddressItem]:
        """The receiving addresses of each account given out so far, oldest first, and the next."""
        received, held = self._ledger.received(), self._ledger.held()
        items = []
        for account in range(len(self.accounts)):
            last = self._next(account, RECEIVE)
            for path in (last._replace(number=number) for number in range(last.number + 1)):
                address = self.address_at(path.number, account=account)
                values = received[path], held[path]
                items.append(
                    AddressItem(address, path.number, *values, self.label(address), account)
                )
        return items

    def utxos(self) -> list[Coin]:
        """Every unspent output, pending and immature ones included."""
        return self._ledger.coins()

    def summary(self, draft: Draft, feerate: Decimal | int | None = None) -> Summary:
        """What a draft does, to be looked at before signing; `feerate` is what was asked for."""
        rate = None if feerate is None else rate_per_kvb(feerate)
        paid = [output.script_pubkey for output in draft.transaction.outputs]
        return summarise(draft, rate, self.balance().total, self._proven(paid), self.params)

    def unsigned(self, draft: Draft) -> "Psbt":
        """A draft with all that signers must know, for signing apart. SigningFailed if not ours."""
        # lazy: reading balances must not wait for it
        from wallet.psbt.packet import Psbt
        from wallet.psbt.update import fill

        for number, (coin, spent) in enumerate(zip(draft.coins, draft.spent_outputs, strict=True)):
            known = coin.outpoint.txid in self._ledger.entries
            if not known or spent.script_pubkey != self._script(coin.path):
                raise SigningFailed(f"input {number} belongs to another key than the wallet's")
        ours, raws = self._ours(), self._ledger.entries
        paid = [ours.get(output.script_pubkey) for output in draft.transaction.outputs]
        paths = [*(coin.path for coin in draft.coins), *filter(None, paid)]
        shapes = [self.accounts[p.account].descriptor.expand(p.number, p.branch) for p in paths]
        txids = {coin.outpoint.txid for coin in draft.coins}
        sources = {txid: Transaction.parse(raws[txid].raw) for txid in txids}
        known_scripts = {shape.script_pubkey: shape for shape in shapes}
        return fill(Psbt.of_transaction(draft.transaction), known_scripts, sources)

    def unlocked(self) -> SealKey | None:
        """What `sign` takes in the password's place while the wallet is unlocked; else None."""
        # lazy: reading balances must not wait for processes
        from wallet import unlocking

        return None if self._file is None else unlocking.held(*self._file)

    def sign(self, draft: Draft, password: str | SealKey | None = None) -> Transaction:
        """Sign and verify. A wallet with a file needs its password: WrongPassword if it is not."""
        # lazy: reading balances must not wait for it
        from wallet.psbt import finish, signing

        master = self.master(password)
        check_accounts(master, self.accounts)
        find = signing.keys_of_master(master)
        packet, _ = signing.sign(self.unsigned(draft), find, self.params)
        return finish.extract(finish.finalize(packet).psbt)

    def master(self, password: str | SealKey | None = None) -> ExtendedPrivateKey:
        """The key above all others, for signing apart; never shown, and never of real money."""
        refuse_real_money(self.params)
        if self._secrets is not None:
            return self._secrets.master()
        if self._file is None or self.is_watch_only:
            raise WatchOnly(
                "this wallet only watches, its keys are elsewhere: make a PSBT and let them sign it"
            )
        _, file = self._file
        return Secrets.opened(file.sealed, password, file.identity).master()

    def _next(self, account: int, branch: int) -> KeyPath:
        """The first place never handed out nor seen."""
        limit = self.accounts[account].limit
        number = self._ledger.next_index.get((account, branch), 0)
        return KeyPath(account, branch, number if limit is None else min(number, limit - 1))

    def _script(self, path: KeyPath) -> bytes:
        return self.accounts[path.account].script(path.branch, path.number)

    def _ours(self) -> dict[bytes, KeyPath]:
        """Our scriptPubKeys, as far as a restore would look; of those paid before, as noted."""
        ours, noted = {}, self._ledger.scripts
        for number, account in enumerate(self.accounts):
            for branch in account.branches:
                end = self._next(number, branch).number + account.gap_limit
                for index in range(end if account.limit is None else account.limit):
                    path = KeyPath(number, branch, index)
                    ours[noted.get(path) or self._script(path)] = path
        return ours

    def _purse(self, coins: Sequence[Coin], account: int) -> Purse:
        """These coins, what each weighs, and where their change goes."""
        weights = [each.input_weight(grinds=not self.is_watch_only) for each in self.accounts]
        owner = self.accounts[account]
        change = self._next(account, owner.change_branch)
        # Payments that never come to be must not lead it beyond where a restore looks.
        last = self._ledger.used(change.lane, settled=True) + owner.gap_limit - 1
        change = change._replace(number=min(change.number, last))
        return Purse(
            coins,
            self._proven_output,
            self._script(change),
            lambda coin: weights[coin.path.account],
        )

    def _proven(self, scripts: Iterable[bytes]) -> set[bytes]:
        """Those that are ours: derived, for anybody may have edited the history in the file."""
        ours = self._ours()
        return {each for each in scripts if each in ours and self._script(ours[each]) == each}

    def _proven_output(self, coin: Coin) -> TxOut:
        """The output that a coin is, from its whole transaction, id and owner checked again."""
        entry = self._ledger.entries.get(coin.outpoint.txid)
        if entry is not None:
            transaction = Transaction.parse(entry.raw)
            output = TxOut(coin.value, self._script(coin.path))
            place = slice(coin.outpoint.index, coin.outpoint.index + 1)
            if transaction.txid == coin.outpoint.txid and transaction.outputs[place] == (output,):
                return output
        raise DamagedFile("the wallet's history contradicts itself; restore from the words")

    def _replace(self, ledger: Ledger, labels: Labels | None = None) -> None:
        """Take the next ledger and labels, on disk first; unchanged ones are not written.

        What another program saved since is kept.
        """
        labels = self._labels if labels is None else labels
        if self._file is not None and (ledger, labels) != (self._ledger, self._labels):
            path, known = self._file

            def change(file: WalletFile) -> WalletFile:
                nonlocal ledger, labels
                theirs = self._ledger
                if file is not known:
                    theirs = ledger_file.ledger_from_json(file.state, file.history)
                    ledger = merged(self._ledger, ledger, theirs)
                    others = labels_from_json(file.state.get("labels", {}))
                    labels = with_changes(self._labels, labels or {}, others)
                file = ledger_file.with_ledger(file, theirs, ledger, self.params)
                return replace(file, state={**file.state, "labels": labels})

            self._file = (path, keystore.update(path, known, change))
            self._read = ledger
        self._ledger, self._labels = ledger, labels
