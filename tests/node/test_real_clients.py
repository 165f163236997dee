"""Clients that others wrote, against a node of ours on a real server: BDK, python-bitcoinlib."""

from collections.abc import Iterator

import bdkpython as bdk
import bitcoin
import bitcoin.rpc
import pytest
from bitcoin.core import COutPoint, CTransaction, b2lx, lx
from bitcoin.wallet import CBitcoinAddress

from node.events import NetAddress
from tests.builders import key, p2wpkh
from tests.node.serving import Served, running, shown

COIN = 100_000_000
KIND = bdk.NetworkKind.TEST
THERE = p2wpkh(key(1))
THERE_ADDRESS = "bcrt1qcava4gh0d6jqcnh9n9zs2fq2v8u0kplxkxq3xl"
WORDS = "test test test test test test test test test test test junk"


class Scene:
    """A node, where it answers, and BDK's client of it."""

    def __init__(self, served: Served, address: NetAddress) -> None:
        self.served = served
        self.address = address
        self.client = bdk.EsploraClient(f"http://127.0.0.1:{address.port}/api")


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    served = Served(blocks=30)
    with running(served) as address:
        yield Scene(served, address)


def txid_of(text: str) -> bdk.Txid:
    return bdk.Txid.from_string(text)


def block_hash(text: str) -> bdk.BlockHash:
    return bdk.BlockHash.from_string(text)


def test_bdk_reads_blocks(scene: Scene) -> None:
    chain, client = scene.served.chain, scene.client
    tip = shown(chain.tip.hash)
    assert client.get_height() == chain.height
    assert str(client.get_tip_hash()) == str(client.get_block_hash(chain.height)) == tip
    (mined,) = chain.mine()
    name = shown(mined.hash)
    header = client.get_header_by_hash(block_hash(name))
    assert (header.time, header.nonce) == (mined.header.time, mined.header.nonce)
    assert str(header.prev_blockhash) == tip
    block = client.get_block_by_hash(block_hash(name))
    assert block is not None
    coinbase = shown(mined.transactions[0].txid)
    assert [str(tx.compute_txid()) for tx in block.txdata] == [coinbase]
    assert str(client.get_txid_at_block_index(block_hash(name), 0)) == coinbase
    assert client.get_txid_at_block_index(block_hash(name), 1) is None
    assert client.get_block_by_hash(block_hash("ab" * 32)) is None
    with pytest.raises(bdk.EsploraError):
        client.get_header_by_hash(block_hash("ab" * 32))


def test_bdk_reads_transactions(scene: Scene) -> None:
    chain, client = scene.served.chain, scene.client
    source = chain.mature()[0]
    tx = chain.pay(source, THERE, fee=1_000)
    raw, name = tx.serialize(), txid_of(shown(tx.txid))
    client.broadcast(bdk.Transaction(raw))
    spent = txid_of(shown(source.outpoint.txid))
    for height in (None, chain.height + 1):
        if height:
            chain.mine(txs=[tx])
        found = client.get_tx(name)
        assert found is not None
        assert found.serialize() == raw == client.get_tx_no_opt(name).serialize()
        info = client.get_tx_info(name)
        assert info is not None
        assert (info.fee, info.size, info.weight) == (1_000, tx.size, tx.weight)
        status = client.get_tx_status(name)
        assert (status.confirmed, status.block_height) == (height is not None, height)
        spend = client.get_output_status(spent, 0)
        assert spend is not None
        assert (spend.spent, str(spend.txid), spend.vin) == (True, shown(tx.txid), 0)
    proof = client.get_merkle_proof(name)
    assert proof is not None
    assert (proof.block_height, proof.pos) == (chain.height, 1)
    address = bdk.Address(THERE_ADDRESS, bdk.Network.REGTEST)
    assert [str(each.txid) for each in client.get_address_txs(address, None)] == [shown(tx.txid)]
    assert client.get_address_txs(address, name) == []
    unknown = txid_of("ab" * 32)
    assert client.get_tx(unknown) is client.get_tx_info(unknown) is None
    assert client.get_tx_status(unknown).confirmed is False
    assert client.get_merkle_proof(unknown) is None


def test_bdk_reads_fees_and_refusals(scene: Scene) -> None:
    chain, client = scene.served.chain, scene.client
    estimates = client.get_fee_estimates()
    assert len(estimates) == 28
    assert set(estimates.values()) == {0.1}
    free = chain.pay(chain.mature()[0], THERE, fee=0)
    with pytest.raises(bdk.EsploraError) as caught:
        client.broadcast(bdk.Transaction(free.serialize()))
    text = str(caught.value) + repr(caught.value)
    assert "400" in text
    assert "sendrawtransaction RPC error -26: min relay fee not met, 0 < 1" in text


