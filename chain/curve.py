"""Signatures and keys on secp256k1: libsecp256k1 where it is installed, else the readable backend.

Knows which of the two files answers, and nothing else: both define the names below alike, and the
tests hold them against each other. Read beside it: curve_ecdsa, for what the functions do.
"""

try:
    from chain.curve_libsecp import (
        BACKEND_NAME,
        CURVE_ORDER,
        add_to_public_key,
        add_to_secret,
        is_valid_public_key,
        negate_secret,
        public_key,
        sign_ecdsa,
        sign_schnorr,
        tweak_public_key,
        verify_ecdsa,
        verify_schnorr,
    )
except ImportError:  # no coincurve for this platform
    from chain.curve_ecdsa import (
        BACKEND_NAME,
        CURVE_ORDER,
        add_to_public_key,
        add_to_secret,
        is_valid_public_key,
        negate_secret,
        public_key,
        sign_ecdsa,
        sign_schnorr,
        tweak_public_key,
        verify_ecdsa,
        verify_schnorr,
    )

__all__ = [
    "BACKEND_NAME",
    "CURVE_ORDER",
    "add_to_public_key",
    "add_to_secret",
    "is_valid_public_key",
    "negate_secret",
    "public_key",
    "sign_ecdsa",
    "sign_schnorr",
    "tweak_public_key",
    "verify_ecdsa",
    "verify_schnorr",
]
