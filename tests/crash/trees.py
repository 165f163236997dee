"""Blocks with branches, and the coins that each tip should have, by a naive replay from genesis."""

from functools import cache

from chain.block import Block
from chain.coins import Coin, coins_hash
from chain.transaction import OutPoint
from tests.builders import ChainBuilder, key, p2wpkh
from tests.node.support import QUICK

FORKS = ((0, 9), (4, 7), (6, 6), (2, 12), (11, 6), (13, 5))
"""Where on the active chain of the moment a branch begins, and how many blocks it has."""


@cache
def tree() -> tuple[Block, ...]:
    """45 blocks, parents first: six branches, each of which becomes the longest; with payments."""
    chain, blocks = ChainBuilder(QUICK), []
    for fork, count in FORKS:
        if fork:
            chain.chainstate.invalidate(chain.chainstate.active[fork + 1].hash)
        for number in range(count):
            ripe = [each for each in chain.mature() if number % 2]
            txs = [chain.pay(each, p2wpkh(key(number))) for each in ripe[:2]]
            blocks += chain.mine(txs=txs)
    return tuple(blocks)


@cache
def by_hash() -> dict[bytes, Block]:
    """The same, to be found."""
    return {block.hash: block for block in tree()}


@cache
def coins_at(tip: bytes) -> dict[OutPoint, Coin]:
    """The coins after the block `tip`, by following every transaction from genesis."""
    if tip == QUICK.genesis.hash:
        return {}
    path = [by_hash()[tip]]
    while path[-1].header.prev_hash != QUICK.genesis.hash:
        path.append(by_hash()[path[-1].header.prev_hash])
    coins: dict[OutPoint, Coin] = {}
    for height, block in enumerate(reversed(path), 1):
        for number, tx in enumerate(block.transactions):
            for tx_in in tx.inputs if number else ():
                del coins[tx_in.outpoint]
            for index, output in enumerate(tx.outputs):
                if output.script_pubkey[:1] != b"\x6a":
                    coins[OutPoint(tx.txid, index)] = Coin(output, height, number == 0)
    return coins


@cache
def digest_at(tip: bytes) -> bytes:
    """Their digest."""
    return coins_hash(sorted(coins_at(tip).items()))
