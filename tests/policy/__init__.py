"""Verdicts of the mempool, area by area: what Bitcoin Core 31 answers, word for word."""
