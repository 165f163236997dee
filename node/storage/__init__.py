"""The key-value store on disk.

Reading order, which is also the import order: a file imports only files above it.

    trouble   what a failing disk means, in one sentence
    leveldb   LevelDB by plyvel
    sqlite    the same interface on the standard library's sqlite3
    opening   which of the two, and the lock on the data directory
"""
