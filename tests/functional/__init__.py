"""Real node processes on loopback, real stores, real wallets."""
