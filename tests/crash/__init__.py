"""Crashes: a disk that fails, tears, forgets and dies.

disk         the disk that can do that: a store and the file calls of the block files
trees        blocks with branches, and the coins that each tip should have, by a naive replay
kills        real processes that import, killed again and again; the command line of it
"""
