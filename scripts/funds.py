"""The money of a local network: ten known accounts, and a faucet that pays from the rest.

All keys come from one mnemonic that everybody knows (other development networks use the same
words), so any wallet that restores it sees the same accounts. It is worth nothing elsewhere.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from chain.params import Params
from scripts.network import LocalNetwork, NetworkError, exclusive
from scripts.node_process import NodeProcess
from wallet import Wallet
from wallet.amounts import format_amount
from wallet.client import EsploraClient
from wallet.errors import NotEnoughMoney

TEST_MNEMONIC = "test test test test test test test test test test test junk"
ACCOUNTS = 10
# How many blocks the faucet can spend at once when the network is ready.
FAUCET_BLOCKS = 10
FAUCET_ACCOUNT = 1


@dataclass(frozen=True)
class Account:
    """One funded account: its address, its key's path, its confirmed balance in satoshis."""

    address: str
    path: str
    balance: int = 0


def accounts(params: Params) -> list[Account]:
    """The ten accounts, balances left at zero."""
    owner = Wallet.in_memory(TEST_MNEMONIC, params, kind="wpkh")
    base = f"m/84'/{params.coin_type}'/0'/0"
    return [Account(owner.address_at(index), f"{base}/{index}") for index in range(ACCOUNTS)]


def faucet(params: Params) -> Wallet:
    """The wallet that owns what no account was promised."""
    return Wallet.in_memory(TEST_MNEMONIC, params, FAUCET_ACCOUNT, kind="wpkh")


def faucet_address(params: Params) -> str:
    """The address that earns every block that no account was promised."""
    return faucet(params).address_at(0)


def fund(network: LocalNetwork, params: Params) -> str:
    """Mine the first blocks: one to each account, some to the faucet, and more to mature them.

    Nobody else may mine meanwhile. Returns the tip's hash; a chain that has been funded before is
    left as it is.
    """
    miner = network.first().rpc
    if network.is_funded:
        return str(miner.call("getbestblockhash"))
    to_faucet = faucet_address(params)
    rewards = [(account.address, 1) for account in accounts(params)]
    rewards.append((to_faucet, FAUCET_BLOCKS + params.coinbase_maturity_blocks))
    if params.no_retargeting:
        for address, count in rewards:
            miner.call("generatetoaddress", count, address)
    else:
        mine_in_the_past(network.first(), params, rewards)
    network.set_funded()
    return str(miner.call("getbestblockhash"))


def mine_in_the_past(node: NodeProcess, params: Params, rewards: list[tuple[str, int]]) -> None:
    """Mine with the node's clock set back and moved on by one target spacing a block.

    Where difficulty follows the clock, a hundred blocks in a second would make the next ones
    unaffordable.
    """
    total = sum(count for _, count in rewards)
    clock = int(time.time()) - total * params.target_spacing_s
    try:
        for address, count in rewards:
            for _ in range(count):
                clock += params.target_spacing_s
                node.rpc.call("setmocktime", clock)
                node.rpc.call("generatetoaddress", 1, address)
    finally:
        node.rpc.call("setmocktime", 0)


def balances(node: NodeProcess, params: Params) -> list[Account]:
    """The ten accounts with what the node says each of them holds, confirmed."""
    client = EsploraClient(node.url)
    return [
        Account(account.address, account.path, client.confirmed_balance(account.address))
        for account in accounts(params)
    ]


def pay_from_faucet(node: NodeProcess, params: Params, address: str, satoshis: int) -> str:
    """Send coins of the faucet to an address; returns the txid as people see it.

    Callers wait for each other: two that saw the same coins would spend them twice.
    """
    owner = faucet(params)
    client = EsploraClient(node.url)
    with exclusive(Path(node.datadir).parent):
        owner.sync(client)
        try:
            return owner.send(client, [(address, satoshis)])
        except NotEnoughMoney as error:
            have, need = format_amount(error.have), format_amount(error.need)
            raise NetworkError(
                f"the faucet can spend {have} and needs {need}; "
                "mine more for it: farthing testnet mine 10"
            ) from error
