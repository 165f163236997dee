"""A file of blocks to import, and the coins that it ends with."""

from functools import cache
from pathlib import Path

from chain.coins import coins_hash
from chain.params import REGTEST
from node.storage.frames import frame
from tests.builders import ChainBuilder, key, p2wpkh


@cache
def chain_of(count: int) -> tuple[bytes, bytes, bytes]:
    """So many blocks as a file, the hash of the last, and the digest of the coins.

    From the 102nd on each has a payment.
    """
    chain = ChainBuilder(REGTEST)
    for number in range(count):
        ripe = [chain.pay(chain.mature()[0], p2wpkh(key(1)))] if number > 100 else []
        chain.mine(txs=ripe)
    raws = [chain.chainstate.read_block_bytes(entry.hash) for entry in chain.chainstate.active]
    data = b"".join(frame(REGTEST.magic, raw or b"") for raw in raws)
    return data, chain.tip.hash, coins_hash(chain.chainstate.coins)


def write_chain(path: Path, count: int) -> tuple[bytes, bytes]:
    """The same, the file at `path`."""
    data, tip, digest = chain_of(count)
    path.write_bytes(data)
    return tip, digest
