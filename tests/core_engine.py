"""Bitcoin Core's own validation engine (libbitcoinkernel), as an oracle for blocks and chains.

Says of each block what Core's `submitblock` would say, reject reason included: the engine reports
reasons only in its log, so the log is read. One script thread unless told otherwise, so that the
first failing transaction decides the reason. Tests that use it are skipped where there is no wheel.

What its C interface does not offer (the clock, invalidateblock, reconsiderblock, what is known of a
block's validity) is called and read in the layout of the wheel, which is pinned.
"""

import ctypes
import re
import tempfile
from collections.abc import Sequence
from ctypes import addressof, c_int32, c_uint32, c_uint64, c_void_p
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import pytest

try:
    import pbk
except ImportError:  # there are wheels for Linux only
    pbk = None

# Offsets: of the active chain and of its manager in a Chainstate, of nStatus and the count of
# transactions down to genesis in a CBlockIndex. BlockStatus: Core's chain.h.
_CHAIN_AT, _MANAGER_AT, _STATUS_AT, _CHAIN_TXS_AT = 0x68, 0x60, 88, 80
_BLOCK_MANAGER_AT, _COINS_AT = 0x58, 0x30
_VALID_MASK, _VALID_SCRIPTS, _HAVE_DATA, _FAILED = 7, 5, 8, 32
_CHECKED = re.compile(r"BlockChecked: block hash=([0-9a-f]{64}) state=(.*)")
_lines: list[str] = []
_connections: list[object] = []  # one for the process: the engine's log is global


def _listen() -> None:
    if not _connections:
        pbk.logging_set_options(pbk.LoggingOptions(log_timestamps=False))
        pbk.enable_log_category(pbk.LogCategory.VALIDATION)
        pbk.set_log_level_category(pbk.LogCategory.VALIDATION, pbk.LogLevel.DEBUG)
        _connections.append(pbk.LoggingConnection(_lines.append))
    _lines.clear()


def _block(raw: bytes) -> "pbk.Block":
    """The wheel copies a block byte by byte, which takes a second for a full one; not so here."""
    block = pbk.Block.__new__(pbk.Block)
    buffer = (ctypes.c_ubyte * len(raw)).from_buffer_copy(raw)
    super(pbk.Block, block).__init__(buffer, len(raw))
    return block


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(str(next(Path(str(pbk.__file__)).parent.rglob("libbitcoinkernel.so"))))


def _call(name: str, *arguments: int | None) -> None:
    """Call a C++ function of the engine, by its mangled name, with integers and pointers."""
    function = _library()[name]
    function.argtypes, function.restype = [c_void_p] * len(arguments), None
    function(*arguments)


def _pointer(handle: "pbk.capi.KernelOpaquePtr") -> int:
    return int(ctypes.cast(handle._as_parameter_, c_void_p).value or 0)


class EngineCoin(NamedTuple):
    """A coin, as the engine describes it."""

    value: int
    script_pubkey: bytes
    height: int
    is_coinbase: bool


class Verdict(NamedTuple):
    """What the engine found out about one block: reject reason (None: valid) and result class."""

    reason: str | None
    result: str


class Knowledge(NamedTuple):
    """What the engine remembers of one block."""

    failed: bool
    has_body: bool
    is_complete: bool  # with all its ancestors' bodies
    is_connected_once: bool


class CoinsInfo(NamedTuple):
    """What `gettxoutsetinfo` tells of the coins, hashes as people write them (CCoinsStats)."""

    height: int
    bestblock: str
    transactions: int
    txouts: int
    bogosize: int
    hash_serialized_3: str


