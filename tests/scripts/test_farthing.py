"""The door: `farthing` runs on its own four packages or not at all."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import farthing
from scripts.architecture import ROOT


@pytest.mark.parametrize("name", ["chain", "wallet", "node", "scripts"])
def test_a_foreign_package_in_the_way_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("raise SystemExit('foreign code ran')")
    done = subprocess.run(
        [sys.executable, "-m", "farthing", "--version"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"farthing: the package '{name}' found at {tmp_path}/{name}/__init__.py is not Farthing's "
        f"({ROOT}/{name}); "
        "install Farthing into an environment of its own\n"
    )


def test_a_folder_of_that_name_without_code_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "farthing", "--version"], cwd=tmp_path, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_door_without_the_house_says_so(tmp_path: Path) -> None:
    shutil.copy(ROOT / "farthing.py", tmp_path)
    # -S: without the packages that are installed.
    command = [sys.executable, "-E", "-S", str(tmp_path / "farthing.py")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("farthing: the package 'chain' found at no place is not")
    assert done.stderr.count("\n") == 1


def test_our_own_packages_are_not_foreign() -> None:
    assert farthing.foreign_package() is None


def test_ctrl_c_while_it_is_being_read_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(farthing, "foreign_package", interrupted)
    with pytest.raises(SystemExit) as ended:
        farthing.main()
    assert ended.value.code == 130
