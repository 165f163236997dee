"""A summary: what a payment does, in figures that its owner can check before signing.

Computed from the transaction itself, not from what was asked for. It knows no keys and prints
nothing.
"""

from collections.abc import Container
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from chain.address import script_to_address
from chain.params import Params
from chain.transaction import TxOut
from wallet.builder import Draft


@dataclass(frozen=True)
class Summary:
    """Amounts in satoshis; `payees` are addresses and what they get, our change left out.

    `given_up` is that part of the fee which would have been change but is too little for it. `left`
    is what the wallet will hold. `coins` counts what is spent. `for_parents` is the part of the fee
    that hurries payments from which these coins come; `taken` is what a payee gets less than by
    the payment replaced.
    """

    payees: tuple[tuple[str, int], ...]
    fee: int
    vsize: int
    change: int
    given_up: int
    left: int
    coins: int
    for_parents: int = 0
    taken: int = 0

    @property
    def amount(self) -> int:
        """What all payees get."""
        return sum(value for _, value in self.payees)

    @property
    def feerate(self) -> Decimal:
        """Satoshis a virtual byte, to two decimals."""
        return round(Decimal(self.fee) / self.vsize, 2)

    @property
    def fee_percent(self) -> Decimal:
        """The fee as a share of what is paid, to two decimals; 100 where nothing is paid."""
        return round(Decimal(100 * self.fee) / self.amount, 2) if self.amount else Decimal(100)

    def to_json(self) -> dict[str, Any]:
        """All of it, for programs; the rate as text, as JSON's numbers are floats."""
        payees = [{"address": address, "amount": value} for address, value in self.payees]
        more = {"payees": payees, "amount": self.amount, "feerate": str(self.feerate)}
        return {**asdict(self), **more}


def summarise(
    draft: Draft, rate_per_kvb: int | None, held: int, ours: Container[bytes], params: Params
) -> Summary:
    """What a draft does to a wallet that holds so much and whose scriptPubKeys are `ours`.

    `rate_per_kvb` is what was asked for: all above it is change given up.
    """
    outputs = draft.transaction.outputs
    change = _change_place(draft, ours)
    payees = [output for place, output in enumerate(outputs) if place != change]
    own = sum(output.value for output in outputs if output.script_pubkey in ours)
    spent = sum(output.value for output in draft.spent_outputs)
    wanted = draft.fee if rate_per_kvb is None else -(-rate_per_kvb * draft.vsize // 1000)
    wanted += draft.for_parents
    return Summary(
        payees=tuple((_named(output, params), output.value) for output in payees),
        fee=draft.fee,
        vsize=draft.vsize,
        change=draft.change,
        given_up=0 if draft.change else max(0, draft.fee - wanted),
        left=held - spent + own,
        coins=len(draft.coins),
        for_parents=draft.for_parents,
        taken=draft.taken,
    )


def _change_place(draft: Draft, ours: Container[bytes]) -> int | None:
    for place, output in enumerate(draft.transaction.outputs):
        if draft.change and output.value == draft.change and output.script_pubkey in ours:
            return place
    return None


def _named(output: TxOut, params: Params) -> str:
    """The address of an output, else its script as hex."""
    return script_to_address(output.script_pubkey, params) or output.script_pubkey.hex()
