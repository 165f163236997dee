"""A refusal: why a node does not take a transaction, the figures on both sides, what would do.

The node is asked (`testmempoolaccept`), and what its answer leaves out is looked up there: missing
parents, the height, the coins spent. Knows Core's words and figures; one sentence for each rule is
in advice. Beside it: Core's rpc/mempool.cpp.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from chain.encoding import display_hash
from chain.errors import Reason
from chain.params import NETWORKS
from chain.transaction import COIN, OutPoint, Transaction
from node.mempool.policy import PolicyOptions, dust, dust_threshold
from node.mempool.reasons import PolicyReason
from scripts.explain import advice
from scripts.explain.advice import AnyReason, advice_for, reason_of
from scripts.explain.model import Explanation, Field, Json, Problem, Section
from scripts.rpc_client import RpcError

Ask = Callable[..., Any]
"""A call of the node's RPC: method, parameters."""
LOCKTIME_IS_TIME = 500_000_000  # BIP 65's threshold: below it a lock time is a height
COINBASE_MATURITY = re.compile(r"at depth (\d+)")
SATOSHIS = re.compile(r"(-?\d+) < (-?\d+)$")
COINS = re.compile(r"(-?\d+\.\d{2,8}) < (-?\d+\.\d{2,8})$")
RELAY = "not enough additional fees to relay"


class Figures(NamedTuple):
    """What was offered and what is needed, in satoshis."""

    offered: int
    needed: int


@dataclass(frozen=True)
class Asked:
    """A transaction, the node's answer about it, and the node, for what the answer leaves out."""

    tx: Transaction
    verdict: Json
    ask: Ask

    @property
    def reason(self) -> str:
        """Core's reject string; empty if it would be accepted, or was not judged."""
        return str(self.verdict.get("reject-reason", ""))

    @property
    def details(self) -> str:
        """Core's reject string with its figures."""
        return str(self.verdict.get("reject-details", self.reason))


def explain_refusal(txs: Sequence[Transaction], ask: Ask) -> Explanation:
    """What the node says of these transactions, together if they are several. Raises as `ask`."""
    verdicts = ask("testmempoolaccept", [tx.serialize().hex() for tx in txs])
    asked = [Asked(tx, verdict, ask) for tx, verdict in zip(txs, verdicts, strict=True)]
    refused = [each for each in asked if each.verdict.get("allowed") is False]
    package = verdicts[0].get("package-error", "")
    if len(txs) == 1:
        return _of_one(asked[0])
    judged = [each for each in asked if each.verdict.get("allowed")]
    word = "accepted" if len(judged) == len(txs) else "refused"
    title = f"{len(txs)} transactions together: {word}"
    problems = [problem_of(each) for each in refused]
    hints = _package_advice(package) if package else []
    if package:
        rule = reason_of(package.partition(", ")[0], is_package=True)
        problems.insert(0, _problem(rule, package, "node/mempool/package.py"))
    return Explanation(
        "refusal",
        title,
        [Field("allowed", len(judged) == len(txs))],
        [_section(each) for each in asked],
        problems,
        hints=hints,
    )


def _of_one(asked: Asked) -> Explanation:
    facts = [Field("allowed", bool(asked.verdict.get("allowed"))), *_facts(asked)]
    txid = display_hash(asked.tx.txid)
    if asked.verdict.get("allowed"):
        title = f"Accepted: the node would take in {txid}"
        return Explanation("refusal", title, facts, hints=["farthing mempool shows what waits."])
    title = f"Refused: {asked.reason or asked.verdict.get('package-error', 'not judged')}"
    return Explanation("refusal", title, facts, [_advice(asked)], [problem_of(asked)])


def _advice(asked: Asked) -> Section:
    return Section("What would be accepted", [Field("advice", line) for line in advise(asked)])


def _section(asked: Asked) -> Section:
    facts = _facts(asked)
    if "allowed" not in asked.verdict:
        return Section(
            f"transaction {display_hash(asked.tx.txid)}",
            [Field("verdict", "not judged", "another one of these is refused first")],
        )
    allowed = bool(asked.verdict["allowed"])
    inner = [] if allowed else [_advice(asked)]
    word = "accepted" if allowed else f"refused: {asked.reason}"
    fields = [Field("verdict", word), *facts]
    return Section(f"transaction {display_hash(asked.tx.txid)}", fields, inner)


def _facts(asked: Asked) -> list[Field]:
    verdict: Any = asked.verdict
    facts = [Field("txid", display_hash(asked.tx.txid)), Field("vsize", asked.tx.vsize, "vB")]
    if verdict.get("allowed"):
        fees = verdict["fees"]
        fee, rate = satoshis(fees["base"]), satoshis(fees["effective-feerate"]) / 1_000
        facts[1] = Field("vsize", verdict["vsize"], "vB, with signature operations counted")
        facts += [Field("fee", fee, "satoshis"), Field("feerate", f"{rate:.3f}", "sat/vB")]
        if len(fees["effective-includes"]) > 1:
            count = len(fees["effective-includes"])
            facts[-1] = Field("feerate", f"{rate:.3f}", f"sat/vB, of {count} judged together")
        return facts
    figures = figures_of(asked.details)
    if figures:
        facts += [
            Field("offered", figures.offered, _offered(asked)),
            Field("needed", figures.needed, "satoshis"),
        ]
    return facts


