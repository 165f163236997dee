"""StorageError: what a node's data directory may say. What breaks a rule is told elsewhere:
`chain/errors.py` and `node/mempool/reasons.py`."""


class StorageError(Exception):
    """The data directory cannot be used; the message is one line that says what to do."""
