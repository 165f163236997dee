"""A wallet's file under SIGKILL at random moments, and under every flipped bit of it.

test_keystore dies at each system call of one save; here a whole wallet is saved over and over by a
real process that is killed whenever it happens, and what it acknowledged must be there.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from chain.params import REGTEST
from wallet import Wallet, keystore
from wallet.errors import DamagedFile

ROOT = Path(__file__).resolve().parents[2]
SWEEP = bool(os.environ.get("FARTHING_SWEEP"))
KILLS = 300 if SWEEP else 30
WORDS = " ".join(["abandon"] * 11 + ["about"])

# Names an address by a number, one higher each time, and says so once it is on disk.
SAVER = """
import sys
from pathlib import Path
from wallet import Wallet
opened = Wallet.open(Path(sys.argv[1]))
address = opened.address_at(0)
for number in range(int(opened.label(address) or 0) + 1, 1_000_000):
    opened.set_label(address, str(number))
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


def made(path: Path) -> Wallet:
    return Wallet.create(path, REGTEST, "a password", WORDS, scrypt_n=2**14)[0]


def killed_after(path: Path, acknowledged: int, delay_s: float) -> list[int]:
    """The numbers that a saver acknowledged before it was killed, all of them."""
    with subprocess.Popen(
        [sys.executable, "-c", SAVER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as saver:
        assert saver.stdout is not None
        seen = [int(saver.stdout.readline()) for _ in range(acknowledged)]
        time.sleep(delay_s)
        saver.kill()
        seen += [int(line) for line in saver.stdout if line.endswith("\n")]
    assert saver.returncode == -signal.SIGKILL
    return seen


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_saver_killed_at_any_moment_leaves_what_it_acknowledged_or_the_next(
    tmp_path: Path,
) -> None:
    path, rng, mid_save = tmp_path / "alice.wallet", random.Random(7), 0
    address = made(path).address_at(0)
    saved = 0
    for _ in range(KILLS):
        seen = killed_after(path, rng.randint(1, 3), rng.random() / 200)
        assert seen == list(range(saved + 1, saved + 1 + len(seen)))
        saved = int(Wallet.open(path).label(address))
        assert saved in (seen[-1], seen[-1] + 1)
        left = [name for name in os.listdir(tmp_path) if name != path.name]
        mid_save += len(left) > 0 or saved > seen[-1]
        for name in left:  # part of a file, sealed like the file itself, and in nobody's way
            assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
            (tmp_path / name).unlink()
    assert mid_save > 0, "no kill struck a save"
    wallet = Wallet.open(path)
    assert wallet.address_at(0) == address
    assert wallet.master("a password")


def flip(path: Path, intact: bytes, bit: int) -> None:
    damaged = bytearray(intact)
    damaged[bit // 8] ^= 1 << bit % 8
    path.write_bytes(damaged)


def test_every_flipped_bit_of_a_wallet_is_told_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "alice.wallet"
    made(path).set_label(made(tmp_path / "other.wallet").address_at(0), "tea")
    intact = path.read_bytes()
    assert 800 < len(intact) < 4_000
    for bit in range(8 * len(intact)):
        flip(path, intact, bit)
        with pytest.raises(DamagedFile):
            Wallet.open(path)
    path.write_bytes(intact)
    assert Wallet.open(path).labels


def test_flipped_bits_of_a_long_history_are_told_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "alice.wallet"
    made(path)
    file = keystore.read(path)
    keystore.write(
        path, replace(file, history=json.dumps([f"{n:064}" for n in range(300)]).encode())
    )
    intact = path.read_bytes()
    bits = range(8 * len(intact))
    for bit in bits if SWEEP else random.Random(7).sample(bits, 1_000):
        flip(path, intact, bit)
        with pytest.raises(DamagedFile):
            Wallet.open(path)