def _offered(asked: Asked) -> str:
    if RELAY in asked.details:
        return "satoshis beyond the fees that it replaces"
    return "satoshis"


def problem_of(asked: Asked) -> Problem:
    """The rule that refuses it."""
    rule = reason_of(asked.reason)
    if rule is None and asked.reason == advice.MAX_FEE:
        sentence = "A fee is at most 0.1 BTC for 1,000 vB, against slips of the finger."
        return Problem(asked.reason, sentence, "node/rpc/package.py")
    extra = asked.details.removeprefix(asked.reason).removeprefix(", ")
    return _problem(rule, asked.reason, _place(rule), extra)


def _place(rule: AnyReason | None) -> str:
    """Where the rule is written down."""
    module = "chain/errors.py" if isinstance(rule, Reason) else "node/mempool/reasons.py"
    return module if rule is None else f"{module}: {type(rule).__name__}.{rule.name}"


def _problem(rule: AnyReason | None, code: str, where: str, detail: str = "") -> Problem:
    unknown = "A rule of this node that has no sentence here."
    return Problem(code, rule.sentence if rule else unknown, where, detail)


def _package_advice(error: str) -> list[str]:
    rule = reason_of(error.partition(", ")[0], is_package=True)
    return [advice_for(rule)] if rule else []


def satoshis(coins: float) -> int:
    """An amount of the RPC in satoshis."""
    return round(coins * COIN)


def figures_of(details: str) -> Figures | None:
    """The figures at the end of a refusal, where it has such: `…, 1100 < 1234` or in coins."""
    if found := COINS.search(details):
        offered, needed = (satoshis(float(text)) for text in found.groups())
        return Figures(offered, needed)
    if found := SATOSHIS.search(details):
        return Figures(int(found[1]), int(found[2]))
    return None


def advise(asked: Asked) -> list[str]:
    """What would be accepted: the sentences, the one with figures first."""
    rule = reason_of(asked.reason)
    if asked.reason == advice.MAX_FEE:
        return [advice_for(PolicyReason.MAX_FEERATE_EXCEEDED)]
    if rule is None:
        return ["Unknown: the node gave a reason that has no advice here."]
    special = SPECIAL.get(rule)
    with_figures = special(asked) if special else []
    return [*with_figures, *([] if with_figures else [advice_for(rule)])]


