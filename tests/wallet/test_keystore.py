"""The wallet's file: every flipped byte is noticed, every crash leaves the old or the new one."""

import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.errors import DamagedFile, NoSuchWallet, WalletError, WalletExists
from wallet.keystore import WalletFile, identity, read, write

ROOT = Path(__file__).resolve().parents[2]
FILE = WalletFile(
    "regtest",
    ("wpkh([d34db33f/84h/1h/0h]tpub…/<0;1>/*)#checksum",),
    {"kdf": "scrypt", "n": 16384, "text": "00ff"},
    {"tip": [7, "ab" * 32]},
    b'[{"txid":"cdcd"}]',
)


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("intact") / "alice.wallet"
    write(path, FILE, new=True)
    return path.read_bytes()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "alice.wallet"
    write(path, FILE, new=True)
    assert read(path) == FILE
    assert read(path).identity == FILE.identity
    assert path.read_bytes().startswith(b"farthing-wallet 2 ")
    assert os.listdir(path.parent) == ["alice.wallet"]


def test_the_seal_binds_what_stays_and_not_what_grows() -> None:
    assert FILE.identity == WalletFile(FILE.network, FILE.descriptors, {}, {}).identity
    assert identity("classroom", FILE.descriptors) != FILE.identity
    assert identity("regtest", ("other",)) != FILE.identity


def test_only_the_owner_may_read_it_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "made" / "alice.wallet"
    before = os.umask(0)
    try:
        write(path, FILE, new=True)
        write(path, FILE)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_every_flipped_bit_of_every_byte_is_noticed(intact: bytes, tmp_path: Path) -> None:
    path = tmp_path / "alice.wallet"
    for place in range(8 * len(intact)):
        damaged = bytearray(intact)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(DamagedFile):
            read(path)


@given(data=st.data())
def test_any_other_bytes_are_noticed(
    data: st.DataObject, intact: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    start = data.draw(st.integers(0, len(intact)))
    end = data.draw(st.integers(start, len(intact)))
    other = intact[:start] + data.draw(st.binary(max_size=20)) + intact[end:]
    if other == intact:
        return
    path = tmp_path_factory.getbasetemp() / "changed.wallet"
    path.write_bytes(other)
    with pytest.raises(DamagedFile) as refusal:
        read(path)
    assert "\n" not in str(refusal.value)


def test_a_fitting_checksum_over_another_content_is_still_no_wallet(tmp_path: Path) -> None:
    path = tmp_path / "alice.wallet"
    for body in (b"", b"[]", b"{}", b"null", b"\xff", b"[" * 100_000, b'{"network": 1}'):
        digest = hashlib.sha256(b"farthing-wallet 2\n" + body).hexdigest().encode()
        path.write_bytes(b"farthing-wallet 2 " + digest + b"\n" + body)
        with pytest.raises(DamagedFile, match="its content does not"):
            read(path)


def test_another_format_is_named(tmp_path: Path, intact: bytes) -> None:
    path = tmp_path / "alice.wallet"
    path.write_bytes(intact.replace(b"farthing-wallet 2 ", b"farthing-wallet 3 "))
    with pytest.raises(DamagedFile, match="another version"):
        read(path)


def test_a_file_beyond_the_limit_is_not_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, intact: bytes
) -> None:
    monkeypatch.setattr("wallet.keystore.MAX_FILE_BYTES", 100)
    path = tmp_path / "alice.wallet"
    path.write_bytes(intact)
    with pytest.raises(DamagedFile, match="larger than any wallet"):
        read(path)


def test_missing_unreadable_and_linked_files(tmp_path: Path) -> None:
    with pytest.raises(NoSuchWallet, match="there is no wallet at"):
        read(tmp_path / "nobody.wallet")
    with pytest.raises(NoSuchWallet, match="cannot read"):
        read(tmp_path)
    path = tmp_path / "alice.wallet"
    write(path, FILE, new=True)
    link = tmp_path / "link.wallet"
    link.symlink_to(path)
    with pytest.raises(NoSuchWallet, match="symbolic link"):
        read(link)


