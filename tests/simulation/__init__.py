"""Whole networks under a virtual clock: `python -m tests.simulation --seeds 200`, or `--seed 7`."""
