"""Bitcoin Core's own validation engine (libbitcoinkernel), as an oracle for blocks and chains.

Says of each block what Core's `submitblock` would say, reject reason included: the engine reports
reasons only in its log, so the log is read. One script thread unless told otherwise, so that the
first failing transaction decides the reason. Tests that use it are skipped where there is no wheel.
"""

import ctypes
import re
import tempfile
from pathlib import Path
from types import TracebackType

import pytest

try:
    import pbk
except ImportError:  # there are wheels for Linux only
    pbk = None

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


class CoreEngine:
    """A regtest chain in Core's engine, in memory but for its block files."""

    def __init__(self, threads: int = 0) -> None:
        """`threads` besides the main one check scripts; with some, scripts come last."""
        if pbk is None:
            pytest.skip("py-bitcoinkernel is not installed")
        _listen()
        self._folder = tempfile.TemporaryDirectory(prefix="engine-")
        options = pbk.ContextOptions()
        options.set_chainparams(pbk.ChainParameters(pbk.ChainType.REGTEST))
        # Somebody must listen, or no verdict is logged.
        options.set_validation_interface(
            pbk.ValidationInterfaceCallbacks(block_checked=lambda *_: None)
        )
        blocks = str(Path(self._folder.name) / "blocks")
        manager = pbk.ChainstateManagerOptions(pbk.Context(options), self._folder.name, blocks)
        manager.update_block_tree_db_in_memory(True)
        manager.update_chainstate_db_in_memory(True)
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
        del self._manager
        self._folder.cleanup()

    @property
    def tip(self) -> str:
        """Hash of the tip, as people write it."""
        chain = self._manager.get_active_chain()
        return str(chain.block_tree_entries[chain.height].block_hash)

    @property
    def height(self) -> int:
        """Height of the tip."""
        return int(self._manager.get_active_chain().height)

    def submit(self, raw_block: bytes) -> str | None:
        """What `submitblock` answers: None, duplicate, inconclusive, or the reject reason."""
        _lines.clear()
        block = _block(raw_block)
        try:
            is_new = self._manager.process_block(block)
        except pbk.ProcessBlockException:
            is_new = None
        verdicts = dict(match.groups() for line in _lines if (match := _CHECKED.search(line)))
        verdict = verdicts.get(str(block.block_hash))
        if is_new is False:
            return "duplicate"
        if verdict is None:
            return "inconclusive"
        return None if verdict == "Valid" else verdict.split(", ")[0]

    def can_parse_transaction(self, raw: bytes) -> bool:
        """True if Core reads a transaction from exactly these bytes."""
        try:
            return bytes(pbk.Transaction(raw)) == raw
        except RuntimeError:
            return False

    def submit_header(self, raw_header: bytes) -> bool:
        """Hand over a header without its block. True if it is accepted."""
        try:
            self._manager.process_block_header(pbk.BlockHeader(raw_header))
        except pbk.ProcessBlockHeaderException:
            return False
        return True
