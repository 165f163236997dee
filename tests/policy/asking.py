"""A node that is asked for verdicts: coins to spend, and both RPCs that must agree on them.

`Desk` has the coins of a chain in hand. `verdict` asks `testmempoolaccept` and then hands the
transaction in by `sendrawtransaction`: the two must say the same.
"""

from collections.abc import Sequence
from typing import Any

from chain.params import Params
from chain.script.script import push
from chain.transaction import Transaction, TxIn, TxOut
from node.mempool.policy import PolicyOptions
from tests.builders import (
    REPLACEABLE,
    Spendable,
    key,
    make_tx,
    p2sh,
    p2wpkh,
    spendable,
)
from tests.node.serving import QUICK, RpcFailed, Served, shown

HOME = p2wpkh(key(0))
ACCEPTED = "accepted"
MISSING = "missing-inputs"


class Desk(Served):
    """A served node, and the coins to spend there."""

    def __init__(self, params: Params = QUICK, coins: int = 40, **policy: Any) -> None:
        super().__init__(params, policy=PolicyOptions(**policy))
        self.chain.mine(params.coinbase_maturity_blocks + 1)
        self._coins = iter(self.fund([HOME] * coins))

    def fund(self, scripts: Sequence[bytes], value: int = 100_000_000) -> list[Spendable]:
        """Mined outputs that pay these scripts, whatever policy says of them."""
        made: list[Spendable] = []
        for start in range(0, len(scripts), 40):
            outputs = [TxOut(value, script) for script in scripts[start : start + 40]]
            tx = self.chain.spend(self.chain.mature()[0], outputs)
            self.chain.mine(txs=[tx])
            owner = {HOME: key(0)}
            made += [
                spendable(tx, index, owner.get(output.script_pubkey))
                for index, output in enumerate(outputs)
            ]
        return made

    def coin(self) -> Spendable:
        """A fresh confirmed coin of a bitcoin, of the tests' own P2WPKH."""
        return next(self._coins)

    def pay(
        self,
        sources: Spendable | Sequence[Spendable] | None = None,
        *outputs: TxOut,
        fee: int = 1_000,
        **options: int,
    ) -> Transaction:
        """A signed payment: `outputs`, and what is left to ourselves in front of them."""
        spent = [self.coin()] if sources is None else sources
        spent = [spent] if isinstance(spent, Spendable) else list(spent)
        left = sum(each.output.value for each in spent) - sum(out.value for out in outputs) - fee
        return self.chain.spend(spent, [TxOut(left, HOME), *outputs], **options)

    def output(self, tx: Transaction, index: int = 0) -> Spendable:
        return self.chain.output(tx, index)

    # Asking.

    def test(self, *txs: Transaction, max_feerate: float = 0) -> list[dict[str, Any]]:
        """What `testmempoolaccept` answers."""
        answer: list[dict[str, Any]] = self.rpc("testmempoolaccept", raw(*txs), max_feerate)
        return answer

    def send(self, tx: Transaction) -> str:
        """What `sendrawtransaction` says: `accepted`, or code and message."""
        try:
            txid = self.rpc("sendrawtransaction", *raw(tx), 0, 1_000_000)
        except RpcFailed as failed:
            code, text = failed.args
            return f"{code} {text}"
        assert txid == shown(tx.txid)
        return ACCEPTED

    def package(self, *txs: Transaction) -> dict[str, Any]:
        """What `submitpackage` answers."""
        answer: dict[str, Any] = self.rpc("submitpackage", raw(*txs), 0, 1_000_000)
        return answer

    def errors(self, *txs: Transaction) -> list[str]:
        """`package_msg` of `submitpackage`, and of each transaction what is wrong with it."""
        answer = self.package(*txs)
        results = [answer["tx-results"][shown(tx.wtxid)] for tx in txs]
        return [answer["package_msg"], *(result.get("error", ACCEPTED) for result in results)]

    def verdict(self, tx: Transaction) -> str:
        """`accepted`, or the reason with its details. Accepted, it waits from now on."""
        (answer,) = self.test(tx)
        sent = self.send(tx)
        if answer["allowed"]:
            assert sent == ACCEPTED, sent
            return ACCEPTED
        if answer["reject-reason"] == MISSING:
            assert sent == "-25 bad-txns-inputs-missingorspent"
            assert "reject-details" not in answer
            return MISSING
        details: str = answer["reject-details"]
        assert details.split(", ")[0] == answer["reject-reason"]
        if not answer["reject-reason"].startswith("txn-"):  # those are announced again
            assert sent == f"-26 {details}"
        return details

    def waiting(self, tx: Transaction) -> Transaction:
        """`tx`, taken in."""
        assert self.send(tx) == ACCEPTED, self.send(tx)
        return tx

    def in_pool(self, *txs: Transaction) -> list[bool]:
        txids = self.rpc("getrawmempool")
        return [shown(tx.txid) in txids for tx in txs]


def raw(*txs: Transaction) -> list[str]:
    return [tx.serialize().hex() for tx in txs]


def named(tx: Transaction) -> str:
    """How a detail names a transaction."""
    return f"tx {shown(tx.txid)} (wtxid={shown(tx.wtxid)})"


def unlocked(
    source: Spendable,
    *outputs: TxOut,
    script_sig: bytes = b"",
    witness: Sequence[bytes] = (),
    fee: int = 1_000,
    version: int = 2,
) -> Transaction:
    """A spend of `source` as told, unsigned; without outputs, to ourselves."""
    outs = outputs or (TxOut(source.output.value - fee, HOME),)
    spent = TxIn(source.outpoint, script_sig, REPLACEABLE, tuple(witness))
    return make_tx([spent], outs, version)


def nested(script: bytes) -> tuple[bytes, bytes]:
    """The P2SH of a script, and the scriptSig that shows it."""
    return p2sh(script), push(script)
