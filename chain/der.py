"""DER as the first Bitcoin nodes read it: an ECDSA signature with nearly anything wrong with it.

Knows how to find r and s where OpenSSL found them before BIP 66, which blocks before that still
need. Does not know strict DER (script/signatures) nor what r and s are for. Read beside it:
ecdsa_signature_parse_der_lax in Core's pubkey.cpp, whose steps these are.
"""

_SEQUENCE = 0x30
_INTEGER = 0x02
_LONG_FORM = 0x80  # set in a length byte that only says how many length bytes follow


def parse_lax_der(signature: bytes) -> tuple[int, int] | None:
    """r and s, of any size and never negative; None if they cannot be found.

    The sequence's length is not looked at, zeros in front are skipped, what follows s is ignored.
    """
    try:
        at = _tag(signature, 0, _SEQUENCE)
        length_bytes = signature[at]
        at += 1
        if length_bytes & _LONG_FORM:
            at += length_bytes - _LONG_FORM
        r, at = _integer(signature, at)
        s, at = _integer(signature, at)
    except (IndexError, ValueError):
        return None
    return r, s


def _tag(data: bytes, at: int, tag: int) -> int:
    if data[at] != tag:
        raise ValueError
    return at + 1


def _integer(data: bytes, at: int) -> tuple[int, int]:
    """The integer at `at`, and where it ends. Raises ValueError or IndexError."""
    at = _tag(data, at, _INTEGER)
    length = data[at]
    at += 1
    if length & _LONG_FORM:
        end = at + length - _LONG_FORM
        length_bytes = data[at:end].lstrip(b"\0")
        if len(length_bytes) >= 4:
            raise ValueError
        length, at = int.from_bytes(length_bytes, "big"), end
    end = at + length  # beyond the end too where the length's own bytes were
    if end > len(data):
        raise ValueError
    return int.from_bytes(data[at:end], "big"), end