class CoreEngine:
    """A regtest chain in Core's engine, in memory but for its block files."""

    def __init__(self, threads: int = 0, coins_on_disk: bool = False) -> None:
        """`threads` besides the main one check scripts; with some, scripts come last.

        With `coins_on_disk` its coins can be read from `chainstate_folder` after `close`.
        """
        if pbk is None:
            pytest.skip("py-bitcoinkernel is not installed")
        _listen()
        self._folder = tempfile.TemporaryDirectory(prefix="engine-")
        self.chainstate_folder = Path(self._folder.name) / "chainstate"
        self._results: dict[str, str] = {}
        self.verdicts: dict[str, Verdict] = {}  # of the blocks looked at in the last call, by hash
        options = pbk.ContextOptions()
        options.set_chainparams(pbk.ChainParameters(pbk.ChainType.REGTEST))
        # Somebody must listen, or no verdict is logged.
        results = self._results
        options.set_validation_interface(
            pbk.ValidationInterfaceCallbacks(
                block_checked=lambda _, block, state: results.update(
                    {str(block.block_hash): state.block_validation_result.name}
                )
            )
        )
        blocks = str(Path(self._folder.name) / "blocks")
        manager = pbk.ChainstateManagerOptions(pbk.Context(options), self._folder.name, blocks)
        manager.update_block_tree_db_in_memory(True)
        manager.update_chainstate_db_in_memory(not coins_on_disk)
        manager.set_worker_threads_num(threads)
        self._manager = pbk.ChainstateManager(manager)

    def __enter__(self) -> "CoreEngine":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        self.set_clock(0)
        self._folder.cleanup()

    def close(self) -> None:
        """Write the coins and let go of everything but the folder."""
        if self._manager is not None:
            self._manager = None

    @property
    def tip(self) -> str:
        """Hash of the tip, as people write it."""
        chain = self._manager.get_active_chain()
        return str(chain.block_tree_entries[chain.height].block_hash)

    @property
    def height(self) -> int:
        """Height of the tip."""
        return int(self._manager.get_active_chain().height)

    @property
    def best_header_height(self) -> int:
        """Height of the header with the most work that is not known to be invalid."""
        return int(self._manager.best_entry.height)

    def submit(self, raw_block: bytes) -> str | None:
        """What `submitblock` answers: None, duplicate, inconclusive, or the reject reason."""
        self._begin()
        block = _block(raw_block)
        try:
            is_new = self._manager.process_block(block)
        except pbk.ProcessBlockException:
            is_new = None
        self._finish()
        verdict = self.verdicts.get(str(block.block_hash))
        if is_new is False:
            return "duplicate"
        return "inconclusive" if verdict is None else verdict.reason

    def _begin(self) -> None:
        _lines.clear()
        self._results.clear()

    def _finish(self) -> None:
        self.verdicts = {}
        for match in filter(None, map(_CHECKED.search, _lines)):
            shown, state = match.groups()
            reason = None if state == "Valid" else state.split(", ")[0]
            self.verdicts[shown] = Verdict(reason, self._results.get(shown, ""))

    def import_files(self, paths: Sequence[Path]) -> None:
        """Take in files of blocks that are not the engine's own (`-loadblock`)."""
        self._manager.import_blocks(list(paths))

    def can_parse_block(self, raw: bytes) -> bool:
        """True if Core reads a block from exactly these bytes."""
        try:
            return bytes(_block(raw)) == raw
        except RuntimeError:
            return False

    def can_parse_transaction(self, raw: bytes) -> bool:
        """True if Core reads a transaction from exactly these bytes."""
        try:
            return bytes(pbk.Transaction(raw)) == raw
        except RuntimeError:
            return False

    def submit_header(self, raw_header: bytes) -> str:
        """Hand over a header without its block. The result class; UNSET if it is accepted."""
        state = pbk.BlockValidationState()
        header = pbk.BlockHeader(raw_header)
        pbk.capi.bindings.btck_chainstate_manager_process_block_header(self._manager, header, state)
        return str(state.block_validation_result.name)

    def spent_by(self, shown: str) -> Sequence[Sequence[EngineCoin]]:
        """What a block spent, by transaction and input, as the engine's undo data says."""
        return [
            [
                EngineCoin(
                    coin.output.amount,
                    bytes(coin.output.script_pubkey),
                    coin.confirmation_height,
                    coin.is_coinbase,
                )
                for coin in spent.coins
            ]
            for spent in self._manager.block_spent_outputs[self._entry(shown)].transactions
        ]

    def _entry(self, shown: str) -> "pbk.BlockTreeEntry":
        return self._manager.block_tree_entries[pbk.BlockHash(bytes.fromhex(shown)[::-1])]

    # Beyond the C interface.

    @staticmethod
    def set_clock(now: int) -> None:
        """Unix seconds; 0 is the computer's clock. It is the same for all engines of a process."""
        _call("_Z11SetMockTimel", now)

    def knowledge(self, shown: str) -> Knowledge:
        """What is remembered of a block."""
        at = _pointer(self._entry(shown))
        status = c_uint32.from_address(at + _STATUS_AT).value
        return Knowledge(
            bool(status & _FAILED),
            bool(status & _HAVE_DATA),
            bool(c_uint64.from_address(at + _CHAIN_TXS_AT).value),
            status & _VALID_MASK == _VALID_SCRIPTS,
        )

    def status(self, shown: str) -> str:
        """What `getchaintips` says of a block that nothing known builds on."""
        if self._entry(shown) in self._manager.get_active_chain().block_tree_entries:
            return "active"
        known = self.knowledge(shown)
        if known.failed:
            return "invalid"
        if not known.is_complete:
            return "headers-only"
        return "valid-fork" if known.is_connected_once else "valid-headers"

    def invalidate(self, shown: str) -> None:
        """`invalidateblock`."""
        self._begin()
        state = pbk.BlockValidationState()
        _call(
            "_ZN10Chainstate15InvalidateBlockER20BlockValidationStateP11CBlockIndex",
            self._chainstate,
            _pointer(state),
            _pointer(self._entry(shown)),
        )
        self._activate()

    def reconsider(self, shown: str) -> None:
        """`reconsiderblock`."""
        self._begin()
        chainstate = self._chainstate
        entry = _pointer(self._entry(shown))
        _call("_ZN10Chainstate22ResetBlockFailureFlagsEP11CBlockIndex", chainstate, entry)
        manager = c_uint64.from_address(chainstate + _MANAGER_AT).value
        _call("_ZN17ChainstateManager21RecalculateBestHeaderEv", manager)
        self._activate()

    def coins_info(self) -> CoinsInfo:
        """`gettxoutsetinfo`."""
        chainstate = self._chainstate
        _call("_ZN10Chainstate21ForceFlushStateToDiskEb", chainstate, 0)
        answer = ctypes.create_string_buffer(1024)  # a std::optional<CCoinsStats>
        nobody_interrupts = (c_uint64 * 4)()  # an empty std::function
        _call(
            "_ZN6kernel16ComputeUTXOStatsENS_17CoinStatsHashTypeEP10CCoinsViewRN4node12BlockManager"
            "ERKSt8functionIFvvEE",
            addressof(answer),
            0,  # HASH_SERIALIZED
            c_uint64.from_address(chainstate + _COINS_AT).value,
            c_uint64.from_address(chainstate + _BLOCK_MANAGER_AT).value,
            addressof(nobody_interrupts),
        )
        counts = [c_uint64.from_buffer(answer, at).value for at in (40, 48, 56)]
        height = c_int32.from_buffer(answer).value
        best, digest = answer.raw[4:36][::-1].hex(), answer.raw[64:96][::-1].hex()
        return CoinsInfo(height, best, *counts, digest)

    @property
    def _chainstate(self) -> int:
        start = _pointer(self._manager.get_active_chain()) - _CHAIN_AT
        manager = c_uint64.from_address(_pointer(self._manager)).value
        if c_uint64.from_address(start + _MANAGER_AT).value != manager:
            raise AssertionError("the engine's inside has another layout than it had")
        return start

    def _activate(self) -> None:
        state = pbk.BlockValidationState()
        no_block = (c_uint64 * 2)()  # a std::shared_ptr to nothing
        _call(
            "_ZN10Chainstate17ActivateBestChainER20BlockValidationStateSt10shared_ptrIK6CBlockE",
            self._chainstate,
            _pointer(state),
            addressof(no_block),
        )
        self._finish()
