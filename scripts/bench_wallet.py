"""A wallet of ten thousand payments: how long its owner waits for a balance, and to send.

Each payment goes to an address of its own, as wallets do it. The node is a real one, and so is the
command, from its start as a process to its end.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from chain.address import address_to_script
from chain.block import Block
from chain.params import REGTEST
from chain.transaction import SEQUENCE_FINAL, Transaction, TxIn, TxOut
from scripts.bench_blocks import FEE, Row, mine
from scripts.bench_kinds import P2WPKH, blocks_of, funded
from scripts.network import LocalNetwork
from wallet import Wallet
from wallet.client import EsploraClient

PASSWORD, A_BLOCK = "bench", 2_500
FARTHING = [sys.executable, "-m", "farthing", "wallet"]
BARE = "import click, requests"


def payments(scripts: Sequence[bytes]) -> list[Block]:
    """A chain that pays each of these scripts in a transaction of its own."""
    chainstate, coins = funded(P2WPKH, len(scripts))
    txs = []
    for (point, spent), script in zip(coins, scripts, strict=True):
        outputs = (TxOut(spent.value - FEE, script),)
        bare = Transaction(2, (TxIn(point, b"", SEQUENCE_FINAL, ()),), outputs, 0)
        txs.append(Transaction(2, (P2WPKH.unlock(bare, spent),), outputs, 0))
    for start in range(0, len(txs), A_BLOCK):
        some = txs[start : start + A_BLOCK]
        mine(chainstate, some, FEE * len(some))
    return blocks_of(chainstate)


def wallet_rows(count: int, rounds: int, port: int) -> Iterator[Row]:
    """Seconds until the balance is shown, and until a payment is sent, of a synced wallet."""
    balance, sent, bare = list[float](), list[float](), list[float]()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        path = home / "wallets" / "bench.wallet"
        wallet, _ = Wallet.create(path, REGTEST, PASSWORD)
        (home / "password").write_text(PASSWORD)
        addresses = [wallet.address_at(number) for number in range(count)]
        blocks = payments([address_to_script(address, REGTEST) for address in addresses])
        network = LocalNetwork(home / "network")
        network.start(1, first_port=port)
        try:
            node = network.first()
            for block in blocks:
                node.rpc.call("submitblock", block.serialize().hex())
            wallet.sync(EsploraClient(node.url))
            at_node = ["bench", "--node", node.url]
            signed = ["--yes", "--password-file", str(home / "password")]
            pay = ["send", *at_node, addresses[0], "0.00001", "--rate", "1", *signed]
            for _ in range(rounds):
                balance.append(_seconds([*FARTHING, "balance", *at_node], home))
                bare.append(_seconds([sys.executable, "-c", BARE], home))
            for _ in range(rounds):
                sent.append(_seconds([*FARTHING, *pay], home))
        finally:
            network.stop()
    of = f"of a wallet with {count:,} payments"
    yield f"farthing wallet balance {of}", min(balance), "s", f"python -c '{BARE}'", min(bare)
    yield f"farthing wallet send {of}", min(sent), "s", f"python -c '{BARE}'", min(bare)


def _seconds(command: list[str], home: Path) -> float:
    """How long a command takes, from its start as a process to its end."""
    begin = time.perf_counter()
    environment = os.environ | {"FARTHING_HOME": str(home)}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - begin
