"""Fields: what may stand in the maps of a partially signed transaction, and in which form.

A map goes from keys to values, all bytes; a key begins with its type. Each type known here says how
long the rest of its key and its value are; a type that is not known is kept as it is. Fields of
version 2 are refused. Does not know how fields belong together (inputs).

Reference: BIP 174, 371 (taproot), 373 (MuSig2, whose fields are carried and not used).
"""

from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from typing import NamedTuple

from chain import curve
from chain.encoding import Reader, var_bytes, write_compact_size
from chain.errors import DecodeError
from chain.hashes import hash160, ripemd160, sha256, sha256d
from chain.script.signatures import is_strict_der
from chain.transaction import Transaction
from wallet.errors import BadPsbt
from wallet.key_expression import Origin

Map = Mapping[bytes, bytes]
MAX_TREE_DEPTH = 128  # of a taproot leaf (BIP 341)


class Global(IntEnum):
    """Types in the first map."""

    UNSIGNED_TX = 0x00
    XPUB = 0x01
    VERSION = 0xFB


class In(IntEnum):
    """Types in the map of an input."""

    NON_WITNESS_UTXO = 0x00
    WITNESS_UTXO = 0x01
    PARTIAL_SIG = 0x02
    SIGHASH_TYPE = 0x03
    REDEEM_SCRIPT = 0x04
    WITNESS_SCRIPT = 0x05
    BIP32_DERIVATION = 0x06
    FINAL_SCRIPTSIG = 0x07
    FINAL_SCRIPTWITNESS = 0x08
    POR_COMMITMENT = 0x09
    RIPEMD160 = 0x0A
    SHA256 = 0x0B
    HASH160 = 0x0C
    HASH256 = 0x0D
    TAP_KEY_SIG = 0x13
    TAP_SCRIPT_SIG = 0x14
    TAP_LEAF_SCRIPT = 0x15
    TAP_BIP32_DERIVATION = 0x16
    TAP_INTERNAL_KEY = 0x17
    TAP_MERKLE_ROOT = 0x18
    MUSIG2_PARTICIPANT_PUBKEYS = 0x1A
    MUSIG2_PUB_NONCE = 0x1B
    MUSIG2_PARTIAL_SIG = 0x1C


class Out(IntEnum):
    """Types in the map of an output."""

    REDEEM_SCRIPT = 0x00
    WITNESS_SCRIPT = 0x01
    BIP32_DERIVATION = 0x02
    TAP_INTERNAL_KEY = 0x05
    TAP_TREE = 0x06
    TAP_BIP32_DERIVATION = 0x07
    MUSIG2_PARTICIPANT_PUBKEYS = 0x08


Kind = type[Global] | type[In] | type[Out]
# Types that only version 2 has (BIP 370), by map.
_VERSION_2: dict[Kind, range] = {Global: range(0x02, 0x07), In: range(0x0E, 0x13), Out: range(3, 5)}


def field_key(kind: int, data: bytes = b"") -> bytes:
    """The key of a field: its type, then what tells it from others of the type."""
    return write_compact_size(kind) + data


def of_kind(fields: Map, kind: int) -> Iterator[tuple[bytes, bytes]]:
    """(rest of the key, value) of each field of a type, in order."""
    prefix = write_compact_size(kind)
    for key, value in fields.items():
        if key.startswith(prefix):
            yield key[len(prefix) :], value


def read_map(reader: Reader, kinds: Kind) -> dict[bytes, bytes]:
    """The next map, up to its empty key, each field checked. Raises BadPsbt, DecodeError."""
    fields: dict[bytes, bytes] = {}
    while key := reader.var_bytes():
        if key in fields:
            raise BadPsbt(f"the {_name(kinds)} map has the key {key.hex()[:80]} twice")
        fields[key] = reader.var_bytes()
        _check(kinds, key, fields[key])
    return fields


def write_map(fields: Map) -> bytes:
    """The map as it is written, in its own order, with the empty key behind it."""
    return b"".join(var_bytes(key) + var_bytes(value) for key, value in fields.items()) + b"\0"


