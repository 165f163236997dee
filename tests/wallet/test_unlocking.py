"""Unlocking: an agent serves the very seal it was begun for, until its time, and nobody else."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chain.params import REGTEST
from tests.functional.support import eventually
from wallet import Wallet, keeping, keystore
from wallet.errors import DamagedFile, WalletError, WatchOnly, WrongPassword
from wallet.vault import SealKey

unlocking = pytest.importorskip("wallet.unlocking")
pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
LINUX = pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")

WORDS = "test " * 11 + "junk"
PASSWORD = "correct horse battery staple"


def is_alive(pid: int) -> bool:
    """Whether it still runs; an ended child that nobody took note of does not."""
    try:
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except OSError:
        return False


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "alice.wallet"
    Wallet.create(path, REGTEST, PASSWORD, WORDS, scrypt_n=2**14)
    yield path
    unlocking.lock(path)


def pid_of(path: Path) -> int:
    found = unlocking.left(path)
    assert found is not None
    pid: int = found.pid
    return pid


def key_of(path: Path) -> SealKey:
    return SealKey.of_password(keystore.read(path).sealed, PASSWORD)


def test_unlocked_it_opens_without_a_password_and_locked_it_does_not(path: Path) -> None:
    assert Wallet.open(path).unlocked() is None
    keeping.unlock(path, PASSWORD, 60)
    wallet = Wallet.open(path)
    key = wallet.unlocked()
    assert key == key_of(path)
    assert key is not None
    assert key.secret.hex() not in repr(key)
    assert wallet.master(key) == wallet.master(PASSWORD)
    assert 59 < unlocking.left(path).left_s <= 60
    pid = pid_of(path)
    assert unlocking.lock(path)
    eventually(lambda: not is_alive(pid), timeout_s=5)
    assert (wallet.unlocked(), unlocking.left(path), unlocking.lock(path)) == (None, None, False)
    assert list((path.parent / ".unlocked").iterdir()) == []


def test_a_wrong_password_unlocks_nothing(path: Path) -> None:
    with pytest.raises(WrongPassword):
        keeping.unlock(path, "wrong", 60)
    assert unlocking.left(path) is None
    keeping.unlock(path, PASSWORD, 60)
    pid = pid_of(path)
    with pytest.raises(WrongPassword):
        keeping.unlock(path, "wrong", 600)
    assert pid_of(path) == pid
    assert unlocking.left(path).left_s <= 60


def test_it_ends_at_its_time(path: Path) -> None:
    keeping.unlock(path, PASSWORD, 1)
    began = time.monotonic()
    pid = pid_of(path)
    assert unlocking.left(path).left_s <= 1
    eventually(lambda: not is_alive(pid), timeout_s=5)
    assert 0.5 < time.monotonic() - began < 3
    assert Wallet.open(path).unlocked() is None


def test_a_silent_caller_does_not_keep_it(path: Path) -> None:
    keeping.unlock(path, PASSWORD, 1)
    pid = pid_of(path)
    with unlocking._linked(path):
        eventually(lambda: not is_alive(pid), timeout_s=5)


def test_a_second_unlock_counts_from_anew(path: Path) -> None:
    keeping.unlock(path, PASSWORD, 5)
    first = pid_of(path)
    keeping.unlock(path, PASSWORD, 60)
    eventually(lambda: not is_alive(first), timeout_s=5)
    assert pid_of(path) != first
    assert unlocking.left(path).left_s > 59
    assert len(list((path.parent / ".unlocked").iterdir())) == 1


def test_two_at_once_leave_one(path: Path) -> None:
    file = keystore.read(path)
    unlocking.begin(path, file, key_of(path), 60)
    first = pid_of(path)
    (path.parent / ".unlocked" / unlocking._name(path)).rename(path.parent / "aside")
    unlocking.begin(path, file, key_of(path), 60)
    eventually(lambda: not is_alive(first), timeout_s=5)
    assert is_alive(pid_of(path))


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals(path: Path, sent: signal.Signals) -> None:
    """SIGTERM ends it, a terminal does not."""
    keeping.unlock(path, PASSWORD, 60)
    pid = pid_of(path)
    os.kill(pid, sent)
    if sent == signal.SIGTERM:
        eventually(lambda: not is_alive(pid), timeout_s=5)
        assert list((path.parent / ".unlocked").iterdir()) == []
    else:
        assert Wallet.open(path).unlocked() == key_of(path)


def test_killed_it_leaves_a_name_that_harms_nobody(path: Path) -> None:
    keeping.unlock(path, PASSWORD, 60)
    pid = pid_of(path)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_alive(pid), timeout_s=5)
    assert Wallet.open(path).unlocked() is None
    keeping.unlock(path, PASSWORD, 60)
    assert Wallet.open(path).unlocked() == key_of(path)


def test_it_serves_no_other_password_and_no_other_wallet(path: Path, tmp_path: Path) -> None:
    keeping.unlock(path, PASSWORD, 60)
    pid = pid_of(path)
    keeping.change_password(path, PASSWORD, "new")
    eventually(lambda: not is_alive(pid), timeout_s=5)
    assert Wallet.open(path).unlocked() is None

    keeping.unlock(path, "new", 60)
    pid = pid_of(path)
    Wallet.create(tmp_path / "other", REGTEST, "new", scrypt_n=2**14)
    (tmp_path / "other").rename(path)
    assert Wallet.open(path).unlocked() is None
    eventually(lambda: not is_alive(pid), timeout_s=5)


def test_an_account_more_locks_it(path: Path) -> None:
    keeping.unlock(path, PASSWORD, 60)
    pid = pid_of(path)
    keeping.add_account(path, PASSWORD, "wpkh")
    eventually(lambda: not is_alive(pid), timeout_s=5)


def test_it_ends_with_the_wallets_file(path: Path) -> None:
    keeping.unlock(path, PASSWORD, 60)
    pid = pid_of(path)
    path.rename(path.with_name("bob.wallet"))
    eventually(lambda: not is_alive(pid), timeout_s=5)
    assert Wallet.open(path.with_name("bob.wallet")).unlocked() is None


def test_what_is_saved_meanwhile_does_not_lock_it(path: Path) -> None:
    keeping.unlock(path, PASSWORD, 60)
    wallet = Wallet.open(path)
    wallet.set_label(wallet.address(), "rent")
    assert Wallet.open(path).unlocked() == wallet.unlocked() == key_of(path)


def test_a_key_of_another_seal_opens_nothing(path: Path) -> None:
    with pytest.raises(DamagedFile):
        Wallet.open(path).master(SealKey(bytes(32)))


@pytest.mark.parametrize("seconds", [-1, 0, 24 * 3600 + 1])
def test_times_have_a_floor_and_a_ceiling(path: Path, seconds: int) -> None:
    with pytest.raises(WalletError, match="for 1 s to 24 h"):
        keeping.unlock(path, PASSWORD, seconds)
    assert unlocking.left(path) is None


def test_who_only_watches_has_nothing_to_unlock(path: Path, tmp_path: Path) -> None:
    eyes = tmp_path / "eyes.wallet"
    Wallet.watch(eyes, REGTEST, [Wallet.open(path).descriptor])
    with pytest.raises(WatchOnly, match="no keys to unlock"):
        keeping.unlock(eyes, PASSWORD, 60)


def test_a_path_of_any_length_will_do(tmp_path: Path) -> None:
    """An address of a socket has room for 107 bytes."""
    folder = tmp_path.joinpath(*["a long name of a folder" * 4] * 3)
    path = folder / "alice.wallet"
    Wallet.create(path, REGTEST, PASSWORD, WORDS, scrypt_n=2**14)
    keeping.unlock(path, PASSWORD, 60)
    try:
        assert Wallet.open(path).unlocked() == key_of(path)
    finally:
        unlocking.lock(path)


def test_a_folder_that_others_may_enter_is_refused(path: Path, tmp_path: Path) -> None:
    folder = path.parent / ".unlocked"
    folder.mkdir(mode=0o755)
    with pytest.raises(WalletError, match="others may enter it"):
        keeping.unlock(path, PASSWORD, 60)
    folder.rmdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    folder.symlink_to(elsewhere)
    with pytest.raises(WalletError, match=r"can't .*unlock"):
        keeping.unlock(path, PASSWORD, 60)
    assert list(elsewhere.iterdir()) == []
    folder.unlink()


def test_modes(path: Path) -> None:
    keeping.unlock(path, PASSWORD, 60)
    folder = path.parent / ".unlocked"
    (name,) = folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(name.stat().st_mode) == 0o700
    assert stat.S_ISSOCK(name.stat().st_mode)


ANYBODYS = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
"""Where a Python lies that every user may run; only the standard library is needed."""
AS_SOMEBODY_ELSE = pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("python3", path=ANYBODYS["PATH"]) is None,
    reason="only root can be somebody else, with the system's Python",
)
ASK = """
import socket, sys
link = socket.socket(socket.AF_UNIX)
link.connect(f"/proc/self/fd/{sys.argv[1]}/{sys.argv[2]}")
try:
    link.sendall(b"left\\n")
    print(len(link.recv(100)))
