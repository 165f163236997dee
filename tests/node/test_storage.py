"""Both stores, by one suite, against the store in memory; and what a failing disk says."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.store import MemoryStore, Store
from node.errors import StorageError
from node.storage.opening import DirectoryLock, open_store
from node.storage.sqlite import SqliteStore
from node.storage.trouble import disk_trouble
from tests.node.engines import ENGINES

keys = st.binary(min_size=1, max_size=4).map(lambda raw: bytes(byte & 0x81 | 0x7E for byte in raw))
batches = st.dictionaries(keys | st.just(b"\xff\xff"), st.none() | st.binary(max_size=9))


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def store_in(path: Path, engine: str) -> Store:
    """The store itself, without what `open_store` prepares for it."""
    if engine == "sqlite":
        return SqliteStore(path)
    # lazy: it may not be installed
    from node.storage.leveldb import LevelStore

    return LevelStore(path)


@pytest.fixture
def store(engine: str, tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path, engine)
    yield opened
    opened.close()


def test_what_is_written_is_read_and_none_deletes(store: Store) -> None:
    store.write({b"a": b"1", b"b": b"", b"c": b"3" * 100_000}, sync=True)
    assert [store.get(key) for key in (b"a", b"b", b"c", b"d")] == [b"1", b"", b"3" * 100_000, None]
    store.write({b"a": None, b"b": b"2", b"missing": None})
    assert [store.get(key) for key in (b"a", b"b")] == [None, b"2"]
    store.write({})


def test_a_scan_goes_both_ways_from_where_it_is_told(store: Store) -> None:
    rows = {b"c" + bytes([number]): bytes([number]) for number in (0, 1, 2, 254, 255)}
    store.write({**rows, b"b\xff\xff": b"", b"d": b""})
    assert list(store.scan(b"c")) == list(rows.items())
    assert list(store.scan(b"c", reverse=True)) == list(reversed(rows.items()))
    assert [value[0] for _, value in store.scan(b"c", start=b"c\x02")] == [2, 254, 255]
    assert [value[0] for _, value in store.scan(b"c", start=b"c\x02", reverse=True)] == [2, 1, 0]
    assert len(list(store.scan(b""))) == 7
    assert list(store.scan(b"e")) == []


def test_a_scan_crosses_many_pages_and_bears_writing_meanwhile(store: Store) -> None:
    store.write({b"k%04d" % number: b"" for number in range(1300)})
    for reverse in (False, True):
        seen = []
        for key, _ in store.scan(b"k", reverse=reverse):
            seen.append(key)
            store.write({b"other": key})
        assert len(seen) == len(set(seen)) == 1300
        assert seen == sorted(seen, reverse=reverse)


@settings(deadline=None, max_examples=8, suppress_health_check=list(HealthCheck))
@given(
    writes=st.lists(batches, max_size=5), prefix=st.binary(max_size=2), start=keys | st.just(b"")
)
@pytest.mark.parametrize("reverse", [False, True])
def test_it_agrees_with_the_store_in_memory(
    engine: str,
    tmp_path: Path,
    writes: list[dict[bytes, bytes | None]],
    prefix: bytes,
    start: bytes,
    reverse: bool,
) -> None:
    folder = tmp_path / "data"
    shutil.rmtree(folder, ignore_errors=True)
    model, store = MemoryStore(), open_store(folder, engine)
    for batch in writes:
        model.write(batch)
        store.write(batch)
    # Where a scan starts is a key within the prefix; the engines then all agree.
    start = prefix + start if start else b""
    with closing(store):
        found = list(store.scan(prefix, start, reverse))
    assert found == list(model.scan(prefix, start, reverse))
    with closing(open_store(folder)) as store:
        assert list(store.scan(b"")) == list(model.scan(b""))


def test_a_scan_backwards_from_the_last_row_of_all_gives_it(store: Store) -> None:
    store.write({b"\xff\xff": b"last", b"\xff": b"before"})
    assert list(store.scan(b"\xff\xff", reverse=True)) == [(b"\xff\xff", b"last")]
    assert [value for _, value in store.scan(b"\xff", reverse=True)] == [b"last", b"before"]


def test_it_lasts_and_keeps_the_engine_it_was_begun_with(engine: str, tmp_path: Path) -> None:
    store = open_store(tmp_path, engine)
    store.write({b"a": b"1"}, sync=True)
    store.close()
    store.close()
    again = open_store(tmp_path)
    assert isinstance(again, SqliteStore) is (engine == "sqlite")
    assert again.get(b"a") == b"1"
    again.close()
    other = {"leveldb": "sqlite", "sqlite": "leveldb"}[engine]
    with pytest.raises(StorageError, match=f"holds a {engine} store, not {other}"):
        open_store(tmp_path, other)


WRITER = """
import os, sys
from pathlib import Path
from node.storage.opening import open_store
store = open_store(Path(sys.argv[1]), sys.argv[2])
for number in range(10**9):
    store.write({b"%d/%d" % (number, part): bytes(300) for part in range(20)}, sync=number % 3 == 0)
    os.write(1, b"%d\\n" % number)
