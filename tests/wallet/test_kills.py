"""A process that saves a wallet over and over, killed at random moments: old or new, never neither.

FARTHING_SWEEP=1 kills five hundred times. That each system call of a save may be the last is in
test_keystore.
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from chain.params import REGTEST
from tests.untraced import untraced
from wallet import Wallet

KILLS = 500 if os.environ.get("FARTHING_SWEEP") else 25
ROOT = Path(__file__).resolve().parents[2]
# Each number is a label; it is told once it is saved. The size of the file changes all the time.
SAVES = """
import sys
from pathlib import Path
from wallet import Wallet
wallet = Wallet.open(Path(sys.argv[1]))
address = wallet.address_at(0)
number = int(wallet.label(address).split()[0])
while True:
    number += 1
    wallet.set_label(address, f"{number} " + "x" * (number * 37 % 90))
    print(number, flush=True)
"""


def saved(path: Path) -> int:
    """The number in the file; the seal opens too, so that nothing but the label has changed."""
    wallet = Wallet.open(path)
    wallet.master("password")
    return int(wallet.label(wallet.address_at(0)).split()[0])


def test_a_killed_save_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    rng = random.Random(5)
    path = tmp_path / "alice.wallet"
    made, _ = Wallet.create(path, REGTEST, "password", scrypt_n=2**14)
    made.set_label(made.address_at(0), "0")
    seen = []
    for _ in range(KILLS):
        command = [sys.executable, "-c", SAVES, str(path)]
        with subprocess.Popen(
            command, cwd=ROOT, env=untraced(), stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(rng.random() * 0.02)
            process.kill()
            told = [int(line) for line in [first, *process.stdout]]
        assert told[0] == (seen[-1] if seen else 0) + 1
        seen.append(saved(path))
        assert seen[-1] in (told[-1], told[-1] + 1)  # killed between the save and the word of it
    assert seen[-1] > 3 * KILLS  # most were killed after several saves
    Wallet.open(path).set_label(made.address_at(0), "alive")
    assert os.listdir(tmp_path) == ["alice.wallet"]  # nothing of the dead is left
