"""Our chain and the engine's, side by side: both are told the same, and must say the same.

Compared at every step: the word that answers, the reason and result class of every block found
invalid on the way, the tip, and what each block that was connected spent. On demand: the statuses
of all tips, and every coin in the engine's database.
"""

import atexit
import platform
from collections import Counter
from collections.abc import Iterable
from types import SimpleNamespace
from typing import cast

import pytest

from chain.block import Block, BlockHeader
from chain.chainstate import ChainChanges
from chain.coins import coins_hash
from chain.errors import DecodeError, Invalid
from chain.script.check import SerialQueue
from node.rpc.chain import getchaintips
from node.runtime import Runtime
from node.script_workers import ScriptWorkers
from tests.builders import ChainBuilder
from tests.core_engine import CoreEngine, EngineCoin, Knowledge, Verdict
from tests.differential.engine_coins import CAN_READ, read_coins

if platform.machine() != "x86_64":
    pytest.skip("the engine's inside is laid out for x86-64", allow_module_level=True)


class Difference(AssertionError):  # noqa: N818, a finding more than a mishap
    """We say one thing and the engine another."""


def same(what: str, ours: object, theirs: object) -> None:
    """Raises Difference."""
    if ours != theirs:
        raise Difference(f"{what}: {ours!r} here, {theirs!r} in the engine")


WORKERS = ScriptWorkers(2)
atexit.register(WORKERS.close)


def show(block_hash: bytes) -> str:
    """A hash as the engine writes it."""
    return block_hash[::-1].hex()


class Pair:
    """The two chains. Times are by `chain.now`, which is the engine's clock too.

    Where several threads check scripts, scripts are asked last, and any that fails may be named.
    """

    def __init__(self, engine: CoreEngine, trunk: Iterable[Block] = (), threads: int = 1) -> None:
        self._is_serial = threads == 1
        self.engine = engine
        self.chain = ChainBuilder(
            verifier=SerialQueue if self._is_serial else WORKERS, scripts_in_order=self._is_serial
        )
        self.set_clock(self.chain.now)
        for block in trunk:
            for tx in block.transactions:
                self.chain.learn(tx)
            same("a block of the trunk", self.deliver(block.serialize()), None)

    def deliver(self, raw: bytes) -> str | None:
        """Hand in a block: the word for what became of it, as `submitblock` says it."""
        try:
            block = Block.parse(raw)
        except DecodeError as error:
            same(f"can be read ({error})", False, self.engine.can_parse_block(raw))
            return "undecodable"
        answer = self._accept(block)
        same("the answer", answer, self._theirs)
        return answer

    def _accept(self, block: Block) -> str | None:
        shown = show(block.hash)
        answer = self.engine.submit(block.serialize())
        self._theirs = None if answer is None else self._plain(answer)
        try:
            accepted = self.chain.accept(block)
        except Invalid as invalid:
            same("verdicts", {shown: self._verdict(invalid)}, self._their_verdicts())
            self._check_tip()
            return self._plain(invalid.reject_reason)
        self._check_changes(accepted.changes)
        if not accepted.is_new:
            return "duplicate"
        refusal = accepted.changes.failures.get(block.hash)
        if refusal is not None:
            return self._plain(refusal.reject_reason)
        return None if accepted.entry.is_connected_once else "inconclusive"

    def deliver_header(self, header: BlockHeader) -> str:
        """Hand in a header alone: the result class, UNSET if it is welcome."""
        try:
            self.chain.chainstate.accept_header(header, self.chain.now)
            result = "UNSET"
        except Invalid as invalid:
            result = invalid.reason.result.name
        same("a header's result", result, self.engine.submit_header(header.serialize()))
        self._check_tip()
        return result

    def set_clock(self, now: int) -> None:
        """Both clocks, in unix seconds."""
        self.chain.now = now
        self.engine.set_clock(now)

    def invalidate(self, block_hash: bytes) -> None:
        """`invalidateblock`."""
        self.engine.invalidate(show(block_hash))
        self._check_changes(self.chain.chainstate.invalidate(block_hash))

    def reconsider(self, block_hash: bytes) -> None:
        """`reconsiderblock`."""
        self.engine.reconsider(show(block_hash))
        self._check_changes(self.chain.chainstate.reconsider(block_hash))

    def check_tips(self) -> Counter[str]:
        """`getchaintips`, what is remembered of every header, and which is best.

        Returns how many tips there are of each status.
        """
        chainstate = self.chain.chainstate
        # All that it asks of a runtime.
        runtime = cast(Runtime, SimpleNamespace(node=SimpleNamespace(chainstate=chainstate)))
        tips = getchaintips(runtime)
        for tip in tips:
            same(f"status of {tip}", tip["status"], self.engine.status(str(tip["hash"])))
        for entry in list(chainstate.headers.values())[1:]:  # the engine never connects genesis
            is_complete = entry.sequence is not None
            ours = Knowledge(entry.failed, entry.has_body, is_complete, entry.is_connected_once)
            same(f"of {entry}", ours, self.engine.knowledge(show(entry.hash)))
        best = chainstate.headers.best_header.height
        same("height of the best header", best, self.engine.best_header_height)
        return Counter(str(tip["status"]) for tip in tips)

    def check_coins(self) -> None:
        """The engine's coins, read from its database if it can be. Closes the engine."""
        self.engine.close()
        if not CAN_READ:
            return
        ours, theirs = (
            list(self.chain.chainstate.coins),
            list(read_coins(self.engine.chainstate_folder)),
        )
        for mine, other in zip(ours, theirs, strict=False):
            same("a coin", mine, other)
        same("the number of coins", len(ours), len(theirs))
        same("the digest of all coins", coins_hash(ours), coins_hash(theirs))

    def _plain(self, reason: str) -> str:
        return reason if self._is_serial else reason.split(" (")[0]

    def _verdict(self, invalid: Invalid) -> Verdict:
        return Verdict(self._plain(invalid.reject_reason), invalid.reason.result.name)

    def _their_verdicts(self) -> dict[str, Verdict]:
        return {
            key: Verdict(each.reason and self._plain(each.reason), each.result)
            for key, each in self.engine.verdicts.items()
        }

    def _check_tip(self) -> None:
        same("the tip", show(self.chain.tip.hash), self.engine.tip)

    def _check_changes(self, changes: ChainChanges) -> None:
        self._check_tip()
        ours = {show(each): self._verdict(invalid) for each, invalid in changes.failures.items()}
        theirs = {key: value for key, value in self._their_verdicts().items() if value.reason}
        same("failures", ours, theirs)
        for entry, _ in changes.connected:
            shown = show(entry.hash)
            # The engine may have connected more on the way: it moves block by block.
            same("valid", Verdict(None, "UNSET"), self.engine.verdicts.get(shown))
            undo = self.chain.chainstate.read_undo(entry.hash) or ()
            spent = [
                [EngineCoin(*coin.output, coin.height, coin.is_coinbase) for coin in coins]
                for coins in undo
            ]
            same("spent outputs", spent, self.engine.spent_by(shown))
