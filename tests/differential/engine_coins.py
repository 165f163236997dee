"""The coins in the engine's database: LevelDB, its values hidden by XOR, in Core's compressed form.

Reads the `chainstate` folder of an engine that was closed. A row: `C`, txid and index; then height
and coinbase, value and script. Read beside it: Core's txdb.cpp, compressor.h and serialize.h.
"""

from collections.abc import Iterator
from pathlib import Path

from coincurve import PublicKey

from chain.coins import Coin
from chain.transaction import OutPoint, TxOut

try:
    import plyvel
except ImportError:  # there is no wheel for this Python
    plyvel = None

CAN_READ = plyvel is not None
HIDING_KEY = b"\x0e\x00obfuscate_key"


def read_coins(folder: Path) -> Iterator[tuple[OutPoint, Coin]]:
    """All coins, in order of (txid, index)."""
    database = plyvel.DB(str(folder), create_if_missing=False)
    try:
        hiding = database.get(HIDING_KEY)[1:]  # after its length
        coins = []
        for key, value in database.iterator(prefix=b"C"):
            pad = hiding * (len(value) // len(hiding) + 1)
            row = bytes(byte ^ other for byte, other in zip(value, pad, strict=False))
            coins.append((OutPoint(key[1:33], _number(key, 33)[0]), _coin(row)))
    finally:
        database.close()
    return iter(sorted(coins))


def _coin(row: bytes) -> Coin:
    code, at = _number(row, 0)
    value, at = _number(row, at)
    kind, at = _number(row, at)
    output = TxOut(_value(value), _script(kind, row[at:]))
    return Coin(output, code >> 1, bool(code & 1))


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Seven bits a byte, the highest first; every byte but the last adds one to those before."""
    number = 0
    while data[at] & 0x80:
        number = (number << 7 | data[at] & 0x7F) + 1
        at += 1
    return number << 7 | data[at], at + 1


def _value(packed: int) -> int:
    """Satoshi: the zeros at the end are counted, and the last digit before them is told apart."""
    if packed == 0:
        return 0
    rest, zeros = divmod(packed - 1, 10)
    if zeros == 9:
        digits = rest + 1
    else:
        digits = rest // 9 * 10 + rest % 9 + 1
    for _ in range(zeros):
        digits *= 10
    return digits


def _script(kind: int, data: bytes) -> bytes:
    """The hash of a key or of a script, a key, or any script (whose length counts from six)."""
    if kind >= 6:
        if len(data) != kind - 6:
            raise ValueError(f"a script of {kind - 6} bytes has {len(data)}")
        return data
    if kind == 0:
        return b"\x76\xa9\x14" + data + b"\x88\xac"
    if kind == 1:
        return b"\xa9\x14" + data + b"\x87"
    if kind < 4:
        return b"\x21" + bytes([kind]) + data + b"\xac"
    whole = PublicKey(bytes([kind - 2]) + data).format(compressed=False)
    return b"\x41" + whole + b"\xac"
