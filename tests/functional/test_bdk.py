"""A real wallet, written by others: BDK with its own Esplora client, against real nodes."""

from pathlib import Path

import bdkpython as bdk

from chain.params import REGTEST
from scripts.funds import faucet_address, fund, pay_from_faucet
from scripts.node_process import NodeProcess
from tests.functional.support import eventually, start_network

KIND = bdk.NetworkKind.TEST
STOP_GAP, PARALLEL = 20, 2


class RealWallet:
    """A BDK wallet of a new mnemonic, and the client through which it sees the network."""

    def __init__(self, node: NodeProcess) -> None:
        secret = bdk.DescriptorSecretKey(KIND, bdk.Mnemonic(bdk.WordCount.WORDS12), None)
        receive, change = (
            bdk.Descriptor.new_bip84(secret, kind, KIND)
            for kind in (bdk.KeychainKind.EXTERNAL, bdk.KeychainKind.INTERNAL)
        )
        persister = bdk.Persister.new_in_memory()
        self.wallet = bdk.Wallet(receive, change, bdk.Network.REGTEST, persister)
        self.client = bdk.EsploraClient(f"{node.url}/api")

    def address(self) -> str:
        return str(self.wallet.reveal_next_address(bdk.KeychainKind.EXTERNAL).address)

    def scan(self) -> bdk.Balance:
        request = self.wallet.start_full_scan().build()
        self.wallet.apply_update(self.client.full_scan(request, STOP_GAP, PARALLEL))
        return self.wallet.balance()

    def sync(self) -> bdk.Balance:
        request = self.wallet.start_sync_with_revealed_spks().build()
        self.wallet.apply_update(self.client.sync(request, PARALLEL))
        return self.wallet.balance()

    def pay(self, address: str, satoshis: int) -> str:
        script = bdk.Address(address, bdk.Network.REGTEST).script_pubkey()
        builder = bdk.TxBuilder().add_recipient(script, bdk.Amount.from_sat(satoshis))
        psbt = builder.fee_rate(bdk.FeeRate.from_sat_per_vb(3)).finish(self.wallet)
        assert self.wallet.sign(psbt)
        transaction = psbt.extract_tx()
        self.client.broadcast(transaction)
        return str(transaction.compute_txid())

    def height_of(self, txid: str) -> int | None:
        (found,) = [
            tx for tx in self.wallet.transactions() if str(tx.transaction.compute_txid()) == txid
        ]
        position = found.chain_position
        if position.is_unconfirmed():
            return None
        return int(position.confirmation_block_time.block_id.height)


def mine(node: NodeProcess, count: int = 1) -> str:
    """The hash of the last of some new blocks."""
    return str(node.rpc.call("generatetoaddress", count, faucet_address(REGTEST))[-1])


def test_a_real_wallet_receives_pays_and_follows_a_reorganisation(tmp_path: Path) -> None:
    with start_network(tmp_path / "network", 3, "--connect", "--block-time", "off") as network:
        network.wait_for_block(fund(network, REGTEST))
        here, there, _ = network.nodes
        real = RealWallet(here)
        assert real.scan().total.to_sat() == 0

        received = pay_from_faucet(there, REGTEST, real.address(), 250_000_000)
        eventually(lambda: received in here.rpc.call("getrawmempool"))
        assert real.scan().untrusted_pending.to_sat() == 250_000_000
        network.wait_for_block(mine(there))
        assert real.sync().confirmed.to_sat() == 250_000_000
        assert real.height_of(received) == 121

        # From here on the third node is alone.
        network.stop_node(2)
        network.restart_node(2, peers=[])
        paid = real.pay(faucet_address(REGTEST), 40_000_000)
        eventually(lambda: paid in there.rpc.call("getrawmempool"))
        tip = mine(there)
        eventually(lambda: here.rpc.call("getbestblockhash") == tip)
        held = real.sync()
        assert 209_990_000 < held.confirmed.to_sat() < 210_000_000
        assert real.height_of(paid) == 122

        # Its branch is longer and lacks the payment: that waits again, then confirms higher up.
        tip = mine(network.nodes[2], 2)
        network.stop_node(2)
        network.restart_node(2, peers=[0])
        network.wait_for_block(tip)
        real.sync()
        assert real.height_of(paid) is None
        assert real.height_of(received) == 121
        assert str(real.client.get_tip_hash()) == tip
        network.wait_for_block(mine(here))
        assert real.sync().confirmed.to_sat() == held.confirmed.to_sat()
        assert real.height_of(paid) == 124