def new_wallet() -> bdk.Wallet:
    secret = bdk.DescriptorSecretKey(KIND, bdk.Mnemonic.from_string(WORDS), None)
    receive, change = (
        bdk.Descriptor.new_bip84(secret, kind, KIND)
        for kind in (bdk.KeychainKind.EXTERNAL, bdk.KeychainKind.INTERNAL)
    )
    return bdk.Wallet(receive, change, bdk.Network.REGTEST, bdk.Persister.new_in_memory())


def test_a_bdk_wallet_receives_pays_and_sees_a_reorganisation(scene: Scene) -> None:
    served, client, wallet = scene.served, scene.client, new_wallet()
    chain = served.chain

    def scan() -> bdk.Balance:
        wallet.apply_update(client.full_scan(wallet.start_full_scan().build(), 5, 1))
        return wallet.balance()

    def sync() -> bdk.Balance:
        request = wallet.start_sync_with_revealed_spks().build()
        wallet.apply_update(client.sync(request, 1))
        return wallet.balance()

    assert scan().total.to_sat() == 0
    address = wallet.reveal_next_address(bdk.KeychainKind.EXTERNAL).address
    script = bytes(address.script_pubkey().to_bytes())
    # More than a page of history: thirty payments.
    fan = chain.pay(chain.mature()[0], script, parts=30)
    chain.mine(txs=[fan])
    singles = [chain.pay(each, script) for each in chain.mature()[:28]]
    chain.mine(txs=singles)
    held = sum(output.value for tx in (fan, *singles) for output in tx.outputs)
    assert scan().confirmed.to_sat() == held
    assert len(wallet.transactions()) == 29

    target = bdk.Address(THERE_ADDRESS, bdk.Network.REGTEST).script_pubkey()
    builder = bdk.TxBuilder().add_recipient(target, bdk.Amount.from_sat(COIN))
    psbt = builder.fee_rate(bdk.FeeRate.from_sat_per_vb(2)).finish(wallet)
    assert wallet.sign(psbt)
    payment = psbt.extract_tx()
    client.broadcast(payment)
    txid = str(payment.compute_txid())
    assert served.rpc("getrawmempool") == [txid]
    after = sync()
    assert held - COIN - 100_000 < after.total.to_sat() < held - COIN

    (mined,) = served.rpc("generatetoaddress", 1, THERE_ADDRESS)
    assert sync().confirmed.to_sat() == after.total.to_sat()
    # Another block of the same height takes its place, without the payment. (BDK does not follow
    # a chain that only became shorter.)
    served.rpc("invalidateblock", mined)
    chain.mine()
    pending = sync()
    assert pending.total.to_sat() == after.total.to_sat()
    assert pending.trusted_pending.to_sat() > 0
    assert served.get(f"/tx/{txid}/status") == {"confirmed": False}
    served.rpc("generatetoaddress", 1, THERE_ADDRESS)
    assert sync().confirmed.to_sat() == after.total.to_sat()
    assert str(client.get_tip_hash()) == served.rpc("getbestblockhash")


def test_python_bitcoinlib_speaks_to_it(scene: Scene) -> None:
    bitcoin.SelectParams("regtest")
    served, chain = scene.served, scene.served.chain
    url = f"http://{served.runtime.credentials}@127.0.0.1:{scene.address.port}"
    proxy = bitcoin.rpc.Proxy(service_url=url)
    try:
        assert proxy.getblockcount() == chain.height
        assert b2lx(proxy.getbestblockhash()) == shown(chain.tip.hash)
        header = proxy.getblockheader(proxy.getblockhash(1))
        assert header.serialize() == chain.tip.ancestor(1).header.serialize()
        tx = chain.pay(chain.mature()[0], THERE, fee=1_000)
        txid = proxy.sendrawtransaction(CTransaction.deserialize(tx.serialize()))
        assert b2lx(txid) == shown(tx.txid)
        assert txid in proxy.getrawmempool()
        assert proxy.getrawtransaction(txid).serialize() == tx.serialize()
        coin = proxy.gettxout(COutPoint(txid, 0))
        assert coin["txout"].nValue == tx.outputs[0].value
        (mined,) = proxy.generatetoaddress(1, CBitcoinAddress(THERE_ADDRESS))
        block = proxy.getblock(mined)
        assert [b2lx(each.GetTxid()) for each in block.vtx][1] == shown(tx.txid)
        assert proxy.submitblock(block) == "duplicate"
        with pytest.raises(bitcoin.rpc.VerifyAlreadyInChainError):
            proxy.sendrawtransaction(CTransaction.deserialize(tx.serialize()))
        with pytest.raises(IndexError):
            proxy.getblockhash(100_000)
        with pytest.raises(IndexError):
            proxy.getblock(lx("ab" * 32))
    finally:
        proxy.close()
