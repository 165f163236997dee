"""An import onto a disk that is full: one line, exit code 1, no damage; with room it goes on."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.chains import write_chain
from tests.crash.test_kills import state

BLOCKS = 300
STEP_BYTES = 150_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can't be mounted here (it takes root)")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_an_import_stops_in_one_line_and_goes_on_when_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    source = tmp_path / "blocks.dat"
    expected = write_chain(source, BLOCKS)
    ballast, refusals = small_disk / "ballast", 0
    free = shutil.disk_usage(small_disk).free
    ballast.write_bytes(bytes(free - STEP_BYTES // 3))
    where = ["--datadir", str(small_disk / "data"), "--par", "1"]
    command = [sys.executable, "-m", "farthing", "node", "import", str(source), *where]
    while (ran := subprocess.run(command, capture_output=True, text=True)).returncode:
        assert (ran.returncode, ran.stdout) == (1, "")
        assert ran.stderr.count("\n") == 1
        assert ran.stderr.startswith("farthing: the disk is full, nothing more can be written to ")
        assert "Traceback" not in ran.stderr
        refusals += 1
        with ballast.open("r+b") as file:  # a little more room each time
            file.truncate(max(0, ballast.stat().st_size - STEP_BYTES))
    assert refusals >= 2
    ballast.unlink()
    assert state(small_disk / "data") == expected
