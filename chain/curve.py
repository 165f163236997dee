"""Signatures and keys on secp256k1: libsecp256k1 where it is installed, else the readable backend.

Knows which of the two files answers, and nothing else: both define the names below alike, and the
tests hold them against each other. Read beside it: curve_ecdsa, for what the functions do.
"""

try:
    from chain import curve_libsecp as backend
except ImportError:  # coincurve has no wheel for this platform
    from chain import curve_ecdsa as backend  # type: ignore[no-redef]

BACKEND_NAME = backend.BACKEND_NAME
CURVE_ORDER = backend.CURVE_ORDER
is_valid_public_key = backend.is_valid_public_key
public_key = backend.public_key
negate_secret = backend.negate_secret
add_to_secret = backend.add_to_secret
add_to_public_key = backend.add_to_public_key
tweak_public_key = backend.tweak_public_key
verify_ecdsa = backend.verify_ecdsa
sign_ecdsa = backend.sign_ecdsa
verify_schnorr = backend.verify_schnorr
sign_schnorr = backend.sign_schnorr