"""


def test_sigkill_loses_nothing_written_and_leaves_no_half_batch(
    engine: str, tmp_path: Path
) -> None:
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "data"), engine], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) > 60:
                break
        writer.kill()
        rest = writer.stdout.read().splitlines()
        writer.wait()
        writer.stdout.close()
        last = int(rest[-1] if rest else line)
        store = open_store(tmp_path / "data")
        for number in range(last + 2):
            parts = sum(store.get(b"%d/%d" % (number, part)) is not None for part in range(20))
            assert parts == 20 or (parts == 0 and number > last)
        store.close()


def damage(folder: Path, patterns: tuple[str, ...]) -> int:
    files = [file for pattern in patterns for file in folder.glob(pattern)]
    for file in files:
        raw = bytearray(file.read_bytes())
        for place in range(100, len(raw), 4096):
            raw[place] ^= 0xFF
        file.write_bytes(raw)
    return len(files)


@pytest.mark.parametrize("size", [1_000_000, 20_000_000])
def test_damage_is_noticed_in_one_line(engine: str, tmp_path: Path, size: int) -> None:
    folder = tmp_path / "data"
    store = open_store(folder, engine)
    for number in range(size // 100_000):
        store.write({b"%d" % number: os.urandom(100_000)})
    store.close()
    assert damage(folder, ("*/*.ldb", "*/*.log", "*.sqlite"))
    for read in (
        lambda store: list(store.scan(b"")),
        lambda store: [store.get(b"%d" % number) for number in range(size // 100_000)],
    ):
        with pytest.raises(StorageError, match="damaged") as caught, ExitStack() as stack:
            damaged = open_store(folder)
            stack.callback(damaged.close)
            read(damaged)
        assert "\n" not in str(caught.value)


FILLER = """
import sys
from pathlib import Path
from node.errors import StorageError
from node.storage.opening import open_store
store = open_store(Path(sys.argv[1]), sys.argv[2])
number = 0
try:
    while True:
        store.write({b"%d" % number: bytes([number % 256]) * 50_000}, sync=True)
        print(number, flush=True)
        number += 1
except StorageError as error:
    sys.exit(str(error))
"""


def test_a_file_size_limit_reads_as_a_full_disk_and_loses_nothing(
    engine: str, tmp_path: Path
) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))

    ended = subprocess.run(
        [sys.executable, "-c", FILLER, str(tmp_path), engine],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    # SQLite calls this limit an I/O error; a disk that is really full it calls full.
    assert "the disk is full" in ended.stderr or "disk I/O error" in ended.stderr
    assert ended.stderr.count("\n") == 1
    acknowledged = ended.stdout.split()
    assert len(acknowledged) > 10
    store = open_store(tmp_path)
    for number in acknowledged:
        assert store.get(number.encode()) == bytes([int(number) % 256]) * 50_000
    store.write({b"after": b"1"}, sync=True)
    store.close()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("IO error: x.log: No space left on device", "the disk is full.*free some space"),
        ("database or disk is full", "the disk is full.*free some space"),
        ("attempt to write a readonly database", "may not be written: make it writable"),
        ("Corruption: bad block", "damaged.*rebuild it with farthing node reindex"),
        ("database is locked", "in use by another process"),
        ("[Errno 24] Too many open files", "too many open files: raise the limit"),
        ("disk I/O error", "can't be used .disk I/O error.: check the disk"),
        ("", "can't be used .OSError."),
    ],
)
def test_each_misfortune_has_its_sentence(words: str, sentence: str) -> None:
    trouble = disk_trouble(Path("place"), OSError(words))
    with pytest.raises(StorageError, match=sentence):
        raise trouble


def test_a_store_that_fails_says_so_wherever_it_is_asked(engine: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError):
        open_store(tmp_path / "file" / "data", engine)
    with pytest.raises(StorageError):
        store_in(tmp_path / "nowhere" / "deeper" / "store", engine)
    with pytest.raises(StorageError, match="no store is called 'papyrus'"):
        open_store(tmp_path, "papyrus")


def test_a_missing_leveldb_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old" / "leveldb").mkdir(parents=True)
    monkeypatch.setattr("node.storage.opening.find_spec", lambda _: None)
    with pytest.raises(StorageError, match="pip install plyvel"):
        open_store(tmp_path / "old")
    fresh = open_store(tmp_path / "new")
    assert isinstance(fresh, SqliteStore)
    fresh.close()


HOLDER = """
import sys
from pathlib import Path
from node.errors import StorageError
from node.storage.opening import DirectoryLock
try:
    DirectoryLock(Path(sys.argv[1]))
except StorageError as error:
    sys.exit(str(error))
"""


def test_a_second_process_on_the_same_data_directory_gets_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with DirectoryLock(tmp_path):
        refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert refused.stderr == (
        f"{tmp_path} is in use by another node: stop that one first, or choose another --datadir\n"
    )
    assert subprocess.run(command, check=False).returncode == 0


def test_a_lock_that_can_not_be_made_is_one_line(tmp_path: Path) -> None:
    def fail(handle: int) -> None:
        raise OSError(37, "No locks available")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("node.storage.opening._lock", fail)
        with pytest.raises(StorageError, match=r"can't be used .*No locks available"):
            DirectoryLock(tmp_path)
    (tmp_path / ".lock").unlink()
    (tmp_path / ".lock").mkdir()
    with pytest.raises(StorageError, match="can't be used"):
        DirectoryLock(tmp_path)
