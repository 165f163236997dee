"""`scripts/testnet` and its environment: made once, renewed when needed, never half made.

A shell script plays Python: it answers the question for its version, makes a "venv" with itself in
it, and "installs" by writing a `farthing` that prints what it was called with.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.architecture import ROOT

PYTHON = r"""#!/bin/sh
case "$1 $2" in
"-c "*) exit 0 ;;
"-m venv") mkdir -p "$3/bin"; [ ! -e "$FAKE/no-venv" ] || exit 1; cp "$0" "$3/bin/python" ;;
"-m pip")
    echo "$*" >> "$FAKE/installed"
    [ ! -e "$FAKE/no-index" ] || exit 1
    printf '#!/bin/sh\necho "farthing $*"\n' > "${0%python}farthing"
    chmod +x "${0%python}farthing" ;;
*) exit 9 ;;
esac
"""


class Checkout:
    """A copy of the scripts, and the Python that they find."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fake = folder.parent / "fake"
        self.fake.mkdir()
        (folder / "scripts").mkdir(parents=True)
        for name in ("testnet", "environment.sh"):
            shutil.copy(ROOT / "scripts" / name, folder / "scripts")
        shutil.copy(ROOT / "setup.cfg", folder)
        self.python = self.fake / "python"
        self.python.write_text(PYTHON)
        self.python.chmod(0o755)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.folder / "scripts" / "testnet"), *words],
            env={**os.environ, "FAKE": str(self.fake), "PYTHON": str(self.python), "CDPATH": "/"},
            cwd=self.fake,
            capture_output=True,
            text=True,
        )

    @property
    def installations(self) -> int:
        log = self.fake / "installed"
        return len(log.read_text().splitlines()) if log.exists() else 0


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "a folder")


def test_the_first_run_installs_and_later_ones_start_at_once(checkout: Checkout) -> None:
    first = checkout.run("--nodes", "3")
    assert (first.returncode, first.stdout) == (0, "farthing testnet up --nodes 3\n")
    assert "installing into" in first.stderr
    second = checkout.run()
    assert (second.stdout, second.stderr) == ("farthing testnet up\n", "")
    assert checkout.installations == 1
    assert f"--editable {checkout.folder}\n" in (checkout.fake / "installed").read_text()


def test_it_is_renewed_when_needs_or_places_change(checkout: Checkout) -> None:
    checkout.run()
    with (checkout.folder / "setup.cfg").open("a") as settings:
        settings.write("\n")
    assert checkout.run().returncode == 0
    assert checkout.installations == 2
    moved = checkout.folder.with_name("moved")
    checkout.folder.rename(moved)
    checkout.folder = moved
    assert checkout.run().stdout == "farthing testnet up\n"
    assert checkout.installations == 3
    # As when the system's Python went.
    (moved / ".venv" / "bin" / "python").unlink()
    assert checkout.run().stdout == "farthing testnet up\n"
    assert checkout.installations == 4


def test_what_the_tests_installed_is_enough(checkout: Checkout) -> None:
    checkout.run()
    stamp = checkout.folder / ".venv" / ".installed"
    stamp.rename(stamp.with_name(".installed[test]"))
    assert checkout.run().returncode == 0
    assert checkout.installations == 1


def test_without_an_index_it_says_so_and_tries_again_next_time(checkout: Checkout) -> None:
    (checkout.fake / "no-index").touch()
    failed = checkout.run()
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "Is the package index reachable?" in failed.stderr
    (checkout.fake / "no-index").unlink()
    assert checkout.run().stdout == "farthing testnet up\n"


def test_a_half_made_environment_does_not_stay(checkout: Checkout) -> None:
    (checkout.fake / "no-venv").touch()
    failed = checkout.run()
    assert failed.returncode == 1
    assert "apt install python3-venv" in failed.stderr
    assert not (checkout.folder / ".venv").exists()
    (checkout.fake / "no-venv").unlink()
    assert checkout.run().returncode == 0


def test_a_python_that_does_not_fit_is_named(checkout: Checkout) -> None:
    checkout.python.write_text("#!/bin/sh\nexit 1\n")
    failed = checkout.run()
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == (
        "farthing: Python 3.11, 3.12 or 3.13 is needed and was not found; "
        "install one, or name it with PYTHON=/path/to/python\n"
    )
