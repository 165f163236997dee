"""The documents, run: each command and Python block of README.md and tutorial/ as they stand."""

import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.architecture import ROOT

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LESSONS = sorted((ROOT / "tutorial").glob("*.md"))
# Run elsewhere: the suite can't run itself; it is what runs this file.
RUN_ELSEWHERE = {"./scripts/test"}
STARTED_HERE = {"./scripts/testnet"}
PASSWORD = "correct horse"


def blocks(document: Path, language: str) -> list[str]:
    return [body for name, body in BLOCK.findall(document.read_text()) if name == language]


def commands(document: Path) -> list[str]:
    return [
        line.removeprefix("$ ")
        for block in blocks(document, "console")
        for line in block.splitlines()
        if line.startswith("$ ")
    ]


def environment(home: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return os.environ | {"FARTHING_HOME": str(home), "PATH": path}


def run_in_terminal(command: str, home: Path, timeout_s: float = 60) -> str:
    """Run a command as in a terminal, giving the password or a yes if asked; what it shows."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(home)
        os.execvpe("/bin/sh", ["/bin/sh", "-c", command], environment(home))
    shown = b""
    deadline = time.monotonic() + timeout_s
    answered = 0
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 0.2)
        if ready:
            try:
                chunk = os.read(terminal, 65536)
            except OSError:
                break
            if not chunk:
                break
            shown += chunk
        if shown.endswith((b"Password: ", b"confirmation: ")) and len(shown) > answered:
            answered = len(shown)
            os.write(terminal, PASSWORD.encode() + b"\n")
        if shown.endswith(b"[y/N]: ") and len(shown) > answered:
            answered = len(shown)
            os.write(terminal, b"y\n")
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    text = shown.decode(errors="replace")
    assert os.waitstatus_to_exitcode(status) == 0, f"{command}\n{text}"
    return text


@pytest.fixture
def network_of_the_readme(tmp_path: Path) -> Iterator[None]:
    """`./scripts/testnet` as the README has it, stopped as the README says: by Ctrl-C."""
    with subprocess.Popen(
        ["./scripts/testnet"],
        cwd=ROOT,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            seen = ""
            while not seen.splitlines()[-1:] or not seen.splitlines()[-1].startswith("Stop:"):
                line = process.stdout.readline()
                assert line, seen
                seen += line
            assert seen.count("http://127.0.0.1:1844") >= 5, seen
            assert seen.count("50.00000000 BTC") == 10, seen
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
    assert process.returncode == 0
    left = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True)
    assert left.stdout == "", f"still running: {left.stdout}"


def start_and_stop(command: str, home: Path) -> str:
    """Run a command that stays in the foreground until it says that it is ready; then SIGTERM."""
    process = subprocess.Popen(
        shlex.split(command),
        cwd=home,
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    process.terminate()
    rest, _ = process.communicate(timeout=15)
    assert process.returncode == 0, line + rest
    return line


def without_places(page: str) -> list[str]:
    """The lines of a page, without colours and the numbers of lines in the source."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", page.replace("\r", ""))
    return re.sub(r" *(\w+\.py):\d+", r" \1", plain).rstrip().splitlines()


@pytest.mark.xdist_group("default ports")
@pytest.mark.usefixtures("network_of_the_readme")
def test_the_readme(tmp_path: Path) -> None:
    address = txid = shown = ""
    written = [command for page in (ROOT / "README.md", *LESSONS) for command in commands(page)]
    for command in written:
        if command in RUN_ELSEWHERE | STARTED_HERE:
            continue
        if "node run" in command:
            assert "ready at http://127.0.0.1:18500" in start_and_stop(command, tmp_path)
            continue
        known = command.replace("<address>", address).replace("<txid>", txid)
        shown = run_in_terminal(known, tmp_path)
        if "wallet address" in command or "psbt address" in command:
            address = shown.strip()
        if "psbt decode" in command:
            assert shown.count("0 of 2 signatures") == 1, shown
        if "psbt extract" in command:
            assert re.fullmatch(r"[0-9a-f]{64}", shown.strip()), shown
        if "testnet faucet" in command:
            txid = shown.split()[-1]
        if "explain tx" in command:
            assert txid in shown and "the spend is good" in shown, shown
        if "explain script" in command:
            (said,) = blocks(ROOT / "README.md", "text")
            lines = without_places(said)
            assert without_places(shown)[-len(lines) :] == lines, shown
        if "farthing mempool" in command:
            assert "waits" in shown, shown
        if "wallet balance" in command:
            # All but the fee is hers: she paid herself.
            assert re.search(r"confirmed +2\.49\d+ BTC|pending +2\.49\d+ BTC", shown), shown
        if "wallet history" in command:
            assert shown.count("block ") + shown.count("pending") >= 2, shown
        if "tip/height" in command:
            assert int(shown) >= 121
    for block in blocks(ROOT / "README.md", "python"):
        done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) >= 121


def test_ci_runs_what_the_readme_calls_the_test_command() -> None:
    assert "./scripts/test" in (ROOT / ".ci" / "run").read_text().splitlines()
    assert set(commands(ROOT / "README.md")) >= RUN_ELSEWHERE


@pytest.mark.parametrize("lesson", LESSONS, ids=[lesson.name for lesson in LESSONS])
def test_a_lesson_runs_from_top_to_bottom(lesson: Path) -> None:
    code = "\n".join(blocks(lesson, "python"))
    assert code, f"{lesson.name} has no Python block"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("lesson", LESSONS, ids=[lesson.name for lesson in LESSONS])
def test_a_lesson_points_at_files_that_exist(lesson: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", lesson.read_text()):
        assert (lesson.parent / target).exists(), target
