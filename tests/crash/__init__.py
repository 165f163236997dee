"""Crashes: a disk that fails, tears, forgets and dies; files that are damaged; processes killed.

    disk          the disk that can do that: a store, and the calls by which block files write
    trees         blocks with branches, and the coins that each tip should have, by a naive replay
    chains        a file of blocks to import, and the coins that it ends with

`FARTHING_SWEEP=1 python -m pytest tests/crash -s` goes through 2,000 crash points, 2,000 damaged
files and 100 kills; without it a tenth and less.
"""