def test_a_new_wallet_never_replaces_a_file(tmp_path: Path) -> None:
    path = tmp_path / "alice.wallet"
    path.write_bytes(b"precious")
    with pytest.raises(WalletExists, match="exists already"):
        write(path, FILE, new=True)
    assert path.read_bytes() == b"precious"
    assert os.listdir(tmp_path) == ["alice.wallet"]


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "wallets").write_bytes(b"precious")
    with pytest.raises(WalletError, match="wallets is no folder; move it away"):
        write(tmp_path / "wallets" / "alice.wallet", FILE, new=True)
    assert (tmp_path / "wallets").read_bytes() == b"precious"


def test_a_full_disk_is_one_line_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "alice.wallet"
    write(path, FILE, new=True)
    before = path.read_bytes()

    def full(handle: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", full)
    with pytest.raises(WalletError, match="No space left on device; nothing was changed"):
        write(path, FILE)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["alice.wallet"]


def test_a_write_may_be_cut_short_by_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.write
    monkeypatch.setattr("os.write", lambda handle, data: whole(handle, bytes(data)[:7]))
    write(tmp_path / "alice.wallet", FILE, new=True)
    assert read(tmp_path / "alice.wallet") == FILE


# Runs a save and dies, as by SIGKILL, at the n-th of its system calls (halfway through a write).
CRASH = """
import os, sys
from pathlib import Path
import wallet.keystore as keystore

count = 0
die_at = int(sys.argv[2])

def dying(name):
    real = getattr(os, name)
    def call(*args, **kwargs):
        global count
        count += 1
        if count == die_at:
            if name == "write":
                real(args[0], bytes(args[1])[:len(args[1]) // 2])
            os._exit(42)
        return real(*args, **kwargs)
    return call

for name in ("open", "write", "fsync", "close", "replace", "link", "unlink"):
    setattr(os, name, dying(name))
path, new = Path(sys.argv[1]), sys.argv[3] == "new"
file = keystore.WalletFile("regtest", ("new",), {}, {})
keystore.write(path, file, new=new)
os._exit(0)
"""


@pytest.mark.parametrize("kind", ["new", "again"])
def test_a_crash_at_any_call_leaves_the_old_or_the_new_file(tmp_path: Path, kind: str) -> None:
    outcomes = []
    for die_at in range(1, 20):
        path = tmp_path / str(die_at) / "alice.wallet"
        if kind == "again":
            write(path, FILE, new=True)
        ended = subprocess.run(
            [sys.executable, "-c", CRASH, str(path), str(die_at), kind], cwd=ROOT, check=False
        )
        if path.exists():
            found = read(path)
            assert found in (FILE, WalletFile("regtest", ("new",), {}, {}))
            outcomes.append(found.descriptors[0])
        else:
            assert kind == "new"
            outcomes.append("none")
        if kind == "again":
            write(path, FILE)  # nothing that a crash left behind is in the way
        if ended.returncode == 0:
            break
        assert ended.returncode == 42
    else:
        pytest.fail("the save never got through")
    before = "none" if kind == "new" else FILE.descriptors[0]
    # open, write, fsync, close come before the new file is seen; what comes after changes nothing.
    assert outcomes[:5] == [before] * 5
    assert outcomes[5:] == ["new"] * len(outcomes[5:])
    assert len(outcomes) >= 8


def test_the_order_of_a_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written and flushed before it is renamed, and the directory flushed after."""
    calls: list[str] = []
    for name in ("open", "write", "fsync", "close", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *a, _n=name, _r=real, **k: (calls.append(_n), _r(*a, **k))[1]
        )
    write(tmp_path / "alice.wallet", FILE)
    monkeypatch.undo()
    assert calls == ["open", "write", "fsync", "close", "replace", "open", "fsync", "close"]


def test_the_file_is_text_that_a_person_can_read(intact: bytes) -> None:
    body = intact.partition(b"\n")[2]
    assert json.loads(body.splitlines()[0])["network"] == "regtest"
