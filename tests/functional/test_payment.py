"""A payment crosses five real nodes, is mined, and is confirmed in a wallet."""

from pathlib import Path

from chain.params import REGTEST
from scripts.funds import TEST_MNEMONIC, accounts, fund, pay_from_faucet
from tests.functional.support import eventually, start_network
from wallet import Wallet
from wallet.client import EsploraClient

PAID = 123_456_789


def test_a_payment_entered_at_one_node_confirms_through_another(tmp_path: Path) -> None:
    with start_network(tmp_path / "network", 5) as network:
        network.wait_for_block(fund(network, REGTEST))
        nodes = network.nodes
        payee, _ = Wallet.create(tmp_path / "payee.wallet", REGTEST, "password")
        through_node_1 = EsploraClient(nodes[1].url)

        txid = pay_from_faucet(nodes[0], REGTEST, payee.address(), PAID)
        eventually(lambda: txid in nodes[4].rpc.call("getrawmempool"))
        eventually(lambda: txid in nodes[1].rpc.call("getrawmempool"))
        payee.sync(through_node_1)
        assert (payee.balance().confirmed, payee.balance().pending) == (0, PAID)

        eventually(lambda: txid in nodes[2].rpc.call("getrawmempool"))
        anyone = accounts(REGTEST)[3].address
        (block,) = nodes[2].rpc.call("generatetoaddress", 1, anyone)
        network.wait_for_block(block)
        payee.sync(through_node_1)
        assert (payee.balance().confirmed, payee.balance().pending) == (PAID, 0)
        (item,) = payee.history()
        assert (item.txid, item.net, item.height) == (txid, PAID, 121)


def test_ten_accounts_hold_what_the_network_promises(tmp_path: Path) -> None:
    with start_network(tmp_path / "network", 2) as network:
        network.wait_for_block(fund(network, REGTEST))
        client = EsploraClient(network.nodes[1].url)
        known = accounts(REGTEST)
        assert len(known) == 10
        assert known[0].address == "bcrt1qquv9lg5g2r4jkr0ahun0ddfg5xntxjelwjpnuw"
        assert {client.confirmed_balance(account.address) for account in known} == {50 * 10**8}
        restored = Wallet.in_memory(TEST_MNEMONIC, REGTEST, kind="wpkh")
        restored.sync(client)
        assert restored.balance().confirmed == 500 * 10**8
