"""Wallet: one account of one seed on one network, from its file to a payment on its way.

Reading needs the public half alone: addresses, balance and history ask for no password and hold no
key. Signing opens the seal, uses the keys and forgets them. It never makes keys nor signs where
coins are worth money. Whose word is what: amounts are proven, confirmations are the node's word
(wallet.sync).

    wallet, words = Wallet.create(path, REGTEST, password)
    wallet.sync(EsploraClient("http://127.0.0.1:18443"))
    draft = wallet.prepare([(address, 40_000_000)], feerate=2)
    txid = wallet.broadcast(client, wallet.sign(draft, password))
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from chain.address import address_to_script, script_to_address
from chain.encoding import display_hash
from chain.params import Params, network
from chain.transaction import Transaction, TxOut
from wallet import keystore, signer
from wallet.amounts import rate_per_kvb
from wallet.builder import Draft, Purse
from wallet.descriptor import BRANCHES, CHANGE, RECEIVE, Descriptor
from wallet.errors import (
    BadPassword,
    DamagedFile,
    GapLimitReached,
    RealMoney,
    WrongNetwork,
)
from wallet.hd import ExtendedPrivateKey
from wallet.keystore import WalletFile
from wallet.labels import (
    Labels,
    entry_labels,
    labels_from_json,
    own_reference,
    with_label,
)
from wallet.ledger import (
    AddressItem,
    Balance,
    Coin,
    HistoryItem,
    KeyPath,
    Ledger,
)
from wallet.payer import Payer
from wallet.summary import Summary, summarise
from wallet.sync import GAP_LIMIT, synchronise

if TYPE_CHECKING:
    # lazy: who hands a client in has loaded it; reading balances must not wait for HTTP
    from wallet.client import EsploraClient


@dataclass(frozen=True)
class _Secrets:
    """Phrase and passphrase, which never show themselves."""

    words: str
    passphrase: str

    def master(self) -> ExtendedPrivateKey:
        # lazy: word lists are for making and opening wallets only
        from wallet.mnemonic import seed

        return ExtendedPrivateKey.from_seed(seed(self.words, self.passphrase))

    def __repr__(self) -> str:
        return "_Secrets(hidden)"


class Wallet(Payer):
    """Make one with `create`, `open` or `in_memory`; methods raise WalletError, one line."""

    def __init__(
        self,
        params: Params,
        descriptor: Descriptor,
        ledger: Ledger,
        *,
        file: tuple[Path, WalletFile] | None = None,
        secrets: _Secrets | None = None,
        labels: Labels | None = None,
    ) -> None:
        """For the three makers: a wallet has a file, or (in memory) its secrets."""
        self.params = params
        self._descriptor = descriptor
        self._ledger = ledger
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
        scrypt_n: int | None = None,
    ) -> tuple[Self, str]:
        """A new file; returns the wallet and its words: new ones, or those to restore (then sync).

        `passphrase` is BIP 39's, part of the key and kept with the words. `scrypt_n` is for tests.
        """
        # lazy: sealing and word lists are for making and opening wallets only
        from wallet import mnemonic, sealing

        _refuse_real_money(params)
        words = mnemonic.new_words() if words is None else mnemonic.check_words(words)
        secrets = _Secrets(words, passphrase)
        descriptor = Descriptor.of_account(secrets.master(), params)
        descriptors = (descriptor.text(params),)
        sealed = sealing.seal(
            json.dumps({"words": words, "passphrase": passphrase}).encode(),
            password,
            keystore.identity(params.name, descriptors),
            scrypt_n=sealing.SCRYPT_N if scrypt_n is None else scrypt_n,
        )
        file = WalletFile(params.name, descriptors, sealed, Ledger().to_json())
        keystore.write(path, file, new=True)
        return cls(params, descriptor, Ledger(), file=(path, file)), words

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
        if len(file.descriptors) != 1:
            raise DamagedFile(f"{path} holds {len(file.descriptors)} accounts; expected one")
        descriptor = Descriptor.parse(file.descriptors[0], params)
        labels = labels_from_json(file.state.get("labels", {}))
        ledger = Ledger.from_json(file.state)
        return cls(params, descriptor, ledger, file=(path, file), labels=labels)

    @classmethod
    def in_memory(cls, words: str, params: Params, account: int = 0, passphrase: str = "") -> Self:
        """A wallet without a file, for tests and local networks; it signs without a password."""
        # lazy: word lists are for making and opening wallets only
        from wallet.mnemonic import check_words

        _refuse_real_money(params)
        secrets = _Secrets(check_words(words), passphrase)
        descriptor = Descriptor.of_account(secrets.master(), params, account)
        return cls(params, descriptor, Ledger(), secrets=secrets)

    def __repr__(self) -> str:
        return f"Wallet({self.network}, {self._descriptor.fingerprint.hex()})"

    @property
    def network(self) -> str:
        """The network's name."""
        return self.params.name

    @property
    def descriptor(self) -> str:
        """The account as other wallets read it; it shows all addresses and can spend nothing."""
        return self._descriptor.text(self.params)

    def address(self, new: bool = False, label: str = "") -> str:
        """The first receiving address never paid; with `new` the one after those given out so far.

        An address with a label was given to somebody: for another purpose there is the next one.
        GapLimitReached when GAP_LIMIT of them wait unpaid: a restore would not look beyond.
        """
        receive, change = self._ledger.next_index
        if new or self.label(self.address_at(receive)) not in ("", label):
            if receive + 1 >= self._ledger.used(RECEIVE) + GAP_LIMIT:
                raise GapLimitReached(
                    f"{GAP_LIMIT} addresses wait unpaid already; use one of them, for a wallet "
                    "restored from the words would not look beyond"
                )
            receive += 1
            self._replace(replace(self._ledger, next_index=(receive, change)))
        address = self.address_at(receive)
        if label:
            self.set_label(address, label)
        return address

    def address_at(self, index: int, branch: int = RECEIVE) -> str:
        """The address at a place of the account, used or not."""
        address = script_to_address(self._descriptor.script(branch, index), self.params)
        return str(address)

    def sync(self, client: "EsploraClient", *, full: bool = False) -> None:
        """Learn from a node what happened. `full` reads all again: nodes can hide things."""
        self._replace(synchronise(client, self._descriptor, self._ledger, full=full))

    def balance(self) -> Balance:
        """Satoshis as of the last sync: confirmed, pending, immature."""
        return self._ledger.balance(self.params.coinbase_maturity_blocks)

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
        address = self.address_at(coin.path.number, coin.path.branch)
        return self.label(outpoint) or self.label(address)

    def owns(self, address: str) -> bool:
        """Whether an address is this wallet's, as far as a restore would look."""
        return address_to_script(address, self.params) in self._ours()

    def addresses(self) -> list[AddressItem]:
        """The receiving addresses given out so far, oldest first, and the next one."""
        received, held = self._ledger.received(), self._ledger.held()
        items = []
        for number in range(self._ledger.next_index[RECEIVE] + 1):
            path, address = KeyPath(RECEIVE, number), self.address_at(number)
            label = self.label(address)
            items.append(AddressItem(address, number, received[path], held[path], label))
        return items

    def utxos(self) -> list[Coin]:
        """Every unspent output, pending and immature ones included."""
        return self._ledger.coins()

    def summary(self, draft: Draft, feerate: Decimal | int | None = None) -> Summary:
        """What a draft does, to be looked at before signing; `feerate` is what was asked for."""
        rate = None if feerate is None else rate_per_kvb(feerate)
        return summarise(draft, rate, self.balance().total, self._ours(), self.params)

    def sign(self, draft: Draft, password: str | None = None) -> Transaction:
        """Sign and verify. A wallet with a file needs its password: WrongPassword if it is not."""
        account = self.master(password).derive(self._descriptor.path)
        if account.public != self._descriptor.account_key:
            raise DamagedFile("the sealed words are not those of this wallet's addresses")
        secrets = [account.derive(coin.path).secret for coin in draft.coins]
        return signer.sign(draft.transaction, draft.spent_outputs, secrets)

    def master(self, password: str | None = None) -> ExtendedPrivateKey:
        """The key above all others, for signing apart; never shown, and never of real money."""
        _refuse_real_money(self.params)
        return self._open_seal(password).master()

    def _ours(self) -> dict[bytes, KeyPath]:
        """Our scriptPubKeys, as far as a restore would look."""
        return {
            self._descriptor.script(branch, index): KeyPath(branch, index)
            for branch in BRANCHES
            for index in range(self._ledger.next_index[branch] + GAP_LIMIT)
        }

    def _purse(self, coins: Sequence[Coin]) -> Purse:
        """These coins, and where their change goes."""
        change = self._descriptor.script(CHANGE, self._ledger.next_index[CHANGE])
        return Purse(coins, self._proven_output, change)

    def _proven_output(self, coin: Coin) -> TxOut:
        """The output that a coin is, from its whole transaction, id and owner checked again."""
        transaction = Transaction.parse(self._ledger.entries[coin.outpoint.txid].raw)
        output = transaction.outputs[coin.outpoint.index]
        expected = TxOut(coin.value, self._descriptor.script(*coin.path))
        if transaction.txid != coin.outpoint.txid or output != expected:
            raise DamagedFile("the wallet's history contradicts itself; restore from the words")
        return output

    def _open_seal(self, password: str | None) -> _Secrets:
        if self._secrets is not None:
            return self._secrets
        if password is None or self._file is None:
            raise BadPassword("signing needs the wallet's password")
        # lazy: reading balances must not wait for a cipher library
        from wallet.sealing import unseal

        _, file = self._file
        secret: dict[str, Any] = json.loads(unseal(file.sealed, password, file.identity))
        return _Secrets(secret["words"], secret["passphrase"])

    def _replace(self, ledger: Ledger, labels: Labels | None = None) -> None:
        """Take the next ledger and labels, on disk first; unchanged ones are not written."""
        labels = self._labels if labels is None else labels
        if self._file is not None and (ledger, labels) != (self._ledger, self._labels):
            path, file = self._file
            file = replace(file, state={**ledger.to_json(), "labels": labels})
            keystore.write(path, file)
            self._file = (path, file)
        self._ledger, self._labels = ledger, labels


def _refuse_real_money(params: Params) -> None:
    if params.is_real_money:
        raise RealMoney(
            f"coins of {params.name} are real money; Farthing makes keys and signs for practice "
            "networks only, use a wallet made for money"
        )
