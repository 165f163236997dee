"""Completion in real shells, as somebody who types meets it; the shells that are here."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scripts.conftest import CommandLine


def asked(home: Path, *words: str) -> list[str]:
    """What `farthing` answers when bash asks for the last of these words."""
    done = subprocess.run(
        [sys.executable, "-m", "farthing"],
        env=os.environ
        | {
            "FARTHING_HOME": str(home),
            "_FARTHING_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("farthing", *words)),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [line.removeprefix("plain,") for line in done.stdout.split()]


def make_wallets(home: Path) -> None:
    (home / "wallets").mkdir()
    for name in ("alice", "alan", "bob"):
        (home / "wallets" / f"{name}.wallet").touch()


def test_commands_options_and_wallets_are_completed(tmp_path: Path) -> None:
    make_wallets(tmp_path)
    assert asked(tmp_path, "wal") == ["wallet"]
    assert "send" in asked(tmp_path, "wallet", "s")
    assert asked(tmp_path, "wallet", "send", "al") == ["alan", "alice"]
    assert asked(tmp_path, "psbt", "sign", "b") == ["bob"]
    assert asked(tmp_path, "wallet", "unl") == ["unlock"]
    assert asked(tmp_path, "wallet", "lock", "a") == ["alan", "alice"]
    assert asked(tmp_path, "wallet", "unlock", "alice", "--st") == ["--status"]
    assert asked(tmp_path, "wallet", "send", "alice", "--dr") == ["--dry-run"]
    assert asked(tmp_path, "wallet", "create", "al") == []
    assert "--password" not in asked(tmp_path, "wallet", "send", "alice", "--password")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_the_shell_takes(
    cli: CommandLine, shell: str, tmp_path: Path
) -> None:
    script = tmp_path / "completion"
    script.write_text(cli("completion", shell))
    assert "_FARTHING_COMPLETE" in script.read_text()
    if shutil.which(shell):
        done = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_bash_itself_completes_a_wallets_name(cli: CommandLine, tmp_path: Path) -> None:
    make_wallets(tmp_path)
    program = tmp_path / "farthing"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m farthing "$@"\n')
    program.chmod(0o755)
    (tmp_path / "script").write_text(cli("completion", "bash"))
    typed = """
        source ./script
        COMP_WORDS=(./farthing wallet send al) COMP_CWORD=3
        _farthing_completion ./farthing al send
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    paths = os.pathsep.join(sys.path)
    done = subprocess.run(
        ["bash", "-c", typed],
        cwd=tmp_path,
        env=os.environ | {"FARTHING_HOME": str(tmp_path), "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert (done.stdout.split(), done.stderr) == (["alan", "alice"], "")
