"""Block files beside a store, and a buffer in front of it: what is written is read, or refused."""

import os
from pathlib import Path

import pytest

from chain.store import MemoryStore
from node.errors import StorageError
from node.storage.blocks import BlockFiles
from node.storage.buffer import BufferedStore
from node.storage.opening import open_data

MAGIC = bytes.fromhex("fabfb5da")


def key(number: int) -> bytes:
    return b"b" + bytes([number]) * 32


def body(number: int) -> bytes:
    return bytes([number]) * (100 + number)


def files(path: Path) -> list[tuple[str, int]]:
    return [(file.name, file.stat().st_size) for file in sorted(path.iterdir())]


def test_bodies_lie_in_files_and_the_rest_in_the_store(tmp_path: Path) -> None:
    store = MemoryStore()
    blocks = BlockFiles(store, tmp_path, MAGIC)
    blocks.write({key(1): body(1), b"t": b"tip"}, sync=True)
    blocks.write({b"c": b"coin"})
    blocks.write({key(2): body(2)})
    assert [blocks.get(key(number)) for number in (1, 2, 3)] == [body(1), body(2), None]
    assert (blocks.get(b"t"), store.get(b"t"), dict(blocks.scan(b"c"))) == (
        *(b"tip", b"tip"),
        {b"c": b"coin"},
    )
    assert len(store.get(key(1)) or b"") == 16
    raw = (tmp_path / "blk00000.dat").read_bytes()
    assert raw == b"".join(MAGIC + (100 + n).to_bytes(4, "little") + body(n) for n in (1, 2))
    blocks.write({key(1): None})
    assert blocks.get(key(1)) is None
    blocks.close()
    blocks.close()


def test_a_file_that_is_full_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.storage.blocks.MAX_FILE_BYTES", 250)
    store = MemoryStore()
    for number in range(1, 6):
        blocks = BlockFiles(store, tmp_path, MAGIC)
        blocks.write({key(number): body(number)})
        blocks.write({key(number + 10): body(number + 10)})
        blocks.close()
    assert len(files(tmp_path)) == 5
    blocks = BlockFiles(store, tmp_path, MAGIC)
    for number in (*range(1, 6), *range(11, 16)):
        assert blocks.get(key(number)) == body(number)
    blocks.close()


@pytest.mark.parametrize("torn", [1, 5, 50])
def test_a_torn_tail_is_cut_off_and_a_whole_block_left(tmp_path: Path, torn: int) -> None:
    store = MemoryStore()
    blocks = BlockFiles(store, tmp_path, MAGIC)
    blocks.write({key(1): body(1)})
    blocks.close()
    name = tmp_path / "blk00000.dat"
    whole = name.read_bytes()
    for tail, left in ((whole[:torn], b""), (whole + whole[:torn], whole)):
        name.write_bytes(whole + tail)
        blocks = BlockFiles(store, tmp_path, MAGIC)
        assert name.read_bytes() == whole + left
        blocks.close()


def test_a_file_begun_before_a_crash_is_gone_on_with(tmp_path: Path) -> None:
    store = MemoryStore()
    blocks = BlockFiles(store, tmp_path, MAGIC)
    blocks.write({key(1): body(1)})
    blocks.close()
    (tmp_path / "blk00001.dat").write_bytes(MAGIC)
    blocks = BlockFiles(store, tmp_path, MAGIC)
    blocks.write({key(2): body(2)})
    assert files(tmp_path) == [("blk00000.dat", 109), ("blk00001.dat", 110)]
    assert [blocks.get(key(number)) for number in (1, 2)] == [body(1), body(2)]
    blocks.close()


def damaged(tmp_path: Path, store: MemoryStore) -> str:
    with pytest.raises(StorageError) as caught:
        blocks = BlockFiles(store, tmp_path, MAGIC)
        try:
            blocks.get(key(1))
        finally:
            blocks.close()
    assert str(caught.value).endswith(": rebuild it with farthing node reindex")
    return str(caught.value)


def test_damage_is_named(tmp_path: Path) -> None:
    store = MemoryStore()
    blocks = BlockFiles(store, tmp_path, MAGIC)
    blocks.write({key(1): body(1), key(2): body(2)})
    blocks.close()
    name = tmp_path / "blk00000.dat"
    whole = name.read_bytes()
    for at in (8, 60, 108):
        name.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert f"{name} is damaged (the block at byte 8)" in damaged(tmp_path, store)
    name.write_bytes(whole[:-1])
    assert f"{name} is damaged, bytes are missing" in damaged(tmp_path, store)
    name.unlink()
    assert f"{name} is damaged, bytes are missing" in damaged(tmp_path, store)
    name.write_bytes(whole)
    store.write({key(1): b"neither here nor there"})
    assert "database" in damaged(tmp_path, store)
    assert "is not complete" in damaged(tmp_path, MemoryStore())


