"""Frames: blocks one after another in a file, each behind the network's magic and its length.

The framing of Bitcoin Core's `blk*.dat`, read whoever wrote it: with zeros at the end that Core
keeps in reserve, hidden by XOR with a key of eight bytes, torn, or with rubbish in between. It
finds what looks like a block; whether it is one is for others to say (a block carries its own
checksums: proof of work, merkle root, witness commitment). Beside it: Bitcoin Core,
`src/node/blockstorage.cpp`, and LoadExternalBlockFile in `src/validation.cpp`.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from chain.block import HEADER_SIZE
from node.errors import StorageError
from node.storage.trouble import disk_trouble

KEY_FILE, KEY_BYTES = "xor.dat", 8
HEAD = struct.Struct("<4sI")
LEAST_BYTES = HEADER_SIZE + 1
MOST_BYTES = 4_000_000
"""Core: MAX_BLOCK_SERIALIZED_SIZE."""
WINDOW_BYTES = 1 << 20


def frame(magic: bytes, raw: bytes) -> bytes:
    """A block as it stands in a file."""
    return HEAD.pack(magic, len(raw)) + raw


class Frame(NamedTuple):
    """What looks like a block, and where in the file it begins."""

    offset: int
    raw: bytes


class FrameFile:
    """A file of blocks, for reading. StorageError for whatever the disk refuses."""

    def __init__(self, path: Path, magic: bytes, key: bytes = b"", start: int = 0) -> None:
        """`key`: see `hiding_key`; `start`: where to begin to look for frames."""
        self.path, self.magic, self.start = path, magic, start
        self._key = key if any(key) else b""
        self.end = start
        """Where the last frame that was found ends."""
        self._torn_at = self._rubbish_at = -1
        try:
            self._file = path.open("rb")
            self.size = path.stat().st_size
        except OSError as error:
            raise disk_trouble(path, error) from error

    def read(self, offset: int, length: int) -> bytes:
        """These bytes, less where the file ends before."""
        try:
            self._file.seek(offset)
            raw = self._file.read(length)
        except OSError as error:
            raise disk_trouble(self.path, error) from error
        return _unhide(raw, self._key, offset) if self._key else raw

    def __iter__(self) -> Iterator[Frame]:
        """All that looks like a block, in the order of the file.

        A length is believed if another frame, zeros or the end follow; else the search goes on
        inside, since a frame that was torn claims what was written after it.
        """
        at = self.start
        while (at := self._next_magic(at)) >= 0:
            _, length = HEAD.unpack(self.read(at, HEAD.size).ljust(HEAD.size, b"\0"))
            end = at + HEAD.size + length
            if LEAST_BYTES <= length <= MOST_BYTES and end <= self.size:
                yield Frame(at + HEAD.size, self.read(at + HEAD.size, length))
                self.end, self._torn_at = end, -1
                begin = self.read(end, 4)
                if begin == self.magic or self._is_blank(end, begin):
                    at = end
                    continue
            elif LEAST_BYTES <= length <= MOST_BYTES:
                self._torn_at = at
            elif self._rubbish_at < 0:
                self._rubbish_at = at
            at += len(self.magic)

    def _next_magic(self, at: int) -> int:
        """Where the magic stands next, from `at` on; -1 if nowhere."""
        if self.read(at, len(self.magic)) == self.magic:
            return at
        while window := self.read(at, WINDOW_BYTES):
            found = window.find(self.magic)
            passed = window if found < 0 else window[:found]
            if self._torn_at < 0 and self._rubbish_at < 0 and not self._is_blank(at, passed):
                self._rubbish_at = at
            if found >= 0:
                return at + found
            at += max(1, len(window) - len(self.magic) + 1)
        return -1

    def _is_blank(self, at: int, plain: bytes) -> bool:
        """Whether it is nothing but zeros; those that Core keeps in reserve are not hidden."""
        hidden = _unhide(plain, self._key, at) if self._key else plain
        return not plain.strip(b"\0") or not hidden.strip(b"\0")

    @property
    def trouble(self) -> str:
        """What was found to be wrong with the file, in words; empty if nothing."""
        if self._torn_at >= 0:
            return f"{self.path} ends in the middle of a block (at byte {self._torn_at})"
        if self._rubbish_at >= 0:
            return f"{self.path} holds bytes that are no block (at byte {self._rubbish_at})"
        return ""

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def hiding_key(path: Path) -> bytes:
    """The key that hides a file of Core's: what lies beside it as xor.dat; empty if nothing."""
    file = path.with_name(KEY_FILE)
    try:
        key = file.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise disk_trouble(file, error) from error
    if len(key) != KEY_BYTES:
        raise StorageError(
            f"{file} is damaged: it has {len(key)} bytes, a key has {KEY_BYTES}; copy it again "
            "from where the blocks came from"
        )
    return key


def _unhide(raw: bytes, key: bytes, offset: int) -> bytes:
    turned = key[offset % len(key) :] + key[: offset % len(key)]
    pad = (turned * (len(raw) // len(key) + 1))[: len(raw)]
    plain = int.from_bytes(raw, "little") ^ int.from_bytes(pad, "little")
    return plain.to_bytes(len(raw), "little")


def check_magic(file: FrameFile, names: dict[bytes, str]) -> None:
    """StorageError unless the file begins as it should; `names` are those of networks by magic."""
    begin, expected = file.read(0, 4), file.magic
    if begin == expected or file.size == 0:
        return
    theirs = names.get(begin)
    if theirs is None and any(True for _ in file):
        return  # rubbish in front of blocks is a trouble, and no more
    if theirs:
        raise StorageError(
            f"{file.path} holds blocks of {theirs} (magic {begin.hex()}), not of "
            f"{names[expected]} ({expected.hex()}): choose the network with --network"
        )
    raise StorageError(
        f"{file.path} is no file of blocks: it begins with {begin.hex()}, not with the magic "
        f"{expected.hex()} of {names[expected]}; a file of Bitcoin Core's needs its {KEY_FILE} "
        "beside it"
    )