def read_origin(value: bytes) -> Origin:
    """Fingerprint and path, 4 bytes each step."""
    if len(value) % 4 or not value:
        raise BadPsbt(f"a key's origin has {len(value)} bytes, expected a multiple of 4")
    steps = (value[at : at + 4] for at in range(4, len(value), 4))
    return Origin(value[:4], tuple(int.from_bytes(step, "little") for step in steps))


def write_origin(origin: Origin) -> bytes:
    """Fingerprint and path as they stand in a field."""
    return origin.fingerprint + b"".join(step.to_bytes(4, "little") for step in origin.path)


def read_tap_origin(value: bytes) -> tuple[tuple[bytes, ...], Origin]:
    """The hashes of the leaves that a taproot key is in, then its origin."""
    reader = Reader(value)
    hashes = tuple(reader.take(32) for _ in range(reader.count(32)))
    return hashes, read_origin(reader.take(reader.remaining))


def write_tap_origin(hashes: tuple[bytes, ...], origin: Origin) -> bytes:
    """The same as a field's value."""
    return write_compact_size(len(hashes)) + b"".join(hashes) + write_origin(origin)


def read_witness(value: bytes) -> tuple[bytes, ...]:
    """The items of a witness, as a transaction has them."""
    reader = Reader(value)
    items = tuple(reader.var_bytes() for _ in range(reader.count(1)))
    reader.finish()
    return items


def write_witness(items: tuple[bytes, ...]) -> bytes:
    """A witness as a field's value."""
    return write_compact_size(len(items)) + b"".join(map(var_bytes, items))


class _Form(NamedTuple):
    """What may stand behind a type in its key, and in the value; each refuses or falls."""

    key: Callable[[bytes], bool]
    value: Callable[[bytes, bytes], object]  # value, rest of the key; False refuses, so does a fall


def _sized(*sizes: int) -> Callable[[bytes], bool]:
    return lambda data: len(data) in sizes


def _value(*sizes: int) -> Callable[[bytes, bytes], bool]:
    return lambda value, _: len(value) in sizes


def _is_key(data: bytes) -> bool:
    return data[:1] in (b"\x02", b"\x03", b"\x04") and curve.is_valid_public_key(data)


def _is_control_block(data: bytes) -> bool:
    return 33 <= len(data) <= 33 + 32 * MAX_TREE_DEPTH and len(data) % 32 == 1


def _preimage(function: Callable[[bytes], bytes]) -> _Form:
    size = len(function(b""))
    return _Form(_sized(size), lambda value, key: function(value) == key)


def _is_xpub_origin(value: bytes, key: bytes) -> bool:
    return len(read_origin(value).path) == key[4]  # the depth of the extended key


def _is_tree(value: bytes, _: bytes) -> bool:
    """Leaves depth first: depth, version, script; the depths must fill a tree exactly."""
    reader, left = Reader(value), 1 << MAX_TREE_DEPTH
    while reader.remaining:
        depth, version = reader.u8(), reader.u8()
        reader.var_bytes()
        if depth > MAX_TREE_DEPTH or version & 1:
            return False
        left -= 1 << MAX_TREE_DEPTH - depth
    return left == 0


def _is_output(value: bytes, _: bytes) -> bool:
    reader = Reader(value)
    reader.take(8)
    reader.var_bytes()
    return reader.remaining == 0


def _is_signature(value: bytes, _: bytes) -> bool:
    return is_strict_der(value)