def test_a_file_that_vanishes_or_can_not_be_read(tmp_path: Path) -> None:
    store = MemoryStore()
    blocks = BlockFiles(store, tmp_path, MAGIC)
    blocks.write({key(1): body(1)})
    (tmp_path / "blk00000.dat").unlink()
    with pytest.raises(StorageError, match="is damaged"):
        blocks.get(key(1))
    (tmp_path / "blk00000.dat").mkdir()
    with pytest.raises(StorageError, match="can't be used"):
        blocks.get(key(1))
    blocks.close()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError):
        BlockFiles(MemoryStore(), tmp_path / "file", MAGIC)


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_after_a_failed_write_nothing_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    # A system drops what it could not write, and then calls the next sync a success.
    store = MemoryStore()
    blocks = BlockFiles(store, tmp_path, MAGIC)
    blocks.write({key(1): body(1)})
    known = dict(store.scan(b""))

    def fails(*_: object) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(f"node.storage.blocks.os.{call}", fails)
        with pytest.raises(StorageError, match="Input/output error"):
            blocks.write({key(2): body(2)}, sync=True)
    for batch in ({key(2): body(2)}, {b"t": b"3"}):
        with pytest.raises(StorageError, match="Input/output error"):
            blocks.write(batch, sync=True)
    assert dict(store.scan(b"")) == known
    blocks.close()
    blocks = BlockFiles(store, tmp_path, MAGIC)
    blocks.write({key(2): body(2)}, sync=True)
    assert (blocks.get(key(1)), blocks.get(key(2))) == (body(1), body(2))
    blocks.close()


def test_a_folder_that_was_made_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def watched(handle: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        real(handle)

    monkeypatch.setattr("node.storage.blocks.os.fsync", watched)
    data = tmp_path / "a" / "b"
    open_data(data, MAGIC).close()
    for folder in (tmp_path, tmp_path / "a", data, data / "blocks"):
        assert str(folder) in synced


def test_data_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    store = MemoryStore()
    store.write({b"v": b"2"})
    with pytest.raises(StorageError, match=r"of an earlier version.*use another --datadir"):
        BlockFiles(store, tmp_path, MAGIC)


def test_a_buffer_writes_a_portion_when_the_next_is_full_or_all_when_told_to() -> None:
    store, asked = MemoryStore(), []

    class Asked:
        """Objects to whatever has a row f."""

        def seal(self) -> None:
            asked.append("seal")

        def settle(self) -> None:
            asked.append("settle")
            if buffer.get(b"f") is not None:
                raise ValueError("no")

    buffer = BufferedStore(store, limit_bytes=1000)
    buffer.consent = Asked()
    buffer.write({b"a": b"1"}, sync=True)
    buffer.write({b"b": b"2", b"a": None})
    assert (buffer.get(b"a"), buffer.get(b"b"), buffer.get(b"c")) == (None, b"2", None)
    buffer.write({b"d": bytes(900)})  # and what a row costs: it is full
    assert (store.get(b"b"), store.get(b"d"), asked) == (None, None, ["settle", "seal"])
    assert (buffer.is_empty, buffer.turns) == (False, 1)
    buffer.write({b"b": None, b"e": b"3"})
    assert (buffer.get(b"b"), buffer.get(b"d"), buffer.get(b"e")) == (None, bytes(900), b"3")
    assert (buffer.is_empty, buffer.turns) == (False, 1)
    buffer.write({b"g": bytes(900)})
    assert (store.get(b"b"), store.get(b"d"), store.get(b"e")) == (b"2", bytes(900), None)
    assert dict(buffer.scan(b"e")) == {b"e": b"3"} == dict(store.scan(b"e"))
    assert (buffer.is_empty, store.get(b"b"), asked) == (True, None, ["settle", "seal"] * 3)
    buffer.write({b"f": b"6", b"b": b"4"})
    with pytest.raises(ValueError, match="no"):
        buffer.flush()
    buffer.drop()
    assert (buffer.is_empty, buffer.get(b"f"), buffer.get(b"b")) == (True, None, None)
    buffer.write({b"h": b"5"})
    buffer.close()
    assert store.get(b"h") is None


def test_who_died_before_the_first_file_was_made_begins_again(tmp_path: Path) -> None:
    store = MemoryStore()
    BlockFiles(store, tmp_path, MAGIC).close()
    (tmp_path / "blk00000.dat").unlink()
    blocks = BlockFiles(store, tmp_path, MAGIC)
    blocks.write({key(1): body(1)})
    assert blocks.get(key(1)) == body(1)
    blocks.close()