except ConnectionError:
    print(0)
"""


@LINUX
@AS_SOMEBODY_ELSE
def test_another_user_is_not_answered(path: Path) -> None:
    keeping.unlock(path, PASSWORD, 60)
    folder = path.parent / ".unlocked"
    (name,) = folder.iterdir()
    handle = os.open(folder, os.O_RDONLY)

    def ask(user: int) -> str:
        done = subprocess.run(
            ["/usr/bin/env", "python3", "-c", ASK, str(handle), name.name],
            pass_fds=[handle],
            user=user,
            cwd="/",
            env=ANYBODYS,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip() or done.stderr.splitlines()[-1]

    try:
        assert "PermissionError" in ask(65534)  # the folder
        folder.chmod(0o711)
        name.chmod(0o777)
        assert ask(65534) == "0"
        assert int(ask(0)) > 0
    finally:
        folder.chmod(0o700)
        os.close(handle)


@LINUX
def test_a_stopped_agent_is_named_not_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping.unlock(path, PASSWORD, 60)
    pid = pid_of(path)
    monkeypatch.setattr(unlocking, "PATIENCE_S", 0.3)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(WalletError, match=f"kill -9 {pid}$"):
            unlocking.lock(path)
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: not is_alive(pid), timeout_s=5)  # it finds the question it was asked


@LINUX
def test_no_other_python_is_run_in_the_agent(path: Path, tmp_path: Path) -> None:
    """Modules of the folder where somebody stands, or of PYTHONPATH, never see the key."""
    for name in ("json", "socket", "wallet"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('foreign')")
    there = (
        "from pathlib import Path\nfrom wallet import keeping\nimport os, sys\n"
        f"os.chdir({str(tmp_path)!r})\nos.environ['PYTHONPATH'] = {str(tmp_path)!r}\n"
        f"keeping.unlock(Path({str(path)!r}), {PASSWORD!r}, 60)"
    )
    subprocess.run([sys.executable, "-c", there], check=True)
    assert Wallet.open(path).unlocked() == key_of(path)


def test_orders_that_cannot_be_followed_are_told_in_one_line(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unlocking, "_name", lambda path: "no/such/folder")
    with pytest.raises(WalletError, match=r"^can't unlock: FileNotFoundError: .*"):
        keeping.unlock(path, PASSWORD, 60)


@LINUX
def test_the_process_holds_the_key_alone_and_shows_nothing(path: Path) -> None:
    keeping.unlock(path, PASSWORD, 60)
    pid = pid_of(path)
    proc = Path(f"/proc/{pid}")
    assert proc.joinpath("cmdline").read_bytes().split(b"\0")[1:] == [
        b"-I",
        str(Path(unlocking.__file__).with_name("agent.py")).encode(),
        b"",
    ]
    assert os.getsid(pid) == pid != os.getsid(0)
    limits = proc.joinpath("limits").read_text()
    assert limits.split("Max core file size")[1].split()[:2] == ["0", "0"]
    try:
        memory = memory_of(pid)
    except PermissionError:
        assert os.getuid() != 0  # it can't be looked at even by its own user
        return
    assert memory.count(key_of(path).secret) == 1
    for secret in (WORDS, PASSWORD, "test test test"):
        assert secret.encode() not in memory
    status = proc.joinpath("status").read_text()
    assert int(status.split("VmLck:")[1].split()[0]) > 0


LOOK_AT_ITS_OWN = """
import json, os, subprocess, sys, tempfile
with tempfile.TemporaryDirectory() as folder:
    os.mkdir(folder + "/sockets", 0o700)
    source = folder + "/agent.py"
    open(source, "w").write(sys.stdin.read())
    orders = {"seconds": 60, "seal": "s", "wallet": source, "name": "n"}
    orders["folder"] = folder + "/sockets"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-I", source], **pipes) as agent:
        agent.stdin.write(bytes(range(32)) + json.dumps(orders).encode())
        agent.stdin.close()
        assert agent.stdout.readline() == b"ready\\n"
        for part in ("mem", "environ", "fd"):
            try:
                os.close(os.open(f"/proc/{agent.pid}/{part}", os.O_RDONLY))
                print(part, "open")
            except PermissionError:
                print(part, "closed")
        agent.terminate()
"""


@LINUX
@AS_SOMEBODY_ELSE
def test_its_own_user_cannot_look_into_it() -> None:
    """Root may look at everything: so somebody else begins one."""
    done = subprocess.run(
        ["/usr/bin/env", "python3", "-c", LOOK_AT_ITS_OWN],
        input=Path(unlocking.__file__).with_name("agent.py").read_text(),
        user=65534,
        group=65534,
        extra_groups=[],
        cwd="/",
        env=ANYBODYS,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout.split() == "mem closed environ closed fd closed".split()


def memory_of(pid: int) -> bytes:
    """All that a process can write to."""
    parts = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, mode, *_ = line.split()
            if "w" in mode:
                start, end = (int(each, 16) for each in span.split("-"))
                memory.seek(start)
                parts.append(memory.read(end - start))
    return b"".join(parts)
