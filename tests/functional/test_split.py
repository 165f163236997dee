"""Two halves mine apart, then meet.

    blocks    … 120 -- a121 -- a122                  mined by nodes 0 and 1, with a payment to alice
                   \\- b121 -- b122 -- b123           mined by nodes 2 and 3, with another

Node 3 then dials node 0: everyone moves to b123, and the payment of a121 confirms in b124.
"""

from pathlib import Path

from chain.params import REGTEST
from scripts.funds import TEST_MNEMONIC, accounts, fund, pay_from_faucet
from scripts.network import LocalNetwork
from scripts.node_process import NodeProcess
from tests.functional.support import eventually, start_network
from wallet import Wallet
from wallet.client import EsploraClient

FROM_FAUCET, FROM_ACCOUNT = 100_000_000, 70_000_000


def mine(node: NodeProcess, count: int) -> list[str]:
    hashes: list[str] = node.rpc.call("generatetoaddress", count, accounts(REGTEST)[9].address)
    return hashes


def part(network: LocalNetwork) -> None:
    """Start nodes 2 and 3 again with nobody but each other to dial."""
    for number in (2, 3):
        network.stop_node(number)
    network.restart_node(2, peers=[])
    network.restart_node(3, peers=[2])


def test_two_halves_part_and_meet(tmp_path: Path) -> None:
    with start_network(tmp_path / "network", 4, "--connect", "--block-time", "off") as network:
        network.wait_for_block(fund(network, REGTEST))
        part(network)
        left, left_friend, right, right_friend = network.nodes
        alice, _ = Wallet.create(tmp_path / "alice.wallet", REGTEST, "password")
        payer = Wallet.in_memory(TEST_MNEMONIC, REGTEST, kind="wpkh")

        lost = pay_from_faucet(left, REGTEST, alice.address(), FROM_FAUCET)
        a_branch = mine(left, 2)
        payer.sync(EsploraClient(right.url))
        kept = payer.send(EsploraClient(right.url), [(alice.address(new=True), FROM_ACCOUNT)])
        b_branch = mine(right, 3)
        eventually(lambda: left_friend.rpc.call("getbestblockhash") == a_branch[-1])
        eventually(lambda: right_friend.rpc.call("getbestblockhash") == b_branch[-1])
        assert balance(alice, left) == (FROM_FAUCET, 0)
        assert balance(alice, right) == (FROM_ACCOUNT, 0)

        network.stop_node(3)
        network.restart_node(3, peers=[2, 0])
        network.wait_for_block(b_branch[-1])
        for node in network.nodes:
            eventually(lambda node=node: node.rpc.call("getrawmempool") == [lost])
            assert balance(alice, node) == (FROM_ACCOUNT, FROM_FAUCET)
        assert left.rpc.call("getblockheader", a_branch[0])["confirmations"] == -1

        (block,) = mine(left_friend, 1)
        network.wait_for_block(block)
        for node in network.nodes:
            assert node.rpc.call("getrawmempool") == []
            assert balance(alice, node) == (FROM_ACCOUNT + FROM_FAUCET, 0)
        heights = {item.txid: item.height for item in alice.history()}
        assert heights == {kept: 121, lost: 124}


def balance(wallet: Wallet, node: NodeProcess) -> tuple[int, int]:
    """Confirmed and pending, as this node tells it."""
    wallet.sync(EsploraClient(node.url))
    held = wallet.balance()
    return held.confirmed, held.pending
