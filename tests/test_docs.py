"""The documents, run: each command and Python block of README.md and tutorial/ as they stand."""

import fcntl
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import pytest

from scripts.architecture import ROOT
from scripts.cli.main import root

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LESSONS = sorted((ROOT / "tutorial").glob("*.md"))
# Run elsewhere: the suite can't run itself; it is what runs this file.
RUN_ELSEWHERE = {"./scripts/test"}
STARTED_HERE = "./scripts/testnet"
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


def run_in_terminal(command: str, home: Path, words: str = "", timeout_s: float = 60) -> str:
    """Run a command as in a terminal, with somebody who answers what it asks; what it shows."""
    answers = {
        b"Password: ": PASSWORD,
        b"New password: ": PASSWORD,
        b"confirmation: ": PASSWORD,
        b"[y/N]: ": "y",
        b"Words: ": words,
    }
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
        for question, answer in answers.items():
            if shown.endswith(question) and len(shown) > answered:
                answered = len(shown)
                os.write(terminal, answer.encode() + b"\n")
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    text = shown.decode(errors="replace")
    assert os.waitstatus_to_exitcode(status) == 0, f"{command}\n{text}"
    return text


@contextmanager
def default_ports() -> Iterator[None]:
    """Documents name the default ports: one of them at a time, whoever runs the tests."""
    with (Path(tempfile.gettempdir()) / "farthing-default-ports.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def network_of(command: str, nodes: int, home: Path) -> Iterator[None]:
    """`./scripts/testnet` as a document has it, stopped as the README says: by Ctrl-C."""
    with (
        default_ports(),
        subprocess.Popen(
            shlex.split(command),
            cwd=ROOT,
            env=environment(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            seen = ""
            while not seen.splitlines()[-1:] or not seen.splitlines()[-1].startswith("Stop:"):
                line = process.stdout.readline()
                assert line, seen
                seen += line
            assert seen.count("http://127.0.0.1:1844") >= nodes, seen
            assert seen.count("50.00000000 BTC") == 10, seen
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
    assert process.returncode == 0
    left = subprocess.run(["pgrep", "-f", str(home)], capture_output=True, text=True)
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


def check(command: str, shown: str) -> None:
    """That a command showed what the text around it promises."""
    if "psbt decode" in command:
        assert shown.count("0 of 2 signatures") == 1, shown
    if "psbt extract" in command:
        assert re.fullmatch(r"[0-9a-f]{64}", shown.strip()), shown
    if "explain tx" in command:
        assert "the spend is good" in shown, shown
    if "explain script" in command:
        (said,) = blocks(ROOT / "README.md", "text")
        lines = without_places(said)
        assert without_places(shown)[-len(lines) :] == lines, shown
    if "farthing mempool" in command:
        assert "waits" in shown or "waiting" in shown, shown
    if "wallet balance alice" in command:
        # All but the fee is hers: she paid herself.
        assert re.search(r"confirmed +2\.49\d+ BTC|pending +2\.49\d+ BTC", shown), shown
    if "wallet history alice" in command:
        assert shown.count("block ") + shown.count("pending") >= 2, shown
    if "tip/height" in command:
        assert int(shown) >= 121


def walk_through(pages: Sequence[Path], home: Path) -> Iterator[tuple[str, str]]:
    """Each command of the pages, run, and what it showed; places in <brackets> are filled in."""
    known = {"address": "", "uri": "", "txid": "", "words": ""}
    for command in [command for page in pages for command in commands(page)]:
        if command in RUN_ELSEWHERE or command.startswith(STARTED_HERE):
            continue
        if "node run" in command:
            assert "ready at http://127.0.0.1:18500" in start_and_stop(command, home)
            continue
        filled = re.sub(r"<(address|uri|txid)>", lambda place: known[place[1]], command)
        shown = run_in_terminal(filled, home, known["words"])
        if " address " in command and (found := re.search(r"bcrt1[0-9a-z]+", shown)):
            known["address"] = found[0]
        if found := re.search(r"bitcoin:bcrt1\S+", shown):
            known["uri"] = found[0]
        if numbered := re.findall(r"^ +\d+  (\w+)\r?$", shown, re.MULTILINE):
            known["words"] = known["words"] or " ".join(numbered)
        if re.search("faucet|wallet send|wallet bump", command) and "--dry-run" not in command:
            known["txid"] = shown.split()[-1]
        check(command, shown)
        yield command, shown


def test_the_readme(tmp_path: Path) -> None:
    with network_of("./scripts/testnet", 5, tmp_path):
        for _ in walk_through([ROOT / "README.md", *LESSONS[:3]], tmp_path):
            pass
        outputs = []
        for block in blocks(ROOT / "README.md", "python"):
            done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            outputs.append(done.stdout)
    height, payment = outputs
    assert int(height) >= 121
    assert re.fullmatch(r"pays 40,000 sat for a fee of \d+, leaves [\d,]+\n[0-9a-f]{64}\n", payment)


def test_a_wallets_day(tmp_path: Path) -> None:
    page = ROOT / "tutorial" / "03-a-wallets-day.md"
    (start,) = [command for command in commands(page) if command.startswith(STARTED_HERE)]
    seen: dict[str, list[str]] = {}
    with network_of(start, 2, tmp_path):
        try:
            for command, shown in walk_through([page], tmp_path):
                words = shlex.split(command)
                seen.setdefault(" ".join(words[1:4]), []).append(shown.replace("\r", ""))
        finally:
            run_in_terminal("farthing wallet lock", tmp_path)  # wherever it stopped
    (promised,) = blocks(page, "text")
    dry_run, sent, unlocked = seen["wallet send dora"]
    assert "Password" in sent and "Password" not in unlocked
    assert seen["wallet lock dora"] == ["wallet 'dora' is locked\n"]
    assert re.sub(r"bcrt1p\w+", "bcrt1p…", dry_run) == promised
    assert dry_run in sent
    assert "pending    0.50000000 BTC" in seen["wallet balance dora"][0]
    before, after = seen["wallet history dora"]
    assert "whole" in seen["wallet check dora"][0]
    assert "Dora's tea" in before and "Emil, a loaf of bread" in after
    assert sent.split()[-1] not in after
    (found,) = seen["wallet balance dora-again"]
    assert "confirmed  0.49919" in found
    assert (tmp_path / "tea.svg").exists()


def test_the_table_of_keeping_names_commands_that_there_are(tmp_path: Path) -> None:
    """As somebody copies them from the page: words and options are right."""
    page = (ROOT / "README.md").read_text()
    rows = re.findall(r"^\| .* \| `farthing (.*?)` \| .* \|$", page, re.MULTILINE)
    verbs = {row.split()[1] for row in rows}
    assert verbs >= {*"backup restore password unlock lock check accounts export watch".split()}
    for row in rows:
        words = shlex.split(row.partition(" > ")[0])
        command = root.get_command(click.Context(root), words[0])
        assert isinstance(command, click.Group)
        named = command.get_command(click.Context(command), words[1])
        assert named is not None
        named.make_context(words[1], words[2:])


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
