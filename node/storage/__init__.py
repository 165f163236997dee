"""The key-value store on disk.

Reading order, which is also the import order: a file imports only files above it.

    trouble   what a failing disk means, in one sentence
    frames    blocks in a file, in Core's framing, whoever wrote it
    blocks    block files: bodies outside the database
    buffer    many batches as one
    leveldb   LevelDB by plyvel
    sqlite    the same interface on the standard library's sqlite3
    opening   which of the two, with the block files; and the lock on the data directory
"""
