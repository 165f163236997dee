"""Places on disk: where Farthing keeps what is not told to lie elsewhere.

`FARTHING_HOME` moves everything; without it the system's own place for a user's data is taken.
"""

import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """The folder that holds wallets and networks."""
    named = os.environ.get("FARTHING_HOME")
    return Path(named) if named else Path(platformdirs.user_data_dir("farthing", appauthor=False))


def node_directory() -> Path:
    """The data directory of a single node."""
    return home() / "node"


def testnet_directory() -> Path:
    """The folder of the local network."""
    return home() / "testnet"


def wallet_directory() -> Path:
    """The folder of the wallets' files."""
    return home() / "wallets"