_ALONE, _ANY = _sized(0), lambda *_: True
_PUBLIC, _X_ONLY = _is_key, _sized(32)
_ORIGIN = _Form(_PUBLIC, lambda value, _: read_origin(value))
_TAP_ORIGIN = _Form(_X_ONLY, lambda value, _: read_tap_origin(value))
_SCRIPT = _Form(_ALONE, _ANY)
_PARTICIPANTS = _Form(_sized(33), lambda value, _: len(value) > 0 and len(value) % 33 == 0)
_FORMS: dict[Kind, dict[int, _Form]] = {
    Global: {
        Global.UNSIGNED_TX: _SCRIPT,
        Global.XPUB: _Form(_sized(78), _is_xpub_origin),
        Global.VERSION: _Form(_ALONE, _value(4)),
    },
    In: {
        In.NON_WITNESS_UTXO: _Form(_ALONE, lambda value, _: Transaction.parse(value)),
        In.WITNESS_UTXO: _Form(_ALONE, _is_output),
        In.PARTIAL_SIG: _Form(_PUBLIC, _is_signature),
        In.SIGHASH_TYPE: _Form(_ALONE, _value(4)),
        In.REDEEM_SCRIPT: _SCRIPT,
        In.WITNESS_SCRIPT: _SCRIPT,
        In.BIP32_DERIVATION: _ORIGIN,
        In.FINAL_SCRIPTSIG: _SCRIPT,
        In.FINAL_SCRIPTWITNESS: _Form(_ALONE, lambda value, _: read_witness(value) is not None),
        In.POR_COMMITMENT: _SCRIPT,
        In.RIPEMD160: _preimage(ripemd160),
        In.SHA256: _preimage(sha256),
        In.HASH160: _preimage(hash160),
        In.HASH256: _preimage(sha256d),
        In.TAP_KEY_SIG: _Form(_ALONE, _value(64, 65)),
        In.TAP_SCRIPT_SIG: _Form(_sized(64), _value(64, 65)),
        In.TAP_LEAF_SCRIPT: _Form(_is_control_block, lambda value, _: len(value) > 0),
        In.TAP_BIP32_DERIVATION: _TAP_ORIGIN,
        In.TAP_INTERNAL_KEY: _Form(_ALONE, _value(32)),
        In.TAP_MERKLE_ROOT: _Form(_ALONE, _value(32)),
        In.MUSIG2_PARTICIPANT_PUBKEYS: _PARTICIPANTS,
        In.MUSIG2_PUB_NONCE: _Form(_sized(66, 98), _value(66)),
        In.MUSIG2_PARTIAL_SIG: _Form(_sized(66, 98), _value(32)),
    },
    Out: {
        Out.REDEEM_SCRIPT: _SCRIPT,
        Out.WITNESS_SCRIPT: _SCRIPT,
        Out.BIP32_DERIVATION: _ORIGIN,
        Out.TAP_INTERNAL_KEY: _Form(_ALONE, _value(32)),
        Out.TAP_TREE: _Form(_ALONE, _is_tree),
        Out.TAP_BIP32_DERIVATION: _TAP_ORIGIN,
        Out.MUSIG2_PARTICIPANT_PUBKEYS: _PARTICIPANTS,
    },
}


def _check(kinds: Kind, key: bytes, value: bytes) -> None:
    """One field against the form of its type."""
    reader = Reader(key)
    kind = reader.compact_size(limit=2**64)
    if kind in _VERSION_2[kinds]:
        raise BadPsbt(f"{_name(kinds)} field {kind:#04x} belongs to version 2; only 0 is read here")
    if kind not in set(kinds):
        return
    form, name = _FORMS[kinds][kind], field_name(kinds, kind)
    if not form.key(key[reader.position :]):
        raise BadPsbt(f"{_name(kinds)} field {name} has a key of the wrong form or length")
    try:
        is_good = form.value(value, key[reader.position :]) is not False
    except (DecodeError, BadPsbt) as error:
        raise BadPsbt(f"{_name(kinds)} field {name}: {error}") from None
    if not is_good:
        raise BadPsbt(f"{_name(kinds)} field {name} has a value of the wrong form or length")


def field_name(kinds: Kind, kind: int) -> str:
    """The name that the proposals give a type, in small letters; its number if it has none."""
    return kinds(kind).name.lower() if kind in set(kinds) else f"{kind:#04x}"


def _name(kinds: Kind) -> str:
    return {Global: "global", In: "input", Out: "output"}[kinds]
