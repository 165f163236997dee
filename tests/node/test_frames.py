"""Files of blocks in Core's framing: all that is whole is found, whatever lies between."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.errors import StorageError
from node.storage.frames import FrameFile, check_magic, frame, hiding_key

MAGIC = bytes.fromhex("fabfb5da")
NAMES = {MAGIC: "regtest", bytes.fromhex("f9beb4d9"): "main"}
bodies = st.integers(81, 400).flatmap(lambda size: st.binary(min_size=size, max_size=size))
rubbish = st.binary(max_size=30).filter(lambda raw: MAGIC not in raw and MAGIC[0] not in raw)


def file_of(folder: Path, data: bytes, key: bytes = b"") -> FrameFile:
    path = folder / "file.dat"
    path.write_bytes(
        bytes(byte ^ key[at % len(key)] for at, byte in enumerate(data)) if key else data
    )
    return FrameFile(path, MAGIC, key)


def found(file: FrameFile) -> list[bytes]:
    raws = [raw for _, raw in file]
    file.close()
    return raws


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    blocks=st.lists(bodies.filter(lambda raw: MAGIC not in raw), max_size=5),
    between=st.lists(rubbish, min_size=6, max_size=6),
    key=st.binary(min_size=8, max_size=8),
    zeros=st.integers(0, 50),
)
def test_every_block_is_found_between_anything(
    tmp_path: Path, blocks: list[bytes], between: list[bytes], key: bytes, zeros: int
) -> None:
    data = b"".join(junk + frame(MAGIC, raw) for raw, junk in zip(blocks, between, strict=False))
    file = file_of(tmp_path, data + bytes(zeros), key)
    assert found(file) == blocks
    is_clean = not any(junk.strip(b"\0") for junk in between[: len(blocks)])
    assert (file.trouble == "") is is_clean
    assert file.end == len(data) if blocks else True


@pytest.mark.parametrize("cut", [1, 80, 99, 103, 107])
def test_a_torn_tail_is_named_and_what_comes_before_is_kept(tmp_path: Path, cut: int) -> None:
    first, last = b"\1" * 90, b"\2" * 100
    whole = frame(MAGIC, first) + frame(MAGIC, last)
    file = file_of(tmp_path, whole[:-cut])
    assert found(file) == [first]
    assert file.end == 98
    place = "ends in the middle of a block (at byte 98)"
    assert file.trouble == f"{tmp_path / 'file.dat'} {place}" or cut > 104


def test_what_was_written_after_a_torn_block_is_found(tmp_path: Path) -> None:
    torn, after = frame(MAGIC, b"\1" * 300)[:200], [b"\2" * 90, b"\3" * 90]
    file = file_of(tmp_path, torn + b"".join(frame(MAGIC, raw) for raw in after))
    # What the torn one claims is looked at too: whether it is a block is for others to say.
    assert found(file)[-2:] == after
    file = file_of(tmp_path, frame(MAGIC, b"\1" * 4000)[:200] + frame(MAGIC, after[0]))
    assert found(file) == after[:1]


def test_a_magic_that_crosses_two_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.storage.frames.WINDOW_BYTES", 16)
    for junk in range(40):
        file = file_of(tmp_path, b"x" * junk + frame(MAGIC, b"\1" * 81))
        assert found(file) == [b"\1" * 81]


@pytest.mark.parametrize("length", [0, 80, 4_000_001, 2**32 - 1])
def test_a_length_that_no_block_has_is_not_believed(tmp_path: Path, length: int) -> None:
    head = MAGIC + length.to_bytes(4, "little")
    file = file_of(tmp_path, head + frame(MAGIC, b"\1" * 81))
    assert found(file) == [b"\1" * 81]


def test_a_file_of_something_else_is_one_line(tmp_path: Path) -> None:
    main = file_of(tmp_path, bytes.fromhex("f9beb4d9") + bytes(100))
    with pytest.raises(StorageError, match=r"holds blocks of main \(magic f9beb4d9\), not of regt"):
        check_magic(main, NAMES)
    text = file_of(tmp_path, b"hello, world")
    with pytest.raises(StorageError, match=r"no file of blocks: it begins with 68656c6c"):
        check_magic(text, NAMES)
    empty = file_of(tmp_path, b"")
    check_magic(empty, NAMES)
    for each in (main, text, empty):
        each.close()
    with pytest.raises(StorageError, match="can't be used"):
        FrameFile(tmp_path / "missing.dat", MAGIC)


def test_rubbish_in_front_is_a_trouble_and_hides_no_block(tmp_path: Path) -> None:
    block = b"\1" * 90
    for junk in (b"\0\0", b"ab", bytes([MAGIC[0] ^ 1]) + MAGIC[1:]):
        file = file_of(tmp_path, junk + frame(MAGIC, block))
        check_magic(file, NAMES)
        assert found(file) == [block]
        assert ("bytes that are no block (at byte 0)" in file.trouble) is (junk != b"\0\0")
    file = file_of(tmp_path, bytes.fromhex("f9beb4d9") + frame(MAGIC, block))
    with pytest.raises(StorageError, match="holds blocks of main"):
        check_magic(file, NAMES)
    file.close()


def test_a_length_beyond_any_block_is_rubbish_and_no_torn_end(tmp_path: Path) -> None:
    block = b"\1" * 90
    file = file_of(tmp_path, frame(MAGIC, block) + MAGIC + b"\xff\xff\xff\x7f" + bytes(4))
    assert found(file) == [block]
    assert "bytes that are no block (at byte 98)" in file.trouble


def test_a_key_of_another_length_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "xor.dat").write_bytes(b"abc")
    with pytest.raises(StorageError, match=r"xor\.dat is damaged: it has 3 bytes, a key has 8"):
        hiding_key(tmp_path / "blk00000.dat")


def test_the_key_lies_beside_the_file(tmp_path: Path) -> None:
    assert hiding_key(tmp_path / "blk00000.dat") == b""
    (tmp_path / "xor.dat").write_bytes(b"12345678")
    assert hiding_key(tmp_path / "blk00000.dat") == b"12345678"
    (tmp_path / "xor.dat").unlink()
    (tmp_path / "xor.dat").mkdir()
    with pytest.raises(StorageError, match=r"xor\.dat"):
        hiding_key(tmp_path / "blk00000.dat")
