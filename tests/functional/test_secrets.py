"""A wallet's secrets stay sealed: they are not in its files, not in what its commands print, not in
the arguments of a process, nor in any log."""

import base64
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from embit.ec import PrivateKey
from embit.networks import NETWORKS

from chain.params import REGTEST
from scripts.funds import fund, pay_from_faucet
from tests.functional.support import eventually, start_network
from wallet import Wallet, keeping, keystore, unlocking
from wallet.client import EsploraClient
from wallet.hd import ExtendedPrivateKey, parse_path
from wallet.mnemonic import seed
from wallet.sealing import key_of

WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow"
PASSWORD = "correct horse battery staple"
ACCOUNTS = [f"m/{purpose}h/1h/0h" for purpose in (44, 49, 84, 86)]


def needles() -> dict[str, bytes]:
    """Everything that could spend, in the forms in which programs write such things."""
    root = ExtendedPrivateKey.from_seed(seed(WORDS))
    keys = [root, *(root.derive(parse_path(path)) for path in ACCOUNTS)]
    keys += [key.derive((branch, n)) for key in keys[1:] for branch in (0, 1) for n in range(3)]
    raw = {"the seed": seed(WORDS)} | {
        f"key {number}": key.secret for number, key in enumerate(keys)
    }
    found = {"the words": WORDS.encode(), "the password": PASSWORD.encode()}
    found["half of the words"] = " ".join(WORDS.split()[:6]).encode()
    for what, secret in raw.items():
        found[f"{what}, bytes"] = secret
        found[f"{what}, hex"] = secret.hex().encode()
        found[f"{what}, number"] = str(int.from_bytes(secret, "big")).encode()
        found[f"{what}, base64"] = base64.b64encode(secret)[:40]
    for number, key in enumerate(keys):
        found[f"key {number}, extended"] = key.serialize(REGTEST).encode()
        found[f"key {number}, WIF"] = PrivateKey(key.secret).wif(NETWORKS["regtest"]).encode()
    return found


NEEDLES = needles()


def look_for_the_key_of(path: Path) -> None:
    """From now on, for what opens this wallet's seal too."""
    key = key_of(keystore.read(path).sealed, PASSWORD)
    NEEDLES["the seal's key, bytes"] = key
    NEEDLES["the seal's key, hex"] = key.hex().encode()
    NEEDLES["the seal's key, base64"] = base64.b64encode(key)[:40]


def leaks(where: str, text: bytes) -> list[str]:
    lower = text.lower()
    return [f"{what} in {where}" for what, secret in NEEDLES.items() if secret.lower() in lower]


def shown_of(pid: int) -> bytes:
    """What a listing of processes may show of one."""
    parts = [Path(f"/proc/{pid}/{part}") for part in ("cmdline", "comm", "status", "environ")]
    # What may not be read, nobody else reads either.
    return b"\n".join(part.read_bytes() for part in parts if os.access(part, os.R_OK))


def files_below(*folders: Path) -> Iterable[Path]:
    return (path for folder in folders for path in folder.rglob("*") if path.is_file())


def watched(home: Path, *words: str, typed: str = "") -> tuple[str, list[str]]:
    """Run a command and look at its arguments while it lives: what it said, and what leaked."""
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "ignore", "-m", "farthing", *words],
        env=os.environ | {"FARTHING_HOME": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    listing = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    environment = Path(f"/proc/{process.pid}/environ").read_bytes()
    out, err = process.communicate(typed.encode(), timeout=120)
    assert process.returncode == 0, err
    found = leaks("a listing of processes", listing + environment.replace(b"\0", b" "))
    return out.decode(), found + leaks(f"what {words[1]} printed", out + err)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")
def test_no_secret_leaves_the_seal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    home = tmp_path / "home"
    given = tmp_path / "given"  # the owner's own notes
    given.mkdir()
    (given / "words").write_text(WORDS)
    (given / "password").write_text(PASSWORD)
    password = ("--password-file", str(given / "password"))
    found: list[str] = []

    def run(*words: str, typed: str = "") -> str:
        out, leaked = watched(home, "wallet", *words, typed=typed)
        found.extend(leaked)
        return out

    with start_network(tmp_path / "network", 1) as network:
        network.wait_for_block(fund(network, REGTEST))
        (node,) = network.nodes
        at_node = ("--node", node.url)
        run("restore", "owner", "--words-file", str(given / "words"), *password)
        run("create", "other", "--password-file", "-", typed=PASSWORD + "\n")
        address = run("address", "owner").split()[-1]
        paid = pay_from_faucet(node, REGTEST, address, 10_000_000)
        eventually(lambda: paid in node.rpc.call("getrawmempool"))
        node.rpc.call("generatetoaddress", 1, address)
        other = run("address", "other").split()[-1]
        run("send", "owner", other, "0.01", "--yes", *password, *at_node)
        run("balance", "owner", *at_node)
        run("history", "owner", "--json", *at_node)

        path = home / "wallets" / "owner.wallet"
        look_for_the_key_of(path)
        run("unlock", "owner", "--for", "5m", *password)
        state = json.loads(run("unlock", "owner", "--status", "--json"))
        run("send", "owner", other, "0.01", "--yes", *at_node)
        names = list((path.parent / ".unlocked").iterdir())
        assert len(names) == 1
        found += leaks("the agent's process", shown_of(state["pid"]).replace(b"\0", b" "))
        found += leaks("names of files", b"\n".join(os.fsencode(each) for each in home.rglob("*")))
        unlocked = list(files_below(home))
        for file in unlocked:
            found += leaks(f"{file.name} while unlocked", file.read_bytes())
        assert path in unlocked
        run("lock", "owner")
        assert "is locked" in run("unlock", "owner", "--status")

        # The same in this process, with every library's log at its most talkative.
        wallet = Wallet.open(path)
        client = EsploraClient(node.url)
        wallet.sync(client)
        draft = wallet.prepare([(other, 50_000)], feerate=2)
        wallet.broadcast(client, wallet.sign(draft, PASSWORD))
        keeping.unlock(path, PASSWORD, 60)
        key, answer = (
            wallet.unlocked(),
            unlocking._ask(path, f"key {unlocking._seal(keystore.read(path))}"),
        )
        assert key and answer and key.secret == answer.key
        unlocking.lock(path)
        found += leaks("a repr", repr([wallet, vars(wallet), draft, key, answer]).encode())
    assert "urllib3" in caplog.text  # it did talk
    found += leaks("a log at debug level", caplog.text.encode())
    looked_at = list(files_below(home, tmp_path / "network"))
    for file in looked_at:
        found += leaks(str(file.relative_to(tmp_path)), file.read_bytes())
    assert path in looked_at
    assert node.log in looked_at
    assert found == []


def test_what_is_looked_for_would_be_found() -> None:
    assert leaks("notes", b"my words: " + WORDS.upper().encode()) == [
        "the words in notes",
        "half of the words in notes",
    ]
    root = ExtendedPrivateKey.from_seed(seed(WORDS))
    assert leaks("it", b"x" + root.secret + b"x") == ["key 0, bytes in it"]
