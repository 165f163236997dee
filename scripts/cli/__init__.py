"""The command line: `farthing node`, `farthing testnet`, `farthing wallet`."""
