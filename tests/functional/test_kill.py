"""SIGKILL in the middle of mining and traffic: nothing that was acknowledged is lost."""

import os
import random
import signal
import threading
import time
from pathlib import Path

from chain.params import REGTEST
from scripts.funds import TEST_MNEMONIC, accounts, faucet_address, fund
from scripts.network import LocalNetwork
from scripts.node_process import NodeProcess
from scripts.rpc_client import NodeUnreachable, RpcError
from tests.functional.support import eventually, start_network
from wallet import Wallet
from wallet.client import EsploraClient
from wallet.errors import WalletError

KILLS = 10
RPC_FAILURES = (NodeUnreachable, RpcError, OSError)


class Traffic(threading.Thread):
    """Mines at the victim, pays at a neighbour, and keeps what was acknowledged."""

    def __init__(self, victim: NodeProcess, neighbour: NodeProcess) -> None:
        super().__init__(daemon=True)
        self.victim, self.neighbour = victim, neighbour
        self.acknowledged_blocks: list[str] = []
        self.acknowledged_payments: list[str] = []
        self.done = threading.Event()

    def run(self) -> None:
        payer = Wallet.in_memory(TEST_MNEMONIC, REGTEST, kind="wpkh")
        client = EsploraClient(self.neighbour.url)
        target = accounts(REGTEST)[5].address
        while not self.done.is_set():
            try:
                payer.sync(client)
                self.acknowledged_payments.append(payer.send(client, [(target, 10_000)]))
            except WalletError:
                time.sleep(0.02)
            try:
                mined = self.victim.rpc.call("generatetoaddress", 2, faucet_address(REGTEST))
                self.acknowledged_blocks.extend(mined)
            except RPC_FAILURES:
                time.sleep(0.02)


def restart(network: LocalNetwork, number: int) -> NodeProcess:
    """Start node `number` again on its own data and wait until it answers."""
    network.restart_node(number)
    return network.nodes[number]


def test_ten_kills_lose_no_acknowledged_block(tmp_path: Path) -> None:
    rng = random.Random(7)
    with start_network(tmp_path / "network", 3) as network:
        network.wait_for_block(fund(network, REGTEST))
        survivor = network.nodes[0]
        for _ in range(KILLS):
            victim = network.nodes[2]
            traffic = Traffic(victim, survivor)
            traffic.start()
            time.sleep(0.2 + rng.random() * 0.5)
            os.kill(victim.pid, signal.SIGKILL)
            time.sleep(0.05)
            traffic.done.set()
            traffic.join(timeout=30)
            assert not traffic.is_alive()
            revived = restart(network, 2)
            for block in traffic.acknowledged_blocks:
                assert revived.rpc.call("getblockheader", block)["confirmations"] > 0
            eventually(lambda node=revived: same_tip(node, survivor))
            eventually(lambda node=revived: same_mempool(node, survivor))
            for txid in traffic.acknowledged_payments:
                assert revived.rpc.call("getrawtransaction", txid, 0)


def same_tip(one: NodeProcess, other: NodeProcess) -> bool:
    return bool(one.rpc.call("getbestblockhash") == other.rpc.call("getbestblockhash"))


def same_mempool(one: NodeProcess, other: NodeProcess) -> bool:
    return sorted(one.rpc.call("getrawmempool")) == sorted(other.rpc.call("getrawmempool"))
