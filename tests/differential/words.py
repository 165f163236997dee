"""Random scripts without signatures: instructions as they come, and the limits of what may be.

Knows nothing of how such a script is put into an output (spends).
"""

import random

from chain.script.script import push, push_number
from tests.chain.script.helpers import script

WORDS = [push_number(number) for number in range(-1, 4)]
WORDS += [
    script(word)
    for word in """
    IF NOTIF ELSE ENDIF VERIFY RETURN TOALTSTACK FROMALTSTACK IFDUP DEPTH DROP DUP NIP OVER PICK
    ROLL ROT SWAP TUCK 2DROP 2DUP 3DUP 2OVER 2ROT 2SWAP SIZE EQUAL EQUALVERIFY 1ADD 1SUB NEGATE ABS
    NOT 0NOTEQUAL ADD SUB BOOLAND BOOLOR NUMEQUAL NUMEQUALVERIFY NUMNOTEQUAL LESSTHAN GREATERTHAN
    MIN MAX WITHIN RIPEMD160 SHA1 SHA256 HASH160 HASH256 CODESEPARATOR CHECKSIG CHECKSIGVERIFY
    CHECKMULTISIG CHECKMULTISIGVERIFY CHECKSIGADD NOP NOP1 NOP10 CAT CHECKLOCKTIMEVERIFY
    CHECKSEQUENCEVERIFY VERIF RESERVED
    """.split()
]
WORDS += [  # what chance alone would seldom write
    script("0 0 1 1 1 CHECKMULTISIGVERIFY 1"),
    script("1 2 NUMEQUALVERIFY 1"),
    script("0 VERIFY 1"),
]
ITEMS = (b"", b"\x01", b"\x02", b"\x81", b"\x00", b"\x80", b"\xff\xff\xff\x7f", bytes(5))


def random_code(rng: random.Random) -> bytes:
    """A few instructions that mean something, and now and then a byte that may not."""
    if rng.randrange(3) == 0:
        return rng.choice(LIMITS)(rng.choice((-1, 0, 0, 1, 1)))
    parts = [rng.choice(WORDS) for _ in range(rng.randrange(8))]
    if rng.randrange(2):
        parts.append(bytes([rng.randrange(256)]))
    return b"".join(parts)


def random_items(rng: random.Random) -> list[bytes]:
    """Something on the stack."""
    return [rng.choice(ITEMS) for _ in range(rng.randrange(4))]


# Each takes what to go beyond the limit by.


def script_size(excess: int) -> bytes:
    """10,000 bytes."""
    start = (push(bytes(520)) + b"\x75") * 18 + b"\x51"
    return start + b"\x61" + push(bytes(10_000 + excess - len(start) - 5)) + b"\x75"


def operations(excess: int) -> bytes:
    """201 operations that are no pushes."""
    return b"\x51" + b"\x61" * (201 + excess)


def operations_of_keys(excess: int) -> bytes:
    """The same, as the keys of a multisig count too."""
    return b"\x61" * (180 + excess) + script("0 0") + b"\x51" * 20 + script("20 CHECKMULTISIG")


def stack_size(excess: int) -> bytes:
    """1,000 items, some of them on the other stack."""
    return b"\x51" * 990 + b"\x6b" * 5 + b"\x51" * (10 + excess)


def item_size(excess: int) -> bytes:
    """520 bytes, in a branch that is not taken."""
    return b"\x51\x00\x63" + push(bytes(520 + excess)) + b"\x68"


def keys(excess: int) -> bytes:
    """20 keys."""
    return script("0 0") + b"\x51" * (20 + excess) + push_number(20 + excess) + b"\xae"


def signatures(excess: int) -> bytes:
    """No more signatures than keys."""
    return b"\x00" * (3 + excess) + push_number(2 + excess) + script("1 1 2 CHECKMULTISIG NOT")


def number_size(excess: int) -> bytes:
    """Numbers of four bytes, and of five where they are times."""
    wide = b"\x01" * (5 + excess)
    return push(wide[1:]) + b"\x8b\x75" + push(wide) + b"\xb2\x75\x51"


LIMITS = (
    script_size, operations, operations_of_keys, stack_size, item_size, keys, signatures,
    number_size,
)  # fmt: skip
