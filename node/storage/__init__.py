"""The key-value store on disk.

Reading order, which is also the import order: a file imports only files above it.

    leveldb   LevelDB by plyvel
    sqlite    the same interface on the standard library's sqlite3
    opening   which of the two, and the lock on the data directory
"""