def _fee(asked: Asked) -> list[str]:
    figures = figures_of(asked.details)
    if figures is None:
        return []
    more = figures.needed - figures.offered
    if asked.reason.startswith(("mempool min", "min relay")):
        first = f"Pay at least {figures.needed:,} sat: {more:,} more than it does."
        return [first, f"Or send it with a child that pays {more:,} sat and its own relay on top."]
    if RELAY in asked.details:
        return [f"Replace by paying {more:,} sat more than it does: the old fees and its relay."]
    relay = -(-asked.tx.vsize * _incremental(asked) // 1_000)
    total = figures.needed + relay
    first = f"Replace by paying at least {total:,} sat: the {figures.needed:,} sat of what it "
    return [f"{first}replaces and {relay:,} sat for its relay."]


def _incremental(asked: Asked) -> int:
    """Satoshis for 1,000 vB."""
    return satoshis(asked.ask("getmempoolinfo")["incrementalrelayfee"])


def _missing(asked: Asked) -> list[str]:
    """Which inputs are not there, and whether their parents are known."""
    lines = []
    for outpoint, *_ in asked.tx.inputs:
        parent = _waiting(asked, outpoint.txid)
        if parent is not None and outpoint.index < len(parent.outputs):
            continue  # whether another waiting one spends it is a question of replacement
        if coin_of(asked, outpoint) is None:
            name = f"{display_hash(outpoint.txid)}:{outpoint.index}"
            if _is_known(asked, outpoint.txid):
                lines.append(f"Spend another output: {name} is spent, or was never there.")
            else:
                lines.append(f"Send its parent first: {display_hash(outpoint.txid)}")
    return lines


def coin_of(asked: Asked, outpoint: OutPoint) -> Any:
    """The unspent output of the chain as the RPC's gettxout shows it; None if there is none."""
    return asked.ask("gettxout", display_hash(outpoint.txid), outpoint.index, False)


def _waiting(asked: Asked, txid: bytes) -> Transaction | None:
    """The transaction of that id, if it waits."""
    name = display_hash(txid)
    try:
        asked.ask("getmempoolentry", name)
        return Transaction.parse(bytes.fromhex(asked.ask("getrawtransaction", name)))
    except RpcError:
        return None


def _dust_left(asked: Asked) -> list[str]:
    """Which dust of its waiting parents it leaves."""
    spent = {tx_in.outpoint for tx_in in asked.tx.inputs}
    parents = [_waiting(asked, txid) for txid in {outpoint.txid for outpoint in spent}]
    return [
        f"Spend the dust output too: {display_hash(parent.txid)}:{index}"
        for parent in parents
        if parent is not None
        for index in dust(parent, PolicyOptions().dust_relay_feerate)
        if OutPoint(parent.txid, index) not in spent
    ]


def _truc(asked: Asked) -> list[str]:
    """The promise of version 3 that is broken."""
    if found := re.search(r"(\d+) > (\d+) virtual bytes", asked.details):
        return [f"Make it at most {int(found[2]):,} vB: it has {int(found[1]):,}."]
    if "cannot spend from" in asked.details:
        return ["Give it the version of what it spends, or wait until that is in a block."]
    if "ancestors" in asked.details:
        return ["Spend from one waiting transaction at most, and from one with no waiting parent."]
    return ["Wait until its parent is in a block: the parent has the one child it may have."]


def _is_known(asked: Asked, txid: bytes) -> bool:
    try:
        asked.ask("getrawtransaction", display_hash(txid))
    except RpcError:
        return False
    return True


def _non_final(asked: Asked) -> list[str]:
    lock = asked.tx.locktime
    if lock >= LOCKTIME_IS_TIME:
        return [f"Wait until the median time of the last 11 blocks is above {lock} (Unix time)."]
    height = asked.ask("getblockcount")
    more = lock - height
    return [f"Wait until height {lock:,}: {more:,} more than the {height:,} of now; then send it."]


def _premature(asked: Asked) -> list[str]:
    found = COINBASE_MATURITY.search(asked.details)
    chain = asked.ask("getblockchaininfo")["chain"]
    if not found or chain not in NETWORKS:
        return []
    depth, needed = int(found[1]), NETWORKS[chain].coinbase_maturity_blocks
    return [f"Wait until the coinbase is {needed} blocks deep: it is {depth} deep now."]


def _relative(asked: Asked) -> list[str]:
    lines = []
    for outpoint, _, sequence, *_ in asked.tx.inputs:
        if sequence >> 31 or sequence >> 22 & 1:  # none, or in units of 512 s
            continue
        coin = coin_of(asked, outpoint)
        depth, needed = (coin or {}).get("confirmations", 0), sequence & 0xFFFF
        if coin and depth < needed:
            height = asked.ask("getblockcount") + needed - depth
            name = f"{display_hash(outpoint.txid)[:16]}…:{outpoint.index}"
            lines.append(
                f"Wait until height {height:,}: input {name} has {depth} of {needed} blocks."
            )
    return lines


def _dust(asked: Asked) -> list[str]:
    feerate = PolicyOptions().dust_relay_feerate
    lines = []
    for index in dust(asked.tx, feerate):
        output = asked.tx.outputs[index]
        least = dust_threshold(output, feerate)
        lines.append(f"Give output {index} at least {least:,} sat: it has {output.value:,}.")
    ephemeral = "Or pay no fee, with one such output, and send a child that spends it and pays."
    return [*lines, ephemeral] if lines else []


def _below_out(asked: Asked) -> list[str]:
    if not (found := re.search(r"\(([\d.]+)\) < value out \(([\d.]+)\)", asked.details)):
        return []
    taken, paid = (satoshis(float(text)) for text in found.groups())
    return [f"Pay out at most {taken:,} sat, less the fee: it pays out {paid:,}."]


def _already(asked: Asked) -> list[str]:
    txid = display_hash(asked.tx.txid)
    return [f"Nothing is to be done: it waits for a block. See: farthing mempool {txid}"]


SPECIAL: dict[AnyReason, Callable[[Asked], list[str]]] = {
    PolicyReason.MIN_RELAY_FEE_NOT_MET: _fee,
    PolicyReason.MEMPOOL_MIN_FEE_NOT_MET: _fee,
    PolicyReason.INSUFFICIENT_FEE: _fee,
    PolicyReason.BAD_TXNS_INPUTS_MISSINGORSPENT: _missing,
    PolicyReason.NON_FINAL: _non_final,
    PolicyReason.NON_BIP68_FINAL: _relative,
    PolicyReason.DUST: _dust,
    PolicyReason.MISSING_EPHEMERAL_SPENDS: _dust_left,
    PolicyReason.TRUC_VIOLATION: _truc,
    PolicyReason.TXN_ALREADY_IN_MEMPOOL: _already,
    Reason.BAD_TXNS_PREMATURE_SPEND_OF_COINBASE: _premature,
    Reason.BAD_TXNS_IN_BELOWOUT: _below_out,
}
